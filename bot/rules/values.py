"""The values of a rule: what is compared, moves or is crossed, and what stands inside functions.

Frozen values; numbers are exact decimals, for they are what people typed. ``str`` gives canonical text.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from bot.rules.phrases import plain

Sign = Literal["+", "-", "*", "/"]
DurationUnit = Literal["m", "h", "d", "w"]

_SECONDS: dict[DurationUnit, int] = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
_RANK: dict[Sign, int] = {"+": 1, "-": 1, "*": 2, "/": 2}


@dataclass(frozen=True, slots=True)
class Duration:
    """A stretch of time as it was typed: ``24h`` stays 24 hours, only ``60m`` becomes ``1h``.

    Days are kept apart from hours because a day of a metric with sessions is a session, not 24 hours.
    """

    count: int
    unit: DurationUnit

    def __post_init__(self) -> None:
        if self.unit == "m" and self.count and self.count % 60 == 0:
            object.__setattr__(self, "count", self.count // 60)
            object.__setattr__(self, "unit", "h")

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

    def __str__(self) -> str:
        return plain(self.value)


@dataclass(frozen=True, slots=True)
class Percent:
    """A number of percent: ``Percent(Decimal(5))`` is 5%."""

    value: Decimal

    def __str__(self) -> str:
        return f"{plain(self.value)}%"


@dataclass(frozen=True, slots=True)
class LevelRef:
    """A named level, ``@etf_cost``, whose number admins keep."""

    name: str

    def __str__(self) -> str:
        return f"@{self.name}"


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

    def __str__(self) -> str:
        name = f"{self.symbol}.perp" if self.is_perpetual else self.symbol
        return f"{name}@{self.venue}" if self.venue else name


@dataclass(frozen=True, slots=True)
class Word:
    """A name inside a function that is no instrument: a company, ``all``, ``long``, an operator's metric."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the table with all its arguments written out, in the table's order."""

    function: str
    arguments: tuple[Argument, ...] = ()

    def __str__(self) -> str:
        return f"{self.function}({', '.join(map(str, self.arguments))})"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two values joined by ``+ - * /``."""

    left: Value
    op: Sign
    right: Value

    def __str__(self) -> str:
        left = _within(self.left, _RANK[self.op])
        right = _within(self.right, _RANK[self.op] + 1)
        return f"{left} {self.op} {right}"


@dataclass(frozen=True, slots=True)
class Negative:
    """A value with its sign turned; a negative number is a Number or Percent by itself."""

    value: Value

    def __str__(self) -> str:
        return f"-{_within(self.value, _RANK['*'] + 1)}"


Value = Number | Percent | LevelRef | Instrument | Call | Arithmetic | Negative
Argument = Value | Duration | Word


def _within(value: Value, rank: int) -> str:
    """Write a value as a part of another, in brackets where it binds less than ``rank``."""
    needs_brackets = isinstance(value, Negative) or (isinstance(value, Arithmetic) and _RANK[value.op] < rank)
    return f"({value})" if needs_brackets else str(value)
