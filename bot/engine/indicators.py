"""Indicators of closed candles, by TA-Lib.

Every indicator here is causal: its value at a candle depends on that candle and earlier ones. A value is
always made of the same number of candles, ``candles_needed``, so that it is the same to the last bit whether
candles came one by one, in a batch after an outage, or from a file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.engine.candles import Columns
from bot.engine.sessions import DAY
from bot.metrics import MINUTE

Arguments = tuple[float, ...]
Floats = NDArray[np.float64]

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


def compute(function: str, arguments: Sequence[float], columns: Columns) -> Floats:
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
    _checked(function, arguments)
    if not len(columns.closes):
        return np.empty(0)
    reckoning = reckon(function, tuple(arguments))
    values = reckoning.lines(columns, len(columns.closes))[reckoning.line]
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


class Reckoning(NamedTuple):
    """How one indicator is reckoned: one of the lines that one ``call`` of the library gives.

    ``needed`` candles make its newest value. ``lines`` gives all lines over the last so many candles of a
    run; two indicators with the same ``call`` are lines of one.
    """

    needed: int
    call: Hashable
    lines: Callable[[Columns, int], Sequence[Floats]]
    line: int = 0

    def newest(self, run: Columns) -> float:
        """Give the indicator at the last candle of a run, made of no more than it needs."""
        return float(self.lines(run, self.needed)[self.line][-1])


@lru_cache(maxsize=4096)
def reckon(function: str, arguments: Arguments, span: int = MINUTE) -> Reckoning:
    """Say how an indicator is reckoned. Raises ValueError as ``compute`` does."""
    import talib

    period, width = _checked(function, arguments)
    needed = candles_needed(function, arguments, span)

    def sma(run: Columns, count: int) -> Sequence[Floats]:
        return (talib.SMA(run.closes[-count:], period),)

    def ema(run: Columns, count: int) -> Sequence[Floats]:
        return (talib.EMA(run.closes[-count:], period),)

    def rsi(run: Columns, count: int) -> Sequence[Floats]:
        closes = run.closes[-count:]
        values = talib.RSI(closes if closes[-1] >= 1 else closes * _unit(closes), period)
        if len(closes) == 1 or closes[0] == closes[1]:
            values[: _flat(closes)] = np.nan  # TA-Lib says 0 here: the strongest fall, where nothing fell
        return (values,)

    def atr(run: Columns, count: int) -> Sequence[Floats]:
        return (talib.ATR(run.highs[-count:], run.lows[-count:], run.closes[-count:], period),)

    def macd(run: Columns, count: int) -> Sequence[Floats]:
        lines: Sequence[Floats] = talib.MACD(run.closes[-count:], FAST, SLOW, SIGNAL)
        return lines

    def bands(run: Columns, count: int) -> Sequence[Floats]:
        closes = run.closes[-count:]
        if closes[-1] >= 1:
            lines: Sequence[Floats] = talib.BBANDS(closes, period, width, width)
            return lines
        unit = _unit(closes)
        return [line / unit for line in talib.BBANDS(closes * unit, period, width, width)]

    def vwap(run: Columns, count: int) -> Sequence[Floats]:
        return (_vwap(run.tail(count)),)

    calls: dict[str, tuple[Callable[[Columns, int], Sequence[Floats]], int]] = {
        "sma": (sma, 0),
        "ema": (ema, 0),
        "rsi": (rsi, 0),
        "atr": (atr, 0),
        "macd": (macd, 0),
        "macd_signal": (macd, 1),
        "bb_upper": (bands, 0),
        "bb_lower": (bands, 2),
        "vwap": (vwap, 0),
    }
    lines, line = calls[function]
    return Reckoning(needed, (lines.__name__, arguments), lines, line)


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


def _unit(closes: Floats) -> float:
    """Give a power of two that brings prices below 1 near it, which changes no digit of a result.

    TA-Lib takes variances and average moves below 1e-14 for zero: the bands of a coin at 0.00001 would close.
    """
    return math.ldexp(1.0, -math.frexp(closes[-1])[1])


def _flat(closes: Floats) -> int:
    """Count the closes before the first that differs from the first of all."""
    differs = closes != closes[0]
    first = int(differs.argmax())
    return first if differs[first] else len(closes)


def _vwap(columns: Columns) -> Floats:
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
