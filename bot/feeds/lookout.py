"""What one exchange says, read and judged inside the thread of ccxt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from bot.feeds.candles import Refused, parse_row
from bot.feeds.door import Door, Quote
from bot.feeds.exchange_time import ExchangeTime
from bot.feeds.faults import Fault, Pause, Trouble
from bot.feeds.listing import Listed, Listing
from bot.feeds.markets import Markets
from bot.feeds.minutes import OVERLAP, Caught, catch_up
from bot.feeds.prices import Prices, instant_of, price_of
from bot.feeds.pursuit import Pursuit
from bot.feeds.table import Exchange, Kind
from bot.feeds.venues import Venues
from bot.metrics import (
    MINUTE,
    Bar,
    Bars,
    Batch,
    Health,
    MetricKey,
    Print,
    Seen,
    Want,
    join,
    minute_of,
    opening_of,
    point,
    runs,
)
from bot.ports import Clock

_PAGES_OF_HISTORY = 500

log = structlog.get_logger(__name__)


class Lookout:
    """Ask one exchange, check its answers, and remember how it is.

    Every coroutine here runs in the thread of ccxt and raises Faults only; ``health`` may be called from
    anywhere.
    """

    def __init__(
        self, exchange: Exchange, venues: Venues, door: Door, clock: Clock, draw: Callable[[], float]
    ) -> None:
        self.name = exchange.name
        self._exchange = exchange
        self._venues = venues
        self._door = door
        self.clock = clock
        self._draw = draw
        self._looking = asyncio.Lock()
        self._markets = Markets(exchange, venues, door, clock)
        self._time = ExchangeTime(exchange.name, door, clock)
        self._prices = Prices(exchange.name, door)
        self._pursuit = Pursuit(exchange, door, self._time)
        self._pause = Pause()
        self._delivered: dict[MetricKey, int] = {}
        self._seen_at: float | None = None
        self._failing_since: float | None = None
        self._reason = ""

    # --- looks ------------------------------------------------------------------------------------------

    async def look(self, wants: Sequence[Want]) -> Batch:
        """Look once. A failed look, one before its time, or one while another runs, is an empty batch."""
        now = self.clock.now()
        if self._looking.locked() or now < self._pause.until:
            return Batch(self.name, now)
        async with self._looking:
            try:
                batch, remark = await self._look(wants)
            except Fault as fault:
                self._fail(fault)
            except Exception as error:
                log.exception("look_broke", exchange=self.name, error=type(error).__name__, exc_info=False)
                self._fail(self._mistake(error))
            else:
                self._succeed(remark)
                return batch
        return Batch(self.name, self.clock.now())

    async def ready(self) -> Listing:
        """Know what the exchange lists."""
        listing = self._markets.known()
        if listing is None:
            self._check_pause()
            listing = await self._markets.load()
        return listing

    async def refresh(self) -> None:
        """Renew a listing that is more than some minutes old; a bad answer leaves the old one in use."""
        await self.ready()
        if not self._markets.is_fresh():
            self._check_pause()
            await self._markets.load()

    async def see(self, listed: Listed) -> Seen:
        """Give the present price with the running minute so far."""
        self._check_pause()
        await self.ready()
        now = await self._time.now()
        minute = minute_of(now)
        answer = await self._door.rows(listed.symbol, minute - OVERLAP, minute + 2 * MINUTE, now)
        read = [parse_row(row, now) for row in answer]
        bars = [row for row in read if isinstance(row, Bar)]
        newest = max(bars, key=lambda bar: bar.at, default=None)
        latest = minute if newest is None else newest.at
        if any(isinstance(row, Refused) and (row.at is None or row.at >= latest) for row in read):
            raise self._nonsense("gives an impossible candle")
        if newest is not None:
            bar = newest if newest.at >= minute else point(newest.close, minute)
        else:
            price = price_of((await self._door.prices(listed.kind)).get(listed.symbol))
            if price is None:
                raise self._nonsense(f"gives no price for {listed.symbol}")
            bar = point(price, minute)
        return Seen(min(max(self._time.estimate(), bar.at), bar.end - 0.001), bar)

    async def page(self, listed: Listed, since: int, until: int, span: int) -> tuple[Bar, ...]:
        """Give the newest run without a hole of the final bars in ``[since, until)``.

        Those of a length that the exchange does not offer are joined from shorter ones.
        """
        self._check_pause()
        await self.ready()
        offered = max(one for one in self._exchange.spans if span % one == 0)
        first, stop = opening_of(since, span), opening_of(until, span)
        now = await self._time.now()
        rows, pages = self._pursuit.asking(listed, now, offered), _PAGES_OF_HISTORY
        caught = await catch_up(
            rows, self._exchange, first, stop, now=now, pages=pages, span=offered, is_patient=False
        )
        found = runs(caught.bars if offered == span else tuple(join(caught.bars, span)))
        return found[-1] if found else ()

    def health(self) -> Health:
        """Say how the exchange is."""
        return Health(self.name, self._seen_at, self._failing_since, self._reason, self._door.requests)

    def note(self, fault: Fault) -> None:
        """Take in a fault met by a question between two looks: what concerns all stops the looks too."""
        if fault.trouble in {Trouble.LIMITED, Trouble.BLOCKED}:
            self._fail(fault)

    async def close(self) -> None:
        """Let go of the connections."""
        self._markets.close()
        await self._door.close()

    # --- one look -----------------------------------------------------------------------------------------

    async def _look(self, wants: Sequence[Want]) -> tuple[Batch, str]:
        listing = await self._markets.listing()
        await self._time.now()
        wanted: dict[Listed, list[Want]] = {}
        strangers: list[str] = []
        for want in wants:
            if self._venues.serves(self.name, want.key):
                listed = listing.traded.get(want.key.instrument)
                if listed is None:
                    strangers.append(str(want.key))
                else:
                    wanted.setdefault(listed, []).append(want)
        quotes = await self._prices.ask(_kinds(wanted), listing)
        priced_at = self._time.estimate()
        caught = await self._pursuit.catch(
            {listed: min(want.since for want in of_symbol) for listed, of_symbol in wanted.items()}
        )
        remarks = [
            f"no minutes of {listed.symbol.lower()}: {one.reason}" for listed, one in caught.faults.items()
        ]
        remarks += [
            f"{self.name} gives impossible candles of {listed.symbol.lower()}"
            for listed, answer in caught.answers.items()
            if answer.refused
        ]
        if strangers:
            remarks.append(f"{self.name} does not list {', '.join(sorted(strangers))}")
        bars = self._bars(wanted, caught.answers)
        prints = self._prints(wanted, quotes, priced_at)
        return self._leave(bars, prints), "; ".join(remarks)

    def _leave(self, bars: Sequence[Bars], prints: Sequence[Print]) -> Batch:
        """Let final minutes and single prices out: all that a look brings passes here."""
        return Batch(self.name, self.clock.now(), tuple(bars), tuple(prints))

    def _bars(self, wanted: Mapping[Listed, list[Want]], answers: Mapping[Listed, Caught]) -> list[Bars]:
        keys = {want.key for of_symbol in wanted.values() for want in of_symbol}
        self._delivered = {key: end for key, end in self._delivered.items() if key in keys}
        found: list[Bars] = []
        for listed, answer in answers.items():
            for want in wanted[listed]:
                for run in runs([bar for bar in answer.bars if bar.at >= want.since]):
                    found.append(Bars(want.key, run, self.name))
                    self._delivered[want.key] = max(self._delivered.get(want.key, 0), run[-1].end)
        return found

    def _prints(
        self, wanted: Mapping[Listed, list[Want]], quotes: Mapping[str, Quote], now: float
    ) -> list[Print]:
        """Give one print per wanted key, unless its minute is final already: then it tells nothing new."""
        found: list[Print] = []
        for listed, of_symbol in wanted.items():
            quote = quotes.get(listed.symbol)
            price = price_of(quote)
            if quote is None or price is None:
                continue
            at = instant_of(quote, now)
            found += [
                Print(want.key, price, at, self.name)
                for want in of_symbol
                if at >= max(want.since, self._delivered.get(want.key, 0))
            ]
        return found

    # --- how it is ----------------------------------------------------------------------------------------

    def _check_pause(self) -> None:
        if self.clock.now() < self._pause.until:
            raise Fault(Trouble.PASSING, self._reason)

    def _fail(self, fault: Fault) -> None:
        now = self.clock.now()
        if fault.trouble is Trouble.BLOCKED:
            self._venues.block(self.name)
        self._pause = self._pause.after(fault, now, self._draw)
        if self._failing_since is None or fault.reason != self._reason:
            log.warning(
                "look_failed",
                exchange=self.name,
                trouble=fault.trouble.name.lower(),
                reason=fault.reason,
                again_in=round(max(0.0, self._pause.until - now), 1),
            )
        self._failing_since = now if self._failing_since is None else self._failing_since
        self._reason = fault.reason
        self._time.forget()

    def _succeed(self, remark: str) -> None:
        if self._failing_since is not None:
            log.info("look_recovered", exchange=self.name)
        elif remark and remark != self._reason:
            log.warning("look_incomplete", exchange=self.name, reason=remark)
        self._pause = Pause()
        self._seen_at = self.clock.now()
        self._failing_since = None
        self._reason = remark
        self._time.count_look()

    def _nonsense(self, what: str) -> Fault:
        return Fault(Trouble.NONSENSE, f"{self.name} {what}")

    def _mistake(self, error: Exception) -> Fault:
        return Fault(
            Trouble.BUG,
            f"looking at {self.name} failed by a mistake of this program ({type(error).__name__})",
        )


def _kinds(wanted: Mapping[Listed, list[Want]]) -> list[Kind]:
    kinds: set[Kind] = {listed.kind for listed in wanted} or {"spot"}
    return sorted(kinds)
