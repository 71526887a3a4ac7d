"""Series: bounded, ordered final minutes of one key, in arrays.

Appending is amortised O(1) a bar; an extreme of a window is one pass of numpy over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.metrics import Bar

AT, OPEN, HIGH, LOW, CLOSE, VOLUME, SPAN = range(7)
_COLUMNS = 7
_FIRST_CAPACITY = 64


class Extremes(NamedTuple):
    """The highest high and lowest low of a stretch, and whether every minute of it is known."""

    high: float
    low: float
    is_whole: bool


class Series:
    """Final minutes of one key, rising by their opening; holes are stretches nobody knows."""

    __slots__ = ("_rows", "_start", "_stop")

    def __init__(self, bars: Sequence[Bar] = ()) -> None:
        self._rows: NDArray[np.float64] = np.empty((_COLUMNS, _FIRST_CAPACITY))
        self._start = self._stop = 0
        self.extend(bars)

    def __len__(self) -> int:
        return self._stop - self._start

    @property
    def start(self) -> int | None:
        """The opening of the first bar, or ``None`` while nothing is known."""
        return int(self._rows[AT, self._start]) if len(self) else None

    @property
    def end(self) -> int | None:
        """The first instant after the last bar, or ``None`` while nothing is known."""
        if not len(self):
            return None
        return int(self._rows[AT, self._stop - 1] + self._rows[SPAN, self._stop - 1])

    @property
    def last(self) -> Bar | None:
        """The newest bar."""
        return self._bar(self._stop - 1) if len(self) else None

    def extend(self, bars: Sequence[Bar]) -> None:
        """Append bars; those that open before the end of what is known are known already, and skipped."""
        end = self.end
        fresh = bars if end is None else [bar for bar in bars if bar.at >= end]
        if not fresh:
            return
        self._reserve(len(fresh))
        self._rows[:, self._stop : self._stop + len(fresh)] = _columns(fresh)
        self._stop += len(fresh)

    def fill(self, bars: Sequence[Bar]) -> None:
        """Put history in front, and into holes; bars that are known already are skipped."""
        if not len(self):
            self.extend(bars)
            return
        end = self.end or 0
        older = [bar for bar in bars if bar.end <= end and self._is_free(bar)]
        if older:
            held = self._rows[:, self._start : self._stop]
            rows = np.concatenate((_columns(older), held), axis=1)
            self._rows = rows[:, np.argsort(rows[AT], kind="stable")]
            self._start, self._stop = 0, self._rows.shape[1]

    def forget(self, before: int) -> None:
        """Drop the bars that end at or before an instant."""
        rows = self._rows[:, self._start : self._stop]
        if self._start == self._stop or rows[AT, 0] + rows[SPAN, 0] > before:
            return
        ends = rows[AT] + rows[SPAN]
        self._start += int(np.searchsorted(ends, before, side="right"))

    def since(self, at: int) -> list[Bar]:
        """List the bars that open at or after an instant."""
        return [self._bar(place) for place in range(self._place(at), self._stop)]

    def at(self, opening: int) -> Bar | None:
        """Give the bar that opens at an instant, if it is known."""
        place = self._place(opening)
        if place < self._stop and self._rows[AT, place] == opening:
            return self._bar(place)
        return None

    def before(self, instant: int) -> Bar | None:
        """Give the last bar that ends at or before an instant, if it is known."""
        ends = self._rows[AT, self._start : self._stop] + self._rows[SPAN, self._start : self._stop]
        place = self._start + int(np.searchsorted(ends, instant, side="right"))
        return self._bar(place - 1) if place > self._start else None

    def holes(self, since: int, until: int) -> list[tuple[int, int]]:
        """Name the stretches of ``[since, until)`` that no bar covers, rising."""
        rows = self._rows[:, self._place(since) : self._place(until)]
        if float(rows[SPAN].sum()) >= until - since:
            return []
        ends = np.concatenate(([since], rows[AT] + rows[SPAN]))
        ats = np.concatenate((rows[AT], [until]))
        places = np.flatnonzero(ends < ats)
        return [(int(ends[place]), int(ats[place])) for place in places]

    def extremes(self, since: int, until: int) -> Extremes | None:
        """Give the extremes of ``[since, until)``, or ``None`` if nothing of it is known."""
        if len(self) and since == self._rows[AT, self._stop - 1] < until:  # the newest alone, as live
            _, _, high, low, _, _, span = self._rows[:, self._stop - 1].tolist()
            return Extremes(high, low, span >= until - since)
        first, last = self._place(since), self._place(until)
        if first == last:
            return None
        window = self._rows[:, first:last]
        known = float(window[SPAN].sum())
        return Extremes(float(window[HIGH].max()), float(window[LOW].min()), known >= until - since)

    def whole(self, column: int, since: int, until: int) -> NDArray[np.float64] | None:
        """Give one column of ``[since, until)``, or ``None`` where some of it is not known."""
        rows = self._rows[:, self._place(since) : self._place(until)]
        is_whole = float(rows[SPAN].sum()) >= until - since
        return rows[column] if is_whole else None

    def rows(self, since: int, until: int) -> NDArray[np.float64]:
        """Give the columns of the bars that open in ``[since, until)``."""
        return self._rows[:, self._place(since) : self._place(until)]

    def next_outside(self, since: int, until: int, floor: float, ceiling: float) -> int | None:
        """Find the opening of the first bar of ``[since, until)`` that reaches ``floor`` or ``ceiling``."""
        if since >= until:
            return None
        place, stop = self._place(since), self._place(until)
        chunk = 1
        while place < stop:  # in growing pieces, so that a near answer costs little
            rows = self._rows[:, place : min(place + chunk, stop)]
            reaches = (rows[LOW] <= floor) | (rows[HIGH] >= ceiling)
            found = int(reaches.argmax())
            if reaches[found]:
                return int(rows[AT, found])
            place += chunk
            chunk *= 4
        return None

    def _is_free(self, bar: Bar) -> bool:
        first, stop = self._place(bar.at), self._place(bar.end)
        before = self._bar(first - 1) if first > self._start else None
        return first == stop and (before is None or before.end <= bar.at)

    def _place(self, at: int) -> int:
        ats = self._rows[AT, self._start : self._stop]
        return self._start + int(ats.searchsorted(at))

    def _bar(self, place: int) -> Bar:
        at, opening, high, low, close, volume, span = self._rows[:, place].tolist()
        return Bar(int(at), opening, high, low, close, volume, int(span))

    def _reserve(self, count: int) -> None:
        if self._stop + count <= self._rows.shape[1]:
            return
        held = self._rows[:, self._start : self._stop]
        rows = np.empty((_COLUMNS, max(2 * (held.shape[1] + count), _FIRST_CAPACITY)))
        rows[:, : held.shape[1]] = held
        self._rows, self._start, self._stop = rows, 0, held.shape[1]


def _columns(bars: Sequence[Bar]) -> NDArray[np.float64]:
    rows = [(bar.at, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.span) for bar in bars]
    return np.array(rows, dtype=np.float64).T
