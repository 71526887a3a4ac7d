"""Carry all that one database holds over to another, from SQLite to PostgreSQL or back, and prove it.

It is one transaction at the target, which ends only after every row has been read back there: whoever is cut
off leaves an empty database, and the source is only read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Column, Row, Table, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ports import StoreTrouble
from bot.store.address import is_same
from bot.store.claim import claim
from bot.store.database import connect, each, whole
from bot.store.metadata import metadata
from bot.store.postgres import refuse_poor
from bot.store.rota_tables import duties, processes
from bot.store.schema import bring_up, check, refuse_broken

_AT_ONCE = 1000
"""How many rows are in memory at a time."""

_CLAIM = "a copy"


@dataclass(frozen=True, slots=True)
class Carried:
    """How many rows of a table there are at the source, and at the target."""

    table: str
    here: int
    there: int


async def copy(source: str, target: str) -> list[Carried]:
    """Copy all rows into an empty database, bringing that to this version's tables; gives how many each has.

    Raises StoreTrouble, and leaves the target as it was, where somebody works with either, the source is
    damaged or not of this version, the target has rows, or what is read back there is not what was written.
    """
    if is_same(source, target):
        raise StoreTrouble("source and target are one database: name two")
    condition = await check(source)
    if not condition.is_current:
        raise StoreTrouble(
            f"the source is at revision {condition.revision or 'none'}, not at {condition.head}: bring it up "
            "to date first, with `tocsin db upgrade`"
        )
    if condition.faults:
        raise StoreTrouble(f"the source is damaged: {condition.faults[0]}")
    async with claim(source, _CLAIM), claim(target, _CLAIM):
        return await _carry(source, target)


def carried_tables() -> list[Table]:
    """Name what is copied, those first that others refer to: all but who works with a database."""
    return [table for table in metadata.sorted_tables if table not in (processes, duties)]


@whole
async def _carry(source: str, target: str) -> list[Carried]:
    old, new = connect(source, is_rebuilt=True), connect(target, is_rebuilt=True)
    try:
        async with old.reading() as here, new.writing() as there:
            await refuse_poor(there)
            await there.run_sync(bring_up)
            tables = carried_tables()
            for table in tables:
                if await there.scalar(select(func.count()).select_from(table)):
                    raise StoreTrouble(
                        f"the target is not empty: it has rows in {table.name}. Name an empty one"
                    )
            carried = [await _carry_table(here, there, table) for table in tables]
            await there.run_sync(refuse_broken)
            if not new.is_sqlite:
                await there.exec_driver_sql("ANALYZE")  # it is asked at once, before it would count by itself
            return carried
    finally:
        await old.close()
        await new.close()


async def _carry_table(here: AsyncConnection, there: AsyncConnection, table: Table) -> Carried:
    seen, kept = _Proof(), _Proof()
    async for rows in _rows(here, table):
        seen.add(rows)
        await each(there, insert(table), [dict(row._mapping) for row in rows])
    if (column := table.autoincrement_column) is not None:
        await _count_on(there, table, await _last_given(here, table, column), column)
    async for rows in _rows(there, table):
        kept.add(rows)
    if seen != kept:
        raise StoreTrouble(f"what was written to {table.name} reads otherwise there: nothing was copied")
    return Carried(table.name, seen.count, kept.count)


async def _rows(connection: AsyncConnection, table: Table) -> AsyncIterator[list[Row[Any]]]:
    """Give the rows of a table by their key: a row that refers to another of its table comes after that."""
    chosen = select(table).order_by(*table.primary_key)
    stream = await connection.stream(chosen, execution_options={"yield_per": _AT_ONCE})
    async for rows in stream.partitions():
        yield list(rows)


class _Proof:
    """What rows were, in their order: how many, and a digest of their values."""

    def __init__(self) -> None:
        self.count = 0
        self._digest = sha256()

    def add(self, rows: list[Row[Any]]) -> None:
        self.count += len(rows)
        for row in rows:
            # The one sign that PostgreSQL cannot keep is an unknown one there.
            values = [value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row]
            self._digest.update(repr(values).encode("utf-8", "surrogatepass"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Proof) and (self.count, self._digest.digest()) == (
            other.count,
            other._digest.digest(),
        )

    __hash__ = None  # type: ignore[assignment]


async def _last_given(connection: AsyncConnection, table: Table, column: Column[Any]) -> int:
    """Give the greatest id that a table ever gave, though its row is gone: none is given twice."""
    if connection.dialect.name == "postgresql":
        asked = text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:of, :column)::regclass)")
        given = await connection.scalar(asked, {"of": table.name, "column": column.name})
    else:
        given = await connection.scalar(_GIVEN, {"of": table.name})
    return max(given or 0, await connection.scalar(select(func.max(column))) or 0)


async def _count_on(connection: AsyncConnection, table: Table, last: int, column: Column[Any]) -> None:
    """Let a table give ids beyond one."""
    if not last:
        return
    if connection.dialect.name == "postgresql":
        beyond = text("SELECT setval(pg_get_serial_sequence(:of, :column), :last)")
        await connection.execute(beyond, {"of": table.name, "column": column.name, "last": last})
    elif table.dialect_options["sqlite"]["autoincrement"]:
        await connection.execute(_FORGET, {"of": table.name})
        await connection.execute(_GIVE, {"of": table.name, "last": last})


_GIVEN = text("SELECT seq FROM sqlite_sequence WHERE name = :of")
_FORGET = text("DELETE FROM sqlite_sequence WHERE name = :of")
_GIVE = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:of, :last)")
