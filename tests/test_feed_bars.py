"""From rows to bars, from faults to pauses, from names to near names: the pure parts of the feeds."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.exchanges.candles import PATIENCE, Refused, final_until, parse_row, read
from bot.feeds.exchanges.listing import by_prefix, listing_of, nearest
from bot.feeds.exchanges.minutes import catch_up
from bot.feeds.exchanges.table import FEEDS
from bot.feeds.faults import Fault, Pause, Trouble, fault_of_error, fault_of_status
from bot.metrics import MINUTE, Bar, Bars, MetricKey, join, opening_of, runs

START = 1_762_948_800
KEY = MetricKey("price", "btc/usdt")


def row(minute: int, price: float = 100.0) -> list[float]:
    return [(START + minute * MINUTE) * 1000, price, price + 2, price - 2, price + 1, 3.0]


def bar(minute: int, price: float = 100.0) -> Bar:
    return Bar(START + minute * MINUTE, price, price + 2, price - 2, price + 1, 3.0)


def flat(minute: int, price: float = 101.0) -> Bar:
    return Bar(START + minute * MINUTE, price, price, price, price)


def late(minute: int) -> float:
    """An instant at which every hole before a minute is old."""
    return START + minute * MINUTE + PATIENCE + 1


@pytest.mark.parametrize(
    "bad",
    [
        None,
        {},
        [],
        "row",
        [START * 1000, 1.0, 1.0, 1.0, 1.0],
        [None, 1.0, 1.0, 1.0, 1.0, 1.0],
        [START * 1000 + 1, 1.0, 1.0, 1.0, 1.0, 1.0],
        [(START + 30) * 1000, 1.0, 1.0, 1.0, 1.0, 1.0],
        [START, 1.0, 1.0, 1.0, 1.0, 1.0],
        [4_102_444_800_000, 1.0, 1.0, 1.0, 1.0, 1.0],
        [math.nan, 1.0, 1.0, 1.0, 1.0, 1.0],
        [10**400, 1.0, 1.0, 1.0, 1.0, 1.0],
        [True, 1.0, 1.0, 1.0, 1.0, 1.0],
    ],
)
def test_a_row_without_a_time_is_refused_without_a_minute(bad: object) -> None:
    assert parse_row(bad, START + 600.0) == Refused(None)


@pytest.mark.parametrize(
    "values",
    [
        (1.0, 2.0, 1.5, 1.2, 1.0),
        (1.0, 0.9, 0.5, 0.8, 1.0),
        (1.0, 2.0, 0.0, 1.0, 1.0),
        (1.0, 2.0, -1.0, 1.0, 1.0),
        (1.0, 2.0, 0.5, 3.0, 1.0),
        (None, 2.0, 0.5, 1.0, 1.0),
        (1.0, math.inf, 0.5, 1.0, 1.0),
        (1.0, 2.0, 0.5, math.nan, 1.0),
        (1.0, 2.0, 0.5, 1.0, -1.0),
        (1.0, 2.0, 0.5, 1.0, math.nan),
        ("1", 2.0, 0.5, 1.0, 1.0),
    ],
)
def test_an_impossible_candle_is_refused_with_its_minute(values: tuple[object, ...]) -> None:
    assert parse_row([START * 1000, *values], START + 600.0) == Refused(START)


def test_a_candle_without_a_volume_is_a_candle() -> None:
    assert parse_row([START * 1000, 1, 2, 0.5, 1.5, None], START + 1.0) == Bar(START, 1, 2, 0.5, 1.5)


def test_a_minute_is_final_five_seconds_after_its_end() -> None:
    assert final_until(START + 64.9) == START
    assert final_until(START + 65.0) == START + MINUTE


def test_rows_in_any_order_and_twice_are_minutes_in_order_and_once() -> None:
    found = read([row(2), row(0), row(1), row(1)], since=START, stop=START + 180, now=late(3))
    assert found.bars == (bar(0), bar(1), bar(2))
    assert found.refused == 0


def test_two_different_candles_of_one_minute_are_both_refused() -> None:
    found = read([row(0), row(1), row(1, 90.0), row(2)], since=START, stop=START + 180, now=late(3))
    assert found.bars == (bar(0), bar(2))
    assert found.refused == 1


def test_a_quiet_minute_between_candles_is_flat_at_the_close_before_it() -> None:
    found = read([row(0), row(3)], since=START, stop=START + 240, now=late(4))
    assert found.bars == (bar(0), flat(1), flat(2), bar(3))


def test_nothing_is_made_up_after_the_last_candle() -> None:
    assert read([row(0)], since=START, stop=START + 600, now=late(10)).bars == (bar(0),)
    assert read([], since=START, stop=START + 600, now=late(10), close=5.0).bars == ()


def test_a_candle_that_is_not_final_shows_that_the_minutes_before_it_were_answered() -> None:
    found = read([row(0), row(3)], since=START, stop=START + 180, now=late(3))
    assert found.bars == (bar(0), flat(1), flat(2))


def test_no_minute_is_filled_before_it_is_final() -> None:
    found = read([row(0), row(3)], since=START, stop=START + 120, now=late(3))
    assert found.bars == (bar(0), flat(1))


def test_rows_before_the_first_missing_minute_only_tell_the_close() -> None:
    found = read([row(-3), row(1)], since=START, stop=START + 120, now=late(2))
    assert found.bars == (flat(0), bar(1))


def test_without_a_close_before_it_a_hole_is_asked_for_again_and_then_given_up() -> None:
    young = read([row(2)], since=START, stop=START + 180, now=START + 200.0)
    assert young.bars == ()
    assert young.held == START
    old = read([row(2)], since=START, stop=START + 180, now=late(3))
    assert old.bars == (bar(2),)
    assert old.held is None


def test_a_refused_minute_is_no_quiet_minute() -> None:
    bad = [*row(1)[:2], 0.0, *row(1)[3:]]
    young = read([row(0), bad, row(2)], since=START, stop=START + 180, now=START + 200.0)
    assert young.bars == (bar(0),)
    assert young.held == START + MINUTE
    old = read([row(0), bad, row(2)], since=START, stop=START + 180, now=late(3))
    assert runs(old.bars) == [(bar(0),), (bar(2),)]


def test_a_row_whose_time_is_lost_may_be_of_any_hole() -> None:
    lost = [None, *row(1)[1:]]
    young = read([row(0), lost, row(2)], since=START, stop=START + 180, now=START + 200.0)
    assert young.bars == (bar(0),)
    assert young.close == 101.0
    assert read([row(0), lost], since=START, stop=START + 180, now=late(3)).close is None


GOOD, GONE, BROKEN, TIMELESS = "good", "gone", "broken", "timeless"


@given(
    fates=st.lists(st.sampled_from([GOOD, GOOD, GOOD, GONE, BROKEN, TIMELESS]), min_size=1, max_size=30),
    prices=st.lists(st.floats(50, 150), min_size=30, max_size=30),
    order=st.randoms(use_true_random=False),
    overlap=st.integers(0, 10),
    final=st.integers(0, 30),
    age=st.sampled_from([0.0, PATIENCE * 100.0]),
    close=st.none() | st.just(77.0),
)
def test_every_delivered_bar_is_a_candle_or_a_minute_that_surely_was_quiet(  # noqa: PLR0917
    fates: list[str],
    prices: list[float],
    order: random.Random,
    overlap: int,
    final: int,
    age: float,
    close: float | None,
) -> None:
    rows: list[list[object]] = []
    for minute, fate in enumerate(fates):
        whole: list[object] = list(row(minute, prices[minute]))
        if fate == BROKEN:
            whole[3] = -1.0
        if fate == TIMELESS:
            whole[0] = 12345
        if fate != GONE:
            rows.append(whole)
    order.shuffle(rows)
    since = min(overlap, len(fates))
    stop = max(since, min(final, len(fates)))
    now = START + len(fates) * MINUTE + 5.0 + age
    found = read(rows, since=START + since * MINUTE, stop=START + stop * MINUTE, now=now, close=close)

    for run in runs(found.bars):
        Bars(KEY, run)  # raises where there is a hole
    known = close
    at = {one.at: one for one in found.bars}
    assert list(at) == sorted(at)
    assert len(at) == len(found.bars)
    last_good = max((minute for minute, fate in enumerate(fates) if fate == GOOD), default=-1)
    for minute, fate in enumerate(fates):
        one = at.pop(START + minute * MINUTE, None)
        if one is not None:
            assert since <= minute < stop
            if fate == GOOD:
                assert one == bar(minute, prices[minute])
            else:
                assert fate == GONE
                assert TIMELESS not in fates
                assert minute < last_good
                assert one == Bar(one.at, known, known, known, known)  # type: ignore[arg-type]
        if fate == GOOD:
            known = bar(minute, prices[minute]).close
        elif fate == BROKEN:
            known = None if one is None else known
    assert not at
    assert found.refused == sum(fate in {BROKEN, TIMELESS} for fate in fates)
    if all(fate == GOOD for fate in fates):
        assert len(found.bars) == stop - since


@given(st.lists(st.integers(0, 40), unique=True, max_size=30).map(sorted))
def test_runs_are_the_bars_cut_at_their_holes(minutes: list[int]) -> None:
    bars = [bar(minute) for minute in minutes]
    found = runs(bars)
    assert [one for run in found for one in run] == bars
    assert all(before.end == after.at for run in found for before, after in pairwise(run))
    assert all(before[-1].end < after[0].at for before, after in pairwise(found))


class Sparse:
    """A history in which only some minutes were traded in, answered in windows of 300 minutes."""

    def __init__(self, traded: set[int]) -> None:
        self.traded = traded
        self.asked: list[int] = []

    async def rows(self, start: int, stop: int) -> list[object]:
        assert stop - start <= 300 * MINUTE
        self.asked.append((start - START) // MINUTE)
        first, last = ((at - START) // MINUTE for at in (start, stop))
        return [row(minute) for minute in sorted(self.traded) if first <= minute < last]


async def test_a_long_silence_is_passed_when_it_was_asked_for_twice_and_filled_when_it_ends() -> None:
    world = Sparse({-1, 900})
    now = float(START + 902 * MINUTE)
    trail = None
    bars: tuple[Bar, ...] = ()
    for look in range(20):
        caught = await catch_up(
            world.rows, FEEDS["coinbase"], START, 2**40, now=now + look * 16, pages=8, trail=trail
        )
        trail, bars = caught.trail, caught.bars
        if bars:
            break
    assert bars == (*(flat(minute) for minute in range(900)), bar(900))
    assert world.asked.count(-10) == 2


async def test_a_page_of_the_past_that_came_empty_once_is_asked_for_again() -> None:
    world = Sparse(set())
    now = float(START + 902 * MINUTE)
    first = await catch_up(world.rows, FEEDS["coinbase"], START, 2**40, now=now, pages=8)
    assert first.bars == ()
    assert len(world.asked) == 1
    world.traded = set(range(-20, 902))
    second = await catch_up(
        world.rows, FEEDS["coinbase"], START, 2**40, now=now + 5, pages=8, trail=first.trail
    )
    assert second.bars == tuple(bar(minute) for minute in range(902))


def test_bars_are_joined_where_they_are_known_throughout() -> None:
    minutes = [bar(0), bar(1), bar(2), bar(3, 90.0), bar(4), bar(5), bar(7), *(bar(n) for n in range(8, 15))]
    assert list(join(minutes, 300)) == [
        Bar(START, 100, 102, 88, 101, 15.0, 300),
        Bar(START + 600, 100, 102, 98, 101, 15.0, 300),
    ]
    assert list(join(minutes, MINUTE)) == minutes
    assert list(join([bar(2), bar(3)], 120, START + MINUTE)) == []
    assert [one.at for one in join([bar(1), bar(2)], 120, START + MINUTE)] == [START + MINUTE]


@given(st.sets(st.integers(0, 40)), st.sampled_from([2, 3, 5, 12]))
def test_joining_keeps_the_extremes_and_the_volume_of_what_it_joins(known: set[int], count: int) -> None:
    minutes = [bar(number, 100.0 + number % 7) for number in sorted(known)]
    span = count * MINUTE
    joined = {one.at: one for one in join(minutes, span)}
    for opening in range(opening_of(START, span), START + 41 * MINUTE, span):
        parts = [one for one in minutes if opening <= one.at < opening + span]
        assert (opening in joined) == (len(parts) == count)
        if opening in joined:
            one = joined[opening]
            assert one.high == max(part.high for part in parts)
            assert one.low == min(part.low for part in parts)
            assert (one.open, one.close) == (parts[0].open, parts[-1].close)
            assert one.volume == pytest.approx(3.0 * count)


def test_days_open_at_midnight_and_weeks_on_monday() -> None:
    assert opening_of(START, 86_400) == 1_762_905_600
    assert opening_of(START, 604_800) == 1_762_732_800
    assert opening_of(1_762_732_800 - 1, 604_800) == 1_762_732_800 - 604_800


def test_a_coarse_candle_stands_on_its_own_grid_and_is_final_after_its_end() -> None:
    opening = START * 1000
    assert parse_row([opening, 1, 2, 0.5, 1.5, 7], START + 1.0, 3600) == Bar(START, 1, 2, 0.5, 1.5, 7, 3600)
    assert parse_row([opening + 60_000, 1, 2, 0.5, 1.5, 7], START + 1.0, 3600) == Refused(None)
    assert final_until(START + 3604.9, 3600) == START
    assert final_until(START + 3605.0, 3600) == START + 3600


def test_an_hour_without_a_trade_is_flat_as_a_minute_is() -> None:
    hours = [[(START + hour * 3600) * 1000, 100, 102, 98, 101, 3] for hour in (0, 2)]
    found = read(hours, since=START, stop=START + 3 * 3600, now=START + 12_000.0, span=3600)
    assert found.bars[1] == Bar(START + 3600, 101, 101, 101, 101, 0.0, 3600)
    assert len(found.bars) == 3


def test_a_pause_grows_with_failures_and_is_never_shorter_than_asked() -> None:
    passing = Fault(Trouble.PASSING, "down")
    pause, seconds = Pause(), []
    for _ in range(9):
        pause = pause.after(passing, 0.0, lambda: 1.0)
        seconds.append(pause.until)
    assert seconds == [0, 0, 5, 10, 20, 40, 60, 60, 60]
    limited = Pause().after(Fault(Trouble.LIMITED, "slow", 120.0), 1000.0, lambda: 0.0)
    assert limited.until == 1120.0
    assert Pause().after(Fault(Trouble.LIMITED, "slow"), 0.0, lambda: 0.0).until == 30.0
    assert Pause().after(Fault(Trouble.PASSING, "503", 40.0), 0.0, lambda: 0.0).until == 40.0
    assert Pause().after(Fault(Trouble.BLOCKED, "no"), 0.0, lambda: 0.0).until == 900.0


@given(
    failures=st.integers(0, 2000),
    draw=st.floats(0, 1, exclude_max=True),
    after=st.none() | st.floats(0, 1e5),
    trouble=st.sampled_from(Trouble),
)
def test_a_pause_is_bounded_and_keeps_to_what_was_asked(
    failures: int, draw: float, after: float | None, trouble: Trouble
) -> None:
    pause = Pause(failures).after(Fault(trouble, "", after), 0.0, lambda: draw)
    assert pause.failures == failures + 1
    assert 0 <= pause.until <= max(1800.0, (after or 0.0) + 5)
    if trouble in {Trouble.LIMITED, Trouble.PASSING}:
        assert pause.until >= (after or 0.0)


def test_retry_after_may_be_a_date() -> None:
    fault = fault_of_status(
        "okx",
        429,
        {"retry-after": "Wed, 12 Nov 2025 12:01:30 GMT", "Date": "Wed, 12 Nov 2025 12:00:00 GMT"},
        "",
    )
    assert fault is not None
    assert fault.retry_after == 90.0
    odd = fault_of_status("okx", 429, {"Retry-After": "soon"}, "")
    assert odd is not None
    assert odd.retry_after is None


def test_an_error_of_our_own_is_a_bug_and_shows_no_more_than_its_class() -> None:
    fault = fault_of_error("okx", RuntimeError("http://user:secret@gateway/"))
    assert fault.trouble is Trouble.BUG
    assert "secret" not in fault.reason
    assert "RuntimeError" in fault.reason


def markets(*symbols: str) -> dict[str, dict[str, object]]:
    return {
        symbol: {"symbol": symbol, "spot": ":" not in symbol, "swap": ":" in symbol, "active": None}
        for symbol in symbols
    }


def test_what_is_closed_for_trade_or_no_spot_and_no_perpetual_is_not_listed() -> None:
    found = markets("BTC/USDT", "ETH/USDT", "BTC/USDT:USDT", "BTC/USDT:USDT-251226")
    found["ETH/USDT"]["active"] = False
    found["BTC/USDT:USDT-251226"] |= {"swap": False, "future": True}
    listing = listing_of(found, 0.0)
    assert set(listing.traded) == {"btc/usdt", "btc/usdt:usdt"}
    assert listing.count("swap") == 1


NAMES = [
    "btc/usdt",
    "btc/usd",
    "btc/eur",
    "btc/usdt:usdt",
    "bch/usdt",
    "bat/usdt",
    "eth/usdt",
    "eth/btc",
    "sol/usdt",
    "1inch/usdt",
    "zec/usd",
]


@pytest.mark.parametrize(
    ("typed", "best"),
    [
        ("bitcoin/usdt", "btc/usdt"),
        ("xbt/usd", "btc/usd"),
        ("btc/gbp", "btc/usdt"),
        ("btcc/eur", "btc/eur"),
        ("btc/usdc:usdc", "btc/usdt:usdt"),
        ("zec/usdt", "zec/usd"),
        ("inch/usdt", "1inch/usdt"),
        ("sool/usdt", "sol/usdt"),
    ],
)
def test_the_nearest_name_is_of_the_same_thing_or_of_one_spelt_alike(typed: str, best: str) -> None:
    assert nearest(NAMES, typed, "usdt")[0] == best


@given(st.text(max_size=30))
def test_any_text_has_a_few_existing_names_near_it_or_none(typed: str) -> None:
    found = nearest(NAMES, typed, "usdt")
    assert len(found) <= 5
    assert len(set(found)) == len(found)
    assert set(found) <= set(NAMES)


def test_completion_puts_the_default_quote_and_the_usual_bases_first() -> None:
    assert by_prefix(NAMES, "b", "usdt", 25)[:3] == ["btc/usdt", "bat/usdt", "bch/usdt"]
    assert by_prefix(NAMES, "BTC", "eur", 3) == ["btc/eur", "btc/usdt", "btc/usd"]
    assert by_prefix(NAMES, "", "usdt", 1) == ["btc/usdt"]
