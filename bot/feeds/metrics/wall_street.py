"""The hours of New York's markets: when a session's close is final, and when to look at it. Pure.

A day's bar moves until its market closes, and for some minutes after, while the closing auction is told. A
close is final when the market closed twenty minutes ago and its last trade came at the close. Where the
source does not tell when the last trade was, or a thin stock stopped trading earlier, it is final when the
session is settled by the calendar, at 05:00 UTC of the next day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from bot.engine.sessions import DAY, XNYS, day_of

NEW_YORK = ZoneInfo("America/New_York")

MARGIN = 20 * 60
"""Seconds after the close in which its number may still move."""

_LAST_TRADE = 5 * 60
_EVENING = time(17, 30)
_OPEN = time(9, 30)
_IN_SESSION = 15 * 60
_AFTER_SETTLEMENT = 5 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """When a market closes, on the clock in New York; ``early`` is when it does on half days, if earlier."""

    close: time
    early: time | None = None

    def closes_at(self, session: date) -> int:
        """Give the instant at which a session closes."""
        return _at(session, self.early if self.early and XNYS.is_half(session) else self.close)

    def is_final(self, session: date, now: float, traded_at: int | None) -> bool:
        """Whether a session's close may change no more; ``traded_at`` is the last trade, where it is told."""
        if now >= XNYS.settles_at(session):
            return True
        close = self.closes_at(session)
        return now >= close + MARGIN and traded_at is not None and traded_at >= close - _LAST_TRADE


STOCKS = Hours(time(16), early=time(13))
VOLATILITY = Hours(time(16, 15), early=time(13, 15))
YIELDS = Hours(time(15))
FUTURES = Hours(time(17))


def session_of(at: int) -> date | None:
    """Give the session to which a daily bar with such a stamp belongs, by the date in New York.

    ``None`` for a day that is no session, and for the evening, in which futures begin their next one.
    """
    moment = datetime.fromtimestamp(at, NEW_YORK)
    is_one = moment.time() < _EVENING and XNYS.is_session(moment.date())
    return moment.date() if is_one else None


def newest_final(hours: Hours, now: float) -> date:
    """Give the newest session whose close may be final at an instant."""
    day = day_of(now)
    if XNYS.is_session(day) and now >= hours.closes_at(day) + MARGIN:
        return day
    return XNYS.previous_session(day)


def next_look(markets: Iterable[Hours], now: float) -> int:
    """Give the next instant that is worth a look: in a session, after its closes, once it is settled."""
    days = {market.close: market for market in markets}.values()
    return min(at for at in _looks(list(days), day_of(now - DAY)) if at > now)


def _looks(markets: list[Hours], day: date) -> Iterator[int]:
    session = day if XNYS.is_session(day) else XNYS.next_session(day)
    for _ in range(3):
        closes = [market.closes_at(session) for market in markets]
        yield from range(_at(session, _OPEN) + _IN_SESSION, max(closes), _IN_SESSION)
        yield from (close + MARGIN for close in closes)
        yield XNYS.settles_at(session) + _AFTER_SETTLEMENT
        session = XNYS.next_session(session)


def _at(day: date, clock: time) -> int:
    return int(datetime.combine(day, clock, NEW_YORK).timestamp())
