"""Policies, quotas and bans: who may do what, and how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, and_, delete, or_, select, update

from bot.alerts.bounds import QUOTAS, Ban, Bounds, Thing, Whose, quota_name
from bot.alerts.changes import PLAIN, Basis, Subject
from bot.alerts.models import Telling
from bot.alerts.people import Caller, ChatKind, ChatRef, Policy
from bot.store.arming import Change, begin_change, move, retire_unused
from bot.store.audit import record, rest_on
from bot.store.database import Database, chunks, whole
from bot.store.homes import homes_of, linked_persons
from bot.store.people import know_chat, read_policy
from bot.store.promise import promise, to_subscribers
from bot.store.quotas import set_quotas
from bot.store.subscribing import find
from bot.store.tables import bans, chats, quotas, subscriptions


class SqlBounds:
    """The part of the port ``Register`` that knows who may do what, and how much."""

    _database: Database

    @whole
    async def bounds(self) -> Bounds:
        """Give the quotas that were set, and all bans."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(bans))
            found = {(row.platform, row.person): _read(row) for row in rows}
            return Bounds(await set_quotas(connection), found, await linked_persons(connection))

    @whole
    async def maker(self, chat: ChatRef, label: str) -> str | None:
        """Say who made one alert of a chat (``#3``, or a name), as ``platform:id``; ``None`` if unknown."""
        async with self._database.reading() as connection:
            row = await find(connection, chat, label)
            if row is None:
                return None
            chosen = select(subscriptions.c.person).where(subscriptions.c.id == row.subscription_id)
            return await connection.scalar(chosen) or None

    @whole
    async def set_policy(self, caller: Caller, policy: Policy, now: float, *, basis: Basis = PLAIN) -> Policy:
        """Say who may make alerts in the caller's group, its topics included; gives what held before."""
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            here = await know_chat(self._database, connection, caller)
            group = await know_chat(self._database, connection, replace(caller, chat=caller.group))
            await rest_on(change, basis, Subject.POLICY, "policy", [group])
            before = await read_policy(connection, caller.group)
            if before is not policy:
                await connection.execute(update(chats).where(chats.c.id == group).values(policy=policy.value))
                await record(
                    change,
                    caller,
                    Subject.POLICY,
                    "policy",
                    before={"value": before.value},
                    after={"value": policy.value},
                    said_in=here,
                    scope=group,
                    basis=basis,
                )
            return before

    @whole
    async def set_quota(
        self,
        caller: Caller,
        thing: Thing,
        whose: Whose,
        value: int | None,
        now: float,
        *,
        basis: Basis = PLAIN,
    ) -> int:
        """Set a quota (``None``: what it is by default); gives what held before."""
        name = quota_name(thing, whose)
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            await rest_on(change, basis, Subject.QUOTA, name, [None])
            before = (await set_quotas(connection)).get((thing, whose))
            usual = QUOTAS[thing, whose]
            if before == value:
                return usual if before is None else before
            await connection.execute(delete(quotas).where(quotas.c.name == name))
            if value is not None:
                await connection.execute(quotas.insert().values(name=name, value=value))
            here = await know_chat(self._database, connection, caller)
            was = None if before is None else {"value": before}
            after = None if value is None else {"value": value}
            await record(
                change, caller, Subject.QUOTA, name, before=was, after=after, said_in=here, basis=basis
            )
            return usual if before is None else before

    @whole
    async def ban(
        self,
        caller: Caller,
        platform: str,
        person: str,
        until: float | None,
        now: float,
        *,
        basis: Basis = PLAIN,
    ) -> int:
        """Shut a person or a group out, pause their alerts, and tell the chats that had some, once."""
        name = f"{platform}:{person}"
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            await rest_on(change, basis, Subject.BAN, name, [None])
            before = await _known(change, platform, person)
            await connection.execute(delete(bans).where(_is_of(platform, person)))
            count = await self._pause(change, platform, person, until)
            # Who was told goes on being told nothing, unless it is another time now.
            is_known = before is not None and before.holds(now) and before.until == until
            told_at = now if count else before.told_at if before and is_known else None
            written = {"platform": platform, "person": person, "until": until}
            await connection.execute(bans.insert().values(**written, made_at=now, told_at=told_at))
            here = await know_chat(self._database, connection, caller)
            was = _document(before) if before is not None and before.holds(now) else None
            after = {"until": until}
            await record(
                change, caller, Subject.BAN, name, before=was, after=after, said_in=here, basis=basis
            )
            return count

    async def _pause(self, change: Change, platform: str, person: str, until: float | None) -> int:
        chosen = (
            select(subscriptions.c.id, subscriptions.c.arming_id)
            .join(chats, subscriptions.c.chat_id == chats.c.id)
            .where(subscriptions.c.arming_id.is_not(None), _are_theirs(platform, person))
        )
        rows = (await change.connection.execute(chosen)).all()
        if rows:
            ids: Sequence[int] = [row.id for row in rows]
            telling = to_subscribers(
                Telling.BANNED, f"banned/{change.revision}", {"until": until}, change.now
            )
            for piece in chunks(ids):
                chosen_ones = telling.where(subscriptions.c.id.in_(piece))
                await promise(self._database, change.connection, chosen_ones)
            await move(change, ids, None)
            await retire_unused(change, [row.arming_id for row in rows])
        return len(rows)

    @whole
    async def unban(
        self, caller: Caller, platform: str, person: str, now: float, *, basis: Basis = PLAIN
    ) -> Ban | None:
        """Let them in again; gives the ban that held, or ``None``. What was paused stays so."""
        name = f"{platform}:{person}"
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            await rest_on(change, basis, Subject.BAN, name, [None])
            before = await _known(change, platform, person)
            await connection.execute(delete(bans).where(_is_of(platform, person)))
            if before is None or not before.holds(now):
                return None
            here = await know_chat(self._database, connection, caller)
            was = _document(before)
            await record(change, caller, Subject.BAN, name, before=was, after=None, said_in=here, basis=basis)
            return before

    @whole
    async def note_told(self, platform: str, person: str, now: float) -> None:
        """Note that somebody was told of their ban."""
        async with self._database.writing() as connection:
            await connection.execute(update(bans).where(_is_of(platform, person)).values(told_at=now))


def _is_of(platform: str, person: str) -> Any:
    return and_(bans.c.platform == platform, bans.c.person == person)


def _are_theirs(platform: str, person: str) -> Any:
    """Tell what a person has in private chats, linked ones too, or what a group of that id has."""
    is_private = chats.c.kind == ChatKind.PRIVATE.value
    return or_(
        and_(chats.c.platform == platform, chats.c.chat == person),
        and_(is_private, subscriptions.c.person == f"{platform}:{person}"),
        subscriptions.c.chat_id.in_(homes_of(platform, person)),
    )


async def _known(change: Change, platform: str, person: str) -> Ban | None:
    rows = await change.connection.execute(select(bans).where(_is_of(platform, person)))
    row = rows.one_or_none()
    return _read(row) if row is not None else None


def _read(row: Row[Any]) -> Ban:
    return Ban(row.platform, row.person, row.until, row.told_at)


def _document(ban: Ban) -> dict[str, float | None]:
    return {"until": ban.until}
