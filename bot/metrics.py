"""What can be measured, and the values that were.

All instants are epoch seconds in UTC. The opening of a minute is an ``int`` divisible by 60; the instant of
a print or an arrival is a ``float``. Prices are floats in their quote currency: the exact decimal of a level
stays with the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from math import inf

MINUTE = 60

_WEEK = 604_800
_FIRST_MONDAY = 345_600


def minute_of(at: float) -> int:
    """Give the opening of the minute that holds the instant ``at``."""
    return int(at // MINUTE) * MINUTE


def opening_of(at: float, span: int) -> int:
    """Give the opening of the bar of ``span`` seconds that holds an instant: in UTC, weeks from Monday."""
    phase = _FIRST_MONDAY if span % _WEEK == 0 else 0
    return int((at - phase) // span) * span + phase


@dataclass(frozen=True, slots=True, order=True)
class MetricKey:
    """One metric of one instrument, on one venue or on whichever venue the deployment watches.

    ``instrument`` is the unified name in lower case, with its quote: ``btc/usdt``, ``btc/usdt:usdt`` for the
    perpetual. ``venue`` is the exchange that a rule names (``kraken``), or empty where the choice is left to
    the deployment.
    """

    metric: str
    instrument: str
    venue: str = ""

    def __hash__(self) -> int:
        return hash(self.instrument)  # few keys share one, and judging asks for this more than for all else

    def __str__(self) -> str:
        name = f"{self.instrument}@{self.venue}" if self.venue else self.instrument
        return name if self.metric == "price" else f"{self.metric}({name})"


@dataclass(frozen=True, slots=True)
class Bar:
    """The prices of one final minute ``[at, at + span)``: validated at the feed's door.

    ``span`` is 60 seconds, except where history exists only in coarser bars: then it is one long minute.
    ``volume`` is in the base currency. Invariant: ``0 < low <= open, close <= high``, all finite.
    """

    at: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    span: int = MINUTE

    @property
    def end(self) -> int:
        """The first instant after the bar."""
        return self.at + self.span


def point(price: float, at: int) -> Bar:
    """Read a single price as a minute in which nothing else was traded."""
    return Bar(at, price, price, price, price)


def runs(bars: Sequence[Bar]) -> list[tuple[Bar, ...]]:
    """Split rising bars at their holes."""
    if not bars:
        return []
    holes = (place for place, (before, after) in enumerate(pairwise(bars), 1) if before.end != after.at)
    return [tuple(bars[start:end]) for start, end in pairwise((0, *holes, len(bars)))]


def join(bars: Iterable[Bar], span: int, phase: int | None = None) -> Iterator[Bar]:
    """Join rising bars into longer ones of ``span`` seconds; one that is not known throughout is left out.

    They open where ``opening_of`` says, or at the instants that leave ``phase`` when divided by ``span``.
    """
    parts: list[Bar] = []
    opening = 0
    for bar in bars:
        if parts and bar.at != parts[-1].end:
            parts = []
        if not parts:
            opening = opening_of(bar.at, span) if phase is None else bar.at - (bar.at - phase) % span
            if bar.at != opening:
                continue
        parts.append(bar)
        if bar.end >= opening + span:
            if bar.end == opening + span:
                yield _joined(parts, span)
            parts = []


def _joined(parts: Sequence[Bar], span: int) -> Bar:
    high, low = max(part.high for part in parts), min(part.low for part in parts)
    volume = sum(part.volume for part in parts)
    return Bar(parts[0].at, parts[0].open, high, low, parts[-1].close, volume, span)


_SHOWN = 5
"""Seconds for which a last price may be shown that was traded before."""


@dataclass(frozen=True, slots=True)
class Print:
    """A single price of a minute that is not final yet. It may tell a ring early; it never moves state.

    ``at`` is when it was shown, or, where ``is_traded``, the instant of the trade itself.
    """

    key: MetricKey
    value: float
    at: float
    source: str = ""
    is_traded: bool = False

    @property
    def since(self) -> float:
        """The instant before which it was not traded."""
        return self.at if self.is_traded else self.at - _SHOWN


@dataclass(frozen=True, slots=True)
class Bars:
    """Final minutes of one key, rising and without a hole: each bar opens where the one before it ends.

    A minute without a trade is a flat bar at the close before it. A run that opens later than what is known
    so far leaves a gap, and the gap is unknown. ``asked`` is since when minutes were asked for: only to
    whoever knows all before that does the run say that those between are not to be had.
    """

    key: MetricKey
    bars: tuple[Bar, ...]
    source: str = ""
    asked: int = 0

    def __post_init__(self) -> None:
        for before, after in pairwise(self.bars):
            if before.end != after.at:
                raise ValueError(f"{self.key}: a bar opens at {after.at}, not at {before.end}")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of a price over ``[since, until)`` whose minutes were not read: nothing was traded outside them.

    They prove what was not touched, and say whose level lay in reach; what was touched, and when, they do not
    tell. They come from coarser bars where the minutes are gone, and from an exchange's extremes of a day.
    """

    key: MetricKey
    since: int
    until: int
    low: float
    high: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A price that one source shows and no second one bears out: it is told once as such, and moves nothing.

    ``reason`` is the part of a sentence that says who was asked and what they show.
    """

    key: MetricKey
    value: float
    at: float
    source: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unseen:
    """A series that a look was asked for and could not see; ``reason`` is a sentence without full stop."""

    key: MetricKey
    reason: str


@dataclass(frozen=True, slots=True)
class Observation:
    """A value of a metric that comes now and then, such as a day's flow of funds.

    ``as_of`` is what it is about: an instant, or the UTC midnight that begins a session's date. ``value`` is
    exactly what was said, in the unit that the metric's function names. ``known_at`` is when it arrived.
    ``revision`` counts the words about one ``as_of`` from 0; one that is not final may change. ``pending``
    names what has not reported yet, such as single funds.
    """

    key: MetricKey
    as_of: int
    value: Decimal
    known_at: float
    is_final: bool = True
    revision: int = 0
    source: str = ""
    pending: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What was already seen of the running minute at an instant, so that only an excess counts later.

    ``bar`` is that minute's unfinished bar; its close is the price at the instant ``at``. ``home`` is the
    exchange at whose level it is.
    """

    at: float
    bar: Bar
    home: str = field(default="", compare=False)

    @property
    def price(self) -> float:
        """The price at the instant."""
        return self.bar.close


@dataclass(frozen=True, slots=True)
class Batch:
    """What one look of one feed brought, in the order to judge it: final minutes, then single prices.

    ``bounds`` stand where minutes were not read or are gone; those of a key and its bars follow one another
    in time. ``doubts`` are told and judge nothing, ``unseen`` are the series that could not be looked at.
    ``is_streamed`` says that the prints came by themselves, and were not asked for; ``has_more`` that the
    next batch is of the same look.
    """

    source: str
    at: float
    bars: tuple[Bars, ...] = ()
    prints: tuple[Print, ...] = ()
    observations: tuple[Observation, ...] = ()
    bounds: tuple[Bounds, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    is_streamed: bool = False
    has_more: bool = False

    def parts(self, most: int) -> Iterator[Batch]:
        """Cut a batch into what is final of ``most`` series each, and the rest of it with the last of them.

        Final minutes mean the same whenever they come. What else a look brought is of one moment.
        """
        final: list[Bars | Bounds] = [*self.bars, *self.bounds]
        places = {key: place // most for place, key in enumerate(dict.fromkeys(one.key for one in final))}
        last = max(places.values(), default=0)
        for place in range(last + 1):
            bars = tuple(run for run in self.bars if places[run.key] == place)
            bounds = tuple(one for one in self.bounds if places[one.key] == place)
            if place < last:
                yield Batch(self.source, self.at, bars, bounds=bounds, has_more=True)
            else:
                yield replace(self, bars=bars, bounds=bounds)

    def keys(self) -> Iterator[MetricKey]:
        """Name every key that the batch says something about; a key may come twice."""
        yield from (run.key for run in self.bars)
        yield from (one.key for one in self.prints)


@dataclass(frozen=True, slots=True)
class Close:
    """The last price of a series before an instant: shown at ``at``, by ``source``.

    ``home`` is the exchange that the series belongs to, at whose level all its prices are.
    """

    at: float
    price: float
    source: str = ""
    home: str = ""


@dataclass(frozen=True, slots=True)
class Want:
    """What the judging of one key needs from its feed: what is final from ``since`` on.

    Prices strictly between ``floor`` and ``ceiling`` concern nobody, so bounds do as well as minutes there;
    unless told otherwise every price concerns somebody. ``close`` is the last price that was judged, and
    ``source`` who gave it, so that an exchange which takes over can be compared with the one before. ``home``
    is the exchange that the series belonged to when this program last ran, where that is known.
    """

    key: MetricKey
    since: int
    floor: float = inf
    ceiling: float = -inf
    close: float | None = None
    source: str = ""
    home: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """How one feed is: when it last brought data, and what keeps it from doing so.

    ``quota`` is how many more questions it may be asked, where it says so. ``failures`` is the number of
    failed looks in a row, ``lag`` how many seconds the newest final minute lies behind its source's present,
    ``None`` where it brought none. ``requests`` counts from the start, ``requests_in_an_hour`` those of the
    last hour, and ``share`` is how much of what a minute allows was spent in the last one, ``None`` where
    that is not known.
    """

    source: str
    seen_at: float | None = None
    failing_since: float | None = None
    reason: str = ""
    requests: int = field(default=0, compare=False)
    quota: int | None = None
    requests_in_an_hour: int = field(default=0, compare=False)
    share: float | None = field(default=None, compare=False)
    failures: int = field(default=0, compare=False)
    lag: float | None = field(default=None, compare=False)

    @property
    def is_well(self) -> bool:
        """Whether the last look brought data."""
        return self.seen_at is not None and self.failing_since is None
