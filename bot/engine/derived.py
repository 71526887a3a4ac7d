"""Which conditions are of derived series and numbers alone, so that nobody has to be asked in between.

Such a condition changes where one of its series reaches one of its numbers, as that of a price does. It
remembers nothing, and where a value is not known it rings nothing, arms nothing and ends nothing. So while
each value that is known stays between two of the numbers, no state changes.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.engine.comparisons import Against
from bot.engine.judge import AtLeast, Inverse, Node
from bot.engine.shelf import Derived
from bot.engine.values import CandleField, Constant, Indicator, Shifted, Value

Breaks = Mapping[Derived, tuple[float, ...]]
"""Of each derived series the numbers, rising, at which a verdict may change."""


def breaks_of(*conditions: Node) -> Breaks:
    """Give the breaks of some conditions; none at all if there is more to one of them."""
    found: dict[Derived, set[float]] = {}
    if not all(_gather(condition, found) for condition in conditions):
        return {}
    return {series: tuple(sorted(levels)) for series, levels in found.items()}


def _gather(node: Node, found: dict[Derived, set[float]]) -> bool:
    """Note the breaks of a condition; gives whether these are all there is to it."""
    match node:
        case Against(left=left, right=right):
            series, level = _series(left), _level(right)
            if series is None or level is None:
                return False
            found.setdefault(series, set()).add(level)
            return True
        case AtLeast(parts=parts):
            return all(_gather(part, found) for part in parts)
        case Inverse(part=part):
            return _gather(part, found)
    return False


def _series(value: Value) -> Derived | None:
    match value:
        case Indicator(key=key, span=span, function=function, arguments=arguments):
            return Derived(key, span, function, arguments)
        case CandleField(key=key, span=span, column=column):
            return Derived(key, span, column)
    return None


def _level(value: Value) -> float | None:
    match value:
        case Constant(value=level):
            return level
        case Shifted(value=Constant(value=level)):
            return value.shifted(level)
    return None
