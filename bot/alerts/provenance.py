"""Where what rang was seen, when, and how long after it the ring is told. Pure."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal
from math import ceil

from bot.alerts.facts import number_of, text_of
from bot.alerts.message import Facts
from bot.alerts.sentences import venue_name
from bot.alerts.sighting import stand_in
from bot.alerts.translator import Translator

_TENTHS_BELOW = 10
_SECONDS_BELOW = 90


def source(facts: Facts, tr: Translator, now: float, took: str, *, has_time: bool) -> str:
    """Name who showed what rang, with its time and how long the ring ``took``: a sentence, or nothing."""
    at, venue = number_of(facts, "at"), venue_name(text_of(facts, "venue"))
    if home := text_of(facts, "home"):
        venue = stand_in(text_of(facts, "venue"), home, text_of(facts, "home_reason"), tr)
    time = tr.instant(at, now) if has_time and at is not None else ""
    parts = [part for part in (venue, time, took) if part]
    return tr("{line}.", line=tr.row(parts)) if parts else ""


def taken(delay: float, tr: Translator, *, is_exact: bool) -> str:
    """Say how long after what it tells a ring is told: how old its price is, and how long its way took.

    ``delay`` is in seconds, and rounded up; where it is not exact, it is the most that it can have been.
    """
    if delay < _TENTHS_BELOW:
        tenths = max(Decimal(repr(delay)).quantize(Decimal("0.1"), ROUND_UP), Decimal("0.1"))
        time = tr("{seconds} s", seconds=tr.number(tenths))
    elif delay < _SECONDS_BELOW:
        time = tr("{seconds} s", seconds=tr.number(Decimal(ceil(delay))))
    else:
        time = tr.duration(delay)
    return tr("told {time} later", time=time) if is_exact else tr("told within {time}", time=time)
