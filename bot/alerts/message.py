"""What the bot says, before any platform's markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bot.alerts.chart import Chart, Sketch

Fact = str | int | float | bool | Sequence[Mapping[str, str | float]] | None
Facts = Mapping[str, Fact]
"""What a message tells, for programs: JSON values under plain names."""


LINE = 60
"""The most bytes of what a button says: Telegram keeps 64 with a button, Discord 100 characters."""

LABEL = 32
"""The longest label of a button that a phone shows whole where it has a row to itself."""


@dataclass(frozen=True, slots=True)
class Button:
    """A button under a message: pressing it says ``line``, a command such as ``/confirm 12``.

    It is said by whoever presses, with his role, and the message is edited to show the answer; one that
    ``is_own`` is said in the private chat of who presses, and answered there, where a platform can do that.
    The platforms keep the line, so a button works after a restart too. One that ``is_sound`` can be shown
    everywhere; the platforms leave out any other, for what a message says is worth more than its buttons.
    One that ``has_window`` says nothing yet: it gives who presses a window to write its line in. It is made
    only for who has windows.
    """

    label: str
    line: str
    is_own: bool = False
    has_window: bool = False

    @property
    def is_sound(self) -> bool:
        """Whether it says a command and is within the bounds of every platform."""
        is_short = len(self.line.encode("utf-8", "replace")) <= LINE and 0 < len(self.label) <= LABEL
        return is_short and self.line.startswith("/") and bool(self.label.strip())


Tone = Literal["", "ring", "over", "trouble", "news"]
"""What rang, what is over or well again, what casts doubt, and what was changed; nothing for all else."""

Buttons = tuple[tuple[Button, ...], ...]
"""Buttons in rows."""


def sound(rows: Buttons) -> Buttons:
    """Leave out what cannot be shown everywhere, what says the same as another, and rows without any."""
    seen: set[tuple[str, bool]] = set()
    kept: list[tuple[Button, ...]] = []
    for row in rows:
        fit: dict[tuple[str, bool], Button] = {}
        for button in row:
            does = (button.line, button.has_window)
            if button.is_sound and does not in seen:
                fit.setdefault(does, button)
        seen.update(fit)
        if fit:
            kept.append(tuple(fit.values()))
    return tuple(kept)


@dataclass(frozen=True, slots=True)
class File:
    """A text that goes with a message as a file of that name, in UTF-8."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message: a title that stands out, lines of plain text, and a block in a fixed-width face.

    No part holds markup: each platform escapes everything and adds its own. Any part may be empty, not all.
    ``is_private`` asks a platform that can (Discord) to show it to the asker alone.
    ``chart`` is a picture to go with it, or a sketch whose candles whoever sends it has to ask for; a message
    says all it has to say without. ``buttons`` stand in rows; what they do can be typed as well.
    ``file`` is a document to go with it, where it answers somebody; a message is never pushed with one.
    As the answer to a press, one that ``takes_place`` stands instead of the message whose button was
    pressed; any other stands below its text. Either way its buttons are the message's from then on.
    One that ``answers`` another goes on with that: the platform's id of a message in the same chat.
    ``tone`` says of a push what kind of news it is; a platform may show that by a colour, never by it alone.
    ``facts`` is the same for programs: it takes no part in equality, and platforms for people ignore it.
    """

    title: str = ""
    lines: tuple[str, ...] = ()
    code: str = ""
    is_private: bool = False
    chart: Chart | Sketch | None = None
    buttons: Buttons = ()
    file: File | None = None
    takes_place: bool = False
    answers: str = ""
    tone: Tone = field(default="", compare=False)
    facts: Facts = field(default_factory=dict, compare=False)

    def plain(self) -> str:
        """Give the message as plain text: title, lines, and the block, one under the other."""
        return "\n".join(part for part in (self.title, *self.lines, self.code) if part)


def say(*lines: str, code: str = "") -> Message:
    """Make an ordinary answer: lines without a title."""
    return Message(lines=lines, code=code)
