"""The rhythm of a house: what is done again and again, or at an instant, by our clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

if TYPE_CHECKING:
    from bot.ports import Clock

_SHORTEST_WAIT = 0.005
"""Real seconds to what is to be done next: while a clock is held, no instant comes nearer."""


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
class Rhythm:
    """The plan of one house; nothing is done before ``start``."""

    clock: Clock
    _scheduler: AsyncIOScheduler = field(default_factory=lambda: AsyncIOScheduler(timezone=UTC), init=False)
    _under_way: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    def start(self) -> None:
        """Begin to do what is planned."""
        self._scheduler.start()

    def stop(self) -> None:
        """Begin nothing any more: what is under way is cancelled, and waited for by whoever wants to."""
        self._scheduler.shutdown(wait=False)

    @property
    def is_running(self) -> bool:
        """Whether what is planned is done."""
        return bool(self._scheduler.running)

    @property
    def under_way(self) -> Collection[asyncio.Task[None]]:
        """What is being done now."""
        return self._under_way

    def every(self, seconds: float) -> BaseTrigger:
        """Give what is due every so many seconds, the first time when they are over."""
        first = datetime.fromtimestamp(self.clock.now() + seconds, UTC)
        return IntervalTrigger(seconds=seconds, start_date=first, timezone=UTC)

    def repeat(self, name: str, work: Callable[[], Awaitable[None]], trigger: BaseTrigger) -> None:
        """Do a work whenever a trigger says, never twice at once."""
        self._repeat(name, work, trigger)

    def repeat_from_now(self, name: str, work: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Do a work at once, and then every so many seconds, never twice at once."""
        start = datetime.fromtimestamp(self.clock.now(), UTC)
        every = IntervalTrigger(seconds=seconds, start_date=start, timezone=UTC)
        self._repeat(name, work, every, next_run_time=datetime.now(UTC))

    def _repeat(
        self, name: str, work: Callable[[], Awaitable[None]], trigger: BaseTrigger, **first: datetime
    ) -> None:
        self._scheduler.add_job(
            self._do,
            OnClock(trigger, self.clock),
            [work],
            id=name,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
            **first,
        )

    def do_at(self, name: str, work: Callable[[], Awaitable[None]], instant: float) -> None:
        """Do a work at an instant, in place of what was planned under that name."""
        wait = max(self.clock.real(instant - self.clock.now()), _SHORTEST_WAIT)
        self._scheduler.add_job(
            self._do,
            DateTrigger(datetime.now(UTC) + timedelta(seconds=wait)),
            [work],
            id=name,
            replace_existing=True,
            max_instances=2,  # the next is planned at the end of the one before, which still counts
            misfire_grace_time=None,
        )

    async def _do(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do a piece of work for the scheduler, which cancels it at the end, and waits for nothing."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the scheduler made one
        self._under_way.add(task)
        try:
            await work()
        except asyncio.CancelledError:
            return  # the scheduler would log what it cancels as a failure
        finally:
            self._under_way.discard(task)
