"""The audit: one row for each change, written in the transaction that makes it, and never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Text, cast, exists, func, insert, or_, select

from bot.alerts.changes import Basis, Entry, Subject
from bot.alerts.people import Caller, ChatRef
from bot.ports import Stale
from bot.store.arming import Change
from bot.store.database import Database, whole
from bot.store.people import find_chat, person_of
from bot.store.proposals import claim
from bot.store.rows import key_of
from bot.store.tables import audit, chats


def author(caller: Caller) -> str:
    """Say how somebody is called."""
    return caller.name or caller.person


async def rest_on(
    change: Change, basis: Basis, subject: Subject, name: str, scopes: Sequence[int | None]
) -> None:
    """Settle the proposal that a change confirms, and see that what it was reckoned on still holds.

    ``scopes`` are the chats (``None``: the deployment) in which a change of the same thing would matter.
    Raises Settled and Stale; then the caller's transaction must end.
    """
    if basis.proposal is not None:
        revision = await claim(change, basis.proposal)
        await _refuse_newer(change, subject, name, scopes, audit.c.revision > revision)
    if basis.undoes is not None:
        await _refuse_newer(change, subject, name, scopes, audit.c.id > basis.undoes)


async def _refuse_newer(
    change: Change, subject: Subject, name: str, scopes: Sequence[int | None], is_newer: ColumnElement[bool]
) -> None:
    is_there = or_(*(audit.c.scope_id.is_not_distinct_from(scope) for scope in scopes))
    newer = exists().where(audit.c.kind == subject.value, audit.c.key == key_of(name), is_there, is_newer)
    if await change.connection.scalar(select(newer)):
        raise Stale(f"the {subject.value} {name} was changed meanwhile")


async def record(
    change: Change,
    caller: Caller,
    subject: Subject,
    name: str,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    said_in: int | None,
    scope: int | None = None,
    basis: Basis,
) -> None:
    """Write down one change. ``said_in`` and ``scope`` are ids of chats; scope ``None`` is the deployment."""
    await change.connection.execute(
        insert(audit).values(
            at=change.now,
            revision=change.revision,
            person=person_of(caller),
            by=author(caller),
            chat_id=said_in,
            scope_id=scope,
            kind=subject.value,
            key=key_of(name),
            name=name,
            before=before,
            after=after,
            undoes=basis.undoes,
        )
    )


class SqlAudit:
    """The part of the port ``Register`` that tells who changed what."""

    _database: Database

    @whole
    async def audit(
        self, words: Sequence[str], chat: ChatRef | None, page: int, size: int
    ) -> tuple[list[Entry], int]:
        """Give a page of the audit, newest first, and how many rows there are in all.

        Each word stands in a row. ``chat`` narrows it to what was said or holds in that chat.
        """
        async with self._database.reading() as connection:
            wanted = [_has(word) for word in words]
            if chat is not None:
                here = await find_chat(connection, chat)
                if here is None:
                    return [], 0
                wanted.append(or_(audit.c.chat_id == here, audit.c.scope_id == here))
            count = await connection.scalar(select(func.count()).select_from(audit).where(*wanted))
            shown = (
                _entries().where(*wanted).order_by(audit.c.id.desc()).offset(size * (page - 1)).limit(size)
            )
            return [_read(row) for row in await connection.execute(shown)], int(count or 0)

    @whole
    async def entry(self, number: int) -> Entry | None:
        """Give one row of the audit, or ``None``."""
        async with self._database.reading() as connection:
            row = (await connection.execute(_entries().where(audit.c.id == number))).one_or_none()
            return _read(row) if row else None

    @whole
    async def history(self, subject: Subject, name: str, scope: ChatRef | None, limit: int) -> list[Entry]:
        """Give the newest changes of one thing in one scope, newest first."""
        async with self._database.reading() as connection:
            there = None if scope is None else await find_chat(connection, scope)
            if scope is not None and there is None:
                return []
            wanted = (
                audit.c.kind == subject.value,
                audit.c.key == key_of(name),
                audit.c.scope_id.is_not_distinct_from(there),
            )
            rows = await connection.execute(
                _entries().where(*wanted).order_by(audit.c.id.desc()).limit(limit)
            )
            return [_read(row) for row in rows]


def _has(word: str) -> ColumnElement[bool]:
    texts = (audit.c.kind, audit.c.name, audit.c.by, cast(audit.c.before, Text), cast(audit.c.after, Text))
    return or_(*(text.icontains(word, autoescape=True) for text in texts))


def _entries() -> Select[Any]:
    said, holds = chats.alias("said"), chats.alias("holds")
    places = [
        place.c[name].label(f"{label}_{name}")
        for label, place in (("said", said), ("holds", holds))
        for name in ("platform", "chat", "thread")
    ]
    return (
        select(audit, *places)
        .outerjoin(said, audit.c.chat_id == said.c.id)
        .outerjoin(holds, audit.c.scope_id == holds.c.id)
    )


def _read(row: Row[Any]) -> Entry:
    said = ChatRef(row.said_platform, row.said_chat, row.said_thread) if row.chat_id else None
    holds = ChatRef(row.holds_platform, row.holds_chat, row.holds_thread) if row.scope_id else None
    return Entry(
        id=row.id,
        at=row.at,
        revision=row.revision,
        by=row.by,
        subject=Subject(row.kind),
        name=row.name,
        before=row.before,
        after=row.after,
        chat=said,
        scope=holds,
        undoes=row.undoes,
    )
