"""What the house needs of the platforms where people are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from bot.alerts.message import Message
from bot.alerts.people import Caller, ChatRef
from bot.ports.memory import Outcome

Replies = AsyncIterator[Message]
"""What a command answers: the first message is sent, each later one replaces it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A suggestion for an option: what is shown, and what is taken."""

    shown: str
    value: str


@dataclass(frozen=True, slots=True)
class Desk:
    """Where chats bring what people say."""

    dispatch: Callable[[Caller, str], Replies]
    complete: Callable[[Caller, str, str, str], Awaitable[list[Choice]]]


class Chat(Protocol):
    """One platform where people are."""

    platform: str

    async def run(self, desk: Desk) -> None:
        """Listen to people until cancelled; every command is brought to the desk, every reply shown."""

    async def send(self, chat: ChatRef, message: Message, nonce: str) -> Outcome:
        """Push one message. Never raises for what the platform or the network does."""

    async def is_admin(self, chat: ChatRef, person: str, is_fresh: bool = False) -> bool:
        """Ask the platform whether a person administers a chat; ``False`` where it cannot say.

        An answer may be a minute old unless it must be fresh.
        """
