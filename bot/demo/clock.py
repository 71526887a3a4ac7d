"""A clock that runs fast, and can be held."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class FastClock:
    """Time from ``start`` on, ``rate`` times as fast as the machine's; it stands while somebody holds it.

    May be read from any thread; it is held and slept on in one.
    """

    def __init__(self, start: float, rate: float) -> None:
        self._start = start
        self._rate = rate
        self._lock = Lock()
        self._began = time.monotonic()
        self._held = 0.0
        self._held_since = 0.0
        self._holders = 0

    def now(self) -> float:
        """Give the present instant of this clock, in epoch seconds."""
        with self._lock:
            real = self._held_since if self._holders else time.monotonic()
            return self._start + (real - self._began - self._held) * self._rate

    def steady(self) -> float:
        """Give the same: nobody sets this clock."""
        return self.now()

    async def sleep(self, seconds: float) -> None:
        """Wait for seconds of this clock; while it is held, for as long as they would have been."""
        until = self.now() + seconds
        while (left := until - self.now()) > 0:
            await asyncio.sleep(left / self._rate)
            if self._holders:
                return

    async def sleep_until(self, at: float) -> None:
        """Wait until this clock shows an instant, however often it is held meanwhile."""
        while (left := at - self.now()) > 0:  # noqa: ASYNC110 - a held clock wakes nobody
            await asyncio.sleep(max(left / self._rate, 0.001))

    def real(self, seconds: float) -> float:
        """Say how many real seconds a stretch of this clock takes while nobody holds it."""
        return seconds / self._rate

    @contextmanager
    def still(self) -> Iterator[None]:
        """Hold the time while inside; holds may overlap."""
        with self._lock:
            if not self._holders:
                self._held_since = time.monotonic()
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if not self._holders:
                    self._held += time.monotonic() - self._held_since
