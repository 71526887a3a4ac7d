"""The tree of a rule: what a line of the alert language means.

Nodes are frozen values; equal rules are equal trees. ``str(rule)`` is the canonical text, and
``parse(str(rule)) == rule``. Numbers are exact decimals: they are what people typed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

Op = Literal["<", "<=", ">", ">="]
Side = Literal["", "above", "below"]
Way = Literal["", "up", "down"]
DurationUnit = Literal["m", "h", "d", "w"]

_SECONDS: dict[DurationUnit, int] = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True, slots=True)
class Duration:
    """A stretch of time as it was typed: ``24h`` stays 24 hours, only ``60m`` becomes ``1h``.

    Days are kept apart from hours because a day of a metric with sessions is a session, not 24 hours.
    """

    count: int
    unit: DurationUnit

    @property
    def seconds(self) -> int:
        """The length in seconds."""
        return self.count * _SECONDS[self.unit]

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


@dataclass(frozen=True, slots=True)
class Number:
    """A bare number; it takes the unit of the other side of its comparison."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class Percent:
    """A number of percent: ``Percent(Decimal(5))`` is 5%."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class LevelRef:
    """A named level, ``@etf_cost``, whose number admins keep."""

    name: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """A traded thing, and by itself its price.

    All parts are lower case. ``quote`` is empty where the deployment's default is meant, ``venue`` where the
    deployment's exchanges are. ``settle`` is the currency a contract settles in (``usdt`` in
    ``btc/usdt:usdt``); ``is_perpetual`` is the short form ``btc.perp``, whose quote and settlement are the
    deployment's default quote.
    """

    base: str
    quote: str = ""
    settle: str = ""
    venue: str = ""
    is_perpetual: bool = False

    @property
    def symbol(self) -> str:
        """The unified name without the venue: ``btc/usdt:usdt``, or ``btc`` while unqualified."""
        name = f"{self.base}/{self.quote}" if self.quote else self.base
        return f"{name}:{self.settle}" if self.settle else name


Value = Number | Percent | LevelRef | Instrument


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison that holds as long as it is true."""

    left: Value
    op: Op
    right: Value


@dataclass(frozen=True, slots=True)
class Crosses:
    """A pulse: the value reaches the level from its side (``""``), or passes it in one direction."""

    value: Value
    side: Side
    level: Value


@dataclass(frozen=True, slots=True)
class Moves:
    """The value stands ``percent`` away from an extreme of the last ``window``; ``percent`` is positive."""

    value: Value
    way: Way
    percent: Decimal
    window: Duration


@dataclass(frozen=True, slots=True)
class Held:
    """A condition that has been true without a break for a time."""

    condition: Condition
    duration: Duration


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more conditions."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more conditions."""

    parts: tuple[Condition, ...]


Condition = Compare | Crosses | Moves | Held | Not | And | Or


class Mode(StrEnum):
    """How often an alert rings."""

    ONCE = "once"
    REPEAT = "repeat"


Until = Duration | date | datetime


@dataclass(frozen=True, slots=True)
class Options:
    """How a rule lives. ``None`` is the default of whoever owns the alert, and is left out of the text.

    ``until`` as typed is a duration, a date (that day's end in the person's time zone) or an instant; an
    alert that has been made holds an instant in UTC.
    """

    mode: Mode | None = None
    cooldown: Duration | None = None
    until: Until | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition and how it lives."""

    condition: Condition
    options: Options = Options()

    def __str__(self) -> str:
        from bot.rules.text import canonical  # the text is written over the tree, so it is imported late

        return canonical(self)

    def with_options(self, options: Options) -> Rule:
        """Give the same condition with other options."""
        return replace(self, options=options)
