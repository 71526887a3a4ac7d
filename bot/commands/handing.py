"""Hand an alert on to others: by a link, a line to send, or a button; each looks at it before it is armed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from bot.alerts.handouts import Handout, read_out
from bot.alerts.message import Button, Message, sound
from bot.commands.alerts import named, refuse_if_over
from bot.commands.offering import arming, handout_of, outlook, too_old
from bot.commands.reading import prepare, read_rule
from bot.commands.request import Refusal, Request
from bot.ports import Replies
from bot.rules import RuleError, fill, parse
from bot.rules.tree import Rule

_SECONDS = 30 * 86_400.0
"""How long others may copy an alert."""


async def share(request: Request) -> Replies:
    """Give what copies an alert to whoever wants it."""
    tr = request.tr
    subscription = (await named(request)).subscription
    alert = subscription.alert
    if alert.is_shared:
        line = f"/subscribe {alert.name}"
        raise Refusal(tr("{label} is published: who wants it says {line}", label=alert.label, line=line))
    rule = parse(alert.rule)
    refuse_if_over(alert, rule, request)
    rule = await handed(request, rule, subscription.own)
    handout = await hand(request, rule)
    line, at = f"/start {handout.token}", tr.instant(handout.expires_at, request.now)
    shown = tr("{label}: {rule}", label=alert.label, rule=str(rule))
    asked = tr("It is shown and asked before anything is armed, and can be copied until {at}.", at=at)
    if link := request.office.invitation(request.caller.chat.platform, handout.token):
        yield Message(lines=(shown, tr("Whoever opens this link may copy it: {link}", link=link), asked))
        return
    how = tr("Whoever sends me this in private may copy it: {line}", line=line)
    button = Button(tr("Copy to my messages"), line, is_own=True)
    typed = tr("Typed, it is: {line}", line=f"/alert {rule}")
    yield Message(lines=(shown, how, typed, asked), buttons=((button,),))


async def handed(request: Request, rule: Rule, own: Mapping[str, Decimal] = MappingProxyType({})) -> Rule:
    """Give a rule as others get it: with the numbers of the chat's own levels, and of the alert's ``own``."""
    levels = (await request.office.register.levels(request.chat)).values()
    chats_own = {one.name: one.value for one in levels if one.chat is not None}
    return fill(rule, {**chats_own, **own}, is_partial=True)


async def hand(request: Request, rule: Rule) -> Handout:
    """Keep a rule for others, under a token."""
    now = request.instant
    return await request.office.register.hand_out(request.caller, str(rule), now + _SECONDS, now)


async def receive(request: Request, token: str) -> Message:
    """Show what somebody handed on, and ask whether to arm it here. Raises Refusal.

    A token that carries the rule in itself was pressed under what somebody posted.
    """
    tr = request.tr
    if text := read_out(token):
        rule, said = read_rule(request, text).rule, tr("The alert that you pressed:")
    else:
        handout = await handout_of(request, token)
        try:
            rule, said = parse(handout.rule), tr("{name} hands you an alert:", name=handout.by)
        except RuleError:  # what was kept for who wrote it, to be put right
            raise too_old(tr) from None
    prepared = await prepare(request, rule, await request.levels())
    lines = (
        said,
        outlook(prepared, request),
        tr("Nothing is armed yet: press the button, or send: {line}", line=f"/alert {rule}"),
    )
    return Message(lines=lines, buttons=sound(((await arming(request, rule, tr("Arm it")),),)))
