"""Judge a condition over a minute.

A rule's tree is compiled into nodes that each answer with a :class:`~bot.engine.truth.Truth`. Nodes that
remember (sides, running times) own slots of the arming's memory: they read the memory that was, and write
the one that will be. Nothing else moves.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from bot.engine.minute import Minute
from bot.engine.state import Evidence, Memory
from bot.engine.truth import UNKNOWN, Truth, both, every, opposite, some
from bot.metrics import Bar, MetricKey

ABOVE, BELOW = 1.0, -1.0

Slots = list[float | None]


class Node(Protocol):
    """One part of a condition."""

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        """Say how true this is over a minute; what is to be remembered goes to ``out``."""

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        """Name the terms that are true in this minute, with the values that decided them."""

    def instant(self, minute: Minute, memory: Memory) -> int:
        """Give the instant at which this came true: the opening for a touch, else the end."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One end of an interval; ``is_open`` leaves the level itself out."""

    level: float
    is_open: bool


@dataclass(frozen=True, slots=True)
class Within:
    """A live price inside an interval: one comparison, or several of one instrument joined by *and*.

    ``floor`` and ``ceiling`` may be missing; an interval that holds no price is never true.
    """

    key: MetricKey
    floor: Limit | None
    ceiling: Limit | None
    term: str

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        bar = minute.bars.get(self.key)
        if bar is None:
            return UNKNOWN
        if self._is_empty():
            return both(False)
        may = self._reaches_up(bar.high) and self._reaches_down(bar.low)
        must = self._reaches_up(bar.low) and self._reaches_down(bar.high)
        return Truth(may, must)

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        if self.judge(minute, memory, []).may:
            yield Evidence(self.term, self._telling(minute.bars[self.key]), currency_of(self.key))

    def instant(self, minute: Minute, memory: Memory) -> int:
        return minute.at

    def levels(self) -> Iterator[float]:
        """Give the prices at which this may change."""
        yield from (limit.level for limit in (self.floor, self.ceiling) if limit)

    def _is_empty(self) -> bool:
        if self.floor is None or self.ceiling is None:
            return False
        is_open = self.floor.is_open or self.ceiling.is_open
        return self.floor.level > self.ceiling.level or (self.floor.level == self.ceiling.level and is_open)

    def _reaches_up(self, price: float) -> bool:
        floor = self.floor
        return floor is None or price > floor.level or (price == floor.level and not floor.is_open)

    def _reaches_down(self, price: float) -> bool:
        ceiling = self.ceiling
        return ceiling is None or price < ceiling.level or (price == ceiling.level and not ceiling.is_open)

    def _telling(self, bar: Bar) -> float:
        """Pick the price that shows it: the far extreme of a touch, the close inside a two-sided interval."""
        if self.floor is None:
            return bar.low
        if self.ceiling is None:
            return bar.high
        return bar.close if self._reaches_up(bar.close) and self._reaches_down(bar.close) else bar.open


@dataclass(frozen=True, slots=True)
class Against:
    """Two live prices compared: read at the minute's close, where both are known for the same instant."""

    left: MetricKey
    compare: Callable[[float, float], bool]
    right: MetricKey
    term: str

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        left, right = minute.bars.get(self.left), minute.bars.get(self.right)
        if left is None or right is None:
            return UNKNOWN
        return both(self.compare(left.close, right.close))

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        if self.judge(minute, memory, []).may:
            yield Evidence(self.term, minute.bars[self.left].close, currency_of(self.left))

    def instant(self, minute: Minute, memory: Memory) -> int:
        return minute.end


@dataclass(frozen=True, slots=True)
class Crossing:
    """A pulse: the price reaches a level from its side (``side`` 0), or passes it upward or downward.

    Remembers the side: that of the last price off the level. Of a minute's high and low only what is certain
    in either order counts: the open comes first, the close last. A jump over the level counts.
    """

    slot: int
    key: MetricKey
    side: float
    level: float
    term: str

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        bar = minute.bars.get(self.key)
        if bar is None:
            return Truth(None, False)
        before = memory[self.slot]
        if out:
            out[self.slot] = self._side_after(bar, before)
        return Truth(self._crosses(bar, before), False)

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        if self.judge(minute, memory, []).may:
            bar = minute.bars[self.key]
            came_from_above = (memory[self.slot] or bar.open - self.level) > 0
            is_down = self.side == BELOW or (self.side == 0 and came_from_above)
            yield Evidence(self.term, bar.low if is_down else bar.high, currency_of(self.key))

    def instant(self, minute: Minute, memory: Memory) -> int:
        return minute.at

    def _crosses(self, bar: Bar, before: float | None) -> bool:
        level = self.level
        began_below, began_above = before == BELOW or bar.open < level, before == ABOVE or bar.open > level
        if self.side == ABOVE:
            return (began_below and bar.high > level) or bar.low < level < bar.close
        if self.side == BELOW:
            return (began_above and bar.low < level) or bar.high > level > bar.close
        reaches_up = (began_below and bar.high >= level) or bar.low < level <= bar.close
        reaches_down = (began_above and bar.low <= level) or bar.high > level >= bar.close
        return reaches_up or reaches_down

    def _side_after(self, bar: Bar, before: float | None) -> float | None:
        if bar.close != self.level:
            return ABOVE if bar.close > self.level else BELOW
        was_above, was_below = bar.high > self.level, bar.low < self.level
        if was_above and was_below:
            return None  # it closed on the level, and from which side nobody can say: the next open will
        if was_above or was_below:
            return ABOVE if was_above else BELOW
        return before


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
        ways = (self._judge_way(minute, bar, way) for way in ((self.way,) if self.way else (1, -1)))
        truths = list(ways)
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
        return change >= self.fraction * (1 - 1e-12)  # 95 is 5% under 100, whatever binary fractions say


@dataclass(frozen=True, slots=True)
class Holding:
    """A condition that has held without a break for ``seconds``: true at the end of a minute.

    Remembers in three slots: since when it holds (empty while it need not), how many seconds of that were
    blind and do not count, and how long it has been blind just now. Kept as an instant, the memory moves only
    when the condition does.
    """

    slot: int
    part: Node
    seconds: int
    term: str

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        held = self.part.judge(minute, memory, out).must
        since, blind, dark = self._after(minute, held, memory)
        if out:
            out[self.slot], out[self.slot + 1], out[self.slot + 2] = since, blind, dark
        if held is None:
            return UNKNOWN
        until = minute.end if minute.is_over else minute.at
        return both(since is not None and until - since - blind >= self.seconds)

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        if self.judge(minute, memory, []).may:
            yield from self.part.evidence(minute.at_close(), memory)

    def instant(self, minute: Minute, memory: Memory) -> int:
        return minute.end

    def is_running(self, memory: Memory) -> bool:
        """Whether time counts, so that the clock alone may change the answer."""
        return memory[self.slot] is not None

    def _after(self, minute: Minute, held: bool | None, memory: Memory) -> tuple[float | None, float, float]:
        since, blind, dark = memory[self.slot], memory[self.slot + 1] or 0.0, memory[self.slot + 2] or 0.0
        if since is not None:
            blind, dark = blind + minute.blind, dark + minute.blind
        if held is None and since is not None:
            blind, dark = blind + minute.span, dark + minute.span
        if held is False or dark >= self.seconds:
            since = None
        if held and since is None:
            since, blind = float(minute.at), 0.0
        if since is None:
            return None, 0.0, 0.0
        return since, blind, (0.0 if held else dark)


@dataclass(frozen=True, slots=True)
class Inverse:
    """The opposite of a condition."""

    part: Node

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        return opposite(self.part.judge(minute, memory, out))

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        return iter(())

    def instant(self, minute: Minute, memory: Memory) -> int:
        return self.part.instant(minute, memory)


@dataclass(frozen=True, slots=True)
class All:
    """Every part."""

    parts: tuple[Node, ...]

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        truths = [part.judge(minute, memory, out) for part in self.parts]
        return Truth(every(truth.may for truth in truths), every(truth.must for truth in truths))

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        for part in self.parts:
            yield from part.evidence(minute, memory)

    def instant(self, minute: Minute, memory: Memory) -> int:
        return max(part.instant(minute, memory) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part."""

    parts: tuple[Node, ...]

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        truths = [part.judge(minute, memory, out) for part in self.parts]
        return Truth(some(truth.may for truth in truths), some(truth.must for truth in truths))

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        for part in self.parts:
            yield from part.evidence(minute, memory)

    def instant(self, minute: Minute, memory: Memory) -> int:
        true = [part for part in self.parts if part.judge(minute, memory, []).may]
        return min(part.instant(minute, memory) for part in true or self.parts)


COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def currency_of(key: MetricKey) -> str:
    """Name the currency of a price: the quote of its instrument."""
    return key.instrument.partition("/")[2].partition(":")[0]
