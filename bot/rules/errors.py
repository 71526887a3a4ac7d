"""The errors of the alert language, and how one is shown under the line that was typed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import accumulate

from bot.rules.phrases import Phrase

WIDTH = 60
"""Most columns of a picture: what a phone shows of a fixed-width line without turning it."""


class RuleError(Exception):
    """A text that is no rule: where, why, and the nearest valid thing.

    ``text`` is what was typed, ``column`` the zero-based place in it, ``reason`` and ``hint`` are phrases
    (``hint`` may be ``None``).
    """

    def __init__(self, text: str, column: int, reason: Phrase, hint: Phrase | None = None) -> None:
        super().__init__(reason.template)
        self.text = text
        self.column = column
        self.reason = reason
        self.hint = hint


class UnknownLevel(RuleError, LookupError):
    """A rule that names a level nobody keeps; ``nearest`` lists the names most like it, best first."""

    def __init__(self, text: str, column: int, name: str, nearest: Iterable[str] = ()) -> None:
        self.name = name
        self.nearest = tuple(nearest)
        reason = Phrase("There is no level {name}.", {"name": f"@{name}"})
        hint = suggest(f"@{self.nearest[0]}") if self.nearest else None
        super().__init__(text, column, reason, hint)


def suggest(text: str) -> Phrase:
    """Ask whether something else was meant."""
    return Phrase("Did you mean {suggestion}?", {"suggestion": text})


def show(example: str) -> Phrase:
    """Give an example of what may be typed."""
    return Phrase("Type for instance: {example}", {"example": example})


def picture(error: RuleError) -> str:
    """Draw the typed line with a caret under the place of the error, two lines for a fixed-width face.

    Wide characters (CJK, full-width signs) count two columns, combining ones none. A long line is cut around
    the place.
    """
    left, right = _shown(error.text[: error.column]), _shown(error.text[error.column :]).rstrip()
    head, tail = _cut(left[::-1], WIDTH * 2 // 3)[::-1], _cut(right, WIDTH - WIDTH * 2 // 3)
    before, after = "…" if head != left else "", "…" if tail != right else ""
    margin = " " * sum(map(_columns, before + head))
    return f"{before}{head}{tail}{after}\n{margin}^"


def _shown(text: str) -> str:
    """Keep a text to one line, without the marks that show nothing."""
    categories = ((sign, unicodedata.category(sign)) for sign in text)
    return "".join(
        " " if category in {"Cc", "Cs", "Zl", "Zp"} else sign
        for sign, category in categories
        if category != "Cf"
    )


def _cut(text: str, width: int) -> str:
    """Take as much of a text as fits into so many columns."""
    for end, taken in enumerate(accumulate(map(_columns, text))):
        if taken > width:
            return text[:end]
    return text


def _columns(sign: str) -> int:
    if unicodedata.category(sign) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in {"W", "F"} else 1
