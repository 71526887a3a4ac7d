"""The values that a rule compares, each read from one minute.

A value *stands still* in a minute, or it is *live*. What stands still (a number, a closed candle and what is
made of closed candles, a metric, the extremes of earlier minutes) is known at the minute's opening; what is
live is read at its close. A bare price is the one live value that is known over the whole minute.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from bot.engine.candles import Columns
from bot.engine.history import Point, Points, streak, usual_step
from bot.engine.indicators import candles_needed, compute
from bot.engine.minute import Minute
from bot.engine.sessions import DAY
from bot.engine.shelf import Derived
from bot.metrics import MetricKey

_LONGEST_STREAK = 500

Floats = NDArray[np.float64]

Number = TypeVar("Number", float, NDArray[np.float64])

Statistic = Callable[[Floats], float | None]
"""A figure of a window's values, rising in time, the newest last; ``None`` where it has none."""


class Value(Protocol):
    """One value of a rule."""

    @property
    def is_live(self) -> bool:
        """Whether it moves within a minute."""

    def read(self, minute: Minute) -> float | None:
        """Give the value as of the minute (at its opening if it stands still), or ``None`` if unknown."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number."""

    value: float
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        return self.value


@dataclass(frozen=True, slots=True)
class Price:
    """A bare instrument: its price."""

    key: MetricKey
    is_live: bool = True

    def read(self, minute: Minute) -> float | None:
        bar = minute.bars.get(self.key)
        return None if bar is None else bar.close


@dataclass(frozen=True, slots=True)
class CandleField:
    """A field of the last closed candle."""

    key: MetricKey
    span: int
    column: str
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        candle = minute.world.candles[self.key, self.span].last(minute.at)
        return None if candle is None else float(getattr(candle, self.column))

    def known(self, minute: Minute) -> Floats | None:
        """Give the field of all candles that are known without a hole, or ``None`` if the last is not."""
        candles = minute.world.candles[self.key, self.span]
        if candles.last(minute.at) is None:
            return None
        values: Floats = getattr(candles.columns(candles.asof(minute.at)), f"{self.column}s")
        return values


@dataclass(frozen=True, slots=True)
class Indicator:
    """An indicator of closed candles, shared by all rules that name it."""

    key: MetricKey
    span: int
    function: str
    arguments: tuple[float, ...]
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        candles = minute.world.candles[self.key, self.span]
        name = Derived(self.key, self.span, self.function, self.arguments)
        return minute.world.shelf.value(name, candles, minute.at)


@dataclass(frozen=True, slots=True)
class Metric:
    """The value of a metric that stands: its latest, and none once the next is overdue."""

    key: MetricKey
    provisional: bool = False
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        points = minute.world.points[self.key]
        current = points.current(minute.at, self.provisional)
        if current is None or not minute.back:
            return None if current is None else current.value
        values = points.values(minute.at, minute.back + 1, self.provisional)
        if len(values) <= minute.back or np.isnan(values[0]):
            return None
        return float(values[0])


@dataclass(frozen=True, slots=True)
class SessionWindow:
    """A figure of a metric's values in its last ``count`` sessions up to its latest; unknown with fewer."""

    key: MetricKey
    count: int
    statistic: Statistic
    provisional: bool = False
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        points = minute.world.points[self.key]
        if points.current(minute.at, self.provisional) is None:
            return None
        values = points.values(minute.at, self.count, self.provisional)
        return self.statistic(values[~np.isnan(values)]) if len(values) == self.count else None


@dataclass(frozen=True, slots=True)
class MetricWindow:
    """A figure of a metric's values in the ``seconds`` up to its latest; 0 is as far back as is known.

    Unknown until history reaches back to the window's start (see ``Points.window``). A figure of its ends
    (``is_between_ends``) is read from the value nearest to the start, before or after, and unknown where that
    is further from it than the usual step. ``is_before`` leaves the latest itself out.
    """

    key: MetricKey
    seconds: int
    statistic: Statistic
    is_before: bool = False
    is_between_ends: bool = False
    provisional: bool = False
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        points = minute.world.points[self.key]
        current = points.current(minute.at, self.provisional)
        if current is None:
            return None
        found = self._found(points, minute.at, current.as_of - self.seconds)
        values = np.array([point.value for point in found])
        return self.statistic(values[:-1] if self.is_before else values)

    def _found(self, points: Points, now: float, since: int) -> Sequence[Point]:
        if not self.seconds:
            return points.asof(now, self.provisional)
        window = points.window(now, since, self.provisional)
        if not self.is_between_ends:
            return [point for point in window if point.as_of >= since]
        first = min(range(len(window)), key=lambda place: abs(window[place].as_of - since), default=0)
        is_near = first < len(window) and abs(window[first].as_of - since) <= usual_step(window)
        return window[first:] if is_near else []


@dataclass(frozen=True, slots=True)
class SessionIndicator:
    """An indicator of the closes of sessions, of what is known by nothing else: an index, a stock."""

    key: MetricKey
    function: str
    arguments: tuple[float, ...]
    provisional: bool = False
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        points = minute.world.points[self.key]
        needed = candles_needed(self.function, self.arguments)
        closes = points.values(minute.at, needed, self.provisional)
        if points.current(minute.at, self.provisional) is None or len(closes) < needed:
            return None
        run = Columns(closes, closes, closes, closes, closes, np.arange(len(closes), dtype=np.float64), DAY)
        newest = float(compute(self.function, self.arguments, run)[-1]) if np.isfinite(closes).all() else nan
        return newest if isfinite(newest) else None


@dataclass(frozen=True, slots=True)
class Streak:
    """How many sessions in a row had the latest's sign; negative below zero."""

    key: MetricKey
    provisional: bool = False
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        points = minute.world.points[self.key]
        if points.current(minute.at, self.provisional) is None:
            return None
        values = points.values(minute.at, _LONGEST_STREAK + minute.back, self.provisional)
        return float(streak(values[: len(values) - minute.back]))


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
"""What joins two numbers, or two arrays of them."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Two values joined by arithmetic; a division by zero is unknown."""

    left: Value
    sign: str
    right: Value

    @property
    def is_live(self) -> bool:
        return self.left.is_live or self.right.is_live

    def read(self, minute: Minute) -> float | None:
        left, right = self.left.read(minute), self.right.read(minute)
        if left is None or right is None or (self.sign == "/" and right == 0):
            return None
        return float(OPERATORS[self.sign](left, right))


@dataclass(frozen=True, slots=True)
class Changed:
    """A value put through a function of one number (or of an array of them), such as its amount."""

    value: Value
    function: Callable[[Any], Any]

    @property
    def is_live(self) -> bool:
        return self.value.is_live

    def read(self, minute: Minute) -> float | None:
        value = self.value.read(minute)
        return None if value is None else float(self.function(value))


def currency_of(key: MetricKey) -> str:
    """Name the currency of a price: the quote of its instrument."""
    return key.instrument.partition("/")[2].partition(":")[0]


@dataclass(frozen=True, slots=True)
class Shifted:
    """A level moved by a share of itself, or by an amount."""

    value: Value
    share: float = 0.0
    amount: float = 0.0

    @property
    def is_live(self) -> bool:
        return self.value.is_live

    def read(self, minute: Minute) -> float | None:
        value = self.value.read(minute)
        return None if value is None else self.shifted(value)

    def shifted(self, value: Number) -> Number:
        """Move a figure, or an array of them."""
        return value + abs(value) * self.share + self.amount
