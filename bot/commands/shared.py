"""Shared alerts: what operators publish under a name, and any chat may follow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from bot.alerts.changes import PLAIN, Basis, Entry, Proposal
from bot.alerts.message import Message, say
from bot.alerts.models import Alert, SharedAlert
from bot.alerts.offers import of_alert, of_pages
from bot.alerts.people import Role
from bot.alerts.sentences import filled_levels, meaning
from bot.alerts.translator import Translator
from bot.commands.proposals import offer, overtaken, propose
from bot.commands.reading import (
    SURE,
    Prepared,
    arm,
    ask_if_far,
    nearest,
    prepare,
    read_rule,
    split_sure,
)
from bot.commands.request import Refusal, Request
from bot.commands.sights import lost_lines
from bot.commands.standing import distance, made, price_keys
from bot.looking import look
from bot.ports import Conflict, Replies, Stale
from bot.rules import RuleError, fill, is_level_name, levels, parse, qualify, read_number
from bot.rules.tree import Rule

KIND = "unpublish"
"""The kind of proposals that ``carry_out`` does."""

_NAME = re.compile(r"(?=[0-9_-]*[a-z])[a-z0-9_-]{1,32}")
"""Names of shared alerts; at least one letter, so that none is taken for a number."""

_PAGE = 10
_LATELY = 30 * 86_400.0
_URGENT = "urgent"


async def catalogue(request: Request) -> Replies:
    """List the shared alerts, or those in which some words stand, a page at a time."""
    tr = request.tr
    words, page = split_page(request.given("words"))
    published = await request.office.register.catalogue(request.now - _LATELY)
    if not published:
        yield say(tr("Nothing is published yet."))
        return
    in_force = await request.levels()
    armed = {shared.alert.id: _filled(shared.alert, in_force, request) for shared in published}
    texts = {id_: meaning(rule, {}, tr).lower() for id_, rule in armed.items()}
    found = [
        shared
        for shared in published
        if all(
            word in f"{shared.alert.name} {shared.alert.rule} {texts[shared.alert.id]}".lower()
            for word in words
        )
    ]
    if not found:
        raise Refusal(
            tr("No shared alert has {words} in it.", words=" ".join(words)), tr("/catalogue lists them all.")
        )
    pages = -(-len(found) // _PAGE)
    page = min(page, pages)
    shown = found[(page - 1) * _PAGE : page * _PAGE]
    lines = await _lines(shown, armed, request)
    if pages > 1:
        following = " ".join(("/catalogue", *words, str(page % pages + 1)))
        lines.append(tr("Page {page} of {pages}. Next: {line}", page=page, pages=pages, line=following))
    lines.append(tr("Follow one: {line}", line=f"/subscribe {shown[0].alert.name}"))
    buttons = of_pages(" ".join(("/catalogue", *words)), page, pages, tr)
    yield Message(lines=tuple(lines), buttons=buttons)


def split_page(text: str) -> tuple[list[str], int]:
    """Take the number of a page off the end of what was typed; the rest are words, in lower case."""
    words = text.lower().split()
    if words and re.fullmatch(r"[1-9][0-9]{0,5}", words[-1]):
        return words[:-1], int(words[-1])
    return words, 1


async def _lines(shown: list[SharedAlert], armed: Mapping[int, Rule], request: Request) -> list[str]:
    tr = request.tr
    keys = {shared.alert.id: price_keys(armed[shared.alert.id]) for shared in shown}
    seen = await look(request.office.market, (key for one in keys.values() for key in one.values()))
    lines = []
    for shared in shown:
        alert, rule = shared.alert, armed[shared.alert.id]
        parts = [f"{alert.name}: {meaning(rule, filled_levels(parse(alert.rule), rule), tr)}"]
        if where := distance(rule, keys[alert.id], seen, tr):
            parts.append(tr("now {where}", where=where))
        parts.append(
            tr.many("{count} chat", "{count} chats", shared.subscribers)
            if shared.subscribers
            else tr("no chat yet")
        )
        parts.append(
            tr.many("rang once in 30 days", "rang {count} times in 30 days", shared.rings)
            if shared.rings
            else tr("did not ring in 30 days")
        )
        lines.append(" · ".join(parts))
    return lines


def _filled(alert: Alert, in_force: Mapping[str, Decimal], request: Request) -> Rule:
    """Fill a shared alert as this chat would have it; a level that is gone keeps its name."""
    rule = parse(alert.rule)
    try:
        rule = fill(rule, in_force)
    except RuleError:
        return rule
    return qualify(rule, request.office.quote)


@dataclass(frozen=True, slots=True)
class Wish:
    """How a chat wants a shared alert told: with levels of its own, urgently."""

    own: dict[str, Decimal] = field(default_factory=dict)
    is_urgent: bool = False
    is_sure: bool = False

    def line(self, name: str) -> str:
        """Give the line that says it."""
        own = [f"@{level}={value}" for level, value in self.own.items()]
        return " ".join(("/subscribe", name, *own, *([_URGENT] if self.is_urgent else [])))


async def subscribe(request: Request) -> Replies:
    """Follow a shared alert in this chat, at its own levels where it names some."""
    tr, shared = request.tr, await _shared(request)
    rule = parse(shared.rule)
    wish = _wish(request.given("how"), shared, rule, request)

    async def write(prepared: Prepared) -> Alert | None:
        if wish.own and not wish.is_sure:
            ask_if_far(prepared, f"{wish.line(shared.name)} {SURE}", tr)
        return await request.office.register.subscribe(
            request.caller,
            shared.name,
            prepared.arming(),
            request.instant,
            own=wish.own,
            is_urgent=wish.is_urgent,
        )

    prepared, alert = await arm(request, rule, write, wish.own)
    if alert is None:  # unpublished in this very moment
        raise Refusal(tr("No shared alert is called {name}.", name=shared.name))
    told = await made(alert, prepared, request)
    lines = list(told.lines)
    if wish.own:
        lines.append(
            tr(
                "That is {levels} of this chat's own, whatever the level does. {line} follows it again.",
                levels=tr.listed(f"@{name}" for name in wish.own),
                line=f"/subscribe {alert.name}",
            )
        )
    if wish.is_urgent:
        lines.append(tr("It is told before what is not urgent."))
    lines += await lost_lines(prepared.series, request)
    yield Message(lines=tuple(lines), buttons=of_alert(alert, tr, is_waiting=told.is_waiting))


def _wish(text: str, alert: Alert, rule: Rule, request: Request) -> Wish:
    """Read ``@floor=95k urgent``. Raises Refusal for what is none of the alert's."""
    tr, named = request.tr, sorted(levels(rule))
    own: dict[str, Decimal] = {}
    is_urgent = is_sure = False
    for word in re.sub(r"\s*=\s*", "=", text).split():
        name, sign, value = word.partition("=")
        level = name.lower().lstrip("@")
        if word.lower() in (_URGENT, SURE):
            is_urgent, is_sure = is_urgent or word.lower() == _URGENT, is_sure or word.lower() == SURE
            continue
        number = read_number(value)
        if not sign or number is None or not is_level_name(level):
            example = f"/subscribe {alert.name} @{named[0] if named else 'floor'}=95k"
            raise Refusal(
                tr('"{word}" is no level of your own.', word=word[:64]),
                tr("Write it like this: {line}", line=example),
            )
        if level not in named:
            lines = [tr("{alert} does not follow @{name}.", alert=alert.name, name=level)]
            if named:
                lines.append(tr("It follows {levels}.", levels=tr.listed(f"@{one}" for one in named)))
            raise Refusal(*lines)
        own[level] = number
    return Wish(own, is_urgent, is_sure)


async def unsubscribe(request: Request) -> Replies:
    """Follow a shared alert no longer."""
    tr, name = request.tr, request.given("name").lower()
    alert = await request.office.register.unsubscribe(request.chat, name, request.now)
    if alert is None:
        subscriptions = await request.office.register.subscriptions(request.chat)
        followed = [one.alert.name for one in subscriptions if one.alert.is_shared]
        lines = [tr("This chat does not follow {name}.", name=name)]
        if followed:
            lines.append(tr("It follows: {names}.", names=", ".join(followed)))
        raise Refusal(*lines)
    yield say(tr("This chat follows {name} no longer.", name=alert.name))


async def publish(request: Request) -> Replies:
    """Publish a rule under a name; its levels must be the deployment's."""
    tr, name = request.tr, request.given("name").lower()
    if not _NAME.fullmatch(name):
        raise Refusal(
            tr(
                "A name has 1 to 32 of a-z, 0-9, - and _, and a letter among them. {name} has not.",
                name=name[:64],
            )
        )
    text, is_sure = split_sure(request.given("rule"))
    reading = read_rule(request, text)
    lines = await _publish(request, name, reading.rule, is_sure=is_sure)
    if reading.is_sugared:
        lines.insert(1, tr("Read as: {rule}", rule=str(reading.rule)))
    yield say(*lines)


async def _publish(
    request: Request, name: str, rule: Rule, *, is_sure: bool, basis: Basis = PLAIN
) -> list[str]:
    tr, office = request.tr, request.office
    in_force = await office.register.levels(request.chat)
    values = {name: level.value for name, level in in_force.items() if level.chat is None}
    prepared = await prepare(request, rule, values)
    if not is_sure:
        ask_if_far(prepared, f"/publish {name} {rule} {SURE}", tr)
    try:
        alert = await office.register.publish(
            request.caller, name, str(prepared.rule), request.instant, basis=basis
        )
    except Conflict as error:
        line = f"/unpublish {name}"
        raise Refusal(
            tr("{name} is published already. {line} takes it back.", name=name, line=line)
        ) from error
    published = tr("{name} is published: {rule}.", name=alert.name, rule=prepared.meaning(tr))
    return [published, tr("Follow it: {line}", line=f"/subscribe {alert.name}")]


async def unpublish(request: Request) -> Replies:
    """Take a shared alert back; where other chats follow it, once that is confirmed."""
    async for reply in _withdraw(request, request.given("name").lower()):
        yield reply


async def _withdraw(request: Request, name: str, undoes: int | None = None) -> Replies:
    tr, register = request.tr, request.office.register
    shared = next((one for one in await register.catalogue() if one.alert.name.lower() == name), None)
    if shared is None:
        raise await _no_shared(request, name)
    here = [one.alert.name for one in await register.subscriptions(request.chat)]
    others = shared.subscribers - (shared.alert.name in here)
    if not others:
        basis = PLAIN if undoes is None else Basis(undoes=undoes)
        yield say(*await _unpublish(request, name, basis))
        return
    reach = await register.reach("", None, request.chat)
    change = {"name": name, "undoes": undoes}
    proposal = await propose(request, KIND, change, role=Role.OPERATOR, revision=reach.revision)
    follow = tr.many(
        "{count} chat follows {name}, and would be told that it rings no more.",
        "{count} chats follow {name}, and would be told that it rings no more.",
        shared.subscribers,
        name=shared.alert.name,
    )
    yield offer(proposal, request, follow)


async def carry_out(request: Request, proposal: Proposal) -> Replies:
    """Take back a shared alert as was proposed."""
    name, undoes = str(proposal.change["name"]), proposal.change["undoes"]
    basis = Basis(proposal.id, int(undoes) if undoes is not None else None)
    try:
        lines = await _unpublish(request, name, basis)
    except Stale:
        await request.office.register.discard(proposal.id, request.instant)
        raise overtaken(request) from None
    yield say(*lines)


async def _unpublish(request: Request, name: str, basis: Basis) -> list[str]:
    tr = request.tr
    shared = await request.office.register.unpublish(request.caller, name, request.instant, basis=basis)
    if shared is None:
        raise await _no_shared(request, name)
    told = tr.many(
        "{count} chat followed it and is told.", "{count} chats followed it and are told.", shared.subscribers
    )
    return [tr("{name} is unpublished.", name=shared.alert.name), *((told,) if shared.subscribers else ())]


async def undo(request: Request, entry: Entry) -> Replies:
    """Take back what was published, or publish again what was taken back."""
    if entry.before is None:
        async for reply in _withdraw(request, entry.name.lower(), entry.id):
            yield reply
        return
    rule = parse(str(entry.before["rule"]))
    lines = await _publish(request, entry.name, rule, is_sure=True, basis=Basis(undoes=entry.id))
    yield say(*lines, request.tr("Who followed it before has to subscribe again."))


def described(entry: Entry, tr: Translator) -> str:
    """Say what an entry of the audit did to a shared alert."""
    if entry.after is not None:
        return tr("{name} published: {rule}", name=entry.name, rule=str(entry.after["rule"]))
    rule = str(entry.before["rule"]) if entry.before is not None else ""
    return tr("{name} unpublished: {rule}", name=entry.name, rule=rule)


async def _shared(request: Request) -> Alert:
    name = request.given("name").lower()
    for shared in await request.office.register.catalogue():
        if shared.alert.name.lower() == name:
            return shared.alert
    raise await _no_shared(request, name)


async def _no_shared(request: Request, name: str) -> Refusal:
    tr, listed = request.tr, await request.office.register.catalogue()
    lines = [tr("No shared alert is called {name}.", name=name[:64])]
    if near := nearest(name, [shared.alert.name for shared in listed]):
        lines.append(tr("Did you mean {name}?", name=near))
    lines.append(tr("/catalogue lists them all."))
    return Refusal(*lines)
