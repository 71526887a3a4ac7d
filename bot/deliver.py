"""Deliver: one drain of a platform's outbox.

outbox -> lease -> wording -> pacing -> chat -> settle. The lease is taken and the outcome settled in
transactions of their own; the send stands outside any. A process that dies in between leaves a lease that
expires by itself, and the message is sent again: at least once, and never lost.

What a chat wants to be spared in its quiet hours is put back until they end, and told as one list then. Of a
storm the first goes at once; what is still not told a little later, since the others before it took the
chat's turns, goes as one list with all that waits behind it. Neither holds for what is urgent.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from bot import gauges
from bot.alerts.bundle import bundle, keys_of
from bot.alerts.hours import read_quiet
from bot.alerts.message import Message
from bot.alerts.models import Telling
from bot.alerts.wording import PATIENCE, word
from bot.bell import Bell
from bot.looking import look
from bot.pacing import LIMITS, Pacer, backoff
from bot.ports import ChatGone, ChatMoved, Outcome, Receipt, Rejected, RetryLater, StoreTrouble
from bot.spell import Spell, Stall

if TYPE_CHECKING:
    from bot.alerts.models import Notification
    from bot.alerts.translator import Translator
    from bot.metrics import MetricKey
    from bot.ports import Chat, Clock, Market, Outbox

log = structlog.get_logger(__name__)

BATCH = 30
"""How many notifications are leased at once, each of another chat."""

LEASE = 30.0
"""How long, in seconds, the right to send lasts. A send is given up well before."""

_LONGEST_WAIT = 1.0
"""How many seconds a leased message may wait for its chat's turn; beyond that it is put back."""

_SEND_TIMEOUT = 20.0

PROMPT = 2.0
"""How many seconds after it is due a message is still told by itself, though others went before it."""

_TOGETHER = 100
"""How many messages are looked through for one list; how many it holds is the platform's room."""

_SECONDS_FOR_PRICES = 3.0

ANNOUNCED_AT_ONCE = 4
"""How many announcements are under way at once; a ring waits for no more of them than the pace asks for."""

CHART_PATIENCE = 15.0
"""How many seconds of the machine a message that was sent may wait for the candles of its chart."""

_CHARTS_AT_ONCE = 64
_CHART_TRIES = 60
_CHART_PAUSE = 1.0


@dataclass(slots=True)
class Courier:
    """Who carries one platform's messages.

    ``translator`` gives the words of a language and a time zone, ``illustrate`` a message with its chart
    filled in, within so many seconds or its own patience, ``market`` the present prices for what was kept.
    ``patience`` is how many seconds a message may wait before it says that it was delayed; ``longest_rest``
    how many pass at most without a look into the outbox. ``tells_delay``: a ring says how long after its
    price it is told. ``stall`` is what keeps all of it waiting, if it does.
    """

    outbox: Outbox
    chat: Chat
    clock: Clock
    translator: Callable[[str, str], Translator]
    patience: float = PATIENCE
    longest_rest: float = 60.0
    illustrate: Callable[[Message, float | None], Awaitable[Message]] | None = None
    market: Market | None = None
    tells_delay: bool = True
    _bell: Bell = field(default_factory=Bell)
    _pacer: Pacer | None = None
    stall: Stall | None = None
    _failures: int = 0
    _spell: Spell = field(default_factory=Spell)
    _is_closed: bool = False
    _announcing: set[asyncio.Task[None]] = field(default_factory=set)
    _charting: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Drain whenever something is due, until closed or cancelled."""
        try:
            await self._run()
        finally:
            for task in self._charting:
                task.cancel()
            await self.finish()

    async def finish(self) -> None:
        """Wait for what goes on beside the drain: announcements, and charts for what was sent."""
        while tasks := self._announcing | self._charting:
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while not self._is_closed:
            self._bell.mute()
            try:
                with self.clock.still():
                    carried = await self.drain()
                delay = 0.0 if carried else await self._until_due()
            except StoreTrouble as trouble:
                delay = backoff(self._failures, first=1.0, most=30.0)
                self._failures += 1
                self._note_trouble(trouble)
            else:
                self._failures = 0
                if self._spell.ends():
                    log.warning("the outbox works again", platform=self.chat.platform)
            if delay and not self._is_closed:
                await self._bell.rest(self.clock, delay)

    def close(self) -> None:
        """Begin no further message; ``run`` ends when those under way are settled."""
        self._is_closed = True
        self._bell.ring()

    def wake(self) -> None:
        """Say that something new may be due."""
        self._bell.ring()

    async def tell_unkept(self, notification: Notification) -> bool:
        """Send what cannot be promised because the outbox does not work; gives whether it was taken.

        This is for what the bot says of itself alone: nothing that rings is told unless it is kept.
        """
        outcome = await self._send(notification, self._word(notification, self.patience), [])
        self._heed(notification, outcome, self.clock.now())
        return isinstance(outcome, Receipt)

    async def drain(self) -> int:
        """Send what is due now, one message of each chat; gives how many were leased.

        Announcements are sent beside it, a few at once, so that nothing that rings has to wait for them.
        """
        now = self.clock.now()
        leased = await self.outbox.lease(self.chat.platform, now, BATCH, LEASE, self._room())
        for notification in leased:
            if notification.kind is Telling.BROADCAST:
                self._beside(self._announcing, self._carry(notification))
        alerts = (one for one in leased if one.kind is not Telling.BROADCAST)
        await asyncio.gather(*(self._carry(notification) for notification in alerts))
        return len(leased)

    def _room(self) -> int:
        return ANNOUNCED_AT_ONCE - len(self._announcing)

    def _beside(self, tasks: set[asyncio.Task[None]], work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        tasks.add(task)

        def end(done: asyncio.Task[None]) -> None:
            tasks.discard(done)
            self._bell.ring()
            if not done.cancelled() and (error := done.exception()) is not None:
                log.error("a task beside the drain failed", error=type(error).__name__)

        task.add_done_callback(end)

    async def _carry(self, notification: Notification) -> None:
        chat, is_group, now = notification.chat.chat, notification.is_group, self.clock.now()
        if (until := _quiet_until(notification, now)) is not None:
            await self._put_back(notification, until, is_kept=True)
            return
        if (wait := self.pacer.ready_at(chat, is_group, now) - now) > _LONGEST_WAIT:
            await self._put_back(notification, now + wait)
            return
        message = self._word(notification, self.patience)
        others, is_announced = await self._others(notification, now), notification.kind is Telling.BROADCAST
        if others or (notification.kept_until is not None and not is_announced):
            listed, told = await self._listed([notification, *others])
            others, rest = others[: told - 1], others[told - 1 :]
            await self._let_go(rest)
            if others or notification.kept_until is not None:
                message = listed
        sketched = message
        if self.illustrate is not None:
            message = await self.illustrate(message, 0.0 if self.chat.adds_charts else None)
        outcome = await self._send(notification, message, others)
        if others and isinstance(outcome, Rejected):  # whatever it is, the others must not go down with it
            log.warning("a list was rejected", platform=self.chat.platform, reason=outcome.reason)
            await self._let_go(others)
            others = []
            outcome = await self._send(notification, self._word(notification, self.patience), others)
        for one in (notification, *others):
            self._heed(one, outcome, self.clock.now())
        # What is to be tried again keeps the trace of this try: the others are taken again with the first.
        await self._settle(notification, outcome, [] if isinstance(outcome, RetryLater) else others)
        if isinstance(outcome, Receipt) and not outcome.has_chart and sketched.chart is not None:
            self._charts_later(notification, outcome.message, sketched)

    async def _send(
        self, notification: Notification, message: Message, others: Sequence[Notification]
    ) -> Outcome:
        chat, is_group, now = notification.chat.chat, notification.is_group, self.clock.now()
        await self.clock.sleep(self.pacer.reserve(chat, is_group, now) - now)
        dedupe = f"{notification.dedupe}/to/{others[-1].id}" if others else notification.dedupe
        try:
            async with asyncio.timeout(_SEND_TIMEOUT):
                return await self.chat.send(notification.chat, message, dedupe)
        except TimeoutError:
            return RetryLater(backoff(notification.attempts), "no answer in time")

    def _word(self, notification: Notification, patience: float) -> Message:
        translator = self.translator(notification.language, notification.timezone)
        try:
            now = self.clock.now()
            delay = notification.delay(now) if self.tells_delay else None
            return word(notification, translator, now, patience, delay)
        except Exception:  # a message that cannot be worded well is told all the same
            log.exception("a message cannot be worded", notification=notification.id)
            return _plain(notification)

    async def _others(self, notification: Notification, now: float) -> list[Notification]:
        """Take what is told with one: kept with it, behind it in a storm, or what it was tried with."""
        if notification.is_urgent or notification.kind is Telling.BROADCAST:
            return []
        if notification.kept_until is None and not notification.attempts:
            is_prompt = now - notification.due <= PROMPT
            chat, is_group = notification.chat.chat, notification.is_group
            if is_prompt or not self.pacer.is_busy(chat, is_group, notification.due, now):
                return []
        try:
            return await self.outbox.gather(notification, now, _TOGETHER, LEASE)
        except StoreTrouble as trouble:
            self._note_trouble(trouble)
            return []

    async def _listed(self, notifications: Sequence[Notification]) -> tuple[Message, int]:
        first = notifications[0]
        keys = keys_of(notifications) if first.kept_until is not None else []
        return bundle(
            notifications,
            lambda one: self._word(one, math.inf),
            self.translator(first.language, first.timezone),
            LIMITS[self.chat.platform].room,
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

    async def _put_back(self, notification: Notification, until: float, *, is_kept: bool = False) -> None:
        await self._write(lambda: self.outbox.put_back(notification, until, is_kept=is_kept))

    async def _let_go(self, notifications: Sequence[Notification]) -> None:
        if notifications:
            await self._write(lambda: self.outbox.let_go(notifications))

    def _charts_later(self, notification: Notification, sent: str, message: Message) -> None:
        if self.illustrate is None or not self.chat.adds_charts or self._is_closed:
            return
        if len(self._charting) < _CHARTS_AT_ONCE:
            self._beside(self._charting, self._add_chart(self.illustrate, notification, sent, message))

    async def _add_chart(
        self,
        illustrate: Callable[[Message, float | None], Awaitable[Message]],
        notification: Notification,
        sent: str,
        message: Message,
    ) -> None:
        """Add the chart to a message that was sent, while the pace leaves room for what is more urgent.

        A chart is an extra: one that does not get through in its tries, or before a restart, is left out.
        """
        message = await illustrate(message, CHART_PATIENCE)
        if message.chart is None:
            return
        chat, is_group = notification.chat.chat, notification.is_group
        for _ in range(_CHART_TRIES):
            now = self.clock.now()
            if not self.pacer.has_room(chat, is_group, now):
                await self.clock.sleep(_CHART_PAUSE)
                continue
            await self.clock.sleep(self.pacer.reserve(chat, is_group, now) - now)
            try:
                async with asyncio.timeout(_SEND_TIMEOUT):
                    outcome = await self.chat.illustrate(notification.chat, sent, message)
            except TimeoutError:
                outcome = RetryLater(_CHART_PAUSE, "no answer in time")
            if not isinstance(outcome, RetryLater):
                return
            if outcome.is_global:
                self.pacer.hold_all(self.clock.now() + outcome.after)
            else:
                self.pacer.hold(chat, is_group, self.clock.now() + outcome.after)
            await self.clock.sleep(max(_CHART_PAUSE, outcome.after))

    async def _settle(
        self, notification: Notification, outcome: Outcome, others: Sequence[Notification]
    ) -> None:
        """Write down what became of a send, however long it takes: what is not written down is sent again."""
        await self._write(lambda: self.outbox.settle(notification, outcome, self.clock.now(), others))

    async def _write(self, write: Callable[[], Awaitable[None]]) -> None:
        attempts = 0
        while True:
            try:
                return await write()
            except StoreTrouble as trouble:
                self._note_trouble(trouble)
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
        if isinstance(outcome, RetryLater):
            self._stall(outcome.reason)
        else:  # whatever it says of the message or its chat, the platform takes what it is sent
            self.stall = None
        match outcome:
            case Receipt():
                gauges.count_delivery(self.chat.platform, "sent")
                gauges.observe_delay(self.chat.platform, now - notification.due)
                if (delay := notification.delay(now)) is not None:
                    gauges.observe_ring_delay(str(notification.facts["way"]), delay)
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
        due = await self.outbox.next_due(self.chat.platform, now, has_room=self._room() > 0)
        gauges.show_outbox_age(self.chat.platform, 0.0 if due is None else max(0.0, now - due))
        if due is None:
            self.stall = None
        return self.longest_rest if due is None else min(max(due - now, 0.01), self.longest_rest)

    def _note_trouble(self, trouble: StoreTrouble) -> None:
        if self._spell.begins(str(trouble), self.clock.now()):
            log.error("the outbox does not work", platform=self.chat.platform, reason=str(trouble))
        self._stall(str(trouble))

    def _stall(self, reason: str) -> None:
        self.stall = Stall(self.stall.since if self.stall else self.clock.now(), reason.rstrip("."))


def _quiet_until(notification: Notification, now: float) -> float | None:
    """Say until when a message is to be kept for the quiet hours of its chat; ``None``: it may go."""
    quiet = read_quiet(notification.quiet) if notification.quiet and not notification.is_urgent else None
    return quiet.ends_at(notification.timezone, now) if quiet else None


def _plain(notification: Notification) -> Message:
    label, rule = notification.facts.get("alert", ""), notification.facts.get("rule", "")
    return Message(title=f"{label} {notification.kind}: {rule}", facts={"event": str(notification.kind)})
