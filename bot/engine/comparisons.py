"""Conditions that hold for as long as they are true: a price within limits, values compared, a move."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bot.engine.judge import Slots
from bot.engine.minute import Minute
from bot.engine.state import Evidence, Memory
from bot.engine.truth import UNKNOWN, Tri, Truth, both, every, some
from bot.engine.values import Value, currency_of
from bot.metrics import Bar, MetricKey

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Limit:
    """One end of an interval: a value that stands still; ``is_open`` leaves the level itself out."""

    value: Value
    is_open: bool


@dataclass(frozen=True, slots=True)
class Within:
    """A live price inside an interval: one comparison, or several of one instrument joined by *and*.

    Of several floors the highest holds, of several ceilings the lowest. An interval that holds no price is
    never true; one with an end that is not known is false only where the other end decides.
    """

    key: MetricKey
    floors: tuple[Limit, ...]
    ceilings: tuple[Limit, ...]
    term: str

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        bar = minute.bars.get(self.key)
        if bar is None:
            return UNKNOWN
        may: list[Tri] = []
        must: list[Tri] = []
        floors = [(limit.value.read(minute), limit.is_open) for limit in self.floors]
        for level, is_open in floors:
            may.append(_above(bar.high, level, is_open))
            must.append(_above(bar.low, level, is_open))
        ceilings = [(limit.value.read(minute), limit.is_open) for limit in self.ceilings]
        for level, is_open in ceilings:
            may.append(_below(bar.low, level, is_open))
            must.append(_below(bar.high, level, is_open))
        if floors and ceilings and _is_empty(floors, ceilings):
            return both(False)
        return Truth(every(may), every(must))

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        if self.judge(minute, memory, []).may:
            yield Evidence(self.term, self._telling(minute.bars[self.key]), currency_of(self.key))

    def instant(self, minute: Minute, memory: Memory) -> int:
        return minute.at

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        for limit in (*self.floors, *self.ceilings):
            yield self.key, limit.value.read(minute)

    def _telling(self, bar: Bar) -> float:
        """Pick the price that shows it: the far extreme of a touch, the close inside a two-sided interval."""
        if not self.floors:
            return bar.low
        return bar.high if not self.ceilings else bar.close


Ends = list[tuple[float | None, bool]]


def _above(price: float, level: float | None, is_open: bool) -> Tri:
    return None if level is None else price > level or (price == level and not is_open)


def _below(price: float, level: float | None, is_open: bool) -> Tri:
    return None if level is None else price < level or (price == level and not is_open)


def _is_empty(floors: Ends, ceilings: Ends) -> bool:
    for floor, floor_is_open in floors:
        for ceiling, ceiling_is_open in ceilings:
            if floor is None or ceiling is None:
                continue
            if floor > ceiling or (floor == ceiling and (floor_is_open or ceiling_is_open)):
                return True
    return False


@dataclass(frozen=True, slots=True)
class Against:
    """Two values compared at one instant: the minute's close if one is live, else the minute's opening."""

    left: Value
    compare: Callable[[float, float], bool]
    right: Value
    term: str
    currency: str = ""

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        left, right = self.left.read(minute), self.right.read(minute)
        if left is None or right is None:
            return UNKNOWN
        return both(self.compare(left, right))

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        value = self.left.read(minute)
        if value is not None and self.judge(minute, memory, []).may:
            yield Evidence(self.term, value, self.currency)

    def instant(self, minute: Minute, memory: Memory) -> int:
        return minute.end if self.left.is_live or self.right.is_live else minute.at

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        return iter(())


@dataclass(frozen=True, slots=True)
class Moved:
    """A ratio of prices, or a metric, stands ``percent`` away from an extreme of its window.

    ``distances`` are how far it stands above the lowest or below the highest, in percent: the largest counts.
    """

    value: Value
    distances: tuple[Value, ...]
    percent: float
    term: str

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        found = [distance.read(minute) for distance in self.distances]
        return both(some(None if one is None else _is_far(one, self.percent) for one in found))

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        value = self.value.read(minute)
        if value is not None and self.judge(minute, memory, []).may:
            yield Evidence(self.term, value)

    def instant(self, minute: Minute, memory: Memory) -> int:
        return minute.end if self.value.is_live else minute.at

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        return iter(())


@dataclass(frozen=True, slots=True)
class Move:
    """The price stands a fraction away from an extreme of this minute and the window before it.

    ``way`` is +1 for a rise from the lowest, -1 for a fall from the highest, 0 for either. In this minute the
    open comes first and the close last, so only those orders of its prices count.
    """

    key: MetricKey
    way: int
    fraction: float
    window: int
    term: str

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        bar = minute.bars.get(self.key)
        if bar is None:
            return UNKNOWN
        truths = [self._judge_way(minute, bar, way) for way in ((self.way,) if self.way else (1, -1))]
        return Truth(some(truth.may for truth in truths), some(truth.must for truth in truths))

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        bar = minute.bars.get(self.key)
        if bar is None:
            return
        if self.way >= 0 and self._judge_way(minute, bar, 1).may:
            yield Evidence(self.term, bar.high, currency_of(self.key))
        elif self.way <= 0 and self._judge_way(minute, bar, -1).may:
            yield Evidence(self.term, bar.low, currency_of(self.key))

    def instant(self, minute: Minute, memory: Memory) -> int:
        return minute.at

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        return iter(())

    def _judge_way(self, minute: Minute, bar: Bar, way: int) -> Truth:
        before = minute.before(self.key, self.window - minute.span)
        is_whole = self.window <= minute.span or (before is not None and before.is_whole)
        if way > 0:
            extreme = bar.open if before is None else min(before.low, bar.open)
            lowest = min(extreme, bar.low)
            may = self._is_far(bar.high / extreme - 1) or self._is_far(bar.close / lowest - 1)
            must = before is not None and self._is_far(bar.low / before.low - 1)
        else:
            extreme = bar.open if before is None else max(before.high, bar.open)
            highest = max(extreme, bar.high)
            may = self._is_far(1 - bar.low / extreme) or self._is_far(1 - bar.close / highest)
            must = before is not None and self._is_far(1 - bar.high / before.high)
        if is_whole:
            return Truth(may, must)
        return Truth(may or None, must or None)  # what the hidden part held could only add to it

    def _is_far(self, change: float) -> bool:
        return _is_far(change, self.fraction)


def _is_far(change: float, bound: float) -> bool:
    return change >= bound * (1 - 1e-12)  # 95 is 5% under 100, whatever binary fractions say
