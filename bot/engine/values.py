"""The values that a rule compares, each read from one minute.

A value *stands still* in a minute, or it is *live*. What stands still (a number, a closed candle and what is
made of closed candles, a metric, the extremes of earlier minutes) is known at the minute's opening; what is
live is read at its close. A bare price is the one live value that is known over the whole minute.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bot.engine import measures
from bot.engine.history import streak
from bot.engine.minute import Minute
from bot.metrics import MINUTE, MetricKey

DAY = 86400
HOUR = 3600
MINUTES_REACH = 2 * DAY
"""Windows up to this many seconds are read from minutes, longer ones from candles."""

HOURS_REACH = 60 * DAY

_LONGEST_STREAK = 500

Floats = NDArray[np.float64]


class Value(Protocol):
    """One value of a rule."""

    @property
    def is_live(self) -> bool:
        """Whether it moves within a minute."""

    def read(self, minute: Minute) -> float | None:
        """Give the value as of the minute (at its opening if it stands still), or ``None`` if unknown."""


def grain(window: int) -> int:
    """Choose the span of the bars from which a window of so many seconds is read."""
    if window <= MINUTES_REACH:
        return MINUTE
    return HOUR if window <= HOURS_REACH else DAY


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


COLUMNS = ("open", "high", "low", "close", "volume")


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

    def past(self, minute: Minute, count: int) -> Floats | None:
        """Give the field of the last ``count`` candles without a hole, or ``None`` if there are fewer."""
        candles = minute.world.candles[self.key, self.span]
        if candles.last(minute.at) is None:
            return None
        columns = candles.columns(candles.asof(minute.at)).tail(count)
        values: Floats = getattr(columns, f"{self.column}s")
        return values if len(values) == count else None


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
        shelf = minute.world.shelf
        return shelf.value(self.key, self.span, self.function, self.arguments, candles, minute.at)


@dataclass(frozen=True, slots=True)
class Extreme:
    """The highest or lowest price of a window before this minute; ``window`` 0 is as far back as days go."""

    key: MetricKey
    is_high: bool
    window: int
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        if 0 < self.window <= MINUTES_REACH:
            found = minute.before(self.key, self.window)
            if found is None or not found.is_whole:
                return None
            return found.high if self.is_high else found.low
        days = minute.world.candles[self.key, DAY]
        midnight = minute.at // DAY * DAY
        since = midnight - self.window if self.window else 0
        past = days.extremes(since, midnight)
        if past is None or (self.window and not past.is_whole):
            return None
        today = minute.before(self.key, minute.at - midnight)
        if today is None or not today.is_whole:
            return None if minute.at > midnight else (past.high if self.is_high else past.low)
        return max(past.high, today.high) if self.is_high else min(past.low, today.low)


@dataclass(frozen=True, slots=True)
class PastExtreme:
    """The highest or lowest of a value of closed candles in the candles before the newest."""

    of: CandleField
    is_high: bool
    count: int
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        values = self.of.past(minute, self.count + 1)
        if values is None:
            return None
        return float(values[:-1].max() if self.is_high else values[:-1].min())


Statistic = Callable[[Floats], float | None]
"""A figure of a window's values, rising in time, the newest last; ``None`` where it has none."""


@dataclass(frozen=True, slots=True)
class PastWindow:
    """A figure of the last ``count`` closed candles' values, the newest among them."""

    of: CandleField
    count: int
    statistic: Statistic
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        values = self.of.past(minute, self.count)
        return None if values is None else self.statistic(values)


@dataclass(frozen=True, slots=True)
class LiveWindow:
    """A figure of the closes of a window that ends with this minute's close."""

    key: MetricKey
    window: int
    statistic: Statistic
    is_live: bool = True

    def read(self, minute: Minute) -> float | None:
        bar = minute.bars.get(self.key)
        if bar is None:
            return None
        step = grain(self.window)
        if step == MINUTE:
            closes = minute.closes(self.key, self.window)
        else:
            candles = minute.world.candles[self.key, step]
            if candles.last(minute.at) is None:
                return None
            count = self.window // step
            past = candles.columns(candles.asof(minute.at)).tail(count).closes
            closes = past if len(past) == count else None
        return None if closes is None else self.statistic(np.append(closes, bar.close))


@dataclass(frozen=True, slots=True)
class DayVolume:
    """What was traded in the 24 hours up to this minute's close."""

    key: MetricKey
    is_live: bool = True

    def read(self, minute: Minute) -> float | None:
        bar = minute.bars.get(self.key)
        volumes = minute.volumes(self.key, DAY - minute.span)
        return None if bar is None or volumes is None else float(volumes.sum()) + bar.volume


@dataclass(frozen=True, slots=True)
class Correlation:
    """Pearson's correlation of the log returns of two series over their last shared closed days."""

    left: SharedDays
    right: SharedDays
    days: int
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        left, right = measures.shared(*self.left.read(minute), *self.right.read(minute))
        if len(left) <= self.days:
            return None
        return measures.corr(left[-self.days - 1 :], right[-self.days - 1 :])


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
class MetricWindow:
    """A figure of a metric's values in a window up to its latest.

    ``count`` counts sessions (or other single values); where it is 0, ``seconds`` says how far back of the
    latest a value may be. ``is_before`` leaves the latest itself out.
    """

    key: MetricKey
    count: int
    seconds: int
    statistic: Statistic
    is_before: bool = False
    provisional: bool = False
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        points = minute.world.points[self.key]
        current = points.current(minute.at, self.provisional)
        if current is None:
            return None
        if self.count:
            values = points.values(minute.at, self.count, self.provisional)
            if len(values) < self.count:
                return None
        else:
            past = points.since(minute.at, current.as_of - self.seconds, self.provisional)
            values = np.array([point.value for point in past])
        values = values[:-1] if self.is_before else values
        return self.statistic(values[~np.isnan(values)])


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
        return float(streak(points.values(minute.at, _LONGEST_STREAK, self.provisional)))


@dataclass(frozen=True, slots=True)
class SharedDays:
    """The closes of a series by the day that they are of: closed candles, or a metric's sessions."""

    key: MetricKey
    is_metric: bool

    def read(self, minute: Minute) -> tuple[Floats, Floats]:
        """Give the openings of the days and the closes, rising."""
        if self.is_metric:
            points = minute.world.points[self.key].asof(minute.at)
            ats = [float(point.as_of) for point in points]
            return np.array(ats), np.array([point.value for point in points])
        candles = minute.world.candles[self.key, DAY]
        columns = candles.columns(candles.asof(minute.at))
        return columns.ats, columns.closes


OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


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
        return OPERATORS[self.sign](left, right)


@dataclass(frozen=True, slots=True)
class Changed:
    """A value put through a function of one number, such as its amount."""

    value: Value
    function: Callable[[float], float]

    @property
    def is_live(self) -> bool:
        return self.value.is_live

    def read(self, minute: Minute) -> float | None:
        value = self.value.read(minute)
        return None if value is None else self.function(value)


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
        return None if value is None else value + abs(value) * self.share + self.amount
