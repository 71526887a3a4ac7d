"""What of a metric's past may be let go: no rule, window, streak or correction can read it any more. Pure.

Two things go. A word that another replaced: as of any instant from ``KEPT`` ago on, it is read no more, and
neither is it by a ring that may still be taken back. And what lies further back than any window of the
language reaches. The final word about each session stays as long as that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from bot.engine.news import reach_of
from bot.engine.sessions import DAY, Calendar, day_of
from bot.metrics import MetricKey, Observation

KEPT = 120 * DAY
"""How long every word is kept, in seconds: for tests of a rule on the past, and times that it must hold."""

_SLACK = 30 * DAY
"""Beyond the reach: providers give some days more than they were asked for, which would come and go."""


@dataclass(frozen=True, slots=True)
class Floor:
    """The newest instant or session of a series at some instant, and when the first was said of it."""

    as_of: int
    known_at: float


def oldest_read(key: MetricKey, now: int) -> int:
    """Give the first instant of which anything said may still be read at ``now``."""
    return now - reach_of(key) - _SLACK


def floor_of(words: Iterable[Observation], cut: float, calendar: Calendar | None = None) -> Floor | None:
    """Find what bounds the words that are read from an instant on; ``None`` where nothing was known then.

    A reader of what is final and one of all look at different words; the floor is below both. Words about
    days that are no sessions of the ``calendar`` are read by nobody.
    """
    known = [
        word
        for word in words
        if word.known_at <= cut and (calendar is None or calendar.is_session(day_of(word.as_of)))
    ]
    floors = []
    for seen in (known, [word for word in known if word.is_final]):
        if seen:
            newest = max(word.as_of for word in seen)
            floors.append(Floor(newest, min(word.known_at for word in seen if word.as_of == newest)))
    if not floors:
        return None
    return Floor(min(one.as_of for one in floors), min(one.known_at for one in floors))


def replaced(words: Sequence[Observation], floor: Floor, resting: Collection[int] = ()) -> list[Observation]:
    """List the words of one series that others replaced before the floor; sessions that rings rest on stay.

    What was final is replaced by what is final alone: an unfinished word does not move who reads final ones.
    """
    found: list[Observation] = []
    ordered = sorted(words, key=lambda word: (word.as_of, word.known_at, word.revision))
    for as_of, about in groupby(ordered, key=attrgetter("as_of")):
        if as_of >= floor.as_of or as_of in resting:
            continue
        later = list(about)
        for place, word in enumerate(later):
            others = (one for one in later[place + 1 :] if one.known_at <= floor.known_at)
            if any(one.is_final or not word.is_final for one in others):
                found.append(word)
    return found
