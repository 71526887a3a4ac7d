"""Minutes of a price that were not read: what bounds them, and whom they may concern.

Bounds prove what was not touched. Where they concern nobody, a series simply goes on behind them. Where they
do, its minutes are asked for again, until later minutes come in their place: then those before are gone, and
what was between is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf

from bot.engine.series import Series
from bot.metrics import MINUTE, Bounds, MetricKey

SHORT = 5 * MINUTE
"""Of a hole up to so many seconds the prices before and after it say whom it may concern."""


@dataclass(frozen=True, slots=True)
class Lapse:
    """A stretch ``[since, until)`` of a series whose minutes are gone, and what may have been touched in it.

    Nothing was traded outside ``low`` and ``high``; ``None`` where nobody can say. ``armings`` are those that
    may have rung, had it been seen.
    """

    key: MetricKey
    since: int
    until: int
    low: float | None
    high: float | None
    armings: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what was not read, with the prices that bound it, if anything does."""

    since: int
    until: int
    low: float | None = None
    high: float | None = None


def merge(pending: Sequence[Bounds], one: Bounds, known_to: int) -> list[Bounds]:
    """Note bounds behind what is known; of two about the same time the later word holds."""
    if one.until <= known_to:
        return list(pending)
    fresh = _cut(one, max(one.since, known_to), one.until)
    return sorted([*without(pending, fresh.since, fresh.until), fresh], key=lambda bounds: bounds.since)


def without(pending: Iterable[Bounds], since: int, until: int) -> list[Bounds]:
    """Leave out of some bounds what is read in ``[since, until)``."""
    kept: list[Bounds] = []
    for bounds in pending:
        if bounds.since < min(since, bounds.until):
            kept.append(_cut(bounds, bounds.since, min(since, bounds.until)))
        if max(until, bounds.since) < bounds.until:
            kept.append(_cut(bounds, max(until, bounds.since), bounds.until))
    return kept


def end_behind(end: int, pending: Iterable[Bounds], is_concerned: Callable[[float, float], bool]) -> int:
    """Find how far a series is known from ``end`` on by bounds that concern nobody."""
    for bounds in pending:
        if bounds.until <= end:
            continue
        if bounds.since > end or is_concerned(bounds.low, bounds.high):
            break
        end = bounds.until
    return end


def gone(series: Series, pending: Iterable[Bounds], since: int, until: int) -> list[list[Piece]]:
    """Name what was passed unread in ``[since, until)``: unbroken stretches, each in its pieces."""
    stretches: list[list[Piece]] = []
    for start, stop in series.holes(since, until):
        pieces: list[Piece] = []
        at = start
        for bounds in pending:
            first, last = max(at, bounds.since), min(stop, bounds.until)
            if first < last:
                if at < first:
                    pieces.append(Piece(at, first))
                pieces.append(Piece(first, last, bounds.low, bounds.high))
                at = last
        if at < stop:
            pieces.append(Piece(at, stop))
        stretches.append(pieces)
    return stretches


def lapse(
    key: MetricKey,
    pieces: Sequence[Piece],
    series: Series,
    blind: Callable[[tuple[float, float] | None], set[int]],
) -> Lapse | None:
    """Say what one unread stretch may have hidden, and from whom; ``None`` if from nobody.

    ``blind`` names the armings that prices between two, or any, may concern, had they been seen.
    """
    telling: list[Piece] = []
    armings: set[int] = set()
    for piece in pieces:
        if piece.low is not None and piece.high is not None:
            found = blind((piece.low, piece.high))
        elif piece.until - piece.since > SHORT:
            found = blind(None)
        else:
            found = blind(_around(series, piece))
        if found:
            telling.append(piece)
            armings |= found
    if not telling:
        return None
    between = [one for one in pieces if telling[0].since <= one.since < telling[-1].until]
    lows = [piece.low for piece in between if piece.low is not None]
    highs = [piece.high for piece in between if piece.high is not None]
    is_bound = len(lows) == len(between)
    return Lapse(
        key,
        telling[0].since,
        telling[-1].until,
        min(lows) if is_bound else None,
        max(highs) if is_bound else None,
        tuple(sorted(armings)),
    )


def _around(series: Series, piece: Piece) -> tuple[float, float]:
    """Give the lowest and the highest of the prices just before and just after."""
    before, after = series.before(piece.since), series.at(piece.until)
    prices = [before.close] if before else []
    prices += [after.open] if after else []
    return min(prices, default=0.0), max(prices, default=inf)


def _cut(bounds: Bounds, since: int, until: int) -> Bounds:
    return Bounds(bounds.key, since, until, bounds.low, bounds.high, bounds.source)
