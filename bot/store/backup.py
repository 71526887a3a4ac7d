"""Copy a database while the bot works with it, and put a copy back.

A copy is one consistent state, made by SQLite's own online backup, looked through before it gets its name:
whoever finds the file finds a whole one. PostgreSQL has tools of its own for this.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import copyfile

from bot.ports import Damaged, StoreTrouble
from bot.store.address import path_of, refuse_missing
from bot.store.claim import claim
from bot.store.schema import Condition, check

_BESIDE = ("-wal", "-shm")

_PAGES_AT_ONCE = 1024
"""The bot waits for so many pages at most: 4 MB."""


async def back_up(url: str, to: Path) -> Condition:
    """Copy a database into a new file, readable by its owner alone; gives how the copy is.

    Raises StoreTrouble where there is a file of that name, no room for it, or nothing to copy.
    """
    source = _sqlite_file(url)
    refuse_missing(url)
    _refuse_taken(to)
    return await _copy(source, to)


async def restore(url: str, copy: Path) -> Condition:
    """Put a copy in the place of a database; what was there is kept beside it, as ``….before-restore``.

    Gives how the database is then: one of an older version is brought up to date by the next start. Raises
    StoreTrouble, and changes nothing, where the copy is no whole database of this or an older version, or a
    bot works with the database.
    """
    target = _sqlite_file(url)
    async with claim(url, "a restore"):
        fresh = target.with_name(f"{target.name}.restoring")
        condition = await _copy(copy, fresh)
        with _troubles(copy, target):
            _keep(target)
            for ending in _BESIDE:  # they belong to the database that goes
                target.with_name(target.name + ending).unlink(missing_ok=True)
            fresh.replace(target)
    return condition


async def _copy(source: Path, to: Path) -> Condition:
    """Copy a database and look the copy through before it gets its name."""
    part = to.with_name(f"{to.name}.part")
    with _troubles(source, to):
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            await asyncio.to_thread(_write, source, part)
            condition = await check(f"sqlite:///{part}")
            if not condition.revision:
                raise StoreTrouble(f"{source} is no database of Tocsin")
            if condition.faults:
                raise StoreTrouble(f"{source} is damaged: {condition.faults[0]}")
            await asyncio.to_thread(_settle, part)
            part.replace(to)
        except Damaged as damage:
            raise StoreTrouble(f"{source} is damaged: {damage.reason}") from damage
        finally:
            part.unlink(missing_ok=True)
    return condition


def _write(source: Path, to: Path) -> None:
    address = f"{source.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as old, closing(sqlite3.connect(to)) as new:
        # What is read stays as it is now: else SQLite begins anew after each write, and never ends while
        # somebody writes all the time.
        old.execute("BEGIN")
        old.execute("SELECT 1 FROM sqlite_master").fetchone()
        old.backup(new, pages=_PAGES_AT_ONCE)


def _settle(path: Path) -> None:
    """Make one file of it, without another beside it, and see it to the disk."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _keep(target: Path) -> None:
    """Keep the bytes of a database that goes, however damaged it is."""
    for ending in ("", *_BESIDE):
        old, kept = (Path(f"{target}{middle}{ending}") for middle in ("", ".before-restore"))
        if old.exists():
            copyfile(old, kept)
        else:
            kept.unlink(missing_ok=True)


@contextmanager
def _troubles(source: Path, to: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StoreTrouble(f"{source} cannot be copied to {to}: {reason}") from error


def _refuse_taken(to: Path) -> None:
    if to.exists():
        raise StoreTrouble(f"{to} is there already: choose another name")


def _sqlite_file(url: str) -> Path:
    path = path_of(url)
    if path is None:
        raise StoreTrouble("only a SQLite database is copied here: use pg_dump and pg_restore for PostgreSQL")
    return path
