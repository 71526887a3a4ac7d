"""The present prices of one exchange, all of a kind at once: an answer that shrinks is no answer."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from bot.feeds.door import Door, Quote
from bot.feeds.faults import Fault, Trouble
from bot.feeds.listing import Listing
from bot.feeds.table import Kind

_LEAD = 2.0
"""Seconds by which a ticker may be ahead of the exchange's own clock; more is garbage."""


class Prices:
    """Ask for the prices of an exchange, and remember how many there were."""

    def __init__(self, name: str, door: Door) -> None:
        self._name = name
        self._door = door
        self._most: dict[Kind, int] = {}
        self._judged_by: Listing | None = None

    async def ask(self, kinds: Iterable[Kind], listing: Listing) -> dict[str, Quote]:
        """Give the quotes of all that is traded of these kinds, by ccxt's symbol. Raises Fault."""
        if self._judged_by is None or self._judged_by.traded is not listing.traded:
            self._most, self._judged_by = {}, listing
        found: dict[str, Quote] = {}
        for kind in kinds:
            found |= await self._ask(kind, listing)
        return found

    async def _ask(self, kind: Kind, listing: Listing) -> dict[str, Quote]:
        found = await self._door.prices(kind)
        priced = sum(
            listed.kind == kind and listed.symbol in found and price_of(found[listed.symbol]) is not None
            for listed in listing.traded.values()
        )
        most = self._most.get(kind)
        least = listing.count(kind) / 10 if most is None else most / 2
        if priced < max(1, least):
            expected = most or listing.count(kind)
            raise Fault(Trouble.NONSENSE, f"{self._name} gives {priced} prices where {expected} are expected")
        self._most[kind] = max(priced, most or 0)
        return found


def price_of(quote: Quote | None) -> float | None:
    """Give the price of a quote, or ``None`` where it has none that can be true."""
    return None if quote is None else positive(quote.price)


def instant_of(quote: Quote, now: float) -> float:
    """Say when a quote was traded, in epoch seconds; ``now`` where it does not say or cannot be believed."""
    stamp = positive(quote.at)
    return now if stamp is None or stamp / 1000 > now + _LEAD else stamp / 1000


def positive(value: object) -> float | None:
    """Read a finite number above zero, or ``None``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value <= 0:
        return None
    return float(value)
