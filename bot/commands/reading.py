"""Read what a person typed into a rule that can be armed, and look at the present of what it reads.

All refusals come from here: each says what is wrong, where, and the nearest thing that works.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from difflib import get_close_matches
from types import MappingProxyType
from typing import TypeVar

import structlog

from bot.alerts.causes import cause
from bot.alerts.message import Button, sound
from bot.alerts.sentences import filled_levels, instrument_name, meaning, thresholds
from bot.alerts.translator import Translator
from bot.commands.examples import fitting, plainest
from bot.commands.request import Refusal, Request
from bot.engine.compiler import compile_rule
from bot.engine.life import Life
from bot.engine.news import reach_of
from bot.engine.terms import key_of, metric_key
from bot.looking import look
from bot.metrics import MetricKey, Observation, Seen
from bot.ports import Conflict, NewArming, UnknownInstrument, Unseeable
from bot.rules import (
    Reading,
    RuleError,
    UnknownLevel,
    fill,
    fix,
    instruments,
    is_bare_macro,
    name_stocks,
    parse,
    picture,
    qualify,
    read,
    tickers,
)
from bot.rules.talk import misspelt
from bot.rules.tree import Compare, Instrument, Number, Rule

T = TypeVar("T")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SURE = "sure"
"""The word that, put behind a rule or a level, confirms a number far from the price."""

FAR = 5
"""How many times away from the price a level is asked about before it is armed."""

_ATTEMPTS = 3
_DIGITS = re.compile(r"[0-9]")
_SECONDS_FOR_A_STOCK = 8.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A rule ready to be armed.

    ``rule`` is what its owner wrote (levels by name), ``armed`` the same with numbers and full instruments;
    ``keys`` the series of each instrument whose price ``armed`` reads, ``seen`` what could be seen of them;
    ``said`` what is known of each of its metrics, as it became known. Of those that are ``unrecorded`` and
    were asked for just now, that is the newest value alone.
    """

    rule: Rule
    armed: Rule
    keys: Mapping[Instrument, MetricKey] = field(default_factory=dict)
    seen: Mapping[MetricKey, Seen] = field(default_factory=dict)
    said: Mapping[MetricKey, Sequence[Observation]] = field(default_factory=dict)
    unrecorded: frozenset[MetricKey] = frozenset()

    @property
    def is_seen(self) -> bool:
        """Whether every price that the rule reads could be seen."""
        return all(key in self.seen for key in self.keys.values())

    @property
    def series(self) -> tuple[MetricKey, ...]:
        """All that the rule reads, prices and metrics."""
        return (*self.keys.values(), *self.said)

    def arming(self) -> NewArming:
        """Give what the register makes an arming of."""
        return NewArming(str(self.armed), dict(self.seen))

    def price(self, instrument: Instrument) -> float | None:
        """Give the present price of one of its instruments, or ``None``."""
        seen = self.seen.get(self.keys[instrument]) if instrument in self.keys else None
        return seen.price if seen else None

    def meaning(self, tr: Translator) -> str:
        """Say what it waits for."""
        return meaning(self.armed, filled_levels(self.rule, self.armed), tr)


def read_rule(request: Request, text: str) -> Reading:
    """Read a rule as people type it, its ``until`` fixed.

    Raises Refusal with the picture of the error, and with examples of what seems to be wanted.
    """
    try:
        reading = read(text)
        fixed = fix(reading.rule, request.now, request.settings.timezone)
    except RuleError as error:
        examples = fitting(text) or ([] if error.hint else [plainest(text)])
        raise refused(error, request.tr, examples) from error
    return replace(reading, rule=fixed)


def refused(error: RuleError, tr: Translator, examples: Sequence[str] = ()) -> Refusal:
    """Word an error of the language: where, why, the nearest valid thing, and what works."""
    lines = [tr.render(error.reason)]
    if error.hint is not None:
        lines.append(tr.render(error.hint))
    shown = " ".join(lines)
    lines.extend(tr("For instance: {rule}", rule=one) for one in examples if one not in shown)
    return Refusal(*lines, code=picture(error), misspelt=misspelt(error))


async def prepare(request: Request, rule: Rule, values: Mapping[str, Decimal]) -> Prepared:
    """Fill a rule with levels, find its instruments, and look at their prices.

    A price that cannot be seen is left out. Raises Refusal for a level or an instrument nobody knows.
    """
    office = request.office
    stocks, doubts = await _stocks(request, rule)
    try:
        rule = name_stocks(rule, stocks)
        armed = qualify(fill(rule, values), office.quote)
    except UnknownLevel as error:
        raise _no_level(error, request.tr) from error
    except RuleError as error:  # a level may stand where its number makes no sense
        raise refused(error, request.tr) from error
    life = _watchable(armed, request)
    known = {key: await _recalled(key, request) for key in life.calendars}
    unsaid = [key for key, words in known.items() if not _is_told(words, request)]
    if lines := lacking(unsaid, request):
        pairs = [await _like(key, request) for key in unsaid if not office.metrics.offers(key)]
        raise Refusal(*lines, misspelt=next(filter(None, pairs), None))
    found = [one for one in instruments(armed) if key_of(one) in life.priced]
    keys = await asyncio.gather(*(find(request, one, doubts.get(one.base, "")) for one in found))
    said = {key: words or await _asked(key, request) for key, words in known.items()}
    seen = await look(office.market, keys)
    unrecorded = frozenset(key for key, words in known.items() if not words)
    return Prepared(rule, armed, dict(zip(found, keys, strict=True)), seen, said, unrecorded)


async def _stocks(request: Request, rule: Rule) -> tuple[frozenset[str], dict[str, str]]:
    """Find the bare names of a rule that mean a stock: those that no exchange lists, and a provider knows.

    Gives them, and of each name of which that cannot be told now a sentence that says why.
    """
    office, tr = request.office, request.tr
    found: set[str] = set()
    doubts: dict[str, str] = {}
    for ticker in tickers(rule):
        key = MetricKey("price", f"${ticker}")
        offers = [one for one in office.metrics.offers(key) if not one.lacks]
        if not offers or not await _is_unlisted(ticker, request):
            continue
        try:
            if not any(key.instrument in one.instruments for one in offers):
                async with asyncio.timeout(_SECONDS_FOR_A_STOCK):
                    await office.metrics.ask(key)
            found.add(ticker)
        except UnknownInstrument:
            continue
        except (Unseeable, TimeoutError) as error:
            reason = str(error) or tr("{name} does not answer in time", name=offers[0].provider)
            told = tr("Whether it is a stock cannot be told now: {reason}.", reason=cause(reason, "", tr))
            doubts[ticker] = told + " " + tr("If you mean the stock, write {name}.", name=key.instrument)
    return frozenset(found), doubts


async def _is_unlisted(ticker: str, request: Request) -> bool:
    try:
        await request.office.market.resolve(Instrument(ticker, request.office.quote))
    except UnknownInstrument:
        return True
    except Unseeable:
        return False
    return False


def _watchable(armed: Rule, request: Request) -> Life:
    """Compile a rule as its arming will be. Raises Refusal for what can be said and not judged."""
    tr = request.tr
    try:
        return compile_rule(armed, False, request.now, {})
    except ValueError as error:
        log.warning("a rule of the language cannot be judged", reason=type(error).__name__)
        raise Refusal(tr("I can read that, but I cannot watch it: {rule}.", rule=str(armed))) from error


def lacking(keys: Iterable[MetricKey], request: Request) -> list[str]:
    """Say of metrics that cannot be had here what would have to be set, instead of arming them in silence."""
    tr, lines = request.tr, []
    for key in keys:
        offers = request.office.metrics.offers(key)
        if not offers:
            lines.append(tr("Nobody provides {name} to this bot.", name=str(key)))
        elif offers[0].lacks:
            lacks = tr("; or ").join(dict.fromkeys(cause(one.lacks, "", tr) for one in offers))
            told = tr("{name} is not watched here yet. The operator can {lacks}.", name=str(key), lacks=lacks)
            lines.append(told)
    if lines:
        lines.append(tr("/metrics lists what can be watched."))
    return lines


async def _recalled(key: MetricKey, request: Request) -> Sequence[Observation]:
    return await request.office.register.recall(key, int(request.now) - reach_of(key))


def _is_told(words: Sequence[Observation], request: Request) -> bool:
    """Whether who spoke of a metric so far still can, such as a program that pushes it."""
    usable = (one.provider for one in request.office.metrics.offers() if not one.lacks)
    return bool(words) and words[-1].source in usable


async def _asked(key: MetricKey, request: Request) -> Sequence[Observation]:
    """Look now at a metric that was never looked at, where its provider may not know it. Raises Refusal."""
    metrics = request.office.metrics
    if not metrics.offers(key)[0].example:
        return []
    try:
        word = await metrics.ask(key)
        return [replace(word, known_at=min(word.known_at, request.now))]
    except Unseeable:
        return []
    except UnknownInstrument as error:
        told = request.tr("Nobody whom I ask knows {name}.", name=str(key))
        raise Refusal(told, misspelt=await _like(key, request)) from error


async def _like(key: MetricKey, request: Request) -> tuple[str, str] | None:
    """Give the name of a metric that nobody knows, and the one most like it that somebody gave or gives.

    A number in a name is part of it, and never taken for another.
    """
    offers = [one for one in request.office.metrics.offers() if one.metric == key.metric and not one.lacks]
    said = [one.instrument for one in await request.office.register.newest() if one.metric == key.metric]
    names = {name for one in offers for name in one.instruments} | set(said)
    fitting = sorted(
        name for name in names if name and _DIGITS.findall(name) == _DIGITS.findall(key.instrument)
    )
    like = nearest(key.instrument, fitting, 0.66)
    return (key.instrument, like) if like else None


async def arm(
    request: Request,
    rule: Rule,
    write: Callable[[Prepared], Awaitable[T]],
    own: Mapping[str, Decimal] = MappingProxyType({}),
) -> tuple[Prepared, T]:
    """Prepare a rule with the levels in force and write it down; again, if one of them moved meanwhile.

    ``own`` are levels that stand before those in force.
    """
    for _ in range(_ATTEMPTS):
        prepared = await prepare(request, rule, {**await request.levels(), **own})
        with suppress(Conflict):
            return prepared, await write(prepared)
    raise Refusal(request.tr("A level in it is being moved just now. Please send that again."))


async def find(request: Request, instrument: Instrument, remark: str = "") -> MetricKey:
    """Find the series of a qualified instrument; while no exchange answers, take it as it is written.

    Raises Refusal with the nearest that exist, if none has that name, and with a remark if there is one.
    """
    tr = request.tr
    if is_bare_macro(instrument):
        return metric_key(instrument)
    try:
        return await request.office.market.resolve(instrument)
    except Unseeable:
        return MetricKey("price", instrument.symbol, instrument.venue)
    except UnknownInstrument as error:
        name = instrument_name(instrument, tr)
        lines = [tr("No exchange that I watch lists {name}.", name=name)]
        if error.nearest:
            lines.append(tr("Nearest: {names}.", names=", ".join(error.nearest)))
        pair = _meant(instrument, error.nearest[0]) if error.nearest else None
        raise Refusal(*lines, *([remark] if remark else []), misspelt=pair) from error


def _meant(instrument: Instrument, nearest: str) -> tuple[str, str]:
    """Give the base that was named and the one that was meant, or the whole pair where its quote differs."""
    base, _, quote = nearest.partition("/")
    if quote == instrument.quote and base != instrument.base:
        return instrument.base, base
    return f"{instrument.base}/{instrument.quote}", nearest


def read_instrument(request: Request, text: str) -> Instrument | None:
    """Read the name of one instrument, its quote filled in; ``None`` if it is none."""
    try:
        rule = qualify(parse(f"{text} > 1"), request.office.quote)
    except RuleError:
        return None
    match rule:
        case Rule(condition=Compare(left=Instrument() as instrument, right=Number())):
            return instrument
        case _:
            return None


def split_sure(text: str) -> tuple[str, bool]:
    """Take the confirming word off the end of what was typed."""
    head, _, last = text.rstrip().rpartition(" ")
    return (head.rstrip(), True) if head and last.lower() == SURE else (text, False)


def ask_if_far(prepared: Prepared, again: str, tr: Translator) -> None:
    """Ask back before a number is armed that is far from the price: ``100.000`` is a hundred.

    ``again`` is the line that confirms it. Raises Refusal; an unseen price asks nothing.
    """
    for threshold in thresholds(prepared.armed.condition):
        price = prepared.price(threshold.instrument)
        if price is None or price / FAR <= float(threshold.level) <= price * FAR:
            continue
        lines = [
            tr(
                "{level} is far from the price of {name}, {price}: nothing is armed yet.",
                level=threshold.level,
                name=instrument_name(threshold.instrument, tr),
                price=tr.price(price),
            )
        ]
        thousandfold = threshold.level * 1000
        if price / FAR <= float(thousandfold) <= price * FAR:
            lines.append(tr("Did you mean {level}?", level=thousandfold))
        lines.append(tr("If you mean it, send: {line}", line=again))
        raise Refusal(*lines, buttons=sound(((Button(tr("I mean it"), again),),)))


def label_of(name: str) -> str:
    """Give the label of the alert that a person names: ``3``, ``#3`` or ``btc-floor``."""
    name = name.lower().lstrip("#")
    return f"#{name}" if name.isdigit() else name


def nearest(name: str, known: Sequence[str], cutoff: float = 0.5) -> str:
    """Give the known name that is most like another, or nothing."""
    return next(iter(get_close_matches(name.lower(), known, n=1, cutoff=cutoff)), "")


def _no_level(error: UnknownLevel, tr: Translator) -> Refusal:
    lines = [tr.render(error.reason)]
    if error.hint is not None:
        lines.append(tr.render(error.hint))
    example = f"/level {error.name} 98700"
    lines.append(tr("/level lists those that exist here; an admin sets one: {line}", line=example))
    return Refusal(*lines)
