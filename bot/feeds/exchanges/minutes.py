"""Page through an exchange's candles until its minutes, or coarser bars, are caught up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.feeds.exchanges.candles import PATIENCE, Reading, final_until, read
from bot.feeds.exchanges.table import Exchange
from bot.metrics import MINUTE, Bar

OVERLAP = 10 * MINUTE
"""How far before the first missing minute to ask: what is known already tells the close before it, and shows
that the answer was not cut off at its beginning."""

AGAIN = 15.0
"""Seconds after which to ask again for minutes that may not have been traded in at all."""

SOON = 4.0
"""Seconds after which to ask again where every minute has a candle, so that this one must be late."""

_OVERLAP_BARS = OVERLAP // MINUTE
_RECENT_BARS = 1400

Rows = Callable[[int, int], Awaitable[Sequence[object]]]
"""Ask for the candles of ``[start, stop)``, openings in epoch seconds."""


@dataclass(frozen=True, slots=True)
class Trail:
    """Where the search for a series' next minutes stands, when the last look brought none of them.

    ``since`` is the first missing minute, ``asked`` the one up to which there was silence, ``close`` the
    price before it, if known; the search stands there since ``began``, and last asked at ``at`` for minutes
    before ``stop``. ``is_sound`` says that nothing in the answer had to be refused.
    """

    since: int
    asked: int
    close: float | None
    stop: int
    at: float
    began: float
    is_sound: bool

    def is_worth_asking(self, stop: int, now: float, is_sparse: bool) -> bool:
        """Whether a new look may bring more than the last one did."""
        return not self.is_sound or stop > self.stop or now >= self.at + (AGAIN if is_sparse else SOON)


@dataclass(frozen=True, slots=True)
class Caught:
    """What paging brought: rising bars, and the trail to follow if there were none.

    ``good`` and ``refused`` count the rows of all answers that were candles, and were not.
    """

    bars: tuple[Bar, ...] = ()
    good: int = 0
    refused: int = 0
    trail: Trail | None = None


async def catch_up(
    rows: Rows,
    exchange: Exchange,
    since: int,
    until: int,
    *,
    now: float,
    pages: int,
    span: int = MINUTE,
    trail: Trail | None = None,
    is_patient: bool = True,
) -> Caught:
    """Collect the final minutes of ``[since, until)``, in at most so many pages.

    ``span`` is the length of a bar in seconds, where coarser ones than minutes are wanted. ``now`` is the
    exchange's instant before the first question. What a page does not bring, a later call
    asks for again: a page of the past without a candle is believed, and passed, only when it was asked for
    over some time, unless the caller is not ``is_patient``.
    """
    stop = min(until, final_until(now, span))
    missing, asked, close, began = since, since, None, now
    if trail is not None and trail.since == since:
        asked, close, began = trail.asked, trail.close, trail.began
    bars: list[Bar] = []
    good = refused = 0
    for _ in range(pages):
        if asked >= stop:
            break
        start = asked - _OVERLAP_BARS * span
        size = exchange.old_rows if start < now - _RECENT_BARS * span else exchange.rows
        # The running minute is asked for too: its candle shows that a quiet minute before it was answered.
        end = stop if exchange.gives_newest else min(start + size * span, stop + span)
        answer = await rows(start, end)
        page: Reading = read(answer, since=missing, stop=min(stop, end), now=now, close=close, span=span)
        good += page.good
        refused += page.refused
        bars += page.bars
        if page.bars:
            missing = asked = page.bars[-1].end
        elif (
            page.held is None
            and end < stop
            and (
                not is_patient
                or now >= began + (AGAIN if exchange.is_sparse and not page.refused else PATIENCE)
            )
        ):
            asked, began = end, now
        else:
            break
        close = page.close if exchange.is_sparse else None
        if page.held is not None:
            break
    if bars:
        return Caught(tuple(bars), good, refused)
    return Caught((), good, refused, Trail(since, asked, close, stop, now, began, not refused))
