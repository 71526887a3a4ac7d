"""When a price is trusted, clipped or doubted, by what was trusted before it and what others show."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.exchanges.guard import (
    AGREEMENT,
    LEAST_BOUND,
    MOST_BOUND,
    PATIENCE,
    PERSISTENCE,
    SWINGS,
    Guard,
    Heard,
    Range,
    Showing,
    Suspicion,
)
from bot.metrics import MINUTE, Bar, Doubt, MetricKey, Print

START = 1_762_948_800
BTC = MetricKey("price", "btc/usdt")
NOBODY: Heard = ()


def guard_at(price: float | None, is_named: bool = False) -> Guard:
    guard = Guard(BTC, "binance", is_named)
    guard.begin(START, START, price)
    return guard


def bar(minute: int, *prices: float, volume: float = 1.0) -> Bar:
    opened, high, low, close = prices
    return Bar(START + minute * MINUTE, opened, high, low, close, volume)


def flat(minute: int, price: float, volume: float = 1.0) -> Bar:
    return bar(minute, price, price, price, price, volume=volume)


def seen(value: float, second: float) -> Print:
    return Print(BTC, value, START + second, "binance")


def shows(low: float, high: float | None = None, source: str = "kraken") -> Showing:
    return Showing(source, Range(low, low if high is None else high))


def later(guard: Guard, seconds: float = 3600.0) -> tuple[Doubt, ...]:
    """End a look, and another that follows after a while and brings nothing."""
    told = guard.doubts()
    guard.begin(START + seconds, START, None)
    return told + guard.doubts()


def test_the_figures_are_those_that_the_readme_tells() -> None:
    assert (LEAST_BOUND, SWINGS, AGREEMENT, PERSISTENCE) == (0.03, 8, 0.25, 3)
    assert exp(MOST_BOUND) == pytest.approx(2)


# --- what is suspect ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trusted", "garbage", "low"),
    [(65_000.0, 8_200.0, 64_800.0), (3.05, 0.001, 3.0)],
    ids=["Bitcoin on Binance.US, October 2021", "ATOM on Binance, October 2025"],
)
def test_known_garbage_is_clipped_and_told_where_another_exchange_saw_nothing(
    trusted: float, garbage: float, low: float
) -> None:
    guard = guard_at(trusted)
    wick = bar(0, trusted, trusted, garbage, trusted)
    suspicion = guard.judge(wick, (), None)
    assert suspicion == Suspicion(BTC, garbage, Range(trusted, trusted), START)
    found = guard.judge(wick, (), [shows(low, trusted)])
    assert found == flat(0, trusted)
    (doubt,) = guard.doubts()
    assert (doubt.key, doubt.value, doubt.at, doubt.source) == (BTC, garbage, START, "binance")
    assert doubt.reason.startswith("kraken shows ")


@pytest.mark.parametrize("days", [0, 1, 30])
@pytest.mark.parametrize(("trusted", "garbage"), [(65_000.0, 8_200.0), (3.05, 0.001)])
def test_known_garbage_is_suspect_after_any_silence_and_in_any_market(
    trusted: float, garbage: float, days: int
) -> None:
    guard = guard_at(trusted)
    for minute in range(60):
        guard.judge(
            bar(minute, trusted, trusted * 1.2, trusted, trusted), (), [shows(trusted, trusted * 1.2)]
        )
    at = 3601 + days * 86_400
    assert isinstance(guard.weigh(seen(garbage, at), None), Suspicion)


def test_a_usual_price_needs_nobody_else() -> None:
    guard = guard_at(100.0)
    for second, price in enumerate((100.0, 102.0, 99.5, 101.9)):
        assert guard.weigh(seen(price, second), None) == seen(price, second)
    minute = bar(0, 100, 102.5, 98, 101)
    assert guard.judge(minute, (), None) == minute
    assert guard.doubts() == ()


def test_the_bound_is_wider_where_the_last_hour_moved_more() -> None:
    calm, lively = guard_at(100.0), guard_at(100.0)
    for minute in range(60):
        calm.judge(bar(minute, 100, 100.1, 100, 100), (), None)
        lively.judge(bar(minute, 100, 101, 100, 100), (), None)
    one = seen(106.0, 3601)
    assert isinstance(calm.weigh(one, None), Suspicion)
    assert lively.weigh(one, None) == one


def test_the_bound_grows_with_the_time_since_the_last_trusted_price() -> None:
    assert isinstance(guard_at(100.0).weigh(seen(110, 59), None), Suspicion)
    assert guard_at(100.0).weigh(seen(110, 59), NOBODY) is None
    assert guard_at(100.0).weigh(seen(110, 3600), NOBODY) == seen(110, 3600)
    after_an_outage = bar(60, 111, 112, 110, 110)
    assert guard_at(100.0).judge(after_an_outage, (), None) == after_an_outage


def test_minutes_that_come_again_make_the_market_no_livelier() -> None:
    lively = bar(0, 100, 102, 99, 100)
    once, often = guard_at(100.0), guard_at(100.0)
    once.judge(lively, (), None)
    for _ in range(50):
        often.begin(START + 70, START, 100.0)
        often.judge(lively, (), None)
    wick = bar(1, 100, 100, 96, 100)
    assert isinstance(once.judge(wick, (), None), Suspicion)
    assert isinstance(often.judge(wick, (), None), Suspicion)


def test_a_wick_after_an_outage_is_measured_from_its_own_minute() -> None:
    assert isinstance(guard_at(100.0).judge(bar(600, 101, 101, 90, 101), (), None), Suspicion)


def test_after_minutes_that_nobody_read_a_bar_is_compared_with_the_prints_of_its_time() -> None:
    guard = guard_at(100.0)
    guard.weigh(seen(102, 10 * 3600 - 50), None)
    guard.weigh(seen(103, 10 * 3600 + 20), None)
    guard.begin(START + 36_066, START + 36_000, 100.0)
    assert isinstance(guard.judge(bar(600, 103, 103, 90, 90), (), None), Suspicion)
    assert isinstance(guard.judge(bar(600, 103, 103, 98.5, 103), (), None), Suspicion)
    assert guard.judge(bar(600, 103, 104, 101, 104), (), None) == bar(600, 103, 104, 101, 104)


def test_prices_of_which_nothing_is_known_before_vouch_for_nothing_in_their_bar() -> None:
    guard = guard_at(None)
    for second in (20, 25):  # a wick that the exchange goes on showing until the next trade
        assert guard.weigh(seen(85, second), NOBODY) == seen(85, second)
    assert guard.judge(bar(0, 100, 101, 85, 100), [], NOBODY) == bar(0, 100, 101, 100, 100)
    assert [one.value for one in guard.doubts()] == [85]


def test_a_clipped_minute_does_not_reach_back_to_the_price_before_it() -> None:
    guard = guard_at(101.0)  # shown by a stand-in, a little above its home
    assert guard.judge(bar(0, 100, 150, 100, 100), [], NOBODY) == bar(0, 100, 100, 100, 100)


def test_after_a_silence_a_price_far_off_is_asked_about_and_vouches_for_nothing_in_its_bar() -> None:
    """The minutes of the silence are read later, and show where the price stood."""
    guard = guard_at(220.0)
    hours = 600
    late = seen(437.7, hours * MINUTE + 20)
    assert isinstance(guard.weigh(late, None), Suspicion)
    assert guard.weigh(late, [shows(219.0, 219.2)]) is None
    assert guard.weigh(late, NOBODY) == late
    for minute in range(hours):
        guard.judge(flat(minute, 220), (), None)
    wick = bar(hours, 219.7, 437.7, 218.7, 219.1)
    assert isinstance(guard.judge(wick, (), None), Suspicion)
    assert guard.judge(wick, (), NOBODY) == bar(hours, 219.7, 219.7, 218.7, 219.1)


def test_the_first_price_of_a_series_has_nothing_to_be_compared_with() -> None:
    assert guard_at(None).weigh(seen(5, 0), None) == seen(5, 0)
    assert guard_at(None).judge(flat(0, 5), (), None) == flat(0, 5)
    assert isinstance(guard_at(None).judge(bar(0, 5, 5, 1, 5), (), None), Suspicion)


def test_a_close_that_was_judged_before_a_restart_is_compared_with() -> None:
    guard = Guard(BTC, "binance")
    guard.begin(START, START, 100.0)
    assert isinstance(guard.judge(flat(0, 50), (), None), Suspicion)
    assert isinstance(guard.weigh(seen(50, 10), None), Suspicion)


# --- what a second source bears out -------------------------------------------------------------------------


def test_a_crash_that_another_exchange_shows_passes_whole_and_its_bar_asks_nobody_again() -> None:
    guard = guard_at(100.0)
    assert isinstance(guard.weigh(seen(88, 20), None), Suspicion)
    assert guard.weigh(seen(88, 20), [shows(88.4)]) == seen(88, 20)
    assert guard.weigh(seen(86.5, 40), None) == seen(86.5, 40)
    crash = bar(0, 100, 100.2, 86, 87)
    assert guard.judge(crash, (), None) == crash
    assert later(guard) == ()


def test_a_fall_in_the_last_second_of_a_minute_is_borne_out_by_the_next_ones_first_print() -> None:
    guard = guard_at(100.0)
    guard.weigh(seen(88, 61), [shows(88)])
    crash = bar(0, 100, 100, 88, 88)
    assert guard.judge(crash, (), None) == crash


def test_another_exchange_that_fell_further_bears_a_fall_out() -> None:
    assert guard_at(100.0).weigh(seen(90, 0), [shows(86)]) == seen(90, 0)


def test_another_thing_of_the_same_name_bears_nothing_out_and_is_not_quoted() -> None:
    guard = guard_at(100.0)
    assert guard.weigh(seen(90, 0), [shows(0.5)]) is None
    (doubt,) = later(guard)
    assert doubt.reason == "no second source can say"


def test_a_second_source_that_misses_a_quarter_of_the_jump_agrees_and_more_does_not() -> None:
    jump = log(100 / 80)
    near, far = (100 * exp(-jump * share) for share in (1 - AGREEMENT + 0.01, 1 - AGREEMENT - 0.01))
    assert guard_at(100.0).weigh(seen(80, 0), [shows(near)]) == seen(80, 0)
    assert guard_at(100.0).weigh(seen(80, 0), [shows(far)]) is None


def test_one_of_several_is_enough() -> None:
    heard = [shows(100), shows(80.5, source="okx")]
    assert guard_at(100.0).weigh(seen(80, 0), heard) == seen(80, 0)


def test_a_wick_goes_as_far_as_two_sources_show_and_the_rest_is_doubted() -> None:
    guard = guard_at(100.0)
    found = guard.judge(bar(0, 100, 100.5, 60, 99), (), [shows(94, 101)])
    assert found == bar(0, 100, 100.5, 94, 99)
    (doubt,) = guard.doubts()
    assert doubt == Doubt(BTC, 60, START, "binance", "kraken shows 94 to 101")


def test_a_wick_does_not_go_as_far_as_two_exchanges_usually_differ() -> None:
    guard = guard_at(100.0)
    assert guard.judge(bar(0, 100, 160, 99.5, 100), (), [shows(98, 102)]) == bar(0, 100, 100, 99.5, 100)
    assert [doubt.value for doubt in guard.doubts()] == [160]


def test_a_wick_on_both_sides_is_doubted_on_both() -> None:
    guard = guard_at(100.0)
    assert guard.judge(bar(0, 100, 180, 60, 99), (), NOBODY) == bar(0, 100, 100, 99, 99)
    assert {doubt.value for doubt in guard.doubts()} == {60, 180}


def test_of_a_bar_whose_close_nobody_bears_out_the_last_trusted_price_is_the_close() -> None:
    guard = guard_at(100.0)
    guard.weigh(seen(99.4, 30), None)
    assert guard.judge(bar(0, 99.9, 101, 60, 60), (), NOBODY) == bar(0, 99.9, 101, 99.4, 99.4)
    assert guard.weigh(seen(99, 70), None) == seen(99, 70)


# --- what nobody bears out ----------------------------------------------------------------------------------


def test_a_print_that_nobody_bears_out_is_told_once_and_moves_nothing() -> None:
    guard = guard_at(100.0)
    for second in (1.0, 6.0, 11.0):
        guard.begin(START + second, START, None)
        assert guard.weigh(seen(8.2, second), [shows(100.2)]) is None
        told = guard.doubts()
        assert [(one.value, one.reason) for one in told] == (
            [(8.2, "kraken shows 100.2")] if second == 6.0 else []
        )
    assert guard.weigh(seen(100.1, 20), None) == seen(100.1, 20)
    assert later(guard) == ()


def test_a_print_that_is_gone_before_the_next_look_is_told_all_the_same() -> None:
    guard = guard_at(100.0)
    guard.begin(START, START, None)
    guard.weigh(seen(8.2, 0), NOBODY)
    assert guard.doubts() == ()
    guard.begin(START + PATIENCE, START, None)
    guard.weigh(seen(100.1, PATIENCE), None)
    assert [doubt.value for doubt in guard.doubts()] == [8.2]


def test_where_others_follow_by_a_moment_nothing_is_told_but_the_price() -> None:
    guard = guard_at(100.0)
    guard.begin(START, START, None)
    assert guard.weigh(seen(90, 0), [shows(99)]) is None
    assert guard.doubts() == ()
    guard.begin(START + 5, START, None)
    assert guard.weigh(seen(89.5, 5), [shows(89.8)]) == seen(89.5, 5)
    assert later(guard) == ()


def test_a_final_bar_tells_no_more_than_its_prints_did_unless_it_goes_further() -> None:
    for low, values in ((60.0, [60.0]), (59.0, [60.0, 59.0])):
        guard = guard_at(100.0)
        guard.weigh(seen(60, 10), NOBODY)
        guard.begin(START + 20, START, None)
        told = guard.doubts()
        guard.judge(bar(0, 100, 100, low, 100), (), NOBODY)
        assert [doubt.value for doubt in told + guard.doubts()] == values


def test_a_minute_that_comes_again_gets_the_same_verdict_and_is_not_told_again() -> None:
    guard = guard_at(100.0)
    minute, after = bar(0, 100, 100, 60, 99), flat(1, 99)
    clipped = guard.judge(minute, (), NOBODY)
    guard.judge(after, (), None)
    assert len(guard.doubts()) == 1
    guard.begin(START + 130, START, 100.0)
    assert guard.judge(minute, (), None) == clipped
    assert guard.judge(after, (), None) == after
    assert guard.doubts() == ()


# --- never for ever -----------------------------------------------------------------------------------------


def test_a_level_that_three_traded_minutes_hold_is_trusted_without_anybody() -> None:
    guard = guard_at(100.0)
    assert guard.judge(flat(0, 80), (), NOBODY) == flat(0, 100)
    assert guard.judge(flat(1, 80.5), (), NOBODY) == flat(1, 100)
    assert guard.judge(flat(2, 79.9), (), None) == flat(2, 79.9)
    assert guard.weigh(seen(80, 190), None) == seen(80, 190)


def test_in_a_catch_up_the_minutes_that_follow_say_so_at_once() -> None:
    guard = guard_at(100.0)
    minutes = [flat(0, 80), flat(1, 80.5), flat(2, 79.9)]
    for place, minute in enumerate(minutes):
        assert guard.judge(minute, minutes[place + 1 :], None) == minute


def test_minutes_without_a_trade_hold_no_level() -> None:
    guard = guard_at(100.0)
    quiet = [flat(minute, 80, volume=0.0) for minute in range(1, 4)]
    assert isinstance(guard.judge(flat(0, 80), quiet, None), Suspicion)
    guard.judge(flat(0, 80), quiet, NOBODY)
    for minute in range(1, 6):
        assert guard.judge(flat(minute, 80, volume=0.0), (), NOBODY) == flat(minute, 100, volume=0.0)


def test_silence_between_traded_minutes_holds_no_level_and_breaks_none() -> None:
    guard = guard_at(100.0)
    for minute in range(5):
        volume = float(minute % 2 == 0)
        found = guard.judge(flat(minute, 80, volume=volume), (), NOBODY)
        assert found == flat(minute, 80 if minute == 4 else 100, volume=volume)


def test_garbage_between_good_minutes_never_becomes_the_price() -> None:
    guard = guard_at(100.0)
    for minute in range(12):
        price = 80.0 if minute % 2 else 100.0
        assert guard.judge(flat(minute, price), (), NOBODY) == flat(minute, 100)


def test_a_clipped_bar_shows_nothing_that_was_only_traded_in_the_minute_after_it() -> None:
    guard = guard_at(100.0)
    guard.weigh(seen(101, 62), None)
    assert guard.judge(bar(0, 100, 150, 99.5, 100), (), NOBODY) == bar(0, 100, 100, 99.5, 100)


def test_a_clipped_bar_does_not_reach_to_the_last_trade_of_before_on_the_side_that_is_trusted() -> None:
    """A print of the minute's first moment shows what was traded in the one before."""
    guard = guard_at(50.04)
    guard.judge(bar(0, 50.05, 50.05, 50.03, 50.03), (), None)
    guard.weigh(seen(50.03, MINUTE + 0.05), None)
    wick = bar(1, 50.04, 57.56, 50.04, 50.05)
    assert guard.judge(wick, (), NOBODY) == bar(1, 50.04, 50.05, 50.04, 50.05)


def test_a_clipped_bar_does_not_reach_to_what_was_shown_in_its_first_seconds() -> None:
    guard = guard_at(113.5)
    guard.judge(bar(0, 113.5, 113.51, 113.44, 113.44), (), None)
    guard.weigh(seen(113.5, MINUTE + 0.7), None)
    guard.weigh(seen(113.45, MINUTE + 20), None)
    wick = bar(1, 113.44, 226.96, 113.41, 113.41)
    assert guard.judge(wick, (), NOBODY) == bar(1, 113.44, 113.45, 113.41, 113.41)


def test_bars_of_a_named_exchange_stand_as_they_are_and_its_prints_are_compared() -> None:
    guard = guard_at(100.0, is_named=True)
    wick = bar(0, 100, 100, 60, 99)
    assert guard.judge(wick, (), None) == wick
    assert isinstance(guard.weigh(seen(70, 61), None), Suspicion)
    assert guard.weigh(seen(70, 61), [shows(70.01, source="its order book")]) == seen(70, 61)
    assert later(guard) == ()


# --- laws ---------------------------------------------------------------------------------------------------

moves = st.one_of(st.floats(-0.02, 0.02), st.floats(-0.25, 0.25), st.sampled_from([-0.6, 0.4]))


@given(
    steps=st.lists(st.tuples(moves, moves, moves, st.booleans()), min_size=1, max_size=30),
    noise=st.floats(-0.004, 0.004),
)
def test_a_path_that_a_second_source_shows_too_is_never_clipped_nor_doubted(
    steps: Sequence[tuple[float, float, float, bool]], noise: float
) -> None:
    price, guard = 100.0, guard_at(100.0)
    for place, (first, second, third, is_printed) in enumerate(steps):
        path = [price := price * exp(move) for move in (0.0, first, second, third)]
        guard.begin(START + place * MINUTE, START + place * MINUTE, None)
        for second_of, value in enumerate(path):
            one = seen(value, place * MINUTE + second_of * 15)
            if is_printed and isinstance(guard.weigh(one, None), Suspicion):
                assert guard.weigh(one, [shows(value * (1 + noise))]) == one
        minute = bar(place, path[0], max(path), min(path), path[-1])
        if isinstance(guard.judge(minute, (), None), Suspicion):
            other = shows(min(path) * (1 + noise), max(path) * (1 + noise))
            assert guard.judge(minute, (), [other]) == minute
        assert later(guard, (place + 1) * MINUTE) == ()


@given(
    closes=st.lists(st.floats(-0.01, 0.01), min_size=1, max_size=20),
    jump=st.floats(0.3, 9.0) | st.floats(-9.0, -0.3),
    is_heard=st.booleans(),
    is_printed=st.booleans(),
    is_at_the_close=st.booleans(),
)
def test_a_wick_of_one_exchange_alone_never_passes_and_is_always_told(
    closes: Sequence[float], jump: float, is_heard: bool, is_printed: bool, is_at_the_close: bool
) -> None:
    price, guard = 100.0, guard_at(100.0)
    for place, move in enumerate(closes):
        before, price = price, price * exp(move)
        body = bar(place, before, max(before, price), min(before, price), price)
        assert guard.judge(body, (), None) == body
    place, wick = len(closes), price * exp(jump)
    heard = [shows(price * 0.995, price * 1.005)] if is_heard else NOBODY
    told: tuple[Doubt, ...] = ()
    if is_printed:
        assert guard.weigh(seen(wick, place * MINUTE + 30), heard) is None
        told += later(guard)
    close = wick if is_at_the_close else price
    found = guard.judge(bar(place, price, max(price, wick), min(price, wick), close), (), heard)
    assert isinstance(found, Bar)
    assert all(
        abs(log(one / price)) <= LEAST_BOUND for one in (found.high, found.low, found.open, found.close)
    )
    told += later(guard, 7200)
    assert [doubt.value for doubt in told] == [wick]
    again = bar(place + 1, price, price, price, price)
    assert guard.judge(again, (), None) == again


@given(level=st.floats(-3, 3), quiet=st.integers(0, 3))
def test_no_level_is_refused_for_longer_than_some_traded_minutes(level: float, quiet: int) -> None:
    guard, price = guard_at(100.0), 100.0 * exp(level)
    for minute in range(quiet):
        guard.judge(flat(minute, price, volume=0.0), (), NOBODY)
    found = [guard.judge(flat(minute, price), (), NOBODY) for minute in range(quiet, quiet + PERSISTENCE)]
    assert found[-1] == flat(quiet + PERSISTENCE - 1, price)


@given(st.floats(0.001, 0.2), st.integers(1, 10**6))
def test_the_bound_never_goes_beyond_a_factor_of_two(width: float, minutes: int) -> None:
    guard = guard_at(100.0)
    guard.judge(bar(0, 100, 100 * exp(width), 100, 100), (), [shows(100, 100 * exp(width))])
    beyond = seen(100 * exp(MOST_BOUND + 0.001), minutes * MINUTE)
    assert isinstance(guard.weigh(beyond, None), Suspicion)
