"""The units of values: which may be compared, added and multiplied, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

from bot.rules.functions import FUNCTIONS
from bot.rules.phrases import Phrase, to_say
from bot.rules.values import (
    Argument,
    Arithmetic,
    Call,
    Duration,
    Instrument,
    LevelRef,
    Negative,
    Number,
    Percent,
    Sign,
    Value,
    Word,
)
from bot.rules.words import DOLLARS, MACRO, POINTS

UnitName = Literal["", "price", "percent", "usd", "coin", "ratio", "index", "count"]


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number counts.

    A bare number, a level and an operator's metric have the empty unit: they take that of the other side.
    ``of`` is the quote currency of a price, or the coin of an amount of coins; empty where the rule does not
    say.
    """

    name: UnitName = ""
    of: str = ""


BARE, PERCENT, RATIO, USD = Unit(), Unit("percent"), Unit("ratio"), Unit("usd")

_KINDS: dict[UnitName, str] = {
    "": to_say("a number"),
    "price": to_say("a price"),
    "percent": to_say("a percentage"),
    "usd": to_say("an amount in USD"),
    "coin": to_say("an amount of coins"),
    "ratio": to_say("a ratio"),
    "index": to_say("an index"),
    "count": to_say("a count"),
}
_RANGED: dict[UnitName, str] = {
    "percent": to_say("a percentage from {low} to {high}"),
    "ratio": to_say("a ratio from {low} to {high}"),
    "index": to_say("an index from {low} to {high}"),
}
_PRODUCTS: dict[frozenset[UnitName], Unit] = {frozenset(["price", "coin"]): USD}
_QUOTIENTS: dict[tuple[UnitName, UnitName], UnitName] = {("usd", "price"): "coin", ("usd", "coin"): "price"}
_FACTORS: frozenset[UnitName] = frozenset(["", "ratio", "count"])
"""Units that change no other unit when they multiply or divide it."""


class Clash(Exception):
    """Two units that arithmetic does not join."""


def unit_of(value: Value) -> Unit:
    """Give the unit of a value. Raises Clash where it has none, such as a price times a price."""
    match value:
        case Number() | LevelRef():
            return BARE
        case Percent():
            return PERCENT
        case Instrument():
            return _unit_of_price(value)
        case Call(function=name, arguments=arguments):
            return _unit_of_call(name, arguments)
        case Negative(value=part):
            return unit_of(part)
        case Arithmetic(left=left, op=op, right=right):
            return _join(unit_of(left), op, unit_of(right))
        case _:
            assert_never(value)


def are_alike(one: Unit, other: Unit) -> bool:
    """Whether two values may be compared: as far as is known, they count the same."""
    if "" in {one.name, other.name}:
        return True
    return one.name == other.name and have_one_currency(one, other)


def have_one_currency(one: Unit, other: Unit) -> bool:
    """Whether two prices are in one currency, all dollars being one, as far as the rule says."""
    known = {one.of, other.of} - {""}
    return len(known) < 2 or (one.name == "price" and known <= DOLLARS)


def kind_of(value: Value, unit: Unit) -> Phrase:
    """Say what a value is: ``a price``, ``an index from 0 to 100``."""
    if (bounds := bounds_of(value)) and unit.name in _RANGED:
        return Phrase(_RANGED[unit.name], {"low": bounds[0], "high": bounds[1]})
    return Phrase(_KINDS[unit.name])


def bounds_of(value: Value) -> tuple[int, int] | None:
    """Give the least and the greatest that a value can be, or ``None`` where nothing bounds it."""
    match value:
        case Call(function="highest" | "lowest" | "average", arguments=(Call() as part, *_)):
            return bounds_of(part)
        case Call(function=name):
            return FUNCTIONS[name].bounds
    return None


def is_above_zero(value: Value) -> bool:
    """Whether a value is a price as such, which is always above zero; a difference of prices need not be."""
    match value:
        case Instrument():
            return True
        case Call(function="highest" | "lowest" | "average", arguments=(Instrument() | Call() as part, *_)):
            return is_above_zero(part)
        case Call(function=name):
            return FUNCTIONS[name].is_above_zero
    return False


def is_bare_macro(instrument: Instrument) -> bool:
    """Whether an instrument is a macro series or a stock: it has no quote, and takes none."""
    is_bare = not (instrument.quote or instrument.venue or instrument.is_perpetual)
    return is_bare and (instrument.base in MACRO or instrument.base.startswith("$"))


def _unit_of_price(instrument: Instrument) -> Unit:
    if not is_bare_macro(instrument):
        return Unit("price", instrument.quote)
    if instrument.base == "us10y":
        return PERCENT
    return Unit("price", f"{instrument.base} points" if instrument.base in POINTS else "usd")


def _unit_of_call(name: str, arguments: tuple[Argument, ...]) -> Unit:
    first = arguments[0] if arguments else None
    match FUNCTIONS[name].unit:
        case "same" if not isinstance(first, Duration | Word | None):
            return unit_of(first)
        case "price" if isinstance(first, Instrument):
            return _unit_of_price(first)
        case "coin" if isinstance(first, Instrument):
            return Unit("coin", first.base)
        case "same" | "any":
            return BARE
        case plain:
            return Unit(plain)


def _join(one: Unit, op: Sign, other: Unit) -> Unit:
    match op:
        case "+" | "-":
            return _sum(one, other)
        case "*":
            return _product(one, other)
        case "/":
            return _quotient(one, other)
        case _:
            assert_never(op)


def _sum(one: Unit, other: Unit) -> Unit:
    if not are_alike(one, other):
        raise Clash
    known = one if one.name else other
    return known if known.of else Unit(known.name, other.of)


def _product(one: Unit, other: Unit) -> Unit:
    if one.name in _FACTORS or other.name in _FACTORS:
        return _stronger(one, other)
    if product := _PRODUCTS.get(frozenset([one.name, other.name])):
        return product
    raise Clash


def _quotient(one: Unit, other: Unit) -> Unit:
    if other.name in _FACTORS:
        return _stronger(one, other)
    if one.name == other.name:
        return RATIO
    if quotient := _QUOTIENTS.get((one.name, other.name)):
        return Unit(quotient)
    if one.name == "":
        return BARE
    raise Clash


def _stronger(one: Unit, other: Unit) -> Unit:
    """Of a factor and what it multiplies, give the unit that stays: a count of prices is a price."""
    order: tuple[UnitName, ...] = ("", "count", "ratio")
    rank = [order.index(unit.name) if unit.name in order else len(order) for unit in (one, other)]
    return one if rank[0] >= rank[1] else other
