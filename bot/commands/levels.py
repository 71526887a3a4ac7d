"""Levels: the named numbers that rules refer to and follow."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from bot.alerts.message import say
from bot.alerts.models import Level
from bot.commands.reading import FAR, SURE, look, nearest, refused, split_sure
from bot.commands.request import Refusal, Request
from bot.engine.terms import key_of
from bot.metrics import MetricKey, Seen
from bot.ports import Replies
from bot.rules import RuleError, fill, instruments, is_level_name, parse, qualify, read_number

_LONGEST_NAME = 32


async def level(request: Request) -> Replies:
    """List the levels, show one, or set one.

    An operator in a private chat sets the deployment's; anybody else sets the chat's own, which is nearer
    and wins there.
    """
    in_force = await request.office.register.levels(request.chat)
    name = request.given("name").lower().lstrip("@")
    if not name:
        yield say(*_listed(in_force, request))
    elif not request.given("value"):
        if name not in in_force:
            raise _no_level(name, in_force, request)
        yield say(_line(in_force[name], request))
    else:
        yield say(*await _set(name, in_force.get(name), request))


async def _set(name: str, known: Level | None, request: Request) -> list[str]:
    tr, office = request.tr, request.office
    if not is_level_name(name) or len(name) > _LONGEST_NAME:
        raise Refusal(
            tr("{name} cannot be a level's name: use letters, digits and _, at most 32.", name=name)
        )
    text, is_sure = split_sure(request.given("value"))
    value = read_number(text)
    if value is None:
        raise Refusal(
            tr('"{text}" is no number for a level. Write it like 98700, 98,700 or 98.7k.', text=text)
        )
    chat = None if request.is_for_all else request.chat
    if known and not is_sure and not _is_near(known.value, value):
        raise Refusal(
            tr(
                "{value} is far from what @{name} was, {before}: nothing is changed yet.",
                value=value,
                name=name,
                before=known.value,
            ),
            tr("If you mean it, send: {line}", line=f"/level {name} {value} {SURE}"),
        )
    by = request.caller.name or request.caller.person
    try:
        change = await office.register.set_level(
            request.caller,
            Level(name, value, chat, by, request.now),
            lambda rule, levels: str(qualify(fill(parse(rule), levels), office.quote)),
            await _seen(name, request),
            request.instant,
        )
    except RuleError as error:  # one of the rules that follow it would make no sense
        raise refused(error, tr) from error
    if change.before is None:
        moved = tr("@{name} is {value}.", name=name, value=value)
    else:
        moved = tr("@{name} moved from {before} to {value}.", name=name, before=change.before, value=value)
    scope = (
        tr("It holds in every chat without one of its own.") if chat is None else tr("It holds in this chat.")
    )
    offer = [tr("/alerts shows which. Tell one now anyway: {line}", line="/ringnow N")]
    followers = _followers(name, change.alerts, change.chats, request)
    return [f"{moved} {scope}", followers, *(offer if change.alerts else ())]


async def _seen(name: str, request: Request) -> Mapping[MetricKey, Seen]:
    """Look at the present of every rule that the change arms anew, so that none rings for what it saw."""
    office = request.office
    chat = None if request.is_for_all else request.chat
    rules = await office.register.rules_with(name, chat)
    found = {one for rule in rules for one in instruments(qualify(parse(rule), office.quote))}
    return await look(office.market, map(key_of, found))


def _followers(name: str, alerts: int, chats: int, request: Request) -> str:
    tr = request.tr
    if not alerts:
        return tr("No alert follows it yet: {line}", line=f"/alert btc < @{name}")
    follow = tr.many("{count} alert follows it", "{count} alerts follow it", alerts)
    where = tr.many("in {count} chat", "in {count} chats", chats)
    return tr(
        "{follow} {where}, armed anew: what is true already waits to be clear first.",
        follow=follow,
        where=where,
    )


def _listed(levels: Mapping[str, Level], request: Request) -> list[str]:
    tr = request.tr
    if not levels:
        return [tr("No levels yet. An admin sets one: {line}", line="/level etf_cost 98700")]
    return [_line(levels[name], request) for name in sorted(levels)]


def _line(level: Level, request: Request) -> str:
    tr = request.tr
    line = tr(
        "@{name} {value}, set by {by} at {at}",
        name=level.name,
        value=level.value,
        by=level.set_by,
        at=tr.instant(level.set_at, request.now),
    )
    return line if level.chat is None else tr("{line}, for this chat alone", line=line)


def _no_level(name: str, levels: Mapping[str, Level], request: Request) -> Refusal:
    tr = request.tr
    lines = [tr("No level is called @{name} here.", name=name)]
    if near := nearest(name, list(levels)):
        lines.append(tr("Did you mean @{name}?", name=near))
    return Refusal(*lines)


def _is_near(before: Decimal, after: Decimal) -> bool:
    """Whether a new value is within a factor of the old one; from and to zero nothing is asked."""
    if not before or not after:
        return True
    return Decimal(1) / FAR <= after / before <= FAR
