"""Figures of a window: pure functions of arrays.

Values rise in time, the newest last, all float64. ``None`` is *unknown*: too few values, one of them missing
(NaN), or a figure that does not exist, such as a share of nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def change(values: Floats) -> float | None:
    """Give the change from the first value to the last, in percent of the first's amount.

    100 (last - first) / |first|: what falls from -100 to -150 changed by -50%. Unknown from zero.
    """
    if len(values) < 2 or values[0] == 0:
        return None
    first, last = float(values[0]), float(values[-1])
    return _known(100 * (last - first) / abs(first))


def delta(values: Floats) -> float | None:
    """Give the difference of the last value and the first, in their unit."""
    return _known(values[-1] - values[0]) if len(values) >= 2 else None


def average(values: Floats) -> float | None:
    """Give the arithmetic mean, in the values' unit."""
    return _known(values.mean()) if len(values) else None


def drawdown(values: Floats) -> float | None:
    """Give how far the last value stands below the highest of the window, in percent of that highest.

    100 (highest - last) / highest: 0 at the highest, never negative. Unknown unless that is above zero.
    """
    if not len(values):
        return None
    highest = values.max()
    return _known(100 * (highest - values[-1]) / highest) if highest > 0 else None


def rise(values: Floats) -> float | None:
    """Give how far the last value stands above the lowest of the window, in percent of that lowest.

    Unknown unless that is above zero.
    """
    if not len(values):
        return None
    lowest = values.min()
    return _known(100 * (values[-1] - lowest) / lowest) if lowest > 0 else None


def highest(values: Floats) -> float | None:
    """Give the highest value."""
    return _known(values.max()) if len(values) else None


def lowest(values: Floats) -> float | None:
    """Give the lowest value."""
    return _known(values.min()) if len(values) else None


def zscore(values: Floats) -> float | None:
    """Give how many standard deviations the last value stands above the mean of the window, itself included.

    The deviation is that of the population (divided by the count). Unknown if all values are equal.
    """
    if len(values) < 2 or values.max() == values.min():
        return None
    deviation = float(values.std())
    return _known(float(values[-1] - values.mean()) / deviation) if deviation else None


def corr(left: Floats, right: Floats) -> float | None:
    """Give Pearson's correlation of the log returns of two series, from -1 to 1.

    Both hold a value for the same sessions (see ``shared``): a return is ln of a value over the one before.
    Unknown with fewer than three returns, for values that are not above zero, and where all returns of one
    are equal (to 1e-12).
    """
    if len(left) != len(right):
        raise ValueError(f"{len(left)} values cannot be paired with {len(right)}")
    if len(left) < 4 or not (np.all(left > 0) and np.all(right > 0)):
        return None
    returns = np.diff(np.log(left)), np.diff(np.log(right))
    if any(np.ptp(one) <= 1e-12 for one in returns):
        return None
    first, second = (one - one.mean() for one in returns)
    together = float(first @ second) / math.sqrt(float(first @ first) * float(second @ second))
    return _known(min(max(together, -1.0), 1.0))


def shared(left_ats: Floats, left: Floats, right_ats: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Pair the values of two series that are of the same session or candle; the others are left out.

    ``ats`` rise and name what each value is of; returns then span a weekend in both series or in neither.
    """
    _, in_left, in_right = np.intersect1d(left_ats, right_ats, assume_unique=True, return_indices=True)
    return left[in_left], right[in_right]


def _known(figure: float) -> float | None:
    return float(figure) if math.isfinite(figure) else None
