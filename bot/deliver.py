"""Deliver: one drain of a platform's outbox.

outbox -> lease -> wording -> turn -> chat -> settle. The lease is taken and the outcome settled in
transactions of their own; the send stands outside any. A process that dies in between leaves a lease that
expires by itself, and the message is sent again: at least once, and never lost.

Messages of several chats are under way beside each other, about as many as the platform takes in two seconds:
one that hangs, or waits for its chat, holds up no other, and the line of the platform is never empty while
something is due. When the platform asks to wait as a whole, nothing is leased until that is over, and one
message alone then tries whether it is.

What a chat wants to be spared in its quiet hours is put back until they end, and told as one list then. Of a
storm the first goes at once; what is still not told a little later, since the others before it took the
chat's turns, goes as one list with all that waits behind it. Neither holds for what is urgent.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from bot import gauges
from bot.alerts.hours import quiet_until
from bot.alerts.models import Telling
from bot.alerts.wording import PATIENCE
from bot.bell import Bell
from bot.composing import Composer
from bot.hanging import Hanging
from bot.pacing import LIMITS, Pacer, backoff
from bot.ports import ChatGone, ChatMoved, Outcome, Receipt, Rejected, RetryLater, StoreTrouble
from bot.spell import Spell, Stall
from bot.turns import TooLong, Turns, rank_of

if TYPE_CHECKING:
    from bot.alerts.message import Message
    from bot.alerts.models import Notification
    from bot.alerts.translator import Translator
    from bot.ports import Chat, Clock, Market, Outbox

log = structlog.get_logger(__name__)

LEASE = 30.0
"""How long, in seconds, the right to send lasts. A send is given up well before."""

_LONGEST_WAIT = 1.0
"""How many seconds a leased message may wait for what its chat takes; beyond that it is put back."""

_LONGEST_TURN = 5.0
"""How many seconds it may wait for its turn in the line of the platform."""

_SEND_TIMEOUT = 20.0

_SECONDS_BETWEEN_TRIES = 2.0
"""How often it is tried whether a platform that asked to wait as a whole takes messages again."""

_SECONDS_UNDER_WAY = 2.0
_MOST_UNDER_WAY = 256
"""How much of what a platform takes is under way at once: it covers an answer that is a second late."""

PROMPT = 2.0
"""How many seconds after it is due a message is still told by itself, though others went before it."""

_TOGETHER = 100
"""How many messages are looked through for one list; how many it holds is the platform's room."""

ANNOUNCED_AT_ONCE = 4
"""How many announcements are under way at once; a ring waits for no more of them than the pace asks for."""


_BECAME = {Receipt: "sent", RetryLater: "retry", ChatMoved: "moved", ChatGone: "gone", Rejected: "rejected"}


@dataclass(slots=True)
class Courier:
    """Who carries one platform's messages.

    ``translator`` gives the words of a language and a time zone, ``illustrate`` a message with its chart
    filled in, within so many seconds or its own patience, ``market`` the present prices for what was kept.
    ``patience`` is how many seconds a message may wait before it says that it was delayed; ``longest_rest``
    how many pass at most without a look into the outbox. ``tells_delay``: a ring says how long after its
    price it is told. ``turns`` is the line of the platform, where answers wait too; without one it has its
    own. ``stall`` is what keeps all of it waiting, if it does.
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
    turns: Turns | None = None
    stall: Stall | None = None
    _bell: Bell = field(default_factory=Bell)
    _composer: Composer = field(init=False)
    _turns: Turns = field(init=False)
    _hanging: Hanging | None = field(init=False, default=None)
    _failures: int = 0
    _spell: Spell = field(default_factory=Spell)
    _is_closed: bool = False
    _is_full: bool = False
    _is_shut: bool = False
    _tried_at: float = -math.inf
    _carrying: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _announcing: dict[int, asyncio.Task[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._composer = Composer(self.clock, self.translator, self.market, self.patience, self.tells_delay)
        self._turns = self.turns or Turns(Pacer(LIMITS[self.chat.platform]), self.clock)
        if self.illustrate is not None and self.chat.adds_charts:
            self._hanging = Hanging(self.chat, self.pacer, self.clock, self.illustrate)

    @property
    def pacer(self) -> Pacer:
        """The pacer of this platform."""
        return self._turns.pacer

    async def run(self) -> None:
        """Begin whatever is due, until closed or cancelled."""
        try:
            await self._run()
        except asyncio.CancelledError:
            for task in self._carrying.values():
                task.cancel()
            raise
        finally:
            if self._hanging is not None:
                self._hanging.cancel()
            await self.finish()

    async def finish(self) -> None:
        """Wait for all that is under way, and for the charts of what was sent."""
        while tasks := self._carrying | self._announcing:
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        if self._hanging is not None:
            await self._hanging.finish()

    async def _run(self) -> None:
        while not self._is_closed:
            self._bell.mute()
            try:
                delay = await self._begin_what_is_due()
            except StoreTrouble as trouble:
                delay = backoff(self._failures, first=0.25, most=30.0)
                self._failures += 1
                self._note_trouble(trouble)
            else:
                self._failures = 0
                if self._spell.ends():
                    log.warning("the outbox works again", platform=self.chat.platform)
            if not self._is_closed:
                await self._bell.rest(self.clock, delay)

    def close(self) -> None:
        """Begin no further message; ``run`` ends when those under way are settled."""
        self._is_closed = True
        self._bell.ring()

    def wake(self) -> None:
        """Say that something new may be due."""
        self._is_full = False
        self._bell.ring()

    async def tell_unkept(self, notification: Notification) -> bool:
        """Send what cannot be promised because the outbox does not work; gives whether it was taken.

        This is for what the bot says of itself alone: nothing that rings is told unless it is kept.
        """
        try:
            outcome = await self._send(notification, self._composer.word(notification))
        except TooLong:
            return False
        self._heed(notification, outcome, self.clock.now())
        return isinstance(outcome, Receipt)

    async def drain(self) -> int:
        """Send what is due now, one message of each chat; gives how many were leased.

        Announcements are sent beside it, a few at once, so that nothing that rings has to wait for them.
        """
        count, begun = await self._begin(self._at_once)
        await asyncio.gather(*begun)
        return count

    async def _begin_what_is_due(self) -> float:
        """Begin what there is room for; gives the seconds until the next look, if nothing rings before."""
        now = self.clock.now()
        held = self.pacer.held_until - now
        if self._is_shut:
            held = max(held, self._tried_at + _SECONDS_BETWEEN_TRIES - now)
        if held <= 0:
            room = 1 if self._is_shut else max(0, self._at_once - len(self._carrying))
            self._tried_at = now
            with self.clock.still():
                count, _ = await self._begin(room)
                await asyncio.sleep(0)  # each of those that began holds the clock for itself from here on
            await asyncio.sleep(0)  # what they send is on its way before anybody looks for more
            self._is_full = count == room
            if self._is_full:
                return _SECONDS_BETWEEN_TRIES if self._is_shut else self.longest_rest
        return max(await self._until_due(), min(held, self.longest_rest))

    async def _begin(self, room: int) -> tuple[int, list[asyncio.Task[None]]]:
        """Lease what is due, and begin to carry it; gives how much it was, and what is no announcement."""
        if not room:
            return 0, []
        now = self.clock.now()
        platform, news, lots = self.chat.platform, self._room(), self._turns.lots
        leased = await self.outbox.lease(platform, now, room, LEASE, news, lots=lots)
        begun: list[asyncio.Task[None]] = []
        for notification in leased:
            if notification.id in self._carrying or notification.id in self._announcing:
                continue  # its lease ended before what became of it could be written down
            if notification.kind is Telling.BROADCAST:
                self._beside(self._announcing, notification, now)
            else:
                begun.append(self._beside(self._carrying, notification, now))
        return len(leased), begun

    @property
    def _at_once(self) -> int:
        limits = self.pacer.limits
        per_second = (limits.paid or limits.overall).per_second
        return min(math.ceil(per_second * _SECONDS_UNDER_WAY), _MOST_UNDER_WAY)

    def _room(self) -> int:
        return ANNOUNCED_AT_ONCE - len(self._announcing)

    def _beside(
        self, tasks: dict[int, asyncio.Task[None]], notification: Notification, leased_at: float
    ) -> asyncio.Task[None]:
        task = tasks[notification.id] = asyncio.create_task(self._carry(notification, leased_at))

        def end(done: asyncio.Task[None]) -> None:
            del tasks[notification.id]
            # Where more is due than can be under way, it is looked for half a load at a time.
            if not self._is_full or len(self._carrying) <= self._at_once / 2:
                self._bell.ring()
            if not done.cancelled() and (error := done.exception()) is not None:
                log.error("a message was not carried", error=type(error).__name__)

        task.add_done_callback(end)
        return task

    async def _carry(self, notification: Notification, leased_at: float) -> None:
        others: list[Notification] = []
        try:
            with self.clock.still():
                now = self.clock.now()
                until = quiet_until(notification.quiet, notification.timezone, now)
                if until is not None and not notification.is_urgent:
                    await self._put_back(notification, until, is_kept=True)
                    return
                if self._ready_at(notification, now) - now > _LONGEST_WAIT:
                    raise TooLong
                message, others = await self._compose(notification, now)
                sketched = message
                if self.illustrate is not None:
                    message = await self.illustrate(message, 0.0 if self.chat.adds_charts else None)
            outcome = await self._send(notification, message, others, leased_at)
            if others and isinstance(outcome, Rejected):  # the others must not go down with it
                log.warning("a list was rejected", platform=self.chat.platform, reason=outcome.reason)
                await self._let_go(others)
                others = []
                outcome = await self._send(notification, self._composer.word(notification), others, leased_at)
        except TooLong:
            await self._let_go(others)
            await self._put_back(notification, self._ready_at(notification, self.clock.now()))
            return
        for one in (notification, *others):
            self._heed(one, outcome, self.clock.now())
        with self.clock.still():
            # What is to be tried again keeps the trace of this try: the others are taken with it again.
            told = [] if isinstance(outcome, RetryLater) else others
            await self._write(lambda: self.outbox.settle(notification, outcome, self.clock.now(), told))
        if self._hanging is None or self._is_closed or sketched.chart is None:
            return
        if isinstance(outcome, Receipt) and not outcome.has_chart:
            self._hanging.begin(notification, outcome.message, sketched)

    def _ready_at(self, notification: Notification, now: float) -> float:
        """Give the instant at which the platform and the chat take the next message."""
        chat_at = self.pacer.ready_at(notification.chat.chat, notification.is_group, now)
        return max(chat_at, self.pacer.held_until)

    async def _compose(self, notification: Notification, now: float) -> tuple[Message, list[Notification]]:
        """Word a notification, with those that are told in the same message."""
        message = self._composer.word(notification)
        others, is_announced = await self._others(notification, now), notification.kind is Telling.BROADCAST
        if others or (notification.kept_until is not None and not is_announced):
            listed, told = await self._composer.list([notification, *others], self.pacer.limits.room)
            others, rest = others[: told - 1], others[told - 1 :]
            await self._let_go(rest)
            if others or notification.kept_until is not None:
                message = listed
        return message, others

    async def _send(
        self,
        notification: Notification,
        message: Message,
        others: Sequence[Notification] = (),
        leased_at: float = math.inf,
    ) -> Outcome:
        """Send a message when it is its turn, while its lease lasts. Raises TooLong."""
        chat, is_group = notification.chat.chat, notification.is_group
        patience = min(_LONGEST_TURN, leased_at + LEASE - self.clock.now())  # then another may send it
        is_paid = await self._turns.wait(chat, is_group, rank_of(notification), patience)
        dedupe = f"{notification.dedupe}/to/{others[-1].id}" if others else notification.dedupe
        with self.clock.still():
            try:
                async with asyncio.timeout(_SEND_TIMEOUT):
                    return await self.chat.send(notification.chat, message, dedupe, is_paid=is_paid)
            except TimeoutError:
                return RetryLater(backoff(notification.attempts), "no answer in time")

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

    async def _put_back(self, notification: Notification, until: float, *, is_kept: bool = False) -> None:
        await self._write(lambda: self.outbox.put_back(notification, until, is_kept=is_kept))

    async def _let_go(self, notifications: Sequence[Notification]) -> None:
        if notifications:
            await self._write(lambda: self.outbox.let_go(notifications))

    async def _write(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write something down, however long it takes: a send that is not written down is repeated."""
        attempts = 0
        while True:
            try:
                return await write()
            except StoreTrouble as trouble:
                self._note_trouble(trouble)
                await self.clock.sleep(backoff(attempts, first=0.5, most=30.0))
                attempts += 1

    def _heed(self, notification: Notification, outcome: Outcome, now: float) -> None:
        """Hold what the platform asked to hold, and count and log what became of a send."""
        fields = {"platform": self.chat.platform, "notification": notification.id}
        if isinstance(outcome, RetryLater):
            self._stall(outcome.reason)
            self._is_shut = outcome.is_global
        else:  # whatever it says of the message or its chat, the platform takes what it is sent
            self.stall, self._is_shut = None, False
        gauges.count_delivery(self.chat.platform, _BECAME[type(outcome)])
        match outcome:
            case Receipt():
                gauges.observe_delay(self.chat.platform, now - notification.due)
                if (delay := notification.delay(now)) is not None:
                    gauges.observe_ring_delay(str(notification.facts["way"]), delay)
            case RetryLater(after=after, reason=reason, is_global=True):
                self.pacer.hold_all(now + after)
                log.warning("platform asks to wait", after=after, reason=reason, **fields)
            case RetryLater(after=after, reason=reason):
                self.pacer.hold(notification.chat.chat, notification.is_group, now + after, now)
                log.warning("not sent yet", after=after, reason=reason, **fields)
            case ChatMoved():
                log.info("chat moved", **fields)
            case ChatGone(reason=reason):
                log.warning("chat gone, its subscriptions are paused", reason=reason, **fields)
            case Rejected(reason=reason):
                log.error("message rejected", reason=reason, **fields)

    async def _until_due(self) -> float:
        now = self.clock.now()
        has_room, lots = self._room() > 0, self._turns.lots
        due = await self.outbox.next_due(self.chat.platform, now, has_room=has_room, lots=lots)
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
