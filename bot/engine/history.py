"""History of a metric whose values come now and then: what was known of it, and when.

A value belongs to an instant or a session (``as_of``), becomes known later (``known_at``), and may be
corrected. Everything is asked as of an instant ``now``: a fold over the past sees what was known then.

Only the newest instant or session is corrected at once. The ones before it are read as they stood when it
became known, so that a word about one of them moves nothing before the next session, which counts it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from bot.engine.news import SILENCE, SILENCE_OF_DAYS
from bot.engine.sessions import DAY, Calendar, day_of, midnight_of

Floats = NDArray[np.float64]

_LATE_AGAINST = 8
"""How many of the newest values tell how often they come."""

_STEPS = 3


@dataclass(frozen=True, slots=True)
class Point:
    """One word about a metric's value.

    ``as_of`` is what it is about, in epoch seconds: an instant, or the UTC midnight that begins a session's
    date. ``known_at`` is the instant of its arrival. ``revision`` counts the words about one ``as_of`` from 0
    and decides between two that arrive together. A value that is not final may still be filled up.
    """

    as_of: int
    known_at: float
    value: float
    is_final: bool = True
    revision: int = 0


def _arrival(point: Point) -> tuple[float, int, int]:
    return point.known_at, point.as_of, point.revision


def _recency(point: Point) -> tuple[float, int]:
    return point.known_at, point.revision


class Points:
    """What is known of one metric; nothing that was said is ever changed, only added to.

    With a ``calendar``, values belong to sessions: ``as_of`` is taken to its UTC midnight, and a word about a
    day that is no session is none (tables print zeros on holidays). A value stands only until the next one is
    overdue: by the calendar, else when nothing came for six hours, of values by day for four days, or for
    three times their shortest step of late where that is longer. One that ``lasts`` stands until the next.
    Where ``provisional`` is not asked for, values that are not final are not seen.
    """

    __slots__ = ("_about", "_as_ofs", "_calendar", "_frozen_at", "_lasts", "_log")

    def __init__(
        self, points: Iterable[Point] = (), calendar: Calendar | None = None, *, lasts: bool = False
    ) -> None:
        self._calendar = calendar
        self._lasts = lasts
        self._frozen_at: float | None = None
        self._log: list[Point] = []
        self._as_ofs: list[int] = []
        self._about: dict[int, list[Point]] = {}
        self.put(points)

    def __len__(self) -> int:
        return len(self._log)

    def emptied(self) -> Points:
        """Give the same kind of history, of which nothing is known."""
        return Points(calendar=self._calendar, lasts=self._lasts)

    # --- what comes in --------------------------------------------------------------------------------------

    def put(self, points: Iterable[Point]) -> None:
        """Note what was said, in any order; what is known already is skipped."""
        for point in points:
            self._put(point)

    def forget(self, before: int) -> None:
        """Drop what is about instants or sessions before an instant, but keep the newest of all.

        It waits until a quarter of all can go, for the rest is copied.
        """
        stop = min(bisect_left(self._as_ofs, before), len(self._as_ofs) - 1)
        if stop <= 0 or 4 * stop < len(self._as_ofs):
            return
        for as_of in self._as_ofs[:stop]:
            del self._about[as_of]
        del self._as_ofs[:stop]
        self._log = [point for point in self._log if point.as_of in self._about]

    # --- what is asked --------------------------------------------------------------------------------------

    def arrivals(self, since: float, until: float) -> list[Point]:
        """List what becomes known in ``[since, until)``, in that order: the instants to judge at."""
        first = bisect_left(self._log, since, key=attrgetter("known_at"))
        stop = bisect_left(self._log, until, key=attrgetter("known_at"))
        return self._log[first:stop]

    def asof(self, now: float, provisional: bool = False) -> list[Point]:
        """Give the words that stand at ``now``, one about each instant or session, rising by ``as_of``.

        That is the latest about the newest, and of those before it the latest when that one became known.
        """
        return list(self._backwards(now, provisional))[::-1]

    def latest(self, now: float, provisional: bool = False) -> Point | None:
        """Give what is known at ``now`` about the newest instant or session, overdue or not."""
        return next(self._backwards(now, provisional), None)

    def current(self, now: float, provisional: bool = False) -> Point | None:
        """Give the value that stands at ``now``: the latest, and none once the next one is overdue."""
        overdue = self.overdue_at(now, provisional)
        return self.latest(now, provisional) if overdue is None or now < overdue else None

    def overdue_at(self, now: float, provisional: bool = False) -> int | None:
        """Give the instant from which the value that is the latest at ``now`` stands no longer, if any."""
        latest = self.latest(now, provisional)
        if latest is None:
            return None
        if self._calendar is not None:
            return self._calendar.overdue_at(day_of(latest.as_of))
        if self._lasts:
            return None
        stands = SILENCE if latest.as_of % DAY else DAY + SILENCE_OF_DAYS
        if now >= latest.as_of + stands:  # it is late, unless that is how it comes
            newest = [point.as_of for point in islice(self._backwards(now, provisional), _LATE_AGAINST)]
            steps = [later - earlier for later, earlier in pairwise(newest)]
            stands = max(stands, _STEPS * min(steps, default=0))
        return latest.as_of + stands

    def values(self, now: float, count: int, provisional: bool = False) -> Floats:
        """Give the last ``count`` values known at ``now``, oldest first (float64; fewer if fewer are known).

        With a calendar these are of the last ``count`` sessions up to that of the latest value; a session of
        which nothing is known is NaN.
        """
        found: list[float] = []
        newer: Point | None = None
        for point in self._backwards(now, provisional):
            if self._calendar and newer:
                between = self._calendar.sessions_between(day_of(point.as_of), day_of(newer.as_of))
                found.extend([math.nan] * (len(between) - 2))
            if len(found) >= count:
                break
            found.append(point.value)
            newer = point
        return np.array(found[:count][::-1], dtype=np.float64)

    def window(self, now: float, since: int, provisional: bool = False) -> list[Point]:
        """Give the words known at ``now`` of a window that begins at ``since``, oldest first.

        The last one before it, if any, stands first: what is not before ``since`` are the others. There are
        none while history does not reach back to the window's start. It does where something is known of that
        instant or before; and where the first word comes no later after it than the first session, or, where
        values belong to no sessions, than one usual step (see ``usual_step``).
        """
        found: list[Point] = []
        for point in self._backwards(now, provisional):
            found.append(point)
            if point.as_of < since:
                break
        found.reverse()
        if not found:
            return []
        if self._calendar:
            is_reached = found[0].as_of <= midnight_of(self._calendar.next_session(day_of(since - 1)))
        else:
            is_reached = found[0].as_of <= since + usual_step(found)
        return found if is_reached else []

    # --- what was said of one session -----------------------------------------------------------------------

    def frozen(self, known_at: float) -> Points:
        """Look at the same history as it stood at an instant, whatever is asked later of it.

        A value that was not overdue where it is asked for stands, however late it was said.
        """
        view = Points(calendar=self._calendar, lasts=self._lasts)
        view._log, view._as_ofs, view._about = self._log, self._as_ofs, self._about
        view._frozen_at = known_at
        return view

    def said_of(self, as_of: int, until: float, provisional: bool = False) -> list[Point]:
        """List what was said of an instant or session up to an instant, in that order."""
        about = self._about.get(as_of, ())
        return [point for point in about if point.known_at <= until and (provisional or point.is_final)]

    def newest_until(self, as_of: int, now: float, provisional: bool = False) -> float:
        """Give the last instant up to ``now`` before which nothing newer than ``as_of`` became known."""
        newer = self._as_ofs[bisect_right(self._as_ofs, as_of) :]
        firsts = (self.said_of(one, now, provisional)[:1] for one in newer)
        known = min((first.known_at for (first,) in filter(None, firsts)), default=math.inf)
        return min(now, math.nextafter(known, -math.inf))

    # --- how it is kept -------------------------------------------------------------------------------------

    def _put(self, point: Point) -> None:
        as_of = point.as_of
        if self._calendar:
            day = day_of(as_of)
            if not self._calendar.is_session(day):
                return
            as_of = midnight_of(day)
            if as_of != point.as_of:
                point = Point(as_of, point.known_at, point.value, point.is_final, point.revision)
        about = self._about.get(as_of)
        if about is None:
            about = self._about[as_of] = []
            insort(self._as_ofs, as_of)
        if point not in about:
            insort(about, point, key=_recency)
            insort(self._log, point, key=_arrival)

    def _backwards(self, now: float, provisional: bool) -> Iterator[Point]:
        until = now if self._frozen_at is None else self._frozen_at
        is_newest = True
        for as_of in reversed(self._as_ofs):
            about = self._about[as_of]
            known = about[: bisect_right(about, until, key=attrgetter("known_at"))]
            found = next((point for point in reversed(known) if provisional or point.is_final), None)
            if found is None:
                continue
            if is_newest:
                until = next(point.known_at for point in known if provisional or point.is_final)
                is_newest = False
            yield found


def usual_step(points: Sequence[Point]) -> float:
    """Give the usual distance in seconds of some rising points: the median, 0 where there are not two."""
    return float(np.median(np.diff([point.as_of for point in points]))) if len(points) > 1 else 0.0


def streak(values: Floats) -> int:
    """Count the newest sessions in a row with the latest's sign, and give that sign: -3 is three below zero.

    ``values`` rise in time, one a session, NaN where a session's value is missing. A true zero breaks a
    streak, and is none itself. A missing value neither breaks it nor counts: as an unknown minute does to
    ``for``, it leaves the count as it was.
    """
    known = values[~np.isnan(values)]
    if not len(known) or known[-1] == 0:
        return 0
    sign = 1 if known[-1] > 0 else -1
    others = np.flatnonzero(known * sign <= 0)
    return sign * int(len(known) if not len(others) else len(known) - 1 - others[-1])
