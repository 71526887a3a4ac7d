"""Sessions: the days on which a market counts, and the instant at which such a day is settled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

DAY = 86400
HOUR = 3600
_EPOCH = date(1970, 1, 1)
_ONE = timedelta(days=1)


def day_of(at: float) -> date:
    """Give the UTC day that holds an instant."""
    return _EPOCH + timedelta(days=int(at // DAY))


def midnight_of(day: date) -> int:
    """Give the instant at which a UTC day begins."""
    return (day - _EPOCH).days * DAY


@dataclass(frozen=True, slots=True)
class Calendar:
    """The sessions of a market, by their date there.

    ``market`` is an exchange's code (``XNYS``), or empty for a market that never rests: every UTC day. A
    session is settled ``settles_after`` seconds after the UTC midnight that begins its date, and a value that
    is not here ``grace`` seconds later is overdue.
    """

    market: str = ""
    settles_after: int = DAY
    grace: int = DAY

    def is_session(self, day: date) -> bool:
        """Whether the market is open on a day, for a part of it at least."""
        return not self.market or (day.weekday() < 5 and day not in _days_off(self.market, day.year))

    def is_half(self, day: date) -> bool:
        """Whether a day is a session that ends early."""
        if not self.market or not self.is_session(day):
            return False
        return day in _days_off(self.market, day.year, "half_day")

    def previous_session(self, day: date) -> date:
        """Give the last session before a day."""
        day -= _ONE
        while not self.is_session(day):
            day -= _ONE
        return day

    def next_session(self, day: date) -> date:
        """Give the first session after a day."""
        day += _ONE
        while not self.is_session(day):
            day += _ONE
        return day

    def sessions_between(self, first: date, last: date) -> list[date]:
        """List the sessions from ``first`` to ``last``, both included."""
        return list(self._sessions(first, last))

    def settles_at(self, session: date) -> int:
        """Give the instant from which a session's value may be called settled."""
        return midnight_of(session) + self.settles_after

    def latest_settled(self, now: float) -> date:
        """Give the newest session whose settlement is not in the future."""
        day = day_of(now - self.settles_after)
        return day if self.is_session(day) else self.previous_session(day)

    def overdue_at(self, latest: date) -> int:
        """Give the instant from which the session after ``latest`` is overdue."""
        return self.settles_at(self.next_session(latest)) + self.grace

    def is_overdue(self, latest: date, now: float) -> bool:
        """Whether ``latest`` is no longer the newest word there should be at an instant."""
        return now >= self.overdue_at(latest)

    def _sessions(self, first: date, last: date) -> Iterator[date]:
        day = first
        while day <= last:
            if self.is_session(day):
                yield day
            day += _ONE


DAILY = Calendar()
"""Every UTC day, settled when it ends; overdue when the next one ends too."""

XNYS = Calendar("XNYS", settles_after=DAY + 5 * HOUR, grace=8 * HOUR)
"""The New York Stock Exchange. Flows of funds settle at 05:00 UTC of the next day.

Some come later: on one day in seven after six o'clock. Until 13:00 UTC the day before still stands.
"""


@lru_cache(maxsize=1024)
def _days_off(market: str, year: int, kind: str = "public") -> frozenset[date]:
    """List the days of a year on which a market is closed all day, or those that end early (``half_day``)."""
    import holidays  # costs a fifth of a second: only where sessions are asked for

    return frozenset(holidays.financial_holidays(market, years=year, categories=(kind,)))
