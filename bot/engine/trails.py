"""Trails: the values of closed candles as they were at past closes, each read once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping

import numpy as np
from numpy.typing import NDArray

from bot.engine.candles import Candles
from bot.metrics import MetricKey

Frames = tuple[tuple[MetricKey, int], ...]
"""The candles that a value is made of: each series with their length in seconds."""

_MOST_TRAILS = 4096


class Trails:
    """What values were at the closes of their candles, shared by all rules that look back over them.

    Closed candles never repaint, so what was known once stays, until candles come in elsewhere than at the
    end; what was unknown is read again. Of so many trails as were asked for last the values are kept.
    ``readings`` counts what was read.
    """

    __slots__ = ("_trails", "readings")

    def __init__(self) -> None:
        self._trails: OrderedDict[Hashable, _Trail] = OrderedDict()
        self.readings = 0

    def values(
        self,
        name: Hashable,
        frames: Mapping[tuple[MetricKey, int], Candles],
        closes: range,
        read: Callable[[int], float | None],
    ) -> NDArray[np.float64] | None:
        """Give what a value was at some closes, the oldest first, or ``None`` if one of them is unknown.

        ``frames`` are the candles that it is made of; ``read`` gives it as of an instant, or ``None``.
        """
        editions = tuple(candles.edition for candles in frames.values())
        trail = self._trails.get(name)
        if trail is None or trail.editions != editions:
            trail = self._trails[name] = _Trail(editions, frozenset(key for key, _ in frames))
            if len(self._trails) > _MOST_TRAILS:
                self._trails.popitem(last=False)
        self._trails.move_to_end(name)
        for at in closes:
            if at not in trail.values:
                self.readings += 1
                found = read(at)
                if found is None:
                    return None
                trail.values[at] = found
        values = np.array([trail.values[at] for at in closes], dtype=np.float64)
        trail.trim(len(closes))
        return values

    def forget(self, key: MetricKey) -> None:
        """Let the values go that are made of a key which nobody reads any more."""
        for name in [name for name, trail in self._trails.items() if key in trail.keys]:
            del self._trails[name]


class _Trail:
    """What one value was, by the close at which it was that."""

    __slots__ = ("editions", "keys", "most", "values")

    def __init__(self, editions: tuple[object, ...], keys: frozenset[MetricKey]) -> None:
        self.editions = editions
        self.keys = keys
        self.most = 0
        self.values: dict[int, float] = {}

    def trim(self, asked: int) -> None:
        """Keep the newest, as many as the longest window asks for."""
        self.most = max(self.most, asked)
        if len(self.values) > 2 * self.most + 64:
            self.values = {at: self.values[at] for at in sorted(self.values)[-self.most :]}
