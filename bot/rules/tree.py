"""The tree of a rule: what a line of the alert language means.

Nodes are frozen values; equal rules are equal trees. ``str(rule)`` is the canonical text, and
``parse(str(rule)) == rule``. Numbers are exact decimals: they are what people typed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from bot.rules.phrases import plain

Op = Literal["<", "<=", ">", ">="]
Side = Literal["", "above", "below"]
Way = Literal["", "up", "down"]
Sign = Literal["+", "-", "*", "/"]
DurationUnit = Literal["m", "h", "d", "w"]

_SECONDS: dict[DurationUnit, int] = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


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


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison that holds as long as it is true."""

    left: Value
    op: Op
    right: Value

    def __str__(self) -> str:
        return f"{self.left} {self.op} {self.right}"


@dataclass(frozen=True, slots=True)
class Crosses:
    """A pulse: the value reaches the level from its side (``""``), or passes it in one direction."""

    value: Value
    side: Side
    level: Value

    def __str__(self) -> str:
        return _spaced(self.value, "crosses", self.side, self.level)


@dataclass(frozen=True, slots=True)
class Moves:
    """The value stands ``percent`` away from an extreme of the last ``window``; ``percent`` is positive."""

    value: Value
    way: Way
    percent: Decimal
    window: Duration

    def __str__(self) -> str:
        return _spaced(self.value, "moves", self.way, Percent(self.percent), "in", self.window)


@dataclass(frozen=True, slots=True)
class Zone:
    """A pulse: the value comes into ``low .. high``, or goes out of it."""

    value: Value
    way: Literal["enters", "leaves"]
    low: Value
    high: Value

    def __str__(self) -> str:
        return f"{self.value} {self.way} {self.low} .. {self.high}"


@dataclass(frozen=True, slots=True)
class Every:
    """A pulse at each step: a share of the value, or its round multiples."""

    value: Value
    step: Number | Percent
    way: Way

    def __str__(self) -> str:
        return _spaced(self.value, "every", self.step, self.way)


@dataclass(frozen=True, slots=True)
class Sessions:
    """A number of consecutive sessions of a metric's own calendar."""

    count: int

    def __str__(self) -> str:
        return f"{self.count} sessions"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """So many of several conditions at one time."""

    count: int
    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return f"{self.count} of ({', '.join(map(str, self.parts))})"


@dataclass(frozen=True, slots=True)
class Held:
    """A condition that has been true without a break for a time, or through consecutive sessions."""

    condition: Condition
    duration: Duration | Sessions

    def __str__(self) -> str:
        return f"{_bracketed(self.condition, Held, Not, And, Or)} for {self.duration}"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    condition: Condition

    def __str__(self) -> str:
        return f"not {_bracketed(self.condition, Held, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more conditions; an And among them is taken apart, for its brackets say nothing."""

    parts: tuple[Condition, ...]

    def __post_init__(self) -> None:
        flat: list[Condition] = []
        for part in self.parts:
            flat.extend(part.parts if isinstance(part, And) else (part,))
        object.__setattr__(self, "parts", tuple(flat))

    def __str__(self) -> str:
        return " and ".join(_chained(self.parts))


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more conditions; an Or among them is taken apart, for its brackets say nothing."""

    parts: tuple[Condition, ...]

    def __post_init__(self) -> None:
        flat: list[Condition] = []
        for part in self.parts:
            flat.extend(part.parts if isinstance(part, Or) else (part,))
        object.__setattr__(self, "parts", tuple(flat))

    def __str__(self) -> str:
        return " or ".join(_bracketed(part, Held) for part in self.parts)


Condition = Compare | Crosses | Zone | Moves | Every | AtLeast | Held | Not | And | Or


class Mode(StrEnum):
    """How often an alert rings."""

    ONCE = "once"
    REPEAT = "repeat"


Until = Duration | date | datetime


@dataclass(frozen=True, slots=True)
class Options:
    """How a rule lives. ``None`` is the default of whoever owns the alert, and is left out of the text.

    ``until`` as typed is a duration, a date (that day's end in the person's time zone) or an instant in
    whole seconds; an alert that has been made holds an instant in UTC.
    """

    mode: Mode | None = None
    cooldown: Duration | None = None
    rearm: Number | Percent | None = None
    remind: Duration | None = None
    until: Until | None = None
    resolve: bool = False
    urgent: bool = False
    provisional: bool = False
    note: str = ""

    def __str__(self) -> str:
        return _spaced(
            self.mode or "",
            f"cooldown {self.cooldown}" if self.cooldown else "",
            f"rearm {self.rearm}" if self.rearm else "",
            f"remind {self.remind}" if self.remind else "",
            f"until {_written(self.until)}" if self.until else "",
            "resolve" if self.resolve else "",
            "urgent" if self.urgent else "",
            "provisional" if self.provisional else "",
            f"note {_quoted(self.note)}" if self.note else "",
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition and how it lives."""

    condition: Condition
    options: Options = Options()

    def __str__(self) -> str:
        return _spaced(self.condition, self.options)

    def with_options(self, options: Options) -> Rule:
        """Give the same condition with other options."""
        return replace(self, options=options)


def is_interval(one: Condition, other: Condition) -> bool:
    """Whether two comparisons, in this order, are the two ends of one interval: ``98000 < btc < 105000``.

    Two numbers that leave no room between them are none, so that a slip is not taken for an interval.
    """
    match one, other:
        case Compare(left=low, op=op, right=Instrument() as middle), Compare(left=value, right=high):
            if value != middle or op[0] != other.op[0]:
                return False
            if isinstance(low, Number) and isinstance(high, Number):
                return low.value < high.value if op[0] == "<" else low.value > high.value
            return True
    return False


_RANK = {"+": 1, "-": 1, "*": 2, "/": 2}


def _within(value: Value, rank: int) -> str:
    """Write a value as a part of another, in brackets where it binds less than ``rank``."""
    needs_brackets = isinstance(value, Negative) or (isinstance(value, Arithmetic) and _RANK[value.op] < rank)
    return f"({value})" if needs_brackets else str(value)


def _chained(parts: tuple[Condition, ...]) -> Iterator[str]:
    at = 0
    while at < len(parts):
        part, after = parts[at], parts[at + 1] if at + 1 < len(parts) else None
        if isinstance(part, Compare) and isinstance(after, Compare) and is_interval(part, after):
            yield f"{part} {after.op} {after.right}"
            at += 2
        else:
            yield _bracketed(part, Held, Or)
            at += 1


def _bracketed(condition: Condition, *kinds: type[Condition]) -> str:
    return f"({condition})" if isinstance(condition, kinds) else str(condition)


def _spaced(*parts: object) -> str:
    return " ".join(text for text in map(str, parts) if text)


def _written(until: Until) -> str:
    if not isinstance(until, datetime):
        return str(until)
    zone = ""
    if until.tzinfo:
        until, zone = until.astimezone(UTC).replace(tzinfo=None), "Z"
    return until.isoformat(timespec="seconds" if until.second else "minutes") + zone


def _quoted(note: str) -> str:
    escaped = note.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
