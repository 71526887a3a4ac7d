"""Who is talked to: chats, persons, and what they may do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum

NOBODY = "—"
"""Who made or set something, where it was forgotten."""


@dataclass(frozen=True, slots=True, order=True)
class ChatRef:
    """Where a message goes: a platform, a chat on it, and a thread or topic of that chat.

    ``platform`` is ``telegram``, ``discord`` or ``console``; ids are the platform's, as text. ``thread`` is
    empty outside Telegram's topics (a Discord thread is a channel, so it is a chat of its own).
    """

    platform: str
    chat: str
    thread: str = ""

    def __str__(self) -> str:
        return ":".join(part for part in (self.platform, self.chat, self.thread) if part)


class ChatKind(StrEnum):
    """Whether a chat has one person or many."""

    PRIVATE = "private"
    GROUP = "group"


class Role(IntEnum):
    """What a caller may do here; a higher role may all that a lower one may."""

    MEMBER = 1
    ADMIN = 2
    OPERATOR = 3


class Policy(StrEnum):
    """Who may make alerts in a group: everybody in it, or its admins alone."""

    MEMBERS = "members"
    ADMINS = "admins"


@dataclass(frozen=True, slots=True)
class Brought:
    """A file that came with what somebody said, not fetched yet: its name, and its size in bytes.

    ``fetch`` gets what is in it, or as much as so many bytes. It raises OSError for whatever the platform or
    the network does.
    """

    name: str
    size: int
    fetch: Callable[[int], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who says a command, and where.

    ``is_admin`` is what the platform said with the command itself: whether this person administers this
    chat, or ``None`` where it must be asked for. In a private chat everybody is their own admin. ``above``
    is the channel that a thread belongs to, ``server`` the Discord server. Who speaks as the group itself,
    as Telegram's anonymous admins do, has the group's id as ``person``.
    Who ``has_pressed`` said it with a button, who ``answers`` replied to that message of the bot, and who
    ``has_windows`` can be given one to write a line in. ``brought`` is the file that came with it, if one
    did.
    """

    chat: ChatRef
    kind: ChatKind
    person: str
    name: str = ""
    is_admin: bool | None = None
    language: str = "en"
    above: ChatRef | None = None
    server: str = ""
    has_pressed: bool = False
    answers: str = ""
    has_windows: bool = False
    brought: Brought | None = field(default=None, compare=False)

    @property
    def group(self) -> ChatRef:
        """The group whose policy holds here: that of a topic, or the channel of a thread."""
        return self.above or replace(self.chat, thread="")

    @property
    def places(self) -> tuple[str, ...]:
        """The ids of the chat, of the group that it belongs to, and of the server."""
        return tuple(dict.fromkeys(one for one in (self.chat.chat, self.group.chat, self.server) if one))
