"""The threshold index: which armings does a price concern?

Each arming that is at rest stands with, for each series it reads, the gap between two breaks in which the
price is: while the price stays strictly inside, no verdict of it changes. Per series the lower ends and the
upper ends of all gaps are two sorted arrays, 16 bytes an end, and in front of them stands a band: the nearest
ends on either side. A price inside the band concerns nobody and costs two comparisons; else the armings
concerned are one run of each array: found in O(log n), however many they are. Placing and removing is one
binary search and one memory move; whoever moves many at once merges them in one pass.

An index does not know where an arming stands: whoever moves it says so.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np


class Gap(NamedTuple):
    """The open interval of prices in which an arming rests; an end may be infinite."""

    floor: float
    ceiling: float


EVERYWHERE = Gap(-math.inf, math.inf)
NOWHERE = Gap(math.inf, -math.inf)
"""The gap of an arming that is concerned by every price."""

_SEVERAL = 32
"""From so many moves on, one pass over all ends is quicker than a memory move for each."""


class Move(NamedTuple):
    """An arming comes from one gap into another; ``None`` is outside the index."""

    arming: int
    before: Gap | None
    after: Gap | None


class Run:
    """Armings that stand side by side: they are read off where they stand, while nobody moves."""

    __slots__ = ("_armings", "_first", "_last")

    def __init__(self, armings: array[int], first: int, last: int) -> None:
        self._armings, self._first, self._last = armings, first, last

    def __len__(self) -> int:
        return self._last - self._first

    def __iter__(self) -> Iterator[int]:
        return iter(self._armings[self._first : self._last])


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

    __slots__ = ("_ceilings", "_count", "_floors", "_idle", "_restless")

    def __init__(self) -> None:
        self._floors = _Ends()
        self._ceilings = _Ends()
        self._idle: set[int] = set()
        self._restless: set[int] = set()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def move(self, moves: Sequence[Move]) -> None:
        """Move armings, each at most once, from the gaps in which they stand into others."""
        moves = [move for move in moves if move.before != move.after]
        for arming, before, after in moves:
            self._count += (after is not None) - (before is not None)
            for gap, change in ((before, set.discard), (after, set.add)):
                if gap == NOWHERE:
                    change(self._restless, arming)
                elif gap == EVERYWHERE:
                    change(self._idle, arming)
        floors = [(arming, _floor(before), _floor(after)) for arming, before, after in moves]
        ceilings = [(arming, _ceiling(before), _ceiling(after)) for arming, before, after in moves]
        self._floors.move([one for one in floors if one[1] != one[2]])
        self._ceilings.move([one for one in ceilings if one[1] != one[2]])

    def fill(self, armings: Iterable[int], floors: Iterable[float], ceilings: Iterable[float]) -> None:
        """Put many armings, none of which stands here, to rest in gaps with one finite end at least."""
        known, low, high = (
            np.fromiter(some, kind) for some, kind in ((armings, "q"), (floors, "d"), (ceilings, "d"))
        )
        self._count += len(known)
        self._floors.merge(low[low > -math.inf], known[low > -math.inf])
        self._ceilings.merge(high[high < math.inf], known[high < math.inf])

    @property
    def armings(self) -> Iterator[int]:
        """All armings that stand here, wherever; who has two ends comes twice."""
        for some in (self._restless, self._idle, self._floors.armings, self._ceilings.armings):
            yield from some

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
        for run in (*self.below(low), self.above(high)):
            yield from run

    def below(self, low: float) -> tuple[Iterable[int], ...]:
        """Name the armings that a price down to ``low`` may concern, and all that every price does."""
        ends = self._floors
        run = Run(ends.armings, bisect_left(ends.prices, low), len(ends.armings))
        return (run, self._restless) if self._restless else (run,)

    def above(self, high: float) -> Run:
        """Name the armings that a price up to ``high`` may concern, without those that every price does."""
        ends = self._ceilings
        return Run(ends.armings, 0, bisect_right(ends.prices, high))


def _floor(gap: Gap | None) -> float | None:
    return gap.floor if gap is not None and gap != NOWHERE and gap.floor > -math.inf else None


def _ceiling(gap: Gap | None) -> float | None:
    return gap.ceiling if gap is not None and gap != NOWHERE and gap.ceiling < math.inf else None


class _Ends:
    """Ends of gaps in ascending order, and beside them, the armings that own them, ascending at one price."""

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

    def move(self, moves: Sequence[tuple[int, float | None, float | None]]) -> None:
        if len(moves) < _SEVERAL:
            for arming, before, after in moves:
                if before is not None:
                    place = self._place(before, arming)
                    del self.prices[place], self.armings[place]
                if after is not None:
                    place = self._place(after, arming)
                    self.prices.insert(place, after)
                    self.armings.insert(place, arming)
            return
        gone = [arming for arming, before, _ in moves if before is not None]
        if gone:
            stays = ~np.isin(np.frombuffer(self.armings, "q"), gone)
            self.prices = array("d", np.frombuffer(self.prices, "d")[stays].tobytes())
            self.armings = array("q", np.frombuffer(self.armings, "q")[stays].tobytes())
        come = [(after, arming) for arming, _, after in moves if after is not None]
        self.merge(np.array([price for price, _ in come], "d"), np.array([one for _, one in come], "q"))

    def merge(self, prices: np.ndarray, armings: np.ndarray) -> None:
        """Take in many ends at once."""
        if not len(prices):
            return
        prices = np.concatenate((np.frombuffer(self.prices, "d"), prices)) if self.prices else prices
        armings = np.concatenate((np.frombuffer(self.armings, "q"), armings)) if self.armings else armings
        order = np.lexsort((armings, prices))
        self.prices = array("d", prices[order].tobytes())
        self.armings = array("q", armings[order].tobytes())

    def _place(self, price: float, arming: int) -> int:
        """Find where an arming stands, or would, among those at one price."""
        first, last = bisect_left(self.prices, price), bisect_right(self.prices, price)
        return bisect_left(self.armings, arming, first, last)
