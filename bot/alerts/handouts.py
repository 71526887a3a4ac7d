"""Handouts: a rule that somebody hands on to whoever has its token."""

from __future__ import annotations

import re
from dataclasses import dataclass

MARK = "!"
"""What stands before a token where a rule could stand: no rule begins with it."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Handout:
    """A rule in canonical text, under a ``token`` of 16 signs that a link and a button can carry.

    ``by`` is who hands it on; it holds until ``expires_at``.
    """

    token: str
    rule: str
    by: str
    expires_at: float


def is_token(text: str) -> bool:
    """Ask whether a text has the form of a token."""
    return _TOKEN.fullmatch(text) is not None
