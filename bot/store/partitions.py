"""Partitions: how many there are, who judges each, how far each has come, and how they are divided anew.

An arming lives in the partition of its alert, the remainder of the alert's id. Whoever arms reads the number
in the transaction in which it arms, and nobody else writes meanwhile: so none comes to stand in the partition
of an old division.

A division makes every new partition go on from the least instant to which any of the old judged a series.
That repeats nothing. A state keeps the instant at which it last changed, and is judged from there at the
earliest (``Partition.resume_from``); from there to where its old partition had come, its minutes changed
nothing, and change nothing when they are read again. Of an arming that nobody has judged yet the series go on
from its beginning.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, and_, case, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.engine.compiler import compile_rule
from bot.engine.course import start_of
from bot.metrics import MetricKey
from bot.ports import Share
from bot.rules import RuleError, parse
from bot.store.database import Database, each, whole
from bot.store.metric_tables import losses
from bot.store.rows import read_seen
from bot.store.tables import alert_states, armings, counters, cursors, is_living, partitions

_NAME, _DEPLOYMENT = "partitions", "deployment"
_ARMINGS_AT_ONCE = 50_000

_said = counters.alias("said")
COUNT = func.coalesce(select(_said.c.value).where(_said.c.name == _NAME).scalar_subquery(), 1)
"""How many partitions there are."""


class SqlPartitions:
    """The port ``Partitions``."""

    _database: Database

    @whole
    async def take(self, partition: int, holder: str, beyond: int = 0) -> int:
        """Take a partition over and give its new epoch; whoever held it before can commit no more.

        It is greater than ``beyond`` too: a memory that was brought back knows less of epochs than others do.
        """
        async with self._database.writing(beside=True) as connection:
            return await _raise(self._database, connection, partition, holder, beyond)

    @whole
    async def deployment(self) -> str:
        """Name what belongs to this memory, wherever others meet it; made at random, and then kept."""
        made = self._database.insert(counters).values(name=_DEPLOYMENT, value=secrets.randbits(48))
        known = select(counters.c.value).where(counters.c.name == _DEPLOYMENT)
        async with self._database.writing() as connection:
            await connection.execute(made.on_conflict_do_nothing(index_elements=["name"]))
            return f"{await connection.scalar(known):x}"

    @whole
    async def shares(self) -> list[Share]:
        """Give all partitions, by number."""
        async with self._database.reading() as connection:
            count = await connection.scalar(select(COUNT))
            rows = await connection.execute(select(partitions).where(partitions.c.id < count))
            known = {row.id: Share(row.id, row.holder, row.epoch, row.judged_to) for row in rows}
        return [known.get(one, Share(one, "", 0, 0)) for one in range(count or 1)]

    @whole
    async def divide(self, count: int) -> bool:
        """Let so many partitions judge from now on; gives whether that is a change.

        Raises ValueError for less than one.
        """
        if count < 1:
            raise ValueError("there is one partition at least")
        async with self._database.reading() as connection:
            if await connection.scalar(select(COUNT)) == count:
                return False
        async with self._database.writing() as connection:
            before = await connection.scalar(select(COUNT)) or 1
            if before == count:
                return False
            said = self._database.insert(counters).values(name=_NAME, value=count)
            await connection.execute(
                said.on_conflict_do_update(index_elements=["name"], set_={"value": count})
            )
            await self._supersede(connection, max(before, count))
            await _move_armings(connection, count)
            await _go_on(connection, count)
            await _keep_losses(connection, count)
            return True

    async def _supersede(self, connection: AsyncConnection, count: int) -> None:
        """Let nobody commit who took a partition before: not even what is known is known to all of them."""
        judged_to = select(func.coalesce(func.max(partitions.c.judged_to), 0)).scalar_subquery()
        horizon = await connection.scalar(select(judged_to))
        for partition in range(count):
            await _raise(self._database, connection, partition, "")
        await connection.execute(update(partitions).values(judged_to=horizon))


async def _raise(
    database: Database, connection: AsyncConnection, partition: int, holder: str, beyond: int = 0
) -> int:
    taken = database.insert(partitions).values(id=partition, epoch=beyond + 1, holder=holder)
    least = case((partitions.c.epoch > beyond, partitions.c.epoch), else_=beyond)
    again = {"epoch": least + 1, "holder": holder}
    raised = taken.on_conflict_do_update(index_elements=["id"], set_=again).returning(partitions.c.epoch)
    return int((await connection.execute(raised)).scalar_one())


async def _move_armings(connection: AsyncConnection, count: int) -> None:
    """Let what lives stand where it belongs, so many at a time that no statement takes long."""
    last = await connection.scalar(select(func.max(armings.c.id))) or 0
    where = armings.c.alert_id % count
    for first in range(1, last + 1, _ARMINGS_AT_ONCE):
        some = armings.c.id.between(first, first + _ARMINGS_AT_ONCE - 1)
        is_meant = and_(some, is_living, armings.c.partition != where)
        await connection.execute(update(armings).where(is_meant).values(partition=where))


async def _go_on(connection: AsyncConnection, count: int) -> None:
    """Let every partition go on from the least that any of them judged a series to, with its last price."""
    least: dict[tuple[str, str, str], Row[Any]] = {}
    for row in await connection.execute(select(cursors).order_by(cursors.c.partition)):
        known = least.get(_of(row))
        if known is None or _order(row) < _order(known):
            least[_of(row)] = row
    rows: dict[tuple[str, str, str], dict[str, Any]] = {of: row._asdict() for of, row in least.items()}
    for key, start in (await _beginnings(connection)).items():
        kept = rows.get((key.metric, key.instrument, key.venue))
        if kept is not None and start < kept["judged_to"]:
            kept.update(judged_to=start, close=None, shown_at=None)
    await _write_anew(connection, cursors, rows.values(), count)


async def _beginnings(connection: AsyncConnection) -> dict[MetricKey, int]:
    """Give where those begin whom nobody has judged yet, for each series that they read."""
    found: dict[MetricKey, int] = {}
    chosen = (
        select(armings.c.rule, armings.c.made_at, armings.c.seen)
        .outerjoin(alert_states, alert_states.c.arming_id == armings.c.id)
        .where(is_living, alert_states.c.arming_id.is_(None))
    )
    for row in await connection.execute(chosen):
        try:
            life = compile_rule(
                parse(row.rule), is_shared=True, made_at=row.made_at, seen=read_seen(row.seen)
            )
        except (RuleError, ValueError):
            continue  # nobody can judge it
        start = start_of(life, None)
        found |= {key: min(start, found.get(key, start)) for key in life.keys}
    return found


def _order(row: Row[Any]) -> tuple[int, bool]:
    return row.judged_to, row.close is None


async def _keep_losses(connection: AsyncConnection, count: int) -> None:
    """Let every partition know what cannot be seen; who does not read it lets go of it."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in await connection.execute(select(losses).order_by(losses.c.since, losses.c.partition)):
        first = found.setdefault(_of(row), row._asdict() | {"seen_at": None})
        first["gone"] = sorted({*map(tuple, first["gone"]), *map(tuple, row.gone)})
    await _write_anew(connection, losses, found.values(), count)


async def _write_anew(
    connection: AsyncConnection, table: Any, rows: Iterable[dict[str, Any]], count: int
) -> None:
    """Put rows in the place of all that a table has, for each partition."""
    kept = list(rows)
    await connection.execute(delete(table))
    await each(connection, insert(table), (row | {"partition": to} for row in kept for to in range(count)))


def _of(row: Row[Any]) -> tuple[str, str, str]:
    return row.metric, row.instrument, row.venue
