"""A path of prices that a test sets as it goes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from bot.metrics import MINUTE, Bar
from bot.ports import Clock


class Ticks:
    """Prices that stand until the next is set; each is a trade at the instant at which it was set."""

    def __init__(self, clock: Clock, price: float) -> None:
        self._clock = clock
        self._ats = [float("-inf")]
        self._prices = [price]

    def set(self, *prices: float) -> None:
        """Trade at these prices now, one after the other."""
        for price in prices:
            self._ats.append(self._clock.now())
            self._prices.append(price)

    def price(self, symbol: str, at: float) -> float:
        """Give the last price at an instant."""
        return self._prices[bisect_right(self._ats, at) - 1]

    def between(self, since: float, until: float) -> list[float]:
        """Give the prices of the trades in ``[since, until)``."""
        return self._prices[bisect_left(self._ats, since) : bisect_left(self._ats, until)]

    def bar(self, symbol: str, minute: int, until: float) -> Bar | None:
        """Give the minute that opens at ``minute`` as it stood at ``until``."""
        if until <= minute:
            return None
        end = min(until, minute + MINUTE - 0.001)
        first, last = bisect_right(self._ats, minute), bisect_right(self._ats, end)
        prices = [self.price(symbol, minute), *self._prices[first:last]]
        return Bar(minute, prices[0], max(prices), min(prices), prices[-1], float(len(prices)))
