"""The values of windows: extremes, and figures of the past of prices and of closed candles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from bot.engine import measures
from bot.engine.minute import Minute
from bot.engine.trails import Frames
from bot.engine.values import (
    OPERATORS,
    CandleField,
    Changed,
    Constant,
    Floats,
    Joined,
    Price,
    Statistic,
    Value,
)
from bot.metrics import MINUTE, MetricKey, opening_of

HOUR, DAY = 3600, 86400

MINUTES_REACH = 2 * DAY
"""Windows up to this many seconds are read from minutes, longer ones from candles."""

HOURS_REACH = 60 * DAY


def grain(window: int) -> int:
    """Choose the span of the bars from which a window of so many seconds is read."""
    if window <= MINUTES_REACH:
        return MINUTE
    return HOUR if window <= HOURS_REACH else DAY


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
class LiveWindow:
    """A figure of what is made of prices, over the closes of a window and this minute's.

    ``is_before`` leaves this minute out; the figure then stands still in it.
    """

    of: Value
    keys: tuple[MetricKey, ...]
    window: int
    statistic: Statistic
    is_before: bool = False

    @property
    def is_live(self) -> bool:
        return not self.is_before

    def read(self, minute: Minute) -> float | None:
        values = self.past(minute)
        if values is None:
            return None
        if not self.is_before:
            current = self.of.read(minute)
            if current is None:
                return None
            values = np.append(values, current)
        return self.statistic(values) if np.isfinite(values).all() else None

    def past(self, minute: Minute) -> Floats | None:
        """Give the values at the closes before a minute, finite or not, or ``None`` if one is unknown."""
        closes: dict[MetricKey, Floats] = {}
        for key in self.keys:
            known = _closes(minute, key, self.window)
            if known is None:
                return None
            closes[key] = known
        if len({len(known) for known in closes.values()}) > 1:
            return None
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return along(self.of, closes)


def _closes(minute: Minute, key: MetricKey, window: int) -> Floats | None:
    """Give the closes of the whole bars of a window before a minute, or ``None`` if one is not known."""
    step = grain(window)
    if step == MINUTE:
        return minute.closes(key, window)
    candles = minute.world.candles[key, step]
    if candles.last(minute.at) is None:
        return None
    closes: Floats = candles.columns(candles.asof(minute.at)).tail(window // step).closes
    return closes if len(closes) == window // step else None


def along(value: Value, closes: dict[MetricKey, Floats]) -> Floats:
    """Compute a value that is made of prices for each of their closes; not finite where it has none."""
    match value:
        case Constant(value=number):
            return np.full(len(next(iter(closes.values()))), number)
        case Price(key=key):
            return closes[key]
        case Joined(left=left, sign=sign, right=right):
            found: Floats = OPERATORS[sign](along(left, closes), along(right, closes))
            return found
        case Changed(value=part, function=function):
            changed: Floats = function(along(part, closes))
            return changed
        case _:
            raise TypeError(value)


@dataclass(frozen=True, slots=True)
class PastWindow:
    """A figure of what is made of closed candles, over the last ``count`` closes of the shortest of them.

    ``frames`` are those candles, ``step`` is the length of the shortest in seconds. ``count`` 0 takes all
    that are known of a field. ``is_before`` leaves the newest close out.
    """

    of: Value
    frames: Frames
    step: int
    count: int
    statistic: Statistic
    is_before: bool = False
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        close = opening_of(minute.at, self.step)
        figures = self._trail(self, range(close, close + 1), self._figure, minute)
        return None if figures is None else float(figures[0])

    def _figure(self, minute: Minute) -> float | None:
        if isinstance(self.of, CandleField) and not self.count:
            values = self.of.known(minute)
        else:
            close = opening_of(minute.at, self.step)
            first = close - (self.count - 1 + self.is_before) * self.step
            values = self._trail(self.of, range(first, close + 1, self.step), self.of.read, minute)
        if values is None:
            return None
        return self.statistic(values[:-1] if self.is_before else values)

    def _trail(
        self, value: Value, closes: range, read: Callable[[Minute], float | None], minute: Minute
    ) -> Floats | None:
        world = minute.world
        frames = {frame: world.candles[frame] for frame in self.frames}
        return world.trails.values(
            (value, self.step), frames, closes, lambda at: read(Minute(at, {}, world, span=0))
        )


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

    left: DailyCloses | DailyValues
    right: DailyCloses | DailyValues
    days: int
    is_live: bool = False

    def read(self, minute: Minute) -> float | None:
        left, right = measures.shared(*self.left.read(minute), *self.right.read(minute))
        if len(left) <= self.days:
            return None
        return measures.corr(left[-self.days - 1 :], right[-self.days - 1 :])


@dataclass(frozen=True, slots=True)
class DailyCloses:
    """What is made of prices at the close of each day, as far back as all of them are known."""

    of: Value
    keys: tuple[MetricKey, ...]

    def read(self, minute: Minute) -> tuple[Floats, Floats]:
        """Give the openings of the days and the closes, rising."""
        runs = {}
        for key in self.keys:
            candles = minute.world.candles[key, DAY]
            runs[key] = candles.columns(candles.asof(minute.at))
        ats: Floats = reduce(np.intersect1d, (run.ats for run in runs.values()))
        closes = {key: run.closes[np.isin(run.ats, ats)] for key, run in runs.items()}
        return ats, along(self.of, closes)


@dataclass(frozen=True, slots=True)
class DailyValues:
    """The values of a metric by the UTC day that they are of, of several the latest."""

    key: MetricKey
    provisional: bool = False

    def read(self, minute: Minute) -> tuple[Floats, Floats]:
        """Give the openings of the days and the values, rising."""
        points = minute.world.points[self.key].asof(minute.at, self.provisional)
        days = {point.as_of // DAY * DAY: point.value for point in points}
        return np.array([*days], dtype=np.float64), np.array([*days.values()], dtype=np.float64)
