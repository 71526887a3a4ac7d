"""Discord end to end: the real discord.py against a Discord on loopback."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import discord
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.message import Message, say
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.chats.discord import DiscordChat, api_address
from bot.chats.discord_menu import is_same, menu, words
from bot.chats.discord_posts import token_of
from bot.chats.discord_text import LIMIT, escape, render, render_plain, width
from bot.commands import COMMANDS as TABLE
from bot.ports import ChatGone, Choice, Desk, Receipt, Refused, Rejected, Replies, RetryLater
from tests.streaming import until
from tests.wire.discord import DiscordServer


@dataclass(frozen=True)
class Option:
    name: str
    summary: str = "an option"
    kind: str = "text"
    is_required: bool = True
    completes: str = ""
    is_long: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    name: str
    summary: str
    is_for_admins: bool = False
    options: tuple[Option, ...] = ()
    changes: bool = False
    is_personal: bool = False


COMMANDS = (
    Command("help", "Say what there is"),
    Command(
        "alert", "Make an alert", options=(Option("rule", completes="rule", is_long=True),), changes=True
    ),
    Command("export", "Give the data", is_personal=True),
    Command("delete", "Delete an alert", options=(Option("number", kind="whole"),)),
    Command(
        "level",
        "Show or set a level",
        options=(Option("name"), Option("value", kind="number", is_required=False)),
    ),
    Command("publish", "Publish a rule", True, (Option("name"), Option("rule"))),
)


@dataclass
class FrontDesk:
    """A desk that notes what is brought to it and replies as it was told."""

    replies: Callable[[str], AsyncIterator[Message]] | None = None
    heard: list[tuple[Caller, str]] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    thinks: float = 0.0

    async def dispatch(self, caller: Caller, said: str) -> Replies:
        self.heard.append((caller, said))
        if self.replies is None:
            yield say(f"heard {said}")
            return
        async for message in self.replies(said):
            yield message

    async def complete(self, caller: Caller, command: str, option: str, prefix: str) -> list[Choice]:
        self.heard.append((caller, f"{command} {option} {prefix}"))
        await asyncio.sleep(self.thinks)
        return self.choices

    def desk(self) -> Desk:
        return Desk(self.dispatch, self.complete)


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        yield server


def make_chat(server: DiscordServer, **settings: Any) -> DiscordChat:
    return DiscordChat(
        server.token, COMMANDS, api=server.api, gateway=server.gateway, **({"patience": 3.0} | settings)
    )


@asynccontextmanager
async def running(
    server: DiscordServer, front: FrontDesk | None = None, **settings: Any
) -> AsyncIterator[DiscordChat]:
    chat = make_chat(server, **settings)
    listening = asyncio.create_task(chat.run((front or FrontDesk()).desk()))
    try:
        await server.connected()
        yield chat
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        await server.left()


def ref(channel: str) -> ChatRef:
    return ChatRef("discord", channel)


# --- what people say ----------------------------------------------------------------------------------------


async def test_slash_command_is_brought_to_the_desk_as_one_would_type_it(server: DiscordServer) -> None:
    front = FrontDesk()
    async with running(server, front):
        await server.slash(server.channel, server.ann, "alert", {"rule": "btc  < 100k"}, locale="de")
        (shown,) = await server.received(server.channel)
    caller, said = front.heard[0]
    assert said == "/alert btc < 100k"
    assert caller == Caller(
        ref(server.channel),
        ChatKind.GROUP,
        server.ann,
        "ann",
        False,
        "de",
        server=server.home,
        has_windows=True,
    )
    assert shown.text == "heard /alert btc \\< 100k"
    assert not shown.is_private


async def test_numbers_of_options_are_written_without_an_exponent(server: DiscordServer) -> None:
    front = FrontDesk()
    async with running(server, front):
        await server.slash(server.channel, server.boss, "level", {"value": 1e5, "name": "floor"})
        await server.slash(server.channel, server.boss, "level", {"name": "floor", "value": 0.00001234})
        await server.slash(server.channel, server.boss, "delete", {"number": 3})
        await server.received(server.channel, 3)
    assert [said for _, said in front.heard] == [
        "/level floor 100000",
        "/level floor 0.00001234",
        "/delete 3",
    ]


@pytest.mark.parametrize(("who", "is_admin"), [("ann", False), ("boss", True), ("olga", True)])
async def test_caller_is_an_admin_if_they_manage_the_server(
    server: DiscordServer, who: str, is_admin: bool
) -> None:
    front = FrontDesk()
    async with running(server, front):
        await server.slash(server.channel, getattr(server, who), "help")
        await server.say(server.channel, getattr(server, who), "{bot} help")
        await server.received(server.channel, 2)
    assert [caller.is_admin for caller, _ in front.heard] == [is_admin, is_admin]


async def test_direct_message_is_brought_to_the_desk_whatever_it_says(server: DiscordServer) -> None:
    front = FrontDesk()
    async with running(server, front):
        channel = await server.dm(server.ann, "btc < 100k")
        (shown,) = await server.received(channel)
    caller, said = front.heard[0]
    assert said == "btc < 100k"
    assert caller == Caller(ref(channel), ChatKind.PRIVATE, server.ann, "ann", True, "en", has_windows=True)
    assert shown.text == "heard btc \\< 100k"


async def test_slash_command_in_direct_messages_is_of_the_private_chat(server: DiscordServer) -> None:
    front = FrontDesk()
    async with running(server, front):
        channel = server.direct(server.ann)
        await server.slash(channel, server.ann, "publish", {"name": "floor", "rule": "btc < 1"})
        await server.received(channel)
    caller, said = front.heard[0]
    assert (caller.chat, caller.kind, caller.is_admin) == (ref(channel), ChatKind.PRIVATE, True)
    assert said == "/publish floor btc < 1"


async def test_in_a_server_only_a_mention_at_the_beginning_is_heard(server: DiscordServer) -> None:
    front = FrontDesk()
    async with running(server, front):
        await server.say(server.channel, server.ann, "btc < 100k")
        await server.say(server.channel, server.ann, "I like {bot}")
        await server.say(server.channel, server.ann, "{bot} btc < 90k")
        await server.say(server.channel, server.ann, "{bot}")
        await server.received(server.channel, 2)
    assert [said for _, said in front.heard] == ["btc < 90k", "/help"]


async def test_thread_is_a_chat_of_its_own(server: DiscordServer) -> None:
    front = FrontDesk()
    async with running(server, front) as chat:
        thread = server.thread("talk")
        await server.slash(thread, server.boss, "help")
        await server.received(thread)
        assert await chat.send(ref(thread), say("ring"), "n") == Receipt(
            (await server.received(thread, 2))[1].id
        )
        assert await chat.is_admin(ref(thread), server.boss)
        await server.say(thread, server.boss, "{bot} /help")
        await server.received(thread, 3)
    by_slash, by_mention = (caller for caller, _ in front.heard)
    assert by_slash.chat == ref(thread)
    for caller in (by_slash, by_mention):
        assert (caller.group, caller.is_admin) == (ref(server.channel), True)


async def test_what_a_person_brought_along_is_of_their_private_chat_and_shown_to_them_alone(
    server: DiscordServer,
) -> None:
    front = FrontDesk()
    async with running(server, front):
        await server.slash(server.channel, server.boss, "help", is_brought=True)
        (shown,) = await server.received(server.channel)
        server.refuse("/users/@me/channels", 403, 50007)
        await server.slash(server.channel, server.ann, "help", is_brought=True)
        await server.reads(server.channel, "I cannot write to you in private")
    assert shown.is_private
    ((caller, _),) = front.heard
    assert (caller.chat, caller.kind) == (ref(server.direct(server.boss)), ChatKind.PRIVATE)
    assert (caller.is_admin, caller.server) == (True, "")


async def test_a_mention_without_an_answer_is_left_alone(server: DiscordServer) -> None:
    async def replies(said: str) -> AsyncIterator[Message]:
        if said == "/help":
            yield say("here")

    async with running(server, FrontDesk(replies)):
        await server.say(server.channel, server.ann, "{bot} what a day")
        await server.say(server.channel, server.ann, "{bot} /help")
        await server.holds(server.channel, "here")


async def test_messages_of_one_chat_are_answered_in_order(server: DiscordServer) -> None:
    async def replies(said: str) -> AsyncIterator[Message]:
        await asyncio.sleep(0.2 if said == "one" else 0)
        yield say(said)

    async with running(server, FrontDesk(replies)):
        for said in ("one", "two", "three"):
            channel = await server.dm(server.ann, said)
        assert [shown.text for shown in await server.received(channel, 3)] == ["one", "two", "three"]


# --- what they see ------------------------------------------------------------------------------------------


async def test_later_replies_take_the_place_of_the_first(server: DiscordServer) -> None:
    async def replies(_: str) -> AsyncIterator[Message]:
        yield say("looking")
        yield say("x" * 1500, "y" * 1500)
        yield say("found")

    async with running(server, FrontDesk(replies)):
        await server.slash(server.channel, server.ann, "help")
        (shown,) = await server.holds(server.channel, "found")
        direct = await server.dm(server.ann, "btc")
        (too,) = await server.holds(direct, "found")
    assert shown.before == too.before == ("looking", "x" * 1500)


async def test_private_reply_is_shown_to_the_asker_alone(server: DiscordServer) -> None:
    async def replies(_: str) -> AsyncIterator[Message]:
        yield Message(lines=("for you",), is_private=True)
        yield Message(lines=("still for you",) + ("z" * 1500,) * 2, is_private=True)

    async with running(server, FrontDesk(replies)):
        await server.slash(server.channel, server.ann, "help")
        await server.reads(server.channel, "still for you")
        shown = await server.received(server.channel, 2)
    assert all(one.is_private for one in shown)


async def test_slow_command_is_deferred_and_then_answered(server: DiscordServer) -> None:
    go = asyncio.Event()

    async def replies(_: str) -> AsyncIterator[Message]:
        await go.wait()
        yield say("at last")
        yield say("and more")

    async with running(server, FrontDesk(replies), answer_within=0.05):
        asked = await server.slash(server.channel, server.ann, "help")
        await server.answered(asked)
        assert server.is_thinking(asked)
        server.pass_time(60)
        go.set()
        (shown,) = await server.reads(server.channel, "and more")
    assert shown.before == ("at last",)


async def test_private_reply_after_a_deferral_leaves_nothing_open(server: DiscordServer) -> None:
    async def replies(_: str) -> AsyncIterator[Message]:
        await asyncio.sleep(0.15)
        yield Message(lines=("secret",), is_private=True)
        yield Message(lines=("secret too",), is_private=True)

    async with running(server, FrontDesk(replies), answer_within=0.05):
        await server.slash(server.channel, server.ann, "help")
        (shown,) = await server.holds(server.channel, "secret too")
    assert shown.is_private
    assert shown.before == ("secret",)


async def test_reply_after_a_quarter_of_an_hour_is_a_message_of_its_own(server: DiscordServer) -> None:
    go = asyncio.Event()

    async def replies(_: str) -> AsyncIterator[Message]:
        yield say("looking")
        await go.wait()
        yield say("found")
        yield say("found it")

    async with running(server, FrontDesk(replies)):
        await server.slash(server.channel, server.ann, "help")
        await server.received(server.channel)
        server.pass_time(15 * 60 + 1)
        go.set()
        first, second = await server.reads(server.channel, "found it")
    assert (first.text, second.text, second.before) == ("looking", "found it", ("found",))


async def test_interaction_answered_too_late_becomes_a_message(server: DiscordServer) -> None:
    async def replies(_: str) -> AsyncIterator[Message]:
        server.pass_time(3.5)
        yield say("late")

    async with running(server, FrontDesk(replies)):
        await server.slash(server.channel, server.ann, "help")
        assert (await server.received(server.channel))[0].text == "late"


async def test_private_reply_that_comes_too_late_goes_to_the_person(server: DiscordServer) -> None:
    async def replies(_: str) -> AsyncIterator[Message]:
        server.pass_time(3.5)
        yield Message(lines=("secret",), is_private=True)

    async with running(server, FrontDesk(replies)):
        await server.slash(server.channel, server.ann, "help")
        assert (await server.received(server.direct(server.ann)))[0].text == "secret"
        assert server.shown(server.channel) == []


async def test_response_whose_answer_was_lost_is_not_given_twice(server: DiscordServer) -> None:
    async def replies(_: str) -> AsyncIterator[Message]:
        yield say("first")
        yield say("second")

    server.lose_answers("/interactions/*")
    async with running(server, FrontDesk(replies)):
        await server.slash(server.channel, server.ann, "help")
        await server.reads(server.channel, "second")
    assert len(server.shown(server.channel)) <= 2


async def test_command_that_fails_is_answered_all_the_same(server: DiscordServer) -> None:
    async def replies(said: str) -> AsyncIterator[Message]:
        if said == "/help":
            raise RuntimeError("a bug")
        yield say("fine")

    async with running(server, FrontDesk(replies)):
        await server.slash(server.channel, server.ann, "help")
        await server.reads(server.channel, "Something went wrong")
        await server.slash(server.channel, server.ann, "alert", {"rule": "x"})
        await server.reads(server.channel, "fine")


async def test_command_without_a_reply_is_answered(server: DiscordServer) -> None:
    async def replies(_: str) -> AsyncIterator[Message]:
        for message in ():
            yield message

    async with running(server, FrontDesk(replies)):
        await server.slash(server.channel, server.ann, "help")
        await server.reads(server.channel, "There is no answer to that.")


async def test_person_is_told_where_no_alert_could_arrive(server: DiscordServer) -> None:
    async with running(server):
        server.bar(server.channel)
        await server.slash(server.channel, server.ann, "help")
        _, remark = await server.received(server.channel, 2)
    assert remark.text.startswith("I may not write in this channel")
    assert remark.is_private


async def test_what_is_said_pings_nobody(server: DiscordServer) -> None:
    async with running(server) as chat:
        text = f"@everyone <@{server.ann}>"
        await server.dm(server.ann, text)
        await chat.send(ref(server.channel), Message(text, (text,), text), "n")
        await server.received(server.channel)
    messages = [
        body for method, path, body in server.requests if method == "POST" and "content" in (body or {})
    ]
    assert messages
    assert all(body["allowed_mentions"]["parse"] == [] for body in messages)
    kept = server.backend.messages[int(server.channel)].values()
    assert not any(message.mention_everyone or message.mention_user_ids for message in kept)


# --- suggestions --------------------------------------------------------------------------------------------


async def test_suggestions_come_from_the_desk(server: DiscordServer) -> None:
    front = FrontDesk(choices=[Choice("BTC/USDT", "btc/usdt"), Choice("B" * 150, "b")])
    async with running(server, front):
        found = await server.autocomplete(server.channel, server.ann, "alert", "rule", "bt")
    assert found == [("BTC/USDT", "btc/usdt"), ("B" * 99 + "…", "b")]
    assert front.heard[0][1] == "alert rule bt"


async def test_at_most_25_suggestions_are_given_and_none_that_discord_refuses(server: DiscordServer) -> None:
    unfit = [Choice("", "a"), Choice("a", ""), Choice("a", "a" * 101)]
    front = FrontDesk(choices=unfit + [Choice(f"c{number}", f"v{number}") for number in range(40)])
    async with running(server, front):
        found = await server.autocomplete(server.channel, server.ann, "alert", "rule", "")
    assert found == [(f"c{number}", f"v{number}") for number in range(25)]


async def test_slow_suggestions_are_none(server: DiscordServer) -> None:
    front = FrontDesk(choices=[Choice("a", "a")], thinks=30)
    async with running(server, front, complete_within=0.05):
        assert await server.autocomplete(server.channel, server.ann, "alert", "rule", "") == []


async def test_failing_suggestions_are_none(server: DiscordServer) -> None:
    async def complete(*_: object) -> list[Choice]:
        raise RuntimeError("a bug")

    chat = make_chat(server)
    listening = asyncio.create_task(chat.run(Desk(FrontDesk().dispatch, complete)))
    assert await server.autocomplete(server.channel, server.ann, "alert", "rule", "") == []
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


# --- the menu -----------------------------------------------------------------------------------------------


async def test_commands_are_registered_only_when_they_differ(server: DiscordServer) -> None:
    for _ in range(2):
        async with running(server):
            pass
    assert server.count("PUT", "/applications/*/commands") == 1
    server.backend.register_commands(None, [{"name": "old", "description": "of before"}])
    async with running(server):
        pass
    assert server.count("PUT", "/applications/*/commands") == 2
    assert {name for name, _ in server.backend.commands[None]} == {one.name for one in COMMANDS}


async def test_command_of_admins_is_hidden_from_members_unless_they_may_read_with_it(
    server: DiscordServer,
) -> None:
    async with running(server):
        with pytest.raises(PermissionError):
            await server.slash(server.channel, server.ann, "publish", {"name": "a", "rule": "b"})
        await server.slash(server.channel, server.boss, "publish", {"name": "a", "rule": "b"})
        await server.slash(server.channel, server.ann, "level", {"name": "a"})
        await server.received(server.channel, 2)


async def test_commands_that_cannot_be_registered_do_not_keep_the_bot_from_starting(
    server: DiscordServer,
) -> None:
    server.refuse("/applications/*/commands", 400, 50035)
    async with running(server):
        channel = await server.dm(server.ann, "help")
        await server.received(channel)


def test_menu_that_discord_gives_back_is_known_again() -> None:
    ours = menu(COMMANDS)
    theirs = [
        {key: value for key, value in command.items() if value is not None}
        | {"id": "1", "version": "2", "nsfw": False}
        | {"options": [_as_kept(option) for option in command["options"]]}
        for command in reversed(ours)
    ]
    assert is_same(ours, theirs)
    theirs[0]["description"] = "another"
    assert not is_same(ours, theirs)


def _as_kept(option: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in option.items() if value is not False}


def test_table_of_commands_fits_into_discords_menu() -> None:
    described = menu(TABLE)
    assert len({command["name"] for command in described}) == len(described) <= 100
    for command in described:
        options = command["options"]
        required = [option["required"] for option in options]
        assert len(options) <= 25
        assert required == sorted(required, reverse=True)
        for named in (command, *options):
            assert re.fullmatch(r"[-_a-z0-9]{1,32}", named["name"])
            assert 1 <= len(named["description"]) <= 100


def test_required_options_come_first_in_the_menu_and_in_order_in_the_words() -> None:
    command = Command("x", "s", options=(Option("a", is_required=False), Option("b")))
    (described,) = menu([command])
    assert [option["name"] for option in described["options"]] == ["b", "a"]
    assert words(command, {"b": "2", "a": "1"}) == "/x 1 2"


# --- alerts -------------------------------------------------------------------------------------------------


async def test_alert_arrives_in_its_channel_with_a_receipt(server: DiscordServer) -> None:
    async with running(server) as chat:
        outcome = await chat.send(
            ref(server.channel), Message("#1 rang", ("BTC < 100k",), "a `b` c"), "ring/1"
        )
        (shown,) = await server.received(server.channel)
    assert outcome == Receipt(shown.id)
    assert shown.text == "**#1 rang**\nBTC \\< 100k\n```\na `b` c\n```"


async def test_alert_sent_again_with_the_same_nonce_stands_there_once(server: DiscordServer) -> None:
    async with running(server) as chat:
        first = await chat.send(ref(server.channel), say("ring"), "ring/1")
        again = await chat.send(ref(server.channel), say("ring"), "ring/1")
        other = await chat.send(ref(server.channel), say("ring"), "ring/2")
    assert first == again != other
    assert len(server.shown(server.channel)) == 2


async def test_same_nonce_in_two_channels_is_two_messages(server: DiscordServer) -> None:
    elsewhere = server.text_channel("elsewhere")
    async with running(server) as chat:
        await chat.send(ref(server.channel), say("ring"), "ring/1")
        await chat.send(ref(elsewhere), say("ring"), "ring/1")
    assert len(server.shown(server.channel)) == len(server.shown(elsewhere)) == 1


async def test_alert_whose_answer_was_lost_is_sent_again_and_stands_there_once(server: DiscordServer) -> None:
    async with running(server) as chat:
        server.lose_answers(server.channel)
        assert isinstance(await chat.send(ref(server.channel), say("ring"), "ring/1"), RetryLater)
        assert isinstance(await chat.send(ref(server.channel), say("ring"), "ring/1"), Receipt)
    assert len(server.shown(server.channel)) == 1


async def test_long_alert_arrives_whole_and_once_though_its_second_part_failed_first(
    server: DiscordServer,
) -> None:
    message = say(*(f"line {number} " + "x" * 90 for number in range(60)))
    async with running(server, patience=0.4) as chat:
        server.limit(server.channel, 40, times=1)
        assert isinstance(await chat.send(ref(server.channel), message, "n"), RetryLater)
        server.heal()
        assert isinstance(await chat.send(ref(server.channel), message, "n"), Receipt)
        assert isinstance(await chat.send(ref(server.channel), message, "n"), Receipt)
    shown = "\n".join(one.text for one in server.shown(server.channel))
    assert shown.split("\n") == list(message.lines)


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, 10003), (403, 50001), (403, 50007), (403, 50013), (403, 50278), (403, 99999)],
)
async def test_channel_that_cannot_be_written_to_is_gone(
    server: DiscordServer, status: int, code: int
) -> None:
    async with running(server) as chat:
        server.refuse(server.channel, status, code)
        outcome = await chat.send(ref(server.channel), say("ring"), "n")
    assert isinstance(outcome, ChatGone)
    assert outcome.reason
    assert server.count("POST", "/channels/*/messages") == 1


async def test_an_archived_thread_is_taken_out_of_the_archive(server: DiscordServer) -> None:
    thread = server.thread("floor")
    async with running(server) as chat:
        server.refuse(thread, 400, 50083, times=1)
        assert isinstance(await chat.send(ref(thread), say("ring"), "n"), Receipt)
    assert server.woken == [thread]
    assert [shown.text for shown in server.shown(thread)] == ["ring"]


@pytest.mark.parametrize(("status", "code"), [(404, 10003), (400, 160005)])
async def test_a_thread_that_is_deleted_or_locked_is_over(
    server: DiscordServer, status: int, code: int
) -> None:
    thread = server.thread("floor")
    async with running(server) as chat:
        server.refuse(thread, status, code)
        outcome = await chat.send(ref(thread), say("ring"), "n")
    assert isinstance(outcome, ChatGone) and outcome.is_over


async def test_deleted_channel_is_gone(server: DiscordServer) -> None:
    async with running(server) as chat:
        assert isinstance(await chat.send(ref("1"), say("ring"), "n"), ChatGone)
        assert isinstance(await chat.send(ref("no id"), say("ring"), "n"), ChatGone)


async def test_refused_markup_is_sent_again_without_it(server: DiscordServer) -> None:
    async with running(server) as chat:
        server.refuse(server.channel, 400, 50035, times=1)
        outcome = await chat.send(ref(server.channel), Message("#1 rang", ("a *b*",), "c"), "n")
        (shown,) = await server.received(server.channel)
    assert outcome == Receipt(shown.id)
    assert shown.text == "#1 rang\na \\*b\\*\nc"


async def test_message_refused_twice_is_rejected(server: DiscordServer) -> None:
    async with running(server) as chat:
        server.refuse(server.channel, 400, 50035)
        outcome = await chat.send(ref(server.channel), say("ring"), "n")
    assert isinstance(outcome, Rejected)
    assert server.count("POST", "/channels/*/messages") == 2


@pytest.mark.parametrize("trouble", ["refuse", "hang", "reset"])
async def test_trouble_of_discord_or_the_network_asks_to_try_later(
    server: DiscordServer, trouble: str
) -> None:
    async with running(server, patience=0.3) as chat:
        match trouble:
            case "refuse":
                server.refuse(server.channel, 503)
            case "hang":
                server.hang(server.channel)
            case "reset":
                server.reset(server.channel)
        outcome = await chat.send(ref(server.channel), say("ring"), "n")
        assert isinstance(outcome, RetryLater)
        assert not outcome.is_global
        assert outcome.after > 0
        server.heal()
        assert isinstance(await chat.send(ref(server.channel), say("ring"), "n"), Receipt)
    assert len(server.shown(server.channel)) == 1


async def test_a_chat_knows_whether_it_is_connected(server: DiscordServer) -> None:
    assert not make_chat(server).is_connected
    async with running(server) as chat:
        await until(lambda: chat.is_connected)
    assert not chat.is_connected


async def test_short_limit_is_waited_out(server: DiscordServer) -> None:
    async with running(server) as chat:
        server.limit(server.channel, 0.1)
        assert isinstance(await chat.send(ref(server.channel), say("ring"), "n"), Receipt)


@pytest.mark.parametrize("after", [8.0, 90.0])
async def test_long_limit_of_a_channel_is_told_at_once(server: DiscordServer, after: float) -> None:
    elsewhere = server.text_channel("elsewhere")
    async with running(server) as chat:
        server.limit(server.channel, after)
        outcome = await chat.send(ref(server.channel), say("ring"), "n")
        assert isinstance(outcome, RetryLater)
        assert outcome.after == pytest.approx(after, abs=0.5)
        assert not outcome.is_global
        assert isinstance(await chat.send(ref(elsewhere), say("ring"), "n"), Receipt)


@pytest.mark.parametrize("after", [1.2, 90.0])
async def test_limit_of_the_whole_bot_holds_every_channel_and_ends(
    server: DiscordServer, after: float
) -> None:
    elsewhere = server.text_channel("elsewhere")
    async with running(server) as chat:
        server.limit(server.channel, after, is_global=True)
        outcome = await chat.send(ref(server.channel), say("ring"), "n")
        other = await chat.send(ref(elsewhere), say("ring"), "n")
        for one in (outcome, other):
            assert isinstance(one, RetryLater)
            assert one.is_global
            assert one.after == pytest.approx(after, abs=0.5)
        assert server.count("POST", "/channels/*/messages") == 1
        if after < 10:
            await asyncio.sleep(after)
            assert isinstance(await chat.send(ref(elsewhere), say("ring"), "n"), Receipt)
            assert isinstance(await chat.send(ref(server.channel), say("ring"), "n"), Receipt)
            assert len(server.shown(server.channel)) == 1


async def test_limit_from_in_front_of_discord_holds_every_channel(server: DiscordServer) -> None:
    async with running(server) as chat:
        server.limit(server.channel, 0.5, is_marked=False)
        outcome = await chat.send(ref(server.channel), say("ring"), "n")
    assert isinstance(outcome, RetryLater)
    assert outcome.is_global


async def test_fifty_alerts_a_second_are_sent_without_a_limit_met(server: DiscordServer) -> None:
    channels = [server.text_channel(f"c{number}") for number in range(40)]
    async with running(server) as chat:
        outcomes = await asyncio.gather(*(chat.send(ref(one), say("ring"), "n") for one in channels))
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert server.refused == 0


async def test_alert_before_the_bot_is_in_waits(server: DiscordServer) -> None:
    chat = make_chat(server)
    assert isinstance(await chat.send(ref(server.channel), say("ring"), "n"), RetryLater)


# --- who administers ----------------------------------------------------------------------------------------


async def test_platform_says_who_administers(server: DiscordServer) -> None:
    stranger = server.person("stranger", is_member=False)
    async with running(server) as chat:
        channel = ref(server.channel)
        assert await chat.is_admin(channel, server.boss)
        assert await chat.is_admin(channel, server.olga)
        assert not await chat.is_admin(channel, server.ann)
        assert not await chat.is_admin(channel, stranger)
        assert not await chat.is_admin(channel, "nobody")
        assert not await chat.is_admin(ref("1"), server.boss)
        direct = ref(server.direct(server.ann))
        assert await chat.is_admin(direct, server.ann)
        assert not await chat.is_admin(direct, server.boss)
        server.refuse("/guilds/*", 503)
        assert not await chat.is_admin(channel, server.boss)
    assert not await chat.is_admin(channel, server.boss)


# --- coming and going ---------------------------------------------------------------------------------------


async def test_wrong_token_stops_with_one_sentence_that_does_not_hold_it(server: DiscordServer) -> None:
    for token in ("wrong.token", "tökén", "two\nlines"):
        chat = DiscordChat(token, COMMANDS, api=server.api, gateway=server.gateway)
        with pytest.raises(Refused, match="TOCSIN_DISCORD_TOKEN") as refused:
            await chat.run(FrontDesk().desk())
        assert token not in str(refused.value)
        assert refused.value.__suppress_context__ or refused.value.__context__ is None


async def test_token_that_is_withdrawn_stops_the_bot(server: DiscordServer) -> None:
    chat = make_chat(server)
    listening = asyncio.create_task(chat.run(FrontDesk().desk()))
    await server.connected()
    await server.hub.drop(4004)
    with pytest.raises(Refused):
        await asyncio.wait_for(listening, 5)


async def test_bot_goes_on_after_its_connection_broke(server: DiscordServer) -> None:
    async with running(server):
        await server.hub.drop()
        channel = await server.dm(server.ann, "after")
        await server.received(channel)
        server.hub.reconnect()
        await server.received(await server.dm(server.ann, "again"), 2)
    assert server.hub.identifies == 1
    assert server.hub.resumes == 2


async def test_a_command_that_was_missed_is_answered_once_whatever_broke_the_connection(
    server: DiscordServer,
) -> None:
    async def drop() -> None:
        await server.hub.drop(4000)

    async def close() -> None:
        await server.hub.drop(1000)

    async def reconnect() -> None:
        server.hub.reconnect()

    async def invalidate() -> None:
        server.hub.invalidate(is_resumable=True)

    front = FrontDesk()
    async with running(server, front) as chat:
        await server.slash(server.channel, server.ann, "help")
        await server.received(server.channel)
        spec = server.backend.find_command("help", None)
        assert spec is not None
        for cut in (drop, close, reconnect, invalidate):
            server.hub.gate.clear()
            await cut()
            await server.left()
            missed = server._interact(2, (server.channel, server.ann), spec, [])
            server.hub.gate.set()
            await server.answered(missed)
        await server.received(server.channel, 5)
        assert (server.hub.identifies, server.hub.resumes) == (1, 4)
        await until(lambda: chat.is_connected)
    assert [said for _, said in front.heard] == ["/help"] * 5


async def test_a_session_that_is_over_is_begun_anew(
    server: DiscordServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def identify_at_once(*_: Any, **__: Any) -> None:
        """Leave out the five seconds that the library waits before it identifies again."""

    monkeypatch.setattr(discord.Client, "before_identify_hook", identify_at_once)
    async with running(server) as chat:
        server.hub.invalidate(is_resumable=False)
        await server.slash(server.channel, server.ann, "help")
        await server.received(server.channel)
        assert (server.hub.identifies, server.hub.resumes) == (2, 0)
        sockets = [one.socket for one in server.hub._sessions.values()]
        server.hub.forget()
        for socket in sockets:
            assert socket is not None
            await socket.close(code=4000)  # it tries to resume, and hears that nothing is left to resume
        await server.slash(server.channel, server.ann, "help")
        await server.received(server.channel, 2)
        assert (server.hub.identifies, server.hub.resumes) == (3, 0)
        await until(lambda: chat.is_connected)


@pytest.mark.parametrize(
    ("code", "said"),
    [(4014, "does not allow this bot an intent"), (4011, "divide itself"), (4012, "update Tocsin")],
)
async def test_why_discord_does_not_let_the_bot_in_is_a_sentence_until_it_does(
    server: DiscordServer, code: int, said: str
) -> None:
    server.hub.bars = code
    chat = make_chat(server)
    with structlog.testing.capture_logs() as lines:
        listening = asyncio.create_task(chat.run(FrontDesk().desk()))
        await until(lambda: bool(chat.trouble))
        server.hub.bars = 0
        assert said in chat.trouble
        assert not chat.is_connected
        await server.connected()
        await until(lambda: chat.is_connected)
        assert not chat.trouble
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
    [error] = [line for line in lines if line["log_level"] == "error"]
    assert error["code"] == code and said in error["reason"]


async def test_what_was_said_while_the_connection_was_broken_is_answered(server: DiscordServer) -> None:
    async with running(server):
        await server.dm(server.ann, "before")
        dropping = asyncio.create_task(server.hub.drop())
        channel = await server.dm(server.ann, "meanwhile")
        await dropping
        assert {one.text for one in await server.received(channel, 2)} == {"heard before", "heard meanwhile"}


async def test_start_waits_out_a_discord_that_is_away(server: DiscordServer) -> None:
    server.refuse("/users/@me", 503, times=1)
    async with running(server):
        await server.received(await server.dm(server.ann, "hello"))


async def test_start_waits_out_a_gateway_that_is_away(server: DiscordServer) -> None:
    server.refuse("/gateway", 503, times=1)
    async with running(server):
        await server.received(await server.dm(server.ann, "hello"))
    assert server.count("GET", "/gateway") == 2


async def test_stopping_ends_what_is_being_answered(server: DiscordServer) -> None:
    ended = asyncio.Event()

    async def replies(_: str) -> AsyncIterator[Message]:
        try:
            yield say("looking")
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with running(server, FrontDesk(replies)):
        await server.slash(server.channel, server.ann, "help")
        await server.received(server.channel)
    assert ended.is_set()


# --- rendering ----------------------------------------------------------------------------------------------

SPICE = (
    *(
        "@everyone",
        "@here",
        "<@123>",
        "<@!123>",
        "<@&1>",
        "<#1>",
        "<:a:1>",
        "<t:1:R>",
        "</a:1>",
        "https://a.b",
    ),
    *(
        "[a](https://b)",
        "**",
        "__",
        "~~",
        "||",
        "`",
        "``",
        "```",
        "# ",
        "## ",
        "-# ",
        "> ",
        ">>> ",
        "- ",
        "* ",
    ),
    *("1. ", "\\", "\\\\", "\n", "\r\n", "\u2028", " ", "\x00", "\ud800", "🔔", "btc < @etf_cost"),
)
texts = st.lists(st.sampled_from(SPICE) | st.text(max_size=6), max_size=12).map("".join)
messages = st.builds(Message, texts, st.lists(texts, max_size=5).map(tuple), texts)
long_messages = st.builds(
    Message,
    texts.map(lambda text: text * 30),
    st.lists(texts.map(lambda text: text * 40), max_size=4).map(tuple),
    texts.map(lambda text: text * 40),
)


def bare(text: str) -> str:
    """Reduce a text to what has to survive: all but white space, gaps and what is no character."""
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return re.sub(r"[\s\x1c-\x1f\u200b\x85]|[\x00-\x08\x0e-\x1b\x7f\ufffd]", "", text)


def shown_by_discord(part: str) -> str:
    """Take our own markup off a part and read the escapes, as Discord does; fails on any other markup."""
    text = ""
    for number, piece in enumerate(re.split(r"(?:^|\n)```\n((?:.|\n)*?)\n```(?=\n|$)", part)):
        if number % 2:
            assert "```" not in piece
            assert not re.search(r"<[@#:/]|@everyone|@here", piece)
            text += piece
            continue
        for line in piece.split("\n"):
            inner = line[2:-2] if len(line) > 4 and line.startswith("**") and line.endswith("**") else line
            plain = re.sub(r"\\[^0-9A-Za-z\s]", "", inner)
            assert not re.search(r"[*_~`|\\<]|\[|://|@everyone|@here", plain), line
            assert not re.match(r"\s*(#{1,3}|-#|>{1,3}|[-+*]|\d+\.)(\s|$)", inner), line
            assert "<@" not in inner, line
            text += re.sub(r"\\([^0-9A-Za-z\s])", r"\1", inner)
    return text


@given(messages | long_messages)
def test_nothing_is_lost_and_nothing_works_as_markup_or_mention(message: Message) -> None:
    parts = render(message)
    assert all(0 < width(part) <= LIMIT and part.strip() for part in parts)
    assert bare("".join(map(shown_by_discord, parts))) == bare(message.plain())


@given(messages | long_messages)
def test_plain_rendering_keeps_the_same_without_markup(message: Message) -> None:
    parts = render_plain(message)
    assert all(0 < width(part) <= LIMIT for part in parts)
    assert bare("".join(map(shown_by_discord, parts))) == bare(message.plain())


def test_message_is_cut_at_line_ends_and_its_block_is_fenced_in_each_part() -> None:
    first, second = render(Message("Title", ("a" * 1000,), "\n".join(["b" * 500] * 3)))
    assert first == "**Title**\n" + "a" * 1000 + "\n```\n" + "b" * 500 + "\n```"
    assert second == "```\n" + "\n".join(["b" * 500] * 2) + "\n```"


def test_ordinary_words_are_left_as_they_are() -> None:
    assert escape("#1 BTC/USDT above 70,000: now 69,400 (0.9% away), -3% & @etf") == (
        "#1 BTC/USDT above 70,000: now 69,400 (0.9% away), -3% & @etf"
    )


@given(st.integers(1, 2**63), st.text(max_size=300), st.integers(0, 9))
def test_nonce_fits_and_tells_channels_apart(channel: int, nonce: str, part: int) -> None:
    made = token_of(channel, nonce, part)
    assert len(made) <= 25
    assert made == token_of(channel, nonce, part)
    assert len({made, token_of(channel + 1, nonce, part), token_of(channel, nonce, part + 1)}) == 3


@pytest.mark.parametrize(
    "given", ["http://h:1", "http://h:1/", "http://h:1/api", "http://h:1/api/v10", "http://h:1/api/v10/"]
)
def test_api_address_is_completed(given: str) -> None:
    assert api_address(given) == "http://h:1/api/v10"
