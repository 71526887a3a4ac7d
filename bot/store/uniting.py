"""Unite: what a private chat has goes over to its home, and rings where it rang."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import and_, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.links import Meeting, Side
from bot.store.arming import Change, retire_unused
from bot.store.moving import drop_parts, parts_of_both, renumber
from bot.store.pinning import held, pin
from bot.store.rows import read_ref
from bot.store.tables import alerts, chats, is_of_playbook, levels, outbox, subscriptions


async def look_at(
    connection: AsyncConnection, home: int, other: int, revision: int, *, by: str = ""
) -> Meeting:
    """Say what two chats have, and which numbers those of ``other`` would have at home."""
    last = (await connection.execute(select(chats.c.last_number).where(chats.c.id == home))).scalar_one()
    doubles = select(alerts.c.id).where(*parts_of_both(other, home))
    goes = select(alerts.c.number).where(
        alerts.c.chat_id == other, alerts.c.deleted_at.is_(None), alerts.c.id.not_in(doubles)
    )
    before = (await connection.scalars(goes.order_by(alerts.c.number))).all()
    numbers = tuple((number, last + place) for place, number in enumerate(before, start=1))
    return Meeting(await _side(connection, home), await _side(connection, other), numbers, revision, by)


async def _side(connection: AsyncConnection, chat_id: int) -> Side:
    chat = (await connection.execute(select(chats).where(chats.c.id == chat_id))).one()
    is_here = and_(alerts.c.chat_id == chat_id, alerts.c.deleted_at.is_(None))
    count = await connection.scalar(select(func.count()).select_from(alerts).where(is_here))
    follows = select(alerts.c.name).join(subscriptions, subscriptions.c.alert_id == alerts.c.id)
    is_shared = and_(subscriptions.c.chat_id == chat_id, alerts.c.name.is_not(None))
    shared = await connection.scalars(follows.where(is_shared).order_by(alerts.c.key))
    names = select(alerts.c.playbook).where(is_here, is_of_playbook).distinct()
    playbooks = await connection.scalars(names.order_by(alerts.c.playbook))
    known = await connection.execute(select(levels).where(levels.c.chat_id == chat_id).order_by(levels.c.key))
    return Side(
        read_ref(chat),
        count or 0,
        tuple(shared),
        tuple(playbooks),
        {row.name: Decimal(row.value) for row in known},
        chat.language,
        chat.timezone,
        chat.quiet,
    )


async def take_over(change: Change, home: int, other: int, place: str) -> dict[str, Any]:
    """Let a home have all that another chat has; gives what parting them needs to know.

    Personal alerts take fresh numbers. Each keeps its arming, and so its state, and the numbers of its levels
    as they were; what rang in the other chat rings there. What both have, a shared alert followed or a
    playbook, stays as the home has it; a level that the home has too sleeps until they part.
    """
    connection = change.connection
    before = await held(connection, (home, other))
    both = (
        await connection.scalars(select(alerts.c.playbook).where(*parts_of_both(other, home)).distinct())
    ).all()
    dropped = await drop_parts(change, other, home)
    doubles = await _drop_shared(connection, home, other)
    await renumber(change, other, home)
    moved = await _move_levels(connection, home, other)
    is_of_other = subscriptions.c.chat_id == other
    at_home = and_(is_of_other, subscriptions.c.place_id.is_(None))
    await connection.execute(update(subscriptions).where(at_home).values(place_id=other, place=place))
    gone = update(subscriptions).where(is_of_other)
    await connection.execute(gone.values(chat_id=home, revision=change.revision))
    rings_at_home = subscriptions.c.place_id == subscriptions.c.chat_id
    await connection.execute(update(subscriptions).where(rings_at_home).values(place_id=None, place=""))
    theirs = and_(outbox.c.chat_id == other, outbox.c.owner_id.is_(None), outbox.c.alert_id.is_not(None))
    is_owned = or_(theirs, and_(outbox.c.owner_id == other, outbox.c.chat_id != home))
    await connection.execute(update(outbox).where(is_owned).values(owner_id=home))
    pinned = await pin(connection, before, (home,))
    await retire_unused(change, [arming for arming, _ in doubles] + dropped)
    return {
        "shared": [alert for _, alert in doubles],
        "playbooks": sorted(both),
        "levels": moved,
        "pinned": [list(one) for one in pinned],
    }


async def _drop_shared(connection: AsyncConnection, home: int, other: int) -> list[tuple[int | None, int]]:
    """Drop what the home follows too; gives the arming and the alert of each."""
    there = subscriptions.alias()
    is_double = and_(
        subscriptions.c.chat_id == other,
        exists().where(there.c.chat_id == home, there.c.alert_id == subscriptions.c.alert_id),
    )
    chosen = select(subscriptions.c.arming_id, subscriptions.c.alert_id).where(is_double)
    doubles = [(row.arming_id, row.alert_id) for row in await connection.execute(chosen)]
    await connection.execute(delete(subscriptions).where(is_double))
    return doubles


async def _move_levels(connection: AsyncConnection, home: int, other: int) -> list[str]:
    """Give a home the levels that it has not; gives their keys."""
    there = levels.alias()
    is_new = and_(
        levels.c.chat_id == other, ~exists().where(there.c.chat_id == home, there.c.key == levels.c.key)
    )
    moved = list(await connection.scalars(select(levels.c.key).where(is_new)))
    is_moved = and_(levels.c.chat_id == other, levels.c.key.in_(moved))
    await connection.execute(update(levels).where(is_moved).values(chat_id=home))
    return moved
