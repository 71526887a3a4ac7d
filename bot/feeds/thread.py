"""One thread with an event loop of its own, in which ccxt lives.

Parsing a few thousand markets or prices blocks a loop for tenths of a second; here it blocks nobody's chat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from threading import Lock, Thread
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class LoopThread:
    """A thread that runs coroutines for other loops; started by the first of them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._users = 0

    def enter(self) -> None:
        """Count one more user; the thread ends when the last of them has left."""
        self._users += 1

    async def run(self, work: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """Run ``work()`` over there and give what it gives; a cancellation here cancels it there."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), self._started()))

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run ``work()`` over there, and wait for nothing: it must not raise."""
        asyncio.run_coroutine_threadsafe(work(), self._started())

    async def leave(self) -> None:
        """Count one user less, and end the thread after the last."""
        self._users -= 1
        if self._users > 0:
            return
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            await asyncio.to_thread(thread.join)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = self._loop = asyncio.new_event_loop()
                self._thread = Thread(target=_serve, args=(loop,), name=self._name, daemon=True)
                self._thread.start()
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
