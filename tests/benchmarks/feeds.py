"""Rows of the feeds."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.load import kept, waits
from tests.benchmarks.row import Row


def loop_lag(markets: int = 2_000, seconds: float = 60.0) -> Iterator[Row]:
    """See how long chats wait for the loop while five exchanges are looked at, against while it is idle."""
    idle, busy = waits(markets, seconds)
    name = f"wait for the loop with {markets:,} markets on 5 exchanges, p99 (ms)"
    yield Row(name, busy.p99, idle.p99, 50.0)


def kept_by_day(markets: int = 100, hours: int = 24, minutes: int = 10) -> Iterator[Row]:
    """See that the last quarter of so many simulated hours keeps no more memory than the second."""
    second, last = kept(markets, hours, minutes)
    name = f"memory kept over {hours} hours with {markets:,} markets on 5 exchanges (MB)"
    yield Row(name, last, second, 1.1, is_of_ratio=True)
