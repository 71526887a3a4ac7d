"""Reach Telegram for as long as it takes, and look for others who listen with the same token."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar

import structlog
from telegram import Update
from telegram.error import Conflict, InvalidToken, TelegramError

from bot.chats.telegram_errors import pause_before
from bot.ports import Clock
from bot.rules.phrases import to_say

HEARD: Final = (Update.MESSAGE, Update.CHANNEL_POST, Update.CALLBACK_QUERY, Update.INLINE_QUERY)
"""The kinds of updates that are asked for."""

RIVAL: Final = to_say("another program listens with the same token")

SECOND: Final = (
    "Another program listens on Telegram with the token in TOCSIN_TELEGRAM_TOKEN, so this bot ends before it "
    "tells anything twice: stop the other one, or give this one a token of its own from @BotFather."
)

LATELY: Final = 600.0
"""For how many seconds a rival that was met is still named as one."""

Answered = TypeVar("Answered")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Doubts(NamedTuple):
    """How long a bot that begins doubts that it is the only one with its token; all in seconds.

    Who was there first stays, and who comes later leaves. So nothing is told for ``at_start`` seconds, or
    ``after_webhook`` where a webhook stood that is not its own: whoever listens by one looks but every
    ``between_looks`` seconds whether it still stands. Whoever meets another within ``probation`` seconds of
    its begin is the newcomer.

    Whoever was there polls again after a second, and the Bot API keeps back for three a 409 that follows
    another: before four seconds are over, a newcomer cannot have heard of it.
    """

    at_start: float = 6.0
    after_webhook: float = 75.0
    probation: float = 60.0
    between_looks: float = 60.0


ON_DUTY: Final = Doubts(probation=0.0)
"""Of a bot whose like take turns: what it meets later may be one of them, which is about to leave."""

AFTER_ANOTHER: Final = Doubts(at_start=0.0, after_webhook=0.0, probation=0.0)
"""Of one that follows another of them: that one may still be there for a moment."""


class Deaf:
    """The ear of a process that is handed what another hears."""

    is_working = True
    trouble = ""

    async def settle(self) -> None:
        """Have nothing to find out."""

    async def begin(self) -> None:
        """Have nothing to fetch."""

    async def stay(self) -> None:
        """Be there until cancelled."""
        await asyncio.Event().wait()

    async def end(self) -> None:
        """Have nothing to stop."""


async def reach(clock: Clock, ask: Callable[[], Awaitable[Answered]]) -> Answered:
    """Ask until Telegram answers. Raises InvalidToken, and Conflict where another program polls."""
    attempt = 0
    while True:
        try:
            return await ask()
        except (InvalidToken, Conflict):
            raise
        except TelegramError as error:
            pause = pause_before(error, attempt)
            log.warning("telegram cannot be reached", reason=str(error), again_in=pause)
        await clock.sleep(pause)
        attempt += 1
