"""What reaches or passes a level, against walks along both ways that a minute may have gone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.metrics import Bar
from tests.judging import judged, rings
from tests.markets import BTC, START, histories, minutes

LEVEL = 100.0


def sides(bar: Bar, *, is_high_first: bool) -> list[int]:
    """List the sides on which a minute's prices are, as they come."""
    extremes = (bar.high, bar.low) if is_high_first else (bar.low, bar.high)
    return [(price > LEVEL) - (price < LEVEL) for price in (bar.open, *extremes, bar.close)]


def is_reached(before: int | None, walk: Sequence[int]) -> bool:
    """Whether a walk comes to the level from off it, or over it, after what was before."""
    steps = walk if before is None else [before, *walk]
    return any(old and new != old for old, new in pairwise(steps))


def is_passed(before: int | None, walk: Sequence[int], way: int) -> bool:
    """Whether a walk comes out on one side of the level after it was last off it on the other."""
    off = [side for side in ([] if before is None else [before]) + [*walk] if side]
    return any(old == -way and new == way for old, new in pairwise(off))


@settings(max_examples=300, deadline=None)
@given(histories(most=30, spread=2))
def test_reaching_is_coming_to_the_level_from_off_it(bars: list[Bar]) -> None:
    expected, before = [], None
    for bar in bars:
        walks = [sides(bar, is_high_first=is_first) for is_first in (True, False)]
        if all(is_reached(before, walk) for walk in walks):
            expected.append(bar.at)
        before = walks[0][-1]
    told = judged("btc/usdt crosses 100 repeat cooldown 0m", {BTC: bars}, bars[0].open)
    assert rings(told) == expected


@settings(max_examples=300, deadline=None)
@given(histories(most=30, spread=2), st.sampled_from([1, -1]))
def test_passing_is_coming_out_on_the_other_side(bars: list[Bar], way: int) -> None:
    expected: list[int] = []
    befores: tuple[int | None, int | None] = (None, None)  # the last side off the level, in either order
    for bar in bars:
        walks = [sides(bar, is_high_first=is_first) for is_first in (True, False)]
        before = befores[0] if befores[0] == befores[1] else None  # nobody can say which it is
        if all(is_passed(before, walk, way) for walk in walks):
            expected.append(bar.at)
        first, second = ([before, *walk] if before else walk for walk in walks)
        befores = (
            next((s for s in reversed(first) if s), None),
            next((s for s in reversed(second) if s), None),
        )
    rule = f"btc/usdt crosses {'above' if way > 0 else 'below'} 100 repeat cooldown 0m"
    assert rings(judged(rule, {BTC: bars}, bars[0].open)) == expected


@given(st.integers(1, 40), st.sampled_from([99.0, 101.0]))
def test_a_price_that_stays_on_its_level_rings_once(count: int, before: float) -> None:
    bars = minutes(before, *[LEVEL] * count, before)
    told = judged("btc/usdt crosses 100 repeat cooldown 0m", {BTC: bars}, before)
    assert rings(told) == [START + 60]
