"""The running parts of one process, and when each of them works."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from bot import gauges
from bot.afterwards import Afterwards
from bot.agenda import Agenda
from bot.deliver import Courier
from bot.feeds.exchanges import Exchanges, Stream
from bot.feeds.metrics.board import MetricFeeds
from bot.feeds.metrics.metric_feed import MetricFeed
from bot.heartbeat import Heartbeat
from bot.metrics import Want
from bot.organs import MEMORY, Organs
from bot.ports import Chat, Clock, Damaged, Desk, Feed, Outbox, StoreTrouble
from bot.ports.clearing import Clearing
from bot.ports.infirmary import Infirmary
from bot.rounds import Rounds
from bot.tape import MemoryTape
from bot.vigil import Bulletin
from bot.watch import Watch

log = structlog.get_logger(__name__)

KEPT = 90 * 86_400.0
"""For how many seconds what was told and is over can be asked for; the last ring of an alert always can."""

_SECONDS_TO_SETTLE = 8.0
_SECONDS_BETWEEN_ROUNDS = 30.0
_SECONDS_BETWEEN_HEARTBEATS = 60.0
_SECONDS_BETWEEN_FIRST_LOOKS = 2.0
_SHORTEST_WAIT = 0.005
"""Real seconds to the next look at a provider: while a clock is held, no instant comes nearer."""
_SECONDS_BETWEEN_BEATS = 0.5
_SECONDS_SET = 10.0
"""By how much the machine's clock must be set at once, either way, for the house to begin anew."""

_SECONDS_UNTIL_QUIET = 10.0
"""After the start, when nobody waits for what was not needed so far."""

_QUIET_HOUR = 9
"""UTC: New York sleeps, the flows of its funds are settled, and nobody looks at them for hours."""


class OnClock(BaseTrigger):  # type: ignore[misc]  # apscheduler is not typed
    """A trigger that runs on our clock: APScheduler asks in real time, and is answered in real time.

    The inner trigger is asked and answers in the clock's time. Where the clock was held in between, a job
    comes a little early by its own clock; the next one is reckoned from the plan, so that none is lost.
    APScheduler asks twice what follows one run; the answer to both is the same run.
    """

    def __init__(self, inner: BaseTrigger, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._planned: dict[datetime, datetime] = {}

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Answer APScheduler: the real instant of the next run."""
        here = self._clock.now()
        previous = self._planned.get(previous_fire_time) if previous_fire_time else None
        due = self._inner.get_next_fire_time(previous, datetime.fromtimestamp(here, UTC))
        if due is None:
            return None
        answer = now + timedelta(seconds=self._clock.real(due.timestamp() - here))
        known = {previous_fire_time: previous} if previous_fire_time and previous else {}
        self._planned = {**known, answer: due}
        return answer


@dataclass(slots=True)
class House:
    """The running parts of one process.

    ``warming`` is called in another thread, one after the other, when the start is over: what the first who
    needs it would otherwise wait for.
    """

    clock: Clock
    chats: Sequence[Chat]
    couriers: Sequence[Courier]
    desk: Desk
    exchanges: Exchanges
    metrics: MetricFeeds
    tape: MemoryTape
    watch: Watch
    agenda: Agenda
    afterwards: Afterwards
    poll_seconds: float
    outbox: Outbox
    infirmary: Infirmary
    clearing: Clearing
    operators: Collection[tuple[str, str]] = ()
    heartbeat: Heartbeat | None = None
    warming: Sequence[Callable[[], object]] = ()
    scheduler: AsyncIOScheduler = field(default_factory=lambda: AsyncIOScheduler(timezone=UTC))
    _planned: dict[str, float] = field(default_factory=dict, init=False)
    _rounds: Rounds = field(init=False)
    _is_set: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _set_by: float = field(default=0.0, init=False)
    _under_way: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._rounds = Rounds(self.infirmary, self.clock, self.couriers, self.operators)

    async def run(self, until: asyncio.Event) -> None:
        """Work until the event is set. A part that fails ends the others, and its error is raised.

        It ends too when somebody set the machine's clock: what waits for an instant of the old time would
        wait wrongly, so that another house has to begin, which takes up what is kept. And it ends with
        Damaged as soon as the database proves to be, after operators were told.

        At the end no new message is begun, and those under way are settled before the chats close: only a
        kill repeats what was in flight.
        """
        async with asyncio.TaskGroup() as tasks:
            carrying = [tasks.create_task(courier.run()) for courier in self.couriers]
            judging = tasks.create_task(self.watch.run(self.tape))
            others = [tasks.create_task(chat.run(self.desk)) for chat in self.chats]
            following = [tasks.create_task(self._follow(stream)) for stream in self.exchanges.streams]
            others.append(tasks.create_task(self._time_the_loop()))
            others.append(tasks.create_task(self._watch_the_clock()))
            others.append(tasks.create_task(self._heed_damage()))
            others.append(tasks.create_task(self.agenda.run()))
            others.append(tasks.create_task(self.afterwards.run()))
            others.append(tasks.create_task(self._warm()))
            self._schedule()
            try:
                await _first(until, self._is_set)
            finally:
                self.scheduler.shutdown(wait=False)
            for task in following:
                task.cancel()
            for courier in self.couriers:
                courier.close()
            self.tape.close()  # a batch under way is committed: nothing is cut off inside a transaction
            await asyncio.wait((*carrying, judging, *self._under_way), timeout=_SECONDS_TO_SETTLE)
            await self._bring_forward()
            for task in (*carrying, judging, *others):
                task.cancel()

    def reasons(self) -> list[str]:
        """Say what keeps the bot from its work now, for ``/readyz`` and the heartbeat."""
        return self._organs().reasons()

    def _organs(self) -> Organs:
        return Organs(
            exchanges=self.exchanges.market.health(),
            providers=self.metrics.health(),
            chats=self.chats,
            couriers=self.couriers,
            poll_seconds=self.poll_seconds,
            now=self.clock.now(),
            stall=self.watch.spell.stall,
        )

    def _schedule(self) -> None:
        start = datetime.fromtimestamp(self.clock.now(), UTC)
        for feed in self.exchanges.feeds:
            every = IntervalTrigger(seconds=self.poll_seconds, start_date=start, timezone=UTC)
            self.scheduler.add_job(
                self._do,
                OnClock(every, self.clock),
                args=[self._look, feed],
                id=f"look at {feed.name}",
                max_instances=1,
                coalesce=True,
                next_run_time=datetime.now(UTC),
                misfire_grace_time=None,
            )
        self._repeat("tidy up", self._tidy, CronTrigger(hour=_QUIET_HOUR, minute=20, timezone=UTC))
        rounds = max(_SECONDS_BETWEEN_ROUNDS, self.poll_seconds)
        self._repeat("go the rounds", self._go_round, self._every(rounds))
        if self.heartbeat is not None:
            self._repeat("beat", self._beat, self._every(_SECONDS_BETWEEN_HEARTBEATS))
        self.scheduler.start()
        for place, provider in enumerate(self.metrics.feeds):  # who is preferred speaks first
            self._plan(provider, self.watch.wants(), self.clock.now() + place * _SECONDS_BETWEEN_FIRST_LOOKS)

    def _every(self, seconds: float) -> BaseTrigger:
        first = datetime.fromtimestamp(self.clock.now() + seconds, UTC)
        return IntervalTrigger(seconds=seconds, start_date=first, timezone=UTC)

    def _repeat(self, name: str, work: Callable[[], Awaitable[None]], trigger: BaseTrigger) -> None:
        when = OnClock(trigger, self.clock)
        self.scheduler.add_job(
            self._do, when, [work], id=name, max_instances=1, coalesce=True, misfire_grace_time=None
        )

    async def _do(self, work: Callable[..., Awaitable[None]], *of: object) -> None:
        """Do a piece of work for the scheduler, which cancels it at the end, and waits for nothing."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the scheduler made one
        self._under_way.add(task)
        try:
            await work(*of)
        except asyncio.CancelledError:
            return  # the scheduler would log what it cancels as a failure
        finally:
            self._under_way.discard(task)

    async def _go_round(self) -> None:
        await self._rounds.go(self._organs().found())

    async def _beat(self) -> None:
        if self.heartbeat is not None and not self.reasons():
            await self.heartbeat.beat()

    async def _tidy(self) -> None:
        await self.watch.tidy()
        try:
            gone = await self.clearing.clear(self.clock.now() - KEPT)
        except StoreTrouble as trouble:
            log.warning("nothing was cleared away", reason=str(trouble))
            return
        log.info("cleared away", rows=gone)

    def _plan(self, feed: MetricFeed, wants: Sequence[Want], earliest: float = 0.0) -> None:
        """Plan the next look at a provider for when it wants to be asked, if anything is wanted of it."""
        due = max(feed.due_at(wants), earliest)
        self._planned[feed.name] = due
        if due < math.inf:
            wait = max(self.clock.real(due - self.clock.now()), _SHORTEST_WAIT)
            self.scheduler.add_job(
                self._do,
                DateTrigger(datetime.now(UTC) + timedelta(seconds=wait)),
                args=[self._look_at_provider, feed],
                id=f"look at {feed.name}",
                replace_existing=True,
                max_instances=2,  # the next look is planned at the end of the one before, which still counts
                misfire_grace_time=None,
            )

    async def _look_at_provider(self, feed: MetricFeed) -> None:
        """Look at a provider; where the clock was held in between it is not due yet, and is planned again."""
        self._planned.pop(feed.name, None)  # while it runs, nobody hurries it
        try:
            if feed.due_at(self.watch.wants()) <= self.clock.now():
                with self.clock.still():  # what is answered is of the instant at which it is asked
                    await self._look(feed)
        finally:
            if self.scheduler.running:
                self._plan(feed, self.watch.wants())

    def _hurry(self, wants: Sequence[Want]) -> None:
        """Plan an earlier look at a provider of which something new is wanted."""
        for feed in self.metrics.feeds:
            planned = self._planned.get(feed.name)
            if planned is not None and planned > self.clock.now() and feed.due_at(wants) < planned:
                self._plan(feed, wants)

    async def _look(self, feed: Feed) -> None:
        began = time.perf_counter()
        wants = self.watch.wants()
        self._hurry(wants)
        batch = await feed.poll(wants)
        health = feed.health()
        gauges.count_poll(feed.name, time.perf_counter() - began, health.seen_at if health.is_well else None)
        gauges.show_lag(feed.name, health.lag)
        for stream in self.exchanges.streams:
            stream.compare(batch)
        await self.tape.put(batch)

    async def _time_the_loop(self) -> None:
        """Measure how late the loop comes back to who only slept: that long, no chat was answered."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _SECONDS_BETWEEN_BEATS
            await asyncio.sleep(_SECONDS_BETWEEN_BEATS)
            gauges.observe_loop_lag(loop.time() - due)

    async def _watch_the_clock(self) -> None:
        """End the house when the clock goes on from another instant than it had come to.

        A machine that slept is none of that: its steady time slept with it, or it looks as if the clock had
        been put forward.
        """
        ahead: float | None = None
        while not self._is_set.is_set():
            before, now, after = self.clock.steady(), self.clock.now(), self.clock.steady()
            if after - before < _SECONDS_BETWEEN_BEATS:  # else the process stood in between
                set_by = 0.0 if ahead is None else now - before - ahead
                ahead = now - before
                if abs(set_by) >= _SECONDS_SET:
                    log.warning("the clock was set, and the work begins anew", seconds=round(set_by))
                    self._set_by = set_by
                    self._is_set.set()
            await asyncio.sleep(_SECONDS_BETWEEN_BEATS)

    async def _bring_forward(self) -> None:
        """Let what waits in the outbox wait no longer than before, where the clock was set back."""
        if self._set_by >= 0:
            return
        try:
            await self.outbox.bring_forward(-self._set_by, self.clock.now())
        except StoreTrouble as trouble:
            log.error("what waits to be sent may wait too long", reason=str(trouble))

    async def _warm(self) -> None:
        await asyncio.sleep(_SECONDS_UNTIL_QUIET)
        for one in self.warming:
            try:
                await asyncio.to_thread(one)
            except Exception:  # who needs it will meet that too, and says so where it matters
                log.exception("not warmed")

    async def _heed_damage(self) -> None:
        sentence = await self.infirmary.damaged()
        log.critical("the database is damaged, and the work ends", reason=sentence)
        await self._rounds.tell_unkept([Bulletin(MEMORY, sentence, self.clock.now())])
        raise Damaged(sentence)

    async def _follow(self, stream: Stream) -> None:
        """Hand over what a stream tells, whenever nothing waits to be judged: looks go first."""
        while (batch := await stream.collect(self.watch.wants())) is not None:
            if batch.prints:
                await self.tape.put(batch)
            await self.tape.judged()


async def _first(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
