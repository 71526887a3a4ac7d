"""Where a chart's axes are marked, and how: few marks, at round prices and at round times. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.alerts.translator import write_date
from bot.metrics import Bar
from bot.rules.zone import zone_of

Marks = list[tuple[int, str]]
"""The opening of a bar, and what is written below it."""

_HOUR, _DAY = 3600, 86_400
_STEPS = (300, 600, 900, 1800, _HOUR, 2 * _HOUR, 3 * _HOUR, 4 * _HOUR, 6 * _HOUR, 12 * _HOUR)
_DAYS = (1, 2, 3, 5, 7, 10, 14)
_MONTHS = (1, 2, 3, 6, 12, 24, 60)
_MOST_TIMES = 6
_MOST_PRICES = 6


@dataclass(frozen=True, slots=True)
class Prices:
    """The marks of a price axis; ``digits`` is how many stand behind the point."""

    places: tuple[float, ...]
    digits: int

    def write(self, price: float) -> str:
        """Write a price as the axis does: ``98,700``."""
        return f"{price:,.{self.digits}f}"


def price_marks(low: float, high: float, most: int = _MOST_PRICES) -> Prices:
    """Mark the round prices between two, at most so many."""
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    if round(step, digits) != step and digits < 12:
        digits += 1
    return Prices(tuple(number * step for number in range(first, last + 1)), digits)


def write_exactly(price: float, extent: float) -> str:
    """Write a price as finely as a chart of such a range of prices shows it."""
    digits = max(0, -math.floor(math.log10(extent / 200)))
    return f"{price:,.{digits}f}"


def time_marks(bars: Sequence[Bar], span: int, timezone: str, language: str = "en") -> Marks:
    """Mark round times on the clock of a time zone: the opening of a bar, and how it is written.

    Where a day begins, its date is written; a chart within a day names the time alone.
    """
    zone = zone_of(timezone)
    if span >= _DAY:  # such bars are days of UTC, wherever the person is
        zone = UTC
    moments = [datetime.fromtimestamp(bar.at, zone) for bar in bars]
    length = bars[-1].at - bars[0].at
    for step in _STEPS:
        if step >= span and length / step <= _MOST_TIMES:
            return _of_day(bars, moments, step, language)
    for days in _DAYS:
        if length / (days * _DAY) <= _MOST_TIMES:
            return _of_days(bars, moments, days, language)
    months = next((one for one in _MONTHS if length / (one * 30.4 * _DAY) <= _MOST_TIMES), _MONTHS[-1])
    return _of_months(bars, moments, months, language)


def _of_day(bars: Sequence[Bar], moments: Sequence[datetime], step: int, language: str) -> Marks:
    marks = []
    for bar, moment in zip(bars, moments, strict=True):
        second = moment.hour * _HOUR + moment.minute * 60
        if second % step == 0:
            marks.append((bar.at, write_date(moment, language) if second == 0 else f"{moment:%H:%M}"))
    return marks


def _of_days(bars: Sequence[Bar], moments: Sequence[datetime], days: int, language: str) -> Marks:
    return [
        (bar.at, write_date(moment, language))
        for bar, moment, before in _with_before(bars, moments)
        if moment.date() != before.date() and moment.toordinal() % days == 0
    ]


def _of_months(bars: Sequence[Bar], moments: Sequence[datetime], months: int, language: str) -> Marks:
    return [
        (bar.at, write_date(moment, language, "y" if moment.month == 1 else "MMM"))
        for bar, moment, before in _with_before(bars, moments)
        if moment.month != before.month and (moment.year * 12 + moment.month - 1) % months == 0
    ]


def _with_before(bars: Sequence[Bar], moments: Sequence[datetime]) -> list[tuple[Bar, datetime, datetime]]:
    before = [moments[0] - timedelta(seconds=bars[0].span), *moments[:-1]]
    return list(zip(bars, moments, before, strict=True))
