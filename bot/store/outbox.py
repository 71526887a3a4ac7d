"""What deliver needs: the right to send what is due, one of each chat at a time, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.lots import ALL_LOTS, Lots
from bot.alerts.models import Notification, Telling
from bot.alerts.people import ChatKind, ChatRef
from bot.ports import ChatGone, ChatMoved, Outcome, Receipt, Rejected, RetryLater
from bot.store.arming import begin_change
from bot.store.broadcast_table import broadcasts
from bot.store.database import Database, whole
from bot.store.due import asking
from bot.store.link_table import links
from bot.store.missed import tell_missed
from bot.store.moving import follow
from bot.store.promise import URGENT
from bot.store.receipts import Receipts
from bot.store.returning import close_topic, give_back, move_house
from bot.store.rows import read_ref, same_chat
from bot.store.tables import alerts, chats, is_waiting, outbox, rings

GIVE_UP = 24 * 3600.0
"""How long, in seconds, a notification is tried before it is given up; after that it is no news."""

NEVER_LEASED = 0.0

_GOING_ON = frozenset((Telling.CORRECTION, Telling.REMINDER, Telling.RESOLUTION))
_EPISODE = re.compile(r"[a-z]+/(\d+/episode/\d+)(?:/|$)")
"""What goes on with an episode names it as its ring does."""


_LEASED = (
    update(outbox)
    .where(outbox.c.id.in_(bindparam("ids", expanding=True)))
    .values(leased_until=bindparam("until"), attempts=outbox.c.attempts + 1)
)


class SqlOutbox:
    """The port ``Outbox``."""

    _database: Database
    _receipts: Receipts

    @whole
    async def lease(
        self,
        platform: str,
        now: float,
        limit: int,
        seconds: float = 60,
        announcements: int | None = None,
        *,
        lots: Lots = ALL_LOTS,
    ) -> list[Notification]:
        """Take the right to send up to ``limit`` due notifications, the most urgent first, to some ``lots``.

        At most one of each chat, the chat's oldest, and none of a chat that has one under lease; what is
        urgent goes first, and beside another. Of equals that goes first which could go for the longest time:
        behind one that was told the next of its chat waits anew, so that chats with much to tell and chats
        with little take turns. A lease that nobody settles ends by itself. ``attempts`` is
        raised here, so that a process that dies while sending has left a trace; the notification carries the
        count before.
        """
        # After a fall of the machine nobody has a lease: what was under way is sent again without one, too.
        async with self._database.writing(beside=True, is_hasty=True) as connection:
            news = limit if announcements is None else announcements
            leasing = _lease(connection, platform, lots, now, limit, now + seconds, news)
            rows, rung = await self._database.at_once(connection, leasing)
        return [replace(read_notification(row), answers=rung.get(row.id, "")) for row in rows]

    @whole
    async def settle(
        self,
        notification: Notification,
        outcome: Outcome,
        now: float,
        others: Sequence[Notification] = (),
    ) -> None:
        """Write down what became of a send: sent, due again, moved, gone or given up.

        ``others`` were told in the same message: a receipt is theirs too; without one they wait for their
        turn again.

        A receipt always counts: even one that comes after the lease has ended, or from a row given up.
        Any other outcome counts only from whoever leased the row last, and never undoes a receipt. What it
        says of the chat (moved, gone) counts in any case.
        """
        if isinstance(outcome, Receipt):
            told = [notification.id, *(one.id for one in others)]
            await self._receipts.keep(told, outcome.message, now)
            return
        is_of_chat = isinstance(outcome, (ChatMoved, ChatGone))
        async with self._database.writing(beside=not is_of_chat) as connection:
            is_row = outbox.c.id == notification.id
            is_ours = and_(is_row, is_waiting, outbox.c.attempts == notification.attempts + 1)
            await let_go(connection, others)
            match outcome:
                case RetryLater(reason=reason) if now - notification.due >= GIVE_UP:
                    values: dict[str, Any] = {"given_up_at": now, "error": reason}
                case RetryLater(after=after, reason=reason):
                    again = {"leased_until": NEVER_LEASED, "not_before": now + after}
                    values = {**again, "error": reason}
                case Rejected(reason=reason):
                    values = {"given_up_at": now, "error": reason}
                case ChatMoved(to=to):
                    change = await begin_change(self._database, connection, now)
                    await follow(change, notification.chat, to)
                    values = {"leased_until": NEVER_LEASED, "not_before": now}
                case ChatGone(is_over=True) if (above := await _above(connection, notification)) is not None:
                    change = await begin_change(self._database, connection, now)
                    await close_topic(change, notification.chat, above)
                    values = {"leased_until": NEVER_LEASED, "not_before": now}
                case ChatGone(reason=reason):
                    await _hold(connection, notification, reason, now)
                    return
            await connection.execute(update(outbox).where(is_ours).values(values))

    @whole
    async def bring_forward(self, seconds: float, now: float) -> None:
        """Let what waits wait no longer than before, after the clock was set back by so many ``seconds``.

        What is kept for quiet hours is due by the clock on the wall, and stays.
        """
        waits = {
            name: case((outbox.c[name] > now, outbox.c[name] - seconds), else_=outbox.c[name])
            for name in ("not_before", "leased_until")
        }
        async with self._database.writing() as connection:
            is_meant = and_(is_waiting, outbox.c.kept_until.is_(None))
            await connection.execute(update(outbox).where(is_meant).values(waits))

    @whole
    async def next_due(
        self, platform: str, now: float, *, has_room: bool = True, lots: Lots = ALL_LOTS
    ) -> float | None:
        """Give when a notification to a chat of some ``lots`` next may be leased, or ``None``.

        An instant that is not after ``now`` says that one may be leased at once. Without ``has_room`` for
        announcements they are left out.
        """
        async with self._database.reading() as connection:
            looking = _next_due(connection, platform, lots, now, has_room)
            return await self._database.at_once(connection, looking)


async def _lease(  # noqa: PLR0917
    connection: AsyncConnection, platform: str, lots: Lots, now: float, limit: int, until: float, news: int
) -> tuple[Sequence[Row[Any]], dict[int, str]]:
    """Lease what is due, ``news`` announcements at most among it; gives the rows, and what some answer."""
    asked, values = asking(platform, lots)
    values["now"] = now
    ids = list(await connection.scalars(asked.taken, {**values, "room": limit}))
    if (room := min(limit - len(ids), news)) > 0:
        ids += await connection.scalars(asked.taken_news, {**values, "room": room})
    if not ids:
        return [], {}
    rows = (await connection.execute(IN_FULL, {"ids": ids})).all()
    rung = await _rung(connection, rows)
    await connection.execute(_LEASED, {"ids": ids, "until": until})
    return rows, rung


async def _next_due(
    connection: AsyncConnection, platform: str, lots: Lots, now: float, has_room: bool
) -> float | None:
    asked, values = asking(platform, lots)
    if (await connection.scalar(asked.any_due[has_room], {**values, "now": now, "room": 1})) is not None:
        return now
    next_at: float | None = await connection.scalar(asked.next_due[has_room], values)
    return next_at


async def _rung(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> dict[int, str]:
    """Give, for each row that goes on with an episode, the message that told its ring in the same chat."""
    going_on = {
        row.id: (row.chat_id, row.owner_id, episode[1])
        for row in rows
        if row.kind in _GOING_ON and (episode := _EPISODE.match(row.dedupe))
    }
    if not going_on:
        return {}
    episodes = {episode for _, _, episode in going_on.values()}
    chosen = (
        select(outbox.c.chat_id, outbox.c.owner_id, outbox.c.dedupe, outbox.c.receipt)
        .where(
            outbox.c.chat_id.in_({chat for chat, _, _ in going_on.values()}),
            or_(*(outbox.c.dedupe.like(f"ring/{episode}/%") for episode in episodes)),
            outbox.c.sent_at.is_not(None),
        )
        .order_by(outbox.c.id)
    )
    told = {
        (row.chat_id, row.owner_id, episode[1]): row.receipt or ""
        for row in await connection.execute(chosen)
        if (episode := _EPISODE.match(row.dedupe))
    }
    return {row: told[which] for row, which in going_on.items() if which in told}


async def _above(connection: AsyncConnection, notification: Notification) -> ChatRef | None:
    """Give what a topic or thread belongs to, where that is known."""
    above: str | None = await connection.scalar(select(chats.c.above).where(same_chat(notification.chat)))
    return ChatRef(notification.chat.platform, above) if above else None


async def let_go(connection: AsyncConnection, notifications: Sequence[Notification]) -> None:
    """Give the right to send some back, as if it had not been taken."""
    for one in notifications:
        is_ours = and_(outbox.c.id == one.id, is_waiting, outbox.c.attempts == one.attempts + 1)
        again = {"leased_until": NEVER_LEASED, "attempts": one.attempts}
        await connection.execute(update(outbox).where(is_ours).values(again))


async def _hold(connection: AsyncConnection, notification: Notification, reason: str, now: float) -> None:
    """Pause a chat that cannot be written to, and hold what waits for it; what others sent goes back."""
    row = outbox.c.id == notification.id
    chat = await connection.scalar(select(outbox.c.chat_id).where(row))
    await connection.execute(
        update(chats).where(chats.c.id == chat).values(paused_reason=reason or "it cannot be written to")
    )
    is_ours = and_(row, outbox.c.attempts == notification.attempts + 1)
    await connection.execute(update(outbox).where(is_ours, is_waiting).values(leased_until=NEVER_LEASED))
    await give_back(connection, chat, reason, now)
    await move_house(connection, chat, reason, now)
    await connection.execute(
        update(outbox).where(outbox.c.chat_id == chat, is_waiting).values(held_at=now, error=reason)
    )


async def release(connection: AsyncConnection, chat_id: int, now: float) -> None:
    """Let what was held for a chat go, now that it is back.

    What is too old to be news is given up, and named in one message with all that rang meanwhile.
    """
    await tell_missed(connection, chat_id, now - GIVE_UP, now)
    held = and_(outbox.c.chat_id == chat_id, outbox.c.held_at.is_not(None))
    await connection.execute(
        update(outbox).where(held, outbox.c.made_at <= now - GIVE_UP).values(held_at=None, given_up_at=now)
    )
    await connection.execute(update(outbox).where(held).values(held_at=None, not_before=now))


IN_FULL = (
    select(
        outbox,
        chats.c.chat,
        chats.c.thread,
        chats.c.kind.label("chat_kind"),
        chats.c.language,
        chats.c.timezone,
        chats.c.quiet,
        links.c.home_id,
        alerts.c.number,
        alerts.c.name,
        alerts.c.playbook,
        alerts.c.part,
        alerts.c.rule,
        alerts.c.author,
        rings.c.facts.label("ring_facts"),
        rings.c.rule.label("armed_rule"),
        broadcasts.c.text,
    )
    .join(chats, outbox.c.chat_id == chats.c.id)
    .outerjoin(links, links.c.chat_id == chats.c.id)
    .outerjoin(alerts, outbox.c.alert_id == alerts.c.id)
    .outerjoin(rings, outbox.c.ring_id == rings.c.id)
    .outerjoin(broadcasts, outbox.c.broadcast_id == broadcasts.c.id)
    .where(outbox.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(outbox.c.priority, outbox.c.id)
)
"""Select rows, by ``ids``, with all that they tell."""


def read_notification(row: Row[Any]) -> Notification:
    """Read a row that was selected ``IN_FULL``."""
    facts: dict[str, Any] = dict(row.facts)
    if row.ring_id is not None:
        rang = row.ring_facts
        told = rang if row.kind == Telling.RING else {"rang_on": rang.get("venue", "")}
        facts = {"armed_rule": row.armed_rule, **told, **facts}
    if row.broadcast_id is not None:
        facts["text"] = row.text
    if row.owner_id not in (None, row.home_id):
        facts["is_elsewhere"] = True
    if row.alert_id is not None:
        facts |= {"alert": row.name or f"#{row.number}", "rule": row.rule, "author": row.author}
        if row.playbook:
            facts |= {"playbook": row.playbook, "part": row.part}
    return Notification(
        id=row.id,
        chat=read_ref(row),
        kind=Telling(row.kind),
        dedupe=row.dedupe,
        facts=facts,
        made_at=row.made_at,
        attempts=row.attempts,
        language=row.language,
        timezone=row.timezone,
        is_group=row.chat_kind == ChatKind.GROUP,
        is_urgent=row.priority == URGENT,
        quiet=row.quiet,
        kept_until=row.kept_until,
    )
