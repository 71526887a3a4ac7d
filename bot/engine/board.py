"""The board: where all armings stand, series by series, and whom prices of many series concern."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from bot.engine.bands import Bands
from bot.engine.index import Move, ThresholdIndex
from bot.metrics import MetricKey, Print


class Board:
    """The index of each series that is read, behind the bands of all of them."""

    __slots__ = ("_indexes", "bands")

    def __init__(self) -> None:
        self.bands = Bands()
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
            self.bands.set(key, index)
        else:
            del self._indexes[key]
            self.bands.leave(key)

    def fill(
        self, key: MetricKey, armings: Iterable[int], floors: Iterable[float], ceilings: Iterable[float]
    ) -> None:
        """Put many armings, none of which stands here, to rest in a series."""
        index = self._indexes.setdefault(key, ThresholdIndex())
        index.fill(armings, floors, ceilings)
        self.bands.set(key, index)

    def concerned(self, reached: Mapping[MetricKey, tuple[float, float]]) -> Iterator[int]:
        """Name the armings that series may concern which went from a low to a high."""
        if not reached:
            return
        prices = np.array(list(reached.values()))
        for _, armings in self.bands.concerned(self.bands.places(reached), prices[:, 0], prices[:, 1]):
            yield from armings

    def touched(self, prints: Sequence[Print]) -> Iterator[tuple[Print, list[int]]]:
        """Name the prints that may concern somebody, and whom, each in their order."""
        if not prints:
            return
        values = np.array([one.value for one in prints])
        places = self.bands.places(one.key for one in prints)
        found: dict[int, set[int]] = {}
        for which, armings in self.bands.concerned(places, values, values):
            found.setdefault(which, set()).update(armings)
        for which, concerned in sorted(found.items()):
            yield prints[which], sorted(concerned)
