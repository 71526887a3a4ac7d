"""What a file of belongings would do in a chat: reckoned by the same checks as typing, before anything is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bot.alerts.belongings import Belonging, Belongings
from bot.alerts.bounds import Thing
from bot.alerts.hours import read_plan, read_quiet
from bot.alerts.links import platform_name
from bot.alerts.models import Level
from bot.commands.books import digest, shelf_of
from bot.commands.hours import chosen_series
from bot.commands.reading import Prepared, ask_if_far, prepare, refused
from bot.commands.request import Refusal, Request
from bot.commands.sending import look
from bot.commands.zones import find_zone
from bot.ports.importing import Intake, Taken
from bot.ports.places import Place
from bot.rules import RuleError, fix, levels, parse
from bot.rules.tree import Mode

_AT_ONCE = 8
_MOST_PLACES = 10
_NO_NAME = ""


@dataclass(slots=True)
class Reckoning:
    """What would be made of a file in a chat.

    ``made`` are the rules, beside the alerts of ``intake``; ``left`` counts those that are there already.
    ``said`` are lines on what is otherwise than in the file, ``out`` those on what cannot be, with their
    ``pictures``.
    """

    intake: Intake = field(default_factory=Intake)
    made: list[Prepared] = field(default_factory=list)
    left: int = 0
    said: list[str] = field(default_factory=list)
    out: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)

    def digest(self) -> str:
        """Give a sign of what it would do, by which it is told whether it is still so."""
        one = self.intake
        alerts = [
            (
                two.rule, two.name, sorted(two.own.items()), two.is_urgent, two.is_paused, two.muted_until,
                two.place and two.place.name, two.playbook, two.part, levels_in(two.armed, two.rule),
            )
            for two in one.alerts
        ]  # fmt: skip
        settings = (one.language, one.timezone, one.quiet, str(one.report), one.announcements)
        return digest(settings, sorted(one.levels.items()), alerts)


def levels_in(armed: str, rule: str) -> str:
    """Give the filled rule where it follows levels, since another value would make it another alert."""
    return armed if levels(parse(rule)) else ""


async def reckon(request: Request, file: Belongings) -> Reckoning:
    """Reckon what a file would do here."""
    found = Reckoning()
    settings = await _settings(request, file, found)
    known = await request.office.register.levels(request.chat)
    set_here = await _levels(request, file, known, found)
    values = {name: one.value for name, one in known.items()} | set_here
    wanted = await _wanted(request, file, found)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(belonging: Belonging) -> Prepared | Refusal:
        async with gate:
            try:
                return await _prepared(request, belonging, values)
            except Refusal as refusal:
                return refusal

    prepared = await asyncio.gather(*(one(belonging) for belonging in wanted))
    room = dict(await request.office.register.room(request.caller))
    places: dict[str, Place | None] = {}
    parts = {
        (one.alert.playbook, one.alert.part)
        for one in await request.office.register.subscriptions(request.chat)
        if one.alert.playbook
    }
    shelf = await shelf_of(request.office.register, request.office.shelf())
    taken: list[Taken] = []
    for belonging, ready in zip(wanted, prepared, strict=True):
        if isinstance(ready, Refusal):
            _leave_out(found, belonging.line, ready, request)
            continue
        thing = Thing.SUBSCRIPTIONS if belonging.name else Thing.ALERTS
        if room[thing] <= 0:
            reason = request.tr("There may be no more here: ask the operators of this bot for more.")
            found.out.append(at_line(belonging.line, reason, request))
            continue
        room[thing] -= 1
        try:
            ask_if_far(ready, "", request.tr)
        except Refusal as far:
            found.said.append(at_line(belonging.line, far.message.lines[0].partition(": ")[0] + ".", request))
        one_taken = _taken(belonging, ready, request)
        if belonging.playbook:
            book = shelf.books.get(belonging.playbook)
            key = (belonging.playbook, belonging.part)
            if book is not None and book.rules.get(belonging.part) == one_taken.rule and key not in parts:
                parts.add(key)
                one_taken = replace(one_taken, playbook=key[0], part=key[1])
            else:
                line = request.tr(
                    "No playbook {name} has it here just so: it is made an alert of its own.",
                    name=belonging.playbook,
                )
                found.said.append(at_line(belonging.line, line, request))
        if belonging.place:
            one_taken = replace(one_taken, place=await _place(request, belonging, places, found))
        taken.append(one_taken)
        found.made.append(ready)
    found.intake = replace(settings, levels=set_here, alerts=tuple(taken))
    return found


async def _wanted(request: Request, file: Belongings, found: Reckoning) -> list[Belonging]:
    """Give what is not there already, with what is followed as it is published here."""
    register, tr = request.office.register, request.tr
    have = await register.subscriptions(request.chat)
    there: Counter[object] = Counter(_key(one.alert.rule, one.own) for one in have if not one.alert.is_shared)
    followed = {one.alert.name.casefold() for one in have if one.alert.is_shared}
    published = {one.alert.name.casefold(): one.alert for one in await register.catalogue(request.now)}
    wanted: list[Belonging] = []
    for one in file.alerts:
        known = published.get(one.name.casefold()) if one.name else None
        if known is not None:
            if known.name.casefold() in followed:
                found.left += 1
                continue
            followed.add(known.name.casefold())
            wanted.append(replace(one, name=known.name, rule=known.rule))
            continue
        try:
            rule = fix(parse(one.rule), request.now, request.settings.timezone)
        except RuleError as error:
            _leave_out(found, one.line, refused(error, tr), request)
            continue
        made = one
        if one.name:  # shared alerts ring again and again, a chat's own do once: it goes on as it was
            mode = rule.options.mode or Mode.REPEAT
            rule = rule.with_options(replace(rule.options, mode=mode))
            made = replace(one, name=_NO_NAME)
        made = replace(made, rule=str(rule), own={k: v for k, v in one.own.items() if k in levels(rule)})
        key = _key(made.rule, made.own)
        if there[key] > 0:
            there[key] -= 1
            found.left += 1
            continue
        if one.name:
            line = tr("{name} is not published here: it is made an alert of this chat's own.", name=one.name)
            found.said.append(at_line(one.line, line, request))
        wanted.append(made)
    return wanted


def _key(rule: str, own: Mapping[str, Decimal]) -> object:
    return rule, frozenset((name.casefold(), value) for name, value in own.items())


async def _prepared(request: Request, one: Belonging, values: Mapping[str, Decimal]) -> Prepared:
    rule = parse(one.rule)
    return await prepare(request, rule, {**values, **one.own})


def _taken(one: Belonging, ready: Prepared, request: Request) -> Taken:
    named = levels(ready.rule)
    return Taken(
        str(ready.rule) if not one.name else one.rule,
        str(ready.armed),
        dict(ready.seen),
        name=one.name,
        own={name: value for name, value in one.own.items() if name in named},
        is_urgent=one.is_urgent,
        is_paused=one.is_paused,
        muted_until=one.muted_until if (one.muted_until or 0.0) > request.now else None,
    )


async def _place(
    request: Request, one: Belonging, places: dict[str, Place | None], found: Reckoning
) -> Place | None:
    """Find where it rang, if that may be rung in from here; else it rings here, and that is said."""
    tr = request.tr
    if one.place not in places and len(places) < _MOST_PLACES:
        with suppress(Refusal):
            places[one.place] = await look(request, one.place) or _home(request)
        places.setdefault(one.place, None)
    place = places.get(one.place)
    if place is not None and place.chat == request.caller.chat:
        return None
    if place is None or (one.name and await request.office.register.is_told(one.name, place.chat)):
        line = tr("{place} cannot be rung in from here: it rings in this chat.", place=one.place)
        found.said.append(at_line(one.line, line, request))
        return None
    return place


def _home(request: Request) -> Place:
    return Place(request.chat, platform_name(request.chat.platform), is_admin=True, may_post=True)


async def _levels(
    request: Request, file: Belongings, known: Mapping[str, Level], found: Reckoning
) -> dict[str, Decimal]:
    """Say which levels come to be of this chat's own: none that somebody here has or follows is moved."""
    tr, made = request.tr, dict[str, Decimal]()
    for name, value in file.levels.items():
        line = file.line_of("levels", name)
        here = known.get(name)
        if here is not None and here.chat == request.chat:
            found.left += here.value == value
            if here.value != value:
                stays = tr(
                    "@{name} is {here} here and stays so; the file has {value}.",
                    name=name,
                    here=here.value,
                    value=value,
                )
                found.said.append(at_line(line, stays, request))
            continue
        reach = await request.office.register.reach(name, request.chat, request.chat)
        if reach.followings and here is not None:
            stays = tr(
                "@{name} is followed here at {here} and stays so; the file has {value}.",
                name=name,
                here=here.value,
                value=value,
            )
            found.said.append(at_line(line, stays, request))
            continue
        made[name] = value
    for name, value in file.elsewhere.items():
        if name in made or name in file.levels:
            continue
        if name not in known:
            made[name] = value
            found.said.append(
                tr(
                    "Nobody has set @{name} here: it becomes this chat's own, {value}.",
                    name=name,
                    value=value,
                )
            )
        elif known[name].value != value:
            found.said.append(
                tr(
                    "@{name} is {here} here, and was {value} there: what follows it rings at {here}.",
                    name=name,
                    here=known[name].value,
                    value=value,
                )
            )
    return made


async def _settings(request: Request, file: Belongings, found: Reckoning) -> Intake:
    """Read the settings that differ from those here."""
    tr, office = request.tr, request.office
    intake = Intake()

    def odd(key: str, value: str) -> None:
        line = tr("{name} {value} is not known here, and stays as it is.", name=key, value=f'"{value[:64]}"')
        found.out.append(at_line(file.line_of("settings", key), line, request))

    if file.language is not None:
        spoken = office.languages.find(file.language)
        if spoken is None:
            odd("language", file.language)
        elif spoken != office.languages.find(request.settings.language):
            intake = replace(intake, language=spoken.tag)
    if file.timezone is not None:
        zone = find_zone(file.timezone)
        if zone is None:
            odd("timezone", file.timezone)
        elif zone != request.settings.timezone:
            intake = replace(intake, timezone=zone)
    if file.quiet is not None:
        quiet = read_quiet(file.quiet)
        known, _ = await office.register.quiet(request.caller)
        if quiet is None:
            odd("quiet", file.quiet)
        elif str(quiet) != known:
            intake = replace(intake, quiet=str(quiet))
    if file.report is not None:
        plan, due = read_plan(file.report), await office.register.report(request.caller.chat)
        if plan is None:
            odd("report", file.report)
        else:
            try:
                plan = replace(plan, series=await chosen_series(plan.series, request))
            except Refusal as refusal:
                _leave_out(found, file.line_of("settings", "report"), refusal, request)
            else:
                intake = replace(intake, report=plan if due is None or due.plan != plan else None)
    if file.announcements is not None and file.announcements != await office.register.hears(request.caller):
        intake = replace(intake, announcements=file.announcements)
    return intake


def _leave_out(found: Reckoning, line: int, refusal: Refusal, request: Request) -> None:
    """Note why something cannot be, with the picture of the place where there is one."""
    message = refusal.message
    found.out.append(at_line(line, " ".join(message.lines[:2]), request))
    if message.code:
        found.pictures.append(message.code)


def at_line(line: int, text: str, request: Request) -> str:
    """Say where in the file something stands, if that is known."""
    return request.tr("Line {line}: {text}", line=str(line), text=text) if line else text
