"""The roll of the armings that are here: of each its life, its state and where it rests.

Most armings are plain. Such a one is a row: a few numbers in columns, some 70 bytes, of which life and state
are made again when somebody asks. All others are objects. Which of the two an
arming is nobody outside can tell: what it gives is equal.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.engine.board import Series
from bot.engine.index import Gap
from bot.engine.life import Life
from bot.engine.plain import Numbered, Pattern, Patterns, Plain
from bot.engine.state import AlertState, Early
from bot.metrics import MINUTE, MetricKey, minute_of

Gaps = Mapping[Series, Gap]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_HERE, _ARMED, _FIRING, _ENDED = 1, 2, 4, 8


@dataclass(slots=True)
class _Whole:
    """An arming as objects; ``rule`` is empty where it must stay one."""

    life: Life
    state: AlertState
    gaps: dict[Series, Gap]
    rule: str = ""
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Columns:
    """What many plain armings are, side by side: the rows of those that are put to rest together.

    ``minutes`` are those of their cursors, since the epoch; a ``rang_at`` that is NaN stands for none.
    """

    armings: Integers
    patterns: Integers
    digits: Integers
    scales: Integers
    begins_at: Floats
    minutes: Integers
    is_armed: Flags
    is_firing: Flags
    episodes: Integers
    rang_at: Floats
    corrections: Integers
    is_ended: Flags
    floors: Floats
    ceilings: Floats

    @property
    def flags(self) -> Integers:
        """Give what is yes or no of each as one number, if it is here."""
        return _HERE | _ARMED * self.is_armed | _FIRING * self.is_firing | _ENDED * self.is_ended


class Roll:
    """Who is here."""

    __slots__ = ("_rows", "_whole", "_young", "patterns")

    def __init__(self) -> None:
        self.patterns = Patterns()
        self._whole: dict[int, _Whole] = {}
        self._rows = _Rows()
        self._young: set[int] = set()

    def __len__(self) -> int:
        return len(self._whole) + len(self._rows)

    def __iter__(self) -> Iterator[int]:
        yield from self._whole
        yield from self._rows

    def __contains__(self, arming: object) -> bool:
        return arming in self._whole or (isinstance(arming, int) and self._rows.find(arming) is not None)

    @property
    def lively(self) -> Iterator[tuple[int, Life]]:
        """Those that are no rows, with their lives: whoever reads more than one price is among them."""
        return ((arming, whole.life) for arming, whole in self._whole.items())

    def life(self, arming: int) -> Life:
        """Give what is fixed about an arming."""
        if (whole := self._whole.get(arming)) is not None:
            return whole.life
        place = self._rows.place(arming)
        return self._pattern(place).live(self._rows.plain(place).number, self._rows.begins_at[place], {})

    def found(self, arming: int) -> tuple[Plain | None, AlertState]:
        """Give the state of an arming, and what it is as numbers where it is a row."""
        if (whole := self._whole.get(arming)) is not None:
            return None, whole.state
        rows, place = self._rows, self._rows.place(arming)
        return Plain(self._pattern(place), rows.plain(place), rows.begins_at[place]), rows.state(place)

    def kind(self, arming: int) -> Life:
        """Give a life with perhaps another number and beginning: it costs less, where neither is asked of."""
        if (whole := self._whole.get(arming)) is not None:
            return whole.life
        return self._pattern(self._rows.place(arming)).life

    def state(self, arming: int) -> AlertState:
        """Give the present state of an arming."""
        if (whole := self._whole.get(arming)) is not None:
            return whole.state
        return self._rows.state(self._rows.place(arming))

    def gaps(self, arming: int) -> Gaps:
        """Say where an arming rests, for each series that it reads."""
        if (whole := self._whole.get(arming)) is not None:
            return whole.gaps
        return self._gaps(self._rows.place(arming))

    def rule(self, arming: int) -> str:
        """Give the text of an arming, if it was told."""
        if (whole := self._whole.get(arming)) is not None:
            return whole.rule
        place = self._rows.place(arming)
        return self._pattern(place).rule(self._rows.plain(place).number)

    def add(
        self, arming: int, life: Life, state: AlertState, gaps: Gaps, *, rule: str, is_shared: bool
    ) -> None:
        """Take in an arming that rests in a gap of each of its series."""
        self._whole[arming] = _Whole(life, state, dict(gaps), rule, is_shared)
        self._young.add(arming)

    def put(self, arming: int, state: AlertState, gaps: Gaps | None) -> Gaps:
        """Take over where an arming came and rests now (``None``: as before); gives where it rested."""
        whole = self._whole.get(arming)
        if whole is None:
            place = self._rows.place(arming)
            before = self._gaps(place)
            if self._rows.is_fitting(state):
                if gaps is not None:
                    (gap,) = gaps.values()
                    self._rows.floors[place], self._rows.ceilings[place] = gap
                self._rows.set_state(place, state)
                return before
            is_shared = self._pattern(place).is_shared
            whole = _Whole(self.life(arming), state, dict(before), self.rule(arming), is_shared)
            self._rows.leave(arming)
            self._whole[arming] = whole
        before, whole.state = whole.gaps, state
        if gaps is not None:
            whole.gaps = dict(gaps)
        self._fold(arming, whole)
        return before

    def age(self, ends: Mapping[MetricKey, int]) -> None:
        """Make rows of those that came lately and rest; ``ends`` is how far each series was judged."""
        for arming in list(self._young):
            whole = self._whole.get(arming)
            end = min(ends[key] for key in whole.life.keys) if whole is not None else 0
            if whole is not None and end < _first_free(whole.life):
                continue
            self._young.discard(arming)
            if whole is not None:
                whole.state = whole.state.judged_to(end)
                self._fold(arming, whole)

    def restore(self, columns: Columns, is_here: Flags) -> None:
        """Take in many that are rows from the first, rising by id, behind all that are rows already.

        Whoever of them is not here yet has a place kept, for when he comes and rests.
        """
        self._rows.extend(columns, is_here)

    def resting(self) -> tuple[Integers, Integers, Floats, Floats]:
        """Give of all that are rows the patterns, the armings, and the ends of the gaps where they rest."""
        rows = self._rows
        is_here = np.frombuffer(rows.flags, np.uint8) & _HERE != 0
        patterns, armings = np.frombuffer(rows.patterns, np.int32), np.frombuffer(rows.armings, np.int64)
        floors, ceilings = np.frombuffer(rows.floors), np.frombuffer(rows.ceilings)
        return patterns[is_here], armings[is_here], floors[is_here], ceilings[is_here]

    def remove(self, arming: int) -> None:
        """Let an arming go."""
        if self._whole.pop(arming, None) is None:
            self._rows.leave(arming)

    def _gaps(self, place: int) -> Gaps:
        gap = Gap(self._rows.floors[place], self._rows.ceilings[place])
        return {self._pattern(place).key: gap}

    def _pattern(self, place: int) -> Pattern:
        return self.patterns[self._rows.patterns[place]]

    def _fold(self, arming: int, whole: _Whole) -> None:
        """Make a row of an arming, if nothing of it is lost by that."""
        life, state = whole.life, whole.state
        if not whole.rule or len(life.series) != 1 or life.is_eager or not self._rows.is_fitting(state):
            return
        (gap,) = whole.gaps.values()
        if state.cursor < _first_free(life):
            return
        if (plain := self.patterns.numbered(whole.rule, whole.is_shared)) is not None:
            self._rows.enter(arming, plain, life.begins_at, gap, state)
            del self._whole[arming]


def _first_free(life: Life) -> int:
    """Give the first minute in which nothing matters any more of what was seen when an alert was made."""
    return minute_of(life.begins_at) + 2 * MINUTE


class _Rows:
    """The columns, rising by the id of the arming; who left keeps a place until a quarter has left."""

    def __init__(self) -> None:
        self.armings = array("q")
        self.patterns = array("i")
        self.digits = array("q")
        self.scales = array("b")
        self.floors = array("d")
        self.ceilings = array("d")
        self.begins_at = array("d")
        self.rang_at = array("d")
        self.minutes = array("i")
        self.episodes = array("i")
        self.corrections = array("i")
        self.flags = array("B")
        self._columns: dict[str, array[Any]] = dict(vars(self))
        self._early: dict[int, Early] = {}
        self._gone = 0

    def __len__(self) -> int:
        return len(self.armings) - self._gone

    def __iter__(self) -> Iterator[int]:
        return (arming for arming, flags in zip(self.armings, self.flags, strict=True) if flags & _HERE)

    def find(self, arming: int) -> int | None:
        place = bisect_left(self.armings, arming)
        is_known = place < len(self.armings) and self.armings[place] == arming
        return place if is_known and self.flags[place] & _HERE else None

    def place(self, arming: int) -> int:
        place = self.find(arming)
        if place is None:
            raise KeyError(arming)
        return place

    def plain(self, place: int) -> Numbered:
        return Numbered(self.patterns[place], self.digits[place], self.scales[place])

    @staticmethod
    def is_fitting(state: AlertState) -> bool:
        """Whether a state is no more than its columns hold."""
        is_simple = state.grounds is None and not state.memory
        return is_simple and state.told_at == state.rang_at and state.cursor % MINUTE == 0

    def state(self, place: int) -> AlertState:
        flags, rang_at = self.flags[place], self.rang_at[place]
        told_at = None if math.isnan(rang_at) else rang_at
        return AlertState(
            cursor=self.minutes[place] * MINUTE,
            is_armed=bool(flags & _ARMED),
            is_firing=bool(flags & _FIRING),
            episode=self.episodes[place],
            rang_at=told_at,
            corrections=self.corrections[place],
            is_ended=bool(flags & _ENDED),
            told_at=told_at,
            early=self._early.get(self.armings[place]) if self._early else None,
        )

    def set_state(self, place: int, state: AlertState) -> None:
        if state.early is not None:
            self._early[self.armings[place]] = state.early
        else:
            self._early.pop(self.armings[place], None)
        self.minutes[place] = state.cursor // MINUTE
        self.episodes[place], self.corrections[place] = state.episode, state.corrections
        self.rang_at[place] = math.nan if state.rang_at is None else state.rang_at
        self.flags[place] = (
            _HERE | _ARMED * state.is_armed | _FIRING * state.is_firing | _ENDED * state.is_ended
        )

    def enter(self, arming: int, plain: Numbered, begins_at: float, gap: Gap, state: AlertState) -> None:
        """Make a row, or take the place again that the arming had."""
        place = bisect_left(self.armings, arming)
        if place == len(self.armings) or self.armings[place] != arming:
            for column in self._columns.values():
                column.insert(place, 0)
            self.armings[place] = arming
        else:
            self._gone -= 1
        self.patterns[place], self.digits[place], self.scales[place] = plain
        self.floors[place], self.ceilings[place] = gap
        self.begins_at[place] = begins_at
        self.set_state(place, state)

    def extend(self, columns: Columns, is_here: Flags) -> None:
        self._gone += int(np.count_nonzero(~is_here))
        for name, column in self._columns.items():
            rows = np.where(is_here, columns.flags, 0) if column is self.flags else getattr(columns, name)
            column.frombytes(rows.astype(column.typecode).tobytes())

    def leave(self, arming: int) -> None:
        if (place := self.find(arming)) is None:
            return
        self.flags[place] = 0
        self._early.pop(arming, None)
        self._gone += 1
        if self._gone > len(self.armings) // 4:
            kept = [place for place, flags in enumerate(self.flags) if flags & _HERE]
            for column in self._columns.values():
                column[:] = array(column.typecode, [column[place] for place in kept])
            self._gone = 0
