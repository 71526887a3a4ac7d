"""Providers told by hand, for tests of what asks which metrics can be had."""

from __future__ import annotations

from decimal import Decimal

from bot.metrics import Health, MetricKey, Observation
from bot.ports import Offered, UnknownInstrument, Unseeable


class HandMetrics:
    """Implements ``ports.Metrics``: gives what was offered, and lacks what it was told to lack."""

    def __init__(self) -> None:
        self.listed: list[Offered] = []
        self.values: dict[MetricKey, Observation] = {}
        self.troubles: dict[MetricKey, str] = {}
        self.reports: list[Health] = []

    def give(self, metric: str, *instruments: str, provider: str = "sosovalue", **about: str) -> None:
        """Offer a metric, of these instruments or without one."""
        self.listed.append(Offered(provider, metric, instruments or ("",), **about))

    def show(self, key: MetricKey, value: str, as_of: int, provider: str = "sosovalue") -> None:
        """Let a value be seen by who asks."""
        self.values[key] = Observation(key, as_of, Decimal(value), as_of, source=provider)

    def offers(self, key: MetricKey | None = None) -> list[Offered]:
        found = [one for one in self.listed if key is None or self._covers(one, key)]
        return sorted(found, key=lambda one: bool(one.lacks))

    async def ask(self, key: MetricKey) -> Observation:
        if key in self.troubles:
            raise Unseeable(self.troubles[key])
        if key not in self.values:
            raise UnknownInstrument(str(key))
        return self.values[key]

    def trouble(self, key: MetricKey) -> str:
        return self.troubles.get(key, "")

    def health(self) -> list[Health]:
        return self.reports

    def _covers(self, one: Offered, key: MetricKey) -> bool:
        return one.metric == key.metric and (key.instrument in one.instruments or bool(one.example))
