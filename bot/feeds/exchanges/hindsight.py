"""What coarser candles still tell where the minutes are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log as ln

from bot.feeds.exchanges.candles import read
from bot.feeds.exchanges.guard import LEAST_BOUND
from bot.feeds.exchanges.minutes import OVERLAP, Rows, catch_up
from bot.feeds.exchanges.table import Exchange
from bot.feeds.faults import Fault
from bot.metrics import MINUTE, Bar, opening_of

_SPANS = (5 * MINUTE, 15 * MINUTE, 60 * MINUTE, 1440 * MINUTE)
_PAGES = 8

Asking = Callable[[int], Rows]
"""Give the way to ask for candles of a length in seconds."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Nothing was traded outside ``low`` to ``high`` in ``[since, until)``."""

    since: int
    until: int
    low: float
    high: float


def holes(bars: Sequence[Bar], since: int) -> list[tuple[int, int]]:
    """Name the stretches between ``since`` and the last of rising bars that none of them covers."""
    ends = (since, *(bar.end for bar in bars))
    return [(end, bar.at) for end, bar in zip(ends, bars, strict=False) if end < bar.at]


async def bound(
    asking: Asking, exchange: Exchange, missing: Sequence[tuple[int, int]], now: float
) -> list[Reach]:
    """Bound stretches of missing minutes by the finest candles that go back to them, in order of time.

    A candle that begins before a stretch, or ends after it, bounds the part inside. What not even days reach
    is left out. Raises the Fault of an exchange that fails as a whole.
    """
    found: list[Reach] = []
    left = list(missing)
    for span in _SPANS:
        if not left:
            break
        try:
            caught = await catch_up(
                asking(span),
                exchange,
                opening_of(left[0][0], span),
                opening_of(left[-1][1] - 1, span) + span,
                now=now,
                pages=_PAGES,
                span=span,
                is_patient=False,
            )
        except Fault as fault:
            if fault.is_of_all:
                raise
            continue
        reaches = [reach for hole in left for reach in _within(caught.bars, *hole)]
        found += reaches
        left = [rest for hole in left for rest in _without(hole, reaches)]
    return sorted(found, key=lambda reach: reach.since)


async def bars_before(asking: Asking, exchange: Exchange, instant: int, now: float) -> Sequence[Bar]:
    """Give the last bars before an instant, rising in time, as fine as candles that go back to it are."""
    for span in (MINUTE, *_SPANS):
        since = opening_of(instant, span) - OVERLAP // MINUTE * span
        rows = await asking(span)(since, opening_of(instant, span) + span)
        found = read(rows, since=since, stop=instant // span * span, now=now, span=span)
        if found.bars:
            return found.bars
    return ()


def _within(bars: Iterable[Bar], since: int, until: int) -> list[Reach]:
    return [
        Reach(max(bar.at, since), min(bar.end, until), bar.low, bar.high)
        for bar in bars
        if bar.at < until and since < bar.end
    ]


def _without(hole: tuple[int, int], reaches: Iterable[Reach]) -> list[tuple[int, int]]:
    since, until = hole
    left: list[tuple[int, int]] = []
    for reach in reaches:
        if since <= reach.since < until:
            if since < reach.since:
                left.append((since, reach.since))
            since = reach.until
    return [*left, (since, until)] if since < until else left


def contemporary(judged: float, instant: int, bars: Sequence[Bar]) -> float | None:
    """Choose which of an exchange's own prices around an instant the one judged then is compared with.

    It is the newest close. Where that lies further away than exchanges differ, a jump lies between that
    one of them does not know of: the judged price because nobody bore it out, and is compared with the
    newest one of before; or because it is how the minute of the instant opened, and is compared with that;
    or the exchange, whose last bars are missing: ``None``, until they are there.
    """
    before = [bar for bar in bars if bar.end <= instant]
    candidates = [bar.close for bar in reversed(before)] + [bar.open for bar in bars if bar.at == instant]
    near = (price for price in candidates if abs(ln(judged / price)) <= LEAST_BOUND)
    is_whole = bool(before) and before[-1].end == instant and before[-1].volume > 0
    return next(near, before[-1].close if is_whole else None)
