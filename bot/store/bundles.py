"""What waits for one chat together: kept for its quiet hours, or told in one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.models import Notification
from bot.store.database import Database, whole
from bot.store.outbox import IN_FULL, NEVER_LEASED, let_go, read_notification
from bot.store.promise import URGENT
from bot.store.tables import chats, is_waiting, outbox

_IN_ORDER = IN_FULL.order_by(None).order_by(outbox.c.id)


class SqlBundles:
    """The part of the port ``Outbox`` that knows what is told later, and together."""

    _database: Database

    @whole
    async def put_back(self, notification: Notification, until: float, *, is_kept: bool = False) -> None:
        """Give back the right to send until an instant, untried; one that is kept is kept for quiet hours."""
        is_ours = and_(
            outbox.c.id == notification.id, is_waiting, outbox.c.attempts == notification.attempts + 1
        )
        values = {"leased_until": NEVER_LEASED, "attempts": notification.attempts, "not_before": until}
        async with self._database.writing(beside=True) as connection:
            kept = {"kept_until": until} if is_kept else {}
            await connection.execute(update(outbox).where(is_ours).values(values | kept))

    @whole
    async def gather(
        self, notification: Notification, now: float, limit: int, seconds: float
    ) -> list[Notification]:
        """Take the right to send what waits behind one that is leased, oldest first, for so many seconds.

        Behind one that was kept for quiet hours, that is what came before their end; it counts as kept, too.
        Behind one that was tried before, it is what was tried with it, and nothing else. What is urgent and
        what is announced is not among it.
        """
        before = notification.kept_until
        async with self._database.writing(beside=True) as connection:
            chat_id = await connection.scalar(
                select(outbox.c.chat_id).where(outbox.c.id == notification.id, is_waiting)
            )
            chosen = (
                select(outbox.c.id, outbox.c.not_before, outbox.c.attempts)
                .where(
                    outbox.c.chat_id == chat_id,
                    outbox.c.id > notification.id,
                    is_ordinary(),
                    outbox.c.made_at < before if before is not None else outbox.c.made_at <= now,
                )
                .order_by(outbox.c.id)
                .limit(limit)
                .with_for_update()
            )
            rows = (await connection.execute(chosen)).all()
            is_again = notification.attempts > 0  # it may have arrived: it goes as it went, by the same nonce
            due = takewhile(lambda row: row.not_before <= now and (row.attempts > 0 or not is_again), rows)
            ids = [row.id for row in due]
            if not ids:
                return []
            taken = (await connection.execute(_IN_ORDER, {"ids": ids})).all()
            marked = {} if before is None else {"kept_until": before}
            await connection.execute(
                update(outbox)
                .where(outbox.c.id.in_(ids))
                .values(leased_until=now + seconds, attempts=outbox.c.attempts + 1, **marked)
            )
            found = [read_notification(row) for row in taken]
            return found if before is None else [replace(one, kept_until=before) for one in found]

    @whole
    async def let_go(self, notifications: Sequence[Notification]) -> None:
        """Give back the right to send some, untried."""
        async with self._database.writing(beside=True) as connection:
            await let_go(connection, notifications)


async def look_anew(connection: AsyncConnection, of: ColumnElement[bool], now: float) -> None:
    """Let what some chats have kept be looked at now: its quiet may be over, or end at another time."""
    is_kept = and_(outbox.c.chat_id.in_(select(chats.c.id).where(of)), is_waiting)
    later = and_(outbox.c.kept_until.is_not(None), outbox.c.not_before > now)
    await connection.execute(update(outbox).where(is_kept, later).values(not_before=now))


def is_ordinary() -> ColumnElement[bool]:
    """Tell what waits that is neither urgent nor announced."""
    return and_(is_waiting, outbox.c.broadcast_id.is_(None), outbox.c.priority != URGENT)
