"""Give back: what rang in a place that takes nothing any more rings elsewhere, and its owners are told."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, insert, literal, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.message import Facts
from bot.alerts.models import Telling
from bot.alerts.people import ChatRef
from bot.store.arming import Change
from bot.store.moving import follow
from bot.store.promise import content
from bot.store.rows import same_chat
from bot.store.tables import alerts, chats, is_held, is_waiting, outbox, subscriptions


async def give_back(connection: AsyncConnection, place_id: int | None, reason: str, now: float) -> None:
    """Let the owners of alerts that ring in a place have them, and what waits there, in their own chats.

    Each owner is told once, since nothing is sent there from then on. What waits for an owner that cannot be
    written to either is held with the rest of what waits for it.
    """
    owner, told = chats.alias("owner"), outbox.alias("told")
    of_owner = select(owner.c.platform).where(owner.c.id == outbox.c.owner_id).scalar_subquery()
    is_away = exists().where(owner.c.id == outbox.c.owner_id, owner.c.paused_reason != "")
    waits = and_(outbox.c.chat_id == place_id, outbox.c.owner_id.is_not(None), is_waiting | is_held)
    is_told = exists().where(told.c.chat_id == outbox.c.owner_id, told.c.dedupe == outbox.c.dedupe)
    await connection.execute(
        update(outbox)
        .where(waits, ~is_told)
        .values(
            chat_id=outbox.c.owner_id,
            platform=of_owner,
            owner_id=null(),
            leased_until=0.0,
            not_before=now,
            held_at=case((is_away, literal(now)), else_=null()),
            error="",
        )
    )
    sent = (
        await connection.execute(
            select(subscriptions.c.chat_id, subscriptions.c.place, chats.c.platform, chats.c.paused_reason)
            .add_columns(alerts.c.number, alerts.c.name)
            .join(alerts, subscriptions.c.alert_id == alerts.c.id)
            .join(chats, subscriptions.c.chat_id == chats.c.id)
            .where(subscriptions.c.place_id == place_id)
            .order_by(subscriptions.c.id)
        )
    ).all()
    by_owner: dict[tuple[int, str, str], list[Any]] = defaultdict(list)
    for row in sent:
        by_owner[row.chat_id, row.platform, row.paused_reason].append(row)
    is_there = subscriptions.c.place_id == place_id
    await connection.execute(update(subscriptions).where(is_there).values(place_id=None, place=""))
    for (chat_id, platform, paused), rows in by_owner.items():
        labels = [{"alert": row.name or f"#{row.number}"} for row in rows]
        facts = {"place": rows[0].place, "reason": reason, "alerts": labels}
        what = content(Telling.RETURNED, f"returned/{place_id}/{now:.3f}", facts, now)
        held = {"held_at": now if paused else None}
        await connection.execute(insert(outbox), {"platform": platform, "chat_id": chat_id, **held, **what})


async def close_topic(change: Change, topic: ChatRef, group: ChatRef) -> None:
    """Let a group take over what a topic or thread has that is no more, and tell it once."""
    connection = change.connection
    topic_id = await connection.scalar(select(chats.c.id).where(same_chat(topic)))
    owned = list(await connection.scalars(select(alerts.c.id).where(_is_owned(topic_id))))
    await follow(change, topic, group)
    here = (await connection.execute(select(chats).where(same_chat(group)))).one()
    await connection.execute(update(chats).where(chats.c.id == here.id).values(above=""))
    labels = [
        {"alert": f"#{number}"}
        for number in await connection.scalars(
            select(alerts.c.number).where(alerts.c.id.in_(owned)).order_by(alerts.c.number)
        )
    ]
    facts: Facts = {"is_topic": True, "alerts": labels}
    what = content(Telling.RETURNED, f"closed/{topic_id}", facts, change.now)
    where = {"platform": group.platform, "chat_id": here.id}
    await connection.execute(insert(outbox), {**where, **what})


def _is_owned(chat_id: int | None) -> ColumnElement[bool]:
    return and_(alerts.c.chat_id == chat_id, alerts.c.deleted_at.is_(None))
