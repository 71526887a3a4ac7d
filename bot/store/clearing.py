"""Letting go of what was told, proposed and armed long ago, and is asked for no more.

What stays, however old: what waits to be told; the audit; of each alert that is not long deleted the last
ring, in each chat that was told one; what became of the last announcement; what a mute hides that is told
when it ends; and the message about a lost sight that is not over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, delete, exists, func, or_, select

from bot.alerts.models import Telling
from bot.store.broadcast_table import broadcasts
from bot.store.database import Database, chunks, whole
from bot.store.handout_table import handouts
from bot.store.metric_tables import losses
from bot.store.promise import MUTED
from bot.store.tables import (
    alert_levels,
    alert_states,
    alerts,
    armings,
    outbox,
    proposals,
    rings,
    subscriptions,
)


class SqlClearing:
    """The port ``Clearing``."""

    _database: Database

    async def clear(self, cut: float) -> int:
        """Drop what was over before ``cut`` and nobody asks for; gives how many rows went.

        Many short transactions, so that nobody waits for long; one that is cut off is gone on with next time.
        """
        gone = 0
        for table, is_spare in _STEPS:
            column = next(iter(table.primary_key))
            chosen = select(column).where(is_spare(cut)).order_by(column)
            for piece in chunks(await self._chosen(chosen)):
                gone += await self._drop(table, and_(column.in_(piece), is_spare(cut)))
        return gone

    @whole
    async def _chosen(self, chosen: Select[Any]) -> list[Any]:
        async with self._database.reading() as connection:
            return list(await connection.scalars(chosen))

    @whole
    async def _drop(self, table: Table, is_meant: ColumnElement[bool]) -> int:
        async with self._database.writing() as connection:
            for one, its in _BELONGINGS.get(table, ()):
                those = select(next(iter(table.primary_key))).where(is_meant)
                await connection.execute(delete(one).where(its.in_(those)))
            return (await connection.execute(delete(table).where(is_meant))).rowcount


def _is_told(cut: float) -> ColumnElement[bool]:
    over_at = func.coalesce(outbox.c.sent_at, outbox.c.given_up_at, outbox.c.held_at)
    told_for = func.coalesce(outbox.c.owner_id, outbox.c.chat_id)
    last = (
        select(func.max(outbox.c.id))
        .join(alerts, outbox.c.alert_id == alerts.c.id)
        .where(outbox.c.kind == Telling.RING.value, _stays(cut))
        .group_by(outbox.c.alert_id, told_for)
        .correlate(None)
    )
    is_counted = exists().where(
        outbox.c.error == MUTED,
        subscriptions.c.chat_id == told_for,
        subscriptions.c.alert_id == outbox.c.alert_id,
        subscriptions.c.muted_at <= outbox.c.made_at,
    )
    return and_(
        outbox.c.made_at < cut,
        over_at < cut,
        outbox.c.id.not_in(last),
        ~is_counted,
        outbox.c.dedupe.not_in(select(losses.c.notice)),
        or_(outbox.c.broadcast_id.is_(None), outbox.c.broadcast_id < _last_broadcast()),
    )


def _is_announced(cut: float) -> ColumnElement[bool]:
    is_kept = exists().where(outbox.c.broadcast_id == broadcasts.c.id)
    return and_(broadcasts.c.made_at < cut, broadcasts.c.id < _last_broadcast(), ~is_kept)


def _is_rung(cut: float) -> ColumnElement[bool]:
    told = exists().where(outbox.c.ring_id == rings.c.id)
    ring, arming = rings.alias(), armings.alias()
    of_alert = (
        select(func.max(ring.c.id))
        .select_from(ring.join(arming, ring.c.arming_id == arming.c.id).join(alerts))
        .where(_stays(cut))
        .group_by(arming.c.alert_id)
        .correlate(None)
    )
    of_arming = (
        select(func.max(ring.c.id))
        .select_from(ring.join(arming, ring.c.arming_id == arming.c.id))
        .where(arming.c.retired_at.is_(None))
        .group_by(ring.c.arming_id)
        .correlate(None)
    )
    return and_(rings.c.seen_at < cut, ~told, rings.c.id.not_in(of_alert), rings.c.id.not_in(of_arming))


def _is_retired(cut: float) -> ColumnElement[bool]:
    rang = exists().where(rings.c.arming_id == armings.c.id)
    is_followed = exists().where(subscriptions.c.arming_id == armings.c.id)
    return and_(armings.c.retired_at < cut, ~rang, ~is_followed)


def _is_deleted(cut: float) -> ColumnElement[bool]:
    of_it = [
        exists().where(table.c.alert_id == alerts.c.id).correlate(alerts)
        for table in (armings, subscriptions, outbox)
    ]
    return and_(alerts.c.deleted_at < cut, ~or_(*of_it))


def _is_settled(cut: float) -> ColumnElement[bool]:
    return func.coalesce(proposals.c.settled_at, proposals.c.expires_at) < cut


def _is_expired(cut: float) -> ColumnElement[bool]:
    return handouts.c.expires_at < cut


def _stays(cut: float) -> ColumnElement[bool]:
    return or_(alerts.c.deleted_at.is_(None), alerts.c.deleted_at >= cut)


def _last_broadcast() -> Any:
    return select(func.max(broadcasts.c.id)).correlate(None).scalar_subquery()


_STEPS: tuple[tuple[Table, Callable[[float], ColumnElement[bool]]], ...] = (
    (outbox, _is_told),
    (broadcasts, _is_announced),
    (rings, _is_rung),
    (armings, _is_retired),
    (alerts, _is_deleted),
    (proposals, _is_settled),
    (handouts, _is_expired),
)
"""What goes from each table, in an order in which nothing is left that refers to what is gone."""

_BELONGINGS: dict[Table, tuple[tuple[Table, ColumnElement[Any]], ...]] = {
    armings: ((alert_states, alert_states.c.arming_id),),
    alerts: ((alert_levels, alert_levels.c.alert_id),),
}
