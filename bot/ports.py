"""The sockets between the rooms: who needs what of whom, and the errors that may come back.

Ports belong to their users: ``Ledger`` is what watch needs of the store, ``Outbox`` what deliver needs,
``Register`` what commands need; one class implements all three.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from bot.alerts.message import Facts, Message
from bot.alerts.models import Alert, Arming, Level, Notification, SharedAlert, Subscription
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.engine.state import AlertState, Transition
from bot.metrics import MINUTE, Bar, Batch, Health, MetricKey, Seen, Want
from bot.rules.tree import Instrument


class TocsinError(Exception):
    """What a port may raise; anything else that escapes an adapter is a bug."""


class Unseeable(TocsinError):
    """The world cannot be seen just now: an exchange is down, slow, blocked or answers nonsense."""


class UnknownInstrument(TocsinError):
    """No configured exchange lists the instrument; ``nearest`` names some that exist, best first."""

    def __init__(self, name: str, nearest: Sequence[str] = ()) -> None:
        super().__init__(name)
        self.name = name
        self.nearest = tuple(nearest)


class StoreTrouble(TocsinError):
    """The database could not be read or written now (locked, full, damaged): nothing of the call was kept."""


class Superseded(TocsinError):
    """Another process took this partition over: stop judging it, write nothing."""


class Conflict(TocsinError):
    """A name is taken, or a row changed since it was read."""


class Refused(TocsinError):
    """A platform does not let the bot in: its token is wrong.

    ``Chat.run`` raises it at the start. The text is one sentence for the operator that names the setting,
    never the token.
    """


# --- time ---------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """The one clock of a process."""

    def now(self) -> float:
        """Give the present instant, in epoch seconds."""

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` of this clock."""

    def real(self, seconds: float) -> float:
        """Say how many real seconds a stretch of this clock takes."""

    def still(self) -> AbstractContextManager[None]:
        """Hold the time while inside, where the clock is one that can (a simulated one); else do nothing."""


# --- the world ----------------------------------------------------------------------------------------------


class Feed(Protocol):
    """One source of observations."""

    name: str

    async def poll(self, wants: Sequence[Want]) -> Batch:
        """Look once: final minutes from each want's ``since``, and the present prices.

        Never raises for what the world does: a look that failed brings an empty batch and shows in
        ``health``.
        """

    def health(self) -> Health:
        """Say how the feed is."""

    async def close(self) -> None:
        """Let go of connections and threads."""


@dataclass(frozen=True, slots=True)
class Serving:
    """Which exchange shows a series now.

    ``home`` is the exchange it belongs to. Where another stands in for it, ``venue`` is that other, ``ratio``
    what its prices are multiplied by so that they go on where the home's ended, ``since`` the instant from
    which it does so, and ``reason`` what keeps the home away, as a sentence without full stop.
    """

    venue: str
    home: str
    ratio: float = 1.0
    since: float | None = None
    reason: str = ""

    @property
    def is_stand_in(self) -> bool:
        """Whether another exchange stands in."""
        return self.venue != self.home


class Market(Protocol):
    """What commands and messages need to know of the present."""

    async def resolve(self, instrument: Instrument) -> MetricKey:
        """Find the series of an instrument, its default quote filled in.

        Raises UnknownInstrument, with the nearest names, and Unseeable while no exchange answers.
        """

    async def seen(self, key: MetricKey) -> Seen:
        """Give the present price with the running minute so far. Raises Unseeable."""

    async def bars(self, key: MetricKey, since: int, until: int, span: int = MINUTE) -> tuple[Bar, ...]:
        """Give the final bars of ``[since, until)``, rising and without a hole, as far as they are to be had.

        ``span`` is the length of a bar in whole minutes, in seconds; the coarser, the further back an
        exchange goes. The first bar is the one that holds ``since``; none reaches beyond ``until``. Where
        not all is to be had, the newest is given. Raises Unseeable.
        """

    async def instruments(self, prefix: str, limit: int = 25) -> list[str]:
        """Name instruments that begin with ``prefix``, the most usual quote first (``btc/usdt``)."""

    def serving(self, key: MetricKey) -> Serving | None:
        """Say which exchange shows a series now; ``None`` if none does, or that is not known yet."""

    def health(self) -> list[Health]:
        """Say how each feed is."""


class Tape(Protocol):
    """The one bounded, ordered way from the feeds to watch."""

    async def put(self, batch: Batch) -> None:
        """Hand a batch over; waits while the tape is full."""

    def __aiter__(self) -> AsyncIterator[Batch]:
        """Yield batches in order, for ever."""


# --- memory -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Armed:
    """An arming with the state to continue from; ``None`` where its life has not begun."""

    arming: Arming
    state: AlertState | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What commands wrote since a revision: armings made, ids of armings retired, and the newest revision."""

    revision: int
    made: tuple[Armed, ...] = ()
    retired: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """One transition of one arming, with the facts that its message needs."""

    arming_id: int
    transition: Transition
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one transaction of watch remembers and promises."""

    at: float
    states: Mapping[int, AlertState] = field(default_factory=dict)
    judged_to: Mapping[MetricKey, int] = field(default_factory=dict)
    told: Sequence[Told] = ()


class Ledger(Protocol):
    """What watch needs of the store."""

    async def take(self, partition: int, holder: str) -> int:
        """Take a partition over and give its new epoch; whoever held it before can commit no more."""

    async def changes(self, partition: int, since: int) -> Changes:
        """Give what commands wrote after revision ``since`` (0: all that lives, with its states)."""

    async def judged_to(self, partition: int) -> dict[MetricKey, int]:
        """Give, for each series, the first minute that has not been judged."""

    async def commit(self, partition: int, epoch: int, judgement: Judgement) -> int:
        """Write states, cursors, rings and one notification per subscriber and telling, in one transaction.

        Gives the number of notifications written. Raises Superseded, and then nothing was written.
        """


@dataclass(frozen=True, slots=True)
class Receipt:
    """The platform took the message; ``message`` is its id there."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Not now: again ``after`` so many seconds. ``is_global`` holds every chat of the platform."""

    after: float
    reason: str = ""
    is_global: bool = False


@dataclass(frozen=True, slots=True)
class ChatMoved:
    """The chat has a new id (a group that became a supergroup)."""

    to: ChatRef


@dataclass(frozen=True, slots=True)
class ChatGone:
    """The chat cannot be written to: blocked, kicked, deleted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The platform refuses this message for what it is; sending it again would be refused again."""

    reason: str


Outcome = Receipt | RetryLater | ChatMoved | ChatGone | Rejected


class Outbox(Protocol):
    """What deliver needs of the store."""

    async def lease(self, platform: str, now: float, limit: int, seconds: float = 60) -> list[Notification]:
        """Take the right to send up to ``limit`` due notifications, oldest first, for so many seconds.

        At most one of each chat, the chat's oldest, and none of a chat that has one under lease: so the
        order within a chat holds.
        """

    async def settle(self, notification: Notification, outcome: Outcome, now: float) -> None:
        """Write down what became of a send: sent, due again, moved, gone or given up."""

    async def next_due(self, platform: str, now: float) -> float | None:
        """Give the instant at which a notification of the platform next may be leased, or ``None``."""


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """What is kept of a chat."""

    ref: ChatRef
    kind: ChatKind
    language: str = "en"
    timezone: str = "UTC"
    paused_reason: str = ""


@dataclass(frozen=True, slots=True)
class NewArming:
    """An arming to be made: a rule filled in and qualified, with what was seen of its series."""

    rule: str
    seen: Mapping[MetricKey, Seen] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LevelChange:
    """What setting a level did: the old value if there was one, and how many chats follow it."""

    before: Decimal | None
    alerts: int
    chats: int


Refill = Callable[[str, Mapping[str, Decimal]], str]
"""Fill a canonical rule with levels and qualify it: what an arming of it reads."""


class Register(Protocol):
    """What commands need of the store. Each call is one transaction.

    Names are unique without regard to case.
    """

    async def meet(self, caller: Caller, now: float) -> ChatSettings:
        """Know the caller's chat from now on, and resume it if it had gone."""

    async def levels(self, chat: ChatRef) -> dict[str, Level]:
        """Give the levels in force for a chat: its own before the deployment's."""

    async def rules_with(self, level: str, chat: ChatRef | None) -> list[str]:
        """List the canonical rules that would follow a change of a level in a chat's or the whole scope."""

    async def make_alert(self, caller: Caller, rule: str, arming: NewArming, now: float) -> Alert:
        """Make a personal alert of the caller's chat, with its arming and subscription.

        Raises Conflict if a level moved since the rule was filled.
        """

    async def subscriptions(self, chat: ChatRef) -> list[Subscription]:
        """List what a chat is told: its own alerts by number, then the shared ones by name."""

    async def delete_alert(self, chat: ChatRef, number: int, now: float) -> Alert | None:
        """Delete a personal alert; ``None`` if the chat has none of that number."""

    async def pause(self, chat: ChatRef, label: str, now: float) -> Alert | None:
        """Put one alert of a chat to rest: ``#3``, or the name of a shared one."""

    async def resume(self, chat: ChatRef, label: str, arming: NewArming, now: float) -> Alert | None:
        """Take up a paused or spent alert again, with a new arming.

        Raises Conflict as ``make_alert`` does.
        """

    async def ring_now(self, chat: ChatRef, label: str, arming: NewArming, now: float) -> Alert | None:
        """Let an alert that waits to be clear ring for what is true now, in this chat alone.

        ``None`` if it does not wait. Raises Conflict as ``make_alert`` does.
        """

    async def catalogue(self) -> list[SharedAlert]:
        """List the shared alerts by name, with their subscribers."""

    async def publish(self, caller: Caller, name: str, rule: str, now: float) -> Alert:
        """Publish a rule under a name. Raises Conflict if the name is taken."""

    async def unpublish(self, name: str, now: float) -> SharedAlert | None:
        """Take a shared alert back; its subscribers are told once."""

    async def subscribe(self, caller: Caller, name: str, arming: NewArming, now: float) -> Alert | None:
        """Follow a shared alert; an equal filling shares the arming that exists.

        ``None`` if no alert has that name. Raises Conflict as ``make_alert`` does.
        """

    async def unsubscribe(self, chat: ChatRef, name: str, now: float) -> Alert | None:
        """Follow it no longer."""

    async def set_level(
        self,
        caller: Caller,
        level: Level,
        refill: Refill,
        seen: Mapping[MetricKey, Seen],
        now: float,
    ) -> LevelChange:
        """Set a level, and give every subscription that it changes an arming of the new filling.

        Each chat that follows is told once. All in one transaction, so that no reader sees half of it.
        """


class Store(Ledger, Outbox, Register, Protocol):
    """All that the house remembers."""

    async def close(self) -> None:
        """Let go of the database."""


# --- people -------------------------------------------------------------------------------------------------

Replies = AsyncIterator[Message]
"""What a command answers: the first message is sent, each later one replaces it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A suggestion for an option: what is shown, and what is taken."""

    shown: str
    value: str


@dataclass(frozen=True, slots=True)
class Desk:
    """Where chats bring what people say."""

    dispatch: Callable[[Caller, str], Replies]
    complete: Callable[[Caller, str, str, str], Awaitable[list[Choice]]]


class Chat(Protocol):
    """One platform where people are."""

    platform: str

    async def run(self, desk: Desk) -> None:
        """Listen to people until cancelled; every command is brought to the desk, every reply shown."""

    async def send(self, chat: ChatRef, message: Message, nonce: str) -> Outcome:
        """Push one message. Never raises for what the platform or the network does."""

    async def is_admin(self, chat: ChatRef, person: str) -> bool:
        """Ask the platform whether a person administers a chat now; ``False`` where it cannot say."""
