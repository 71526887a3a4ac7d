"""Compile the values of a rule, and sum up what reading them needs."""

from __future__ import annotations

import operator
from collections.abc import Iterable

from bot.engine import measures
from bot.engine.indicators import candles_needed
from bot.engine.sessions import XNYS, Calendar
from bot.engine.values import (
    COLUMNS,
    DAY,
    MINUTES_REACH,
    CandleField,
    Changed,
    Constant,
    Correlation,
    DayVolume,
    Extreme,
    Floats,
    Indicator,
    Joined,
    LiveWindow,
    Metric,
    MetricWindow,
    PastExtreme,
    PastWindow,
    Price,
    SharedDays,
    Statistic,
    Streak,
    Value,
    grain,
)
from bot.metrics import MINUTE, MetricKey
from bot.rules import tree
from bot.rules.functions import FUNCTIONS
from bot.rules.tree import Duration, Instrument, Number, Percent
from bot.rules.units import is_bare_macro

_ALL_DAYS = 5000
_INDICATORS = frozenset(["sma", "ema", "rsi", "atr", "macd", "macd_signal", "bb_upper", "bb_lower", "vwap"])
_STATISTICS: dict[str, Statistic] = {
    "change": measures.change,
    "delta": measures.delta,
    "average": measures.average,
    "drawdown": measures.drawdown,
    "zscore": measures.zscore,
}
_BETWEEN_ENDS = (measures.change, measures.delta)
"""Those that need the candle or session before the window too: a day's change is from the close before it."""

METRICS = frozenset(name for name, function in FUNCTIONS.items() if function.is_metric)
"""The functions whose values come now and then, from a provider."""

_WITH_SESSIONS = frozenset(name for name, function in FUNCTIONS.items() if function.has_sessions)


def is_metric(value: tree.Value) -> bool:
    """Whether a value's figures come from a provider: a metric, or the close of an index or a stock."""
    match value:
        case Instrument():
            return is_bare_macro(value)
        case tree.Call(function=name):
            return name in METRICS
        case _:
            return False


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
                ratio = Joined(self.value(one), "/", self.value(other))
                return Changed(ratio, lambda share: (share - 1) * 100)
            case (Instrument() as instrument, Duration() as frame) if name in COLUMNS:
                return self._candle(instrument, frame, name)
            case (part,) if name == "abs":
                return Changed(self.value(_as_value(part)), abs)
            case (Instrument() as one, Instrument() as other, Duration() as window) if name == "corr":
                days = window.seconds // DAY
                return Correlation(self._days(one, days), self._days(other, days), days)
            case (tree.Call() | Instrument() as of,) if name == "streak" and is_metric(of):
                return Streak(self._metric(of), self.provisional)
            case (of, window) if name in ("highest", "lowest"):
                return self._extreme(_as_value(of), window, is_high=name == "highest")
            case (of, Duration() as window) if name in _STATISTICS:
                return self._window(_as_value(of), window.seconds, _STATISTICS[name])
            case (Instrument() as instrument, *numbers, Duration() as frame) if name in _INDICATORS:
                return self._indicator(name, instrument, numbers, frame)
            case _ if name in METRICS:
                return Metric(self._metric(tree.Call(name, arguments)), self.provisional)
            case _:
                raise ValueError(f"cannot judge {name}")

    def _days(self, instrument: Instrument, days: int) -> SharedDays:
        if is_metric(instrument):
            return SharedDays(self._metric(instrument), is_metric=True)
        key = self._key(instrument)
        self._need(key, DAY, 2 * days)
        return SharedDays(key, is_metric=False)

    def _candle(self, instrument: Instrument, frame: Duration, column: str, count: int = 1) -> CandleField:
        key = self._key(instrument)
        self._need(key, frame.seconds, count)
        return CandleField(key, frame.seconds, column)

    def _indicator(
        self, name: str, instrument: Instrument, numbers: Iterable[tree.Argument], frame: Duration
    ) -> Value:
        arguments = tuple(float(one.value) for one in numbers if isinstance(one, Number))
        key = self._key(instrument)
        self._need(key, frame.seconds, candles_needed(name, arguments, frame.seconds))
        return Indicator(key, frame.seconds, name, arguments)

    def _extreme(self, of: tree.Value, window: tree.Argument, is_high: bool) -> Value:
        seconds = window.seconds if isinstance(window, Duration) else 0
        match of:
            case tree.Call() | Instrument() if is_metric(of):
                best: Statistic = _highest if is_high else _lowest
                return self._metric_window(of, seconds or _ALL_DAYS * DAY, best, is_before=True)
            case Instrument():
                key = self._key(of)
                self.is_restless = True
                if 0 < seconds <= MINUTES_REACH:
                    self.lookback = max(self.lookback, seconds)
                else:
                    self.lookback = max(self.lookback, DAY)
                    self._need(key, DAY, seconds // DAY + 1 if seconds else _ALL_DAYS)
                return Extreme(key, is_high, seconds)
            case tree.Call(function=column, arguments=(Instrument() as instrument, Duration() as frame)) if (
                column in COLUMNS
            ):
                count = seconds // frame.seconds if seconds else _ALL_DAYS
                return PastExtreme(self._candle(instrument, frame, column, count + 1), is_high, count)
            case _:
                raise ValueError(f"cannot look back over {of}")

    def _window(self, of: tree.Value, seconds: int, statistic: Statistic) -> Value:
        match of:
            case tree.Call() | Instrument() if is_metric(of):
                return self._metric_window(of, seconds, statistic)
            case Instrument():
                key = self._key(of)
                self.is_live = self.is_restless = True
                step = grain(seconds)
                if step == MINUTE:
                    self.lookback = max(self.lookback, seconds)
                else:
                    self._need(key, step, seconds // step)
                return LiveWindow(key, seconds, statistic)
            case tree.Call(function=column, arguments=(Instrument() as instrument, Duration() as frame)) if (
                column in COLUMNS
            ):
                count = max(1, seconds // frame.seconds) + (statistic in _BETWEEN_ENDS)
                return PastWindow(self._candle(instrument, frame, column, count), count, statistic)
            case _:
                raise ValueError(f"cannot look back over {of}")

    def _metric_window(
        self, of: tree.Call | Instrument, seconds: int, statistic: Statistic, is_before: bool = False
    ) -> Value:
        key = self._metric(of)
        has_sessions = self.calendars[key] is not None
        if is_before or not has_sessions:  # as far back as there is something
            return MetricWindow(key, 0, seconds, statistic, is_before, self.provisional)
        count = max(1, seconds // DAY) + (statistic in _BETWEEN_ENDS)
        return MetricWindow(key, count, 0, statistic, provisional=self.provisional)

    def _metric(self, of: tree.Call | Instrument) -> MetricKey:
        key = metric_key(of)
        self.calendars[key] = calendar_of(of)
        self.spans.setdefault(key, {})
        return key

    def _key(self, instrument: Instrument) -> MetricKey:
        key = key_of(instrument)
        self.spans.setdefault(key, {})
        return key

    def _need(self, key: MetricKey, span: int, count: int) -> None:
        self.spans[key][span] = max(self.spans[key].get(span, 0), count)


def _highest(values: Floats) -> float | None:
    return float(values.max()) if len(values) else None


def _lowest(values: Floats) -> float | None:
    return float(values.min()) if len(values) else None


def _as_value(argument: tree.Argument) -> tree.Value:
    if isinstance(argument, Duration | tree.Word):
        raise ValueError(f"{argument} is no value")
    return argument
