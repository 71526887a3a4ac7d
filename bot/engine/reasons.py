"""Why nothing can be said of a condition in a minute: walked only when somebody asks, never while judging."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bot.engine.comparisons import Against, Move, Moved, Within
from bot.engine.history import Points
from bot.engine.indicators import SIGNAL, SLOW, Arguments, candles_needed
from bot.engine.judge import AtClose, AtLeast, Holding, Inverse, Node, SessionsHeld
from bot.engine.life import Life
from bot.engine.measures import shared
from bot.engine.minute import Minute
from bot.engine.pulses import Crossing, Entry, OfSessions, RoundSteps, ShareSteps
from bot.engine.sessions import DAY, HOUR
from bot.engine.state import Memory
from bot.engine.values import (
    CandleField,
    Changed,
    Indicator,
    Joined,
    Metric,
    MetricWindow,
    Price,
    SessionIndicator,
    SessionWindow,
    Shifted,
    Streak,
    Value,
)
from bot.engine.windows import (
    MINUTES_REACH,
    Correlation,
    DailyCloses,
    DailyValues,
    DayVolume,
    Extreme,
    LiveWindow,
    PastWindow,
    grain,
)
from bot.metrics import MINUTE, MetricKey, opening_of
from bot.rules.naming import say_duration
from bot.rules.phrases import Instant, Phrase, to_say
from bot.rules.tree import Duration

_WEEK = 7 * DAY
_HISTORY = {
    MINUTE: to_say("{known} of {needed} minutes of history are known"),
    HOUR: to_say("{known} of {needed} hours of history are known"),
    DAY: to_say("{known} of {needed} days of history are known"),
    _WEEK: to_say("{known} of {needed} weeks of history are known"),
}
_NO_FIGURE = Phrase("what is known gives no figure, as a market that stands still or a share of nothing")


class Reason(NamedTuple):
    """What keeps a value from being known, and of which series; no key where it lies in several."""

    key: MetricKey | None
    why: Phrase


def reasons(life: Life, minute: Minute, memory: Memory | None = None) -> tuple[Reason, ...]:
    """Say why it is unknown whether a life's condition is true in a minute; nothing where it is known.

    What decides nothing has no part in it: of an *and* with a falsehood in it all is known.
    """
    remembered = (None,) * life.slots if memory is None else memory
    if life.node.judge(minute, remembered, []).may is not None:
        return ()
    return tuple(dict.fromkeys(_of_node(life.node, minute, remembered)))


def _of_node(node: Node, minute: Minute, memory: Memory) -> Iterator[Reason]:
    if None not in node.judge(minute, memory, []):
        return
    match node:
        case SessionsHeld() if node.part.judge(minute, memory, []).may:
            yield _of_earlier_sessions(node, minute, memory)
        case Holding() | SessionsHeld() | AtClose() | Inverse() | OfSessions():
            yield from _of_node(node.part, minute, memory)
        case AtLeast(parts=parts):
            for part in parts:
                yield from _of_node(part, minute, memory)
        case Within(key=key, floors=floors, ceilings=ceilings):
            yield from _of_price(key, minute)
            for limit in (*floors, *ceilings):
                yield from _of_value(limit.value, minute)
        case Against(left=left, right=right):
            yield from _of_values(minute, left, right)
        case Crossing(value=value, level=level):
            yield from _of_values(minute, value, level)
        case Entry(value=value, low=low, high=high):
            yield from _of_values(minute, value, low, high)
        case ShareSteps(value=value) | RoundSteps(value=value):
            yield from _of_value(value, minute)
        case Moved(distances=distances):
            yield from _of_values(minute, *distances)
        case Move(key=key, window=window):
            yield from _of_price(key, minute)
            yield from _of_minutes(key, window - minute.span, minute, with_this=True)


def _of_earlier_sessions(node: SessionsHeld, minute: Minute, memory: Memory) -> Reason:
    """Say how many sessions are known of those that are counted: it was true in all of them."""
    key: MetricKey | None = None
    match node.part:
        case Against(left=Metric() as metric) | Against(right=Metric() as metric):
            key = metric.key
    counts = {"known": node.known(minute, memory), "needed": node.count}
    return Reason(key, Phrase("{known} of {needed} sessions are known", counts))


def _of_values(minute: Minute, *values: Value) -> Iterator[Reason]:
    for value in values:
        yield from _of_value(value, minute)


def _of_value(value: Value, minute: Minute) -> Iterator[Reason]:
    """Say why a value is unknown; where nothing is missing, there is no such figure."""
    if value.read(minute) is not None:
        return
    found = list(_of_inputs(value, minute))
    yield from found or [Reason(None, _NO_FIGURE)]


def _of_inputs(value: Value, minute: Minute) -> Iterator[Reason]:
    match value:
        case Price(key=key):
            yield from _of_price(key, minute)
        case Joined(left=left, right=right):
            yield from _of_values(minute, left, right)
        case Changed(value=part) | Shifted(value=part):
            yield from _of_value(part, minute)
        case CandleField(key=key, span=span):
            yield from _of_candles(key, span, 1, minute)
        case Indicator(key=key, span=span, function=function, arguments=arguments):
            yield from _of_candles(key, span, _needed(key, span, function, arguments, minute), minute)
        case Metric(key=key, provisional=provisional) | Streak(key=key, provisional=provisional):
            yield from _of_metric(key, provisional, minute)
        case SessionWindow(key=key, count=count, provisional=provisional):
            yield from _of_sessions(key, provisional, count, minute)
        case SessionIndicator(key=key, function=function, arguments=arguments, provisional=provisional):
            yield from _of_sessions(key, provisional, candles_needed(function, arguments), minute)
        case MetricWindow():
            yield from _of_metric_window(value, minute)
        case Extreme() | LiveWindow() | DayVolume():
            yield from _of_window(value, minute)
        case PastWindow():
            yield from _of_past(value, minute)
        case Correlation():
            yield from _of_correlation(value, minute)


def _of_price(key: MetricKey, minute: Minute) -> Iterator[Reason]:
    if key in minute.bars:
        return
    series = minute.world.series.get(key)
    last = series.before(minute.at) if series else None
    if last is None:
        yield Reason(key, Phrase("its price is not seen"))
    else:
        yield Reason(
            key, Phrase("its price has not been seen since {at}", {"at": Instant(last.end, minute.end)})
        )


def _of_window(window: Extreme | LiveWindow | DayVolume, minute: Minute) -> Iterator[Reason]:
    """Say what is missing of a window of prices, and of the running minute where that has a part in it."""
    match window:
        case Extreme(key=key, window=seconds) if 0 < seconds <= MINUTES_REACH:
            yield from _of_minutes(key, seconds, minute)
        case Extreme(key=key, window=seconds):
            yield from _of_days(key, seconds, minute)
            yield from _of_minutes(key, minute.at % DAY, minute)
        case DayVolume(key=key):
            yield from _of_price(key, minute)
            yield from _of_minutes(key, DAY - minute.span, minute, with_this=True)
        case LiveWindow(of=of, keys=keys, window=seconds):
            if window.is_live:
                yield from _of_value(of, minute)
            for key in keys:
                if grain(seconds) == MINUTE:
                    yield from _of_minutes(key, seconds, minute)
                else:
                    yield from _of_candles(key, grain(seconds), seconds // grain(seconds), minute)


def _of_minutes(key: MetricKey, seconds: int, minute: Minute, *, with_this: bool = False) -> Iterator[Reason]:
    """Say how many of the minutes before this one are known, ``with_this`` where it is one of the window."""
    series, since = minute.world.series.get(key), minute.at - seconds
    holes = series.holes(since, minute.at) if series else [(since, minute.at)]
    missing = sum(until - first for first, until in holes)
    if seconds > 0 and missing > 0:
        needed = (seconds + with_this * minute.span) // MINUTE
        yield Reason(key, _history(needed - missing // MINUTE, needed, MINUTE))


def _of_candles(key: MetricKey, span: int, needed: int, minute: Minute) -> Iterator[Reason]:
    candles = minute.world.candles[key, span]
    known = len(candles.columns(candles.asof(minute.at)).ats)
    if known and candles.last(minute.at) is None:
        closed = Instant(opening_of(minute.at, span), minute.end)
        yield Reason(key, Phrase("its candle that closed at {at} is not known", {"at": closed}))
    elif known < needed:
        yield Reason(key, _history(known, needed, span))


def _needed(key: MetricKey, span: int, function: str, arguments: Arguments, minute: Minute) -> int:
    """Say how many candles an indicator needs; of a market whose whole history is known, fewer will do."""
    needed, candles = candles_needed(function, arguments, span), minute.world.candles[key, span]
    if not candles.is_full(candles.columns(candles.asof(minute.at))):
        return needed
    least = int(arguments[0]) if arguments else SLOW + SIGNAL - 1
    return min(needed, least + (function in {"rsi", "atr"}))


def _of_days(key: MetricKey, seconds: int, minute: Minute) -> Iterator[Reason]:
    """Say how many of the days of a window are known; of a window without an end, one is enough."""
    candles, midnight = minute.world.candles[key, DAY], minute.at // DAY * DAY
    known = candles.asof(midnight) - (candles.asof(midnight - seconds) if seconds else 0)
    if known < (needed := max(seconds // DAY, 1)):
        yield Reason(key, _history(known, needed, DAY))


def _of_past(window: PastWindow, minute: Minute) -> Iterator[Reason]:
    """Say how many of the closes of a window its value is known at; a hole in it counts as one."""
    key = window.frames[0][0] if len({key for key, _ in window.frames}) == 1 else None
    if isinstance(window.of, CandleField) and not window.count:
        yield from _of_inputs(window.of, minute)
        return
    needed = window.count + window.is_before
    last = opening_of(minute.at, window.step)
    closes = range(last - (needed - 1) * window.step, last + 1, window.step)
    known = sum(window.of.read(Minute(at, {}, minute.world, span=0)) is not None for at in closes)
    if known < needed:
        yield Reason(key, _history(known, needed, window.step))


def _of_correlation(value: Correlation, minute: Minute) -> Iterator[Reason]:
    """Say how many days are known of the series that lacks most, or of both together."""
    ats = [side.read(minute)[0] for side in (value.left, value.right)]
    (first, _), needed = shared(ats[0], ats[0], ats[1], ats[1]), value.days
    if len(first) > needed:
        return
    key = None
    for side, known in zip((value.left, value.right), ats, strict=True):
        if len(known) == min(map(len, ats)) and len(ats[0]) != len(ats[1]):
            key = _source(side)
    yield Reason(key, _history(max(len(first) - 1, 0), needed, DAY))


def _source(side: DailyCloses | DailyValues) -> MetricKey | None:
    match side:
        case DailyValues(key=key) | DailyCloses(keys=(key,)):
            return key
        case _:
            return None


def _of_metric(key: MetricKey, provisional: bool, minute: Minute) -> Iterator[Reason]:
    points = minute.world.points[key]
    if points.current(minute.at, provisional) is not None:
        return
    overdue = points.overdue_at(minute.at, provisional)
    if overdue is not None:
        since = Instant(overdue, minute.end)
        yield Reason(key, Phrase("its next value is overdue since {at}", {"at": since}))
    elif not provisional and points.latest(minute.at, provisional=True) is not None:
        yield Reason(key, Phrase("no settled value is known yet"))
    else:
        yield Reason(key, Phrase("no value is known yet"))


def _of_sessions(key: MetricKey, provisional: bool, count: int, minute: Minute) -> Iterator[Reason]:
    points = minute.world.points[key]
    if points.current(minute.at, provisional) is None:
        yield from _of_metric(key, provisional, minute)
        return
    known = int(np.isfinite(points.values(minute.at, count, provisional)).sum())
    if known < count:
        counts = {"known": known, "needed": count}
        yield Reason(key, Phrase("{known} of {needed} sessions are known", counts))


def _of_metric_window(window: MetricWindow, minute: Minute) -> Iterator[Reason]:
    key, points = window.key, minute.world.points[window.key]
    current = points.current(minute.at, window.provisional)
    if current is None:
        yield from _of_metric(key, window.provisional, minute)
    elif known := _reached(points, current.as_of - window.seconds, window, minute):
        yield Reason(key, known)
    elif window.is_before and len(points.asof(minute.at, window.provisional)) < 2:
        yield Reason(key, Phrase("no earlier value is known"))


def _reached(points: Points, since: int, window: MetricWindow, minute: Minute) -> Phrase | None:
    """Say how far history reaches back into a window, if not to its start."""
    if not window.seconds or points.window(minute.at, since, window.provisional):
        return None
    said = points.asof(minute.at, window.provisional)
    span = next(one for one in (DAY, HOUR, MINUTE) if not window.seconds % one)
    return _history((said[-1].as_of - said[0].as_of) // span, window.seconds // span, span)


def _history(known: int, needed: int, span: int) -> Phrase:
    """Say how much of what is needed is known, in bars of ``span`` seconds."""
    counts = {"known": known, "needed": needed}
    if span in _HISTORY:
        return Phrase(_HISTORY[span], counts)
    length = Duration(span // HOUR, "h") if span % HOUR == 0 else Duration(span // MINUTE, "m")
    return Phrase("{known} of {needed} candles of {time} are known", {**counts, "time": say_duration(length)})
