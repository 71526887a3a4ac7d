"""Rows of the chats: what people wait for."""

from __future__ import annotations

from collections.abc import Iterator

from bot.delays import Delays
from tests.benchmarks.latency import ring_seconds
from tests.benchmarks.row import Row
from tests.benchmarks.typists import typing_seconds


def latency(rings: int = 100) -> Iterator[Row]:
    """Ring by a stream, against by a look every second: from the trade to the message in the chat."""
    streamed, looked = Delays(), Delays()
    for rung, is_streamed in ((streamed, True), (looked, False)):
        for seconds in ring_seconds(rings, is_streamed):
            rung.note("ring", seconds)
    figure, baseline = streamed.of("ring"), looked.of("ring")
    assert figure is not None
    assert baseline is not None
    name = f"{rings} rings by stream, against by looks every second"
    yield Row(f"{name}, p50 (s)", figure.p50, baseline.p50, 1.0, rings=rings)
    yield Row(f"{name}, p99 (s)", figure.p99, baseline.p99, 1.0, rings=rings)


def typing_at_once(platform: str, goal: float, people: int = 50, rounds: int = 10) -> Iterator[Row]:
    """See how long people wait who type at once, against one at a time: to an answer, or to be told to wait.

    ``goal`` is the seconds to the first sign of an answer: Discord takes the first of either within three,
    Telegram waits for as long as people do in patience.
    """
    alone, crowd = (sorted(waits) for waits in typing_seconds(platform.lower(), people, rounds))
    name = f"{people} people typing at once on {platform}, charts among them, to the first answer, p99 (s)"
    yield Row(name, *(waits[int(0.99 * (len(waits) - 1))] for waits in (crowd, alone)), goal)
