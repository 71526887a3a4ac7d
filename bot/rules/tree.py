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

from bot.rules.values import (
    Argument,
    Arithmetic,
    Call,
    Duration,
    DurationUnit,
    Instrument,
    LevelRef,
    Negative,
    Number,
    Percent,
    Sign,
    Value,
    Word,
)

Op = Literal["<", "<=", ">", ">="]
Side = Literal["", "above", "below"]
Way = Literal["", "up", "down"]

TURNED: dict[Op, Op] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""Each sign as it reads when the two sides change places."""

__all__ = [
    "TURNED",
    "And",
    "Argument",
    "Arithmetic",
    "AtLeast",
    "Call",
    "Compare",
    "Condition",
    "Crosses",
    "Duration",
    "DurationUnit",
    "Every",
    "Held",
    "Instrument",
    "LevelRef",
    "Mode",
    "Moves",
    "Negative",
    "Not",
    "Number",
    "Op",
    "Options",
    "Or",
    "Percent",
    "Rule",
    "Sessions",
    "Side",
    "Sign",
    "Until",
    "Value",
    "Way",
    "Word",
    "Zone",
    "is_interval",
]


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
        case Compare(left=low, op=op, right=middle), Compare(left=value, right=high):
            if value != middle or op[0] != other.op[0] or isinstance(middle, Number | Percent | LevelRef):
                return False
            match low, high:
                case (Number(value=first), Number(value=last)) | (Percent(value=first), Percent(value=last)):
                    return first < last if op[0] == "<" else first > last
            return True
    return False


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
