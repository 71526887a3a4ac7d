"""A row of the table, and how a thing and its baseline are timed beside each other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One figure with its baseline, both in the unit that the name gives: less is better.

    ``goal`` bounds the figure, or the ratio where ``is_of_ratio``; "ten times faster" is a ratio of 1/10.
    ``rings`` says how much rang, where that shows that there was something to do.
    """

    name: str
    figure: float
    baseline: float
    goal: float
    is_of_ratio: bool = False
    rings: int = 0

    @property
    def ratio(self) -> float:
        """How many times the baseline the figure is."""
        return self.figure / self.baseline

    @property
    def reached(self) -> bool:
        """Whether the goal is reached."""
        return (self.ratio if self.is_of_ratio else self.figure) <= self.goal

    @property
    def bound(self) -> str:
        """The goal in words: of the figure, as times or as a part of the baseline."""
        if not self.is_of_ratio:
            return f"{self.goal:g}"
        return f"{self.goal:g} times" if self.goal >= 1 else f"1/{1 / self.goal:,.4g}"

    def facts(self) -> dict[str, object]:
        """Give the row for programs."""
        names = ("name", "figure", "baseline", "ratio", "goal", "reached")
        return {name: getattr(self, name) for name in names}


def seconds_of(work: Callable[[], object]) -> float:
    """Time one run."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def side_by_side(work: Callable[[], object], bare: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Time two things in turn, so that what else the machine does befalls both; gives the median seconds."""
    taken = [(seconds_of(work), seconds_of(bare)) for _ in range(rounds)]
    return median(figure for figure, _ in taken), median(baseline for _, baseline in taken)
