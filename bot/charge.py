"""The charge of one process: what of all the work its house does, by the duties that it has. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot import duties
from bot.alerts.lots import ALL_LOTS, Lots


@dataclass(frozen=True, slots=True)
class Charge:
    """What a house does.

    It looks at ``exchanges``, and at providers of metrics where it ``asks_providers``. It judges
    ``partitions`` of the alerts, of which there are ``division`` in all. It tells the chats of some ``lots``
    of each platform that is named there; who has the first part hears all that is said on it. With
    ``has_upkeep`` it tells what is due by the clock, clears away, and looks after all.
    """

    exchanges: tuple[str, ...]
    asks_providers: bool
    partitions: tuple[int, ...]
    division: int
    lots: Mapping[str, Lots]
    has_upkeep: bool


def all_of(exchanges: Sequence[str], platforms: Iterable[str]) -> Charge:
    """Give the charge of who does everything."""
    return Charge(tuple(exchanges), True, (0,), 1, dict.fromkeys(platforms, ALL_LOTS), True)


def charge_of(
    had: Collection[str], exchanges: Sequence[str], division: int, platforms: Mapping[str, int]
) -> Charge:
    """Give the charge of who has some duties of a deployment that divides its work; see ``duties_of``."""
    parts = {
        name: tuple(part for part in range(of) if duties.chat(name, part) in had)
        for name, of in platforms.items()
    }
    return Charge(
        exchanges=tuple(name for name in exchanges if duties.feed(name) in had),
        asks_providers=duties.METRICS in had,
        partitions=tuple(one for one in range(division) if duties.engine(one) in had),
        division=division,
        lots={name: Lots(some, platforms[name]) for name, some in parts.items() if some},
        has_upkeep=duties.UPKEEP in had,
    )
