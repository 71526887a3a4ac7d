"""Deliver: one drain of a platform's outbox.

outbox -> lease -> wording -> pacing -> chat -> settle. The lease is taken and the outcome settled in
transactions of their own; the send stands outside any. A process that dies in between leaves a lease that
expires by itself, and the message is sent again: at least once, and never lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from bot import gauges
from bot.alerts.message import Message
from bot.alerts.wording import PATIENCE, word
from bot.pacing import LIMITS, Pacer, backoff
from bot.ports import ChatGone, ChatMoved, Outcome, Receipt, Rejected, RetryLater, StoreTrouble

if TYPE_CHECKING:
    from bot.alerts.models import Notification
    from bot.alerts.translator import Translator
    from bot.ports import Chat, Clock, Outbox

log = structlog.get_logger(__name__)

BATCH = 30
"""How many notifications are leased at once, each of another chat."""

LEASE = 30.0
"""How long, in seconds, the right to send lasts. A send is given up well before."""

_LONGEST_WAIT = 1.0
"""How many seconds a leased message may wait for its chat's turn; beyond that it is put back."""

_SEND_TIMEOUT = 20.0


@dataclass(slots=True)
class Courier:
    """Who carries one platform's messages.

    ``translator`` gives the words of a language and a time zone, ``illustrate`` a message with its chart
    filled in, in bounded time. ``patience`` is how many seconds a message may wait before it says that it was
    delayed; ``longest_rest`` how many pass at most without a look into the outbox.
    """

    outbox: Outbox
    chat: Chat
    clock: Clock
    translator: Callable[[str, str], Translator]
    patience: float = PATIENCE
    longest_rest: float = 60.0
    illustrate: Callable[[Message], Awaitable[Message]] | None = None
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _pacer: Pacer | None = None
    _failures: int = 0
    _is_closed: bool = False

    async def run(self) -> None:
        """Drain whenever something is due, until closed or cancelled."""
        while not self._is_closed:
            self._bell.clear()
            try:
                with self.clock.still():
                    carried = await self.drain()
                delay = 0.0 if carried else await self._until_due()
            except StoreTrouble as trouble:
                log.error("the outbox cannot be read", platform=self.chat.platform, reason=str(trouble))
                delay = backoff(self._failures, first=1.0, most=30.0)
                self._failures += 1
            else:
                self._failures = 0
            if delay and not self._is_closed:
                await self._rest(delay)

    def close(self) -> None:
        """Begin no further message; ``run`` ends when those under way are settled."""
        self._is_closed = True
        self._bell.set()

    def wake(self) -> None:
        """Say that something new may be due."""
        self._bell.set()

    async def drain(self) -> int:
        """Send what is due now, one message of each chat; gives how many were leased."""
        now = self.clock.now()
        leased = await self.outbox.lease(self.chat.platform, now, BATCH, LEASE)
        await asyncio.gather(*(self._carry(notification) for notification in leased))
        return len(leased)

    async def _carry(self, notification: Notification) -> None:
        translator = self.translator(notification.language, notification.timezone)
        try:
            message = word(notification, translator, self.clock.now(), self.patience)
        except Exception:  # a message that cannot be worded well is told all the same
            log.exception("a message cannot be worded", notification=notification.id)
            message = _plain(notification)
        outcome: Outcome
        chat, is_group, now = notification.chat.chat, notification.is_group, self.clock.now()
        if (wait := self.pacer.ready_at(chat, is_group, now) - now) > _LONGEST_WAIT:
            await self._settle(notification, RetryLater(wait, "paced"))
            return
        if self.illustrate is not None:
            message = await self.illustrate(message)
        await self.clock.sleep(self.pacer.reserve(chat, is_group, now) - now)
        try:
            async with asyncio.timeout(_SEND_TIMEOUT):
                outcome = await self.chat.send(notification.chat, message, notification.dedupe)
        except TimeoutError:
            outcome = RetryLater(backoff(notification.attempts), "no answer in time")
        self._heed(notification, outcome, self.clock.now())
        await self._settle(notification, outcome)

    async def _settle(self, notification: Notification, outcome: Outcome) -> None:
        """Write down what became of a send, however long it takes: what is not written down is sent again."""
        attempts = 0
        while True:
            try:
                return await self.outbox.settle(notification, outcome, self.clock.now())
            except StoreTrouble as trouble:
                log.error("not settled yet", platform=self.chat.platform, reason=str(trouble))
                await self.clock.sleep(backoff(attempts, first=0.5, most=30.0))
                attempts += 1

    @property
    def pacer(self) -> Pacer:
        """The pacer of this platform."""
        if self._pacer is None:
            self._pacer = Pacer(LIMITS[self.chat.platform])
        return self._pacer

    def _heed(self, notification: Notification, outcome: Outcome, now: float) -> None:
        """Hold what the platform asked to hold, and count and log what became of a send."""
        fields = {"platform": self.chat.platform, "notification": notification.id}
        match outcome:
            case Receipt():
                gauges.count_delivery(self.chat.platform, "sent")
                gauges.observe_delay(self.chat.platform, now - notification.made_at)
                _observe_ring(notification, now)
            case RetryLater(after=after, reason=reason, is_global=True):
                self.pacer.hold_all(now + after)
                gauges.count_delivery(self.chat.platform, "retry")
                log.warning("platform asks to wait", after=after, reason=reason, **fields)
            case RetryLater(after=after, reason=reason):
                self.pacer.hold(notification.chat.chat, notification.is_group, now + after)
                gauges.count_delivery(self.chat.platform, "retry")
                log.warning("not sent yet", after=after, reason=reason, **fields)
            case ChatMoved():
                gauges.count_delivery(self.chat.platform, "moved")
                log.info("chat moved", **fields)
            case ChatGone(reason=reason):
                gauges.count_delivery(self.chat.platform, "gone")
                log.warning("chat gone, its subscriptions are paused", reason=reason, **fields)
            case Rejected(reason=reason):
                gauges.count_delivery(self.chat.platform, "rejected")
                log.error("message rejected", reason=reason, **fields)

    async def _until_due(self) -> float:
        now = self.clock.now()
        due = await self.outbox.next_due(self.chat.platform, now)
        gauges.show_outbox_age(self.chat.platform, 0.0 if due is None else max(0.0, now - due))
        return self.longest_rest if due is None else min(max(due - now, 0.01), self.longest_rest)

    async def _rest(self, seconds: float) -> None:
        waits = {asyncio.create_task(self._bell.wait()), asyncio.create_task(self.clock.sleep(seconds))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


def _observe_ring(notification: Notification, now: float) -> None:
    """Observe how long a ring took; one that was found late tells of an outage, and is left out."""
    way, at = notification.facts.get("way"), notification.facts.get("at")
    if isinstance(way, str) and isinstance(at, int | float) and not notification.facts.get("is_late"):
        gauges.observe_ring_delay(way, now - at)


def _plain(notification: Notification) -> Message:
    label, rule = notification.facts.get("alert", ""), notification.facts.get("rule", "")
    return Message(title=f"{label} {notification.kind}: {rule}", facts={"event": str(notification.kind)})
