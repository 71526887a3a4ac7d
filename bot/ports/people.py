"""What the house needs of the platforms where people are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from bot.alerts.message import Message
from bot.alerts.people import Caller, ChatRef
from bot.alerts.translator import ENGLISH, Translator
from bot.ports.memory import Outcome
from bot.ports.places import Place

Replies = AsyncIterator[Message]
"""What a command answers: the first message is sent, each later one replaces it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A suggestion for an option: what is shown, and what is taken."""

    shown: str
    value: str


@dataclass(frozen=True, slots=True)
class Card:
    """Something that a person may post in any chat, the bot in it or not.

    A list of cards shows the ``title`` and, to that person alone, the ``summary``; what is posted is the
    message. Below it stands one button, if it has a ``label``: it brings ``/start TOKEN`` to the bot in the
    private chat of whoever presses it.
    """

    title: str
    summary: str
    message: Message
    label: str = ""
    token: str = ""


async def no_cards(caller: Caller, words: str) -> list[Card]:
    """Offer nothing to post."""
    return []


@dataclass(frozen=True, slots=True)
class Draft:
    """What a window begins with: the ``line`` that is finished in it, and the ``text`` that is there already.

    What is said in the end is the line, a space, and the text as it was made.
    """

    line: str
    text: str


async def no_draft(caller: Caller, line: str) -> Draft | None:
    """Give no window."""
    return None


async def in_english(chat: ChatRef, language: str) -> Translator:
    """Give the words of English."""
    return ENGLISH


async def to_nobody(chat: ChatRef, said: bytes) -> bool:
    """Find nobody else."""
    return False


async def at_once(caller: Caller) -> bool:
    """Let an answer go without a turn, unpaid."""
    return False


@dataclass(frozen=True, slots=True)
class Desk:
    """Where chats bring what people say.

    ``words`` gives the words of a chat; where it never spoke, those of the ``language`` that comes with it.
    ``inquire`` gives what somebody may post who types these words to the bot in some other chat.
    ``turn`` is waited for before an answer goes to a caller's chat as a new message, where the platform
    counts answers too; it says whether the message is one that is paid for, and raises TimeoutError where the
    platform takes none for long. ``draft`` gives what a window for a line begins with, or ``None`` where the
    line is to be said as it is. ``hand_on`` brings what was said in a chat that another process tells to that
    one, as the platform wrote it, and says whether it took it.
    """

    dispatch: Callable[[Caller, str], Replies]
    complete: Callable[[Caller, str, str, str], Awaitable[list[Choice]]]
    turn: Callable[[Caller], Awaitable[bool]] = at_once
    inquire: Callable[[Caller, str], Awaitable[list[Card]]] = no_cards
    draft: Callable[[Caller, str], Awaitable[Draft | None]] = no_draft
    words: Callable[[ChatRef, str], Awaitable[Translator]] = in_english
    hand_on: Callable[[ChatRef, bytes], Awaitable[bool]] = to_nobody


class Chat(Protocol):
    """One platform where people are.

    Where it ``adds_charts``, a message goes at once and its chart is added later; else one waits for it.
    """

    platform: str
    adds_charts: bool

    @property
    def is_connected(self) -> bool:
        """Whether the platform is heard and spoken to now."""

    @property
    def trouble(self) -> str:
        """Say what keeps it from being heard, or from being heard whole: without full stop, or nothing."""

    async def run(self, desk: Desk) -> None:
        """Listen to people until cancelled; every command is brought to the desk, every reply shown."""

    async def take_over(self, said: bytes) -> bool:
        """Bring to the desk what another process heard, as its chat handed it on; ``False`` if it cannot now.

        It does not wait for the answer: who heard it waits for this alone.
        """

    async def send(self, chat: ChatRef, message: Message, nonce: str, *, is_paid: bool = False) -> Outcome:
        """Push one message, with its chart where that costs no time, and tells so.

        Never raises for what the platform or the network does.
        """

    async def illustrate(self, chat: ChatRef, sent: str, message: Message) -> Outcome:
        """Add the chart to a message that was sent as ``sent``; again does no harm. Raises as little."""

    async def find_place(self, name: str, asking: ChatRef, person: str) -> Place | None:
        """Find the chat that somebody names (``@news``, ``#alerts``, an id), and what may be done there now.

        ``None`` where there is none, or the platform cannot say.
        """

    async def is_admin(self, chat: ChatRef, person: str, is_fresh: bool = False) -> bool:
        """Ask the platform whether a person administers a chat; ``False`` where it cannot say.

        An answer may be a minute old unless it must be fresh.
        """

    def link(self, chat: ChatRef, message: str, is_private: bool) -> str:
        """Give the address of a message that was sent, or nothing where there is none or it is not known."""

    def invitation(self, token: str) -> str:
        """Give the address that brings ``/start TOKEN`` to the bot in private; or nothing."""
