"""The present: prices, and how the deployment itself is."""

from __future__ import annotations

import asyncio

from bot.alerts.causes import cause
from bot.alerts.message import say
from bot.alerts.sentences import instrument_name, venue_name
from bot.commands.reading import find, read_instrument
from bot.commands.request import Refusal, Request
from bot.commands.staff import staff
from bot.looking import look
from bot.metrics import Health
from bot.ports import Replies

_MOST = 10
"""How many prices one command asks for."""


async def price(request: Request) -> Replies:
    """Say the present price of one or several instruments."""
    tr, lines = request.tr, []
    named = dict.fromkeys(request.given("instruments").replace(",", " ").split())
    if len(named) > _MOST:
        raise Refusal(tr("At most {count} prices at once, please.", count=_MOST))
    results = await asyncio.gather(*(_price(request, name) for name in named), return_exceptions=True)
    for result in results:
        match result:
            case str():
                lines.append(result)
            case Refusal() as refusal:
                lines.extend(refusal.message.lines)
            case BaseException() as error:
                raise error
    yield say(*lines)


async def status(request: Request) -> Replies:
    """Say how the feeds are, and what this chat has."""
    tr, office = request.tr, request.office
    subscriptions = await office.register.subscriptions(request.chat)
    lines = [tr("Tocsin {version}", version=office.version)]
    lines.extend(health_line(health, request) for health in office.market.health())
    lines.extend(provider_line(health, request) for health in office.metrics.health())
    if request.is_for_all:  # what machines are called is nobody else's business
        lines.extend(await staff(request))
    lines.append(tr.many("{count} alert in this chat.", "{count} alerts in this chat.", len(subscriptions)))
    yield say(*lines)


async def _price(request: Request, name: str) -> str:
    tr, instrument = request.tr, read_instrument(request, name)
    if instrument is None:
        raise Refusal(
            tr('"{name}" is no instrument. Write it like {examples}.', name=name, examples=_EXAMPLES)
        )
    key = await find(request, instrument)
    shown = instrument_name(instrument, tr)
    seen = (await look(request.office.market, (key,))).get(key)
    if seen is None:
        return tr("{name}: the price cannot be seen just now.", name=shown)
    text, age = tr.price(seen.price), request.now - seen.at
    if age > request.office.late_after:
        return tr("{name} {price}, seen {age} ago", name=shown, price=text, age=tr.duration(age))
    return tr("{name} {price}, {at}", name=shown, price=text, at=tr.instant(seen.at, request.now))


def health_line(health: Health, request: Request) -> str:
    """Say how one feed is: when it last brought data, and what keeps it from doing so."""
    tr, name = request.tr, venue_name(health.source)
    reason = cause(health.reason, health.source, tr)
    if health.seen_at is None:
        if health.failing_since is None:
            return tr("{source}: not looked at yet", source=name)
        return tr(
            "{source}: nothing seen yet: {reason}",
            source=name,
            reason=reason,
        )
    age = request.now - health.seen_at
    seen = tr.duration(max(age, 0))
    if health.failing_since is not None:
        return tr(
            "{source}: cannot be seen, last data {age} ago: {reason}",
            source=name,
            age=seen,
            reason=reason,
        )
    if age > request.office.late_after:
        return tr("{source}: late, last data {age} ago", source=name, age=seen)
    return tr("{source}: well, last data {age} ago", source=name, age=seen)


def provider_line(health: Health, request: Request) -> str:
    """Say how a provider is; it is asked when it wants to be, so that what it last brought is never late."""
    tr, name = request.tr, venue_name(health.source)
    if health.failing_since is not None or health.seen_at is None:
        return health_line(health, request)
    seen = tr.duration(max(request.now - health.seen_at, 0))
    if health.quota is not None:
        return tr(
            "{source}: well, last asked {age} ago, {count} questions left",
            source=name,
            age=seen,
            count=health.quota,
        )
    return tr("{source}: well, last asked {age} ago", source=name, age=seen)


_EXAMPLES = "btc, eth/usd, btc/usdt@kraken"
