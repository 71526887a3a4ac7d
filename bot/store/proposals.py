"""Proposals: changes that wait, over restarts too, for whoever made them to confirm them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, insert, select, update

from bot.alerts.changes import Document, Proposal
from bot.alerts.people import Caller, Role
from bot.ports import Settled
from bot.store.arming import Change
from bot.store.database import Database, whole
from bot.store.people import know_place
from bot.store.rows import read_ref
from bot.store.tables import chats, proposals


def _is_open(number: int, now: float) -> ColumnElement[bool]:
    return and_(proposals.c.id == number, proposals.c.settled_at.is_(None), proposals.c.expires_at > now)


async def claim(change: Change, number: int) -> int:
    """Settle a proposal as confirmed, and give the revision that it was made on.

    Raises Settled if it is open no more, so that of two who confirm at once one does.
    """
    settled = update(proposals).where(_is_open(number, change.now))
    confirmed = settled.values(settled_at=change.now, is_confirmed=True).returning(proposals.c.revision)
    revision: int | None = await change.connection.scalar(confirmed)
    if revision is None:
        raise Settled(f"proposal {number} is open no more")
    return revision


class SqlProposals:
    """The part of the port ``Register`` that keeps proposals."""

    _database: Database

    @whole
    async def propose(
        self,
        caller: Caller,
        kind: str,
        change: Document,
        *,
        role: Role,
        revision: int,
        now: float,
        until: float,
    ) -> Proposal:
        """Keep a change until it is confirmed, discarded, or its time is up."""
        values: dict[str, Any] = {
            "person": caller.person,
            "name": caller.name or caller.person,
            "kind": kind,
            "change": dict(change),
            "role": int(role),
            "revision": revision,
            "made_at": now,
            "expires_at": until,
            "is_confirmed": False,
        }
        async with self._database.writing() as connection:
            here = await know_place(self._database, connection, caller)
            made = insert(proposals).values(chat_id=here, **values).returning(proposals.c.id)
            number = (await connection.execute(made)).scalar_one()
        return Proposal(
            id=number,
            chat=caller.chat,
            person=caller.person,
            name=values["name"],
            kind=kind,
            change=change,
            role=role,
            revision=revision,
            made_at=now,
            expires_at=until,
        )

    @whole
    async def proposal(self, number: int) -> Proposal | None:
        """Give a proposal, or ``None``."""
        chosen = select(proposals, chats.c.platform, chats.c.chat, chats.c.thread).join(
            chats, proposals.c.chat_id == chats.c.id
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(chosen.where(proposals.c.id == number))).one_or_none()
        if row is None:
            return None
        return Proposal(
            id=row.id,
            chat=read_ref(row),
            person=row.person,
            name=row.name,
            kind=row.kind,
            change=row.change,
            role=Role(row.role),
            revision=row.revision,
            made_at=row.made_at,
            expires_at=row.expires_at,
            settled_at=row.settled_at,
            is_confirmed=row.is_confirmed,
        )

    @whole
    async def discard(self, number: int, now: float) -> None:
        """Settle a proposal without doing anything. Raises Settled if it is open no more."""
        async with self._database.writing() as connection:
            settled = update(proposals).where(_is_open(number, now)).values(settled_at=now)
            if not (await connection.execute(settled)).rowcount:
                raise Settled(f"proposal {number} is open no more")
