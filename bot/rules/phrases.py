"""Phrases: sentences without a language.

Rules and engine say what they mean as a template in English with named arguments; the room that talks to
people translates the template and formats the arguments in the person's form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

Unit = Literal["price", "percent", "count", "sum", ""]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit; ``currency`` is the quote of a price, in lower case, or empty.

    A ``sum`` is of money, not of one coin: some languages write it in units of their own.
    """

    value: Decimal
    unit: Unit = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment in epoch seconds, on the reader's clock; with its date where that is not that of ``now``.

    Without ``now`` it stands with its whole date.
    """

    at: float
    now: float | None = None


@dataclass(frozen=True, slots=True)
class Phrase:
    """A message id (its English template, ``str.format`` names in braces) with its arguments.

    Arguments are nested phrases, quantities, moments, or text that needs no translation (names, symbols).
    """

    template: str
    arguments: Mapping[str, Phrase | Quantity | Instant | str | int] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.template, tuple(sorted(self.arguments.items(), key=lambda item: item[0]))))


def to_say(template: str) -> str:
    """Mark a template that is kept in a table or a name, so that catalogues have it; it stays as it is."""
    return template


def english(phrase: Phrase) -> str:
    """Word a phrase in English, for tools, tests and logs of programmers; people get a translator."""
    return phrase.template.format(**{name: _worded(value) for name, value in phrase.arguments.items()})


def plain(value: Decimal) -> str:
    """Write a decimal without an exponent and without idle zeros: ``100000``, ``0.5``."""
    return _trimmed(f"{value:f}")


def _worded(argument: Phrase | Quantity | Instant | str | int) -> str:
    match argument:
        case Phrase():
            return english(argument)
        case Quantity(value=value, unit=unit):
            return _trimmed(f"{value:,f}") + ("%" if unit == "percent" else "")
        case Instant(at=at):
            return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
        case int():
            return f"{argument:,}"
        case str():
            return argument


def _trimmed(digits: str) -> str:
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits
