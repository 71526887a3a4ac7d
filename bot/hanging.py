"""Hang charts on messages that were sent without them, while the pace leaves room for what is more urgent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from bot.ports import RetryLater

if TYPE_CHECKING:
    from bot.alerts.message import Message
    from bot.alerts.models import Notification
    from bot.pacing import Pacer
    from bot.ports import Chat, Clock

log = structlog.get_logger(__name__)

PATIENCE = 15.0
"""How many seconds of the machine a message that was sent may wait for the candles of its chart."""

_AT_ONCE = 64
_TRIES = 60
_PAUSE = 1.0
_HANG_WITHIN = 20.0


@dataclass(slots=True)
class Hanging:
    """The charts of one platform that are still to be hung.

    A chart is an extra: one that does not get through in its tries, or before a restart, is left out. So is
    one beyond what is free, where a platform takes more for money.
    """

    chat: Chat
    pacer: Pacer
    clock: Clock
    illustrate: Callable[[Message, float | None], Awaitable[Message]]
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, notification: Notification, sent: str, message: Message) -> None:
        """Hang the chart of a message that was sent as ``sent``, unless too many are waited for."""
        if len(self._tasks) < _AT_ONCE:
            task = asyncio.create_task(self._hang(notification, sent, message))
            self._tasks.add(task)
            task.add_done_callback(self._end)

    def cancel(self) -> None:
        """Leave out what is not hung yet."""
        for task in self._tasks:
            task.cancel()

    async def finish(self) -> None:
        """Wait for all that was begun."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a chart cannot be hung", error=type(error).__name__)

    async def _hang(self, notification: Notification, sent: str, message: Message) -> None:
        message = await self.illustrate(message, PATIENCE)
        if message.chart is None:
            return
        chat, is_group = notification.chat.chat, notification.is_group
        for _ in range(_TRIES):
            now = self.clock.now()
            if not self.pacer.has_room(chat, is_group, now):
                await self.clock.sleep(_PAUSE)
                continue
            self.pacer.spend(chat, is_group, now)
            try:
                async with asyncio.timeout(_HANG_WITHIN):
                    outcome = await self.chat.illustrate(notification.chat, sent, message)
            except TimeoutError:
                outcome = RetryLater(_PAUSE, "no answer in time")
            if not isinstance(outcome, RetryLater):
                return
            now = self.clock.now()
            if outcome.is_global:
                self.pacer.hold_all(now + outcome.after)
            else:
                self.pacer.hold(chat, is_group, now + outcome.after, now)
            await self.clock.sleep(max(_PAUSE, outcome.after))
