"""A chat's own alerts, and what it is told: what commands keep for people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, and_, func, not_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.models import Alert, Subscription, Telling
from bot.alerts.people import Caller, ChatRef
from bot.ports import Already, NewArming
from bot.store.arming import begin_change, is_spent, move, retire_unused
from bot.store.audit import author
from bot.store.database import Database, whole
from bot.store.homes import find_place, name_at_home
from bot.store.people import find_chat, know_chat, person_of
from bot.store.promise import MUTED
from bot.store.rows import followed, read_alert, read_arming, read_levels, read_state
from bot.store.subscribing import find, follow, insert_alert, is_waiting, leave, own_of, take_up
from bot.store.tables import alert_states, alerts, chats, fillings, outbox, subscriptions


class SqlRegister:
    """The part of the port ``Register`` that keeps alerts and subscriptions."""

    _database: Database

    @whole
    async def make_alert(self, caller: Caller, rule: str, arming: NewArming, now: float) -> Alert:
        """Make a personal alert of the caller's chat, with its arming and subscription.

        Raises Conflict if a level moved since the rule was filled, and Already where a button asks for an
        alert of a rule that is armed in this chat: however often it is pressed, it makes one.
        """
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            chat_id = await know_chat(self._database, connection, caller)
            if caller.has_pressed and (same := await _same(connection, chat_id, rule)) is not None:
                raise Already(f"#{same}")
            numbered = update(chats).where(chats.c.id == chat_id).values(last_number=chats.c.last_number + 1)
            number = (await connection.execute(numbered.returning(chats.c.last_number))).scalar_one()
            alert = Alert(0, rule, author(caller), now, chat=caller.chat, number=number)
            alert_id = await insert_alert(change, alert, chat_id)
            by, place = person_of(caller), await find_place(connection, caller.chat)
            await follow(change, chat_id, alert_id, rule, arming, by=by, place=place)
        return replace(alert, id=alert_id)

    @whole
    async def subscriptions(self, chat: ChatRef) -> list[Subscription]:
        """List what a chat is told: its own by number, those of playbooks together, then shared ones.

        Where it is linked with another each says where it rings.
        """
        async with self._database.reading() as connection:
            chat_id = await find_chat(connection, chat)
            is_of_playbook = alerts.c.playbook.is_not(None)
            order = (
                alerts.c.number.is_(None),
                is_of_playbook,
                alerts.c.playbook,
                alerts.c.number,
                alerts.c.key,
            )
            chosen = followed().where(subscriptions.c.chat_id == chat_id).order_by(*order)
            rows = (await connection.execute(chosen)).all()
            own = await _own(connection, chat_id)
            hidden = await _hidden(connection, rows)
            at_home = await name_at_home(connection, chat_id)
        found = (
            _read(row, chat, own.get(row.subscription_id, {}), hidden.get(row.alert_id, 0)) for row in rows
        )
        return [replace(one, place=one.place or at_home) for one in found]

    @whole
    async def delete_alert(self, chat: ChatRef, number: int, now: float) -> Alert | None:
        """Delete a personal alert; ``None`` if the chat has none of that number."""
        return await leave(self._database, chat, f"#{number}", now, is_personal=True)

    @whole
    async def pause(self, chat: ChatRef, label: str, now: float) -> Alert | None:
        """Put one alert of a chat to rest: ``#3``, or the name of a shared one.

        ``None`` if it has none of that label. The other chats that follow a shared alert go on.
        """
        async with self._database.writing() as connection:
            row = await find(connection, chat, label)
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
            row = await find(connection, chat, label)
            if row is None:
                return None
            change = await begin_change(self._database, connection, now)
            await take_up(change, row, arming)
            return replace(read_alert(row, chat), paused_at=None)

    @whole
    async def ring_now(self, chat: ChatRef, label: str, arming: NewArming, now: float) -> Alert | None:
        """Let an alert that waits to be clear ring for what is true now, in this chat alone.

        It gets an eager arming of its own; whoever else follows a shared alert goes on as before. ``None`` if
        the chat has none of that label, or it does not wait. Raises Conflict if a level moved since it was
        filled.
        """
        async with self._database.writing() as connection:
            row = await find(connection, chat, label)
            if row is None or not is_waiting(row):
                return None
            change = await begin_change(self._database, connection, now)
            await take_up(change, row, arming, is_eager=True)
            return read_alert(row, chat)

    @whole
    async def mute(self, chat: ChatRef, label: str, until: float, now: float) -> Alert | None:
        """Do not tell a chat what one of its alerts rings before an instant; it is counted all the same.

        A mute that is under way goes on to the new end. ``None`` if the chat has none of that label.
        """
        async with self._database.writing() as connection:
            row = await find(connection, chat, label)
            if row is None:
                return None
            is_muted = row.muted_until is not None and row.muted_until > now
            values = {"muted_at": row.muted_at if is_muted else now, "muted_until": until}
            await connection.execute(
                update(subscriptions).where(subscriptions.c.id == row.subscription_id).values(values)
            )
            return read_alert(row, chat)

    @whole
    async def unmute(self, chat: ChatRef, label: str, now: float) -> Subscription | None:
        """Tell it again; gives the subscription as it was, or ``None`` if the chat has none of that label."""
        async with self._database.writing() as connection:
            row = await find(connection, chat, label)
            if row is None:
                return None
            own = await own_of(connection, row.subscription_id)
            hidden = await _hidden(connection, [row])
            await connection.execute(
                update(subscriptions)
                .where(subscriptions.c.id == row.subscription_id)
                .values(muted_at=None, muted_until=None)
            )
            return _read(row, chat, own, hidden.get(row.alert_id, 0))


def _read(row: Row[Any], chat: ChatRef, own: dict[str, Decimal], hidden: int) -> Subscription:
    return Subscription(
        chat,
        read_alert(row, chat),
        read_arming(row),
        read_state(row),
        read_levels(row.levels),
        own,
        row.muted_until,
        hidden,
        row.is_urgent,
        row.place,
    )


async def _own(connection: AsyncConnection, chat_id: int | None) -> dict[int, dict[str, Decimal]]:
    """Give the levels that single subscriptions of a chat are filled with."""
    chosen = select(fillings).join(subscriptions, fillings.c.subscription_id == subscriptions.c.id)
    own: dict[int, dict[str, Decimal]] = defaultdict(dict)
    for row in await connection.execute(chosen.where(subscriptions.c.chat_id == chat_id)):
        own[row.subscription_id][row.key] = Decimal(row.value)
    return own


async def _hidden(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> dict[int, int]:
    """Count, by alert, what rang under the last mute of each subscription of a chat."""
    muted = {row.alert_id: row for row in rows if row.muted_at is not None}
    if not muted:
        return {}
    [chat_id] = {row.chat_id for row in rows}
    told_for = func.coalesce(outbox.c.owner_id, outbox.c.chat_id)
    under = and_(
        subscriptions.c.chat_id == told_for,
        subscriptions.c.alert_id == outbox.c.alert_id,
        outbox.c.made_at >= subscriptions.c.muted_at,
    )
    counted = (
        select(outbox.c.alert_id, func.count().label("hidden"))
        .join(subscriptions, under)
        .where(told_for == chat_id, outbox.c.kind == Telling.RING.value, outbox.c.error == MUTED)
        .group_by(outbox.c.alert_id)
    )
    return {row.alert_id: row.hidden for row in await connection.execute(counted)}


async def _same(connection: AsyncConnection, chat_id: int, rule: str) -> int | None:
    """Give the number of a chat's own alert of a rule that can still ring, or ``None``."""
    chosen = (
        select(alerts.c.number)
        .join(subscriptions, subscriptions.c.alert_id == alerts.c.id)
        .outerjoin(alert_states, alert_states.c.arming_id == subscriptions.c.arming_id)
        .where(alerts.c.chat_id == chat_id, alerts.c.rule == rule, alerts.c.deleted_at.is_(None))
        .where(subscriptions.c.arming_id.is_not(None), not_(is_spent()))
        .order_by(alerts.c.number)
    )
    number: int | None = await connection.scalar(chosen.limit(1))
    return number
