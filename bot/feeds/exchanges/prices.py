"""The present prices of one exchange, all of a kind at once: an answer that shrinks is no answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bot.feeds.exchanges.door import Door
from bot.feeds.exchanges.exchange_time import ExchangeTime
from bot.feeds.exchanges.listing import Listing
from bot.feeds.exchanges.quotes import Quote
from bot.feeds.exchanges.table import Exchange, Kind
from bot.feeds.faults import Fault, Trouble

_LEAD = 2.0
"""Seconds by which a ticker may be ahead of the exchange's own clock; more is garbage."""


class Prices:
    """Ask for the prices of an exchange, and remember how many there were.

    ``covered`` is, by kind, the exchange's instant up to which its last answer with the extremes of the day
    surely speaks: one that is the same as the answer before it may be a copy, and speaks no further.
    """

    def __init__(self, exchange: Exchange, door: Door, time: ExchangeTime) -> None:
        self._exchange = exchange
        self._door = door
        self._time = time
        self._most: dict[Kind, int] = {}
        self._judged_by: Listing | None = None
        self._last: dict[Kind, dict[str, Quote]] = {}
        self.covered: dict[Kind, float] = {}

    async def ask(
        self, kinds: Iterable[Kind], listing: Listing, with_days: Collection[Kind] = ()
    ) -> dict[str, Quote]:
        """Give the quotes of all that is traded of these kinds, by ccxt's symbol. Raises Fault.

        Those of kinds in ``with_days`` have the extremes of the day; some exchanges give them unasked.
        """
        if self._judged_by is not listing:
            self._most, self._judged_by = {}, listing
        quotes: dict[str, Quote] = {}
        for kind in kinds:
            asked_at = self._time.estimate()
            found = await self._ask(kind, listing, kind in with_days)
            quotes |= found
            if self.gives_days(kind) or kind in with_days:
                if found != self._last.get(kind):
                    self.covered[kind] = asked_at
                self._last[kind] = found
        return quotes

    def gives_days(self, kind: Kind) -> bool:
        """Whether the extremes of the day come unasked with the prices of a kind."""
        return self._exchange.days is None and self._exchange.costs[kind].days is not None

    async def _ask(self, kind: Kind, listing: Listing, with_days: bool) -> dict[str, Quote]:
        found = await self._door.prices(kind, with_days)
        priced = sum(
            listed.kind == kind and price_of(found.get(listed.symbol)) is not None
            for listed in listing.traded.values()
        )
        most = self._most.get(kind)
        least = listing.count(kind) / 10 if most is None else most / 2
        if priced < max(1, least):
            expected = most or listing.count(kind)
            name = self._exchange.name
            raise Fault(Trouble.NONSENSE, f"{name} gives {priced} prices where {expected} are expected")
        self._most[kind] = max(priced, most or 0)
        return found


def price_of(quote: Quote | None) -> float | None:
    """Give the price of a quote, or ``None`` where there is none."""
    return None if quote is None else quote.price


def instant_of(quote: Quote, now: float) -> float:
    """Say when a quote was traded, in epoch seconds; ``now`` where it does not say or cannot be believed."""
    stamp = quote.at
    return now if stamp is None or stamp / 1000 > now + _LEAD else stamp / 1000
