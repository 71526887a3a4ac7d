"""How a chat wants to hear what rings: in its quiet hours, muted as a whole, and what at once."""

from __future__ import annotations

from sqlalchemy import case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.models import Alert
from bot.alerts.people import Caller, ChatRef
from bot.store.bundles import is_ordinary, look_anew
from bot.store.database import Database, whole
from bot.store.homes import chats_of
from bot.store.people import find_chat, know_chat
from bot.store.rows import read_alert
from bot.store.subscribing import find
from bot.store.tables import chats, outbox, subscriptions


class SqlHearing:
    """The part of the port ``Register`` that knows how a chat wants to hear."""

    _database: Database

    @whole
    async def quiet(self, caller: Caller) -> tuple[str, int]:
        """Give the quiet hours of the caller's chat, or nothing, and how many messages wait."""
        async with self._database.reading() as connection:
            chat_id = await find_chat(connection, caller.chat)
            text: str | None = await connection.scalar(select(chats.c.quiet).where(chats.c.id == chat_id))
            both = await chats_of(connection, caller.chat)
            waiting = select(func.count()).where(outbox.c.chat_id.in_(both), is_ordinary())
            return text or "", int(await connection.scalar(waiting) or 0)

    @whole
    async def set_quiet(self, caller: Caller, quiet: str, now: float) -> None:
        """Set the quiet hours of the caller's chat, or none; what is kept is looked at anew."""
        async with self._database.writing() as connection:
            await know_chat(self._database, connection, caller)
            await write_quiet(connection, caller.chat, quiet, now)

    @whole
    async def set_urgent(self, chat: ChatRef, label: str, now: float, *, is_urgent: bool) -> Alert | None:
        """Let one alert of a chat be told before all else, in quiet hours too, or not any more."""
        async with self._database.writing() as connection:
            row = await find(connection, chat, label)
            if row is None:
                return None
            is_meant = subscriptions.c.id == row.subscription_id
            await connection.execute(update(subscriptions).where(is_meant).values(is_urgent=is_urgent))
            return read_alert(row, chat)

    @whole
    async def mute_all(self, chat: ChatRef, until: float, now: float) -> int:
        """Do not tell a chat what any of its alerts rings before an instant; gives how many those are.

        A mute that ends later stays as it is; one that is under way is counted from its beginning.
        """
        async with self._database.writing() as connection:
            chat_id = await find_chat(connection, chat)
            is_muted = subscriptions.c.muted_until > now
            values = {
                "muted_at": case((is_muted, subscriptions.c.muted_at), else_=now),
                "muted_until": case(
                    (subscriptions.c.muted_until > until, subscriptions.c.muted_until), else_=until
                ),
            }
            muted = update(subscriptions).where(subscriptions.c.chat_id == chat_id).values(values)
            return (await connection.execute(muted)).rowcount

    @whole
    async def unmute_all(self, chat: ChatRef, now: float) -> int:
        """Tell all alerts of a chat again; gives how many were muted."""
        async with self._database.writing() as connection:
            chat_id = await find_chat(connection, chat)
            are_meant = (subscriptions.c.chat_id == chat_id, subscriptions.c.muted_until > now)
            told = update(subscriptions).where(*are_meant).values(muted_at=None, muted_until=None)
            return (await connection.execute(told)).rowcount


async def write_quiet(connection: AsyncConnection, chat: ChatRef, quiet: str, now: float) -> None:
    """Set the quiet hours of a chat and of the one that it is linked with; what is kept is looked at anew."""
    are_meant = chats.c.id.in_(await chats_of(connection, chat))
    await connection.execute(update(chats).where(are_meant).values(quiet=quiet))
    await look_anew(connection, are_meant, now)
