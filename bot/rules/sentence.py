"""A rule as one plain sentence."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import assert_never

from bot.rules.naming import name, say_duration, say_value
from bot.rules.parts import is_moving
from bot.rules.phrases import Instant, Phrase, Quantity, to_say
from bot.rules.tree import (
    TURNED,
    And,
    AtLeast,
    Call,
    Compare,
    Condition,
    Crosses,
    Duration,
    Every,
    Held,
    Mode,
    Moves,
    Not,
    Number,
    Op,
    Options,
    Or,
    Percent,
    Rule,
    Sessions,
    Until,
    Value,
    Zone,
    is_interval,
)
from bot.rules.units import Unit, unit_of

__all__ = ["explain", "name"]

_COMPARED: dict[Op, str] = {
    "<": to_say("{value} below {level}"),
    "<=": to_say("{value} at or below {level}"),
    ">": to_say("{value} above {level}"),
    ">=": to_say("{value} at or above {level}"),
}
_CROSSED = {
    "": to_say("{value} reaching {level}"),
    "above": to_say("{value} crossing above {level}"),
    "below": to_say("{value} crossing below {level}"),
}
_MOVED = {
    "": to_say("{value} up or down {percent} within {window}"),
    "up": to_say("{value} up {percent} within {window}"),
    "down": to_say("{value} down {percent} within {window}"),
}
_ZONES = {
    "enters": to_say("{value} entering {low} to {high}"),
    "leaves": to_say("{value} leaving {low} to {high}"),
}
_STEPS = {
    "": to_say("{value} at every step of {step}"),
    "up": to_say("{value} at every step of {step} up"),
    "down": to_say("{value} at every step of {step} down"),
}
_FLOWS = {
    True: to_say("{coin} ETF net inflow"),
    False: to_say("{coin} ETF net outflow"),
}


def explain(rule: Rule) -> Phrase:
    """Say a rule in one sentence: *BTC/USDT above 70,000 for 5 minutes*."""
    said = _condition(rule.condition)
    for template, arguments in _options(rule.options):
        said = Phrase(template, {"condition": said, **arguments})
    return said


def _options(options: Options) -> list[tuple[str, dict[str, Phrase | Quantity | Instant | str | int]]]:
    """Word what is said behind the condition, in the order of the canonical text."""
    said: list[tuple[str, dict[str, Phrase | Quantity | Instant | str | int]]] = []
    match options.mode:
        case Mode.ONCE:
            said.append((to_say("{condition}, once"), {}))
        case Mode.REPEAT:
            said.append((to_say("{condition}, every time"), {}))
    if options.cooldown and options.cooldown.count:
        said.append(
            (to_say("{condition}, at most once in {duration}"), {"duration": say_duration(options.cooldown)})
        )
    elif options.cooldown:
        said.append((to_say("{condition}, without a pause between rings"), {}))
    if options.rearm:
        said.append(
            (
                to_say("{condition}, again after a retreat of {distance}"),
                {"distance": _distance(options.rearm)},
            )
        )
    if options.remind:
        said.append(
            (to_say("{condition}, a reminder every {duration}"), {"duration": say_duration(options.remind)})
        )
    match options.until:
        case None:
            pass
        case Duration() as duration:
            said.append(
                (to_say("{condition}, for the next {duration}"), {"duration": say_duration(duration)})
            )
        case until:
            said.append((to_say("{condition}, until {instant}"), {"instant": _instant(until)}))
    if options.resolve:
        said.append((to_say("{condition}, with word when it is over"), {}))
    if options.urgent:
        said.append((to_say("{condition}, urgent"), {}))
    if options.provisional:
        said.append((to_say("{condition}, unfinished sessions count too"), {}))
    return said


def _distance(distance: Number | Percent) -> Quantity:
    return Quantity(distance.value, "percent" if isinstance(distance, Percent) else "")


def _condition(condition: Condition) -> Phrase:
    match condition:
        case Compare():
            return _compared(condition)
        case Crosses(value=value, side=side, level=level):
            return Phrase(_CROSSED[side], {"value": say_value(value), "level": _level(level, value)})
        case Zone(value=value, way=zone, low=low, high=high):
            ends = {"value": say_value(value), "low": _level(low, value), "high": _level(high, value)}
            return Phrase(_ZONES[zone], {**ends})
        case Moves(value=value, way=way, percent=percent, window=window):
            share = Quantity(percent, "percent")
            return Phrase(
                _MOVED[way], {"value": say_value(value), "percent": share, "window": say_duration(window)}
            )
        case Every(value=value, step=step, way=way):
            return Phrase(_STEPS[way], {"value": say_value(value), "step": _level(step, value)})
        case AtLeast(count=count, parts=parts):
            listed = _joined(to_say("{one}; {other}"), [_condition(part) for part in parts])
            return Phrase("at least {count} of ({conditions})", {"count": count, "conditions": listed})
        case Held(condition=part, duration=duration):
            return _held(_part(part, Not, And, Or, Held), duration)
        case Not(condition=part):
            return Phrase("not {condition}", {"condition": _part(part, And, Or, Held)})
        case And(parts=parts):
            return _joined(to_say("{one} and {other}"), _ends(parts))
        case Or(parts=parts):
            return _joined(to_say("{one} or {other}"), [_part(part, And, Held, Not) for part in parts])
        case _:
            assert_never(condition)


def _held(said: Phrase, duration: Duration | Sessions) -> Phrase:
    match duration:
        case Duration():
            return Phrase(
                "{condition} for {duration}", {"condition": said, "duration": say_duration(duration)}
            )
        case Sessions(count=1):
            return Phrase("{condition} for 1 session", {"condition": said})
        case Sessions(count=count):
            return Phrase("{condition} for {count} sessions in a row", {"condition": said, "count": count})


def _compared(compare: Compare) -> Phrase:
    value, op, level = compare.left, compare.op, compare.right
    if not is_moving(value):
        value, op, level = level, TURNED[op], value
    match value, level:
        case Call(function="etf_flow", arguments=(coin,)), Number(value=amount) if (
            amount >= 0 if op[0] == ">" else amount <= 0
        ):
            return _flowing(str(coin), op, amount, unit_of(value))
    return Phrase(_COMPARED[op], {"value": say_value(value), "level": _level(level, value)})


def _flowing(coin: str, op: Op, amount: Decimal, unit: Unit) -> Phrase:
    """Say a flow beyond a size as an inflow or an outflow: the sign goes into the word."""
    flow = Phrase(_FLOWS[op[0] == ">"], {"coin": coin.upper()})
    if not amount and op in ("<", ">"):
        return flow
    size = say_value(Number(abs(amount)), unit)
    return Phrase(_COMPARED[">=" if op.endswith("=") else ">"], {"value": flow, "level": size})


def _ends(parts: tuple[Condition, ...]) -> list[Phrase]:
    """Word the parts of an *and*, two ends of one interval as one."""
    said: list[Phrase] = []
    at = 0
    while at < len(parts):
        match parts[at : at + 2]:
            case (Compare(op="<" | ">") as one, Compare(op="<" | ">") as other) if is_interval(one, other):
                low, high = (one.left, other.right) if one.op == "<" else (other.right, one.left)
                value = one.right
                ends = {"value": say_value(value), "low": _level(low, value), "high": _level(high, value)}
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


def _level(level: Value, of: Value) -> Phrase | Quantity | str:
    return say_value(level, unit_of(of))


def _instant(until: Until) -> Instant | str:
    if not isinstance(until, datetime):
        return str(until)
    if until.tzinfo is None:
        return f"{until:%Y-%m-%d %H:%M}"
    return Instant(until.timestamp())
