"""Arm and disarm: the armings behind subscriptions, as every command that changes them needs it.

Equal fillings of one alert share an arming, so a ring is judged once however many chats follow. An arming
never changes; it is retired when its last subscription leaves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    false,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from bot.metrics import MetricKey, Seen
from bot.store.database import Database, chunks
from bot.store.partitions import COUNT
from bot.store.rows import written_levels, written_seen
from bot.store.tables import (
    alert_states,
    alerts,
    armings,
    chats,
    counters,
    is_living,
    is_open,
    levels,
    subscriptions,
)

group_chats = chats.alias("group_chats")


@dataclass(frozen=True, slots=True)
class Change:
    """One transaction of a command: its revision, its instant, and how many partitions judge what it arms."""

    connection: AsyncConnection
    revision: int
    now: float
    partitions: int


async def begin_change(database: Database, connection: AsyncConnection, now: float) -> Change:
    """Raise the revision; whoever else changes something waits here, so revisions appear in order."""
    raised = await connection.execute(database.prepared(_raising), {"name": "revision", "value": 1})
    row = raised.one()
    return Change(connection, row.value, now, row.partitions)


def _raising(database: Database) -> ReturningInsert[Any]:
    """Raise the revision, and look up how many partitions there are: that costs no question of its own."""
    return (
        database.insert(counters)
        .on_conflict_do_update(index_elements=["name"], set_={"value": counters.c.value + 1})
        .returning(counters.c.value, COUNT.label("partitions"))
    )


async def in_force(connection: AsyncConnection, chat_id: int | None) -> dict[str, Row[Any]]:
    """Give the rows of the levels that hold in a chat, by key.

    Its own come before those of the group that it is a topic of, and these before the deployment's.
    """
    group = await group_of(connection, chat_id)
    rows = await connection.execute(
        select(levels)
        .where(or_(levels.c.chat_id.is_(None), levels.c.chat_id.in_((chat_id, group))))
        .order_by(levels.c.chat_id.is_not(None), levels.c.chat_id == chat_id, levels.c.key)
    )
    return {row.key: row for row in rows}


async def group_of(connection: AsyncConnection, chat_id: int | None) -> int | None:
    """Give the group that a chat is a topic of, or the channel of a thread, where that is known."""
    if chat_id is None:
        return None
    group: int | None = await connection.scalar(
        _above(select(group_chats.c.id)).where(chats.c.id == chat_id).where(chats.c.above != "")
    )
    return group


def topics_of(group: int) -> Select[Any]:
    """Select the topics or threads of a group."""
    return _above(select(chats.c.id)).where(group_chats.c.id == group, chats.c.above != "")


def _above(selection: Select[Any]) -> Select[Any]:
    is_above = and_(
        group_chats.c.platform == chats.c.platform,
        group_chats.c.chat == chats.c.above,
        group_chats.c.thread == "",
        group_chats.c.id != chats.c.id,
    )
    return selection.select_from(chats.join(group_chats, is_above))


def is_spent() -> ColumnElement[bool]:
    """Tell a life that is over: its ``until`` has passed, or it was to ring once and has rung.

    A ring that was taken back is none.
    """
    has_rung = alert_states.c.rang_at.is_not(None)
    return or_(alert_states.c.is_ended.is_(true()), and_(alerts.c.is_once.is_(true()), has_rung))


async def arm(
    change: Change,
    fillings: Mapping[tuple[int, str], Mapping[str, Decimal]],
    seen: Mapping[MetricKey, Seen],
) -> dict[tuple[int, str], int]:
    """Find or make the arming of each (alert, filled rule); the values are what each was filled with.

    An arming whose life is over is shared with nobody new: what subscribes now gets one that can ring.
    """
    found = await _shareable(change, {alert for alert, _ in fillings})
    missing = [filling for filling in fillings if filling not in found]
    shared = await _deployment(change.connection, fillings.values())
    for piece in chunks(missing):
        made = insert(armings).returning(armings.c.id, armings.c.alert_id, armings.c.rule)
        rows = [
            _new(change, *filling, fillings[filling], seen) | {"is_own": _is_own(fillings[filling], shared)}
            for filling in piece
        ]
        for row in await change.connection.execute(made, rows):
            found[row.alert_id, row.rule] = row.id
    return {filling: found[filling] for filling in fillings}


async def _deployment(
    connection: AsyncConnection, fillings: Iterable[Mapping[str, Decimal]]
) -> dict[str, Decimal]:
    """Give the deployment's levels, where any is used."""
    if not any(fillings):
        return {}
    return {key: Decimal(row.value) for key, row in (await in_force(connection, None)).items()}


def _is_own(used: Mapping[str, Decimal], shared: Mapping[str, Decimal]) -> bool:
    return any(shared.get(key, value) != value for key, value in used.items())


async def arm_eagerly(
    change: Change, alert: int, rule: str, values: Mapping[str, Decimal], seen: Mapping[MetricKey, Seen]
) -> int:
    """Make an eager arming. It is shared with nobody: one chat's wish rings in no other."""
    row = _new(change, alert, rule, values, seen) | {"is_open": False, "is_eager": True}
    made = await change.connection.execute(insert(armings).returning(armings.c.id), row)
    return int(made.scalar_one())


def _new(
    change: Change, alert: int, rule: str, values: Mapping[str, Decimal], seen: Mapping[MetricKey, Seen]
) -> dict[str, Any]:
    return {
        "alert_id": alert,
        "rule": rule,
        "levels": written_levels(values),
        "seen": written_seen(rule, seen),
        "partition": alert % change.partitions,
        "made_at": change.now,
        "made_in": change.revision,
        "is_open": True,
        "is_eager": False,
        "is_own": False,
    }


async def _shareable(change: Change, alert_ids: Iterable[int]) -> dict[tuple[int, str], int]:
    found: dict[tuple[int, str], int] = {}
    spent: list[int] = []
    for piece in chunks(alert_ids):
        rows = await change.connection.execute(
            select(armings.c.id, armings.c.alert_id, armings.c.rule, is_spent().label("is_spent"))
            .join(alerts, armings.c.alert_id == alerts.c.id)
            .outerjoin(alert_states, alert_states.c.arming_id == armings.c.id)
            .where(armings.c.alert_id.in_(piece), is_open)
        )
        for row in rows:
            if row.is_spent:
                spent.append(row.id)
            else:
                found[row.alert_id, row.rule] = row.id
    for piece in chunks(spent):
        await change.connection.execute(
            update(armings).where(armings.c.id.in_(piece)).values(is_open=false())
        )
    return found


async def move(change: Change, subscription_ids: Sequence[int], arming_id: int | None) -> None:
    """Let subscriptions follow another arming, or none: then they are paused."""
    for piece in chunks(subscription_ids):
        await change.connection.execute(
            update(subscriptions)
            .where(subscriptions.c.id.in_(piece))
            .values(
                arming_id=arming_id,
                paused_at=change.now if arming_id is None else None,
                revision=change.revision,
            )
        )


async def retire_unused(change: Change, arming_ids: Iterable[int | None]) -> None:
    """Retire those of the armings that no subscription follows any more."""
    rows: list[dict[str, Any]] = [
        {"this": one} for one in sorted({one for one in arming_ids if one is not None})
    ]
    if rows:
        is_followed = exists().where(subscriptions.c.arming_id == armings.c.id)
        await change.connection.execute(
            update(armings)
            .where(armings.c.id == bindparam("this"), is_living, ~is_followed)
            .values(is_open=False, retired_at=change.now, retired_in=change.revision),
            rows,
        )


async def bury(change: Change, alert_id: int) -> None:
    """Mark an alert as deleted; what it rang stays explained."""
    await change.connection.execute(
        update(alerts).where(alerts.c.id == alert_id).values(deleted_at=change.now, revision=change.revision)
    )
