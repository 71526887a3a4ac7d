"""Mute an alert for a while, and tell it again."""

from __future__ import annotations

from bot.alerts.message import Message
from bot.alerts.offers import of_alert, of_mute
from bot.commands.alerts import no_alert, rows
from bot.commands.reading import label_of
from bot.commands.request import Refusal, Request
from bot.commands.standing import hidden
from bot.ports import Replies
from bot.rules import RuleError, parse

_LONGEST = 30 * 86_400


async def mute(request: Request) -> Replies:
    """Do not tell what an alert rings for a while; it goes on, and what it rang is counted."""
    tr, label = request.tr, label_of(request.given("alert"))
    until = request.instant + seconds_of(request.given("time"), request)
    alert = await request.office.register.mute(request.chat, label, until, request.instant)
    if alert is None:
        raise no_alert(request, label, await rows(request))
    named = alert.name or str(alert.number)
    muted = tr(
        "{label} is muted until {at}. It goes on, and what it rings is counted. {line} tells it again.",
        label=alert.label,
        at=tr.instant(until, request.now),
        line=f"/unmute {named}",
    )
    yield Message(lines=(muted,), buttons=of_mute(alert, tr))


async def unmute(request: Request) -> Replies:
    """Tell an alert again."""
    tr, label = request.tr, label_of(request.given("alert"))
    before = await request.office.register.unmute(request.chat, label, request.instant)
    if before is None:
        raise no_alert(request, label, await rows(request))
    if before.muted_until is None:
        raise Refusal(tr("{label} is not muted.", label=before.alert.label))
    told = tr("{label} is told again.", label=before.alert.label)
    lines = (told, *((hidden(before.hidden, tr) + ".",) if before.hidden else ()))
    yield Message(lines=lines, buttons=of_alert(before.alert, tr))


def seconds_of(text: str, request: Request) -> float:
    """Read a duration as rules write it, from a minute to 30 days. Raises Refusal."""
    try:
        cooldown = parse(f"btc > 1 repeat cooldown {text}").options.cooldown
    except RuleError:
        cooldown = None
    if cooldown is None or not 0 < cooldown.seconds <= _LONGEST:
        raise Refusal(
            request.tr(
                '"{text}" is no time from a minute to 30 days. Write it like 30m, 8h or 2d.', text=text[:64]
            )
        )
    return float(cooldown.seconds)
