"""Give a chat's data as one file that people read, edit, keep, and bring back with /import."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.alerts.belongings import MOST_RINGS, Belonging, Belongings, Ringing, written
from bot.alerts.links import platform_name
from bot.alerts.message import File, Message
from bot.alerts.models import Subscription
from bot.alerts.people import ChatKind
from bot.alerts.rings import Rung
from bot.commands.request import Request
from bot.commands.standing import row_of
from bot.ports import Replies
from bot.rules import levels, parse


async def export(request: Request) -> Replies:
    """Send what this chat has, as a file."""
    tr = request.tr
    belongings, rings = await gather(request)
    day = datetime.fromtimestamp(request.now, UTC)
    remarks = (
        tr("What Tocsin keeps for this chat, as of {day}.", day=f"{day:%Y-%m-%d %H:%M} UTC"),
        tr("It may be edited. To take it back: send it with /import below it, or answer it with /import."),
        tr("Whatever is there already is left as it is, and nothing is done before you confirm it."),
    )
    file = File(f"tocsin-{day:%Y-%m-%d}.toml", written(belongings, remarks, tr))
    own = sum(not one.name for one in belongings.alerts)
    parts = [tr.many("{count} alert", "{count} alerts", own)]
    if followed := len(belongings.alerts) - own:
        parts.append(tr.many("{count} shared alert", "{count} shared alerts", followed))
    if belongings.levels:
        parts.append(tr.many("{count} level", "{count} levels", len(belongings.levels)))
    whose = (
        tr("Your data: {parts}, and your settings.", parts=tr.listed(parts))
        if request.caller.kind is ChatKind.PRIVATE
        else tr("The data of this chat: {parts}, and its settings.", parts=tr.listed(parts))
    )
    lines = [whose]
    if rings > len(belongings.rings):
        lines.append(
            tr(
                "Of {count} rings, the newest {most} are in it.",
                count=rings,
                most=len(belongings.rings),
            )
        )
    elif rings:
        lines.append(
            tr.many(
                "What rang is in it, too: {count} ring.", "What rang is in it, too: {count} rings.", rings
            )
        )
    lines.append(
        tr("No other person and no key is in it. /import takes it back, here or in another deployment.")
    )
    yield Message(lines=tuple(lines), file=file)


async def gather(request: Request) -> tuple[Belongings, int]:
    """Read what a chat has, and how many rings are known of it."""
    register, caller = request.office.register, request.caller
    known = await register.levels(request.chat)
    subscriptions = await register.subscriptions(request.chat)
    alerts = tuple(_belonging(one, request) for one in subscriptions)
    own = {name: one.value for name, one in known.items() if one.chat == request.chat}
    named = frozenset[str]().union(*(levels(parse(one.rule)) for one in alerts))
    named = frozenset(name.lower() for name in named)
    quiet, _ = await register.quiet(caller)
    report = await register.report(request.caller.chat)
    rung, count = await register.rung(request.chat, "", 1, MOST_RINGS)
    belongings = Belongings(
        language=request.settings.language,
        timezone=request.settings.timezone,
        quiet=quiet or None,
        report=str(report.plan) if report else None,
        announcements=None if await register.hears(caller) else False,
        levels=own,
        elsewhere={name: one.value for name, one in known.items() if name in named and name not in own},
        alerts=tuple(sorted(alerts, key=lambda one: bool(one.name))),
        rings=tuple(_ringing(one) for one in rung),
    )
    return belongings, count


def _belonging(subscription: Subscription, request: Request) -> Belonging:
    alert, until = subscription.alert, subscription.muted_until
    return Belonging(
        alert.rule,
        name=alert.name,
        number=alert.number,
        is_urgent=subscription.is_urgent,
        is_paused=row_of(subscription, request.office.quote).is_at_rest,
        muted_until=until if until is not None and until > request.now else None,
        place="" if subscription.place == _here(request) else subscription.place,
        playbook=alert.playbook,
        part=alert.part,
        own={name.lower(): value for name, value in sorted(subscription.own.items())},
    )


def _here(request: Request) -> str:
    """Name this chat as what rings here does, where it is linked with another: it needs no saying."""
    return platform_name(request.caller.chat.platform) if request.settings.link else ""


def _ringing(rung: Rung) -> Ringing:
    return Ringing(rung.at, rung.label, rung.armed, rung.value, rung.corrected_at is not None)
