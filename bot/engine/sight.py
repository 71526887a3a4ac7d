"""Sight: which series can be seen, since when one cannot, and when it is seen again.

A price is seen as far as its minutes or bounds are known, and at each look that shows it; a metric for as
long as its next value is not overdue, and an operator's own when it was heard. The time in which this
program did not run is no loss: it has a grace after its start, and what was missed meanwhile is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from bot.engine.history import Points
from bot.engine.news import SILENCE, SILENCE_OF_DAYS
from bot.engine.sessions import DAY, HOUR
from bot.engine.unread import Lapse
from bot.metrics import MINUTE, Batch, MetricKey

HOLD = 5 * MINUTE
"""How long, in seconds, a price may be out of sight before it begins to matter, unless told otherwise."""

GRACE_OF_SESSIONS = HOUR
"""How long after a start an overdue session is waited for."""

_TOGETHER = 30
"""Seconds for which a series that is lost waits for others that fall silent by the same cause."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a series is seen: ``to`` an instant, which stands for ``hold`` seconds.

    ``to`` is ``None`` where only being heard counts; ``is_heard`` says whether that counts beside it.
    ``grace`` is how many seconds a start gives.
    """

    to: float | None
    hold: float
    is_heard: bool = True
    grace: float = 0.0


@dataclass(frozen=True, slots=True)
class Loss:
    """A series that cannot be seen, as it was told.

    ``since`` is the instant up to which it was seen. ``reason`` is why, as a sentence without full stop, in
    the words of ``source``; empty where nobody said. ``notice`` names the telling that it was part of.
    ``gone`` are the stretches of it whose minutes turned out to be gone.
    """

    since: float
    reason: str
    source: str
    notice: str
    gone: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Turns:
    """What changed: ``lost`` is to be kept, of which ``fresh`` is to be told; ``back`` is seen again.

    Nobody reads what is ``let_go`` any more.
    """

    lost: Mapping[MetricKey, Loss] = field(default_factory=dict)
    fresh: frozenset[MetricKey] = frozenset()
    back: Mapping[MetricKey, Loss] = field(default_factory=dict)
    let_go: frozenset[MetricKey] = frozenset()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing changed."""
        return not (self.lost or self.back or self.let_go)


def price_reach(end: int, hold: float) -> Reach:
    """Say how far a price is seen that was judged up to ``end``."""
    return Reach(end, hold, grace=hold)


def metric_reach(points: Points, now: float) -> Reach:
    """Say how far a metric is seen of which ``points`` are known."""
    overdue = points.overdue_at(now)
    if overdue is not None:
        return Reach(overdue, 0.0, is_heard=False, grace=GRACE_OF_SESSIONS)
    latest = points.latest(now)
    hold = SILENCE if latest is not None and latest.as_of % DAY else SILENCE_OF_DAYS
    return Reach(None, hold, grace=hold)


def reaches_of(
    ends: Mapping[MetricKey, int], points_of: Callable[[MetricKey], Points | None], now: float, hold: float
) -> dict[MetricKey, Reach]:
    """Say how far each of some series is seen: prices that were judged up to their ends, and metrics."""
    return {
        key: price_reach(end, hold) if points is None else metric_reach(points, now)
        for key, end in ends.items()
        for points in (points_of(key),)
    }


class Sight:
    """What is seen of each series that somebody reads. Nothing of ``turns`` holds before it is applied."""

    def __init__(self, losses: Mapping[MetricKey, Loss] | None = None) -> None:
        self.lost = dict(losses or {})
        self._followed: dict[MetricKey, float] = {}
        self._heard: dict[MetricKey, float] = {}
        self._reasons: dict[MetricKey, tuple[str, str]] = {}
        self._turned_at = 0.0

    def note(self, batch: Batch) -> None:
        """Note what a batch shows, and what it says it cannot; the same batch may come again."""
        shown = {one.key for one in batch.prints} | {one.key for one in batch.observations}
        self._heard |= {key: max(batch.at, self._heard.get(key, 0.0)) for key in shown}
        read = {run.key for run in batch.bars} | {one.key for one in batch.bounds}
        for key in shown | read:
            self._reasons.pop(key, None)
        for one in batch.unseen:
            self.blame(one.key, one.reason, batch.source)

    def blame(self, key: MetricKey, reason: str, source: str = "") -> None:
        """Note why a series cannot be seen: a sentence without full stop, in the words of ``source``."""
        self._reasons[key] = (reason, source)

    def turns(
        self,
        now: float,
        reaches: Mapping[MetricKey, Reach],
        lapses: Iterable[Lapse],
        is_read: Callable[[MetricKey], bool],
    ) -> Turns:
        """Find what begins to matter, and what is seen again.

        ``reaches`` are of all series that are followed; ``is_read`` says whether somebody waits for one.
        """
        if now - self._turned_at > HOLD:  # nobody looked: that is no news of the market
            self._followed = {}
        self._turned_at = now
        if self._followed.keys() != reaches.keys():
            self._followed = {key: self._followed.get(key, now) for key in reaches}
        kept: dict[MetricKey, Loss] = {}
        for one in lapses:
            if (loss := kept.get(one.key, self.lost.get(one.key))) is not None:
                kept[one.key] = replace(loss, gone=(*loss.gone, (one.since, one.until)))
        back = {
            key: kept.pop(key, loss)
            for key, loss in self.lost.items()
            if key in reaches and now <= self._seen_to(key, reaches[key])
        }
        fresh = self._fresh(now, reaches, is_read)
        let_go = frozenset(self.lost.keys() - reaches.keys())
        return Turns({**kept, **fresh}, frozenset(fresh), back, let_go)

    def apply(self, turns: Turns) -> None:
        """Take over what was committed."""
        self.lost |= turns.lost
        for key in (*turns.back, *turns.let_go):
            self.lost.pop(key, None)

    def _fresh(
        self, now: float, reaches: Mapping[MetricKey, Reach], is_read: Callable[[MetricKey], bool]
    ) -> dict[MetricKey, Loss]:
        """Find what is lost now, all that one cause hides together."""
        by_cause: dict[tuple[str, str], dict[MetricKey, float]] = {}
        waiting: set[tuple[str, str]] = set()
        for key, reach in reaches.items():
            if key in self.lost:
                continue
            overdue = now - self._ends(key, reach)
            if overdue <= -_TOGETHER:
                continue
            cause = self._reasons.get(key, ("", ""))
            if overdue > 0:
                by_cause.setdefault(cause, {})[key] = overdue
            else:
                waiting.add(cause)
        found: dict[MetricKey, Loss] = {}
        for cause, overdue_by in by_cause.items():
            keys = [key for key in sorted(overdue_by) if is_read(key)]
            if not keys or (cause in waiting and max(overdue_by.values()) <= 2 * _TOGETHER):
                continue
            notice = f"lost/{keys[0]}/{now:.0f}"
            found |= {key: Loss(self._since(key, reaches[key]), *cause, notice) for key in keys}
        return found

    def _seen_to(self, key: MetricKey, reach: Reach) -> float:
        """Give the instant up to which a series counts as read."""
        to = self._heard.get(key, 0.0) if reach.to is None else reach.to
        return to + reach.hold

    def _ends(self, key: MetricKey, reach: Reach) -> float:
        """Give the instant at which it begins to matter that nothing is seen."""
        heard = self._heard.get(key, 0.0) if reach.is_heard else 0.0
        return max(self._seen_to(key, reach), heard + reach.hold, self._followed[key] + reach.grace)

    def _since(self, key: MetricKey, reach: Reach) -> float:
        heard = self._heard.get(key, 0.0) if reach.is_heard else 0.0
        return max(reach.to or 0.0, heard) or self._followed[key]
