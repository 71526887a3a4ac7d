"""The running parts of one process, from the first to the last of their work."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC

import structlog
from apscheduler.triggers.cron import CronTrigger

from bot import gauges
from bot.afterwards import Afterwards
from bot.agenda import Agenda
from bot.charge import Charge
from bot.colleagues import Colleagues
from bot.deliver import Courier
from bot.feeds.exchanges import Exchanges
from bot.feeds.metrics.board import MetricFeeds
from bot.heartbeat import Heartbeat
from bot.looks import Looks
from bot.organs import MEMORY, Organs, of_crews
from bot.ports import Chat, Clock, Damaged, Desk, Outbox, StoreTrouble, Superseded, Tape
from bot.ports.clearing import Clearing
from bot.ports.infirmary import Infirmary
from bot.ports.rota import Rota
from bot.rhythm import Rhythm
from bot.rounds import Rounds
from bot.vigil import Bulletin, Kind, Organ
from bot.watch import Watch

log = structlog.get_logger(__name__)

KEPT = 90 * 86_400.0
"""For how many seconds what was told and is over can be asked for; the last ring of an alert always can."""

_SECONDS_TO_SETTLE = 8.0
_SECONDS_BETWEEN_ROUNDS = 30.0
_SECONDS_BETWEEN_HEARTBEATS = 60.0
_SECONDS_BETWEEN_BEATS = 0.5
_SECONDS_SET = 10.0
"""By how much the machine's clock must be set at once, either way, for the house to begin anew."""

_SECONDS_UNTIL_QUIET = 10.0
"""After the start, when nobody waits for what was not needed so far."""

_QUIET_HOUR = 9
"""UTC: New York sleeps, the flows of its funds are settled, and nobody looks at them for hours."""


@dataclass(slots=True)
class House:
    """The running parts of one process, as far as they are in its ``charge``.

    ``couriers`` and ``chats`` are of the platforms of its charge, ``watches`` of its partitions. How the rest
    is, it hears from its ``colleagues``, and by the ``rota`` who does what of the ``plan``. ``warming`` is
    called in another thread, one after the other, when the start is over: what the first who needs it would
    otherwise wait for.
    """

    clock: Clock
    chats: Sequence[Chat]
    couriers: Sequence[Courier]
    desk: Desk
    exchanges: Exchanges
    metrics: MetricFeeds
    tape: Tape
    watches: Sequence[Watch]
    agenda: Agenda
    afterwards: Afterwards
    poll_seconds: float
    outbox: Outbox
    infirmary: Infirmary
    clearing: Clearing
    charge: Charge
    operators: Collection[tuple[str, str]] = ()
    heartbeat: Heartbeat | None = None
    colleagues: Colleagues | None = None
    rota: Rota | None = None
    plan: Sequence[str] = ()
    warming: Sequence[Callable[[], object]] = ()
    rhythm: Rhythm = field(init=False)
    looks: Looks = field(init=False)
    _rounds: Rounds = field(init=False)
    _is_set: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _set_by: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.rhythm = Rhythm(self.clock)
        self.looks = Looks(
            self.clock,
            self.tape,
            self.rhythm,
            self.exchanges.looks,
            self.exchanges.streams,
            self.metrics.looks,
            self.poll_seconds,
        )
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
            judging = [tasks.create_task(self._judge(watch)) for watch in self.watches]
            others = [tasks.create_task(chat.run(self.desk)) for chat in self.chats]
            following = [tasks.create_task(self.looks.follow(stream)) for stream in self.exchanges.streams]
            others.append(tasks.create_task(self._time_the_loop()))
            others.append(tasks.create_task(self._watch_the_clock()))
            others.append(tasks.create_task(self._heed_damage()))
            others.append(tasks.create_task(self._warm()))
            others.append(tasks.create_task(self.looks.begin()))
            if self.charge.has_upkeep:
                others.append(tasks.create_task(self.agenda.run()))
                others.append(tasks.create_task(self.afterwards.run()))
            if self.colleagues is not None:
                others.append(tasks.create_task(self.colleagues.run()))
            self._plan()
            self.rhythm.start()
            try:
                await _first(until, self._is_set)
            finally:
                self.rhythm.stop()
            for task in following:
                task.cancel()
            for courier in self.couriers:
                courier.close()
            self.tape.close()  # a batch under way is committed: nothing is cut off inside a transaction
            if settling := [*carrying, *judging, *self.rhythm.under_way]:
                await asyncio.wait(settling, timeout=_SECONDS_TO_SETTLE)
            await self._bring_forward()
            for task in (*carrying, *judging, *others):
                task.cancel()

    def reasons(self) -> list[str]:
        """Say what keeps the bot from its work now, for ``/readyz`` and the heartbeat."""
        return self._organs().reasons()

    async def _judge(self, watch: Watch) -> None:
        await watch.run(self.tape.read(watch.partition, watch.epoch))

    def organs(self) -> dict[Organ, str | None]:
        """Say of each organ of this process what ails it; see ``Organs.found``."""
        return self._organs().found()

    def _organs(self) -> Organs:
        return Organs(
            exchanges=self.exchanges.market.health(),
            providers=self.metrics.health(),
            chats=self.chats,
            couriers=self.couriers,
            poll_seconds=self.poll_seconds,
            now=self.clock.now(),
            tape=self.tape.trouble,
            stall=next((watch.spell.stall for watch in self.watches if watch.spell.stall), None),
        )

    def _plan(self) -> None:
        """Plan what is done again and again."""
        self.looks.plan()
        rhythm = self.rhythm
        rhythm.repeat("tidy up", self._tidy, CronTrigger(hour=_QUIET_HOUR, minute=20, timezone=UTC))
        if self.tape.trouble is not None:  # those who look may be in other processes
            rhythm.repeat("heed silence", self._heed_silence, rhythm.every(_SECONDS_BETWEEN_ROUNDS))
        if not self.charge.has_upkeep:
            return
        rounds = max(_SECONDS_BETWEEN_ROUNDS, self.poll_seconds)
        rhythm.repeat("go the rounds", self._go_round, rhythm.every(rounds))
        if self.heartbeat is not None:
            rhythm.repeat("beat", self._beat, rhythm.every(_SECONDS_BETWEEN_HEARTBEATS))

    async def _heed_silence(self) -> None:
        """Let each partition say what it cannot see, whatever keeps another from it."""
        heeding = (watch.heed_silence() for watch in self.watches)
        for failed in await asyncio.gather(*heeding, return_exceptions=True):
            if isinstance(failed, Exception) and not isinstance(failed, Superseded):
                log.error("a silence was not heeded", error=type(failed).__name__)

    async def _go_round(self) -> None:
        await self._rounds.go(self.organs() | await self._found_elsewhere())

    async def _beat(self) -> None:
        """Give a sign of life, while all that there is to do is done, here and elsewhere."""
        if self.heartbeat is None or self.reasons():
            return
        elsewhere = await self._found_elsewhere()
        if not any(reason for organ, reason in elsewhere.items() if organ.kind is not Kind.FEED):
            await self.heartbeat.beat()

    async def _found_elsewhere(self) -> dict[Organ, str | None]:
        """Say how the organs of other processes are, and whether somebody does all that there is to do."""
        if self.colleagues is None or self.rota is None:
            return {}
        found = self.organs()
        elsewhere = {
            organ: reason or found.get(organ, reason) for organ, reason in self.colleagues.found().items()
        }
        try:
            return elsewhere | of_crews(self.plan, await self.rota.roll(math.inf))
        except StoreTrouble as trouble:
            return elsewhere | {MEMORY: str(trouble)}

    async def _tidy(self) -> None:
        for watch in self.watches:
            await watch.tidy()
        if not self.charge.has_upkeep:
            return
        try:
            gone = await self.clearing.clear(self.clock.now() - KEPT)
        except StoreTrouble as trouble:
            log.warning("nothing was cleared away", reason=str(trouble))
            return
        log.info("cleared away", rows=gone)

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


async def _first(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
