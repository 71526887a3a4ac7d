"""Promise: write rows of the outbox, set by set, in the transaction that gives the reason for them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.message import Facts
from bot.alerts.models import Telling
from bot.store.database import Database
from bot.store.tables import chats, outbox, subscriptions

PRIORITY = {
    Telling.RING: 0,
    Telling.CORRECTION: 0,
    Telling.RESOLUTION: 0,
    Telling.LAPSE: 1,
    Telling.DOUBT: 1,
    Telling.REMINDER: 1,
    Telling.ENDED: 1,
    Telling.LOST: 2,
    Telling.BACK: 2,
    Telling.WITHDRAWN: 2,
    Telling.LEVEL: 2,
}
"""Which chat is served first when many wait: lower goes first, and what is equal goes by age."""

COLUMNS = (
    "platform",
    "chat_id",
    "alert_id",
    "held_at",
    "ring_id",
    "kind",
    "dedupe",
    "facts",
    "priority",
    "made_at",
    "not_before",
    "leased_until",
    "attempts",
    "error",
)
"""What a promise fills in: where it goes and why, then what it says."""


def to_subscribers(
    kind: Telling, dedupe: str, facts: Facts, at: float, ring_id: int | None = None
) -> Select[Any]:
    """Address one telling to every subscription that can be written to; the caller says which of them."""
    where = (
        chats.c.platform,
        chats.c.id,
        subscriptions.c.alert_id,
        literal(None, outbox.c.held_at.type),
        literal(ring_id, outbox.c.ring_id.type),
    )
    return (
        select(*where, *_content(kind, dedupe, facts, at))
        .select_from(subscriptions.join(chats, subscriptions.c.chat_id == chats.c.id))
        .where(chats.c.paused_reason == "")
        .order_by(subscriptions.c.id)
    )


def to_told(kind: Telling, dedupe: str, facts: Facts, at: float, ring_id: int) -> Select[Any]:
    """Address one telling to whoever was told a ring, or still will be: it waits where that one waits."""
    where = (outbox.c.platform, outbox.c.chat_id, outbox.c.alert_id, outbox.c.held_at, outbox.c.ring_id)
    return (
        select(*where, *_content(kind, dedupe, facts, at))
        .select_from(outbox.join(chats, outbox.c.chat_id == chats.c.id))
        .where(
            outbox.c.ring_id == ring_id,
            outbox.c.kind == Telling.RING.value,
            outbox.c.given_up_at.is_(None),
            (chats.c.paused_reason == "") | outbox.c.held_at.is_not(None),
        )
    )


def _content(kind: Telling, dedupe: str, facts: Facts, at: float) -> tuple[Any, ...]:
    row = content(kind, dedupe, facts, at)
    return tuple(literal(value, outbox.c[name].type).label(name) for name, value in row.items())


def content(kind: Telling, dedupe: str, facts: Facts, at: float) -> dict[str, Any]:
    """Give the columns that say what is told, in the order of ``COLUMNS``."""
    return {
        "kind": kind.value,
        "dedupe": dedupe,
        "facts": dict(facts),
        "priority": PRIORITY[kind],
        "made_at": at,
        "not_before": at,
        "leased_until": 0.0,
        "attempts": 0,
        "error": "",
    }


async def promise(database: Database, connection: AsyncConnection, chosen: Select[Any]) -> int:
    """Write one row for each that was chosen, and none twice; gives how many are new.

    One statement, whether it is one chat or 50,000.
    """
    writing = database.insert(outbox).from_select(COLUMNS, chosen)
    written = writing.on_conflict_do_nothing(index_elements=["chat_id", "dedupe"])
    return (await connection.execute(written)).rowcount
