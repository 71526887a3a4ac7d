"""What an alert knows of itself: a socket for what was judged, what rang, and what became of the message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from bot.alerts.people import ChatRef
from bot.alerts.rings import Rung
from bot.metrics import Close, MetricKey


@dataclass(frozen=True, slots=True)
class Judged:
    """How far a series was judged: the first minute that is not, and the last price before it."""

    to: int
    close: Close | None = None


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Messages of one platform that were given up for one ``reason``: how many, and when the last was."""

    platform: str
    reason: str
    count: int
    at: float


class Chronicle(Protocol):
    """What commands need of what was judged and told; it is the same before a restart and after."""

    async def judged(self, keys: Iterable[MetricKey]) -> dict[MetricKey, Judged]:
        """Say how far each of some series was judged; those that never were are left out."""

    async def rung(self, chat: ChatRef, label: str, page: int, size: int) -> tuple[list[Rung], int]:
        """Give a page of what rang for a chat, newest first, and how many rings there are in all.

        ``label`` narrows it to one alert, deleted or not: ``#3``, or a name; empty text gives all.
        """

    async def told_in(self, chat: ChatRef, message: str) -> list[str]:
        """Name the chat's own alerts of which a message tells there: ``#3``, or a name; none for any other.

        ``message`` is the platform's id of it.
        """

    async def outcomes(self, chat: ChatRef, label: str) -> dict[int, list[float]]:
        """Give by which share the price had changed after each ring of an alert that stands, by span.

        Those of which that is not known, or not yet, are left out; so are spans of which none is.
        """

    async def given_up(self, since: float) -> list[GivenUp]:
        """Give what was given up since an instant, though somebody waited for it; the newest first."""
