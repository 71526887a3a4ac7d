"""What commands need to speak elsewhere: to all chats, or where somebody wants their alerts to ring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.alerts.changes import PLAIN, Basis
from bot.alerts.models import Alert
from bot.alerts.people import Caller, ChatRef


@dataclass(frozen=True, slots=True)
class Place:
    """A chat that somebody named, as its platform tells of it just now.

    ``may_post`` is whether the bot may write there, ``is_admin`` whether who asked administers it.
    """

    chat: ChatRef
    name: str
    may_post: bool
    is_admin: bool


@dataclass(frozen=True, slots=True)
class Audience:
    """How many chats an announcement would reach, and how many not.

    Those that are ``deaf`` want to hear none, those that are ``away`` cannot be written to.
    """

    chats: int
    deaf: int
    away: int


@dataclass(frozen=True, slots=True)
class Announcement:
    """What operators said to all chats, and how far it is: of its ``chats`` so many have it.

    The rest still ``waits``, is held for chats that are ``away`` now, or was given up.
    """

    id: int
    text: str
    by: str
    made_at: float
    chats: int
    sent: int
    waiting: int
    away: int
    stopped_at: float | None = None


class Places(Protocol):
    """The part of ``Register`` that lets alerts ring elsewhere, and operators speak to all."""

    async def audience(self) -> Audience:
        """Count whom an announcement would reach now. A group and its topics are one."""

    async def announce(self, caller: Caller, text: str, now: float, *, basis: Basis = PLAIN) -> Announcement:
        """Promise a text to every chat that hears announcements, once. Raises Settled."""

    async def announcement(self) -> Announcement | None:
        """Give the last announcement, or ``None``."""

    async def silence(self, caller: Caller, number: int, now: float, *, basis: Basis = PLAIN) -> int:
        """Tell an announcement to nobody more; gives how many chats will not have it. Raises Stale."""

    async def hears(self, caller: Caller) -> bool:
        """Ask whether the caller's group hears announcements."""

    async def hear(self, caller: Caller, is_heard: bool) -> None:
        """Let the caller's group, with its topics, hear announcements or not."""

    async def is_told(self, name: str, chat: ChatRef) -> bool:
        """Ask whether a chat is told a shared alert already, whoever follows it."""

    async def send_to(
        self, caller: Caller, label: str, place: Place | None, now: float, *, basis: Basis = PLAIN
    ) -> tuple[Alert, str] | None:
        """Let an alert of the caller's chat ring in a place, or (``None``) in its own chat again.

        Gives it with the name of where it rang before, empty for its own chat; ``None`` if the chat has none
        of that label. Raises Conflict if it is told there already, and Stale.
        """
