"""What is due by the clock: kept as rows, each told once, in the transaction that names the next time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.hours import Plan, read_plan
from bot.alerts.message import Facts
from bot.alerts.models import Telling
from bot.alerts.people import Caller, ChatRef
from bot.ports.agenda import Due
from bot.store.agenda_table import agenda
from bot.store.database import Database, whole
from bot.store.homes import find_place
from bot.store.people import know_place
from bot.store.promise import content
from bot.store.rows import read_ref
from bot.store.tables import chats, outbox

_REPORT = Telling.REPORT.value


class SqlAgenda:
    """The port ``Agenda``, and the part of ``Register`` that writes it."""

    _database: Database

    @whole
    async def set_report(self, caller: Caller, plan: Plan | None, now: float) -> float | None:
        """Let the caller's chat have reports, or none; gives when the next is due."""
        async with self._database.writing() as connection:
            chat_id = await know_place(self._database, connection, caller)
            return await write_report(connection, chat_id, plan, now)

    @whole
    async def report(self, chat: ChatRef) -> Due | None:
        """Give the reports of a chat, or ``None``."""
        async with self._database.reading() as connection:
            chat_id = await find_place(connection, chat)
            chosen = _chosen().where(agenda.c.chat_id == chat_id, agenda.c.kind == _REPORT)
            row = (await connection.execute(chosen)).one_or_none()
            return _due(row) if row else None

    @whole
    async def due(self, now: float, limit: int) -> Sequence[Due]:
        """Give what is due, the oldest first."""
        chosen = _chosen().where(agenda.c.due_at <= now).order_by(agenda.c.due_at, agenda.c.id).limit(limit)
        async with self._database.reading() as connection:
            return [_due(row) for row in await connection.execute(chosen)]

    @whole
    async def next_due_at(self) -> float | None:
        """Give the instant at which something is due next, or ``None``."""
        async with self._database.reading() as connection:
            at: float | None = await connection.scalar(select(func.min(agenda.c.due_at)))
            return at

    @whole
    async def replan(self, now: float) -> None:
        """Plan anew what was told by a clock that was far ahead then and was set back since.

        What was told less than its span ahead is not told again: it is due when the next one is.
        """
        async with self._database.writing() as connection:
            for row in (await connection.execute(_chosen().where(agenda.c.since > now))).all():
                plan = _due(row).plan
                if row.since > now + plan.span:
                    values = {"due_at": plan.next_after(row.timezone, now), "since": now - plan.span}
                    await connection.execute(update(agenda).where(agenda.c.id == row.id).values(values))

    @whole
    async def tell(self, due: Due, facts: Facts, now: float) -> bool:
        """Promise what was due, once, and write down when it is due again.

        Gives whether it was still to be told. What several times were missed for is told once. A chat that
        cannot be written to is told nothing.
        """
        async with self._database.writing() as connection:
            is_meant = (agenda.c.id == due.id, agenda.c.due_at == due.at, agenda.c.plan == str(due.plan))
            chosen = _chosen().add_columns(chats.c.paused_reason, chats.c.id.label("chat_row"))
            row = (await connection.execute(chosen.where(*is_meant))).one_or_none()
            if row is None:
                return False
            following = due.plan.next_after(row.timezone, now)
            values = {"due_at": following, "since": now}
            taken = await connection.execute(update(agenda).where(*is_meant).values(values))
            if not taken.rowcount or row.paused_reason:
                return False
            what = content(Telling.REPORT, f"report/{due.id}/{due.at:.0f}", facts, now)
            where = {"platform": row.platform, "chat_id": row.chat_row}
            await connection.execute(insert(outbox), {**where, **what})
            return True


async def write_report(
    connection: AsyncConnection, chat_id: int, plan: Plan | None, now: float
) -> float | None:
    """Let a chat have reports by its clock, or none; gives when the next is due."""
    zone = await connection.scalar(select(chats.c.timezone).where(chats.c.id == chat_id))
    is_report = (agenda.c.chat_id == chat_id, agenda.c.kind == _REPORT)
    since = await connection.scalar(select(agenda.c.since).where(*is_report))
    await connection.execute(delete(agenda).where(*is_report))
    if plan is None:
        return None
    due = plan.next_after(zone or "UTC", now)
    row = {"chat_id": chat_id, "kind": _REPORT, "plan": str(plan), "due_at": due}
    await connection.execute(insert(agenda), {**row, "since": now if since is None else since})
    return due


async def plan_anew(connection: AsyncConnection, chat_ids: Sequence[int], now: float) -> None:
    """Reckon when the plans of some chats are due next, now that their clock is another."""
    for row in (await connection.execute(_chosen().where(agenda.c.chat_id.in_(chat_ids)))).all():
        if (plan := read_plan(row.plan)) is not None:
            due = {"due_at": plan.next_after(row.timezone, now)}
            await connection.execute(update(agenda).where(agenda.c.id == row.id).values(due))


def _chosen() -> Any:
    there = (chats.c.platform, chats.c.chat, chats.c.thread, chats.c.timezone)
    return select(agenda, *there).join(chats, agenda.c.chat_id == chats.c.id)


def _due(row: Row[Any]) -> Due:
    plan = read_plan(row.plan)
    assert plan is not None, row.plan  # noqa: S101 - only plans are written
    return Due(row.id, read_ref(row), plan, row.due_at, row.since)
