"""FRED of the St. Louis Fed: daily closes of the S&P 500 and the Nasdaq 100, without a key.

https://fred.stlouisfed.org/graph/fredgraph.csv?id=SP500 (some ten years; holidays are blank or a point)

A close is told in the evening of its session, and is final. It stands in where Yahoo cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bot.engine.sessions import XNYS, day_of
from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.figures import day_of_text, number_of
from bot.feeds.metrics.http import Http
from bot.feeds.metrics.provider import Look, Offer, Plug
from bot.feeds.metrics.wall_street import MARGIN, STOCKS
from bot.metrics import MetricKey, Observation, Want

NAME = "fred"

_URL = "https://fred.stlouisfed.org/graph/fredgraph.csv"
_SERIES: Mapping[str, str] = {"spx": "SP500", "ndx": "NASDAQ100"}
_DATES = ("observation_date", "DATE")
_SECONDS = 3 * 3600.0


class Fred:
    """Read each wanted index by one question."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask for the closes of each wanted index. Raises Fault where none could be read."""
        found: list[Observation] = []
        refused: dict[MetricKey, str] = {}
        for want in wants:
            try:
                found.extend(await self._closes(want, now))
            except Fault as fault:
                if not found and want is wants[-1]:
                    raise
                refused[want.key] = fault.reason
        return Look(now + _SECONDS, tuple(found), refused)

    async def _closes(self, want: Want, now: float) -> list[Observation]:
        series = _SERIES[want.key.instrument]
        params = {"id": series, "cosd": day_of(want.since).isoformat()}
        rows = await self._http.rows(NAME, _URL, (series,), params=params)
        found = list(_words(want.key, series, rows, now))
        if not found:
            raise Fault(Trouble.NONSENSE, f"{NAME} gives no close of {series} that can be read")
        return found


def _words(
    key: MetricKey, series: str, rows: Sequence[Mapping[str, str]], now: float
) -> Iterator[Observation]:
    for row in rows:
        as_of = next((day_of_text(row[name]) for name in _DATES if name in row), None)
        close = number_of(row[series])
        if as_of is None or close is None or not XNYS.is_session(day_of(as_of)):
            continue
        is_final = now >= STOCKS.closes_at(day_of(as_of)) + MARGIN
        yield Observation(key, as_of, close, now, is_final, source=NAME)


PLUG = Plug(NAME, (Offer("price", (*_SERIES,)),), lambda means: Fred(means.http))
