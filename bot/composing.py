"""Compose what notifications say: one by itself, or several as one list with the prices of now."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from bot.alerts.bundle import bundle, keys_of
from bot.alerts.message import Message
from bot.alerts.wording import PATIENCE, word
from bot.looking import look

if TYPE_CHECKING:
    from bot.alerts.models import Notification
    from bot.alerts.translator import Translator
    from bot.metrics import MetricKey
    from bot.ports import Clock, Market

log = structlog.get_logger(__name__)

_SECONDS_FOR_PRICES = 3.0


@dataclass(frozen=True, slots=True)
class Composer:
    """Who words the notifications of one platform.

    ``translator`` gives the words of a language and a time zone, ``market`` the present prices for what was
    kept. ``patience`` is how many seconds a message may wait before it says that it was delayed;
    ``tells_delay``: a ring says how long after its price it is told.
    """

    clock: Clock
    translator: Callable[[str, str], Translator]
    market: Market | None = None
    patience: float = PATIENCE
    tells_delay: bool = True

    def word(self, notification: Notification, patience: float | None = None) -> Message:
        """Word a notification."""
        translator = self.translator(notification.language, notification.timezone)
        try:
            now = self.clock.now()
            delay = notification.delay(now) if self.tells_delay else None
            longest = self.patience if patience is None else patience
            worded = word(notification, translator, now, longest, delay)
            return replace(worded, answers=notification.answers)
        except Exception:  # a message that cannot be worded well is told all the same
            log.exception("a message cannot be worded", notification=notification.id)
            return _plain(notification)

    async def list(self, notifications: Sequence[Notification], room: int) -> tuple[Message, int]:
        """Word several as one list of at most ``room`` UTF-16 units; gives it with how many it holds."""
        first = notifications[0]
        keys = keys_of(notifications) if first.kept_until is not None else []
        return bundle(
            notifications,
            lambda one: self.word(one, math.inf),
            self.translator(first.language, first.timezone),
            room,
            await self._prices(keys),
        )

    async def _prices(self, keys: Sequence[MetricKey]) -> dict[MetricKey, float]:
        if self.market is None or not keys:
            return {}
        try:
            async with asyncio.timeout(_SECONDS_FOR_PRICES):
                return {key: seen.price for key, seen in (await look(self.market, keys)).items()}
        except TimeoutError:
            return {}


def _plain(notification: Notification) -> Message:
    label, rule = notification.facts.get("alert", ""), notification.facts.get("rule", "")
    return Message(title=f"{label} {notification.kind}: {rule}", facts={"event": str(notification.kind)})
