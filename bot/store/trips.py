"""Work with a SQLite connection in few trips to its thread.

Every step of a connection is done in a thread of its own, and a trip there and back costs more than most
statements. The library's own cursor makes four of them for a SELECT (open, run, fetch, close), three for any
other statement and for BEGIN, and one to roll back what was committed already. Here a statement is one trip,
its rows come back with it, BEGIN goes along with the first, and what is not open is not rolled back. What a
transaction does ``at_once``, its commit among it, is one trip altogether.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

import aiosqlite

T = TypeVar("T")

_ALONG = 1000
"""How many rows come back with their statement at most; the rest is fetched when it is asked for."""


class Connection(aiosqlite.Connection):
    """A connection to a file; ``settings`` are those of ``sqlite3.connect``."""

    def __init__(self, file: str, **settings: Any) -> None:
        super().__init__(lambda: sqlite3.connect(file, **settings), iter_chunk_size=_ALONG)
        self._thread.daemon = True  # as SQLAlchemy has it: who never closed it can end all the same
        self._beginning: tuple[str, bool] | None = None
        self._is_hasty = False

    def stop(self) -> asyncio.Future[Any] | None:
        """End the thread after all that it has to do; gives what says when, to the first who asks.

        Nobody is left to answer whoever asks after that. The library waits for that answer nevertheless where
        a connection is ended twice at once, as when it is being closed while everything is cancelled.
        """
        ending: asyncio.Future[Any] | None = super().stop() if self._running else None
        return ending

    def begin(self, statement: str, *, is_hasty: bool = False) -> None:
        """Let a transaction begin, by such a statement, with whatever is run next.

        The commit of one that ``is_hasty`` does not wait for the disk: the next that does takes it along.
        """
        self._beginning = statement, is_hasty

    def cursor(self) -> Cursor:  # type: ignore[override]  # no trip
        """Give a cursor."""
        return Cursor(self)

    async def run(self, sql: str, parameters: Any, *, is_many: bool) -> tuple[sqlite3.Cursor, list[Any]]:
        """Run a statement; gives the cursor that it ran on, and the first of its rows."""
        beginning, self._beginning = self._beginning, None

        def work() -> tuple[sqlite3.Cursor, list[Any]]:
            if beginning is not None:
                self._begin(*beginning)
            cursor = (self._conn.executemany if is_many else self._conn.execute)(sql, parameters)
            return cursor, cursor.fetchmany(_ALONG) if cursor.description else []

        return await self.there(work)

    def _begin(self, statement: str, is_hasty: bool) -> None:
        if is_hasty is not self._is_hasty:
            self._conn.execute(f"PRAGMA synchronous = {'NORMAL' if is_hasty else 'FULL'}")
            self._is_hasty = is_hasty
        self._conn.execute(statement)

    async def there(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do a work in the thread of the connection; whoever is there already does it right away."""
        if threading.current_thread() is self._thread:
            return work(*arguments)
        done: T = await self._execute(work, *arguments)  # type: ignore[no-untyped-call]
        return done

    async def at_once(self, work: Coroutine[Any, Any, T]) -> T:
        """Do a work that waits for nothing but statements of this connection, all of it in its thread."""
        return await self.there(_done, work)

    async def commit(self) -> None:
        """Commit the transaction, if anything was run in it."""
        if self._beginning is None:
            await self.there(self._conn.commit)
        self._beginning = None

    async def rollback(self) -> None:
        """Roll the transaction back, if one is open."""
        self._beginning = None
        if self.in_transaction:
            await super().rollback()


def _done(work: Coroutine[Any, Any, T]) -> T:
    """Do a work to its end, where it never has to wait."""
    try:
        work.send(None)
    except StopIteration as end:
        done: T = end.value
        return done
    work.close()
    raise RuntimeError("what is done at once waits for something else than its connection")


class Cursor:
    """What SQLAlchemy asks of the cursor of an asynchronous driver."""

    description: Any = None
    rowcount = -1
    lastrowid: int | None = None
    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ran: sqlite3.Cursor | None = None
        self._rows: deque[Any] = deque()

    async def __aenter__(self) -> Cursor:
        return self

    async def execute(self, sql: str, parameters: Any = ()) -> None:
        """Run a statement."""
        await self._run(sql, parameters, is_many=False)

    async def executemany(self, sql: str, parameters: Iterable[Any]) -> None:
        """Run a statement for each of many parameters."""
        await self._run(sql, parameters, is_many=True)

    async def _run(self, sql: str, parameters: Any, *, is_many: bool) -> None:
        ran, rows = await self._connection.run(sql, parameters, is_many=is_many)
        self.description, self.rowcount, self.lastrowid = ran.description, ran.rowcount, ran.lastrowid
        self._rows = deque(rows)
        self._ran = ran if len(rows) == _ALONG else None

    async def fetchone(self) -> Any:
        """Give the next row; ``None`` after the last."""
        return next(iter(await self.fetchmany(1)), None)

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """Give so many of the next rows, or as many as there are."""
        wanted = self.arraysize if size is None else size
        if self._ran is not None and len(self._rows) < wanted:
            self._rows.extend(await self._connection.there(self._ran.fetchmany, wanted - len(self._rows)))
        return [self._rows.popleft() for _ in range(min(wanted, len(self._rows)))]

    async def fetchall(self) -> list[Any]:
        """Give all rows that are left."""
        rows, self._rows = list(self._rows), deque()
        if self._ran is not None:
            rows += await self._connection.there(self._ran.fetchall)
        return rows

    async def close(self) -> None:
        """Let go of the rows."""
        ran, self._ran, self._rows = self._ran, None, deque()
        if ran is not None:
            await self._connection.there(ran.close)
