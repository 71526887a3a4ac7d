"""How much one may have and ask, who is shut out and who is let in, and who may make alerts in a group."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from bot.alerts.bounds import QUOTAS, Thing, Whose
from bot.alerts.message import Message
from bot.alerts.people import Caller, ChatKind, ChatRef, Policy
from bot.alerts.translator import ENGLISH
from bot.alerts.wording import word
from bot.commands import make_desk
from bot.ports import Desk, NewArming
from bot.store.sql import SqlStore
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.test_commands import ADMIN, ANN, GROUP, MEMBER, OPERATOR, Room

SHE = Caller(ChatRef("telegram", "-200"), ChatKind.GROUP, "ann-id", "Ann", is_admin=False)
"""Ann, in another group."""
TOPIC = replace(MEMBER, chat=ChatRef("telegram", "-100", "17"))


@dataclass
class Hall(Room):
    """A room whose desk is opened once, so that it remembers who came."""

    opened: Desk | None = None

    @property
    def desk(self) -> Desk:
        if self.opened is None:
            self.opened = make_desk(super().office)
        return self.opened

    def let_in(self, *names: tuple[str, str]) -> None:
        """Let in nobody but these."""
        self.opened = make_desk(replace(super().office, allowed=frozenset(names)))

    async def texts(self, words: str, caller: Caller = ANN) -> list[str]:
        return [message.plain() for message in await self.replies(words, caller)]


@pytest.fixture
async def hall(store: SqlStore, clock: SetClock) -> AsyncIterator[Hall]:
    yield Hall(store, HandMarket(clock, btc=69_400.0), clock)


def refused(messages: list[Message]) -> bool:
    return all(message.is_private for message in messages)


# --- the policy of a group ----------------------------------------------------------------------------------


async def test_a_group_lets_its_members_make_alerts_until_its_admins_say_otherwise(hall: Hall) -> None:
    assert "Everybody in this group may make alerts" in await hall.say("/policy", MEMBER)
    assert "#1 armed" in await hall.say("/alert btc > 70k", MEMBER)
    assert await hall.say("/policy admins", MEMBER) == (
        "In a group /policy is for its admins; write to me in private to use it for yourself."
    )
    assert await hall.say("/policy admins", ADMIN) == (
        "The admins of this group alone may make alerts in it and change them.\n"
        "The alerts that are there go on."
    )
    assert "/alert is for its admins" in await hall.say("/alert btc > 71k", MEMBER)
    assert "/pause is for its admins" in await hall.say("/pause 1", MEMBER)  # though they made it
    assert "#2 armed" in await hall.say("/alert btc > 71k", ADMIN)
    assert "It is so already" in await hall.say("/policy admins", ADMIN)


async def test_the_policy_of_a_group_holds_in_its_topics_and_threads(hall: Hall) -> None:
    thread = replace(
        MEMBER, chat=ChatRef("discord", "7"), above=ChatRef("discord", "5"), person="d", server="1"
    )
    channel = replace(ADMIN, chat=ChatRef("discord", "5"), server="1")
    await hall.script("/policy admins", caller=ADMIN)
    await hall.script("/policy admins", caller=channel)
    for caller in (TOPIC, thread):
        assert "/alert is for its admins" in await hall.say("/alert btc > 70k", caller)
    in_topic = replace(ADMIN, chat=TOPIC.chat)
    assert "Everybody" in await hall.say("/policy members", in_topic)
    assert "armed" in await hall.say("/alert btc > 70k", MEMBER)
    assert "admins → members (in this chat)" in await hall.say("/audit policy", in_topic)
    assert "The admins of this group alone" in await hall.say("/undo 3", in_topic)
    assert (await hall.store.meet(MEMBER, NOON)).policy is Policy.ADMINS


async def test_in_private_there_is_no_policy(hall: Hall) -> None:
    assert "nobody but you" in await hall.say("/policy", ANN)
    assert refused(await hall.replies("/policy admins", ANN))
    assert refused(await hall.replies("/policy everybody", ADMIN))
    assert (await hall.store.meet(ANN, NOON)).policy is Policy.MEMBERS


@pytest.mark.both
async def test_a_change_of_policy_is_taken_back_only_while_it_is_the_last(hall: Hall) -> None:
    for chosen in ("admins", "members"):
        await hall.script(f"/policy {chosen}", caller=ADMIN)
    assert "It was changed again since" in await hall.say("/undo 1", ADMIN)
    assert (await hall.store.meet(MEMBER, NOON)).policy is Policy.MEMBERS


# --- quotas -------------------------------------------------------------------------------------------------


@pytest.mark.both
async def test_operators_see_and_set_quotas_and_take_that_back(hall: Hall) -> None:
    listed = await hall.say("/quota", OPERATOR)
    for (thing, whose), value in QUOTAS.items():
        assert f"{thing} {whose} {value}: " in listed
    assert await hall.say("/quota alerts person 3", OPERATOR) == (
        "alerts person 3: alerts that one person made, in all chats together (default 100)\n"
        "Before, it was 100.\n"
        "Who has more than that keeps it, and gets no more."
    )
    assert "quota alerts person: the default → 3" in await hall.say("/audit", OPERATOR)
    assert "alerts person 100: " in await hall.say("/undo 1", OPERATOR)
    await hall.script("/quota alerts person 4", caller=OPERATOR)
    assert "Before, it was 4." in await hall.say("/quota alerts person default", OPERATOR)
    assert (await hall.store.bounds()).quotas == {}


@pytest.mark.parametrize(
    "words",
    [
        "alerts",
        "alerts person",
        "alert person 3",
        "alerts person many",
        "alerts person 100001",
        "commands person 0",
        "alerts person -1",
        "alerts nobody 3",
    ],
)
async def test_what_is_no_quota_is_refused_with_those_that_are(hall: Hall, words: str) -> None:
    assert refused(await hall.replies(f"/quota {words}", OPERATOR))
    assert (await hall.store.bounds()).quotas == {}


@pytest.mark.both
async def test_a_person_has_so_many_alerts_in_all_chats_and_a_chat_so_many_of_all(hall: Hall) -> None:
    await hall.script("/quota alerts person 2", "/quota alerts chat 3", caller=OPERATOR)
    await hall.script("/alert btc > 70k", caller=ANN)
    await hall.script("/alert btc > 70k", caller=SHE)
    assert await hall.say("/alert btc > 71k", ANN) == (
        "You have 2 alerts, in all your chats together: nothing is changed.\n"
        "Delete one with /delete N, or ask the operators of this bot for more."
    )
    assert refused(await hall.replies("/alert btc > 71k", ANN))
    for person in ("a", "b", "c"):
        in_topic = replace(TOPIC, person=person) if person == "b" else replace(MEMBER, person=person)
        await hall.script("/alert btc > 72k", caller=in_topic)
    assert "This chat has 3 alerts" in await hall.say("/alert btc > 73k", replace(TOPIC, person="d"))
    await hall.script("/delete 1", caller=ANN)
    assert "armed" in await hall.say("/alert btc > 71k", ANN)


async def test_shared_alerts_are_counted_by_themselves_and_twice_the_same_is_one(hall: Hall) -> None:
    for name in ("one", "two"):
        await hall.script(f"/publish {name} btc > 70k", caller=OPERATOR)
    await hall.script("/quota subscriptions person 1", "/quota alerts person 1", caller=OPERATOR)
    await hall.script("/alert btc > 71k", "/subscribe one", "/subscribe one urgent")
    answer = await hall.say("/subscribe two")
    assert answer.startswith("You have 1 shared alert, in all your chats together: nothing is changed.")
    assert "/unsubscribe NAME" in answer
    assert [one.alert.label for one in await hall.store.subscriptions(ANN.chat)] == ["#1", "one"]


async def test_who_has_more_than_a_new_quota_keeps_what_there_is(hall: Hall) -> None:
    await hall.script("/alert btc > 70k", "/alert btc > 71k")
    await hall.script("/quota alerts person 0", caller=OPERATOR)
    await hall.script("/pause 1", "/resume 1", "/edit 2 btc > 72k")
    assert len(await hall.store.subscriptions(ANN.chat)) == 2
    assert "nothing is changed" in await hall.say("/alert btc > 73k")


async def test_commands_are_counted_by_the_clock_and_a_flood_is_told_once(hall: Hall) -> None:
    asked = 0
    meet = hall.store.meet

    async def met(caller: Caller, now: float) -> object:
        nonlocal asked
        asked += 1
        return await meet(caller, now)

    hall.store.meet = met  # type: ignore[method-assign, assignment]
    most = QUOTAS[Thing.COMMANDS, Whose.PERSON]
    for _ in range(most):
        assert await hall.texts("/levels") == ["No levels yet. An admin sets one: /level etf_cost 98700"]
    assert await hall.texts("/levels") == [
        "That is more than 30 commands of one person in a minute: I read none for 2 seconds. "
        "Please send it again then."
    ]
    for _ in range(1000):
        assert await hall.texts("/levels") == []
    assert asked == most  # the rest reached no store
    assert len(await hall.texts("/levels", SHE)) == 0  # the person is counted, not the chat
    assert len(await hall.texts("/levels", MEMBER)) == 1
    hall.clock.time += 2
    assert len(await hall.texts("/levels")) == 1
    assert await hall.texts("/levels") == []  # told once a minute
    hall.clock.time += 60
    for _ in range(most):
        assert len(await hall.texts("btc < 60k")) == 1  # plain text is read and counted too
    assert "more than 30 commands" in await hall.say("/levels")
    listed = await hall.say("/ban", OPERATOR)
    assert "Ann (telegram:ann-id) sent too many commands at" in listed


async def test_a_chat_in_which_many_speak_has_its_own_bound(hall: Hall) -> None:
    await hall.script("/quota commands chat 3", caller=OPERATOR)
    crowd = [replace(MEMBER, person=str(number)) for number in range(5)]
    answers = [await hall.texts("/levels", one) for one in crowd]
    assert [len(one) for one in answers] == [1, 1, 1, 1, 0]
    assert "more than 3 commands in one chat in a minute: I read none for 20 seconds" in answers[3][0]
    assert len(await hall.texts("/levels", replace(MEMBER, person="op-id"))) == 1  # operators pass


async def test_what_is_no_command_in_a_group_is_not_counted(hall: Hall) -> None:
    for _ in range(500):
        assert await hall.texts("good morning", MEMBER) == []
    assert len(await hall.texts("/levels", MEMBER)) == 1


# --- bans ---------------------------------------------------------------------------------------------------


async def told(hall: Hall) -> list[tuple[str, str]]:
    leased = await hall.store.lease("telegram", hall.clock.now(), 20)
    return [(one.chat.chat, word(one, ENGLISH, hall.clock.now()).plain()) for one in leased]


@pytest.mark.both
async def test_who_is_shut_out_is_told_once_and_then_there_is_silence(hall: Hall) -> None:
    assert "#1 armed" in await hall.say("/alert btc > 70k", MEMBER)
    assert await hall.say("/ban telegram:5", OPERATOR) == (
        "telegram:5 is shut out.\n/unban telegram:5 lets them in again."
    )
    stranger = replace(ANN, person="5")
    assert await hall.texts("/levels", stranger) == [
        "The operators of this bot have shut you out: I answer no more."
    ]
    for words in ("/levels", "btc < 60k", "/alert btc > 70k"):
        assert await hall.texts(words, stranger) == []
    hall.opened = None  # over a restart too
    assert await hall.texts("/levels", stranger) == []
    assert await hall.desk.complete(stranger, "price", "instruments", "bt") == []
    assert await hall.store.subscriptions(stranger.chat) == []
    assert "let in again" in await hall.say("/unban 5", OPERATOR)
    assert len(await hall.texts("/levels", stranger)) == 1


@pytest.mark.both
async def test_a_ban_pauses_what_they_have_in_private_and_leaves_groups_their_alerts(hall: Hall) -> None:
    ann = replace(ANN, person="1")
    await hall.script("/alert btc > 70k", "/alert btc > 71k", caller=ann)
    await hall.script("/alert btc > 72k", caller=replace(MEMBER, person="1"))
    answer = await hall.say("/ban telegram:1 for 8h", OPERATOR)
    assert answer == (
        "telegram:1 is shut out until 20:00 UTC.\n"
        "2 alerts of theirs are paused, and they are told.\n"
        "/unban telegram:1 lets them in again."
    )
    assert [one.arming for one in await hall.store.subscriptions(ann.chat)] == [None, None]
    assert all(one.arming for one in await hall.store.subscriptions(GROUP))
    assert await told(hall) == [
        (
            "1",
            "The operators of this bot have shut you out until 20:00 UTC: I answer no more, and your alerts "
            "in private chats are paused. Once that is over, /resume N takes each up again.",
        )
    ]
    assert await hall.texts("/levels", ann) == []  # that was said already
    hall.clock.time += 8 * 3600
    assert "#1 armed" in await hall.say("/resume 1", ann)
    assert "Nobody is shut out." in await hall.say("/ban", OPERATOR)


@pytest.mark.both
async def test_a_group_is_shut_out_with_its_topics_and_all_its_alerts(hall: Hall) -> None:
    await hall.script("/alert btc > 70k", caller=MEMBER)
    await hall.script("/alert btc > 70k", caller=TOPIC)
    assert "2 alerts of theirs are paused" in await hall.say("/ban telegram:-100", OPERATOR)
    for caller in (MEMBER, TOPIC, ADMIN):
        assert await hall.texts("/levels", caller) == []
    [*tellings] = await told(hall)
    assert {text for _, text in tellings} == {
        "The operators of this bot have shut this group out: I answer no more, and the alerts here are "
        "paused. Once that is over, /resume N takes each up again."
    }
    assert len(tellings) == 2
    assert len(await hall.texts("/levels", SHE)) == 1
    assert len(await hall.texts("/levels", replace(ADMIN, person="op-id"))) == 1  # operators pass


@pytest.mark.both
async def test_a_ban_and_its_end_are_in_the_audit_and_taken_back(hall: Hall) -> None:
    await hall.script("/ban 5 for 8h", "/ban 5", caller=OPERATOR)
    assert "telegram:5 shut out until 20:00 UTC" in await hall.say("/audit", OPERATOR)
    assert "telegram:5 is shut out until 20:00 UTC" in await hall.say("/undo 2", OPERATOR)
    await hall.script("/unban 5", caller=OPERATOR)
    assert "telegram:5 let in again" in await hall.say("/audit", OPERATOR)
    assert "telegram:5 is shut out until 20:00 UTC" in await hall.say("/undo 4", OPERATOR)
    assert "It was changed again since" in await hall.say("/undo 1", OPERATOR)
    hall.clock.time += 9 * 3600
    assert "is not shut out" in await hall.say("/unban 5", OPERATOR)
    await hall.script("/ban 5", caller=OPERATOR)
    assert "is let in again" in await hall.say("/undo 6", OPERATOR)
    assert (await hall.store.bounds()).bans == {}


@pytest.mark.parametrize(
    "words", ["op-id", "telegram:op", "@mallory", "irc:5", "5 for ever", "5 for 99d", "5 until tomorrow"]
)
async def test_a_ban_that_cannot_be_read_shuts_nobody_out(hall: Hall, words: str) -> None:
    assert refused(await hall.replies(f"/ban {words}", OPERATOR))
    assert (await hall.store.bounds()).bans == {}


async def test_operators_are_shut_out_by_nobody_and_a_mention_on_discord_is_a_name(hall: Hall) -> None:
    office = replace(hall.office, operators=frozenset({("telegram", "op-id"), ("telegram", "77")}))
    hall.opened = make_desk(office)
    assert "is an operator" in await hall.say("/ban 77", OPERATOR)
    assert "discord:88 is shut out" in await hall.say("/ban <@88>", OPERATOR)
    assert set((await hall.store.bounds()).bans) == {("discord", "88")}


# --- who is let in ------------------------------------------------------------------------------------------


async def test_where_some_are_named_nobody_else_is_answered_and_is_told_what_to_do(hall: Hall) -> None:
    hall.let_in(("telegram", "ann-id"), ("telegram", "-100"), ("discord", "home"))
    assert len(await hall.texts("/levels", ANN)) == 1
    assert len(await hall.texts("/levels", MEMBER)) == 1
    assert len(await hall.texts("/levels", TOPIC)) == 1
    assert len(await hall.texts("/levels", OPERATOR)) == 1
    anonymous = replace(ADMIN, person="-100")
    assert len(await hall.texts("/levels", anonymous)) == 1
    channel = replace(MEMBER, chat=ChatRef("discord", "5"))
    assert len(await hall.texts("/levels", replace(channel, server="home"))) == 1
    assert await hall.texts("/levels", replace(channel, server="away", person="x")) == [
        "This bot answers only where its operators have let it. To be let in, tell them this: discord:away"
    ]
    stranger = replace(ANN, chat=ChatRef("telegram", "6"), person="6")
    assert "telegram:6" in (await hall.texts("/alert btc > 70k", stranger))[0]
    assert await hall.texts("/levels", stranger) == []  # once an hour
    hall.clock.time += 3600
    assert len(await hall.texts("/levels", stranger)) == 1
    [answer] = await hall.texts("/levels", SHE)  # a person who is let in is heard in private alone
    assert answer.endswith("tell them this: telegram:-200")


# --- names --------------------------------------------------------------------------------------------------


@pytest.mark.both
async def test_who_made_what_was_there_before_is_unknown_and_nobodys_but_the_admins(hall: Hall) -> None:
    nobody = replace(MEMBER, person="")
    await hall.store.make_alert(nobody, "btc > 70000", NewArming("btc/usdt > 70000"), NOON)
    assert "for who made the alert" in await hall.say("/delete 1", MEMBER)
    assert "#1 is deleted" in await hall.say("/delete 1", ADMIN)
