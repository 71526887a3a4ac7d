"""What one exchange says, read and judged inside the thread of ccxt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import structlog

from bot.feeds.exchanges.answers import Answers
from bot.feeds.exchanges.candles import final_until
from bot.feeds.exchanges.delivery import Delivery, narrowed
from bot.feeds.exchanges.door import Door
from bot.feeds.exchanges.exchange_time import ExchangeTime
from bot.feeds.exchanges.hindsight import contemporary
from bot.feeds.exchanges.inquiry import Inquiry
from bot.feeds.exchanges.listing import Listed, Listing
from bot.feeds.exchanges.markets import Markets
from bot.feeds.exchanges.prices import Prices
from bot.feeds.exchanges.pursuit import Catch, Pursuit
from bot.feeds.exchanges.roster import Roster, roster_of
from bot.feeds.exchanges.sieve import Sieve
from bot.feeds.exchanges.table import Exchange, Kind
from bot.feeds.exchanges.tidings import Tidings
from bot.feeds.exchanges.venues import Venues
from bot.feeds.exchanges.witness import Witness
from bot.feeds.faults import Fault, Pause, Trouble
from bot.metrics import (
    MINUTE,
    Bar,
    Batch,
    Health,
    MetricKey,
    Seen,
    Unseen,
    Want,
)
from bot.ports import Clock

log = structlog.get_logger(__name__)


class Lookout:
    """Ask one exchange, check its answers, and remember how it is.

    Every coroutine here runs in the thread of ccxt and raises Faults only; ``health`` may be called from
    anywhere. ``witnesses`` are the exchanges that may be asked about each other's prices: it joins them.
    """

    def __init__(
        self,
        exchange: Exchange,
        venues: Venues,
        door: Door,
        clock: Clock,
        draw: Callable[[], float],
        *,
        witnesses: dict[str, Witness],
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
        self._prices = Prices(exchange, door, self._time)
        self._sieve = Sieve(exchange, self._prices)
        self._pursuit = Pursuit(exchange, door, self._time, clock)
        self._delivery = Delivery(exchange.name, self._ratio)
        witnesses[self.name] = Witness(
            self.name,
            clock=clock,
            door=door,
            markets=self._markets,
            time=self._time,
            check=self._check_pause,
            note=self.note,
        )
        self.inquiry = Inquiry(self.name, clock, witnesses)
        self._answers = Answers(exchange, door, self._time, self.inquiry)
        self._pause = Pause()
        self._has_skipped = False
        self._tried: dict[str, int] = {}
        self._seen_at: float | None = None
        self._failing_since: float | None = None
        self._reason = ""
        self._looked_at = 0.0

    # --- looks ------------------------------------------------------------------------------------------

    async def look(self, wants: Sequence[Want]) -> Batch:
        """Look once. One while another runs is an empty batch, one that failed names what it did not see."""
        now = self._looked_at = self.clock.now()
        self._venues.follow(wants, now)
        if self._looking.locked():
            return Batch(self.name, now)
        if now < self._pause.until and (self._pause.is_asked or not self._has_skipped):
            self._has_skipped = True
            self._venues.report(self.name, now, self._reason)
            return self._blind(wants)
        self._has_skipped = False
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
        return self._blind(wants)

    async def begin(self) -> None:
        """Ask what the exchange lists; what goes wrong is found again by the first look."""
        with suppress(Fault):
            await self.ready()

    async def follow(self, wants: Sequence[Want]) -> None:
        """Note what is wanted now, without looking."""
        self._venues.follow(wants, self.clock.now())

    async def keep(self) -> None:
        """Know what the exchange lists, and keep that new, where nobody looks at it here."""
        if self._looking.locked() or self.clock.now() < self._pause.until:
            return
        before = self._markets.known()
        async with self._looking:
            try:
                if await self._markets.listing() is not before:
                    self._pause, self._failing_since, self._reason = Pause(), None, ""
            except Fault as fault:
                self._fail(fault)
            except Exception as error:
                log.exception("listing_broke", exchange=self.name, error=type(error).__name__, exc_info=False)
                self._fail(self._mistake(error))

    async def tell(self) -> Tidings | None:
        """Say what other processes must know of the exchange, once it was looked at here."""
        tidings = self._venues.tell(self.name, self._looked_at) if self._looked_at else None
        rest_until = self._pause.until if self._pause.is_asked else 0.0
        return None if tidings is None else replace(tidings, health=self.health(), rest_until=rest_until)

    async def hear(self, tidings: Tidings) -> None:
        """Take in what another process told of the exchange; it is left alone for as long as it asked for."""
        if self._venues.hear(tidings, self.clock.now()) and tidings.rest_until > self._pause.until:
            self._pause = Pause(self._pause.failures, tidings.rest_until, is_asked=True)
            self._reason = tidings.health.reason if tidings.health else ""

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

    async def see(self, key: MetricKey, listed: Listed) -> Seen:
        """Give the present price with the running minute so far."""
        self._check_pause()
        await self.ready()
        return await self._answers.see(key, listed)

    async def page(
        self, key: MetricKey, listed: Listed, since: int, until: int, span: int
    ) -> tuple[Bar, ...]:
        """Give the newest run without a hole of the final bars in ``[since, until)``."""
        self._check_pause()
        await self.ready()
        return await self._answers.page(key, listed, since, until, span)

    def exchange_now(self) -> float:
        """Give the exchange's present instant, by what is known of its clock."""
        return self._time.estimate()

    async def ahead(self) -> float:
        """Say how many seconds the exchange's clock is ahead of ours, asking where needed. Raises Fault."""
        return await self._time.now() - self.clock.now()

    def health(self) -> Health:
        """Say how the exchange is."""
        newest = self._delivery.newest
        return Health(
            self.name,
            self._seen_at,
            self._failing_since,
            self._reason,
            self._door.requests,
            requests_in_an_hour=self._door.requests_in_an_hour(),
            share=self._door.share(),
            failures=self._pause.failures,
            lag=None if newest is None else max(0.0, self._time.estimate() - newest),
        )

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
        self._pursuit.begin()
        roster = roster_of(self.name, self._venues, wants)
        final = final_until(self._time.estimate())
        self._note_absent(roster)
        blind = {**roster.absent, **roster.unwatched, **await self._take_over(roster)}
        levels = {want.key: self._level(want.key) for wants in roster.mine.values() for want in wants}
        with_days = self._sieve.worth_asking(roster.mine, final, self._ratio)
        asked_at = self._time.estimate()
        quotes = await self._prices.ask(_kinds(roster.mine), listing, with_days)
        priced_at = self._time.estimate()
        await _give_way()
        sifted = self._sieve.sift(roster.mine, quotes, final, asked_at, self._ratio)
        tried = {listed: final - MINUTE for listed in roster.tried if self._tried.get(listed.symbol) != final}
        self._tried = {listed.symbol: final for listed in roster.tried}
        count = len(roster.mine) + len(roster.tried)
        await _give_way()
        caught = await self._pursuit.catch({**tried, **sifted.since}, sifted.distances, count)
        blind |= self._report(roster, caught)
        bars, bounds = self._delivery.minutes(roster.mine, caught, sifted.keys, sifted.bounds)
        prints = self._delivery.prints(roster.mine, quotes, priced_at)
        mine = [want for wants in roster.mine.values() for want in wants]
        await _give_way()
        batch = Batch(self.name, self.clock.now(), bars, prints, bounds=bounds, unseen=_unseen(blind))
        batch = self._narrowed(await self.inquiry.examine(mine, batch), levels)
        self._venues.show(self.name, batch.keys())
        return batch, "; ".join(self._remarks(roster, caught))

    async def _take_over(self, roster: Roster) -> dict[MetricKey, str]:
        """Measure by how much prices here differ from those that were judged, where this one stands in anew.

        Gives the keys that cannot be shown yet, and why.
        """
        blind: dict[MetricKey, str] = {}
        asked: dict[Listed, Want] = {}
        for listed, wants in roster.mine.items():
            for want in wants:
                if self._venues.ratio(self.name, want.key) is None:
                    if want.close is None and not want.source:
                        self._venues.settle_home(self.name, want.key)
                    elif want.close is None:
                        self._venues.settle_ratio(self.name, want.key)
                    else:
                        asked[listed] = want
        if not asked:
            return blind
        ends = {listed: want.since + MINUTE for listed, want in asked.items()}
        found, faults = await self._pursuit.before(ends)
        for listed, want in asked.items():
            bars, fault = found.get(listed, ()), faults.get(listed)
            own = contemporary(want.close, want.since, bars) if want.close and bars else None
            if own and want.close and self._venues.settle_ratio(self.name, want.key, want.close, own):
                continue
            blind[want.key] = f"{self.name} is about to stand in" if fault is None else fault.reason
            if own:
                blind[want.key] = f"{self.name} shows quite another price of {want.key.instrument.upper()}"
            if fault is not None or own:
                self._venues.report_series(
                    self.name, want.key.instrument, self.clock.now(), blind[want.key], is_final=True
                )
        return blind

    def _ratio(self, key: MetricKey) -> float | None:
        return self._venues.ratio(self.name, key)

    def _level(self, key: MetricKey) -> tuple[str, float | None]:
        """Give at whose level the exchange shows a key now, and what its prices are multiplied by."""
        return self._venues.level_of(self.name, key), self._ratio(key)

    def _narrowed(self, batch: Batch, levels: Mapping[MetricKey, tuple[str, float | None]]) -> Batch:
        """Leave out what another exchange shows by now, or this one at another level than when it began.

        That may have changed while the look went on.
        """

        def is_mine(key: MetricKey) -> bool:
            return self._venues.teller_of(key) == self.name and levels.get(key) in {None, self._level(key)}

        return narrowed(batch, is_mine)

    def _note_absent(self, roster: Roster) -> None:
        for key, reason in roster.absent.items():
            self._venues.report_series(self.name, key.instrument, self.clock.now(), reason)

    def _report(self, roster: Roster, caught: Catch) -> dict[MetricKey, str]:
        """Note how each series went, and give those that cannot be seen, with the reason."""
        now = self.clock.now()
        for listed, fault in caught.faults.items():
            self._venues.report_series(self.name, listed.symbol.lower(), now, fault.reason)
        for listed, answer in caught.answers.items():
            if answer.good:
                self._venues.report_series(self.name, listed.symbol.lower(), now)
        return {
            want.key: fault.reason
            for listed, fault in caught.faults.items()
            for want in roster.mine.get(listed, ())
        }

    def _remarks(self, roster: Roster, caught: Catch) -> list[str]:
        remarks = [
            f"no minutes of {listed.symbol.lower()}: {one.reason}" for listed, one in caught.faults.items()
        ]
        remarks += [
            f"{self.name} gives impossible candles of {listed.symbol.lower()}"
            for listed, answer in caught.answers.items()
            if answer.refused
        ]
        return remarks + sorted(set(roster.absent.values()))

    def _blind(self, wants: Sequence[Want]) -> Batch:
        """Give the batch of a look that saw nothing."""
        blind = {want.key: self._venues.silence(want.key) or self._reason for want in wants}
        return self._narrowed(Batch(self.name, self.clock.now(), unseen=_unseen(blind)), {})

    # --- how it is ----------------------------------------------------------------------------------------

    def _check_pause(self) -> None:
        if self.clock.now() < self._pause.until:
            raise Fault(Trouble.PASSING, self._reason)

    def _fail(self, fault: Fault) -> None:
        now = self.clock.now()
        self._venues.report(self.name, now, fault.reason, is_final=fault.trouble is Trouble.BLOCKED)
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
        if self._pause.is_asked and self.clock.now() < self._pause.until:
            return  # a question met a refusal while the look went on: that stands
        if self._failing_since is not None:
            log.info("look_recovered", exchange=self.name)
        elif remark and remark != self._reason:
            log.warning("look_incomplete", exchange=self.name, reason=remark)
        self._pause = Pause()
        self._seen_at = self.clock.now()
        self._venues.report(self.name, self._seen_at)
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


async def _give_way() -> None:
    """Let others have their turn between two steps that each take milliseconds for thousands of markets."""
    await asyncio.sleep(0)


def _unseen(blind: Mapping[MetricKey, str]) -> tuple[Unseen, ...]:
    return tuple(Unseen(key, reason) for key, reason in blind.items())


def _kinds(wanted: Mapping[Listed, Sequence[Want]]) -> list[Kind]:
    kinds: set[Kind] = {listed.kind for listed in wanted} or {"spot"}
    return sorted(kinds)
