"""The past: history of prices and metrics, brought to one length of bar and taken off piece by piece."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from math import lcm

from bot.metrics import MINUTE, Bar, MetricKey, Observation, join


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of the past.

    ``bars`` are the rising bars of each price, all of one length in a series; a hole is unknown. ``values``
    are those of metrics, in any order. ``candles`` are coarser bars, by their length in seconds, from before
    the others begin: they only fill the memories.
    """

    bars: Mapping[MetricKey, Iterable[Bar]] = field(default_factory=dict)
    values: Mapping[MetricKey, Iterable[Observation]] = field(default_factory=dict)
    candles: Mapping[tuple[MetricKey, int], Iterable[Bar]] = field(default_factory=dict)


class Unfit(ValueError):
    """History on which a rule cannot be judged; the text is one sentence that says why."""


class Source:
    """The bars of one series, taken off piece by piece; ``history`` is what was before the first moment."""

    def __init__(self, key: MetricKey, bars: Iterable[Bar]) -> None:
        self._key = key
        self._rest = iter(bars)
        self._head = next(self._rest, None)
        self.history: deque[Bar] = deque()
        self.end = self.head.at

    @property
    def is_over(self) -> bool:
        """Whether every bar was taken."""
        return self._head is None

    @property
    def head(self) -> Bar:
        """The next bar. Raises Unfit if there is none."""
        if self._head is None:
            raise Unfit(f"Nothing is known of {self._key} at that time.")
        return self._head

    def joined(self, span: int, phase: int) -> Source:
        """Give what is left, joined to longer bars."""
        return Source(self._key, join(chain([self.head], self._rest), span, phase))

    def skip(self, until: int, keep: int) -> None:
        """Lay the bars that open before an instant aside, and keep ``keep`` seconds of them."""
        while self.head.at < until:
            self.history.append(self.head)
            self._head = next(self._rest, None)
        while self.history and self.history[0].end <= until - keep:
            self.history.popleft()

    def take(self, until: int) -> list[Bar]:
        """Take the bars that open before an instant."""
        taken: list[Bar] = []
        while self._head is not None and self._head.at < until:
            taken.append(self._head)
            self._head = next(self._rest, None)
        if taken:
            self.end = taken[-1].end
        return taken


def align(
    keys: Iterable[MetricKey], data: Mapping[MetricKey, Iterable[Bar]]
) -> tuple[dict[MetricKey, Source], int]:
    """Open the series of some keys, joined to bars of one length, and give that length."""
    sources: dict[MetricKey, Source] = {}
    for key in sorted(keys):
        if key not in data:
            raise Unfit(f"There is no history of {key}.")
        sources[key] = Source(key, data[key])
    heads = {key: source.head for key, source in sources.items()}
    if not heads:
        return sources, MINUTE
    span = lcm(*(head.span for head in heads.values()))
    coarsest = max(heads.values(), key=lambda head: head.span)
    for key, head in heads.items():
        if (head.at - coarsest.at) % head.span:
            raise Unfit(f"The bars of {key} open at other times than those of the series beside it.")
    if all(head.span == span for head in heads.values()):
        return sources, span
    return {key: source.joined(span, coarsest.at) for key, source in sources.items()}, span


def begin(sources: Collection[Source], first: int, keep: int) -> int:
    """Find the first moment from ``first`` on that all know, and leave each source there."""
    start = first
    while True:
        for source in sources:
            source.skip(start, keep)
        latest = max((source.head.at for source in sources), default=start)
        if latest == start:
            return start
        start = latest


def arrivals(
    keys: Iterable[MetricKey], values: Mapping[MetricKey, Iterable[Observation]]
) -> list[Observation]:
    """List the values of some metrics in the order in which they became known."""
    found: list[Observation] = []
    for key in sorted(keys):
        if key not in values:
            raise Unfit(f"There is no history of {key}.")
        found.extend(values[key])
    return sorted(found, key=lambda word: (word.known_at, word.as_of, word.revision))
