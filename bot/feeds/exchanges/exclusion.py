"""What the extremes of a day exclude: a touch, exactly, where they stay in the band that concerns nobody.

Pure. That there was a touch they cannot show, for they do not say when.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.feeds.exchanges.quotes import Quote
from bot.metrics import MINUTE, Bounds, Want, minute_of

MARGIN = MINUTE
"""Seconds that the newest part of a day's extremes is not relied on: exchanges reckon them now and then."""

STALE = 2 * MINUTE
"""Seconds after which extremes that did not move on are old, and exclude nothing."""

_DAY = 86_400
_EDGE = 10 * MINUTE
"""Seconds at the far end of a day that are not relied on either."""


@dataclass(frozen=True, slots=True)
class Day:
    """The extremes of the 24 hours that end at ``until``, by the exchange's clock."""

    low: float
    high: float
    until: float

    def scaled(self, ratio: float) -> Day:
        """Give them as they are where another exchange stands in."""
        return Day(self.low * ratio, self.high * ratio, self.until)


def day_of(quote: Quote | None, covered: float, now: float) -> Day | None:
    """Read a day's extremes, or ``None`` where there are none, or none that can be true.

    ``covered`` is the instant up to which the answer surely speaks, ``now`` that of the question; a quote
    with a time of its own speaks no further than that.
    """
    if quote is None:
        return None
    price, low, high, stamp = quote.price, quote.low, quote.high, quote.at
    until = covered if stamp is None else min(covered, stamp / 1000)
    if low is None or high is None or not low <= price <= high or until < now - STALE:
        return None
    return Day(low, high, until)


def is_excluded(want: Want, day: Day) -> bool:
    """Whether nothing that concerns anybody was traded since the first minute that is wanted."""
    return day.until - _DAY + _EDGE <= want.since and want.floor < day.low and day.high < want.ceiling


def bounds_of(want: Want, day: Day, source: str) -> Bounds | None:
    """Give what an excluding day says of the minutes that are wanted; ``None`` while it adds none."""
    until = minute_of(day.until - MARGIN)
    return Bounds(want.key, want.since, until, day.low, day.high, source) if until > want.since else None


def is_worth(candidates: int, of_candles: float, of_prices: float, of_days: float) -> bool:
    """Whether a day's extremes of everything cost less than the candles that they may spare."""
    return of_days - of_prices < candidates * of_candles


def may_be_excluded(want: Want, price: float | None, day: Day | None) -> bool:
    """Whether it is likely that extremes exclude: by the price, and by the extremes that were last read."""
    if price is not None and not want.floor < price < want.ceiling:
        return False
    return want.floor < want.ceiling and (day is None or (want.floor < day.low and day.high < want.ceiling))
