"""What commands need of the memory to make people at home: their clock, their language, what they hand on."""

from __future__ import annotations

from typing import Protocol

from bot.alerts.handouts import Handout
from bot.alerts.people import Caller


class Welcoming(Protocol):
    """The part of ``Register`` that knows how a chat is spoken to, and what one hands on to another."""

    async def set_timezone(self, caller: Caller, timezone: str, now: float) -> None:
        """Set the clock of the caller's chat, or of their group with its topics; an IANA name."""

    async def set_language(self, caller: Caller, language: str) -> None:
        """Set the language of the caller's chat, or of their group with its topics; a BCP 47 tag."""

    async def hand_out(self, caller: Caller, rule: str, until: float, now: float) -> Handout:
        """Keep a rule under a new token; the same rule of the same person keeps the token it has."""

    async def handout(self, token: str, now: float) -> Handout | None:
        """Give what a token stands for; ``None`` if it is unknown or has expired."""
