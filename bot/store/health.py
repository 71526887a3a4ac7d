"""What is told to operators of the bot itself, and what of that was told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, select, tuple_

from bot.alerts.message import Facts
from bot.alerts.models import Notification, Telling
from bot.alerts.people import ChatKind
from bot.store.database import Database, whole
from bot.store.notebook import write_page
from bot.store.promise import content
from bot.store.rows import read_ref
from bot.store.tables import chats, outbox


class SqlHealth:
    """The port ``Infirmary``."""

    _database: Database

    @whole
    async def tell_operators(
        self,
        operators: Collection[tuple[str, str]],
        facts: Facts,
        source: str,
        page: Mapping[str, Any],
        now: float,
    ) -> int:
        """Promise facts to the private chats of operators, and keep a page with that; gives how many chats.

        ``operators`` are (platform, person). A chat that cannot be written to is left out.
        """
        async with self._database.writing() as connection:
            there = select(chats.c.id, chats.c.platform).where(_are_of(operators)).order_by(chats.c.id)
            what = content(Telling.HEALTH, f"health/{now:.3f}", facts, now)
            rows = [
                {"platform": row.platform, "chat_id": row.id, **what}
                for row in await connection.execute(there)
            ]
            if rows:
                await connection.execute(insert(outbox), rows)
            await write_page(self._database, connection, source, page, now)
            return len(rows)

    @whole
    async def addressed(self, operators: Collection[tuple[str, str]], now: float) -> list[Notification]:
        """Give a blank notification for each of these chats, which is not promised and says nothing yet."""
        there = select(chats).where(_are_of(operators)).order_by(chats.c.id)
        async with self._database.reading() as connection:
            return [
                Notification(
                    id=0,
                    chat=read_ref(row),
                    kind=Telling.HEALTH,
                    dedupe="",
                    facts={},
                    made_at=now,
                    language=row.language,
                    timezone=row.timezone,
                )
                for row in await connection.execute(there)
            ]

    async def damaged(self) -> str:
        """Wait until the database is found damaged, however long; gives the sentence that says what to do."""
        return await self._database.damaged()


def _are_of(operators: Collection[tuple[str, str]]) -> ColumnElement[bool]:
    is_theirs = tuple_(chats.c.platform, chats.c.person).in_(sorted(operators))
    return and_(is_theirs, chats.c.kind == ChatKind.PRIVATE.value, chats.c.paused_reason == "")
