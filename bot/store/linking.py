"""Links: a code of one private chat, typed in another, makes their things those of one person."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.changes import PLAIN, Basis, Subject
from bot.alerts.links import Hindrance, Meeting, Parting, Tie, platform_name
from bot.alerts.models import Telling
from bot.alerts.people import Caller, ChatRef
from bot.store.agenda import plan_anew
from bot.store.arming import Change, begin_change
from bot.store.audit import author, record, rest_on
from bot.store.bundles import look_anew
from bot.store.database import Database, whole
from bot.store.homes import find_place, partner_of
from bot.store.link_table import link_codes, links
from bot.store.parting import give_back_own, look_at_parting
from bot.store.people import know_place
from bot.store.promise import content
from bot.store.rows import read_ref
from bot.store.tables import chats, counters, outbox
from bot.store.uniting import look_at, take_over

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""What codes are written in: 32 signs, none of which is taken for another."""

_HALF = 5


class SqlLinking:
    """The part of the port ``Register`` that links private chats, and parts them."""

    _database: Database

    @whole
    async def offer_code(self, caller: Caller, until: float, now: float) -> str:
        """Make a code that links the caller's chat with that where it is typed; one before it holds no more.

        Fifty bits that hold for minutes; only their digest is kept. What has expired is dropped on the way.
        """
        halves = ("".join(secrets.choice(ALPHABET) for _ in range(_HALF)) for _ in range(2))
        code = "-".join(halves)
        async with self._database.writing() as connection:
            here = await know_place(self._database, connection, caller)
            is_over = or_(link_codes.c.chat_id == here, link_codes.c.expires_at <= now)
            await connection.execute(delete(link_codes).where(is_over))
            row = {"digest": _digest(code), "chat_id": here, "by": author(caller), "expires_at": until}
            await connection.execute(insert(link_codes), row)
        return code

    @whole
    async def try_code(self, caller: Caller, text: str, now: float) -> Meeting | Hindrance | None:
        """Use a code up, and say what linking the caller's chat to that of the code would do.

        ``None`` if it is none, or none any more. A code that finds a hindrance stays what it is.
        """
        is_meant = link_codes.c.digest == _digest(text)
        async with self._database.writing() as connection:
            known = select(link_codes).where(is_meant, link_codes.c.expires_at > now)
            code = (await connection.execute(known)).one_or_none()
            if code is None:
                return None
            here = await know_place(self._database, connection, caller)
            if (hindrance := await _hindrance(connection, code.chat_id, here)) is not None:
                return hindrance
            await connection.execute(delete(link_codes).where(is_meant))
            revision = await connection.scalar(select(counters.c.value).where(counters.c.name == "revision"))
            return await look_at(connection, code.chat_id, here, revision or 0, by=code.by)

    @whole
    async def link(
        self, caller: Caller, home: ChatRef, now: float, *, basis: Basis = PLAIN
    ) -> Meeting | Hindrance:
        """Link the caller's chat to a home, all of it or nothing; gives what was done.

        Raises Settled and Stale.
        """
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            here = await know_place(self._database, connection, caller)
            there = await find_place(connection, home)
            if there is None:
                return Hindrance.GONE
            if (hindrance := await _hindrance(connection, there, here)) is not None:
                return hindrance
            name = caller.chat.platform
            await rest_on(change, basis, Subject.LINK, name, [there])
            meeting = await look_at(connection, there, here, change.revision)
            before = await take_over(change, there, here, platform_name(name))
            row = {"chat_id": here, "home_id": there, "made_at": now, "before": before}
            await connection.execute(insert(links), row)
            both = link_codes.c.chat_id.in_((here, there))
            await connection.execute(delete(link_codes).where(both))
            await _settle_in(change, there, here)
            await _record(change, caller, name, there, here, basis=basis, home=home.platform)
            await _tell(change, there, Tie.LINKED, caller)
        return meeting

    @whole
    async def parting(self, caller: Caller) -> Parting | None:
        """Say what parting the caller's chat from the one that it is linked with would do; or ``None``."""
        async with self._database.reading() as connection:
            row = await _link_of(connection, caller)
            revision = await connection.scalar(select(counters.c.value).where(counters.c.name == "revision"))
            return await look_at_parting(connection, row, revision or 0) if row else None

    @whole
    async def unlink(self, caller: Caller, now: float, *, basis: Basis = PLAIN) -> Parting | None:
        """Part the caller's chat from the one that it is linked with; gives what was done.

        ``None`` if it is linked with none. Raises Settled and Stale.
        """
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            row = await _link_of(connection, caller)
            if row is None:
                return None
            parting = await look_at_parting(connection, row, change.revision)
            name = parting.other.platform
            await rest_on(change, basis, Subject.LINK, name, [row.home_id])
            await connection.execute(delete(links).where(links.c.chat_id == row.chat_id))
            await give_back_own(change, row)
            here = await find_place(connection, caller.chat)
            await _record(change, caller, name, row.home_id, here, basis=basis, home=None)
            await _tell(change, row.chat_id if here == row.home_id else row.home_id, Tie.PARTED, caller)
        return parting


def _digest(code: str) -> str:
    """Give what a code is kept and compared as; how it is spaced, and its case, mean nothing."""
    return hashlib.sha256("".join(filter(str.isalnum, code.upper())).encode()).hexdigest()


async def _hindrance(connection: AsyncConnection, home: int, other: int) -> Hindrance | None:
    """Say why a chat cannot be linked to another, if it cannot."""
    if home == other:
        return Hindrance.SELF
    if await partner_of(connection, other) is not None:
        return Hindrance.HERE
    if await partner_of(connection, home) is not None:
        return Hindrance.THERE
    platforms = select(func.count(chats.c.platform.distinct())).where(chats.c.id.in_((home, other)))
    return Hindrance.PLATFORM if await connection.scalar(platforms) == 1 else None


async def _link_of(connection: AsyncConnection, caller: Caller) -> Any:
    here = await find_place(connection, caller.chat)
    chosen = select(links).where(or_(links.c.chat_id == here, links.c.home_id == here))
    return (await connection.execute(chosen)).one_or_none()


async def _settle_in(change: Change, home: int, other: int) -> None:
    """Give a chat the settings of its home; what goes by its clock, or is kept, goes by the new ones."""
    kept = select(chats.c.language, chats.c.timezone, chats.c.quiet, chats.c.hears_broadcasts)
    row = (await change.connection.execute(kept.where(chats.c.id == home))).one()
    is_other = chats.c.id == other
    await change.connection.execute(update(chats).where(is_other).values(row._asdict()))
    await plan_anew(change.connection, [other], change.now)
    await look_anew(change.connection, is_other, change.now)


async def _record(
    change: Change,
    caller: Caller,
    name: str,
    scope: int,
    said_in: int | None,
    *,
    basis: Basis,
    home: str | None,
) -> None:
    after = None if home is None else {"home": home}
    before = {"home": ""} if home is None else None
    await record(
        change, caller, Subject.LINK, name,
        before=before, after=after, said_in=said_in, scope=scope, basis=basis,
    )  # fmt: skip


async def _tell(change: Change, to: int, what: Tie, caller: Caller) -> None:
    """Tell the other chat, so that nobody is linked without knowing it."""
    there = (await change.connection.execute(select(chats).where(chats.c.id == to))).one()
    if there.paused_reason:
        return
    facts = {"what": what.value, "by": author(caller), "place": platform_name(caller.chat.platform)}
    told = content(Telling.LINK, f"link/{change.revision}", facts, change.now)
    where = {"platform": read_ref(there).platform, "chat_id": to}
    await change.connection.execute(insert(outbox), {**where, **told})
