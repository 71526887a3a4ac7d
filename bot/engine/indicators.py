"""Indicators of closed candles, by TA-Lib.

Every indicator here is causal: its value at a candle depends on that candle and earlier ones. A value is
always made of the same number of candles, ``candles_needed``, so that it is the same to the last bit whether
candles came one by one, in a batch after an outage, or from a file.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bot.engine.candles import Candles, Columns
from bot.engine.sessions import DAY
from bot.metrics import MINUTE, MetricKey

Arguments = tuple[float, ...]

FAST, SLOW, SIGNAL = 12, 26, 9
"""The periods of ``macd`` and ``macd_signal``."""

_EMA_RESIDUE = 1e-8
_WILDER_RESIDUE = 1e-12
_MACD_RESIDUE = 1e-14
"""What may be left of the start value in the newest one, as a share of it.

A millionth would do if prices stood still. The rest is room: for prices a hundredfold apart (ema),
for a market that became a million times quieter (rsi, atr), for two averages that nearly cancel (macd).
"""

_LEAST = {"sma": 1, "ema": 1, "rsi": 2, "atr": 1, "bb_upper": 2, "bb_lower": 2}
_COUNTS = {
    "sma": 1,
    "ema": 1,
    "rsi": 1,
    "atr": 1,
    "bb_upper": 2,
    "bb_lower": 2,
    "macd": 0,
    "macd_signal": 0,
    "vwap": 0,
}

_MOST_SHELVES = 4096
_MOST_VALUES = 1024


def compute(function: str, arguments: Sequence[float], columns: Columns) -> NDArray[np.float64]:
    """Give an indicator at each candle of a run, as an array (float64) that is NaN while it warms up.

    ============================ =============================================================================
    ``sma ema (n)``              averages of the closes; ema starts from the sma of the first n
    ``rsi (n)``                  Wilder's index, 0 to 100; NaN as long as no close differs from the first
    ``atr (n)``                  Wilder's average of true ranges, in the quote currency
    ``macd``, ``macd_signal``    ema(12) - ema(26) of the closes, and ema(9) of that, in the quote currency
    ``bb_upper bb_lower (n, k)`` sma(n) plus and minus k standard deviations (of the population)
    ``vwap``                     below a day: sum(typical * volume) / sum(volume) over the candles of the UTC
                                 day so far; NaN before the run's first midnight, and before the day's first
                                 trade. From a day on: the candle's typical price. Typical is (h + l + c) / 3.
    ============================ =============================================================================

    A market that stands still neither rose nor fell: it has no rsi, where TA-Lib says 0, the strongest fall.
    Raises ValueError for a function or for arguments that are none of these.
    """
    import talib

    period, width = _checked(function, arguments)
    closes = columns.closes
    if not len(closes):
        return np.empty(0)
    match function:
        case "sma":
            values = talib.SMA(closes, period)
        case "ema":
            values = talib.EMA(closes, period)
        case "rsi":
            values = talib.RSI(closes * _unit(closes), period)
            values[: _flat(closes)] = np.nan  # TA-Lib says 0 here: the strongest fall, where nothing fell
        case "atr":
            values = talib.ATR(columns.highs, columns.lows, closes, period)
        case "macd":
            values = talib.MACD(closes, FAST, SLOW, SIGNAL)[0]
        case "macd_signal":
            values = talib.MACD(closes, FAST, SLOW, SIGNAL)[1]
        case "bb_upper" | "bb_lower":
            unit = _unit(closes)
            bands = talib.BBANDS(closes * unit, period, width, width)
            values = bands[0 if function == "bb_upper" else 2] / unit
        case _:
            values = _vwap(columns)
    return np.asarray(values, dtype=np.float64)


def candles_needed(function: str, arguments: Sequence[float], span: int = MINUTE) -> int:
    """Say how many candles make the newest value equal to that of the full history, to 1e-6 of it.

    Windows need their length. Averages that fade need their start value to fade: (1 - a)^m of it is left
    after m candles, with a = 2/(n+1) for ema and 1/n for Wilder's. Only ``vwap`` asks for the time frame,
    ``span`` in seconds: it needs a day.
    Raises ValueError as ``compute`` does.
    """
    count, _ = _checked(function, arguments)
    match function:
        case "ema":
            return count + _fading(1 - 2 / (count + 1), _EMA_RESIDUE)
        case "rsi" | "atr":
            return count + 1 + _fading(1 - 1 / count, _WILDER_RESIDUE)
        case "macd" | "macd_signal":
            return SLOW + SIGNAL - 1 + _fading(1 - 2 / (SLOW + 1), _MACD_RESIDUE)
        case "vwap":
            return max(DAY // span, 1)
        case _:
            return count


class Shelf:
    """Indicator values, computed once per closed candle and shared by all rules that ask.

    It keeps the newest values of each (key, span, function, arguments), and of so many of those as were
    asked for last; what it let go is computed again. ``computations`` counts what was computed.
    """

    __slots__ = ("_shelves", "computations")

    def __init__(self) -> None:
        self._shelves: OrderedDict[tuple[MetricKey, int, str, Arguments], _Values] = OrderedDict()
        self.computations = 0

    def __len__(self) -> int:
        return len(self._shelves)

    def value(  # noqa: PLR0917  # the name of a value, where it comes from, and when
        self, key: MetricKey, span: int, function: str, arguments: Arguments, candles: Candles, at: float
    ) -> float | None:
        """Give the indicator of the candle that closed last at an instant, or ``None`` while it is unknown.

        Unknown is: that candle is a hole, the unbroken run up to it is shorter than ``candles_needed`` and
        not the full history (see ``Candles.begin_at``), or TA-Lib has no value yet.
        """
        name = (key, span, function, arguments)
        shelf = self._shelves.get(name)
        if shelf is None or shelf.edition is not candles.edition:
            shelf = self._shelves[name] = _Values(candles.edition, candles_needed(function, arguments, span))
            if len(self._shelves) > _MOST_SHELVES:
                self._shelves.popitem(last=False)
        self._shelves.move_to_end(name)
        end = candles.closed_at(at)
        if end is None:
            return None
        if end in shelf.values:
            return shelf.values[end]
        run = candles.columns(candles.asof(at))
        if len(run.ats) < shelf.needed and not candles.is_full(run):
            return None
        self.computations += 1
        newest = float(compute(function, arguments, run.tail(shelf.needed))[-1])
        value = newest if math.isfinite(newest) else None
        shelf.put(end, value)
        return value

    def forget(self, key: MetricKey) -> None:
        """Let the values of a key go that nobody reads any more."""
        for name in [name for name in self._shelves if name[0] == key]:
            del self._shelves[name]


class _Values:
    """The newest values of one indicator, by the instant at which their candle closed."""

    __slots__ = ("edition", "needed", "values")

    def __init__(self, edition: object, needed: int) -> None:
        self.edition = edition
        self.needed = needed
        self.values: OrderedDict[int, float | None] = OrderedDict()

    def put(self, end: int, value: float | None) -> None:
        self.values[end] = value
        if len(self.values) > _MOST_VALUES:
            self.values.popitem(last=False)


def _checked(function: str, arguments: Sequence[float]) -> tuple[int, float]:
    """Give the period and the width that the arguments name, 0 where there is none."""
    if len(arguments) != _COUNTS.get(function, -1):
        raise ValueError(f"{function}{tuple(arguments)} is no indicator")
    if not all(map(math.isfinite, arguments)):
        raise ValueError(f"{function} takes finite numbers")
    period, width = (*arguments, 0, 0)[:2]
    if period != int(period) or (arguments and period < _LEAST[function]):
        raise ValueError(f"{function} over {period} candles has no meaning")
    return int(period), float(width)


def _fading(left: float, residue: float) -> int:
    return math.ceil(math.log(residue) / math.log(left)) if left > 0 else 0


def _unit(closes: NDArray[np.float64]) -> float:
    """Give a power of two that brings the prices near 1, which changes no digit of a result.

    TA-Lib takes variances and average moves below 1e-14 for zero: the bands of a coin at 0.00001 would close.
    """
    return 2.0 ** -math.frexp(float(closes[-1]))[1]


def _flat(closes: NDArray[np.float64]) -> int:
    """Count the closes before the first that differs from the first of all."""
    differs = closes != closes[0]
    first = int(differs.argmax())
    return first if differs[first] else len(closes)


def _vwap(columns: Columns) -> NDArray[np.float64]:
    typical = (columns.highs + columns.lows + columns.closes) / 3
    if columns.span >= DAY:
        return typical
    values = np.full(len(typical), np.nan)
    midnights = np.flatnonzero(columns.ats % DAY == 0).tolist()
    for start, stop in pairwise([*midnights, len(typical)]):
        volume = np.cumsum(columns.volumes[start:stop])
        worth = np.cumsum(typical[start:stop] * columns.volumes[start:stop])
        np.divide(worth, volume, out=values[start:stop], where=volume > 0)
    return values
