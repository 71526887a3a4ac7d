"""Subscribe: give a chat an alert and the arming behind it, as every command that changes one needs it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.models import Alert
from bot.alerts.people import ChatRef
from bot.alerts.sentences import filled_levels
from bot.ports import Conflict, NewArming
from bot.rules import levels as levels_of
from bot.rules import parse
from bot.rules.tree import Mode, Rule
from bot.store.arming import Change, arm, arm_eagerly, begin_change, bury, in_force, move, retire_unused
from bot.store.database import Database
from bot.store.homes import rings_in
from bot.store.people import find_chat
from bot.store.quotas import refuse_beyond
from bot.store.rows import followed, key_of, read_alert
from bot.store.tables import alert_levels, alerts, fillings, subscriptions

NONE_OWN: Mapping[str, Decimal] = MappingProxyType({})

_LARGEST = 2**31 - 1


async def insert_alert(change: Change, alert: Alert, chat_id: int | None) -> int:
    """Write an alert down, with the levels that it names; gives its id."""
    tree = parse(alert.rule)
    mode = tree.options.mode or (Mode.REPEAT if alert.is_shared else Mode.ONCE)
    made = await change.connection.execute(
        insert(alerts).returning(alerts.c.id),
        {
            "chat_id": chat_id,
            "number": alert.number or None,
            "name": alert.name or None,
            "key": key_of(alert.name) or None,
            "playbook": alert.playbook or None,
            "part": alert.part or None,
            "rule": alert.rule,
            "is_once": mode is Mode.ONCE,
            "author": alert.author,
            "made_at": alert.made_at,
            "revision": change.revision,
        },
    )
    alert_id = int(made.scalar_one())
    await name_levels(change, alert_id, tree)
    return alert_id


async def name_levels(change: Change, alert_id: int, rule: Rule) -> None:
    """Write down which levels an alert's rule names, so that a change of one finds it."""
    named = [{"alert_id": alert_id, "key": key_of(name)} for name in sorted(levels_of(rule))]
    if named:
        await change.connection.execute(insert(alert_levels), named)


async def follow(
    change: Change,
    chat_id: int,
    alert_id: int,
    rule: str,
    new: NewArming,
    *,
    by: str,
    own: Mapping[str, Decimal] = NONE_OWN,
    is_urgent: bool = False,
    place: int | None = None,
) -> None:
    """Let a chat follow an alert, with levels of its own where it has some.

    ``by`` is who wants it, as ``person_of`` names them; ``place`` the chat where it was said, and rings.
    Raises as ``arm_one`` does, and Beyond where the chat or the person has as many as they may.
    """
    is_shared = select(alerts.c.name.is_not(None)).where(alerts.c.id == alert_id)
    shared = bool(await change.connection.scalar(is_shared))
    await refuse_beyond(change.connection, chat_id, by, is_shared=shared)
    arming_id = await arm_one(change, chat_id, alert_id, rule, new, own=own)
    made = insert(subscriptions).values(
        chat_id=chat_id,
        alert_id=alert_id,
        arming_id=arming_id,
        made_at=change.now,
        revision=change.revision,
        is_urgent=is_urgent,
        person=by,
        **await rings_in(change.connection, place, chat_id),
    )
    subscription_id = (await change.connection.execute(made.returning(subscriptions.c.id))).scalar_one()
    await fill_own(change, subscription_id, own)


async def fill_own(change: Change, subscription_id: int, own: Mapping[str, Decimal]) -> None:
    """Keep the levels that a subscription alone is filled with, in place of those that it had."""
    connection = change.connection
    await connection.execute(delete(fillings).where(fillings.c.subscription_id == subscription_id))
    rows = [
        {"subscription_id": subscription_id, "key": key_of(name), "value": str(value)}
        for name, value in own.items()
    ]
    if rows:
        await connection.execute(insert(fillings), rows)


async def own_of(connection: AsyncConnection, subscription_id: int) -> dict[str, Decimal]:
    """Give the levels that a subscription alone is filled with, by key."""
    rows = await connection.execute(select(fillings).where(fillings.c.subscription_id == subscription_id))
    return {row.key: Decimal(row.value) for row in rows}


def is_waiting(row: Row[Any]) -> bool:
    """Whether it has not begun to be judged, or has not been clear yet."""
    if row.arming_id is None or row.is_eager:
        return False
    return row.cursor is None or not (row.is_armed or row.is_ended or row.episode)


async def take_up(change: Change, row: Row[Any], new: NewArming, *, is_eager: bool = False) -> None:
    """Give a subscription a new arming; what it alone followed is retired first, so that it is not found.

    Raises as ``arm_one`` does.
    """
    own = await own_of(change.connection, row.subscription_id)
    await move(change, [row.subscription_id], None)
    await retire_unused(change, [row.arming_id])
    arming_id = await arm_one(
        change, row.chat_id, row.alert_id, row.alert_rule, new, own=own, is_eager=is_eager
    )
    await move(change, [row.subscription_id], arming_id)


async def arm_one(
    change: Change,
    chat_id: int,
    alert_id: int,
    rule: str,
    new: NewArming,
    *,
    own: Mapping[str, Decimal],
    is_eager: bool = False,
) -> int:
    """Find or make one arming.

    Raises Conflict if its rule was filled with a value that the level has no more: the change of the level
    could not find this subscription yet, so it would keep the old value for ever.
    """
    used = {key_of(name): value for name, value in filled_levels(parse(rule), parse(new.rule)).items()}
    if used:
        known = await in_force(change.connection, chat_id)
        values = {key: Decimal(row.value) for key, row in known.items()}
        values |= {key_of(name): value for name, value in own.items()}
        for key, value in used.items():
            if key in values and values[key] != value:
                raise Conflict(f"the level {key} was moved meanwhile")
    if is_eager:
        return await arm_eagerly(change, alert_id, new.rule, used, new.seen)
    armed = await arm(change, {(alert_id, new.rule): used}, new.seen)
    return armed[alert_id, new.rule]


async def find(connection: AsyncConnection, chat: ChatRef, label: str) -> Row[Any] | None:
    """Find a subscription of a chat by its label: ``#3``, or a name without regard to case."""
    if label.startswith("#"):
        digits = label[1:]
        if not (digits.isascii() and digits.isdigit()) or int(digits) > _LARGEST:
            return None
        is_meant = alerts.c.number == int(digits)
    else:
        is_meant = alerts.c.key == key_of(label)
    chat_id = await find_chat(connection, chat)
    found = followed().where(subscriptions.c.chat_id == chat_id, alerts.c.deleted_at.is_(None), is_meant)
    row: Row[Any] | None = (await connection.execute(found)).one_or_none()
    return row


async def leave(
    database: Database, chat: ChatRef, label: str, now: float, *, is_personal: bool
) -> Alert | None:
    """Let a chat follow an alert no longer, and delete one that is its own; ``None`` if there is none."""
    async with database.writing() as connection:
        row = await find(connection, chat, label)
        if row is None or (row.number is not None) is not is_personal:
            return None
        change = await begin_change(database, connection, now)
        await connection.execute(delete(subscriptions).where(subscriptions.c.id == row.subscription_id))
        if is_personal:
            await bury(change, row.alert_id)
        await retire_unused(change, [row.arming_id])
        return read_alert(row, chat)
