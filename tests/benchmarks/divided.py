"""Rows of several engines: what dividing the work costs, and what a second process brings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection

from sqlalchemy import func, insert, select

from bot.collector import settle_memory
from bot.metrics import MINUTE, Bar, Bars, Batch, MetricKey, Print
from bot.ports import Tape
from bot.store import open_store, upgrade
from bot.store.tables import rings, subscriptions
from bot.tape import MemoryTape
from bot.tape.jetstream import Terms, open_tape
from bot.watch import Watch
from tests import nats, postgres
from tests.benchmarks.row import Row
from tests.benchmarks.stored import AROUND, keep
from tests.conftest import NOON, SetClock
from tests.market import HandMarket

PARTITIONS = 4
_LATE_AFTER = 140.0
_STEP = 1.0
"""By how much all prices fall from one batch to the next: each level on the way rings."""


@dataclass(frozen=True, slots=True)
class World:
    """How many alerts there are on so many series, and how many batches of all series come."""

    alerts: int
    series: int
    batches: int

    @property
    def began(self) -> int:
        """The instant up to which all was judged."""
        return int(NOON) + 3600 - MINUTE

    def clock(self) -> SetClock:
        """Give a clock behind the last batch."""
        clock = SetClock()
        clock.time = self.began + (2 * self.batches + 2) * MINUTE
        return clock

    def quiet(self) -> list[Batch]:
        """Give batches of minutes in which nothing happens."""
        return [self._batch(number, AROUND, AROUND) for number in range(self.batches)]

    def busy(self) -> list[Batch]:
        """Give those after them, in which all prices fall."""
        prices = [AROUND - _STEP * place for place in range(self.batches + 1)]
        steps = enumerate(pairwise(prices), self.batches)
        return [self._batch(number, before, price) for number, (before, price) in steps]

    def _batch(self, number: int, before: float, price: float) -> Batch:
        """Give a minute of every series, and the price after it."""
        at = self.began + number * MINUTE
        keys = [MetricKey("price", f"c{place}/usdt") for place in range(self.series)]
        bars = tuple(Bars(key, (Bar(at, before, before, price, price),), "binance") for key in keys)
        prints = tuple(Print(key, price, at + MINUTE + 0.5, "binance") for key in keys)
        return Batch("binance", at + MINUTE + 1.0, bars, prints)


@dataclass(frozen=True, slots=True)
class Taken:
    """What some batches took: the seconds of each while nothing rings, and while many ring, and how many."""

    quiet: float
    busy: float
    rung: float

    @property
    def each(self) -> float:
        """Seconds that one ring took, beside what its batch takes without."""
        return max(self.busy - self.quiet, 1e-6) / max(1, self.rung)


def dividing(alerts: int = 40_000, series: int = 500, batches: int = 12) -> Iterator[Row]:
    """Judge the same batches in one process, and over NATS in one and in two, on one PostgreSQL each."""
    world = World(alerts, series, batches)
    alone, one, two = _of_one_process(world), _of_engines(world, 1), _of_engines(world, 2)
    assert alone.rung == one.rung == two.rung > 0, "they rang alike"
    apart = f"over NATS in {PARTITIONS} partitions"
    many = f"{alerts:,} alerts on {series} series"
    cost = f"a minute and a price of each of {series} series, judged {apart} (us an observation)"
    observations = 2 * series
    yield Row(cost, one.quiet / observations * 1e6, alone.quiet / observations * 1e6, 6.0, is_of_ratio=True)
    ring = f"an alert of {many} that rings, judged {apart} (us)"
    yield Row(ring, one.each * 1e6, alone.each * 1e6, 2.0, True, int(one.rung * batches))
    second = f"{many}, of which {one.rung:,.0f} ring: a batch judged by two engines, against one engine (ms)"
    yield Row(second, two.busy * 1e3, one.busy * 1e3, 1.0, True, int(two.rung * batches))


def _of_one_process(world: World) -> Taken:
    with postgres.served_again() as server:
        server.run("CREATE DATABASE alone TEMPLATE template0")
        url = server.url.set(database="alone").render_as_string()
        return asyncio.run(_alone(world, url))


async def _alone(world: World, url: str) -> Taken:
    await _store(world, url, 1)
    store = await open_store(url)
    try:
        watch = Watch(store, HandMarket(world.clock()), world.clock(), lambda: None, _LATE_AFTER)
        await watch.open()
        tape = MemoryTape()
        judging = asyncio.create_task(watch.run(tape.read(0)))
        taken = await _timed(world, tape, url)
        tape.close()
        await judging
        return taken
    finally:
        await store.close()


def _of_engines(world: World, engines: int) -> Taken:
    with ExitStack() as stack:
        server = stack.enter_context(postgres.served_again())
        line = stack.enter_context(nats.started())
        server.run("CREATE DATABASE several TEMPLATE template0")
        url = server.url.set(database="several").render_as_string()
        asyncio.run(_store(world, url, PARTITIONS))
        for number in range(engines):
            stack.callback(_begin_engine(world, url, line.url, range(number, PARTITIONS, engines)))
        return asyncio.run(_over_nats(world, url, line.url))


async def _over_nats(world: World, url: str, line: str) -> Taken:
    async with open_tape(line, "feed", Terms(partitions=PARTITIONS, patience_of_judging=120)) as tape:
        return await _timed(world, tape, url)


async def _timed(world: World, tape: Tape, url: str) -> Taken:
    """Time a batch that rings nothing, and one that rings many."""
    quiet, busy = await _seconds(tape, world.quiet()), await _seconds(tape, world.busy())
    store = await open_store(url)
    try:
        async with store._database.reading() as connection:
            rung = await connection.scalar(select(func.count()).select_from(rings)) or 0
    finally:
        await store.close()
    return Taken(quiet, busy, rung / world.batches)


async def _seconds(tape: Tape, batches: Sequence[Batch]) -> float:
    """Give the seconds of one batch of some that come as fast as they are judged."""
    began = time.perf_counter()
    for batch in batches:
        await tape.put(batch)
    await tape.judged()
    return (time.perf_counter() - began) / len(batches)


async def _store(world: World, url: str, count: int) -> None:
    """Store the alerts, each with its follower, divided into so many partitions."""
    await upgrade(url)
    store = await open_store(url)
    try:
        await keep(store, world.alerts, world.series, int(world.clock().time) - 2 * world.batches * MINUTE)
        async with store._database.writing() as connection:
            made = {"made_at": NOON, "revision": 1, "chat_id": 1}
            rows = [made | {"alert_id": one, "arming_id": one} for one in range(1, world.alerts + 1)]
            await connection.execute(insert(subscriptions), rows)
        await store.divide(count)
    finally:
        await store.close()


def _begin_engine(world: World, url: str, line: str, partitions: Sequence[int]) -> Callable[[], None]:
    """Let a process judge some partitions; gives what ends it."""
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_judge, args=(world, url, line, partitions, there))
    process.start()
    here.recv()

    def end() -> None:
        here.send("")
        process.join()

    return end


def _judge(world: World, url: str, line: str, partitions: Sequence[int], told: Connection) -> None:
    asyncio.run(_judge_until_told(world, url, line, partitions, told))


async def _judge_until_told(
    world: World, url: str, line: str, partitions: Sequence[int], told: Connection
) -> None:
    async with AsyncExitStack() as stack:
        store = await open_store(url)
        stack.push_async_callback(store.close)
        tape = await stack.enter_async_context(open_tape(line, "engine", Terms(partitions=PARTITIONS)))
        clock = world.clock()
        market = HandMarket(clock)
        watches = [Watch(store, market, clock, lambda: None, _LATE_AFTER, one) for one in partitions]
        for watch in watches:
            await watch.open()
        settle_memory()
        async with asyncio.TaskGroup() as tasks:
            for watch in watches:
                tasks.create_task(watch.run(tape.read(watch.partition, watch.epoch)))
            told.send("")
            await asyncio.to_thread(told.recv)
            tape.close()
