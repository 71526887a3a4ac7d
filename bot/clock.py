"""The machine's own clock, for all that runs in true time."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager, nullcontext


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Give the present instant, in epoch seconds."""
        return time.time()

    def steady(self) -> float:
        """Give the seconds since the machine's start, those in which it slept among them where it knows."""
        has_one = hasattr(time, "CLOCK_BOOTTIME")
        return time.clock_gettime(time.CLOCK_BOOTTIME) if has_one else time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(max(0.0, seconds))

    def real(self, seconds: float) -> float:
        """Give the seconds as they are."""
        return seconds

    def still(self) -> AbstractContextManager[None]:
        """Let time go on: this clock cannot be held."""
        return nullcontext()
