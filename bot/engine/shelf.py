"""The shelf: what closed candles give, reckoned once per candle and shared by all rules that ask.

Of a *derived* series that rules compare with numbers, each new value is reckoned as its candle closes, all of
one frame together, and kept until the next look; any other value is reckoned as somebody asks for it.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from operator import attrgetter
from typing import NamedTuple

from bot.engine.candles import Candles
from bot.engine.indicators import Arguments, Reckoning, reckon
from bot.metrics import MetricKey

_MOST_SHELVES = 4096
_MOST_VALUES = 1024

FIELDS = ("open", "high", "low", "close", "volume")
"""What one candle has."""


Calls = tuple[tuple[Reckoning, tuple[tuple[int, int], ...]], ...]
"""Calls of the library, each with the places of its lines: which line stands where."""

Frame = tuple[MetricKey, int]
"""The candles of a key and of a span in seconds."""

_ANY = MetricKey("", "")


class Derived(NamedTuple):
    """A series that is made of the closed candles of one frame: an indicator, or one field of them."""

    key: MetricKey
    span: int
    function: str
    arguments: Arguments = ()

    @property
    def frame(self) -> Frame:
        """The candles that it is made of."""
        return self.key, self.span


class Shelf:
    """Values of derived series, computed once per closed candle and shared by all rules that ask.

    It keeps the newest values of each, and of so many of those as were asked for last; what it let go is
    computed again. Of those that are *followed* it keeps what the last look found. ``computations`` counts
    what was computed.
    """

    __slots__ = ("_followed", "_shelves", "computations")

    def __init__(self) -> None:
        self._shelves: OrderedDict[Derived, _Values] = OrderedDict()
        self._followed: dict[Frame, Followed] = {}
        self.computations = 0

    def __len__(self) -> int:
        return len(self._shelves)

    def value(self, name: Derived, candles: Candles, at: float) -> float | None:
        """Give the value at the candle that closed last at an instant, or ``None`` while it is unknown.

        Unknown is: that candle is a hole, the unbroken run up to it is shorter than ``candles_needed`` and
        not the full history (see ``Candles.begin_at``), or TA-Lib has no value yet.
        """
        end = candles.closed_at(at)
        if end is None:
            return None
        followed = self._followed.get(name.frame)
        if followed is not None and (known := followed.known(name, end, candles)) is not None:
            return known if math.isfinite(known) else None
        shelf = self._shelves.get(name)
        if shelf is None or shelf.edition is not candles.edition:
            shelf = self._shelves[name] = _Values(candles.edition, _reckoning(name))
            if len(self._shelves) > _MOST_SHELVES:
                self._shelves.popitem(last=False)
        self._shelves.move_to_end(name)
        if end in shelf.values:
            return shelf.values[end]
        run = candles.run(at)
        if run is None or (len(run.ats) < shelf.reckoning.needed and not candles.is_full(run)):
            return None
        self.computations += 1
        newest = shelf.reckoning.newest(run)
        value = newest if math.isfinite(newest) else None
        shelf.put(end, value)
        return value

    def follow(self, name: Derived) -> None:
        """Reckon a series at every look at its frame from now on."""
        self._followed.setdefault(name.frame, Followed()).add(name)

    def leave(self, name: Derived) -> Followed:
        """Reckon a series only where somebody asks for it; gives what is still followed of its frame."""
        followed = self._followed[name.frame]
        followed.remove(name)
        if not len(followed):
            del self._followed[name.frame]
        return followed

    def followed(self, frame: Frame) -> Followed:
        """Give what is followed of a frame."""
        return self._followed[frame]

    def forget(self, key: MetricKey) -> None:
        """Let the values of a key go that nobody reads any more."""
        for name in [name for name in self._shelves if name.key == key]:
            del self._shelves[name]


class Followed:
    """The followed series of one frame, and what the last look found, by the instants of the closes.

    Its calls of the library stand beside the places of the lines that they give: what two series share is
    asked for once.
    """

    __slots__ = ("_calls", "_edition", "_known", "_most", "_places")

    def __init__(self) -> None:
        self._places: dict[Derived, int] = {}
        self._calls: Calls = ()
        self._known: dict[int, list[float]] = {}
        self._edition: object = None
        self._most = 0

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Derived]:
        return iter(self._places)

    def add(self, name: Derived) -> None:
        """Follow a series, if it is not."""
        if name not in self._places:
            self._place([*self._places, name])

    def remove(self, name: Derived) -> None:
        """Let a series go."""
        self._place([one for one in self._places if one != name])

    def known(self, name: Derived, end: int, candles: Candles) -> float | None:
        """Give what the last look found of a series; ``None`` where it did not look."""
        if self._edition is not candles.edition or end not in self._known or name not in self._places:
            return None
        return float(self._known[end][self._places[name]])

    def look(self, candles: Candles, closes: Sequence[int]) -> list[list[float]]:
        """Reckon all at some closes: a row each, in their order. What is not finite is unknown."""
        self._edition, self._known = candles.edition, {}
        return [self._look(at, candles) for at in closes]

    def _look(self, at: int, candles: Candles) -> list[float]:
        row, run = [math.nan] * len(self._places), candles.run(at)
        if run is None:
            return row
        self._known[at] = row
        count = len(run.closes)
        if count < self._most and candles.is_full(run):
            count = self._most
        for (needed, _, lines, _), places in self._calls:
            if count >= needed:
                found = lines(run, needed)
                for line, place in places:
                    row[place] = found[line][-1]
        return row

    def _place(self, names: Iterable[Derived]) -> None:
        self._places = {name: place for place, name in enumerate(sorted(names))}
        self._calls = _calls(tuple(name._replace(key=_ANY) for name in self._places))
        self._most = max((one.needed for one, _ in self._calls), default=0)
        self._known = {}


@lru_cache(maxsize=1024)
def _calls(names: tuple[Derived, ...]) -> Calls:
    """Give the calls for some series of a frame: the same object for all frames that have the same.

    What is shared is still in the processor's cache when the next frame is looked at.
    """
    calls: dict[Hashable, tuple[Reckoning, list[tuple[int, int]]]] = {}
    for place, name in enumerate(names):
        one = _reckoning(name)
        calls.setdefault(one.call, (one, []))[1].append((one.line, place))
    return tuple((one, tuple(places)) for one, places in calls.values())


class _Values:
    """The newest values of one series, by the instant at which their candle closed."""

    __slots__ = ("edition", "reckoning", "values")

    def __init__(self, edition: object, reckoning: Reckoning) -> None:
        self.edition = edition
        self.reckoning = reckoning
        self.values: OrderedDict[int, float | None] = OrderedDict()

    def put(self, end: int, value: float | None) -> None:
        self.values[end] = value
        if len(self.values) > _MOST_VALUES:
            self.values.popitem(last=False)


@cache
def _field(name: str) -> Reckoning:
    column = attrgetter(f"{name}s")
    return Reckoning(1, name, lambda run, count: (column(run)[-count:],))


def _reckoning(name: Derived) -> Reckoning:
    """Say how a series is reckoned. Raises ValueError for what is none."""
    if name.function in FIELDS:
        return _field(name.function)
    return reckon(name.function, name.arguments, name.span)
