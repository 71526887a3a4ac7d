"""What was said of metrics: every word, who speaks for which series, and what of it is news."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import Row, and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.engine.news import Known, is_silent, news
from bot.metrics import MetricKey, Observation
from bot.ports import Noted
from bot.store.database import Database, whole
from bot.store.metric_tables import observations, speakers


class SqlArchive:
    """The port ``Archive``."""

    _database: Database

    @whole
    async def note(self, said: Sequence[Observation], at: int) -> Noted:
        """Take in what was read, as known from ``at`` on, in one transaction.

        The same value of the same finality again is no news. Only what the series' own provider says is
        given back as news; what others say is kept all the same.
        """
        found: list[Observation] = []
        moved: list[MetricKey] = []
        async with self._database.writing() as connection:
            for (key, source), words in groupby(sorted(said, key=_series), key=_series):
                arrived = list(words)
                fresh = news(arrived, await _known(connection, key, source, arrived), at)
                if not fresh:
                    continue
                await connection.execute(insert(observations), [_row(word) for word in fresh])
                newest = max(word.as_of for word in fresh)
                speaker = await _speaker(connection, key)
                if speaker is None:
                    row = {"metric": key.metric, "instrument": key.instrument, "source": source, "since": at}
                    await connection.execute(insert(speakers), row)
                elif speaker != source:
                    if not is_silent(await _newest(connection, key, speaker), newest):
                        continue
                    change = update(speakers).where(_is_of(speakers, key)).values(source=source, since=at)
                    await connection.execute(change)
                    moved.append(key)
                found.extend(fresh)
        found.sort(key=lambda word: (word.known_at, word.key, word.as_of, word.revision))
        return Noted(tuple(found), tuple(moved))

    @whole
    async def recall(self, key: MetricKey, since: int = 0) -> list[Observation]:
        """Give what the series' provider said about what is not before ``since``, as it became known.

        That about the newest instant or session is given in any case.
        """
        async with self._database.reading() as connection:
            speaker = await _speaker(connection, key)
            if speaker is None:
                return []
            newest = await _newest(connection, key, speaker)
            asked = (
                select(observations)
                .where(
                    _is_of(observations, key),
                    observations.c.source == speaker,
                    observations.c.as_of >= min(since, since if newest is None else newest),
                )
                .order_by(observations.c.known_at, observations.c.as_of, observations.c.revision)
            )
            return [read_word(row) for row in await connection.execute(asked)]

    @whole
    async def newest(self) -> dict[MetricKey, Observation]:
        """Give the latest word about the newest instant or session of every series, final or not."""
        found: dict[MetricKey, Observation] = {}
        async with self._database.reading() as connection:
            for speaker in (await connection.execute(select(speakers))).all():
                key = MetricKey(speaker.metric, speaker.instrument)
                last = (
                    select(observations)
                    .where(_is_of(observations, key), observations.c.source == speaker.source)
                    .order_by(observations.c.as_of.desc(), observations.c.revision.desc())
                    .limit(1)
                )
                row = (await connection.execute(last)).one_or_none()
                if row is not None:
                    found[key] = read_word(row)
        return found


def _series(word: Observation) -> tuple[MetricKey, str]:
    return word.key, word.source


def _is_of(table: Any, key: MetricKey) -> Any:
    return and_(table.c.metric == key.metric, table.c.instrument == key.instrument)


async def _known(
    connection: AsyncConnection, key: MetricKey, source: str, arrived: Iterable[Observation]
) -> Known:
    is_of = and_(_is_of(observations, key), observations.c.source == source)
    ends = select(func.min(observations.c.as_of), func.max(observations.c.as_of)).where(is_of)
    oldest, newest = (await connection.execute(ends)).one()
    as_ofs = [word.as_of for word in arrived]
    rows = await connection.execute(
        select(observations)
        .where(is_of, observations.c.as_of.between(min(as_ofs), max(as_ofs)))
        .order_by(observations.c.as_of, observations.c.revision)
    )
    return Known(oldest, newest, {row.as_of: read_word(row) for row in rows})


async def _newest(connection: AsyncConnection, key: MetricKey, source: str) -> int | None:
    newest: int | None = await connection.scalar(
        select(func.max(observations.c.as_of)).where(
            _is_of(observations, key), observations.c.source == source
        )
    )
    return newest


async def _speaker(connection: AsyncConnection, key: MetricKey) -> str | None:
    speaker: str | None = await connection.scalar(select(speakers.c.source).where(_is_of(speakers, key)))
    return speaker


def _row(word: Observation) -> dict[str, Any]:
    return {
        "metric": word.key.metric,
        "instrument": word.key.instrument,
        "source": word.source,
        "as_of": word.as_of,
        "revision": word.revision,
        "value": str(word.value),
        "known_at": word.known_at,
        "is_final": word.is_final,
        "pending": list(word.pending),
    }


def read_word(row: Row[Any]) -> Observation:
    """Read a word as it was kept."""
    return Observation(
        key=MetricKey(row.metric, row.instrument),
        as_of=row.as_of,
        value=Decimal(row.value),
        known_at=row.known_at,
        is_final=row.is_final,
        revision=row.revision,
        source=row.source,
        pending=tuple(row.pending),
    )
