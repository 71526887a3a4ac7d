"""What one exchange says, read and judged inside the thread of ccxt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from math import isfinite

import structlog

from bot.feeds.candles import Refused, final_until, parse_row
from bot.feeds.door import Door, Quote
from bot.feeds.exchange_time import ExchangeTime
from bot.feeds.faults import Fault, Pause, Trouble, fault_of_error
from bot.feeds.listing import Listed, Listing, listing_of
from bot.feeds.minutes import OVERLAP, Caught, Rows, Trail, catch_up
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

_PAGES_A_LOOK = 8
_PAGES_OF_HISTORY = 500
_SYMBOLS_AT_ONCE = 4
_LISTING_SECONDS = 6 * 3600.0
_LISTING_FRESH = 600.0
_LEAD = 2.0
"""Seconds by which a ticker may be ahead of the exchange's own clock; more is garbage."""

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
        self._room = asyncio.Semaphore(_SYMBOLS_AT_ONCE)
        self._loading: asyncio.Task[None] | None = None
        self._time = ExchangeTime(exchange.name, door, clock)
        self._pause = Pause()
        self._most_priced: dict[Kind, int] = {}
        self._trails: dict[str, Trail] = {}
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
        listing = self._venues.listing(self.name)
        if listing is None:
            self._check_pause()
            listing = await self._load()
        return listing

    async def refresh(self) -> None:
        """Renew a listing that is more than some minutes old; a bad answer leaves the old one in use."""
        listing = await self.ready()
        if self.clock.now() - listing.loaded_at >= _LISTING_FRESH:
            self._check_pause()
            await self._load()

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
            quote = (await self._door.prices(listed.kind)).get(listed.symbol)
            price = None if quote is None else _positive(quote.price)
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
        rows, pages = self._asking(listed, now, offered), _PAGES_OF_HISTORY
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
        if self._loading is not None:
            self._loading.cancel()
        await self._door.close()

    # --- one look -----------------------------------------------------------------------------------------

    async def _look(self, wants: Sequence[Want]) -> tuple[Batch, str]:
        listing = await self._listing()
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
        prices: dict[str, Quote] = {}
        for kind in self._kinds(wanted):
            prices |= await self._prices(kind, listing)
        priced_at = self._time.estimate()
        minutes, remarks = await self._minutes(wanted)
        if strangers:
            remarks.append(f"{self.name} does not list {', '.join(sorted(strangers))}")
        bars = tuple(self._bars(wanted, minutes))
        prints = tuple(self._prints(wanted, prices, priced_at))
        return Batch(self.name, self.clock.now(), bars, prints), "; ".join(remarks)

    def _kinds(self, wanted: Mapping[Listed, list[Want]]) -> list[Kind]:
        kinds: set[Kind] = {listed.kind for listed in wanted} or {"spot"}
        return sorted(kinds)

    async def _prices(self, kind: Kind, listing: Listing) -> dict[str, Quote]:
        found = await self._door.prices(kind)
        priced = sum(
            listed.kind == kind
            and listed.symbol in found
            and _positive(found[listed.symbol].price) is not None
            for listed in listing.traded.values()
        )
        most = self._most_priced.get(kind)
        least = listing.count(kind) / 10 if most is None else most / 2
        if priced < max(1, least):
            raise self._nonsense(f"gives {priced} prices where {most or listing.count(kind)} are expected")
        self._most_priced[kind] = max(priced, most or 0)
        return found

    async def _minutes(
        self, wanted: Mapping[Listed, list[Want]]
    ) -> tuple[dict[Listed, tuple[Bar, ...]], list[str]]:
        """Catch up every series that lacks a final minute; one bad series does not spoil the others."""
        final = final_until(self._time.estimate())
        due = {
            listed: since
            for listed, of_symbol in wanted.items()
            if (since := min(want.since for want in of_symbol)) < final
        }
        self._trails = {listed.symbol: trail for listed in due if (trail := self._trails.get(listed.symbol))}
        faults: dict[Listed, Fault] = {}
        answers: dict[Listed, Caught] = {}

        async def one(listed: Listed, since: int) -> None:
            async with self._room:
                stop = next((fault for fault in faults.values() if fault.is_of_all), None)
                try:
                    if stop is not None:
                        raise stop
                    answers[listed] = await self._follow(listed, since)
                except Fault as fault:
                    faults[listed] = fault

        await asyncio.gather(*(one(listed, since) for listed, since in due.items()))
        fatal = [fault for fault in faults.values() if fault.trouble in {Trouble.LIMITED, Trouble.BLOCKED}]
        whole = [fault for fault in faults.values() if fault.trouble is not Trouble.SYMBOL]
        if fatal or (whole and not answers):
            raise (fatal or whole)[0]
        remarks = [f"no minutes of {listed.symbol.lower()}: {one.reason}" for listed, one in faults.items()]
        remarks += [
            f"{self.name} gives impossible candles of {listed.symbol.lower()}"
            for listed, caught in answers.items()
            if caught.refused
        ]
        return {listed: caught.bars for listed, caught in answers.items() if caught.bars}, remarks

    async def _follow(self, listed: Listed, since: int) -> Caught:
        trail = self._trails.get(listed.symbol)
        now = self._time.estimate()
        stop = final_until(now)
        if (
            trail is not None
            and trail.since == since
            and not trail.is_worth_asking(stop, now, self._exchange.is_sparse)
        ):
            return Caught()
        now = await self._time.now()
        rows = self._asking(listed, now)
        caught = await catch_up(rows, self._exchange, since, stop, now=now, pages=_PAGES_A_LOOK, trail=trail)
        if caught.trail is None:
            self._trails.pop(listed.symbol, None)
        else:
            self._trails[listed.symbol] = caught.trail
        if not caught.good and (caught.refused or not self._exchange.is_sparse):
            raise self._nonsense("gives impossible candles" if caught.refused else "gives no candles")
        return caught

    def _asking(self, listed: Listed, now: float, span: int = MINUTE) -> Rows:
        return lambda start, stop: self._door.rows(listed.symbol, start, stop, now, span)

    def _bars(
        self, wanted: Mapping[Listed, list[Want]], minutes: Mapping[Listed, tuple[Bar, ...]]
    ) -> list[Bars]:
        keys = {want.key for of_symbol in wanted.values() for want in of_symbol}
        self._delivered = {key: end for key, end in self._delivered.items() if key in keys}
        found: list[Bars] = []
        for listed, bars in minutes.items():
            for want in wanted[listed]:
                for run in runs([bar for bar in bars if bar.at >= want.since]):
                    found.append(Bars(want.key, run, self.name))
                    self._delivered[want.key] = max(self._delivered.get(want.key, 0), run[-1].end)
        return found

    def _prints(
        self, wanted: Mapping[Listed, list[Want]], prices: Mapping[str, Quote], now: float
    ) -> list[Print]:
        """Give one print per wanted key, unless its minute is final already: then it tells nothing new."""
        found: list[Print] = []
        for listed, of_symbol in wanted.items():
            quote = prices.get(listed.symbol)
            price = None if quote is None else _positive(quote.price)
            if quote is None or price is None:
                continue
            stamp = _positive(quote.at)
            at = now if stamp is None or stamp / 1000 > now + _LEAD else stamp / 1000
            found += [
                Print(want.key, price, at, self.name)
                for want in of_symbol
                if at >= max(want.since, self._delivered.get(want.key, 0))
            ]
        return found

    # --- markets and clock --------------------------------------------------------------------------------

    async def _listing(self) -> Listing:
        listing = self._venues.listing(self.name)
        if listing is None:
            return await self._load()
        if self.clock.now() - listing.loaded_at >= _LISTING_SECONDS:
            try:
                return await self._load()
            except Fault as fault:
                log.warning("listing_not_renewed", exchange=self.name, reason=fault.reason)
                if fault.is_of_all:
                    raise
                self._venues.publish(self.name, Listing(self.clock.now(), listing.traded))
        return listing

    async def _load(self) -> Listing:
        """Load the markets, once for all who wait, and not cancelled with any of them."""
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load_markets())
            self._loading.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._loading)
        listing = self._venues.listing(self.name)
        if listing is None:
            raise self._nonsense("lists no markets")
        return listing

    async def _load_markets(self) -> None:
        found = await self._door.markets()
        try:
            listing = listing_of({market["symbol"]: market for market in found}, self.clock.now())
        except Exception as error:
            raise fault_of_error(self.name, error) from error
        old = self._venues.listing(self.name)
        if self._exchange.sentinel.lower() not in listing or (
            old is not None and len(listing) < len(old) / 2
        ):
            raise self._nonsense(
                f"lists {len(listing)} markets, and {self._exchange.sentinel} may be missing"
            )
        self._door.use(found)
        self._most_priced.clear()
        self._venues.publish(self.name, listing)
        log.info("markets_loaded", exchange=self.name, markets=len(listing))

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


def _positive(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value <= 0:
        return None
    return float(value)
