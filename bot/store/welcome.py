"""How a chat is spoken to, and what one person hands on to another."""

from __future__ import annotations

import secrets

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.handouts import Handout
from bot.alerts.people import Caller
from bot.store.agenda import plan_anew
from bot.store.bundles import look_anew
from bot.store.database import Database, whole
from bot.store.handout_table import handouts
from bot.store.homes import partners_of
from bot.store.people import know_chat, person_of
from bot.store.tables import chats

_BYTES = 12


class SqlWelcome:
    """The part of the port ``Register`` that makes people at home."""

    _database: Database

    @whole
    async def set_timezone(self, caller: Caller, timezone: str, now: float) -> None:
        """Set the clock of the caller's chat, or of their group with its topics; an IANA name.

        What goes by that clock, reports and what quiet hours keep, is due by the new one.
        """
        async with self._database.writing() as connection:
            await self._set_timezone(connection, caller, timezone, now)

    @whole
    async def set_language(self, caller: Caller, language: str) -> None:
        """Set the language of the caller's chat, or of their group with its topics; a BCP 47 tag."""
        async with self._database.writing() as connection:
            await self._set(connection, caller, "language", language)

    @whole
    async def hand_out(self, caller: Caller, rule: str, until: float, now: float) -> Handout:
        """Keep a rule under a new token; the same rule of the same person keeps the token it has.

        What has expired is dropped on the way.
        """
        person, name = person_of(caller), caller.name or caller.person
        async with self._database.writing() as connection:
            await connection.execute(delete(handouts).where(handouts.c.expires_at <= now))
            is_same = and_(handouts.c.person == person, handouts.c.rule == rule)
            prolonged = update(handouts).where(is_same).values(by=name, expires_at=until)
            token = await connection.scalar(prolonged.returning(handouts.c.token))
            if token is None:
                token = secrets.token_urlsafe(_BYTES)
                row = {"token": token, "rule": rule, "person": person, "by": name, "expires_at": until}
                await connection.execute(insert(handouts).values(row))
        return Handout(token, rule, name, until)

    @whole
    async def handout(self, token: str, now: float) -> Handout | None:
        """Give what a token stands for; ``None`` if it is unknown or has expired."""
        chosen = select(handouts).where(handouts.c.token == token, handouts.c.expires_at > now)
        async with self._database.reading() as connection:
            row = (await connection.execute(chosen)).one_or_none()
        return Handout(row.token, row.rule, row.by, row.expires_at) if row else None

    async def _set_timezone(
        self, connection: AsyncConnection, caller: Caller, timezone: str, now: float
    ) -> None:
        await self._set(connection, caller, "timezone", timezone)
        there = list(await connection.scalars(select(chats.c.id).where(_is_of_group(caller))))
        await plan_anew(connection, there, now)
        await look_anew(connection, _is_of_group(caller), now)

    async def _set(self, connection: AsyncConnection, caller: Caller, column: str, value: str) -> None:
        await know_chat(self._database, connection, caller)
        await connection.execute(update(chats).where(_is_of_group(caller)).values({column: value}))


def _is_of_group(caller: Caller) -> ColumnElement[bool]:
    group = caller.group
    is_of_it = and_(
        chats.c.platform == group.platform, or_(chats.c.chat == group.chat, chats.c.above == group.chat)
    )
    return or_(is_of_it, chats.c.id.in_(partners_of(group)))
