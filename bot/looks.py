"""Looks: when each feed is asked, and how what it saw comes onto the tape.

Exchanges are looked at every few seconds, providers when they want to be, and streams tell by themselves.
What is wanted of them is asked of the tape before each look. Where the tape takes nothing, a look is lost:
the next one brings what was not judged.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog

from bot import gauges
from bot.ports import TapeTrouble
from bot.spell import Spell

if TYPE_CHECKING:
    from bot.feeds.exchanges import Stream
    from bot.feeds.metrics.metric_feed import MetricFeed
    from bot.metrics import Batch, Want
    from bot.ports import Clock, Feed, Tape
    from bot.rhythm import Rhythm

log = structlog.get_logger(__name__)

_SECONDS_BETWEEN_FIRST_LOOKS = 2.0


@dataclass(slots=True)
class Looks:
    """Whoever looks at ``exchanges`` every ``seconds`` and at ``providers``, and heeds ``streams``."""

    clock: Clock
    tape: Tape
    rhythm: Rhythm
    exchanges: Sequence[Feed]
    streams: Sequence[Stream]
    providers: Sequence[MetricFeed]
    seconds: float
    _planned: dict[str, float] = field(default_factory=dict, init=False)
    _known: Sequence[Want] | None = field(default=None, init=False)
    _spell: Spell = field(default_factory=Spell, init=False)

    def plan(self) -> None:
        """Plan the looks at exchanges."""
        for feed in self.exchanges:
            self.rhythm.repeat_from_now(f"look at {feed.name}", partial(self.look, feed), self.seconds)
        if self.providers and not self.exchanges:  # else each look at an exchange sees what is new
            self.rhythm.repeat_from_now("see what is wanted", self._see_what_is_wanted, self.seconds)

    async def begin(self) -> None:
        """Plan the first looks at providers, as soon as the rhythm runs."""
        wants = await self._wanted() or ()
        for place, provider in enumerate(self.providers):  # who is preferred speaks first
            self._plan(provider, wants, self.clock.now() + place * _SECONDS_BETWEEN_FIRST_LOOKS)

    async def look(self, feed: Feed) -> None:
        """Look at a feed, and hand over what it saw; not before it is known what is wanted of it."""
        began = time.perf_counter()
        if (wants := await self._wanted()) is None:
            return
        self._hurry(wants)
        batch = await feed.poll(wants)
        health = feed.health()
        gauges.count_poll(feed.name, time.perf_counter() - began, health.seen_at if health.is_well else None)
        gauges.show_lag(feed.name, health.lag)
        for stream in self.streams:
            stream.compare(batch)
        await self._put(batch)

    async def follow(self, stream: Stream) -> None:
        """Hand over what a stream tells, whenever nothing waits to be judged: looks go first."""
        while (wants := await self._wanted()) is None:
            await self.clock.sleep(self.seconds)
        while (batch := await stream.collect(wants)) is not None:
            if batch.prints:
                await self._put(batch)
            await self.tape.caught_up()
            wants = await self._wanted() or wants

    async def _look_at_provider(self, feed: MetricFeed) -> None:
        """Look at a provider; where the clock was held in between it is not due yet, and is planned again."""
        self._planned.pop(feed.name, None)  # while it runs, nobody hurries it
        try:
            if feed.due_at(await self._wanted() or ()) <= self.clock.now():
                with self.clock.still():  # what is answered is of the instant at which it is asked
                    await self.look(feed)
        finally:
            if self.rhythm.is_running:
                self._plan(feed, await self._wanted() or ())

    async def _see_what_is_wanted(self) -> None:
        self._hurry(await self._wanted() or ())

    def _plan(self, feed: MetricFeed, wants: Sequence[Want], earliest: float = 0.0) -> None:
        """Plan the next look at a provider for when it wants to be asked, if anything is wanted of it."""
        due = max(feed.due_at(wants), earliest)
        self._planned[feed.name] = due
        if due < math.inf:
            self.rhythm.do_at(f"look at {feed.name}", partial(self._look_at_provider, feed), due)

    def _hurry(self, wants: Sequence[Want]) -> None:
        """Plan an earlier look at a provider of which something new is wanted."""
        for feed in self.providers:
            planned = self._planned.get(feed.name)
            if planned is not None and planned > self.clock.now() and feed.due_at(wants) < planned:
                self._plan(feed, wants)

    async def _wanted(self) -> Sequence[Want] | None:
        """Give what is wanted, or was when that could last be asked; ``None`` where it never could."""
        try:
            self._known = await self.tape.wants()
        except TapeTrouble as trouble:
            self._note(trouble)
        return self._known

    async def _put(self, batch: Batch) -> None:
        try:
            await self.tape.put(batch)
        except TapeTrouble as trouble:
            self._note(trouble)
        else:
            if self._spell.ends():
                log.warning("the tape takes again what is seen")

    def _note(self, trouble: TapeTrouble) -> None:
        if self._spell.begins(str(trouble), self.clock.now()):
            log.warning("what is seen cannot be handed over", reason=str(trouble))
