"""What watch needs: what commands changed, how far was judged, and the one transaction of each batch."""

from __future__ import annotations

import json
from itertools import starmap
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Insert,
    Select,
    Text,
    bindparam,
    case,
    cast,
    delete,
    exists,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.models import Arming
from bot.alerts.notices import of_return
from bot.engine.restoring import Resting
from bot.metrics import Close, MetricKey
from bot.ports import Armed, Changes, Judgement, Stored, Superseded, Unheard
from bot.store.database import Database, each, whole
from bot.store.metric_tables import observations
from bot.store.notices import promise_notice
from bot.store.partitions import COUNT
from bot.store.rows import STATE_COLUMNS, read_resting, read_seen, read_state, written_state
from bot.store.sights import write_turns
from bot.store.tables import (
    alert_states,
    alerts,
    armings,
    counters,
    cursors,
    is_living,
    is_retired,
    outbox,
    partitions,
)
from bot.store.telling import write_told

_PAGE = 5000
"""How many rows are fetched at a time when all armings are loaded."""


class SqlLedger:
    """The port ``Ledger``."""

    _database: Database

    @whole
    async def changes(self, partition: int, since: int) -> Changes:
        """Give what commands wrote after revision ``since`` (0: all that lives, with its states).

        The usual answer, that nothing changed, costs one look at one row.
        """
        async with self._database.reading() as connection:
            if await self._database.at_once(connection, _revision(connection)) <= since:
                return Changes(since)
        async with self._database.reading() as connection:
            revision = await _revision(connection)
            made: list[Armed] = []
            stream = await connection.stream(_made(partition, since), execution_options={"yield_per": _PAGE})
            async for page in stream.partitions():
                made.extend(_armed(row) for row in page)
            retired = await connection.scalars(
                select(armings.c.id)
                .where(
                    is_retired,
                    armings.c.partition == partition,
                    armings.c.retired_in > since,
                    armings.c.made_in <= since,
                )
                .order_by(armings.c.id)
            )
            return Changes(revision, tuple(made), tuple(retired))

    @whole
    async def revision(self) -> int:
        """Give the revision of the newest change that a command made; 0 before the first."""
        async with self._database.reading() as connection:
            return await _revision(connection)

    @whole
    async def living(self, partition: int, after: int = 0, most: int = _PAGE) -> list[Stored]:
        """Give a page of what lives, by rising id: what comes after one, or from the beginning.

        Nothing but rows is made of the rows: a million armings are read in the time that it takes to look
        at them. Each page is of its own moment. Who reads all of them asks for the ``revision`` first, and
        for the changes since then afterwards.
        """
        # By an index of partitions every page would sort all that follow; reckoned with, it goes by id.
        in_partition = armings.c.partition + 0 == partition
        page = (
            select(*(_PLAIN[name] for name in Stored._fields))
            .select_from(_ARMED)
            .where(is_living, in_partition, armings.c.id > after)
            .order_by(armings.c.id)
            .limit(most)
        )
        async with self._database.reading() as connection:
            return list(starmap(Stored, await connection.execute(page)))

    def read(self, stored: Stored) -> Armed:
        """Read what a page holds."""
        return _armed(
            stored._replace(
                **{
                    name: json.loads(text)
                    for name in _DOCUMENTS
                    if (text := getattr(stored, name)) is not None
                }
            )
        )

    def resting(self, stored: Stored) -> Resting | None:
        """Read it as the engine puts many to rest, if its state is no more than that: most are so."""
        return read_resting(stored)

    @whole
    async def judged_to(self, partition: int) -> dict[MetricKey, int]:
        """Give, for each series, the first minute that has not been judged."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(cursors).where(cursors.c.partition == partition))
            return {MetricKey(row.metric, row.instrument, row.venue): row.judged_to for row in rows}

    @whole
    async def closes(self, partition: int) -> dict[MetricKey, Close]:
        """Give, for each series, the last price before the first minute that has not been judged."""
        known = select(cursors).where(cursors.c.partition == partition, cursors.c.close.is_not(None))
        async with self._database.reading() as connection:
            return {
                MetricKey(row.metric, row.instrument, row.venue): Close(
                    row.shown_at, row.close, row.source, row.home
                )
                for row in await connection.execute(known)
            }

    @whole
    async def commit(self, partition: int, epoch: int, judgement: Judgement) -> int:
        """Write states, cursors, rings and one notification per subscriber and telling, in one transaction.

        A cursor goes back where a new arming begins in a minute that was judged for the others already: a
        restart must read that minute again. An arming that a command retired meanwhile is passed over:
        neither its state nor its tellings are kept. Gives the number of notifications written. Raises
        Superseded, or Unheard if news must be heard first; then nothing was written.
        """
        async with self._database.writing(beside=True) as connection:
            writing = self._keep(connection, partition, epoch, judgement)
            return await self._database.at_once(connection, writing)

    async def _keep(
        self, connection: AsyncConnection, partition: int, epoch: int, judgement: Judgement
    ) -> int:
        is_unheard = await connection.scalar(
            _HELD,
            {"this": partition, "held": epoch, "horizon": judgement.horizon, "heard": judgement.heard},
        )
        if is_unheard is None:
            raise Superseded(f"partition {partition} was taken over")
        if is_unheard:
            raise Unheard(f"partition {partition} has not heard all that was known up to {judgement.horizon}")
        await self._write_states(connection, judgement)
        await self._write_cursors(connection, partition, judgement)
        if judgement.told or judgement.notices or not judgement.turns.is_quiet:
            await self._database.keep_order(connection)
        written = await write_told(self._database, connection, partition, judgement.told, judgement.at)
        seen = await write_turns(self._database, connection, partition, judgement.turns, judgement.at)
        for notice in (*judgement.notices, *of_return(seen, judgement.at)):
            written += await promise_notice(self._database, connection, partition, notice, judgement.at)
        await self._database.count_anew(connection, outbox, written)
        return written

    async def _write_states(self, connection: AsyncConnection, judgement: Judgement) -> None:
        if not judgement.states:
            return
        states = starmap(written_state, judgement.states.items())
        rows = (dict(zip(_NEW, state.values(), strict=True)) for state in states)
        await each(connection, self._database.prepared(_keeping_states), rows)

    async def _write_cursors(self, connection: AsyncConnection, partition: int, judgement: Judgement) -> None:
        """Say how far each series was judged; where others judge too, what nobody reads here is let go.

        It would hold up whoever goes on from the least of them (see ``partitions``).
        """
        for key in judgement.left:
            await connection.execute(_LEFT, {"this": partition, **_names(key)})
        if not judgement.judged_to:
            return
        rows = (
            {
                "partition": partition,
                **_names(key),
                "judged_to": minute,
                **_close(judgement.closes.get(key)),
            }
            for key, minute in judgement.judged_to.items()
        )
        await each(connection, self._database.prepared(_moving_cursors), rows)


_NEW = tuple(f"new_{name}" for name in ("arming_id", *STATE_COLUMNS))
"""What the columns of a state are called as they are handed over, in the order of ``written_state``."""


def _keeping_states(database: Database) -> Insert:
    """Keep the state of an arming that lives."""
    names = ("arming_id", *STATE_COLUMNS)
    row = [
        bindparam(new, type_=alert_states.c[name].type).label(name)
        for new, name in zip(_NEW, names, strict=True)
    ]
    is_there = (armings.c.id == bindparam("new_arming_id")) & is_living
    writing = database.insert(alert_states).from_select(names, select(*row).where(is_there))
    return writing.on_conflict_do_update(
        index_elements=["arming_id"], set_={name: writing.excluded[name] for name in STATE_COLUMNS}
    )


def _moving_cursors(database: Database) -> Insert:
    """Say how far a series was judged."""
    writing = database.insert(cursors)
    names = ("judged_to", "close", "shown_at", "source", "home")
    return writing.on_conflict_do_update(
        index_elements=["partition", "metric", "instrument", "venue"],
        set_={name: writing.excluded[name] for name in names},
        where=writing.excluded.judged_to != cursors.c.judged_to,
    )


def _close(close: Close | None) -> dict[str, Any]:
    if close is None:
        return {"close": None, "shown_at": None, "source": "", "home": ""}
    return {"close": close.price, "shown_at": close.at, "source": close.source, "home": close.home}


def _names(key: MetricKey) -> dict[str, str]:
    return {"metric": key.metric, "instrument": key.instrument, "venue": key.venue}


_horizon = bindparam("horizon", type_=partitions.c.judged_to.type)
_HELD = (
    update(partitions)
    .where(partitions.c.id == bindparam("this"), partitions.c.epoch == bindparam("held"))
    .values(judged_to=case((partitions.c.judged_to < _horizon, _horizon), else_=partitions.c.judged_to))
    .returning(exists().where(observations.c.place > bindparam("heard"), observations.c.known_at <= _horizon))
)
"""Say how far a partition was judged, if its epoch stands; gives whether it has not heard all until then.

Whoever notes news does so while nobody commits, and lets it be known later than all that is said here. So of
each word a partition that starts again either judged it, or recalls it as known after where it goes on.
"""
_LEFT = delete(cursors).where(
    cursors.c.partition == bindparam("this"),
    *(cursors.c[name] == bindparam(name) for name in ("metric", "instrument", "venue")),
    COUNT > 1,
)
_REVISION = select(counters.c.value).where(counters.c.name == "revision")
_COLUMNS: dict[str, ColumnElement[Any]] = {
    **{name: armings.c[name] for name in ("id", "alert_id", "rule", "made_at", "seen", "is_eager")},
    "is_shared": alerts.c.name.is_not(None).label("is_shared"),
    **{name: alert_states.c[name] for name in STATE_COLUMNS},
}
_DOCUMENTS = ("seen", "memory", "early", "grounds")
_PLAIN = {**_COLUMNS, **{name: cast(_COLUMNS[name], Text).label(name) for name in _DOCUMENTS}}
_ARMED = armings.join(alerts, armings.c.alert_id == alerts.c.id).outerjoin(
    alert_states, alert_states.c.arming_id == armings.c.id
)


def _made(partition: int, since: int) -> Select[Any]:
    return (
        select(*_COLUMNS.values())
        .select_from(_ARMED)
        .where(is_living, armings.c.partition == partition, armings.c.made_in > since)
        .order_by(armings.c.made_in, armings.c.id)
    )


async def _revision(connection: AsyncConnection) -> int:
    return int(await connection.scalar(_REVISION) or 0)


def _armed(row: Any) -> Armed:
    seen = read_seen(row.seen)
    arming = Arming(row.id, row.alert_id, row.rule, row.is_shared, row.made_at, seen, row.is_eager)
    return Armed(arming, read_state(row))
