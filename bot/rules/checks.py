"""What may be compared with what: the checks that need two values, and a place to point at."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from bot.rules.errors import RuleError, show, suggest
from bot.rules.functions import FUNCTIONS
from bot.rules.grammar import Branch, first, typed
from bot.rules.parts import atoms_in, is_moving, values_in
from bot.rules.phrases import Phrase, Quantity, plain, to_say
from bot.rules.tree import Compare, Condition, Crosses, Zone
from bot.rules.units import (
    PERCENT,
    Unit,
    are_alike,
    bounds_of,
    have_one_currency,
    is_above_zero,
    is_bare_macro,
    kind_of,
    unit_of,
)
from bot.rules.values import Call, Instrument, Number, Percent, Value

EXAMPLE = show("btc < 100k")

_KEEPING = frozenset(["abs", "streak"])
"""Functions whose values come when those of their argument come."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: its value, and the branch that it was built of."""

    value: Value
    branch: Branch


def check_comparison(text: str, left: Side, right: Side) -> None:
    """Refuse a comparison that means nothing. Raises RuleError."""
    if not is_moving(left.value) and not is_moving(right.value):
        reason = Phrase("Nothing here moves: one side must be an instrument.")
        raise _error(text, left, reason, EXAMPLE)
    if is_moving(left.value):
        check_level(text, left, right)
    else:
        check_level(text, right, left)


def check_level(text: str, side: Side, level: Side) -> None:
    """Refuse a level that the value of a side is never at, or cannot be compared with."""
    value = side.value
    if value == level.value:
        raise _error(text, level, Phrase("Both sides are the same."), show(f"{value} < 100k"))
    one, other = unit_of(value), unit_of(level.value)
    if not are_alike(one, other):
        raise _unlike(text, side, level, one, other)
    if isinstance(level.value, Number | Percent):
        _check_range(text, value, one, level, level.value.value)


def has_sessions_alone(condition: Condition) -> bool:
    """Whether all that a condition reads are metrics with sessions."""
    moving = [value for value in values_in(condition) if isinstance(value, Instrument | Call)]
    return bool(moving) and all(map(_is_of_sessions, moving))


def has_zero_level(condition: Condition) -> bool:
    """Whether something is compared with zero that is not in percent, so that a share of it is nothing."""
    for atom in atoms_in(condition):
        match atom:
            case (
                Compare(left=value, right=Number(value=level))
                | Compare(left=Number(value=level), right=value)
            ):
                levels = [level]
            case Crosses(value=value, level=Number(value=level)):
                levels = [level]
            case Zone(value=value, low=low, high=high):
                levels = [end.value for end in (low, high) if isinstance(end, Number)]
            case _:
                continue
        if not all(levels) and unit_of(value) != PERCENT:
            return True
    return False


def _is_of_sessions(value: Value) -> bool:
    if not isinstance(value, Call):
        return isinstance(value, Instrument) and is_bare_macro(value)
    return FUNCTIONS[value.function].has_sessions or value.function in _KEEPING


def _unlike(text: str, side: Side, level: Side, one: Unit, other: Unit) -> RuleError:
    if one.name == other.name and not have_one_currency(one, other):
        template = to_say("A price in {one} cannot be compared with one in {other}.")
        if one.name == "coin":
            template = to_say("An amount of {one} cannot be compared with one of {other}.")
        reason = Phrase(template, {"one": one.of.upper(), "other": other.of.upper()})
        return _error(text, level, reason)
    said: dict[str, Phrase | Quantity | str | int] = {
        "value": _name(side),
        "kind": kind_of(side.value, one),
        "other": _name(level),
    }
    reason = Phrase("{value} is {kind}, and {other} is none.", said)
    return _error(text, level, reason, _hint(side, level, one))


def _hint(side: Side, level: Side, unit: Unit) -> Phrase:
    match side.value, level.value:
        case Instrument() as instrument, Percent():
            return show(f"{instrument} moves 5% in 1h")
        case _, Percent(value=share) if unit.name == "ratio":
            return suggest(plain(share / 100))
        case _, Percent(value=share) if unit.name != "price":
            return suggest(plain(share))
    return EXAMPLE


def _check_range(text: str, value: Value, unit: Unit, level: Side, number: Decimal) -> None:
    if is_above_zero(value) and number <= 0:
        reason = Phrase("A price is always above zero.")
        raise _error(text, level, reason, show(f"{value} < 100k"))
    bounds = bounds_of(value)
    if bounds and not bounds[0] <= number <= bounds[1]:
        name = value.function if isinstance(value, Call) else str(value)
        said: dict[str, Phrase | Quantity | str | int] = {
            "value": name,
            "kind": kind_of(value, unit),
            "level": typed(level.branch).strip(),
        }
        raise _error(text, level, Phrase("{value} is {kind}; {level} is out of its range.", said))


def _name(side: Side) -> Phrase | Quantity | str:
    match side.value:
        case Instrument() as instrument:
            return str(instrument).upper()
        case Call(function=function):
            return function
        case Percent(value=share):
            return Quantity(share, "percent")
        case value:
            return str(value)


def _error(text: str, side: Side, reason: Phrase, hint: Phrase | None = None) -> RuleError:
    return RuleError(text, first(side.branch).at, reason, hint)
