"""The bands of many series side by side: which series does a snapshot of prices concern at all?

Of each series stands here the interval of prices in which nobody who reads it has to be looked at. All of
them are two arrays, so that a whole snapshot costs one comparison of arrays, whatever the number of alerts:
O(series), a few microseconds for thousands. Only what comes out of it is looked up in its index.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bot.engine.index import NOWHERE, ThresholdIndex
from bot.metrics import MetricKey

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


class Bands:
    """The bands of the series that are read; each has a place in the arrays."""

    __slots__ = ("_ceilings", "_floors", "_places", "_spare")

    def __init__(self) -> None:
        self._floors: Floats = np.full(16, -math.inf)
        self._ceilings: Floats = np.full(16, math.inf)
        self._places: dict[MetricKey, int] = {}
        self._spare: list[int] = []

    def set(self, key: MetricKey, index: ThresholdIndex) -> None:
        """Take over where the armings of a series stand now."""
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._spare.pop() if self._spare else len(self._places)
            if place == len(self._floors):
                self._floors = np.concatenate((self._floors, np.full(place, -math.inf)))
                self._ceilings = np.concatenate((self._ceilings, np.full(place, math.inf)))
        self._floors[place], self._ceilings[place] = NOWHERE if index.is_restless else index.band

    def leave(self, key: MetricKey) -> None:
        """Let a series go."""
        if (place := self._places.pop(key, None)) is not None:
            self._spare.append(place)

    def places(self, keys: Iterable[MetricKey]) -> Places:
        """Give the places of series that are read, for whoever asks of the same ones again and again."""
        return np.fromiter((self._places[key] for key in keys), np.intp)

    def outside(self, places: Places, lows: Floats, highs: Floats) -> list[int]:
        """Tell which of some series, by their order, prices from ``lows`` to ``highs`` may concern."""
        is_outside = (lows <= self._floors[places]) | (highs >= self._ceilings[places])
        found: list[int] = np.flatnonzero(is_outside).tolist()
        return found

    def concerned(self, reached: Sequence[tuple[MetricKey, float, float]]) -> list[MetricKey]:
        """Name the series that prices may concern which went from a low to a high."""
        if not reached:
            return []
        keys, lows, highs = zip(*reached, strict=True)
        return [keys[place] for place in self.outside(self.places(keys), np.array(lows), np.array(highs))]
