"""A deployment that goes from SQLite to PostgreSQL takes all along, and goes on there as it was."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from bot.__main__ import app
from bot.ports import StoreTrouble
from bot.store import SqlStore, check, claim, copy, copying, open_store
from bot.store.copying import carried_tables
from bot.store.database import connect
from bot.store.metadata import metadata
from tests.conftest import SetClock
from tests.postgres import Server
from tests.storing import ANN, make
from tests.test_migrations_rows import PAST, fill, lived_in, reflected, rows_of
from tests.test_watch import Ear, opened

__all__ = ["lived_in"]

PASSWORD = "hunter2-and-a-half"


@pytest.fixture
def home(lived_in: Path, tmp_path: Path) -> Path:
    """Give a database with rows in every table, and ids that were given and are gone."""
    path = Path(shutil.copy(lived_in, tmp_path / "home.db"))
    fill(path, reflected(path))
    with closing(sqlite3.connect(path)) as database, database:
        for table in ("broadcasts", "proposals"):
            database.execute(f"UPDATE sqlite_sequence SET seq = seq + 7 WHERE name = '{table}'")  # noqa: S608
    return path


@pytest.fixture
def target(postgres: Server) -> Iterator[str]:
    with postgres.database(is_empty=True) as url:
        yield url


def url(path: Path) -> str:
    return f"sqlite:///{path}"


async def tables_of(url: str) -> list[str]:
    """Name the tables that a PostgreSQL has."""
    database = connect(url)
    async with database.reading() as connection:
        named = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = list(await connection.scalars(named))
    await database.close()
    return found


@asynccontextmanager
async def store_of(url: str) -> AsyncIterator[SqlStore]:
    store = await open_store(url)
    try:
        yield store
    finally:
        await store.close()


async def refusal(source: str, target: str) -> str:
    with pytest.raises(StoreTrouble) as refused:
        await copy(source, target)
    return str(refused.value)


async def test_all_that_there_is_goes_there_and_comes_back_as_it_was(
    home: Path, target: str, tmp_path: Path
) -> None:
    carried = {one.name for one in carried_tables()}
    tables = [one for one in reflected(home) if one.name in carried]
    before = rows_of(home, tables)
    assert carried == set(metadata.tables) - {"duties", "processes"}
    assert all(before.values())
    there = await copy(url(home), target)
    assert [one.table for one in there] == [one.name for one in carried_tables()]
    assert {one.table: (one.here, one.there) for one in there} == {
        name: (len(before[name]), len(before[name])) for name in carried
    }
    assert (await check(target)).is_well
    back = tmp_path / "folder" / "back.db"
    assert await copy(target, url(back)) == there
    assert rows_of(back, tables) == before
    assert (await check(url(back))).is_well
    assert rows_of(home, tables) == before


async def test_a_bot_goes_on_there_as_it_was_and_no_id_is_given_twice(
    lived_in: Path, target: str, tmp_path: Path
) -> None:
    source = Path(shutil.copy(lived_in, tmp_path / "lived_in.db"))
    async with store_of(url(source)) as store:
        gone = await make(store, ANN, "btc < 90000")
        known = await store.changes(0, 0)
    with closing(sqlite3.connect(source)) as database, database:  # a newest one that nothing is left of
        database.execute("UPDATE sqlite_sequence SET seq = 1000 WHERE name = 'alerts'")
    await copy(url(source), target)
    async with store_of(target) as store:
        assert await store.changes(0, 0) == known
        clock = SetClock(PAST[-1].end)
        scene = await opened(store, clock, Ear())
        scene.market.feed("btc/usdt", PAST)
        await scene.courier.drain()
        assert ["99,000" in told for told in scene.ear.texts()] == [True]  # promised there, and told here
        assert (await make(store, ANN, "btc < 80000")).id == 1001 > gone.id
        for price in (99_500, 110_000, 89_000):
            await scene.minute(price)
            while await scene.courier.drain():
                pass
        told = [one[:2] for one in scene.ear.texts() if one.startswith("#")]
        assert told == ["#1", "#1", "#1", "#2"], scene.ear.texts()


async def test_only_an_empty_target_is_filled(home: Path, target: str, tmp_path: Path) -> None:
    await copy(url(home), target)
    assert "the target is not empty: it has rows in" in await refusal(url(home), target)
    async with store_of(target) as store:
        assert await store.revision() > 0
    other = Path(shutil.copy(home, tmp_path / "other.db"))
    before = rows_of(other, reflected(other))
    assert "the target is not empty" in await refusal(target, url(other))
    assert rows_of(other, reflected(other)) == before


async def test_a_source_that_is_not_there_not_whole_or_of_another_version_is_refused(
    home: Path, target: str, tmp_path: Path
) -> None:
    assert "no database at" in await refusal(url(tmp_path / "none.db"), target)
    for one in (url(home), target):
        assert "one database" in await refusal(one, one)
    with closing(sqlite3.connect(home)) as database, database:
        database.execute("DELETE FROM chats WHERE id = 1")
    assert "is damaged: row" in await refusal(url(home), target)
    old = tmp_path / "old.db"
    sqlite3.connect(old).close()
    assert "revision none" in await refusal(url(old), target)
    assert await tables_of(target) == []


async def test_while_a_bot_works_with_either_nothing_is_copied(home: Path, target: str) -> None:
    async with claim(url(home), "desk:4711"):
        assert "another Tocsin works with" in await refusal(url(home), target)
    async with claim(target, "rack:1"):
        said = await refusal(url(home), target)
        assert "another Tocsin works with tocsin_test_" in said
        assert "(rack:1): stop that one first" in said
    assert await tables_of(target) == []
    await copy(url(home), target)


async def test_a_copy_that_fails_half_way_leaves_the_target_as_it_was(
    home: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(home)) as database, database:
        database.execute("UPDATE outbox SET attempts = 4000000000 WHERE id = (SELECT max(id) FROM outbox)")
    said = await refusal(url(home), target)
    assert "4000000000" not in said
    assert await tables_of(target) == []
    with closing(sqlite3.connect(home)) as database, database:
        database.execute("UPDATE outbox SET attempts = 4 WHERE attempts > 4")
    reading = copying._rows

    async def forget(connection: object, table: object) -> AsyncIterator[list[object]]:
        async for rows in reading(connection, table):  # type: ignore[arg-type]
            yield rows[1:] if connection.dialect.name == "postgresql" else rows  # type: ignore[attr-defined]

    monkeypatch.setattr(copying, "_rows", forget)
    assert "reads otherwise there" in await refusal(url(home), target)
    monkeypatch.undo()
    assert await tables_of(target) == []
    await copy(url(home), target)


def test_the_command_line_shows_every_table_and_no_password(home: Path, target: str) -> None:
    there = make_url(target).set(password=PASSWORD).render_as_string(hide_password=False)
    ended = CliRunner().invoke(app, ["db", "copy", url(home), there])
    assert ended.exit_code == 0, ended.output
    counts = {line.split()[0]: line.split()[1:] for line in ended.stdout.splitlines()[1:-1]}
    assert set(counts) == {one.name for one in carried_tables()}
    assert all(here == there for here, there in counts.values())
    total = sum(int(here.replace(",", "")) for here, _ in counts.values())
    assert ended.stdout.splitlines()[-1].startswith(f"All {total:,} rows were read back")
    again = CliRunner().invoke(app, ["db", "copy", url(home), there])
    assert (again.exit_code, again.stdout) == (1, "")
    assert "not empty" in again.stderr
    assert PASSWORD not in ended.output + again.output
    back = CliRunner().invoke(app, ["db", "copy", there, url(home.with_name("back.db")), "--json"])
    found = json.loads(back.stdout)
    assert found["ok"]
    assert {one["table"]: one["there"] for one in found["tables"]} == {
        name: int(here.replace(",", "")) for name, (here, _) in counts.items()
    }


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ("postgresql://ann:{}@127.0.0.1:1/tocsin", "see whether its server runs"),
        ("postgresql://ann:{}@no-such-host.invalid/tocsin", "see whether its server runs"),
        ("postgresql://ann:{}@127.0.0.1/tocsin?sslmode=never", "the database: "),
        ("postgresql://ann:{}@127.0.0.1", "TARGET is no SQLite file, and no database of a PostgreSQL server"),
        ("postgresql://ann:{}@127.0.0.1/tocsin?password=x", "TARGET has a word behind its ?"),
        ("mysql://ann:{}@127.0.0.1/tocsin", "TARGET is no SQLite file, and no database"),
    ],
)
def test_whatever_is_wrong_with_an_address_its_password_is_told_nobody(
    home: Path, there: str, said: str
) -> None:
    ended = CliRunner().invoke(app, ["db", "copy", url(home), there.format(PASSWORD)])
    assert ended.exit_code in (1, 2)
    assert said in ended.stderr
    assert PASSWORD not in ended.output
    assert len(ended.stderr.splitlines()) == 1
