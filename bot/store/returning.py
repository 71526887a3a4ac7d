"""Give back: what rang in a place that takes nothing any more rings elsewhere, and its owners are told."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.links import Tie, platform_name
from bot.alerts.message import Facts
from bot.alerts.models import Telling
from bot.alerts.people import ChatRef
from bot.store.arming import Change
from bot.store.link_table import links
from bot.store.moving import follow
from bot.store.promise import content
from bot.store.rows import same_chat
from bot.store.tables import alerts, audit, chats, is_held, is_waiting, levels, outbox, subscriptions


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


async def move_house(connection: AsyncConnection, old: int | None, reason: str, now: float) -> None:
    """Let the chat that is linked to a home which takes nothing any more be the home, and tell it once.

    All that the home has is its from then on, under the same numbers, with what waits to be told; what rang
    in either rings there. Does nothing where no chat is linked to it, or that one takes nothing either.
    """
    chosen = select(links, chats.c.platform).join(chats, links.c.chat_id == chats.c.id)
    is_well = and_(links.c.home_id == old, chats.c.paused_reason == "")
    link = (await connection.execute(chosen.where(is_well))).one_or_none()
    if link is None or old is None:
        return
    new = link.chat_id
    here = (await connection.execute(select(chats).where(chats.c.id == old))).one()
    rang = (
        select(alerts.c.number, alerts.c.name)
        .join(subscriptions, subscriptions.c.alert_id == alerts.c.id)
        .where(subscriptions.c.chat_id == old, subscriptions.c.place_id.is_(None))
        .order_by(alerts.c.number.is_(None), alerts.c.number, alerts.c.key)
    )
    labels = [{"alert": row.name or f"#{row.number}"} for row in await connection.execute(rang)]
    await connection.execute(delete(links).where(links.c.chat_id == new))
    turned = {
        "chat_id": old,
        "home_id": new,
        "made_at": link.made_at,
        "before": {**link.before, "levels": []},
    }
    await connection.execute(insert(links), turned)
    last = select(func.max(chats.c.last_number)).where(chats.c.id.in_((old, new))).scalar_subquery()
    await connection.execute(update(chats).where(chats.c.id == new).values(last_number=last))
    await _change_levels(connection, old, new)
    for table in (alerts, subscriptions):
        await connection.execute(update(table).where(table.c.chat_id == old).values(chat_id=new))
    at_home = and_(subscriptions.c.chat_id == new, subscriptions.c.place_id == new)
    await connection.execute(update(subscriptions).where(at_home).values(place_id=None, place=""))
    await connection.execute(update(audit).where(audit.c.scope_id == old).values(scope_id=new))
    theirs = and_(outbox.c.chat_id == old, outbox.c.owner_id.is_(None), outbox.c.alert_id.is_not(None))
    is_owned = or_(theirs, outbox.c.owner_id == old)
    owner = case((outbox.c.chat_id == new, null()), else_=literal(new))
    await connection.execute(update(outbox).where(is_owned).values(owner_id=owner))
    told = outbox.alias("told")
    is_told = exists().where(told.c.chat_id == new, told.c.dedupe == outbox.c.dedupe)
    waits = and_(outbox.c.chat_id == old, outbox.c.broadcast_id.is_(None), is_waiting | is_held, ~is_told)
    again = {"leased_until": 0.0, "not_before": now, "held_at": None, "error": ""}
    there = {"chat_id": new, "platform": link.platform, "owner_id": None}
    await connection.execute(update(outbox).where(waits).values({**there, **again}))
    facts: Facts = {
        "what": Tie.MOVED.value,
        "place": platform_name(here.platform),
        "reason": reason,
        "alerts": labels,
    }
    what = content(Telling.LINK, f"moved/{old}/{now:.3f}", facts, now)
    await connection.execute(insert(outbox), {"platform": link.platform, "chat_id": new, **what})


async def _change_levels(connection: AsyncConnection, old: int, new: int) -> None:
    """Give a new home the levels of the old; those of its own that slept sleep in the old one."""
    asleep = (await connection.execute(select(levels).where(levels.c.chat_id == new))).all()
    await connection.execute(delete(levels).where(levels.c.chat_id == new))
    await connection.execute(update(levels).where(levels.c.chat_id == old).values(chat_id=new))
    if asleep:
        await connection.execute(insert(levels), [{**row._asdict(), "chat_id": old} for row in asleep])


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
