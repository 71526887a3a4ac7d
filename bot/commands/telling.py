"""Mute an alert for a while, and tell it again."""

from __future__ import annotations

from bot.alerts.message import Button, Message, say
from bot.alerts.offers import of_alert, of_mute
from bot.commands.alerts import no_alert, rows
from bot.commands.reading import label_of
from bot.commands.request import Refusal, Request
from bot.commands.standing import hidden
from bot.ports import Replies
from bot.rules import RuleError, parse

_LONGEST = 30 * 86_400


async def mute(request: Request) -> Replies:
    """Do not tell what an alert, or all of them, ring for a while; they go on, and that is counted."""
    tr, time = request.tr, request.given("time")
    if not time:
        yield await _mute_all(request)
        return
    label = label_of(request.given("alert"))
    until = request.instant + seconds_of(time, request)
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


async def _mute_all(request: Request) -> Message:
    tr, time = request.tr, request.given("alert")
    if time.lstrip("#").isdecimal():
        line = f"/mute {time} 8h"
        usual = ("1h", "8h", "1d")
        buttons = (tuple(Button(length, f"/mute {time.lstrip('#')} {length}") for length in usual),)
        raise Refusal(tr("For how long? Send a number with a unit: {line}", line=line), buttons=buttons)
    until = request.instant + seconds_of(time, request)
    count = await request.office.register.mute_all(request.chat, until, request.instant)
    if not count:
        raise Refusal(tr("There is no alert here to mute."))
    muted = tr.many(
        "The one alert here is muted until {at}.",
        "All {count} alerts here are muted until {at}.",
        count,
        at=tr.instant(until, request.now),
    )
    goes_on = tr("They go on, and what they ring is counted. {line} tells them again.", line="/unmute")
    return Message(lines=(muted, goes_on), buttons=((Button(tr("Unmute all"), "/unmute"),),))


async def unmute(request: Request) -> Replies:
    """Tell an alert again, or all of them."""
    tr, named = request.tr, request.given("alert")
    if not named:
        count = await request.office.register.unmute_all(request.chat, request.instant)
        if not count:
            raise Refusal(tr("No alert is muted here."))
        yield say(tr.many("{count} alert is told again.", "{count} alerts are told again.", count))
        return
    label = label_of(named)
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
