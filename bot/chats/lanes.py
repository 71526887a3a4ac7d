"""Work through what each chat brings in order, and through the chats beside each other, all bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

Work = Callable[[], Awaitable[None]]

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Lanes:
    """Keep one lane per chat: a slow answer in one chat delays that chat only.

    At most ``at_once`` works run and ``held`` wait or run; beyond that ``put`` waits, and with it the
    platform, which keeps what is not fetched.
    """

    def __init__(self, at_once: int = 32, held: int = 1024) -> None:
        self._running = asyncio.Semaphore(at_once)
        self._room = asyncio.Semaphore(held)
        self._lanes: dict[str, deque[Work]] = {}
        self._walkers: set[asyncio.Task[None]] = set()

    def load(self, lane: str) -> int:
        """Count the works of a lane that wait or run."""
        return len(self._lanes.get(lane, ()))

    async def put(self, lane: str, work: Work) -> None:
        """Add a work to a lane; an error of it is logged and harms no other."""
        await self._room.acquire()
        if (queue := self._lanes.get(lane)) is not None:
            queue.append(work)
            return
        self._lanes[lane] = deque([work])
        walker = asyncio.create_task(self._walk(lane), name=f"lane {lane}")
        self._walkers.add(walker)
        walker.add_done_callback(self._walkers.discard)

    async def drain(self, seconds: float) -> None:
        """Wait so long for all works to end, then cancel those that have not."""
        if not self._walkers:
            return
        _, late = await asyncio.wait(set(self._walkers), timeout=seconds)
        for walker in late:
            walker.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _walk(self, lane: str) -> None:
        queue = self._lanes[lane]
        try:
            while queue:
                try:
                    async with self._running:
                        await queue[0]()
                except Exception:
                    log.exception("answering met a defect", lane=lane)
                queue.popleft()
                self._room.release()
        finally:
            for _ in queue:
                self._room.release()
            del self._lanes[lane]
