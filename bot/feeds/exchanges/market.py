"""The present, over all configured exchanges: names, prices, history, health."""

from __future__ import annotations

from collections.abc import Sequence

from bot.feeds.exchanges.feed import ExchangeFeed
from bot.feeds.exchanges.listing import Listed, by_prefix, nearest
from bot.feeds.exchanges.roster import scaled
from bot.feeds.exchanges.stream import Stream
from bot.feeds.exchanges.venues import PRICE, Venues
from bot.metrics import MINUTE, Bar, Health, MetricKey, Seen
from bot.ports import Serving, StreamHealth, UnknownInstrument, Unseeable
from bot.rules.tree import Instrument


class ExchangeMarket:
    """Answer what commands and messages need to know. Keys keep the venue that the rule names, or none."""

    def __init__(
        self, feeds: Sequence[ExchangeFeed], venues: Venues, quote: str, streams: Sequence[Stream] = ()
    ) -> None:
        self._streams = {stream.name: stream for stream in streams}
        self._feeds = {feed.name: feed for feed in feeds}
        self._venues = venues
        self._quote = quote.lower()

    def serving(self, key: MetricKey) -> Serving | None:
        """Say which exchange shows a series now; ``None`` if none does, or that is not known yet."""
        return self._venues.serving(key)

    def standing_in(self) -> dict[MetricKey, Serving]:
        """Name the series that another exchange than their home shows now."""
        return self._venues.standing_in()

    async def resolve(self, instrument: Instrument) -> MetricKey:
        """Find the series of an instrument, its default quote filled in.

        Raises UnknownInstrument with the nearest names, and Unseeable while an exchange that would come first
        has not said what it lists, and may do so any moment.
        """
        key = self._key(instrument)
        if instrument.venue and instrument.venue not in self._feeds:
            raise UnknownInstrument(str(key), self._nearest(key))
        asked = [instrument.venue] if instrument.venue else list(self._feeds)
        for is_renewed in (False, True):
            answers = 0
            for name in asked:
                try:
                    await (self._feeds[name].refresh() if is_renewed else self._feeds[name].ready())
                except Unseeable:
                    if self._venues.is_away(name) and len(asked) > 1:
                        continue
                    if not is_renewed:
                        raise
                answers += 1
                listing = self._venues.listing(name)
                if listing is not None and key.instrument in listing:
                    return key
            if not answers:
                raise Unseeable("no configured exchange can be used from here")
        raise UnknownInstrument(str(key), self._nearest(key))

    async def seen(self, key: MetricKey) -> Seen:
        """Give the present price with the running minute so far. Raises Unseeable."""
        feed, listed, ratio = await self._place(key)
        seen = await feed.seen(key, listed)
        return Seen(seen.at, scaled(seen.bar, ratio), self._venues.level_of(feed.name, key))

    async def bars(self, key: MetricKey, since: int, until: int, span: int = MINUTE) -> tuple[Bar, ...]:
        """Give the final bars of ``[since, until)``, rising and without a hole, the newest if not all.

        ``span`` is their length in seconds, in whole minutes. Raises Unseeable.
        """
        if span <= 0 or span % MINUTE:
            raise ValueError(f"no bar is {span} seconds long")
        feed, listed, ratio = await self._place(key)
        return tuple(scaled(bar, ratio) for bar in await feed.bars(key, listed, since, until, span))

    async def instruments(self, prefix: str, limit: int = 25) -> list[str]:
        """Name instruments that begin with ``prefix``, the most usual quote first."""
        if not self._names():
            for feed in self._feeds.values():
                try:
                    await feed.ready()
                    break
                except Unseeable:
                    continue
        return by_prefix(self._names(), prefix, self._quote, limit)

    def health(self) -> list[Health]:
        """Say how each feed is, in the configured order; one that others look at, by what they tell."""
        return [
            feed.health() if name in self._venues.watched else self._venues.elsewhere.health(name)
            for name, feed in self._feeds.items()
        ]

    def streams(self) -> list[StreamHealth]:
        """Say how the stream of each exchange is, in the configured order; empty where none is read."""
        found = (
            self._streams[name].health() if name in self._streams else self._venues.elsewhere.stream(name)
            for name in self._feeds
        )
        return [health for health in found if health is not None]

    def _key(self, instrument: Instrument) -> MetricKey:
        quote = instrument.quote or self._quote
        settle = instrument.settle or (quote if instrument.is_perpetual else "")
        name = f"{instrument.base}/{quote}:{settle}" if settle else f"{instrument.base}/{quote}"
        return MetricKey(PRICE, name.lower(), instrument.venue)

    async def _place(self, key: MetricKey) -> tuple[ExchangeFeed, Listed, float]:
        """Give who shows a series now, as what it is listed there, and what its prices are multiplied by."""
        if key.metric != PRICE:
            raise Unseeable(f"{key} is not a price")
        name = self._venues.venue_of(key)
        if name is None:
            await self._settle(key)
            name = self._venues.venue_of(key)
        if name is None:
            raise Unseeable(f"no configured exchange gives {key}")
        feed = self._feeds[name]
        await feed.ready()
        listed = self._venues.listed(name, key.instrument)
        if listed is None:
            raise Unseeable(f"{name} does not list {key.instrument}")
        ratio = self._venues.ratio(name, key)
        if ratio is None:  # a price at another level would begin an alert on the wrong side
            raise Unseeable(f"{name} is about to stand in")
        return feed, listed, ratio

    async def _settle(self, key: MetricKey) -> None:
        """Have the exchanges before the one that serves a key say what they list. Raises Unseeable."""
        for feed in self._feeds.values():
            try:
                await feed.ready()
            except Unseeable:
                if not self._venues.is_away(feed.name):
                    raise
            if self._venues.venue_of(key) is not None:
                return

    def _names(self) -> set[str]:
        listings = (self._venues.listing(name) for name in self._feeds)
        return {name for listing in listings if listing is not None for name in listing.traded}

    def _nearest(self, key: MetricKey) -> list[str]:
        listing = self._venues.listing(key.venue) if key.venue else None
        if listing is None:
            return nearest(self._names(), key.instrument, self._quote)
        return [f"{name}@{key.venue}" for name in nearest(listing.traded, key.instrument, self._quote)]
