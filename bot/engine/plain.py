"""Plain rules: the price of one instrument against one number, as most alerts are.

A plain rule is a *pattern*, shared by all that differ in the number alone, and its number. So a life of one
comes without reading its text, and an arming that rests is a few numbers in columns instead of objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from bot.engine.comparisons import COMPARE, Limit, Within
from bot.engine.compiler import compile_rule
from bot.engine.life import Life
from bot.engine.values import Constant, Shifted
from bot.metrics import MetricKey, Seen
from bot.rules import RuleError, parse
from bot.rules.tree import Compare, Instrument, Number

_NUMBER = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_OPTIONS = re.compile(r"[a-z0-9.% ]*")
"""Those in quotes, and instants, make a pattern for one alert alone."""

_LONGEST = 18
"""So many digits fit in 64 bits."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """All of a plain rule but its number: the text before and after it, and a life that has another one.

    ``is_shared``: it is of a shared alert, whose options have other defaults. ``is_beyond`` compares
    a price with the number, or with where that lies once ``outward`` has moved it for the clear side.
    """

    head: str
    tail: str
    is_shared: bool
    life: Life
    node: Within
    clear: Within
    is_beyond: Callable[[float, float], bool]
    outward: Shifted

    @property
    def key(self) -> MetricKey:
        """The one series that is read."""
        return self.life.keys[0]

    @property
    def is_below(self) -> bool:
        """Whether it waits for a price below the number, not above it."""
        return not self.node.floors

    def cleared(self, level: float) -> float:
        """Move a number outward: a price that is not beyond that is clear."""
        return self.outward.shifted(level)

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
    """A plain rule: the place of its pattern among those that are known, and its number.

    ``95000.5`` has the digits 950005 and a scale of 1.
    """

    pattern: int
    digits: int
    scale: int

    @property
    def number(self) -> Decimal:
        """The number, exactly."""
        return Decimal(self.digits).scaleb(-self.scale)

    @property
    def level(self) -> float:
        """The float that is nearest to the number."""
        level: float = self.digits / 10**self.scale
        return level


class Plain(NamedTuple):
    """A plain arming: its rule, and the instant after which prices count for it."""

    pattern: Pattern
    numbered: Numbered
    begins_at: float

    @property
    def level(self) -> float:
        """The float that is nearest to its number."""
        return self.numbered.level

    @property
    def term(self) -> str:
        """Write its condition, without options."""
        return f"{self.pattern.head}{self.numbered.number:f}"


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
        """Take a rule in canonical text apart, or say that it is not plain.

        A pattern that was met before is found by its text alone; the first rule of one is parsed.
        """
        instrument, _, rest = rule.partition(" ")
        sign, _, rest = rest.partition(" ")
        number, space, options = rest.partition(" ")
        whole, _, fraction = number.partition(".")
        is_short = _NUMBER.fullmatch(number) and len(whole + fraction) <= _LONGEST
        if not is_short or not _OPTIONS.fullmatch(options):
            return None
        known = f"{instrument} {sign} ", f"{space}{options}", is_shared
        if known not in self._places:
            self._places[known] = self._learned(*known, rule)
        place = self._places[known]
        return None if place is None else Numbered(place, int(whole + fraction), len(fraction))

    def _learned(self, head: str, tail: str, is_shared: bool, rule: str) -> int | None:
        match _plain_life(rule, is_shared):
            case Life(node=Within() as node, clear=Within() as clear, slots=0) as life:
                is_beyond = COMPARE[head.rsplit(maxsplit=1)[-1]]
                (limit,) = clear.floors or clear.ceilings
                outward = limit.value if isinstance(limit.value, Shifted) else Shifted(limit.value)
                self._known.append(Pattern(head, tail, is_shared, life, node, clear, is_beyond, outward))
                return len(self._known) - 1
        return None


def _plain_life(rule: str, is_shared: bool) -> Life | None:
    """Compile a rule, if the price moves it alone: whatever reminds of it or ends it is looked at by time.

    One that this version cannot read any more is not plain: whoever takes it in alone says so.
    """
    try:
        parsed = parse(rule)
        life = compile_rule(parsed, is_shared, 0.0, {})
    except (RuleError, ValueError):
        return None
    condition, options = parsed.condition, parsed.options
    is_compared = (
        isinstance(condition, Compare)
        and isinstance(condition.left, Instrument)
        and isinstance(condition.right, Number)
    )
    if not is_compared or options.remind or options.until or options.note or str(parsed) != rule:
        return None
    return life


def _at(node: Within, level: Constant, term: str) -> Within:
    """Put another level into an interval with one end."""

    def moved(limit: Limit) -> Limit:
        value = limit.value
        return replace(limit, value=replace(value, value=level) if isinstance(value, Shifted) else level)

    return Within(node.key, tuple(map(moved, node.floors)), tuple(map(moved, node.ceilings)), term)
