"""The tape within one process: between the feeds and watch, bounded and in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from bot.metrics import Batch, Want
from bot.tape.wants import unite

LENGTH = 64


class MemoryTape:
    """The tape within one process: a bounded queue, read by its only partition."""

    def __init__(self, length: int = LENGTH) -> None:
        self._queue: asyncio.Queue[Batch | None] = asyncio.Queue(length)
        self._wants: dict[int, Callable[[], Sequence[Want]]] = {}

    @property
    def trouble(self) -> None:
        """Nothing can keep anybody from it."""

    async def put(self, batch: Batch) -> None:
        """Hand a batch over; waits while the tape is full."""
        await self._queue.put(batch)

    def close(self) -> None:
        """End the tape: what is on it and was not taken is dropped, for the exchange can be asked again."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def epoch(self, partition: int) -> int:
        """Give 0: whoever reads it has made it."""
        return 0

    async def judged(self) -> None:
        """Wait until nothing that was handed over is left to be judged."""
        await self._queue.join()

    async def caught_up(self) -> None:
        """Wait for the same."""
        await self._queue.join()

    def tell_wants(self, partition: int, wants: Callable[[], Sequence[Want]]) -> None:
        """Have a partition asked what it wants, whenever somebody wants to know, in place of before."""
        self._wants[partition] = wants

    async def wants(self) -> list[Want]:
        """Give what all partitions want, one for each key."""
        return unite(*(wants() for wants in self._wants.values()))

    async def read(self, partition: int, epoch: int = 0) -> AsyncIterator[Batch]:
        """Yield batches in order, until the tape is closed."""
        while (batch := await self._queue.get()) is not None:
            yield batch
            self._queue.task_done()
