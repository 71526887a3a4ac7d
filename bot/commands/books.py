"""Which playbooks there are, and what following one would do in a chat: reckoned before anything is armed."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from bot.alerts.models import Level, Subscription
from bot.alerts.playbooks import Playbook, PlaybookError, Shelf, read_playbook
from bot.alerts.translator import Translator
from bot.commands.preview import Count, count
from bot.commands.reading import Prepared, nearest, prepare
from bot.commands.request import Refusal, Request
from bot.commands.standing import Standing, stand
from bot.metrics import MetricKey, Seen
from bot.ports import Armer, Parts, Register
from bot.rules import fill, levels, parse, qualify
from bot.rules.phrases import Phrase


async def shelf_of(register: Register, filed: Shelf) -> Shelf:
    """Give all playbooks as they are now: those of the files, and before them what was changed in chat."""
    books, problems = dict(filed.books), dict(filed.problems)
    for name, kept in (await register.playbooks()).items():
        books.pop(name, None)
        problems.pop(name, None)
        if kept.text is not None:
            try:
                books[name] = read_playbook(name, kept.text)
            except PlaybookError as error:  # of a version that read more, or less
                problems[name] = error.reason
    return Shelf(dict(sorted(books.items())), dict(sorted(problems.items())))


async def book_called(request: Request, name: str) -> Playbook:
    """Find a playbook by its name. Raises Refusal with the nearest."""
    tr, office = request.tr, request.office
    shelf = await shelf_of(office.register, office.shelf())
    if name in shelf.books:
        return shelf.books[name]
    if name in shelf.problems:
        raise Refusal(unusable(name, shelf.problems[name], tr))
    lines = [tr("No playbook is called {name}.", name=name[:64])]
    if near := nearest(name, list(shelf.books)):
        lines.append(tr("Did you mean {name}?", name=near))
    raise Refusal(*lines, tr("/playbooks lists them all."))


def unusable(name: str, reason: Phrase, tr: Translator) -> str:
    """Say that a playbook cannot be used, and why."""
    return tr("{name} cannot be used. {reason}", name=name, reason=reason)


@dataclass(frozen=True, slots=True)
class Drill:
    """Rules of a playbook ready to be armed.

    ``ready`` are those that can be, by name; ``out`` says of each other why not, in lines. ``values`` are
    what the levels are.
    """

    book: Playbook
    values: Mapping[str, Decimal]
    ready: Mapping[str, Prepared] = field(default_factory=dict)
    out: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def armer(self, request: Request) -> Armer:
        """Say how these rules are armed in whichever chat."""
        quote = request.office.quote

        def refill(rule: str, known: Mapping[str, Decimal]) -> str:
            return str(qualify(fill(parse(rule), known), quote))

        seen: dict[MetricKey, Seen] = {}
        for prepared in self.ready.values():
            seen |= prepared.seen
        return Armer(refill, self.book.levels, seen)

    def filled(self) -> dict[str, Decimal]:
        """Give the levels that its rules follow, with their values."""
        named = frozenset[str]().union(*(levels(one.rule) for one in self.ready.values()))
        return {name: self.values[name] for name in self.book.levels if name in named}


async def drill(
    request: Request, book: Playbook, rules: Mapping[str, str], own: Mapping[str, Decimal]
) -> Drill:
    """Prepare rules of a playbook with the levels in force, ``own`` before them."""
    values = {**book.levels, **await request.levels(), **own}

    async def one(text: str) -> Prepared | Sequence[str]:
        try:
            return await prepare(request, parse(text), values)
        except Refusal as refusal:
            return refusal.message.lines

    found = await asyncio.gather(*(one(text) for text in rules.values()))
    done = dict(zip(rules, found, strict=True))
    ready = {name: one for name, one in done.items() if isinstance(one, Prepared)}
    out = {name: one for name, one in done.items() if not isinstance(one, Prepared)}
    return Drill(book, values, ready, out)


def digest(*parts: object) -> str:
    """Give a short sign of what was shown, by which it is told whether it is still so."""
    return hashlib.sha256(json.dumps(parts, default=str, sort_keys=True).encode()).hexdigest()[:16]


# --- what is shown of it ------------------------------------------------------------------------------------


async def stands(ready: Mapping[str, Prepared], request: Request) -> dict[str, Standing]:
    """Say of each rule how its arming would begin."""
    market = request.office.market
    found = await asyncio.gather(*(stand(one, False, request.now, market) for one in ready.values()))
    return dict(zip(ready, found, strict=True))


async def counts(ready: Mapping[str, Prepared], request: Request) -> dict[str, Count | None]:
    """Say of each rule how often it would have rung in the last days."""
    found = await asyncio.gather(*(count(one, request) for one in ready.values()))
    return dict(zip(ready, found, strict=True))


def line(
    name: str,
    prepared: Prepared,
    standing: Standing,
    counted: Mapping[str, Count | None],
    tr: Translator,
    *,
    remark: str = "",
) -> str:
    """Write what one rule waits for, whether that is true already, and how often it was of late.

    ``counted`` is empty where nobody has counted yet.
    """
    parts = [f"{name}: {prepared.meaning(tr)}", *([remark] if remark else [])]
    if standing is Standing.TRUE:
        parts.append(tr("true already, so it waits to be clear first"))
    known = counted.get(name)
    if known is not None and known.why and not known.rings:
        parts.append(tr("nothing could be judged: {why}", why=known.why))
    elif known is not None:
        rings = tr.many("{count} ring", "{count} rings", len(known.rings))
        parts.append(tr("{rings} in {period}", rings=rings, period=known.period(tr)))
    elif name in counted:
        parts.append(tr("there is no history to test it on"))
    return " · ".join(parts)


def left_out(out: Mapping[str, Sequence[str]], tr: Translator) -> list[str]:
    """Say which rules cannot be armed, those with one reason together."""
    reasons: dict[str, list[str]] = {}
    more = tr("/metrics lists what can be watched.")
    for name, lines in out.items():
        reasons.setdefault(" ".join(text for text in lines if text != more), []).append(name)
    said = [
        tr("Left out: {names}. {reason}", names=tr.listed(names), reason=reason)
        for reason, names in reasons.items()
    ]
    return [*said, more] if any(more in lines for lines in out.values()) else said


def whence(
    name: str,
    value: Decimal,
    tr: Translator,
    *,
    book: Playbook,
    known: Mapping[str, Level],
    own: Mapping[str, Decimal],
) -> str:
    """Say what a level is, and who says so."""
    level, default = known.get(name), book.levels.get(name)
    if name in own:
        return tr("@{name} {value} (for these alerts alone)", name=name, value=value)
    if level is None or level.set_by == book.name:
        return tr("@{name} {value}", name=name, value=value)
    if default is None or default == value:
        return tr("@{name} {value} (set by {by})", name=name, value=value, by=level.set_by)
    return tr(
        "@{name} {value} (set by {by}; the playbook has {default})",
        name=name,
        value=value,
        by=level.set_by,
        default=default,
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """What following a playbook would do in one chat.

    ``own`` are the levels of these alerts alone; ``had`` the alerts that belong to the playbook already, by
    the names of its rules.
    """

    drill: Drill
    own: Mapping[str, Decimal]
    had: Mapping[str, Subscription]
    parts: Parts

    @property
    def shown(self) -> dict[str, Prepared]:
        """The rules that would be armed now."""
        named = {*self.parts.adds, *self.parts.changes}
        return {name: one for name, one in self.drill.ready.items() if name in named}

    def digest(self) -> str:
        """Give a sign of all that was shown of it and of what it does."""
        parts = self.parts
        values = self.drill.filled()
        return digest(values, dict(self.own), dict(parts.adds), dict(parts.changes), list(parts.drops))


async def plan(request: Request, book: Playbook, given: Mapping[str, Decimal | None]) -> Plan:
    """Reckon what following a playbook would do; ``given`` are levels of one's own (``None``: no more)."""
    subscriptions = await request.office.register.subscriptions(request.chat)
    had = {one.alert.part: one for one in subscriptions if one.alert.playbook == book.name}
    own: dict[str, Decimal] = {}
    for one in had.values():
        own |= one.own
    own |= {name: value for name, value in given.items() if value is not None}
    own = {name: value for name, value in own.items() if given.get(name, value) is not None}
    drilled = await drill(request, book, book.rules, own)
    adds, changes = {}, {}
    for name, prepared in drilled.ready.items():
        rule, named = str(prepared.rule), levels(prepared.rule)
        if name not in had:
            adds[name] = rule
        elif had[name].alert.rule != rule or had[name].own != {k: v for k, v in own.items() if k in named}:
            changes[name] = rule
    drops = [name for name in had if name not in book.rules]
    return Plan(drilled, own, had, Parts(adds, changes, drops))
