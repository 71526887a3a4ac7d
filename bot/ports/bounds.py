"""What commands need of the memory about roles and bounds: policies, quotas, bans, and who made what."""

from __future__ import annotations

from typing import Protocol

from bot.alerts.bounds import Ban, Bounds, Thing, Whose
from bot.alerts.changes import PLAIN, Basis
from bot.alerts.people import Caller, ChatRef, Policy


class Bounding(Protocol):
    """The part of ``Register`` that knows who may do what, and how much.

    Each change is one transaction with its row of the audit. It raises Stale if something newer changed what
    its ``basis`` takes back.
    """

    async def bounds(self) -> Bounds:
        """Give the quotas that were set, and all bans."""

    async def maker(self, chat: ChatRef, label: str) -> str | None:
        """Say who made one alert of a chat (``#3``, or a name), as ``platform:id``; ``None`` if unknown."""

    async def set_policy(self, caller: Caller, policy: Policy, now: float, *, basis: Basis = PLAIN) -> Policy:
        """Say who may make alerts in the caller's group, its topics included; gives what held before."""

    async def set_quota(
        self,
        caller: Caller,
        thing: Thing,
        whose: Whose,
        value: int | None,
        now: float,
        *,
        basis: Basis = PLAIN,
    ) -> int:
        """Set a quota (``None``: what it is by default); gives what held before."""

    async def ban(
        self,
        caller: Caller,
        platform: str,
        person: str,
        until: float | None,
        now: float,
        *,
        basis: Basis = PLAIN,
    ) -> int:
        """Shut a person or a group out, and pause their alerts; gives how many that were.

        Of a person those in private chats, of a group those that it has. Where some were paused, the chats
        that had them are told, once.
        """

    async def unban(
        self, caller: Caller, platform: str, person: str, now: float, *, basis: Basis = PLAIN
    ) -> Ban | None:
        """Let them in again; gives the ban that held, or ``None``. What was paused stays so."""

    async def note_told(self, platform: str, person: str, now: float) -> None:
        """Note that somebody was told of their ban."""
