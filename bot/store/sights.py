"""What cannot be seen: which series, and what is told of that to whom, in the transaction of watch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import and_, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.models import Notice
from bot.engine.sight import Loss, Turns
from bot.metrics import MetricKey
from bot.store.database import Database, chunks, whole
from bot.store.link_table import links
from bot.store.metric_tables import losses
from bot.store.promise import URGENT, content
from bot.store.tables import alerts, armings, chats, is_living, outbox, subscriptions


class SqlSights:
    """The part of the store that keeps what cannot be seen."""

    _database: Database

    @whole
    async def losses(self, partition: int | None = None) -> dict[MetricKey, Loss]:
        """Give every series that cannot be seen, in one partition or in all, as it was told."""
        asked = select(losses)
        if partition is not None:
            asked = asked.where(losses.c.partition == partition)
        async with self._database.reading() as connection:
            return {
                MetricKey(row.metric, row.instrument, row.venue): Loss(
                    row.since, row.reason, row.source, row.notice, tuple((a, b) for a, b in row.gone)
                )
                for row in await connection.execute(asked)
            }


async def write_turns(database: Database, connection: AsyncConnection, partition: int, turns: Turns) -> None:
    """Keep what is lost, and let go of what is seen again or read by nobody any more."""
    for key in (*turns.back, *turns.let_go):
        is_meant = and_(losses.c.partition == partition, *(losses.c[name] == one for name, one in _of(key)))
        await connection.execute(delete(losses).where(is_meant))
    for key, loss in turns.lost.items():
        row = {**asdict(loss), "gone": [list(stretch) for stretch in loss.gone]}
        writing = database.insert(losses).values(partition=partition, **dict(_of(key)), **row)
        names = ["partition", "metric", "instrument", "venue"]
        await connection.execute(writing.on_conflict_do_update(index_elements=names, set_=row))


async def promise_notice(database: Database, connection: AsyncConnection, notice: Notice, at: float) -> int:
    """Write one row for each chat that a notice concerns, and none twice; gives how many are new."""
    if notice.answers:
        rows = await _answering(connection, notice, at)
    else:
        rows = await _concerned(connection, notice, at)
    written = 0
    for piece in chunks(rows):
        writing = database.insert(outbox).values(list(piece))
        told = writing.on_conflict_do_nothing(index_elements=["chat_id", "dedupe"])
        written += (await connection.execute(told)).rowcount
    return written


async def _concerned(connection: AsyncConnection, notice: Notice, at: float) -> list[dict[str, Any]]:
    """Address each chat that follows one of the armings, with those of its alerts and their series.

    What rings in a chat that is linked to the one that has it concerns that chat.

    What concerns an alert that is urgent to it is as urgent: it may have to look for itself.
    """
    found: dict[tuple[str, int], tuple[dict[tuple[str, str], None], dict[str, None]]] = {}
    urgent: set[int] = set()
    is_one = and_(links.c.chat_id == subscriptions.c.place_id, links.c.home_id == subscriptions.c.chat_id)
    for piece in chunks(notice.armings):
        chosen = (
            select(
                chats.c.platform,
                chats.c.id,
                alerts.c.number,
                alerts.c.name,
                armings.c.rule,
                armings.c.id.label("arming"),
                subscriptions.c.is_urgent,
            )
            .select_from(
                subscriptions.outerjoin(links, is_one)
                .join(chats, chats.c.id == func.coalesce(links.c.chat_id, subscriptions.c.chat_id))
                .join(alerts, subscriptions.c.alert_id == alerts.c.id)
                .join(armings, subscriptions.c.arming_id == armings.c.id)
            )
            .where(armings.c.id.in_(piece), is_living, chats.c.paused_reason == "")
            .order_by(subscriptions.c.id)
        )
        for row in await connection.execute(chosen):
            labels, series = found.setdefault((row.platform, row.id), ({}, {}))
            urgent |= {row.id} if row.is_urgent else set()
            labels[row.name or f"#{row.number}", row.rule] = None
            series.update(dict.fromkeys(notice.armings[row.arming]))
    return [
        _row(
            notice,
            at,
            chat,
            {
                "alerts": [{"alert": label, "rule": rule} for label, rule in labels],
                "series": _named(series),
            },
            is_urgent=chat[1] in urgent,
        )
        for chat, (labels, series) in found.items()
    ]


async def _answering(connection: AsyncConnection, notice: Notice, at: float) -> list[dict[str, Any]]:
    """Address whoever was told what this answers, or still will be: it waits where that one waits."""
    chosen = select(
        outbox.c.platform, outbox.c.chat_id, outbox.c.held_at, outbox.c.facts, outbox.c.priority
    ).where(outbox.c.dedupe == notice.answers, outbox.c.given_up_at.is_(None))
    rows: list[dict[str, Any]] = []
    for row in await connection.execute(chosen):
        told = {one["series"] for one in row.facts["series"]}
        series = [name for name in notice.series if name in told]
        if series:
            gone: Any = notice.facts.get("gone") or ()
            facts = {"series": _named(series), "gone": [one for one in gone if one["series"] in told]}
            where, is_urgent = (row.platform, row.chat_id), row.priority == URGENT
            rows.append(_row(notice, at, where, facts, row.held_at, is_urgent=is_urgent))
    return rows


def _row(
    notice: Notice,
    at: float,
    chat: tuple[str, int],
    facts: Mapping[str, Any],
    held_at: float | None = None,
    *,
    is_urgent: bool = False,
) -> dict[str, Any]:
    platform, chat_id = chat
    told = content(notice.kind, notice.dedupe, {**notice.facts, **facts}, at)
    told |= {"priority": URGENT} if is_urgent else {}
    return {"platform": platform, "chat_id": chat_id, "held_at": held_at, **told}


def _named(series: Sequence[str] | Mapping[str, None]) -> list[dict[str, str]]:
    return [{"series": name} for name in series]


def _of(key: MetricKey) -> list[tuple[str, str]]:
    return [("metric", key.metric), ("instrument", key.instrument), ("venue", key.venue)]
