"""Windows over indicators, closed candles, ratios and sessions, and moves of what is no single price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count, pairwise

import numpy as np
import pytest
import talib
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.engine.compiler import compile_rule
from bot.engine.indicators import candles_needed
from bot.engine.minute import Minute
from bot.engine.state import Ring
from bot.engine.trails import Trails
from bot.engine.world import World
from bot.metrics import MINUTE, Bar, MetricKey, Observation
from bot.rules import parse
from tests.judging import DAY, HOUR, MIDNIGHT, candles, hours, judged, rings
from tests.markets import BTC, ETH, START, life_of, path

SPX = MetricKey("price", "spx")
walks = st.lists(st.floats(50, 150), min_size=60, max_size=80)


def settled(*closes: float, first: str = "2025-09-08") -> list[Observation]:
    """Make closes of weekdays from a Monday on, each known at five in the morning after."""
    days = [day for day in range(2 * len(closes)) if day % 7 < 5][: len(closes)]
    start = int(np.datetime64(first, "s").astype(int))
    ats = [start + day * DAY for day in days]
    return [Observation(SPX, at, close, at + DAY + 5 * HOUR) for at, close in zip(ats, closes, strict=True)]


def rung(rule: str, closes: list[float], live: int) -> list[int]:
    """Judge hours, the last of which are live; gives the places of those at whose close it rang."""
    past, rest = closes[:-live], closes[-live:]
    told = judged(
        f"{rule} repeat cooldown 1m", {BTC: hours(*rest)}, rest[0], history={BTC: candles(HOUR, *past)}
    )
    return [round((at - START) / HOUR) - 1 + len(past) for at in rings(told)]


def rises(verdicts: Sequence[bool | None], live: int) -> list[int]:
    """Name the places of the last ones at which something became true; what is unknown arms nothing."""
    found, is_armed = [], verdicts[-live - 1] is False
    for at in range(len(verdicts) - live, len(verdicts)):
        if verdicts[at] and is_armed:
            found.append(at)
        is_armed = verdicts[at] is False or (is_armed and verdicts[at] is None)
    return found


def rsi_of(closes: Sequence[float], period: int) -> np.ndarray:
    """Give TA-Lib's RSI, and none (NaN) where no close differs from another: nothing rose and nothing fell.

    TA-Lib says 0 there, the strongest of falls, and a rule such as ``rsi < 30`` would ring for a market that
    stands still. Each value is made of as many closes as the engine takes.
    """
    values, needed = np.full(len(closes), np.nan), candles_needed("rsi", (period,))
    for at in range(period, len(closes)):
        run = np.array(closes[max(0, at + 1 - needed) : at + 1])
        if np.ptp(run):
            values[at] = talib.RSI(run, period)[-1]
    return values


@settings(max_examples=25, deadline=None)
@given(walks, st.integers(2, 5), st.integers(2, 12))
@example([100.0] * 60, 2, 2)
@example([100.0] * 59 + [101.0], 2, 2)
@example([100.0] * 50 + [101.0, 99.0, 100.0, 104.0, 99.0] * 2, 2, 2)
@example([100.0, 101.0] + [101.0] * 50 + [102.0, 99.0, 103.0] * 4, 2, 3)
def test_the_highest_of_an_indicator_leaves_its_newest_value_out_and_is_unknown_in_a_market_that_stood_still(
    closes: list[float], period: int, count: int
) -> None:
    values = rsi_of(closes, period)
    highest = [values[max(0, at - count) : at].max(initial=-np.inf) for at in range(len(closes))]
    is_high = [
        None if np.isnan(value) or np.isnan(high) else bool(value > high)
        for value, high in zip(values, highest, strict=True)
    ]
    rule = f"rsi(btc/usdt, {period}, 1h) > highest(rsi(btc/usdt, {period}, 1h), {count}h)"
    assert rung(rule, closes, 15) == rises(is_high, 15)


@settings(max_examples=25, deadline=None)
@given(walks, st.integers(2, 5), st.integers(1, 12))
def test_a_change_of_an_average_is_from_the_value_a_window_ago(
    closes: list[float], period: int, count: int
) -> None:
    values = talib.SMA(np.array(closes), period)
    changed = [
        at >= 40 and bool(100 * (values[at] / values[at - count] - 1) > 1) for at in range(len(closes))
    ]
    rule = f"change(sma(btc/usdt, {period}, 1h), {count}h) > 1%"
    assert rung(rule, closes, 15) == rises(changed, 15)


def test_windows_within_windows_are_read_at_the_closes_of_their_candles() -> None:
    closes = [100.0, 110, 99, 100, 120, 100, 101, 130, 131, 132]
    moves = [abs(after / before - 1) * 100 for before, after in pairwise(closes)]
    rule = "highest(abs(change(close(btc/usdt, 1h), 1h)), 3h) > 25"
    found = rung(rule, closes, 6)
    expected = [place for place in range(4, 10) if place >= 4 and max(moves[place - 4 : place - 1]) > 25]
    assert found == expected[:1] == [8]


def test_values_of_unlike_candles_are_as_they_were_at_each_close_of_the_shortest() -> None:
    days = candles(DAY, 100, 100, 100, end=MIDNIGHT)
    live = hours(*[100.0] * 30, 90, 90, start=MIDNIGHT)
    rule = "lowest(close(btc/usdt, 1h) / sma(btc/usdt, 2, 1d), 2h) < 0.95"
    told = judged(rule, {BTC: live}, 100, history={BTC: days}, made_at=MIDNIGHT)
    assert rings(told) == [MIDNIGHT + 32 * HOUR]  # the newest is left out: one hour after it closed at 90


def test_a_window_over_a_hole_is_unknown() -> None:
    past = candles(HOUR, *[100.0] * 30)
    del past[-3]
    rule = "highest(sma(btc/usdt, 2, 1h), 6h) > 99"
    assert rings(judged(rule, {BTC: hours(100, 100)}, 100, history={BTC: past})) == []


def test_the_highest_close_of_all_time_is_that_of_the_candles_there_are() -> None:
    past = candles(DAY, 100, 130, 120, end=MIDNIGHT)
    live = hours(*[125.0] * 24, *[131.0] * 24, *[120.0] * 2, start=MIDNIGHT)
    rule = "close(btc/usdt, 1d) > highest(close(btc/usdt, 1d), all)"
    told = judged(rule, {BTC: live}, 125, history={BTC: past}, made_at=MIDNIGHT)
    assert rings(told) == [MIDNIGHT + 2 * DAY]


# --- prices together ----------------------------------------------------------------------------------------


def pair(*ratios: float) -> dict[MetricKey, list[Bar]]:
    """Make minutes in which one price stands so many times above another, which moves too."""
    others = [100.0 + place % 3 for place in range(len(ratios))]
    return {
        BTC: path(*(ratio * other for ratio, other in zip(ratios, others, strict=True))),
        ETH: path(*others),
    }


def minutes_of(told: list[object]) -> list[int]:
    return [round((one.at - START) / MINUTE) for one in told if isinstance(one, Ring)]


@pytest.mark.parametrize(
    ("rule", "ratios", "expected"),
    [
        ("change(btc/usdt / eth/usdt, 3m) < -5%", (10, 10, 10, 9.8, 9.6, 9.4, 9.4), [5]),
        ("delta(btc/usdt / eth/usdt, 3m) < -0.5", (10, 10, 10, 9.8, 9.6, 9.4, 9.4), [5]),
        ("btc/usdt / eth/usdt > highest(btc/usdt / eth/usdt, 3m)", (10, 10.5, 10, 10, 10.2, 10.6, 10), [5]),
        ("zscore(btc/usdt / eth/usdt, 4m) < -1.9", (10, 10.1, 10, 10.1, 10, 10.1, 9), [6]),
        ("average(btc/usdt - eth/usdt, 2m) > 920", (10, 10, 10, 10, 11, 11), [4]),
        ("btc/usdt / eth/usdt moves down 5% in 3m", (10, 10, 10, 10, 9.7, 9.5, 9.6), [5]),
        ("btc/usdt / eth/usdt moves down 5% in 3m", (10, 10, 9.9, 9.8, 9.7, 9.5, 9.4), []),
        ("btc/usdt / eth/usdt moves up 5% in 3m", (10, 10, 10, 10, 10.2, 10.5), [5]),
        ("btc/usdt / eth/usdt moves 5% in 3m", (10, 10, 10, 10, 10.2, 10.5), [5]),
    ],
)
def test_a_window_over_two_prices_is_read_at_the_closes_of_minutes(
    rule: str, ratios: tuple[float, ...], expected: list[int]
) -> None:
    assert minutes_of(judged(f"{rule} repeat", pair(*ratios), 100)) == expected


def test_a_minute_that_one_of_two_prices_lacks_leaves_their_window_unknown() -> None:
    rule, series = "change(btc/usdt / eth/usdt, 2m) < -3%", pair(10, 10, 10, 9.8, 9.6, 9.6, 9.6)
    assert minutes_of(judged(rule, series, 100)) == [4]
    series[ETH] = [bar for bar in series[ETH] if bar.at != START + 2 * MINUTE]
    assert minutes_of(judged(rule, series, 100)) == []


def test_a_long_window_over_two_prices_is_read_at_the_closes_of_hours() -> None:
    past = {BTC: candles(HOUR, *[1000.0] * 71, 1200), ETH: candles(HOUR, *[100.0] * 72)}
    live = {BTC: path(1000, 1150, 1210), ETH: path(100, 100, 100)}
    rule = "btc/usdt / eth/usdt > highest(btc/usdt / eth/usdt, 3d)"
    assert minutes_of(judged(rule, live, 1000, history=past)) == [2]


def test_a_price_crosses_another_that_moves_and_is_armed_a_share_of_it_away() -> None:
    series = {BTC: path(90, 90, 90, 101, 99.7, 101, 98, 101), ETH: path(*[100.0] * 8)}
    told = judged("btc/usdt crosses above eth/usdt repeat cooldown 0m rearm 1%", series)
    assert minutes_of(told) == [3, 7]


# --- sessions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "closes", "expected"),
    [
        ("spx moves down 5% in 1d", (100, 101, 96.5, 91, 90), [3]),
        ("spx moves down 5% in 3d", (100, 101, 99, 97, 95.9), [4]),
        ("spx moves up 5% in 1d", (100, 101, 107), [2]),
        ("spx moves 5% in 1d", (100, 101, 107), [2]),
        ("change(spx, 2d) < -5%", (100, 101, 99, 94), [3]),
        ("average(spx, 3d) > 101", (100, 101, 101, 102, 103), [3]),
        ("spx > sma(spx, 3, 1d)", (100, 99, 98, 97, 103), [4]),
        ("close(spx, 1d) > highest(spx, 3d)", (100, 99, 98, 97, 101), [4]),
        ("spx < 99 for 2 sessions", (100, 98, 100, 98, 97), [4]),
        ("streak(etf_flow(btc)) > 5 or spx < 99", (100, 100, 98), []),
    ],
)
def test_indices_and_stocks_are_judged_by_their_sessions(
    rule: str, closes: tuple[float, ...], expected: list[int]
) -> None:
    words = settled(*closes)
    told = judged(rule, {}, None, words, made_at=words[0].known_at - HOUR)
    known = [word.known_at for word in words]
    assert [known.index(at) for at in rings(told)] == expected


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(50, 150), min_size=16, max_size=30))
def test_an_indicator_of_an_index_is_that_of_its_closes(closes: list[float]) -> None:
    words = settled(*closes)
    life = life_of("sma(spx, 5, 1d) > 1 and bb_upper(spx, 10, 2, 1d) > 1", made_at=START)
    world = World()
    world.follow_metric(SPX, life.calendars[SPX])
    for word in words:
        world.note(word)
    minute = Minute(int(words[-1].known_at), {}, world, span=0)
    figures = [one.value for one in life.node.evidence(minute, ())]
    bands = talib.BBANDS(np.array(closes), 10, 2, 2)[0][-1]
    assert figures == pytest.approx([talib.SMA(np.array(closes), 5)[-1], bands], rel=1e-6)


MOOD = MetricKey("fear_greed", "")


def moods(*values: float) -> list[Observation]:
    return [Observation(MOOD, at, value, at) for at, value in zip(count(MIDNIGHT, DAY), values, strict=False)]


@pytest.mark.parametrize(
    ("rule", "made_at", "expected"),
    [
        ("fear_greed() < 20 for 3d", MIDNIGHT - HOUR, [MIDNIGHT + 4 * DAY]),
        ("fear_greed() < 20 for 36h", MIDNIGHT - HOUR, [MIDNIGHT + 2.5 * DAY]),
        ("fear_greed() < 15 for 1h repeat", MIDNIGHT - HOUR, [MIDNIGHT + DAY * 5 + HOUR]),
        ("fear_greed() < 20 for 3d", MIDNIGHT + 2 * DAY, [MIDNIGHT + 4 * DAY]),  # what was before counts
        ("fear_greed() < 20 for 3d and fear_greed() > 15", MIDNIGHT - HOUR, [MIDNIGHT + 4 * DAY]),
        ("fear_greed() < 17 for 30h or fear_greed() > 45", MIDNIGHT - HOUR, [MIDNIGHT + 4.25 * DAY]),
    ],
)
def test_a_time_over_metrics_alone_ends_while_nothing_arrives(
    rule: str, made_at: float, expected: list[float]
) -> None:
    words = moods(40, 18, 17, 16, 16, 14, 14)
    known = [word for word in words if word.known_at <= made_at]
    assert rings(judged(rule, {}, None, words, made_at=made_at, known=known)) == expected


# --- rearm --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        "abs(spread(btc/usdt, eth/usdt)) > 5%",
        "5% < abs(spread(btc/usdt, eth/usdt))",
        "abs(spread(btc/usdt, eth/usdt)) > 5",
    ],
)
def test_a_distance_from_what_is_in_percent_is_in_points(rule: str) -> None:
    series = {BTC: path(100, 100, 106, 104.8, 106, 103, 106), ETH: path(*[100.0] * 7)}
    assert minutes_of(judged(f"{rule} repeat cooldown 0m rearm 1%", series, 100)) == [2, 6]


def test_a_level_in_front_of_an_indicator_is_the_one_that_rearm_moves() -> None:
    one = compile_rule(parse("30 > rsi(btc/usdt, 14, 4h) rearm 10%"), False, START, {})
    other = compile_rule(parse("rsi(btc/usdt, 14, 4h) < 30 rearm 10%"), False, START, {})
    assert one.clear == replace(other.clear, term=one.clear.term)  # type: ignore[type-var]


# --- trails -------------------------------------------------------------------------------------------------


def test_many_rules_over_one_window_read_each_close_once() -> None:
    partition_rules = [f"highest(rsi(btc/usdt, 3, 1h), 10h) > {level}" for level in range(60, 90)]
    life = life_of(" or ".join(partition_rules), 100)
    world = World()
    world.follow(BTC, life.spans[BTC])
    world.candles[BTC, HOUR].preload(candles(HOUR, *np.random.default_rng(3).uniform(90, 110, 400)))
    world.series[BTC].extend(path(100, 100))
    life.node.judge(Minute(START, {}, world), (), [])
    assert world.trails.readings == 12  # eleven values, and the highest of them
    life.node.judge(Minute(START + MINUTE, {}, world), (), [])
    assert world.trails.readings == 12
    world.leave(BTC)
    assert not world.trails._trails


def test_what_was_unknown_is_read_again_and_what_came_late_is_seen() -> None:
    trails, known = Trails(), {3600: 1.0}
    assert trails.values("x", {}, range(3600, 7201, 3600), known.get) is None
    known[7200] = 2.0
    found = trails.values("x", {}, range(3600, 7201, 3600), known.get)
    assert found is not None
    assert found.tolist() == [1.0, 2.0]


def test_a_trail_keeps_what_the_longest_window_asks_for() -> None:
    trails = Trails()
    for end in range(0, 400 * 60, 60):
        trails.values("x", {}, range(end - 9 * 60, end + 1, 60), float)
    assert len(trails._trails["x"].values) <= 84
    assert trails.readings == 409
