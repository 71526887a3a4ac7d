"""Judge a condition over a minute.

A rule's tree is compiled into nodes that each answer with a :class:`~bot.engine.truth.Truth`. Nodes that
remember (sides, running times) own slots of the arming's memory: they read the memory that was, and write
the one that will be. Nothing else moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Protocol

from bot.engine.minute import Minute
from bot.engine.state import Evidence, Memory
from bot.engine.truth import UNKNOWN, Tri, Truth, both, opposite
from bot.metrics import MetricKey

Slots = list[float | None]

_MISSING_SESSIONS = 10


class Node(Protocol):
    """One part of a condition."""

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        """Say how true this is over a minute; what is to be remembered goes to ``out``."""

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        """Name the terms that are true in this minute, with the values that decided them."""

    def instant(self, minute: Minute, memory: Memory) -> int:
        """Give the instant at which this came true: the opening for a touch, else the end."""

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        """Give the prices at which this may change while nothing but prices moves, as of a minute."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A condition that has held without a break for ``seconds``: true at the end of a minute.

    Remembers in three slots: since when it holds (empty while it need not), how many seconds of that were
    blind and do not count, and how long it has been blind just now. Kept as an instant, the memory moves only
    when the condition does.
    """

    slot: int
    part: Node
    seconds: int
    term: str

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        held = self.part.judge(minute, memory, out).must
        since, blind, dark = self._after(minute, held, memory)
        if out:
            out[self.slot], out[self.slot + 1], out[self.slot + 2] = since, blind, dark
        if held is None:
            return UNKNOWN
        until = minute.end if minute.is_over else minute.at
        return both(since is not None and until - since - blind >= self.seconds)

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        if self.judge(minute, memory, []).may:
            yield from self.part.evidence(minute.at_close(), memory)

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        return self.part.levels(minute)

    def instant(self, minute: Minute, memory: Memory) -> int:
        return minute.end

    @property
    def slots(self) -> range:
        """Name the slots in which it remembers."""
        return range(self.slot, self.slot + 3)

    def is_running(self, memory: Memory) -> bool:
        """Whether time counts, so that the clock alone may change the answer."""
        return memory[self.slot] is not None

    def ends_at(self, memory: Memory) -> float:
        """Give the instant at which the time that runs is over, if nothing else happens."""
        since, blind = memory[self.slot], memory[self.slot + 1] or 0.0
        return inf if since is None else since + blind + self.seconds

    def _after(self, minute: Minute, held: bool | None, memory: Memory) -> tuple[float | None, float, float]:
        since, blind, dark = memory[self.slot], memory[self.slot + 1] or 0.0, memory[self.slot + 2] or 0.0
        if since is not None:
            blind, dark = blind + minute.blind, dark + minute.blind
        if held is None and since is not None:
            blind, dark = blind + minute.span, dark + minute.span
        is_lost = held is None and not minute.span  # since when it is unknown, an instant cannot say
        if held is False or dark >= self.seconds or is_lost:
            since = None
        if held and since is None:
            since, blind = float(minute.at), 0.0
        if since is None:
            return None, 0.0, 0.0
        return since, blind, (0.0 if held else dark)


@dataclass(frozen=True, slots=True)
class SessionsHeld:
    """A condition of a metric that was true in each of its last ``count`` sessions.

    A session whose value is missing neither breaks the run nor counts; with fewer known sessions than are
    counted nobody knows.
    """

    part: Node
    count: int
    term: str

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        said = list(self._sessions(minute, memory))
        if said[0] is not None and said[-1] is False:
            return both(False)
        return both(True) if said[0] and said.count(True) == self.count else UNKNOWN

    def known(self, minute: Minute, memory: Memory) -> int:
        """Count the known sessions up to the latest in a row in which it was true, up to ``count``."""
        return list(self._sessions(minute, memory)).count(True)

    def _sessions(self, minute: Minute, memory: Memory) -> Iterator[Tri]:
        """Say of the latest session, and of those before it, whether it was true, until it is decided."""
        held = 0
        for back in range(self.count + _MISSING_SESSIONS):
            is_true = self.part.judge(replace(minute, back=back), memory, []).may
            yield is_true
            held += is_true is True
            if is_true is False or held == self.count:
                return

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        if self.judge(minute, memory, []).may:
            yield from self.part.evidence(minute, memory)

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        return iter(())

    def instant(self, minute: Minute, memory: Memory) -> int:
        return minute.at


@dataclass(frozen=True, slots=True)
class AtClose:
    """A condition of what is read at closes: as a minute opens it stands as the close before left it.

    Remembers that, and nothing where that close is not known: the minute then did not open on the clear side.
    """

    slot: int
    part: Node

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        if minute.is_opening:
            left = None if minute.blind else memory[self.slot]
            return UNKNOWN if left is None else both(bool(left))
        truth = self.part.judge(minute, memory, [])
        if out:
            out[self.slot] = None if truth.may is None else float(truth.may)
        return truth

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        return self.part.evidence(minute, memory)

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        return self.part.levels(minute)

    def instant(self, minute: Minute, memory: Memory) -> int:
        return self.part.instant(minute, memory)


@dataclass(frozen=True, slots=True)
class Inverse:
    """The opposite of a condition."""

    part: Node

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        return opposite(self.part.judge(minute, memory, out))

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        return iter(())

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        return self.part.levels(minute)

    def instant(self, minute: Minute, memory: Memory) -> int:
        return self.part.instant(minute, memory)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """At least ``count`` of the parts: all of them for *and*, one for *or*."""

    count: int
    parts: tuple[Node, ...]

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        truths = [part.judge(minute, memory, out) for part in self.parts]
        return Truth(self._enough([one.may for one in truths]), self._enough([one.must for one in truths]))

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        for part in self.parts:
            yield from part.evidence(minute, memory)

    def instant(self, minute: Minute, memory: Memory) -> int:
        true = [part for part in self.parts if part.judge(minute, memory, []).may]
        told = true if len(true) >= self.count else self.parts
        return sorted(part.instant(minute, memory) for part in told)[: self.count][-1]

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        for part in self.parts:
            yield from part.levels(minute)

    def _enough(self, values: list[Tri]) -> Tri:
        if values.count(True) >= self.count:
            return True
        return None if values.count(True) + values.count(None) >= self.count else False
