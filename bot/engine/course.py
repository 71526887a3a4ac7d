"""The course of one arming through the minutes that are known: which of them it must judge, and what comes.

Most minutes change nothing: an arming at rest is judged again where a price leaves its gap, where something
but a price may change the verdict, and where a figure arrives.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.engine.board import Series
from bot.engine.index import EVERYWHERE, NOWHERE, Gap, gap_around
from bot.engine.life import Life
from bot.engine.lulls import Lulls
from bot.engine.minute import Minute
from bot.engine.state import AlertState, Memory, Transition
from bot.engine.step import is_finished, is_settled, step
from bot.engine.world import World
from bot.metrics import MINUTE, MetricKey, Print, minute_of, point

Rests = dict[Series, Gap]


@dataclass(frozen=True, slots=True)
class Course:
    """Where an arming came: its state, what it told, and what it waits for.

    ``rests`` are the gaps in which it rests now, ``None`` where nothing moved it from where it stood. ``due``
    is the instant at which it must be looked at whatever the prices do.
    """

    state: AlertState
    told: tuple[Transition, ...]
    rests: Rests | None
    due: float


def start_of(life: Life, state: AlertState | None) -> int:
    """Give the first minute that an arming has to judge."""
    if state is not None:
        return state.cursor
    if any(key not in life.seen for key in life.priced):
        return minute_of(life.made_at) + MINUTE
    return max((seen.bar.at for seen in life.seen.values()), default=minute_of(life.made_at))


def stand(world: World, life: Life, state: AlertState) -> Rests:
    """Find where an arming stands as it comes in: its prices have to be looked at first."""
    if life.derived:
        return rests_of(state, Minute(state.cursor, {}, world, span=0), life)
    return dict.fromkeys(life.keys, EVERYWHERE if life.is_still else NOWHERE)


def follow(world: World, life: Life, state: AlertState, stop: int) -> Course:
    """Judge an arming from its state's cursor up to ``stop``."""
    told: list[Transition] = []
    lulls = Lulls(world, life, stop)
    rests, moved = dict.fromkeys(life.series, NOWHERE), False
    at = None if state.is_ended else _next(world, life, state.cursor, stop, rests, memory=state.memory)
    while at is not None:
        minute = _minute(world, life, at, state.cursor)
        state, transitions = step(state, minute, life)
        told.extend(transitions)
        rests, moved = rests_of(state, minute, life), True
        at = None if state.is_ended else _next(world, life, state.cursor, stop, rests, memory=state.memory)
        if at is not None and (life.is_still or NOWHERE not in rests.values()):
            state = state.judged_to(at - life.is_still)
        elif at is not None and at == state.cursor and (end := lulls.end(state, at)) > at:
            state = state.judged_to(end)
            at = _next(world, life, end, stop, rests, memory=state.memory)
    is_news = world.next_arrival(life.calendars, state.cursor, stop) <= stop
    state = state.judged_to(stop)
    if is_finished(state, life):
        return Course(state, tuple(told), dict.fromkeys(life.series, EVERYWHERE), math.inf)
    due = due_at(life, state.cursor, state.memory)
    if not life.is_still and (is_news or due <= stop):  # the next minute is the first to know it
        rests, moved = dict.fromkeys(life.series, NOWHERE), True
    return Course(state, tuple(told), rests if moved else None, due)


def due_at(life: Life, at: int, memory: Memory) -> float:
    """Find when an arming must be looked at whatever its series do."""
    return _or_over(life.wakes_at(at, memory), life, at)


def history(world: World, life: Life, since: int, until: int) -> Iterator[Minute]:
    """Give the minutes of ``[since, until)`` as the memories of a new life take them in."""
    if life.is_still and since < until:
        yield _minute(world, life, since, since)
    nowhere: Rests = dict.fromkeys(life.keys, NOWHERE)
    cursor, at = since, _next(world, life, since, until, nowhere)
    while at is not None and at < until:
        minute = _minute(world, life, at, cursor)
        yield minute
        cursor = minute.end
        at = _next(world, life, cursor, until, nowhere)


def running(
    world: World, prints: Mapping[MetricKey, Sequence[Print]], life: Life, one: Print
) -> tuple[Minute, float, float]:
    """Give the running minute as single prices show it, the instant of the newest, and since when they hold.

    ``one`` is one of them, ``prints`` the latest of the other series. Before the last of the three instants
    none of the prices of this minute was traded.
    """
    at = minute_of(one.at)
    others = [prints[key][-1] for key in life.keys if key in prints and key != one.key]
    shown = [other for other in (one, *others) if minute_of(other.at) == at]
    bars = {other.key: point(other.value, at) for other in shown}
    newest = max(other.at for other in (one, *others))
    return Minute(at, bars, world), newest, min(other.since for other in shown)


def last(world: World, life: Life, at: int) -> Minute:
    """Give the newest minute that all series know; of what has none, the instant ``at``."""
    ends = [bar for key in life.priced if (bar := world.series[key].last) is not None]
    if life.is_still or not ends:
        return Minute(at, {}, world, span=0)
    newest = min(ends, key=lambda bar: bar.at)
    bars = {key: bar for key in life.priced if (bar := world.series[key].at(newest.at)) is not None}
    return Minute(newest.at, bars, world, span=newest.span)


def _next(
    world: World, life: Life, since: int, stop: int, rests: Mapping[Series, Gap], *, memory: Memory = ()
) -> int | None:
    """Find the next minute before ``stop`` (the next point up to it) in which something may change."""
    if all(gap == EVERYWHERE for gap in rests.values()) and not life.calendars and not life.is_still:
        return None
    change = _or_over(life.next_change(since, memory), life, since)
    change = min(change, world.next_arrival(life.calendars, since, stop))
    if life.is_still:
        return math.ceil(change) if change <= stop else None
    found = [
        world.series[key].next_outside(since, stop, *rests[key]) for key in life.keys if key in world.series
    ]
    if change < stop:
        over = max(since, math.ceil(change))
        found.extend(world.series[key].next_outside(over, stop, *NOWHERE) for key in life.priced)
    return min((at for at in found if at is not None), default=None)


def _minute(world: World, life: Life, at: int, cursor: int) -> Minute:
    if life.is_still:
        return Minute(at, {}, world, span=0)
    bars = {key: bar for key in life.priced if (bar := world.series[key].at(at))}
    span = max(bar.span for bar in bars.values())
    return Minute(at, bars, world, max(0, at - cursor), span)


def rests_of(state: AlertState, minute: Minute, life: Life) -> Rests:
    """Find where an arming rests, at each of its series, after a minute or a point that it has judged."""
    everywhere: Rests = dict.fromkeys(life.series, EVERYWHERE)
    if is_finished(state, life) or (life.is_still and not life.derived):
        return everywhere
    if is_settled(state, minute, life):
        following = replace(minute, at=minute.end, bars={})
        if life.derived:
            read = {one: minute.world.derived(one, minute.at) for one in life.derived}
            known = {one: value for one, value in read.items() if value is not None}
            if len(known) == len(read):
                return everywhere | {one: gap_around(known[one], life.derived[one]) for one in known}
        elif (breaks := life.breaks(following)) is not None:
            return everywhere | {key: gap_around(minute.bars[key].close, breaks[key]) for key in life.priced}
    return everywhere | dict.fromkeys(life.derived or life.keys, NOWHERE)


def _or_over(change: float, life: Life, at: int) -> float:
    """Give the instant of a change, or that at which its time is over, if that is earlier."""
    return change if life.until is None else min(change, max(life.until, at))
