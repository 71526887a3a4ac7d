"""What commands need of the memory: a socket for what people own and change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

from bot.alerts.changes import PLAIN, Basis, Document, Entry, Proposal, Subject
from bot.alerts.models import Alert, Level, SharedAlert, Subscription
from bot.alerts.people import Caller, ChatKind, ChatRef, Policy, Role
from bot.engine.sight import Loss
from bot.metrics import MetricKey, Seen
from bot.ports.agenda import Agenda, Hearing
from bot.ports.bounds import Bounding
from bot.ports.chronicle import Chronicle
from bot.ports.erasing import Erasing
from bot.ports.importing import Importing
from bot.ports.linking import Link, Linking
from bot.ports.memory import Archive, Ledger, Notebook, Outbox
from bot.ports.partitions import Sharing
from bot.ports.places import Places
from bot.ports.playbooks import Playbooks
from bot.ports.welcome import Welcoming


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """What is kept of a chat: who may make alerts in the group that it is of, and what it is linked with."""

    ref: ChatRef
    kind: ChatKind
    language: str = "en"
    timezone: str = "UTC"
    paused_reason: str = ""
    policy: Policy = Policy.MEMBERS
    link: Link | None = None

    @property
    def home(self) -> ChatRef:
        """The chat that keeps its things: that which it is linked to, or itself."""
        return self.link.chat if self.link is not None and self.link.is_home else self.ref


@dataclass(frozen=True, slots=True)
class NewArming:
    """An arming to be made: a rule filled in and qualified, with what was seen of its series."""

    rule: str
    seen: Mapping[MetricKey, Seen] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LevelChange:
    """What changing a level did: what held before and holds after, and how many follow it."""

    before: Decimal | None
    alerts: int
    chats: int
    after: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Following:
    """An alert that a change of a level would arm anew, with all chats that follow it at equal levels.

    ``label`` is a shared alert's name, or the number of one of the asking chat's own (``#3``); that of
    another chat's own alert is nobody's business, and empty. ``levels`` are what it is filled with now.
    """

    label: str
    rule: str
    levels: Mapping[str, Decimal]
    chats: int


@dataclass(frozen=True, slots=True)
class Reach:
    """What a change of a level would reach, as of ``revision``: its followers, most chats first.

    ``level`` is what holds now, ``shared`` the deployment's, which would hold without a chat's own.
    """

    revision: int
    level: Level | None
    shared: Level | None = None
    followings: Sequence[Following] = ()
    alerts: int = 0
    chats: int = 0


Refill = Callable[[str, Mapping[str, Decimal]], str]
"""Fill a canonical rule with levels and qualify it: what an arming of it reads."""


class Register(
    Archive,
    Bounding,
    Chronicle,
    Erasing,
    Importing,
    Hearing,
    Linking,
    Places,
    Playbooks,
    Sharing,
    Welcoming,
    Protocol,
):
    """What commands need of the store. Each call is one transaction.

    Names are unique without regard to case.
    """

    async def meet(self, caller: Caller, now: float) -> ChatSettings:
        """Know the caller's chat from now on, and resume it if it had gone."""

    async def met(self, chat: ChatRef) -> ChatSettings | None:
        """Give what is kept of a chat that spoke at some time, or ``None``."""

    async def levels(self, chat: ChatRef) -> dict[str, Level]:
        """Give the levels in force for a chat: its own before the deployment's."""

    async def reach(self, level: str, chat: ChatRef | None, asking: ChatRef) -> Reach:
        """Say what a change of a level in a chat's or the whole scope would reach."""

    async def followers(self, chat: ChatRef) -> dict[str, tuple[int, int]]:
        """Count, for each level in force in a chat, the alerts and the chats that follow it in its scope."""

    async def make_alert(self, caller: Caller, rule: str, arming: NewArming, now: float) -> Alert:
        """Make a personal alert of the caller's chat, with its arming and subscription.

        Raises Conflict if a level moved since the rule was filled, and Already where a button asks for an
        alert of a rule that is armed in this chat.
        """

    async def edit_alert(
        self, chat: ChatRef, number: int, rule: str, arming: NewArming, now: float
    ) -> Alert | None:
        """Give a personal alert another rule, and take it up if it was at rest; ``None`` if there is none.

        Raises Conflict as ``make_alert`` does.
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

    async def mute(self, chat: ChatRef, label: str, until: float, now: float) -> Alert | None:
        """Do not tell a chat what one of its alerts rings before an instant; it is counted all the same."""

    async def unmute(self, chat: ChatRef, label: str, now: float) -> Subscription | None:
        """Tell it again; gives the subscription as it was, or ``None`` if the chat has none of that label."""

    async def catalogue(self, since: float = 0.0) -> list[SharedAlert]:
        """List the shared alerts by name, with their subscribers and what rang since an instant."""

    async def publish(
        self, caller: Caller, name: str, rule: str, now: float, *, basis: Basis = PLAIN
    ) -> Alert:
        """Publish a rule under a name. Raises Conflict if the name is taken, and as ``set_level`` does."""

    async def unpublish(
        self, caller: Caller, name: str, now: float, *, basis: Basis = PLAIN
    ) -> SharedAlert | None:
        """Take a shared alert back; its subscribers are told once. Raises as ``set_level`` does."""

    async def subscribe(
        self,
        caller: Caller,
        name: str,
        arming: NewArming,
        now: float,
        *,
        own: Mapping[str, Decimal] = MappingProxyType({}),
        is_urgent: bool = False,
    ) -> Alert | None:
        """Follow a shared alert; an equal filling shares the arming that exists.

        ``own`` are levels that the rule was filled with for this subscription alone; they stay as they are
        until the chat subscribes again. ``None`` if no alert has that name. Raises Conflict as ``make_alert``
        does.
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
        *,
        basis: Basis = PLAIN,
    ) -> LevelChange:
        """Set a level, and give every subscription that it changes an arming of the new filling.

        Each chat that follows is told once. All in one transaction, so that no reader sees half of it, and
        with what is written in the audit. Raises Settled if the proposal it rests on is open no more, and
        Stale if something newer changed the level: then nothing was written.
        """

    async def drop_level(
        self,
        caller: Caller,
        level: Level,
        refill: Refill,
        seen: Mapping[MetricKey, Seen],
        now: float,
        *,
        basis: Basis = PLAIN,
    ) -> LevelChange:
        """Take a level away, so that what follows a chat's own follows the deployment's again.

        Raises as ``set_level`` does, and Conflict where something would be left without a level.
        """

    async def propose(
        self,
        caller: Caller,
        kind: str,
        change: Document,
        *,
        role: Role,
        revision: int,
        now: float,
        until: float,
    ) -> Proposal:
        """Keep a change until it is confirmed, discarded, or its time is up."""

    async def proposal(self, number: int) -> Proposal | None:
        """Give a proposal, or ``None``."""

    async def discard(self, number: int, now: float) -> None:
        """Settle a proposal without doing anything. Raises Settled if it is open no more."""

    async def audit(
        self, words: Sequence[str], chat: ChatRef | None, page: int, size: int
    ) -> tuple[list[Entry], int]:
        """Give a page of the audit, newest first, and how many rows there are in all.

        Each word stands in a row. ``chat`` narrows it to what was said or holds in that chat.
        """

    async def entry(self, number: int) -> Entry | None:
        """Give one row of the audit, or ``None``."""

    async def history(self, subject: Subject, name: str, scope: ChatRef | None, limit: int) -> list[Entry]:
        """Give the newest changes of one thing in one scope, newest first."""


class Store(Ledger, Outbox, Agenda, Register, Notebook, Protocol):
    """All that the house remembers."""

    async def close(self) -> None:
        """Let go of the database."""
