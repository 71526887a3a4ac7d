"""Shut persons and groups out, and let them in again."""

from __future__ import annotations

import re

from bot.alerts.changes import PLAIN, Basis, Entry
from bot.alerts.message import say
from bot.alerts.translator import Translator
from bot.commands.request import Refusal, Request
from bot.commands.telling import seconds_of
from bot.ports import Replies

_PERSON = re.compile(r"(?:(telegram|discord|console):)?(-?\d{1,20}|me)", re.ASCII)
_MENTION = re.compile(r"<@!?(\d{1,20})>", re.ASCII)


async def ban(request: Request) -> Replies:
    """Shut somebody out, for a while or until it is taken back; alone, list who is."""
    tr, text = request.tr, request.given("person")
    if not text:
        yield say(*await _listed(request))
        return
    platform, person = _read(text, request)
    if (platform, person) in request.office.operators:
        raise Refusal(
            tr("{person} is an operator of this bot, whom nobody shuts out.", person=f"{platform}:{person}"),
            tr("Operators are named in the setting {name}.", name="TOCSIN_ADMINS"),
        )
    until = _until(request.given("time"), request)
    yield say(*await _ban(request, platform, person, until, PLAIN))


async def unban(request: Request) -> Replies:
    """Let somebody in again."""
    platform, person = _read(request.given("person"), request)
    yield say(*await _unban(request, platform, person, PLAIN))


async def _ban(request: Request, platform: str, person: str, until: float | None, basis: Basis) -> list[str]:
    tr, office, name = request.tr, request.office, f"{platform}:{person}"
    count = await office.register.ban(request.caller, platform, person, until, request.instant, basis=basis)
    await office.gate.refresh()
    if until is None:
        out = tr("{person} is shut out.", person=name)
    else:
        out = tr("{person} is shut out until {until}.", person=name, until=tr.instant(until, request.now))
    paused = tr.many(
        "{count} alert of theirs is paused, and they are told.",
        "{count} alerts of theirs are paused, and they are told.",
        count,
    )
    again = tr("{line} lets them in again.", line=f"/unban {name}")
    return [out, *((paused,) if count else ()), again]


async def _unban(request: Request, platform: str, person: str, basis: Basis) -> list[str]:
    tr, office, name = request.tr, request.office, f"{platform}:{person}"
    before = await office.register.unban(request.caller, platform, person, request.instant, basis=basis)
    await office.gate.refresh()
    if before is None:
        raise Refusal(tr("{person} is not shut out.", person=name), tr("{line} lists who is.", line="/ban"))
    return [
        tr("{person} is let in again.", person=name),
        tr("Alerts that were paused stay so until they are resumed: {line}", line="/resume N"),
    ]


async def _listed(request: Request) -> list[str]:
    tr, now, gate = request.tr, request.now, request.office.gate
    bans = [one for one in (await gate.bounds()).bans.values() if one.holds(now)]
    lines = []
    for one in sorted(bans, key=lambda ban: (ban.platform, ban.person)):
        name = f"{one.platform}:{one.person}"
        if one.until is None:
            lines.append(tr("{person} is shut out.", person=name))
        else:
            until = tr.instant(one.until, now)
            lines.append(tr("{person} is shut out until {until}.", person=name, until=until))
    if not lines:
        lines.append(tr("Nobody is shut out."))
    lines.extend(
        tr(
            "{name} ({person}) sent too many commands at {at}.",
            name=one.name,
            person=one.person,
            at=tr.instant(one.at, now),
        )
        for one in gate.hurried()
    )
    return [*lines, tr("To shut somebody out: {line}", line="/ban telegram:123456789 for 8h")]


async def undo(request: Request, entry: Entry) -> Replies:
    """Let in who was shut out, or shut out again who was let in."""
    tr, (platform, _, person) = request.tr, entry.name.partition(":")
    basis = Basis(undoes=entry.id)
    if entry.before is None:
        yield say(*await _unban(request, platform, person, basis))
        return
    until = _end(entry.before["until"])
    if until is not None and until <= request.now:
        over = tr("That was until {until}, which is over.", until=tr.instant(until, request.now))
        raise Refusal(over, tr("Say it anew: {line}", line=f"/ban {entry.name}"))
    yield say(*await _ban(request, platform, person, until, basis))


def described(entry: Entry, tr: Translator) -> str:
    """Say what an entry of the audit did to somebody."""
    if entry.after is None:
        return tr("{person} let in again", person=entry.name)
    until = _end(entry.after["until"])
    if until is None:
        return tr("{person} shut out", person=entry.name)
    return tr("{person} shut out until {until}", person=entry.name, until=tr.instant(until, entry.at))


def _end(value: object) -> float | None:
    return None if value is None else float(str(value))


def _until(text: str, request: Request) -> float | None:
    word = re.sub(r"(?i)^for\s+", "", text.strip())
    return request.instant + seconds_of(word, request) if word else None


def _read(text: str, request: Request) -> tuple[str, str]:
    """Read who is meant: ``telegram:123``, a mention on Discord, or a number of this platform."""
    if mention := _MENTION.fullmatch(text):
        return "discord", mention[1]
    if match := _PERSON.fullmatch(text.lower()):
        return match[1] or request.caller.chat.platform, match[2]
    tr = request.tr
    raise Refusal(
        tr('"{text}" names nobody: I know persons and groups by their numbers.', text=text[:64]),
        tr("Write it like this: {line}", line="/ban telegram:123456789 for 8h"),
        tr("On Discord a mention will do. {line} names who sent too much of late.", line="/ban"),
    )
