"""Write receipts down many at a time: those that come while a transaction is under way share the next.

A transaction costs its commit and its trips to the thread of a connection, whether it writes one receipt or a
hundred. A lone receipt is written at once; under load as many go together as came meanwhile and a moment
after, so that what one costs falls with how many there are. Whoever brings a receipt waits until it is
written, as if it had a transaction of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.database import Database
from bot.store.promise import URGENT
from bot.store.tables import outbox

_MOST = 500
"""How many receipts one transaction holds: others wait for the pen meanwhile."""

_SECONDS_BETWEEN = 0.025
"""How long what comes next gathers behind one that held several: a lone one is followed at once."""

Told = tuple[Sequence[int], str, float]
"""The rows that were told in one message, what the platform calls it, and when that was."""


class Receipts:
    """The receipts of one database that wait to be written."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Told, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def keep(self, told: Sequence[int], message: str, now: float) -> None:
        """Write a receipt down. Raises StoreTrouble."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(((told, message, now), written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name="the writer of receipts")
        await written

    async def _write(self) -> None:
        try:
            while self._waiting:
                some, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                failure = await self._kept([told for told, _ in some])
                for _, written in some:
                    if not written.done():
                        written.set_result(None) if failure is None else written.set_exception(failure)
                if len(some) > 1:
                    await asyncio.sleep(_SECONDS_BETWEEN)
        finally:
            self._writer = None

    async def _kept(self, receipts: Sequence[Told]) -> Exception | None:
        """Write some down, all or none; gives what came in between."""
        try:
            async with self._database.writing(beside=True) as connection:
                await self._database.at_once(connection, _write_down(connection, receipts))
        except Exception as error:
            return error
        return None


async def _write_down(connection: AsyncConnection, receipts: Sequence[Told]) -> None:
    await connection.execute(_WAIT_ANEW, [{"last_told": max(told), "now": now} for told, _, now in receipts])
    await connection.execute(
        _RECEIVED,
        [{"told": one, "now": now, "message": message} for told, message, now in receipts for one in told],
    )


def _next_in_lane() -> ColumnElement[int]:
    """Name the row that its chat waits for once the row ``last_told`` is told."""
    last, behind = outbox.alias("last"), outbox.alias("behind")
    is_in_lane = and_(
        behind.c.chat_id == last.c.chat_id,
        (behind.c.priority == URGENT) == (last.c.priority == URGENT),
        behind.c.broadcast_id.is_(None) == last.c.broadcast_id.is_(None),
    )
    return (
        select(func.min(behind.c.id))
        .join(last, is_in_lane)
        .where(
            last.c.id == bindparam("last_told"),
            behind.c.id > last.c.id,
            behind.c.sent_at.is_(None),
            behind.c.given_up_at.is_(None),
            behind.c.held_at.is_(None),
        )
        .scalar_subquery()
    )


_WAIT_ANEW = (
    update(outbox)
    .where(outbox.c.id == _next_in_lane(), outbox.c.not_before < bindparam("now"))
    .values(not_before=bindparam("now"))
)
"""What a chat is told next counts as waiting from now on: it takes turns with other chats."""

_RECEIVED = (
    update(outbox)
    .where(outbox.c.id == bindparam("told"), outbox.c.sent_at.is_(None))
    .values(sent_at=bindparam("now"), receipt=bindparam("message"), given_up_at=None, held_at=None, error="")
)
