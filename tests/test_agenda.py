"""What is due by the clock: quiet hours and plans on any clock, and reports that are told once each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from bot.agenda import Agenda
from bot.alerts.hours import DAY, WEEK, Plan, Quiet, read_plan, read_quiet
from bot.alerts.models import Telling
from bot.alerts.translator import ENGLISH
from bot.alerts.wording import word
from bot.metrics import Bar, MetricKey, Observation
from bot.ports import ChatMoved, Receipt, Unseeable
from bot.store import SqlStore, open_store
from bot.store.tables import outbox
from tests.conftest import SetClock
from tests.market import HandMarket
from tests.storing import ANN, BOB, NOON, arming_of, caller, make, ring, tell

pytestmark = pytest.mark.both

BERLIN = "Europe/Berlin"
ETF = MetricKey("etf_flow", "btc")
VALUE = Decimal(-903_200_000)
ZONES = st.sampled_from([BERLIN, "UTC", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"])
MINUTES = st.integers(0, 1439)
INSTANTS = st.integers(1_735_689_600, 1_798_761_600)


def at(text: str) -> float:
    """Give the instant of a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _clock(zone: str, instant: float) -> datetime:
    return datetime.fromtimestamp(instant, ZoneInfo(zone))


def _is_even(zone: str, instant: float) -> bool:
    """Ask whether no clock is changed within two days of an instant."""
    offsets = {_clock(zone, instant + hour * 3600).utcoffset() for hour in range(-48, 49)}
    return len(offsets) == 1


# --- quiet hours --------------------------------------------------------------------------------------------


@given(ZONES, MINUTES, MINUTES, INSTANTS)
def test_it_is_quiet_where_the_clock_shows_it_and_until_the_clock_shows_the_end(
    zone: str, start: int, end: int, now: int
) -> None:
    if start == end:
        return
    until = Quiet(start, end).ends_at(zone, now)
    shown = _clock(zone, now)
    minute = shown.hour * 60 + shown.minute
    if _is_even(zone, now):
        inside = start <= minute < end if start < end else minute >= start or minute < end
        assert (until is not None) is inside
    if until is not None:
        assert now < until <= now + 25 * 3600
        if _is_even(zone, now):
            there = _clock(zone, until)
            assert there.hour * 60 + there.minute == end


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        # The clock is put forward: 02:30 is left out, and is 03:00 in summer time.
        ("23:00-02:30", "2026-03-29T00:59", "2026-03-29T01:00"),
        ("23:00-02:30", "2026-03-29T01:00", None),
        ("02:30-06:00", "2026-03-29T00:59", None),
        ("02:30-06:00", "2026-03-29T01:00", "2026-03-29T04:00"),
        ("02:15-02:45", "2026-03-29T01:00", None),
        ("23:00-07:00", "2026-03-28T22:30", "2026-03-29T05:00"),
        # The clock is put back: 02:30 comes twice, at 00:30 and at 01:30 UTC.
        ("23:00-02:30", "2026-10-25T00:45", "2026-10-25T01:30"),
        ("02:30-06:00", "2026-10-25T00:29", None),
        ("02:30-06:00", "2026-10-25T00:30", "2026-10-25T05:00"),
        ("02:30-06:00", "2026-10-25T01:10", "2026-10-25T05:00"),
        ("23:00-07:00", "2026-10-24T21:30", "2026-10-25T06:00"),
    ],
)
def test_quiet_hours_hold_where_clocks_are_changed(hours: str, now: str, until: str | None) -> None:
    quiet = read_quiet(hours)
    assert quiet is not None
    assert quiet.ends_at(BERLIN, at(now)) == (at(until) if until else None)


@given(MINUTES, MINUTES)
def test_quiet_hours_are_read_as_they_are_shown(start: int, end: int) -> None:
    assert read_quiet(str(Quiet(start, end))) == (None if start == end else Quiet(start, end))


@pytest.mark.parametrize("text", ["23:00", "25:00-07:00", "23:60-7", "7-7", "off", "", "a-b", "٢٣-٧"])
def test_what_are_no_quiet_hours_is_refused(text: str) -> None:
    assert read_quiet(text) is None


# --- plans --------------------------------------------------------------------------------------------------


@given(ZONES, MINUTES, st.none() | st.integers(0, 6), INSTANTS)
def test_a_plan_is_due_once_a_day_or_week_and_never_before_now(
    zone: str, minute: int, weekday: int | None, now: int
) -> None:
    plan = Plan(minute, weekday)
    assert read_plan(str(plan)) == plan
    first = plan.next_after(zone, now)
    second = plan.next_after(zone, first)
    assert now < first <= now + plan.span + 2 * 3600
    assert abs(second - first - plan.span) <= 2 * 3600
    assert _clock(zone, second).date() - _clock(zone, first).date() == timedelta(seconds=plan.span)
    assert weekday in (None, _clock(zone, first).weekday())


def test_a_time_that_is_left_out_is_due_after_the_gap_and_one_that_comes_twice_is_due_once() -> None:
    plan = Plan(150)
    assert plan.next_after(BERLIN, at("2026-03-28T12:00")) == at("2026-03-29T01:00")
    assert plan.next_after(BERLIN, at("2026-10-24T12:00")) == at("2026-10-25T00:30")
    assert plan.next_after(BERLIN, at("2026-10-25T00:30")) == at("2026-10-26T01:30")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("daily 9am", "daily 09:00"),
        ("Daily 9:30 PM", "daily 21:30"),
        ("daily at 9", "daily 09:00"),
        ("every day at 9", "daily 09:00"),
        ("every Monday at 9am btc", "weekly mon 09:00 btc"),
        ("weekly monday 12am", "weekly mon 00:00"),
        ("daily 9 btc, eth BTC", "daily 09:00 btc eth"),
        ("weekly fri 09:00 liquidations(all, 24h);btc", "weekly fri 09:00 liquidations(all,24h) btc"),
    ],
)
def test_a_plan_is_read_as_people_write_it(text: str, shown: str) -> None:
    plan = read_plan(text)
    assert plan is not None
    assert str(plan) == shown
    assert read_plan(shown) == plan


@pytest.mark.parametrize(
    "text", ["daily", "weekly 09:00", "daily 0am", "daily 13pm", "weekly foo 9", "hourly 9", "daily 24:00"]
)
def test_what_is_no_plan_is_refused(text: str) -> None:
    assert read_plan(text) is None


# --- reports ------------------------------------------------------------------------------------------------


def _agenda(store: SqlStore, clock: SetClock, market: HandMarket) -> Agenda:
    return Agenda(store, store, market, clock)


async def _told(store: SqlStore) -> list[dict[str, object]]:
    async with store._database.reading() as connection:
        chosen = select(outbox.c.facts).where(outbox.c.kind == Telling.REPORT.value).order_by(outbox.c.id)
        return list(await connection.scalars(chosen))


async def test_a_report_tells_what_the_alerts_read_and_what_rang_since_the_last(store: SqlStore) -> None:
    clock = SetClock()
    market = HandMarket(clock, btc=104_000.0)
    await make(store, ANN, "btc < 100000 repeat")
    await make(store, ANN, "etf_flow(btc) < -500m")
    day = int(NOON) // 86_400 * 86_400
    await store.note([Observation(ETF, day - 86_400, VALUE, NOON - 60, source="farside")], int(NOON))
    due = await store.set_report(ANN, Plan(13 * 60), NOON)
    assert due == NOON + 3600
    await tell(store, ring(await arming_of(store, ANN)), at=NOON + 60)
    clock.time = due
    market.feed("btc/usdt", [Bar(int(due - DAY), 100_000.0, 100_000.0, 100_000.0, 100_000.0, 1.0)])
    assert await _agenda(store, clock, market).turn() == 1
    [ringing] = await store.lease("telegram", due, 10)
    await store.settle(ringing, Receipt("1"), due)
    [notification] = await store.lease("telegram", due, 10)
    message = word(notification, ENGLISH, due)
    assert message.plain() == (
        "Your day, 13:00 UTC\n"
        "BTC/USDT 104,000, up 4% in a day\n"
        "BTC ETF net flow: -903.2m USD, Nov 11\n"
        "Rang once since 12:00 UTC:\n"
        "• 12:00 UTC #1 BTC/USDT fell below 100,000 · 99,980"
    )


async def test_a_report_of_chosen_series_tells_of_these_and_asks_for_what_no_alert_reads(
    store: SqlStore,
) -> None:
    clock = SetClock()
    market = HandMarket(clock, btc=104_000.0, eth=3_000.0)
    await make(store, ANN, "btc < 100000 repeat")
    asked: list[MetricKey] = []

    async def ask(key: MetricKey) -> Observation:
        asked.append(key)
        if key.metric == "fees":
            raise Unseeable("it is down")
        return Observation(key, int(NOON), Decimal(23), NOON, source="alternative.me")

    plan = Plan(13 * 60, series=("eth/usdt", "fear_greed()", "fees()"))
    due = await store.set_report(ANN, plan, NOON)
    assert due is not None
    clock.time = due
    assert await Agenda(store, store, market, clock, ask=ask).turn() == 1
    [notification] = await store.lease("telegram", due, 10)
    told = word(notification, ENGLISH, due).lines
    assert told[:3] == (
        "ETH/USDT 3,000",
        "The fear and greed index: 23",
        "The fee for the next block: cannot be seen just now",
    )
    assert [key.metric for key in asked] == ["fear_greed", "fees"]
    assert (await store.report(ANN.chat)).plan == plan  # type: ignore[union-attr]


async def test_each_report_is_told_once_over_restarts_and_what_was_missed_once(
    store: SqlStore, database: str
) -> None:
    clock = SetClock()
    market = HandMarket(clock)
    await store.set_report(ANN, Plan(13 * 60), NOON)
    await store.set_report(BOB, Plan(14 * 60), NOON)
    clock.time = NOON + 3600
    late = (await store.due(clock.now(), 9))[0]
    agenda = _agenda(store, clock, market)
    assert [await agenda.turn() for _ in range(3)] == [1, 0, 0]
    assert not await store.tell(late, {}, clock.now())
    assert await store.next_due_at() == NOON + 7200
    again = await open_store(database)
    try:
        clock.time = NOON + 5 * DAY
        agenda = _agenda(again, clock, market)
        assert [await agenda.turn() for _ in range(2)] == [2, 0]
        assert await again.next_due_at() == NOON + 5 * DAY + 3600
    finally:
        await again.close()
    assert [(one["since"], one["at"]) for one in await _told(store)] == [
        (NOON, NOON + 3600),
        (NOON, NOON + 5 * DAY),
        (NOON + 3600, NOON + 5 * DAY),
    ]


async def test_a_report_is_told_though_no_exchange_answers(store: SqlStore) -> None:
    clock = SetClock()
    market = HandMarket(clock)
    market.is_down = True
    await make(store, ANN, "btc < 100000")
    due = await store.set_report(ANN, Plan(13 * 60, 2), NOON)
    assert due is not None
    clock.time = due
    await _agenda(store, clock, market).turn()
    [facts] = await _told(store)
    assert facts["span"] == WEEK
    [notification] = await store.lease("telegram", due, 1)
    assert "BTC/USDT: cannot be seen just now\nNothing rang since" in word(notification, ENGLISH, due).plain()


async def test_another_clock_moves_a_report_and_a_group_that_moves_takes_it_along(store: SqlStore) -> None:
    await store.set_report(ANN, Plan(13 * 60), NOON)
    await store.set_timezone(ANN, BERLIN, NOON)
    assert await store.next_due_at() == NOON + DAY
    await make(store, ANN, "btc < 100000")
    await tell(store, ring(await arming_of(store, ANN)))
    [notification] = await store.lease("telegram", NOON, 1)
    new = caller("new")
    await store.meet(new, NOON)
    await store.set_report(new, Plan(60), NOON)
    await store.settle(notification, ChatMoved(new.chat), NOON)
    kept = await store.report(new.chat)
    assert kept is not None
    assert kept.plan == Plan(60)
    assert await store.report(ANN.chat) is None
