"""Liquidations as rules ask for them: of a coin or of all, over a window, of one side or of both. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from bot.metrics import MetricKey, Observation, Want

METRIC = "liquidations"
ALL = "all"
EXAMPLE = f"{METRIC}(btc, 4h, long)"

_INSTRUMENT = re.compile(r"([a-z0-9]+), ([1-9][0-9]{0,4})([mhdw])(?:, (long|short))?")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SLACK = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one question is about: a coin (or ``all``), and so many seconds up to now."""

    coin: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Liquidated:
    """What was liquidated, in USD: the positions of longs, and those of shorts."""

    long: Decimal
    short: Decimal

    def agrees_with(self, total: Decimal) -> bool:
        """Whether it sums up to a total that was told beside it, but for rounding."""
        return abs(self.long + self.short - total) <= _SLACK * abs(total) + 1


def stretch_of(instrument: str) -> Stretch | None:
    """Read what a key names: ``all, 24h`` or ``btc, 4h, long``; ``None`` for anything else."""
    match = _INSTRUMENT.fullmatch(instrument)
    return Stretch(match[1], int(match[2]) * _SECONDS[match[3]]) if match else None


def by_stretch(wants: Iterable[Want]) -> dict[Stretch, list[MetricKey]]:
    """Put together what one question answers: sides, and windows that are written differently."""
    found: dict[Stretch, list[MetricKey]] = {}
    for want in wants:
        if (stretch := stretch_of(want.key.instrument)) is not None:
            found.setdefault(stretch, []).append(want.key)
    return found


def words(
    keys: Iterable[MetricKey], liquidated: Liquidated, now: float, source: str
) -> Iterator[Observation]:
    """Say what was liquidated in windows that end now, by what each key asks for."""
    for key in keys:
        match key.instrument.rpartition(", ")[2]:
            case "long":
                value = liquidated.long
            case "short":
                value = liquidated.short
            case _:
                value = liquidated.long + liquidated.short
        yield Observation(key, int(now), round(value, 2), now, source=source)
