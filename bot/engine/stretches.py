"""The history of prices that is missing before a rule can be judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.engine.life import Life
from bot.engine.world import Stretch, World
from bot.metrics import MINUTE, MetricKey, opening_of

_HOUR = 60 * MINUTE


def missing(
    world: World, life: Life, cursor: int, back: int, judged: Mapping[MetricKey, int]
) -> list[Stretch]:
    """Name what a life needs from ``back`` seconds before its first minute on and the world lacks.

    ``judged`` says how far each series was judged without it: minutes that nobody needed then are no news.
    Where others have to judge minutes that this one has, those come with its history, or nobody would bring
    them any more.
    """
    found = []
    for key in life.priced:
        series = world.series.get(key)
        if series is None or series.start is None or series.end is None:
            holes = [(min(cursor - back, judged.get(key, cursor)), cursor)] if back else []
        else:
            holes = series.holes(cursor - back, max(series.start, judged.get(key, series.end)))
        if holes:
            found.append(Stretch(key, holes[0][0], holes[-1][1]))
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
