"""Wait for the requests of discord.py with patience, and learn from the answers what it keeps to itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any, TypeVar

import aiohttp
import discord

from bot.ports import ChatGone, Outcome, Rejected, RetryLater
from bot.rules.phrases import to_say

FAILURES = (discord.DiscordException, aiohttp.ClientError, OSError)
"""What a request may end with for reasons of Discord or of the network; a timeout is an OSError."""

GONE = {
    10003: to_say("the channel does not exist any more"),
    10004: to_say("the bot is no longer in that server"),
    50001: to_say("the bot may not see the channel"),
    50007: to_say("the person takes no direct messages from the bot"),
    50008: to_say("the channel takes no messages"),
    50013: to_say("the bot may not write in the channel"),
    50024: to_say("the channel takes no messages"),
    50083: to_say("the thread is archived"),
    50278: to_say("the person shares no server with the bot any more"),
    160005: to_say("the thread is locked"),
}
"""Discord's codes for a channel that takes no message until somebody changes something."""

OVER = {10003, 160005}
"""Those after which a thread takes nothing for good."""

ARCHIVED = 50083

_LIMIT_OF_BOT = to_say("Discord's limit for the whole bot")
_LIMIT_OF_CHANNEL = to_say("Discord's limit for the channel")
_LATE = to_say("Discord did not answer in time")
_BARS = to_say("Discord bars the address for a while")
_BAD_TOKEN = to_say("Discord refuses the bot token")

_SHORT = 1.0
"""A limit that ends within so many seconds is left to discord.py, which waits and sends again."""

_AGAIN = 5.0
_BARRED = 60.0

T = TypeVar("T")

_limit: ContextVar[asyncio.Future[RetryLater] | None] = ContextVar("_limit", default=None)


class Limited(Exception):
    """Discord asks to wait longer than a request should be held open."""

    def __init__(self, outcome: RetryLater) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


class Calls:
    """Await requests for at most ``patience`` seconds each.

    ``trace`` goes into the client: through it limits are known when they are met, with whether they hold the
    whole bot, which ``discord.RateLimited`` does not tell.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._loose: set[asyncio.Task[Any]] = set()
        self._held_until = 0.0
        self.trace = aiohttp.TraceConfig()
        self.trace.on_request_end.append(self._note)

    async def within(self, work: Coroutine[Any, Any, T], *, heeds_limits: bool = False) -> T:
        """Give what a request brings. Raises TimeoutError after the patience, and what the request raises.

        With ``heeds_limits`` a longer limit raises Limited as soon as it is met. The request may still
        arrive afterwards, so it needs a nonce where it must not be repeated.
        """
        limit: asyncio.Future[RetryLater] = asyncio.get_running_loop().create_future()
        token = _limit.set(limit if heeds_limits else None)
        task = asyncio.create_task(work)
        _limit.reset(token)
        try:
            waits: set[asyncio.Future[Any]] = {task, limit}
            await asyncio.wait(waits, timeout=self._patience, return_when=asyncio.FIRST_COMPLETED)
            if limit.done() and (not task.done() or task.exception()):
                raise Limited(limit.result())
            if task.done():
                return task.result()
            raise TimeoutError
        finally:
            limit.cancel()
            if not task.done():
                self._leave(task)

    def held(self) -> RetryLater | None:
        """Say how long the whole bot has to wait now, if it has."""
        rest = self._held_until - asyncio.get_running_loop().time()
        return RetryLater(rest, _LIMIT_OF_BOT, is_global=True) if rest > 0 else None

    async def close(self) -> None:
        """End the requests that nobody waits for any more; the client must not be used afterwards."""
        left = set(self._loose)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _leave(self, task: asyncio.Task[Any]) -> None:
        self._loose.add(task)
        task.add_done_callback(self._forget)
        # discord.py holds back every request during a global limit, and a request that is cancelled while it
        # waits for the end of that limit leaves all others waiting for ever. So that one runs to its end.
        if self.held() is None:
            task.cancel()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._loose.discard(task)
        if not task.cancelled():
            task.exception()

    async def _note(
        self,
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        params: aiohttp.TraceRequestEndParams,
    ) -> None:
        if params.response.status != 429:
            return
        headers = params.response.headers
        try:
            after = float(headers.get("Retry-After", ""))
        except ValueError:
            return
        is_global = "X-RateLimit-Global" in headers or headers.get("X-RateLimit-Scope") == "global"
        if is_global:
            self._held_until = max(self._held_until, asyncio.get_running_loop().time() + after)
        waiting = _limit.get()
        if waiting is not None and not waiting.done() and after > _SHORT:
            reason = _LIMIT_OF_BOT if is_global else _LIMIT_OF_CHANNEL
            waiting.set_result(RetryLater(after, reason, is_global))


def outcome_of(problem: Exception) -> Outcome:
    """Say what a failed send means for its message and its chat."""
    match problem:
        case Limited():
            return problem.outcome
        case discord.RateLimited():
            return RetryLater(problem.retry_after, _LIMIT_OF_CHANNEL)
        case discord.HTTPException():
            return _outcome_of_status(problem)
        case TimeoutError():
            return RetryLater(_AGAIN, _LATE)
        case _:
            return RetryLater(_AGAIN, f"Discord cannot be reached ({type(problem).__name__})")


def _outcome_of_status(problem: discord.HTTPException) -> Outcome:
    if problem.code in GONE:
        return ChatGone(GONE[problem.code], is_over=problem.code in OVER)
    match problem.status:
        case 429:
            # discord.py waits out Discord's own limits; this one comes from the network in front of Discord.
            return RetryLater(_BARRED, _BARS, is_global=True)
        case 401:
            return RetryLater(_BARRED, _BAD_TOKEN, is_global=True)
        case 403 if problem.code:
            return ChatGone(f"Discord does not allow it (code {problem.code})")
        case 400 | 413:
            return Rejected(f"Discord refuses the message (code {problem.code})")
        case status:
            return RetryLater(_AGAIN, f"Discord answers HTTP {status}")
