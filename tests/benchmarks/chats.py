"""Rows of the chats: what people wait for."""

from __future__ import annotations

from collections.abc import Iterator

from bot.delays import Delays
from tests.benchmarks.drawing import draw_seconds
from tests.benchmarks.latency import ring_seconds, wire_seconds
from tests.benchmarks.row import Row
from tests.benchmarks.sends import send_seconds, share_of_core
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


def wire_to_message(rings: int = 100) -> Iterator[Row]:
    """Ring by a trade on a stream, from the wire to the message at Telegram, against a commit and a POST."""
    told, bare = (sorted(1000 * one for one in some) for some in wire_seconds(rings))
    name = f"{rings} rings from the trade on the wire to Telegram"
    for share, goal in ((0.5, 3.0), (0.99, 10.0)):
        place = int(share * (rings - 1))
        ends = told[place], bare[place]
        yield Row(f"{name}, p{100 * share:.0f} (ms)", *ends, goal, is_of_ratio=True, rings=rings)


def telegram_sends(messages: int = 3_000, rounds: int = 3) -> Iterator[Row]:
    """Send what the outbox holds as fast as it goes, against a loop of bare POSTs to the same server."""
    seconds, bare = (1000 * one / messages for one in send_seconds(messages, rounds))
    yield Row(
        "one of many messages to Telegram, from the outbox on (ms)", seconds, bare, 3.0, is_of_ratio=True
    )


def telegram_pace(messages: int = 10_000, per_second: int = 1_000) -> Iterator[Row]:
    """Send at the fastest pace that can be paid for, against bare POSTs: in shares of a core."""
    share, bare = share_of_core(messages, per_second)
    yield Row(f"{per_second:,} messages a second to Telegram (cores)", share, bare, 0.6)


def chart(candles: int = 200, rounds: int = 15) -> Iterator[Row]:
    """Draw a chart, against saving an empty picture of its size, and see how long the loop waits."""
    drawn, empty, waited, idle = (1000 * one for one in draw_seconds(candles, rounds))
    yield Row(f"a chart of {candles} candles (ms)", drawn, empty, 3.0, is_of_ratio=True)
    yield Row(f"wait for the loop while a chart of {candles} candles is drawn, p99 (ms)", waited, idle, 20.0)


def typing_at_once(platform: str, goal: float, people: int = 50, rounds: int = 10) -> Iterator[Row]:
    """See how long people wait who type at once, against one at a time: to an answer, or to be told to wait.

    ``goal`` is the seconds to the first sign of an answer: Discord takes the first of either within three,
    Telegram waits for as long as people do in patience.
    """
    alone, crowd = (sorted(waits) for waits in typing_seconds(platform.lower(), people, rounds))
    name = f"{people} people typing at once on {platform}, charts among them, to the first answer, p99 (s)"
    yield Row(name, *(waits[int(0.99 * (len(waits) - 1))] for waits in (crowd, alone)), goal)
