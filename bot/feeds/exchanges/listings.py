"""What all exchanges list, listed until lately, and list no more. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog

from bot.feeds.exchanges.listing import Listed, Listing
from bot.feeds.exchanges.tidings import Lack

_LISTINGS = 3
_APART = 3600.0
"""So many listings in a row that lack an instrument, at least so many seconds apart, make it delisted."""

log = structlog.get_logger(__name__)


class Listings:
    """The newest listing of each exchange, with what it lacks of what is wanted there."""

    def __init__(self) -> None:
        self._listings: dict[str, Listing] = {}
        self._lacks: dict[tuple[str, str], Lack] = {}
        self._kept: dict[tuple[str, str], Listed] = {}

    def publish(self, name: str, listing: Listing, wanted: Iterable[str], is_counted: bool) -> None:
        """Take over what an exchange lists now; what it lacks of the instruments wanted is kept for a while.

        ``is_counted`` says whether it is counted here how often it is lacking.
        """
        old = self._listings.get(name)
        self._listings[name] = listing
        for instrument in wanted:
            place = (name, instrument)
            if old is not None and instrument in old and instrument not in listing:
                self._kept[place] = old.traded[instrument]
            if is_counted:
                self._count(place, listing)
            if instrument in listing or self.is_delisted(name, instrument):
                self._kept.pop(place, None)

    def _count(self, place: tuple[str, str], listing: Listing) -> None:
        name, instrument = place
        before = self._lacks.get(place)
        if instrument in listing:
            if self._lacks.pop(place, None) is not None:
                log.info("listed_again", exchange=name, instrument=instrument)
        elif before is None:
            self._lacks[place] = Lack(1, listing.loaded_at)
        elif listing.loaded_at >= before.at + _APART:
            self._lacks[place] = Lack(before.listings + 1, listing.loaded_at)
            if before.listings + 1 == _LISTINGS:
                log.warning("delisted", exchange=name, instrument=instrument)

    def of(self, name: str) -> Listing | None:
        """Give what an exchange lists, or ``None`` while it has not said."""
        return self._listings.get(name)

    def listed(self, name: str, instrument: str) -> Listed | None:
        """Give an instrument as an exchange lists it, or listed it until lately."""
        listing = self._listings.get(name)
        found = None if listing is None else listing.traded.get(instrument)
        return found or self._kept.get((name, instrument))

    def is_kept(self, name: str, instrument: str) -> bool:
        """Whether an instrument is missing now, and was listed until lately."""
        return (name, instrument) in self._kept

    def lack(self, name: str, instrument: str) -> Lack | None:
        """Say how often an instrument was lacking."""
        return self._lacks.get((name, instrument))

    def is_delisted(self, name: str, instrument: str) -> bool:
        """Whether an exchange surely lists an instrument no more."""
        lack = self._lacks.get((name, instrument))
        return lack is not None and lack.listings >= _LISTINGS

    def take_over(self, name: str, lacks: Mapping[str, Lack]) -> None:
        """Take over how often instruments were lacking, as another counted."""
        others = {place: lack for place, lack in self._lacks.items() if place[0] != name}
        self._lacks = {**others, **{(name, instrument): lack for instrument, lack in lacks.items()}}
