"""Candles: what one key did in each closed hour, day or week, in arrays.

A candle is closed and whole, or it is not here: closed candles never repaint, and one of which a minute is
missing is a hole, not a guess. Appending is amortised O(1) a bar; everything else is a search or a slice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.engine.series import Extremes
from bot.engine.sessions import DAY, Calendar, day_of, midnight_of
from bot.metrics import MINUTE, Bar

WEEK = 7 * DAY
_MONDAY = 4 * DAY  # the epoch began on a Thursday

_AT, _OPEN, _HIGH, _LOW, _CLOSE, _VOLUME, _RUN = range(7)
_COLUMNS = 7
_FIRST_CAPACITY = 64


def opening_of(at: float, span: int) -> int:
    """Give the opening of the candle of ``span`` seconds that holds an instant.

    Days begin at midnight UTC and are divided evenly; weeks begin on Monday. Raises ValueError for a span
    that is neither a week nor whole minutes that divide a day.
    """
    if span != WEEK and (span < MINUTE or span % MINUTE or DAY % span):
        raise ValueError(f"a candle of {span} seconds does not divide a day")
    phase = _MONDAY if span == WEEK else 0
    return int((at - phase) // span) * span + phase


class Columns(NamedTuple):
    """An unbroken run of candles of ``span`` seconds, oldest first, one array (float64) a column.

    ``ats`` are openings in epoch seconds; prices are in the quote currency, volumes in the base currency. The
    arrays are views of what is kept: they are for reading.
    """

    opens: NDArray[np.float64]
    highs: NDArray[np.float64]
    lows: NDArray[np.float64]
    closes: NDArray[np.float64]
    volumes: NDArray[np.float64]
    ats: NDArray[np.float64]
    span: int

    def tail(self, count: int) -> Columns:
        """Narrow to the last ``count`` candles."""
        start = max(len(self.ats) - count, 0)
        opens, highs, lows, closes, volumes, ats = (column[start:] for column in self[:-1])
        return Columns(opens, highs, lows, closes, volumes, ats, self.span)


class _Building(NamedTuple):
    """The candle that bars are being gathered for, known without a hole from its opening to ``end``."""

    at: int
    end: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Candles:
    """The closed candles of one key and one time frame of ``span`` seconds, rising by their opening.

    With a ``calendar``, candles of a day are due on its sessions alone: a weekend is no hole then, and what
    comes of one is no candle. Other candles are due around the clock.

    ``edition`` is another object each time that candles came in elsewhere than at the end, so that whoever
    keeps something made of them sees that it is out of date.
    """

    __slots__ = (
        "_beginning",
        "_building",
        "_calendar",
        "_known_to",
        "_last_end",
        "_phase",
        "_rows",
        "_start",
        "_stop",
        "edition",
        "span",
    )

    def __init__(self, span: int, calendar: Calendar | None = None) -> None:
        self._phase = opening_of(0, span)
        self._calendar = calendar if span == DAY else None
        self._rows: NDArray[np.float64] = np.empty((_COLUMNS, _FIRST_CAPACITY))
        self._start = self._stop = 0
        self._last_end: float = math.inf
        self._building: _Building | None = None
        self._known_to: float = -math.inf
        self._beginning: tuple[int, int] | None = None
        self.edition = object()
        self.span = span

    def __len__(self) -> int:
        return self._stop - self._start

    @property
    def start(self) -> int | None:
        """The opening of the first candle, or ``None`` while there is none."""
        return int(self._rows[_AT, self._start]) if len(self) else None

    @property
    def end(self) -> int | None:
        """The first instant after the last candle, or ``None`` while there is none."""
        return int(self._last_end) if len(self) else None

    # --- what comes in --------------------------------------------------------------------------------------

    def put(self, bars: Sequence[Bar]) -> None:
        """Gather final bars in rising order, and close each candle whose every minute is there.

        Bars that open before the end of what was put are known already, and skipped. A bar that reaches
        beyond its candle (a day's bar, for candles of an hour) cannot say what happened when: it is a hole.
        """
        span, phase = self.span, self._phase
        building, known_to = self._building, self._known_to
        for bar in bars:
            at, end = bar.at, bar.at + bar.span
            if at < known_to:
                continue
            known_to = end
            offset = (at - phase) % span
            if not offset:
                building = _Building(at, end, bar.open, bar.high, bar.low, bar.close, bar.volume)
            elif building is not None and building.end == at:
                building = _Building(
                    building.at,
                    end,
                    building.open,
                    max(building.high, bar.high),
                    min(building.low, bar.low),
                    bar.close,
                    building.volume + bar.volume,
                )
            else:
                building = None
            left = at - offset + span - end
            if left <= 0:
                if not left and building is not None:
                    self._close(building)
                building = None
        self._building, self._known_to = building, known_to

    def preload(self, candles: Sequence[Bar]) -> None:
        """Take closed candles of an exchange over, wherever none is known; one that is known stays as it is.

        Raises ValueError for a bar that is no candle of this time frame.
        """
        for candle in candles:
            if candle.span != self.span or (candle.at - self._phase) % self.span:
                raise ValueError(f"{candle.at} + {candle.span} is no candle of {self.span} seconds")
        held = self._rows[:, self._start : self._stop]
        due = [bar for bar in candles if self._due(bar.at) == bar.at]
        rows = [(bar.at, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.at) for bar in due]
        fresh = np.array(rows, dtype=np.float64).reshape(-1, _COLUMNS).T
        fresh = fresh[:, ~np.isin(fresh[_AT], held[_AT])]
        if not fresh.shape[1]:
            return
        _, order = np.unique(np.concatenate((held[_AT], fresh[_AT])), return_index=True)
        merged = np.ascontiguousarray(np.concatenate((held, fresh), axis=1)[:, order])
        ats = merged[_AT]
        breaks = np.concatenate(([True], ats[1:] != self._after_each(ats[:-1])))
        merged[_RUN] = np.maximum.accumulate(np.where(breaks, ats, -np.inf))
        self._rows, self._start, self._stop = merged, 0, merged.shape[1]
        self._last_end = float(ats[-1]) + self.span
        self.edition = object()

    def begin_at(self, at: int) -> None:
        """Note that nothing exists before an instant: the listing, or the first line of a file.

        A run that begins there is the full history, however short it is. If an older candle turns up all the
        same, it is not, and ``candles_needed`` decides again.
        """
        first = self._due(opening_of(at + self.span - 1, self.span))
        self._beginning = opening_of(at, self.span), first
        self.edition = object()

    def forget(self, before: int) -> None:
        """Drop the candles that end at or before an instant."""
        if self._start < self._stop and self._rows[_AT, self._start] + self.span <= before:
            self._start += self.asof(before)

    # --- what is asked --------------------------------------------------------------------------------------

    def asof(self, at: float) -> int:
        """Count the closed candles that end at or before an instant, so that nobody looks into the future."""
        if at >= self._last_end:
            return len(self)
        ats = self._rows[_AT, self._start : self._stop]
        return int(np.searchsorted(ats, at - self.span, side="right"))

    def columns(self, count: int | None = None) -> Columns:
        """Give the unbroken run that ends with the last of the first ``count`` candles (of all, if omitted).

        Candles before a hole do not count. Nothing is copied.
        """
        return self._run(self._start + (len(self) if count is None else min(count, len(self))))

    def run(self, at: float) -> Columns | None:
        """Give the unbroken run that ends with the candle that closed last; ``None`` if it is not known."""
        place = self._last(at)
        return None if place is None else self._run(place + 1)

    def is_full(self, columns: Columns) -> bool:
        """Whether a run reaches back to the beginning of all that exists (see ``begin_at``)."""
        if self._beginning is None or not len(columns.ats):
            return False
        earliest, latest = self._beginning
        return bool(earliest <= columns.ats[0] <= latest)

    def closed_at(self, at: float) -> int | None:
        """Give the instant at which the candle closed that closed last; ``None`` if that one is not known.

        An older one is no answer: what closed yesterday says nothing of today.
        """
        place = self._last(at)
        return None if place is None else int(self._rows[_AT, place]) + self.span

    def last(self, at: float) -> Bar | None:
        """Give the candle that closed last at an instant, if that very candle is known."""
        place = self._last(at)
        if place is None:
            return None
        opened, opening, high, low, close, volume, _ = self._rows[:, place].tolist()
        return Bar(int(opened), opening, high, low, close, volume, self.span)

    def close_at(self, at: float) -> float | None:
        """Give the close of the candle that closed last at an instant, if that candle is known."""
        place = self._last(at)
        return None if place is None else float(self._rows[_CLOSE, place])

    def extremes(self, since: int, until: int) -> Extremes | None:
        """Give the extremes of the candles wholly in ``[since, until)``, or ``None`` if none is known.

        ``is_whole`` says whether all of them are known. What ``[since, until)`` has at its edges beyond whole
        candles is for minutes to say.
        """
        first = self._due(opening_of(since + self.span - 1, self.span))
        stop = opening_of(until, self.span)
        ats = self._rows[_AT, self._start : self._stop]
        low, high = (self._start + int(place) for place in np.searchsorted(ats, (first, stop)))
        if high <= low:
            return None
        window = self._rows[:, low:high]
        is_unbroken = window[_RUN, -1] <= window[_AT, 0] == first
        is_whole = bool(is_unbroken) and self._after(int(window[_AT, -1])) >= stop
        return Extremes(float(window[_HIGH].max()), float(window[_LOW].min()), is_whole)

    def next_close(self, at: float) -> int:
        """Give the next instant, after this one, at which a candle closes."""
        return self._due(opening_of(at, self.span)) + self.span

    # --- how it is kept -------------------------------------------------------------------------------------

    def _due(self, opening: int) -> int:
        """Give the first opening of a due candle that is not before ``opening``."""
        if self._calendar is None or self._calendar.is_session(day_of(opening)):
            return opening
        return self._after(opening)

    def _after(self, opening: int) -> int:
        """Give the opening of the due candle after the one that opens at ``opening``."""
        if self._calendar is None:
            return opening + self.span
        return midnight_of(self._calendar.next_session(day_of(opening)))

    def _after_each(self, ats: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._calendar is None:
            return ats + self.span
        return np.array([self._after(at) for at in ats.astype(int).tolist()], dtype=np.float64)

    def _run(self, stop: int) -> Columns:
        """Give the unbroken run that ends before a place of the rows."""
        start, rows = self._start, self._rows
        if stop > start and rows[_AT, start] < (began := rows[_RUN, stop - 1]):
            start += int(np.searchsorted(rows[_AT, start:stop], began, side="left"))
        run = rows[:, start:stop]
        return Columns(run[_OPEN], run[_HIGH], run[_LOW], run[_CLOSE], run[_VOLUME], run[_AT], self.span)

    def _last(self, at: float) -> int | None:
        if self._start < self._stop and self._last_end <= at < self._last_end + self.span:
            return self._stop - 1  # as nearly everybody asks: of the newest, before another may have closed
        place = self._start + self.asof(at) - 1
        if place < self._start or self._after(int(self._rows[_AT, place])) + self.span <= at:
            return None
        return place

    def _close(self, built: _Building) -> None:
        if self._due(built.at) != built.at:
            return
        run: float = built.at
        if self._start < self._stop:
            if built.at < self._last_end:  # a preloaded candle is as new as this one
                bar = Bar(built.at, built.open, built.high, built.low, built.close, built.volume, self.span)
                self.preload((bar,))
                return
            if self._after(int(self._last_end) - self.span) == built.at:
                run = self._rows[_RUN, self._stop - 1]
        self._reserve()
        self._rows[:, self._stop] = (built.at, *built[2:], run)
        self._stop += 1
        self._last_end = built.at + self.span

    def _reserve(self) -> None:
        if self._stop < self._rows.shape[1]:
            return
        held = self._rows[:, self._start : self._stop]
        rows = np.empty((_COLUMNS, max(2 * held.shape[1], _FIRST_CAPACITY)))
        rows[:, : held.shape[1]] = held
        self._rows, self._start, self._stop = rows, 0, held.shape[1]
