"""The threshold index: which armings does a price concern?

Each arming that is at rest stands with, for each series it reads, the gap between two breaks in which the
price is: while the price stays strictly inside, no verdict of it changes. Per series the lower ends and the
upper ends of all gaps are two sorted arrays, and in front of them stands a band: the nearest ends on either
side. A price inside the band concerns nobody and costs two comparisons; else the armings concerned are one
slice of each array, O(log n + k). Placing and removing is one binary search and one memory move.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Gap(NamedTuple):
    """The open interval of prices in which an arming rests; an end may be infinite."""

    floor: float
    ceiling: float


EVERYWHERE = Gap(-math.inf, math.inf)
NOWHERE = Gap(math.inf, -math.inf)
"""The gap of an arming that is concerned by every price."""


def gap_around(price: float, breaks: tuple[float, ...]) -> Gap:
    """Find the gap between sorted breaks that holds a price; a price on a break has none but itself."""
    below, above = bisect_left(breaks, price), bisect_right(breaks, price)
    if below != above:
        return Gap(price, price)
    floor = breaks[below - 1] if below else -math.inf
    ceiling = breaks[above] if above < len(breaks) else math.inf
    return Gap(floor, ceiling)


class ThresholdIndex:
    """The armings of one series, by the gaps in which they rest."""

    __slots__ = ("_ceilings", "_floors", "_gaps", "_restless")

    def __init__(self) -> None:
        self._floors = _Ends()
        self._ceilings = _Ends()
        self._gaps: dict[int, Gap] = {}
        self._restless: set[int] = set()

    def __len__(self) -> int:
        return len(self._gaps)

    def place(self, arming: int, gap: Gap) -> None:
        """Put an arming to rest in a gap, wherever it stood before."""
        if self._gaps.get(arming) == gap:
            return
        self.remove(arming)
        self._gaps[arming] = gap
        if gap == NOWHERE:
            self._restless.add(arming)
            return
        if gap.floor > -math.inf:
            self._floors.add(gap.floor, arming)
        if gap.ceiling < math.inf:
            self._ceilings.add(gap.ceiling, arming)

    def remove(self, arming: int) -> None:
        """Forget an arming, if it is known."""
        gap = self._gaps.pop(arming, None)
        if gap is None:
            return
        if gap == NOWHERE:
            self._restless.discard(arming)
            return
        if gap.floor > -math.inf:
            self._floors.remove(gap.floor, arming)
        if gap.ceiling < math.inf:
            self._ceilings.remove(gap.ceiling, arming)

    @property
    def armings(self) -> Iterable[int]:
        """All armings that stand here, wherever."""
        return self._gaps.keys()

    @property
    def is_restless(self) -> bool:
        """Whether some arming is concerned by every price."""
        return bool(self._restless)

    def is_concerning(self, low: float, high: float) -> bool:
        """Whether prices from ``low`` to ``high`` may concern anybody."""
        return self.is_restless or low <= self._floors.highest or high >= self._ceilings.lowest

    @property
    def band(self) -> Gap:
        """The nearest ends of all gaps: a price strictly inside concerns no arming at rest."""
        return Gap(self._floors.highest, self._ceilings.lowest)

    def concerned(self, low: float, high: float) -> Iterator[int]:
        """Name the armings that prices from ``low`` to ``high`` may concern; one may come twice."""
        yield from self._restless
        if low <= self._floors.highest:
            yield from self._floors.at_least(low)
        if high >= self._ceilings.lowest:
            yield from self._ceilings.at_most(high)


class _Ends:
    """Ends of gaps in ascending order, and beside them, the armings that own them."""

    __slots__ = ("armings", "prices")

    def __init__(self) -> None:
        self.prices = array("d")
        self.armings = array("q")

    @property
    def lowest(self) -> float:
        return self.prices[0] if self.prices else math.inf

    @property
    def highest(self) -> float:
        return self.prices[-1] if self.prices else -math.inf

    def add(self, price: float, arming: int) -> None:
        place = bisect_right(self.prices, price)
        self.prices.insert(place, price)
        self.armings.insert(place, arming)

    def remove(self, price: float, arming: int) -> None:
        first, last = bisect_left(self.prices, price), bisect_right(self.prices, price)
        place = self.armings.index(arming, first, last)
        del self.prices[place]
        del self.armings[place]

    def at_least(self, price: float) -> array[int]:
        return self.armings[bisect_left(self.prices, price) :]

    def at_most(self, price: float) -> array[int]:
        return self.armings[: bisect_right(self.prices, price)]
