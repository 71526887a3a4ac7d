"""Operators are told what is unwell, and what is well again: once each, over restarts, and of no flap."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.health import health_facts, word_health
from bot.alerts.message import Message
from bot.alerts.models import Telling
from bot.alerts.people import ChatKind, ChatRef
from bot.alerts.translator import ENGLISH
from bot.app import House, open_house
from bot.chats.console import ConsoleChat
from bot.chats.telegram_reach import RIVAL
from bot.deliver import Courier
from bot.demo.exchange import BinanceExchange
from bot.duties import duties_of
from bot.metrics import Health
from bot.organs import TAPE, Organs, of_crews
from bot.ports import Outcome, Receipt, RetryLater
from bot.ports.rota import Process, Roll
from bot.rounds import Rounds
from bot.settings import Settings
from bot.store import SqlStore, open_store
from bot.vigil import UNWELL_AFTER, WELL_AFTER, Bulletin, Kind, Organ, Vigil, resumed
from tests.conftest import NOON, SetClock
from tests.storing import ANN, BOB, caller, make, ring, tell
from tests.wire.prices import Ticks

BINANCE, KRAKEN = Organ(Kind.FEED, "binance"), Organ(Kind.FEED, "kraken")
TELEGRAM, OUTBOX = Organ(Kind.CHAT, "telegram"), Organ(Kind.OUTBOX, "telegram")
EAR = Organ(Kind.EAR, "telegram")


def watched(*days: tuple[float, str]) -> list[tuple[float, bool]]:
    """Watch one organ with what ails it at instants; gives when a turn was told, and whether it is well."""
    vigil, told = Vigil(), list[tuple[float, bool]]()
    for at, reason in days:
        vigil, bulletins = vigil.watch({BINANCE: reason}, at)
        told += [(at, one.well_since is not None) for one in bulletins]
    return told


def test_what_is_unwell_for_some_minutes_is_told_once_and_again_when_it_is_well() -> None:
    ill = [(at, "it is down") for at in range(0, 600, 30)]
    well = [(at, "") for at in range(600, 1200, 30)]
    assert watched(*ill, *well) == [(UNWELL_AFTER, False), (600 + WELL_AFTER, True)]


def test_a_flap_is_no_news_in_either_direction() -> None:
    short = [(at, "down" if at % 180 < 120 else "") for at in range(0, 3600, 30)]
    assert watched(*short) == []
    ill = [(float(at), "down") for at in range(0, 300, 30)]
    flapping = [(at, "" if at % 180 < 120 else "down") for at in range(300, 3600, 30)]
    assert watched(*ill, *flapping) == [(UNWELL_AFTER, False)]


def test_an_organ_that_is_there_no_more_is_told_of_no_more() -> None:
    vigil, _ = Vigil().watch({BINANCE: "down", KRAKEN: ""}, 0)
    vigil, told = vigil.watch({BINANCE: "down", KRAKEN: ""}, 300)
    assert [one.organ for one in told] == [BINANCE]
    assert vigil.watch({KRAKEN: ""}, 900) == (Vigil(), [])


@given(st.lists(st.tuples(st.sampled_from([30, 60, 200]), st.booleans(), st.booleans()), max_size=60))
def test_turns_alternate_and_a_restart_repeats_none(history: list[tuple[int, bool, bool]]) -> None:
    vigil, at, told = Vigil(), 0.0, list[bool]()
    for seconds, is_well, restarts in history:
        if restarts:
            vigil = resumed(json.loads(json.dumps(vigil.page())))
        at += seconds
        vigil, bulletins = vigil.watch({BINANCE: "" if is_well else "down"}, at)
        told += [one.well_since is not None for one in bulletins]
    assert told == [place % 2 == 1 for place in range(len(told))]


def test_each_turn_is_worded() -> None:
    turns = [
        Bulletin(BINANCE, "binance answers with an error (HTTP 503)", NOON),
        Bulletin(TELEGRAM, "it is not connected", NOON),
        Bulletin(EAR, "another program listens with the same token", NOON),
        Bulletin(OUTBOX, "no answer in time", NOON),
        Bulletin(TAPE, "nobody listens at its address", NOON),
        Bulletin(Organ(Kind.CREW, "engine"), "nobody does it", NOON),
    ]
    message = word_health(health_facts(turns), ENGLISH, NOON + 300)
    assert message.plain().splitlines() == [
        "The bot is not well.",
        "Binance brings no data since 12:00 UTC: Binance answers with an error (HTTP 503).",
        "Telegram cannot be reached since 12:00 UTC: it is not connected.",
        "Not all that is said on Telegram arrives since 12:00 UTC: "
        "another program listens with the same token.",
        "Nothing goes out on Telegram since 12:00 UTC: no answer in time.",
        "Nothing goes over NATS since 12:00 UTC, so nothing rings until it can: "
        "nobody listens at its address.",
        "Not all that the role engine has to do is done since 12:00 UTC: nobody does it.",
    ]
    over = [Bulletin(one.organ, one.reason, NOON, NOON + 600) for one in turns]
    assert word_health(health_facts(over), ENGLISH, NOON + 900).plain().splitlines() == [
        "The bot is well again.",
        "Binance brings data again since 12:10 UTC, after 10 minutes.",
        "Telegram can be reached again since 12:10 UTC, after 10 minutes.",
        "All that is said on Telegram arrives again since 12:10 UTC, after 10 minutes.",
        "Messages go out on Telegram again since 12:10 UTC, after 10 minutes.",
        "All goes over NATS again since 12:10 UTC, after 10 minutes, and is looked at again.",
        "All that the role engine has to do is done again since 12:10 UTC, after 10 minutes.",
    ]


def test_a_role_is_well_while_somebody_does_all_that_it_has_to_do() -> None:
    plan = duties_of(("binance",), 2, {"telegram": 1})
    one = Process("1", "one", "1", 0.0, 9.0, duties=plan[:2])
    other = Process("2", "other", "1", 0.0, 9.0, duties=("engine/1", "chat/telegram/0", "chat/upkeep"))
    found = of_crews(plan, Roll(1.0, (one, other)))
    assert {organ.name: reason for organ, reason in found.items()} == {
        "feed": "",
        "engine": "nobody does it",
        "chat": "",
    }


@dataclass
class Line:
    """A platform that takes messages, or asks to wait, as a test says."""

    platform: str = "telegram"
    adds_charts: bool = False
    is_connected: bool = True
    trouble: str = ""
    outcome: Outcome = field(default_factory=lambda: Receipt("1"))
    heard: list[str] = field(default_factory=list)

    async def send(self, chat: ChatRef, message: Message, nonce: str, *, is_paid: bool = False) -> Outcome:
        self.heard.append(message.plain())
        return self.outcome


def organs(
    now: float, line: Line, courier: Courier, *exchanges: Health, providers: tuple[Health, ...] = ()
) -> Organs:
    return Organs(exchanges, providers, [line], [courier], 5.0, now)


async def test_readiness_speaks_of_feeds_chats_and_the_outbox(store: SqlStore, clock: SetClock) -> None:
    alert = await make(store, ANN, "btc < 100k")
    await tell(store, ring(alert.id))
    line = Line(outcome=RetryLater(5, "no answer in time"))
    courier = Courier(store, line, clock, lambda *_: ENGLISH)
    seen, silent = Health("binance", clock.time), Health("kraken", None, clock.time, "it is down")
    assert organs(clock.time, line, courier, seen, silent).reasons() == []
    assert organs(clock.time, line, courier, silent).reasons() == ["kraken brings no data: it is down"]
    await courier.drain()
    assert organs(clock.time, line, courier, seen).reasons() == [], (
        "one that waits for a moment is no trouble"
    )
    now = clock.time + 60
    line.is_connected = False
    seen = Health("binance", now)
    assert organs(now, line, courier, seen).reasons() == [
        "telegram is not connected",
        "nothing goes out on telegram: no answer in time",
    ]
    line.is_connected, line.outcome, clock.time = True, Receipt("1"), now
    await courier.drain()
    assert organs(now, line, courier, seen).reasons() == []


async def test_what_does_not_arrive_is_told_and_is_no_reason_not_to_be_ready(
    store: SqlStore, clock: SetClock
) -> None:
    line = Line(trouble="another program listens with the same token")
    courier = Courier(store, line, clock, lambda *_: ENGLISH)
    here = organs(clock.time, line, courier, Health("binance", clock.time))
    assert here.found()[EAR] == line.trouble and not here.found()[TELEGRAM]
    assert here.reasons() == []
    line.is_connected = False
    assert here.found()[EAR] is None, "nothing is known of what is said where the bot is not"
    assert here.found()[TELEGRAM] == line.trouble


async def test_a_provider_is_unwell_when_it_failed_twice(store: SqlStore, clock: SetClock) -> None:
    courier = Courier(store, Line(), clock, lambda *_: ENGLISH)
    for failures, said in ((1, ""), (2, "it is down")):
        failing = Health("yahoo", None, clock.time, "it is down", failures=failures)
        found = organs(clock.time, Line(), courier, providers=(failing,)).found()
        assert found[Organ(Kind.FEED, "yahoo")] == said


@asynccontextmanager
async def house_of(root: str, database: str, clock: SetClock) -> AsyncIterator[House]:
    settings = Settings(
        database_url=database,
        exchanges=("binance",),
        feed_gateway=root,
        providers=(),
        stream=False,
        admins=frozenset({("telegram", "person-ann"), ("discord", "person-ann")}),
    )
    console = ConsoleChat(clock, StringIO(), StringIO())
    async with open_house(settings, clock, [console], throttle=False) as house:
        yield house


async def rounds(house: House, clock: SetClock, minutes: int, *, looks: bool = False) -> None:
    for _ in range(minutes):
        clock.time += 60
        if looks:
            await house.looks.look(house.exchanges.feeds[0])
        await house._go_round()


async def test_operators_are_told_in_private_once_each_over_a_restart(database: str, clock: SetClock) -> None:
    store = await open_store(database)
    group = caller("group", kind=ChatKind.GROUP)
    for who in (ANN, BOB, caller("ann", "discord"), group):
        await store.meet(who, clock.time)
    async with BinanceExchange(Ticks(clock, 100_000), ["btc/usdt"], clock.now) as exchange:
        async with house_of(exchange.root, database, clock) as house:
            await rounds(house, clock, 10)
            assert await store.next_due("telegram", clock.time) is None, "nothing is known before a look"
            await rounds(house, clock, 1, looks=True)
            await rounds(house, clock, 10)
        async with house_of(exchange.root, database, clock) as house:
            await rounds(house, clock, 10)
            told = [
                one
                for name in ("telegram", "discord")
                for one in await store.lease(name, clock.time, 30, 0.0)
            ]
            assert [(one.chat.platform, one.chat.chat) for one in told] == [
                ("telegram", "ann"),
                ("discord", "ann"),
            ]
            assert {one.kind for one in told} == {Telling.HEALTH}
            for one in told:
                await store.settle(one, Receipt("1"), clock.time)
            assert await store.next_due("telegram", clock.time) is None, "nothing is known before a look"
            await rounds(house, clock, 10, looks=True)
            assert house.reasons() == []
            (back,) = await store.lease("telegram", clock.time, 30)
            assert word_health(back.facts, ENGLISH, clock.time).title == "The bot is well again."
    await store.close()


async def test_what_nobody_here_can_carry_is_not_taken_for_told(store: SqlStore, clock: SetClock) -> None:
    await store.meet(ANN, clock.time)
    bulletin = Bulletin(TAPE, "nobody listens at its address", clock.time)
    rounds = Rounds(store, clock, [], {("telegram", "person-ann")})
    assert await rounds.tell_unkept([bulletin]), "nobody is to be told"
    await rounds.go({})
    assert not await rounds.tell_unkept([bulletin])


async def test_operators_are_told_once_that_another_program_listens_and_once_that_none_does(
    database: str, clock: SetClock
) -> None:
    store = await open_store(database)
    await store.meet(ANN, clock.time)
    async with (
        BinanceExchange(Ticks(clock, 100_000), ["btc/usdt"], clock.now) as exchange,
        house_of(exchange.root, database, clock) as house,
    ):
        await rounds(house, clock, 1, looks=True)
        (chat,) = house.chats
        assert isinstance(chat, ConsoleChat)
        chat.trouble = RIVAL
        await rounds(house, clock, 10, looks=True)
        assert house.reasons() == [], "it goes on ringing"
        (told,) = await store.lease("telegram", clock.time, 30)
        await store.settle(told, Receipt("1"), clock.time)
        [line] = word_health(told.facts, ENGLISH, clock.time).lines
        assert line == f"Not all that is said on Console arrives since 12:02 UTC: {RIVAL}."
        chat.trouble = ""
        await rounds(house, clock, 10, looks=True)
        (back,) = await store.lease("telegram", clock.time, 30)
        assert word_health(back.facts, ENGLISH, clock.time).title == "The bot is well again."
    await store.close()


@pytest.mark.both
async def test_a_private_chat_that_was_known_before_is_known_by_its_person(store: SqlStore) -> None:
    await store.meet(ANN, NOON)
    database = store._database
    async with database.writing() as connection:
        await connection.exec_driver_sql("UPDATE chats SET person = ''")
    assert await store.tell_operators({("telegram", "person-ann")}, {}, "vigil", {}, NOON) == 0
    await store.meet(ANN, NOON)
    assert await store.tell_operators({("telegram", "person-ann")}, {}, "vigil", {"a": 1}, NOON + 1) == 1
    assert await store.page("vigil") == {"a": 1}
    [addressed] = await store.addressed({("telegram", "person-ann")}, NOON)
    assert addressed.chat == ANN.chat
