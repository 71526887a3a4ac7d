"""Levels: named numbers, and what a change of one sets in motion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, exists, func, insert, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.changes import PLAIN, Basis, Subject
from bot.alerts.models import Level, Telling
from bot.alerts.people import Caller, ChatRef
from bot.metrics import MetricKey, Seen
from bot.ports import Conflict, Following, LevelChange, Reach, Refill
from bot.store.arming import (
    Change,
    arm,
    begin_change,
    group_chats,
    group_of,
    in_force,
    is_spent,
    retire_unused,
    topics_of,
)
from bot.store.audit import record, rest_on
from bot.store.database import Database, chunks, whole
from bot.store.people import find_chat, know_chat
from bot.store.promise import content
from bot.store.rows import key_of, read_levels
from bot.store.tables import (
    alert_levels,
    alert_states,
    alerts,
    armings,
    chats,
    counters,
    fillings,
    levels,
    outbox,
    subscriptions,
)


class SqlLevels:
    """The part of the port ``Register`` that keeps levels."""

    _database: Database

    @whole
    async def levels(self, chat: ChatRef) -> dict[str, Level]:
        """Give the levels in force for a chat, by name in lower case: its own before the deployment's."""
        async with self._database.reading() as connection:
            rows = await in_force(connection, await find_chat(connection, chat))
            found = await connection.execute(
                select(chats.c.id, chats.c.platform, chats.c.chat, chats.c.thread).where(
                    chats.c.id.in_({row.chat_id for row in rows.values() if row.chat_id})
                )
            )
            refs = {row.id: ChatRef(row.platform, row.chat, row.thread) for row in found}
        return {key: _read(row, refs.get(row.chat_id, chat)) for key, row in sorted(rows.items())}

    @whole
    async def reach(self, level: str, chat: ChatRef | None, asking: ChatRef) -> Reach:
        """Say what a change of a level in a chat's or the whole scope would reach.

        What is paused or spent is left out: it is filled when it is resumed.
        """
        async with self._database.reading() as connection:
            revision = await connection.scalar(select(counters.c.value).where(counters.c.name == "revision"))
            here = await find_chat(connection, asking)
            scope = None if chat is None else await find_chat(connection, chat)
            if chat is not None and scope is None:
                return Reach(revision or 0, None)
            row = (await in_force(connection, scope)).get(key_of(level))
            known = _read(row, chat or asking) if row is not None else None
            group = await group_of(connection, scope)
            beneath = (await in_force(connection, group)).get(key_of(level))
            shared = _read(beneath, asking) if beneath is not None else None
            counted = func.count(subscriptions.c.id).label("followers")
            columns = (alerts.c.rule, alerts.c.name, alerts.c.number, alerts.c.chat_id, armings.c.levels)
            rows = (
                await connection.execute(
                    _followed(select(armings.c.id, *columns, counted))
                    .where(_follows(key_of(level), scope))
                    .group_by(armings.c.id, alerts.c.id)
                    .order_by(counted.desc(), armings.c.id)
                )
            ).all()
            followed_in = _followed(select(func.count(subscriptions.c.chat_id.distinct())))
            chats_reached = await connection.scalar(followed_in.where(_follows(key_of(level), scope)))
        followings = [
            Following(
                row.name or (f"#{row.number}" if row.chat_id == here else ""),
                row.rule,
                read_levels(row.levels),
                row.followers,
            )
            for row in rows
        ]
        distinct = len({(row.name, row.chat_id, row.number) for row in rows})
        return Reach(revision or 0, known, shared, followings, distinct, chats_reached or 0)

    @whole
    async def followers(self, chat: ChatRef) -> dict[str, tuple[int, int]]:
        """Count, for each level in force in a chat, the alerts and the chats that follow it in its scope."""
        counts = (
            func.count(subscriptions.c.alert_id.distinct()).label("alerts"),
            func.count(subscriptions.c.chat_id.distinct()).label("chats"),
        )
        async with self._database.reading() as connection:
            found = {}
            for key, row in (await in_force(connection, await find_chat(connection, chat))).items():
                counted = _followed(select(*counts)).where(_follows(key, row.chat_id))
                count = (await connection.execute(counted)).one()
                found[key] = (count.alerts, count.chats)
            return found

    @whole
    async def set_level(
        self,
        caller: Caller,
        level: Level,
        refill: Refill,
        seen: Mapping[MetricKey, Seen],
        now: float,
        *,
        basis: Basis = PLAIN,
    ) -> LevelChange:
        """Set a level, and give every subscription that it changes an arming of the new filling.

        What is paused or spent stays at rest: it is filled when it is resumed. Each chat that follows is
        told once, except the caller's own, which has the answer. All in one transaction, so that no reader
        sees half of it. Raises Settled and Stale, as the basis has it.
        """
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            return await self._change(
                change, caller, level, level.value, refill=refill, seen=seen, basis=basis
            )

    @whole
    async def drop_level(
        self,
        caller: Caller,
        level: Level,
        refill: Refill,
        seen: Mapping[MetricKey, Seen],
        now: float,
        *,
        basis: Basis = PLAIN,
    ) -> LevelChange:
        """Take a level away, so that what follows a chat's own follows the deployment's again.

        Raises as ``set_level`` does, and Conflict where something would be left without a level.
        """
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            return await self._change(change, caller, level, None, refill=refill, seen=seen, basis=basis)

    async def _change(
        self,
        change: Change,
        caller: Caller,
        level: Level,
        value: Decimal | None,
        *,
        refill: Refill,
        seen: Mapping[MetricKey, Seen],
        basis: Basis,
    ) -> LevelChange:
        connection, key = change.connection, key_of(level.name)
        here = await know_chat(self._database, connection, caller)
        scope = None
        if level.chat is not None:
            scope = here if level.chat == caller.chat else await find_chat(connection, level.chat)
            if scope is None:
                raise LookupError(f"the chat {level.chat} never spoke, so it has no levels")
        group = await group_of(connection, scope)
        scopes = list(dict.fromkeys((scope, group, None)))
        await rest_on(change, basis, Subject.LEVEL, level.name, scopes)
        before = (await in_force(connection, scope)).get(key)
        own = before if before is not None and before.chat_id == scope else None
        shared = (await in_force(connection, group)).get(key)
        if value is None and own is None:
            raise Conflict(f"there is no level {level.name} to take away")
        after = value if value is not None or scope is None or shared is None else Decimal(shared.value)
        armed = await _rearm(change, key, scope, after, refill=refill, seen=seen)
        if value is None:
            await connection.execute(delete(levels).where(_is_this(key, scope)))
        else:
            await _keep(connection, replace(level, value=value), scope)
        told_before = Decimal(before.value) if before is not None else None
        if own is None or value is None or Decimal(own.value) != value:
            await record(
                change,
                caller,
                Subject.LEVEL,
                level.name,
                before={"value": own.value} if own is not None else None,
                after={"value": str(value)} if value is not None else None,
                said_in=here,
                scope=scope,
                basis=basis,
            )
        if told_before != after and after is not None:
            told = [row for row in armed if row.chat_id != here]
            await _announce(change, told, replace(level, value=after), told_before)
            await self._database.count_anew(connection, outbox, len(told))
        return LevelChange(
            told_before, len({row.alert_id for row in armed}), len({row.chat_id for row in armed}), after
        )


def _read(row: Row[Any], chat: ChatRef) -> Level:
    return Level(row.name, Decimal(row.value), chat if row.chat_id else None, row.set_by, row.set_at)


def _is_this(key: str, scope: int | None) -> ColumnElement[bool]:
    return and_(levels.c.chat_id.is_not_distinct_from(scope), levels.c.key == key)


async def _keep(connection: AsyncConnection, level: Level, scope: int | None) -> None:
    key = key_of(level.name)
    values = {
        "name": level.name,
        "value": str(level.value),
        "set_by": level.set_by,
        "set_at": level.set_at,
    }
    kept = await connection.execute(update(levels).where(_is_this(key, scope)).values(values))
    if not kept.rowcount:
        await connection.execute(insert(levels).values(chat_id=scope, key=key, **values))


def _follows(key: str, scope: int | None) -> ColumnElement[bool]:
    """Tell the subscriptions that a change of a level moves: they live, and no nearer level hides it."""
    if scope is not None:
        is_hidden = exists().where(levels.c.chat_id == subscriptions.c.chat_id, levels.c.key == key)
        is_topic = and_(subscriptions.c.chat_id.in_(topics_of(scope)), ~is_hidden)
        is_in_scope: ColumnElement[bool] = or_(subscriptions.c.chat_id == scope, is_topic)
    else:
        topic = chats.alias("topic")
        is_above = and_(
            group_chats.c.platform == topic.c.platform,
            group_chats.c.chat == topic.c.above,
            group_chats.c.thread == "",
        )
        groups = select(group_chats.c.id).select_from(topic.join(group_chats, is_above))
        is_its = and_(topic.c.id == subscriptions.c.chat_id, topic.c.above != "")
        group = groups.where(is_its).correlate(subscriptions).scalar_subquery()
        hiding = or_(levels.c.chat_id == subscriptions.c.chat_id, levels.c.chat_id == group)
        is_in_scope = ~exists().where(hiding, levels.c.key == key)
    names_it = exists().where(alert_levels.c.alert_id == alerts.c.id, alert_levels.c.key == key)
    has_own = exists().where(fillings.c.subscription_id == subscriptions.c.id, fillings.c.key == key)
    is_over = and_(alert_states.c.arming_id.is_not(None), is_spent())
    return and_(names_it, is_in_scope, ~has_own, not_(is_over))


async def is_followed_in(connection: AsyncConnection, key: str, chat_id: int) -> bool:
    """Ask whether a level of a chat's own would move anything there."""
    follows = _followed(select(subscriptions.c.id)).where(_follows(key, chat_id))
    return await connection.scalar(follows.limit(1)) is not None


def _followed(selection: Any) -> Any:
    return selection.select_from(
        subscriptions.join(alerts, subscriptions.c.alert_id == alerts.c.id)
        .join(armings, armings.c.id == subscriptions.c.arming_id)
        .outerjoin(alert_states, alert_states.c.arming_id == armings.c.id)
    )


async def _rearm(
    change: Change,
    key: str,
    scope: int | None,
    value: Decimal | None,
    *,
    refill: Refill,
    seen: Mapping[MetricKey, Seen],
) -> list[Row[Any]]:
    """Fill every following arming anew, and let its followers go over to the one of its new filling.

    One statement for each arming, however many follow it. Gives those who follow: alert, chat and address.
    """
    follows = _follows(key, scope)
    columns = (armings.c.id, armings.c.alert_id, armings.c.rule, armings.c.levels)
    left = (
        await change.connection.execute(
            _followed(select(*columns, alerts.c.rule.label("named")))
            .where(follows)
            .group_by(armings.c.id, alerts.c.id)
        )
    ).all()
    following = list(await change.connection.execute(_addressed().where(follows)))
    if left and value is None:
        raise Conflict("something follows the level, and there is no other of its name")
    armed: dict[int, tuple[int, str]] = {}
    wanted: dict[tuple[int, str], Mapping[str, Decimal]] = {}
    texts: dict[tuple[str, tuple[tuple[str, Decimal], ...]], str] = {}
    for row in left:
        used = read_levels(row.levels) | ({} if value is None else {key: value})
        equal = (row.named, tuple(sorted(used.items())))
        if equal not in texts:
            texts[equal] = refill(row.named, used)
        if row.rule != texts[equal]:  # where its filling is the same, its life goes on
            armed[row.id] = (row.alert_id, texts[equal])
            wanted[row.alert_id, texts[equal]] = used
    made = await arm(change, wanted, seen)
    for arming_id, filling in armed.items():
        await _move(change, key, scope, arming_id, made[filling])
    await retire_unused(change, armed)
    return following


async def _move(change: Change, key: str, scope: int | None, left: int, to: int) -> None:
    """Let those who follow one arming at the level's old value follow another."""
    is_moved = _followed(select(subscriptions.c.id)).where(_follows(key, scope), armings.c.id == left)
    await change.connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id.in_(is_moved))
        .values(arming_id=to, revision=change.revision)
    )


def _addressed() -> Any:
    columns = (
        subscriptions.c.chat_id,
        subscriptions.c.alert_id,
        alerts.c.number,
        alerts.c.name,
        chats.c.platform,
        chats.c.paused_reason,
    )
    order = (subscriptions.c.chat_id, alerts.c.chat_id.is_(None), alerts.c.number, alerts.c.key)
    return _followed(select(*columns)).join(chats, chats.c.id == subscriptions.c.chat_id).order_by(*order)


async def _announce(
    change: Change, following: Sequence[Row[Any]], level: Level, before: Decimal | None
) -> None:
    by_chat: dict[tuple[str, int], list[dict[str, str]]] = defaultdict(list)
    for row in following:
        if not row.paused_reason:
            by_chat[row.platform, row.chat_id].append({"alert": row.name or f"#{row.number}"})
    facts = {
        "name": level.name,
        "before": None if before is None else str(before),
        "after": str(level.value),
        "by": level.set_by,
    }
    told = content(Telling.LEVEL, f"level/{key_of(level.name)}/{change.revision}", facts, change.now)
    rows = [
        {"platform": platform, "chat_id": chat_id, **told, "facts": {**facts, "alerts": labels}}
        for (platform, chat_id), labels in by_chat.items()
    ]
    for piece in chunks(rows, 5000):
        await change.connection.execute(insert(outbox), list(piece))
