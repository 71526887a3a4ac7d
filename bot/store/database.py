"""Open the database and give out its transactions: the one place that knows which database it is.

On SQLite a writing transaction begins with BEGIN IMMEDIATE: one that begins as a reader and then writes
fails, or loses what another wrote in between. Reads begin plainly and see one snapshot. On PostgreSQL who
writes waits for a lock to the same end; ``postgres`` tells of it.

A database that is full or locked is trouble: nothing of the call was kept, and the next may succeed. One that
is damaged is closed to everybody at the first sign of it, for nothing that is read from it can be trusted.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import wraps
from itertools import chain, islice
from json import JSONDecodeError
from operator import itemgetter
from typing import Any, ParamSpec, TypeVar

import orjson
from sqlalchemy import Table, UpdateBase, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.compiler import SQLCompiler

from bot.ports import Damaged, StoreTrouble
from bot.store import postgres, trips
from bot.store.address import UNKNOWN_URL, address_of
from bot.store.fence import refuse_superseded

BUSY_SECONDS = 30
"""How long one process waits for another's transaction before it gives up."""

CHUNK = 500
"""How many values one statement may name: far below every database's limit on parameters."""

_ROWS_AT_ONCE = 250
"""For how many rows a statement is run at a time: some milliseconds of the loop."""

_WRITES = "tocsin_writes"
_HASTES = "tocsin_hastes"

_PRIMARY = 0xFF
"""The bits of SQLite's error codes that name the kind; the others tell it more exactly."""

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_REMEDIES = {
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_BUSY: "end the other program that works with its file",
    sqlite3.SQLITE_READONLY: "let this program write to its file and its folder",
}

_NO_TEXT = "Could not decode to UTF-8"
"""What the driver says of bytes that are no text; it gives no code with it."""

T = TypeVar("T")
P = ParamSpec("P")


class Database:
    """An open database: ``reading()`` and ``writing()`` are its transactions.

    Either turns what the driver raises into StoreTrouble, and rolls back on any error. After the first sign
    of damage either raises Damaged. Where the database is a ``process``'s of the rota, ``writing()`` raises
    Superseded as soon as that stands there no more.
    """

    def __init__(self, engine: AsyncEngine, process: str = "") -> None:
        self.engine = engine
        self._process = process
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._readers = engine
        self._writers = engine.execution_options(**{_WRITES: True})
        self._hasty_writers = engine.execution_options(**{_WRITES: True, _HASTES: True})
        # There is one writer at a time. Within a process they queue here, in order and without delay.
        # SQLite's own busy handler sleeps up to 0.1 s between looks, and is kept for other processes; who
        # waits in PostgreSQL keeps a connection from others.
        self._pen = asyncio.Lock()
        if not self.is_sqlite:
            self._readers = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        self.raw_errors = () if self.is_sqlite else postgres.driver_errors(engine)
        self._prepared: dict[Callable[[Database], Any], Any] = {}
        self._damage = ""
        self._is_damaged = asyncio.Event()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Read one snapshot."""
        with _troubles(self):
            async with self._readers.connect() as connection, connection.begin():
                yield connection

    @asynccontextmanager
    async def writing(
        self, *, beside: bool = False, is_hasty: bool = False
    ) -> AsyncIterator[AsyncConnection]:
        """Write all or nothing. Nothing inside may wait for a network or a picture.

        Nobody else writes meanwhile. Where the database can do better, those who may write ``beside`` others
        of their kind do: each of them locks the rows that nobody else may have. What ``is_hasty`` outlives
        this process, but where SQLite keeps it not the machine's fall, unless something else was written
        after it: that is for what need not be true any more then.
        """
        writers = self._hasty_writers if is_hasty else self._writers
        with _troubles(self):
            turn = nullcontext() if beside and not self.is_sqlite else self._pen
            async with turn, writers.begin() as connection:
                if not self.is_sqlite:
                    await postgres.take_turn(connection, beside=beside)
                if self._process:  # asked when nobody can take its duties any more before this ends
                    await refuse_superseded(connection, self._process)
                yield connection

    @asynccontextmanager
    async def writing_apart(self) -> AsyncIterator[AsyncConnection]:
        """Write what has nothing to do with anything else: on PostgreSQL it waits for nobody who writes."""
        with _troubles(self):
            async with self._writers.begin() as connection:
                yield connection

    async def claim(self, holder: str, *, is_shared: bool) -> AsyncConnection:
        """Be the only one who works with a PostgreSQL until the connection and this are closed.

        Where it ``is_shared``, be one of those who share it.
        """
        with _troubles(self):
            return await postgres.claim(self.engine, holder, is_shared=is_shared)

    async def at_once(self, connection: AsyncConnection, work: Coroutine[Any, Any, T]) -> T:
        """Do all of a transaction that waits for nothing but its statements, and commit it.

        Where it can be, that is done without a break: on SQLite each statement by itself is a trip to the
        thread of the connection and back, which is most of what a short one takes. Who calls this is
        ``whole``: the work goes on there though it is given up.
        """

        async def committed() -> T:
            done = await work
            await connection.commit()
            return done

        driver: Any = connection.sync_connection.connection.driver_connection  # type: ignore[union-attr]
        return await (driver.at_once(committed()) if self.is_sqlite else committed())

    async def keep_order(self, connection: AsyncConnection) -> None:
        """Let rows of the outbox, that are written beside others, be seen in the order of their ids."""
        if not self.is_sqlite:
            await postgres.keep_order(connection)

    async def count_anew(self, connection: AsyncConnection, table: Table, new: int) -> None:
        """Let a PostgreSQL know of so many new rows, where they change how it should look for some."""
        if not self.is_sqlite and new >= postgres.MANY:
            await postgres.count_anew(connection, table)

    async def empty_log(self) -> bool:
        """Write the write-ahead log into the database's file and cut it off; ``False`` while one reads it.

        It holds pages as they were before something was deleted. Nobody waits for it.
        """
        if not self.is_sqlite:
            return True
        with _troubles(self):
            async with self._pen, self._readers.connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                try:
                    await driver.execute("PRAGMA busy_timeout = 0")
                    found = await driver.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
                except sqlite3.OperationalError:  # another process writes
                    return False
                finally:
                    await driver.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
                return bool(next(iter(found))[0] == 0)

    def prepared(self, write: Callable[[Database], T]) -> T:
        """Give a statement that is always the same, written once: that takes longer than to run it."""
        if write not in self._prepared:
            self._prepared[write] = write(self)
        statement: T = self._prepared[write]
        return statement

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Begin an INSERT that may say ON CONFLICT."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def refuse_damaged(self) -> None:
        """Raise Damaged if damage was noted."""
        if self._damage:
            raise Damaged(self._damage)

    def note_damage(self, reason: str) -> Damaged:
        """Close the database to everybody; gives the error that says so."""
        remedy = (
            "keep a copy of the file, and put a backup in its place with `tocsin restore FILE`"
            if self.is_sqlite
            else "and put a backup in its place with pg_restore"
        )
        self._damage = (
            f"the database {self.engine.url.database} is damaged ({reason}): stop the bot, {remedy}"
        )
        self._is_damaged.set()
        return Damaged(self._damage, reason)

    async def damaged(self) -> str:
        """Wait until damage is noted, however long that is; gives the sentence that says what to do."""
        await self._is_damaged.wait()
        return self._damage

    async def close(self) -> None:
        """Close every connection; one that somebody still works with, as soon as it is given back."""
        event.listen(self.engine.sync_engine.pool, "checkin", lambda _, record: record.invalidate())
        await self.engine.dispose()


def whole(call: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let a transaction run to its end although its caller is cancelled; then the caller is.

    A statement that is cut off leaves its connection to the garbage collector, and until that comes by,
    the transaction on it holds the lock that every writer needs.
    """

    @wraps(call)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(call(*args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # whoever is cancelled hears nothing of it, and nobody else should
            raise

    return run


class _troubles:  # noqa: N801 - reads as the statement that it is
    """Turn the driver's errors into StoreTrouble, without the parameters of the statement."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.refuse_damaged()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DBAPIError):
            raise self._named(error.orig) from None if postgres.tells_values(error.orig) else error
        if isinstance(error, self._database.raw_errors):
            raise self._named(error) from None if postgres.tells_values(error) else error
        if isinstance(error, (JSONDecodeError, UnicodeDecodeError)):  # nothing was written that is no text
            raise self._database.note_damage("what was written as text cannot be read any more") from error
        if isinstance(error, SQLAlchemyError):
            raise StoreTrouble(f"the database: {type(error).__name__}") from error

    def _named(self, error: BaseException | None) -> StoreTrouble:
        if not self._database.is_sqlite:
            if postgres.code_of(error) in postgres.DAMAGE:
                return self._database.note_damage(postgres.sentence_of(error))
            return StoreTrouble(f"the database: {postgres.sentence_of(error)}")
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        if code in _DAMAGE or _NO_TEXT in str(error):
            return self._database.note_damage(str(error))
        remedy = _REMEDIES.get(code)
        return StoreTrouble(f"the database: {error}: {remedy}" if remedy else f"the database: {error}")


def connect(
    url: str,
    *,
    is_rebuilt: bool = False,
    process: str = "",
    name: str = "",
    patience: float = postgres.SECONDS_TO_ANSWER,
) -> Database:
    """Make the database of a URL, unopened. Raises StoreTrouble for a URL that names no known database.

    ``process`` is whose it is, as the rota knows it; a PostgreSQL calls its connections so, or by another
    ``name``. ``patience`` is for how many seconds that may take to answer. ``sqlite:///data/tocsin.db`` is
    read as ``sqlite+aiosqlite:///data/tocsin.db``, and ``postgresql://`` as ``postgresql+asyncpg://``. Who
    rebuilds it may break foreign keys on the way, and take long over it.
    """
    address = address_of(url)
    is_postgres = address.get_backend_name() == "postgresql"
    try:
        arguments = (
            postgres.arguments(BUSY_SECONDS, patience, name or process, is_rebuilt=is_rebuilt)
            if is_postgres
            # The driver begins nothing by itself, so that the begin event below decides.
            else {"async_creator_fn": trips.Connection, "isolation_level": None, "timeout": BUSY_SECONDS}
        )
        engine = create_async_engine(
            address, hide_parameters=True, json_serializer=_written, connect_args=arguments
        )
    except (ImportError, SQLAlchemyError) as error:
        is_lacking = is_postgres and isinstance(error, ImportError)
        raise StoreTrouble(postgres.NEEDS_DRIVER if is_lacking else UNKNOWN_URL) from error
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, has_foreign_keys=not is_rebuilt)
    else:
        postgres.prepare(engine)
    return Database(engine, process)


def _written(document: Any) -> str:
    """Write a document down; what is no text for the quick writer (half a character) is escaped."""
    try:
        return orjson.dumps(document).decode()
    except orjson.JSONEncodeError:
        return json.dumps(document)


def _prepare_sqlite(engine: AsyncEngine, has_foreign_keys: bool) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        try:
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute("PRAGMA secure_delete = ON")  # what somebody has deleted is overwritten
            cursor.execute(f"PRAGMA foreign_keys = {'ON' if has_foreign_keys else 'OFF'}")
            cursor.close()
        except BaseException:
            connection.close()  # the pool forgets what did not get this far
            raise

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        driver: Any = connection.connection.driver_connection
        begins = "BEGIN IMMEDIATE" if options.get(_WRITES, False) else "BEGIN"
        driver.begin(begins, is_hasty=options.get(_HASTES, False))


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Cut into pieces that fit one statement."""
    remaining = iter(items)
    while piece := list(islice(remaining, size)):
        yield piece


async def each(connection: AsyncConnection, statement: UpdateBase, rows: Iterable[Mapping[str, Any]]) -> None:
    """Run a statement for every row, so many at a time that in between the loop serves others.

    Of very many rows the statement is compiled by itself, and the driver is handed plain tuples: to prepare
    each row as a single statement's would take longer than writing it.
    """
    pieces = chunks(rows, _ROWS_AT_ONCE)
    if not (first := next(pieces, ())):
        return
    if len(first) < _ROWS_AT_ONCE:
        await connection.execute(statement, first)
        return
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(first[0]), for_executemany=True)
    text, bound = str(compiled), _bound(compiled)
    for piece in chain([first], pieces):
        await connection.exec_driver_sql(text, [bound(row) for row in piece])


def _bound(compiled: SQLCompiler) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Give what writes a row as the tuple of values that a compiled statement takes."""
    names, dialect = compiled.positiontup or (), compiled.dialect
    kinds = (compiled.binds[name].type.dialect_impl(dialect) for name in names)
    processes = enumerate(kind.bind_processor(dialect) for kind in kinds)
    processed = [(place, process) for place, process in processes if process is not None]
    fixed, in_order = compiled.params, itemgetter(*names)

    def bound(row: Mapping[str, Any]) -> tuple[Any, ...]:
        values = list(in_order({**fixed, **row}))
        for place, process in processed:
            values[place] = process(values[place])
        return tuple(values)

    return bound
