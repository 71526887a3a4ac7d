"""One minute as a rule sees it: the bars of its instruments, and what came before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bot.engine.series import CLOSE, VOLUME, Extremes
from bot.engine.world import World
from bot.metrics import MINUTE, Bar, MetricKey, point


@dataclass(frozen=True, slots=True)
class Minute:
    """The stretch ``[at, at + span)``: its bar for each key that is known, and the world behind it.

    ``blind`` is how many seconds just before it nobody could see. A minute that is not over counts for
    nothing yet where time is measured. ``is_opening`` is its first instant, when what is read at closes was
    last read at the close before. A *point* has no span and no bars: an instant at which a candle closed or a
    metric arrived. ``back`` asks for metrics as they stood so many sessions before their latest.
    """

    at: int
    bars: Mapping[MetricKey, Bar]
    world: World = field(default_factory=World)
    blind: int = 0
    span: int = MINUTE
    is_over: bool = True
    is_opening: bool = False
    back: int = 0

    @property
    def end(self) -> int:
        """The first instant after the minute."""
        return self.at + self.span

    def at_open(self) -> Minute:
        """Narrow to the minute's first prices."""
        bars = {key: point(bar.open, bar.at) for key, bar in self.bars.items()}
        return replace(self, bars=bars, is_over=False, is_opening=True)

    def at_close(self) -> Minute:
        """Narrow to the minute's last prices."""
        bars = {
            key: Bar(bar.at, bar.close, bar.close, bar.close, bar.close, bar.volume, bar.span)
            for key, bar in self.bars.items()
        }
        return replace(self, bars=bars)

    def before(self, key: MetricKey, seconds: int) -> Extremes | None:
        """Give the extremes of the ``seconds`` before this minute, or ``None`` if none is known."""
        series = self.world.series.get(key)
        if series is None or seconds <= 0:
            return None
        return series.extremes(self.at - seconds, self.at)

    def closes(self, key: MetricKey, seconds: int) -> NDArray[np.float64] | None:
        """Give the closes of the ``seconds`` before this minute, or ``None`` if one is not known."""
        return self._whole(key, seconds, CLOSE)

    def volumes(self, key: MetricKey, seconds: int) -> NDArray[np.float64] | None:
        """Give what was traded in each minute of the ``seconds`` before, or ``None`` if one is not known."""
        return self._whole(key, seconds, VOLUME)

    def _whole(self, key: MetricKey, seconds: int, column: int) -> NDArray[np.float64] | None:
        series = self.world.series.get(key)
        return None if series is None else series.whole(column, self.at - seconds, self.at)
