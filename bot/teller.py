"""Tell what a batch brought, with the facts, gathered while the batch is at hand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import starmap
from typing import TYPE_CHECKING

from bot.alerts.sessions import SHOWN
from bot.engine.state import Correction, Ended, Reminder, Resolution, Ring, Transition
from bot.engine.values import currency_of
from bot.metrics import Batch, MetricKey, minute_of
from bot.ports import Told
from bot.rules.functions import FUNCTIONS

if TYPE_CHECKING:
    from bot.alerts.message import Fact
    from bot.engine.partition import Partition
    from bot.ports import Market

_TOLD_AT_ONCE = 1000
"""Whoever says something in a chat meanwhile waits for so many messages at most."""

_OF_FUNDS = frozenset(name for name, function in FUNCTIONS.items() if function.has_sessions)


@dataclass(slots=True)
class Teller:
    """Who tells what one batch brought.

    ``venues`` are who showed each series last. ``late_after`` is how many seconds after it happened a ring is
    late. What all say that one price rings is looked up once.
    """

    armings: Partition
    venues: Mapping[MetricKey, str]
    market: Market
    late_after: float
    batch: Batch
    _known: dict[tuple[MetricKey, float], dict[str, Fact]] = field(default_factory=dict)

    async def tell_all(self, transitions: Sequence[tuple[int, Transition]]) -> list[Told]:
        """Give the transitions of armings with their facts; whoever waits in a chat has a turn meanwhile."""
        told: list[Told] = []
        for first in range(0, len(transitions), _TOLD_AT_ONCE):
            told.extend(starmap(self.tell, transitions[first : first + _TOLD_AT_ONCE]))
            await asyncio.sleep(0)
        return told

    def tell(self, arming_id: int, transition: Transition) -> Told:
        """Give a transition with the facts that its message needs."""
        life, batch = self.armings.kind(arming_id), self.batch
        facts: dict[str, Fact] = {
            "armed_rule": self.armings.rule(arming_id),
            **self._of_series(life.keys[0], transition.at),
            "at": transition.at,
            "seen_at": batch.at,
            "episode": transition.episode,
        }
        match transition:
            case Ring(revised=revised):
                facts |= {
                    "value": transition.value,
                    "revised": [asdict(revised)] if revised else [],
                    "sessions": self._sessions(arming_id, transition.at) if life.calendars else [],
                    "is_early": transition.is_early,
                    "way": _way(transition, batch),
                    "is_late": batch.at - transition.at > self.late_after,
                    "evidence": [
                        {"term": one.term, "value": one.value, "currency": one.currency}
                        for one in transition.evidence
                    ],
                }
            case Correction(revised=revised):
                minute = minute_of(transition.at)
                shown_by = self.armings.closes.shown_by(life.keys[0], minute, batch.bars)
                facts |= {
                    "value": transition.value,
                    "revised": [asdict(revised)] if revised else [],
                    "is_gone": transition.is_gone,
                    "finals": [{"venue": venue} for venue in shown_by],
                }
            case Reminder() | Resolution():
                facts |= {"value": transition.value}
            case Ended():
                pass
        return Told(arming_id, transition, facts)

    def _of_series(self, key: MetricKey, at: float) -> dict[str, Fact]:
        if (known := self._known.get((key, at))) is None:
            of_key: dict[str, Fact] = {"key": key.instrument, "currency": currency_of(key)}
            known = {**of_key, **self._shown(key, at), "now": self.armings.latest(key)}
            self._known[key, at] = known
        return known

    def _sessions(self, arming_id: int, at: float) -> list[dict[str, str | float]]:
        """Say what was known of the sessions of funds' flows that a rule reads, when it rang."""
        return [
            {
                "metric": key.metric,
                "instrument": key.instrument,
                "source": self.venues.get(key, ""),
                "as_of": word.as_of,
                "value": word.value,
                "is_final": word.is_final,
            }
            for key in self.armings.kind(arming_id).calendars
            if key.metric in _OF_FUNDS
            for word in self.armings.sessions(arming_id, key, at, SHOWN)
        ]

    def _shown(self, key: MetricKey, at: float) -> dict[str, Fact]:
        """Say who showed a series at an instant, and for whom it stood in."""
        runs = (run for run in self.batch.bars if run.key == key and run.bars)
        venue = next((run.source for run in runs if run.bars[0].at <= at <= run.bars[-1].end), "")
        venue = venue or self.venues.get(key, self.batch.source)
        serving = self.market.serving(key)
        if serving is None or not serving.is_stand_in or serving.venue != venue:
            return {"venue": venue}
        return {"venue": venue, "home": serving.home, "home_reason": serving.reason}


def _way(ring: Ring, batch: Batch) -> str:
    """Name the way on which the price that rang came: streamed, asked for, or in a final minute."""
    if not ring.is_early:
        return "minute"
    return "stream" if batch.is_streamed else "poll"
