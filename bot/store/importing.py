"""Take in what somebody brings from elsewhere: settings, levels and alerts, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import exists, insert, select, update

from bot.alerts.bounds import Thing
from bot.alerts.changes import PLAIN, Basis, Subject
from bot.alerts.models import Alert
from bot.alerts.people import Caller
from bot.ports import Conflict, NewArming
from bot.ports.importing import Intake, Taken
from bot.store.agenda import write_report
from bot.store.arming import Change, begin_change, move, retire_unused
from bot.store.audit import author, record
from bot.store.database import whole
from bot.store.hearing import write_quiet
from bot.store.homes import home_of
from bot.store.levels import is_followed_in
from bot.store.people import find_chat, know_place, person_of
from bot.store.places import SqlPlaces, refuse_told
from bot.store.proposals import claim
from bot.store.quotas import room_of
from bot.store.rows import key_of
from bot.store.subscribing import follow, insert_alert
from bot.store.tables import alerts, chats, is_published, levels, subscriptions
from bot.store.welcome import SqlWelcome


class SqlImporting(SqlPlaces, SqlWelcome):
    """The part of the port ``Register`` that takes in what somebody brings."""

    @whole
    async def room(self, caller: Caller) -> Mapping[Thing, int]:
        """Say how many more alerts, and shared ones, the caller may have in this chat."""
        async with self._database.reading() as connection:
            here, person = await find_chat(connection, caller.chat), person_of(caller)
            rooms = {
                thing: await room_of(connection, here, person, thing)
                for thing in (Thing.ALERTS, Thing.SUBSCRIPTIONS)
            }
            return {thing: min(room.values()) for thing, room in rooms.items()}

    @whole
    async def take_in(
        self, caller: Caller, intake: Intake, now: float, *, basis: Basis = PLAIN
    ) -> list[Alert]:
        """Make it all in the caller's chat, or nothing; gives the alerts.

        Raises Conflict where a level or a shared alert is not as it was reckoned on, Beyond, and Settled.
        """
        async with self._database.writing() as connection:
            change = await begin_change(self._database, connection, now)
            if basis.proposal is not None:
                await claim(change, basis.proposal)
            place = await know_place(self._database, connection, caller)
            here = await home_of(connection, place)
            await self._settle_in(change, caller, intake, place)
            await _set_levels(change, caller, intake, here)
            return [await self._take(change, caller, here, place, one) for one in intake.alerts]

    async def _settle_in(self, change: Change, caller: Caller, intake: Intake, place: int) -> None:
        """Change settings as typing them does; the clock first, since reports go by it."""
        connection = change.connection
        if intake.language is not None:
            await self._set(connection, caller, "language", intake.language)
        if intake.timezone is not None:
            await self._set_timezone(connection, caller, intake.timezone, change.now)
        if intake.quiet is not None:
            await write_quiet(connection, caller.chat, intake.quiet, change.now)
        if intake.announcements is not None:
            await self._hear(connection, caller, intake.announcements)
        if intake.report is not None:
            await write_report(connection, place, intake.report, change.now)

    async def _take(self, change: Change, caller: Caller, here: int, place: int, one: Taken) -> Alert:
        """Let the chat ``here`` have an alert; it rings in ``place`` unless it says another."""
        connection, by = change.connection, person_of(caller)
        if one.name:
            named = select(alerts.c.id, alerts.c.rule).where(alerts.c.key == key_of(one.name), is_published)
            shared = (await connection.execute(named)).one_or_none()
            if shared is None or shared.rule != one.rule:
                raise Conflict(f"{one.name} was changed meanwhile")
            alert, alert_id = Alert(shared.id, one.rule, "", change.now, name=one.name), int(shared.id)
        else:
            numbered = update(chats).where(chats.c.id == here).values(last_number=chats.c.last_number + 1)
            number = (await connection.execute(numbered.returning(chats.c.last_number))).scalar_one()
            alert = Alert(0, one.rule, author(caller), change.now, chat=caller.chat, number=number)
            alert = replace(alert, playbook=one.playbook, part=one.part)
            alert_id = await insert_alert(change, alert, here)
        arming = NewArming(one.armed, one.seen)
        await follow(
            change, here, alert_id, one.rule, arming,
            by=by, place=place, own=one.own, is_urgent=one.is_urgent,
        )  # fmt: skip
        is_it = (subscriptions.c.chat_id == here, subscriptions.c.alert_id == alert_id)
        row = (await connection.execute(select(subscriptions).where(*is_it))).one()
        if one.is_paused:
            await move(change, [row.id], None)
            await retire_unused(change, [row.arming_id])
        if one.muted_until is not None:
            muted = {"muted_at": change.now, "muted_until": one.muted_until}
            await connection.execute(update(subscriptions).where(*is_it).values(muted))
        if one.place is not None:
            to = await self._known(change, caller, one.place)
            await refuse_told(connection, row.id, alert, to)
            at_home = {"place_id": None, "place": ""}
            placed = at_home if to == here else {"place_id": to, "place": one.place.name}
            await connection.execute(update(subscriptions).where(*is_it).values(placed))
        return replace(alert, id=alert_id)


async def _set_levels(change: Change, caller: Caller, intake: Intake, here: int) -> None:
    """Write levels of the chat's own. Raises Conflict where there is one, or another is followed."""
    connection = change.connection
    for name, value in intake.levels.items():
        key = key_of(name)
        is_there = exists().where(levels.c.chat_id == here, levels.c.key == key)
        if await connection.scalar(select(is_there)) or await is_followed_in(connection, key, here):
            raise Conflict(f"the level {name} came to be meanwhile")
        row = {"chat_id": here, "key": key, "name": name, "value": str(value)}
        await connection.execute(insert(levels), {**row, "set_by": author(caller), "set_at": change.now})
        after = {"value": str(value)}
        await record(
            change, caller, Subject.LEVEL, name,
            before=None, after=after, said_in=here, scope=here, basis=PLAIN,
        )  # fmt: skip
