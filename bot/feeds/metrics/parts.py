"""A provider of several kinds of series: each part is asked when it wants to be, and fails by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.feeds.faults import Fault, Pause
from bot.feeds.metrics.provider import Look, Provider
from bot.metrics import MetricKey, Observation, Want

_UNTIL_REPEATED = 300.0
"""Seconds to the next look at a part that failed while another did not, unless it has to rest longer."""


@dataclass(slots=True)
class _Part:
    provider: Provider
    asked: dict[MetricKey, int] = field(default_factory=dict)
    look: Look = field(default_factory=lambda: Look(0.0))
    pause: Pause = field(default_factory=Pause)

    def answers(self, wants: Sequence[Want], now: float) -> bool:
        """Whether what it said last still answers these wants, because it is not due before the next look."""
        return now < self.look.next_at and all(
            self.asked.get(want.key, want.since + 1) <= want.since for want in wants
        )


class Parts:
    """One provider made of several, by the metrics that each gives.

    A part that is not due says what it said before. One that fails while another does not is refused; where
    all fail that are asked, the first fault is raised.
    """

    def __init__(self, parts: Mapping[tuple[str, ...], Provider]) -> None:
        self._parts = {metrics: _Part(provider) for metrics, provider in parts.items()}

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask each part for what is wanted of it. Raises Fault."""
        looks: list[Look] = []
        faults: list[Fault] = []
        for metrics, part in self._parts.items():
            mine = [want for want in wants if want.key.metric in metrics]
            if not mine:
                continue
            try:
                looks.append(await _look(part, mine, now))
            except Fault as fault:
                faults.append(fault)
                part.pause = part.pause.after(fault, now, _no_jitter)
                refused = {want.key: fault.reason for want in mine}
                part.look = Look(max(part.pause.until, now + _UNTIL_REPEATED), refused=refused)
                part.asked = {want.key: want.since for want in mine}
                looks.append(part.look)
        if faults and len(faults) == len(looks):
            self._forget()
            raise faults[0]
        return _joined(looks)

    def _forget(self) -> None:
        """Let nothing be held back that failed: whoever asked rests as a whole now."""
        for part in self._parts.values():
            if part.look.refused:
                part.look, part.pause = Look(0.0), Pause()


async def _look(part: _Part, wants: Sequence[Want], now: float) -> Look:
    if not part.answers(wants, now):
        look = await part.provider.read(wants, now)
        part.look, part.pause = look, Pause()
        part.asked = {want.key: want.since for want in wants}
    return part.look


def _joined(looks: Sequence[Look]) -> Look:
    found: list[Observation] = []
    refused: dict[MetricKey, str] = {}
    for look in looks:
        found += look.observations
        refused |= look.refused
    quotas = [look.quota for look in looks if look.quota is not None]
    return Look(min(look.next_at for look in looks), tuple(found), refused, min(quotas, default=None))


def _no_jitter() -> float:
    return 0.0  # the looks themselves are apart by chance
