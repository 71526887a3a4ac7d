"""Backtests: the live engine over history, in bars of any length, with gaps."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.backtest import Firing, Replay, Report, Unfit, run
from bot.demo.days import November
from bot.engine.compiler import compile_rule
from bot.engine.minute import Minute
from bot.engine.state import Transition
from bot.engine.step import begin, step
from bot.engine.world import World
from bot.metrics import MINUTE, Bar, Seen, join, point
from bot.rules import RuleError, parse
from tests.markets import BTC, ETH, START, histories, minutes, path

HOUR, DAY = 3600, 86_400


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def backtest(rule: str, **history: Iterable[Bar]) -> Report:
    keys = {"btc": BTC, "eth": ETH}
    return run(parse(rule), {keys[name]: bars for name, bars in history.items()})


@pytest.fixture(scope="module")
def november() -> list[Bar]:
    days = November()
    found = (days.bar("btc/usdt", at, days.end) for at in range(int(days.start), int(days.end), MINUTE))
    return [bar for bar in found if bar is not None]


def days_of(report: Report) -> list[str]:
    return [f"{datetime.fromtimestamp(firing.at, UTC):%d %H}" for firing in report.firings]


def test_november_breaks_its_levels_in_the_hours_in_which_it_did(november: list[Bar]) -> None:
    assert days_of(backtest("btc/usdt < 101300 once", btc=november)) == ["12 19"]
    assert days_of(backtest("btc/usdt < 100000 once", btc=november)) == ["13 17"]
    assert days_of(backtest("btc/usdt <= 82000 once", btc=november)) == ["21 12"]


@pytest.mark.parametrize("span", [300, HOUR, 4 * HOUR, DAY])
def test_coarser_bars_ring_in_the_bar_that_holds_the_minute(november: list[Bar], span: int) -> None:
    coarse = list(join(november, span))
    assert coarse[0].span == span
    for level in (101_300, 100_000, 94_000, 82_000):
        [fine] = backtest(f"btc/usdt < {level} once", btc=november).firings
        [rough] = backtest(f"btc/usdt < {level} once", btc=coarse).firings
        assert rough.at <= fine.at < rough.at + span


def test_a_ring_says_when_at_what_and_why(november: list[Bar]) -> None:
    [firing] = backtest('btc/usdt < 100000 once note "cut"', btc=november).firings
    assert firing == Firing(
        at=instant("2025-11-13T17:22"),
        kind="ring",
        value=99_995.47,
        rule='btc/usdt < 100000 once note "cut"',
        because="BTC/USDT fell below 100,000: touched 99,995.47 (0.005% below)",
    )


def test_a_rule_of_several_terms_names_the_values_that_decided_it() -> None:
    btc, eth = path(110, 90), path(9, 12)
    [firing] = backtest(
        "btc/usdt < 100 and eth/usdt > 10",
        btc=[*path(110, 110), *_later(btc)],
        eth=[
            *path(9, 9),
            *_later(eth),
        ],
    ).firings
    assert firing.because == (
        "BTC/USDT below 100 and ETH/USDT above 10 (BTC/USDT below 100: 90; ETH/USDT above 10: 12)"
    )


def test_a_rule_without_an_option_repeats_and_says_so_by_ringing_again() -> None:
    swings = minutes(*([101.0] + [99.0] + [101.0] * 30) * 3)
    assert len(backtest("btc/usdt < 100", btc=swings).firings) == 3
    assert len(backtest("btc/usdt < 100 once", btc=swings).firings) == 1
    assert len(backtest("btc/usdt < 100 cooldown 1h", btc=swings).firings) == 2


def test_what_is_true_at_the_first_open_waits_to_be_clear() -> None:
    assert backtest("btc/usdt < 100", btc=minutes(99.0, 98.0, 99.0)).firings == ()
    [firing] = backtest("btc/usdt < 100", btc=minutes(99.0, 101.0, 99.0)).firings
    assert firing.at == START + 2 * MINUTE
    [firing] = backtest("btc/usdt < 100", btc=path(101, 99)).firings
    assert firing.at == START


def test_a_gap_is_unknown_and_no_touch_is_made_up_in_it() -> None:
    bars = minutes(101.0, 101.0, 99.0, 101.0, 101.0, 101.0)
    holed = [*bars[:2], *bars[3:]]
    report = backtest("btc/usdt < 100", btc=holed)
    assert (report.firings, report.unknown) == ((), 1)
    assert (report.since, report.until) == (START, START + 6 * MINUTE)
    assert backtest("btc/usdt < 100", btc=bars).unknown == 0


def test_a_hold_goes_on_over_a_gap_shorter_than_itself_but_does_not_count_it() -> None:
    bars = minutes(*[101.0] * 20)
    holed = [bar for place, bar in enumerate(bars) if place not in (3, 4)]
    [firing] = backtest("btc/usdt > 100 for 5m once", btc=minutes(99.0)[:1] + _later(holed)).firings
    assert firing.at == START + MINUTE + 7 * MINUTE


def test_gaps_longer_than_a_piece_are_jumped_over() -> None:
    first, second = minutes(101.0, 101.0), minutes(101.0, 99.0, start=START + 400 * DAY)
    report = backtest("btc/usdt < 100", btc=[*first, *second])
    assert [firing.at for firing in report.firings] == [START + 400 * DAY + MINUTE]
    assert report.unknown == 400 * DAY // MINUTE - 2


def test_two_series_are_read_while_both_are_known() -> None:
    btc = minutes(*[101.0] * 10)
    eth = minutes(*[9.0, 9.0, 11.0, 9.0, 9.0, 11.0], start=START + 3 * MINUTE)
    report = backtest("btc/usdt > 100 and eth/usdt > 10", btc=btc, eth=eth)
    assert (report.since, report.until) == (START + 3 * MINUTE, START + 9 * MINUTE)
    assert [firing.at for firing in report.firings] == [START + 5 * MINUTE]


def test_two_series_of_unlike_bars_are_read_in_the_longer_ones() -> None:
    btc = list(join(minutes(*[101.0] * 90, *[99.0] * 30, start=START), 30 * MINUTE))
    eth = list(join(minutes(*[9.0] * 60, *[11.0] * 60, start=START), 60 * MINUTE))
    report = backtest("btc/usdt < 100 and eth/usdt > 10", btc=btc, eth=eth)
    assert (report.since, report.until) == (START, START + 2 * HOUR)
    assert [firing.at for firing in report.firings] == [START + HOUR]


def test_bars_that_open_beside_each_other_cannot_be_read_together() -> None:
    eth = [replace(bar, at=bar.at + 30 * MINUTE) for bar in _hours(4)]
    with pytest.raises(Unfit, match="open at other times"):
        backtest("btc/usdt > 100 and eth/usdt > 10", btc=_hours(4), eth=eth)


def test_history_before_the_range_fills_the_memories_and_rings_nothing() -> None:
    bars = minutes(99.0, *[101.0] * 20)
    report = run(parse("btc/usdt > 100 for 5m"), {BTC: bars}, since=START + 3 * MINUTE)
    assert report.since == START + 3 * MINUTE
    assert [firing.at for firing in report.firings] == [START + 6 * MINUTE]
    fall = minutes(*[110.0] * 9, 101.0, 99.0)
    report = run(parse("btc/usdt moves down 10% in 5m"), {BTC: fall}, since=START + 9 * MINUTE)
    assert [firing.at for firing in report.firings] == [START + 10 * MINUTE]


def test_the_range_ends_before_its_end() -> None:
    bars = minutes(101.0, 101.0, 99.0, 101.0)
    report = run(parse("btc/usdt < 100"), {BTC: bars}, until=START + 2 * MINUTE)
    assert (report.firings, report.until) == ((), START + 2 * MINUTE)
    assert len(run(parse("btc/usdt < 100"), {BTC: bars}, until=START + 3 * MINUTE).firings) == 1


def test_a_relative_until_counts_from_the_first_moment() -> None:
    swings = minutes(*([101.0] + [99.0] + [101.0] * 30) * 3)
    assert len(backtest("btc/usdt < 100 until 40m", btc=swings).firings) == 2
    with pytest.raises(RuleError):
        backtest("btc/usdt < 100 until 2020-01-01", btc=swings)


def test_what_cannot_be_judged_says_why_in_a_sentence() -> None:
    with pytest.raises(Unfit, match=r"There is no history of eth/usdt\."):
        backtest("eth/usdt < 100", btc=minutes(1.0))
    with pytest.raises(Unfit, match=r"Nothing is known of btc/usdt at that time\."):
        backtest("btc/usdt < 100", btc=[])
    with pytest.raises(Unfit, match="Nothing is known"):
        run(parse("btc/usdt < 100"), {BTC: minutes(1.0)}, since=START + DAY)
    with pytest.raises(Unfit, match="Nothing is known"):
        run(parse("btc/usdt < 100"), {BTC: minutes(1.0)}, until=START)


def test_many_rules_in_one_pass_ring_as_each_alone(november: list[Bar]) -> None:
    hours = list(join(november, HOUR))
    rules = [parse(f"btc/usdt < {level}") for level in range(80_000, 110_000, 500)]
    rules += [parse(f"btc/usdt crosses {level} cooldown 6h") for level in range(80_000, 110_000, 500)]
    together: dict[int, list[Transition]] = {place: [] for place in range(len(rules))}
    for place, transition in Replay(rules, {BTC: hours}):
        together[place].append(transition)
    for place, rule in enumerate(rules):
        assert together[place] == [transition for _, transition in Replay([rule], {BTC: hours})]
    assert sum(map(len, together.values())) > 100


RULES = (
    "btc/usdt < 100",
    "btc/usdt >= 101 cooldown 3m",
    "btc/usdt crosses 100 cooldown 1m",
    "btc/usdt > 100 for 3m cooldown 5m",
    "btc/usdt moves 3% in 5m cooldown 2m",
    "99 < btc/usdt < 101 cooldown 1m",
    "btc/usdt < 100 once",
)


def by_hand(rule: str, bars: Sequence[Bar]) -> list[Transition]:
    """Fold step() over every bar, one after the other, without a partition."""
    life = compile_rule(
        parse(rule), True, bars[0].at, {BTC: Seen(bars[0].at, point(bars[0].open, bars[0].at))}
    )
    world = World()
    world.follow(BTC, life.spans[BTC])
    state = begin(life, world)
    told: list[Transition] = []
    for bar in bars:
        world.put(BTC, [bar])
        minute = Minute(bar.at, {BTC: bar}, world, max(0, bar.at - state.cursor), bar.span)
        state, transitions = step(state, minute, life)
        told += transitions
    return told


@settings(deadline=None)
@given(
    rule=st.sampled_from(RULES),
    bars=histories(),
    holes=st.sets(st.integers(0, 59)),
    count=st.sampled_from([1, 2, 5]),
)
def test_a_backtest_is_step_folded_over_the_same_bars(
    rule: str, bars: list[Bar], holes: set[int], count: int
) -> None:
    kept = [bar for place, bar in enumerate(bars) if place not in holes]
    known = list(join(kept, count * MINUTE))
    if known:
        found = [transition for _, transition in Replay([parse(rule)], {BTC: iter(known)})]
        assert found == by_hand(rule, known)


@given(bars=histories(), holes=st.sets(st.integers(0, 59)))
def test_known_and_unknown_minutes_are_the_range(bars: list[Bar], holes: set[int]) -> None:
    known = [bar for place, bar in enumerate(bars) if place not in holes]
    if known:
        report = run(parse("btc/usdt < 1"), {BTC: known})
        assert (report.since, report.until) == (known[0].at, known[-1].end)
        assert report.unknown == (report.until - report.since) // MINUTE - len(known)


def test_memory_does_not_grow_with_the_bars() -> None:
    rules = [parse(f"btc/usdt < {level} once") for level in range(50, 150)]

    def peak(hours: int) -> int:
        bars = (Bar(START + hour * HOUR, *(100.0 + hour % 7,) * 4, 1.0, HOUR) for hour in range(hours))
        tracemalloc.start()
        for _ in Replay(rules, {BTC: bars}):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(40_000) < 1.5 * peak(10_000)


def _later(bars: Iterable[Bar], by: int = MINUTE) -> list[Bar]:
    return [replace(bar, at=bar.at + by) for bar in bars]


def _hours(count: int) -> list[Bar]:
    return list(join(minutes(*[101.0] * 60 * count), HOUR))
