"""Part: two linked chats go on by themselves, each with what rings in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.links import Parting
from bot.store.arming import Change
from bot.store.pinning import held, let_follow, pin
from bot.store.rows import read_ref
from bot.store.tables import alert_levels, alerts, chats, fillings, levels, outbox, subscriptions

_COPIED = ("arming_id", "alert_id", "made_at", "paused_at", "muted_at", "muted_until", "is_urgent")


async def look_at_parting(connection: AsyncConnection, link: Row[Any], revision: int) -> Parting:
    """Say what goes with a linked chat, under which numbers, and what stays at home."""
    rows = await _going(connection, link)
    both = await _shared_by_both(connection, link)
    counted = select(func.count()).select_from(subscriptions).where(subscriptions.c.chat_id == link.home_id)
    home, other = await _chat(connection, link.home_id), await _chat(connection, link.chat_id)
    personal = [row.number for row in rows if row.number is not None]
    shared = tuple(row.name for row in rows if row.name is not None)
    return Parting(
        read_ref(home),
        read_ref(other),
        numbers=tuple((number, other.last_number + place) for place, number in enumerate(personal, start=1)),
        shared=shared,
        both=tuple(row.name for row in both),
        playbooks=await _playbooks_at_home(connection, link),
        stays=(await connection.scalar(counted) or 0) - len(rows),
        revision=revision,
    )


async def give_back_own(change: Change, link: Row[Any]) -> None:
    """Let a chat that is linked no more have what rings in it; the armings and their states go on."""
    connection, home, other = change.connection, link.home_id, link.chat_id
    rows, both = await _going(connection, link), await _shared_by_both(connection, link)
    before = await held(connection, (home, other))
    gone = [row.alert_id for row in rows]
    moved = [row.subscription_id for row in rows]
    last = (await _chat(connection, other)).last_number
    personal = [row.alert_id for row in rows if row.number is not None]
    for last, alert in enumerate(personal, start=last + 1):  # noqa: B020 - the last one given is kept
        values = {"chat_id": other, "number": last, "revision": change.revision}
        await connection.execute(update(alerts).where(alerts.c.id == alert).values(values))
    await connection.execute(update(chats).where(chats.c.id == other).values(last_number=last))
    own = {"chat_id": other, "place_id": None, "place": "", "revision": change.revision}
    await connection.execute(update(subscriptions).where(subscriptions.c.id.in_(moved)).values(own))
    stays = and_(subscriptions.c.chat_id == home, subscriptions.c.place_id == other)
    await connection.execute(update(subscriptions).where(stays).values(place_id=None, place=""))
    await _give_levels(connection, link)
    for row in both:
        copied = await _copy(change, row, other)
        before |= {(copied, key): value for (one, key), value in before.items() if one == row.id}
    await pin(connection, before, (home, other))
    await let_follow(connection, [(one, key) for one, key in link.before["pinned"]])
    is_gone = outbox.c.alert_id.in_(gone)
    told_here = and_(is_gone, outbox.c.chat_id == other, outbox.c.owner_id == home)
    await connection.execute(update(outbox).where(told_here).values(owner_id=None))
    told_there = and_(
        is_gone,
        outbox.c.chat_id != other,
        or_(outbox.c.owner_id == home, and_(outbox.c.owner_id.is_(None), outbox.c.chat_id == home)),
    )
    await connection.execute(update(outbox).where(told_there).values(owner_id=other))


async def _chat(connection: AsyncConnection, chat_id: int) -> Row[Any]:
    return (await connection.execute(select(chats).where(chats.c.id == chat_id))).one()


async def _going(connection: AsyncConnection, link: Row[Any]) -> Sequence[Row[Any]]:
    """Give what rings in the linked chat, and is not of both."""
    chosen = (
        select(subscriptions.c.id.label("subscription_id"), alerts.c.id.label("alert_id"))
        .add_columns(alerts.c.number, alerts.c.name)
        .join(alerts, subscriptions.c.alert_id == alerts.c.id)
        .where(subscriptions.c.chat_id == link.home_id, subscriptions.c.place_id == link.chat_id)
        .where(alerts.c.id.not_in(link.before["shared"]))
        .order_by(alerts.c.number.is_(None), alerts.c.number, alerts.c.key)
    )
    return (await connection.execute(chosen)).all()


async def _shared_by_both(connection: AsyncConnection, link: Row[Any]) -> Sequence[Row[Any]]:
    """Give the shared alerts that both followed before they were linked, and that the home still follows."""
    chosen = (
        select(subscriptions, alerts.c.name)
        .join(alerts, subscriptions.c.alert_id == alerts.c.id)
        .where(subscriptions.c.chat_id == link.home_id, alerts.c.id.in_(link.before["shared"]))
        .order_by(alerts.c.key)
    )
    return (await connection.execute(chosen)).all()


async def _playbooks_at_home(connection: AsyncConnection, link: Row[Any]) -> tuple[str, ...]:
    """Name the playbooks that both followed before, and the home alone does now."""
    chosen = select(alerts.c.playbook).where(
        alerts.c.chat_id == link.home_id,
        alerts.c.deleted_at.is_(None),
        alerts.c.playbook.in_(link.before["playbooks"]),
    )
    return tuple(await connection.scalars(chosen.distinct().order_by(alerts.c.playbook)))


async def _copy(change: Change, row: Row[Any], other: int) -> int:
    """Let a chat follow a shared alert as its home does: they share the arming, and so its state.

    Gives the id of the subscription.
    """
    connection, chat = change.connection, await _chat(change.connection, other)
    values = {name: getattr(row, name) for name in _COPIED}
    values |= {"chat_id": other, "revision": change.revision, "person": f"{chat.platform}:{chat.person}"}
    made = insert(subscriptions).values(values).returning(subscriptions.c.id)
    copied = int((await connection.execute(made)).scalar_one())
    own = await connection.execute(select(fillings).where(fillings.c.subscription_id == row.id))
    rows = [{"subscription_id": copied, "key": one.key, "value": one.value} for one in own]
    if rows:
        await connection.execute(insert(fillings), rows)
    return copied


async def _give_levels(connection: AsyncConnection, link: Row[Any]) -> None:
    """Give the linked chat the levels that it brought, or follows now; what it brought and left goes with it.

    A level of its own that slept, since the home has one of that name, is in force again.
    """
    home, other = link.home_id, link.chat_id
    brought = levels.c.key.in_(link.before["levels"])
    wanted = or_(brought, levels.c.key.in_(_followed(other)))
    there = levels.alias()
    has_own = exists().where(there.c.chat_id == other, there.c.key == levels.c.key)
    rows = (await connection.execute(select(levels).where(levels.c.chat_id == home, wanted, ~has_own))).all()
    copies = [
        {
            "chat_id": other,
            **{name: getattr(row, name) for name in ("key", "name", "value", "set_by", "set_at")},
        }
        for row in rows
    ]
    if copies:
        await connection.execute(insert(levels), copies)
    is_left = and_(levels.c.chat_id == home, brought, levels.c.key.not_in(_followed(home)))
    await connection.execute(delete(levels).where(is_left))


def _followed(chat_id: int) -> Any:
    """Select the keys of the levels that a chat's alerts follow, but for those of their own alone."""
    has_own = exists().where(
        fillings.c.subscription_id == subscriptions.c.id, fillings.c.key == alert_levels.c.key
    )
    return (
        select(alert_levels.c.key)
        .join(subscriptions, subscriptions.c.alert_id == alert_levels.c.alert_id)
        .where(subscriptions.c.chat_id == chat_id, ~has_own)
    )
