"""Work through what each chat brings in order, and through the chats beside each other, all bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

Rest = Coroutine[Any, Any, None]
Work = Callable[[], Awaitable[Rest | None]]
"""A work, and what of it may go on beside those that follow it."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Lanes:
    """Keep one lane per chat: a slow answer in one chat delays that chat only, and what is left of it nobody.

    At most ``at_once`` works run and ``held`` wait or run; beyond that ``put`` waits, and with it the
    platform, which keeps what is not fetched.
    """

    def __init__(self, at_once: int = 256, held: int = 1024) -> None:
        self._running = asyncio.Semaphore(at_once)
        self._room = asyncio.Semaphore(held)
        self._lanes: dict[str, deque[Work]] = {}
        self._walkers: set[asyncio.Task[None]] = set()

    def load(self, lane: str) -> int:
        """Count the works of a lane that wait or run."""
        return len(self._lanes.get(lane, ()))

    @property
    def are_full(self) -> bool:
        """Whether ``put`` would wait."""
        return self._room.locked()

    async def put(self, lane: str, work: Work) -> None:
        """Add a work to a lane; an error of it is logged and harms no other."""
        await self._room.acquire()
        if (queue := self._lanes.get(lane)) is not None:
            queue.append(work)
            return
        self._lanes[lane] = deque([work])
        self._begin(self._walk(lane), lane)

    async def drain(self, seconds: float) -> None:
        """Wait so long for all works to end, then cancel those that have not."""
        if not self._walkers:
            return
        _, late = await asyncio.wait(set(self._walkers), timeout=seconds)
        for walker in late:
            walker.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _begin(self, walking: Rest, lane: str) -> None:
        walker = asyncio.create_task(walking, name=f"lane {lane}")
        self._walkers.add(walker)
        walker.add_done_callback(self._walkers.discard)

    async def _finish(self, lane: str, rest: Rest) -> None:
        try:
            await rest
        except Exception:
            log.exception("answering met a defect", lane=lane)

    async def _walk(self, lane: str) -> None:
        queue = self._lanes[lane]
        try:
            while queue:
                try:
                    async with self._running:
                        rest = await queue[0]()
                    if rest is not None:
                        self._begin(self._finish(lane, rest), lane)
                except Exception:
                    log.exception("answering met a defect", lane=lane)
                queue.popleft()
                self._room.release()
        finally:
            for _ in queue:
                self._room.release()
            del self._lanes[lane]
