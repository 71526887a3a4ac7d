"""Rows of the store."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.levels import move_seconds
from tests.benchmarks.ringing import ring_many
from tests.benchmarks.row import Row


def level_moved(followers: int = 10_000) -> Iterator[Row]:
    """Move a level that many chats follow, against writing as many rows by executemany."""
    seconds, bare, heard = move_seconds(followers)
    assert heard == followers, "each but who moved it hears once"
    yield Row(f"a level that {followers:,} chats follow is moved (s)", seconds, bare, 2.0)


def ringing(alerts: int = 50_000) -> Iterator[Row]:
    """Ring very many alerts by one tick, against executemany of the rows that it leaves."""
    for words, kind in (
        (f"{alerts:,} alerts ring by one price", {}),
        (f"{alerts:,} alerts of one level ring by one price", {"is_equal": True}),
        (f"{alerts:,} alerts ring by one final minute", {"is_final": True}),
        (f"an alert that {alerts:,} chats follow rings", {"is_shared": True}),
    ):
        rung = ring_many(alerts, **kind)
        assert rung.promised == alerts, "each is told once"
        yield Row(f"{words}, to the promises kept (s)", rung.seconds, rung.bare, 3.0, is_of_ratio=True)
        yield Row(f"{words}: the longest wait for the loop (ms)", rung.longest, max(rung.idle, 1.0), 100.0)
