"""The life of an alert, as a table of cases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.engine.minute import Minute
from bot.engine.state import AlertState, Correction, Ended, Ring, Transition
from bot.engine.step import begin, glance, step
from bot.engine.world import World
from bot.metrics import MINUTE, Bar, Print, Seen, point
from tests.markets import BTC, ETH, START, life_of, minutes, path


def live(
    rule: str,
    bars: list[Bar | None],
    price: float | None = None,
    is_shared: bool = False,
    is_eager: bool = False,
):
    """Fold minutes (``None`` is one that nobody saw) through an arming; gives what it told."""
    life = life_of(rule, price, is_shared, is_eager=is_eager)
    world = World()
    world.follow(BTC)
    state = begin(life, world)
    told: list[Transition] = []
    for bar in bars:
        if bar is None:
            continue
        world.put(BTC, [bar])
        minute = Minute(bar.at, {BTC: bar}, world, max(0, bar.at - state.cursor), bar.span)
        state, transitions = step(state, minute, life)
        told.extend(transitions)
    return state, told


def rings(told: list[Transition]) -> list[int]:
    """Give the minutes, counted from the start, in which something rang."""
    return [int(one.at - START) // MINUTE for one in told if isinstance(one, Ring)]


def test_a_touch_between_two_closes_rings_in_its_minute() -> None:
    bars = minutes(105, (105, 106, 99, 104), 104)
    _state, told = live("btc/usdt < 100", bars, price=105)
    assert rings(told) == [1]
    assert told[0].value == 99


def test_the_level_itself_is_not_below_it() -> None:
    _, told = live("btc/usdt < 100", minutes((105, 105, 100, 104)), price=105)
    assert told == []
    _, told = live("btc/usdt <= 100", minutes((105, 105, 100, 104)), price=105)
    assert rings(told) == [0]


def test_what_is_true_when_it_is_made_waits_to_be_clear_first() -> None:
    bars = minutes(95, 96, (96, 101, 96, 101), (101, 101, 98, 98))
    _state, told = live("btc/usdt < 100", bars, price=95)
    assert rings(told) == [3]


def test_what_is_eager_rings_for_what_is_true_when_it_is_made_and_is_as_any_other_then() -> None:
    bars = minutes(95, 96, (96, 101, 96, 101), (101, 101, 98, 98))
    _state, told = live("btc/usdt < 100", bars, price=95, is_eager=True)
    assert rings(told) == [0]
    _state, told = live("btc/usdt < 100 repeat cooldown 1m", bars, price=95, is_eager=True)
    assert rings(told) == [0, 3]
    assert [ring.episode for ring in told] == [1, 2]


def test_what_is_eager_rings_for_the_price_that_was_seen_although_it_has_gone_since() -> None:
    _state, told = live("btc/usdt < 100", minutes((95, 105, 95, 105)), price=95, is_eager=True)
    assert rings(told) == [0]
    assert told[0].value == 95


def test_a_minute_that_shows_the_clear_side_but_opened_on_the_other_arms_and_does_not_ring() -> None:
    state, told = live("btc/usdt < 100", minutes((95, 101, 94, 95)), price=95)
    assert told == []
    assert state.is_armed
    _, told = live("btc/usdt < 100", minutes((95, 101, 94, 95), 95), price=95)
    assert rings(told) == [1]


def test_a_personal_alert_rings_once() -> None:
    _, told = live("btc/usdt < 100", path(105, 95, 105, 95, 105, 95), price=105)
    assert rings(told) == [0]


def test_a_repeating_alert_rings_again_after_it_was_clear_and_the_cooldown_is_over() -> None:
    closes = [105, 95, 105, 95, 105, 95, 105, 95]
    _, told = live("btc/usdt < 100 repeat cooldown 4m", path(*closes), price=105)
    assert rings(told) == [0, 4]
    assert [ring.episode for ring in told] == [1, 2]


def test_a_touch_inside_the_cooldown_rings_when_the_cooldown_ends_if_it_still_holds() -> None:
    bars = [*path(105, 95, 105, 95), *minutes(95, 95, 95, 95, 95, start=START + 3 * MINUTE)]
    _, told = live("btc/usdt < 100 repeat cooldown 5m", bars, price=105)
    assert rings(told) == [0, 5]


def test_a_cooldown_of_a_repeating_alert_is_a_quarter_of_an_hour() -> None:
    _, told = live("btc/usdt < 100 repeat", path(*[105, 95] * 12), price=105)
    assert rings(told) == [0, 15]


def test_a_shared_alert_repeats_by_itself() -> None:
    _, told = live("btc/usdt < 100 cooldown 4m", path(105, 95, 105, 95, 105, 95), price=105, is_shared=True)
    assert rings(told) == [0, 4]


def test_an_alert_that_stays_true_does_not_ring_again() -> None:
    bars = [*path(105, 95), *minutes(*[95] * 30, start=START + MINUTE)]
    _, told = live("btc/usdt < 100 repeat cooldown 2m", bars, price=105)
    assert rings(told) == [0]


def test_only_an_excess_over_what_was_seen_counts_in_the_minute_of_making() -> None:
    life = life_of("btc/usdt < 100")
    seen = Seen(START + 30, Bar(START, 105, 106, 99, 103))
    made = life_of("btc/usdt < 100", made_at=START + 30)
    made = type(life)(**{name: getattr(made, name) for name in made.__slots__} | {"seen": {BTC: seen}})
    state = begin(made, World())
    assert state.is_armed
    already = Minute(START, {BTC: Bar(START, 105, 106, 99, 104)})
    assert step(state, already, made).transitions == ()
    deeper = Minute(START, {BTC: Bar(START, 105, 106, 98, 104)})
    (ring,) = step(state, deeper, made).transitions
    assert (ring.value, ring.at) == (98, START + 30)


def test_an_alert_made_blind_begins_with_the_next_whole_minute() -> None:
    life = life_of("btc/usdt < 100", made_at=START + 30)
    state = begin(life, World())
    assert (state.cursor, state.is_armed) == (START + MINUTE, False)


def test_unknown_minutes_ring_nothing_arm_nothing_and_end_nothing() -> None:
    life = life_of("btc/usdt < 100 repeat", price=105)
    state, _ = step(begin(life, World()), Minute(START, {BTC: Bar(START, 105, 105, 95, 95)}), life)
    assert (state.is_firing, state.is_armed) == (True, False)
    after, told = step(state, Minute(START + MINUTE, {}), life)
    assert told == ()
    assert (after.is_firing, after.is_armed, after.episode) == (True, False, 1)


def test_a_jump_over_a_gap_rings_late() -> None:
    bars: list[Bar | None] = [*minutes(105), None, None, *minutes(95, start=START + 3 * MINUTE)]
    _, told = live("btc/usdt < 100", bars, price=105)
    assert rings(told) == [3]


def test_both_comparisons_of_one_price_must_hold_at_one_moment() -> None:
    wide = minutes((100, 120, 80, 100))
    assert live("btc/usdt > 110 and btc/usdt < 90", wide, price=100)[1] == []
    _, told = live("btc/usdt > 98 and btc/usdt < 105", path(110, 100), price=110)
    assert rings(told) == [0]


@pytest.mark.parametrize(
    ("rule", "closes", "minute"),
    [
        ("btc/usdt crosses 100", (105, 103, 100), 1),
        ("btc/usdt crosses 100", (95, 97, 101), 1),
        ("btc/usdt crosses above 100", (95, 100, 101), 1),
        ("btc/usdt crosses below 100", (105, 100, 99), 1),
        ("btc/usdt crosses above 100", (105, 103, 95, 101), 2),
    ],
)
def test_a_crossing_rings_when_the_level_is_reached_or_passed(
    rule: str, closes: tuple[float, ...], minute: int
):
    assert rings(live(rule, path(*closes), price=closes[0])[1]) == [minute]


def test_a_crossing_down_is_no_crossing_up() -> None:
    assert live("btc/usdt crosses above 100", path(105, 95, 94), price=105)[1] == []


def test_a_crossing_in_one_minute_counts_only_where_its_order_is_certain() -> None:
    falls = minutes((105, 106, 94, 95))
    assert live("btc/usdt crosses above 100", falls, price=105)[1] == []
    returns = minutes((105, 106, 94, 103))
    assert rings(live("btc/usdt crosses above 100", returns, price=105)[1]) == [0]


def test_a_crossing_repeats_from_either_side() -> None:
    rule = "btc/usdt crosses 100 repeat cooldown 1m"
    assert rings(live(rule, path(95, 105, 95, 105), price=95)[1]) == [0, 1, 2]


def test_a_fall_is_measured_from_the_highest_before_it() -> None:
    bars = path(100, 98, 97, 96, 94.9)
    assert rings(live("btc/usdt moves down 5% in 10m", bars, price=None)[1]) == []
    life = life_of("btc/usdt moves down 5% in 5m", price=100, made_at=START + 4 * MINUTE)
    assert life.lookback == 300


def test_a_fall_inside_the_window_rings_and_outside_it_does_not() -> None:
    flat = minutes(*[100] * 5)
    fall = path(100, 98, 96, 94.9, start=START + 5 * MINUTE)
    assert rings(live("btc/usdt moves down 5% in 4m", flat + fall)[1]) == [7]
    assert rings(live("btc/usdt moves down 5% in 2m", flat + fall)[1]) == []


def test_a_fall_of_exactly_the_percent_counts() -> None:
    assert rings(
        live("btc/usdt moves down 5% in 3m", minutes(*[100] * 4) + path(100, 95, start=START + 4 * MINUTE))[1]
    ) == [4]


def test_a_rise_before_a_fall_in_one_minute_counts_only_to_its_close() -> None:
    flat = minutes(*[100] * 4)
    wick = minutes((100, 103, 98, 100), start=START + 4 * MINUTE)
    assert rings(live("btc/usdt moves down 4% in 3m", flat + wick)[1]) == []
    close = minutes((100, 103, 98, 98.5), start=START + 4 * MINUTE)
    assert rings(live("btc/usdt moves down 4% in 3m", flat + close)[1]) == [4]


def test_held_rings_at_the_end_of_its_last_minute() -> None:
    bars = minutes(105, 95, 95, 95, 95)
    _, told = live("btc/usdt < 100 for 3m", bars, price=105)
    assert rings(told) == [4]
    assert told[0].at == bars[3].end


def test_a_minute_in_which_it_need_not_hold_starts_the_time_anew() -> None:
    bars = minutes(105, 95, (95, 100, 95, 95), 95, 95, 95)
    assert rings(live("btc/usdt < 100 for 3m", bars, price=105)[1]) == [6]


def test_a_blind_minute_does_not_count_and_does_not_start_anew() -> None:
    seen = minutes(105, 95, 95)
    after = minutes(95, 95, start=START + 4 * MINUTE)
    _, told = live("btc/usdt < 100 for 3m", [*seen, None, *after], price=105)
    assert rings(told) == [5]


def test_a_blind_stretch_as_long_as_the_time_starts_anew() -> None:
    seen = minutes(105, 95, 95)
    after = minutes(95, 95, 95, start=START + 6 * MINUTE)
    _, told = live("btc/usdt < 100 for 3m", [*seen, None, None, None, *after], price=105)
    assert rings(told) == [9]


def test_a_time_held_before_the_alert_was_made_counts() -> None:
    life = life_of("btc/usdt < 100 for 3m", price=95, made_at=START + 2 * MINUTE)
    assert life.warmup == 3 * MINUTE
    history = tuple(Minute(bar.at, {BTC: bar}) for bar in minutes(95, 95))
    state = begin(life, World(), history)
    assert state.is_armed
    bar = Bar(START + 2 * MINUTE, 95, 95, 95, 95)
    (ring,) = step(state, Minute(bar.at, {BTC: bar}), life).transitions
    assert ring.at == bar.end


def test_an_alert_rests_after_its_until() -> None:
    rule = "btc/usdt < 100 repeat until 2025-11-12T12:02Z"
    state, told = live(rule, minutes(105, 105, 95, 95), price=105)
    assert told == [Ended(START + 2 * MINUTE, 0)]
    assert state.is_ended


def test_two_instruments_are_joined_minute_by_minute() -> None:
    life = life_of("btc/usdt < 100 and eth/usdt < 10 repeat", price=105)
    state = begin(life, World())
    only_one = Minute(START, {BTC: point(95, START), ETH: point(11, START)})
    state, told = step(state, only_one, life)
    assert told == ()
    both = Minute(START + MINUTE, {BTC: point(95, START + MINUTE), ETH: point(9, START + MINUTE)})
    (ring,) = step(state, both, life).transitions
    assert [one.value for one in ring.evidence] == [95, 9]


def test_two_live_prices_are_compared_at_the_close() -> None:
    life = life_of("btc/usdt < eth/usdt repeat", price=None)
    state = AlertState(cursor=START, is_armed=True)
    wicks = Minute(START, {BTC: Bar(START, 12, 12, 8, 12), ETH: Bar(START, 10, 13, 10, 10)})
    state, told = step(state, wicks, life)
    assert told == ()
    closes = Minute(START + MINUTE, {BTC: point(9, START + MINUTE), ETH: point(10, START + MINUTE)})
    (ring,) = step(state, closes, life).transitions
    assert ring.at == START + 2 * MINUTE


# --- early, but never wrong ---


def early(price: float, at: float, is_traded: bool = False) -> tuple[Minute, float, float]:
    minute = int(at // MINUTE) * MINUTE
    return Minute(minute, {BTC: point(price, minute)}), at, Print(BTC, price, at, "", is_traded).since


def test_a_print_tells_the_ring_early_and_moves_no_state() -> None:
    life = life_of("btc/usdt < 100", price=105)
    state = begin(life, World())
    told = glance(state, *early(99, START + 20), life)
    (ring,) = told.transitions
    assert ring.is_early and ring.at == START + 20
    assert told.state.episode == 0 and told.state.is_armed
    assert glance(told.state, *early(98, START + 25), life).transitions == ()


def test_the_final_minute_confirms_what_was_told() -> None:
    life = life_of("btc/usdt < 100", price=105)
    state = glance(begin(life, World()), *early(99, START + 20), life).state
    after, (ring,) = step(state, Minute(START, {BTC: Bar(START, 105, 105, 98, 101)}), life)
    assert ring.was_told and ring.episode == 1
    assert after.early is None and after.corrections == 0


def test_the_minute_after_may_confirm_it_too() -> None:
    life = life_of("btc/usdt < 100", price=105)
    state = glance(begin(life, World()), *early(99, START + 59), life).state
    state, told = step(state, Minute(START, {BTC: Bar(START, 105, 105, 101, 101)}), life)
    assert told == ()
    _, (ring,) = step(state, Minute(START + MINUTE, {BTC: Bar(START + MINUTE, 101, 101, 99, 99)}), life)
    assert ring.was_told


def test_a_price_seen_after_the_making_counts_though_its_minute_had_gone_further_before() -> None:
    seen = Seen(START + 30, Bar(START, 105, 106, 98, 103))
    made = life_of("btc/usdt < 100")
    life = replace(made, seen={BTC: seen})
    state = glance(begin(life, World()), *early(99, START + 40), life).state
    _, (ring,) = step(state, Minute(START, {BTC: Bar(START, 105, 106, 98, 104)}), life)
    assert ring.was_told and ring.at == START + 30
    _, told = step(state, Minute(START, {BTC: Bar(START, 105, 106, 99.5, 104)}), life)
    assert told == ()
    for second, count in ((59, 1), (61, 0), (65, 1)):  # what is shown first may be of the minute before
        assert len(glance(begin(life, World()), *early(99, START + second), life).transitions) == count
    told = glance(begin(life, World()), *early(99, START + 61, is_traded=True), life).transitions
    assert len(told) == 1, "a trade knows its own minute"


def test_what_is_shown_just_after_a_making_at_the_turn_of_a_minute_may_be_of_before() -> None:
    seen = Seen(START + 1, Bar(START, 105, 105, 105, 105))
    life = replace(life_of("btc/usdt < 100", made_at=START + 1), seen={BTC: seen})
    for second, count in ((4, 0), (5, 1), (30, 1)):
        assert len(glance(begin(life, World()), *early(99, START + second), life).transitions) == count


def test_a_ring_that_the_final_minutes_do_not_bear_out_is_taken_back_once() -> None:
    life = life_of("btc/usdt < 100 repeat", price=105)
    state = glance(begin(life, World()), *early(99, START + 20), life).state
    told: list[Transition] = []
    for place in range(4):
        at = START + place * MINUTE
        state, transitions = step(state, Minute(at, {BTC: point(105, at)}), life)
        told.extend(transitions)
    assert [type(one) for one in told] == [Correction]
    assert (state.episode, state.corrections, state.is_armed) == (0, 1, True)
    again = glance(state, *early(99, START + 4 * MINUTE + 5), life)
    assert again.transitions[0].corrections == 1


@pytest.mark.parametrize(
    ("read", "is_gone"),
    [
        ([0, 1], False),
        ([0, 1, 7], False),
        ([0, 7], True),
        ([1, 2], True),
        ([7], True),
        ([-1, 0, 1], False),
        ([-1, 7], True),
    ],
)
def test_a_ring_that_nobody_can_check_is_taken_back_as_such(read: list[int], is_gone: bool) -> None:
    life = life_of("btc/usdt < 100 repeat", price=105)
    state = glance(begin(life, World()), *early(99, START + MINUTE + 20), life).state
    told: list[Transition] = []
    for place in read:
        at = START + (place + 1) * MINUTE
        minute = Minute(at, {BTC: point(105, at)}, blind=max(0, at - max(state.cursor, START)))
        state, transitions = step(state, minute, life)
        told.extend(transitions)
    assert [(type(one), one.is_gone) for one in told] == [(Correction, is_gone)]
    assert state.is_armed and state.early is None


def test_a_ring_of_a_minute_in_which_another_price_is_missing_cannot_be_checked() -> None:
    life = life_of("btc/usdt < 100 and eth/usdt < 100 repeat", price=105)
    at = START + 20
    both = {key: point(99, START) for key in (BTC, ETH)}
    state = glance(begin(life, World()), Minute(START, both), at, at, life).state
    state, told = step(state, Minute(START, {BTC: point(99, START)}), life)
    assert told == ()
    later = START + MINUTE
    _, (taken_back,) = step(state, Minute(later, {key: point(105, later) for key in (BTC, ETH)}), life)
    assert taken_back.is_gone


@pytest.mark.parametrize(("read", "is_gone"), [(True, False), (False, True)])
def test_a_ring_told_in_the_last_minute_of_an_alert_is_not_left_standing(read: bool, is_gone: bool) -> None:
    life = replace(life_of("btc/usdt < 100", price=105), until=START + MINUTE)
    state = glance(begin(life, World()), *early(99, START + 20), life).state
    if read:
        state, told = step(state, Minute(START, {BTC: point(105, START)}), life)
        assert told == ()
    over = START + MINUTE
    minute = Minute(over, {BTC: point(105, over)}, blind=over - state.cursor)
    state, (taken_back, ended) = step(state, minute, life)
    assert (type(taken_back), taken_back.is_gone) == (Correction, is_gone)
    assert type(ended) is Ended and state.early is None


def test_nothing_is_told_early_that_has_to_be_held() -> None:
    life = life_of("btc/usdt < 100 for 1m", price=105)
    assert glance(begin(life, World()), *early(95, START + 20), life).transitions == ()


def test_a_print_of_an_unarmed_alert_tells_nothing() -> None:
    life = life_of("btc/usdt < 100", price=95)
    assert glance(begin(life, World()), *early(94, START + 20), life).transitions == ()
