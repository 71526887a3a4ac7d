"""Bitcoin from 10 to 29 November 2025, as the largest spot exchange saw it, day by day.

The figures are of the real market, rounded to the dollar: each day's open, high, low and close, and the hour
(UTC) in which its high and its low fell. Between them the path runs straight, and comes near an extreme only
in its own hour.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from bot.metrics import MINUTE, Bar

SYMBOL = "btc/usdt"


class Day(NamedTuple):
    """One day's prices, and the hours of its high and its low."""

    open: int
    high: int
    low: int
    close: int
    high_hour: int
    low_hour: int


FIRST_DAY = datetime(2025, 11, 10, tzinfo=UTC)
DAYS = (
    Day(104723, 106670, 104265, 106011, 1, 0),
    Day(106011, 107500, 102476, 103059, 1, 21),
    Day(103059, 105333, 100814, 101654, 12, 19),
    Day(101654, 104085, 98000, 99692, 7, 20),
    Day(99692, 99866, 94012, 94594, 2, 23),
    Day(94594, 96847, 94558, 95596, 3, 0),
    Day(95596, 96635, 93006, 94261, 9, 22),
    Day(94261, 96043, 91220, 92215, 14, 22),
    Day(92215, 93836, 89254, 92961, 16, 4),
    Day(92961, 92980, 88608, 91555, 0, 20),
    Day(91555, 93160, 86100, 86637, 5, 19),
    Day(86637, 87499, 80600, 85129, 0, 12),
    Day(85129, 85620, 83500, 84740, 0, 10),
    Day(84740, 88128, 84668, 86830, 22, 0),
    Day(86830, 89228, 85272, 88300, 20, 14),
    Day(88300, 88520, 86116, 87370, 4, 14),
    Day(87370, 90656, 86307, 90484, 22, 12),
    Day(90484, 91950, 90090, 91334, 2, 0),
    Day(91334, 93092, 90181, 90891, 14, 17),
    Day(90891, 91166, 90155, 90802, 16, 18),
)

_NEAR = 0.15
"""How much of the way to an extreme is left when its hour begins."""


class Turn(NamedTuple):
    """A price that the path runs through at an instant."""

    at: float
    price: float


def turns() -> list[Turn]:
    """Give the path's turning points, rising in time."""
    path = [Turn(FIRST_DAY.timestamp(), DAYS[0].open)]
    for number, day in enumerate(DAYS):
        midnight = (FIRST_DAY + timedelta(days=number)).timestamp()
        for hour, price in sorted([(day.high_hour, day.high), (day.low_hour, day.low)]):
            begins = midnight + hour * 3600
            if begins > path[-1].at:
                path.append(Turn(begins, price + _NEAR * (path[-1].price - price)))
            path.append(Turn(begins + 1800, price))
        path.append(Turn(midnight + 86400, day.close))
    return path


class November:
    """The path of those days, as prices and as minutes."""

    def __init__(self) -> None:
        self._turns = turns()
        self._ats = [turn.at for turn in self._turns]

    @property
    def start(self) -> float:
        """The first instant."""
        return self._ats[0]

    @property
    def end(self) -> float:
        """The instant after the last."""
        return self._ats[-1]

    def price(self, symbol: str, at: float) -> float:
        """Give the price at an instant; before the first and after the last it stands still."""
        place = bisect_right(self._ats, at)
        if place in (0, len(self._turns)):
            return self._turns[min(place, len(self._turns) - 1)].price
        before, after = self._turns[place - 1], self._turns[place]
        share = (at - before.at) / (after.at - before.at)
        return round(before.price + share * (after.price - before.price), 2)

    def bar(self, symbol: str, minute: int, until: float) -> Bar | None:
        """Give the minute that opens at ``minute`` as it stood at ``until``; ``None`` before it opened."""
        if until <= minute or minute < self.start:
            return None
        end = min(float(minute + MINUTE), until)
        first, last = bisect_right(self._ats, minute), bisect_right(self._ats, end)
        prices = [
            self.price(symbol, minute),
            *(turn.price for turn in self._turns[first:last]),
            self.price(symbol, end),
        ]
        return Bar(minute, prices[0], max(prices), min(prices), prices[-1], volume=10.0)
