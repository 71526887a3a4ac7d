"""What is known of the world: minutes, candles, metrics, and what is computed of them.

Everything is asked *as of* an instant, so that a catch-up over many minutes never looks into the future.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bot.engine.candles import Candles
from bot.engine.history import Point, Points
from bot.engine.series import Series
from bot.engine.sessions import Calendar
from bot.engine.shelf import FIELDS, Derived, Frame, Shelf
from bot.engine.trails import Trails
from bot.metrics import MINUTE, Bar, MetricKey, Observation, Print

OWN = "metric"
"""An operator's own values: he alone knows how often they come, and they stand until the next."""


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
    candles: dict[Frame, Candles] = field(default_factory=dict)
    points: dict[MetricKey, Points] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=Shelf)
    trails: Trails = field(default_factory=Trails)
    _frames: dict[MetricKey, dict[int, Candles]] = field(default_factory=dict)

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
            if (key, span) not in self.candles:
                self._begin(key, span)

    def leave(self, key: MetricKey) -> None:
        """Forget a key."""
        self.series.pop(key, None)
        self.points.pop(key, None)
        for span in self._frames.pop(key, {}):
            del self.candles[key, span]
        self.shelf.forget(key)
        self.trails.forget(key)

    def latest(self, key: MetricKey, at: int, shown: Print | None) -> float | None:
        """Give the newest price that is known of a key, or ``shown``, or a metric's newest at an instant."""
        if key in self.points:
            point = self.points[key].latest(at)
            return point.value if point else None
        series = self.series.get(key)
        last = series.last if series else None
        if shown is not None and (last is None or shown.at >= last.end):
            return shown.value
        return last.close if last else None

    def frames(self, key: MetricKey) -> Mapping[int, Candles]:
        """Give the candles of a key, by their span."""
        return self._frames.get(key, {})

    def derived(self, name: Derived, at: float) -> float | None:
        """Give what a derived series was at the close before an instant, or at it; ``None`` if not known."""
        candles = self.candles[name.frame]
        if name.function not in FIELDS:
            return self.shelf.value(name, candles, at)
        candle = candles.last(at)
        return None if candle is None else float(getattr(candle, name.function))

    def put(self, key: MetricKey, bars: list[Bar]) -> None:
        """Note final minutes in rising order."""
        self.series[key].extend(bars)
        for candles in self.frames(key).values():
            candles.put(bars)

    def blur(self, key: MetricKey) -> None:
        """Forget the candles of a key that nobody needs: some of their minutes will not be read."""
        for span in self.frames(key):
            self._begin(key, span)

    def preload(self, stretch: Stretch, bars: list[Bar]) -> None:
        """Note history that was asked for."""
        if stretch.span == MINUTE:
            self.series.setdefault(stretch.key, Series()).fill(bars)
        for span, candles in self.frames(stretch.key).items():
            if span == stretch.span:
                candles.preload(bars)
                if bars and bars[0].at > stretch.since:  # there is no more: the history is whole
                    candles.begin_at(bars[0].at)
            elif span > stretch.span:  # of the candle that runs; older ones are asked for as what they are
                known = candles.end
                candles.put([bar for bar in bars if known is None or bar.at >= known])

    def _begin(self, key: MetricKey, span: int) -> None:
        self.candles[key, span] = self._frames.setdefault(key, {})[span] = Candles(span)
