"""Promise: write rows of the outbox, set by set, in the transaction that gives the reason for them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Insert,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.message import Facts
from bot.alerts.models import Telling
from bot.store.database import Database
from bot.store.link_table import links
from bot.store.tables import chats, outbox, rings, subscriptions

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
    Telling.BANNED: 2,
    Telling.PLAYBOOK: 2,
    Telling.RETURNED: 2,
    Telling.MISSED: 2,
    Telling.HEALTH: 1,
    Telling.LINK: 2,
    Telling.REPORT: 3,
    Telling.BROADCAST: 4,
}
"""Which chat is served first when many wait: lower goes first; what is equal goes by who waits longest."""

COLUMNS = (
    "platform",
    "chat_id",
    "owner_id",
    "alert_id",
    "held_at",
    "ring_id",
    "given_up_at",
    "error",
    "priority",
    "kind",
    "dedupe",
    "facts",
    "made_at",
    "not_before",
    "leased_until",
    "attempts",
)
"""What a promise fills in: where it goes, why and how, then what it says."""

MUTED = "muted"
"""Why a telling was given up that its chat did not want to hear; it is kept, so that it can be counted."""

STOPPED = "stopped"
"""Why an announcement was given up that the operators took back."""

URGENT = -1
"""The priority of what a chat wants told at once: it waits for nothing else of its chat."""

_MUTABLE = {Telling.RING, Telling.REMINDER, Telling.RESOLUTION}
_SENT_ELSEWHERE = {*_MUTABLE, Telling.ENDED}


def to_subscribers(
    kind: Telling,
    dedupe: str | ColumnElement[str],
    facts: Facts | ColumnElement[Any],
    at: float | ColumnElement[float],
    ring_id: ColumnElement[int] | None = None,
) -> Select[Any]:
    """Address a telling to every subscription that can be written to; the caller says which of them.

    What a chat has muted is written too, as given up at once. What is urgent to it goes first. What rings
    elsewhere goes there, as long as that can be written to; in a chat that is linked to this one all of it.
    """
    is_muted = and_(true() if kind in _MUTABLE else false(), subscriptions.c.muted_until > at)
    place = chats.alias("place")
    is_one = exists().where(links.c.chat_id == place.c.id, links.c.home_id == subscriptions.c.chat_id)
    is_there = and_(
        true() if kind in _SENT_ELSEWHERE else is_one,
        subscriptions.c.place_id == place.c.id,
        place.c.paused_reason == "",
    )
    owner = case((place.c.id.is_not(None), chats.c.id), else_=null())
    where = (
        func.coalesce(place.c.platform, chats.c.platform),
        func.coalesce(place.c.id, chats.c.id),
        owner,
        subscriptions.c.alert_id,
        literal(None, outbox.c.held_at.type),
        literal(None, outbox.c.ring_id.type) if ring_id is None else ring_id,
        case((is_muted, _given(at, outbox.c.given_up_at)), else_=null()),
        case((is_muted, MUTED), else_=""),
        case((subscriptions.c.is_urgent, URGENT), else_=PRIORITY[kind]),
    )
    return (
        select(*where, *_content(kind, _own(_given(dedupe, outbox.c.dedupe), owner), facts, at))
        .select_from(
            subscriptions.join(chats, subscriptions.c.chat_id == chats.c.id).outerjoin(place, is_there)
        )
        .where(or_(place.c.id.is_not(None), chats.c.paused_reason == ""))
        .order_by(subscriptions.c.id)
    )


def to_told(
    kind: Telling,
    dedupe: ColumnElement[str],
    facts: ColumnElement[Any],
    at: ColumnElement[float],
) -> Select[Any]:
    """Address a telling to whoever was told a ring, or still will be; the caller says which of ``rings``.

    It waits where that one waits, and is as urgent.
    """
    where = (
        outbox.c.platform,
        outbox.c.chat_id,
        outbox.c.owner_id,
        outbox.c.alert_id,
        outbox.c.held_at,
        outbox.c.ring_id,
        literal(None, outbox.c.given_up_at.type),
        literal(""),
        case((outbox.c.priority == URGENT, URGENT), else_=PRIORITY[kind]),
    )
    return (
        select(*where, *_content(kind, _own(dedupe, outbox.c.owner_id), facts, at))
        .select_from(
            outbox.join(chats, outbox.c.chat_id == chats.c.id).join(rings, outbox.c.ring_id == rings.c.id)
        )
        .where(
            outbox.c.kind == Telling.RING.value,
            outbox.c.given_up_at.is_(None),
            (chats.c.paused_reason == "") | outbox.c.held_at.is_not(None),
        )
    )


def _own(dedupe: ColumnElement[str], owner: ColumnElement[Any]) -> ColumnElement[str]:
    """Keep apart what one chat is told for several owners, so that none is lost if it comes back to them."""
    return func.coalesce(dedupe.concat("/of/").concat(cast(owner, Text)), dedupe)


def _content(
    kind: Telling,
    dedupe: ColumnElement[str],
    facts: Facts | ColumnElement[Any],
    at: float | ColumnElement[float],
) -> tuple[ColumnElement[Any], ...]:
    row = content(kind, "", {}, 0.0) | {"dedupe": dedupe, "facts": facts, "made_at": at, "not_before": at}
    del row["priority"], row["error"]
    return tuple(_given(value, outbox.c[name]).label(name) for name, value in row.items())


def _given(value: Any, column: Column[Any]) -> ColumnElement[Any]:
    return value if isinstance(value, ColumnElement) else literal(value, column.type)


def content(kind: Telling, dedupe: str, facts: Facts, at: float) -> dict[str, Any]:
    """Give the columns that say what is told."""
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
    return (await connection.execute(promising(database, chosen))).rowcount


def promising(database: Database, chosen: Select[Any]) -> Insert:
    """Give the statement that writes one row for each that is chosen, and none twice."""
    writing = database.insert(outbox).from_select(COLUMNS, chosen)
    return writing.on_conflict_do_nothing(index_elements=["chat_id", "dedupe"])
