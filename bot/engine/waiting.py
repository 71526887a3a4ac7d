"""Who waits: a rule of several series is judged no further than the slowest of them, for a while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bot.metrics import MINUTE

PATIENCE = 10 * MINUTE
"""How long, in seconds, a rule of several series waits for the slowest before it is unknown to it."""


class Waiting:
    """The armings that are behind the end of one of their series, and since when they wait for another."""

    __slots__ = ("_behind", "_since")

    def __init__(self) -> None:
        self._behind: dict[int, int] = {}
        self._since: dict[int, int] = {}

    def __iter__(self) -> Iterator[int]:
        return iter(self._behind)

    def __contains__(self, arming: object) -> bool:
        return arming in self._behind

    def put(self, arming: int, cursor: int) -> None:
        """Note that an arming begins behind others of its series."""
        self._behind[arming] = cursor

    def cursor(self, arming: int, default: int) -> int:
        """Give the first minute that an arming has not judged, if it is behind."""
        return self._behind.get(arming, default)

    def ready(self, arming: int, reached: Sequence[int], seen_to: int) -> int:
        """Find how far an arming can be judged: to where all its series are, or patience is at an end."""
        if seen_to - self._since.get(arming, seen_to) < PATIENCE:
            return min(reached)
        return max(min(reached), max(reached) - PATIENCE)

    def apply(self, cursors: Mapping[int, int | None], seen_to: int) -> None:
        """Take over where armings are now; ``None`` is who waits no more."""
        for arming, cursor in cursors.items():
            if cursor is None:
                self.remove(arming)
            else:
                self._behind[arming] = cursor
                self._since.setdefault(arming, seen_to)

    def remove(self, arming: int) -> None:
        """Let an arming go."""
        self._behind.pop(arming, None)
        self._since.pop(arming, None)

    def after(self, cursors: Mapping[int, int | None]) -> dict[int, int]:
        """Give where those will be who are behind, once some cursors are taken over."""
        known = {**self._behind, **cursors}
        return {arming: cursor for arming, cursor in known.items() if cursor is not None}
