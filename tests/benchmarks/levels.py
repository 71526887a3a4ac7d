"""A level that many chats follow: what it takes to move it, and how many hear of it."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from sqlalchemy import func, insert, select

from bot.alerts.models import Level, Telling
from bot.store import SqlStore, open_store, upgrade
from bot.store.tables import chats, outbox, subscriptions
from tests.storing import ANN, NOON, SEEN, follow, put_level, refill


def move_seconds(count: int) -> tuple[float, float, int]:
    """Move a level that so many chats follow; gives the seconds, those of the bare rows, and who was told."""
    return asyncio.run(_moved(count))


async def _moved(count: int) -> tuple[float, float, int]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/tocsin.db"
        await upgrade(url)
        store = await open_store(url)
        try:
            await followed(store, count)
            level = Level("floor", Decimal(99_000), None, ANN.name, NOON)
            began = time.perf_counter()
            await store.set_level(ANN, level, refill, SEEN, NOON)
            seconds = time.perf_counter() - began
            async with store._database.reading() as connection:
                told = select(func.count(outbox.c.chat_id.distinct())).where(
                    outbox.c.kind == Telling.LEVEL.value
                )
                heard = (await connection.execute(told)).scalar_one()
        finally:
            await store.close()
        return seconds, _bare(Path(folder) / "bare.db", count), heard


async def followed(store: SqlStore, count: int) -> None:
    """Let chats follow one shared alert, as if each had subscribed."""
    await put_level(store, ANN, "floor", "98000")
    await store.publish(ANN, "etf", "btc < @floor", NOON)
    await follow(store, ANN, "etf")
    async with store._database.writing() as connection:
        first = (await connection.execute(select(subscriptions))).one()
        known = {"platform": "telegram", "thread": "", "kind": "private", "language": "en"}
        known |= {"timezone": "UTC", "paused_reason": "", "last_number": 0}
        rows = [{"chat": str(number), **known} for number in range(count)]
        await connection.execute(insert(chats), rows)
        ids = await connection.scalars(select(chats.c.id).where(chats.c.id != first.chat_id))
        follows = {"alert_id": first.alert_id, "arming_id": first.arming_id, "made_at": NOON, "revision": 1}
        await connection.execute(insert(subscriptions), [{"chat_id": one, **follows} for one in ids])


def _bare(path: Path, count: int) -> float:
    """Write as many rows of the same width, and change as many, by executemany alone."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE s (id INTEGER PRIMARY KEY, arming INTEGER, revision INTEGER)")
    connection.execute("CREATE TABLE o (id INTEGER PRIMARY KEY, chat INTEGER UNIQUE, facts TEXT)")
    connection.executemany("INSERT INTO s VALUES (?, 1, 1)", [(number,) for number in range(count)])
    connection.commit()
    changed, facts = [(one,) for one in range(count)], "x" * 200
    began = time.perf_counter()
    connection.executemany("UPDATE s SET arming = 2, revision = 2 WHERE id = ?", changed)
    connection.executemany("INSERT INTO o (chat, facts) VALUES (?, ?)", [(one, facts) for (one,) in changed])
    connection.commit()
    seconds = time.perf_counter() - began
    connection.close()
    return seconds
