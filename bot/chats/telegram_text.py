"""Turn a Message into what Telegram takes: escaped HTML, in parts that are short enough. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby

from bot.alerts.message import Buttons, Message
from bot.alerts.steering import unsteered

LIMIT = 4096
"""The longest text of one Telegram message after its entities are parsed, in UTF-16 units."""

CAPTION = 1024
"""The longest text below a photo, counted in the same way."""


@dataclass(frozen=True, slots=True)
class Part:
    """One Telegram message: its markup, the same as plain text for when that is refused, and its buttons."""

    html: str
    plain: str
    buttons: Buttons = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of text under one tag (``b``, ``pre`` or none); a continued one is the rest of a cut line."""

    tag: str
    text: str
    is_continued: bool = False


def render(message: Message, limit: int = LIMIT) -> tuple[Part, ...]:
    """Render a message: the title bold, the lines as they are, the block in a fixed-width face.

    Gives parts of at most ``limit`` UTF-16 units each, and none for a message of white space. A message that
    is too long is cut at line ends; a line is cut only where it alone is too long, at a space if one is near.
    The buttons go with the last part. The block is kept whole where it fits into one part; where it does not,
    each part has a block of its own.
    """
    rows: list[_Row] = []
    parts: list[Part] = []
    room = limit
    blocks = (("b", message.title), ("", "\n".join(filter(None, message.lines))), ("pre", message.code))
    for tag, text in ((tag, clean(text)) for tag, text in blocks if text):
        must_move = tag == "pre" and room <= width(text) <= limit
        for row in _rows(tag, text, limit):
            needed = width(row.text) + (1 if rows else 0)
            if rows and (needed > room or row.is_continued or must_move):
                parts.append(_part(rows))
                rows, room, needed = [], limit, width(row.text)
            must_move = False
            rows.append(row)
            room -= needed
    if rows:
        parts.append(_part(rows))
    shown = [part for part in parts if part.plain.strip()]
    if shown:
        shown[-1] = replace(shown[-1], buttons=message.buttons)
    return tuple(shown)


def width(text: str) -> int:
    """Measure a text as Telegram does, in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def clean(text: str) -> str:
    """Make a text that UTF-8 can carry: halves of surrogate pairs are joined, lone ones replaced.

    What a person types can hold them, since JSON may escape a half, and an answer may repeat it. What would
    turn the direction of the rest is taken out.
    """
    return unsteered(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def _rows(tag: str, text: str, limit: int) -> Iterator[_Row]:
    for line in text.split("\n"):
        is_continued = False
        rest = line
        while width(rest) > limit:
            end = _fitting(rest, limit)
            yield _Row(tag, rest[:end], is_continued)
            rest, is_continued = rest[end:], True
        yield _Row(tag, rest, is_continued)


def _fitting(line: str, limit: int) -> int:
    """Find where to cut a line that is too long: behind a space in its second half, else at the limit."""
    end = units = 0
    for character in line:
        units += width(character)
        if units > limit:
            break
        end += 1
    space = line.rfind(" ", end // 2, end)
    return space + 1 if space > 0 else end


def _part(rows: list[_Row]) -> Part:
    blocks = []
    for tag, group in groupby(rows, key=lambda row: row.tag):
        text = escape("\n".join(row.text for row in group), quote=False)
        blocks.append(f"<{tag}>{text}</{tag}>" if tag else text)
    return Part("\n".join(blocks), "\n".join(row.text for row in rows))
