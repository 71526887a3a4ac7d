"""Plain rules: the price of one instrument against one number, as most alerts are.

A plain rule is a *pattern*, shared by all that differ in the number alone, and its number. So a life of one
comes without reading its text, and an arming that rests is a few numbers in columns instead of objects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from bot.engine.comparisons import Limit, Within
from bot.engine.compiler import compile_rule
from bot.engine.life import Life
from bot.engine.values import Constant, Shifted
from bot.metrics import MetricKey, Seen
from bot.rules import parse
from bot.rules.tree import Compare, Instrument, Number

_NUMBERED = re.compile(r"(\S+ (?:<|<=|>|>=) )(\d{1,17}(?:\.\d{1,12})?)((?: [a-z0-9.%]+)*)")
"""A price, a comparison, a number, and options; those in quotes make a pattern for one alert alone."""

_UNKNOWN = -1
_LONGEST = 16
"""So many digits are a float's own, whichever way they are read."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """All of a plain rule but its number: the text before and after it, and a life that has another one.

    ``is_shared`` is whether it is of a shared alert, whose options have other defaults.
    """

    head: str
    tail: str
    is_shared: bool
    life: Life
    node: Within
    clear: Within

    @property
    def key(self) -> MetricKey:
        """The one series that is read."""
        return self.life.keys[0]

    @property
    def is_below(self) -> bool:
        """Whether it waits for a price below the number, not above it."""
        return not self.node.floors

    def rule(self, number: Decimal) -> str:
        """Write the rule with a number."""
        return f"{self.head}{number:f}{self.tail}"

    def live(
        self, number: Decimal, made_at: float, seen: Mapping[MetricKey, Seen], is_eager: bool = False
    ) -> Life:
        """Give the life of the rule with a number, as compiling its text would."""
        level, term = Constant(float(number)), f"{self.head}{number:f}"
        node = _at(self.node, level, term)
        clear = node if self.clear is self.node else _at(self.clear, level, term)
        return replace(self.life, node=node, clear=clear, made_at=made_at, seen=seen, is_eager=is_eager)


class Numbered(NamedTuple):
    """A plain rule: the place of its pattern among those that are known, and its number."""

    pattern: int
    number: Decimal


class Patterns:
    """The patterns that are known; each has a place that it keeps."""

    __slots__ = ("_known", "_places")

    def __init__(self) -> None:
        self._known: list[Pattern] = []
        self._places: dict[tuple[str, str, bool], int | None] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __getitem__(self, place: int) -> Pattern:
        return self._known[place]

    def numbered(self, rule: str, is_shared: bool) -> Numbered | None:
        """Take a rule in canonical text apart, or say that it is not plain."""
        found = _NUMBERED.fullmatch(rule)
        if found is None:
            return None
        head, digits, tail = found.groups()
        place = self._place(head, tail, is_shared, rule)
        number = Decimal(digits)
        return None if place is None or f"{number:f}" != digits else Numbered(place, number)

    def taken_apart(self, rule: str, is_shared: bool) -> tuple[int, int, int]:
        """Take a rule apart as ``numbered`` does, fast: its pattern, or -1, and digits and scale.

        ``95000.5`` is 950005 with a scale of 1. A pattern that was met before is found by the text alone.
        """
        head, _, rest = rule.partition(" ")
        sign, _, rest = rest.partition(" ")
        number, space, options = rest.partition(" ")
        place = self._places.get((f"{head} {sign} ", f"{space}{options}", is_shared), _UNKNOWN)
        if place == _UNKNOWN:
            found = self.numbered(rule, is_shared)
            place = None if found is None else found.pattern
        whole, _, fraction = number.partition(".")
        if place is None or not (whole + fraction).isdecimal() or len(number) > _LONGEST:
            return -1, 0, 0
        return place, int(whole + fraction), len(fraction)

    def _place(self, head: str, tail: str, is_shared: bool, rule: str) -> int | None:
        known = head, tail, is_shared
        if known not in self._places:
            life = _plain_life(rule, is_shared)
            self._places[known] = None
            match life:
                case Life(node=Within() as node, clear=Within() as clear, slots=0):
                    self._places[known] = len(self._known)
                    self._known.append(Pattern(head, tail, is_shared, life, node, clear))
        return self._places[known]


def _plain_life(rule: str, is_shared: bool) -> Life | None:
    """Compile a rule, if the price moves it alone: whatever reminds of it or ends it is looked at by time."""
    parsed = parse(rule)
    condition, options = parsed.condition, parsed.options
    is_compared = (
        isinstance(condition, Compare)
        and isinstance(condition.left, Instrument)
        and isinstance(condition.right, Number)
    )
    if not is_compared or options.remind or options.until or options.note or str(parsed) != rule:
        return None
    return compile_rule(parsed, is_shared, 0.0, {})


def _at(node: Within, level: Constant, term: str) -> Within:
    """Put another level into an interval with one end."""

    def moved(limit: Limit) -> Limit:
        value = limit.value
        return replace(limit, value=replace(value, value=level) if isinstance(value, Shifted) else level)

    return Within(node.key, tuple(map(moved, node.floors)), tuple(map(moved, node.ceilings)), term)
