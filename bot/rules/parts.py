"""What a condition is made of: its values, and the values within them, in the order of the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import assert_never

from bot.rules.tree import (
    And,
    AtLeast,
    Compare,
    Condition,
    Crosses,
    Every,
    Held,
    Moves,
    Not,
    Or,
    Zone,
)
from bot.rules.values import (
    Arithmetic,
    Call,
    Duration,
    Instrument,
    LevelRef,
    Negative,
    Number,
    Percent,
    Value,
    Word,
)


def values_in(condition: Condition) -> Iterator[Value]:
    """Give every value of a condition, each before those that it is made of."""
    match condition:
        case Compare(left=left, right=right):
            yield from values_within(left)
            yield from values_within(right)
        case Crosses(value=value, level=level):
            yield from values_within(value)
            yield from values_within(level)
        case Zone(value=value, low=low, high=high):
            for part in (value, low, high):
                yield from values_within(part)
        case Moves(value=value) | Every(value=value):
            yield from values_within(value)
        case Held(condition=part) | Not(condition=part):
            yield from values_in(part)
        case And(parts=parts) | Or(parts=parts) | AtLeast(parts=parts):
            for one in parts:
                yield from values_in(one)
        case _:
            assert_never(condition)


def atoms_in(condition: Condition) -> Iterator[Condition]:
    """Give every condition of a condition that holds no other."""
    match condition:
        case Held(condition=part) | Not(condition=part):
            yield from atoms_in(part)
        case And(parts=parts) | Or(parts=parts) | AtLeast(parts=parts):
            for one in parts:
                yield from atoms_in(one)
        case _:
            yield condition


def values_within(value: Value) -> Iterator[Value]:
    """Give a value and those that it is made of."""
    yield value
    match value:
        case Arithmetic(left=left, right=right):
            yield from values_within(left)
            yield from values_within(right)
        case Negative(value=part):
            yield from values_within(part)
        case Call(arguments=arguments):
            for argument in arguments:
                if not isinstance(argument, Duration | Word):
                    yield from values_within(argument)
        case Number() | Percent() | LevelRef() | Instrument():
            pass
        case _:
            assert_never(value)


def is_moving(value: Value) -> bool:
    """Whether a value reads something that can change by itself."""
    return any(isinstance(part, Instrument | Call) for part in values_within(value))


def with_values(condition: Condition, change: Callable[[Value], Value]) -> Condition:
    """Put other values in the place of those that are made of no others."""
    match condition:
        case Compare(left=left, right=right):
            return replace(condition, left=_changed(left, change), right=_changed(right, change))
        case Crosses(value=value, level=level):
            return replace(condition, value=_changed(value, change), level=_changed(level, change))
        case Zone(value=value, low=low, high=high):
            value, low, high = (_changed(one, change) for one in (value, low, high))
            return replace(condition, value=value, low=low, high=high)
        case Moves(value=value) | Every(value=value):
            return replace(condition, value=_changed(value, change))
        case Held(condition=part) | Not(condition=part):
            return replace(condition, condition=with_values(part, change))
        case And(parts=parts) | Or(parts=parts) | AtLeast(parts=parts):
            return replace(condition, parts=tuple(with_values(part, change) for part in parts))
        case _:
            assert_never(condition)


def _changed(value: Value, change: Callable[[Value], Value]) -> Value:
    match value:
        case Arithmetic(left=left, right=right):
            return replace(value, left=_changed(left, change), right=_changed(right, change))
        case Negative(value=part):
            return replace(value, value=_changed(part, change))
        case Call(arguments=arguments):
            changed = (
                one if isinstance(one, Duration | Word) else _changed(one, change) for one in arguments
            )
            return replace(value, arguments=tuple(changed))
        case _:
            return change(value)
