"""How long the newest rings took: percentiles in bounded memory. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import ceil

KEPT = 1000


@dataclass(frozen=True, slots=True)
class Delay:
    """How many seconds the newest ``count`` rings of one way took: half of them at most ``p50``, all but one
    in a hundred at most ``p99``.
    """

    way: str
    count: int
    p50: float
    p99: float


class Delays:
    """The seconds that the newest rings took, by the way on which their price came."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._seconds: dict[str, deque[float]] = {}

    def note(self, way: str, seconds: float) -> None:
        """Take in one ring; the oldest of its way is forgotten where there are too many."""
        self._seconds.setdefault(way, deque(maxlen=self._kept)).append(max(0.0, seconds))

    def of(self, way: str) -> Delay | None:
        """Give the percentiles of one way; ``None`` while nothing rang on it."""
        ordered = sorted(self._seconds.get(way, ()))
        if not ordered:
            return None
        return Delay(way, len(ordered), _percentile(ordered, 0.5), _percentile(ordered, 0.99))

    def all(self) -> list[Delay]:
        """Give the percentiles of every way on which something rang, by its name."""
        return [delay for way in sorted(self._seconds) if (delay := self.of(way)) is not None]


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[ceil(share * len(ordered)) - 1]
