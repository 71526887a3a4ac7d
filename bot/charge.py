"""The charge of one process: what of all the work its house does, by the duties that it has. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot import duties


@dataclass(frozen=True, slots=True)
class Charge:
    """What a house does.

    It looks at ``exchanges``, and at providers of metrics where it ``asks_providers``. It judges
    ``partitions`` of the alerts, of which there are ``division`` in all. It hears and tells the chats of
    ``platforms``. With ``has_upkeep`` it tells what is due by the clock, clears away, and looks after all.
    """

    exchanges: tuple[str, ...]
    asks_providers: bool
    partitions: tuple[int, ...]
    division: int
    platforms: tuple[str, ...]
    has_upkeep: bool


def all_of(exchanges: Sequence[str], platforms: Sequence[str]) -> Charge:
    """Give the charge of who does everything."""
    return Charge(tuple(exchanges), True, (0,), 1, tuple(platforms), True)


def charge_of(
    had: Collection[str], exchanges: Sequence[str], division: int, platforms: Sequence[str]
) -> Charge:
    """Give the charge of who has some duties of a deployment that divides its work."""
    return Charge(
        exchanges=tuple(name for name in exchanges if duties.feed(name) in had),
        asks_providers=duties.METRICS in had,
        partitions=tuple(one for one in range(division) if duties.engine(one) in had),
        division=division,
        platforms=tuple(name for name in platforms if duties.chat(name) in had),
        has_upkeep=duties.UPKEEP in had,
    )
