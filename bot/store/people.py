"""Know the chats: find one, or make it known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Row, and_, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.lots import lot_of
from bot.alerts.people import Caller, ChatKind, ChatRef, Policy
from bot.ports import ChatSettings
from bot.ports.linking import Link
from bot.store.database import Database, whole
from bot.store.homes import find_place, home_of
from bot.store.link_table import links
from bot.store.outbox import release
from bot.store.returning import move_house
from bot.store.rows import read_ref, same_chat
from bot.store.tables import chats


def person_of(caller: Caller) -> str:
    """Name who speaks, on whichever platform: ``telegram:123``."""
    return f"{caller.chat.platform}:{caller.person}"


async def find_chat(connection: AsyncConnection, ref: ChatRef) -> int | None:
    """Give the id of the chat that keeps a chat's things: its home where it is linked with one, or itself.

    ``None`` if it never spoke.
    """
    place = await find_place(connection, ref)
    return None if place is None else await home_of(connection, place)


async def know_chat(database: Database, connection: AsyncConnection, caller: Caller) -> int:
    """Give the id of the chat that keeps the things of the caller's; that one is made known if it is new."""
    return await home_of(connection, await know_place(database, connection, caller))


async def know_place(database: Database, connection: AsyncConnection, caller: Caller) -> int:
    """Give the id of the caller's chat itself, made known if it is new.

    A topic or a thread has the clock and the language of its group. A language is else that of whoever speaks
    first; later it is the chat's own to change.
    """
    is_group = same_chat(caller.group)
    above = "" if caller.group == caller.chat else caller.group.chat
    writing = database.insert(chats).values(
        platform=caller.chat.platform,
        chat=caller.chat.chat,
        thread=caller.chat.thread,
        kind=caller.kind.value,
        language=func.coalesce(
            select(chats.c.language).where(is_group).scalar_subquery(),
            literal(caller.language, chats.c.language.type),
        ),
        timezone=func.coalesce(select(chats.c.timezone).where(is_group).scalar_subquery(), "UTC"),
        paused_reason="",
        last_number=0,
        above=above,
        person=_owner(caller),
        lot=lot_of(caller.chat.chat),
    )
    known = writing.on_conflict_do_update(
        index_elements=["platform", "chat", "thread"],
        set_={name: writing.excluded[name] for name in ("kind", "above", "person", "lot")},
    )
    return int((await connection.execute(known.returning(chats.c.id))).scalar_one())


class SqlPeople:
    """The part of the port ``Register`` that knows chats."""

    _database: Database

    @whole
    async def meet(self, caller: Caller, now: float) -> ChatSettings:
        """Know the caller's chat from now on, and resume it if it had gone.

        A chat that is known and well costs looks alone. What was held for one that had gone is told now,
        except for what is too old to be news.
        """
        async with self._database.reading() as connection:
            row = await _row(connection, caller.chat)
            settings = await _settings(connection, caller.chat, caller.group, row)
        is_known = row is not None and row.person == _owner(caller)
        if settings and is_known and settings.kind == caller.kind and not settings.paused_reason:
            return settings
        async with self._database.writing() as connection:
            chat_id = await know_place(self._database, connection, caller)
            await connection.execute(update(chats).where(chats.c.id == chat_id).values(paused_reason=""))
            await release(connection, chat_id, now)
            await _come_home(connection, chat_id, now)
            row = await _row(connection, caller.chat)
            settings = await _settings(connection, caller.chat, caller.group, row)
        assert settings is not None  # noqa: S101 - it was written in this transaction
        return settings

    @whole
    async def met(self, chat: ChatRef) -> ChatSettings | None:
        """Give what is kept of a chat that spoke at some time, or ``None``."""
        async with self._database.reading() as connection:
            return await _settings(connection, chat, chat, await _row(connection, chat))


async def _come_home(connection: AsyncConnection, chat_id: int, now: float) -> None:
    """Let a chat that is back keep the things of its home, where that cannot be written to."""
    home = await home_of(connection, chat_id)
    reason = await connection.scalar(select(chats.c.paused_reason).where(chats.c.id == home))
    if home != chat_id and reason:
        await release(connection, home, now)
        await move_house(connection, home, reason, now)


def _owner(caller: Caller) -> str:
    """Say whose chat it is: that of the one person who is in a private one."""
    return caller.person if caller.kind is ChatKind.PRIVATE else ""


async def read_policy(connection: AsyncConnection, group: ChatRef) -> Policy:
    """Say who may make alerts in a group: everybody in it, unless its admins have said otherwise."""
    said = await connection.scalar(select(chats.c.policy).where(same_chat(group)))
    return Policy(said or Policy.MEMBERS)


async def _row(connection: AsyncConnection, ref: ChatRef) -> Row[Any] | None:
    return (await connection.execute(select(chats).where(same_chat(ref)))).one_or_none()


async def _partner(connection: AsyncConnection, row: Row[Any]) -> Row[Any] | None:
    """Give the chat that a private one is linked with, and whether that one is the home."""
    is_home = (links.c.chat_id == row.id).label("is_home")
    is_with = or_(
        and_(links.c.chat_id == row.id, links.c.home_id == chats.c.id),
        and_(links.c.home_id == row.id, links.c.chat_id == chats.c.id),
    )
    return (await connection.execute(select(chats, is_home).join(links, is_with))).one_or_none()


async def _settings(
    connection: AsyncConnection, ref: ChatRef, group: ChatRef, row: Row[Any] | None
) -> ChatSettings | None:
    if row is None:
        return None
    if group == ref:
        policy = Policy(row.policy or Policy.MEMBERS)
    else:
        policy = await read_policy(connection, group)
    kind = ChatKind(row.kind)
    known = ChatSettings(ref, kind, row.language, row.timezone, row.paused_reason, policy)
    partner = await _partner(connection, row) if kind is ChatKind.PRIVATE else None
    if partner is None:
        return known
    return replace(known, link=Link(read_ref(partner), partner.is_home, partner.paused_reason))
