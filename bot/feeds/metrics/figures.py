"""Numbers and days as providers write them, read at the door. Pure.

Each reader gives ``None`` for what is no number or no day: never zero, never a guess.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from bot.engine.sessions import midnight_of
from bot.feeds.exchanges.candles import EARLIEST

_NUMBER = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?([eE][-+]?\d{1,3})?", re.ASCII)
_MOST_DIGITS = 24
"""Before the point: all the money of the world has fifteen."""

_LATEST = 4_102_444_800
"""The first second of 2100."""

_MILLISECONDS_FROM = 100_000_000_000


def number_of(raw: object) -> Decimal | None:
    """Read a finite number: of JSON, or as text such as ``"47"``, ``"1,119.9"``, ``"(44.5)"`` for -44.5."""
    match raw:
        case bool():
            value = None
        case int() | Decimal():
            value = Decimal(raw)
        case str():
            value = _number_of_text(raw.strip())
        case _:
            value = None
    return value if value is not None and value.is_finite() and value.adjusted() < _MOST_DIGITS else None


def _number_of_text(text: str) -> Decimal | None:
    text = text.replace("\N{MINUS SIGN}", "-")
    is_bracketed = text.startswith("(") and text.endswith(")")
    if is_bracketed:
        text = text[1:-1].strip()
        if text[:1] in {"-", "+"}:
            return None
    if not any(map(str.isdigit, text)) or len(text) > 60 or not _NUMBER.fullmatch(text):
        return None
    try:
        value = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    return -value if is_bracketed else value


def day_of_text(raw: object) -> int | None:
    """Read a date as ``2025-11-20`` or ``20 Nov 2025``; gives the UTC midnight that begins it."""
    if not isinstance(raw, str):
        return None
    for form in ("%Y-%m-%d", "%d %b %Y"):
        try:
            day: date = datetime.strptime(raw.strip(), form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
        at = midnight_of(day)
        return at if EARLIEST <= at < _LATEST else None
    return None


def instant_of(raw: object) -> int | None:
    """Read an epoch in seconds or milliseconds, as a number or as text; gives whole seconds."""
    value = number_of(raw)
    if value is None:
        return None
    if abs(value) >= _MILLISECONDS_FROM:
        value /= 1000
    at = int(value)
    return at if EARLIEST <= at < _LATEST else None
