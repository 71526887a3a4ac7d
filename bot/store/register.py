"""Alerts and subscriptions: what commands keep for people."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, delete, func, insert, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.models import Alert, SharedAlert, Subscription, Telling
from bot.alerts.people import Caller, ChatRef
from bot.alerts.sentences import filled_levels
from bot.ports import Conflict, NewArming
from bot.rules import levels as levels_of
from bot.rules import parse
from bot.rules.tree import Mode
from bot.store.arming import Change, arm, arm_eagerly, begin_change, move, retire_unused
from bot.store.database import Database, whole
from bot.store.levels import in_force
from bot.store.people import find_chat, know_chat
from bot.store.promise import promise, to_subscribers
from bot.store.rows import followed, key_of, read_alert, read_arming, read_levels, read_state
from bot.store.tables import alert_levels, alerts, chats, is_published, subscriptions

_LARGEST = 2**31 - 1


class SqlRegister:
    """The part of the port ``Register`` that keeps alerts and subscriptions."""

    _database: Database

    @whole
    async def make_alert(self, caller: Caller, rule: str, arming: NewArming, now: float) -> Alert:
        """Make a personal alert of the caller's chat, with its arming and subscription.

        Raises Conflict if a level moved since the rule was filled.
        """
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            chat_id = await know_chat(self._database, connection, caller)
            numbered = update(chats).where(chats.c.id == chat_id).values(last_number=chats.c.last_number + 1)
            number = (await connection.execute(numbered.returning(chats.c.last_number))).scalar_one()
            alert = Alert(0, rule, _author(caller), now, chat=caller.chat, number=number)
            alert_id = await _insert_alert(change, alert, chat_id)
            await _follow(change, chat_id, alert_id, rule, arming)
        return replace(alert, id=alert_id)

    @whole
    async def subscriptions(self, chat: ChatRef) -> list[Subscription]:
        """List what a chat is told: its own alerts by number, then the shared ones by name."""
        async with self._database.reading() as connection:
            chat_id = await find_chat(connection, chat)
            order = (alerts.c.number.is_(None), alerts.c.number, alerts.c.key)
            rows = await connection.execute(
                followed().where(subscriptions.c.chat_id == chat_id).order_by(*order)
            )
            return [
                Subscription(
                    chat, read_alert(row, chat), read_arming(row), read_state(row), read_levels(row.levels)
                )
                for row in rows
            ]

    @whole
    async def delete_alert(self, chat: ChatRef, number: int, now: float) -> Alert | None:
        """Delete a personal alert; ``None`` if the chat has none of that number."""
        return await self._leave(chat, f"#{number}", now, is_personal=True)

    @whole
    async def unsubscribe(self, chat: ChatRef, name: str, now: float) -> Alert | None:
        """Follow a shared alert no longer; ``None`` if the chat did not."""
        return await self._leave(chat, name, now, is_personal=False)

    async def _leave(self, chat: ChatRef, label: str, now: float, is_personal: bool) -> Alert | None:
        async with self._database.writing() as connection:
            row = await _find(connection, chat, label)
            if row is None or (row.number is not None) is not is_personal:
                return None
            change = await begin_change(self._database, connection, now)
            await connection.execute(delete(subscriptions).where(subscriptions.c.id == row.subscription_id))
            if is_personal:
                await _bury(change, row.alert_id)
            await retire_unused(change, [row.arming_id])
            return read_alert(row, chat)

    @whole
    async def pause(self, chat: ChatRef, label: str, now: float) -> Alert | None:
        """Put one alert of a chat to rest: ``#3``, or the name of a shared one.

        ``None`` if it has none of that label. The other chats that follow a shared alert go on.
        """
        async with self._database.writing() as connection:
            row = await _find(connection, chat, label)
            if row is None or row.arming_id is None:
                return read_alert(row, chat) if row else None
            change = await begin_change(self._database, connection, now)
            await move(change, [row.subscription_id], None)
            await retire_unused(change, [row.arming_id])
            return replace(read_alert(row, chat), paused_at=now)

    @whole
    async def resume(self, chat: ChatRef, label: str, arming: NewArming, now: float) -> Alert | None:
        """Take up a paused or spent alert again, with a new arming.

        ``None`` if the chat has none of that label. Raises Conflict if a level moved since it was filled.
        """
        async with self._database.writing() as connection:
            row = await _find(connection, chat, label)
            if row is None:
                return None
            change = await begin_change(self._database, connection, now)
            await _take_up(change, row, arming)
            return replace(read_alert(row, chat), paused_at=None)

    @whole
    async def ring_now(self, chat: ChatRef, label: str, arming: NewArming, now: float) -> Alert | None:
        """Let an alert that waits to be clear ring for what is true now, in this chat alone.

        It gets an eager arming of its own; whoever else follows a shared alert goes on as before. ``None`` if
        the chat has none of that label, or it does not wait. Raises Conflict if a level moved since it was
        filled.
        """
        async with self._database.writing() as connection:
            row = await _find(connection, chat, label)
            if row is None or not _is_waiting(row):
                return None
            change = await begin_change(self._database, connection, now)
            await _take_up(change, row, arming, is_eager=True)
            return read_alert(row, chat)

    @whole
    async def catalogue(self) -> list[SharedAlert]:
        """List the shared alerts by name, with their subscribers."""
        async with self._database.reading() as connection:
            rows = await connection.execute(_shared().order_by(alerts.c.key))
            return [_read_shared(row) for row in rows]

    @whole
    async def publish(self, caller: Caller, name: str, rule: str, now: float) -> Alert:
        """Publish a rule under a name. Raises Conflict if the name is taken."""
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            is_taken = select(alerts.c.id).where(alerts.c.key == key_of(name), is_published)
            if await connection.scalar(is_taken) is not None:
                raise Conflict(f"{name} is taken")
            alert = Alert(0, rule, _author(caller), now, name=name)
            return replace(alert, id=await _insert_alert(change, alert, None))

    @whole
    async def unpublish(self, name: str, now: float) -> SharedAlert | None:
        """Take a shared alert back; its subscribers are told once. ``None`` if none has that name."""
        async with self._database.writing() as connection:
            row = (await connection.execute(_shared().where(alerts.c.key == key_of(name)))).one_or_none()
            if row is None:
                return None
            change = await begin_change(self._database, connection, now)
            follows = subscriptions.c.alert_id == row.alert_id
            chosen = to_subscribers(Telling.WITHDRAWN, f"withdrawn/{row.alert_id}", {}, now)
            await promise(self._database, connection, chosen.where(follows))
            left = await connection.scalars(select(subscriptions.c.arming_id).where(follows).distinct())
            armings = left.all()
            await connection.execute(delete(subscriptions).where(follows))
            await _bury(change, row.alert_id)
            await retire_unused(change, armings)
            return _read_shared(row)

    @whole
    async def subscribe(self, caller: Caller, name: str, arming: NewArming, now: float) -> Alert | None:
        """Follow a shared alert; an equal filling shares the arming that exists.

        One that the chat paused is taken up again; one that it follows stays as it is. ``None`` if no alert
        has that name. Raises Conflict if a level moved since the rule was filled.
        """
        async with self._database.writing() as connection:
            shared = (await connection.execute(_shared().where(alerts.c.key == key_of(name)))).one_or_none()
            if shared is None:
                return None
            change = await begin_change(self._database, connection, now)
            chat_id = await know_chat(self._database, connection, caller)
            row = await _find(connection, caller.chat, name)
            if row is None:
                await _follow(change, chat_id, shared.alert_id, shared.alert_rule, arming)
            elif row.arming_id is None:
                await _take_up(change, row, arming)
            return read_alert(shared, None)


def _author(caller: Caller) -> str:
    return caller.name or caller.person


async def _insert_alert(change: Change, alert: Alert, chat_id: int | None) -> int:
    tree = parse(alert.rule)
    mode = tree.options.mode or (Mode.REPEAT if alert.is_shared else Mode.ONCE)
    made = await change.connection.execute(
        insert(alerts).returning(alerts.c.id),
        {
            "chat_id": chat_id,
            "number": alert.number or None,
            "name": alert.name or None,
            "key": key_of(alert.name) or None,
            "rule": alert.rule,
            "is_once": mode is Mode.ONCE,
            "author": alert.author,
            "made_at": alert.made_at,
            "revision": change.revision,
        },
    )
    alert_id = int(made.scalar_one())
    named = [{"alert_id": alert_id, "key": key_of(name)} for name in sorted(levels_of(tree))]
    if named:
        await change.connection.execute(insert(alert_levels), named)
    return alert_id


async def _follow(change: Change, chat_id: int, alert_id: int, rule: str, new: NewArming) -> None:
    arming_id = await _arm_one(change, chat_id, alert_id, rule, new)
    await change.connection.execute(
        insert(subscriptions).values(
            chat_id=chat_id,
            alert_id=alert_id,
            arming_id=arming_id,
            made_at=change.now,
            revision=change.revision,
        )
    )


def _is_waiting(row: Row[Any]) -> bool:
    """Whether it has not begun to be judged, or has not been clear yet."""
    if row.arming_id is None or row.is_eager:
        return False
    return row.cursor is None or not (row.is_armed or row.is_ended or row.episode)


async def _take_up(change: Change, row: Row[Any], new: NewArming, *, is_eager: bool = False) -> None:
    """Give a subscription a new arming; what it alone followed is retired first, so that it is not found."""
    await move(change, [row.subscription_id], None)
    await retire_unused(change, [row.arming_id])
    arming_id = await _arm_one(change, row.chat_id, row.alert_id, row.alert_rule, new, is_eager=is_eager)
    await move(change, [row.subscription_id], arming_id)


async def _arm_one(
    change: Change, chat_id: int, alert_id: int, rule: str, new: NewArming, *, is_eager: bool = False
) -> int:
    """Find or make one arming.

    Raises Conflict if its rule was filled with a value that the level has no more: the change of the level
    could not find this subscription yet, so it would keep the old value for ever.
    """
    used = {key_of(name): value for name, value in filled_levels(parse(rule), parse(new.rule)).items()}
    if used:
        known = await in_force(change.connection, chat_id)
        for key, value in used.items():
            if key in known and Decimal(known[key].value) != value:
                raise Conflict(f"the level {known[key].name} was moved meanwhile")
    if is_eager:
        return await arm_eagerly(change, alert_id, new.rule, used, new.seen)
    armed = await arm(change, {(alert_id, new.rule): used}, new.seen)
    return armed[alert_id, new.rule]


async def _bury(change: Change, alert_id: int) -> None:
    await change.connection.execute(
        update(alerts).where(alerts.c.id == alert_id).values(deleted_at=change.now, revision=change.revision)
    )


async def _find(connection: AsyncConnection, chat: ChatRef, label: str) -> Row[Any] | None:
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


def _shared() -> Any:
    count = (
        select(func.count())
        .where(subscriptions.c.alert_id == alerts.c.id)
        .correlate(alerts)
        .scalar_subquery()
        .label("subscribers")
    )
    return select(
        alerts.c.id.label("alert_id"),
        alerts.c.rule.label("alert_rule"),
        alerts.c.author,
        alerts.c.made_at.label("alert_made_at"),
        alerts.c.number,
        alerts.c.name,
        null().label("paused_at"),
        count,
    ).where(is_published)


def _read_shared(row: Row[Any]) -> SharedAlert:
    return SharedAlert(read_alert(row, None), row.subscribers)
