"""The one number that a rule holds something against, and the same rule with another in its place."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal

from bot.rules.tree import Compare, Condition, Crosses, Held, Number, Rule, Value

_DIGITS = 4
"""Digits of a number that was moved by a share: enough to tell one percent, few enough to be read."""


def threshold(rule: Rule) -> Decimal | None:
    """Give the number that a rule of a single term compares or crosses; ``None`` for any other rule.

    A level by name is none: it is not the rule's own to move.
    """
    parts = _parted(rule.condition)
    return None if parts is None else parts[1]


def term(rule: Rule) -> str:
    """Give the term that a rule holds against its ``threshold``, as it is written; nothing if it has none."""
    parts = _parted(rule.condition)
    return "" if parts is None else str(parts[0])


def with_threshold(rule: Rule, number: Decimal) -> Rule:
    """Put another number in the place of a rule's ``threshold``. The rule must have one."""
    return replace(rule, condition=_put(rule.condition, Number(number)))


def moved(number: Decimal, percent: Decimal) -> Decimal:
    """Move a number by a share of itself, to four digits that count: 98,765 by 1% is 99,750."""
    exact = number * (1 + percent / 100)
    rounded = Context(prec=_DIGITS, rounding=ROUND_HALF_EVEN).plus(exact)
    return Decimal(f"{rounded.normalize():f}")


def _parted(condition: Condition) -> tuple[Value, Decimal] | None:
    match condition:
        case Held(condition=part):
            return _parted(part)
        case Compare(left=Number(), right=Number()):
            return None
        case (
            Compare(left=value, right=Number(value=number)) | Compare(left=Number(value=number), right=value)
        ):
            return value, number
        case Crosses(value=value, level=Number(value=number)):
            return value, number
        case _:
            return None


def _put(condition: Condition, number: Number) -> Condition:
    match condition:
        case Held(condition=part):
            return replace(condition, condition=_put(part, number))
        case Compare(right=Number()):
            return replace(condition, right=number)
        case Compare(left=Number()):
            return replace(condition, left=number)
        case Crosses(level=Number()):
            return replace(condition, level=number)
        case _:
            raise ValueError(f"there is no number to move in: {condition}")
