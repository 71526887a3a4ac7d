"""How often codes of links may be asked for and tried: by one person, and by all together."""

from __future__ import annotations

from collections import OrderedDict

from bot.alerts.people import Caller
from bot.pacing import Bucket, Rate

SECONDS = 600.0
"""How long a code holds."""

_CODES = _TRIES = 5
_TRIES_OF_ALL = 100
_MOST_KEPT = 10_000


class Guesses:
    """What one desk remembers of codes: so many of one person's in the time that one holds.

    A try counts before its code is looked at, and counts even if it is right. Held in memory: fifty bits are
    not found by whoever starts anew with each restart.
    """

    def __init__(self) -> None:
        self._codes: OrderedDict[str, Bucket] = OrderedDict()
        self._tries: OrderedDict[str, Bucket] = OrderedDict()
        self._of_all = Bucket(Rate(_TRIES_OF_ALL / SECONDS, _TRIES_OF_ALL))

    def ask(self, caller: Caller, now: float) -> float:
        """Count a code that is asked for; gives the instant from which one may be, where that is later."""
        return _take((_bucket(self._codes, caller, _CODES),), now)

    def guess(self, caller: Caller, now: float) -> float:
        """Count a code that is tried; gives the instant from which one may be, where that is later."""
        return _take((_bucket(self._tries, caller, _TRIES), self._of_all), now)


def _take(buckets: tuple[Bucket, ...], now: float) -> float:
    at = max(bucket.ready_at(now) for bucket in buckets)
    if at <= now:
        for bucket in buckets:
            bucket.take(now)
    return at


def _bucket(known: OrderedDict[str, Bucket], caller: Caller, most: int) -> Bucket:
    person = f"{caller.chat.platform}:{caller.person}"
    bucket = known.setdefault(person, Bucket(Rate(most / SECONDS, most)))
    known.move_to_end(person)
    if len(known) > _MOST_KEPT:
        known.popitem(last=False)
    return bucket
