"""A rule as one plain sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import assert_never

from bot.rules.phrases import Phrase, Quantity
from bot.rules.tree import (
    And,
    Compare,
    Condition,
    Crosses,
    Duration,
    DurationUnit,
    Held,
    Instrument,
    LevelRef,
    Mode,
    Moves,
    Not,
    Number,
    Op,
    Or,
    Percent,
    Rule,
    Until,
    Value,
    is_interval,
)

_COMPARED: dict[Op, str] = {
    "<": "{value} below {level}",
    "<=": "{value} at or below {level}",
    ">": "{value} above {level}",
    ">=": "{value} at or above {level}",
}
_TURNED: dict[Op, Op] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_CROSSED = {
    "": "{value} reaching {level}",
    "above": "{value} crossing above {level}",
    "below": "{value} crossing below {level}",
}
_MOVED = {
    "": "{value} up or down {percent} within {window}",
    "up": "{value} up {percent} within {window}",
    "down": "{value} down {percent} within {window}",
}
_ONE: dict[DurationUnit, str] = {"m": "1 minute", "h": "1 hour", "d": "1 day", "w": "1 week"}
_MANY: dict[DurationUnit, str] = {
    "m": "{count} minutes",
    "h": "{count} hours",
    "d": "{count} days",
    "w": "{count} weeks",
}


def explain(rule: Rule) -> Phrase:
    """Say a rule in one sentence: *BTC/USDT above 70,000 for 5 minutes*."""
    options, said = rule.options, _condition(rule.condition)
    match options.mode:
        case Mode.ONCE:
            said = Phrase("{condition}, once", {"condition": said})
        case Mode.REPEAT:
            said = Phrase("{condition}, every time", {"condition": said})
    if options.cooldown and options.cooldown.count:
        cooldown = _duration(options.cooldown)
        said = Phrase("{condition}, at most once in {duration}", {"condition": said, "duration": cooldown})
    elif options.cooldown:
        said = Phrase("{condition}, without a pause between rings", {"condition": said})
    match options.until:
        case None:
            return said
        case Duration() as duration:
            return Phrase(
                "{condition}, for the next {duration}", {"condition": said, "duration": _duration(duration)}
            )
        case until:
            return Phrase("{condition}, until {instant}", {"condition": said, "instant": _instant(until)})


def name(instrument: Instrument) -> Phrase | str:
    """Name an instrument for people: ``BTC/USDT``, ``BTC/USDT perpetual``, ``BTC on Kraken``."""
    said: Phrase | str = f"{instrument.base}/{instrument.quote}".rstrip("/").upper()
    if instrument.is_perpetual or instrument.settle == instrument.quote != "":
        said = Phrase("{instrument} perpetual", {"instrument": said})
    elif instrument.settle:
        settle = instrument.settle.upper()
        said = Phrase("{instrument} contract settled in {currency}", {"instrument": said, "currency": settle})
    if instrument.venue:
        said = Phrase("{instrument} on {venue}", {"instrument": said, "venue": _venue(instrument.venue)})
    return said


def _condition(condition: Condition) -> Phrase:
    match condition:
        case Compare():
            return _compared(condition)
        case Crosses(value=value, side=side, level=level):
            return Phrase(_CROSSED[side], {"value": _value(value), "level": _value(level, value)})
        case Moves(value=value, way=way, percent=percent, window=window):
            share = Quantity(percent, "percent")
            return Phrase(
                _MOVED[way], {"value": _value(value), "percent": share, "window": _duration(window)}
            )
        case Held(condition=part, duration=duration):
            held = _part(part, Not, And, Or, Held)
            return Phrase("{condition} for {duration}", {"condition": held, "duration": _duration(duration)})
        case Not(condition=part):
            return Phrase("not {condition}", {"condition": _part(part, And, Or, Held)})
        case And(parts=parts):
            return _joined("{one} and {other}", _ends(parts))
        case Or(parts=parts):
            return _joined("{one} or {other}", [_part(part, And, Held, Not) for part in parts])
        case _:
            assert_never(condition)


def _compared(compare: Compare) -> Phrase:
    value, op, level = compare.left, compare.op, compare.right
    if not isinstance(value, Instrument):
        value, op, level = level, _TURNED[op], value
    return Phrase(_COMPARED[op], {"value": _value(value), "level": _value(level, value)})


def _ends(parts: tuple[Condition, ...]) -> list[Phrase]:
    """Word the parts of an *and*, two ends of one interval as one."""
    said: list[Phrase] = []
    at = 0
    while at < len(parts):
        match parts[at : at + 2]:
            case (Compare(op="<" | ">") as one, Compare(op="<" | ">") as other) if is_interval(one, other):
                low, high = (one.left, other.right) if one.op == "<" else (other.right, one.left)
                value = one.right
                ends = {"value": _value(value), "low": _value(low, value), "high": _value(high, value)}
                said.append(Phrase("{value} between {low} and {high}", {**ends}))
                at += 2
            case _:
                said.append(_part(parts[at], Or, Held, Not))
                at += 1
    return said


def _joined(template: str, said: list[Phrase]) -> Phrase:
    joined = said[0]
    for phrase in said[1:]:
        joined = Phrase(template, {"one": joined, "other": phrase})
    return joined


def _part(condition: Condition, *bracketed: type[Condition]) -> Phrase:
    said = _condition(condition)
    return Phrase("({condition})", {"condition": said}) if isinstance(condition, bracketed) else said


def _value(value: Value, of: Value | None = None) -> Phrase | Quantity | str:
    match value:
        case Number(value=number):
            if isinstance(of, Instrument):
                return Quantity(number, "price", of.quote)
            return Quantity(number)
        case Percent(value=share):
            return Quantity(share, "percent")
        case LevelRef():
            return str(value)
        case Instrument():
            return name(value)
        case _:
            assert_never(value)


def _duration(duration: Duration) -> Phrase:
    if duration.count == 1:
        return Phrase(_ONE[duration.unit])
    return Phrase(_MANY[duration.unit], {"count": duration.count})


def _instant(until: Until) -> Phrase | str:
    if not isinstance(until, datetime):
        return str(until)
    if until.tzinfo is None:
        return f"{until:%Y-%m-%d %H:%M}"
    return f"{until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _venue(venue: str) -> str:
    """Write an exchange as it writes itself, as far as letters tell: short names are initials (OKX, HTX)."""
    return venue.upper() if len(venue) <= 3 else venue.capitalize()
