"""The clock of a place: a time zone by its name, also one that the time zone database has given up."""

from __future__ import annotations

from datetime import UTC, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo:
    """Give a time zone by its IANA name; UTC for one that is no longer known, for a clock must go on.

    Names are taken out of the database now and then, and a machine may have an older one than that on which a
    zone was chosen. Times that are told name their clock, so a person sees that it is UTC.
    """
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def is_zone(name: str) -> bool:
    """Whether a name is that of a time zone which is known here."""
    return name == "UTC" or zone_of(name) is not UTC
