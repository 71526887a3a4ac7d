"""The first thing that anybody says: what the bot does, alerts to arm with a tap, the clock; or a link."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

from bot.alerts.handouts import read_out
from bot.alerts.message import LABEL, Message, sound
from bot.alerts.people import ChatKind
from bot.alerts.sentences import instrument_name
from bot.commands import handing
from bot.commands.clocks import language_buttons, settings_button
from bot.commands.offering import arming, outlook
from bot.commands.reading import Prepared, prepare, read_instrument
from bot.commands.request import Refusal, Request
from bot.commands.zones import shown
from bot.metrics import MetricKey
from bot.ports import Replies
from bot.rules import instruments, parse

_MOST = 3
_FAVOURITES = ("btc", "eth")
_METRICS = (
    ("etf_flow", "btc", "etf_flow(btc) > 0 for 3 sessions"),
    ("fear_greed", "", "fear_greed() < 20"),
    ("funding", "btc", "funding(btc) > 0.05%"),
)
"""Rules on metrics that newcomers understand, each with what must be had here for it."""

_BELOW = Decimal("0.95")
_ABOVE = Decimal("1.05")


async def start(request: Request) -> Replies:
    """Say what the bot does and offer alerts that can be armed with a tap; or show what a link brought."""
    stale: tuple[str, ...] = ()
    if token := request.given("link"):
        try:
            yield await _received(request, token)
            return
        except Refusal as refusal:
            stale = refusal.message.lines
    tr, settings = request.tr, request.settings
    lines, rows = [], []
    async for prepared in _examples(request):
        lines.append(f"• {outlook(prepared, request)}")
        rule = str(prepared.rule)
        label = rule if len(rule) <= LABEL else prepared.meaning(tr)[:LABEL]
        rows.append((await arming(request, prepared.rule, label),))
    if request.caller.kind is ChatKind.PRIVATE:
        how = tr("Write what you want to hear of: {line}", line=tr("tell me when btc is below 100k"))
    else:
        how = tr("Write what the group wants to hear of: {line}", line="/alert btc < 100k")
    zone = shown(settings.timezone, request.now)
    clock = tr("Times are told on the clock of {zone}: it is {time}.", zone=zone, time=tr.time(request.now))
    pressed = [tr("Or press one of these to arm it:")] if rows else []
    yield Message(
        title=tr("I watch the market and ring here when what you wrote comes true."),
        lines=(*stale, how, *pressed, *lines, clock, tr("/help lists everything I know.")),
        buttons=sound((*rows, (settings_button(request), *language_buttons(request.office.languages)[0]))),
    )


async def _received(request: Request, token: str) -> Message:
    """Show what a link brought: an alert, or alerts on the instrument that it names. Raises Refusal."""
    instrument = read_instrument(request, read_out(token))
    if instrument is None:
        return await handing.receive(request, token)
    tr, name = request.tr, str(instrument)
    lines, rows = [], []
    async for prepared in _of_instrument(request, name, _MOST):
        lines.append(f"• {outlook(prepared, request)}")
        rows.append((await arming(request, prepared.rule, str(prepared.rule)[:LABEL]),))
    if not rows:
        raise Refusal(tr("No exchange that I watch lists {name}.", name=instrument_name(instrument, tr)))
    how = tr("Write what you want to hear of: {line}", line=f"{name} < ...")
    return Message(lines=(how, tr("Or press one of these to arm it:"), *lines), buttons=sound(tuple(rows)))


async def _examples(request: Request) -> AsyncIterator[Prepared]:
    """Give some alerts that this deployment can watch."""
    names = [*_FAVOURITES, *await request.office.market.instruments("", _MOST)]
    left = _MOST
    for name in names:
        async for prepared in _of_instrument(request, name, 2):
            yield prepared
            left -= 1
        if left < _MOST:
            break
    offered = [rule for metric, of, rule in _METRICS if _is_offered(metric, of, request)]
    others = [f"{name} moves 10% in 24h" for name in (*names[1:], *names[:1])]
    async for prepared in _armable(request, [*offered, *others], left):
        yield prepared


async def _of_instrument(request: Request, name: str, most: int) -> AsyncIterator[Prepared]:
    """Give alerts on an instrument: that it moves, that it falls below a level, and that it rises."""
    async for prepared in _armable(request, [f"{name} moves 5% in 1h"], 1):
        yield prepared
        [key] = prepared.keys
        [named] = instruments(prepared.rule)
        if price := prepared.price(key):
            exact = Decimal(str(price))
            rules = [f"{named} < {_round(exact * _BELOW)}", f"{named} > {_round(exact * _ABOVE)}"]
            async for further in _armable(request, rules, most - 1):
                yield further


async def _armable(request: Request, rules: list[str], most: int) -> AsyncIterator[Prepared]:
    levels = await request.levels()
    for rule in rules:
        if most <= 0:
            return
        try:
            prepared = await prepare(request, parse(rule), levels)
        except Refusal:
            continue
        most -= 1
        yield prepared


def _is_offered(metric: str, of: str, request: Request) -> bool:
    offers = request.office.metrics.offers(MetricKey(metric, of))
    return bool(offers) and not offers[0].lacks


def _round(value: Decimal) -> str:
    """Round to two digits, as people say a level."""
    places = value.adjusted() - 1
    step = Decimal(1).scaleb(places)
    return f"{(value / step).quantize(Decimal(1)) * step:f}"
