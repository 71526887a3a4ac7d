"""The markets of one exchange: loaded once for all who wait, renewed, and judged before they are used."""

from __future__ import annotations

import asyncio

import structlog

from bot.feeds.exchanges.door import Door
from bot.feeds.exchanges.listing import Listing, listing_of
from bot.feeds.exchanges.table import Exchange
from bot.feeds.exchanges.venues import Venues
from bot.feeds.faults import Fault, Trouble, fault_of_error
from bot.ports import Clock

_SECONDS = 6 * 3600.0
_SECONDS_WHILE_LACKING = 3600.0
_FRESH = 600.0

log = structlog.get_logger(__name__)


class Markets:
    """Keep what one exchange lists; every coroutine raises Faults only."""

    def __init__(self, exchange: Exchange, venues: Venues, door: Door, clock: Clock) -> None:
        self._exchange = exchange
        self._venues = venues
        self._door = door
        self._clock = clock
        self._loading: asyncio.Task[None] | None = None
        self._asked_at = 0.0

    def known(self) -> Listing | None:
        """Give what is listed, or ``None`` while the exchange has not said."""
        return self._venues.listing(self._exchange.name)

    def is_fresh(self) -> bool:
        """Whether the exchange was asked for its listing some minutes ago at most."""
        return self.known() is not None and self._clock.now() - self._asked_at < _FRESH

    async def listing(self) -> Listing:
        """Give what is listed, renewed after hours, and after one while it lacks what is wanted.

        A bad answer leaves the old listing in use.
        """
        listing = self.known()
        if listing is None:
            return await self.load()
        is_lacking = self._venues.is_lacking(self._exchange.name)
        seconds = _SECONDS_WHILE_LACKING if is_lacking else _SECONDS
        if self._clock.now() - self._asked_at >= seconds:
            try:
                return await self.load()
            except Fault as fault:
                log.warning("listing_not_renewed", exchange=self._exchange.name, reason=fault.reason)
                if fault.is_of_all:
                    raise
        return listing

    async def load(self) -> Listing:
        """Load the markets, once for all who wait, and not cancelled with any of them."""
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._loading)
        listing = self.known()
        if listing is None:
            raise self._nonsense("lists no markets")
        return listing

    def close(self) -> None:
        """Wait for no answer any more."""
        if self._loading is not None:
            self._loading.cancel()

    async def _load(self) -> None:
        name = self._exchange.name
        self._asked_at = self._clock.now()
        found = await self._door.markets()
        try:
            listing = listing_of({market["symbol"]: market for market in found}, self._clock.now())
        except Exception as error:
            raise fault_of_error(name, error) from error
        old = self.known()
        if self._exchange.sentinel.lower() not in listing or (
            old is not None and len(listing) < len(old) / 2
        ):
            raise self._nonsense(
                f"lists {len(listing)} markets, and {self._exchange.sentinel} may be missing"
            )
        self._door.use(found, self._venues.kept(name))
        self._venues.publish(name, listing)
        log.info("markets_loaded", exchange=name, markets=len(listing))

    def _nonsense(self, what: str) -> Fault:
        return Fault(Trouble.NONSENSE, f"{self._exchange.name} {what}")
