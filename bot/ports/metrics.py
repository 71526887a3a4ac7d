"""What the house needs to know of the providers of metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.metrics import Health, MetricKey, Observation


@dataclass(frozen=True, slots=True)
class Offered:
    """What one provider gives of one metric, and what keeps it from doing so.

    * ``instruments``: those that can be listed, as keys name them; empty text where the metric has none.
    * ``example``: how one is written that cannot be listed, or nothing where all can.
    * ``note``: what must be said of its figures wherever they are shown.
    * ``lacks``: what must be set before it can be used, as a sentence without full stop; empty for nothing.
    """

    provider: str
    metric: str
    instruments: tuple[str, ...] = ()
    example: str = ""
    note: str = ""
    lacks: str = ""


class Metrics(Protocol):
    """What commands need to know of metrics: which can be had here, and what is missing for the rest."""

    def offers(self, key: MetricKey | None = None) -> list[Offered]:
        """List what providers give, of one series or of all: who can at once, then who lacks something.

        Both in the order of preference.
        """

    async def ask(self, key: MetricKey) -> Observation:
        """Look at the newest value of a series. Raises Unseeable, or UnknownInstrument if nobody knows it."""

    def trouble(self, key: MetricKey) -> str:
        """Say why the last look could not read a series, as a sentence without full stop; else nothing."""

    def health(self) -> list[Health]:
        """Say how each provider is that is asked."""
