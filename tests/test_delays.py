"""How long rings took: percentiles in bounded memory, by the way on which their price came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.delays import Delay, Delays


def test_nothing_rang_is_no_percentile() -> None:
    assert Delays().of("stream") is None
    assert Delays().all() == []


def test_ways_are_kept_apart_and_the_oldest_is_forgotten() -> None:
    delays = Delays(kept=100)
    for seconds in range(1000, 0, -1):
        delays.note("poll", seconds)
    delays.note("stream", 0.1)
    assert delays.all() == [Delay("poll", 100, 50, 99), Delay("stream", 1, 0.1, 0.1)]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_so_many_took_no_longer(seconds: list[float]) -> None:
    delays = Delays()
    for one in seconds:
        delays.note("poll", one)
    found = delays.of("poll")
    assert found is not None
    assert found.count == len(seconds)
    for bound, share in ((found.p50, 0.5), (found.p99, 0.99)):
        assert sum(one <= bound for one in seconds) >= share * len(seconds)
        assert sum(one < bound for one in seconds) < share * len(seconds)
