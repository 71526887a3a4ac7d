"""Announcements to all chats, and alerts that ring elsewhere than in the chat that owns them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from bot.alerts.message import Message, say
from bot.alerts.models import Telling
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.alerts.translator import ENGLISH
from bot.deliver import ANNOUNCED_AT_ONCE, Courier
from bot.ports import ChatGone, Conflict, Desk, Outcome, Receipt, Rejected
from bot.ports.places import Place
from bot.store import SqlStore
from bot.store.promise import PRIORITY
from tests.conftest import SetClock
from tests.storing import ANN, BOB, CAT, NOON, arming_of, caller, follow, make, put_level, ring, tell
from tests.test_discord import ref, running
from tests.test_telegram import ANN as PERSON
from tests.test_telegram import chat_of, check_against_schema, listening
from tests.wire.discord import DiscordServer
from tests.wire.telegram import TelegramServer

pytestmark = pytest.mark.both

NEWS = Place(ChatRef("telegram", "-1001"), "@news", may_post=True, is_admin=True)
GROUP = Caller(ChatRef("telegram", "-5"), ChatKind.GROUP, "7", "Boss")
TOPIC = replace(GROUP, chat=ChatRef("telegram", "-5", "17"))
OTHER = replace(GROUP, chat=ChatRef("telegram", "-5", "18"))


@dataclass
class Ear:
    """A chat that hears what is sent, and cannot be reached where a test says so."""

    platform: str = "telegram"
    adds_charts: bool = True
    heard: list[tuple[ChatRef, str]] = field(default_factory=list)
    gone: dict[ChatRef, ChatGone] = field(default_factory=dict)
    holds: asyncio.Event | None = None

    async def run(self, desk: Desk) -> None: ...

    async def send(self, chat: ChatRef, message: Message, nonce: str, *, is_paid: bool = False) -> Outcome:
        if self.holds is not None and message.facts.get("event") == "broadcast":
            await self.holds.wait()
        if chat in self.gone:
            return self.gone[chat]
        self.heard.append((chat, message.plain().splitlines()[0]))
        return Receipt("1")

    async def illustrate(self, chat: ChatRef, sent: str, message: Message) -> Outcome:
        return Rejected("an ear has no eyes")

    async def find_place(self, name: str, asking: ChatRef, person: str) -> Place | None:
        return None

    async def is_admin(self, chat: ChatRef, person: str, is_fresh: bool = False) -> bool:
        return True

    def link(self, chat: ChatRef, message: str, is_private: bool) -> str:
        return ""


def courier(store: SqlStore, clock: SetClock, ear: Ear) -> Courier:
    return Courier(store, ear, clock, lambda *_: ENGLISH)


async def carried(courier: Courier) -> None:
    await courier.finish()
    while await courier.drain():
        await courier.finish()


# --- announcements ------------------------------------------------------------------------------------------


async def test_an_announcement_reaches_each_chat_once_over_a_restart_and_says_how_far_it_is(
    store: SqlStore, clock: SetClock
) -> None:
    ear = Ear()
    for number in range(10):
        await store.meet(caller(number), NOON)
    for one in (GROUP, TOPIC, OTHER):
        await store.meet(one, NOON)
    await store.hear(caller(9), is_heard=False)
    ear.gone[caller(8).chat] = ChatGone("blocked")
    audience = await store.audience()
    assert (audience.chats, audience.deaf, audience.away) == (10, 1, 0)
    made = await store.announce(caller(0), "Sunday.", NOON)
    assert made.chats == 10
    first = courier(store, clock, ear)
    await first.drain()
    await first.finish()
    assert len(ear.heard) == ANNOUNCED_AT_ONCE
    await carried(courier(store, clock, ear))
    told = [chat for chat, _ in ear.heard]
    assert len(told) == len(set(told)) == 9
    assert GROUP.chat in told and TOPIC.chat not in told and caller(9).chat not in told
    last = await store.announcement()
    assert last is not None and (last.sent, last.waiting, last.away) == (9, 0, 1)
    assert (await store.audience()).away == 1


async def test_a_topic_hears_for_its_group_where_that_never_spoke(store: SqlStore) -> None:
    await store.meet(TOPIC, NOON)
    await store.meet(OTHER, NOON)
    assert (await store.audience()).chats == 1
    await store.hear(OTHER, is_heard=False)
    assert (await store.audience()).chats == 0
    assert not await store.hears(TOPIC)


async def test_a_ring_waits_for_no_announcement_not_even_one_under_way_in_its_chat(
    store: SqlStore, clock: SetClock
) -> None:
    await make(store, ANN, "btc < 100000 repeat")
    for number in range(20):
        await store.meet(caller(number), NOON)
    await store.announce(BOB, "Sunday.", NOON)
    ear = Ear(holds=asyncio.Event())
    carrying = courier(store, clock, ear)
    await carrying.drain()
    await tell(store, ring(await arming_of(store, ANN)))
    await carrying.drain()
    assert [chat for chat, _ in ear.heard] == [ANN.chat]
    assert await store.next_due("telegram", NOON, has_room=False) is None
    ear.holds.set()
    await carried(carrying)
    assert len(ear.heard) == 23


async def test_a_stopped_announcement_is_told_to_nobody_more(store: SqlStore, clock: SetClock) -> None:
    for number in range(10):
        await store.meet(caller(number), NOON)
    made = await store.announce(caller(0), "Sunday.", NOON)
    ear = Ear()
    carrying = courier(store, clock, ear)
    await carrying.drain()
    await carrying.finish()
    assert await store.silence(caller(0), made.id, NOON) == 10 - ANNOUNCED_AT_ONCE
    await carried(carrying)
    assert len(ear.heard) == ANNOUNCED_AT_ONCE


# --- elsewhere ----------------------------------------------------------------------------------------------


async def test_an_alert_rings_where_it_is_sent_and_comes_back(store: SqlStore, clock: SetClock) -> None:
    ear = Ear()
    await make(store, ANN, "btc < 100000 repeat")
    sent = await store.send_to(ANN, "#1", NEWS, NOON)
    assert sent is not None and sent[1] == ""
    assert [one.place for one in await store.subscriptions(ANN.chat)] == ["@news"]
    arming = await arming_of(store, ANN)
    await tell(store, ring(arming, 1))
    await carried(courier(store, clock, ear))
    back = await store.send_to(ANN, "#1", None, NOON)
    assert back is not None and back[1] == "@news"
    await tell(store, ring(arming, 2))
    await carried(courier(store, clock, ear))
    assert [chat for chat, _ in ear.heard] == [NEWS.chat, ANN.chat]
    entries, _ = await store.audit((), ANN.chat, 1, 10)
    assert [entry.after and entry.after["place"] for entry in entries] == [None, "@news"]
    assert (await store.audience()).chats == 1  # nobody in the channel asked for announcements


async def test_when_the_right_to_post_is_lost_no_ring_vanishes_and_each_owner_is_told_once(
    store: SqlStore, clock: SetClock
) -> None:
    ear = Ear()
    await store.publish(CAT, "floor", "btc < 100000", NOON)
    for one in (ANN, BOB):
        await make(store, one, "btc < 100000 repeat")
        await store.send_to(one, "#1", NEWS, NOON)
    await follow(store, ANN, "floor")
    await store.send_to(ANN, "floor", NEWS, NOON)
    ear.gone[NEWS.chat] = ChatGone("need administrator rights")
    for label, one in (("#1", ANN), ("#1", BOB), ("floor", ANN)):
        await tell(store, ring(await arming_of(store, one, label)))
    await carried(courier(store, clock, ear))
    rings = [chat for chat, text in ear.heard if "no longer write" not in text]
    told = {chat: text for chat, text in ear.heard if "no longer write" in text}
    assert sorted(rings) == [ANN.chat, ANN.chat, BOB.chat]
    assert told == {
        ANN.chat: "I can no longer write in @news, so #1 and floor will ring here again.",
        BOB.chat: "I can no longer write in @news, so #1 will ring here again.",
    }
    await tell(store, ring(await arming_of(store, BOB), 2))
    await carried(courier(store, clock, ear))
    assert ear.heard[-1][0] == BOB.chat and len(ear.heard) == 6


async def test_one_alert_is_told_in_a_place_by_one_owner_alone(store: SqlStore) -> None:
    await store.publish(CAT, "floor", "btc < 100000", NOON)
    for one in (ANN, BOB):
        await follow(store, one, "floor")
    await store.send_to(ANN, "floor", NEWS, NOON)
    with pytest.raises(Conflict):
        await store.send_to(BOB, "floor", NEWS, NOON)
    told = [await store.is_told("Floor", one) for one in (NEWS.chat, BOB.chat, ANN.chat, CAT.chat)]
    assert told == [True, True, True, False]
    assert not await store.is_told("ceiling", NEWS.chat)


# --- topics -------------------------------------------------------------------------------------------------


async def test_the_levels_of_a_group_hold_in_its_topics_but_for_their_own(store: SqlStore) -> None:
    for one in (GROUP, TOPIC, OTHER):
        await store.meet(one, NOON)
    await put_level(store, ANN, "floor", "100000")
    for one in (TOPIC, OTHER, ANN):
        await make(store, one, "btc < @floor")
    assert await put_level(store, OTHER, "floor", "97000", OTHER.chat) == (Decimal(100_000), 1, 1)
    assert await put_level(store, GROUP, "floor", "98000", GROUP.chat) == (Decimal(100_000), 1, 1)
    held = [(await store.levels(one.chat))["floor"] for one in (GROUP, TOPIC, OTHER, ANN)]
    assert [int(level.value) for level in held] == [98_000, 98_000, 97_000, 100_000]
    assert held[1].chat == GROUP.chat
    assert (await put_level(store, ANN, "floor", "99000"))[1:] == (1, 1)
    filled = [(await store.subscriptions(one.chat))[0].levels["floor"] for one in (TOPIC, OTHER, ANN)]
    assert [int(value) for value in filled] == [98_000, 97_000, 99_000]


async def test_what_a_deleted_topic_had_rings_in_its_group_which_is_told(
    store: SqlStore, clock: SetClock
) -> None:
    ear = Ear(gone={TOPIC.chat: ChatGone("message thread not found", is_over=True)})
    await make(store, GROUP, "btc < 90000")
    await make(store, TOPIC, "btc < 100000 repeat")
    await tell(store, ring(await arming_of(store, TOPIC)))
    await carried(courier(store, clock, ear))
    assert [chat for chat, _ in ear.heard] == [GROUP.chat, GROUP.chat]
    assert "is no more" in ear.heard[1][1]
    assert [one.alert.label for one in await store.subscriptions(GROUP.chat)] == ["#1", "#2"]
    assert await store.subscriptions(TOPIC.chat) == []


# --- what the platforms say of a place ----------------------------------------------------------------------


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server
    for call in server.calls:
        if call.method != "getChat":
            check_against_schema(call)


async def test_telegram_is_asked_afresh_who_may_post_and_who_is_admin(
    telegram: TelegramServer, clock: SetClock
) -> None:
    me = int(telegram.me["id"])
    place = telegram.channel(-1_001_000_000_001, "News", admins=[PERSON, me])
    place.username = "news"
    chat, asking = chat_of(telegram, clock), ChatRef("telegram", str(PERSON))
    async with listening(chat, telegram):
        found = await chat.find_place("@news", asking, str(PERSON))
        assert found == Place(ChatRef("telegram", str(place.id)), "@news", may_post=True, is_admin=True)
        place.is_mute = True
        del place.admins[PERSON]
        assert found is not None
        later = await chat.find_place("@news", asking, str(PERSON))
        assert later == replace(found, may_post=False, is_admin=False)
        assert await chat.find_place("@nobody", asking, str(PERSON)) is None
        assert await chat.find_place("news", asking, str(PERSON)) is None
        lost = await chat.send(found.chat, say("rang"), "n")
    assert isinstance(lost, ChatGone) and not lost.is_over


async def test_discord_is_asked_afresh_who_may_post_and_who_is_admin() -> None:
    async with DiscordServer() as server:
        alerts = server.text_channel("bells")
        shut = server.text_channel("shut")
        server.bar(shut)
        async with running(server) as chat:
            for name in ("#bells", f"<#{alerts}>", alerts):
                found = await chat.find_place(name, ref(server.channel), server.olga)
                assert found == Place(ref(alerts), "#bells", may_post=True, is_admin=True), name
            member = await chat.find_place("#bells", ref(server.channel), server.ann)
            barred = await chat.find_place(shut, ref(server.channel), server.olga)
            assert await chat.find_place("#nowhere", ref(server.channel), server.olga) is None
            assert await chat.find_place("1", ref(server.channel), server.olga) is None
    assert member is not None and not member.is_admin
    assert barred is not None and not barred.may_post


def test_every_telling_has_its_turn_and_announcements_come_last() -> None:
    assert set(PRIORITY) == set(Telling)
    assert max(PRIORITY, key=lambda kind: PRIORITY[kind]) is Telling.BROADCAST
