"""Judge the armings that a batch concerns, and look at its prints: what of it comes into the plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.engine.course import Course, follow, running
from bot.engine.index import NOWHERE
from bot.engine.minute import Minute
from bot.engine.plain import Plain
from bot.engine.plan import Plan
from bot.engine.roll import Roll
from bot.engine.state import AlertState
from bot.engine.step import glance
from bot.engine.touches import show, touch
from bot.engine.waiting import Waiting
from bot.engine.world import World
from bot.metrics import Bar, MetricKey, Print

AT_ONCE = 100
"""So many armings are judged in one piece of planning: some milliseconds."""


@dataclass(frozen=True, slots=True)
class Judging:
    """The armings as they were before a plan, and what was seen; ``ends`` is how far each series was judged.

    ``seen_to`` is the instant of the newest batch. What minute comes next is found once for each pattern of
    plain armings, and kept in ``nexts``.
    """

    roll: Roll
    world: World
    waiting: Waiting
    ends: Mapping[MetricKey, int]
    prints: Mapping[MetricKey, Sequence[Print]]
    seen_to: int
    nexts: dict[int, Bar | None] = field(default_factory=dict)

    def judge(self, arming: int, plan: Plan) -> None:
        """Judge the minutes that an arming has not judged."""
        plain, state = self.roll.found(arming)
        if plain is not None and arming not in self.waiting:
            bar = self._next(plain, plan)
            course = touch(plain, state, bar) if bar is not None else None
            if course is not None:
                _note(arming, state, course, plan)
                return
        life = self.roll.life(arming)
        start = self.waiting.cursor(arming, min(self.ends[key] for key in life.keys))
        stop = self.waiting.ready(arming, [plan.ends[key] for key in life.keys], self.seen_to)
        course = follow(self.world, life, state.judged_to(start), stop)
        _note(arming, state, course, plan)
        plan.dues[arming] = course.due
        if any(stop < plan.ends[key] for key in life.keys):
            plan.behind[arming] = stop
        elif arming in self.waiting:
            plan.behind[arming] = None

    def glance(self, touched: Iterable[tuple[Print, Sequence[int]]], plan: Plan) -> Iterator[Plan]:
        """Look at prints that may concern armings, piece by piece."""
        for one, armings in touched:
            seen: dict[tuple[MetricKey, ...], tuple[Minute, float, float]] = {}
            for count, arming in enumerate(armings, 1):
                if count % AT_ONCE == 0:
                    yield plan
                plain, state = self.roll.found(arming)
                state = plan.states.get(arming, state)
                if plain is not None:
                    keys = plain.pattern.life.keys
                    after, transitions = show(plain, state, one)
                else:
                    life = self.roll.life(arming)
                    keys = life.keys
                    if (shown := seen.get(keys)) is None:
                        shown = seen[keys] = running(self.world, self.prints, life, one)
                    after, transitions = glance(state, *shown, life)
                if transitions:
                    plan.states[arming] = after
                    plan.changed.add(arming)
                    plan.rests[arming] = dict.fromkeys(keys, NOWHERE)
                    plan.told.extend((arming, transition) for transition in transitions)

    def _next(self, plain: Plain, plan: Plan) -> Bar | None:
        """Give the one minute that came of the series of a plain arming; ``None`` if it is not one."""
        pattern, known = plain.numbered.pattern, self.nexts
        if pattern not in known:
            key = plain.pattern.key
            bar = self.world.series[key].at(self.ends[key])
            known[pattern] = bar if bar is not None and bar.end == plan.ends[key] else None
        return known[pattern]


def _note(arming: int, state: AlertState, course: Course, plan: Plan) -> None:
    plan.states[arming] = course.state
    plan.told.extend((arming, transition) for transition in course.told)
    if course.told or course.state.differs(state):
        plan.changed.add(arming)
    if course.rests is not None:
        plan.rests[arming] = course.rests
