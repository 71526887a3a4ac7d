"""Pictures on demand: the candles of an instrument with this chat's levels, or the flows of funds."""

from __future__ import annotations

from dataclasses import replace

from bot.alerts.chart import Line, Theme
from bot.alerts.message import Message
from bot.alerts.sentences import instrument_name
from bot.alerts.sketches import MOST_LEVELS, levels_of, sketch
from bot.alerts.translator import Translator
from bot.commands.metrics import flows
from bot.commands.reading import find, read_instrument
from bot.commands.request import Refusal, Request
from bot.engine.terms import key_of
from bot.metrics import MetricKey
from bot.ports import Replies
from bot.rules import RuleError, instruments, parse

_HOUR, _DAY = 3600, 86_400
_SPANS = {
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "30m": 1800,
    "1h": _HOUR,
    "2h": 2 * _HOUR,
    "4h": 4 * _HOUR,
    "6h": 6 * _HOUR,
    "12h": 12 * _HOUR,
    "1d": _DAY,
    "1w": 7 * _DAY,
}
_USUAL = "1h"
_THEMES: dict[str, Theme] = {"dark": "dark", "light": "light"}
_GRAIN = 5
"""Seconds within which people who ask for the same are shown the same."""


async def show(request: Request) -> Replies:
    """Show a chart: ``btc 4h``, ``btc 4h light``, ``etf btc``."""
    words = request.given("what").lower().split()
    theme = _THEMES[words.pop()] if len(words) > 1 and words[-1] in _THEMES else "dark"
    if words[0] == "etf" and len(words) <= 2:
        yield await flows(request, (words[1:] or ["btc"])[0], theme)
        return
    yield await _prices(request, words, theme)


async def _prices(request: Request, words: list[str], theme: Theme) -> Message:
    tr, now = request.tr, request.now
    instrument = read_instrument(request, words[0])
    written = (words[1:] or [_USUAL])[0]
    if instrument is None:
        examples = "btc 4h, eth/usd 1d, etf btc"
        raise Refusal(
            tr('"{name}" is no instrument. Write it like {examples}.', name=words[0], examples=examples)
        )
    if written not in _SPANS or len(words) > 2:
        refused = " ".join(words[1:])
        raise Refusal(
            tr('"{span}" is no length of candles. There are: {spans}.', span=refused, spans=", ".join(_SPANS))
        )
    key, span, name = await find(request, instrument), _SPANS[written], instrument_name(instrument, tr)
    serving = request.office.market.serving(key)
    venue = serving.venue if serving else key.venue
    asked = sketch(key, name, venue, span, int(now) // _GRAIN * _GRAIN, tr=tr, theme=theme)
    chart = await request.office.illustrator.fill(asked)
    if chart is None:
        raise Refusal(tr("{name}: its candles cannot be seen just now. Please try again.", name=name))
    first, last = chart.bars[0], chart.bars[-1]
    title = price_since(name, last.close, first.open, tr.duration(asked.until - first.at), tr)
    levels = (await levels_near(request, key, last.close))[:MOST_LEVELS]
    return Message(title=title, chart=replace(chart, levels=levels))


def price_since(name: str, price: float, before: float, time: str, tr: Translator) -> str:
    """Say a price, and by how much it is above or below the one that was ``before``, so much ``time`` ago."""
    change = price / before - 1
    arguments = {"name": name, "price": tr.price(price), "share": tr.share(abs(change)), "time": time}
    if change < 0:
        return tr("{name} {price}, down {share} in {time}.", **arguments)
    return tr("{name} {price}, up {share} in {time}.", **arguments)


async def levels_near(request: Request, key: MetricKey, price: float) -> tuple[Line, ...]:
    """Give the levels of this chat's alerts on an instrument, the nearest to a price first."""
    lines: dict[float, Line] = {}
    for one in await request.office.register.subscriptions(request.chat):
        try:
            rule = parse(one.arming.rule) if one.arming else None
        except RuleError:  # of an older version of the language
            continue
        for instrument in instruments(rule) if rule else ():
            if rule and key_of(instrument) == key:
                for level in levels_of(rule.condition, instrument):
                    line = Line(float(level), request.tr.number(level), one.alert.label)
                    lines.setdefault(line.price, line)
    return tuple(sorted(lines.values(), key=lambda line: abs(line.price - price)))
