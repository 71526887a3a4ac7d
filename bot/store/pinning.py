"""Pin: alerts whose chat becomes another keep the numbers of the levels that they follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from sqlalchemy import and_, delete, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.arming import in_force
from bot.store.tables import alert_levels, alerts, fillings, subscriptions

Held = Mapping[tuple[int, str], Decimal]
"""What subscriptions follow: the number of a level by the subscription's id and the level's key."""


async def held(connection: AsyncConnection, chat_ids: Sequence[int]) -> dict[tuple[int, str], Decimal]:
    """Give the numbers of the levels that some chats' alerts follow, but for those of their own alone."""
    has_own = exists().where(
        fillings.c.subscription_id == subscriptions.c.id, fillings.c.key == alert_levels.c.key
    )
    chosen = (
        select(subscriptions.c.id, subscriptions.c.chat_id, alert_levels.c.key)
        .join(alerts, subscriptions.c.alert_id == alerts.c.id)
        .join(alert_levels, alert_levels.c.alert_id == alerts.c.id)
        .where(subscriptions.c.chat_id.in_(chat_ids), ~has_own)
    )
    rows = (await connection.execute(chosen)).all()
    known = {chat_id: await in_force(connection, chat_id) for chat_id in {row.chat_id for row in rows}}
    return {
        (row.id, row.key): Decimal(known[row.chat_id][row.key].value)
        for row in rows
        if row.key in known[row.chat_id]
    }


async def pin(connection: AsyncConnection, before: Held, chat_ids: Sequence[int]) -> list[tuple[int, str]]:
    """Fill with the number that it had whatever would follow another now; gives what was pinned."""
    now = await held(connection, chat_ids)
    living = set(
        await connection.scalars(select(subscriptions.c.id).where(subscriptions.c.chat_id.in_(chat_ids)))
    )
    pinned = [one for one, value in before.items() if one[0] in living and now.get(one) != value]
    if pinned:
        rows = [{"subscription_id": one, "key": key, "value": str(before[one, key])} for one, key in pinned]
        await connection.execute(insert(fillings), rows)
    return pinned


async def let_follow(connection: AsyncConnection, pinned: Sequence[tuple[int, str]]) -> None:
    """Let what was pinned follow its level again, where that has the very number."""
    for one, key in pinned:
        is_this = and_(fillings.c.subscription_id == one, fillings.c.key == key)
        chosen = select(subscriptions.c.chat_id, fillings.c.value).join(
            fillings, fillings.c.subscription_id == subscriptions.c.id
        )
        row = (await connection.execute(chosen.where(is_this))).one_or_none()
        level = (await in_force(connection, row.chat_id)).get(key) if row else None
        if row is not None and level is not None and Decimal(level.value) == Decimal(row.value):
            await connection.execute(delete(fillings).where(is_this))
