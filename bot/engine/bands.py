"""The bands of many series side by side: which series does a snapshot of prices concern at all?

Of each series stands here the interval of prices in which nobody who reads it has to be looked at. All of
them are two arrays, so that a whole snapshot costs one comparison of arrays, whatever the number of alerts:
O(series), a few microseconds for thousands. Only the index of what comes out of it is asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from bot.engine.index import NOWHERE, ThresholdIndex
from bot.metrics import MetricKey

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


class Bands:
    """The bands of the series that are read; each has a place in the arrays."""

    __slots__ = ("_ceilings", "_floors", "_indexes", "_places", "_spare")

    def __init__(self) -> None:
        self._floors: Floats = np.full(16, -math.inf)
        self._ceilings: Floats = np.full(16, math.inf)
        self._places: dict[MetricKey, int] = {}
        self._indexes: list[ThresholdIndex] = []
        self._spare: list[int] = []

    def set(self, key: MetricKey, index: ThresholdIndex) -> None:
        """Take over where the armings of a series stand now."""
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._spare.pop() if self._spare else len(self._indexes)
            if place == len(self._indexes):
                self._indexes.append(index)
            if place == len(self._floors):
                self._floors = np.concatenate((self._floors, np.full(place, -math.inf)))
                self._ceilings = np.concatenate((self._ceilings, np.full(place, math.inf)))
        self._indexes[place] = index
        self._floors[place], self._ceilings[place] = NOWHERE if index.is_restless else index.band

    def leave(self, key: MetricKey) -> None:
        """Let a series go."""
        if (place := self._places.pop(key, None)) is not None:
            self._spare.append(place)

    def places(self, keys: Iterable[MetricKey]) -> Places:
        """Give the places of series that are read, for whoever asks of the same ones again and again."""
        return np.fromiter((self._places[key] for key in keys), np.intp)

    def concerned(self, places: Places, lows: Floats, highs: Floats) -> list[tuple[int, Iterable[int]]]:
        """Name the armings that prices from ``lows`` to ``highs`` may concern in the series at some places.

        Gives which of ``places`` a series is, and armings; the same series may come several times.
        """
        indexes = self._indexes
        below = np.flatnonzero(lows <= self._floors[places])
        above = np.flatnonzero(highs >= self._ceilings[places])
        found: list[tuple[int, Iterable[int]]] = [
            (one, run) for one, place, low in _rows(below, places, lows) for run in indexes[place].below(low)
        ]
        found += [(one, indexes[place].above(high)) for one, place, high in _rows(above, places, highs)]
        return found


def _rows(which: Places, places: Places, prices: Floats) -> Iterator[tuple[int, int, float]]:
    return zip(which.tolist(), places[which].tolist(), prices[which].tolist(), strict=True)
