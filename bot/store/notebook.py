"""The notebook of the providers of metrics, and of the house: a page for each, written over and over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.database import Database, whole
from bot.store.metric_tables import notebooks


class SqlNotebook:
    """The port ``Notebook``."""

    _database: Database

    @whole
    async def page(self, source: str) -> Mapping[str, Any]:
        """Give what a provider wrote last; an empty page where it never did."""
        async with self._database.reading() as connection:
            kept = await connection.scalar(select(notebooks.c.page).where(notebooks.c.source == source))
        return kept if isinstance(kept, dict) else {}

    @whole
    async def keep_page(self, source: str, page: Mapping[str, Any], now: float) -> None:
        """Write a provider's page, in place of the one before."""
        async with self._database.writing() as connection:
            await write_page(self._database, connection, source, page, now)


async def write_page(
    database: Database, connection: AsyncConnection, source: str, page: Mapping[str, Any], now: float
) -> None:
    """Write a page in the transaction of something else, in place of the one before."""
    row = {"source": source, "page": dict(page), "kept_at": now}
    writing = database.insert(notebooks).values(row)
    kept = {name: writing.excluded[name] for name in ("page", "kept_at")}
    await connection.execute(writing.on_conflict_do_update(index_elements=["source"], set_=kept))
