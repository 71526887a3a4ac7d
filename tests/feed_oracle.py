"""What an alert on a touch must tell, by brute force: one loop over the true minutes of whoever shows it.

It knows the language's page on the life of an alert, and nothing of the bot's code. A minute that can be seen
in more than one way (a price that nobody bears out is clipped, and told as a doubt) is several bars: each is
followed. A minute that is gone moves nothing; what would have rung in it must be told to be in reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.metrics import MINUTE, Bar


@dataclass(frozen=True, slots=True)
class Alert:
    """A touch that is waited for: below or above ``level``, once or with a ``cooldown`` in seconds.

    ``first`` is the minute in which it was made; of that one ``price`` was seen, and ``low`` and ``high`` so
    far. Without them nothing was seen, and it waits for its next minute to be clear. ``made`` is the instant
    before which no ring of it can have happened, ``asked`` the one since which the price may have been shown.
    """

    rule: str
    is_below: bool
    level: float
    cooldown: int | None
    first: int
    made: float
    price: float | None = None
    low: float = 0.0
    high: float = 0.0
    asked: float = 0.0

    def is_touched(self, bar: Bar) -> bool:
        """Whether a minute was at some moment beyond the level."""
        return bar.low < self.level if self.is_below else bar.high > self.level

    def is_clear(self, price: float) -> bool:
        """Whether a price is on the other side."""
        return price >= self.level if self.is_below else price <= self.level

    def clipped(self, bar: Bar) -> Bar:
        """Leave of the minute in which it was made what came after: only an excess over what was seen."""
        if self.price is None or bar.at != self.first:
            return bar
        high = bar.high if bar.high > self.high else max(self.price, bar.close)
        low = bar.low if bar.low < self.low else min(self.price, bar.close)
        return Bar(bar.at, self.price, high, low, bar.close)


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of a series as the one in force showed it: each bar that it may be seen as.

    The first bar is the true one. ``is_gone`` says that it was passed unread, ``may_be_gone`` that it was so
    on one side of a restart, on whose other side it was read. ``later`` is what was traded after the making
    of an alert in its first minute: who happened to see it may ring by a print, though the whole minute
    cannot show it. It does nothing else: whoever did not ring knows of the whole minute alone.
    """

    at: int
    bars: tuple[Bar, ...]
    is_gone: bool = False
    may_be_gone: bool = False
    later: tuple[Bar, ...] = ()


@dataclass(slots=True)
class Told:
    """What one alert told: instants of rings, of early rings that were taken back, and of what is no ring.

    ``reaches`` are stretches that may have hidden a touch, ``doubts`` the minutes of unconfirmed prices,
    ``early`` the instants of rings by a print, also of those that were taken back.
    """

    rings: list[float] = field(default_factory=list)
    reaches: list[tuple[int, int]] = field(default_factory=list)
    doubts: list[int] = field(default_factory=list)
    early: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Findings:
    """What comparing came to: ``missed`` and ``false`` are sentences, the rest are counts."""

    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    minutes: int = 0
    rings: int = 0
    silent: int = 0
    in_reach: int = 0
    doubted: int = 0


@dataclass(frozen=True, slots=True)
class _Standing:
    is_armed: bool
    rang_at: float | None = None


def compare(alert: Alert, minutes: Sequence[Minute], told: Told, into: Findings) -> int | None:
    """Compare what one alert told with the minutes from its first on, each once and rising.

    Gives the first minute in which they differ; what comes after it is not looked at.
    """
    rings = sorted(told.rings)
    standings = {_Standing(alert.price is not None and alert.is_clear(alert.price))}
    ringing = 0
    for minute in minutes:
        if minute.at < alert.first:
            continue
        into.minutes += 1
        instant = max(float(minute.at), alert.made)
        rang = ringing < len(rings) and rings[ringing] == instant
        ringing += rang
        is_printed = rang and any(minute.at <= at < minute.at + MINUTE for at in told.early)
        bars = [*map(alert.clipped, minute.bars), *(minute.later if is_printed else ())]
        true, *others = [[_after(alert, one, bar, instant) for one in standings] for bar in bars]
        is_due = all(rings_now for rings_now, _ in true)
        is_told = any(since <= minute.at < until for since, until in told.reaches)
        if minute.is_gone:
            if rang:
                into.false.append(_story(alert, minute, "rang in a minute that nobody read"))
                return minute.at
            if is_due and not is_told:
                into.missed.append(_story(alert, minute, "touched in a minute that is gone, and not told"))
                return minute.at
            into.in_reach += is_due
            continue
        fitting = {
            after for outcomes in (true, *others) for rings_now, after in outcomes if rings_now == rang
        }
        if minute.may_be_gone and not rang and (is_told or not is_due):
            standings |= fitting
            into.in_reach += is_due
            continue
        if not fitting:
            if rang:
                into.false.append(_story(alert, minute, "rang"))
            else:
                into.missed.append(
                    _story(alert, minute, f"is silent; its next ring is {rings[ringing:][:1]}")
                )
            return minute.at
        if is_due and not rang and all(one.is_armed for one in standings):
            is_told = any(abs(at - minute.at) <= _DOUBTED for at in told.doubts) or any(
                minute.at <= at < minute.at + 2 * MINUTE for at in told.early
            )
            if not is_told and not any(0 < at - minute.at <= _DOUBTED for at in rings):
                into.missed.append(_story(alert, minute, "touched at a price that is doubted, and not told"))
                return minute.at
            into.doubted += 1
        into.rings += rang
        standings = fitting
    if ringing < len(rings):
        into.false.append(f"{alert.rule}: rang at {rings[ringing:]}, in no minute of its own")
    into.silent += not rings
    return None


_DOUBTED = 6 * MINUTE
"""A jump that nobody bears out becomes the price some minutes later; its doubt is of the first of them."""


def _after(alert: Alert, before: _Standing, bar: Bar, instant: float) -> tuple[bool, _Standing]:
    """Say whether an alert rings in a minute, and how it stands after it."""
    is_spent = alert.cooldown is None and before.rang_at is not None
    is_cooling = before.rang_at is not None and bar.at < before.rang_at + (alert.cooldown or 0)
    was_clear = before.is_armed or alert.is_clear(bar.open)
    if alert.is_touched(bar) and was_clear and not is_spent and not is_cooling:
        return True, _Standing(alert.is_clear(bar.close), instant)
    best = bar.high if alert.is_below else bar.low
    return False, _Standing(before.is_armed or alert.is_clear(best), before.rang_at)


def _story(alert: Alert, minute: Minute, what: str) -> str:
    bars = " or ".join(f"{bar.low}..{bar.high}" for bar in minute.bars)
    return f"{alert.rule}: {what} at {minute.at} ({bars})"
