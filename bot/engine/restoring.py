"""Put stored armings back to rest, very many at once, without judging each anew.

An arming that was at rest when its state was stored rests still where the last judged price lies, for nothing
has been judged since. Of plain ones that is told by columns of numbers: a few microseconds each, most of them
for taking the text of the rule apart. Whoever is not plain, or not surely at rest, is left to be taken in one
by one, and looked at in the next minute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bot.engine.board import Board
from bot.engine.closes import Closes
from bot.engine.index import EVERYWHERE
from bot.engine.plain import Numbered, Pattern
from bot.engine.roll import Columns, Flags, Floats, Roll
from bot.metrics import MINUTE, MetricKey


class Resting(NamedTuple):
    """A stored arming whose state is no more than these: nothing told early, no memory, no grounds.

    ``begins_at`` is the instant after which prices count for it. It rang last, and told it, at ``rang_at``.
    """

    arming: int
    rule: str
    is_shared: bool
    begins_at: float
    cursor: int
    is_armed: bool
    is_firing: bool
    episode: int
    rang_at: float | None
    corrections: int
    is_ended: bool


class Restoring:
    """The start of a partition: page after page of stored armings, and then all ends of their gaps at once.

    ``closes`` hold the last price before the instant that each series was ``judged_to``. What is asked of
    every pattern alike is kept side by side, so that a page is a few operations on arrays, whatever its
    patterns.
    """

    def __init__(self, roll: Roll, judged_to: Mapping[MetricKey, int], closes: Closes) -> None:
        ends = ((key, end, closes.at(key, end)) for key, end in judged_to.items())
        self._points = {key: (end, close.price) for key, end, close in ends if close is not None}
        self._roll = roll
        self._traits: list[_Traits] = []

    def take(self, armings: Sequence[Resting]) -> set[int]:
        """Take in who surely rests of some armings, rising by id from page to page; gives those."""
        numbered = ((one, self._roll.patterns.numbered(one.rule, one.is_shared)) for one in armings)
        plain = [(one, number) for one, number in numbered if number is not None]
        if not plain:
            return set()
        columns = _columns(plain)
        for place in range(len(self._traits), len(self._roll.patterns)):
            self._traits.append(_traits(self._roll.patterns[place], self._points))
        is_here = _settle(columns, np.array([number.level for _, number in plain]), self._traits)
        self._roll.restore(columns, is_here)
        return set(columns.armings[is_here].tolist())

    def fill(self, board: Board) -> dict[MetricKey, int]:
        """Let all that were taken in stand on a board; gives their series, and how far each was judged."""
        if not self._traits:
            return {}
        patterns, armings, floors, ceilings = self._roll.resting()
        read = [self._roll.patterns[place].key for place in range(len(self._traits))]
        keys = list(dict.fromkeys(read))
        places = {key: place for place, key in enumerate(keys)}
        series = np.array([places[key] for key in read])[patterns]
        order = np.argsort(series, kind="stable")
        bounds = np.searchsorted(series[order], np.arange(len(keys) + 1)).tolist()
        for key, first, last in zip(keys, bounds[:-1], bounds[1:], strict=True):
            if first < last:
                which = order[first:last]
                board.fill(key, armings[which], floors[which], ceilings[which])
        return {key: self._points[key][0] for key in keys if key in board}


class _Traits(NamedTuple):
    """What a pattern and its series are: up to which minute that was judged, and the last price before.

    ``share`` and ``amount`` are how far the clear side lies outward of the number.
    """

    is_below: bool
    minute: int
    price: float
    share: float
    amount: float


def _traits(pattern: Pattern, points: Mapping[MetricKey, tuple[int, float]]) -> _Traits:
    judged_to, price = points.get(pattern.key, (-1, np.nan))
    outward = pattern.outward
    return _Traits(pattern.is_below, judged_to // MINUTE, price, outward.share, outward.amount)


def _columns(plain: Sequence[tuple[Resting, Numbered]]) -> Columns:
    """Write plain armings side by side; where they rest is not known yet."""
    rows = list(zip(*(one for one, _ in plain), strict=True))
    patterns, digits, scales = (np.array(column) for column in zip(*(one for _, one in plain), strict=True))
    return Columns(
        armings=np.array(rows[0]),
        patterns=patterns,
        digits=digits,
        scales=scales,
        begins_at=np.array(rows[3], float),
        minutes=np.array(rows[4]) // MINUTE,
        is_armed=np.array(rows[5], bool),
        is_firing=np.array(rows[6], bool),
        episodes=np.array(rows[7]),
        rang_at=np.array(rows[8], float),  # None is read as NaN
        corrections=np.array(rows[9]),
        is_ended=np.array(rows[10], bool),
        floors=np.full(len(plain), EVERYWHERE.floor),
        ceilings=np.full(len(plain), EVERYWHERE.ceiling),
    )


def _settle(columns: Columns, levels: Floats, traits: Sequence[_Traits]) -> Flags:
    """Find who rests at the price of his series, and write down in which gap; as ``step`` reckons.

    Who is armed rests while the condition is false, and who is not while it is not clear. Nobody surely rests
    on a break, nor in a minute that his series has not come to.
    """
    below, ends, prices, shares, amounts = (
        np.array(column)[columns.patterns] for column in zip(*traits, strict=True)
    )
    cleared = levels + np.abs(levels) * shares + amounts
    is_true = np.where(below, prices < levels, prices > levels)
    is_unclear = np.where(below, prices < cleared, prices > cleared)
    begun = columns.begins_at // MINUTE + 2
    columns.floors[:] = np.maximum(_below(levels, prices), _below(cleared, prices))
    columns.ceilings[:] = np.minimum(_above(levels, prices), _above(cleared, prices))
    is_between = (levels != prices) & (cleared != prices)
    is_due = (columns.minutes <= ends) & (begun <= ends)
    columns.minutes[is_due] = ends[is_due]
    rests = np.where(columns.is_armed, ~is_true & (~columns.is_firing | is_unclear), is_unclear)
    surely: Flags = rests & is_between & is_due & ~columns.is_ended
    return surely


def _below(levels: Floats, prices: Floats) -> Floats:
    return np.where(levels < prices, levels, EVERYWHERE.floor)


def _above(levels: Floats, prices: Floats) -> Floats:
    return np.where(levels > prices, levels, EVERYWHERE.ceiling)
