"""Handouts: a rule that somebody hands on to whoever has its token."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

MARK = "!"
"""What stands before a token where a rule could stand: no rule begins with it."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16}", re.ASCII)
_WRITTEN = re.compile(r"w-([A-Za-z0-9_-]+)", re.ASCII)
_LONGEST = 64
"""How many signs a link of Telegram can carry."""


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


def write_out(text: str) -> str:
    """Give the token that carries a text in itself, so that nothing need be kept; nothing if it is too long.

    It is never taken for one under which a rule is kept: it has another length.
    """
    text = text.strip()
    token = _written(text)
    token = _written(f"{text} ") if is_token(token) else token
    return token if len(token) <= _LONGEST else ""


def read_out(token: str) -> str:
    """Give the text that a token carries in itself, or nothing. Anybody may have written it."""
    found = _WRITTEN.fullmatch(token)
    if found is None or is_token(token) or len(token) > _LONGEST:
        return ""
    try:
        return urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)).decode().strip()
    except ValueError:
        return ""


def _written(text: str) -> str:
    return "w-" + urlsafe_b64encode(text.encode("utf-8", "replace")).decode().rstrip("=")
