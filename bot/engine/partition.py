"""A partition: armings in memory, judged batch by batch.

How far things are: a *cursor* is the first minute that an arming has not judged. An arming at rest keeps an
old one, for what it skipped changed nothing. An *end* is how far a series was judged by all who have it; who
waits for another series is *behind*. ``judged_to`` is what a restart goes on from: the end of a series, or
the cursor of whoever is furthest behind in it.

A series whose minutes were not read goes on behind bounds that concern nobody. Behind others it goes on once
later minutes are there: what may have been hidden from whom is a ``Lapse`` of the plan.

``observe`` notes what a batch brought; ``plan`` judges, and changes nothing; ``apply`` takes a plan over once
it has been committed. A plan that could not be committed is dropped, and the next plan judges the same
minutes again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from bot.engine.board import Board, Series
from bot.engine.closes import Closes
from bot.engine.closings import Closings
from bot.engine.course import due_at, history, last, stand, start_of
from bot.engine.history import Point, Points
from bot.engine.index import NOWHERE, Move
from bot.engine.judging import AT_ONCE, Judging
from bot.engine.life import Life
from bot.engine.needs import Needs
from bot.engine.plan import Plan
from bot.engine.reach import Reach
from bot.engine.reasons import Reason, reasons
from bot.engine.restoring import Restoring
from bot.engine.resuming import is_fitting, refilled
from bot.engine.retention import oldest_read
from bot.engine.roll import Roll
from bot.engine.shelf import Derived
from bot.engine.state import AlertState
from bot.engine.step import begin, is_finished, may_ring
from bot.engine.stretches import missing
from bot.engine.unread import end_behind, merge, without
from bot.engine.waiting import Waiting
from bot.engine.world import Stretch, World
from bot.metrics import Bar, Batch, Bounds, Doubt, MetricKey, Observation, Print, Want

_SETTLED_AT_ONCE = 1_000
"""So many armings are moved in one piece of applying: each goes through all ends of a series once."""


class Partition:
    """The armings of one partition, with the series they read and the index that finds them."""

    def __init__(self) -> None:
        self._roll = Roll()
        self._world = World()
        self._board = Board()
        self._closings = Closings(self._world)
        self._ends: dict[MetricKey, int] = {}
        self._prints: dict[MetricKey, tuple[Print, ...]] = {}
        self._dues: dict[int, float] = {}
        self._needs = Needs()
        self._waiting = Waiting()
        self._unread: dict[MetricKey, list[Bounds]] = {}
        self._wanted: dict[MetricKey, Want] = {}  # until something changes what is needed
        self.closes = Closes()
        self._doubts: tuple[Doubt, ...] = ()
        self._seen_to = 0

    def __len__(self) -> int:
        return len(self._roll)

    def __iter__(self) -> Iterator[int]:
        return iter(self._roll)

    def __contains__(self, arming: object) -> bool:
        return arming in self._roll

    def state(self, arming: int) -> AlertState:
        """Give the present state of an arming."""
        return self._roll.state(arming)

    def life(self, arming: int) -> Life:
        """Give what is fixed about an arming."""
        return self._roll.life(arming)

    def kind(self, arming: int) -> Life:
        """Give a life with perhaps another number and beginning: it costs less, where neither is asked of."""
        return self._roll.kind(arming)

    def rule(self, arming: int) -> str:
        """Give the text of an arming, with which it was added."""
        return self._roll.rule(arming)

    def wants(self) -> list[Want]:
        """Name the series of prices that are read here, with what is needed of each."""
        return [self._wanted.get(key) or self._want(key) for key in self._ends if self.points(key) is None]

    def _want(self, key: MetricKey) -> Want:
        since, index = self._ends[key], self._board[key]
        band = NOWHERE if self._needs.has_whole(key) or index.is_restless else index.band
        close = self.closes.at(key, since)
        shown = (close.price, close.source, close.home) if close else ()
        self._wanted[key] = Want(key, since, *band, *shown)
        return self._wanted[key]

    def metrics(self) -> frozenset[MetricKey]:
        """Name the metrics that are read here."""
        return frozenset(self._world.points)

    @property
    def horizon(self) -> int:
        """The instant up to which something was judged: what is only learnt now became known after it."""
        return max([self._seen_to, *self._ends.values()])

    @property
    def seen_to(self) -> int:
        """The instant of the newest batch."""
        return self._seen_to

    def points(self, key: MetricKey) -> Points | None:
        """Give what is known of a metric, ``None`` for a price."""
        return self._world.points.get(key)

    def sessions(self, arming: int, key: MetricKey, at: float, count: int) -> list[Point]:
        """Give the words about the last sessions of a metric as an arming knew them at an instant, rising."""
        points = self._world.points.get(key)
        return points.asof(at, self.life(arming).provisional)[-count:] if points else []

    def readers(self, key: MetricKey) -> list[int]:
        """Name the armings that read a key and may still ring, in order."""
        armings = set(self._board[key].armings) if key in self._board else ()
        return sorted(arming for arming in armings if may_ring(self.state(arming), self._roll.kind(arming)))

    def latest(self, key: MetricKey) -> float | None:
        """Give the newest price that is known of a key, or the newest final value of a metric."""
        prints = self._prints.get(key)
        return self._world.latest(key, self.horizon, prints[-1] if prints else None)

    def reasons(self, arming: int) -> tuple[Reason, ...]:
        """Say why it is unknown whether an arming is true in the last minute that was judged, if it is."""
        life = self.life(arming)
        return reasons(life, last(self._world, life, self.horizon), self.state(arming).memory)

    # --- who is here ----------------------------------------------------------------------------------------

    def missing(self, life: Life, state: AlertState | None) -> list[Stretch]:
        """Name the history that an arming needs before it can be added."""
        back = life.lookback if state is not None and is_fitting(state, life) else life.warmup
        return missing(self._world, life, start_of(life, state), back, self._ends)

    def preload(self, life: Life, stretch: Stretch, bars: Sequence[Bar]) -> None:
        """Note history that was missing for an arming."""
        life.follow_in(self._world)
        self._world.preload(stretch, list(bars))

    def recall(self, life: Life, words: Iterable[Observation]) -> None:
        """Note what was known of the metrics of an arming before it is added."""
        life.follow_in(self._world)
        for word in words:
            if word.key in life.calendars:
                self._world.note(word)

    def forget(self, now: int) -> None:
        """Let go of what was said of metrics and can be read no more."""
        self._world.forget_metrics(lambda key: oldest_read(key, now))

    def retell(self, key: MetricKey, words: Iterable[Observation]) -> None:
        """Read a metric as another source tells it from its beginning, if anybody reads it here."""
        if key in self._world.points:
            self._world.retell(key, words)

    def add(
        self, arming: int, life: Life, state: AlertState | None, rule: str = "", is_shared: bool = False
    ) -> AlertState:
        """Take an arming in, and begin its life if it has no state; gives the state it has.

        ``rule`` is its text: of one that comes without, objects are kept even while it rests.
        """
        life.follow_in(self._world)
        if state is None:
            cursor = start_of(life, None)
            state = begin(life, self._world, history(self._world, life, cursor - life.warmup, cursor))
            for key, seen in life.seen.items():
                self.closes.note_seen(key, seen)
        elif not is_fitting(state, life):
            state = refilled(state, life, self._world)
        gaps = stand(self._world, life, state)
        self._roll.add(arming, life, state, gaps, rule=rule, is_shared=is_shared)
        self._needs.note(arming, life, is_finished(state, life))
        if (due := due_at(life, state.cursor, state.memory)) < math.inf:
            self._dues[arming] = due
        for series, gap in gaps.items():
            self._move(series, [Move(arming, None, gap)])
        for key in life.keys:
            followed_to = self._ends.setdefault(key, state.cursor)
            if state.cursor < followed_to:
                if (minutes := self._world.series.get(key)) is None or len(minutes):
                    self._waiting.put(arming, state.cursor)
                else:  # nothing came yet, so the feed can still be asked from this arming's minute on
                    self._ends[key] = state.cursor
        return state

    def restoring(self, judged_to: Mapping[MetricKey, int]) -> Restoring:
        """Begin to put stored armings to rest, before any other comes; ``restored`` lets them stand here."""
        return Restoring(self._roll, judged_to, self.closes)

    def restored(self, restoring: Restoring) -> None:
        """Take over all that was put to rest."""
        for key, end in restoring.fill(self._board).items():
            self._world.follow(key, {})
            self._ends[key] = end

    def resume_from(self, life: Life, state: AlertState, judged_to: Mapping[MetricKey, int]) -> AlertState:
        """Give a stored state the cursor from which it goes on: what its series were judged to."""
        known = [judged_to[key] for key in life.keys if key in judged_to]
        return replace(state, cursor=max(state.cursor, min(known, default=state.cursor)))

    def remove(self, arming: int) -> None:
        """Let an arming go; a series that nobody reads any more is forgotten."""
        if arming not in self._roll:
            return
        gaps, keys = self._roll.gaps(arming), self._roll.kind(arming).keys
        self._roll.remove(arming)
        self._waiting.remove(arming)
        self._dues.pop(arming, None)
        for series, gap in gaps.items():
            self._move(series, [Move(arming, gap, None)])
        for key in keys:
            self._needs.end(arming, key)
            if key not in self._board:
                self._world.leave(key)
                self._needs.leave(key)
                self.closes.forget(key)
                for kept in (self._wanted, self._ends, self._prints, self._unread):
                    kept.pop(key, None)

    # --- what is seen ---------------------------------------------------------------------------------------

    def observe(self, batch: Batch) -> None:
        """Note the minutes, bounds, prints and doubts of a batch; what is known already is skipped.

        So is a run that was asked for since later than what is known here, as where another partition is
        further, or an alert was added meanwhile that begins before: it is asked for again.
        """
        for bound in batch.bounds:
            if (key := bound.key) in self._ends:
                self._unread[key] = merge(self._unread.get(key, ()), bound, self._ends[key])
        for run in batch.bars:
            if run.key in self._ends and run.bars and run.asked <= self._ends[run.key]:
                end = self._ends[run.key]
                self._world.put(run.key, [bar for bar in run.bars if bar.at >= end])
                self.closes.note_bars(run)
                if run.key in self._unread:
                    self._unread[run.key] = without(self._unread[run.key], run.bars[0].at, run.bars[-1].end)
        self._doubts = batch.doubts
        self._seen_to = max(self._seen_to, int(batch.at))
        for observation in batch.observations:
            if observation.key in self._world.points:
                self._world.note(observation)
        fresh: dict[MetricKey, tuple[Print, ...]] = {}
        for one in batch.prints:
            if one.key in self._ends:
                fresh[one.key] = (*fresh.get(one.key, ()), one)
                self.closes.note_print(one)
        self._prints |= fresh

    def plan(self) -> Plan:
        """Judge every minute that is known and not judged, and glance at the newest prints."""
        *_, plan = self.planning()
        return plan

    def planning(self) -> Iterator[Plan]:
        """Judge as ``plan`` does, piece by piece: gives the plan while it grows, and last when it is whole.

        Between the pieces nothing may be observed, added, removed or applied.
        """
        plan = Plan(ends={key: self._end(key) for key in self._ends})
        judging = Judging(self._roll, self._world, self._waiting, self._ends, self._prints, self._seen_to)
        concerned = self._concerned(plan.ends)
        for some in self._closings.concerned(self._ends, plan.ends):
            concerned |= some
            yield plan
        for count, arming in enumerate(sorted(concerned), 1):
            if count % AT_ONCE == 0:
                yield plan
            try:
                judging.judge(arming, plan)
            except Exception as error:  # one arming must not silence the others
                plan.broken[arming] = f"{type(error).__name__}: {error}"
                plan.told = [one for one in plan.told if one[0] != arming]
                plan.rests.pop(arming, None)
        prints = [one for several in self._prints.values() for one in several if one.at >= plan.ends[one.key]]
        yield from judging.glance(self._board.touched(prints, plan.rests), plan)
        reach = Reach(self._board, self._roll, self._world, plan)
        plan.lapses.extend(reach.lapses(self._unread, self._ends))
        plan.doubted.extend(reach.doubted(self._doubts, self._prints))
        plan.judged_to = self._judged_to(plan)
        yield plan

    def apply(self, plan: Plan) -> None:
        """Take a committed plan over, and let go of what could not be judged."""
        for _ in self.applying(plan):
            pass

    def applying(self, plan: Plan) -> Iterator[None]:
        """Apply as ``apply`` does, piece by piece: between them nothing may be planned, added or removed."""
        for arming in plan.broken:
            self.remove(arming)
        yield from self._settle(plan)
        for key, end in plan.ends.items():
            if end > self._ends.get(key, end):
                self._ends[key] = end
                self._wanted.pop(key, None)
                self._needs.trim(self._world, key, plan.judged_to.get(key, end), end)
        self._roll.age(self._ends)
        self._waiting.apply(plan.behind, self._seen_to)
        for arming, due in plan.dues.items():
            if due < math.inf:
                self._dues[arming] = due
            else:
                self._dues.pop(arming, None)
        for key, pending in self._unread.items():
            if pending and pending[0].since < self._ends[key]:
                self._unread[key] = without(pending, 0, self._ends[key])
                if not self._needs.has_whole(key):
                    self._world.blur(key)

    def _settle(self, plan: Plan) -> Iterator[None]:
        """Take over where armings came, and where they rest now."""
        judged = iter(plan.states.items())
        while piece := list(islice(judged, _SETTLED_AT_ONCE)):
            moves: dict[Series, list[Move]] = {}
            for arming, state in piece:
                if arming not in self._roll:
                    continue
                rests = plan.rests.get(arming)
                before = self._roll.put(arming, state, rests)
                for series, gap in (rests or {}).items():
                    moves.setdefault(series, []).append(Move(arming, before[series], gap))
                if rests is not None and is_finished(state, kind := self._roll.kind(arming)):
                    for key in kind.keys:
                        self._needs.end(arming, key)
            for series, several in moves.items():
                self._move(series, several)
            yield

    def _move(self, series: Series, moves: Sequence[Move]) -> None:
        """Move armings in the index of a series."""
        if isinstance(series, Derived):
            self._closings.move(series, moves)
        else:
            self._board.move(series, moves)
            self._wanted.pop(series, None)

    # --- how it is judged -----------------------------------------------------------------------------------

    def _end(self, key: MetricKey) -> int:
        if key in self._world.points:
            return max(self._seen_to, self._ends[key])
        end = max(self._world.series[key].end or 0, self._ends[key])
        if not (pending := self._unread.get(key)):
            return end
        index, is_whole = self._board[key], self._needs.has_whole(key)
        fresh = self._world.series[key].extremes(self._ends[key], end)
        if fresh and index.is_concerning(fresh.low, fresh.high):
            return end  # where those are at rest that are judged now, the next plan knows
        return end_behind(end, pending, lambda low, high: is_whole or index.is_concerning(low, high))

    def _concerned(self, ends: Mapping[MetricKey, int]) -> set[int]:
        concerned = set(self._waiting)
        reached: dict[MetricKey, tuple[float, float]] = {}
        for key, end in ends.items():
            if key in self._world.points:
                if self._world.points[key].arrivals(self._ends[key], end + 1):
                    concerned.update(arming for arming, life in self._roll.lively if key in life.calendars)
                continue
            if end != self._ends[key] and (found := self._world.series[key].extremes(self._ends[key], end)):
                reached[key] = found.low, found.high
        concerned.update(self._board.concerned(reached))
        newest = max(ends.values(), default=0)
        concerned.update(arming for arming, due in self._dues.items() if due <= newest)
        return concerned

    def _judged_to(self, plan: Plan) -> dict[MetricKey, int]:
        judged_to = dict(plan.ends)
        for arming, cursor in self._waiting.after(plan.behind).items():
            for key in self._roll.kind(arming).keys:
                judged_to[key] = min(judged_to[key], cursor)
        return judged_to
