"""What the bot says, before any platform's markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.alerts.chart import Chart, Sketch

Fact = str | int | float | bool | Sequence[Mapping[str, str | float]] | None
Facts = Mapping[str, Fact]
"""What a message tells, for programs: JSON values under plain names."""


@dataclass(frozen=True, slots=True)
class Button:
    """A button under a message: pressing it says ``line``, a command such as ``/confirm 12``.

    It is said by whoever presses, with his role, and the message is edited to show the answer. ``line`` has
    at most 60 bytes, for the platforms keep it: so a button works after a restart too.
    """

    label: str
    line: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message: a title that stands out, lines of plain text, and a block in a fixed-width face.

    No part holds markup: each platform escapes everything and adds its own. Any part may be empty, not all.
    ``is_private`` asks a platform that can (Discord) to show it to the asker alone.
    ``chart`` is a picture to go with it, or a sketch whose candles whoever sends it has to ask for; a message
    says all it has to say without. ``buttons`` stand in rows; what they do can be typed as well.
    ``facts`` is the same for programs: it takes no part in equality, and platforms for people ignore it.
    """

    title: str = ""
    lines: tuple[str, ...] = ()
    code: str = ""
    is_private: bool = False
    chart: Chart | Sketch | None = None
    buttons: tuple[tuple[Button, ...], ...] = ()
    facts: Facts = field(default_factory=dict, compare=False)

    def plain(self) -> str:
        """Give the message as plain text: title, lines, and the block, one under the other."""
        return "\n".join(part for part in (self.title, *self.lines, self.code) if part)


def say(*lines: str, code: str = "") -> Message:
    """Make an ordinary answer: lines without a title."""
    return Message(lines=lines, code=code)
