"""Windows on Discord (modals): room for a rule of many lines.

A window keeps the line that it finishes in its ``custom_id``, so that it can be sent in after a restart too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import discord

from bot.alerts.translator import Translator

_TITLE = 45
_TEXT = 4000
_LIFE = 900.0
"""How many seconds the library remembers a window; nothing of ours needs it to."""

_FIELD = "text"
_NAME = re.compile(r"(?P<how>fill|fill-own):(?P<line>/.+)")

LONGEST_LINE: Final = 90
"""The longest line that a window can finish: Discord keeps 100 characters with it."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is finished in a window: the beginning of a line, and whether it is said in private."""

    line: str
    is_own: bool = False


def window_of(window: Window, text: str, tr: Translator) -> discord.ui.Modal:
    """Make a window with one field of many lines, in which ``text`` stands already."""
    how = "fill-own" if window.is_own else "fill"
    title = window.line if len(window.line) <= _TITLE else window.line[: _TITLE - 1] + "…"
    modal = discord.ui.Modal(title=title, timeout=_LIFE, custom_id=f"{how}:{window.line}")
    field: discord.ui.TextInput[Any] = discord.ui.TextInput(
        custom_id=_FIELD,
        style=discord.TextStyle.paragraph,
        default=text[:_TEXT] or None,
        max_length=_TEXT,
    )
    asked, how_read = tr("Write it here"), tr("In as many lines as you like: they are read as one.")
    modal.add_item(discord.ui.Label(text=asked, description=how_read, component=field))
    return modal


def written(data: Any) -> tuple[Window, str] | None:
    """Read what was sent in: the window, and what was written in it; ``None`` if it is none of ours."""
    match = _NAME.fullmatch(str(data.get("custom_id", "")))
    if match is None:
        return None
    texts = [value for name, value in _fields(data.get("components") or ()) if name == _FIELD]
    return Window(match["line"], match["how"] == "fill-own"), "".join(texts).strip()


def _fields(components: Any) -> Iterator[tuple[str, str]]:
    """Go through what was filled in, in whatever frame it stands."""
    for one in components:
        if "value" in one:
            yield str(one.get("custom_id", "")), str(one["value"])
        yield from _fields(one.get("components") or ())
        if inner := one.get("component"):
            yield from _fields((inner,))
