"""Lulls: minutes of a long stretch in which a condition is false beyond doubt, found for all of them at once.

A rule that looks back over a window must be judged in every minute, and nothing comes of nearly all of them.
What is found here is certain, and no more: where a figure is near its level, where something is not known,
and in every kind of rule that is not named here, the minute is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bot.engine import measures
from bot.engine.comparisons import COMPARE, Against, Move, Within
from bot.engine.judge import AtClose, Node
from bot.engine.life import Life
from bot.engine.minute import Minute
from bot.engine.series import CLOSE, HIGH, LOW, SPAN
from bot.engine.state import AlertState
from bot.engine.values import Constant, Floats, Shifted, Statistic, Value
from bot.engine.windows import DAY, MINUTES_REACH, Extreme, LiveWindow, along, grain
from bot.engine.world import World
from bot.metrics import MINUTE, MetricKey, minute_of, opening_of

Flags = NDArray[np.bool_]

_SHORTEST = 32 * MINUTE
"""How much must be ahead for a look at all of it to pay, in seconds."""

_NEAR = 1e-9
"""Figures as near to each other as this share of their amounts are compared where the minute is judged."""


class Lulls:
    """What of the minutes before ``stop`` leaves a calm state of a life as it is."""

    def __init__(self, world: World, life: Life, stop: int) -> None:
        self._world = world
        self._life = life
        self._stop = stop if life.until is None else min(stop, minute_of(life.until))
        self._is_open = life.is_restless and not life.calendars and not life.holdings
        self._stirs: Floats | None = None

    def end(self, state: AlertState, at: int) -> int:
        """Find the first minute from ``at`` on that must be judged, if a lull begins there; else ``at``."""
        if not self._is_open or not _is_calm(state):
            return at
        if self._stirs is None:
            self._stirs = _stirs(self._world, self._life, at, self._stop)
            if self._stirs is None:
                self._is_open = False
                return at
        place = int(np.searchsorted(self._stirs, at))
        return int(self._stirs[place]) if place < len(self._stirs) else max(at, self._stop)


def _is_calm(state: AlertState) -> bool:
    """Whether a minute in which the condition and its clarity are false leaves a state as it is."""
    is_waiting = state.is_armed and not state.is_firing and state.early is None and state.grounds is None
    return is_waiting and all(remembered == 0 for remembered in state.memory)


def _stirs(world: World, life: Life, since: int, until: int) -> Floats | None:
    """Name the minutes of ``[since, until)`` that must be judged though the state is calm, rising.

    ``None`` where nothing can be said: a short stretch, bars of other lengths, a hole, another kind of rule.
    """
    clipped = max((seen.bar.at for seen in life.seen.values()), default=minute_of(life.made_at))
    if until - since < _SHORTEST or since <= clipped:  # in the minute of its making only some prices count
        return None
    stretch = _Stretch(world, np.arange(since, until, MINUTE, dtype=np.float64))
    is_false = np.ones(len(stretch.ats), dtype=np.bool_)
    for node in {id(node): node for node in (life.node, life.clear)}.values():
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = _false(node, stretch)
        if found is None:
            return None
        is_false &= found
    stirring: Floats = stretch.ats[~is_false]
    return stirring


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Minutes of one world, by their openings."""

    world: World
    ats: Floats

    def rows(self, key: MetricKey, before: int = 0) -> Floats | None:
        """Give the bars of a key, and of so many seconds before; ``None`` if they are not whole minutes."""
        series = self.world.series.get(key)
        if series is None or before % MINUTE:
            return None
        rows = series.rows(int(self.ats[0]) - before, int(self.ats[-1]) + MINUTE)
        is_whole = rows.shape[1] == len(self.ats) + before // MINUTE and bool((rows[SPAN] == MINUTE).all())
        return rows if is_whole else None


def _false(node: Node, stretch: _Stretch) -> Flags | None:
    """Say where a condition is false at every moment; ``None`` for kinds of which nothing is said."""
    match node:
        case AtClose(part=part):
            return _false(part, stretch)
        case Move():
            return _unmoved(node, stretch)
        case Within():
            return _outside(node, stretch)
        case Against(left=left, compare=compare, right=right):
            one, other = _figures(left, stretch), _figures(right, stretch)
            if one is None or other is None:
                return None
            is_apart = np.abs(one - other) > _NEAR * (1 + np.abs(one) + np.abs(other))
            is_greater = compare in (COMPARE[">"], COMPARE[">="])
            false: Flags = is_apart & (one < other if is_greater else one > other)
            return false
        case _:
            return None


def _unmoved(move: Move, stretch: _Stretch) -> Flags | None:
    """Compare with the extremes of the window and the whole minute: what is less far was far in no order."""
    before = max(0, move.window - MINUTE)
    rows = stretch.rows(move.key, before)
    if rows is None:
        return None
    count, bound = before // MINUTE + 1, move.fraction * (1 - _NEAR)
    high, low = rows[HIGH, count - 1 :], rows[LOW, count - 1 :]
    unmoved: Flags = np.ones(len(stretch.ats), dtype=np.bool_)
    if move.way >= 0:
        unmoved &= high / sliding_window_view(rows[LOW], count).min(axis=-1) - 1 < bound
    if move.way <= 0:
        unmoved &= 1 - low / sliding_window_view(rows[HIGH], count).max(axis=-1) < bound
    return unmoved


def _outside(within: Within, stretch: _Stretch) -> Flags | None:
    rows = stretch.rows(within.key)
    if rows is None:
        return None
    outside: Flags = np.zeros(len(stretch.ats), dtype=np.bool_)
    for limits, is_floor in ((within.floors, True), (within.ceilings, False)):
        for limit in limits:
            level = _figures(limit.value, stretch)
            if level is None:
                return None
            reached, bound = (rows[HIGH], level) if is_floor else (level, rows[LOW])
            outside |= reached <= bound if limit.is_open else reached < bound
    return outside


def _figures(value: Value, stretch: _Stretch) -> Floats | None:
    """Give what a value is in each minute, not finite where it has none; ``None`` for other kinds."""
    match value:
        case Constant(value=number):
            return np.full(len(stretch.ats), number)
        case Shifted(value=part):
            figures = _figures(part, stretch)
            return None if figures is None else value.shifted(figures)
        case Extreme():
            return _extremes(value, stretch)
        case LiveWindow(statistic=statistic, is_before=False) if statistic in _FIGURES:
            return _window(value, *_FIGURES[statistic], stretch)
        case _:
            return None


def _extremes(extreme: Extreme, stretch: _Stretch) -> Floats | None:
    is_high = extreme.is_high
    if 0 < extreme.window <= MINUTES_REACH:
        rows = stretch.rows(extreme.key, extreme.window)
        if rows is None:
            return None
        windows = sliding_window_view(rows[HIGH if is_high else LOW, :-1], extreme.window // MINUTE)
        found: Floats = windows.max(axis=-1) if is_high else windows.min(axis=-1)
        return found
    rows, best = stretch.rows(extreme.key), np.maximum if is_high else np.minimum
    if rows is None:
        return None
    figures = np.empty(len(stretch.ats))
    for day in _parts(stretch.ats, DAY):  # the days before stand still in each, the minutes of today add up
        first = extreme.read(Minute(int(stretch.ats[day.start]), {}, stretch.world))
        if first is None:
            return None
        before = rows[HIGH if is_high else LOW, day][:-1]
        figures[day] = best.accumulate(np.concatenate(([first], before)))
    return figures


def _window(
    window: LiveWindow, reduce: Reduce, combine: Callable[[Floats, Floats, int], Floats], stretch: _Stretch
) -> Floats | None:
    step = grain(window.window)
    known: dict[MetricKey, Floats] = {}
    for key in window.keys:
        rows = stretch.rows(key, window.window if step == MINUTE else 0)
        if rows is None:
            return None
        known[key] = rows[CLOSE]
    values, count = along(window.of, known), window.window // step
    if not np.isfinite(values).all():
        return None
    if step == MINUTE:
        reduced = reduce(sliding_window_view(values[:-1], count))
        return combine(reduced, values[count:], count)
    reduced = np.empty(len(stretch.ats))
    for part in _parts(stretch.ats, step):
        past = window.past(Minute(int(stretch.ats[part.start]), {}, stretch.world))
        if past is None or not np.isfinite(past).all():
            return None
        reduced[part] = reduce(past)
    return combine(reduced, values, count)


def _parts(ats: Floats, span: int) -> Iterator[slice]:
    """Split minutes at the openings of candles of a span."""
    openings = [opening_of(int(at), span) for at in (ats[0], ats[-1])]
    edges = np.searchsorted(ats, np.arange(openings[0] + span, openings[1] + span, span))
    yield from (slice(int(a), int(b)) for a, b in pairwise((0, *edges, len(ats))) if a < b)


Reduce = Callable[[Floats], Floats]

_FIGURES: dict[Statistic, tuple[Reduce, Callable[[Floats, Floats, int], Floats]]] = {
    measures.change: (lambda past: past[..., 0], lambda first, now, _: 100 * (now - first) / np.abs(first)),
    measures.delta: (lambda past: past[..., 0], lambda first, now, _: now - first),
    measures.average: (lambda past: past.sum(axis=-1), lambda total, now, count: (total + now) / (count + 1)),
    measures.drawdown: (
        lambda past: past.max(axis=-1),
        lambda highest, now, _: 100 * (1 - now / np.maximum(highest, now)),
    ),
    measures.rise: (
        lambda past: past.min(axis=-1),
        lambda lowest, now, _: 100 * (now / np.minimum(lowest, now) - 1),
    ),
}
"""How figures of a window come of what the values before a minute are reduced to, and of the minute's own."""
