"""Who of the processes that share a database has which duty.

All instants are of the database's own clock. A process is thought dead when it did not renew its stand in
time; but it is only dead when another takes a duty from it. That is written while nobody else writes, and
what a dead process begins to write afterwards is refused (``fence``): however long a process stood still, or
was cut off, it changes nothing that is another's by then. What it has begun to write and not ended is ended
for it, for others would wait for that.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, inspect, literal_column, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.duties import ALL, ROLES, collide
from bot.ports import Superseded
from bot.ports.rota import Duty, Process, Roll
from bot.store import postgres
from bot.store.database import Database, connect, whole
from bot.store.fence import SUPERSEDED, refuse_superseded
from bot.store.rota_tables import duties, is_standing, processes
from bot.store.schema import upgrade

_KEPT = 30 * 86_400.0
"""For how many seconds it is kept who stood on the rota."""

_MOST_ENDED = 20

_PATIENCE = 6.0
"""After so many seconds without an answer it is tried again: less than for how long a process is believed."""

_POSTGRES_NOW = "extract(epoch FROM clock_timestamp())::float8"
_SQLITE_NOW = "((julianday('now') - 2440587.5) * 86400.0)"


class SqlRota:
    """The port ``Rota``, on connections of its own: who works with the house's is not waited for."""

    def __init__(self, database: Database, program: str) -> None:
        self._database = database
        self._program = program
        self._ids = (f"{program}.{number}" for number in count(1))
        self._now: ColumnElement[float] = literal_column(_SQLITE_NOW if database.is_sqlite else _POSTGRES_NOW)
        is_silent = processes.c.until < self._now
        self._losing = (
            update(processes).where(is_standing, is_silent).values(ended_at=processes.c.until, was_lost=True)
        )

    @whole
    async def join(
        self,
        name: str,
        version: str,
        seconds: float,
        roles: Collection[str] = ROLES,
        plan: Sequence[str] = (ALL,),
    ) -> str:
        """Come to stand on the rota as a new process for so many seconds; gives its id."""
        process = next(self._ids)
        has_none = processes.c.id.not_in(select(duties.c.process_id))
        is_old = and_(processes.c.until < self._now - _KEPT, has_none)
        async with self._database.writing_apart() as connection:
            await connection.execute(delete(processes).where(is_old))
            row = {"id": process, "name": name, "version": version, "was_lost": False}
            row |= {"roles": ",".join(roles), "plan": ",".join(plan)}
            await connection.execute(
                insert(processes).values(joined_at=self._now, until=self._now + seconds, **row)
            )
        return process

    @whole
    async def renew(self, process: str, seconds: float) -> None:
        """Stand there for so many seconds from now. Raises Superseded."""
        async with self._database.writing_apart() as connection:
            renewed = await connection.execute(
                update(processes)
                .where(processes.c.id == process, is_standing)
                .values(until=self._now + seconds)
            )
            if not renewed.rowcount:
                raise Superseded(SUPERSEDED)

    @whole
    async def take(self, process: str, name: str) -> Duty | None:
        """Take a duty that is free, or whose process was not heard of in time; ``None`` while another has it.

        Neither may another have what that would ``collide`` with. Raises Superseded.
        """
        if not await self._is_free(process, name):
            return None
        async with self._database.writing() as connection:
            await refuse_superseded(connection, process)
            holders = await self._holders(connection, process, name)
            if any(one.id == process for one in holders):
                return Duty()
            if holders:
                silent = [one.id for one in holders]
                await connection.execute(self._losing.where(processes.c.id.in_(silent)))
                if await self._holders(connection, process, name):
                    return None
            before = await self._before(connection, name)
            taken = self._database.insert(duties).values(name=name, process_id=process, taken_at=self._now)
            again = {"process_id": process, "taken_at": taken.excluded.taken_at, "released_at": None}
            await connection.execute(taken.on_conflict_do_update(index_elements=["name"], set_=again))
            if before is None:
                return Duty()
            now = await connection.scalar(select(self._now)) or 0.0
            return Duty(before.name, now - before.free_since)

    async def _is_free(self, process: str, name: str) -> bool:
        """Look without keeping anybody from writing, and keep who is silent from keeping others from it."""
        async with self._database.writing_apart() as connection:
            holders = await self._holders(connection, process, name)
            now = await connection.scalar(select(self._now)) or 0.0
            if any(one.id != process and one.until >= now for one in holders):
                return False
            if not self._database.is_sqlite:
                is_other = ~processes.c.id.startswith(f"{self._program}.")
                silent = select(processes.c.id).where(is_standing, processes.c.until < now, is_other)
                await postgres.cut_off(connection, _names(await connection.scalars(silent)))
            return True

    async def _holders(self, connection: AsyncConnection, process: str, name: str) -> list[Row[Any]]:
        """Give who has the duty, or one that collides with it; nobody who ended, or was lost."""
        held = duties.join(processes, duties.c.process_id == processes.c.id)
        asked = select(processes, duties.c.name.label("duty")).select_from(held)
        rows = (await connection.execute(asked.where(is_standing, duties.c.released_at.is_(None)))).all()
        own = await connection.scalar(select(processes.c.plan).where(processes.c.id == process))
        plan = _list(own or "")
        return [
            row
            for row in rows
            if row.duty == name or (row.id != process and collide(name, plan, row.duty, _list(row.plan)))
        ]

    async def _before(self, connection: AsyncConnection, name: str) -> Row[Any, Any] | None:
        """Give who had a free duty last, and since when it has not."""
        held = duties.join(processes, duties.c.process_id == processes.c.id)
        free_since = func.coalesce(duties.c.released_at, processes.c.ended_at).label("free_since")
        asked = select(processes.c.name, free_since).select_from(held).where(duties.c.name == name)
        return (await connection.execute(asked)).one_or_none()

    @whole
    async def release(self, process: str, names: Collection[str]) -> None:
        """Give duties of one's own back at once, and go on with the others. Raises Superseded."""
        is_own = and_(duties.c.process_id == process, duties.c.released_at.is_(None))
        async with self._database.writing() as connection:
            await refuse_superseded(connection, process)
            released = update(duties).where(is_own, duties.c.name.in_(names))
            await connection.execute(released.values(released_at=self._now))

    @whole
    async def leave(self, process: str) -> None:
        """Stand there no more: what is one's duty is free."""
        async with self._database.writing_apart() as connection:
            await connection.execute(
                update(processes).where(processes.c.id == process, is_standing).values(ended_at=self._now)
            )

    @whole
    async def roll(self, ended_since: float) -> Roll:
        """Call the roll, with those who ended since an instant, the newest first."""
        lives = (is_standing, processes.c.until >= self._now)
        ended_at = func.coalesce(processes.c.ended_at, processes.c.until)  # nobody may have missed it yet
        ended = select(processes).where(ended_at >= ended_since, ~and_(*lives))
        async with self._database.reading() as connection:
            at = await connection.scalar(select(self._now)) or 0.0
            held: dict[str, list[str]] = {}
            had = select(duties).where(duties.c.released_at.is_(None)).order_by(duties.c.name)
            for duty in await connection.execute(had):
                held.setdefault(duty.process_id, []).append(duty.name)
            living = await connection.execute(
                select(processes).where(*lives).order_by(processes.c.joined_at, processes.c.id)
            )
            last = ended.order_by(ended_at.desc()).limit(_MOST_ENDED)
            gone = await connection.execute(last)
            return Roll(at, tuple(_read(row, held) for row in living), tuple(map(_read_ended, gone)))

    async def close(self) -> None:
        """Let go of the database."""
        await self._database.close()


async def open_rota(url: str) -> SqlRota:
    """Open the rota of a database; one that has none of this form yet is brought to this version first.

    Whoever is on duty may be of another version: its tables are left as they are. Raises StoreTrouble.
    """
    program = secrets.token_hex(6)
    database = connect(url, patience=_PATIENCE, name=program)
    try:
        async with database.reading() as connection:
            has_one = await connection.run_sync(_has_one)
        if not has_one:
            await upgrade(url)
    except BaseException:
        await database.close()
        raise
    return SqlRota(database, program)


def _has_one(connection: Connection) -> bool:
    there = inspect(connection)
    return there.has_table(duties.name) and all(
        {column.name for column in table.columns}
        <= {column["name"] for column in there.get_columns(table.name)}
        for table in (processes, duties)
    )


def _list(words: str) -> tuple[str, ...]:
    return tuple(words.split(","))


def _names(ids: Iterable[str]) -> list[str]:
    """Give what the connections of processes are called: those of their houses, and those of their rotas."""
    return sorted({name for one in ids for name in (one, one.partition(".")[0])})


def _read(row: Row[Any], held: dict[str, list[str]]) -> Process:
    stands = (row.id, row.name, row.version, row.joined_at, row.until, row.ended_at, row.was_lost)
    return Process(*stands, tuple(held.get(row.id, ())), _list(row.roles), _list(row.plan))


def _read_ended(row: Row[Any]) -> Process:
    read = _read(row, {})
    return read if row.ended_at is not None else replace(read, ended_at=row.until, was_lost=True)
