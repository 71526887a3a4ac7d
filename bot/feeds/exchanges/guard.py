"""Whether a price can be trusted, by what was trusted before it. Pure.

A price is suspect when it lies further from what was trusted last than the instrument moves in that time:
beyond ``max(3%, 8 x the average range of a minute in the last hour)``, times the square root of the minutes
since, as prices wander, and in any case beyond a factor of two. Binance.US showed Bitcoin at 8,200 beside
65,000 (21 October 2021), Binance ATOM at 0.001 beside 3 (11 October 2025): such prices are suspect in any
market and after any silence. Minutes in which Bitcoin truly moves by more than 3% are rare, and the minutes
of a lively small coin widen its own bound; where one does go beyond, a second source is asked, and that is
all that a true crash costs.

What a second source bears out is trusted whole. What none bears out moves nothing: a print is withheld, a bar
is clipped to what is trusted, and a Doubt tells of it. Nothing is refused for ever: a price at which three
minutes in a row were traded is trusted without anybody else's word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, log, sqrt
from typing import TypeVar

from bot.metrics import MINUTE, Bar, Doubt, MetricKey, Print, minute_of

LEAST_BOUND = 0.03
SWINGS = 8.0
MOST_BOUND = log(2)
"""Bounds are distances between logarithms, so that a fall and the rise that undoes it are equally far."""

AGREEMENT = 0.25
"""A second source agrees if it misses at most this share of the jump: what counts is that it jumped too."""

PERSISTENCE = 3
"""So many minutes in a row that were traded at a price make it the price."""

PATIENCE = 3.0
"""Seconds for which a print that is not borne out may still be: in a true crash others follow by a moment."""

_HOUR = 60
"""Minutes over which ranges are averaged, the older ones fading out; before there are any, the least bound
is as good a guess."""
_REMEMBERED = 16
_VERDICTS = 512
"""Minutes of which prints, and of which verdicts are kept: minutes may come again until they are judged."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Range:
    """The prices from ``low`` to ``high``."""

    low: float
    high: float

    def apart(self, price: float) -> float:
        """Give how far a price lies outside, between logarithms; 0 for one inside."""
        return max(0.0, log(self.low / price), log(price / self.high))

    def to(self, *prices: float) -> Range:
        """Stretch it to prices."""
        low, high = min((self.low, *prices)), max((self.high, *prices))
        return self if low == self.low and high == self.high else Range(low, high)

    def clamp(self, price: float) -> float:
        """Give the nearest price inside."""
        return min(max(price, self.low), self.high)


@dataclass(frozen=True, slots=True)
class Showing:
    """What a second source showed at the time in question; ``source`` is its name for people."""

    source: str
    reach: Range

    def __str__(self) -> str:
        ends = dict.fromkeys((written(self.reach.low), written(self.reach.high)))
        return f"{self.source} shows {' to '.join(ends)}"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A price that waits for a second source: ``value`` at ``at``, beside what is trusted."""

    key: MetricKey
    value: float
    trusted: Range
    at: float

    @property
    def jump(self) -> float:
        """How far the value lies from what is trusted, between logarithms."""
        return self.trusted.apart(self.value)

    def concerns(self, showing: Showing) -> bool:
        """Whether a showing is about the same thing at all, and not about another of the same name."""
        nearest = self.trusted.to(self.value)
        other = showing.reach
        return max(log(nearest.low / other.high), log(other.low / nearest.high)) <= self.jump

    def is_borne_out(self, showing: Showing) -> bool:
        """Whether a showing goes as far as the value, or nearly, or further."""
        if not self.concerns(showing):
            return False
        reach = showing.reach
        shown = self.trusted.to(reach.low, reach.high)
        return shown.apart(self.value) <= AGREEMENT * self.jump


Heard = Sequence[Showing]
"""What those who were asked about one moment say; empty if nobody can say anything."""


def written(price: float) -> str:
    """Write a price for people."""
    return f"{price:,.2f}" if price >= 1000 else f"{price:.6g}"


@dataclass(slots=True)
class Guard:
    """Judge the bars and prints of one series, look by look, in their order.

    ``is_named`` says that the rule names the exchange: then its final bars stand as they are, because no
    other exchange counts, and for its prints there is only its own order book to be compared with. A minute
    that comes again gets the verdict that it got. What nobody was asked about yet comes back as a Suspicion,
    and leaves everything as it was.
    """

    key: MetricKey
    source: str
    is_named: bool = False
    _now: float = 0.0
    _close: float | None = None
    _closed_at: int = 0
    _newest: int = 0
    _price: float | None = None
    _priced_at: float = 0.0
    _is_founded: bool = False
    _swing: float = LEAST_BOUND / SWINGS
    _reached: dict[int, Range] = field(default_factory=dict)
    _traded: dict[int, Range] = field(default_factory=dict)
    _settled: dict[int, Bar] = field(default_factory=dict)
    _refused: dict[int, float] = field(default_factory=dict)
    _told: dict[int, Range] = field(default_factory=dict)
    _unconfirmed: Doubt | None = None
    _unconfirmed_at: float = 0.0
    _due: list[Doubt] = field(default_factory=list)

    def begin(self, now: float, since: int, close: float | None) -> None:
        """Begin a look at ``now`` for the minutes from ``since`` on; ``close`` is the price before them."""
        self._now = now
        if close is None:
            return
        self._found()
        knows_better = self._closed_at < since <= self._priced_at + MINUTE
        if since != self._closed_at and not knows_better:
            self._close, self._closed_at = close, since
        if since > self._priced_at:
            self._price, self._priced_at = close, since

    def doubts(self) -> tuple[Doubt, ...]:
        """End the look: give what is to be told now, each price of a minute once."""
        one = self._unconfirmed
        if one is not None and self._now >= self._unconfirmed_at + PATIENCE:
            self._unconfirmed = None
            self._doubt(one, one.value if self._price is None else self._price)
        due, self._due = tuple(self._due), []
        return due

    # --- bars ---------------------------------------------------------------------------------------------

    def judge(self, bar: Bar, ahead: Sequence[Bar], heard: Heard | None) -> Bar | Suspicion:
        """Give a final bar as far as it is trusted; ``ahead`` are the bars that are known to follow it."""
        known = bar if self.is_named else self._settled.get(bar.at)
        if known is None:
            found = self._examine(bar, ahead, heard)
            if isinstance(found, Suspicion):
                return found
            known = found
        self._follow(known)
        return known

    def _examine(self, bar: Bar, ahead: Sequence[Bar], heard: Heard | None) -> Bar | Suspicion:
        # A fall in a minute's last second is seen in the first second of the next one.
        trusted, known_at = self._around(bar, bar.end)
        near, far = self._bound(bar.span), self._bound(bar.end - known_at)

        jump = Suspicion(self.key, bar.close, trusted, bar.at)
        is_close_good = jump.jump <= far or self._persists(bar, ahead, near)
        if not is_close_good:
            if heard is None:
                return jump
            is_close_good = any(map(jump.is_borne_out, heard))
        if is_close_good:
            trusted = trusted.to(bar.close)
        suspect = [
            one
            for value in (bar.low, bar.high)
            if (one := Suspicion(self.key, value, trusted, bar.at)).jump > near
        ]
        if heard is None and suspect:
            return max(suspect, key=lambda one: one.jump)
        doubted = [one for one in suspect if not any(map(one.is_borne_out, heard or ()))]
        known = bar
        if doubted or not is_close_good:
            inside, _ = self._around(bar, bar.at)
            inside = inside.to(bar.close) if is_close_good else inside
            known = self._clip(bar, inside, doubted, heard or (), is_close_good)
        elif bar.volume > 0:
            self._refused = {}
        if heard is not None:
            self._settled = _keep(self._settled, bar.at, known, _VERDICTS)
        return known

    def _around(self, bar: Bar, last: int) -> tuple[Range, int]:
        """Give what was trusted before a bar and up to the minute ``last``, and since when that is known."""
        base = self._close if bar.at >= self._closed_at else None
        has_gap = base is not None and bar.at > self._closed_at
        first = bar.at - MINUTE if has_gap else bar.at
        printed = [reach for minute, reach in self._vouching.items() if first <= minute <= last]
        if has_gap and printed:
            start, known_at = printed[0], first
        else:
            close = bar.close if base is None else base
            start, known_at = Range(close, close), self._closed_at
        return start.to(*(price for reach in printed for price in (reach.low, reach.high))), known_at

    def _clip(
        self, bar: Bar, trusted: Range, doubted: Sequence[Suspicion], heard: Heard, is_close_good: bool
    ) -> Bar:
        """Clip a bar to what is trusted, and doubt the rest.

        Where a second source jumps part of the way, the bar goes as far: that much is shown by two. What it
        shows within the bound is no jump, and may be no more than how far two exchanges usually differ.
        """
        bound = self._bound(bar.span)
        whole, doubtful = Range(bar.low, bar.high), {one.value for one in doubted}
        # What was shown a little later than it was traded is not in the bar, where that is trusted.
        least, most = (-inf if bar.low in doubtful else bar.low), (inf if bar.high in doubtful else bar.high)
        reached = self._traded.get(bar.at) if self._is_founded else None
        if reached is not None:
            inner = Range(least, most)
            reached = Range(inner.clamp(reached.low), inner.clamp(reached.high))
        kept = trusted.to(*(value for value in (bar.low, bar.high) if value not in doubtful))
        if trusted.apart(bar.open) <= bound:
            kept = kept.to(bar.open)
        borne_out: list[float] = []
        for one in doubted:
            said = [showing for showing in heard if one.concerns(showing)]
            shown = [price for each in said for price in (each.reach.low, each.reach.high)]
            borne_out += [whole.clamp(price) for price in shown if trusted.apart(price) > bound]
            doubt = Doubt(self.key, one.value, bar.at, self.source, reason_of(said))
            self._doubt(doubt, trusted.clamp(one.value))
        opened, close = kept.to(*borne_out).clamp(bar.open), bar.close
        if not is_close_good:
            close = trusted.clamp(bar.open) if reached is None else reached.clamp(bar.close)
            if bar.volume > 0:
                self._refused = _keep(self._refused, bar.at, bar.close)
        # What was trusted before the minute need not have been traded in it.
        sure = Range(opened, opened).to(close, *borne_out, *((reached.low, reached.high) if reached else ()))
        high = sure.high if bar.high in doubtful else max(bar.high, sure.high)
        low = sure.low if bar.low in doubtful else min(bar.low, sure.low)
        return Bar(bar.at, opened, high, low, close, bar.volume, bar.span)

    def _persists(self, bar: Bar, ahead: Sequence[Bar], near: float) -> bool:
        """Whether some minutes in a row were traded at a bar's price; silence between them says nothing."""
        traded = (bar, *ahead[: PERSISTENCE - 1])
        closes = self._refused | {one.at: one.close for one in traded if one.volume > 0}
        level = Range(bar.close, bar.close)
        count = 0
        for _, close in sorted(closes.items()):
            count = 0 if level.apart(close) > near else count + 1
            if count == PERSISTENCE:
                return True
        return False

    def _follow(self, bar: Bar) -> None:
        """Take a trusted bar for what the next is compared with."""
        self._found()
        self._close, self._closed_at = bar.close, bar.end
        if bar.end <= self._newest:
            return
        self._newest = bar.end
        width = log(bar.high / bar.low) / sqrt(max(1.0, bar.span / MINUTE))
        self._swing += (width - self._swing) / _HOUR
        if bar.end > self._priced_at:
            self._price, self._priced_at = bar.close, bar.end
        self._bear_out(bar.at, Range(bar.low, bar.high))

    # --- prints -------------------------------------------------------------------------------------------

    def weigh(self, one: Print, heard: Heard | None) -> Print | Suspicion | None:
        """Give a print if it is trusted, and ``None`` for one that nobody bears out.

        The first price of a series of which nothing is known has nothing to be compared with: it is given,
        and vouches for nothing in its bar. One that may have gone so far only since long nothing was seen is
        asked about; where nobody can say anything, it is given, and vouches for nothing either: by the
        minutes between, its bar is compared more closely.
        """
        price = one.value if self._price is None else self._price
        trusted = self._reached.get(minute_of(one.at), Range(price, price)).to(price)
        jump = Suspicion(self.key, one.value, trusted, one.at)
        is_sure = jump.jump <= self._bound(MINUTE)
        if not is_sure:
            if heard is None:
                return jump
            is_sure = any(map(jump.is_borne_out, heard))
            said = [showing for showing in heard if jump.concerns(showing)]
            if not is_sure and (said or jump.jump > self._bound(one.at - self._priced_at)):
                self._withhold(jump, said)
                return None
        minute = minute_of(one.at)
        reach = self._reached.get(minute, Range(one.value, one.value)).to(one.value)
        if is_sure:
            self._reached = _keep(self._reached, minute, reach)
            if minute_of(one.since) == minute:  # else it may have been traded in the minute before
                inside = self._traded.get(minute, Range(one.value, one.value)).to(one.value)
                self._traded = _keep(self._traded, minute, inside)
        if one.at >= self._priced_at:
            self._price, self._priced_at = one.value, one.at
        self._bear_out(minute, reach)
        return one

    def _withhold(self, jump: Suspicion, said: Heard) -> None:
        """Keep a print back, to be told if nobody bears it out soon."""
        before = self._unconfirmed
        if before is not None and minute_of(before.at) == minute_of(jump.at):
            if jump.trusted.apart(before.value) >= jump.jump:
                return
        else:
            self._unconfirmed_at = self._now
            if before is not None:
                self._doubt(before, jump.trusted.clamp(before.value))
        self._unconfirmed = Doubt(self.key, jump.value, jump.at, self.source, reason_of(said))

    def _found(self) -> None:
        """Note that something is known to compare with; prints of before that go on vouching for nothing."""
        if not self._is_founded:
            self._is_founded, self._reached, self._traded = True, {}, {}

    @property
    def _vouching(self) -> Mapping[int, Range]:
        """How far the prints of each minute went, of those that count in its bar."""
        return self._reached if self._is_founded else {}

    # --- what both need -----------------------------------------------------------------------------------

    def _bound(self, seconds: float) -> float:
        """Give how far the price may go in some seconds without being suspect."""
        usual = max(LEAST_BOUND, SWINGS * self._swing)
        return min(MOST_BOUND, usual * sqrt(max(1.0, seconds / MINUTE)))

    def _bear_out(self, minute: int, reach: Range) -> None:
        """Forget a print that waits to be told, if its minute is now known to have gone there."""
        one = self._unconfirmed
        if one is not None and minute_of(one.at) <= minute and reach.apart(one.value) <= LEAST_BOUND:
            self._unconfirmed = None

    def _doubt(self, doubt: Doubt, trusted: float) -> None:
        """Have a price told, unless as much of its minute was told already."""
        minute = minute_of(doubt.at)
        told = self._told.get(minute)
        if told is None or told.apart(doubt.value) > 0:
            reach = (told or Range(trusted, trusted)).to(doubt.value)
            self._told = _keep(self._told, minute, reach, _VERDICTS)
            self._due.append(doubt)


def reason_of(heard: Heard) -> str:
    """Say who was asked and what they show, as a part of a sentence."""
    return " and ".join(map(str, heard)) or "no second source can say"


def _keep(known: dict[int, Value], minute: int, value: Value, most: int = _REMEMBERED) -> dict[int, Value]:
    """Note a value of a minute, and forget the oldest minutes."""
    newer = {**known, minute: value}
    if minute in known:
        return newer
    return {one: newer[one] for one in sorted(newer)[-most:]}
