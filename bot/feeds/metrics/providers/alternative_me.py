"""alternative.me: the Fear & Greed index of crypto, one value a UTC day, without a key.

https://alternative.me/crypto/fear-and-greed-index/#api
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.engine.sessions import DAY
from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.figures import instant_of, number_of
from bot.feeds.metrics.http import Http
from bot.feeds.metrics.provider import Look, Offer, Plug
from bot.metrics import MetricKey, Observation, Want

NAME = "alternative.me"

_URL = "https://api.alternative.me/fng/"
_MOST_DAYS = 3000
_AFTER_UPDATE = 60.0
_UNTIL_ASKED_AGAIN = 600.0
"""Seconds to the next look where the day's value is late, or the answer does not say when one is due."""


class AlternativeMe:
    """Read the index of each day since the oldest that is wanted."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask once for all days that are wanted. Raises Fault."""
        since = min(want.since for want in wants)
        days = int((now - since) // DAY) + 2
        answer = await self._http.json(NAME, _URL, params={"limit": max(2, min(days, _MOST_DAYS))})
        match answer:
            case {"data": [_, *_] as rows, "metadata": {"error": None}}:
                pass
            case {"metadata": {"error": str()}}:
                raise Fault(Trouble.PASSING, f"{NAME} answers with an error")
            case _:
                raise Fault(Trouble.NONSENSE, f"{NAME} answers in an unknown form")
        found = tuple(_words(rows, now))
        if not found:
            raise Fault(Trouble.NONSENSE, f"{NAME} gives no value that can be read")
        return Look(_next_at(rows, max(word.as_of for word in found), now), found)


def _words(rows: Sequence[object], now: float) -> Iterator[Observation]:
    for row in rows:
        match row:
            case {"value": raw, "timestamp": stamp}:
                value, as_of = number_of(raw), instant_of(stamp)
                if value is not None and as_of is not None:
                    midnight = as_of - as_of % DAY
                    yield Observation(MetricKey("fear_greed", ""), midnight, value, now, source=NAME)


def _next_at(rows: Sequence[object], newest: int, now: float) -> float:
    match rows[0]:
        case {"time_until_update": raw} if newest + DAY > now:
            wait = number_of(raw)
            if wait is not None and 0 <= wait <= 2 * DAY:
                return now + float(wait) + _AFTER_UPDATE
    return now + _UNTIL_ASKED_AGAIN


PLUG = Plug(
    NAME,
    (Offer("fear_greed", is_kept=True),),
    lambda means: AlternativeMe(means.http),
)
