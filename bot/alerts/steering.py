"""Signs that show nothing, and turn the direction of whatever follows them. Pure."""

from __future__ import annotations

import re

_STEERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Embeddings, overrides and isolates; plain marks of direction stay, for Hebrew and Arabic need them."""


def unsteered(text: str) -> str:
    """Take such signs out of a text, so that a name or a note cannot turn a price around: 001 is not 100."""
    return _STEERING.sub("", text)
