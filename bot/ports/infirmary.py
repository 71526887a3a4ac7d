"""What the house needs to tell operators of itself, and to remember what it told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from bot.alerts.message import Facts
from bot.alerts.models import Notification


class Infirmary(Protocol):
    """Where it is kept what operators were told of the bot."""

    async def page(self, source: str) -> Mapping[str, Any]:
        """Give what was written last under a name; an empty page where nothing was."""

    async def tell_operators(
        self,
        operators: Collection[tuple[str, str]],
        facts: Facts,
        source: str,
        page: Mapping[str, Any],
        now: float,
    ) -> int:
        """Promise facts to the private chats of operators, and keep a page with that; gives how many chats.

        ``operators`` are (platform, person). A chat that cannot be written to is left out.
        """

    async def addressed(self, operators: Collection[tuple[str, str]], now: float) -> list[Notification]:
        """Give a blank notification for each of these chats, which is not promised and says nothing yet."""

    async def damaged(self) -> str:
        """Wait until the memory is found damaged, however long; gives the sentence that says what to do."""
