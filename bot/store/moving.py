"""Follow a chat that moved: a Telegram group that became a supergroup takes everything along."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, and_, delete, exists, select, update

from bot.alerts.lots import lot_of
from bot.alerts.people import ChatRef
from bot.store.agenda_table import agenda
from bot.store.arming import Change, bury, retire_unused
from bot.store.rows import same_chat
from bot.store.tables import alerts, audit, chats, is_of_playbook, levels, outbox, proposals, subscriptions


async def follow(change: Change, moved: ChatRef, to: ChatRef) -> None:
    """Give a chat its new id, and where that one is known already, merge into it.

    In a merge personal alerts take fresh numbers, so that no number means two things. What both have, a
    shared alert followed, a playbook or a level of a name, stays as the new chat has it.
    """
    connection = change.connection
    old = await connection.scalar(select(chats.c.id).where(same_chat(moved)))
    new = await connection.scalar(select(chats.c.id).where(same_chat(to)))
    if old is None or old == new:
        return
    if moved.chat != to.chat:  # what was sent stayed behind: its number is another message's now
        was_sent = and_(outbox.c.chat_id == old, outbox.c.sent_at.is_not(None))
        await connection.execute(update(outbox).where(was_sent).values(receipt=""))
    if new is None:
        address = {"platform": to.platform, "chat": to.chat, "thread": to.thread, "lot": lot_of(to.chat)}
        await connection.execute(update(chats).where(chats.c.id == old).values(address))
        await connection.execute(update(outbox).where(outbox.c.chat_id == old).values(platform=to.platform))
        return
    await _keep_policy(change, old, new)
    dropped = await drop_parts(change, old, new)
    await renumber(change, old, new)
    dropped += await _drop_doubles(change, old, new)
    for table in (subscriptions, levels, outbox, agenda, proposals, audit):
        values = {"chat_id": new} | ({"platform": to.platform} if table is outbox else {})
        await connection.execute(update(table).where(table.c.chat_id == old).values(values))
    await connection.execute(update(audit).where(audit.c.scope_id == old).values(scope_id=new))
    await connection.execute(update(outbox).where(outbox.c.owner_id == old).values(owner_id=new))
    placed = update(subscriptions).where(subscriptions.c.place_id == old)
    await connection.execute(placed.values(place_id=new))
    at_home = subscriptions.c.place_id == subscriptions.c.chat_id
    await connection.execute(update(subscriptions).where(at_home).values(place_id=None, place=""))
    await connection.execute(delete(chats).where(chats.c.id == old))
    await retire_unused(change, dropped)


async def _keep_policy(change: Change, old: int, new: int) -> None:
    """Let what the admins said hold on, where nobody has said otherwise in the new chat."""
    said = await change.connection.scalar(select(chats.c.policy).where(chats.c.id == old))
    is_unsaid = and_(chats.c.id == new, chats.c.policy == "")
    await change.connection.execute(update(chats).where(is_unsaid).values(policy=said))


async def renumber(change: Change, old: int, new: int) -> None:
    """Give a chat the alerts of another, with fresh numbers: the living first, in their order."""
    connection = change.connection
    last = (await connection.execute(select(chats.c.last_number).where(chats.c.id == new))).scalar_one()
    owned = await connection.scalars(
        select(alerts.c.id)
        .where(alerts.c.chat_id == old)
        .order_by(alerts.c.deleted_at.is_not(None), alerts.c.number)
    )
    for last, alert in enumerate(owned.all(), start=last + 1):  # noqa: B020 - the last one given is kept
        values = {"chat_id": new, "number": last, "revision": change.revision}
        await connection.execute(update(alerts).where(alerts.c.id == alert).values(values))
    await connection.execute(update(chats).where(chats.c.id == new).values(last_number=last))


def parts_of_both(old: int, new: int) -> tuple[ColumnElement[bool], ...]:
    """Tell the alerts of a chat that belong to a playbook which another chat follows too."""
    there = alerts.alias()
    follows_too = exists().where(
        there.c.chat_id == new, there.c.playbook == alerts.c.playbook, there.c.deleted_at.is_(None)
    )
    return (alerts.c.chat_id == old, is_of_playbook, follows_too)


async def drop_parts(change: Change, old: int, new: int) -> list[int | None]:
    """Drop the alerts of a playbook that the new chat follows too; gives the armings that lost one."""
    connection = change.connection
    chosen = select(alerts.c.id).where(*parts_of_both(old, new))
    doubles = (await connection.scalars(chosen)).all()
    is_dropped = subscriptions.c.alert_id.in_(doubles)
    dropped = list(await connection.scalars(select(subscriptions.c.arming_id).where(is_dropped)))
    await connection.execute(delete(subscriptions).where(is_dropped))
    for double in doubles:
        await bury(change, double)
    return dropped


async def _drop_doubles(change: Change, old: int, new: int) -> list[int | None]:
    """Drop what the new chat has already; gives the armings that lost a subscription."""
    connection = change.connection
    dropped: list[int | None] = []
    for table, column in ((subscriptions, "alert_id"), (levels, "key"), (outbox, "dedupe"), (agenda, "kind")):
        is_double = _is_double(table, column, old, new)
        if table is subscriptions:
            dropped = list(await connection.scalars(select(subscriptions.c.arming_id).where(is_double)))
        await connection.execute(delete(table).where(is_double))
    return dropped


def _is_double(table: Table, column: str, old: int, new: int) -> ColumnElement[bool]:
    there = table.alias()
    return and_(
        table.c.chat_id == old,
        exists().where(there.c.chat_id == new, there.c[column] == table.c[column]),
    )
