"""Turn a Message into what Discord takes: escaped markdown, in parts that are short enough. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from bot.alerts.message import Message
from bot.alerts.steering import unsteered

LIMIT = 2000
"""The longest content of one Discord message; UTF-16 units, so that no way of counting finds more."""

_FENCED = "```"

_GAP = "\u200b"
"""A space without width: it parts what would otherwise be read as one."""

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_INLINE = re.compile(r"[\\*_~`|<\[]|(?<=<)@|:(?=//)(?!//discord\.com/channels/(?:@me|\d+)/\d+/\d+(?!\S))")
_BLOCK = re.compile(r"^(\s*)(?=(?:#{1,3}|-#|>{1,3}|[-+])(?:\s|$))")
_NUMBERED = re.compile(r"^(\s*\d+)(?=\.(?:\s|$))")
_CROWD = re.compile(r"@(?=everyone|here)")
_FENCE = re.compile(r"`(?=`)")
_TAG = re.compile(r"<(?=[@#:/at])")


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a message in one face: ``**`` for bold, a fence for fixed width, or none."""

    face: str
    text: str


def render(message: Message, limit: int = LIMIT) -> tuple[str, ...]:
    """Render a message: the title bold, the lines escaped, the block fenced.

    Gives at least one part, each of at most ``limit`` UTF-16 units. Nothing a person typed works as markup or
    as a mention in it. A message that is too long is cut at line ends; a line is cut only where it alone is
    too long. Each part that holds some of the block has a fence of its own.
    """
    rows = [_Row("**" if line.strip() else "", line) for line in lines_of(message.title)]
    rows += [_Row("", line) for text in message.lines for line in lines_of(text)]
    rows += [_Row(_FENCED, line) for line in lines_of(message.code)]
    return _parts(rows, limit)


def render_plain(message: Message, limit: int = LIMIT) -> tuple[str, ...]:
    """Render a message without any markup of our own, for when the rendered one was refused."""
    return _parts([_Row("", line) for line in lines_of(message.plain())], limit)


def escape(line: str) -> str:
    """Escape one line so that Discord shows it as it is.

    A backslash goes before what would begin a style, a link, a tag, a heading, a quote or a list. Only
    ``@everyone`` and ``@here`` get a gap instead, since Discord reads those behind a backslash too. The
    address of a message on Discord stays, for it leads nowhere else.
    """
    line = _INLINE.sub(lambda found: "\\" + found[0], line)
    line = _BLOCK.sub(lambda found: found[1] + "\\", line)
    line = _NUMBERED.sub(lambda found: found[1] + "\\", line)
    return _CROWD.sub("@" + _GAP, line)


def width(text: str) -> int:
    """Measure a text in UTF-16 units."""
    return len(text) + sum(character > "\uffff" for character in text)


def lines_of(text: str) -> list[str]:
    """Take a text apart at whatever breaks a line; halves of characters and control codes become marks.

    What would turn the direction of the rest is taken out.
    """
    whole = unsteered(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
    return [_CONTROL.sub("\ufffd", line) for line in whole.splitlines()]


def _parts(rows: list[_Row], limit: int) -> tuple[str, ...]:
    parts: list[str] = []
    held: list[_Row] = []
    room = limit
    for row in rows:
        for piece in _pieces(row, limit):
            follows = bool(held) and held[-1].face == piece.face
            needed = width(_encode(piece)) + bool(held) + (0 if follows else _frame(piece))
            if held and needed > room:
                parts.append(_join(held))
                held, room = [], limit
                needed = width(_encode(piece)) + _frame(piece)
            held.append(piece)
            room -= needed
    parts.append(_join(held))
    shown = tuple(part for part in parts if part.strip())
    # Discord refuses an empty message, and a person who said something gets an answer.
    return shown or (_GAP,)


def _pieces(row: _Row, limit: int) -> Iterator[_Row]:
    """Cut a row that is too long by itself; each piece is escaped as the line that it becomes."""
    rest = row.text
    while rest:
        end = min(len(rest), limit)
        piece = _Row(row.face, rest[:end])
        while width(_encode(piece)) + _frame(piece) > limit:
            end -= max(1, end // 16)
            piece = _Row(row.face, rest[:end])
        yield piece
        rest = rest[end:]
    if not row.text:
        yield row


def _join(rows: list[_Row]) -> str:
    blocks = []
    for face, group in groupby(rows, key=lambda row: row.face):
        body = "\n".join(map(_encode, group))
        blocks.append(f"{_FENCED}\n{body}\n{_FENCED}" if face == _FENCED else body)
    return "\n".join(blocks)


def _frame(row: _Row) -> int:
    """Measure what stands around a run of rows of this face."""
    return 2 * len(_FENCED) + 2 if row.face == _FENCED else 0


def _encode(row: _Row) -> str:
    if row.face != _FENCED:
        return f"{row.face}{escape(row.text)}{row.face}"
    # In a block nothing is read but its end; mentions are parted for those who read the raw text.
    text = _FENCE.sub("`" + _GAP, row.text)
    return _CROWD.sub("@" + _GAP, _TAG.sub("<" + _GAP, text))
