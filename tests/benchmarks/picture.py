"""Draw how a cost grows with the number of alerts: ``python -m tests.benchmarks.picture FILE.svg``."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter

from tests.benchmarks.engine import AROUND, Crowd, Snapshot
from tests.benchmarks.row import side_by_side

COUNTS = (1_000, 10_000, 100_000, 1_000_000)
_SYMBOLS = 2_000
_TIMES = 50

Series = Mapping[int, float]
"""Seconds, above zero, by the number of alerts."""


def measure(counts: Sequence[int] = COUNTS, symbols: int = _SYMBOLS, rounds: int = 9) -> dict[str, Series]:
    """Measure what a snapshot of all symbols costs among so many alerts."""
    found: dict[str, dict[int, float]] = {}
    for count in counts:
        for name, seconds in _among(count, symbols, rounds).items():
            found.setdefault(name, {})[count] = seconds
    return dict(found)


def _among(count: int, symbols: int, rounds: int) -> dict[str, float]:
    crowd = Crowd.of(count, symbols)
    snapshot = Snapshot(crowd, crowd.board())
    taken: dict[str, float] = {}
    gc.freeze()
    for name, price in (("0.1% concerned", AROUND - AROUND / 2 * 0.002), ("nobody concerned", AROUND)):
        prices = np.full(symbols, price)
        flat = prices.tolist()
        seconds, taken["every alert visited"] = side_by_side(
            lambda prices=prices: [snapshot.concerned(prices) for _ in range(_TIMES)],
            lambda flat=flat: crowd.visited(flat),
            rounds,
        )
        taken[name] = seconds / _TIMES
    gc.unfreeze()
    return taken


def draw(series: Mapping[str, Series]) -> str:
    """Draw every series as a line with its name at its end, as an SVG; both scales are of powers of ten."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "growth", "font.family": "sans-serif"}):
        figure = Figure((7.2, 4.0), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        axes.set(xscale="log", yscale="log", xlabel="alerts")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
        axes.yaxis.set_major_formatter(EngFormatter(unit="s", usetex=False))
        axes.grid(which="major", color="#e6e9f0")
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
        for name, one in series.items():
            counts = sorted(one)
            (line,) = axes.plot(counts, [one[count] for count in counts], marker="o", linewidth=2.2)
            axes.annotate(
                name,
                (counts[-1], one[counts[-1]]),
                (9, 0),
                textcoords="offset points",
                va="center",
                color=line.get_color(),
                annotation_clip=False,
            )
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    return drawn.getvalue()


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(draw(measure()), encoding="utf-8")
