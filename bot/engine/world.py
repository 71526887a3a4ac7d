"""What is known of the world: minutes, candles, metrics, and what is computed of them.

Everything is asked *as of* an instant, so that a catch-up over many minutes never looks into the future.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from bot.engine.candles import Candles
from bot.engine.history import Point, Points
from bot.engine.indicators import Shelf
from bot.engine.series import Series
from bot.engine.sessions import Calendar
from bot.engine.trails import Trails
from bot.metrics import MINUTE, Bar, MetricKey, Observation

OWN = "metric"
"""An operator's own values: he alone knows how often they come, and they stand until the next."""

CandleKey = tuple[MetricKey, int]
"""A series and a span in seconds."""


class Stretch(NamedTuple):
    """History that is needed: final bars of ``span`` seconds of a key in ``[since, until)``."""

    key: MetricKey
    since: int
    until: int
    span: int = MINUTE


@dataclass(slots=True)
class World:
    """All that has been seen, for as long as some rule needs it."""

    series: dict[MetricKey, Series] = field(default_factory=dict)
    candles: dict[CandleKey, Candles] = field(default_factory=dict)
    points: dict[MetricKey, Points] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=Shelf)
    trails: Trails = field(default_factory=Trails)

    def follow_metric(self, key: MetricKey, calendar: Calendar | None) -> None:
        """Keep what becomes known of a metric."""
        self.points.setdefault(key, Points(calendar=calendar, lasts=key.metric == OWN))

    def note(self, one: Observation) -> None:
        """Note a value of a metric."""
        word = Point(one.as_of, one.known_at, float(one.value), one.is_final, one.revision)
        self.points[one.key].put([word])

    def forget_metrics(self, oldest: Callable[[MetricKey], int]) -> None:
        """Drop what was said of metrics about what lies before the ``oldest`` instant that is read."""
        for key, points in self.points.items():
            points.forget(oldest(key))

    def retell(self, key: MetricKey, words: Iterable[Observation]) -> None:
        """Forget what was known of a metric, and note other words of it."""
        self.points[key] = self.points[key].emptied()
        for word in words:
            self.note(word)

    def next_arrival(self, keys: Iterable[MetricKey], after: float, until: float) -> float:
        """Give when something next becomes known of some metrics, after an instant and up to another."""
        words = (word for key in keys for word in self.points[key].arrivals(after, until + 1))
        return min((word.known_at for word in words if after < word.known_at <= until), default=math.inf)

    def follow(self, key: MetricKey, spans: Iterable[int] = ()) -> None:
        """Keep what comes of a key from now on, and its candles of some spans."""
        self.series.setdefault(key, Series())
        for span in spans:
            self.candles.setdefault((key, span), Candles(span))

    def leave(self, key: MetricKey) -> None:
        """Forget a key."""
        self.series.pop(key, None)
        self.points.pop(key, None)
        for known in [candle for candle in self.candles if candle[0] == key]:
            del self.candles[known]
        self.shelf.forget(key)
        self.trails.forget(key)

    def put(self, key: MetricKey, bars: list[Bar]) -> None:
        """Note final minutes in rising order."""
        self.series[key].extend(bars)
        for (owner, _), candles in self.candles.items():
            if owner == key:
                candles.put(bars)

    def blur(self, key: MetricKey) -> None:
        """Forget the candles of a key that nobody needs: some of their minutes will not be read."""
        for owner, span in self.candles:
            if owner == key:
                self.candles[owner, span] = Candles(span)

    def preload(self, stretch: Stretch, bars: list[Bar]) -> None:
        """Note history that was asked for."""
        if stretch.span == MINUTE:
            self.series.setdefault(stretch.key, Series()).fill(bars)
        for (owner, span), candles in self.candles.items():
            if owner != stretch.key:
                continue
            if span == stretch.span:
                candles.preload(bars)
                if bars and bars[0].at > stretch.since:  # there is no more: the history is whole
                    candles.begin_at(bars[0].at)
            elif span > stretch.span:
                candles.put(bars)
