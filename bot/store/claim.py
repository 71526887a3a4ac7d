"""One database, one bot: whoever works with it says so, and a second one is refused.

The claim on a SQLite file is a lock of the operating system on a file beside it; on PostgreSQL it is one of a
connection. Either ends with the process, however that ends, and so is never left behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from bot.ports import StoreTrouble
from bot.store.address import make_room, path_of
from bot.store.database import connect


@asynccontextmanager
async def claim(url: str, holder: str, *, is_shared: bool = False) -> AsyncIterator[None]:
    """Be the only one who works with a database while inside; ``holder`` is what others are told.

    A PostgreSQL may be ``is_shared`` among all who say so, and who is on duty is told by its rota; a file may
    not. Raises StoreTrouble if somebody else works with it. A server that restarts forgets it.
    """
    if (path := path_of(url)) is not None:
        make_room(url)
        with _claimed_file(path, holder):
            yield
        return
    database = connect(url)
    try:
        connection = await database.claim(holder, is_shared=is_shared)
        try:
            yield
        finally:
            await connection.close()
    finally:
        await database.close()


@contextmanager
def _claimed_file(path: Path, holder: str) -> Iterator[None]:
    beside = path.with_name(f"{path.name}.lock")
    try:
        lock = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreTrouble(
            f"the database: cannot write beside it in {path.parent}: {error.strerror}"
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreTrouble(
                f"another Tocsin works with {path} ({_who(beside)}): stop that one first, or give this one a "
                "database of its own"
            ) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, holder.encode(), 0)
        yield
    finally:
        os.close(lock)


def _who(beside: Path) -> str:
    said = beside.read_text(encoding="utf-8", errors="replace").strip()[:200]
    return said or "it does not say who"
