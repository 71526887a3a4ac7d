"""What the house needs of its memory: a socket for each who uses it; one class implements them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from bot.alerts.lots import ALL_LOTS, Lots
from bot.alerts.message import Facts
from bot.alerts.models import Arming, Notice, Notification
from bot.alerts.people import ChatRef
from bot.engine.restoring import Resting
from bot.engine.sight import Loss, Turns
from bot.engine.state import AlertState, Transition
from bot.metrics import Close, MetricKey, Observation
from bot.ports.partitions import Partitions


@dataclass(frozen=True, slots=True)
class Armed:
    """An arming with the state to continue from; ``None`` where its life has not begun."""

    arming: Arming
    state: AlertState | None


class Stored(NamedTuple):
    """An arming with its state as they lie in the store: ``Ledger.read`` makes of it what it stands for.

    ``seen``, ``memory``, ``early`` and ``grounds`` are JSON, unread. From ``cursor`` on all is of the state,
    and ``None`` where its life has not begun.
    """

    id: int
    alert_id: int
    rule: str
    is_shared: bool
    made_at: float
    seen: str
    is_eager: bool
    cursor: int | None
    is_armed: bool | None
    is_firing: bool | None
    episode: int | None
    rang_at: float | None
    memory: str | None
    early: str | None
    corrections: int | None
    is_ended: bool | None
    told_at: float | None
    grounds: str | None


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
    seen, ``notices`` what is told of that. Nobody reads what is ``left``. ``horizon`` is the instant up to
    which something was judged, and ``heard`` the place of the last news that was.
    """

    at: float
    states: Mapping[int, AlertState] = field(default_factory=dict)
    judged_to: Mapping[MetricKey, int] = field(default_factory=dict)
    told: Sequence[Told] = ()
    closes: Mapping[MetricKey, Close] = field(default_factory=dict)
    turns: Turns = field(default_factory=Turns)
    notices: Sequence[Notice] = ()
    left: frozenset[MetricKey] = frozenset()
    horizon: int = 0
    heard: int = 0


@dataclass(frozen=True, slots=True)
class Listener:
    """A partition that hears what is news: all that was kept after the ``place`` up to which it has heard.

    ``read_at`` is the instant of the batch that it has before it, ``horizon`` that up to which it judged.
    """

    read_at: float
    place: int
    horizon: int


@dataclass(frozen=True, slots=True)
class Noted:
    """What an archive took in, and what of it a partition has to hear.

    ``news`` are the words that it did not know, each with its revision and the instant from which it is
    known, rising by that. ``moved`` are series that another provider speaks for from now on: what was said
    of them before is that provider's word too, and must be recalled. The last of the news has this ``place``;
    they are to be judged as of no earlier than ``at``.
    """

    news: tuple[Observation, ...] = ()
    moved: tuple[MetricKey, ...] = ()
    place: int = 0
    at: float = 0.0


class Archive(Protocol):
    """Every word about a metric, for as long as anybody may read it; nothing in it is ever changed.

    One provider speaks for each series: the first that said something of it, until it has been silent for
    long while another goes on.
    """

    async def note(
        self, observations: Sequence[Observation], at: int, listener: Listener | None = None
    ) -> Noted:
        """Take in what was read, as known from ``at`` on, in one transaction.

        The same value of the same finality again is no news. Only what the series' own provider says is
        given back as news; what others say is kept all the same. A ``listener`` is told what others noted
        too since it heard last; with nothing to take in, that alone.
        """

    async def newest_place(self) -> int:
        """Give the place of the last news: who recalls anything after this knows all up to it."""

    async def recall(self, key: MetricKey, since: int = 0) -> list[Observation]:
        """Give what the series' provider said about what is not before ``since``, as it became known."""

    async def newest(self) -> dict[MetricKey, Observation]:
        """Give the latest word about the newest instant or session of every series, final or not."""

    async def forget(self, cut: float, now: int) -> int:
        """Drop what nobody can read from ``cut`` on; gives how many words went."""


class Notebook(Protocol):
    """What providers of metrics must not forget when the program starts again: a page of JSON for each."""

    async def page(self, source: str) -> Mapping[str, Any]:
        """Give what a provider wrote last; an empty page where it never did."""

    async def keep_page(self, source: str, page: Mapping[str, Any], now: float) -> None:
        """Write a provider's page, in place of the one before."""


class Ledger(Archive, Partitions, Protocol):
    """What watch needs of the store."""

    async def changes(self, partition: int, since: int) -> Changes:
        """Give what commands wrote after revision ``since`` (0: all that lives, with its states)."""

    async def living(self, partition: int, after: int = 0, most: int = 5000) -> list[Stored]:
        """Give a page of what lives, by rising id: what comes after one, or from the beginning.

        Each page is of its own moment. Who reads all of them asks for the ``revision`` first, and for the
        changes since then afterwards.
        """

    def read(self, stored: Stored) -> Armed:
        """Read what a page holds."""

    def resting(self, stored: Stored) -> Resting | None:
        """Read it as the engine puts many to rest, if its state is no more than that: most are so."""

    async def revision(self) -> int:
        """Give the revision of the newest change that a command made; 0 before the first."""

    async def judged_to(self, partition: int) -> dict[MetricKey, int]:
        """Give, for each series, the first minute that has not been judged."""

    async def closes(self, partition: int) -> dict[MetricKey, Close]:
        """Give, for each series, the last price before the first minute that has not been judged."""

    async def losses(self, partition: int | None = None) -> dict[MetricKey, Loss]:
        """Give every series that cannot be seen, in one partition or in all, as it was told."""

    async def commit(self, partition: int, epoch: int, judgement: Judgement) -> int:
        """Write states, cursors, rings and one notification per subscriber and telling, in one transaction.

        Gives the number of notifications written. Raises Superseded, or Unheard if news must be heard first;
        then nothing was written.
        """


@dataclass(frozen=True, slots=True)
class Receipt:
    """The platform took the message; ``message`` is its id there, ``has_chart`` whether it has its chart."""

    message: str = ""
    has_chart: bool = field(default=False, compare=False)


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
    """The chat cannot be written to: blocked, kicked, deleted.

    A topic or thread that ``is_over`` will never be again: what is its own goes over to what it belongs to.
    """

    reason: str
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """The platform refuses this message for what it is; sending it again would be refused again."""

    reason: str


Outcome = Receipt | RetryLater | ChatMoved | ChatGone | Rejected


class Outbox(Protocol):
    """What deliver needs of the store."""

    async def lease(
        self,
        platform: str,
        now: float,
        limit: int,
        seconds: float = 60,
        announcements: int | None = None,
        *,
        lots: Lots = ALL_LOTS,
    ) -> list[Notification]:
        """Take the right to send up to ``limit`` due notifications, oldest first, for so many seconds.

        They go to chats of some ``lots``; the others are told by others.

        At most ``announcements`` of them are announcements, which come last and hold up nothing else.

        At most one of each chat, the chat's oldest, and none of a chat that has one under lease: so the
        order within a chat holds. What is urgent goes before all else, and beside another.
        """

    async def put_back(self, notification: Notification, until: float, *, is_kept: bool = False) -> None:
        """Give back the right to send until an instant, untried; one that is kept is kept for quiet hours."""

    async def gather(
        self, notification: Notification, now: float, limit: int, seconds: float
    ) -> list[Notification]:
        """Take the right to send what waits behind one that is leased, oldest first.

        Behind one that was kept for quiet hours, that is what came before their end. What is urgent and
        what is announced is not among it.
        """

    async def let_go(self, notifications: Sequence[Notification]) -> None:
        """Give back the right to send some, untried."""

    async def settle(
        self,
        notification: Notification,
        outcome: Outcome,
        now: float,
        others: Sequence[Notification] = (),
    ) -> None:
        """Write down what became of a send: sent, due again, moved, gone or given up.

        ``others`` were told in the same message: a receipt is theirs too, else they wait for their turn.
        """

    async def bring_forward(self, seconds: float, now: float) -> None:
        """Let what waits wait no longer than before, after the clock was set back by so many ``seconds``."""

    async def next_due(
        self, platform: str, now: float, *, has_room: bool = True, lots: Lots = ALL_LOTS
    ) -> float | None:
        """Give when a notification to a chat of some ``lots`` next may be leased, or ``None``.

        Without ``has_room`` for announcements they are left out.
        """
