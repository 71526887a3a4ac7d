"""Homes: which chat keeps the things of a private chat that is linked with another."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.links import platform_name
from bot.alerts.people import ChatRef
from bot.store.link_table import links
from bot.store.rows import same_chat
from bot.store.tables import chats


async def find_place(connection: AsyncConnection, ref: ChatRef) -> int | None:
    """Give the id of the row of a chat itself, where things are told, or ``None`` if it never spoke."""
    found: int | None = await connection.scalar(select(chats.c.id).where(same_chat(ref)))
    return found


async def home_of(connection: AsyncConnection, chat_id: int) -> int:
    """Give the chat that keeps a chat's things: its home, or itself."""
    home: int | None = await connection.scalar(select(links.c.home_id).where(links.c.chat_id == chat_id))
    return chat_id if home is None else home


async def partner_of(connection: AsyncConnection, chat_id: int) -> int | None:
    """Give the chat that a chat is linked with, or ``None``."""
    found: int | None = await connection.scalar(
        _partners(links.c.chat_id == chat_id, links.c.home_id == chat_id)
    )
    return found


async def chats_of(connection: AsyncConnection, ref: ChatRef) -> list[int]:
    """Name all chats whose things are one with those of a chat: its home first, then what is linked to it.

    A chat that is linked with none is alone; one that never spoke is in no list.
    """
    place = await find_place(connection, ref)
    if place is None:
        return []
    home = await home_of(connection, place)
    linked = await connection.scalars(select(links.c.chat_id).where(links.c.home_id == home))
    return [home, *linked]


def partners_of(ref: ChatRef) -> Select[Any]:
    """Select the id of the chat that a chat is linked with."""
    here = select(chats.c.id).where(same_chat(ref)).scalar_subquery()
    return _partners(links.c.chat_id == here, links.c.home_id == here)


async def name_at_home(connection: AsyncConnection, home: int | None) -> str:
    """Name the platform of a home that another chat is linked to; empty where none is."""
    chosen = select(chats.c.platform).join(links, links.c.home_id == chats.c.id).where(chats.c.id == home)
    platform = await connection.scalar(chosen)
    return platform_name(platform) if platform else ""


async def rings_in(connection: AsyncConnection, place: int | None, home: int) -> dict[str, Any]:
    """Give what a subscription says of where it rings, in a place that is not its own chat."""
    if place is None or place == home:
        return {"place_id": None, "place": ""}
    platform = await connection.scalar(select(chats.c.platform).where(chats.c.id == place))
    return {"place_id": place, "place": platform_name(platform or "")}


async def linked_persons(connection: AsyncConnection) -> dict[tuple[str, str], tuple[str, str]]:
    """Give, for each (platform, person) whose private chat is linked, who they are on the other platform."""
    one, other = chats.alias("one"), chats.alias("other")
    names = [chat.c[name].label(f"{label}_{name}") for label, chat in (("one", one), ("other", other))
             for name in ("platform", "person")]  # fmt: skip
    joined = links.join(one, links.c.chat_id == one.c.id).join(other, links.c.home_id == other.c.id)
    known: dict[tuple[str, str], tuple[str, str]] = {}
    for row in await connection.execute(select(*names).select_from(joined)):
        first, second = (row.one_platform, row.one_person), (row.other_platform, row.other_person)
        known |= {first: second, second: first}
    return known


def homes_of(platform: str, person: str) -> Select[Any]:
    """Select the ids of the homes of a person's linked chats, whichever of the two is on that platform."""
    is_theirs = and_(chats.c.platform == platform, chats.c.person == person, chats.c.person != "")
    is_linked = or_(links.c.chat_id == chats.c.id, links.c.home_id == chats.c.id)
    return select(links.c.home_id).join(chats, is_linked).where(is_theirs)


def _partners(is_linked: Any, is_home: Any) -> Select[Any]:
    both = union_all(
        select(links.c.home_id.label("id")).where(is_linked),
        select(links.c.chat_id.label("id")).where(is_home),
    ).subquery()
    return select(both.c.id)
