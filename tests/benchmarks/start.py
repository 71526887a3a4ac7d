"""Rows of the start."""

from __future__ import annotations

from collections.abc import Iterator

from bot.chats.telegram_reach import Doubts
from tests.benchmarks.row import Row
from tests.benchmarks.starts import start_seconds


def start(rounds: int = 5) -> Iterator[Row]:
    """Start on Telegram and Discord until ``/readyz`` is content, against importing the libraries alone."""
    ready, bare = start_seconds(rounds)
    waited = Doubts().at_start
    yield Row("from the start to ready, no alerts (s)", ready.work, bare, 1.3, is_of_ratio=True)
    name = f"the same with the {waited:g} s in which Telegram shows whether another bot has the token (s)"
    yield Row(name, ready.whole, waited + bare, 1.1, is_of_ratio=True)
