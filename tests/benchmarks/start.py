"""Rows of the start."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.row import Row
from tests.benchmarks.starts import start_seconds


def start(rounds: int = 5) -> Iterator[Row]:
    """Start on Telegram and Discord until ``/readyz`` is content, against importing the libraries alone."""
    ready, bare = start_seconds(rounds)
    yield Row("from the start to ready, no alerts (s)", ready, bare, 1.3, is_of_ratio=True)
