"""Prices of exchanges through ccxt: looks that stay the truth, and streams beside them.

table     the exchanges that can be watched, and how they differ
candles   rows -> final minutes, and what is refused                 pure
listing   what is traded, and which names are near                   pure
standing  whether an exchange can be relied on                       pure
listings  what all of them list, and list no more                    pure
homes     at whose level each series is                              pure
tidings   what other processes must know of an exchange              pure
elsewhere what they told of those that they look at                  pure
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
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from bot.feeds.exchanges.door import Door
from bot.feeds.exchanges.elsewhere import SILENCE
from bot.feeds.exchanges.feed import ExchangeFeed
from bot.feeds.exchanges.lookout import Lookout
from bot.feeds.exchanges.market import ExchangeMarket
from bot.feeds.exchanges.stream import PACE, Stream
from bot.feeds.exchanges.table import FEEDS
from bot.feeds.exchanges.tidings import read_tidings, word_tidings
from bot.feeds.exchanges.venues import Venues
from bot.feeds.exchanges.witness import Witness
from bot.feeds.thread import LoopThread
from bot.metrics import Want
from bot.ports import Clock

__all__ = ["FEEDS", "ExchangeFeed", "ExchangeMarket", "Exchanges", "Stream", "build_feeds"]


@dataclass(frozen=True, slots=True)
class Exchanges:
    """All configured feeds in their order, the market over them, and the streams where they are read.

    ``looks`` are those of the feeds that are looked at in this process: the others are only asked, and have
    no stream. ``doors`` are those of the same exchanges, which may be used in ``thread`` alone.

    Where several processes look, each tells its ``words`` after every look, and whenever some seconds have
    passed; all hear those of the others, before their first look too, and ``follow`` what is wanted about as
    often as looks would.
    """

    feeds: tuple[ExchangeFeed, ...]
    market: ExchangeMarket
    looks: tuple[ExchangeFeed, ...]
    streams: tuple[Stream, ...] = ()
    doors: Mapping[str, Door] = field(default_factory=dict)
    thread: LoopThread | None = None

    def begin(self) -> None:
        """Have all exchanges asked what they list, before the first looks need to know; waits for nothing."""
        for feed in self.feeds:
            feed.begin()

    async def follow(self, wants: Sequence[Want]) -> None:
        """Note what is wanted, and keep new what the exchanges list that are not looked at here.

        Waits for no exchange. Who looks at all of them need not do so.
        """
        await self.feeds[0].follow(wants)
        for feed in self.feeds:
            if feed not in self.looks:
                feed.keep()

    async def words(self) -> dict[str, bytes]:
        """Say by exchange what other processes must know of those that were looked at here."""
        streams = {stream.name: stream.health() for stream in self.streams}
        told = {feed.name: await feed.tell() for feed in self.looks}
        return {
            name: word_tidings(replace(tidings, stream=streams.get(name)))
            for name, tidings in told.items()
            if tidings is not None
        }

    async def hear(self, name: str, word: bytes) -> None:
        """Take in what another process said of an exchange.

        Of one that is looked at here it is of use before the first look, as what was known to whoever looked
        before. Raises ValueError for a word that cannot be read, or is of no exchange here.
        """
        feed = next((feed for feed in self.feeds if feed.name == name), None)
        if feed is None:
            raise ValueError(f"{name!r} is none of the exchanges that are configured here")
        tidings = read_tidings(word)
        if tidings.exchange != name:
            raise ValueError(f"what was told of {name} is of {tidings.exchange!r}")
        await feed.hear(tidings)

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
    watched: Collection[str] | None = None,
    silence: float = SILENCE,
) -> Exchanges:
    """Build a feed for each exchange named, the first being the default, and one market over them.

    Nothing is asked, and ccxt not even imported, before the first poll or question. Every feed may be handed
    all wants: it takes those that it serves. ``quote`` is the quote of an instrument that names none.
    ``clock`` is read from another thread. ``gateway`` is the root through which every call goes as
    ROOT/HOST/path; ``throttle`` says whether ccxt keeps to the exchanges' rate limits; ``timeout`` is in
    seconds of a request; ``jitter`` gives numbers in [0, 1). ``streams`` says whether trades are read as they
    happen, in batches ``pace`` real seconds apart. ``after_listing`` is called in the other thread whenever
    an exchange has said what it lists: thousands of objects that stay. ``watched`` are those of the exchanges
    that are looked at here, ``None`` for all; of the others is known what ``Exchanges.hear`` hears, and one
    that was not heard of for more than ``silence`` seconds is away. Raises ValueError for a name that is not
    in FEEDS, for one named twice, for none at all, and for one watched that is not named.
    """
    chosen = [name.strip().lower() for name in names]
    unknown = [name for name in chosen if name not in FEEDS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no exchange that can be watched; there are {', '.join(FEEDS)}")
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError("name at least one exchange, and each once")
    here = set(chosen if watched is None else watched)
    if here - set(chosen):
        raise ValueError(f"{min(here - set(chosen))!r} is to be watched, and is none of {', '.join(chosen)}")
    venues = Venues(chosen, after_listing, here, silence)
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
        if streams and name in here:
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
    looks = tuple(feed for feed in feeds if feed.name in here)
    return Exchanges(tuple(feeds), market, looks, tuple(opened), doors, thread)
