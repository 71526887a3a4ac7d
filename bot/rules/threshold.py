"""The one number that a rule holds something against, and the same rule with another in its place."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal

from bot.rules.tree import Compare, Condition, Crosses, Held, Number, Rule

_DIGITS = 4
"""Digits of a number that was moved by a share: enough to tell one percent, few enough to be read."""


def threshold(rule: Rule) -> Decimal | None:
    """Give the number that a rule of a single term compares or crosses; ``None`` for any other rule.

    A level by name is none: it is not the rule's own to move.
    """
    return _found(rule.condition)


def subject(rule: Rule) -> str:
    """Give what a rule holds against its ``threshold``, as it is written; nothing where it has none."""
    condition = rule.condition
    while isinstance(condition, Held):
        condition = condition.condition
    match condition:
        case Compare(left=Number(), right=Number()):
            return ""
        case Compare(left=value, right=Number()) | Compare(left=Number(), right=value):
            return str(value)
        case Crosses(value=value, level=Number()):
            return str(value)
        case _:
            return ""


def with_threshold(rule: Rule, number: Decimal) -> Rule:
    """Put another number in the place of a rule's ``threshold``. The rule must have one."""
    return replace(rule, condition=_put(rule.condition, Number(number)))


def moved(number: Decimal, percent: Decimal) -> Decimal:
    """Move a number by a share of itself, to four digits that count: 98,765 by 1% is 99,750."""
    exact = number * (1 + percent / 100)
    rounded = Context(prec=_DIGITS, rounding=ROUND_HALF_EVEN).plus(exact)
    return Decimal(f"{rounded.normalize():f}")


def _found(condition: Condition) -> Decimal | None:
    match condition:
        case Held(condition=part):
            return _found(part)
        case Compare(left=Number(), right=Number()):
            return None
        case Compare(right=Number(value=number)) | Compare(left=Number(value=number)):
            return number
        case Crosses(level=Number(value=number)):
            return number
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
