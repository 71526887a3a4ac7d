"""Markets of random walks: four trades a minute for each symbol, drawn at once, and quick to look up.

Trades are booked some seconds late, as on real exchanges: an answer shows only what was booked by then. A
*wick* is garbage that one exchange alone shows; a *crash* is a jump that all of them show.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bot.metrics import MINUTE, Bar, minute_of
from tests.wire.exchanges import Trades

_DAY = 86_400
_GARBAGE = 2
"""The place in a minute of the trade that a wick replaces."""


@dataclass(slots=True)
class Walk:
    """One symbol on one exchange from ``start`` on: the trades of each minute, at ``offsets`` in it.

    ``quiet`` minutes have none. ``wicks`` are the minutes in which the third is garbage, ``crashes`` those in
    which the price jumps.
    """

    start: int
    offsets: tuple[float, ...]
    trades: NDArray[np.float64]
    quiet: frozenset[int] = frozenset()
    wicks: frozenset[int] = frozenset()
    crashes: frozenset[int] = frozenset()
    _rows: list[list[float]] = field(init=False)
    _highs: NDArray[np.float64] = field(init=False)
    _lows: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self._rows = self.trades.tolist()
        self._highs, self._lows = self.trades.max(axis=1), self.trades.min(axis=1)
        for minute in sorted(self.quiet):
            place = self._place(minute)
            close = self._rows[place - 1][-1]
            self._rows[place] = [close] * len(self.offsets)
            self._highs[place] = self._lows[place] = close

    def _place(self, minute: int) -> int:
        return (minute - self.start) // MINUTE

    def bar(self, minute: int, until: float = 60.0) -> Bar | None:
        """Give the candle of a minute by what was booked in its first ``until`` seconds."""
        if minute in self.quiet or minute < self.start:
            return None
        row = self._rows[self._place(minute)][: bisect_right(self.offsets, until)]
        return Bar(minute, row[0], max(row), min(row), row[-1], float(len(row))) if row else None

    def price(self, at: float) -> float:
        """Give the price of the last trade at or before an instant."""
        minute = minute_of(at)
        count = bisect_right(self.offsets, at - minute)
        return (
            self._rows[self._place(minute)][count - 1] if count else self._rows[self._place(minute) - 1][-1]
        )

    def day(self, at: float) -> tuple[float, float]:
        """Give the lowest and the highest price of the 24 hours before an instant."""
        last = minute_of(at)
        first, stop = max(1, self._place(minute_of(at - _DAY)) + 1), self._place(last)
        edge = self._rows[stop][: bisect_right(self.offsets, at - last)] or self._rows[stop - 1][-1:]
        if first >= stop:
            return min(edge), max(edge)
        low, high = float(self._lows[first:stop].min()), float(self._highs[first:stop].max())
        return min(low, *edge), max(high, *edge)

    def settled_at(self, crash: int) -> int:
        """Give the last minute in which a jump may be doubted: a level that is traded at for long is none."""
        minute, traded = crash, 0
        while traded < 4:
            traded += minute not in self.quiet
            minute += MINUTE
        return minute

    def honest(self, minute: int) -> Bar:
        """Give a minute without its garbage, flat at the price before where nothing was traded."""
        row = self._rows[self._place(minute)]
        if minute in self.wicks:
            row = row[:_GARBAGE] + row[_GARBAGE + 1 :]
        return Bar(minute, row[0], max(row), min(row), row[-1])

    def after(self, at: float, price: float, shows_last: bool = False, over: float = 0.0) -> Bar:
        """Give what was traded in a minute after an instant of it, at which the price was this.

        Who comes in only then ``shows_last`` what was traded there last before. What was traded in the first
        ``over`` seconds of the next minute may be taken for this one's, which closes as it did.
        """
        minute = minute_of(at)
        first = bisect_right(self.offsets, at - minute) - shows_last
        row = [price, *self._rows[self._place(minute)][max(0, first) :]]
        shown = row + self._rows[self._place(minute) + 1][: bisect_right(self.offsets, over)]
        return Bar(minute, price, max(shown), min(shown), row[-1])

    def whole(self, minute: int) -> Bar:
        """Give a minute with its garbage."""
        row = self._rows[self._place(minute)]
        return Bar(minute, row[0], max(row), min(row), row[-1])


class Walks(Trades):
    """What one exchange shows of its walks by ``now``; trades are booked ``lag`` seconds late.

    The extremes of a day are ``day_lag`` seconds old.
    """

    def __init__(
        self, walks: Mapping[str, Walk], now: Callable[[], float], lag: float = 0.0, day_lag: float = 0.0
    ) -> None:
        super().__init__()
        self.walks = walks
        self._now = now
        self._lag = lag
        self._day_lag = day_lag

    def price(self, symbol: str, at: float) -> float:
        """Give the last price that was booked."""
        return self.walks[symbol].price(min(at, self._now() - self._lag))

    def bar(self, symbol: str, minute: int, until: float) -> Bar | None:
        """Give the candle of a minute by what was booked."""
        return self.walks[symbol].bar(minute, self._now() - self._lag - minute)

    def day(self, symbol: str, now: float) -> tuple[float, float]:
        """Give the extremes of a day, as they were reckoned last."""
        return self.walks[symbol].day(now - max(self._lag, self._day_lag))

    def book(self, symbol: str, count: int) -> tuple[list[float], list[float]]:
        """Give the best prices bid and asked: nobody quotes at garbage."""
        price = self.walks[symbol].honest(minute_of(self._now() - self._lag)).open
        steps = [(place + 0.5) / 10_000 for place in range(count)]
        return [price * (1 - step) for step in steps], [price * (1 + step) for step in steps]


def walk(draw: np.random.Generator, minutes: int, around: float, sigma: float) -> NDArray[np.float64]:
    """Draw the trades of so many minutes: a walk of closes, and what is traded between two of them."""
    closes = np.cumsum(draw.normal(0, sigma, minutes))
    before = np.concatenate(([0.0], closes[:-1]))
    between = before + draw.random((3, minutes)) * (closes - before)
    inner = between + draw.normal(0, sigma, (3, minutes))
    inner[0] = before + draw.normal(0, sigma / 4, minutes)
    return np.vstack((inner, closes)).T + np.log(around)
