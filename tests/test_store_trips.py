"""Few trips to the thread of a connection: each statement is one, and does what it did with four."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ports import StoreTrouble
from bot.store.database import Database, connect
from bot.store.trips import Connection

COUNTED = text(
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :most) "
    "SELECT n FROM numbers"
)


@pytest.fixture
async def database(tmp_path: Path) -> Any:
    """Open a database with an empty table."""
    opened = connect(f"sqlite:///{tmp_path / 'trips.db'}")
    async with opened.writing() as connection:
        await connection.execute(text("CREATE TABLE marks (name TEXT UNIQUE)"))
    yield opened
    await opened.close()


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Note every trip to a connection's thread."""
    made: list[object] = []
    go = aiosqlite.Connection._execute

    async def note(self: aiosqlite.Connection, work: Any, *arguments: Any) -> Any:
        made.append(work)
        return await go(self, work, *arguments)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", note)
    return made


async def marks(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list(await connection.scalars(text("SELECT name FROM marks ORDER BY name")))


@pytest.mark.parametrize("most", [1, 999, 1000, 1001, 2500])
async def test_all_rows_come_however_many_they_are(database: Database, most: int) -> None:
    whole = list(range(1, most + 1))
    async with database.reading() as connection:
        assert list(await connection.scalars(COUNTED, {"most": most})) == whole
        stream = await connection.stream(COUNTED, {"most": most}, execution_options={"yield_per": 700})
        pages = [[row.n for row in page] async for page in stream.partitions()]
    assert [len(page) for page in pages[:-1]] == [700] * (len(pages) - 1)
    assert [number for page in pages for number in page] == whole


async def test_who_reads_no_further_lets_the_next_write(database: Database) -> None:
    async with database.reading() as connection:
        stream = await connection.stream(COUNTED, {"most": 5000}, execution_options={"yield_per": 10})
        assert await anext(stream.scalars()) == 1
        await stream.close()
    async with database.writing() as connection:
        await connection.execute(text("DROP TABLE marks"))


async def test_what_fails_leaves_nothing_behind_and_its_connection_goes_on(database: Database) -> None:
    insert = text("INSERT INTO marks VALUES (:name)")
    with pytest.raises(StoreTrouble, match="UNIQUE"):
        async with database.writing() as connection:
            await connection.execute(insert, {"name": "first"})
            await connection.execute(insert, [{"name": "second"}, {"name": "first"}])
    assert await marks(database) == []
    async with database.writing() as connection:
        done = await connection.execute(insert, [{"name": "third"}, {"name": "fourth"}])
    assert done.rowcount == 2
    assert await marks(database) == ["fourth", "third"]


async def test_a_statement_is_one_trip_and_a_transaction_one_more(
    database: Database, trips: list[object]
) -> None:
    trips.clear()
    async with database.writing() as connection:
        await connection.execute(text("INSERT INTO marks VALUES ('first')"))
        assert await connection.scalar(text("SELECT count(*) FROM marks")) == 1
    assert len(trips) == 3
    async with database.writing():
        pass
    assert len(trips) == 3


async def test_what_is_done_at_once_is_one_trip_however_many_statements_it_runs(
    database: Database, trips: list[object]
) -> None:
    async def mark(connection: AsyncConnection, *names: str) -> int:
        for name in names:
            await connection.execute(text("INSERT INTO marks VALUES (:name)"), {"name": name})
        return int((await connection.execute(text("SELECT count(*) FROM marks"))).scalar_one())

    answer = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        await answer

    trips.clear()
    async with database.writing() as connection:
        assert await database.at_once(connection, mark(connection, *"abc")) == 3
    assert len(trips) == 1
    with pytest.raises(StoreTrouble, match="UNIQUE"):
        async with database.writing() as connection:
            await database.at_once(connection, mark(connection, "d", "a"))
    with pytest.raises(RuntimeError, match="waits for something else"):
        async with database.writing() as connection:
            await database.at_once(connection, wait())
    assert await marks(database) == ["a", "b", "c"]


async def test_what_was_done_at_once_is_kept_whatever_comes_after_it(database: Database) -> None:
    async def mark(connection: AsyncConnection) -> None:
        await connection.execute(text("INSERT INTO marks VALUES ('kept')"))

    with pytest.raises(LookupError):
        async with database.writing() as connection:
            await database.at_once(connection, mark(connection))
            raise LookupError
    assert await marks(database) == ["kept"]


async def test_only_a_commit_that_is_hasty_does_not_wait_for_the_disk(database: Database) -> None:
    async def patience(connection: AsyncConnection) -> str:
        level = (await connection.execute(text("PRAGMA synchronous"))).scalar_one()
        return {1: "NORMAL", 2: "FULL"}[level]

    found = []
    for is_hasty in (False, True, False, True):
        async with database.writing(is_hasty=is_hasty):
            pass  # one that runs nothing changes nothing for the next
        async with database.writing(is_hasty=is_hasty) as connection:
            found.append(await patience(connection))
            await connection.execute(text("DELETE FROM marks"))
    async with database.writing(is_hasty=True) as connection:
        await patience(connection)
    async with database.writing() as connection:
        found.append(await patience(connection))
    assert found == ["FULL", "NORMAL", "FULL", "NORMAL", "FULL"]


async def test_a_transaction_that_outlives_its_database_ends_well_and_leaves_no_connection(
    database: Database,
) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()
    drivers: list[Any] = []

    async def write() -> None:
        async with database.writing() as connection:
            await connection.execute(text("INSERT INTO marks VALUES ('late')"))
            drivers.append((await connection.get_raw_connection()).driver_connection)
            begun.set()
            await may_end.wait()

    writing = asyncio.create_task(write())
    await begun.wait()
    await database.close()
    may_end.set()
    await writing
    with pytest.raises(ValueError, match="no active connection"):
        assert drivers[0].in_transaction
    again = connect(str(database.engine.url))
    assert await marks(again) == ["late"]
    await again.close()


async def test_a_connection_that_is_ended_twice_at_once_ends(tmp_path: Path) -> None:
    """As where all is cancelled while one is being closed: a bot that ends would wait for ever."""
    connection = await Connection(str(tmp_path / "a.db"))
    closing = asyncio.create_task(connection.close())
    await asyncio.sleep(0)
    connection.stop()
    closing.cancel()
    ended, _ = await asyncio.wait([closing], timeout=5)
    assert ended
    connection._thread.join(5)
    assert not connection._thread.is_alive()
