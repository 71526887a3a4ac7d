"""Keep to the quotas: counted in the transaction that would go beyond them."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.bounds import QUOTAS, Thing, Whose, read_quota
from bot.ports import Beyond
from bot.store.tables import alerts, chats, quotas, subscriptions


async def set_quotas(connection: AsyncConnection) -> dict[tuple[Thing, Whose], int]:
    """Give the quotas that were set otherwise than they are by default."""
    rows = await connection.execute(select(quotas))
    found = ((read_quota(row.name), row.value) for row in rows)
    return {name: value for name, value in found if name is not None}


async def refuse_beyond(connection: AsyncConnection, chat_id: int, person: str, *, is_shared: bool) -> None:
    """Raise Beyond if a chat, with its topics, or a person has all the alerts that a quota allows.

    ``person`` is ``platform:id``. What is paused counts too.
    """
    thing = Thing.SUBSCRIPTIONS if is_shared else Thing.ALERTS
    known = await set_quotas(connection)
    here = select(chats.c.platform, chats.c.chat).where(chats.c.id == chat_id).subquery()
    together = select(chats.c.id).join(
        here, (chats.c.platform == here.c.platform) & (chats.c.chat == here.c.chat)
    )
    owners: dict[Whose, ColumnElement[bool]] = {
        Whose.PERSON: subscriptions.c.person == person,
        Whose.CHAT: subscriptions.c.chat_id.in_(together),
    }
    for whose, is_owned in owners.items():
        counted = (
            select(func.count())
            .select_from(subscriptions.join(alerts, subscriptions.c.alert_id == alerts.c.id))
            .where(is_owned, alerts.c.name.is_not(None) if is_shared else alerts.c.name.is_(None))
        )
        most = known.get((thing, whose), QUOTAS[thing, whose])
        if int(await connection.scalar(counted) or 0) >= most:
            raise Beyond(thing, whose, most)
