"""Whom prices may concern that nobody judged: those of minutes that are gone, and those that are doubted.

The index is of the time before a plan. Who is judged in the plan itself may rest elsewhere by then, and is
asked by his condition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bot.engine.board import Board
from bot.engine.course import running, start_of
from bot.engine.doubts import would_ring
from bot.engine.minute import Minute
from bot.engine.plan import Plan
from bot.engine.roll import Roll
from bot.engine.step import may_ring
from bot.engine.unread import Lapse, gone, lapse
from bot.engine.world import World
from bot.metrics import Bar, Bounds, Doubt, MetricKey, Print


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom prices may concern in one plan: the armings as they were before it, and the plan."""

    board: Board
    roll: Roll
    world: World
    plan: Plan

    def lapses(
        self, unread: Mapping[MetricKey, Sequence[Bounds]], ends: Mapping[MetricKey, int]
    ) -> Iterator[Lapse]:
        """Say from whom minutes that are gone may have hidden something; ``ends`` is what was judged."""
        for key, end in self.plan.ends.items():
            if end <= ends[key] or key in self.world.points:
                continue
            series = self.world.series[key]
            for pieces in gone(series, unread.get(key, ()), ends[key], end):
                blind = partial(self._blind, key, pieces[-1].until)
                if (found := lapse(key, pieces, series, blind)) is not None:
                    yield found

    def doubted(
        self, doubts: Iterable[Doubt], prints: Mapping[MetricKey, Sequence[Print]]
    ) -> Iterator[tuple[Doubt, tuple[int, ...]]]:
        """Name the armings that a doubted price would ring, were it to be trusted."""
        for doubt in (doubt for doubt in doubts if doubt.key in self.board):
            one = Print(doubt.key, doubt.value, doubt.at, doubt.source)
            near = {*self.board[doubt.key].concerned(doubt.value, doubt.value), *self._judged(doubt.key)}
            found: list[int] = []
            for arming in sorted(near):
                life, state = self.roll.life(arming), self.roll.state(arming)
                minute, *_ = running(self.world, prints, life, one)
                if would_ring(state, self.plan.states.get(arming, state), minute, life):
                    found.append(arming)
            if found:
                yield doubt, tuple(found)

    def _blind(self, key: MetricKey, until: int, prices: tuple[float, float] | None) -> set[int]:
        """Pick whom prices (``None``: any) up to an instant may concern: who may ring, made before it."""
        if prices is None:
            near = set(self.board[key].armings)
        else:
            judged = (one for one in self._judged(key) if self._may_hold(one, key, until, *prices))
            near = {*self.board[key].concerned(*prices), *judged}
        return {
            arming
            for arming in near
            if may_ring(self.roll.state(arming), self.roll.kind(arming))
            and start_of(self.roll.life(arming), None) < until
        }

    def _judged(self, key: MetricKey) -> Iterator[int]:
        return (arming for arming in self.plan.states if key in self.roll.kind(arming).keys)

    def _may_hold(self, arming: int, key: MetricKey, at: int, low: float, high: float) -> bool:
        """Whether a condition may be true as a price rises or falls between two, whatever the others are."""
        node, memory = self.roll.life(arming).node, self.roll.state(arming).memory
        bars = Bar(at, low, high, low, high), Bar(at, high, high, low, low)
        minutes = (Minute(at, {key: bar}, self.world) for bar in bars)
        return any(node.judge(minute, memory, []).may is not False for minute in minutes)
