"""What was judged, what rang, and what became of the message: read for whoever asks why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.aftermath import Aftermath, Course, instrument_of
from bot.alerts.models import Telling
from bot.alerts.people import ChatKind, ChatRef
from bot.alerts.rings import Rung
from bot.metrics import Close, MetricKey
from bot.ports import Judged
from bot.ports.chronicle import GivenUp
from bot.store.aftermath_table import aftermaths
from bot.store.database import Database, chunks, whole
from bot.store.link_table import links
from bot.store.people import find_chat
from bot.store.promise import MUTED, STOPPED, URGENT
from bot.store.rows import key_of, read_levels, read_ref, same_chat
from bot.store.tables import alerts, armings, chats, cursors, outbox, rings

_LARGEST = 2**31 - 1


class SqlChronicle:
    """The port ``Chronicle``."""

    _database: Database

    @whole
    async def judged(self, keys: Iterable[MetricKey]) -> dict[MetricKey, Judged]:
        """Say how far each of some series was judged; of one that several judge, the slowest counts."""
        wanted = set(keys)
        found: dict[MetricKey, Judged] = {}
        async with self._database.reading() as connection:
            for names in chunks(sorted({key.instrument for key in wanted})):
                for row in await connection.execute(select(cursors).where(cursors.c.instrument.in_(names))):
                    key = MetricKey(row.metric, row.instrument, row.venue)
                    if key in wanted and (key not in found or row.judged_to < found[key].to):
                        found[key] = Judged(row.judged_to, _close(row))
        return found

    @whole
    async def rung(self, chat: ChatRef, label: str, page: int, size: int) -> tuple[list[Rung], int]:
        """Give a page of what rang for a chat, newest first, and how many rings there are in all."""
        async with self._database.reading() as connection:
            chat_id = await find_chat(connection, chat)
            if chat_id is None:
                return [], 0
            told = outbox.join(alerts, outbox.c.alert_id == alerts.c.id)
            told = told.join(rings, outbox.c.ring_id == rings.c.id)
            of = _rang(chat_id, label)
            count = await connection.scalar(select(func.count()).select_from(told).where(*of))
            chosen = (
                select(*_COLUMNS)
                .select_from(
                    told.join(armings, rings.c.arming_id == armings.c.id).join(
                        chats, outbox.c.chat_id == chats.c.id
                    )
                )
                .where(*of)
                .order_by(outbox.c.id.desc())
                .limit(size)
                .offset((page - 1) * size)
            )
            rows = (await connection.execute(chosen)).all()
            known = await _aftermaths(connection, [row.ring_id for row in rows])
            return [_rung(row, known.get(row.ring_id, ())) for row in rows], int(count or 0)

    @whole
    async def outcomes(self, chat: ChatRef, label: str) -> dict[int, list[float]]:
        """Give by which share the price had changed after each ring of an alert that stands, by span."""
        found: dict[int, list[float]] = {}
        async with self._database.reading() as connection:
            chat_id = await find_chat(connection, chat)
            if chat_id is None:
                return {}
            told = outbox.join(alerts, outbox.c.alert_id == alerts.c.id)
            told = told.join(rings, outbox.c.ring_id == rings.c.id)
            chosen = (
                select(aftermaths.c.span, aftermaths.c.price, aftermaths.c.close)
                .select_from(told.join(aftermaths, aftermaths.c.ring_id == rings.c.id))
                .where(
                    *_rang(chat_id, label), rings.c.corrected_at.is_(None), aftermaths.c.price.is_not(None)
                )
                .order_by(aftermaths.c.span)
            )
            for row in await connection.execute(chosen):
                found.setdefault(row.span, []).append(row.close / row.price - 1)
        return found

    @whole
    async def told_in(self, chat: ChatRef, message: str) -> list[str]:
        """Name the chat's own alerts of which a message tells there; none for any other message."""
        is_own = or_(outbox.c.owner_id.is_(None), outbox.c.owner_id == links.c.home_id)
        chosen = (
            select(alerts.c.name, alerts.c.number)
            .select_from(outbox.join(alerts, outbox.c.alert_id == alerts.c.id))
            .join(chats, outbox.c.chat_id == chats.c.id)
            .outerjoin(links, links.c.chat_id == chats.c.id)
            .where(same_chat(chat), outbox.c.receipt == message, is_own)
            .order_by(outbox.c.id)
        )
        async with self._database.reading() as connection:
            found = [row.name or f"#{row.number}" for row in await connection.execute(chosen)]
        return list(dict.fromkeys(found))

    @whole
    async def given_up(self, since: float) -> list[GivenUp]:
        """Give what was given up since an instant, though somebody waited for it; the newest first."""
        at = func.max(outbox.c.given_up_at)
        chosen = (
            select(outbox.c.platform, outbox.c.error, func.count().label("times"), at.label("at"))
            .where(outbox.c.given_up_at >= since, outbox.c.error.not_in((MUTED, STOPPED)))
            .group_by(outbox.c.platform, outbox.c.error)
            .order_by(at.desc())
        )
        async with self._database.reading() as connection:
            return [
                GivenUp(row.platform, row.error, row.times, row.at)
                for row in await connection.execute(chosen)
            ]


_waiting = outbox.alias("waiting")
_kept = (
    select(func.max(_waiting.c.kept_until))
    .where(
        _waiting.c.chat_id == outbox.c.chat_id,
        _waiting.c.sent_at.is_(None),
        _waiting.c.given_up_at.is_(None),
        _waiting.c.held_at.is_(None),
        outbox.c.priority != URGENT,
    )
    .scalar_subquery()
)
"""Until when what waits for the chat of a row is kept: what stands behind what is kept, is so too."""

_COLUMNS: tuple[Any, ...] = (
    rings.c.id.label("ring_id"),
    func.coalesce(outbox.c.kept_until, _kept).label("kept_until"),
    outbox.c.made_at,
    outbox.c.attempts,
    outbox.c.sent_at,
    outbox.c.receipt,
    outbox.c.given_up_at,
    outbox.c.held_at,
    outbox.c.not_before,
    outbox.c.error,
    alerts.c.number,
    alerts.c.name,
    armings.c.levels,
    rings.c.rule.label("armed"),
    rings.c.at,
    rings.c.seen_at,
    rings.c.value,
    rings.c.is_early,
    rings.c.confirmed_at,
    rings.c.corrected_at,
    rings.c.facts,
    chats.c.platform,
    chats.c.chat,
    chats.c.thread,
    chats.c.kind,
)


def _rang(chat_id: int, label: str) -> list[ColumnElement[bool]]:
    return [
        outbox.c.kind == Telling.RING.value,
        or_(outbox.c.chat_id == chat_id, outbox.c.owner_id == chat_id),
        *_labelled(label, chat_id),
    ]


def _labelled(label: str, chat_id: int) -> list[ColumnElement[bool]]:
    if not label:
        return []
    number = label.removeprefix("#")
    if label != number and number.isdecimal():
        is_number = alerts.c.number == min(int(number), _LARGEST)
        return [is_number, alerts.c.chat_id == chat_id]
    return [alerts.c.key == key_of(label)]


async def _aftermaths(
    connection: AsyncConnection, ring_ids: Sequence[int]
) -> dict[int, tuple[Aftermath, ...]]:
    """Read what came after some rings, the shorter span first."""
    found: dict[int, tuple[Aftermath, ...]] = {}
    for piece in chunks(ring_ids):
        chosen = select(aftermaths).where(aftermaths.c.ring_id.in_(piece))
        for row in await connection.execute(chosen.order_by(aftermaths.c.span)):
            course = None if row.price is None else Course(row.price, row.low, row.high, row.close)
            about = instrument_of(row.instrument, row.venue) if row.instrument else None
            after = Aftermath(row.span, about, course)
            found[row.ring_id] = (*found.get(row.ring_id, ()), after)
    return found


def _rung(row: Row[Any], aftermaths: tuple[Aftermath, ...]) -> Rung:
    return Rung(
        label=row.name or f"#{row.number}",
        armed=row.armed,
        levels=read_levels(row.levels),
        at=row.at,
        seen_at=row.seen_at,
        value=row.value,
        chat=read_ref(row),
        made_at=row.made_at,
        is_early=row.is_early,
        confirmed_at=row.confirmed_at,
        corrected_at=row.corrected_at,
        is_late=bool(row.facts.get("is_late")),
        is_private=row.kind == ChatKind.PRIVATE,
        is_muted=row.error == MUTED,
        attempts=row.attempts,
        sent_at=row.sent_at,
        message=row.receipt or "",
        given_up_at=row.given_up_at,
        held_at=row.held_at,
        not_before=row.not_before,
        error=row.error,
        kept_until=row.kept_until,
        aftermaths=aftermaths if row.corrected_at is None else (),
    )


def _close(row: Row[Any]) -> Close | None:
    return None if row.close is None else Close(row.shown_at, row.close, row.source, row.home)
