"""Raw candle rows -> final bars: the door that garbage does not pass.

Pure. A row is refused unless it is a bar of positive, finite prices with ``low <= open, close <= high``.
Minutes without a trade between two candles become flat bars at the close before them, but only where the
exchange surely answered: a minute whose row was refused is unknown, not quiet. What is said of minutes here
holds for candles of any ``span``, in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from bot.metrics import MINUTE, Bar, opening_of

GRACE = 5
"""Seconds after a minute's end until its candle counts as final: late trades are still booked into it."""

PATIENCE = 300
"""Seconds for which a hole is asked for again; an older one is given up, and stays unknown."""

EARLIEST = 1_230_768_000
"""The first second of 2009: no market here is older, so an earlier time is garbage."""

_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that is no candle; ``at`` is its minute where at least that could be read."""

    at: int | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one answer of an exchange says about the minutes from ``since`` on.

    ``bars`` are rising; a hole between two of them is unknown. ``held`` is the opening of a young hole at
    which the reading stopped, to ask again, or ``None``. ``close`` is the last trustworthy close, from which
    a longer silence may be filled. ``good`` and ``refused`` count the rows that were candles, and were not.
    """

    bars: tuple[Bar, ...]
    held: int | None
    close: float | None
    good: int
    refused: int


def final_until(now: float, span: int = MINUTE) -> int:
    """Give the opening of the first minute that is not final at the exchange's instant ``now``."""
    return opening_of(now - GRACE, span)


def parse_row(row: object, now: float, span: int = MINUTE) -> Bar | Refused:
    """Read one ``[ms, open, high, low, close, volume]`` of one minute.

    A time at which no minute opens, before 2009 or more than a minute ahead of ``now`` is no time.
    """
    if not isinstance(row, list | tuple) or len(row) < 6:
        return Refused(None)
    at = _opening(row[0], now, span)
    if at is None:
        return Refused(None)
    prices = [_number(value) for value in row[1:5]]
    volume = 0.0 if row[5] is None else _number(row[5])
    if volume is None or volume < 0 or None in prices:
        return Refused(at)
    opened, high, low, close = (price or 0.0 for price in prices)
    if not 0 < low <= min(opened, close) <= max(opened, close) <= high:
        return Refused(at)
    return Bar(at, opened, high, low, close, volume, span)


def read(
    rows: Iterable[object],
    *,
    since: int,
    stop: int,
    now: float,
    close: float | None = None,
    span: int = MINUTE,
) -> Reading:
    """Turn the rows of one answer into the final minutes of ``[since, stop)``.

    Rows before ``since`` only tell the close before it; rows from ``stop`` on are not final: they are left
    out, and only show that the minutes before them were answered. ``close`` is a close known from an earlier
    answer about the time just before these rows. Nothing is made up after the last candle, nor before the
    first while no close is known.
    """
    good: dict[int, Bar] = {}
    doubtful: set[int] = set()
    has_lost_row = False
    refused = 0
    for row in rows:
        match parse_row(row, now, span):
            case Bar() as bar:
                if good.setdefault(bar.at, bar) != bar:
                    doubtful.add(bar.at)
                    refused += 1
            case Refused(at=None):
                has_lost_row = True
                refused += 1
            case Refused(at=int(at)):
                doubtful.add(at)
                refused += 1

    bars: list[Bar] = []
    expected = since
    known = close
    trusted = 0
    for at in sorted(good.keys() - doubtful):
        bar = good[at]
        if at > expected:
            doubt = has_lost_row or any(trusted <= minute < at for minute in doubtful)
            if known is not None and not doubt:
                quiet = range(expected, min(at, stop), span)
                bars.extend(Bar(minute, known, known, known, known, span=span) for minute in quiet)
            elif now < at + PATIENCE:
                return Reading(tuple(bars), expected, known, len(good), refused)
        if at >= stop:
            break
        if at >= since:
            bars.append(bar)
            expected = bar.end
        known = bar.close
        trusted = bar.end
    if has_lost_row or any(minute >= trusted for minute in doubtful):
        known = None
    return Reading(tuple(bars), None, known, len(good), refused)


def _opening(value: object, now: float, span: int) -> int | None:
    stamp = _number(value)
    if stamp is None or stamp % (span * _MILLISECONDS):
        return None
    at = int(stamp) // _MILLISECONDS
    return at if EARLIEST <= at <= now + MINUTE else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None
