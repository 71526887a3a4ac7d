"""Edit a chat's own alert: another rule, or another number in the same one."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from bot.alerts.message import Message
from bot.alerts.models import Alert
from bot.alerts.offers import of_alert, of_editing
from bot.commands.alerts import named, refuse_if_over
from bot.commands.reading import SURE, Prepared, arm, ask_if_far, read_rule, split_sure
from bot.commands.request import Refusal, Request
from bot.commands.sights import lost_lines
from bot.commands.standing import Row, made
from bot.ports import Replies
from bot.rules import RuleError, parse, read, read_number
from bot.rules.threshold import moved, term, threshold, with_threshold
from bot.rules.tree import Options, Rule

_SHARE = re.compile(r"([+-][0-9]{1,3}(?:\.[0-9]{1,4})?)\s*%")


async def edit(request: Request) -> Replies:
    """Give an alert another rule, or move its level: ``btc < 98k``, ``< 98k``, ``98k``, ``+1%``.

    It is armed anew, so that what is already true waits to be clear first. The same again changes nothing.
    Without a rule, say how it is edited.
    """
    tr, row = request.tr, await named(request)
    alert = row.subscription.alert
    if alert.is_shared:
        raise Refusal(
            tr("{label} is shared: it is not this chat's to edit.", label=alert.label),
            tr("Make one of your own: {line}", line=f"/alert {alert.rule}"),
        )
    if not request.given("rule"):
        yield _asked(alert, request)
        return
    text, is_sure = split_sure(request.given("rule"))
    rule = _moved(row, text, request) or _resumed(alert, text) or read_rule(request, text).rule
    if str(rule) == alert.rule and not row.is_at_rest:
        raise Refusal(tr("{label} is that already: {rule}.", label=alert.label, rule=alert.rule))
    refuse_if_over(alert, rule, request)

    async def write(prepared: Prepared) -> Alert | None:
        if not is_sure:
            ask_if_far(prepared, f"/edit {alert.number} {rule} {SURE}", tr)
        return await request.office.register.edit_alert(
            request.chat, alert.number, str(prepared.rule), prepared.arming(), request.instant
        )

    prepared, edited = await arm(request, rule, write)
    if edited is None:  # it was deleted in this very moment
        raise Refusal(tr("There is no alert {label} here.", label=alert.label))
    told = await made(edited, prepared, request)
    lines = [*told.lines, tr("Before: {rule}", rule=alert.rule), *await lost_lines(prepared.series, request)]
    if alert.playbook:
        left = tr("It is this chat's own now, and no part of {playbook} any more.", playbook=alert.playbook)
        lines.append(left)
    yield Message(lines=tuple(lines), buttons=of_alert(edited, tr, is_waiting=told.is_waiting))


def _asked(alert: Alert, request: Request) -> Message:
    """Show what an alert is, and how to change it: with a tap, with a line, or in a window."""
    tr = request.tr
    level, line = threshold(parse(alert.rule)), f"/edit {alert.number}"
    if level is None:
        how = tr("Send it another rule: {line}", line=f"{line} {alert.rule}")
    else:
        example = moved(level, Decimal(-5))
        how = tr(
            "Send it another level or rule: {line}, or {rule}",
            line=f"{line} {example}",
            rule=f"{line} {with_threshold(parse(alert.rule), example)}",
        )
    lines = (tr("{label} is: {rule}", label=alert.label, rule=alert.rule), how)
    return Message(lines=lines, buttons=of_editing(alert, tr, has_window=request.caller.has_windows))


def _moved(row: Row, text: str, request: Request) -> Rule | None:
    """Give the rule with its one number moved; ``None`` if a rule was written. Raises Refusal."""
    tr, alert = request.tr, row.subscription.alert
    share, number = _share(text), read_number(text)
    if share is None and number is None:
        return None
    rule = parse(alert.rule)
    level = threshold(rule)
    if level is None:
        raise Refusal(
            tr(
                "{label} has no single number of its own to move: {rule}.", label=alert.label, rule=alert.rule
            ),
            tr("Write the whole rule: {line}", line=f"/edit {alert.number} btc < 98k"),
        )
    if number is None and share is not None:
        number = moved(level, share)
    if number is None or number <= 0:
        raise Refusal(tr("That would leave nothing of {number}.", number=level))
    return with_threshold(rule, number)


def _resumed(alert: Alert, text: str) -> Rule | None:
    """Read what goes on with what the rule is about, ``< 90k``; ``None`` where it is no such thing.

    How the alert lives stays as it is, unless that is said too.
    """
    old = parse(alert.rule)
    about = term(old)
    try:
        rule = read(f"{about} {text}").rule if about else None
    except RuleError:
        return None
    if rule is None or threshold(rule) is None:
        return None
    return rule if rule.options != Options() else replace(rule, options=old.options)


def _share(text: str) -> Decimal | None:
    found = _SHARE.fullmatch(text.strip())
    return Decimal(found[1]) if found else None
