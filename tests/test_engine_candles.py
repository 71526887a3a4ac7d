"""Candles: closed, whole, never repainted, and asked as of an instant."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.candles import WEEK, Candles, Columns, opening_of
from bot.engine.sessions import DAY, HOUR, XNYS, midnight_of
from bot.metrics import MINUTE, Bar

MONDAY = int(datetime(2025, 11, 17, tzinfo=UTC).timestamp())
FIVE = 5 * MINUTE
SPANS = [60, 180, 300, 900, 3600, 4 * 3600, 43200, DAY, WEEK]


def bar(at: int, *prices: float, volume: float = 1.0, span: int = MINUTE) -> Bar:
    """Make a bar of the prices in their order."""
    return Bar(at, prices[0], max(prices), min(prices), prices[-1], volume, span)


def minutes(since: int, until: int, price: float = 100.0) -> list[Bar]:
    return [bar(at, price + (at - since) / 600) for at in range(since, until, MINUTE)]


def filled(span: int, bars: list[Bar]) -> Candles:
    candles = Candles(span)
    candles.put(bars)
    return candles


def bars_of(columns: Columns) -> list[Bar]:
    rows = zip(*(column.tolist() for column in columns[:-1]), strict=True)
    return [Bar(int(at), o, h, lo, c, v, columns.span) for o, h, lo, c, v, at in rows]


# --- a slow reading, written for the tests alone ------------------------------------------------------------


def naive_opening(at: int, span: int) -> int:
    opened = datetime.fromtimestamp(at, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if span == WEEK:
        return int((opened - timedelta(days=opened.weekday())).timestamp())
    midnight = int(opened.timestamp())
    while midnight + span <= at:
        midnight += span
    return midnight


def naive_candles(bars: list[Bar], span: int) -> dict[int, Bar]:
    """Build each candle from the bars that lie in it, where they cover every second of it."""
    inside: dict[int, list[Bar]] = {}
    for one in bars:
        inside.setdefault(naive_opening(one.at, span), []).append(one)
    return {
        at: Bar(
            at,
            own[0].open,
            max(one.high for one in own),
            min(one.low for one in own),
            own[-1].close,
            sum(one.volume for one in own),
            span,
        )
        for at, own in inside.items()
        if sum(one.span for one in own) == span
    }


def naive_run(known: dict[int, Bar], span: int, at: int) -> list[Bar]:
    """Walk back from the newest candle that ends by ``at`` to the first hole."""
    ended = [opening for opening in known if opening + span <= at]
    run: list[Bar] = []
    opening = max(ended, default=None)
    while opening in known:
        run.append(known[opening])
        opening -= span
    return run[::-1]


PRICES = st.integers(90, 110).map(float)


@st.composite
def histories(draw: st.DrawFn) -> list[Bar]:
    """Draw bars of one and of five minutes in rising order, with holes, from some minute on."""
    at = MONDAY + draw(st.integers(-10, 10)) * MINUTE
    bars = []
    for _ in range(draw(st.integers(0, 60))):
        at += draw(st.sampled_from([0] * 12 + [MINUTE, FIVE, 3 * FIVE]))
        span = FIVE if at % FIVE == 0 and draw(st.booleans()) else MINUTE
        bars.append(bar(at, *draw(st.lists(PRICES, min_size=1, max_size=4)), volume=2.0, span=span))
        at += span
    return bars


@st.composite
def batches(draw: st.DrawFn, bars: list[Bar]) -> list[list[Bar]]:
    """Cut bars into runs as they may come: each may begin with bars that came before."""
    runs, place = [], 0
    while place < len(bars):
        stop = place + draw(st.integers(1, 20))
        runs.append(bars[max(place - draw(st.integers(0, 3)), 0) : stop])
        place = stop
    return runs


# --- alignment ----------------------------------------------------------------------------------------------


@given(at=st.integers(0, 2**31), span=st.sampled_from(SPANS))
def test_candles_open_on_the_grid_of_utc_midnight_and_monday(at: int, span: int) -> None:
    assert opening_of(at, span) == naive_opening(at, span)
    assert Candles(span).next_close(at) == naive_opening(at, span) + span


@pytest.mark.parametrize("span", [0, 30, 90, 7 * 60, 2 * DAY, -60])
def test_a_span_that_does_not_divide_a_day_is_refused(span: int) -> None:
    with pytest.raises(ValueError, match="does not divide a day"):
        Candles(span)


# --- gathering ----------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(data=st.data(), span=st.sampled_from([60, 300, 900, 1800]))
def test_candles_are_what_a_slow_reading_of_the_bars_says(data: st.DataObject, span: int) -> None:
    bars = data.draw(histories())
    usable = [one for one in bars if one.span <= span]
    candles = Candles(span)
    for run in data.draw(batches(bars)):
        candles.put(run)
    known = naive_candles(usable, span)
    assert len(candles) == len(known)
    for at in range(MONDAY - 2 * HOUR, MONDAY + 6 * HOUR, 7 * MINUTE):
        assert candles.asof(at) == sum(opening + span <= at for opening in known)
        assert bars_of(candles.columns(candles.asof(at))) == naive_run(known, span, at)
        expected = known.get(naive_opening(at, span) - span)
        assert candles.last(at) == expected
        assert candles.close_at(at) == (expected and expected.close)
        assert candles.closed_at(at) == (expected and expected.end)


def test_a_candle_closes_with_its_last_minute_and_not_before() -> None:
    candles = filled(FIVE, minutes(MONDAY, MONDAY + 4 * MINUTE))
    assert len(candles) == 0
    candles.put([bar(MONDAY + 4 * MINUTE, 120.0)])
    assert candles.last(MONDAY + FIVE) == Bar(MONDAY, 100.0, 120.0, 100.0, 120.0, 5.0, FIVE)


def test_a_candle_with_a_missing_minute_is_a_hole_that_breaks_the_run() -> None:
    bars = minutes(MONDAY, MONDAY + 4 * FIVE)
    del bars[7]
    candles = filled(FIVE, bars)
    assert len(candles) == 3
    assert candles.last(MONDAY + 2 * FIVE) is None
    assert candles.columns().ats.tolist() == [MONDAY + 2 * FIVE, MONDAY + 3 * FIVE]
    assert candles.columns(1).ats.tolist() == [MONDAY]


def test_a_bar_that_reaches_beyond_a_candle_is_a_hole() -> None:
    candles = filled(HOUR, [bar(MONDAY, 1.0, span=HOUR), bar(MONDAY + HOUR, 2.0, span=4 * HOUR)])
    candles.put([bar(MONDAY + 5 * HOUR, 3.0, span=HOUR)])
    assert [one.at for one in bars_of(candles.columns(1))] == [MONDAY]
    assert candles.columns().ats.tolist() == [MONDAY + 5 * HOUR]


def test_a_candle_that_closed_long_ago_is_no_answer() -> None:
    candles = filled(FIVE, minutes(MONDAY, MONDAY + FIVE))
    assert candles.last(MONDAY + FIVE - 1) is None
    assert candles.last(MONDAY + FIVE) is not None
    assert candles.last(MONDAY + 2 * FIVE - 1) is not None
    assert candles.last(MONDAY + 2 * FIVE) is None


def test_bars_from_the_middle_of_a_candle_make_none_of_it() -> None:
    candles = filled(FIVE, minutes(MONDAY + MINUTE, MONDAY + 2 * FIVE))
    assert candles.start == MONDAY + FIVE
    assert candles.end == MONDAY + 2 * FIVE


def test_no_candles_answer_unknown() -> None:
    candles = Candles(HOUR)
    assert (candles.start, candles.end, candles.asof(MONDAY)) == (None, None, 0)
    assert candles.last(MONDAY) is None
    assert candles.extremes(MONDAY, MONDAY + DAY) is None
    assert len(candles.columns().closes) == 0
    candles.forget(MONDAY)
    candles.preload([])
    assert len(candles) == 0


# --- history from an exchange -------------------------------------------------------------------------------


@settings(max_examples=150)
@given(data=st.data())
def test_preloaded_candles_fill_holes_and_change_none_that_exists(data: st.DataObject) -> None:
    bars = data.draw(histories())
    offered = [
        bar(MONDAY + step * FIVE, *data.draw(st.lists(PRICES, min_size=1, max_size=3)), span=FIVE)
        for step in sorted(data.draw(st.sets(st.integers(-8, 40))))
    ]
    cut = data.draw(st.integers(0, len(offered)))
    when = data.draw(st.integers(0, len(bars)))
    candles = Candles(FIVE)
    candles.put(bars[:when])
    before = naive_candles(bars[:when], FIVE)
    candles.preload(offered[cut:])
    candles.preload(offered[:cut])
    taken = {one.at: one for one in offered} | before
    assert {one.at: one for one in every_candle(candles)} == taken
    candles.put(bars[when:])
    known = naive_candles(bars, FIVE) | taken
    assert {one.at: one for one in every_candle(candles)} == known
    for at in range(MONDAY - HOUR, MONDAY + 5 * HOUR, FIVE):
        assert bars_of(candles.columns(candles.asof(at))) == naive_run(known, FIVE, at)


def every_candle(candles: Candles) -> list[Bar]:
    found: list[Bar] = []
    count = len(candles)
    while count:
        run = bars_of(candles.columns(count))
        found = run + found
        count -= len(run)
    return found


def test_columns_given_out_stay_what_they_were() -> None:
    candles = filled(MINUTE, minutes(MONDAY, MONDAY + HOUR))
    columns = candles.columns()
    before = [column.copy() for column in columns[:-1]]
    candles.put(minutes(MONDAY + HOUR, MONDAY + 5 * HOUR))
    candles.preload(minutes(MONDAY - HOUR, MONDAY))
    candles.forget(MONDAY + 4 * HOUR)
    for column, copy in zip(columns[:-1], before, strict=True):
        np.testing.assert_array_equal(column, copy)


def test_the_edition_changes_when_history_comes_in_and_not_when_candles_close() -> None:
    candles = filled(FIVE, minutes(MONDAY, MONDAY + HOUR))
    edition = candles.edition
    candles.put(minutes(MONDAY + HOUR, MONDAY + 2 * HOUR))
    candles.preload([bar(MONDAY, 1.0, span=FIVE)])
    assert candles.edition is edition
    candles.preload([bar(MONDAY - FIVE, 1.0, span=FIVE)])
    assert candles.edition is not edition


@pytest.mark.parametrize("one", [bar(MONDAY, 1.0), bar(MONDAY + MINUTE, 1.0, span=FIVE)])
def test_what_is_no_candle_of_the_time_frame_is_refused(one: Bar) -> None:
    with pytest.raises(ValueError, match="no candle of 300 seconds"):
        Candles(FIVE).preload([one])


def test_a_run_is_the_full_history_only_where_that_is_known_to_begin() -> None:
    candles = filled(FIVE, minutes(MONDAY + 2 * MINUTE, MONDAY + HOUR))
    assert not candles.is_full(candles.columns())
    candles.begin_at(MONDAY + 2 * MINUTE)
    assert candles.is_full(candles.columns())
    assert not candles.is_full(candles.columns().tail(5))
    candles.preload([bar(MONDAY, 1.0, span=FIVE)])  # the exchange's own first candle, of three minutes
    assert candles.is_full(candles.columns())
    candles.forget(MONDAY + 3 * FIVE)
    assert not candles.is_full(candles.columns())


def test_an_older_candle_disproves_a_beginning() -> None:
    candles = filled(FIVE, minutes(MONDAY, MONDAY + HOUR))
    candles.begin_at(MONDAY)
    assert candles.is_full(candles.columns())
    candles.preload([bar(MONDAY - FIVE, 1.0, span=FIVE)])
    assert not candles.is_full(candles.columns())


# --- windows ------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(
    bars=histories(),
    since=st.integers(-30, 120).map(lambda minute: MONDAY + minute * MINUTE),
    length=st.integers(1, 120).map(lambda count: count * MINUTE),
)
def test_extremes_are_of_the_whole_candles_of_a_stretch(bars: list[Bar], since: int, length: int) -> None:
    candles, until = filled(FIVE, bars), since + length
    known = naive_candles(bars, FIVE)
    within = [one for one in known.values() if since <= one.at and one.end <= until]
    due = [at for at in range(since, until) if at % FIVE == 0 and at + FIVE <= until]
    extremes = candles.extremes(since, until)
    if not within:
        assert extremes is None
    else:
        assert extremes == (
            max(one.high for one in within),
            min(one.low for one in within),
            [one.at for one in within] == due,
        )


@given(bars=histories(), before=st.integers(-10, 100).map(lambda minute: MONDAY + minute * MINUTE))
def test_what_is_forgotten_is_gone_and_the_rest_stays(bars: list[Bar], before: int) -> None:
    candles = filled(FIVE, bars)
    candles.forget(before)
    known = {at: one for at, one in naive_candles(bars, FIVE).items() if one.end > before}
    assert {one.at: one for one in every_candle(candles)} == known
    later = minutes(MONDAY + 2 * DAY, MONDAY + 2 * DAY + FIVE)
    candles.put(later)
    assert candles.last(later[-1].end) is not None


# --- markets that rest --------------------------------------------------------------------------------------


def days(first: date, last: date) -> list[Bar]:
    count = (last - first).days + 1
    opened = [midnight_of(first) + place * DAY for place in range(count)]
    return [bar(at, 100.0 + place, span=DAY) for place, at in enumerate(opened)]


def test_a_weekend_and_a_holiday_are_no_holes_for_a_market_with_sessions() -> None:
    candles = Candles(DAY, XNYS)
    sessions = XNYS.sessions_between(date(2025, 11, 20), date(2025, 12, 2))
    candles.put([bar(midnight_of(day), 100.0 + day.day, span=DAY) for day in sessions])
    assert candles.columns().ats.tolist() == [midnight_of(day) for day in sessions]
    sunday = midnight_of(date(2025, 11, 30)) + HOUR
    last = candles.last(sunday)
    assert last is not None
    assert last.close == 128.0
    assert candles.next_close(sunday) == midnight_of(date(2025, 12, 2))
    whole = candles.extremes(midnight_of(date(2025, 11, 22)), midnight_of(date(2025, 12, 1)))
    assert whole == (128.0, 124.0, True)


def test_a_missing_session_is_a_hole() -> None:
    candles = Candles(DAY, XNYS)
    candles.put([one for one in days(date(2025, 11, 17), date(2025, 11, 20)) if one.close != 102.0])
    assert candles.columns().ats.tolist() == [midnight_of(date(2025, 11, 20))]
    whole = candles.extremes(midnight_of(date(2025, 11, 17)), midnight_of(date(2025, 11, 21)))
    assert whole is not None
    assert not whole.is_whole
    assert candles.last(midnight_of(date(2025, 11, 22)) - 1) is not None
    assert candles.last(midnight_of(date(2025, 11, 22))) is None  # Friday's candle should be here


def test_what_comes_of_a_day_without_a_session_is_no_candle() -> None:
    put, preloaded = Candles(DAY, XNYS), Candles(DAY, XNYS)
    put.put(days(date(2025, 11, 20), date(2025, 12, 2)))
    preloaded.preload(days(date(2025, 11, 20), date(2025, 12, 2)))
    assert bars_of(put.columns()) == bars_of(preloaded.columns())
    assert len(put) == len(XNYS.sessions_between(date(2025, 11, 20), date(2025, 12, 2))) == 8
