"""Values as words: instruments, numbers in the unit of the other side, arithmetic, functions."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from bot.rules.functions import FUNCTIONS, Parameter
from bot.rules.parts import is_moving
from bot.rules.phrases import Phrase, Quantity, to_say
from bot.rules.units import BARE, Unit, is_bare_macro, unit_of
from bot.rules.values import (
    Argument,
    Arithmetic,
    Call,
    Duration,
    DurationUnit,
    Instrument,
    LevelRef,
    Negative,
    Number,
    Percent,
    Sign,
    Value,
    Word,
)
from bot.rules.words import MACRO

Said = Phrase | Quantity | str

_ONE: dict[DurationUnit, str] = {
    "m": to_say("1 minute"),
    "h": to_say("1 hour"),
    "d": to_say("1 day"),
    "w": to_say("1 week"),
}
_MANY: dict[DurationUnit, str] = {
    "m": to_say("{count} minutes"),
    "h": to_say("{count} hours"),
    "d": to_say("{count} days"),
    "w": to_say("{count} weeks"),
}
_JOINED: dict[Sign, str] = {
    "+": to_say("{left} plus {right}"),
    "-": to_say("{left} minus {right}"),
    "*": to_say("{left} times {right}"),
    "/": to_say("{left} divided by {right}"),
}
_OF_ALL_TIME = {"highest": to_say("the all-time high of {v}"), "lowest": to_say("the all-time low of {v}")}
_LIQUIDATED = {
    (False, ""): to_say("{coin} liquidations over {window}"),
    (False, "long"): to_say("{coin} long liquidations over {window}"),
    (False, "short"): to_say("{coin} short liquidations over {window}"),
    (True, ""): to_say("liquidations over {window}"),
    (True, "long"): to_say("long liquidations over {window}"),
    (True, "short"): to_say("short liquidations over {window}"),
}


def name(instrument: Instrument) -> Phrase | str:
    """Name an instrument for people: ``BTC/USDT``, ``BTC/USDT perpetual``, ``BTC on Kraken``, ``S&P 500``."""
    if is_bare_macro(instrument):
        if instrument.base in MACRO:
            return Phrase(MACRO[instrument.base])
        return Phrase("{name} stock", {"name": instrument.base.removeprefix("$").upper()})
    said: Phrase | str = f"{instrument.base}/{instrument.quote}".rstrip("/").upper()
    if instrument.is_perpetual or instrument.settle == instrument.quote != "":
        said = Phrase("{instrument} perpetual", {"instrument": said})
    elif instrument.settle:
        settle = instrument.settle.upper()
        said = Phrase("{instrument} contract settled in {currency}", {"instrument": said, "currency": settle})
    if instrument.venue:
        said = Phrase("{instrument} on {venue}", {"instrument": said, "venue": _venue(instrument.venue)})
    return said


def say_value(value: Value, unit: Unit = BARE) -> Said:
    """Say a value; ``unit`` is that of the other side, which a bare number takes."""
    match value:
        case Number(value=number):
            return _amount(number, unit)
        case Percent(value=share):
            return Quantity(share, "percent")
        case LevelRef():
            return str(value)
        case Instrument():
            return name(value)
        case Call():
            return _call(value)
        case Negative(value=part):
            return Phrase("minus {value}", {"value": _part(part, unit, Arithmetic)})
        case Arithmetic(left=left, op=op, right=right):
            return _arithmetic(left, op, right, unit)
        case _:
            assert_never(value)


def say_duration(duration: Duration) -> Phrase:
    """Say a stretch of time: ``4 hours``."""
    if duration.count == 1:
        return Phrase(_ONE[duration.unit])
    return Phrase(_MANY[duration.unit], {"count": duration.count})


def _amount(number: Decimal, unit: Unit) -> Said:
    match unit.name:
        case "price":
            return Quantity(number, "price", "" if " " in unit.of else unit.of)
        case "percent":
            return Quantity(number, "percent")
        case "usd":
            return Phrase("{amount} USD", {"amount": Quantity(number, "sum", "usd")})
        case "coin" if unit.of:
            return Phrase("{amount} {coin}", {"amount": Quantity(number), "coin": unit.of.upper()})
    return Quantity(number)


def _arithmetic(left: Value, op: Sign, right: Value, unit: Unit) -> Phrase:
    if op in ("*", "/"):
        sides = {"left": _part(left, BARE, Arithmetic), "right": _part(right, BARE, Arithmetic)}
        return Phrase(_JOINED[op], {**sides})
    moving = next((side for side in (left, right) if is_moving(side)), None)
    inner = unit_of(moving) if moving else unit
    kinds = (Arithmetic,) if op == "-" else ()
    return Phrase(_JOINED[op], {"left": say_value(left, inner), "right": _part(right, inner, *kinds)})


def _part(value: Value, unit: Unit, *bracketed: type[Value]) -> Said:
    said = say_value(value, unit)
    return Phrase("({value})", {"value": said}) if isinstance(value, (*bracketed, Negative)) else said


def _call(call: Call) -> Phrase:
    function = FUNCTIONS[call.function]
    template = function.sentence
    said = {
        parameter.name: _argument(argument, parameter)
        for parameter, argument in zip(function.parameters, call.arguments, strict=False)
    }
    match call:
        case Call(function="highest" | "lowest", arguments=(_, Word())):
            template = _OF_ALL_TIME[call.function]
        case Call(function="liquidations", arguments=(coin, _, *side)):
            template = _LIQUIDATED[coin == Word("all"), str(side[0]) if side else ""]
    return Phrase(template, {**said})


def _argument(argument: Argument, parameter: Parameter) -> Said:
    match argument:
        case Duration():
            return say_duration(argument)
        case Word(text=text):
            return text if parameter.name == "name" else text.upper()
        case _:
            return _part(argument, BARE, Arithmetic)


def _venue(venue: str) -> str:
    """Write an exchange as it writes itself, as far as letters tell: short names are initials (OKX, HTX)."""
    return venue.upper() if len(venue) <= 3 else venue.capitalize()
