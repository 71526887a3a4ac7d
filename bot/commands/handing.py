"""Hand an alert on to others: by a link, a line to send, or a button; each looks at it before it is armed."""

from __future__ import annotations

from bot.alerts.message import Button, Message, sound
from bot.commands.alerts import named, refuse_if_over
from bot.commands.offering import arming, handout_of, outlook
from bot.commands.reading import prepare
from bot.commands.request import Refusal, Request
from bot.ports import Replies
from bot.rules import fill, parse

_SECONDS = 30 * 86_400.0
"""How long others may copy an alert."""


async def share(request: Request) -> Replies:
    """Give what copies an alert to whoever wants it."""
    tr, register = request.tr, request.office.register
    alert = (await named(request)).subscription.alert
    if alert.is_shared:
        line = f"/subscribe {alert.name}"
        raise Refusal(tr("{label} is published: who wants it says {line}", label=alert.label, line=line))
    rule = parse(alert.rule)
    refuse_if_over(alert, rule, request)
    # A chat's own levels are its own: whoever copies the alert gets their numbers.
    levels = (await register.levels(request.chat)).values()
    rule = fill(rule, {one.name: one.value for one in levels if one.chat is not None}, is_partial=True)
    until = request.instant + _SECONDS
    handout = await register.hand_out(request.caller, str(rule), until, request.instant)
    line, at = f"/start {handout.token}", tr.instant(until, request.now)
    shown = tr("{label}: {rule}", label=alert.label, rule=str(rule))
    asked = tr("It is shown and asked before anything is armed, and can be copied until {at}.", at=at)
    if link := request.office.invitation(request.chat.platform, handout.token):
        yield Message(lines=(shown, tr("Whoever opens this link may copy it: {link}", link=link), asked))
        return
    how = tr("Whoever sends me this in private may copy it: {line}", line=line)
    button = Button(tr("Copy to my messages"), line, is_own=True)
    typed = tr("Typed, it is: {line}", line=f"/alert {rule}")
    yield Message(lines=(shown, how, typed, asked), buttons=((button,),))


async def receive(request: Request, token: str) -> Message:
    """Show what somebody handed on, and ask whether to arm it here. Raises Refusal."""
    tr, handout = request.tr, await handout_of(request, token)
    rule = parse(handout.rule)
    prepared = await prepare(request, rule, await request.levels())
    lines = (
        tr("{name} hands you an alert:", name=handout.by),
        outlook(prepared, request),
        tr("Nothing is armed yet: press the button, or send: {line}", line=f"/alert {rule}"),
    )
    return Message(lines=lines, buttons=sound(((await arming(request, rule, tr("Arm it")),),)))
