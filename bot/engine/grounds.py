"""What a ring rested on, and whether it still stands when a source corrects a figure of it.

A word about a metric's newest session replaces what was said of it before. A ring that rested on that session
is heard again: its minute is judged as it was, with the figures as they are said to be now. What is then
false is taken back; what cannot be said any more is not. Sessions before the newest are never heard again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.engine.candles import Candles
from bot.engine.history import Point, Points
from bot.engine.life import Life
from bot.engine.minute import Minute
from bot.engine.state import AlertState, Correction, Grounds, Memory, Revised
from bot.engine.world import World
from bot.metrics import MetricKey


def ground(minute: Minute, memory: Memory, life: Life, told: float, corrections: int) -> Grounds | None:
    """Keep what a ring in a minute rests on; ``memory`` is what was remembered before it.

    ``None`` if no metric is in the rule, for prices are final.
    """
    if not life.calendars:
        return None
    newest = (minute.world.points[key].latest(minute.at, life.provisional) for key in life.calendars)
    sessions = tuple(point.as_of if point else None for point in newest)
    bars = tuple(minute.bars.get(key) for key in life.priced)
    return Grounds(minute.at, minute.span, minute.blind, told, corrections, sessions, bars, memory)


def hear_again(state: AlertState, minute: Minute, life: Life) -> tuple[AlertState, tuple[Correction, ...]]:
    """Hear the last ring again if its sources corrected it up to a minute's opening.

    Gives the state as it is then: unchanged, without grounds once nothing of them can be corrected any more,
    or armed anew with the ring taken back.
    """
    grounds = state.grounds
    if grounds is None:
        return state, ()
    views: dict[MetricKey, Points] = {}
    revised: list[Revised] = []
    for key, as_of in zip(life.calendars, grounds.sessions, strict=True):
        points = minute.world.points[key]
        until = float(grounds.at)
        if as_of is not None:
            until = max(until, points.newest_until(as_of, minute.at, life.provisional))
            words = points.said_of(as_of, until, life.provisional)
            revised.extend(_replaced(key, words, grounds.at))
        views[key] = points.frozen(until)
    if revised and _heard(grounds, views, life) is False:
        taken_back = replace(state, is_armed=True, is_firing=False, rang_at=None, told_at=None, grounds=None)
        at = state.rang_at if state.rang_at is not None else float(grounds.at)
        return taken_back, (Correction(state.episode, at, grounds.told, grounds.corrections, revised[0]),)
    if not any(_is_newest(key, as_of, minute, life) for key, as_of in _sessions(grounds, life)):
        return replace(state, grounds=None), ()
    return state, ()


def correction_of(minute: Minute, memory: Memory, life: Life) -> Revised | None:
    """Find the correction of a settled figure that makes a minute true: without it, it would not be.

    It became known since the minute before.
    """
    since = minute.at - minute.blind - (minute.span or 1)
    for key in life.calendars:
        points = minute.world.points[key]
        newest = points.latest(minute.at, life.provisional)
        if newest is None or newest.known_at <= since:
            continue
        before = points.frozen(min(since, math.nextafter(newest.known_at, -math.inf)))
        earlier = before.latest(minute.at, life.provisional)
        if earlier is None or earlier.as_of != newest.as_of or not earlier.is_final:
            continue
        world = replace(minute.world, points={**minute.world.points, key: before})
        if life.node.judge(replace(minute, world=world), memory, []).may is not True:
            return Revised(str(key), newest.as_of, earlier.value, newest.value, newest.known_at)
    return None


def _replaced(key: MetricKey, words: Sequence[Point], since: float) -> Iterator[Revised]:
    """Give what was said of a session after an instant, and what had been said by then."""
    earlier = [word for word in words if word.known_at <= since]
    if earlier and len(earlier) < len(words):
        last = words[-1]
        yield Revised(str(key), last.as_of, earlier[-1].value, last.value, last.known_at)


def _heard(grounds: Grounds, views: dict[MetricKey, Points], life: Life) -> bool | None:
    """Judge the minute of a ring with other figures; of prices only its own bars are known.

    What the prices were before it may be forgotten by now: that is unknown to everybody alike.
    """
    candles = {(key, span): Candles(span) for key, spans in life.spans.items() for span in spans}
    bars = {key: bar for key, bar in zip(life.priced, grounds.bars, strict=True) if bar}
    world = World(candles=candles, points=views)
    minute = Minute(grounds.at, bars, world, grounds.blind, grounds.span)
    return life.node.judge(minute, grounds.memory, []).may


def _sessions(grounds: Grounds, life: Life) -> Iterator[tuple[MetricKey, int]]:
    for key, as_of in zip(life.calendars, grounds.sessions, strict=True):
        if as_of is not None:
            yield key, as_of


def _is_newest(key: MetricKey, as_of: int, minute: Minute, life: Life) -> bool:
    newest = minute.world.points[key].latest(minute.at, life.provisional)
    return newest is not None and newest.as_of == as_of
