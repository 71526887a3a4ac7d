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
    for whose, room in (await room_of(connection, chat_id, person, thing)).items():
        if room <= 0:
            known = await set_quotas(connection)
            raise Beyond(thing, whose, known.get((thing, whose), QUOTAS[thing, whose]))


async def room_of(
    connection: AsyncConnection, chat_id: int | None, person: str, thing: Thing
) -> dict[Whose, int]:
    """Say how many more alerts a person, and a chat with its topics, may have."""
    is_shared = thing is Thing.SUBSCRIPTIONS
    known = await set_quotas(connection)
    here = select(chats.c.platform, chats.c.chat).where(chats.c.id == chat_id).subquery()
    together = select(chats.c.id).join(
        here, (chats.c.platform == here.c.platform) & (chats.c.chat == here.c.chat)
    )
    owners: dict[Whose, ColumnElement[bool]] = {
        Whose.PERSON: subscriptions.c.person == person,
        Whose.CHAT: subscriptions.c.chat_id.in_(together),
    }
    rooms: dict[Whose, int] = {}
    for whose, is_owned in owners.items():
        counted = (
            select(func.count())
            .select_from(subscriptions.join(alerts, subscriptions.c.alert_id == alerts.c.id))
            .where(is_owned, alerts.c.name.is_not(None) if is_shared else alerts.c.name.is_(None))
        )
        most = known.get((thing, whose), QUOTAS[thing, whose])
        rooms[whose] = most - int(await connection.scalar(counted) or 0)
    return rooms
