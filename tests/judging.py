"""Judging of made markets: a rule, its minutes and its figures in, what is told out."""

from __future__ import annotations

from collections.abc import Sequence

from bot.engine.partition import Partition
from bot.engine.state import Ring, Transition
from bot.metrics import MINUTE, Bar, Bars, Batch, MetricKey, Observation
from tests.markets import START, life_of

HOUR, DAY = 3600, 86400
MIDNIGHT = START // DAY * DAY


def judged(
    rule: str,
    series: dict[MetricKey, Sequence[Bar]],
    price: float | None = None,
    observations: Sequence[Observation] = (),
    *,
    history: dict[MetricKey, Sequence[Bar]] | None = None,
    made_at: float = START,
    until: float | None = None,
    known: Sequence[Observation] = (),
) -> list[Transition]:
    """Judge bars in two batches, with what an exchange would give of the past; gives what was told.

    ``known`` is what had been said of metrics when the rule was made.
    """
    partition = Partition()
    life = life_of(rule, price, made_at=made_at)
    for stretch in partition.missing(life, None):
        past = [
            bar for bar in (history or {}).get(stretch.key, ()) if stretch.since <= bar.at < stretch.until
        ]
        partition.preload(life, stretch, [bar for bar in past if bar.span == stretch.span])
    partition.recall(life, known)
    partition.add(1, life, None)
    told: list[Transition] = []
    ends = [bars[-1].end for bars in series.values() if bars] + [int(one.known_at) for one in observations]
    end = max(ends) if until is None else until
    for first, last in ((0.0, (made_at + end) / 2), ((made_at + end) / 2, end + 1)):
        runs = tuple(
            Bars(key, tuple(bar for bar in bars if first <= bar.at < last)) for key, bars in series.items()
        )
        words = tuple(one for one in observations if first <= one.known_at < last)
        partition.observe(Batch("made", min(last, end), runs, observations=words))
        plan = partition.plan()
        told.extend(transition for _, transition in plan.told)
        partition.apply(plan)
    return told


def rings(told: Sequence[Transition]) -> list[float]:
    return [one.at for one in told if isinstance(one, Ring)]


def hours(*closes: float, start: int = START) -> list[Bar]:
    """Make minutes that stand at one price for each hour."""
    return [
        Bar(start + place * HOUR + step * MINUTE, close, close, close, close, 1.0)
        for place, close in enumerate(closes)
        for step in range(60)
    ]


def candles(span: int, *closes: float, end: int = START) -> list[Bar]:
    """Make closed candles that end at an instant."""
    start = end - span * len(closes)
    return [Bar(start + place * span, c, c, c, c, 1.0, span) for place, c in enumerate(closes)]
