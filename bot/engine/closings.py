"""Closings: whom the closes of candles concern.

As candles close, each derived series of theirs that somebody compares with a number is reckoned, once for all
who do. Its values are to its index what prices are to that of a price: while they stay in the band nobody is
asked, and of a whole look it takes one comparison of arrays to see that. So a close costs what its values do,
whatever the number of rules: O(derived series + concerned).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bot.engine.board import Board, Floats, Places
from bot.engine.index import Move
from bot.engine.shelf import Derived, Followed
from bot.engine.world import World
from bot.metrics import MetricKey, opening_of

_AT_ONCE = 32
"""So many series of prices are looked at in one piece: some milliseconds, where all their candles close."""


@dataclass(slots=True)
class _Frame:
    """The followed series of a frame, and where they stand on the board while they are the same."""

    followed: Followed
    places: Places | None = None


class Closings:
    """The frames whose candles somebody waits for, by the series of prices that closes them."""

    __slots__ = ("_board", "_frames", "_world")

    def __init__(self, world: World) -> None:
        self._world, self._board = world, Board()
        self._frames: dict[MetricKey, dict[int, _Frame]] = {}

    def move(self, series: Derived, moves: Sequence[Move]) -> None:
        """Move armings of a derived series; one that nobody compares any longer is waited for no more."""
        if series not in self._board:
            self._world.shelf.follow(series)
            followed = self._world.shelf.followed(series.frame)
            self._frames.setdefault(series.key, {})[series.span] = _Frame(followed)
        self._board.move(series, moves)
        if series not in self._board:
            self._leave(series)

    def concerned(self, since: Mapping[MetricKey, int], until: Mapping[MetricKey, int]) -> Iterator[set[int]]:
        """Name the armings that closes may concern of series that went on from some ends to others.

        Gives them piece by piece, so that others may have their turn in between.
        """
        moved = [key for key in self._frames if until[key] != since[key]]
        for first in range(0, len(moved), _AT_ONCE):
            places: list[Places] = []
            lows: list[float] = []
            highs: list[float] = []
            for key in moved[first : first + _AT_ONCE]:
                begin, end, candles = since[key], until[key], self._world.frames(key)
                for span, one in self._frames[key].items():
                    last = opening_of(end, span)
                    if last <= begin:
                        continue
                    rows = one.followed.look(
                        candles[span], range(opening_of(begin, span) + span, last + 1, span)
                    )
                    places.append(self._standing(one))
                    lows += rows[0] if len(rows) == 1 else np.fmin.reduce(_known(rows)).tolist()
                    highs += rows[0] if len(rows) == 1 else np.fmax.reduce(_known(rows)).tolist()
            if places:
                found = self._board.snapshot(np.concatenate(places), _known(lows), _known(highs))
                yield {arming for _, some in found for arming in some}

    def _leave(self, series: Derived) -> None:
        frames, followed = self._frames[series.key], self._world.shelf.leave(series)
        if len(followed):
            frames[series.span].places = None
        else:
            del frames[series.span]
        if not frames:
            del self._frames[series.key]

    def _standing(self, one: _Frame) -> Places:
        if one.places is None:
            one.places = self._board.places(one.followed)
        return one.places


def _known(values: Sequence[object]) -> Floats:
    """Read values of which those are unknown that are not finite: a comparison with such a one is false."""
    known = np.array(values, dtype=np.float64)
    known[~np.isfinite(known)] = np.nan
    return known
