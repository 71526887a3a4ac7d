"""Read the facts of a notification: what is missing, or of another kind than expected, is left out."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import lru_cache

from bot.alerts.message import Fact, Facts
from bot.rules import RuleError, parse
from bot.rules.tree import Rule


@lru_cache(maxsize=1024)
def rule_of(text: str) -> Rule | None:
    """Read a rule, if it can be read."""
    try:
        return parse(text) if text else None
    except RuleError:  # a row of an older version of the language is still told, in its own text
        return None


def text_of(facts: Facts, name: str) -> str:
    """Give a fact that is text, else nothing."""
    value = facts.get(name)
    return value if isinstance(value, str) else ""


def number_of(facts: Facts, name: str) -> float | None:
    """Give a fact that is a number."""
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def decimal_of(facts: Facts, name: str) -> Decimal | None:
    """Give a fact that is an exact number."""
    value = facts.get(name)
    try:
        return Decimal(str(value)) if isinstance(value, str | int | float) else None
    except InvalidOperation:
        return None


def items_of(facts: Facts, name: str) -> list[Facts]:
    """Give a fact that is a list of facts, else none."""
    value = facts.get(name)
    return list(value) if isinstance(value, list | tuple) else []


def labels_of(facts: Facts, name: str) -> list[str]:
    """Give the labels of alerts under a name."""
    value: Fact = facts.get(name)
    if isinstance(value, str):
        return [value] if value else []
    return [label for item in items_of(facts, name) if (label := text_of(item, "alert"))]
