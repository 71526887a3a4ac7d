"""What the house needs of its memory: a socket for each who uses it; one class implements them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from bot.alerts.message import Facts
from bot.alerts.models import Alert, Arming, Level, Notice, Notification, SharedAlert, Subscription
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.engine.sight import Loss, Turns
from bot.engine.state import AlertState, Transition
from bot.metrics import Close, MetricKey, Observation, Seen


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
    """What one transaction of watch remembers and promises.

    ``closes`` are the last prices before what was ``judged_to``. ``turns`` are what changed of what can be
    seen, ``notices`` what is told of that.
    """

    at: float
    states: Mapping[int, AlertState] = field(default_factory=dict)
    judged_to: Mapping[MetricKey, int] = field(default_factory=dict)
    told: Sequence[Told] = ()
    closes: Mapping[MetricKey, Close] = field(default_factory=dict)
    turns: Turns = field(default_factory=Turns)
    notices: Sequence[Notice] = ()


@dataclass(frozen=True, slots=True)
class Noted:
    """What an archive took in.

    ``news`` are the words that it did not know, each with its revision and the instant from which it is
    known, rising by that. ``moved`` are series that another provider speaks for from now on: what was said
    of them before is that provider's word too, and must be recalled.
    """

    news: tuple[Observation, ...] = ()
    moved: tuple[MetricKey, ...] = ()


class Archive(Protocol):
    """Every word that was ever said about a metric; nothing in it is changed, only added to.

    One provider speaks for each series: the first that said something of it, until it has been silent for
    long while another goes on.
    """

    async def note(self, observations: Sequence[Observation], at: int) -> Noted:
        """Take in what was read, as known from ``at`` on, in one transaction.

        The same value of the same finality again is no news. Only what the series' own provider says is
        given back as news; what others say is kept all the same.
        """

    async def recall(self, key: MetricKey, since: int = 0) -> list[Observation]:
        """Give what the series' provider said about what is not before ``since``, as it became known."""

    async def newest(self) -> dict[MetricKey, Observation]:
        """Give the latest word about the newest instant or session of every series, final or not."""


class Ledger(Archive, Protocol):
    """What watch needs of the store."""

    async def take(self, partition: int, holder: str) -> int:
        """Take a partition over and give its new epoch; whoever held it before can commit no more."""

    async def changes(self, partition: int, since: int) -> Changes:
        """Give what commands wrote after revision ``since`` (0: all that lives, with its states)."""

    async def judged_to(self, partition: int) -> dict[MetricKey, int]:
        """Give, for each series, the first minute that has not been judged."""

    async def closes(self, partition: int) -> dict[MetricKey, Close]:
        """Give, for each series, the last price before the first minute that has not been judged."""

    async def losses(self, partition: int | None = None) -> dict[MetricKey, Loss]:
        """Give every series that cannot be seen, in one partition or in all, as it was told."""

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


class Register(Archive, Protocol):
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

    async def losses(self, partition: int | None = None) -> dict[MetricKey, Loss]:
        """Give every series that cannot be seen, in one partition or in all, as it was told."""

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
