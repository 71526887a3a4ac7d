"""Pulses: conditions that are true in the minute in which something happens, and never for longer.

Of a minute's high and low only what is certain in either order counts: the open comes first, the close last.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from bot.engine.judge import Node, Slots
from bot.engine.minute import Minute
from bot.engine.state import Evidence, Memory
from bot.engine.truth import Truth
from bot.engine.values import (
    Changed,
    Constant,
    Joined,
    Metric,
    MetricWindow,
    Price,
    SessionWindow,
    Shifted,
    Streak,
    Value,
)
from bot.metrics import Bar, MetricKey, point

ABOVE, BELOW = 1.0, -1.0

Walked = tuple[list[float], tuple[float | None, ...]]
"""The steps that were reached, and the memory after them."""


def _path(value: Value, minute: Minute) -> Bar | None:
    """Give the way of a value through a minute: a price's bar, or the one figure that anything else has."""
    if isinstance(value, Price):
        return minute.bars.get(value.key)
    figure = value.read(minute)
    return None if figure is None else point(figure, minute.at)


def _moment(value: Value, minute: Minute) -> int:
    return minute.end if value.is_live and not isinstance(value, Price) else minute.at


@dataclass(frozen=True, slots=True)
class Crossing:
    """A pulse: the value passes a level upward or downward (``side``), or reaches it from its side (0).

    A passing needs the last value *off* the level on one side and a value on the other, so it remembers that
    last side. A reaching ends at the level: who stands on it has reached it, and neither standing there nor
    leaving, to whichever side, is another; who has left reaches it again by coming back. So it remembers the
    level itself too. A jump over the level is both. Of a minute's high and low only what is certain in either
    order counts: the open comes first, the close last.
    """

    slot: int
    value: Value
    side: float
    level: Value
    term: str
    currency: str = ""

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        bar, level = _path(self.value, minute), self.level.read(minute)
        if bar is None or level is None:
            return Truth(None, False)
        before = memory[self.slot]
        if out:
            out[self.slot] = _side_after(bar, level, before) if self.side else _side(bar.close, level)
        crosses = self._passes(bar, level, before) if self.side else _reaches(bar, level, before)
        return Truth(crosses, False)

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        bar, level = _path(self.value, minute), self.level.read(minute)
        if bar is not None and level is not None and self.judge(minute, memory, []).may:
            origin = memory[self.slot] or _side(bar.open, level) or (ABOVE if bar.low == level else BELOW)
            is_down = (self.side or -origin) == BELOW
            yield Evidence(self.term, bar.low if is_down else bar.high, self.currency)

    def instant(self, minute: Minute, memory: Memory) -> int:
        return _moment(self.value, minute)

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        if isinstance(self.value, Price):
            yield self.value.key, self.level.read(minute)

    def _passes(self, bar: Bar, level: float, before: float | None) -> bool:
        if self.side == ABOVE:
            began_below = before == BELOW or bar.open < level
            return (began_below and bar.high > level) or bar.low < level < bar.close
        began_above = before == ABOVE or bar.open > level
        return (began_above and bar.low < level) or bar.high > level > bar.close


def _side(price: float, level: float) -> float:
    """Give the side of a level on which a price is, 0 on the level itself."""
    return ABOVE if price > level else BELOW if price < level else 0.0


def _reaches(bar: Bar, level: float, before: float | None) -> bool:
    opening = _side(bar.open, level)
    if before and before != opening:
        return True
    if opening:
        return bar.low <= level <= bar.high
    return bar.low < level < bar.high or (bar.close == level and bar.low < bar.high)


def _side_after(bar: Bar, level: float, before: float | None) -> float | None:
    if bar.close != level:
        return _side(bar.close, level)
    was_above, was_below = bar.high > level, bar.low < level
    if was_above and was_below:
        return None  # it closed on the level, and from which side nobody can say: the next open will
    if was_above or was_below:
        return ABOVE if was_above else BELOW
    return before


def sources(*values: Value) -> tuple[MetricKey, ...]:
    """Name the metrics of which alone some values are made; none if there is anything else in them."""
    found: dict[MetricKey, None] = {}
    for value in values:
        match value:
            case Constant():
                continue
            case Metric(key=key) | MetricWindow(key=key) | SessionWindow(key=key) | Streak(key=key):
                found[key] = None
                continue
            case Joined(left=left, right=right):
                parts: tuple[Value, ...] = (left, right)
            case Changed(value=part) | Shifted(value=part):
                parts = (part,)
            case _:
                return ()
        inner = sources(*parts)
        if not inner and not all(isinstance(part, Constant) for part in parts):
            return ()
        found |= dict.fromkeys(inner)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class OfSessions:
    """A pulse of metrics alone: a new word about the same session takes the place of the one before it.

    It is judged from what was remembered before that session, so that a figure which is corrected does not
    move from the old word to the new one; and it is a pulse only where the old word was none. Where nothing
    new is said there is none. Remembers for each metric its newest session and when that was last spoken of,
    whether the last word was a pulse, and a copy of what its part remembered before the session.
    """

    slot: int
    part: Node
    owned: slice
    metrics: tuple[MetricKey, ...]
    provisional: bool

    @staticmethod
    def slots(metrics: int, owned: int) -> int:
        """Say how many slots it takes for so many metrics and slots of its part."""
        return 2 * metrics + 1 + owned

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        words, before, was_pulse = self._before(minute, memory)
        after = list(before) if out else []
        truth = self.part.judge(minute, before, after)
        if truth.may is None:
            return truth
        if words == memory[self._words]:
            return Truth(False, truth.must)
        if out:
            out[self.owned] = after[self.owned]
            out[self._words] = words
            out[self._pulse] = float(bool(truth.may))
            out[self._copy] = before[self.owned]
        return Truth(truth.may and not was_pulse, truth.must)

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        if self.judge(minute, memory, []).may:
            yield from self.part.evidence(minute, self._before(minute, memory)[1])

    def instant(self, minute: Minute, memory: Memory) -> int:
        return self.part.instant(minute, memory)

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        return self.part.levels(minute)

    def _before(self, minute: Minute, memory: Memory) -> tuple[Memory, Memory, bool]:
        """Give the newest words, the memory to judge them from, and whether the words before were a pulse."""
        newest = [minute.world.points[key].latest(minute.at, self.provisional) for key in self.metrics]
        words: Memory = tuple(
            mark for one in newest for mark in ((float(one.as_of), one.known_at) if one else (None, None))
        )
        known = memory[self._words]
        if words == known or words[::2] != known[::2]:
            return words, memory, False
        rewound = list(memory)
        rewound[self.owned] = memory[self._copy]
        return words, tuple(rewound), bool(memory[self._pulse])

    @property
    def _words(self) -> slice:
        return slice(self.slot, self.slot + 2 * len(self.metrics))

    @property
    def _pulse(self) -> int:
        return self.slot + 2 * len(self.metrics)

    @property
    def _copy(self) -> slice:
        return slice(self._pulse + 1, self._pulse + 1 + self.owned.stop - self.owned.start)


@dataclass(frozen=True, slots=True)
class Entry:
    """A pulse: the value comes into a zone (``is_inward``), or goes out of it.

    Remembers whether the last value was inside; without an earlier one the open tells.
    """

    slot: int
    value: Value
    is_inward: bool
    low: Value
    high: Value
    term: str
    currency: str = ""

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        bar, low, high = _path(self.value, minute), self.low.read(minute), self.high.read(minute)
        if bar is None or low is None or high is None:
            return Truth(None, False)
        began_inside = low <= bar.open <= high if memory[self.slot] is None else bool(memory[self.slot])
        ends_inside = low <= bar.close <= high
        if out:
            out[self.slot] = float(ends_inside)
        opens_inside = low <= bar.open <= high
        if self.is_inward:
            was_out = not began_inside or not opens_inside or bar.low < low or bar.high > high
            touches = bar.low <= high and bar.high >= low
            is_certain = not began_inside or not opens_inside or ends_inside
            return Truth(was_out and touches and is_certain, False)
        leaves = bar.low < low or bar.high > high
        is_certain = began_inside or opens_inside or not ends_inside
        was_in = began_inside or opens_inside or (bar.low <= high and bar.high >= low)
        return Truth(leaves and was_in and is_certain, False)

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        bar = _path(self.value, minute)
        if bar is not None and self.judge(minute, memory, []).may:
            yield Evidence(self.term, bar.close, self.currency)

    def instant(self, minute: Minute, memory: Memory) -> int:
        return _moment(self.value, minute)

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        if isinstance(self.value, Price):
            yield self.value.key, self.low.read(minute)
            yield self.value.key, self.high.read(minute)


@dataclass(frozen=True, slots=True)
class _Steps:
    """A pulse at each step of ``size``; ``way`` +1 or -1 counts only those upward or downward.

    Steps passed in one minute are one pulse that names them all.
    """

    slot: int
    value: Value
    size: float
    way: int
    term: str
    currency: str = ""

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        bar = _path(self.value, minute)
        if bar is None:
            return Truth(None, False)
        lines, after = self._walk(bar, memory)
        if out:
            out[self.slot : self.slot + len(after)] = after
        return Truth(bool(lines), False)

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        if bar := _path(self.value, minute):
            for line in self._walk(bar, memory)[0]:
                yield Evidence(self.term, line, self.currency)

    def instant(self, minute: Minute, memory: Memory) -> int:
        return _moment(self.value, minute)

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        return iter(())

    @abstractmethod
    def _walk(self, bar: Bar, memory: Memory) -> Walked:
        """Give the steps on a way, and what is to be remembered of it."""


@dataclass(frozen=True, slots=True)
class ShareSteps(_Steps):
    """Steps of a share of the value, ``size`` as a fraction.

    With a direction they are counted from the best value since arming or the last step; without (0), from
    the last step. Remembers that value.
    """

    def _walk(self, bar: Bar, memory: Memory) -> Walked:
        before = memory[self.slot]
        start = bar.open if before is None else before
        if self.way == 0:
            lines = [*self._lines(start, bar.high, 1), *self._lines(start, bar.low, -1)]
            return lines, (min(lines, key=lambda line: abs(line - bar.close)) if lines else start,)
        better = max if self.way < 0 else min
        best = better(start, bar.open)
        lines = self._lines(best, bar.low if self.way < 0 else bar.high, self.way)
        if not lines:
            best = better(best, bar.high if self.way < 0 else bar.low)
            lines = self._lines(best, bar.close, self.way)
        return lines, (better(lines[-1], bar.close) if lines else best,)

    def _lines(self, start: float, reached: float, way: int) -> list[float]:
        """List the steps between a value and the one that was reached, the nearest first."""
        factor = 1 + way * self.size
        if start <= 0 or reached <= 0 or (reached - start) * way <= 0:
            return []
        count = int(math.log(reached / start) / math.log(factor) + 1e-9)
        return [start * factor**step for step in range(1, count + 1)]


@dataclass(frozen=True, slots=True)
class RoundSteps(_Steps):
    """Steps at the round multiples of ``size``; the same line never rings twice running.

    Remembers the last value and the last line.
    """

    def _walk(self, bar: Bar, memory: Memory) -> Walked:
        lines, last = self._lines(bar, memory), memory[self.slot + 1]
        if lines:
            last = min(lines, key=lambda line: abs(line - bar.close))
        elif memory[self.slot] is None and bar.open % self.size == 0:
            last = bar.open
        return lines, (bar.close, last)

    def _lines(self, bar: Bar, memory: Memory) -> list[float]:
        start = bar.open if memory[self.slot] is None else memory[self.slot] or 0.0
        last = memory[self.slot + 1]
        if last is None and start % self.size == 0:
            last = start  # it stood on a line when it was first seen
        low, high = min(bar.low, start), max(bar.high, start)
        first, final = math.ceil(low / self.size), math.floor(high / self.size)
        lines = [number * self.size for number in range(first, final + 1)]
        if self.way > 0:
            lines = [line for line in lines if min(start, bar.open) < line <= bar.high]
        elif self.way < 0:
            lines = [line for line in reversed(lines) if bar.low <= line < max(start, bar.open)]
        if self.way:  # behind another line the last one may ring again
            return lines[1:] if lines and lines[0] == last else lines
        return [line for line in lines if line != last]
