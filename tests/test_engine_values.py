"""Candles, indicators, windows, metrics and pulses, judged by the engine as rules name them."""

from __future__ import annotations

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.state import Correction, Ended, Reminder, Resolution, Ring
from bot.metrics import MINUTE, Bar, Observation
from tests.judging import DAY, FLOW, FLOWS, HOUR, candles, flows, hours, judged, rings
from tests.markets import BTC, ETH, START, histories, path


def test_a_closed_candle_is_judged_where_it_closes_and_not_before() -> None:
    told = judged("close(btc/usdt, 1h) < 100 repeat", {BTC: hours(105, 95, 105)}, 105)
    assert rings(told) == [START + 2 * HOUR]


def test_a_candle_that_dipped_and_came_back_does_not_ring_at_its_close() -> None:
    bars = hours(105, 105)
    bars[70] = Bar(bars[70].at, 105, 105, 90, 105)
    assert rings(judged("close(btc/usdt, 1h) < 100", {BTC: bars}, 105)) == []
    assert rings(judged("low(btc/usdt, 1h) < 100", {BTC: bars}, 105)) == [START + 2 * HOUR]


def test_a_price_rings_when_it_touches_a_moving_average() -> None:
    past = {BTC: candles(HOUR, 100, 102, 104)}
    rule = "btc/usdt > sma(btc/usdt, 3, 1h)"
    bars = hours(101) + path(101, 101.5, 102.5, start=START + HOUR)
    # the average is 102 in the first hour, and 102.33 in the second
    assert rings(judged(rule, {BTC: bars}, 101, history=past)) == [START + HOUR + MINUTE]


def test_without_enough_candles_nothing_is_known_and_nothing_rings() -> None:
    rule = "btc/usdt > sma(btc/usdt, 30, 1h)"
    assert rings(judged(rule, {BTC: hours(101, 200, 300)}, 101, history={BTC: candles(HOUR, 100, 100)})) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(50, 150), min_size=120, max_size=160), st.integers(2, 6), st.integers(40, 60))
def test_an_indicator_rings_at_the_candles_where_ta_lib_says_so(
    closes: list[float], period: int, level: int
) -> None:
    count = len(closes)
    past, live = closes[: count - 30], closes[count - 30 :]
    rule = f"rsi(btc/usdt, {period}, 1h) < {level} repeat cooldown 1m"
    history = {BTC: candles(HOUR, *past)}
    told = judged(rule, {BTC: hours(*live)}, live[0], history=history)
    values = talib.RSI(np.array(closes), period)
    was_low, expected = bool(values[count - 31] < level), []
    for place in range(count - 30, count):
        is_low = bool(values[place] < level)
        if is_low and not was_low:
            expected.append(START + (place - (count - 30) + 1) * HOUR)
        was_low = is_low
    assert rings(told) == expected


def test_a_new_high_of_the_window_rings_in_the_minute_in_which_it_is_made() -> None:
    closes = [100, 101, 100, 100.5, 101.5, 101]
    past = {BTC: path(*[100.6] * 5, start=START - 4 * MINUTE)}
    rule = "btc/usdt > highest(btc/usdt, 4m) repeat cooldown 1m"
    told = judged(rule, {BTC: path(*closes)}, 100, history=past)
    assert rings(told) == [START, START + 3 * MINUTE]


def test_a_change_is_read_at_the_close_of_the_minute() -> None:
    bars = path(100, 100, 100, 100, 95)
    told = judged("change(btc/usdt, 3m) < -4%", {BTC: bars})
    assert rings(told) == []  # made blind, it waits for the clear side first
    told = judged("change(btc/usdt, 2m) < -4% repeat", {BTC: path(100, 100, 100, 100, 99.9, 100, 95)}, 100)
    assert rings(told) == [START + 6 * MINUTE]


def test_a_ratio_of_two_prices_is_read_at_the_close() -> None:
    one, other = path(10, 10, 10, 12), path(100, 100, 100, 100)
    told = judged("btc/usdt / eth/usdt > 0.11", {BTC: one, ETH: other}, 10)
    assert rings(told) == [START + 3 * MINUTE]  # made at 10 and 10 it was true, and had to be clear first
    rule = "eth/usdt / btc/usdt < 0.9 repeat"
    assert rings(judged(rule, {BTC: path(10, 10, 12), ETH: path(10, 10, 10)}, 10)) == [START + 2 * MINUTE]


@pytest.mark.parametrize(
    ("rule", "closes", "expected"),
    [
        ("btc/usdt every 2% down", (100, 99, 97.9, 97, 95.9), [1, 3]),
        ("btc/usdt every 2% down", (100, 104, 101.9), [1]),
        ("btc/usdt every 10", (95, 101, 99, 111, 109, 99), [0, 2, 4]),
        ("btc/usdt every 10 up", (95, 101, 89, 101), [0, 2]),
        ("btc/usdt every 5%", (100, 105, 99.7, 94), [0, 1, 2]),
        ("btc/usdt enters 98 .. 102", (110, 105, 101, 100, 110, 101), [1, 4]),
        ("btc/usdt leaves 98 .. 102", (100, 101, 103, 104, 100, 97), [1, 4]),
        ("2 of (btc/usdt < 100, btc/usdt < 90, btc/usdt > 200)", (105, 95, 85), [1]),
    ],
)
def test_pulses_ring_in_their_minutes(rule: str, closes: tuple[float, ...], expected: list[int]) -> None:
    told = judged(f"{rule} repeat cooldown 0m", {BTC: path(*closes)}, closes[0])
    assert [(at - START) // MINUTE for at in rings(told)] == expected


def test_steps_repeat_by_themselves_and_a_message_names_all_that_were_passed() -> None:
    told = judged("btc/usdt every 10", {BTC: path(95, 121)}, 95)
    assert [one.value for one in told[0].evidence] == [100, 110, 120]


def test_steps_met_while_the_rest_is_false_are_used_up_in_silence() -> None:
    rule = "btc/usdt every 10 and eth/usdt < 5"
    eth = path(9, 9, 4, 4)
    told = judged(rule, {BTC: path(95, 101, 102, 109), ETH: eth}, 95)
    assert rings(told) == []


def test_rearm_asks_for_a_distance_before_it_rings_again() -> None:
    closes = (105, 99, 100.4, 99, 101.1, 99)
    plain = judged("btc/usdt < 100 repeat cooldown 0m", {BTC: path(*closes)}, 105)
    assert [(at - START) // MINUTE for at in rings(plain)] == [0, 2, 4]
    far = judged("btc/usdt < 100 repeat cooldown 0m rearm 1%", {BTC: path(*closes)}, 105)
    assert [(at - START) // MINUTE for at in rings(far)] == [0, 4]
    points = judged("btc/usdt < 100 repeat cooldown 0m rearm 1", {BTC: path(*closes)}, 105)
    assert rings(points) == rings(far)


def test_a_ring_is_reminded_of_while_it_lasts_and_its_end_is_told() -> None:
    closes = (105, 95, 95, 95, 95, 95, 105, 105)
    told = judged("btc/usdt < 100 remind 2m resolve", {BTC: path(*closes)}, 105)
    kinds = [(type(one), (one.at - START) // MINUTE) for one in told]
    assert kinds == [(Ring, 0), (Reminder, 2), (Reminder, 4), (Reminder, 6), (Resolution, 7)]


# --- metrics by sessions ---


def test_three_sessions_of_inflow_count_across_a_holiday_and_ring_once() -> None:
    words = flows(FLOWS)
    made = words[0].known_at
    told = judged("etf_flow(btc) > 0 for 3 sessions", {}, None, words, made_at=made - HOUR)
    assert rings(told) == [words[-1].known_at]


def test_a_true_zero_breaks_a_run_of_sessions() -> None:
    words = flows(FLOWS | {"2025-11-26": 0.0})
    told = judged("etf_flow(btc) > 0 for 3 sessions", {}, None, words, made_at=words[0].known_at - HOUR)
    assert rings(told) == []


def test_a_number_that_is_not_final_rings_only_where_it_is_asked_for() -> None:
    day = int(np.datetime64("2025-11-20", "s").astype(int))
    before = flows({"2025-11-19": 75.4})
    words = [
        *before,
        Observation(FLOW, day, -547.7e6, day + DAY + 2.5 * HOUR, is_final=False),
        Observation(FLOW, day, -903.2e6, day + DAY + 5 * HOUR, revision=1),
    ]
    made = before[0].known_at
    final = judged("etf_flow(btc) < -500000000", {}, None, words, made_at=made - HOUR)
    assert rings(final) == [day + DAY + 5 * HOUR]
    early = judged("etf_flow(btc) < -500000000 provisional", {}, None, words, made_at=made - HOUR)
    assert rings(early) == [day + DAY + 2.5 * HOUR]


def test_a_streak_and_a_turn_are_told_when_they_are_known() -> None:
    words = flows(FLOWS)
    made = words[0].known_at - HOUR
    assert rings(judged("streak(etf_flow(btc)) >= 2", {}, None, words, made_at=made)) == [words[2].known_at]
    turn = judged("etf_flow(btc) crosses above 0", {}, None, words, made_at=made)
    assert rings(turn) == [words[1].known_at]


@settings(max_examples=40, deadline=None)
@given(bars=histories(most=40), cooldown=st.integers(0, 3))
def test_every_transition_of_a_random_market_is_in_order(bars: list[Bar], cooldown: int) -> None:
    rule = f"btc/usdt < 100 repeat cooldown {cooldown}m rearm 1 remind 2m resolve"
    told = judged(rule, {BTC: bars}, bars[0].open)
    lasting = 0
    for one in told:
        match one:
            case Ring():
                lasting = one.episode
            case Reminder():
                assert one.episode == lasting
            case Resolution():
                assert one.episode == lasting
            case Correction() | Ended():
                raise AssertionError(one)
    assert [one.at for one in told] == sorted(one.at for one in told)
