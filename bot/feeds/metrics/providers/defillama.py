"""DefiLlama: the supply of all stablecoins, day by day, without a key.

https://stablecoins.llama.fi/stablecoincharts/all

Counted are the coins in circulation that are pegged to the dollar, at a dollar each, whatever they trade at.
A day's number is what its first look showed; the newest row moves with each hour instead, so a day is final
when a later one stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from bot.engine.sessions import DAY
from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.figures import instant_of, number_of
from bot.feeds.metrics.http import Http
from bot.feeds.metrics.provider import Look, Offer, Plug
from bot.metrics import MetricKey, Observation, Want

NAME = "defillama"

_URL = "https://stablecoins.llama.fi/stablecoincharts/all"
_AFTER_MIDNIGHT = 3600
_UNTIL_ASKED_AGAIN = 3600.0
_LONGEST = 6 * 3600.0
_LEAST = 10_000_000_000
"""USD: a tenth of what there was in 2021. Less is millions taken for dollars."""


class DefiLlama:
    """Read the whole chart, which comes in one answer only, and give what is wanted of it."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask for the chart. Raises Fault."""
        days = read_days(await self._http.json(NAME, _URL))
        newest = max(days)
        since = min(want.since for want in wants)
        key = MetricKey("stablecoin_supply", "")
        found = (
            Observation(key, day, value, now, is_final=day < newest, source=NAME)
            for day, value in days.items()
            if day >= since or day == newest
        )
        next_at = min(newest + DAY + _AFTER_MIDNIGHT, now + _LONGEST)
        return Look(next_at if next_at > now else now + _UNTIL_ASKED_AGAIN, tuple(found))


def read_days(answer: object) -> dict[int, Decimal]:
    """Read the supply in USD by the midnight that begins each day. Raises Fault where there is none."""
    if not isinstance(answer, list):
        raise Fault(Trouble.NONSENSE, f"{NAME} answers in an unknown form")
    days: dict[int, Decimal] = {}
    for row in answer:
        match row:
            case {"date": stamp, "totalCirculating": {"peggedUSD": raw}}:
                at, value = instant_of(stamp), number_of(raw)
                if at is not None and value is not None and value > 0:
                    day, supply = at - at % DAY, round(value, 2)
                    if days.setdefault(day, supply) != supply:
                        raise Fault(Trouble.NONSENSE, f"{NAME} gives two supplies of one day")
    if not days:
        raise Fault(Trouble.NONSENSE, f"{NAME} gives no day that can be read")
    if days[max(days)] < _LEAST:
        raise Fault(Trouble.NONSENSE, f"{NAME} gives a supply of {days[max(days)]:,.0f} USD, which cannot be")
    return days


PLUG = Plug(
    NAME,
    (Offer("stablecoin_supply", note="all coins pegged to the dollar, at a dollar each"),),
    lambda means: DefiLlama(means.http),
)
