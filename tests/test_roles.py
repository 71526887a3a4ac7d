"""Who may do what: the whole table of commands with every role, on every platform, over its real chat code.

One bot runs on each platform, and everybody says every command in turn, in private and in a group, under
both policies. What is allowed is answered; what is refused gets the one sentence that says so, and leaves no
trace in the database.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.alerts.bounds import QUOTAS
from bot.alerts.languages import Languages
from bot.alerts.message import Message
from bot.alerts.people import Caller, ChatKind, ChatRef, Policy, Role
from bot.commands import COMMANDS, Office, make_desk
from bot.ports import Chat, Desk, Replies
from bot.settings import Settings
from bot.store.sql import SqlStore
from tests.conftest import SetClock
from tests.market import HandMarket
from tests.metrics import HandMetrics
from tests.playing import PLATFORMS
from tests.stages import GROUP as PLACE
from tests.stages import ConsoleStage, Stage, TelegramStage, staged

MEMBER, ADMIN, OPERATOR = Role.MEMBER, Role.ADMIN, Role.OPERATOR
PEOPLE = {"olga": "operator", "boss": "admin", "ann": "member"}
ROLES = {"olga": OPERATOR, "boss": ADMIN, "ann": MEMBER}
GROUP = "group"
SOMEBODY = Caller(ChatRef("console", "me"), ChatKind.PRIVATE, "me")

MAKES = "who makes alerts"
"""Of an admin, or of a member where the policy says so."""
OWNS = "who made the alert"
"""Of an admin, or of its maker where the policy says so."""

GOLDEN: dict[str, tuple[Role | str, str, Role]] = {
    # line: (who may say it in a group, the line, who may say it in private)
    "start": (MEMBER, "/start", MEMBER),
    "help": (MEMBER, "/help alert", MEMBER),
    "alert": (MAKES, "/alert btc < 60k", MEMBER),
    "test": (MEMBER, "/test btc < 60k", MEMBER),
    "alerts": (MEMBER, "/alerts", MEMBER),
    "edit": (OWNS, "/edit 1 btc < 61k", MEMBER),
    "delete": (OWNS, "/delete 1 keep", MEMBER),
    "pause": (OWNS, "/pause 1", MEMBER),
    "resume": (OWNS, "/resume 1", MEMBER),
    "ringnow": (OWNS, "/ringnow 1", MEMBER),
    "price": (MEMBER, "/price btc", MEMBER),
    "chart": (MEMBER, "/chart nowhere", MEMBER),
    "metrics": (MEMBER, "/metrics", MEMBER),
    "etf": (MEMBER, "/etf btc", MEMBER),
    "export": (ADMIN, "/export", MEMBER),
    "import": (ADMIN, "/import", MEMBER),
    "forgetme": (MEMBER, "/forgetme", MEMBER),
    "status": (MEMBER, "/status", MEMBER),
    "feeds": (MEMBER, "/feeds", MEMBER),
    "mute": (OWNS, "/mute 1 8h", MEMBER),
    "snooze": (OWNS, "/snooze 1 8h", MEMBER),
    "unmute": (OWNS, "/unmute 1", MEMBER),
    "urgent": (OWNS, "/urgent 1", MEMBER),
    "quiet": (ADMIN, "/quiet 23:00-07:00", MEMBER),
    "report": (ADMIN, "/report daily 09:00", MEMBER),
    "catalogue": (MEMBER, "/catalogue", MEMBER),
    "subscribe": (ADMIN, "/subscribe floor", MEMBER),
    "unsubscribe": (ADMIN, "/unsubscribe floor", MEMBER),
    "playbooks": (MEMBER, "/playbooks", MEMBER),
    "playbook": (ADMIN, "/playbook conservative", MEMBER),
    "revise": (OPERATOR, "/revise conservative", OPERATOR),
    "publish": (OPERATOR, "/publish ceiling btc > 90k", OPERATOR),
    "unpublish": (OPERATOR, "/unpublish ceiling", OPERATOR),
    "level": (ADMIN, "/level floor 61k", MEMBER),
    "levels": (MEMBER, "/levels", MEMBER),
    "why": (MEMBER, "/why 1", MEMBER),
    "history": (MEMBER, "/history", MEMBER),
    "share": (MEMBER, "/share 1", MEMBER),
    "timezone": (ADMIN, "/timezone UTC", MEMBER),
    "language": (ADMIN, "/language English", MEMBER),
    "send": (ADMIN, "/send 1 here", MEMBER),
    "link": (MEMBER, "/link AAAAA-AAAAA", MEMBER),
    "unlink": (MEMBER, "/unlink", MEMBER),
    "announcements": (ADMIN, "/announcements on", MEMBER),
    "broadcast": (OPERATOR, "/broadcast hello", OPERATOR),
    "confirm": (MEMBER, "/confirm 9", MEMBER),
    "discard": (MEMBER, "/discard 9", MEMBER),
    "policy": (ADMIN, "/policy members", MEMBER),
    "quota": (OPERATOR, "/quota alerts person 99", OPERATOR),
    "ban": (OPERATOR, "/ban telegram:5 for 8h", OPERATOR),
    "unban": (OPERATOR, "/unban telegram:5", OPERATOR),
    "audit": (ADMIN, "/audit", MEMBER),
    "undo": (ADMIN, "/undo 99", MEMBER),
}
READING = (
    "/level",
    "/level floor",
    "/playbook",
    "/policy",
    "/timezone",
    "/language",
    "/announcements",
)
"""What members may say of commands that else are for admins: they only look."""


@dataclass
class Front:
    """The desk as it is, noting what it answered; ``answered`` is set when a command is done."""

    desk: Desk
    answers: list[Message] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def dispatch(self, caller: Caller, words: str) -> Replies:
        self.answers = []
        self.callers.append(caller)
        async for message in self.desk.dispatch(caller, words):
            self.answers.append(message)
            yield message
        self.answered.set()


@dataclass
class World:
    """One platform with a bot that runs on it."""

    stage: Stage
    store: SqlStore
    front: Front
    path: Path

    async def say(self, place: str, who: str, line: str) -> str:
        """Say a line, and give the first thing that was answered, as people see it and as it was meant."""
        before = len(self.stage.messages(place))
        answer = await self.answer(self.stage.say(place, who, line))
        assert len(self.stage.messages(place)) > before, f"{line} of {who} in {place} was not shown"
        return answer.plain()

    async def press(self, place: str, who: str, label: str) -> Message:
        """Press a button, and give the first thing that was answered."""
        return await self.answer(self.stage.press(place, who, label))

    async def answer(self, doing: Awaitable[Any]) -> Message:
        """Do something, wait until it is answered to the end, and give the first thing that was answered."""
        self.front.answered.clear()
        await doing
        async with asyncio.timeout(10):
            await self.front.answered.wait()
        assert self.front.answers, "nothing was answered"
        return self.front.answers[0]

    def memory(self) -> str:
        """Give all that the database holds."""
        with closing(sqlite3.connect(self.path)) as connection:
            return "\n".join(connection.iterdump())


@asynccontextmanager
async def running(
    platform: str, people: dict[str, str], store: SqlStore, database: str, **more: Any
) -> AsyncIterator[World]:
    """Let a bot run on a platform, over the wire, with no quota in reach: what they do is told elsewhere."""
    clock = SetClock()
    for quota in QUOTAS:
        await store.set_quota(SOMEBODY, *quota, 100_000, clock.now())
    async with staged(platform, people) as stage:
        chat: Chat
        [chat] = stage.chats(Settings(**stage.settings()), clock)  # type: ignore[arg-type]
        office = Office(
            register=store,
            market=HandMarket(clock, btc=69_400.0),
            metrics=HandMetrics(),
            clock=clock,
            quote="usdt",
            operators=stage.operators(),
            is_admin=chat.is_admin,
            languages=Languages(),
            **more,
        )
        desk = make_desk(office)
        front = Front(desk)
        listening = asyncio.create_task(chat.run(Desk(front.dispatch, desk.complete)))
        try:
            yield World(stage, store, front, Path(database.partition(":///")[2]))
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening


def refusal(name: str, place: str, needed: Role | str, policy: Policy) -> str:
    """Give the one sentence with which a command is refused."""
    if needed is OPERATOR:
        return f"/{name} is for the operators of this bot."
    assert place == GROUP
    who = " and for who made the alert" if needed is OWNS and policy is Policy.MEMBERS else ""
    return f"In a group /{name} is for its admins{who}; write to me in private to use it for yourself."


def least(needed: Role | str, policy: Policy) -> Role:
    """Give the least role that may; alert 1 of the group is the admin's."""
    if isinstance(needed, Role):
        return needed
    return MEMBER if needed is MAKES and policy is Policy.MEMBERS else ADMIN


def test_the_golden_table_names_every_command() -> None:
    assert set(GOLDEN) == {command.name for command in COMMANDS}


async def prepare(world: World, place: str, who: str) -> None:
    """Let a place have an alert of its own, so that commands find what they name."""
    await world.say(place, who, "/alert btc < 50k")


async def walk(world: World, place: str, who: str, policy: Policy, names: list[str]) -> None:
    """Let somebody say commands somewhere, and see who is answered what."""
    for name in names:
        in_group, line, in_private = GOLDEN[name]
        needed = in_group if place == GROUP else in_private
        role = ROLES[who] if place == GROUP else max(ROLES[who], MEMBER)
        is_let = role >= least(needed, policy)
        before = "" if is_let else world.memory()
        answer = await world.say(place, who, line)
        about = f"{who} in {place} under {policy}: {line} was answered {answer}"
        if is_let:
            assert "is for its admins" not in answer, about
            assert "is for the operators" not in answer, about
            assert "went wrong" not in answer, about
        else:
            assert answer == refusal(name, place, needed, policy), about
            assert world.stage.messages(place)[-1][-1] == answer, about
            assert world.front.answers[0].is_private, about
            assert world.memory() == before, about


@pytest.mark.parametrize("platform", [one for one in PLATFORMS if one != "console"])
async def test_every_command_is_for_whom_the_table_says(
    platform: str, store: SqlStore, database: str
) -> None:
    async with running(platform, PEOPLE, store, database) as world:
        for who in ("ann", "olga"):  # in private an admin is a person like any other
            await prepare(world, who, who)
        await prepare(world, GROUP, "boss")
        await world.say("olga", "olga", "/publish floor btc < 60k")
        for who in ("ann", "olga"):
            await walk(world, who, who, Policy.MEMBERS, [*GOLDEN])
        for who in ("ann", "boss", "olga"):
            await walk(world, GROUP, who, Policy.MEMBERS, [*GOLDEN])
        for line in READING:
            assert "is for" not in await world.say(GROUP, "ann", line)
        await world.say(GROUP, "boss", "/policy admins")
        by_policy = [name for name, (needed, *_) in GOLDEN.items() if isinstance(needed, str)]
        for who in ("ann", "boss", "olga"):
            await walk(world, GROUP, who, Policy.ADMINS, by_policy)


@pytest.mark.parametrize("role", [ADMIN, OPERATOR])
async def test_at_the_console_the_one_person_may_what_their_role_says(
    role: Role, store: SqlStore, database: str
) -> None:
    people = {"me": "operator" if role is OPERATOR else "member"}
    async with running("console", people, store, database) as world:
        assert isinstance(world.stage, ConsoleStage)
        await prepare(world, "me", "me")
        for name, (_, line, needed) in GOLDEN.items():
            before = world.memory()
            answer = await world.say("me", "me", line)
            if role >= needed:
                assert "is for the operators" not in answer, line
            else:
                assert answer == f"/{name} is for the operators of this bot."
                assert world.memory() == before, line


@pytest.mark.parametrize("platform", [one for one in PLATFORMS if one != "console"])
async def test_who_made_an_alert_may_change_it_while_the_policy_is_for_members(
    platform: str, store: SqlStore, database: str
) -> None:
    async with running(platform, {**PEOPLE, "bea": "member"}, store, database) as world:
        await world.say(GROUP, "ann", "/alert btc < 50k")
        for line in ("/pause 1", "/resume 1", "/edit 1 btc < 51k", "/mute #1 8h", "/unmute 1"):
            assert "is for" not in await world.say(GROUP, "ann", line)
            assert "for who made the alert" in await world.say(GROUP, "bea", line)
        for line in ("/mute 8h", "/unmute"):  # of the whole chat: not even who made every alert of it
            assert "is for" in await world.say(GROUP, "ann", line)
        before = world.memory()
        assert "for who made the alert" in await world.say(GROUP, "bea", "/delete 7")  # there is none
        assert world.memory() == before
        await world.say(GROUP, "boss", "/policy admins")
        assert "is for its admins;" in await world.say(GROUP, "ann", "/delete 1")
        await world.say(GROUP, "boss", "/policy members")
        assert await world.say(GROUP, "ann", "/delete 1") == "#1 is deleted: btc < 51000"


async def proposed(world: World) -> None:
    """Let the group follow a level of its own, and an admin propose to move it."""
    await world.say("olga", "olga", "/level floor 50k")
    await world.say("olga", "olga", "/publish dip btc < @floor")
    await world.say(GROUP, "boss", "/subscribe dip")


@pytest.mark.parametrize("platform", [one for one in PLATFORMS if one != "console"])
async def test_a_button_is_for_who_may_and_whoever_else_presses_it_is_told_alone(
    platform: str, store: SqlStore, database: str
) -> None:
    async with running(platform, {**PEOPLE, "mate": "admin"}, store, database) as world:
        await proposed(world)
        assert "would move from 50,000 to 51,000" in await world.say(GROUP, "boss", "/level floor 51k")
        before, shown = world.memory(), world.stage.messages(GROUP)
        for who in ("ann", "mate"):
            answer = await world.press(GROUP, who, "Confirm")
            assert answer.plain().startswith("Proposal 1 is for boss to confirm.")
            assert answer.is_private
        world.stage.appoint("boss", is_admin=False)
        answer = await world.press(GROUP, "boss", "Confirm")
        assert answer.plain() == "You are no admin here any more: nothing is changed."
        assert answer.is_private
        assert (world.memory(), world.stage.messages(GROUP)) == (before, shown)
        world.stage.appoint("boss", is_admin=True)
        assert "moved from 50,000 to 51,000" in (await world.press(GROUP, "boss", "Confirm")).plain()


async def test_an_anonymous_admin_speaks_as_the_group_and_any_admin_presses_for_it(
    store: SqlStore, database: str
) -> None:
    async with running("telegram", PEOPLE, store, database) as world:
        assert isinstance(world.stage, TelegramStage)
        server, people = world.stage.server, world.stage.ids
        await proposed(world)
        saying = server.say(PLACE, people["boss"], "/level floor 51k", speaks_as=PLACE)
        assert "would move from 50,000 to 51,000" in (await world.answer(saying)).plain()
        before = world.memory()
        assert "is for Traders to confirm" in (await world.press(GROUP, "ann", "Confirm")).plain()
        assert world.memory() == before
        saying = server.say(PLACE, people["ann"], "/level floor 52k", speaks_as=-1009, name="Linked")
        assert "/level is for its admins" in (await world.answer(saying)).plain()
        assert world.memory() == before
        assert "moved from 50,000 to 51,000" in (await world.press(GROUP, "boss", "Confirm")).plain()
