"""A partition: armings in memory, judged batch by batch.

``observe`` notes what a batch brought; ``plan`` judges, and changes nothing; ``apply`` takes a plan over once
it has been committed. A plan that could not be committed is dropped, and the next plan judges the same
minutes again.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.engine.index import EVERYWHERE, NOWHERE, Gap, ThresholdIndex, gap_around
from bot.engine.life import Life
from bot.engine.minute import Minute
from bot.engine.series import Series
from bot.engine.state import AlertState, Transition
from bot.engine.step import begin, glance, is_finished, is_settled, step
from bot.metrics import MINUTE, Bar, Batch, MetricKey, Print, minute_of, point

PATIENCE = 10 * MINUTE
"""How long, in seconds, a minute of one series waits for the same minute of the others in its rule."""

_KEEP = 120 * MINUTE


@dataclass(slots=True)
class Plan:
    """What judging brought: to be committed, then applied.

    ``states`` holds every arming that was judged, ``changed`` those whose state differs by more than its
    cursor, and so must be stored. ``judged_to`` is, for each series, the first minute that some arming has
    not judged.
    """

    states: dict[int, AlertState] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    told: list[tuple[int, Transition]] = field(default_factory=list)
    judged_to: dict[MetricKey, int] = field(default_factory=dict)
    rests: dict[int, dict[MetricKey, Gap]] = field(default_factory=dict)
    behind: dict[int, int | None] = field(default_factory=dict)
    ends: dict[MetricKey, int] = field(default_factory=dict)


class Partition:
    """The armings of one partition, with the series they read and the index that finds them."""

    def __init__(self) -> None:
        self._lives: dict[int, Life] = {}
        self._states: dict[int, AlertState] = {}
        self._series: dict[MetricKey, Series] = {}
        self._index: dict[MetricKey, ThresholdIndex] = {}
        self._ends: dict[MetricKey, int] = {}
        self._behind: dict[int, int] = {}
        self._prints: dict[MetricKey, Print] = {}
        self._untils: list[tuple[float, int]] = []
        self._lookback: dict[MetricKey, int] = {}

    def __len__(self) -> int:
        return len(self._lives)

    def state(self, arming: int) -> AlertState:
        """Give the present state of an arming."""
        return self._states[arming]

    def life(self, arming: int) -> Life:
        """Give what is fixed about an arming."""
        return self._lives[arming]

    def wants(self) -> dict[MetricKey, int]:
        """Name the series that are read here, each with the first minute that is needed of it."""
        return dict(self._ends)

    def latest(self, key: MetricKey) -> float | None:
        """Give the newest price that is known of a key."""
        series, newest = self._series.get(key), self._prints.get(key)
        last = series.last if series else None
        if newest and (last is None or newest.at >= last.end):
            return newest.value
        return last.close if last else None

    # --- who is here ----------------------------------------------------------------------------------------

    def missing(self, life: Life, state: AlertState | None) -> list[tuple[MetricKey, int, int]]:
        """Name the history that an arming needs before it can be added, as ``(key, since, until)``."""
        cursor = self._start(life, state)
        since = cursor - (life.warmup if state is None else life.lookback)
        missing = []
        for key in life.keys:
            series = self._series.get(key)
            until = series.start if series and series.start is not None else cursor
            if since < until:
                missing.append((key, since, until))
        return missing

    def preload(self, key: MetricKey, bars: Sequence[Bar]) -> None:
        """Note history of a series from before it was followed here."""
        self._series.setdefault(key, Series()).prepend(bars)

    def add(self, arming: int, life: Life, state: AlertState | None) -> AlertState:
        """Take an arming in, and begin its life if it has no state; gives the state it has."""
        for key in life.keys:
            self._series.setdefault(key, Series())
        if state is None:
            cursor = self._start(life, None)
            state = begin(life, tuple(self._history(life, cursor - life.warmup, cursor)))
        self._lives[arming], self._states[arming] = life, state
        for key in life.keys:
            self._index.setdefault(key, ThresholdIndex()).place(arming, NOWHERE)
            self._lookback[key] = max(self._lookback.get(key, 0), life.lookback)
            followed_to = self._ends.setdefault(key, state.cursor)
            if state.cursor < followed_to:
                if len(self._series[key]):
                    self._behind[arming] = state.cursor
                else:  # nothing came yet, so the feed can still be asked from this arming's minute on
                    self._ends[key] = state.cursor
        if life.until is not None:
            heapq.heappush(self._untils, (life.until, arming))
        return state

    def resume_from(self, life: Life, state: AlertState, judged_to: Mapping[MetricKey, int]) -> AlertState:
        """Give a stored state the cursor from which it goes on: what its series were judged to."""
        known = [judged_to[key] for key in life.keys if key in judged_to]
        return replace(state, cursor=max(state.cursor, min(known, default=state.cursor)))

    def remove(self, arming: int) -> None:
        """Let an arming go; a series that nobody reads any more is forgotten."""
        life = self._lives.pop(arming, None)
        if life is None:
            return
        del self._states[arming]
        self._behind.pop(arming, None)
        for key in life.keys:
            self._index[key].remove(arming)
            if not len(self._index[key]):
                for kept in (self._index, self._series, self._ends, self._prints, self._lookback):
                    kept.pop(key, None)

    # --- what is seen ---------------------------------------------------------------------------------------

    def observe(self, batch: Batch) -> None:
        """Note the final minutes and the prints of a batch; what is known already is skipped."""
        for run in batch.bars:
            if run.key in self._series:
                end = self._ends[run.key]
                self._series[run.key].extend([bar for bar in run.bars if bar.at >= end])
        for one in batch.prints:
            if one.key in self._series:
                self._prints[one.key] = one

    def plan(self) -> Plan:
        """Judge every minute that is known and not judged, and glance at the newest prints."""
        plan = Plan(ends={key: self._end(key) for key in self._ends})
        for arming in sorted(self._concerned(plan.ends)):
            self._judge(arming, plan)
        self._glance(plan)
        for arming, state in plan.states.items():
            if replace(state, cursor=0) != replace(self._states[arming], cursor=0):
                plan.changed.add(arming)
        plan.judged_to = self._judged_to(plan)
        return plan

    def apply(self, plan: Plan) -> None:
        """Take a committed plan over."""
        self._states.update(plan.states)
        self._ends.update(plan.ends)
        for arming, rests in plan.rests.items():
            for key, gap in rests.items():
                self._index[key].place(arming, gap)
        for arming, cursor in plan.behind.items():
            if cursor is None:
                self._behind.pop(arming, None)
            else:
                self._behind[arming] = cursor
        newest = max(self._ends.values(), default=0)
        while self._untils and self._untils[0][0] < newest and self._is_over(self._untils[0][1]):
            heapq.heappop(self._untils)
        for key, series in self._series.items():
            series.forget(min(plan.judged_to.get(key, self._ends[key]), self._ends[key]) - self._keep(key))

    # --- how it is judged -----------------------------------------------------------------------------------

    def _start(self, life: Life, state: AlertState | None) -> int:
        if state is not None:
            return state.cursor
        if any(key not in life.seen for key in life.keys):
            return minute_of(life.made_at) + MINUTE
        return max(seen.bar.at for seen in life.seen.values())

    def _is_over(self, arming: int) -> bool:
        state = self._states.get(arming)
        return state is None or state.is_ended

    def _keep(self, key: MetricKey) -> int:
        return self._lookback.get(key, 0) + _KEEP

    def _end(self, key: MetricKey) -> int:
        end = self._series[key].end
        return self._ends[key] if end is None else max(end, self._ends[key])

    def _concerned(self, ends: Mapping[MetricKey, int]) -> set[int]:
        concerned = set(self._behind)
        for key, end in ends.items():
            if end > self._ends[key] and (range_ := self._series[key].extremes(self._ends[key], end)):
                concerned.update(self._index[key].concerned(range_.low, range_.high))
        newest = max(ends.values(), default=0)
        concerned.update(arming for until, arming in self._untils if until < newest and arming in self._lives)
        return concerned

    def _judge(self, arming: int, plan: Plan) -> None:
        life, state = self._lives[arming], self._states[arming]
        start = self._behind.get(arming, min(self._ends[key] for key in life.keys))
        state = replace(state, cursor=max(state.cursor, start))
        stop = self._ready(life, plan.ends)
        rests = dict.fromkeys(life.keys, NOWHERE)
        at = None if state.is_ended else self._next(life, state.cursor, stop, rests)
        while at is not None:
            minute = self._minute(life, at, state.cursor)
            state, transitions = step(state, minute, life)
            plan.told.extend((arming, transition) for transition in transitions)
            rests = _rests(state, minute, life)
            plan.rests[arming] = rests
            at = None if state.is_ended else self._next(life, state.cursor, stop, rests)
            if at is not None and rests[life.keys[0]] is not NOWHERE:
                state = replace(state, cursor=at)  # what lies between was seen, and changed nothing
        state = replace(state, cursor=max(state.cursor, stop))
        plan.states[arming] = state
        if state.is_ended:
            plan.rests[arming] = dict.fromkeys(life.keys, EVERYWHERE)
        is_behind = any(stop < plan.ends[key] for key in life.keys)
        plan.behind[arming] = stop if is_behind else None

    def _next(self, life: Life, since: int, stop: int, rests: Mapping[MetricKey, Gap]) -> int | None:
        """Find the next minute before ``stop`` in which something may change."""
        found = [
            self._series[key].next_outside(since, stop, gap.floor, gap.ceiling) for key, gap in rests.items()
        ]
        if life.until is not None and life.until < stop:
            over = max(since, math.ceil(life.until))
            found.extend(self._series[key].next_outside(over, stop, *NOWHERE) for key in life.keys)
        return min((at for at in found if at is not None), default=None)

    def _minute(self, life: Life, at: int, cursor: int) -> Minute:
        bars = {key: bar for key in life.keys if (bar := self._series[key].at(at))}
        span = max(bar.span for bar in bars.values())
        return Minute(at, bars, self._series, max(0, at - cursor), span)

    def _history(self, life: Life, since: int, until: int) -> Iterator[Minute]:
        nowhere = dict.fromkeys(life.keys, NOWHERE)
        cursor, at = since, self._next(life, since, until, nowhere)
        while at is not None and at < until:
            minute = self._minute(life, at, cursor)
            yield minute
            cursor = minute.end
            at = self._next(life, cursor, until, nowhere)

    def _ready(self, life: Life, ends: Mapping[MetricKey, int]) -> int:
        """Find how far an arming can be judged: to where all its series are, or patience is at an end."""
        reached = [ends[key] for key in life.keys]
        return max(min(reached), max(reached) - PATIENCE)

    def _glance(self, plan: Plan) -> None:
        for key, one in self._prints.items():
            if one.at < plan.ends[key]:
                continue
            for arming in set(self._index[key].concerned(one.value, one.value)):
                life = self._lives[arming]
                state = plan.states.get(arming, self._states[arming])
                at = minute_of(one.at)
                prints = [self._prints[other] for other in life.keys if other in self._prints]
                bars = {other.key: point(other.value, at) for other in prints if minute_of(other.at) == at}
                newest = max(other.at for other in prints)
                after, transitions = glance(state, Minute(at, bars, self._series), newest, life)
                if transitions:
                    plan.states[arming] = after
                    plan.rests[arming] = dict.fromkeys(life.keys, NOWHERE)
                    plan.told.extend((arming, transition) for transition in transitions)

    def _judged_to(self, plan: Plan) -> dict[MetricKey, int]:
        judged_to = dict(plan.ends)
        behind = {**self._behind, **plan.behind}
        for arming, cursor in behind.items():
            if cursor is not None:
                for key in self._lives[arming].keys:
                    judged_to[key] = min(judged_to[key], cursor)
        return judged_to


def _rests(state: AlertState, minute: Minute, life: Life) -> dict[MetricKey, Gap]:
    if is_finished(state, life):
        return dict.fromkeys(life.keys, EVERYWHERE)
    if not is_settled(state, minute, life):
        return dict.fromkeys(life.keys, NOWHERE)
    return {key: gap_around(minute.bars[key].close, life.breaks[key]) for key in life.keys}
