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
from numpy.typing import NDArray

from bot.engine.board import Board
from bot.engine.comparisons import Limit
from bot.engine.index import EVERYWHERE
from bot.engine.plain import Pattern
from bot.engine.roll import Columns, Flags, Floats, Roll
from bot.engine.values import Shifted
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


def put_to_rest(
    roll: Roll, board: Board, armings: Sequence[Resting], points: Mapping[MetricKey, tuple[int, float]]
) -> dict[MetricKey, set[int]]:
    """Take in the plain ones of some armings, rising by id, that surely rest where their series stand.

    ``points`` are how far each series was judged, and the last price before that. Gives whom it took in, for
    each series.
    """
    if not armings:
        return {}
    columns = _columns(roll, armings)
    is_taken = np.zeros(len(armings), bool)
    taken: dict[MetricKey, set[int]] = {}
    order = np.argsort(columns.patterns, kind="stable")
    known, starts = np.unique(columns.patterns[order], return_index=True)
    for place, which in zip(known.tolist(), np.split(order, starts[1:]), strict=True):
        if place < 0 or (pattern := roll.patterns[place]).key not in points:
            continue
        rests = which[_settle(pattern, *points[pattern.key], columns, which)]
        is_taken[rests] = True
        board.fill(pattern.key, columns.armings[rests], columns.floors[rests], columns.ceilings[rests])
        taken.setdefault(pattern.key, set()).update(columns.armings[rests].tolist())
    roll.restore(columns, is_taken)
    return {key: armings for key, armings in taken.items() if armings}


def _columns(roll: Roll, armings: Sequence[Resting]) -> Columns:
    """Write armings side by side; the pattern of what is not plain is -1."""
    plain = [roll.patterns.taken_apart(one.rule, one.is_shared) for one in armings]
    patterns, digits, scales = (np.array(column) for column in zip(*plain, strict=True))
    rows = list(zip(*armings, strict=True))
    rang_at = np.array([np.nan if at is None else at for at in rows[8]])
    return Columns(
        armings=np.array(rows[0]),
        patterns=patterns,
        digits=digits,
        scales=scales,
        begins_at=np.array(rows[3], float),
        cursors=np.array(rows[4]),
        is_armed=np.array(rows[5], bool),
        is_firing=np.array(rows[6], bool),
        episodes=np.array(rows[7]),
        rang_at=rang_at,
        corrections=np.array(rows[9]),
        is_ended=np.array(rows[10], bool),
        floors=np.full(len(armings), EVERYWHERE.floor),
        ceilings=np.full(len(armings), EVERYWHERE.ceiling),
    )


def _settle(
    pattern: Pattern, judged_to: int, price: float, columns: Columns, which: NDArray[np.intp]
) -> Flags:
    """Find who rests at a price, and write down in which gap; the numbers are as ``step`` would have them.

    Who is armed rests while the condition is false, and who is not while it is not clear. Nobody surely rests
    on a break, nor in a minute that his series has not come to.
    """
    levels = columns.digits[which] / 10.0 ** columns.scales[which]
    (outward,) = pattern.clear.floors or pattern.clear.ceilings
    cleared = _moved(outward, levels)
    is_true = price < levels if pattern.is_below else price > levels
    is_unclear = price < cleared if pattern.is_below else price > cleared
    is_armed, is_firing = columns.is_armed[which], columns.is_firing[which]
    begun = columns.begins_at[which] // MINUTE * MINUTE + 2 * MINUTE
    columns.floors[which] = np.maximum(_below(levels, price), _below(cleared, price))
    columns.ceilings[which] = np.minimum(_above(levels, price), _above(cleared, price))
    is_between = (levels != price) & (cleared != price)
    is_due = (columns.cursors[which] <= judged_to) & (begun <= judged_to)
    columns.cursors[which] = judged_to
    rests: Flags = np.where(is_armed, ~is_true & (~is_firing | is_unclear), is_unclear)
    surely: Flags = rests & is_between & is_due & ~columns.is_ended[which]
    return surely


def _moved(limit: Limit, levels: Floats) -> Floats:
    return limit.value.shifted(levels) if isinstance(limit.value, Shifted) else levels


def _below(levels: Floats, price: float) -> Floats:
    return np.where(levels < price, levels, EVERYWHERE.floor)


def _above(levels: Floats, price: float) -> Floats:
    return np.where(levels > price, levels, EVERYWHERE.ceiling)
