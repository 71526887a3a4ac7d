"""Several who judge the parts of one store's armings, from one tape; each may come to its end at any time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from bot.alerts.people import Caller
from bot.metrics import Batch, MetricKey, Seen
from bot.ports import Judgement, NewArming
from bot.store import SqlStore
from bot.store.tables import alert_states, alerts, armings, rings
from bot.watch import Watch
from tests.conftest import SetClock
from tests.market import HandMarket
from tests.storing import refill

STATE = ("is_armed", "is_firing", "episode", "rang_at", "memory", "corrections", "is_ended")


class Killed(Exception):
    """A process ended without a word."""


class Mortal:
    """A store whose next commit is the end of whoever makes it: nothing of it is kept."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.is_doomed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit(self, partition: int, epoch: int, judgement: Judgement) -> int:
        if self.is_doomed:
            raise Killed
        return await self.store.commit(partition, epoch, judgement)


@dataclass
class Judge:
    """One partition's watch, and which batch of the tape comes next."""

    watch: Watch
    ledger: Mortal
    place: int


@dataclass
class Bench:
    """All who judge, each as far on the tape as it was let go."""

    store: SqlStore
    clock: SetClock
    tape: Sequence[Batch] = ()
    judges: list[Judge] = field(default_factory=list)

    async def arm(self, who: Caller, rule: str, seen: dict[MetricKey, Seen], **how: Any) -> None:
        arming = NewArming(refill(rule, {}), seen)
        await self.store.make_alert(who, rule, arming, self.clock.now(), **how)

    async def divide(self, count: int) -> None:
        """Let so many judge from now on; all go on from where the last of them is on the tape."""
        await self.store.divide(count)
        place = min((judge.place for judge in self.judges), default=0)
        self.judges = [await self.open(partition, place) for partition in range(count)]

    async def open(self, partition: int, place: int = 0) -> Judge:
        ledger = Mortal(self.store)
        market = HandMarket(self.clock, btc=100.0, eth=100.0)
        for run in next((batch.bars for batch in reversed(self.tape) if batch.bars), ()):
            market.feed(run.key.instrument, run.bars)
        watch = Watch(ledger, market, self.clock, lambda: None, 140, partition)  # type: ignore[arg-type]
        await watch.open()
        return Judge(watch, ledger, place)

    async def go(self, partition: int, count: int = 1) -> None:
        """Let one judge so many batches."""
        judge = self.judges[partition]
        for batch in self.tape[judge.place : judge.place + count]:
            self.clock.time = max(self.clock.time, batch.at)
            await judge.watch.take(batch)
            judge.place += 1

    async def kill(self, partition: int) -> None:
        """Let one end in the middle of a batch: another takes over from there."""
        judge = self.judges[partition]
        judge.ledger.is_doomed = True
        with suppress(Killed):
            await self.go(partition)
        self.judges[partition] = await self.open(partition, judge.place)

    async def finish(self) -> None:
        for partition in range(len(self.judges)):
            await self.go(partition, len(self.tape))

    async def outcome(self) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Give the rings that were kept, and the states, by the numbers of the alerts."""
        told = armings.join(alerts, armings.c.alert_id == alerts.c.id)
        rang = select(
            alerts.c.number, rings.c.episode, rings.c.corrections, rings.c.at, rings.c.value
        ).select_from(rings.join(told, rings.c.arming_id == armings.c.id))
        states = select(alerts.c.number, *(alert_states.c[name] for name in STATE)).select_from(
            alert_states.join(told, alert_states.c.arming_id == armings.c.id)
        )
        async with self.store._database.reading() as connection:
            return (
                sorted(map(tuple, await connection.execute(rang))),
                sorted(map(tuple, await connection.execute(states)), key=lambda row: int(row[0])),
            )
