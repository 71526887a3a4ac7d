"""Erase a person: all rows of their private chats go, and in all others nobody stands in their place.

Nothing of it may be read in the file of the database afterwards: deleted cells are overwritten, and the
write-ahead log is emptied. What watch holds in memory it lets go of when it reads the change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Table,
    Text,
    and_,
    cast,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.changes import PLAIN, Basis, Subject
from bot.alerts.models import Telling
from bot.alerts.people import NOBODY, Caller, ChatKind
from bot.ports.erasing import Traces
from bot.store.agenda_table import agenda
from bot.store.arming import Change, begin_change
from bot.store.broadcast_table import broadcasts
from bot.store.database import Database, chunks, whole
from bot.store.handout_table import handouts
from bot.store.link_table import link_codes, links
from bot.store.proposals import claim
from bot.store.rows import same_chat
from bot.store.tables import (
    alert_levels,
    alert_states,
    alerts,
    armings,
    audit,
    bans,
    chats,
    fillings,
    levels,
    outbox,
    playbooks,
    proposals,
    rings,
    subscriptions,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_DAY = 86_400.0
_LOOKS = 60
_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Whole:
    """A person as the database knows them: their private chats, and who they are on each platform."""

    chats: tuple[int, ...]
    persons: frozenset[tuple[str, str]]

    @property
    def ids(self) -> list[str]:
        """Name them as rows do: ``telegram:123``."""
        return sorted(f"{platform}:{person}" for platform, person in self.persons)


async def whole_person(connection: AsyncConnection, caller: Caller) -> Whole:
    """Find all private chats of the caller's person, those that are linked among them."""
    is_theirs = and_(chats.c.platform == caller.chat.platform, chats.c.person == caller.person)
    is_private = chats.c.kind == ChatKind.PRIVATE.value
    own = select(chats.c.id).where(is_private, or_(is_theirs, same_chat(caller.chat)))
    found = set(await connection.scalars(own))
    homes = set(await connection.scalars(select(links.c.home_id).where(links.c.chat_id.in_(found)))) | found
    found = homes | set(await connection.scalars(select(links.c.chat_id).where(links.c.home_id.in_(homes))))
    rows = await connection.execute(select(chats.c.platform, chats.c.person).where(chats.c.id.in_(found)))
    persons = {(row.platform, row.person) for row in rows if row.person}
    return Whole(tuple(sorted(found)), frozenset({*persons, (caller.chat.platform, caller.person)}))


class SqlErasing:
    """The part of the port ``Register`` that forgets a person."""

    _database: Database

    @whole
    async def traces(self, caller: Caller) -> Traces:
        """Count what would go, and what would stay without a name."""
        async with self._database.reading() as connection:
            who = await whole_person(connection, caller)
            is_own = subscriptions.c.chat_id.in_(who.chats)

            async def count(selection: Select[Any]) -> int:
                return int(await connection.scalar(selection) or 0)

            of_subscription = select(func.count()).select_from(subscriptions.join(alerts))
            return Traces(
                alerts=await count(of_subscription.where(is_own, alerts.c.name.is_(None))),
                followed=await count(of_subscription.where(is_own, alerts.c.name.is_not(None))),
                in_groups=await count(of_subscription.where(~is_own, subscriptions.c.person.in_(who.ids))),
                chats=len(who.chats),
            )

    @whole
    async def erase(self, caller: Caller, now: float, *, basis: Basis = PLAIN) -> None:
        """Delete a person's data, in one transaction. Raises Settled."""
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            if basis.proposal is not None:
                await claim(change, basis.proposal)
            who = await whole_person(connection, caller)
            names = await _names(connection, who, caller)
            await _forget_in_groups(change, who, names)
            await _forget_in_audit(change, who, names)
            await _delete_alerts(change, who)
            await _delete_rest(change, who)

    async def wipe(self) -> bool:
        """Empty the write-ahead log, where what was deleted may still be read; ``False`` if it cannot be now.

        Readers hold it up, never for long: it is tried between them, so that nobody waits for it.
        """
        for _ in range(_LOOKS):
            if await self._empty_log():
                return True
            await asyncio.sleep(_PAUSE)
        log.warning("the write-ahead log could not be emptied: what was deleted may stand in it for a while")
        return False

    @whole
    async def _empty_log(self) -> bool:
        return await self._database.empty_log()


async def _names(connection: AsyncConnection, who: Whole, caller: Caller) -> list[str]:
    """Give what a person was called, as rows tell it."""
    of_them = subscriptions.c.person.in_(who.ids)
    found = {caller.name, caller.person}
    for chosen in (
        select(audit.c.by).where(audit.c.person.in_(who.ids)),
        select(alerts.c.author)
        .join(subscriptions, subscriptions.c.alert_id == alerts.c.id)
        .where(of_them, alerts.c.chat_id.is_not(None)),
        select(alerts.c.author).where(alerts.c.chat_id.in_(who.chats)),
        select(proposals.c.name).where(_are_their_proposals(who)),
        select(handouts.c.by).where(handouts.c.person.in_(who.ids)),
        select(link_codes.c.by).where(link_codes.c.chat_id.in_(who.chats)),
    ):
        found.update(await connection.scalars(chosen.distinct()))
    return sorted(found - {"", NOBODY})


def _are_their_proposals(who: Whole) -> ColumnElement[bool]:
    """Tell what a person proposed, wherever; a row names them by their id on the platform of its chat."""
    said = [
        and_(
            proposals.c.person == person,
            proposals.c.chat_id.in_(select(chats.c.id).where(chats.c.platform == on)),
        )
        for on, person in who.persons
    ]
    return or_(proposals.c.chat_id.in_(who.chats), *said)


async def _forget_in_groups(change: Change, who: Whole, names: Sequence[str]) -> None:
    """Let the alerts that they made in groups be of the groups alone.

    Of one that was deleted, or made by an early version, no row says who made it but by name.
    """
    connection = change.connection
    is_groups = and_(alerts.c.chat_id.is_not(None), alerts.c.chat_id.not_in(who.chats))
    of_alert = subscriptions.c.alert_id == alerts.c.id
    is_made = exists().where(of_alert, subscriptions.c.person.in_(who.ids))
    is_known = exists().where(of_alert, subscriptions.c.person != "")
    is_theirs = or_(is_made, and_(alerts.c.author.in_(names), ~is_known))
    await connection.execute(update(alerts).where(is_groups, is_theirs).values(author=NOBODY))
    made = update(subscriptions).where(subscriptions.c.person.in_(who.ids))
    await connection.execute(made.values(person=""))


async def _forget_in_audit(change: Change, who: Whole, names: Sequence[str]) -> None:
    """Let nobody have changed what they changed; what was theirs alone goes."""
    connection = change.connection
    done = (await connection.execute(select(audit).where(audit.c.person.in_(who.ids)))).all()
    await _unsign(change, done, names)
    is_scope = or_(audit.c.scope_id.in_(who.chats), audit.c.id.in_(await _their_links(connection, who)))
    gone = select(audit.c.id).where(is_scope).scalar_subquery()
    await connection.execute(update(audit).where(audit.c.undoes.in_(gone)).values(undoes=None))
    await connection.execute(delete(audit).where(is_scope))
    said = update(audit).where(audit.c.chat_id.in_(who.chats))
    await connection.execute(said.values(chat_id=None))
    signed = update(audit).where(audit.c.person.in_(who.ids))
    await connection.execute(signed.values(person="", by=NOBODY))
    for platform, person in who.persons:
        is_of = and_(bans.c.platform == platform, bans.c.person == person)
        await connection.execute(delete(bans).where(is_of, bans.c.until <= change.now))
        if await connection.scalar(select(bans.c.person).where(is_of)) is None:
            is_ban = and_(audit.c.kind == Subject.BAN.value, audit.c.name == f"{platform}:{person}")
            await connection.execute(update(audit).where(is_ban).values(name=NOBODY, key=NOBODY))


async def _their_links(connection: AsyncConnection, who: Whole) -> list[int]:
    """Give the rows on links with chats of theirs, those that are over too: they name no other person."""
    there = await connection.execute(select(chats.c.chat).where(chats.c.id.in_(who.chats)))
    ids = {row.chat for row in there} | {person for _, person in who.persons}
    rows = await connection.execute(select(audit).where(audit.c.kind == Subject.LINK.value))
    return [
        row.id
        for row in rows
        if any(one in f"{row.person} {row.name} {row.before} {row.after}" for one in ids)
    ]


async def _unsign(change: Change, done: Iterable[Row[Any]], names: Sequence[str]) -> None:
    """Take their name off the things that they set for others, and off what was told of that."""
    connection = change.connection
    told: list[str] = []
    for row in done:
        match row.kind:
            case Subject.LEVEL.value:
                is_it = and_(levels.c.key == row.key, levels.c.chat_id.is_not_distinct_from(row.scope_id))
                await _sign(connection, levels, "set_by", is_it, names)
                told.append(f"{Telling.LEVEL.value}/{row.key}/{row.revision}")
            case Subject.SHARED.value:
                await _sign(connection, alerts, "author", alerts.c.key == row.key, names)
            case Subject.PLAYBOOK.value:
                await _sign(connection, playbooks, "set_by", playbooks.c.key == row.key, names)
                told.append(f"{Telling.PLAYBOOK.value}/{row.name}/{row.revision}")
            case Subject.LINK.value:
                told.append(f"{Telling.LINK.value}/{row.revision}")
            case Subject.BROADCAST.value:
                await _sign(connection, broadcasts, "by", cast(broadcasts.c.id, Text) == row.key, names)
    for piece in chunks(told):
        chosen = select(outbox.c.id, outbox.c.facts).where(outbox.c.dedupe.in_(piece))
        for one in (await connection.execute(chosen)).all():
            facts = {**one.facts, "by": NOBODY}
            await connection.execute(update(outbox).where(outbox.c.id == one.id).values(facts=facts))


async def _sign(
    connection: AsyncConnection, table: Table, column: str, is_it: ColumnElement[bool], names: Sequence[str]
) -> None:
    signed = update(table).where(is_it, table.c[column].in_(names))
    await connection.execute(signed.values({column: NOBODY}))


async def _delete_alerts(change: Change, who: Whole) -> None:
    """Delete what their chats own and follow, with the armings that nobody else uses and what they rang."""
    connection = change.connection
    is_their_chat = subscriptions.c.chat_id.in_(who.chats)
    owned = list(await connection.scalars(select(alerts.c.id).where(alerts.c.chat_id.in_(who.chats))))
    shared = list(
        await connection.scalars(
            select(outbox.c.alert_id)
            .where(outbox.c.chat_id.in_(who.chats), outbox.c.alert_id.is_not(None))
            .union(select(subscriptions.c.alert_id).where(is_their_chat))
        )
    )
    left = list(await connection.scalars(select(subscriptions.c.arming_id).where(is_their_chat)))
    theirs = select(subscriptions.c.id).where(is_their_chat)
    await connection.execute(delete(fillings).where(fillings.c.subscription_id.in_(theirs)))
    await connection.execute(delete(subscriptions).where(is_their_chat))
    is_theirs = or_(outbox.c.chat_id.in_(who.chats), outbox.c.owner_id.in_(who.chats))
    await connection.execute(delete(outbox).where(is_theirs))
    for piece in chunks(owned):
        await connection.execute(delete(outbox).where(outbox.c.alert_id.in_(piece)))
    over: list[int] = []
    for piece in chunks(owned):
        over += await connection.scalars(select(armings.c.id).where(armings.c.alert_id.in_(piece)))
    for piece in chunks(set(shared) - set(owned)):
        over += await connection.scalars(_unused(armings.c.alert_id.in_(piece)))
    await _retire(change, [one for one in left if one is not None and one not in set(over)])
    await _bury(change, over)
    for piece in chunks(owned):
        await connection.execute(delete(alert_levels).where(alert_levels.c.alert_id.in_(piece)))
        await connection.execute(delete(alerts).where(alerts.c.id.in_(piece)))


def _unused(of: ColumnElement[bool]) -> Select[Any]:
    """Choose the armings of shared alerts that one chat's own numbers made, and that nobody else was told."""
    is_followed = exists().where(subscriptions.c.arming_id == armings.c.id)
    is_told = exists().where(outbox.c.ring_id == rings.c.id, rings.c.arming_id == armings.c.id)
    is_own = or_(armings.c.is_own.is_(true()), armings.c.is_eager.is_(true()))
    return select(armings.c.id).where(of, is_own, ~is_followed, ~is_told)


async def _retire(change: Change, left: Sequence[int]) -> None:
    is_followed = exists().where(subscriptions.c.arming_id == armings.c.id)
    for piece in chunks(left):
        await change.connection.execute(
            update(armings)
            .where(armings.c.id.in_(piece), armings.c.retired_at.is_(None), ~is_followed)
            .values(is_open=False, retired_at=change.now, retired_in=change.revision)
        )


async def _bury(change: Change, over: Sequence[int]) -> None:
    """Delete armings with all that they did; of one that watch may still hold an empty row tells it so.

    It says nothing, and goes with what else was over long ago.
    """
    connection = change.connection
    for piece in chunks(over):
        await connection.execute(delete(rings).where(rings.c.arming_id.in_(piece)))
        await connection.execute(delete(alert_states).where(alert_states.c.arming_id.in_(piece)))
        is_old = armings.c.retired_at < change.now - _DAY
        await connection.execute(delete(armings).where(armings.c.id.in_(piece), is_old))
    held: list[int] = []
    for piece in chunks(over):
        held += await connection.scalars(select(armings.c.id).where(armings.c.id.in_(piece)))
    if not held:
        return
    empty = {
        "name": NOBODY,
        "key": NOBODY,
        "rule": "",
        "is_once": True,
        "author": NOBODY,
        "made_at": change.now,
        "deleted_at": change.now,
        "revision": change.revision,
    }
    alert = (await connection.execute(insert(alerts).values(empty).returning(alerts.c.id))).scalar_one()
    blank = {"alert_id": alert, "rule": "", "levels": {}, "seen": [], "is_open": False}
    over_now = {"retired_at": change.now, "retired_in": change.revision}
    for piece in chunks(held):
        await connection.execute(update(armings).where(armings.c.id.in_(piece)).values({**blank, **over_now}))


async def _delete_rest(change: Change, who: Whole) -> None:
    connection = change.connection
    await connection.execute(delete(proposals).where(_are_their_proposals(who)))
    await connection.execute(delete(handouts).where(handouts.c.person.in_(who.ids)))
    placed = update(subscriptions).where(subscriptions.c.place_id.in_(who.chats))
    await connection.execute(placed.values(place_id=None, place=""))
    await connection.execute(
        delete(links).where(or_(links.c.chat_id.in_(who.chats), links.c.home_id.in_(who.chats)))
    )
    for table in (link_codes, levels, agenda):
        await connection.execute(delete(table).where(table.c.chat_id.in_(who.chats)))
    await connection.execute(delete(chats).where(chats.c.id.in_(who.chats)))
