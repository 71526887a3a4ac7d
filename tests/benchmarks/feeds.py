"""Rows of the feeds."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.load import kept, waits
from tests.benchmarks.row import Row
from tests.benchmarks.tickers import look_seconds


def loop_lag(markets: int = 2_000, seconds: float = 60.0) -> Iterator[Row]:
    """See how long chats wait for the loop while five exchanges are looked at, against while it is idle."""
    idle, busy = waits(markets, seconds)
    name = f"wait for the loop with {markets:,} markets on 5 exchanges, p99 (ms)"
    yield Row(name, busy.p99, idle.p99, 50.0)


def bulk_tickers(exchange: str, markets: int = 2_000, rounds: int = 15) -> Iterator[Row]:
    """Read tickers in bulk off the wire into what is judged, against json and ccxt's reading of the same.

    And how long that keeps others from the loop of its thread.
    """
    look, bare, held = (1000 * seconds for seconds in look_seconds(exchange, markets, rounds))
    name = f"{markets:,} tickers of {exchange} into observations"
    yield Row(f"{name} (ms)", look, bare, 1.0, is_of_ratio=True)
    yield Row(f"{name}, at a time (ms)", held, bare, 20.0)


def kept_by_day(markets: int = 100, hours: int = 24, minutes: int = 10) -> Iterator[Row]:
    """See that the last quarter of so many simulated hours keeps no more memory than the second."""
    second, last = kept(markets, hours, minutes)
    name = f"memory kept over {hours} hours with {markets:,} markets on 5 exchanges (MB)"
    yield Row(name, last, second, 1.1, is_of_ratio=True)
