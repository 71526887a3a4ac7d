"""Rules as sentences in a person's form: what an alert waits for, and what happened when it rang."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.alerts.translator import Translator
from bot.engine.reasons import Reason
from bot.rules import RuleError, explain, parse
from bot.rules.naming import say_value
from bot.rules.parts import values_in
from bot.rules.sentence import name
from bot.rules.tree import (
    TURNED,
    And,
    Compare,
    Condition,
    Crosses,
    Duration,
    Held,
    Instrument,
    LevelRef,
    Moves,
    Not,
    Number,
    Op,
    Or,
    Rule,
)

_SPELT = {
    "nats": "NATS",
    "sosovalue": "SoSoValue",
    "coinglass": "CoinGlass",
    "coinalyze": "Coinalyze (lower bound)",  # it is asked for sums of some contracts, and that must be said
    "coingecko": "CoinGecko",
    "defillama": "DefiLlama",
    "fred": "FRED",
}
"""Names of venues and providers whose letters do not tell how they are spelt."""

_UNITS = {"m": "minute", "h": "hour", "d": "day", "w": "week"}


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that the price of one instrument is compared with; ``op`` as it is read from the price."""

    instrument: Instrument
    op: Op | None
    level: Decimal


@dataclass(frozen=True, slots=True)
class Event:
    """What a rule of one term says when it rings.

    ``level`` is the number it was measured against, if there is one; ``is_touch`` rules ring on any price of
    a minute, the others on its close. ``past`` is the sentence for an event that is told late.
    """

    sentence: str
    past: str
    level: Decimal | None = None
    is_touch: bool = True


def venue_name(venue: str) -> str:
    """Spell an exchange or a provider as it spells itself; where letters tell, short names are initials."""
    if venue in _SPELT:
        return _SPELT[venue]
    if "." in venue:
        return venue
    return venue.upper() if len(venue) <= 3 else venue.capitalize()


def instrument_name(instrument: Instrument, tr: Translator) -> str:
    """Name an instrument: ``BTC/USDT``, ``BTC/USDT on Kraken``, ``BTC/USDT perpetual``."""
    return tr.render(name(instrument))


def metric_name(metric: str, tr: Translator) -> str:
    """Name a metric by its function: ``etf_flow(btc)`` is *BTC ETF net flow*."""
    try:
        condition = parse(f"{metric} > 1").condition
    except RuleError:  # of an older version of the language
        return metric
    return tr.render(say_value(condition.left)) if isinstance(condition, Compare) else metric


def begun(text: str) -> str:
    """Begin a line with a capital letter, where its writing has them."""
    return text[:1].upper() + text[1:]


def unknown(reasons: Iterable[Reason], is_named: bool, tr: Translator) -> str:
    """Say why it is unknown whether a rule is true; each series by its name where there are several."""
    said = []
    for key, why in reasons:
        sentence = tr.render(why)
        if is_named and key is not None:
            sentence = tr("{series}: {why}", series=metric_name(str(key), tr), why=sentence)
        said.append(sentence)
    return "; ".join(dict.fromkeys(said))


def thresholds(condition: Condition) -> Iterator[Threshold]:
    """List the numbers that prices are compared with, in the order of the text."""
    match condition:
        case Compare(left=Instrument() as instrument, op=op, right=Number(value=level)):
            yield Threshold(instrument, op, level)
        case Compare(left=Number(value=level), op=op, right=Instrument() as instrument):
            yield Threshold(instrument, TURNED[op], level)
        case Crosses(value=Instrument() as instrument, level=Number(value=level)):
            yield Threshold(instrument, None, level)
        case Held(condition=part) | Not(condition=part):
            yield from thresholds(part)
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from thresholds(part)
        case _:
            return


def filled_levels(named: Rule, filled: Rule) -> dict[str, Decimal]:
    """Find what the levels of a rule stood at when it was filled in, by name."""
    pairs = zip(values_in(named.condition), values_in(filled.condition), strict=False)
    return {
        reference.name: number.value
        for reference, number in pairs
        if isinstance(reference, LevelRef) and isinstance(number, Number)
    }


def meaning(rule: Rule, levels: Mapping[str, Decimal], tr: Translator) -> str:
    """Say what a filled rule waits for, and which of its numbers are levels."""
    named = [tr("@{name} is {value}", name=name, value=value) for name, value in levels.items()]
    sentence = tr.render(explain(rule))
    return f"{sentence} ({', '.join(named)})" if named else sentence


def event(rule: Rule, levels: Mapping[str, Decimal], tr: Translator) -> Event | None:
    """Say what happened when a rule of a single term rang; ``None`` for a rule of several."""
    match rule.condition:
        case Compare(left=Instrument() as one, op=op, right=Instrument() as other):
            return _against(instrument_name(one, tr), op, instrument_name(other, tr), tr)
        case Compare():
            return _compared(next(thresholds(rule.condition), None), levels, tr)
        case Held(condition=Compare() as part, duration=Duration() as duration):
            time = tr.stretch(duration.seconds, _UNITS[duration.unit])
            return _held(next(thresholds(part), None), time, levels, tr)
        case Crosses(value=Instrument() as instrument, side=side, level=Number(value=level)):
            arguments = {"name": instrument_name(instrument, tr), "level": _level_text(level, levels, tr)}
            match side:
                case "above":
                    sentence = tr("{name} crossed above {level}", **arguments)
                case "below":
                    sentence = tr("{name} crossed below {level}", **arguments)
                case _:
                    sentence = tr("{name} reached {level}", **arguments)
            return Event(sentence, sentence, level)
        case Moves(value=Instrument() as instrument, way=way, percent=percent, window=window):
            time = tr.stretch(window.seconds, _UNITS[window.unit])
            arguments = {
                "name": instrument_name(instrument, tr),
                "percent": tr.percent(percent),
                "time": time,
            }
            match way:
                case "up":
                    sentence = tr("{name} rose {percent} in {time}", **arguments)
                case "down":
                    sentence = tr("{name} fell {percent} in {time}", **arguments)
                case _:
                    sentence = tr("{name} moved {percent} in {time}", **arguments)
            return Event(sentence, sentence)
        case _:
            return None


def _against(one: str, op: Op, other: str, tr: Translator) -> Event:
    if op in (">", ">="):
        sentence = tr("{name} rose above {level}", name=one, level=other)
    else:
        sentence = tr("{name} fell below {level}", name=one, level=other)
    return Event(sentence, sentence, is_touch=False)


def _compared(threshold: Threshold | None, levels: Mapping[str, Decimal], tr: Translator) -> Event | None:
    if threshold is None:
        return None
    arguments = {
        "name": instrument_name(threshold.instrument, tr),
        "level": _level_text(threshold.level, levels, tr),
    }
    match threshold.op:
        case ">":
            sentence = tr("{name} rose above {level}", **arguments)
        case "<":
            sentence = tr("{name} fell below {level}", **arguments)
        case ">=":
            sentence = tr("{name} rose to {level}", **arguments)
        case _:
            sentence = tr("{name} fell to {level}", **arguments)
    return Event(sentence, sentence, threshold.level)


def _held(
    threshold: Threshold | None, time: str, levels: Mapping[str, Decimal], tr: Translator
) -> Event | None:
    if threshold is None:
        return None
    arguments = {
        "name": instrument_name(threshold.instrument, tr),
        "level": _level_text(threshold.level, levels, tr),
        "time": time,
    }
    match threshold.op:
        case ">":
            sentence = tr("{name} has held above {level} for {time}", **arguments)
            past = tr("{name} had held above {level} for {time}", **arguments)
        case "<":
            sentence = tr("{name} has held below {level} for {time}", **arguments)
            past = tr("{name} had held below {level} for {time}", **arguments)
        case ">=":
            sentence = tr("{name} has held at or above {level} for {time}", **arguments)
            past = tr("{name} had held at or above {level} for {time}", **arguments)
        case _:
            sentence = tr("{name} has held at or below {level} for {time}", **arguments)
            past = tr("{name} had held at or below {level} for {time}", **arguments)
    return Event(sentence, past, threshold.level, is_touch=False)


def _level_text(level: Decimal, levels: Mapping[str, Decimal], tr: Translator) -> str:
    """Write a number, with the name it is kept under if it is a level."""
    kept = next((f" (@{one})" for one, value in levels.items() if value == level), "")
    return f"{tr.number(level)}{kept}"
