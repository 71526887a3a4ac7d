"""Rows of the store."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.levels import move_seconds
from tests.benchmarks.row import Row


def level_moved(followers: int = 10_000) -> Iterator[Row]:
    """Move a level that many chats follow, against writing as many rows by executemany."""
    seconds, bare, heard = move_seconds(followers)
    assert heard == followers, "each but who moved it hears once"
    yield Row(f"a level that {followers:,} chats follow is moved (s)", seconds, bare, 2.0)
