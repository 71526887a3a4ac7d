"""What is told to operators of the bot itself, and what of that was told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import insert, select, tuple_

from bot.alerts.message import Facts
from bot.alerts.models import Telling
from bot.alerts.people import ChatKind
from bot.store.database import Database, whole
from bot.store.notebook import write_page
from bot.store.promise import content
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
        is_theirs = tuple_(chats.c.platform, chats.c.person).in_(sorted(operators))
        is_open = (chats.c.kind == ChatKind.PRIVATE.value) & (chats.c.paused_reason == "")
        async with self._database.writing() as connection:
            there = select(chats.c.id, chats.c.platform).where(is_theirs, is_open).order_by(chats.c.id)
            what = content(Telling.HEALTH, f"health/{now:.3f}", facts, now)
            rows = [
                {"platform": row.platform, "chat_id": row.id, **what}
                for row in await connection.execute(there)
            ]
            if rows:
                await connection.execute(insert(outbox), rows)
            await write_page(self._database, connection, source, page, now)
            return len(rows)
