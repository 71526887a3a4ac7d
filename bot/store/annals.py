"""What came after the rings of the past: written down once for each, and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import exists, select

from bot.ports.annals import Account, Bygone
from bot.store.aftermath_table import aftermaths
from bot.store.database import Database, chunks, whole
from bot.store.tables import rings


class SqlAnnals:
    """The port ``Annals``."""

    _database: Database

    @whole
    async def unaccounted(
        self, span: int, before: float, seen_since: float, after: int, limit: int
    ) -> Sequence[Bygone]:
        """Give rings of before an instant of which nothing is written down for a span, by rising id."""
        is_known = exists().where(aftermaths.c.ring_id == rings.c.id, aftermaths.c.span == span)
        columns = (rings.c.id, rings.c.rule, rings.c.evidence, rings.c.at, rings.c.seen_at)
        chosen = (
            select(*columns)
            .where(
                rings.c.id > after,
                rings.c.seen_at >= seen_since,
                rings.c.at < before,
                rings.c.corrected_at.is_(None),
                ~is_known,
            )
            .order_by(rings.c.id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [
                Bygone(row.id, row.rule, tuple(term for term, *_ in row.evidence), row.at, row.seen_at)
                for row in await connection.execute(chosen)
            ]

    async def account(self, accounts: Sequence[Account]) -> None:
        """Write down what came after some rings; what is written down already stays.

        Many short transactions, so that nobody who rings waits for long.
        """
        for piece in chunks(accounts):
            await self._write([_row(one) for one in piece])

    @whole
    async def _write(self, rows: list[dict[str, Any]]) -> None:
        async with self._database.writing() as connection:
            await connection.execute(self._database.insert(aftermaths).on_conflict_do_nothing(), rows)


def _row(account: Account) -> dict[str, Any]:
    key, course = account.key, account.course
    return {
        "ring_id": account.ring,
        "span": account.span,
        "instrument": key.instrument if key else "",
        "venue": key.venue if key else "",
        "since": account.since,
        "price": course.price if course else None,
        "low": course.low if course else None,
        "high": course.high if course else None,
        "close": course.close if course else None,
    }
