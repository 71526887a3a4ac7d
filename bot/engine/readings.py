"""What each term of a condition reads just now: walked only when somebody asks, never while judging."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bot.engine.comparisons import Against, Move, Moved, Within
from bot.engine.judge import AtClose, AtLeast, Holding, Inverse, Node, SessionsHeld
from bot.engine.minute import Minute
from bot.engine.pulses import Crossing, Entry, OfSessions, RoundSteps, ShareSteps
from bot.engine.state import Memory
from bot.engine.truth import Tri
from bot.engine.values import Constant, Value


class Reading(NamedTuple):
    """One term, as it stands: its canonical text, whether it is true, and what it reads.

    ``figures`` are its values that are no plain numbers, from left to right, ``None`` for what is unknown. A
    pulse is never true for longer than its moment: its truth is ``None``, and what it reads is told alone.
    """

    term: str
    is_true: Tri
    figures: tuple[float | None, ...]
    is_pulse: bool = False


def readings(node: Node, minute: Minute, memory: Memory) -> Iterator[Reading]:
    """Read each term of a condition, in the order of its text."""
    match node:
        case Holding(part=part) | SessionsHeld(part=part) | AtClose(part=part) | Inverse(part=part):
            yield from readings(part, minute, memory)
        case OfSessions(part=part):
            yield from readings(part, minute, memory)
        case AtLeast(parts=parts):
            for part in parts:
                yield from readings(part, minute, memory)
        case Within(key=key, floors=floors, ceilings=ceilings, term=term):
            bar = minute.bars.get(key)
            price = None if bar is None else bar.close
            limits = _figures(minute, *(limit.value for limit in (*floors, *ceilings)))
            yield Reading(term, node.judge(minute, memory, []).may, (price, *limits))
        case Against(left=left, right=right, term=term):
            yield Reading(term, node.judge(minute, memory, []).may, _figures(minute, left, right))
        case Moved(value=value, term=term):
            yield Reading(term, node.judge(minute, memory, []).may, _figures(minute, value))
        case Move(key=key, term=term):
            bar = minute.bars.get(key)
            yield Reading(term, node.judge(minute, memory, []).may, (None if bar is None else bar.close,))
        case Crossing(value=value, level=level, term=term):
            yield Reading(term, None, _figures(minute, value, level), is_pulse=True)
        case Entry(value=value, low=low, high=high, term=term):
            yield Reading(term, None, _figures(minute, value, low, high), is_pulse=True)
        case ShareSteps(value=value, term=term) | RoundSteps(value=value, term=term):
            yield Reading(term, None, _figures(minute, value), is_pulse=True)


def _figures(minute: Minute, *values: Value) -> tuple[float | None, ...]:
    return tuple(value.read(minute) for value in values if not isinstance(value, Constant))
