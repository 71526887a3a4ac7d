"""Levels: named numbers, and what a change of one sets in motion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, exists, insert, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.models import Level, Telling
from bot.alerts.people import Caller, ChatRef
from bot.metrics import MetricKey, Seen
from bot.ports import LevelChange, Refill
from bot.store.arming import Change, arm, begin_change, is_spent, move, retire_unused
from bot.store.database import Database, chunks, whole
from bot.store.people import find_chat, know_chat
from bot.store.promise import content
from bot.store.rows import key_of
from bot.store.tables import (
    alert_levels,
    alert_states,
    alerts,
    armings,
    chats,
    levels,
    outbox,
    subscriptions,
)


async def in_force(connection: AsyncConnection, chat_id: int | None) -> dict[str, Row[Any]]:
    """Give the rows of the levels that hold in a chat, by key: its own before the deployment's."""
    rows = await connection.execute(
        select(levels)
        .where(or_(levels.c.chat_id.is_(None), levels.c.chat_id == chat_id))
        .order_by(levels.c.chat_id.is_not(None), levels.c.key)
    )
    return {row.key: row for row in rows}


class SqlLevels:
    """The part of the port ``Register`` that keeps levels."""

    _database: Database

    @whole
    async def levels(self, chat: ChatRef) -> dict[str, Level]:
        """Give the levels in force for a chat, by name in lower case: its own before the deployment's."""
        async with self._database.reading() as connection:
            rows = await in_force(connection, await find_chat(connection, chat))
        return {
            key: Level(row.name, Decimal(row.value), chat if row.chat_id else None, row.set_by, row.set_at)
            for key, row in sorted(rows.items())
        }

    @whole
    async def rules_with(self, level: str, chat: ChatRef | None) -> list[str]:
        """List the canonical rules that would follow a change of a level in a chat's or the whole scope."""
        async with self._database.reading() as connection:
            chat_id = await find_chat(connection, chat) if chat else None
            if chat and chat_id is None:
                return []
            follows = _follows(key_of(level), chat_id)
            rules = await connection.scalars(
                _with_state(select(alerts.c.rule)).where(follows).distinct().order_by(alerts.c.rule)
            )
            return list(rules)

    @whole
    async def set_level(
        self,
        caller: Caller,
        level: Level,
        refill: Refill,
        seen: Mapping[MetricKey, Seen],
        now: float,
    ) -> LevelChange:
        """Set a level, and give every subscription that it changes an arming of the new filling.

        What is paused or spent stays at rest: it is filled when it is resumed. Each chat that follows is
        told once, except the caller's own, which has the answer. All in one transaction, so that no reader
        sees half of it.
        """
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            here = await know_chat(self._database, connection, caller)
            scope = None
            if level.chat is not None:
                scope = here if level.chat == caller.chat else await find_chat(connection, level.chat)
                if scope is None:
                    raise LookupError(f"the chat {level.chat} never spoke, so it has no levels")
            known = (await in_force(connection, scope)).get(key_of(level.name))
            await _keep(connection, level, scope)
            following = await _following(connection, key_of(level.name), scope)
            await _rearm(change, following, refill, seen)
            before = Decimal(known.value) if known else None
            if before != level.value:
                told = [row for row in following if row.chat_id != here]
                await self._announce(change, told, level, before)
        return LevelChange(
            before, len({row.alert_id for row in following}), len({row.chat_id for row in following})
        )

    async def _announce(
        self, change: Change, following: Sequence[Row[Any]], level: Level, before: Decimal | None
    ) -> None:
        by_chat: dict[int, list[Row[Any]]] = defaultdict(list)
        for row in following:
            if not row.paused_reason:
                by_chat[row.chat_id].append(row)
        dedupe = f"level/{key_of(level.name)}/{change.revision}"
        rows = []
        for chat_id, told in by_chat.items():
            facts = {
                "name": level.name,
                "before": None if before is None else str(before),
                "after": str(level.value),
                "by": level.set_by,
                "alerts": [{"alert": row.name or f"#{row.number}"} for row in told],
            }
            address = {"platform": told[0].platform, "chat_id": chat_id}
            rows.append(address | content(Telling.LEVEL, dedupe, facts, change.now))
        if rows:
            await change.connection.execute(insert(outbox), rows)


async def _keep(connection: AsyncConnection, level: Level, scope: int | None) -> None:
    key = key_of(level.name)
    values = {
        "name": level.name,
        "value": str(level.value),
        "set_by": level.set_by,
        "set_at": level.set_at,
    }
    is_this = and_(levels.c.chat_id.is_not_distinct_from(scope), levels.c.key == key)
    kept = await connection.execute(update(levels).where(is_this).values(values))
    if not kept.rowcount:
        await connection.execute(insert(levels).values(chat_id=scope, key=key, **values))


def _follows(key: str, scope: int | None) -> ColumnElement[bool]:
    """Tell the subscriptions that a change of a level moves: they live, and no nearer level hides it."""
    if scope is not None:
        is_in_scope: ColumnElement[bool] = subscriptions.c.chat_id == scope
    else:
        is_in_scope = ~exists().where(levels.c.chat_id == subscriptions.c.chat_id, levels.c.key == key)
    names_it = exists().where(alert_levels.c.alert_id == alerts.c.id, alert_levels.c.key == key)
    is_over = and_(alert_states.c.arming_id.is_not(None), is_spent())
    return and_(names_it, is_in_scope, subscriptions.c.arming_id.is_not(None), not_(is_over))


def _with_state(selection: Any) -> Any:
    return selection.select_from(
        alerts.join(subscriptions, subscriptions.c.alert_id == alerts.c.id).outerjoin(
            alert_states, alert_states.c.arming_id == subscriptions.c.arming_id
        )
    )


async def _following(connection: AsyncConnection, key: str, scope: int | None) -> list[Row[Any]]:
    columns = (
        subscriptions.c.id.label("subscription_id"),
        subscriptions.c.chat_id,
        subscriptions.c.alert_id,
        subscriptions.c.arming_id,
        armings.c.rule.label("armed_rule"),
        alerts.c.rule,
        alerts.c.number,
        alerts.c.name,
        chats.c.platform,
        chats.c.paused_reason,
    )
    selection = (
        _with_state(select(*columns))
        .join(chats, chats.c.id == subscriptions.c.chat_id)
        .join(armings, armings.c.id == subscriptions.c.arming_id)
    )
    order = (subscriptions.c.chat_id, alerts.c.chat_id.is_(None), alerts.c.number, alerts.c.key)
    return list(await connection.execute(selection.where(_follows(key, scope)).order_by(*order)))


async def _rearm(
    change: Change, following: Sequence[Row[Any]], refill: Refill, seen: Mapping[MetricKey, Seen]
) -> None:
    """Fill every following subscription anew, and let it follow the arming of its new filling."""
    connection = change.connection
    deployment = {key: Decimal(row.value) for key, row in (await in_force(connection, None)).items()}
    own = await _own_levels(connection, {row.chat_id for row in following})
    named = await _named_levels(connection, {row.alert_id for row in following})
    texts: dict[tuple[str, tuple[tuple[str, Decimal], ...]], str] = {}
    fillings: dict[tuple[int, str], Mapping[str, Decimal]] = {}
    followers: dict[tuple[int, str], list[Row[Any]]] = defaultdict(list)
    for row in following:
        values = deployment | own.get(row.chat_id, {})
        used = {key: values[key] for key in sorted(named[row.alert_id]) if key in values}
        equal = (row.rule, tuple(used.items()))
        if equal not in texts:
            texts[equal] = refill(row.rule, values)
        if row.armed_rule == texts[equal]:
            continue  # its filling is the same: its life goes on
        filling = (row.alert_id, texts[equal])
        fillings[filling] = used
        followers[filling].append(row)
    armed = await arm(change, fillings, seen)
    for filling, movers in followers.items():
        await move(change, [row.subscription_id for row in movers], armed[filling])
    await retire_unused(change, {row.arming_id for movers in followers.values() for row in movers})


async def _own_levels(connection: AsyncConnection, chat_ids: set[int]) -> dict[int, dict[str, Decimal]]:
    own: dict[int, dict[str, Decimal]] = defaultdict(dict)
    for piece in chunks(sorted(chat_ids)):
        rows = await connection.execute(select(levels).where(levels.c.chat_id.in_(piece)))
        for row in rows:
            own[row.chat_id][row.key] = Decimal(row.value)
    return own


async def _named_levels(connection: AsyncConnection, alert_ids: set[int]) -> dict[int, set[str]]:
    named: dict[int, set[str]] = defaultdict(set)
    for piece in chunks(sorted(alert_ids)):
        rows = await connection.execute(select(alert_levels).where(alert_levels.c.alert_id.in_(piece)))
        for row in rows:
            named[row.alert_id].add(row.key)
    return named
