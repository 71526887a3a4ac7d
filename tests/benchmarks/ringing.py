"""A tick that very many alerts wait for: from the batch to the promises kept, against the bare rows."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import insert, select

from bot.collector import settle_memory
from bot.metrics import MINUTE, Bar, Bars, Batch, MetricKey, Print
from bot.store import SqlStore, open_store, upgrade
from bot.store.rows import STATE_COLUMNS
from bot.store.tables import alerts, armings, chats, counters, subscriptions
from bot.watch import Watch
from tests.benchmarks.load import Pulse
from tests.conftest import NOON, SetClock
from tests.market import HandMarket

BTC = MetricKey("price", "btc/usdt")
_BEFORE, _AFTER = 105_000.0, 90_000.0

_ASKED = {
    "alert_states": f"SELECT arming_id, {', '.join(STATE_COLUMNS)} FROM alert_states",  # noqa: S608
    "rings": "SELECT * FROM rings",
    "outbox": "SELECT * FROM outbox",
}
_SET = ", ".join(f"{name} = ?" for name in STATE_COLUMNS)
_CHANGED = f"UPDATE alert_states SET {_SET} WHERE arming_id = ?"  # noqa: S608
_AS_BEFORE = """
    DELETE FROM outbox;
    DELETE FROM rings;
    UPDATE alert_states SET is_firing = 0, episode = 0, rang_at = NULL, early = NULL;
    PRAGMA wal_checkpoint(TRUNCATE);
"""


@dataclass(frozen=True, slots=True)
class Rung:
    """What it took to ring: seconds until it was kept, those of the bare rows, and the waits for the loop.

    ``longest`` is how many milliseconds whoever else needs the loop waited at most, ``idle`` the same before.
    """

    seconds: float
    bare: float
    longest: float
    idle: float
    promised: int


def ring_many(count: int, *, is_shared: bool = False, is_equal: bool = False, is_final: bool = False) -> Rung:
    """Ring so many armed alerts, each of a chat of its own, or one that all the chats follow.

    Their levels differ, unless they are equal. What rings is a single price, or a final minute.
    """
    try:
        return asyncio.run(_ring_many(count, is_shared, is_equal, is_final))
    finally:
        gc.unfreeze()


async def _ring_many(count: int, is_shared: bool, is_equal: bool, is_final: bool) -> Rung:
    clock, kept = SetClock(), list[float]()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tocsin.db"
        await upgrade(f"sqlite:///{path}")
        store = await open_store(f"sqlite:///{path}")
        try:
            await arm_many(store, count, is_shared=is_shared, is_equal=is_equal)
            market = HandMarket(clock, btc=_BEFORE)
            watch = Watch(store, market, clock, lambda: kept.append(time.perf_counter()), late_after=140)
            await watch.open()
            for _ in range(2):  # from the second minute on all of them are at rest
                clock.time += MINUTE
                await watch.take(_minute(clock, _BEFORE))
            clock.time += MINUTE
            price = Print(BTC, _AFTER, clock.now())
            tick = _minute(clock, _AFTER) if is_final else Batch("binance", clock.now(), prints=(price,))
            settle_memory()  # as the bot does once it has started
            pulse = Pulse()
            beating = asyncio.create_task(pulse.beat())
            await asyncio.sleep(0.3)
            idle = pulse.take()
            began = time.perf_counter()
            await watch.take(tick)
            await asyncio.sleep(0.02)
            busy = pulse.take()
            beating.cancel()
        finally:
            await store.close()
        bare, promised = _bare(path, Path(folder) / "bare.db")
    return Rung(kept[0] - began, bare, busy.most, idle.most, promised)


def _minute(clock: SetClock, low: float) -> Batch:
    at = int(clock.now()) - MINUTE
    return Batch("binance", clock.now(), (Bars(BTC, (Bar(at, _BEFORE, _BEFORE, low, _BEFORE),)),))


async def arm_many(store: SqlStore, count: int, *, is_shared: bool = False, is_equal: bool = False) -> None:
    """Let each of so many chats have an alert of its own, or follow a shared one, as if it had asked."""
    async with store._database.writing() as connection:
        chat = {"platform": "telegram", "thread": "", "kind": "private", "language": "en"}
        chat |= {"timezone": "UTC", "paused_reason": "", "last_number": 1}
        await connection.execute(insert(chats), [{"chat": str(place), **chat} for place in range(count)])
        chat_ids = list(await connection.scalars(select(chats.c.id).order_by(chats.c.id)))

        made = {"made_at": NOON, "revision": 1}
        alert = {**made, "is_once": not is_shared, "author": "ann"}
        own = [{**alert, "chat_id": one, "number": 1, "name": None, "key": None} for one in chat_ids]
        shared = [{**alert, "chat_id": None, "number": None, "name": "dip", "key": "dip"}]
        rows = shared if is_shared else own
        levels = [99_000 if is_equal else 99_000 - place / 10 for place in range(len(rows))]
        rules = [f"btc/usdt < {level:.1f}".removesuffix(".0") for level in levels]
        await connection.execute(
            insert(alerts), [row | {"rule": rule} for row, rule in zip(rows, rules, strict=True)]
        )
        alert_ids = list(await connection.scalars(select(alerts.c.id).order_by(alerts.c.id)))

        bar = [int(NOON), _BEFORE, _BEFORE, _BEFORE, _BEFORE, 0.0, MINUTE]
        arming = {"levels": {}, "partition": 0, "made_at": NOON, "made_in": 1, "is_open": True}
        arming |= {"seen": [["price", "btc/usdt", "", NOON, bar]]}
        filled = zip(alert_ids, rules, strict=True)
        await connection.execute(
            insert(armings), [{**arming, "alert_id": alert_id, "rule": rule} for alert_id, rule in filled]
        )
        arming_ids = list(await connection.scalars(select(armings.c.id).order_by(armings.c.id)))

        follows = zip(
            chat_ids,
            alert_ids * count if is_shared else alert_ids,
            arming_ids * count if is_shared else arming_ids,
            strict=True,
        )
        names = ("chat_id", "alert_id", "arming_id")
        await connection.execute(
            insert(subscriptions), [{**made, **dict(zip(names, ids, strict=True))} for ids in follows]
        )
        await connection.execute(insert(counters).values(name="revision", value=1))


def _bare(kept: Path, bare: Path) -> tuple[float, int]:
    """Write the same rows into the same tables of a copy by executemany alone, in one transaction.

    Gives the seconds, and how many were promised.
    """
    with closing(sqlite3.connect(kept)) as connection:
        connection.execute("VACUUM INTO ?", (str(bare),))
    with closing(sqlite3.connect(bare, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        rows = {name: connection.execute(asked).fetchall() for name, asked in _ASKED.items()}
        states = [(*state, arming) for arming, *state in rows.pop("alert_states")]
        width = {name: ", ".join("?" * len(some[0])) for name, some in rows.items()}
        connection.executescript(_AS_BEFORE)
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_CHANGED, states)
        for name, some in rows.items():
            connection.executemany(f"INSERT INTO {name} VALUES ({width[name]})", some)  # noqa: S608
        connection.execute("COMMIT")
        return time.perf_counter() - began, len(rows["outbox"])
