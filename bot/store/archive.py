"""What was said of metrics: every word, who speaks for which series, and what of it is news."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import Row, and_, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.engine.news import Known, as_heard, is_silent, news, unsaid
from bot.metrics import MetricKey, Observation
from bot.ports import Listener, Noted
from bot.store.database import Database, whole
from bot.store.metric_tables import observations, speakers
from bot.store.tables import counters, partitions


class SqlArchive:
    """The port ``Archive``."""

    _database: Database

    @whole
    async def note(self, said: Sequence[Observation], at: int, listener: Listener | None = None) -> Noted:
        """Take in what was read, as known from ``at`` on, in one transaction.

        The same value of the same finality again is no news. Only what the series' own provider says is
        given back as news; what others say is kept all the same.

        Nobody commits meanwhile. With a ``listener``, words become known after all that any partition has
        kept of its judging; and it is told what others noted since it heard last. So every partition hears
        every word once, in the order of their places, whoever notes it; and one that ends before it judged a
        word recalls it when it begins again, as known later than all that it kept.
        """
        async with self._database.writing() as connection:
            before, horizon = (await connection.execute(_STANDING)).one()
            read_at = 0.0
            if listener is not None:
                read_at, at = listener.read_at, max(at, horizon + 1)
            noting = _Noting(connection, at, read_at, before)
            for (key, source), words in groupby(sorted(said, key=_series), key=_series):
                await noting.note(key, source, list(words), may_be_late=listener is not None)
            if noting.place > before:
                kept = self._database.insert(counters).values(name=_NEWS, value=noting.place)
                again = {"value": noting.place}
                await connection.execute(kept.on_conflict_do_update(index_elements=["name"], set_=again))
            found, judged_at = noting.found, noting.noted_at
            if listener is not None and listener.place < before:
                missed, moved = await _missed(connection, listener.place, before)
                own = [(word, read_at) for word in found]
                found, heard_at = as_heard([*missed, *own], listener.horizon)
                judged_at = max(judged_at, heard_at)
                noting.moved.extend(key for key in moved if key not in noting.moved)
        found.sort(key=lambda word: (word.known_at, word.key, word.as_of, word.revision))
        return Noted(tuple(found), tuple(noting.moved), noting.place, judged_at)

    @whole
    async def newest_place(self) -> int:
        """Give the place of the last news: who recalls anything after this knows all up to it."""
        async with self._database.reading() as connection:
            place: int = (await connection.execute(_STANDING)).one()[0]
            return place

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


class _Noting:
    """What is taken in, and what of it is news, with its places.

    From ``noted_at`` on something is known of what was read, whoever noted that.
    """

    def __init__(self, connection: AsyncConnection, at: int, read_at: float, place: int) -> None:
        self.place = place
        self.found: list[Observation] = []
        self.moved: list[MetricKey] = []
        self.noted_at = 0.0
        self._connection = connection
        self._at, self._read_at = at, read_at

    async def note(
        self, key: MetricKey, source: str, arrived: list[Observation], *, may_be_late: bool
    ) -> None:
        """Take in what one provider said of one series; others may have noted it, where it may come late."""
        connection = self._connection
        known, noted_at = await _known(connection, key, source, arrived, self._read_at)
        self.noted_at = max(self.noted_at, noted_at)
        fresh = news(unsaid(arrived, known, self._read_at) if may_be_late else arrived, known, self._at)
        if not fresh:
            return
        speaker = await _speaker(connection, key)
        is_new = speaker is None
        newest = max(word.as_of for word in fresh)
        has_moved = (
            speaker is not None
            and speaker != source
            and is_silent(await _newest(connection, key, speaker), newest)
        )
        is_news = is_new or has_moved or speaker == source
        places = range(self.place + 1, self.place + 1 + len(fresh)) if is_news else [0] * len(fresh)
        rows = [
            _row(word) | {"place": place, "read_at": self._read_at}
            for word, place in zip(fresh, places, strict=True)
        ]
        await connection.execute(insert(observations), rows)
        if not is_news:
            return
        self.place = places[-1]
        self.noted_at = max(self.noted_at, self._at)
        self.found.extend(fresh)
        now = {"source": source, "since": self._at, "place": self.place}
        if is_new:
            row = {"metric": key.metric, "instrument": key.instrument, **now}
            await connection.execute(insert(speakers), row)
        elif has_moved:
            await connection.execute(update(speakers).where(_is_of(speakers, key)).values(now))
            self.moved.append(key)


_NEWS = "news"
_COUNTED = func.coalesce(select(counters.c.value).where(counters.c.name == _NEWS).scalar_subquery(), 0)
_KEPT = func.coalesce(select(func.max(observations.c.place)).scalar_subquery(), 0)
_STANDING = select(
    case((_COUNTED >= _KEPT, _COUNTED), else_=_KEPT),  # words go with time, and no place is given again
    func.coalesce(select(func.max(partitions.c.judged_to)).scalar_subquery(), 0),
)
"""The place of the last news, and up to where anybody judged."""


async def _missed(
    connection: AsyncConnection, after: int, last: int
) -> tuple[list[tuple[Observation, float]], list[MetricKey]]:
    """Give the news after a place up to the last, each with when it was read; and who was silenced by it."""
    chosen = select(observations).where(observations.c.place > after, observations.c.place <= last)
    words = [(read_word(row), row.read_at) for row in await connection.execute(chosen)]
    taken = select(speakers).where(speakers.c.place > after, speakers.c.place <= last)
    rows = await connection.execute(taken.order_by(speakers.c.place))
    return words, [MetricKey(row.metric, row.instrument) for row in rows]


def _series(word: Observation) -> tuple[MetricKey, str]:
    return word.key, word.source


def _is_of(table: Any, key: MetricKey) -> Any:
    return and_(table.c.metric == key.metric, table.c.instrument == key.instrument)


async def _known(
    connection: AsyncConnection, key: MetricKey, source: str, arrived: Iterable[Observation], read: float
) -> tuple[Known, float]:
    """Give what is known of what arrived; and from when on, where somebody noted the very same look."""
    is_of = and_(_is_of(observations, key), observations.c.source == source)
    ends = select(func.min(observations.c.as_of), func.max(observations.c.as_of)).where(is_of)
    oldest, newest = (await connection.execute(ends)).one()
    as_ofs = [word.as_of for word in arrived]
    rows = await connection.execute(
        select(observations)
        .where(is_of, observations.c.as_of.between(min(as_ofs), max(as_ofs)))
        .order_by(observations.c.as_of, observations.c.revision)
    )
    words, read_at, noted = {}, {}, []
    for row in rows:
        words[row.as_of], read_at[row.as_of] = read_word(row), row.read_at
        if row.place and row.read_at == read <= row.known_at:
            noted.append(row.known_at)
    return Known(oldest, newest, words, read_at), min(noted, default=0.0)


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
