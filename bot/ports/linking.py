"""What commands need of the memory about links: two private chats of one person that share what they have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.alerts.changes import PLAIN, Basis
from bot.alerts.links import Hindrance, Meeting, Parting
from bot.alerts.people import Caller, ChatRef


@dataclass(frozen=True, slots=True)
class Link:
    """The chat that a private one is linked with.

    ``is_home`` is whether that one keeps the things of both; ``paused_reason`` why it cannot be written to.
    """

    chat: ChatRef
    is_home: bool
    paused_reason: str = ""


class Linking(Protocol):
    """The part of ``Register`` that links private chats, and parts them.

    What is asked for, made or changed in a linked chat is that of its home; what is told by the clock, and
    what waits to be confirmed, is of the chat where it was said.
    """

    async def offer_code(self, caller: Caller, until: float, now: float) -> str:
        """Make a code that links the caller's chat with that where it is typed; an older one is no more."""

    async def try_code(self, caller: Caller, text: str, now: float) -> Meeting | Hindrance | None:
        """Use a code up, and say what linking the caller's chat to that of the code would do.

        ``None`` if it is none, or none any more. A code that finds a hindrance stays what it is.
        """

    async def link(
        self, caller: Caller, home: ChatRef, now: float, *, basis: Basis = PLAIN
    ) -> Meeting | Hindrance:
        """Link the caller's chat to a home, all of it or nothing; gives what was done.

        Raises Settled and Stale.
        """

    async def parting(self, caller: Caller) -> Parting | None:
        """Say what parting the caller's chat from the one that it is linked with would do; or ``None``."""

    async def unlink(self, caller: Caller, now: float, *, basis: Basis = PLAIN) -> Parting | None:
        """Part the caller's chat from the one that it is linked with; gives what was done.

        ``None`` if it is linked with none. Raises Settled and Stale.
        """
