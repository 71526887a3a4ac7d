"""Copies of a database, put back; and one bot at a time."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from bot.ports import StoreTrouble
from bot.store import back_up, check, claim, restore, upgrade


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    """Give a database that is in use: with a word in it, and what is written lately still in its log."""
    file = tmp_path / "data" / "tocsin.db"
    await upgrade(url(file))
    write(file, "CREATE TABLE words (word TEXT)", "INSERT INTO words VALUES ('before')")
    return file


def url(file: Path) -> str:
    return f"sqlite:///{file}"


def write(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        for statement in statements:
            database.execute(statement)


def ruin(file: Path) -> None:
    file.write_bytes(b"rubbish" * 1000)


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def words(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as database:
        return [word for (word,) in database.execute("SELECT word FROM words")]


async def refusal(work: Awaitable[object]) -> str:
    with pytest.raises(StoreTrouble) as caught:
        await work
    return str(caught.value)


async def test_a_copy_is_one_state_though_the_bot_writes_meanwhile(home: Path, tmp_path: Path) -> None:
    is_over = Event()

    def work() -> int:
        pairs = 0
        with closing(sqlite3.connect(home, timeout=30)) as database:
            while not is_over.is_set():
                with database:
                    for side in ("left", "right"):
                        database.execute("INSERT INTO words VALUES (?)", (f"{side} {'x' * 4000}",))
                pairs += 1
        return pairs

    working = asyncio.create_task(asyncio.to_thread(work))
    while len(words(home)) < 50:  # noqa: ASYNC110 - a thread writes them
        await asyncio.sleep(0.01)
    copies = [tmp_path / f"copy{number}.db" for number in range(3)]
    for copy in copies:
        assert (await back_up(url(home), copy)).is_well
    is_over.set()
    assert await working > 25
    for copy in copies:
        sides = [word.partition(" ")[0] for word in words(copy)]
        assert sides.count("left") == sides.count("right") > 0
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert {path.name for path in files(tmp_path)} == {"copy0.db", "copy1.db", "copy2.db", "data"}


async def test_what_was_copied_comes_back_and_what_was_there_is_kept(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    await back_up(url(home), copy)
    write(home, "INSERT INTO words VALUES ('after')")
    assert (await restore(url(home), copy)).is_well
    assert words(home) == ["before"]
    assert words(home.with_name("tocsin.db.before-restore")) == ["before", "after"]
    assert words(copy) == ["before"]
    assert (await check(url(home))).is_well


async def test_a_damaged_database_is_replaced_and_its_bytes_are_kept(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    await back_up(url(home), copy)
    ruin(home)
    await restore(url(home), copy)
    assert words(home) == ["before"]
    [kept] = [path for path in files(home.parent) if path.name == "tocsin.db.before-restore"]
    assert kept.stat().st_size == 7000


async def test_a_database_is_restored_where_there_was_none(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    await back_up(url(home), copy)
    moved = tmp_path / "elsewhere" / "tocsin.db"
    await restore(url(moved), copy)
    assert words(moved) == ["before"]


def _newer(copy: Path) -> None:
    write(copy, "UPDATE alembic_version SET version_num = '9999'")


def _damaged(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:8192] + b"\xff" * (copy.stat().st_size - 8192))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_newer, "written by a newer Tocsin"),
        (_damaged, ""),
        (lambda copy: copy.write_text("a shopping list\n" * 999), "not a database"),
        (lambda copy: write(copy, "DROP TABLE alembic_version"), "no database of Tocsin"),
        (Path.unlink, "unable to open"),
    ],
)
async def test_what_is_no_good_copy_changes_nothing(
    home: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    copy = tmp_path / "copy.db"
    await back_up(url(home), copy)
    spoil(copy)
    assert said in await refusal(restore(url(home), copy))
    assert words(home) == ["before"]
    assert not [path for path in files(home.parent) if "restor" in path.name or "part" in path.name]


async def test_a_copy_never_takes_the_place_of_another_file(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    write(copy, "CREATE TABLE words (word TEXT)", "INSERT INTO words VALUES ('a diary')")
    assert "choose another name" in await refusal(back_up(url(home), copy))
    assert words(copy) == ["a diary"]
    assert "no database" in await refusal(back_up(url(tmp_path / "none.db"), tmp_path / "new.db"))
    assert "pg_dump" in await refusal(back_up("postgresql://localhost/tocsin", tmp_path / "new.db"))
    assert "cannot be copied" in await refusal(back_up(url(home), copy / "copy.db"))


async def test_two_bots_never_work_with_one_database(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    await back_up(url(home), copy)
    async with claim(url(home), "desk:4711"):
        with pytest.raises(StoreTrouble, match=r"another Tocsin works with .*tocsin\.db \(desk:4711\)"):
            async with claim(url(home), "rack:1"):
                pass
        assert "stop that one first" in await refusal(restore(url(home), copy))
        async with claim(url(tmp_path / "other.db"), "rack:1"):
            pass
    async with claim(url(home), "rack:1"):
        pass
