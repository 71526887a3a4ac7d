"""A life: an arming's rule, compiled to what ``step()`` and the index need to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.engine.board import Series
from bot.engine.derived import Breaks
from bot.engine.judge import Holding, Node
from bot.engine.minute import Minute
from bot.engine.sessions import Calendar
from bot.engine.state import Memory
from bot.engine.world import World
from bot.metrics import MINUTE, MetricKey, Seen, minute_of, opening_of

COOLDOWN = 15 * MINUTE
"""How long a repeating alert is quiet after a ring, in seconds, unless its rule says otherwise."""


@dataclass(frozen=True, slots=True)
class Life:
    """All that is fixed about an arming.

    * ``node``: the condition; ``clear``: the same with every level moved outward by ``rearm``.
    * ``keys``: the series that it reads; ``spans``: for each, the candles in seconds and how many of them.
    * ``calendars``: those of the keys that are metrics, with the sessions that their values belong to.
    * ``is_restless``: some verdict depends on more than in which gap between its levels each price is.
    * ``is_still``: nothing in it moves within a minute, so it is judged where candles close, values arrive
      and times end, not in between.
    * ``tells_early``: a single print may tell its ring before the minute is final.
    * ``lookback``: seconds of minutes that judging needs before each; ``warmup``: before the first one.
    * ``cooldown`` and ``remind``: seconds; ``until``: the instant after which it rings no more, or ``None``.
    * ``seen``: what was known of each running minute when it was made, at ``made_at``.
    * ``provisional``: values of metrics count before they are final.
    * ``derived``: the derived series on which alone it depends, with the numbers at which a verdict may
      change. What has some waits for their values, not for the clock.
    * ``is_eager``: it begins armed although it may be true already, so that what is true then rings.
    """

    node: Node
    clear: Node
    slots: int
    keys: tuple[MetricKey, ...]
    spans: Mapping[MetricKey, Mapping[int, int]]
    calendars: Mapping[MetricKey, Calendar | None]
    is_restless: bool
    is_still: bool
    tells_early: bool
    lookback: int
    warmup: int
    is_once: bool
    cooldown: int
    remind: int
    resolves: bool
    until: float | None
    made_at: float
    seen: Mapping[MetricKey, Seen] = field(default_factory=dict)
    holdings: tuple[Holding, ...] = ()
    is_eager: bool = False
    provisional: bool = False
    derived: Breaks = field(default_factory=dict)

    @property
    def series(self) -> tuple[Series, ...]:
        """All series whose values may change a verdict, or may have to be looked at for it."""
        return (*self.keys, *self.derived)

    @property
    def begins_at(self) -> float:
        """The instant after which prices count: by the clock of who shows them, where they were seen."""
        return max((seen.at for seen in self.seen.values()), default=self.made_at)

    @property
    def priced(self) -> tuple[MetricKey, ...]:
        """The keys that have prices, and so minutes."""
        return tuple(key for key in self.keys if key not in self.calendars)

    @property
    def needs_whole_minutes(self) -> bool:
        """Whether bounds of a price will not do, even where they exclude that anything changed.

        Candles and windows are made of all minutes, and of two prices each is judged beside the other's.
        """
        are_made = any(self.spans[key] for key in self.priced)
        return are_made or self.lookback > 0 or len(self.priced) > 1

    def follow_in(self, world: World) -> None:
        """Let a world keep what comes of all that is read here."""
        for key in self.keys:
            if key in self.calendars:
                world.follow_metric(key, self.calendars[key])
            else:
                world.follow(key, self.spans[key])

    def breaks(self, minute: Minute) -> dict[MetricKey, tuple[float, ...]] | None:
        """Give, for each key, the prices at which a verdict may change, as of a minute.

        ``None`` if one of them is not known.
        """
        found: dict[MetricKey, set[float]] = {key: set() for key in self.keys}
        for node in {id(node): node for node in (self.node, self.clear)}.values():
            for key, level in node.levels(minute):
                if level is None:
                    return None
                found[key].add(level)
        return {key: tuple(sorted(levels)) for key, levels in found.items()}

    def next_change(self, at: int, memory: Memory = ()) -> float:
        """Give the next instant after ``at`` at which something but a price may change the verdict.

        With a ``memory`` that includes the end of each time that runs in it while nothing else happens.
        """
        changes: list[float] = [
            opening_of(at, span) + span for spans in self.spans.values() for span in spans
        ]
        changes.append(self._eager_until(at))
        if self.is_still and memory:
            ends = (holding.ends_at(memory) for holding in self.holdings)
            changes.extend(end for end in ends if end > at)
        return min(changes, default=float("inf"))

    def wakes_at(self, at: int, memory: Memory = ()) -> float:
        """Give the next instant after ``at`` at which it must be looked at, whatever its series do."""
        return self._eager_until(at) if self.derived else self.next_change(at, memory)

    def _eager_until(self, at: int) -> float:
        """Give the end of the minute of its making if it is eager, for that waits for no candle to close."""
        first = minute_of(self.made_at) + MINUTE
        return first if self.is_eager and at < first else float("inf")
