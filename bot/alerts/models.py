"""What people own: alerts, armings, subscriptions, levels; and the life that an arming has led."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from bot.alerts.message import Facts
from bot.alerts.people import ChatRef
from bot.engine.state import AlertState
from bot.metrics import MetricKey, Seen


@dataclass(frozen=True, slots=True)
class Level:
    """A named number that rules refer to as ``@name``; the deployment's, or one chat's own."""

    name: str
    value: Decimal
    chat: ChatRef | None
    set_by: str
    set_at: float


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule with an owner: personal (``chat`` and ``number``) or shared (``name``).

    ``rule`` is canonical text with the names of its levels; ``until`` in it is an instant. ``paused_at`` is
    when its owner put it to rest, or ``None``. A personal one may be that ``part`` of a ``playbook``.
    """

    id: int
    rule: str
    author: str
    made_at: float
    chat: ChatRef | None = None
    number: int = 0
    name: str = ""
    paused_at: float | None = None
    playbook: str = ""
    part: str = ""

    @property
    def is_shared(self) -> bool:
        """Whether it is published for everybody."""
        return bool(self.name)

    @property
    def label(self) -> str:
        """What people call it: ``#3`` or ``btc-floor``."""
        return self.name or f"#{self.number}"


@dataclass(frozen=True, slots=True)
class Arming:
    """An alert's rule with its levels filled in and its instruments qualified. It never changes.

    A moved level, an edit or a resumption retires an arming and makes another, which begins its life by the
    law of new alerts: it waits to be clear first. ``seen`` is what was known of the running minute when it
    was made, for each series that it reads (empty where nothing could be seen). One that ``is_eager`` does
    not wait: it rings for what is true already.
    """

    id: int
    alert_id: int
    rule: str
    is_shared: bool
    made_at: float
    seen: dict[MetricKey, Seen] = field(default_factory=dict)
    is_eager: bool = False


@dataclass(frozen=True, slots=True)
class Subscription:
    """A chat that wants an arming told, and how.

    ``levels`` are what its arming is filled with, ``own`` those of them that this subscription alone has. It
    is muted until ``muted_until``; ``hidden`` counts what rang under the last mute. One that ``is_urgent``
    goes before what is not. It rings in the ``place`` of that name, or where it is empty in its own chat.
    """

    chat: ChatRef
    alert: Alert
    arming: Arming | None
    state: AlertState | None
    levels: dict[str, Decimal] = field(default_factory=dict)
    own: dict[str, Decimal] = field(default_factory=dict)
    muted_until: float | None = None
    hidden: int = 0
    is_urgent: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True)
class SharedAlert:
    """A row of the catalogue: a shared alert, how many follow it, and how often it rang of late.

    Only what rang at the deployment's levels counts.
    """

    alert: Alert
    subscribers: int
    rings: int = 0


class Telling(StrEnum):
    """What a notification tells."""

    RING = "ring"
    CORRECTION = "correction"
    REMINDER = "reminder"
    RESOLUTION = "resolution"
    ENDED = "ended"
    LEVEL = "level"
    WITHDRAWN = "withdrawn"
    PLAYBOOK = "playbook"
    LOST = "lost"
    BACK = "back"
    LAPSE = "lapse"
    DOUBT = "doubt"
    RETURNED = "returned"
    MISSED = "missed"
    BROADCAST = "broadcast"
    BANNED = "banned"
    REPORT = "report"
    HEALTH = "health"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about what can be seen, told once to each chat that it concerns.

    ``armings`` are those that it concerns, each with the names of the series that do so; a chat is told of
    its own. That some ``series`` are seen again goes to those who were told that they are not.
    """

    kind: Telling
    dedupe: str
    facts: Facts
    armings: Mapping[int, Sequence[str]] = field(default_factory=dict)
    series: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Notification:
    """One row of the outbox: facts for one chat, not text.

    ``dedupe`` is unique in its chat, so that the same thing is never told twice; it is also the nonce on
    platforms that take one. ``attempts`` counts the sends so far, ``made_at`` is when it was promised.
    ``quiet`` are the quiet hours of its chat, as text; what was kept for them is told at ``kept_until``. What
    goes on with an episode ``answers`` the message that told its ring there, if that was sent.
    """

    id: int
    chat: ChatRef
    kind: Telling
    dedupe: str
    facts: Facts
    made_at: float
    attempts: int = 0
    language: str = "en"
    timezone: str = "UTC"
    is_group: bool = False
    is_urgent: bool = False
    quiet: str = ""
    kept_until: float | None = None
    answers: str = ""

    @property
    def due(self) -> float:
        """Give the instant at which it is to be told."""
        return self.made_at if self.kept_until is None else self.kept_until

    def delay(self, now: float) -> float | None:
        """Give how many seconds after its price a ring is told now; ``None`` for what measures nothing.

        That is what is no ring, what an outage made late, and what was kept for quiet hours.
        """
        facts, at = self.facts, self.facts.get("at")
        is_measured = isinstance(facts.get("way"), str) and not facts.get("is_late")
        if not is_measured or self.kept_until is not None or not isinstance(at, int | float):
            return None
        return max(0.0, now - at)
