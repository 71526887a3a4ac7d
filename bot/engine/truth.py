"""Truth over a minute: at some moment, and at every moment, each true, false or unknown (Kleene's logic)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

Tri = bool | None


class Truth(NamedTuple):
    """Whether something holds at some moment (``may``) and at every moment (``must``) of a minute.

    ``None`` is unknown. Where both are known, ``must`` implies ``may``.
    """

    may: Tri
    must: Tri


UNKNOWN = Truth(None, None)


def both(value: Tri) -> Truth:
    """Give the truth of what is read at one moment only, such as a close."""
    return Truth(value, value)


def every(values: Iterable[Tri]) -> Tri:
    """Join with *and*: one falsehood decides, else one unknown leaves it open."""
    result: Tri = True
    for value in values:
        if value is False:
            return False
        if value is None:
            result = None
    return result


def some(values: Iterable[Tri]) -> Tri:
    """Join with *or*: one truth decides, else one unknown leaves it open."""
    result: Tri = False
    for value in values:
        if value is True:
            return True
        if value is None:
            result = None
    return result


def opposite(truth: Truth) -> Truth:
    """Negate: what need not hold throughout fails at some moment."""
    may = None if truth.must is None else not truth.must
    must = None if truth.may is None else not truth.may
    return Truth(may, must)
