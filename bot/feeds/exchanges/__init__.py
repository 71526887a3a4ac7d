"""Prices of exchanges through ccxt: looks that stay the truth, and streams beside them.

table     the exchanges that can be watched, and how they differ
candles   rows -> final minutes, and what is refused                 pure
listing   what is traded, and which names are near                   pure
standing  whether an exchange can be relied on                       pure
venues    which exchange serves which series                         pure
costs     what looking costs, and whose turn it is                   pure
library   ccxt, one exchange at a time
door      the real ccxt, behind checked values
markets   the listing of one exchange, loaded and renewed
quotes    the last prices out of a bulk answer                       pure
prices    its present prices, all at once
exclusion what the extremes of a day exclude                         pure
sieve     which series need candles now
minutes   paging until caught up
hindsight what coarser candles tell where minutes are gone
pursuit   doing so for many series, one bad one not spoiling the others
delivery  what was read, as batches carry it
roster    which wants concern one exchange                           pure
answers   its answers to questions between looks
guard     which prices can be trusted, by those before them          pure
witness   what an exchange says about another's prices
inquiry   asking the witnesses before a batch leaves
lookout   one exchange, read and judged inside the thread of ccxt
websockets the websockets of the exchanges, and how they differ
wicks     what many trades come down to between two batches          pure
hearing   whether a stream tells what looks see                      pure
tap       one connection of the real ccxt.pro, behind checked values
stream    trades as they happen, beside the looks
feed      the Feed; market: the Market; all of it works in the thread of ccxt
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from bot.feeds.exchanges.door import Door
from bot.feeds.exchanges.feed import ExchangeFeed
from bot.feeds.exchanges.lookout import Lookout
from bot.feeds.exchanges.market import ExchangeMarket
from bot.feeds.exchanges.stream import PACE, Stream
from bot.feeds.exchanges.table import FEEDS
from bot.feeds.exchanges.venues import Venues
from bot.feeds.exchanges.witness import Witness
from bot.feeds.thread import LoopThread
from bot.ports import Clock

__all__ = ["FEEDS", "ExchangeFeed", "ExchangeMarket", "Exchanges", "Stream", "build_feeds"]


@dataclass(frozen=True, slots=True)
class Exchanges:
    """All configured feeds in their order, the market over them, and the streams where they are read.

    ``doors`` are those of the same exchanges, which may be used in ``thread`` alone.
    """

    feeds: tuple[ExchangeFeed, ...]
    market: ExchangeMarket
    streams: tuple[Stream, ...] = ()
    doors: Mapping[str, Door] = field(default_factory=dict)
    thread: LoopThread | None = None

    def begin(self) -> None:
        """Have all exchanges asked what they list, before the first looks need to know; waits for nothing."""
        for feed in self.feeds:
            feed.begin()

    async def close(self) -> None:
        """Let go of all connections and of the thread."""
        for stream in self.streams:
            await stream.close()
        for feed in self.feeds:
            await feed.close()


def build_feeds(
    names: Sequence[str],
    quote: str,
    clock: Clock,
    *,
    gateway: str | None = None,
    throttle: bool = True,
    timeout: float = 10.0,
    jitter: Callable[[], float] = random.random,
    streams: bool = False,
    pace: float = PACE,
    after_listing: Callable[[], None] = lambda: None,
) -> Exchanges:
    """Build a feed for each exchange named, the first being the default, and one market over them.

    Nothing is asked, and ccxt not even imported, before the first poll or question. Every feed may be handed
    all wants: it takes those that it serves. ``quote`` is the quote of an instrument that names none.
    ``clock`` is read from another thread. ``gateway`` is the root through which every call goes as
    ROOT/HOST/path; ``throttle`` says whether ccxt keeps to the exchanges' rate limits; ``timeout`` is in
    seconds of a request; ``jitter`` gives numbers in [0, 1). ``streams`` says whether trades are read as they
    happen, in batches ``pace`` real seconds apart. ``after_listing`` is called in the other thread whenever
    an exchange has said what it lists: thousands of objects that stay. Raises ValueError for a name that is
    not in FEEDS, for one named twice, and for none at all.
    """
    chosen = [name.strip().lower() for name in names]
    unknown = [name for name in chosen if name not in FEEDS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no exchange that can be watched; there are {', '.join(FEEDS)}")
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError("name at least one exchange, and each once")
    venues = Venues(chosen, after_listing)
    thread = LoopThread("ccxt")
    witnesses: dict[str, Witness] = {}
    feeds: list[ExchangeFeed] = []
    opened: list[Stream] = []
    doors: dict[str, Door] = {}
    for name in chosen:
        about = FEEDS[name]
        door = doors[name] = Door(about, gateway or "", throttle, timeout, clock)
        lookout = Lookout(about, venues, door, clock, jitter, witnesses=witnesses)
        feeds.append(ExchangeFeed(lookout, thread))
        if streams:
            opened.append(
                Stream(
                    name,
                    door,
                    clock,
                    thread,
                    listing=partial(venues.listing, name),
                    serving=venues.serving,
                    exchange_now=lookout.exchange_now,
                    is_trusted=lookout.inquiry.is_trusted,
                    draw=jitter,
                    pace=pace,
                )
            )
    market = ExchangeMarket(feeds, venues, quote, opened)
    return Exchanges(tuple(feeds), market, tuple(opened), doors, thread)
