"""Fetch what people say by long polling, and notice whoever else does so with the same token.

Telegram ends a poll with 409 when a newer one begins, and that is all by which two bots with different
databases can know of each other. The one that was there first polls again a second later, which ends the
newcomer's poll. So a bot that begins first holds a poll open for some seconds, leaves what comes where it is,
and ends with a sentence if it is interrupted. One that has listened for a minute goes on whatever happens:
to be silenced by somebody else would be to miss touches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from functools import partial
from math import ceil
from typing import Any, Final

import structlog
from telegram.error import Conflict, TelegramError
from telegram.ext import Application

from bot.chats.telegram_errors import says
from bot.chats.telegram_http import AiohttpRequest, Shut
from bot.chats.telegram_reach import HEARD, LATELY, RIVAL, SECOND, Doubts, reach
from bot.ports import Clock, Refused

POLL: Final = timedelta(seconds=30)
HOOKED: Final = ("webhook is active", "terminated by setwebhook")

_SECONDS_BETWEEN_GLANCES = 0.5

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Polling:
    """Long polling through the library's updater, with ``request`` for its polls."""

    def __init__(
        self,
        application: Application[Any, Any, Any, Any, Any, Any],
        request: AiohttpRequest,
        clock: Clock,
        doubts: Doubts,
    ) -> None:
        updater = application.updater
        assert updater is not None  # noqa: S101 - the builder makes one unless it is told not to
        self._updater = updater
        self._bot = application.bot
        self._request = request
        self._clock = clock
        self._doubts = doubts
        self._began = 0.0
        self._met_at: float | None = None
        self._is_second = asyncio.Event()
        self._unhooking: asyncio.Task[None] | None = None

    @property
    def is_working(self) -> bool:
        """Whether updates are fetched, and the last try to do so did not fail."""
        return self._updater.running and not self._request.is_failing

    @property
    def trouble(self) -> str:
        """Say who takes some of the updates, if lately anybody did."""
        was_lately = self._met_at is not None and self._clock.steady() - self._met_at < LATELY
        return RIVAL if was_lately else ""

    async def settle(self) -> None:
        """Find that nobody else listens, and wait out a network that is down.

        Raises Refused if somebody does.
        """
        self._met_at = None
        self._is_second.clear()
        hook = await reach(self._clock, self._bot.get_webhook_info)
        if hook.url:
            log.warning(
                "telegram's webhook is removed, since this bot polls", waiting=hook.pending_update_count
            )
            await reach(self._clock, self._bot.delete_webhook)
        seconds = self._doubts.after_webhook if hook.url else self._doubts.at_start
        try:
            await reach(self._clock, partial(self._look, self._clock.real(seconds)))
        except Conflict:
            raise Refused(SECOND) from None

    async def _look(self, seconds: float) -> None:
        """Hold polls open for a while. Raises Conflict if another interrupts them, or fetches what waits."""
        loop = asyncio.get_running_loop()
        until, first = loop.time() + seconds, None
        while (left := until - loop.time()) > 0:
            try:
                async with asyncio.timeout(left):
                    waiting = await self._bot.get_updates(limit=1, timeout=timedelta(seconds=ceil(left)))
            except TimeoutError:
                return
            if first is not None and (not waiting or waiting[0].update_id != first):
                raise Conflict("what waited was fetched by another")
            first = waiting[0].update_id if waiting else None
            await asyncio.sleep(min(left, _SECONDS_BETWEEN_GLANCES))

    async def begin(self) -> None:
        """Fetch from now on."""
        self._began = self._clock.steady()
        await self._updater.start_polling(
            timeout=POLL, bootstrap_retries=-1, allowed_updates=HEARD, error_callback=self._report
        )

    async def stay(self) -> None:
        """Do so until cancelled. Raises Refused if somebody was there before."""
        await self._is_second.wait()
        raise Refused(SECOND)

    async def end(self) -> None:
        """Stop fetching."""
        if self._updater.running:
            await within(4.0, self._updater.stop())
        if self._unhooking is not None:
            self._unhooking.cancel()

    def _report(self, error: TelegramError) -> None:
        """Log why polling fails; the library goes on, at most half a minute later."""
        match error:
            case Conflict():
                self._meet(error)
            case Shut():
                log.error("telegram refuses the token", reason=str(error))
            case _:
                log.warning("telegram polling failed", reason=str(error))

    def _meet(self, conflict: Conflict) -> None:
        """Meet another who listens: leave if this one is the newcomer, else go on and say so once."""
        now = self._clock.steady()
        if not self.trouble:
            log.error("another process listens with this telegram token", reason=str(conflict))
        self._met_at = now
        if now - self._began < self._doubts.probation:
            self._is_second.set()
        elif says(conflict, HOOKED) and (self._unhooking is None or self._unhooking.done()):
            self._unhooking = asyncio.create_task(self._unhook())

    async def _unhook(self) -> None:
        """Take back what another's webhook took: as long as one is set, nothing can be fetched."""
        try:
            await self._bot.delete_webhook()
        except TelegramError as error:
            log.warning("telegram's webhook was not removed", reason=str(error))


async def within(seconds: float, stopping: Coroutine[Any, Any, None]) -> None:
    """Let a part stop in its own time, but not for ever: with a network down it would wait half a minute."""
    task = asyncio.ensure_future(stopping)
    for _ in range(3):  # the library swallows a cancellation and goes on with its next step
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            break
        task.cancel()
    if task.done() and not task.cancelled() and (error := task.exception()) is not None:
        log.warning("telegram stopped with an error", reason=type(error).__name__)
