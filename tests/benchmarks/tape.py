"""Rows of the tape: what it costs to hand a batch to another process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from bot.metrics import MINUTE, Bar, Bars, Batch, MetricKey, Print
from bot.ports import Tape
from bot.tape import MemoryTape
from bot.tape.jetstream import open_tape
from tests import nats
from tests.benchmarks.row import Row
from tests.benchmarks.running import as_it_runs


def crossing(series: int = 500, batches: int = 100, rounds: int = 5) -> Iterator[Row]:
    """Put batches of a minute and a price of each series, and read them, against the queue in memory."""
    with as_it_runs(), nats.started() as server:
        seconds, bare = asyncio.run(_crossing(server.url, look(series), batches, rounds))
    name = f"a batch of {series:,} series is put on JetStream, read and judged (ms)"
    yield Row(name, seconds * 1000, bare * 1000, 25.0)


def look(series: int) -> Batch:
    """Give what one look at so many series brings, when a minute has ended."""
    keys = [MetricKey("price", f"coin{place}/usdt") for place in range(series)]
    at, price = 1_762_948_800, 0.123456
    bars = (Bars(key, (Bar(at, price, price * 1.01, price * 0.99, price, 12.5),), "binance") for key in keys)
    prints = (Print(key, price * 1.001, at + MINUTE + 0.75, "binance") for key in keys)
    return Batch("binance", at + MINUTE + 1.0, tuple(bars), tuple(prints))


async def _crossing(url: str, batch: Batch, batches: int, rounds: int) -> tuple[float, float]:
    """Give the median seconds of a batch over JetStream and in memory, in turn."""
    async with open_tape(url, "bench") as tape:
        taken = [
            (await _seconds(tape, batch, batches), await _seconds(MemoryTape(), batch, batches))
            for batch in (replace(batch, at=batch.at + number * MINUTE * batches) for number in range(rounds))
        ]
    return median(one for one, _ in taken), median(other for _, other in taken)


async def _seconds(tape: Tape, batch: Batch, batches: int) -> float:
    """Time one batch of many, from one end to the other; no two are alike."""
    reading = asyncio.create_task(_read(tape))
    began = time.perf_counter()
    for number in range(batches):
        await tape.put(replace(batch, at=batch.at + MINUTE * number))
    await tape.judged()
    taken = time.perf_counter() - began
    reading.cancel()
    assert await reading == batches, "each was read once"
    return taken / batches


async def _read(tape: Tape) -> int:
    looks = 0
    try:
        async for batch in tape.read(0):
            looks += not batch.has_more
    except asyncio.CancelledError:
        pass
    return looks
