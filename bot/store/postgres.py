"""What is PostgreSQL's own: how it is connected to, who waits for whom to write, and what its errors say.

SQLite has one writer at a time, and what the house writes is thought out for that: a transaction may look,
and then write what follows from it. Here the same holds, by a lock that ends with the transaction. Only those
who say that they may write ``beside`` others do so: they hold the lock together, and each of them locks the
very rows that it must have for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, event, func, literal_column, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from bot.ports import StoreTrouble

NEEDS_DRIVER = "PostgreSQL needs the package asyncpg: install tocsin[postgres]"

MANY = 1000
"""So many new rows are not left to the server to find out by itself."""

NAME = "tocsin"
"""How every connection is called; those of a process of the rota have a name of its own behind it."""

LOCKS = 0x70C51
"""What the locks that are no row's are called, by the first of their two numbers."""

WRITING, PROMISING, CLAIM = 1, 2, 3
"""And by the second: who writes, who writes rows of the outbox, who works with the database at all."""

SECONDS_TO_CONNECT = 10.0
SECONDS_TO_ANSWER = 60.0
"""After this nobody is thought to be there any more: a connection may be cut without a word."""

SECONDS_TO_PAUSE, SECONDS_TO_REBUILD = 5, 60
"""A process that stands still within a transaction loses it after this, and the locks with it."""

DAMAGE = {"XX001", "XX002"}

_REMEDIES = {
    "28": "see which user and password its address names",
    "3D": "make that database, with the encoding UTF8",
    "42501": "let its user make tables and write to them",
    "53100": "make room on its disk",
    "53300": "let it have more connections",
    "25006": "name a server that takes writes",
    "25P03": "this process stood still for too long",
    "55P03": "end the other program that works with it",
}
"""What helps, by the code of the error or of its class."""

_SAYS_VALUES = "22"
"""The class of errors whose very sentence has the value in it that was of no use."""

_TELLS_NONE = ("08", "25", "28", "3D", "40", "42", "53", "54", "55", "57", "58", "XX")
"""The classes of errors that are about no row: connections, transactions, names, locks, what is used up."""


def arguments(lock_seconds: int, patience: float, name: str, *, is_rebuilt: bool) -> dict[str, Any]:
    """Give what the driver needs to know; of what rebuilds a database a statement may take long."""
    pause = SECONDS_TO_REBUILD if is_rebuilt else SECONDS_TO_PAUSE
    return {
        "timeout": min(SECONDS_TO_CONNECT, patience),
        "command_timeout": None if is_rebuilt else patience,
        "server_settings": {
            "application_name": f"{NAME} {name}".rstrip(),
            "lock_timeout": f"{lock_seconds}s",
            "idle_in_transaction_session_timeout": f"{pause}s",
            "jit": "off",  # no statement here runs for long enough to be worth it
        },
    }


def prepare(engine: AsyncEngine) -> None:
    """Let what is committed outlive a crash of the server, also where that would rather be quick.

    And let nobody be given a connection that the server has closed meanwhile; it costs no question.
    """

    @event.listens_for(engine.sync_engine, "connect")
    def keep_for_good(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(_FOR_GOOD)
        cursor.close()
        connection.commit()

    @event.listens_for(engine.sync_engine, "checkout")
    def refuse_closed(
        connection: DBAPIConnection, _record: ConnectionPoolEntry, _proxy: PoolProxiedConnection
    ) -> None:
        driver: Any = connection
        if driver.driver_connection.is_closed():
            raise DisconnectionError


_FOR_GOOD = (
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)


async def refuse_poor(connection: AsyncConnection) -> None:
    """Raise StoreTrouble for a database in which not every text can be kept."""
    if connection.dialect.name != "postgresql":
        return
    encoding = (await connection.exec_driver_sql("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise StoreTrouble(
            f"the database keeps its texts as {encoding}, which cannot keep all of them: make one that "
            "has the encoding UTF8"
        )


async def take_turn(connection: AsyncConnection, *, beside: bool) -> None:
    """Wait until nobody else writes, or nobody who must be alone; it holds until the transaction ends."""
    lock = func.pg_advisory_xact_lock_shared if beside else func.pg_advisory_xact_lock
    await connection.execute(select(lock(LOCKS, WRITING)))


async def keep_order(connection: AsyncConnection) -> None:
    """Wait until nobody else writes rows of the outbox; it holds until the transaction ends.

    Their ids are given at once, and seen when the transaction ends. What is told in the order of its ids
    must be seen in it too: else a row could come to stand before one of its chat that is under way.
    """
    await connection.execute(select(func.pg_advisory_xact_lock(LOCKS, PROMISING)))


async def cut_off(connection: AsyncConnection, names: Sequence[str]) -> None:
    """End every connection that is called so, and what it has begun: it may keep others from writing.

    The server does so by itself where somebody stands still between two statements; but one that stood still
    within one, before all of it was sent, is waited for without end.
    """
    ending = select(func.pg_terminate_backend(literal_column("pid"))).select_from(text("pg_stat_activity"))
    is_meant = text("datname = current_database() AND application_name = ANY(:names)")
    await connection.execute(ending.where(is_meant), {"names": [f"{NAME} {name}" for name in names]})


async def count_anew(connection: AsyncConnection, table: Table) -> None:
    """Let the planner know of very many rows before they are looked for.

    It goes by what it counted last. Of an outbox in which all but nothing waited it would believe that still,
    and look for the first of a hundred thousand that wait now as if there were one.
    """
    await connection.exec_driver_sql(f"ANALYZE (SKIP_LOCKED) {table.name}")


async def claim(engine: AsyncEngine, holder: str, *, is_shared: bool) -> AsyncConnection:
    """Give a connection that claims the database until the engine is done with. Raises StoreTrouble."""
    connection = await engine.connect()
    try:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        named = func.set_config("application_name", f"{NAME} {holder}"[:_LONGEST_NAME], False)
        await connection.execute(select(named))
        claim_of = func.pg_try_advisory_lock_shared if is_shared else func.pg_try_advisory_lock
        if not await connection.scalar(select(claim_of(LOCKS, CLAIM))):
            who = await connection.scalar(_WHO, {"lock": LOCKS, "of": CLAIM})
            raise StoreTrouble(
                f"another Tocsin works with {engine.url.database} ({who or 'it does not say who'}): stop "
                "that one first, or give this one a database of its own"
            )
    except BaseException:
        await connection.close()
        raise
    return connection


_LONGEST_NAME = 63
_WHO = text(
    "SELECT regexp_replace(application_name, '^tocsin ', '') "
    "FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted "
    "AND classid::bigint = :lock AND objid::bigint = :of AND datname = current_database()"
)


def driver_errors(engine: AsyncEngine) -> tuple[type[Exception], ...]:
    """Name the errors that come as they are, while a connection is made or when it is cut."""
    driver = engine.dialect.dbapi
    asyncpg = getattr(driver, "asyncpg", None)
    return (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) if asyncpg else (OSError,)


def code_of(error: BaseException | None) -> str:
    """Give PostgreSQL's code of an error, or nothing."""
    told = _told(error)
    return getattr(error, "sqlstate", None) or getattr(told, "sqlstate", None) or ""


def tells_values(error: BaseException | None) -> bool:
    """Ask whether an error of PostgreSQL or its driver has values of rows in its words or its details."""
    is_of_driver = type(_told(error)).__module__.startswith("asyncpg")
    return is_of_driver and not code_of(error).startswith(_TELLS_NONE)


def sentence_of(error: BaseException | None) -> str:
    """Say what went wrong, without the values that were written: rows hold what people wrote."""
    told, code = _told(error), code_of(error)
    if isinstance(told, OSError):
        reason = "no answer in time" if isinstance(told, TimeoutError) else str(told)
        return f"{reason}: see whether its server runs and can be reached"
    if told is None or not code or code.startswith(_SAYS_VALUES):
        return type(told).__name__
    words = str(told.args[0]) if told.args else code
    remedy = _REMEDIES.get(code) or _REMEDIES.get(code[:2])
    return f"{words}: {remedy}" if remedy else words


def _told(error: BaseException | None) -> BaseException | None:
    """Give the driver's own error, which stands behind what the library makes of it."""
    return error if error is None or error.__cause__ is None else error.__cause__
