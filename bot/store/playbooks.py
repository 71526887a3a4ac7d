"""Playbooks: those made or changed in chat, and the alerts by which chats follow one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.changes import PLAIN, Basis, Subject
from bot.alerts.message import Facts
from bot.alerts.models import Alert, Telling
from bot.alerts.people import Caller, ChatRef
from bot.ports import Armer, Beyond, Conflict, KeptPlaybook, NewArming, Parts, PlaybookChange
from bot.rules import levels as levels_of
from bot.rules import parse
from bot.store.arming import Change, begin_change, bury, in_force, retire_unused
from bot.store.audit import author, record, rest_on
from bot.store.database import Database, chunks, whole
from bot.store.editing import rewrite
from bot.store.homes import find_place
from bot.store.link_table import links
from bot.store.people import find_chat, know_chat, person_of
from bot.store.promise import content
from bot.store.quotas import refuse_beyond
from bot.store.rows import followed, key_of, read_alert
from bot.store.subscribing import follow, insert_alert, own_of
from bot.store.tables import alerts, chats, is_of_playbook, levels, outbox, playbooks, subscriptions


class SqlPlaybooks:
    """The port ``Playbooks``."""

    _database: Database

    @whole
    async def playbooks(self) -> dict[str, KeptPlaybook]:
        """Give every playbook that was made, changed or taken away in chat, by name."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(playbooks).order_by(playbooks.c.key))
            return {row.key: KeptPlaybook(row.text, row.set_by, row.set_at) for row in rows}

    @whole
    async def playbook_followers(self) -> dict[str, int]:
        """Count, by the name of a playbook, the chats that follow it."""
        counted = (
            select(alerts.c.playbook, func.count(alerts.c.chat_id.distinct()).label("chats"))
            .where(is_of_playbook)
            .group_by(alerts.c.playbook)
        )
        async with self._database.reading() as connection:
            return {row.playbook: row.chats for row in await connection.execute(counted)}

    @whole
    async def follow_playbook(
        self,
        caller: Caller,
        name: str,
        parts: Parts,
        now: float,
        *,
        armer: Armer,
        filled: Mapping[str, Decimal],
        own: Mapping[str, Decimal],
        basis: Basis = PLAIN,
    ) -> list[Alert]:
        """Arm the rules of a playbook as alerts of the caller's chat, all or none; gives those made anew.

        Levels that nobody has set come to be, for the deployment. ``own`` are levels of these alerts alone.
        Raises Conflict if a level is not what it is ``filled`` with, Settled, and Stale if the playbook was
        changed since the proposal.
        """
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            await rest_on(change, basis, Subject.PLAYBOOK, name, [None])
            here = await know_chat(self._database, connection, caller)
            await _bear(change, name, armer, (*parts.adds.values(), *parts.changes.values()))
            values = await _values(connection, here, armer, own)
            if any(values.get(key_of(one)) != value for one, value in filled.items()):
                raise Conflict("a level was moved meanwhile")
            place = await find_place(connection, caller.chat)
            has = {row.part: row for row in await _rows(connection, name, here)}
            for part, rule in parts.changes.items():
                arming = NewArming(armer.refill(rule, values), armer.seen)
                if part not in has:
                    raise Conflict(f"{part} was taken away meanwhile")
                await rewrite(change, has[part], rule, arming, _used(rule, own))
            await _bury(change, [has[part] for part in parts.drops if part in has])
            made = []
            for part, rule in parts.adds.items():
                if part in has:
                    raise Conflict(f"{part} was armed meanwhile")
                arming = NewArming(armer.refill(rule, values), armer.seen)
                alert = Alert(0, rule, author(caller), now, chat=caller.chat, playbook=name, part=part)
                made.append(
                    await _add(change, here, alert, arming, by=person_of(caller), place=place, own=own)
                )
            return made

    @whole
    async def leave_playbook(self, chat: ChatRef, name: str, now: float) -> list[Alert]:
        """Delete all alerts of a chat that belong to a playbook; gives them."""
        async with self._database.writing() as connection:
            here = await find_chat(connection, chat)
            rows = await _rows(connection, name, here) if here is not None else []
            if rows:
                change = await begin_change(self._database, connection, now)
                await _bury(change, rows)
            return [read_alert(row, chat) for row in rows]

    @whole
    async def set_playbook(
        self,
        caller: Caller,
        name: str,
        parts: Parts,
        now: float,
        *,
        before: str | None,
        after: str | None,
        is_filed: bool,
        armer: Armer,
        basis: Basis = PLAIN,
    ) -> PlaybookChange:
        """Keep a playbook (``after`` is ``None``: take it away), and let all who follow it follow the change.

        One that ``is_filed`` just so is not kept beside its file. Each other chat whose alerts are changed is
        told once; what somebody deleted stays deleted. Written in the audit. Raises Settled, and Stale if
        something newer changed it: then nothing was written.
        """
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            await rest_on(change, basis, Subject.PLAYBOOK, name, [None])
            here = await know_chat(self._database, connection, caller)
            if is_filed:
                await connection.execute(delete(playbooks).where(playbooks.c.key == name))
            else:
                await _keep(self._database, change, name, after, author(caller))
            followers: dict[int, list[Row[Any]]] = defaultdict(list)
            for row in await _rows(connection, name):
                followers[row.chat_id].append(row)
            if followers:
                await _bear(change, name, armer, (*parts.adds.values(), *parts.changes.values()))
            told: dict[int, list[dict[str, str]]] = {}
            for chat_id, rows in followers.items():
                told[chat_id] = await _carry(change, name, rows, parts, armer)
            told = {chat_id: done for chat_id, done in told.items() if done}
            others = {chat_id: done for chat_id, done in told.items() if chat_id != here}
            await _announce(change, name, author(caller), others, is_over=after is None)
            if before != after:
                said = _document(before), _document(after)
                await record(
                    change, caller, Subject.PLAYBOOK, name,
                    before=said[0], after=said[1], said_in=here, basis=basis,
                )  # fmt: skip
        return PlaybookChange(len(told), sum(map(len, told.values())))


def _document(text: str | None) -> dict[str, Any] | None:
    return None if text is None else {"toml": text}


async def _keep(database: Database, change: Change, name: str, text: str | None, by: str) -> None:
    values = {"text": text, "set_by": by, "set_at": change.now, "revision": change.revision}
    kept = database.insert(playbooks).values(key=name, **values)
    await change.connection.execute(kept.on_conflict_do_update(index_elements=["key"], set_=values))


async def _bear(change: Change, name: str, armer: Armer, rules: Iterable[str]) -> None:
    """Let the levels of a playbook that its rules follow come to be where the deployment has none."""
    named = frozenset[str]().union(*(levels_of(parse(rule)) for rule in rules))
    known = await in_force(change.connection, None)
    rows = [
        {
            "chat_id": None,
            "key": key_of(level),
            "name": level,
            "value": str(armer.levels[level]),
            "set_by": name,
            "set_at": change.now,
        }
        for level in sorted(named)
        if level in armer.levels and key_of(level) not in known
    ]
    if rows:
        await change.connection.execute(insert(levels), rows)


async def _values(
    connection: AsyncConnection, chat_id: int, armer: Armer, own: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    """Give what the levels are for alerts of a chat, by key."""
    known = await in_force(connection, chat_id)
    held = {key: Decimal(row.value) for key, row in known.items()}
    return {**armer.levels, **held, **{key_of(name): value for name, value in own.items()}}


async def _rows(connection: AsyncConnection, name: str, chat_id: int | None = None) -> Sequence[Row[Any]]:
    """Read the alerts that belong to a playbook, of one chat or of all, by number."""
    chosen = followed().where(is_of_playbook, alerts.c.playbook == name)
    if chat_id is not None:
        chosen = chosen.where(subscriptions.c.chat_id == chat_id)
    chosen = chosen.order_by(subscriptions.c.chat_id, alerts.c.number)
    found: Sequence[Row[Any]] = (await connection.execute(chosen)).all()
    return found


async def _add(
    change: Change,
    chat_id: int,
    alert: Alert,
    arming: NewArming,
    *,
    by: str,
    place: int | None,
    own: Mapping[str, Decimal],
) -> Alert:
    """Make one alert of a playbook. Raises Beyond before anything is written, where there may be no more."""
    await refuse_beyond(change.connection, chat_id, by, is_shared=False)
    numbered = update(chats).where(chats.c.id == chat_id).values(last_number=chats.c.last_number + 1)
    number = (await change.connection.execute(numbered.returning(chats.c.last_number))).scalar_one()
    alert = replace(alert, number=number)
    alert_id = await insert_alert(change, alert, chat_id)
    own = _used(alert.rule, own)
    await follow(change, chat_id, alert_id, alert.rule, arming, by=by, place=place, own=own)
    return replace(alert, id=alert_id)


def _used(rule: str, own: Mapping[str, Decimal]) -> dict[str, Decimal]:
    named = levels_of(parse(rule))
    return {level: value for level, value in own.items() if level in named}


async def _bury(change: Change, rows: Sequence[Row[Any]]) -> None:
    """Delete alerts with their subscriptions; what they rang stays explained."""
    for piece in chunks([row.subscription_id for row in rows]):
        await change.connection.execute(delete(subscriptions).where(subscriptions.c.id.in_(piece)))
    for row in rows:
        await bury(change, row.alert_id)
    await retire_unused(change, [row.arming_id for row in rows])


async def _carry(
    change: Change, name: str, rows: Sequence[Row[Any]], parts: Parts, armer: Armer
) -> list[dict[str, str]]:
    """Let one chat follow a change; gives what was done to which of its alerts, as facts.

    What is added is made in the name of who followed the playbook, and rings in the chat where they did.
    """
    connection, has, chat_id = change.connection, {row.part: row for row in rows}, rows[0].chat_id
    own: dict[str, Decimal] = {}
    for row in rows:
        own |= await own_of(connection, row.subscription_id)
    values = await _values(connection, chat_id, armer, own)
    done: list[dict[str, str]] = []
    for part, rule in parts.changes.items():
        if part in has:
            arming = NewArming(armer.refill(rule, values), armer.seen)
            await rewrite(change, has[part], rule, arming, _used(rule, own))
            done.append({"alert": f"#{has[part].number}", "what": "changed", "rule": arming.rule})
    dropped = [has[part] for part in parts.drops if part in has]
    await _bury(change, dropped)
    done += [{"alert": f"#{row.number}", "what": "dropped", "rule": row.armed_rule or ""} for row in dropped]
    is_first = subscriptions.c.id == rows[0].subscription_id
    by = await connection.scalar(select(subscriptions.c.person).where(is_first)) or ""
    linked = select(links.c.chat_id).join(subscriptions, subscriptions.c.place_id == links.c.chat_id)
    place = await connection.scalar(linked.where(is_first))
    for part, rule in parts.adds.items():
        if part not in has:
            arming = NewArming(armer.refill(rule, values), armer.seen)
            alert = Alert(0, rule, rows[0].author, change.now, playbook=name, part=part)
            try:
                alert = await _add(change, chat_id, alert, arming, by=by, place=place, own=own)
            except Beyond:
                done.append({"alert": "", "what": "beyond", "rule": arming.rule})
            else:
                done.append({"alert": alert.label, "what": "added", "rule": arming.rule})
    return done


async def _announce(
    change: Change, name: str, by: str, told: Mapping[int, list[dict[str, str]]], *, is_over: bool
) -> None:
    """Tell each chat once what became of its alerts."""
    written = f"playbook/{name}/{change.revision}"
    rows = []
    for piece in chunks(told):
        reached = select(chats).where(chats.c.id.in_(piece), chats.c.paused_reason == "")
        for chat in await change.connection.execute(reached):
            facts: Facts = {"name": name, "by": by, "is_over": is_over, "parts": told[chat.id]}
            row = content(Telling.PLAYBOOK, written, facts, change.now)
            rows.append({"platform": chat.platform, "chat_id": chat.id, **row})
    for part in chunks(rows, 5000):
        await change.connection.execute(insert(outbox), list(part))
