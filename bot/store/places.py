"""Places: where alerts ring if not in their own chat, and what operators say to all chats."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, insert, literal, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.changes import PLAIN, Basis, Subject
from bot.alerts.models import Alert, Telling
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.ports import Conflict
from bot.ports.places import Announcement, Audience, Place
from bot.store.arming import Change, begin_change
from bot.store.audit import author, record, rest_on
from bot.store.broadcast_table import broadcasts
from bot.store.database import Database, whole
from bot.store.homes import find_place, partners_of
from bot.store.link_table import links
from bot.store.outbox import release
from bot.store.people import know_chat, know_place
from bot.store.promise import COLUMNS, STOPPED, content
from bot.store.rows import key_of, read_alert, same_chat
from bot.store.subscribing import find
from bot.store.tables import alerts, chats, is_held, is_published, is_waiting, outbox, subscriptions


class SqlPlaces:
    """The part of the port ``Register`` that lets alerts ring elsewhere, and operators speak to all."""

    _database: Database

    @whole
    async def audience(self) -> Audience:
        """Count whom an announcement would reach now. A group and its topics are one."""
        is_away = and_(chats.c.hears_broadcasts, chats.c.paused_reason != "")
        counted = (
            func.count(case((_hears(), 1))),
            func.count(case((~chats.c.hears_broadcasts, 1))),
            func.count(case((is_away, 1))),
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(select(*counted).where(_is_first()))).one()
        return Audience(*row)

    @whole
    async def announce(self, caller: Caller, text: str, now: float, *, basis: Basis = PLAIN) -> Announcement:
        """Promise a text to every chat that hears announcements, once. Raises Settled."""
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            here = await know_chat(self._database, connection, caller)
            made = insert(broadcasts).values(text=text, by=author(caller), made_at=now)
            number = (await connection.execute(made.returning(broadcasts.c.id))).scalar_one()
            await rest_on(change, basis, Subject.BROADCAST, str(number), [None])
            row = content(Telling.BROADCAST, f"broadcast/{number}", {}, now)
            fixed = {
                name: literal(row[name], outbox.c[name].type) if name in row else null() for name in COLUMNS
            }
            own = {"platform": chats.c.platform, "chat_id": chats.c.id, "broadcast_id": literal(number)}
            chosen = select(*(fixed | own).values()).where(_is_first(), _hears()).order_by(chats.c.id)
            written = await connection.execute(insert(outbox).from_select([*COLUMNS, "broadcast_id"], chosen))
            count = written.rowcount
            await self._database.count_anew(connection, outbox, count)
            await self._record(change, caller, number, here, basis, before=None, after=text)
        return Announcement(number, text, author(caller), now, count, sent=0, waiting=count, away=0)

    @whole
    async def announcement(self) -> Announcement | None:
        """Give the last announcement, or ``None``."""
        counted = (
            func.count(),
            func.count(outbox.c.sent_at),
            func.count(case((is_waiting, 1))),
            func.count(case((is_held, 1))),
        )
        async with self._database.reading() as connection:
            last = select(broadcasts).order_by(broadcasts.c.id.desc()).limit(1)
            row = (await connection.execute(last)).one_or_none()
            if row is None:
                return None
            count = (await connection.execute(select(*counted).where(outbox.c.broadcast_id == row.id))).one()
        return Announcement(row.id, row.text, row.by, row.made_at, *count, stopped_at=row.stopped_at)

    @whole
    async def silence(self, caller: Caller, number: int, now: float, *, basis: Basis = PLAIN) -> int:
        """Tell an announcement to nobody more; gives how many chats will not have it. Raises Stale.

        What is under way just now may still arrive.
        """
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            await rest_on(change, basis, Subject.BROADCAST, str(number), [None])
            here = await know_chat(self._database, connection, caller)
            text = await connection.scalar(select(broadcasts.c.text).where(broadcasts.c.id == number))
            await connection.execute(
                update(broadcasts).where(broadcasts.c.id == number).values(stopped_at=now)
            )
            is_left = and_(outbox.c.broadcast_id == number, or_(is_waiting, is_held))
            given_up = update(outbox).where(is_left).values(given_up_at=now, held_at=None, error=STOPPED)
            stopped = (await connection.execute(given_up)).rowcount
            await self._record(change, caller, number, here, basis, before=text, after=None)
        return stopped

    async def _record(
        self,
        change: Change,
        caller: Caller,
        number: int,
        here: int,
        basis: Basis,
        *,
        before: str | None,
        after: str | None,
    ) -> None:
        await record(
            change,
            caller,
            Subject.BROADCAST,
            str(number),
            before=None if before is None else {"text": before},
            after=None if after is None else {"text": after},
            said_in=here,
            basis=basis,
        )

    @whole
    async def hears(self, caller: Caller) -> bool:
        """Ask whether the caller's group hears announcements."""
        async with self._database.reading() as connection:
            deaf = select(chats.c.id).where(_of_group(caller.group), ~chats.c.hears_broadcasts)
            return await connection.scalar(deaf.limit(1)) is None

    @whole
    async def hear(self, caller: Caller, is_heard: bool) -> None:
        """Let the caller's group, with its topics, hear announcements or not."""
        async with self._database.writing() as connection:
            await self._hear(connection, caller, is_heard)

    @whole
    async def send_to(
        self, caller: Caller, label: str, place: Place | None, now: float, *, basis: Basis = PLAIN
    ) -> tuple[Alert, str] | None:
        """Let an alert of the caller's chat ring in a place, or (``None``) in its own chat again.

        A place that is not known yet hears no announcements: nobody there asked for this bot. Raises Conflict
        if the alert is told there already, and Stale.
        """
        async with self._database.writing() as connection:
            row = await find(connection, caller.chat, label)
            if row is None:
                return None
            change = await begin_change(self._database, connection, now)
            alert = read_alert(row, caller.chat)
            await rest_on(change, basis, Subject.PLACE, alert.label, [row.chat_id])
            is_this = subscriptions.c.id == row.subscription_id
            to = None if place is None else await self._known(change, caller, place)
            if to is not None:
                await refuse_told(connection, row.subscription_id, alert, to)
            before = await self._before(change, row.subscription_id)
            name = "" if place is None else place.name
            await connection.execute(
                update(subscriptions).where(is_this).values(place_id=to, place=name, revision=change.revision)
            )
            after = None if place is None else {"place": place.name, **_address(place.chat)}
            await record(
                change,
                caller,
                Subject.PLACE,
                alert.label,
                before=before,
                after=after,
                said_in=row.chat_id,
                scope=row.chat_id,
                basis=basis,
            )
        return alert, str(before["place"]) if before else ""

    @whole
    async def is_told(self, name: str, chat: ChatRef) -> bool:
        """Ask whether a chat is told a shared alert already, whoever follows it."""
        async with self._database.reading() as connection:
            is_named = and_(alerts.c.key == key_of(name), is_published)
            told = subscriptions.join(alerts, subscriptions.c.alert_id == alerts.c.id)
            chosen = select(subscriptions.c.id).select_from(told).where(is_named)
            if (there := await find_place(connection, chat)) is None:
                return False
            return await connection.scalar(chosen.where(_rings_in(there)).limit(1)) is not None

    async def _hear(self, connection: AsyncConnection, caller: Caller, is_heard: bool) -> None:
        await know_chat(self._database, connection, replace(caller, chat=caller.group))
        heard = update(chats).where(_of_group(caller.group)).values(hears_broadcasts=is_heard)
        await connection.execute(heard)

    async def _known(self, change: Change, caller: Caller, place: Place) -> int:
        """Give the id of a place; one that was gone is back, since the platform says so."""
        connection = change.connection
        to = await find_place(connection, place.chat)
        if to is None:
            there = Caller(place.chat, ChatKind.GROUP, caller.person, caller.name, language=caller.language)
            to = await know_place(self._database, connection, there)
            is_there = chats.c.id == to
            await connection.execute(update(chats).where(is_there).values(hears_broadcasts=False))
        await connection.execute(update(chats).where(chats.c.id == to).values(paused_reason=""))
        await release(connection, to, change.now)
        return to

    async def _before(self, change: Change, subscription_id: int) -> dict[str, Any] | None:
        chosen = (
            select(subscriptions.c.place, chats.c.platform, chats.c.chat, chats.c.thread)
            .join(chats, subscriptions.c.place_id == chats.c.id)
            .where(subscriptions.c.id == subscription_id)
        )
        row = (await change.connection.execute(chosen)).one_or_none()
        return row and {"place": row.place, **_address(ChatRef(row.platform, row.chat, row.thread))}


async def refuse_told(connection: AsyncConnection, subscription_id: int, alert: Alert, to: int) -> None:
    """Raise Conflict if a chat is told an alert already, but for that one subscription."""
    is_other = and_(subscriptions.c.alert_id == alert.id, subscriptions.c.id != subscription_id)
    if await connection.scalar(select(exists().where(is_other, _rings_in(to)))):
        raise Conflict(f"{alert.label} is told there already")


def _rings_in(chat_id: int) -> ColumnElement[bool]:
    return or_(subscriptions.c.chat_id == chat_id, subscriptions.c.place_id == chat_id)


def _address(chat: ChatRef) -> dict[str, str]:
    return {"chat": chat.chat, "thread": chat.thread}


def _hears() -> ColumnElement[bool]:
    return and_(chats.c.hears_broadcasts, chats.c.paused_reason == "")


def _of_group(group: ChatRef) -> ColumnElement[bool]:
    is_topic = and_(chats.c.platform == group.platform, chats.c.above == group.chat)
    return or_(same_chat(group), is_topic, chats.c.id.in_(partners_of(group)))


def _is_first() -> ColumnElement[bool]:
    """Tell the one chat of a group that is written to: the group itself, else its oldest topic.

    Of two that are linked it is the home.
    """
    group, topic = chats.alias("group"), chats.alias("topic")
    has_group = exists().where(
        group.c.platform == chats.c.platform, group.c.chat == chats.c.above, group.c.thread == ""
    )
    has_older = exists().where(
        topic.c.platform == chats.c.platform, topic.c.above == chats.c.above, topic.c.id < chats.c.id
    )
    is_linked = exists().where(links.c.chat_id == chats.c.id)
    return and_(~is_linked, or_(chats.c.above == "", and_(~has_group, ~has_older)))
