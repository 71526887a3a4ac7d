"""The history of prices that is missing before a rule can be judged."""

from __future__ import annotations

from collections.abc import Iterator

from bot.engine.life import Life
from bot.engine.world import Stretch, World
from bot.metrics import MINUTE, MetricKey, opening_of

_HOUR = 60 * MINUTE


def missing(world: World, life: Life, cursor: int, back: int) -> list[Stretch]:
    """Name what a life needs from ``back`` seconds before its first minute on and the world lacks."""
    found = []
    for key in life.priced:
        series = world.series.get(key)
        edge = series.start if series and series.start is not None else cursor
        if cursor - back < edge:
            found.append(Stretch(key, cursor - back, edge))
        for span, count in life.spans[key].items():
            found.extend(_candles(world, key, span, count, cursor))
    return found


def _candles(world: World, key: MetricKey, span: int, count: int, cursor: int) -> Iterator[Stretch]:
    series, candles = world.series.get(key), world.candles.get((key, span))
    end = series.end if series and series.end is not None else cursor
    opening = opening_of(end, span)
    since = opening - count * span
    known = candles.start if candles else None
    if known is None or known > since:
        yield Stretch(key, since, opening if known is None else known, span)
    if known is None and opening < end:
        hour = max(opening, opening_of(end, _HOUR))
        if span > _HOUR and opening < hour:
            yield Stretch(key, opening, hour, _HOUR)
        if hour < end:
            yield Stretch(key, hour, end)
