"""A database of any earlier version is brought up to date with all that it holds, and goes on as it was.

Nothing here names a revision: each is made as its migrations make it and filled by what SQLite says of its
tables, so that a new one is tested by being there.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, Column, Float, Integer, MetaData, Table, create_engine

from bot.store import check, open_store, upgrade
from tests.conftest import NOON, SetClock
from tests.markets import batch, minutes
from tests.migrating import REVISIONS, move
from tests.storing import BTC
from tests.test_migrations import parts, schema_of
from tests.test_watch import Ear, opened

LET_GO: dict[tuple[str, str], str] = {}
"""Columns whose values a migration changes or drops on purpose, and its revision: nothing so far."""

MEANT: dict[str, Any] = {"rule": "btc/usdt < 5", "value": "17", "kind": "group", "seen": "[]", "quiet": ""}
"""What is written in columns of these names, where any value but a fitting one could be read by nobody."""

MOST_TRIES = 400
PAST = minutes(101_000, 99_000, 110_000)


def reflected(path: Path) -> list[Table]:
    """Read the tables of a file, those that others refer to first."""
    engine = create_engine(f"sqlite:///{path}")
    metadata = MetaData()
    metadata.reflect(engine)
    engine.dispose()
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make an empty database of each revision."""
    folder = tmp_path_factory.mktemp("revisions")
    path = folder / "growing.db"

    found = {}
    for revision in REVISIONS:
        asyncio.run(move(f"sqlite:///{path}", "upgrade", revision))
        found[revision] = Path(shutil.copy(path, folder / f"{revision}.db"))
    return found


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database of today with an alert that rang, is armed again, and whose ring was not told yet."""
    path = tmp_path_factory.mktemp("lived_in") / "tocsin.db"
    url = f"sqlite:///{path}"

    async def live() -> None:
        await upgrade(url)
        store = await open_store(url)
        scene = await opened(store, SetClock(), Ear())
        await scene.arm("btc < 100000 repeat cooldown 1m", 101_000)
        for bar in PAST:
            scene.clock.time = bar.end
            await scene.watch.take(batch({BTC: [bar]}, at=bar.end))
        await store.close()

    asyncio.run(live())
    return path


def copy_rows(source: Path, to: Path, tables: list[Table]) -> None:
    """Copy rows into the tables of an earlier revision, as far as it has their columns."""
    with closing(sqlite3.connect(to)) as database:
        database.execute("ATTACH ? AS source", [str(source)])
        for table in tables:
            there = {row[1] for row in database.execute(f"PRAGMA source.table_info({table.name})")}
            names = ", ".join(f'"{column.name}"' for column in table.columns if column.name in there)
            if names:
                database.execute(
                    f"INSERT INTO main.{table.name} ({names}) "  # noqa: S608
                    f"SELECT {names} FROM source.{table.name}"
                )
        database.commit()


def fill(path: Path, tables: list[Table]) -> None:
    """Write rows into every table until each of its columns holds something, however its checks tie them."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA foreign_keys = ON")
        for table in tables:
            chance = random.Random(f"{table.name} 7")  # a column more of one table changes no row of another
            wanted = {column.name for column in table.columns}
            for number in range(1, MOST_TRIES):
                row = {
                    column.name: made(column, number, chance, database)
                    for column in table.columns
                    if not is_counted(column, table)
                }
                names = ", ".join(f'"{name}"' for name in row)
                marks = ", ".join("?" * len(row))
                try:
                    database.execute(
                        f"INSERT INTO {table.name} ({names}) VALUES ({marks})",  # noqa: S608
                        list(row.values()),
                    )
                except sqlite3.IntegrityError:
                    continue
                wanted -= {name for name, value in row.items() if value is not None}
                wanted -= {column.name for column in table.columns if is_counted(column, table)}
                if not wanted and number > 3:
                    break
            assert not wanted, f"{table.name} was not filled: {wanted}"


def is_counted(column: Column[Any], table: Table) -> bool:
    """Tell the number of a row, which SQLite gives by itself."""
    return (
        list(table.primary_key) == [column] and isinstance(column.type, Integer) and not column.foreign_keys
    )


def made(column: Column[Any], number: int, chance: random.Random, database: sqlite3.Connection) -> Any:
    """Make a value for a column: now and then none where it may be NULL, and a row's that it refers to."""
    if column.nullable and chance.random() < 0.4:
        return None
    for key in column.foreign_keys:
        there = database.execute(f"SELECT {key.column.name} FROM {key.column.table.name}").fetchall()  # noqa: S608
        return chance.choice(there)[0] if there else None
    if column.name in MEANT:
        return MEANT[column.name]
    match column.type:
        case JSON():
            return "{}"
        case Boolean():
            return chance.randrange(2)
        case Float():
            return NOON + number
        case Integer():
            return 1000 + number
        case _:
            return f"{column.name} {number}"


def rows_of(path: Path, tables: list[Table]) -> dict[str, list[tuple[Any, ...]]]:
    """Read all rows, of the columns that a revision had and that were not let go."""
    with closing(sqlite3.connect(path)) as database:
        found = {}
        for table in tables:
            names = [column.name for column in table.columns if (table.name, column.name) not in LET_GO]
            chosen = ", ".join(f'"{name}"' for name in names)
            found[table.name] = sorted(
                database.execute(f"SELECT {chosen} FROM {table.name}"),  # noqa: S608
                key=repr,
            )
        found["sqlite_sequence"] = sorted(database.execute("SELECT name, seq FROM sqlite_sequence"))
    return found


@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_database_of_every_revision_keeps_all_it_holds_and_goes_on(
    revision: str, empty: dict[str, Path], lived_in: Path, template: Path, tmp_path: Path
) -> None:
    clock = SetClock()
    path = Path(shutil.copy(empty[revision], tmp_path / "old.db"))
    tables = reflected(path)
    copy_rows(lived_in, path, tables)
    fill(path, tables)
    before = rows_of(path, tables)
    assert all(len(rows) >= 2 for rows in before.values())

    url = f"sqlite:///{path}"
    assert (await upgrade(url)).is_current
    assert rows_of(path, tables) == before
    fresh, brought = schema_of(template), schema_of(path)
    assert {name: parts(sql) for name, sql in brought.items()} == {
        name: parts(sql) for name, sql in fresh.items()
    }
    assert (await check(url)).is_well

    store = await open_store(url)
    clock.time = PAST[-1].end
    scene = await opened(store, clock, Ear())
    scene.market.feed("btc/usdt", PAST)
    await scene.courier.drain()
    assert ["99,000" in text for text in scene.ear.texts()] == [True]  # promised before, and told now
    await scene.arm("btc < 90000", 110_000)
    for price in (99_500, 110_000, 89_000):
        await scene.minute(price)
        while await scene.courier.drain():
            pass
    await store.close()
    told = [text.partition(" ")[0] for text in scene.ear.texts()]
    assert told == ["#1", "#1", "#1", "#2"], "\n".join(scene.ear.texts())


async def test_what_an_early_version_did_not_write_down_is_filled_in_from_what_it_did(
    empty: dict[str, Path], tmp_path: Path
) -> None:
    path = Path(shutil.copy(empty["0010"], tmp_path / "old.db"))
    names = "id, platform, chat, thread, kind, language, timezone, paused_reason, last_number"
    with closing(sqlite3.connect(path)) as database:
        for row in (
            (1, "telegram", "71", "", "private"),
            (2, "discord", "9001", "", "private"),
            (3, "telegram", "-55", "12", "group"),
        ):
            database.execute(f"INSERT INTO chats ({names}) VALUES (?, ?, ?, ?, ?, '', '', '', 0)", row)  # noqa: S608
        database.execute(
            "INSERT INTO alerts (id, chat_id, number, rule, is_once, author, made_at, revision) "
            "VALUES (1, 2, 1, 'btc < 5', 0, 'bob', 0, 1)"
        )
        database.execute(
            "INSERT INTO subscriptions (chat_id, alert_id, made_at, paused_at, revision, person) "
            "VALUES (2, 1, 0, 1, 1, 'discord:42')"
        )
        database.commit()
    await upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT person, above FROM chats ORDER BY id").fetchall()
    assert found == [("71", ""), ("42", ""), ("", "-55")]
