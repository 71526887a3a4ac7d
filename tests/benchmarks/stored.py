"""A start with very many stored alerts: from the file to the first evaluation, against reading columns."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sqlalchemy import insert, select

from bot.collector import settle_memory
from bot.metrics import MINUTE, Bar, Bars, Batch
from bot.store import SqlStore, open_store, upgrade
from bot.store.tables import alert_states, alerts, armings, chats, counters, cursors, partitions
from bot.watch import Watch
from tests.conftest import NOON, SetClock
from tests.market import HandMarket

AROUND = 100.0
_HOUR = 3600
_AT_ONCE = 20_000
_NEEDED = (
    *(armings.c.id, armings.c.rule, armings.c.made_at, armings.c.seen),
    *(alert_states.c.cursor, alert_states.c.is_armed, alert_states.c.is_firing, alert_states.c.episode),
)


@dataclass(frozen=True, slots=True)
class Started:
    """What a start took: seconds to the first evaluation, those of the columns alone, and memory.

    ``megabytes`` is what the process grew by, ``each`` what an arming at rest takes of it, and ``as_dicts``
    what a dict takes, both in bytes. ``awake`` counts those that are not at rest after it.
    """

    seconds: float
    bare: float
    megabytes: float
    each: float
    as_dicts: float
    awake: int


def start_with(count: int, symbols: int) -> Started:
    """Start with so many plain alerts at rest, on so many symbols."""
    return asyncio.run(_start_with(count, symbols))


async def _start_with(count: int, symbols: int) -> Started:
    clock = SetClock()
    clock.time += _HOUR
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'tocsin.db'}"
        await upgrade(url)
        store = await open_store(url)
        try:
            await keep(store, count, symbols, int(clock.time))
            bare = await _read(store)
            settle_memory()
            before = _resident()
            watch = Watch(store, HandMarket(clock, btc=AROUND), clock, lambda: None, late_after=140)
            began = time.perf_counter()
            await watch.open()
            wants = watch.wants()
            bars = tuple(Bars(want.key, (Bar(want.since, AROUND, AROUND, AROUND, AROUND),)) for want in wants)
            clock.time += MINUTE
            await watch.take(Batch("binance", clock.now(), bars))
            seconds = time.perf_counter() - began
            settle_memory()  # as the bot does once it has started
            grown = max(1, _resident() - before)
            awake = sum(1 for _ in watch._armings._roll.lively)
        finally:
            gc.unfreeze()
            await store.close()
    return Started(seconds, bare, grown / 1e6, grown / count, _as_dict(), awake)


def _as_dict() -> float:
    """Give the bytes of an alert as a dict with five entries, its number and its level its own."""
    alert = {"id": 10**6, "symbol": "c1/usdt", "op": "<", "level": 1 / 7, "armed": True}
    return float(sum(map(sys.getsizeof, (alert, alert["id"], alert["level"]))))


async def keep(store: SqlStore, count: int, symbols: int, now: int) -> None:
    """Store alerts of one chat as they are after an hour in which nothing happened."""
    draws = np.random.default_rng(7)
    shares = 1 / np.arange(1, symbols + 1)
    owners = draws.choice(symbols, count, p=shares / shares.sum()).tolist()
    away = draws.integers(1, 5_000, count).tolist()
    made = {"made_at": NOON, "revision": 1}
    resting = {"cursor": now - MINUTE, "is_armed": True, "is_firing": False, "episode": 0, "memory": []}
    resting |= {"corrections": 0, "is_ended": False, "rang_at": None, "told_at": None}
    bar = [int(NOON), AROUND, AROUND, AROUND, AROUND, 0.0, MINUTE]
    async with store._database.writing() as connection:
        chat = {"platform": "telegram", "thread": "", "kind": "private", "language": "en", "chat": "1"}
        chat |= {"timezone": "UTC", "paused_reason": "", "last_number": count}
        await connection.execute(insert(chats), [chat])
        own = {**made, "is_once": True, "author": "ann", "chat_id": 1, "name": None, "key": None}
        arming = {"levels": {}, "partition": 0, "made_at": NOON, "made_in": 1, "is_open": True}
        for first in range(1, count + 1, _AT_ONCE):
            some = range(first, min(first + _AT_ONCE, count + 1))
            rules = [
                _rule(owners[one - 1], AROUND + (-away[one - 1], away[one - 1])[one % 2] / 100)
                for one in some
            ]
            rows = list(zip(some, rules, strict=True))
            await connection.execute(
                insert(alerts), [own | {"id": one, "number": one, "rule": rule} for one, rule in rows]
            )
            await connection.execute(
                insert(armings),
                [
                    arming
                    | {"id": one, "alert_id": one, "rule": rule}
                    | {"seen": [["price", rule.partition(" ")[0], "", NOON, bar, ""]]}
                    for one, rule in rows
                ],
            )
            await connection.execute(insert(alert_states), [resting | {"arming_id": one} for one in some])
        await connection.execute(insert(partitions), [{"id": 0, "epoch": 1, "holder": ""}])
        judged = {"partition": 0, "metric": "price", "venue": "", "judged_to": now - MINUTE, "close": AROUND}
        judged |= {"shown_at": now - MINUTE, "source": "binance", "home": "binance"}
        names = [{"instrument": f"c{place}/usdt"} for place in range(symbols)]
        await connection.execute(insert(cursors), [judged | name for name in names])
        await connection.execute(insert(counters), [{"name": "revision", "value": 1}])


def _rule(owner: int, level: float) -> str:
    """Write a rule whose level lies beside the price, as it is written canonically."""
    return f"c{owner}/usdt {'<' if level < AROUND else '>'} {level:.2f}".rstrip("0").rstrip(".")


async def _read(store: SqlStore) -> float:
    """Read the needed columns of all by Core, page by page, and keep nothing."""
    chosen = select(*_NEEDED).join(alert_states, alert_states.c.arming_id == armings.c.id)
    began = time.perf_counter()
    async with store._database.reading() as connection:
        stream = await connection.stream(chosen.order_by(armings.c.id))
        async for _ in stream.partitions(5_000):
            pass
    return time.perf_counter() - began


def _resident() -> int:
    """Give the memory that this process has just now, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
