"""Whether a stream tells what looks see: only that shows a dead subscription from a quiet market. Pure."""

from __future__ import annotations

from collections.abc import Collection

from bot.metrics import MetricKey, Print


class Hearing:
    """Since when a look saw each price move of which the stream has told nothing.

    A market that stays unheard on a new connection too is let be: the others must not lose their stream over
    it again and again.
    """

    def __init__(self) -> None:
        self._looked: dict[MetricKey, float] = {}
        self._moved: dict[MetricKey, float] = {}
        self._given_up: set[MetricKey] = set()

    def begin(self) -> None:
        """Forget what the last connection missed."""
        self._moved = {}

    def keep(self, keys: Collection[MetricKey]) -> None:
        """Forget all but these."""
        self._looked = {key: price for key, price in self._looked.items() if key in keys}
        self._moved = {key: at for key, at in self._moved.items() if key in keys}
        self._given_up &= set(keys)

    def note_looked(self, one: Print, now: float) -> None:
        """Take in what a look saw at ``now``."""
        if self._looked.get(one.key, one.value) != one.value:
            self._moved.setdefault(one.key, now)
        self._looked[one.key] = one.value

    def note_heard(self, key: MetricKey) -> None:
        """Take in that the stream told of a series."""
        self._moved.pop(key, None)
        self._given_up.discard(key)

    def missed(self, before: float) -> set[MetricKey]:
        """Name, once, the series that moved before an instant and were not heard since."""
        missed = {key for key, at in self._moved.items() if at <= before} - self._given_up
        self._given_up |= missed
        return missed
