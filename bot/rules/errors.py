"""The one error of the alert language."""

from __future__ import annotations

from bot.rules.phrases import Phrase


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
