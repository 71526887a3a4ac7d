"""Compile the values of a rule, and sum up what reading them needs."""

from __future__ import annotations

import operator
from collections.abc import Iterable

from bot.engine import measures
from bot.engine.indicators import candles_needed
from bot.engine.sessions import DAY, XNYS, Calendar
from bot.engine.trails import Frames
from bot.engine.values import (
    CandleField,
    Changed,
    Constant,
    Floats,
    Indicator,
    Joined,
    Metric,
    MetricWindow,
    Price,
    SessionIndicator,
    SessionWindow,
    Statistic,
    Streak,
    Value,
)
from bot.engine.windows import (
    MINUTES_REACH,
    Correlation,
    DailyCloses,
    DailyValues,
    DayVolume,
    Extreme,
    LiveWindow,
    PastWindow,
    grain,
)
from bot.metrics import MINUTE, MetricKey
from bot.rules import tree
from bot.rules.functions import FUNCTIONS
from bot.rules.parts import values_within
from bot.rules.tree import Duration, Instrument, Number, Percent
from bot.rules.windows import FIELDS, frames_in, ground_of, is_metric, step_of

_ALL_DAYS = 5000
_STATISTICS: dict[str, Statistic] = {
    "change": measures.change,
    "delta": measures.delta,
    "average": measures.average,
    "drawdown": measures.drawdown,
    "zscore": measures.zscore,
    "highest": measures.highest,
    "lowest": measures.lowest,
}
_EXTREMES = (measures.highest, measures.lowest)
"""Those that leave the present minute, or the newest candle or value, out."""

_BETWEEN_ENDS = (measures.change, measures.delta)
"""Those that need the candle or session before the window too: a day's change is from the close before it."""

_WITH_SESSIONS = frozenset(name for name, function in FUNCTIONS.items() if function.has_sessions)


def metric_key(of: tree.Call | Instrument) -> MetricKey:
    """Name the series of a metric, or of the settled closes of an index or a stock."""
    if isinstance(of, Instrument):
        return MetricKey("price", of.symbol)
    return MetricKey(of.function, ", ".join(map(str, of.arguments)))


def calendar_of(of: tree.Call | Instrument) -> Calendar | None:
    """Give the sessions to which a metric's values belong, if they belong to any."""
    if isinstance(of, Instrument) or of.function in _WITH_SESSIONS:
        return XNYS
    return None


def key_of(instrument: Instrument) -> MetricKey:
    """Name the series of a qualified instrument's price."""
    return MetricKey("price", instrument.symbol, instrument.venue)


class Terms:
    """The values of one compilation, and the running sums of what they need."""

    def __init__(self, provisional: bool) -> None:
        self.provisional = provisional
        self.spans: dict[MetricKey, dict[int, int]] = {}
        self.calendars: dict[MetricKey, Calendar | None] = {}
        self.is_restless = False
        self.is_live = False
        self.lookback = 0
        self._reach = 0

    def value(self, value: tree.Value) -> Value:
        """Compile a value. Raises ValueError for what nobody provides."""
        match value:
            case Number(value=number) | Percent(value=number):
                return Constant(float(number))
            case Instrument() if is_metric(value):
                return Metric(self._metric(value), self.provisional)
            case Instrument():
                self.is_live = True
                return Price(self._key(value))
            case tree.Arithmetic(left=left, op=sign, right=right):
                return Joined(self.value(left), sign, self.value(right))
            case tree.Negative(value=part):
                return Changed(self.value(part), operator.neg)
            case tree.Call(function=name, arguments=arguments):
                return self._call(name, arguments)
            case _:
                raise ValueError(f"{value} is not filled in")

    def _call(self, name: str, arguments: tuple[tree.Argument, ...]) -> Value:
        match arguments:
            case (Instrument() as instrument,) if name == "price":
                return self.value(instrument)
            case (Instrument() as instrument,) if name == "volume_24h":
                self.is_live = self.is_restless = True
                self.lookback = max(self.lookback, DAY)
                return DayVolume(self._key(instrument))
            case (Instrument() as one, Instrument() as other) if name == "spread":
                return Changed(Joined(self.value(one), "/", self.value(other)), _excess)
            case (Instrument() as instrument, *numbers, Duration() as frame) if FUNCTIONS[name].is_of_candles:
                return self._candle(name, instrument, numbers, frame.seconds)
            case (part,) if name == "abs":
                return Changed(self.value(_as_value(part)), abs)
            case (one, other, Duration() as window) if name == "corr":
                days = window.seconds // DAY
                left, right = (self._days(_as_value(side), days) for side in (one, other))
                return Correlation(left, right, days)
            case (tree.Call() | Instrument() as of,) if name == "streak" and is_metric(of):
                return Streak(self._metric(of), self.provisional)
            case (of, window) if name in _STATISTICS:
                seconds = window.seconds if isinstance(window, Duration) else 0
                return self.window(_as_value(of), seconds, _STATISTICS[name])
            case _ if FUNCTIONS[name].is_metric:
                return Metric(self._metric(tree.Call(name, arguments)), self.provisional)
            case _:
                raise ValueError(f"cannot judge {name}")

    def _candle(
        self, name: str, instrument: Instrument, numbers: Iterable[tree.Argument], frame: int
    ) -> Value:
        arguments = tuple(float(one.value) for one in numbers if isinstance(one, Number))
        if is_metric(instrument):
            key = self._metric(instrument)
            if name in FIELDS:
                return Metric(key, self.provisional)
            return SessionIndicator(key, name, arguments, self.provisional)
        key = self._key(instrument)
        if name in FIELDS:
            self._need(key, frame, 1)
            return CandleField(key, frame, name)
        self._need(key, frame, candles_needed(name, arguments, frame))
        return Indicator(key, frame, name, arguments)

    # --- windows ------------------------------------------------------------------------------------------

    def window(self, of: tree.Value, seconds: int, statistic: Statistic) -> Value:
        """Compile a figure of a window of so many seconds; 0 is as far back as there is something."""
        match ground_of(of):
            case "metric" if isinstance(of, tree.Call | Instrument):
                return self._metric_window(of, seconds, statistic)
            case "prices" if isinstance(of, Instrument) and statistic in _EXTREMES:
                return self._extreme(of, seconds, is_high=statistic is measures.highest)
            case "prices":
                return self._live_window(of, seconds, statistic)
            case "candles":
                return self._past_window(of, seconds, statistic)
            case _:
                raise ValueError(f"cannot look back over {of}")

    def _extreme(self, of: Instrument, seconds: int, is_high: bool) -> Value:
        key = self._key(of)
        self.is_live = self.is_restless = True
        if 0 < seconds <= MINUTES_REACH:
            self.lookback = max(self.lookback, seconds)
        else:
            self.lookback = max(self.lookback, DAY)
            self._need(key, DAY, seconds // DAY + 1 if seconds else _ALL_DAYS)
        return Extreme(key, is_high, seconds)

    def _live_window(self, of: tree.Value, seconds: int, statistic: Statistic) -> LiveWindow:
        value, keys = self.value(of), self._keys(of)
        self.is_live = self.is_restless = True
        step = grain(seconds)
        if step == MINUTE:
            self.lookback = max(self.lookback, seconds)
        else:
            for key in keys:
                self._need(key, step, seconds // step)
        return LiveWindow(value, keys, seconds, statistic, is_before=statistic in _EXTREMES)

    def _past_window(self, of: tree.Value, seconds: int, statistic: Statistic) -> PastWindow:
        step = step_of(of).seconds
        is_before = statistic in _EXTREMES
        count = seconds // step + (statistic in _BETWEEN_ENDS)
        before = self._reach
        self._reach += (count + is_before) * step if seconds else _ALL_DAYS * DAY
        value = self.value(of)
        self._reach = before
        frames: Frames = tuple(sorted((key_of(one), frame.seconds) for one, frame in frames_in(of)))
        return PastWindow(value, frames, step, count, statistic, is_before)

    def _days(self, of: tree.Value, days: int) -> DailyCloses | DailyValues:
        if isinstance(of, tree.Call | Instrument) and is_metric(of):
            return DailyValues(self._metric(of), self.provisional)
        is_live = self.is_live
        value, keys = self.value(of), self._keys(of)
        self.is_live = is_live
        for key in keys:
            self._need(key, DAY, 2 * days)
        return DailyCloses(value, keys)

    def _metric_window(self, of: tree.Call | Instrument, seconds: int, statistic: Statistic) -> Value:
        key, is_before = self._metric(of), statistic in _EXTREMES
        is_between_ends = statistic in _BETWEEN_ENDS
        if self.calendars[key] is None or is_before:  # these are asked for by time
            return MetricWindow(key, seconds, statistic, is_before, is_between_ends, self.provisional)
        return SessionWindow(key, max(1, seconds // DAY) + is_between_ends, statistic, self.provisional)

    def _metric(self, of: tree.Call | Instrument) -> MetricKey:
        key = metric_key(of)
        self.calendars[key] = calendar_of(of)
        self.spans.setdefault(key, {})
        return key

    def _key(self, instrument: Instrument) -> MetricKey:
        key = key_of(instrument)
        self.spans.setdefault(key, {})
        return key

    def _keys(self, of: tree.Value) -> tuple[MetricKey, ...]:
        """Name the prices that a value is made of, each once."""
        found = (self._key(part) for part in values_within(of) if isinstance(part, Instrument))
        return tuple(dict.fromkeys(found))

    def _need(self, key: MetricKey, span: int, count: int) -> None:
        count += -(-self._reach // span)
        self.spans[key][span] = max(self.spans[key].get(span, 0), count)


def _excess(share: Floats) -> Floats:
    return (share - 1) * 100


def _as_value(argument: tree.Argument) -> tree.Value:
    if isinstance(argument, Duration | tree.Word):
        raise ValueError(f"{argument} is no value")
    return argument
