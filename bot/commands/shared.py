"""Shared alerts: what operators publish under a name, and any chat may follow."""

from __future__ import annotations

import re

from bot.alerts.message import say
from bot.alerts.models import Alert, SharedAlert
from bot.alerts.sentences import meaning
from bot.commands.reading import SURE, Prepared, arm, ask_if_far, nearest, prepare, read_rule, split_sure
from bot.commands.request import Refusal, Request
from bot.commands.sights import lost_lines
from bot.commands.standing import made_lines
from bot.ports import Conflict, Replies
from bot.rules import parse, qualify

_NAME = re.compile(r"(?=[0-9_-]*[a-z])[a-z0-9_-]{1,32}")
"""Names of shared alerts; at least one letter, so that none is taken for a number."""


async def catalogue(request: Request) -> Replies:
    """List the shared alerts."""
    tr, listed = request.tr, await request.office.register.catalogue()
    if not listed:
        yield say(tr("Nothing is published yet."))
        return
    lines = [_line(shared, request) for shared in listed]
    yield say(*lines, tr("Follow one: {line}", line=f"/subscribe {listed[0].alert.name}"))


async def subscribe(request: Request) -> Replies:
    """Follow a shared alert in this chat."""
    shared = await _shared(request)

    async def write(prepared: Prepared) -> Alert | None:
        return await request.office.register.subscribe(
            request.caller, shared.name, prepared.arming(), request.instant
        )

    prepared, alert = await arm(request, parse(shared.rule), write)
    if alert is None:  # unpublished in this very moment
        raise Refusal(request.tr("No shared alert is called {name}.", name=shared.name))
    lines = await made_lines(alert, prepared, request)
    yield say(*lines, *await lost_lines(prepared.series, request))


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
    tr, office, name = request.tr, request.office, request.given("name").lower()
    if not _NAME.fullmatch(name):
        raise Refusal(
            tr("A name has 1 to 32 of a-z, 0-9, - and _, and a letter among them. {name} has not.", name=name)
        )
    text, is_sure = split_sure(request.given("rule"))
    reading = read_rule(request, text)
    in_force = await office.register.levels(request.chat)
    levels = {name: level.value for name, level in in_force.items() if level.chat is None}
    prepared = await prepare(request, reading.rule, levels)
    if not is_sure:
        ask_if_far(prepared, f"/publish {name} {reading.rule} {SURE}", tr)
    try:
        alert = await office.register.publish(request.caller, name, str(prepared.rule), request.now)
    except Conflict as error:
        line = f"/unpublish {name}"
        raise Refusal(
            tr("{name} is published already. {line} takes it back.", name=name, line=line)
        ) from error
    lines = [tr("{name} is published: {rule}.", name=alert.name, rule=prepared.meaning(tr))]
    if reading.is_sugared:
        lines.append(tr("Read as: {rule}", rule=str(reading.rule)))
    lines.append(tr("Follow it: {line}", line=f"/subscribe {alert.name}"))
    yield say(*lines)


async def unpublish(request: Request) -> Replies:
    """Take a shared alert back."""
    tr, name = request.tr, request.given("name").lower()
    shared = await request.office.register.unpublish(name, request.now)
    if shared is None:
        raise await _no_shared(request, name)
    told = tr.many(
        "{count} chat followed it and is told.", "{count} chats followed it and are told.", shared.subscribers
    )
    yield say(tr("{name} is unpublished.", name=shared.alert.name), *((told,) if shared.subscribers else ()))


async def _shared(request: Request) -> Alert:
    name = request.given("name").lower()
    for shared in await request.office.register.catalogue():
        if shared.alert.name.lower() == name:
            return shared.alert
    raise await _no_shared(request, name)


async def _no_shared(request: Request, name: str) -> Refusal:
    tr, listed = request.tr, await request.office.register.catalogue()
    lines = [tr("No shared alert is called {name}.", name=name)]
    if near := nearest(name, [shared.alert.name for shared in listed]):
        lines.append(tr("Did you mean {name}?", name=near))
    lines.append(tr("/catalogue lists them all."))
    return Refusal(*lines)


def _line(shared: SharedAlert, request: Request) -> str:
    tr = request.tr
    rule = qualify(parse(shared.alert.rule), request.office.quote)
    text = f"{shared.alert.name}: {meaning(rule, {}, tr)}"
    if not shared.subscribers:
        return text
    followers = tr.many("{count} chat", "{count} chats", shared.subscribers)
    return f"{text} ({followers})"
