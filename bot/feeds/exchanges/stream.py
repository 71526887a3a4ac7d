"""The trades of one exchange as they happen, beside the looks that stay the truth.

A stream only makes a ring come earlier: its prints move no state, and what it misses the looks bring. So it
may break, fall silent or bring nonsense, and the worst that follows is the pace of the looks.

All but ``collect``, ``compare``, ``health`` and ``close`` runs in the thread of ccxt.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import structlog

from bot import gauges
from bot.feeds.exchanges.door import Door
from bot.feeds.exchanges.hearing import Hearing
from bot.feeds.exchanges.listing import Listed, Listing
from bot.feeds.exchanges.tap import OPTIONS, Tap
from bot.feeds.exchanges.websockets import WEBSOCKETS
from bot.feeds.exchanges.wicks import Trade, Wicks
from bot.feeds.faults import Fault, Pause, Trouble
from bot.feeds.thread import LoopThread
from bot.metrics import Batch, MetricKey, Print, Want
from bot.ports import Clock, Serving, StreamHealth

PACE = 0.25
"""Real seconds from one batch to the next while trades come without a pause; after one it comes at once."""

LEAD = 2.0
"""Seconds by which a trade may be ahead of what is known of the exchange's clock; more is garbage."""

AGE = 60.0
"""Seconds after which a trade is no news: its minute comes with the next look."""

_ANSWER_SECONDS = 10.0
_SETTLED_SECONDS = 60.0

log = structlog.get_logger(__name__)


class Stream:
    """Watch the markets that somebody wants, over one connection at a time, and tell what they traded at.

    ``listing`` gives what the exchange lists, ``serving`` which exchange shows a series, ``exchange_now`` the
    exchange's instant, each as far as it is known. ``is_trusted`` says of a print whether it can be believed
    without a second source: one that cannot is left to the next look. ``pace`` is in real seconds.
    """

    def __init__(
        self,
        name: str,
        door: Door,
        clock: Clock,
        thread: LoopThread,
        *,
        listing: Callable[[], Listing | None],
        serving: Callable[[MetricKey], Serving | None],
        exchange_now: Callable[[], float],
        is_trusted: Callable[[Print], bool] = lambda _: True,
        draw: Callable[[], float] = random.random,
        pace: float = PACE,
    ) -> None:
        self.name = name
        self._about = WEBSOCKETS[name]
        self._door = door
        self._clock = clock
        self._thread = thread
        self._listing = listing
        self._serving = serving
        self._exchange_now = exchange_now
        self._is_trusted = is_trusted
        self._draw = draw
        self._pace = pace
        self._is_open = True
        self._arrived = asyncio.Event()
        self._rested_at = 0.0
        self._tap: Tap | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._pause = Pause()
        self._watched: dict[Listed, float] = {}
        self._wicks = Wicks()
        self._looked: tuple[Print, ...] = ()
        self._hearing = Hearing()
        self._counted = 0
        self._state = StreamHealth(name)
        thread.enter()

    # --- for the house --------------------------------------------------------------------------------------

    async def collect(self, wants: Sequence[Want]) -> Batch | None:
        """Give what was traded since the last time, after a moment if there is nothing yet.

        Of each market its extremes and its last price, for the wants that this exchange serves. ``None`` says
        that the stream is over: closed, or not to be had here. Never raises for what the world does.
        """
        if not self._is_open:
            return None
        return await self._thread.run(lambda: self._collect(tuple(wants)))

    def compare(self, looked: Batch) -> None:
        """Take in what a look saw: a price that moves while its stream says nothing shows a dead one."""
        if looked.source == self.name:
            self._looked = looked.prints

    def health(self) -> StreamHealth:
        """Say how the stream is."""
        return self._state

    async def close(self) -> None:
        """Let go of the connection, and of the thread if nobody else needs it."""
        if self._is_open:
            self._is_open = False
            await self._thread.run(self._close)
            await self._thread.leave()

    # --- one batch ------------------------------------------------------------------------------------------

    async def _collect(self, wants: Sequence[Want]) -> Batch | None:
        if self._state.is_over:
            return None
        wanted = self._wanted(wants)
        prints: tuple[Print, ...] = ()
        try:
            await self._tend(wanted)
            await self._rest()
            prints = tuple(self._prints(wanted))
        except Fault as fault:
            self._lose(fault)
        except Exception as error:
            log.exception("stream_broke", exchange=self.name, error=type(error).__name__, exc_info=False)
            reason = f"the stream of {self.name} failed by a mistake of this program ({type(error).__name__})"
            self._lose(Fault(Trouble.BUG, reason))
        self._show(prints)
        return Batch(self.name, self._clock.now(), prints=prints, is_streamed=True)

    def _wanted(self, wants: Sequence[Want]) -> dict[Listed, list[Want]]:
        """Give the markets to watch here with their wants, as many of a kind as a connection bears."""
        wanted: dict[Listed, list[Want]] = {}
        counts = {"spot": 0, "swap": 0}
        for want in wants:
            listed = self._listed(want.key)
            if listed is None:
                continue
            if listed not in wanted:
                counts[listed.kind] += 1
            if counts[listed.kind] <= self._about.most:
                wanted.setdefault(listed, []).append(want)
        return wanted

    def _listed(self, key: MetricKey) -> Listed | None:
        """Give the market of a key that is at home here; where this exchange stands in, looks must do."""
        listing, serving = self._listing(), self._serving(key)
        if listing is None or serving is None or serving.venue != self.name or serving.is_stand_in:
            return None
        return listing.traded.get(key.instrument)

    async def _rest(self) -> None:
        """Wait until there is something, but no longer than a moment, and no shorter after the last batch."""
        loop = asyncio.get_running_loop()
        if (left := self._rested_at + self._pace - loop.time()) > 0:
            await asyncio.sleep(left)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace):
                await self._arrived.wait()
        self._arrived.clear()

    def _prints(self, wanted: Mapping[Listed, list[Want]]) -> list[Print]:
        if self._tap is None:
            return []
        now = self._exchange_now()
        since = {listed.symbol: at for listed, at in self._watched.items()}
        drawn = list(self._tap.draw())
        if drawn:
            self._rested_at = asyncio.get_running_loop().time()
        self._wicks.note(
            trade
            for trade in drawn
            # What was traded before the subscription is history, which some exchanges begin with.
            if max(since.get(trade.symbol, now), now - AGE) <= trade.at <= now + LEAD
        )
        by_symbol = {listed.symbol: of_symbol for listed, of_symbol in wanted.items()}
        found = [
            Print(want.key, trade.price, trade.at, self.name, is_traded=True)
            for trade in self._wicks.take()
            for want in by_symbol.get(trade.symbol, ())
            if self._is_news(trade, want)
        ]
        return [one for one in found if self._is_trusted(one)]

    def _is_news(self, trade: Trade, want: Want) -> bool:
        """Whether a trade is of a minute that is not final, and concerns somebody."""
        self._hearing.note_heard(want.key)
        return trade.at >= want.since and not want.floor < trade.price < want.ceiling

    # --- the connection -------------------------------------------------------------------------------------

    async def _tend(self, wanted: Mapping[Listed, list[Want]]) -> None:
        """Keep one connection on all that is wanted. Raises Fault for one that broke."""
        now = self._clock.now()
        self._weigh_looks(wanted, now)
        if self._tap is not None:
            self._check(self._tap, now)
            if self._tap.begun_at + _SETTLED_SECONDS <= now:
                self._pause = Pause()
            if not wanted or self._is_cluttered(wanted):
                self._let_go()
        if not wanted:
            return
        if self._tap is None:
            if now < self._pause.until:
                return
            instance = await self._door.second({**self._about.options, **OPTIONS})
            self._hearing.begin()
            self._tap = Tap(self.name, self._about, instance, self._clock.now, self._arrived.set)
        new = [listed for listed in wanted if listed not in self._watched]
        left = [listed for listed in self._watched if listed not in wanted]
        if new:
            self._tap.watch(new)
            self._watched |= dict.fromkeys(new, self._exchange_now())
        if left and self._about.leaves:
            self._tap.leave(left)
            for listed in left:
                del self._watched[listed]

    def _check(self, tap: Tap, now: float) -> None:
        """See that a connection lives: ccxt itself would wait for ever."""
        if tap.fault is not None:
            raise tap.fault
        if tap.heard_at + self._about.silence <= now:
            raise Fault(Trouble.PASSING, f"the stream of {self.name} fell silent")
        if not tap.is_answered and tap.begun_at + _ANSWER_SECONDS <= now:
            raise Fault(Trouble.PASSING, f"the stream of {self.name} acknowledges nothing")
        if missed := self._hearing.missed(now - self._about.silence):
            names = ", ".join(sorted(str(key) for key in missed))
            raise Fault(Trouble.PASSING, f"the stream of {self.name} tells nothing of {names}")

    def _weigh_looks(self, wanted: Mapping[Listed, list[Want]], now: float) -> None:
        looked, self._looked = self._looked, ()
        self._hearing.keep({want.key for of_symbol in wanted.values() for want in of_symbol})
        for one in looked:
            self._hearing.note_looked(one, now)

    def _is_cluttered(self, wanted: Mapping[Listed, list[Want]]) -> bool:
        """Whether most of a connection that leaves nothing is watched for nobody: then it is made anew."""
        left = sum(listed not in wanted for listed in self._watched)
        return not self._about.leaves and left > max(10, len(wanted))

    def _lose(self, fault: Fault) -> None:
        """Drop a connection that failed, and say when there may be another."""
        is_over = fault.trouble in {Trouble.BLOCKED, Trouble.ABSENT}
        self._let_go()
        self._pause = self._pause.after(fault, self._clock.now(), self._draw)
        gauges.count_stream_loss(self.name)
        if is_over:
            log.warning("stream_given_up", exchange=self.name, reason=fault.reason)
        elif fault.reason != self._state.reason:
            wait = round(max(0.0, self._pause.until - self._clock.now()), 1)
            log.warning("stream_lost", exchange=self.name, reason=fault.reason, again_in=wait)
        self._state = replace(
            self._state, reason=fault.reason, is_over=is_over, losses=self._state.losses + 1
        )

    def _let_go(self) -> None:
        tap, self._tap, self._watched = self._tap, None, {}
        self._wicks = Wicks()
        self._counted = 0
        if tap is not None:
            closing = asyncio.create_task(tap.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _close(self) -> None:
        self._let_go()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _show(self, prints: Sequence[Print]) -> None:
        """Keep how it is where others may read it."""
        tap, before = self._tap, self._state
        frames = 0 if tap is None else tap.frames - self._counted
        self._counted += frames
        is_well = tap is not None and tap.opened_at is not None and tap.is_answered
        if is_well and before.connected_at is None:
            log.info("stream_connected", exchange=self.name, markets=len(self._watched))
        self._state = replace(
            before,
            connected_at=tap.opened_at if tap is not None and is_well else None,
            heard_at=tap.heard_at if tap is not None and frames else before.heard_at,
            markets=len(self._watched),
            frames=before.frames + frames,
            prints=before.prints + len(prints),
            reason="" if is_well else before.reason,
        )
        gauges.show_stream(self.name, is_well, frames, len(prints), self._state.heard_at)
