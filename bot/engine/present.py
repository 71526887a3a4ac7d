"""The present of one rule: what is known at the moment of its making, for whoever asks how it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from bot.engine.closes import FRESH
from bot.engine.course import history, start_of
from bot.engine.life import Life
from bot.engine.minute import Minute
from bot.engine.readings import Reading, readings
from bot.engine.reasons import Reason, reasons
from bot.engine.state import AlertState
from bot.engine.step import begin
from bot.engine.stretches import missing
from bot.engine.truth import Tri
from bot.engine.world import Stretch, World
from bot.metrics import Bar, Observation, point


@dataclass(frozen=True, slots=True)
class Present:
    """What is known for a life at the moment of its making, gathered before anything is asked of it."""

    life: Life
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        self.life.follow_in(self.world)

    def of(self, life: Life) -> Present:
        """Look at what is known as another life that reads the same."""
        return replace(self, life=life)

    def missing(self) -> list[Stretch]:
        """Name the history of prices that is not known yet."""
        return missing(self.world, self.life, self._start, self.life.warmup, {})

    def preload(self, stretch: Stretch, bars: Sequence[Bar]) -> None:
        """Note history that was missing."""
        self.world.preload(stretch, list(bars))

    def recall(self, words: Iterable[Observation]) -> None:
        """Note what was said of its metrics."""
        for word in words:
            self.world.note(word)

    def begin(self) -> AlertState:
        """Begin the life, as whoever judges it will."""
        start = self._start
        return begin(self.life, self.world, history(self.world, self.life, start - self.life.warmup, start))

    def truth(self) -> Tri:
        """Say whether the condition is true now."""
        return self.life.node.judge(self._minute(), self.begin().memory, []).may

    def reasons(self) -> tuple[Reason, ...]:
        """Say why that is unknown; nothing where it is known."""
        return reasons(self.life, self._minute(), self.begin().memory)

    def readings(self) -> tuple[Reading, ...]:
        """Say what each term reads now."""
        return tuple(readings(self.life.node, self._minute(), self.begin().memory))

    @property
    def _start(self) -> int:
        return start_of(self.life, None)

    def _minute(self) -> Minute:
        """Give the present as a minute: behind the last one that is final, if the others are on their way."""
        seen = self.life.seen
        at = max((one.bar.at for one in seen.values()), default=int(self.life.made_at))
        ends = [series.end for key in seen if (series := self.world.series.get(key)) and series.end]
        if ends and self.life.lookback and at - FRESH < min(ends):
            at = min(at, *ends)
        bars = {key: point(one.price, at) for key, one in seen.items()}
        return Minute(at, bars, self.world, is_over=False)
