"""The board: where all armings stand, series by series, and whom a snapshot of prices concerns.

A series is of prices, or derived of their candles: to the board all values are prices. Of each series stands
here its index, and in front of all of them the bands, side by side in two arrays: the interval of prices in
which nobody who reads a series has to be looked at. So a whole snapshot costs one comparison of arrays,
whatever the number of alerts: O(series), a few microseconds for thousands. Only the index of what comes out
of it is asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bot.engine.index import NOWHERE, Gap, Move, ThresholdIndex
from bot.engine.shelf import Derived
from bot.metrics import MetricKey, Print

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Series = MetricKey | Derived


class Board:
    """The indexes of the series that are read, each at a place that it keeps while it is."""

    __slots__ = ("_ceilings", "_floors", "_indexes", "_places", "_spare")

    def __init__(self) -> None:
        self._floors: Floats = np.full(16, -math.inf)
        self._ceilings: Floats = np.full(16, math.inf)
        self._indexes: list[ThresholdIndex] = []
        self._places: dict[Series, int] = {}
        self._spare: list[int] = []

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __getitem__(self, key: Series) -> ThresholdIndex:
        return self._indexes[self._places[key]]

    def move(self, key: Series, moves: Sequence[Move]) -> None:
        """Move armings of a series; one that nobody reads any more is forgotten."""
        place = self._place(key)
        self._indexes[place].move(moves)
        self._bound(place)
        if not len(self._indexes[place]):
            self._spare.append(self._places.pop(key))

    def fill(
        self, key: MetricKey, armings: Iterable[int], floors: Iterable[float], ceilings: Iterable[float]
    ) -> None:
        """Put many armings, none of which stands here, to rest in a series."""
        place = self._place(key)
        self._indexes[place].fill(armings, floors, ceilings)
        self._bound(place)

    def places(self, keys: Iterable[Series]) -> Places:
        """Give the places of series that are read, for whoever asks of the same ones again and again."""
        return np.fromiter((self._places[key] for key in keys), np.intp)

    def snapshot(self, places: Places, lows: Floats, highs: Floats) -> list[tuple[int, Iterable[int]]]:
        """Name the armings that prices from ``lows`` to ``highs`` may concern in the series at some places.

        Gives which of ``places`` a series is, and armings; the same series may come several times.
        """
        (below,) = (lows <= self._floors.take(places)).nonzero()
        (above,) = (highs >= self._ceilings.take(places)).nonzero()
        if not (len(below) or len(above)):
            return []
        indexes = self._indexes
        found: list[tuple[int, Iterable[int]]] = [
            (one, run) for one, place, low in _rows(below, places, lows) for run in indexes[place].below(low)
        ]
        found += [(one, indexes[place].above(high)) for one, place, high in _rows(above, places, highs)]
        return found

    def concerned(self, reached: Mapping[MetricKey, tuple[float, float]]) -> Iterator[int]:
        """Name the armings that series may concern which went from a low to a high."""
        if not reached:
            return
        prices = np.array(list(reached.values()))
        for _, armings in self.snapshot(self.places(reached), prices[:, 0], prices[:, 1]):
            yield from armings

    def touched(
        self, prints: Sequence[Print], rests: Mapping[int, Mapping[Series, Gap]]
    ) -> Iterator[tuple[Print, list[int]]]:
        """Name the prints that may concern somebody, and whom, each in their order.

        ``rests`` are the gaps of those who will stand elsewhere by then: they are asked by these too.
        """
        values = np.array([one.value for one in prints])
        found: dict[int, set[int]] = {}
        for which, armings in self.snapshot(self.places(one.key for one in prints), values, values):
            found.setdefault(which, set()).update(armings)
        shown: dict[Series, list[int]] = {}
        for which, one in enumerate(prints):
            shown.setdefault(one.key, []).append(which)
        for arming, gaps in rests.items() if shown else ():
            for series, gap in gaps.items():
                for which in shown.get(series, ()):
                    if not gap.floor < prints[which].value < gap.ceiling:
                        found.setdefault(which, set()).add(arming)
        for which, concerned in sorted(found.items()):
            yield prints[which], sorted(concerned)

    def _place(self, key: Series) -> int:
        """Find the place of a series, or give it one."""
        if (known := self._places.get(key)) is not None:
            return known
        place = self._places[key] = self._spare.pop() if self._spare else len(self._indexes)
        if place == len(self._indexes):
            self._indexes.append(ThresholdIndex())  # who leaves a place leaves it empty
        if place == len(self._floors):
            self._floors = np.concatenate((self._floors, np.full(place, -math.inf)))
            self._ceilings = np.concatenate((self._ceilings, np.full(place, math.inf)))
        return place

    def _bound(self, place: int) -> None:
        """Note the band of a series as its armings stand now."""
        index = self._indexes[place]
        self._floors[place], self._ceilings[place] = NOWHERE if index.is_restless else index.band


def _rows(which: Places, places: Places, prices: Floats) -> Iterator[tuple[int, int, float]]:
    return zip(which.tolist(), places[which].tolist(), prices[which].tolist(), strict=True)
