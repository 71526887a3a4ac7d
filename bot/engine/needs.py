"""What the armings need of each series beside its newest minute: minutes of before, candles, all of them."""

from __future__ import annotations

from bot.engine.life import Life
from bot.engine.world import World
from bot.metrics import MINUTE, MetricKey

_KEPT = 120 * MINUTE

_SPARE = 8
"""One candle in so many is kept beyond what is needed, so that they are not let go one by one."""


class Needs:
    """Of each series, the most that anybody needs; it grows while the series is read at all."""

    __slots__ = ("_candles", "_lookback", "_whole")

    def __init__(self) -> None:
        self._lookback: dict[MetricKey, int] = {}
        self._candles: dict[MetricKey, dict[int, int]] = {}
        self._whole: dict[MetricKey, set[int]] = {}

    def note(self, arming: int, life: Life, is_over: bool) -> None:
        """Note what an arming needs; one whose life is over needs no whole minutes."""
        for key in life.keys:
            if life.needs_whole_minutes and not is_over:
                self._whole.setdefault(key, set()).add(arming)
            self._lookback[key] = max(self._lookback.get(key, 0), life.lookback)
            for span, count in life.spans[key].items():
                counts = self._candles.setdefault(key, {})
                counts[span] = max(counts.get(span, 0), count)

    def end(self, arming: int, key: MetricKey) -> None:
        """Note that an arming needs no whole minutes any more."""
        if key in self._whole:
            self._whole[key].discard(arming)

    def leave(self, key: MetricKey) -> None:
        """Forget a series that nobody reads any more."""
        self._candles.pop(key, None)
        self._lookback.pop(key, None)
        self._whole.pop(key, None)

    def has_whole(self, key: MetricKey) -> bool:
        """Whether bounds of prices will not do for somebody, but all minutes are needed."""
        return bool(self._whole.get(key))

    def seconds(self, key: MetricKey) -> int:
        """Give for how many seconds minutes are kept once they were judged."""
        return self._lookback.get(key, 0) + _KEPT

    def trim(self, world: World, key: MetricKey, judged_to: int, end: int) -> None:
        """Let a world forget what nobody reads any more of a series that all have judged up to an instant.

        It goes on from its ``end``.
        """
        if (minutes := world.series.get(key)) is not None:
            minutes.forget(min(judged_to, end) - self.seconds(key))
        counts = self._candles.get(key, {})
        for span, candles in world.frames(key).items():
            kept = 2 * (counts.get(span, 0) + 2)
            if len(candles) > kept + kept // _SPARE:
                candles.forget(end - kept * span)
