"""The board: where all armings stand, series by series, and whom prices of many series concern."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bot.engine.bands import Bands
from bot.engine.index import Move, ThresholdIndex
from bot.metrics import MetricKey, Print


class Board:
    """The index of each series that is read, behind the bands of all of them."""

    __slots__ = ("_bands", "_indexes")

    def __init__(self) -> None:
        self._bands = Bands()
        self._indexes: dict[MetricKey, ThresholdIndex] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._indexes

    def __getitem__(self, key: MetricKey) -> ThresholdIndex:
        return self._indexes[key]

    def move(self, key: MetricKey, moves: Sequence[Move]) -> None:
        """Move armings of a series; one that nobody reads any more is forgotten."""
        index = self._indexes.setdefault(key, ThresholdIndex())
        index.move(moves)
        if len(index):
            self._bands.set(key, index)
        else:
            del self._indexes[key]
            self._bands.leave(key)

    def concerned(self, reached: Mapping[MetricKey, tuple[float, float]]) -> Iterator[int]:
        """Name the armings that series may concern which went from a low to a high."""
        for key in self._bands.concerned([(key, *prices) for key, prices in reached.items()]):
            yield from self._indexes[key].concerned(*reached[key])

    def touched(self, prints: Sequence[Print]) -> Iterator[tuple[Print, set[int]]]:
        """Name the prints that may concern somebody, in their order, with whom."""
        if not prints:
            return
        values = np.array([one.value for one in prints])
        for place in self._bands.outside(self._bands.places(one.key for one in prints), values, values):
            one = prints[place]
            if found := set(self._indexes[one.key].concerned(one.value, one.value)):
                yield one, found
