"""What cannot be seen: which series, in which partition, in the transaction of watch.

A chat may have alerts in several partitions, and each finds by itself that it sees a series again, or that
minutes of it are gone. That it is seen again is told when all see it again who did not, with what any of them
missed: else a chat would hear that nothing is missed from one that missed nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Row, and_, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.engine.sight import Loss, Turns
from bot.metrics import MetricKey
from bot.store.database import Database, whole
from bot.store.metric_tables import losses


class SqlSights:
    """The part of the store that keeps what cannot be seen."""

    _database: Database

    @whole
    async def losses(self, partition: int | None = None) -> dict[MetricKey, Loss]:
        """Give every series that cannot be seen, in one partition or in any, as it was told first."""
        asked = select(losses).where(losses.c.seen_at.is_(None)).order_by(losses.c.since.desc())
        if partition is not None:
            asked = asked.where(losses.c.partition == partition)
        async with self._database.reading() as connection:
            return {_key(row): _loss(row) for row in await connection.execute(asked)}


async def write_turns(
    database: Database, connection: AsyncConnection, partition: int, turns: Turns, at: float
) -> dict[MetricKey, Loss]:
    """Keep what is lost, and let go of what is seen again or read by nobody any more.

    Gives what is seen again wherever it is read.
    """
    if turns.is_quiet:
        return {}
    known: dict[MetricKey, list[Row[Any]]] = {}
    for row in await connection.execute(select(losses).order_by(losses.c.since)):
        known.setdefault(_key(row), []).append(row)
    seen: dict[MetricKey, Loss] = {}
    for key in (*turns.back, *turns.let_go):
        others = [row for row in known.get(key, ()) if row.partition != partition]
        own = [_joined(key, partition, loss, known) for loss in (turns.back.get(key),) if loss is not None]
        is_lost = any(row.seen_at is None for row in others)
        if is_lost and own:
            await _write(database, connection, partition, key, own[0], at)
            continue
        is_meant = and_(*(losses.c[name] == one for name, one in _of(key)))
        mine = and_(is_meant, losses.c.partition == partition)
        await connection.execute(delete(losses).where(mine if is_lost else is_meant))
        again = [*own, *map(_loss, others)]
        if again and not is_lost:
            seen[key] = _together(again)
    for key, loss in turns.lost.items():
        await _write(database, connection, partition, key, _joined(key, partition, loss, known))
    return seen


async def _write(  # noqa: PLR0917
    database: Database,
    connection: AsyncConnection,
    partition: int,
    key: MetricKey,
    loss: Loss,
    seen_at: float | None = None,
) -> None:
    row = {**asdict(loss), "gone": [list(stretch) for stretch in loss.gone], "seen_at": seen_at}
    writing = database.insert(losses).values(partition=partition, **dict(_of(key)), **row)
    names = ["partition", "metric", "instrument", "venue"]
    await connection.execute(writing.on_conflict_do_update(index_elements=names, set_=row))


def _joined(
    key: MetricKey, partition: int, loss: Loss, known: Mapping[MetricKey, Iterable[Row[Any]]]
) -> Loss:
    """Join a loss to the one before it, whose end was told to nobody because others had not seen it."""
    before = (row for row in known.get(key, ()) if row.partition == partition and row.seen_at is not None)
    return _together([loss, *map(_loss, before)])


def _together(several: Iterable[Loss]) -> Loss:
    """Give the first of some losses of one series, with all that is gone."""
    first, *others = sorted(several, key=lambda loss: loss.since)
    return replace(first, gone=tuple(sorted({*first.gone, *(one for loss in others for one in loss.gone)})))


def _loss(row: Row[Any]) -> Loss:
    return Loss(row.since, row.reason, row.source, row.notice, tuple((a, b) for a, b in row.gone))


def _key(row: Row[Any]) -> MetricKey:
    return MetricKey(row.metric, row.instrument, row.venue)


def _of(key: MetricKey) -> list[tuple[str, str]]:
    return [("metric", key.metric), ("instrument", key.instrument), ("venue", key.venue)]
