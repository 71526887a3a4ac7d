"""What rang for a chat that could not be written to is told when it is back, in one message."""

from __future__ import annotations

from sqlalchemy import exists, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.models import Telling
from bot.store.promise import content
from bot.store.tables import alerts, chats, outbox, rings, subscriptions


async def tell_missed(connection: AsyncConnection, chat_id: int, old: float, now: float) -> None:
    """Promise a chat that is back what it was not told: what rang since, and what was held by ``old``.

    Whatever it still follows counts, unless it was muted then or taken back. What is held and newer is told
    by itself.
    """
    held = (outbox.c.chat_id == chat_id, outbox.c.held_at.is_not(None))
    since: float | None = await connection.scalar(select(func.min(outbox.c.held_at)).where(*held))
    if since is None:
        return
    is_promised = exists().where(
        outbox.c.chat_id == chat_id,
        outbox.c.ring_id == rings.c.id,
        or_(outbox.c.held_at.is_(None), outbox.c.made_at > old),
    )
    is_old = exists().where(*held, outbox.c.ring_id == rings.c.id, outbox.c.made_at <= old)
    chosen = (
        select(alerts.c.number, alerts.c.name, func.count().label("times"), func.max(rings.c.at).label("at"))
        .select_from(rings)
        .join(subscriptions, subscriptions.c.arming_id == rings.c.arming_id)
        .join(alerts, subscriptions.c.alert_id == alerts.c.id)
        .where(
            subscriptions.c.chat_id == chat_id,
            subscriptions.c.place_id.is_(None),
            or_(rings.c.seen_at >= since, is_old),
            ~is_promised,
            rings.c.corrected_at.is_(None),
            or_(subscriptions.c.muted_until.is_(None), subscriptions.c.muted_until <= rings.c.seen_at),
        )
        .group_by(alerts.c.id, alerts.c.number, alerts.c.name)
        .order_by(func.max(rings.c.at).desc(), alerts.c.id)
    )
    missed = [
        {"alert": row.name or f"#{row.number}", "count": row.times, "at": row.at}
        for row in await connection.execute(chosen)
    ]
    if missed:
        platform = await connection.scalar(select(chats.c.platform).where(chats.c.id == chat_id))
        what = content(
            Telling.MISSED, f"missed/{since:.3f}/{now:.3f}", {"since": since, "alerts": missed}, now
        )
        await connection.execute(insert(outbox), {"platform": platform, "chat_id": chat_id, **what})
