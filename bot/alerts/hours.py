"""Times of day on a chat's clock: its quiet hours, and when its reports are due. Pure.

A clock that is put forward leaves times out, and one that is put back shows times twice. A time that is left
out is the first instant after the gap. Quiet hours begin the first time that the clock shows their beginning
and end the last time that it shows their end; a report is due the first time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bot.rules.zone import zone_of

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 86_400.0
WEEK = 7 * DAY

_TIME = re.compile(r"([01]?\d|2[0-3])(?::([0-5]\d))?(?:\s*([ap])m)?", re.ASCII)
_APART = re.compile(r"[\s,;]+(?![^()]*\))")
_NOON = 12
_EVERY = re.compile(r"^every (?:(day)|(mon|tue|wed|thu|fri|sat|sun)[a-z]*) ")
_AT = re.compile(r"^(daily|weekly [a-z]+) at ")


@dataclass(frozen=True, slots=True)
class Quiet:
    """Quiet hours: from and to a minute of the day, over midnight where the first is the later."""

    start: int
    end: int

    def __str__(self) -> str:
        return f"{_shown(self.start)}-{_shown(self.end)}"

    def ends_at(self, zone: str, now: float) -> float | None:
        """Give the instant at which the quiet of now ends; ``None`` if it is not quiet."""
        today = _local(zone, now).date()
        ends = []
        for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
            last = day + timedelta(days=1) if self.end < self.start else day
            if _instant(zone, day, self.start) <= now < (end := _instant(zone, last, self.end, fold=1)):
                ends.append(end)
        return max(ends, default=None)


@dataclass(frozen=True, slots=True)
class Plan:
    """When reports are told: at a minute of every day, or of the days of one ``weekday`` (Monday is 0).

    ``series`` are what they tell of, as rules write it, without spaces; none: what the chat's alerts read.
    """

    minute: int
    weekday: int | None = None
    series: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.times, *self.series))

    @property
    def times(self) -> str:
        """When they are told, as it is written: ``weekly mon 09:00``."""
        if self.weekday is None:
            return f"daily {_shown(self.minute)}"
        return f"weekly {WEEKDAYS[self.weekday]} {_shown(self.minute)}"

    @property
    def span(self) -> float:
        """How many seconds a report looks back."""
        return DAY if self.weekday is None else WEEK

    def next_after(self, zone: str, now: float) -> float:
        """Give the next instant at which a report is due, after now."""
        day = _local(zone, now).date() - timedelta(days=1)
        while True:
            at = _instant(zone, day, self.minute)
            if at > now and self.weekday in (None, day.weekday()):
                return at
            day += timedelta(days=1)


def read_quiet(text: str) -> Quiet | None:
    """Read quiet hours, as ``23:00-07:00`` or ``23-7``; ``None`` for what is none, or lasts all day."""
    start, dash, end = re.sub(r"\s*(?:-|–|—|to|until)\s*", "-", text.strip().lower()).partition("-")
    first, last = read_minute(start), read_minute(end)
    return Quiet(first, last) if dash and first is not None and last is not None and first != last else None


def quiet_until(text: str, zone: str, now: float) -> float | None:
    """Say until when quiet hours last, as they are written; ``None`` where none are set, or it is none."""
    quiet = read_quiet(text) if text else None
    return quiet.ends_at(zone, now) if quiet else None


def read_plan(text: str) -> Plan | None:
    """Read a plan, as ``daily 09:00`` or ``weekly mon 09:00 btc eth``; ``None`` for what is none."""
    said = re.sub(r"(?<=\d)\s+(?=[ap]m\b)", "", " ".join(text.lower().split()))
    said = _EVERY.sub(lambda found: "daily " if found[1] else f"weekly {found[2]} ", said)
    said = _AT.sub(r"\1 ", said)
    match said.split(maxsplit=2):
        case ["daily", time, *rest] if (minute := read_minute(time)) is not None:
            return Plan(minute, series=read_series(" ".join(rest)))
        case ["weekly", day, rest] if day[:3] in WEEKDAYS:
            time, _, of = rest.partition(" ")
            if (minute := read_minute(time)) is not None:
                return Plan(minute, WEEKDAYS.index(day[:3]), read_series(of))
    return None


def read_series(text: str) -> tuple[str, ...]:
    """Part what a report is to tell of: ``btc, etf_flow(btc)``, each without spaces and once."""
    return tuple(dict.fromkeys("".join(one.split()) for one in _APART.split(text.strip()) if one))


def read_minute(text: str) -> int | None:
    """Read a time of day, as ``9``, ``9:30``, ``09:30`` or ``9pm``, into a minute of the day."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    hour, half = int(found[1]), found[3]
    if half:
        if not 1 <= hour <= _NOON:
            return None
        hour = hour % _NOON + (_NOON if half == "p" else 0)
    return hour * 60 + int(found[2] or 0)


def _shown(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _local(zone: str, at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone(zone_of(zone))


def _instant(zone: str, day: date, minute: int, fold: int = 0) -> float:
    """Give the instant at which a clock shows a time: of two the first, or with ``fold`` the last."""
    place = zone_of(zone)
    shown = datetime(day.year, day.month, day.day, minute // 60, minute % 60, fold=fold, tzinfo=place)
    at = shown.timestamp()
    if _local(zone, at).replace(tzinfo=None) == shown.replace(tzinfo=None):
        return at
    # In a gap the two readings lie on both sides of it: it ends where the clock first shows more than asked.
    low, high = (int(shown.replace(fold=one).timestamp()) for one in (1, 0))
    while high - low > 1:
        middle = (low + high) // 2
        if _local(zone, middle).replace(tzinfo=None) < shown.replace(tzinfo=None):
            low = middle
        else:
            high = middle
    return float(high)
