"""The schema on PostgreSQL: every migration, there and back, and the outcome is the metadata's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Text, inspect, text
from sqlalchemy.engine import Connection

from bot.ports import StoreTrouble
from bot.store import check, open_store, schema, upgrade
from bot.store.database import connect
from bot.store.tables import metadata
from tests.migrating import REVISIONS, differences, move, with_migration
from tests.postgres import Server
from tests.storing import ANN, make

_COLUMNS = (
    "SELECT table_name || '.' || column_name, data_type, is_nullable, column_default, collation_name "
    "FROM information_schema.columns WHERE table_schema = 'public'"
)
_CONSTRAINTS = (
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
)
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    """Give an empty database."""
    with postgres.database(is_empty=True) as url:
        yield url


async def schema_of(url: str) -> dict[str, tuple[object, ...]]:
    """Read what a database has: columns, constraints and indexes, by name."""
    database = connect(url)
    async with database.reading() as connection:
        found = {}
        for question in (_COLUMNS, _CONSTRAINTS, _INDEXES):
            for name, *rest in await connection.execute(text(question)):
                found[f"{question[7:14]}{name}"] = tuple(rest)
    await database.close()
    return {name: rest for name, rest in found.items() if "alembic_version" not in name}


async def test_every_migration_runs_by_itself_and_the_outcome_is_the_metadata(
    url: str, postgres: Server
) -> None:
    for revision in REVISIONS:
        await move(url, "upgrade", revision)
    assert (await check(url)).is_well
    assert await differences(url) == []


def test_columns_constraints_and_indexes_are_those_of_the_metadata(url: str, postgres: Server) -> None:
    async def made(url: str) -> dict[str, tuple[object, ...]]:
        database = connect(url)
        async with database.writing() as connection:
            await connection.run_sync(metadata.create_all)
        await database.close()
        return await schema_of(url)

    asyncio.run(upgrade(url))
    with postgres.database(is_empty=True) as fresh:
        assert asyncio.run(schema_of(url)) == asyncio.run(made(fresh))


async def test_every_text_is_ordered_by_code_points(url: str) -> None:
    await upgrade(url)
    database = connect(url)

    def texts(connection: Connection) -> set[str | None]:
        look = inspect(connection)
        return {
            one["type"].collation  # type: ignore[attr-defined]
            for table in metadata.tables
            for one in look.get_columns(table)
            if isinstance(one["type"], Text)
        }

    async with database.reading() as connection:
        assert await connection.run_sync(texts) == {"C"}
    await database.close()


async def test_a_downgrade_takes_back_what_the_upgrade_made(url: str) -> None:
    await upgrade(url)
    before = await schema_of(url)
    for revision in [*REVISIONS[-2::-1], "base"]:
        await move(url, "downgrade", revision)
    assert await schema_of(url) == {}
    assert (await upgrade(url)).is_current
    assert await schema_of(url) == before


async def test_starts_at_once_upgrade_once_and_twice_changes_nothing(url: str) -> None:
    conditions = await asyncio.gather(*(upgrade(url) for _ in range(4)))
    assert {one.is_current for one in conditions} == {True}
    before = await schema_of(url)
    assert await upgrade(url) == conditions[0]
    assert await schema_of(url) == before


async def test_what_is_of_another_version_is_refused(url: str) -> None:
    with pytest.raises(StoreTrouble, match="db upgrade"):
        await open_store(url)
    assert not (await check(url)).is_current
    await upgrade(url)
    database = connect(url)
    async with database.writing() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    await database.close()
    for refuse in (upgrade, check, open_store):
        with pytest.raises(StoreTrouble, match=r"9999.*newer Tocsin"):
            await refuse(url)


async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upgrade(url)
    store = await open_store(url)
    await make(store, ANN, "btc < 100000")
    await store.close()
    before = await schema_of(url)
    broken = ("CREATE TABLE half (id INTEGER)", "DELETE FROM subscriptions", "this is no SQL")
    scripts = with_migration(tmp_path, "half", *broken)
    monkeypatch.setattr(schema, "migrations", lambda: scripts)
    with pytest.raises(StoreTrouble, match="syntax error"):
        await upgrade(url)
    monkeypatch.undo()
    assert await schema_of(url) == before
    store = await open_store(url)
    assert len(await store.subscriptions(ANN.chat)) == 1
    await store.close()


def test_a_database_that_cannot_keep_all_texts_is_refused(postgres: Server) -> None:
    postgres.run("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        url = postgres.url.set(database="latin").render_as_string(hide_password=False)
        with pytest.raises(StoreTrouble, match="UTF8"):
            asyncio.run(upgrade(url))
    finally:
        postgres.run("DROP DATABASE latin")
