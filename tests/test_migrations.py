"""The schema: brought up to date at start, in one transaction, from the tree and from an installed wheel."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from bot.ports import StoreTrouble
from bot.store import check, open_store, schema, upgrade
from bot.store.database import connect
from bot.store.tables import metadata
from tests.migrating import ROOT, differences, move, with_migration
from tests.storing import ANN, make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "tocsin.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


def schema_of(path: Path) -> dict[str, str]:
    """Read the statements that a SQLite file was made by, without their layout."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: sql for name, sql in rows if name not in ("alembic_version", "sqlite_sequence")}


def parts(sql: str) -> list[str]:
    """Cut a statement into its columns and constraints, whose order means nothing."""
    # An added column stands in a line with others.
    table = sql.replace('"', "").partition("(")[0].split()[-1]
    lines = re.split(r"\n|, (?=\w+ [A-Z]{3})", sql.replace('"', ""))
    cut = [line.strip().rstrip(",") for line in lines if line.strip()]
    # And what it refers to stands beside it, not at the end.
    refers = [one for line in cut if (one := re.fullmatch(r"((\w+) \w+) (REFERENCES .*)", line))]
    apart = [
        part
        for one in refers
        for part in (one[1], f"CONSTRAINT fk_{table}_{one[2]} FOREIGN KEY({one[2]}) {one[3]}")
    ]
    return sorted([line for line in cut if line not in {one[0] for one in refers}] + apart)


async def test_the_upgraded_schema_is_the_metadata(url: str) -> None:
    assert (await upgrade(url)).is_current
    assert await differences(url) == []


async def test_constraints_and_partial_indexes_are_those_of_the_metadata(
    url: str, path: Path, tmp_path: Path
) -> None:
    """What Alembic's comparison does not look at: checks, and the conditions of indexes."""
    await upgrade(url)
    fresh = tmp_path / "fresh.db"
    database = connect(f"sqlite:///{fresh}")
    async with database.writing() as connection:
        await connection.run_sync(metadata.create_all)
    await database.close()
    upgraded, made = schema_of(path), schema_of(fresh)
    assert set(upgraded) == set(made)
    for name, sql in made.items():
        assert parts(upgraded[name]) == parts(sql), name


async def test_the_file_is_opened_as_one_that_outlives_a_crash(url: str) -> None:
    await upgrade(url)
    database = connect(url)
    pragmas = {}
    async with database.reading() as connection:
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout"):
            pragmas[name] = (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
    await database.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


async def test_a_row_that_refers_to_nothing_is_refused(url: str) -> None:
    await upgrade(url)
    database = connect(url)
    with pytest.raises(StoreTrouble, match="FOREIGN KEY"):
        async with database.writing() as connection:
            await connection.exec_driver_sql("INSERT INTO alert_levels (alert_id, key) VALUES (7, 'floor')")
    await database.close()


async def test_upgrading_twice_changes_nothing(url: str, path: Path) -> None:
    first = await upgrade(url)
    before = schema_of(path)
    assert await upgrade(url) == first
    assert schema_of(path) == before


async def test_starts_at_once_upgrade_once(url: str) -> None:
    conditions = await asyncio.gather(*(upgrade(url) for _ in range(4)))
    assert {one.is_current for one in conditions} == {True}
    assert (await check(url)).is_well


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(url: str, path: Path) -> None:
    await upgrade(url)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for refuse in (upgrade, check, open_store):
        with pytest.raises(StoreTrouble, match=r"9999.*newer Tocsin"):
            await refuse(url)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
    connection.close()


async def test_a_database_that_was_not_upgraded_is_not_opened(url: str, path: Path) -> None:
    for refuse in (open_store, check):
        with pytest.raises(StoreTrouble, match="no database at"):
            await refuse(url)
    path.parent.mkdir()  # looking made no file, and no folder either
    sqlite3.connect(path).close()
    assert not (await check(url)).is_current
    with pytest.raises(StoreTrouble, match="db upgrade"):
        await open_store(url)


async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    url: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upgrade(url)
    store = await open_store(url)
    await make(store, ANN, "btc < 100000")
    await store.close()
    before = schema_of(path)
    broken = ("CREATE TABLE half (id INTEGER)", "DELETE FROM subscriptions", "this is no SQL")
    scripts = with_migration(tmp_path, "half", *broken)
    monkeypatch.setattr(schema, "migrations", lambda: scripts)
    with pytest.raises(StoreTrouble, match="syntax error"):
        await upgrade(url)
    monkeypatch.undo()
    assert schema_of(path) == before
    assert (await check(url)).is_well
    store = await open_store(url)
    assert len(await store.subscriptions(ANN.chat)) == 1
    await store.close()


async def test_a_migration_that_tears_rows_apart_is_undone(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upgrade(url)
    store = await open_store(url)
    await make(store, ANN, "btc < 100000")
    await store.close()
    scripts = with_migration(tmp_path, "torn", "DELETE FROM chats")
    monkeypatch.setattr(schema, "migrations", lambda: scripts)
    with pytest.raises(StoreTrouble, match="refers to a row of chats"):
        await upgrade(url)
    monkeypatch.undo()
    assert (await check(url)).is_well


async def test_a_check_names_what_is_broken(url: str, path: Path) -> None:
    await upgrade(url)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO alert_levels (alert_id, key) VALUES (7, 'floor')")
    connection.close()
    condition = await check(url)
    assert (condition.is_current, condition.is_well) == (True, False)
    assert "alert_levels refers to a row of alerts" in condition.faults[0]


def test_a_file_that_is_no_database_is_trouble(url: str, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but a text that is longer than a header" * 100)
    for refuse in (upgrade, check, open_store):
        with pytest.raises(StoreTrouble, match="not a database"):
            asyncio.run(refuse(url))


@pytest.mark.parametrize(
    "url", ["", "nonsense", "oracle+nothing://user:secret@host/db", "mysql://secret@host"]
)
async def test_a_url_that_names_no_database_is_refused_without_its_secrets(url: str) -> None:
    for refuse in (upgrade, check, open_store):
        with pytest.raises(StoreTrouble) as raised:
            await refuse(url)
        assert "secret" not in str(raised.value)


async def test_a_downgrade_takes_back_what_the_upgrade_made(url: str, path: Path) -> None:
    await upgrade(url)
    await move(url, "downgrade", "base")
    assert schema_of(path) == {}
    assert (await upgrade(url)).is_current


def test_there_is_one_line_of_migrations_told_by_the_names_of_their_files() -> None:
    scripts = ScriptDirectory.from_config(schema._config())
    assert len(scripts.get_heads()) == 1
    found = [script.revision for script in scripts.walk_revisions()]
    assert found[::-1] == [path.name[:4] for path in sorted((ROOT / "migrations/versions").glob("*.py"))]
    assert found[-1] == "0001"


def test_a_start_with_nothing_to_migrate_does_without_alembic(url: str) -> None:
    asyncio.run(upgrade(url))
    script = (
        "import asyncio, sys; from bot.store import open_store, upgrade; "
        "print(asyncio.run(upgrade(sys.argv[1])).is_current, 'alembic' in sys.modules)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", script, url], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False"]


def test_an_installed_wheel_finds_its_migrations_inside_the_package(tmp_path: Path, path: Path) -> None:
    """Lay the files out as the wheel does, far from the source tree, and start there."""
    site = tmp_path / "site-packages"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "bot", site / "bot", ignore=ignored)
    shutil.copytree(ROOT / "migrations", site / "bot" / "migrations", ignore=ignored)
    script = (
        "import asyncio, sys, bot; from bot.store import upgrade, schema; "
        "print(bot.__file__); print(schema.migrations()); print(asyncio.run(upgrade(sys.argv[1])).is_current)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", script, f"sqlite:///{path}"],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [
        str(site / "bot" / "__init__.py"),
        str(site / "bot" / "migrations"),
        "True",
    ], done.stderr


def test_alembics_own_command_line_works_in_the_source_tree(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'scratch.db'}"
    for words in (["upgrade", "head"], ["check"]):
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "alembic", "-x", f"url={url}", *words],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert "No new upgrade operations" in done.stdout
