"""Letting go of what was said of metrics and can be read no more."""

from __future__ import annotations

from collections.abc import Collection
from math import inf
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.engine.news import sessions_of
from bot.engine.retention import Floor, floor_of, oldest_read, replaced
from bot.metrics import MetricKey, Observation
from bot.store.archive import read_word
from bot.store.database import Database, whole
from bot.store.metric_tables import observations
from bot.store.partitions import COUNT
from bot.store.rows import sessions_in
from bot.store.tables import alert_states, cursors

_KEY = ("metric", "instrument", "source", "as_of", "revision")
_NEWEST = 100
"""How many words are looked at for the newest session: those about days that are none come before it."""


class SqlForgetting:
    """The part of the port ``Archive`` that keeps it bounded."""

    _database: Database

    async def forget(self, cut: float, now: int) -> int:
        """Drop what nobody can read from ``cut`` on; gives how many words went.

        Each series of each provider is a transaction of its own, so that nothing waits for long. Where others
        judge too, nothing goes that they may read from where they are.
        """
        series, resting, judged_to = await self._series()
        gone, cut = 0, min(cut, judged_to)
        for key, source in series:
            gone += await self._forget(key, source, resting, cut, now)
        return gone

    @whole
    async def _series(self) -> tuple[list[tuple[MetricKey, str]], set[int], float]:
        """Name every series of every provider, the sessions that rings rest on, and where the last one is."""
        chosen = select(observations.c.metric, observations.c.instrument, observations.c.source).distinct()
        async with self._database.reading() as connection:
            rows = (await connection.execute(chosen)).all()
            resting = await _resting(connection)
            judged_to = await connection.scalar(select(func.min(cursors.c.judged_to)).where(COUNT > 1))
        series = [(MetricKey(row.metric, row.instrument), row.source) for row in rows]
        return series, resting, inf if judged_to is None else judged_to

    @whole
    async def _forget(
        self, key: MetricKey, source: str, resting: Collection[int], cut: float, now: int
    ) -> int:
        is_of = and_(
            observations.c.metric == key.metric,
            observations.c.instrument == key.instrument,
            observations.c.source == source,
        )
        async with self._database.writing() as connection:
            newest = await connection.scalar(select(func.max(observations.c.as_of)).where(is_of))
            before = min(oldest_read(key, now), newest)
            old = delete(observations).where(is_of, observations.c.as_of < before)
            gone = (await connection.execute(old.where(observations.c.as_of.not_in(resting)))).rowcount
            floor = await _floor(connection, key, is_of, cut)
            if floor is None:
                return gone
            several = (
                select(observations.c.as_of)
                .where(is_of, observations.c.as_of < floor.as_of)
                .group_by(observations.c.as_of)
                .having(func.count() > 1)
            )
            rows = await connection.execute(
                select(observations).where(is_of, observations.c.as_of.in_(several))
            )
            spare = replaced([read_word(row) for row in rows], floor, resting)
            if spare:
                one = and_(*(observations.c[name] == bindparam(f"the_{name}") for name in _KEY))
                names = [
                    {
                        "the_metric": key.metric,
                        "the_instrument": key.instrument,
                        "the_source": source,
                        "the_as_of": word.as_of,
                        "the_revision": word.revision,
                    }
                    for word in spare
                ]
                await connection.execute(delete(observations).where(one), names)
            return gone + len(spare)


async def _floor(connection: AsyncConnection, key: MetricKey, is_of: Any, cut: float) -> Floor | None:
    """Read the words about the newest that was known at an instant, to whoever reads all or what is final."""
    found: list[Observation] = []
    for seen in (is_of, and_(is_of, observations.c.is_final)):
        newest = (
            select(observations)
            .where(seen, observations.c.known_at <= cut)
            .order_by(observations.c.as_of.desc(), observations.c.known_at)
            .limit(_NEWEST)
        )
        words = [read_word(row) for row in await connection.execute(newest)]
        if words and floor_of(words, cut, sessions_of(key)) is None:
            return None
        found.extend(words)
    return floor_of(found, cut, sessions_of(key))


async def _resting(connection: AsyncConnection) -> set[int]:
    """Name the sessions on which rings rest that may still be taken back."""
    kept = await connection.scalars(select(alert_states.c.grounds).where(alert_states.c.grounds.is_not(None)))
    return {as_of for grounds in kept for as_of in sessions_in(grounds)}
