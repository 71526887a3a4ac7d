"""What a command is: one row of the table that every platform's menu, options and help are read from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bot.alerts.people import Role
from bot.commands.request import Request
from bot.ports import Replies

Kind = Literal["text", "number", "whole", "file"]
Completes = Literal[
    "",
    "rule",
    "instrument",
    "alert",
    "shared",
    "level",
    "playbook",
    "command",
    "zone",
    "language",
    "coin",
    "time",
]


@dataclass(frozen=True, slots=True)
class Option:
    """One word, or the rest of the line, that a command takes.

    ``kind`` is ``text``, ``number`` (any), ``whole`` (an integer from 1 on) or ``file`` (which comes along
    and is not typed); the last option of a command takes the rest of the line if it is text. ``completes``
    says what is suggested while it is typed; ``choices`` are all the words that it may be. What ``is_long``
    may want many lines, and a window to write them in.
    """

    name: str
    summary: str
    kind: Kind = "text"
    is_required: bool = True
    completes: Completes = ""
    choices: tuple[str, ...] = ()
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A verb.

    * ``name``: what is typed after the slash; ``summary``: at most 100 characters, for menus.
    * ``role``: who may use it in full; ``by_policy``: so may members of a group whose policy lets them make
      alerts, and where it names an alert, its maker.
    * ``reads_without``: the option without which it only reads, so that anybody may; ``tells_more_to``: the
      role from which on it says all that it can.
    * ``is_fresh``: whether the platform is asked for the role now, whatever it said a moment ago.
    * ``changes``: whether it changes anything (platforms may hide such commands from members of a group).
    * ``takes_place``: whether its answer, where a button says it, stands instead of the message pressed.
    * ``is_personal``: whether its answer is for the asker alone, where a platform can show it so in a group.
    * ``is_leaving``: whether who is shut out may use it too, since it is about their own data.
    * ``keeps_lines``: whether its text may be of several lines.
    * ``examples``: lines that work as they stand, without the slash and the name.
    """

    name: str
    summary: str
    role: Role
    options: tuple[Option, ...]
    run: Callable[[Request], Replies]
    changes: bool = False
    reads_without: str = ""
    tells_more_to: Role = Role.MEMBER
    takes_place: bool = False
    is_fresh: bool = False
    by_policy: bool = False
    is_personal: bool = False
    is_leaving: bool = False
    keeps_lines: bool = False
    examples: tuple[str, ...] = ()

    @property
    def named_alert(self) -> str:
        """The option that names the alert to be changed, or nothing."""
        return next((option.name for option in self.options if option.completes == "alert"), "")

    @property
    def long_option(self) -> Option | None:
        """The option that may want a window, if it has one."""
        return next((option for option in self.options if option.is_long), None)

    @property
    def is_for_admins(self) -> bool:
        """Whether no member of any group may use it, so that menus may hide it from them."""
        return self.role > Role.MEMBER and not (self.reads_without or self.by_policy)

    @property
    def usage(self) -> str:
        """The command with its options, as it is typed: ``/publish NAME RULE``."""
        shown = [
            option.name.upper() if option.is_required else f"[{option.name.upper()}]"
            for option in self.options
            if option.kind != "file"
        ]
        return " ".join((f"/{self.name}", *shown))
