"""Shared alerts: what is published under a name, and who follows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, delete, false, func, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.changes import PLAIN, Basis, Subject
from bot.alerts.models import Alert, SharedAlert, Telling
from bot.alerts.people import Caller, ChatRef
from bot.ports import Conflict, NewArming
from bot.store.arming import begin_change, bury, retire_unused
from bot.store.audit import author, record, rest_on
from bot.store.database import Database, whole
from bot.store.homes import find_place
from bot.store.people import know_chat, person_of
from bot.store.promise import promise, to_subscribers
from bot.store.rows import key_of, read_alert
from bot.store.subscribing import NONE_OWN, fill_own, find, follow, insert_alert, leave, own_of, take_up
from bot.store.tables import alerts, armings, is_published, rings, subscriptions


class SqlShared:
    """The part of the port ``Register`` that keeps shared alerts."""

    _database: Database

    @whole
    async def catalogue(self, since: float = 0.0) -> list[SharedAlert]:
        """List the shared alerts by name, with their subscribers and what rang since an instant."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(_shared().order_by(alerts.c.key))).all()
            counted = (
                select(armings.c.alert_id, func.count().label("rings"))
                .select_from(rings.join(armings, rings.c.arming_id == armings.c.id))
                .where(rings.c.at >= since, rings.c.corrected_at.is_(None))
                .where(armings.c.is_own.is_(false()), armings.c.is_eager.is_(false()))
                .where(armings.c.alert_id.in_(select(alerts.c.id).where(is_published)))
                .group_by(armings.c.alert_id)
            )
            rang = {row.alert_id: row.rings for row in await connection.execute(counted)}
            return [replace(_read_shared(row), rings=rang.get(row.alert_id, 0)) for row in rows]

    @whole
    async def publish(
        self, caller: Caller, name: str, rule: str, now: float, *, basis: Basis = PLAIN
    ) -> Alert:
        """Publish a rule under a name. Raises Conflict if the name is taken, Settled and Stale."""
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            await rest_on(change, basis, Subject.SHARED, name, [None])
            is_taken = select(alerts.c.id).where(alerts.c.key == key_of(name), is_published)
            if await connection.scalar(is_taken) is not None:
                raise Conflict(f"{name} is taken")
            alert = Alert(0, rule, author(caller), now, name=name)
            alert_id = await insert_alert(change, alert, None)
            here = await know_chat(self._database, connection, caller)
            after = {"rule": rule}
            await record(
                change, caller, Subject.SHARED, name, before=None, after=after, said_in=here, basis=basis
            )
            return replace(alert, id=alert_id)

    @whole
    async def unpublish(
        self, caller: Caller, name: str, now: float, *, basis: Basis = PLAIN
    ) -> SharedAlert | None:
        """Take a shared alert back; its subscribers are told once. ``None`` if none has that name.

        Raises Settled and Stale.
        """
        async with self._database.writing() as connection:
            row = await _published(connection, name)
            if row is None:
                return None
            change = await begin_change(self._database, connection, now)
            await rest_on(change, basis, Subject.SHARED, name, [None])
            follows = subscriptions.c.alert_id == row.alert_id
            chosen = to_subscribers(Telling.WITHDRAWN, f"withdrawn/{row.alert_id}", {}, now)
            await promise(self._database, connection, chosen.where(follows))
            left = await connection.scalars(select(subscriptions.c.arming_id).where(follows).distinct())
            armings_left = left.all()
            await connection.execute(delete(subscriptions).where(follows))
            await bury(change, row.alert_id)
            await retire_unused(change, armings_left)
            here = await know_chat(self._database, connection, caller)
            before = {"rule": row.alert_rule}
            await record(
                change, caller, Subject.SHARED, row.name, before=before, after=None, said_in=here, basis=basis
            )
            return _read_shared(row)

    @whole
    async def subscribe(
        self,
        caller: Caller,
        name: str,
        arming: NewArming,
        now: float,
        *,
        own: Mapping[str, Decimal] = NONE_OWN,
        is_urgent: bool = False,
    ) -> Alert | None:
        """Follow a shared alert; an equal filling shares the arming that exists.

        One that the chat paused is taken up again; one that it follows at the same levels stays as it is.
        ``own`` are levels of this subscription alone. ``None`` if no alert has that name. Raises Conflict if
        a level moved since the rule was filled.
        """
        async with self._database.writing() as connection:
            shared = await _published(connection, name)
            if shared is None:
                return None
            change = await begin_change(self._database, connection, now)
            chat_id = await know_chat(self._database, connection, caller)
            row = await find(connection, caller.chat, name)
            if row is None:
                rule = shared.alert_rule
                by, place = person_of(caller), await find_place(connection, caller.chat)
                await follow(
                    change, chat_id, shared.alert_id, rule, arming,
                    by=by, place=place, own=own, is_urgent=is_urgent,
                )  # fmt: skip
                return read_alert(shared, None)
            had = await own_of(connection, row.subscription_id)
            wanted = {key_of(one): value for one, value in own.items()}
            if had != wanted:
                await fill_own(change, row.subscription_id, own)
            if had != wanted or row.arming_id is None:
                await take_up(change, row, arming)
            is_this = subscriptions.c.id == row.subscription_id
            await connection.execute(update(subscriptions).where(is_this).values(is_urgent=is_urgent))
            return read_alert(shared, None)

    @whole
    async def unsubscribe(self, chat: ChatRef, name: str, now: float) -> Alert | None:
        """Follow a shared alert no longer; ``None`` if the chat did not."""
        return await leave(self._database, chat, name, now, is_personal=False)


async def _published(connection: AsyncConnection, name: str) -> Row[Any] | None:
    row: Row[Any] | None = (
        await connection.execute(_shared().where(alerts.c.key == key_of(name)))
    ).one_or_none()
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
        alerts.c.playbook,
        alerts.c.part,
        null().label("paused_at"),
        count,
    ).where(is_published)


def _read_shared(row: Row[Any]) -> SharedAlert:
    return SharedAlert(read_alert(row, None), row.subscribers)
