"""When to look for flows of funds: at hours after a session, for they come once a day. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from bot.engine.sessions import DAY, HOUR, XNYS, day_of

FILLING = (22, 23, 24, 25, 26, 27)
"""Hours after the UTC midnight that begins a session's date: the funds report one after the other."""

SETTLING = (28, 29, 30, 32, 36)
"""The same, for when the day may be complete: 04:05, 05:05, 06:05, 08:05 and 12:05 UTC of the next day."""

LATE = (40, 44)

_PAST = 300
_NOON = 36
_AHEAD = 6


def next_look(now: float, hours: Iterable[int]) -> int:
    """Give the first instant after ``now`` that is five past one of the hours after a session.

    Every day has its look at noon, a day without a session too: corrections come at weekends.
    """
    chosen = {*hours, _NOON}
    midnight = int(now // DAY) * DAY
    instants = (
        day + hour * HOUR + _PAST
        for day in range(midnight - 2 * DAY, midnight + _AHEAD * DAY, DAY)
        for hour in (chosen if XNYS.is_session(day_of(day)) else (_NOON,))
    )
    return min(instant for instant in instants if instant > now)
