"""A chat's own alerts: make, delete, pause, resume, and ring for what is true already."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.alerts.message import Message, say
from bot.alerts.models import Alert
from bot.alerts.offers import listed, of_alert, of_deleting, of_rest
from bot.commands.offering import written
from bot.commands.preview import preview
from bot.commands.reading import (
    SURE,
    Prepared,
    arm,
    ask_if_far,
    label_of,
    nearest,
    read_rule,
    split_sure,
)
from bot.commands.request import Refusal, Request
from bot.commands.sights import lost_lines
from bot.commands.standing import Row, Standing, distance, made, row_of, said, stand
from bot.ports import Replies
from bot.rules import parse
from bot.rules.tree import Rule

_UNTRUE = (Standing.CLEAR, Standing.NEAR)


async def make(request: Request) -> Replies:
    """Arm a rule for this chat."""
    tr = request.tr
    text, is_sure = split_sure(await written(request))
    reading = read_rule(request, text)

    async def write(prepared: Prepared) -> Alert:
        if not is_sure:
            ask_if_far(prepared, f"/alert {reading.rule} {SURE}", tr)
        return await request.office.register.make_alert(
            request.caller, str(prepared.rule), prepared.arming(), request.instant
        )

    prepared, alert = await arm(request, reading.rule, write)
    told = await made(alert, prepared, request)
    lines = [*told.lines, *await lost_lines(prepared.series, request)]
    if reading.is_sugared:
        lines.append(tr("Read as: {rule}", rule=str(reading.rule)))
    if reading.other is not None:
        lines.append(tr("If all of it is to hold that long, write: {rule}", rule=str(reading.other)))
    answer = Message(lines=tuple(lines), buttons=of_alert(alert, tr, is_waiting=told.is_waiting))
    yield answer
    if would_have := await preview(prepared, request):
        yield replace(answer, lines=(*lines, would_have))


async def delete(request: Request) -> Replies:
    """Delete an alert of this chat's own; ask once more where that is asked for."""
    tr, number, how = request.tr, int(request.given("number")), request.given("how").lower()
    if how and how not in ("ask", "keep"):
        line = f"/delete {number}"
        raise Refusal(tr('"{word}" is neither ask nor keep. {line} deletes it.', word=how[:64], line=line))
    if how:
        known = (await _labelled(request, f"#{number}")).subscription.alert
        if how == "ask":
            asked = tr("Delete {label}? {rule}", label=known.label, rule=known.rule)
            yield Message(lines=(asked,), buttons=of_deleting(number, tr))
        else:
            kept = tr("{label} stays: {rule}", label=known.label, rule=known.rule)
            yield Message(lines=(kept,), buttons=of_alert(known, tr))
        return
    alert = await request.office.register.delete_alert(request.chat, number, request.now)
    if alert is None:
        raise no_alert(request, f"#{number}", await rows(request))
    deleted = tr("{label} is deleted: {rule}", label=alert.label, rule=alert.rule)
    yield Message(lines=(deleted,), buttons=((listed(tr),),) if request.caller.has_pressed else ())


async def pause(request: Request) -> Replies:
    """Put an alert to rest until it is resumed."""
    tr, row = request.tr, await named(request)
    alert = row.subscription.alert
    line = said("resume", alert)
    if alert.paused_at is not None:
        raise Refusal(
            tr("{label} is paused already. {line} takes it up again.", label=alert.label, line=line)
        )
    await request.office.register.pause(request.chat, alert.label, request.now)
    paused = tr("{label} is paused. {line} takes it up again.", label=alert.label, line=line)
    yield Message(lines=(paused,), buttons=of_rest(alert, tr))


async def resume(request: Request) -> Replies:
    """Take up a paused or spent alert again; its life begins anew."""
    tr, row = request.tr, await named(request)
    alert = row.subscription.alert
    if not row.is_at_rest:
        raise Refusal(tr("{label} is armed already.", label=alert.label))
    rule = parse(alert.rule)
    refuse_if_over(alert, rule, request)

    async def write(prepared: Prepared) -> Alert | None:
        return await request.office.register.resume(
            request.chat, alert.label, prepared.arming(), request.instant
        )

    prepared, _ = await arm(request, rule, write, row.subscription.own)
    told = await made(alert, prepared, request)
    lines = (*told.lines, *await lost_lines(prepared.series, request))
    yield Message(lines=lines, buttons=of_alert(alert, tr, is_waiting=told.is_waiting))


async def ring_now(request: Request) -> Replies:
    """Let an alert that waits to be clear ring for what is true now."""
    tr, row = request.tr, await named(request)
    alert = row.subscription.alert
    if not row.is_waiting:
        raise _not_waiting(row, request)

    async def write(prepared: Prepared) -> Alert | None:
        if not prepared.is_seen:
            raise Refusal(tr("The price cannot be seen just now. Please send that again later."))
        if await stand(prepared, alert.is_shared, request.now, request.office.market) in _UNTRUE:
            raise Refusal(
                tr("{label} is not true now: there is nothing to tell before it is.", label=alert.label)
            )
        return await request.office.register.ring_now(
            request.chat, alert.label, prepared.arming(), request.instant
        )

    prepared, taken = await arm(request, parse(alert.rule), write, row.subscription.own)
    if taken is None:  # it was judged, or somebody changed it, in this very moment
        raise _not_waiting(await named(request), request)
    yield say(
        tr("{label} waits no more: if it is true at the next look, it rings.", label=alert.label),
        tr(
            "{rule}. Now {where}.",
            rule=prepared.meaning(tr),
            where=distance(prepared.armed, prepared.keys, prepared.seen, tr),
        ),
    )


def _not_waiting(row: Row, request: Request) -> Refusal:
    tr, alert, state = request.tr, row.subscription.alert, row.subscription.state
    if row.is_at_rest:
        return Refusal(
            tr("{label} is at rest. {line} arms it.", label=alert.label, line=said("resume", alert))
        )
    if state is not None and state.rang_at is not None and not state.is_armed:
        at = tr.instant(state.rang_at, request.now)
        return Refusal(tr("{label} rang {at}, and rings again once it was clear.", label=alert.label, at=at))
    return Refusal(tr("{label} is armed: it rings as soon as it is true.", label=alert.label))


async def rows(request: Request) -> list[Row]:
    """Read what this chat is told."""
    subscriptions = await request.office.register.subscriptions(request.chat)
    return [row_of(subscription, request.office.quote) for subscription in subscriptions]


async def named(request: Request) -> Row:
    """Find the alert that a person names: ``3``, ``#3`` or ``btc-floor``. Raises Refusal."""
    return await _labelled(request, label_of(request.given("alert")))


async def _labelled(request: Request, label: str) -> Row:
    listed = await rows(request)
    for row in listed:
        if row.subscription.alert.label.lower() == label:
            return row
    raise no_alert(request, label, listed)


def refuse_if_over(alert: Alert, rule: Rule, request: Request) -> None:
    """Refuse to arm a rule whose time is over. Raises Refusal."""
    tr, until = request.tr, rule.options.until
    if isinstance(until, datetime) and until.timestamp() <= request.now:
        at = tr.instant(until.timestamp(), request.now)
        raise Refusal(tr("{label} had its time until {at}: please make a new one.", label=alert.label, at=at))


def no_alert(request: Request, label: str, listed: list[Row]) -> Refusal:
    """Refuse a label that none of a chat's alerts has, with the nearest that one has."""
    tr, labels = request.tr, [row.subscription.alert.label for row in listed]
    if request.caller.has_pressed:  # nobody mistyped it: it was there when the button was made
        return Refusal(tr("{label} is no more: it was deleted, or is not followed here.", label=label))
    lines = [tr("There is no alert {label} here.", label=label)]
    if label.startswith("#"):
        lines.append(tr("/alerts lists them all."))
    elif near := nearest(label, labels):
        lines.append(tr("Did you mean {label}? /alerts lists them all.", label=near))
    return Refusal(*lines)
