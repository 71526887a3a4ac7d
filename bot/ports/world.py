"""What the house needs of the world outside: time, feeds, and answers about the present."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from bot.metrics import MINUTE, Bar, Batch, Health, MetricKey, Seen, Want
from bot.rules.tree import Instrument


class Clock(Protocol):
    """The one clock of a process."""

    def now(self) -> float:
        """Give the present instant, in epoch seconds."""

    def steady(self) -> float:
        """Give seconds that go on evenly from any beginning, also where somebody sets the clock."""

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` of this clock."""

    def real(self, seconds: float) -> float:
        """Say how many real seconds a stretch of this clock takes."""

    def still(self) -> AbstractContextManager[None]:
        """Hold the time while inside, where the clock is one that can (a simulated one); else do nothing."""


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


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """How the stream of trades of one exchange is.

    ``connected_at`` is since when it is connected and heard, ``None`` while it is not, and ``reason`` what
    keeps it away then, as a sentence without full stop. ``heard_at`` is the instant of its last frame.
    ``markets`` are watched now; ``frames``, ``prints`` (handed on) and ``losses`` (of a connection) are
    counted since the start. One that ``is_over`` is not tried again before a restart.
    """

    source: str
    connected_at: float | None = None
    heard_at: float | None = None
    markets: int = 0
    frames: int = 0
    prints: int = 0
    losses: int = 0
    reason: str = ""
    is_over: bool = False


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

    def standing_in(self) -> dict[MetricKey, Serving]:
        """Name the series that another exchange than their home shows now."""

    def health(self) -> list[Health]:
        """Say how each feed is."""

    def streams(self) -> list[StreamHealth]:
        """Say how the stream of each exchange is; empty where none is read."""


class Tape(Protocol):
    """The one bounded, ordered way from the feeds to watch, and what watch wants on the way back."""

    @property
    def trouble(self) -> str | None:
        """Say why it cannot be reached now, or nothing; ``None`` where it is always there."""

    async def put(self, batch: Batch) -> None:
        """Hand a batch over; waits while the tape is full. Raises TapeTrouble."""

    def read(self, partition: int, epoch: int = 0) -> AsyncIterable[Batch]:
        """Give what yields batches in order, to who took a partition over in an epoch.

        It ends when the tape is closed. A batch is judged when the next is asked for. Raises Superseded.
        """

    async def epoch(self, partition: int) -> int:
        """Give the newest epoch in which a partition was read; 0 where none is known."""

    async def judged(self) -> None:
        """Wait until nothing that was handed over here is left to be judged. Raises TapeTrouble."""

    async def caught_up(self) -> None:
        """Wait a while for whoever judges: what comes often is handed over as often as it is judged."""

    def tell_wants(self, partition: int, wants: Callable[[], Sequence[Want]]) -> None:
        """Let the feeds know from now on what a partition wants: it is asked again and again."""

    async def wants(self) -> list[Want]:
        """Give what all partitions want, one for each key. Raises TapeTrouble."""

    def close(self) -> None:
        """End the reading: the batch under way is the last."""
