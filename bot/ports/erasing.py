"""What commands need of the memory to forget a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.alerts.changes import PLAIN, Basis
from bot.alerts.people import Caller


@dataclass(frozen=True, slots=True)
class Traces:
    """What is kept of a person: alerts of their private ``chats``, those followed, those made in groups."""

    alerts: int
    followed: int
    in_groups: int
    chats: int


class Erasing(Protocol):
    """The part of ``Register`` that forgets a person, with all their private chats."""

    async def traces(self, caller: Caller) -> Traces:
        """Count what would go, and what would stay without a name."""

    async def erase(self, caller: Caller, now: float, *, basis: Basis = PLAIN) -> None:
        """Delete a person's data in one transaction; what is others' stays, without their name.

        A ban that holds stays. Raises Settled.
        """

    async def wipe(self) -> bool:
        """See to it that what was deleted can be read in no file of the database; ``False`` if not now."""
