"""What may be posted in any chat: the card of a price, a rule to arm, or what is wrong with the words.

It is asked for with every few letters that somebody types. So nothing is written down for it, unless a rule
is too long for the link of its card; and what cannot be had at once is left out. The words are in the asker's
language. What is theirs alone, the levels of their alerts, is shown to them and not posted.
"""

from __future__ import annotations

import asyncio

import structlog

from bot.alerts.chart import PriceChart, Sketch
from bot.alerts.handouts import write_out
from bot.alerts.message import Message
from bot.alerts.people import Caller, ChatKind, Role
from bot.alerts.sentences import instrument_name, venue_name
from bot.alerts.translator import Translator
from bot.commands.charts import levels_near, price_since
from bot.commands.handing import hand, handed
from bot.commands.offering import outlook
from bot.commands.reading import find, prepare, read_instrument, read_rule
from bot.commands.request import Office, Refusal, Request
from bot.looking import look
from bot.metrics import MINUTE, MetricKey, minute_of, opening_of
from bot.ports import Card, ChatSettings, StoreTrouble
from bot.rules import RuleError, instruments, parse
from bot.rules.talk import hear
from bot.rules.tree import Instrument, Rule
from bot.rules.windows import is_metric

_MOST = 5
"""How many prices are shown at once."""

_USUAL = ("btc", "eth")
_LONGEST = 256
"""What Telegram takes of such words."""

_DAY = 86_400
_CANDLE = 5 * MINUTE
_PATIENCE = 2.0
"""Seconds after which a card goes without the change of a day."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def inquire(office: Office, caller: Caller, words: str) -> list[Card]:
    """Give what somebody may post who types these words; never raises, at worst gives nothing.

    Who is shut out is given nothing. ``caller`` is in their private chat, whether that exists or not.
    """
    now = office.clock.now()
    try:
        if not await office.gate.lets_ask(caller, now):
            return []
        settings = await office.register.met(caller.chat)
        if settings is None:
            settings = ChatSettings(caller.chat, ChatKind.PRIVATE, caller.language)
        tr = office.languages.translator(settings.language, settings.timezone)
        request = Request(office, caller, settings, Role.MEMBER, tr, now)
        try:
            return await _cards(request, " ".join(words[:_LONGEST].split()))
        except Refusal as refusal:
            return [_sentence(refusal.message)]
    except StoreTrouble as trouble:
        log.error("nothing_to_post", platform=caller.chat.platform, reason=str(trouble))
    except Exception as error:
        log.exception("nothing_to_post", platform=caller.chat.platform, error=type(error).__name__)
    return []


async def _cards(request: Request, text: str) -> list[Card]:
    if not text:
        return [_help(request), *await _prices(request, await _followed(request))]
    instrument = read_instrument(request, text)
    if instrument is None:
        return [await _offer(request, rule) for rule in _rules(request, text)]
    try:
        key = await find(request, instrument)
    except Refusal:
        begun = await request.office.market.instruments(text.lower(), _MOST)
        if not begun:
            raise
        return await _prices(request, begun)
    return [await _price(request, instrument, key)]


def _rules(request: Request, text: str) -> tuple[Rule, ...]:
    """Read what may be meant. Raises Refusal."""
    heard = hear(text)
    return heard.rules if heard else (read_rule(request, text).rule,)


async def _offer(request: Request, rule: Rule) -> Card:
    """Offer a rule to whoever wants it. Raises Refusal."""
    tr, rule = request.tr, await handed(request, rule)
    prepared = await prepare(request, rule, await request.levels())
    told = outlook(prepared, request)
    lines = (told, tr("Typed, it is: {line}", line=f"/alert {rule}"))
    token = write_out(str(rule)) or (await hand(request, rule)).token
    return Card(str(rule), told, Message(lines=lines), tr("Make this alert"), token)


async def _prices(request: Request, names: list[str]) -> list[Card]:
    """Show the prices of several instruments; those that are not to be had are left out."""

    async def card(name: str) -> Card | None:
        instrument = read_instrument(request, name)
        if instrument is None:
            return None
        try:
            return await _price(request, instrument, await find(request, instrument))
        except Refusal:
            return None

    return [one for one in await asyncio.gather(*(card(name) for name in names)) if one is not None]


async def _price(request: Request, instrument: Instrument, key: MetricKey) -> Card:
    """Show a price, what it did in a day, and to the asker the nearest level of theirs. Raises Refusal."""
    tr, name = request.tr, instrument_name(instrument, request.tr)
    looked, before = await asyncio.gather(look(request.office.market, (key,)), _day_ago(request, key, name))
    if (seen := looked.get(key)) is None:
        raise Refusal(tr("{name}: the price cannot be seen just now.", name=name))
    title = _titled(name, seen.price, before, tr)
    serving = request.office.market.serving(key)
    venue = venue_name(serving.venue if serving else key.venue)
    at = tr.instant(seen.at, request.now)
    where = tr("{line}.", line=tr.row(filter(None, (venue, at))))
    summary = where
    if (near := next(iter(await levels_near(request, key, seen.price)), None)) is not None:
        away = tr.share(abs(near.price / seen.price - 1))
        summary = tr(
            "Yours next: {alert} at {level}, {share} away", alert=near.name, level=near.written, share=away
        )
    token = write_out(str(instrument))
    message = Message(title=title, lines=(where,))
    return Card(title, summary, message, tr("Make an alert") if token else "", token)


def _titled(name: str, price: float, before: float | None, tr: Translator) -> str:
    """Say a price, and what became of it since the one of a day ``before``, if that is known."""
    if not before:
        return tr("{one} {other}", one=name, other=tr.price(price))
    return price_since(name, price, before, tr.stretch(_DAY, "hour"), tr)


async def _day_ago(request: Request, key: MetricKey, name: str) -> float | None:
    """Give the price of a day ago, the same for all who ask within a minute; ``None`` if it does not come."""
    until = minute_of(request.now)
    asked = Sketch(key, opening_of(until - _DAY, _CANDLE), until, PriceChart(name, "", _CANDLE))
    chart = await request.office.illustrator.fill(asked, _PATIENCE)
    first = chart.bars[0] if chart else None
    return first.open if first is not None and first.at <= asked.since else None


async def _followed(request: Request) -> list[str]:
    """Name what the asker's alerts are about, the newest first; else what most ask for."""
    found: dict[str, None] = {}
    for one in reversed(await request.office.register.subscriptions(request.chat)):
        try:
            rule = parse(one.arming.rule) if one.arming else None
        except RuleError:  # of an older version of the language
            continue
        for instrument in instruments(rule) if rule else ():
            if not is_metric(instrument):
                found[str(instrument)] = None
    return list(found or dict.fromkeys(_USUAL))[:_MOST]


def _help(request: Request) -> Card:
    """Say what can be typed; posted, it says what the bot is."""
    tr, link = request.tr, request.office.invitation(request.caller.chat.platform, "")
    lines = [tr("I watch the market and ring here when what you wrote comes true.")]
    lines.append(tr("Write what you want to hear of: {line}", line=tr("tell me when btc is below 100k")))
    summary = tr("For instance: {rule}", rule="btc · btc < 90k")
    return Card(tr("Write an instrument or a rule"), summary, Message(lines=(*lines, *filter(None, (link,)))))


def _sentence(message: Message) -> Card:
    """Say what is wrong with what was typed."""
    first, *others = message.lines
    return Card(first, " ".join(others), Message(lines=message.lines, code=message.code))
