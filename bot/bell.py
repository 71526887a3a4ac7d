"""A bell that ends a rest: for who works when something is due, or when somebody says that it may be."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.ports import Clock


@dataclass(slots=True)
class Bell:
    """Wakes one sleeper. What rings while nobody rests is kept until ``mute``."""

    _event: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        """Wake who rests, or will."""
        self._event.set()

    def mute(self) -> None:
        """Forget what rang so far: what it said is looked at now."""
        self._event.clear()

    async def rest(self, clock: Clock, seconds: float) -> None:
        """Wait so many seconds of a clock, or until it rings."""
        ringing = asyncio.create_task(self._ring_after(clock, seconds))
        try:
            await self._event.wait()
        finally:
            ringing.cancel()

    async def _ring_after(self, clock: Clock, seconds: float) -> None:
        await clock.sleep(seconds)
        self._event.set()
