"""What happened next: what the price did in the day and in the week after a ring, and who is told so."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from bot.afterwards import Afterwards
from bot.alerts.aftermath import DAY, WEEK, Aftermath, Course, changes, course, course_line, signed, subject
from bot.alerts.rings import Rung
from bot.alerts.translator import ENGLISH
from bot.metrics import MINUTE, Bar, Health, join
from bot.ports import StoreTrouble
from bot.rules import parse, qualify, read
from bot.rules.tree import Instrument
from bot.store import SqlStore
from bot.store.aftermath_table import aftermaths
from tests.conftest import SetClock
from tests.market import HandMarket
from tests.storing import ANN, BOB, NOON, arming_of, correction, make, ring, tell
from tests.test_commands import Room, room

__all__ = ["room"]
START, HOUR = int(NOON), 3600
BITCOIN = Instrument("btc", "usdt")


def walk(seed: int, count: int, start: int = START) -> list[Bar]:
    """Make minutes of a price that wanders in whole numbers, so that extremes are often equal."""
    chance, price, bars = random.Random(seed), 100, []
    for place in range(count):
        close = max(1, price + chance.randint(-3, 3))
        low, high = max(1, min(price, close) - chance.randint(0, 2)), max(price, close) + chance.randint(0, 2)
        bars.append(Bar(start + place * MINUTE, price, high, low, close))
        price = close
    return bars


def brute(bars: Sequence[Bar], since: int, span: int) -> Course | None:
    """Follow a price minute by minute."""
    known = {bar.at: bar for bar in bars}
    wanted = range(since - MINUTE, since + span, MINUTE)
    if any(at not in known for at in wanted):
        return None
    before, *inside = (known[at] for at in wanted)
    lows, highs = [bar.low for bar in inside], [bar.high for bar in inside]
    return Course(before.close, min(lows), max(highs), inside[-1].close)


@given(
    st.integers(0, 10**6),
    st.integers(1, 60),
    st.integers(1, 4),
    st.sets(st.integers(0, 359), max_size=2),
)
def test_what_came_after_is_what_the_minutes_say_however_they_are_joined(
    seed: int, minute: int, hours: int, gone: set[int]
) -> None:
    bars = [bar for place, bar in enumerate(walk(seed, 360)) if place not in gone]
    start, end = START + HOUR, START + hours * HOUR
    since, span = START + minute * MINUTE, hours * HOUR
    parts = [bar for bar in bars if bar.at < start]
    parts += join([bar for bar in bars if start <= bar.at < end], HOUR)
    parts += [bar for bar in bars if max(start, end) <= bar.at < end + HOUR]
    found = course(parts, since, span)
    assert found == brute(bars, since, span)
    if found is not None:
        assert found.high >= found.close >= found.low > 0


@given(st.integers(0, 10**6), st.lists(st.integers(0, 400), max_size=9), st.sampled_from([60, 300, 3600]))
def test_the_past_says_where_the_price_stood_a_span_after_the_bar_that_rang(
    seed: int, rang: list[int], length: int
) -> None:
    minutes = walk(seed, 360)
    bars, span = list(join(minutes, length)), 2 * HOUR
    closes = {bar.end: bar.close for bar in minutes}
    expected = []
    for place in rang:
        since = (START + place * MINUTE) // length * length + length
        if since in closes and since + span in closes:
            expected.append(closes[since + span] / closes[since] - 1)
    assert changes(bars, [START + place * MINUTE + 7.5 for place in rang], span) == expected


def test_bars_of_a_day_do_not_tell_what_the_price_was_when_it_rang() -> None:
    bars = [Bar(START + day * DAY, *(100.0 + day,) * 4, 0.0, DAY) for day in range(4)]
    assert changes(bars, [START + 60.0]) == []


@pytest.mark.parametrize(
    ("rule", "terms", "about"),
    [
        ("btc < 100k", (), "btc/usdt"),
        ("btc@kraken < 100k", (), "btc/usdt@kraken"),
        ("btc.perp < 100k", (), "btc/usdt:usdt"),
        ("btc < 100k or eth < 3k", ("eth/usdt < 3000",), "eth/usdt"),
        ("btc etf inflow 100m and eth > 3k", ("etf_flow(btc) > 100000000", "eth/usdt > 3000"), "btc"),
        ("btc etf inflow 3 days", (), "btc"),
        ("liquidations(eth, 24h) > 1b", (), "eth"),
        ("rsi(sol, 14, 4h) < 30", ("rsi(sol/usdt, 14, 4h) < 30",), "sol/usdt"),
        ("funding(btc) > 0.05%", (), "btc/usdt"),
        ("corr(spx, btc, 60d) > 0.5", (), "btc/usdt"),
        ("liquidations(all, 24h) > 1b", (), None),
        ("fear_greed() < 20", (), None),
        ("spx < 6000", (), None),
        ("treasury(mstr) > 600k", (), None),
    ],
)
def test_the_price_that_tells_is_the_one_that_decided_else_the_coin_that_a_metric_is_about(
    rule: str, terms: tuple[str, ...], about: str | None
) -> None:
    found = subject(qualify(read(rule).rule, "usdt"), terms)
    assert (None if found is None else str(found)) == about


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.009, "+0.9%"), (-0.029, "-2.9%"), (0.00012, "+0.01%"), (1e-7, "0%"), (-1e-7, "0%"), (0.0, "0%")],
)
def test_a_change_is_told_with_its_sign(share: float, text: str) -> None:
    assert signed(share, ENGLISH) == text


def test_the_instrument_is_named_where_the_rule_does_not_say_it_alone() -> None:
    known = Aftermath(DAY, BITCOIN, Course(100_000, 97_100, 101_300, 100_900))
    said = "after 1 day: low 97,100 (-2.9%), high 101,300 (+1.3%), close 100,900 (+0.9%), from 100,000"
    assert course_line(known, parse("btc/usdt < 100000"), ENGLISH) == [said]
    assert course_line(known, parse("etf_flow(btc) < 0"), ENGLISH) == [f"BTC/USDT {said}"]
    unknown = Aftermath(WEEK, BITCOIN, None)
    assert course_line(unknown, parse("btc/usdt < 1"), ENGLISH) == ["after 1 week: not known"]


# --- written down -------------------------------------------------------------------------------------------


@pytest.fixture
def market(room: Room) -> HandMarket:
    return room.market


@pytest.fixture
def afterwards(store: SqlStore, market: HandMarket, clock: SetClock) -> Afterwards:
    return Afterwards(store, market, clock)


def days(count: float, prices: Callable[[int], float] = lambda minute: 100_000.0) -> list[Bar]:
    """Make the minutes from an hour before noon on: flat each, at a price by the minutes since noon."""
    places = range(-60, round(count * 1440) + 120)
    return [Bar(START + place * MINUTE, *(prices(place),) * 4) for place in places]


async def rang(store: SqlStore, rule: str, *rings: float, **more: object) -> int:
    """Make an alert of Ann's that rang at some minutes after noon; gives its arming."""
    alert = await make(store, ANN, rule)
    arming = await arming_of(store, ANN, alert.label)
    for episode, minute in enumerate(rings, 1):
        at = NOON + minute * MINUTE
        told = ring(arming, episode, at=at, **more)
        await tell(store, told, at=at)
    return arming


async def records(store: SqlStore, label: str = "") -> list[Rung]:
    found, _ = await store.rung(ANN.chat, label, 1, 99)
    return found


@pytest.mark.both
async def test_a_day_and_a_week_later_the_record_of_a_ring_says_what_the_price_did(
    store: SqlStore, afterwards: Afterwards, market: HandMarket, clock: SetClock, room: Room
) -> None:
    touched = {1: 90_000.0, 2: 99_000.0, 1440: 101_000.0, 1441: 250_000.0, 5000: 98_000.0, 10_080: 102_000.0}
    market.feed("btc/usdt", days(8, lambda minute: touched.get(minute, 100_000.0)))
    await rang(store, "btc < 100k", 0.5)
    clock.time = NOON + DAY + HOUR + 299
    assert not await afterwards.turn() and market.asked == []
    clock.time += 1
    assert not await afterwards.turn() and len(market.asked) == 3
    [one] = await records(store)
    # The minute in which it rang is that of the price; the first after it, and the last of the day, count.
    assert one.aftermaths == (Aftermath(DAY, BITCOIN, Course(100_000, 90_000, 101_000, 101_000)),)
    clock.time = NOON + WEEK + HOUR + 300
    await afterwards.turn()
    [one] = await records(store)
    week = Course(100_000, 90_000, 250_000, 102_000)
    assert one.aftermaths[1:] == (Aftermath(WEEK, BITCOIN, week),)
    assert not await Afterwards(store, market, clock).turn() and len(market.asked) == 6
    assert "+1% a day later, +2% a week later" in await room.say("/history", ANN)
    assert (await room.say("/history 1", ANN)).splitlines()[1:] == [
        "→ after 1 day: low 90,000 (-10%), high 101,000 (+1%), close 101,000 (+1%), from 100,000",
        "→ after 1 week: low 90,000 (-10%), high 250,000 (+150%), close 102,000 (+2%), from 100,000",
    ]


async def test_a_storm_of_rings_costs_the_questions_of_one(
    store: SqlStore, afterwards: Afterwards, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.afterwards._RINGS_AT_ONCE", 100)
    market, clock = room.market, room.clock
    market.feed("btc/usdt", days(2))
    arming = await rang(store, "btc < 100k repeat")
    told = [ring(arming, episode, at=NOON + episode % 60) for episode in range(1, 251)]
    await tell(store, *told)
    clock.time = NOON + 2 * DAY
    while await afterwards.turn():
        pass
    async with store._database.reading() as connection:
        written = select(func.count()).select_from(aftermaths).where(aftermaths.c.close == 100_000)
        assert await connection.scalar(written) == 250
    assert len(market.asked) == 3


async def test_rings_at_many_hours_are_looked_up_a_few_at_a_time_and_one_where_an_exchange_is_busy(
    store: SqlStore, afterwards: Afterwards, market: HandMarket, clock: SetClock
) -> None:
    market.feed("btc/usdt", days(4))
    await rang(store, "btc < 100k repeat", *range(0, 50 * 60, 60))
    clock.time = NOON + 4 * DAY
    market.reports = [Health("binance", seen_at=NOON, share=0.7)]
    assert await afterwards.turn() and len(market.asked) == 3
    market.reports = [Health("binance", seen_at=NOON, share=0.2)]
    turns = 1
    while await afterwards.turn():
        turns += 1
    assert turns == 3 and all(one.aftermaths for one in await records(store))
    assert len(market.asked) == 3 * 50


@pytest.mark.both
async def test_what_was_taken_back_has_no_sequel(
    store: SqlStore, afterwards: Afterwards, market: HandMarket, clock: SetClock, room: Room
) -> None:
    market.feed("btc/usdt", days(2))
    arming = await rang(store, "btc < 100k repeat", 0, 61)
    await tell(store, correction(arming, 1))
    clock.time = NOON + 2 * DAY
    await afterwards.turn()
    await tell(store, correction(arming, 2))
    assert [one.aftermaths for one in await records(store)] == [(), ()]
    assert len(market.asked) == 3 and "after" not in await room.say("/history 1", ANN)


async def test_what_an_exchange_cannot_show_is_tried_again_and_said_to_be_unknown_in_the_end(
    store: SqlStore, afterwards: Afterwards, market: HandMarket, clock: SetClock, room: Room
) -> None:
    bars = days(4)
    market.feed("btc/usdt", [bar for bar in bars if bar.at != START + 300 * MINUTE])
    await rang(store, "btc < 100k repeat", 0)
    clock.time = NOON + DAY + 2 * HOUR
    await afterwards.turn()
    await afterwards.turn()
    assert len(market.asked) == 3  # within the hour it is not asked again
    assert "→ after 1 day: not known yet" in await room.say("/history 1", ANN)
    clock.time = NOON + 2 * DAY + 2 * HOUR
    await afterwards.turn()
    assert "not known yet" in await room.say("/history 1", ANN)
    clock.time += HOUR
    await afterwards.turn()
    assert (await room.say("/history 1", ANN)).endswith("→ after 1 day: not known")
    assert "later" not in await room.say("/history", ANN)
    clock.time += HOUR
    await afterwards.turn()
    assert len(market.asked) == 9


async def test_a_ring_after_the_gap_in_the_same_hour_is_known_at_once(
    store: SqlStore, afterwards: Afterwards, market: HandMarket, clock: SetClock
) -> None:
    market.feed("btc/usdt", [bar for bar in days(4) if bar.at != START + 5 * MINUTE])
    await rang(store, "btc < 100k repeat", 0, 30)
    clock.time = NOON + DAY + 2 * HOUR
    await afterwards.turn()
    assert [bool(one.aftermaths) for one in await records(store)] == [True, False]


async def test_an_exchange_that_is_gone_is_waited_for_and_what_came_due_is_caught_up(
    store: SqlStore, afterwards: Afterwards, market: HandMarket, clock: SetClock
) -> None:
    market.feed("btc/usdt", days(9))
    await rang(store, "btc < 100k repeat", 0)
    market.is_down = True
    for day in range(1, 8):
        clock.time = NOON + day * DAY + 2 * HOUR
        await afterwards.turn()
    market.is_down = False
    clock.time += HOUR
    await afterwards.turn()
    [one] = await records(store)
    assert [(after.span, after.course is not None) for after in one.aftermaths] == [(DAY, True), (WEEK, True)]


async def test_a_ring_that_was_told_days_late_is_not_passed_over(
    store: SqlStore, afterwards: Afterwards, market: HandMarket, clock: SetClock
) -> None:
    market.feed("btc/usdt", days(6))
    arming = await rang(store, "btc < 100k repeat", 0)
    clock.time = NOON + 5 * DAY
    await afterwards.turn()
    await tell(store, ring(arming, 2, at=NOON + 600), at=clock.time)
    clock.time += HOUR
    await afterwards.turn()
    assert [len(one.aftermaths) for one in await records(store)] == [1, 1]


@pytest.mark.parametrize(
    ("rule", "instrument"),
    [("btc etf inflow 100m", "btc/usdt"), ("fear_greed() < 20", ""), ("doge etf inflow 1m", "")],
)
async def test_a_metric_of_a_coin_is_told_by_its_price_and_others_by_none(
    room: Room, afterwards: Afterwards, rule: str, instrument: str
) -> None:
    store, clock = room.store, room.clock
    room.market.feed("btc/usdt", days(2))
    canonical = str(read(rule).rule)
    await rang(store, canonical, 0, evidence=())
    clock.time = NOON + 2 * DAY
    await afterwards.turn()
    [one] = await records(store)
    names = [after.instrument.symbol if after.instrument else "" for after in one.aftermaths]
    assert names == [instrument]
    said = await room.say("/history 1", ANN)
    assert ("→ BTC/USDT after 1 day: low 100,000 (0%)" in said) is bool(instrument)
    assert ("after" in said) is bool(instrument)


@pytest.mark.both
async def test_the_history_of_one_alert_begins_with_what_its_rings_were_worth(
    store: SqlStore, afterwards: Afterwards, market: HandMarket, clock: SetClock, room: Room
) -> None:
    # It falls by a percent a day for three days, and then stays.
    market.feed("btc/usdt", days(12, lambda minute: 100_000.0 * 0.99 ** min(minute // 1440, 3)))
    await rang(store, "btc < 100k repeat", *(day * 1440 for day in range(5)))
    await make(store, BOB, "btc < 100k repeat")
    clock.time = NOON + 10 * DAY + 12 * HOUR
    while await afterwards.turn():
        pass
    first, second, *lines = (await room.say("/history 1", ANN)).splitlines()
    assert first == "Of 5 rings, a day later: higher 0, lower 3, the same 2, median -1%."
    assert second == "Of 4 rings, a week later: higher 0, lower 3, the same 1, median -1.5%."
    assert [line[0] for line in lines[:12]].count("→") == 7 and lines[-1].startswith("Page 1 of 2.")
    assert "a day later" not in await room.say("/history 1", BOB)


@pytest.mark.both
async def test_what_came_after_goes_with_its_ring(
    store: SqlStore, afterwards: Afterwards, market: HandMarket, clock: SetClock
) -> None:
    market.feed("btc/usdt", days(2))
    await rang(store, "btc < 100k repeat", 0, 1)
    clock.time = NOON + 2 * DAY
    await afterwards.turn()
    await store.delete_alert(ANN.chat, 1, clock.time)
    async with store._database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(aftermaths)) == 2
    async with store._database.writing() as connection:
        await connection.exec_driver_sql("UPDATE outbox SET sent_at = made_at")
    await store.clear(clock.time + DAY)
    async with store._database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(aftermaths)) == 0


async def test_a_store_in_trouble_is_tried_again(
    store: SqlStore, market: HandMarket, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.feed("btc/usdt", days(2))
    await rang(store, "btc < 100k repeat", 0)
    clock.time = NOON + DAY + 2 * HOUR
    account, failures = store.account, [StoreTrouble("full"), StoreTrouble("full")]

    async def fails(accounts: Sequence[object]) -> None:
        if failures and accounts:
            raise failures.pop()
        await account(accounts)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "account", fails)
    running = asyncio.create_task(Afterwards(store, market, clock).run())
    async with asyncio.timeout(10):
        while not (await records(store))[0].aftermaths:  # noqa: ASYNC110 - nobody tells when it is written
            await asyncio.sleep(0)
    running.cancel()
    assert not failures
