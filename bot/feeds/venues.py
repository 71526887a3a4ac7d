"""Which exchange serves which series: one answer for every feed and for the market."""

from __future__ import annotations

from collections.abc import Sequence

from bot.feeds.listing import Listing
from bot.metrics import MetricKey

PRICE = "price"


class Venues:
    """The listings of all configured exchanges, in their order.

    A key without a venue belongs to the first exchange that lists it. While an earlier one has not said what
    it lists, the answer is unknown: a series must not wander from one exchange to another because one was
    slow. Only an exchange that refuses this place altogether is passed over. Once given, an answer stays.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._listings: dict[str, Listing] = {}
        self._blocked: set[str] = set()
        self._given: dict[str, str] = {}

    def publish(self, name: str, listing: Listing) -> None:
        """Take over what an exchange lists now."""
        self._listings[name] = listing
        self._blocked.discard(name)

    def block(self, name: str) -> None:
        """Pass an exchange over that refuses this place."""
        self._blocked.add(name)

    def listing(self, name: str) -> Listing | None:
        """Give what an exchange lists, or ``None`` while it has not said."""
        return self._listings.get(name)

    def is_passed_over(self, name: str) -> bool:
        """Whether an exchange refuses this place and never said what it lists."""
        return name in self._blocked and name not in self._listings

    def serves(self, name: str, key: MetricKey) -> bool:
        """Whether the exchange ``name`` is the one to look at for a key."""
        return self.venue_of(key) == name

    def venue_of(self, key: MetricKey) -> str | None:
        """Give the exchange that serves a key; ``None`` if none does, or that is not known yet."""
        if key.metric != PRICE:
            return None
        if key.venue:
            return key.venue if key.venue in self.names else None
        if key.instrument in self._given:
            return self._given[key.instrument]
        for name in self.names:
            listing = self._listings.get(name)
            if listing is None:
                if name in self._blocked:
                    continue
                return None
            if key.instrument in listing:
                return self._given.setdefault(key.instrument, name)
        return None
