"""Compile a rule's tree into the nodes that judge it, and sum up what they need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bot.engine import measures
from bot.engine.comparisons import COMPARE, Against, Limit, Move, Moved, Within
from bot.engine.derived import breaks_of
from bot.engine.judge import AtClose, AtLeast, Holding, Inverse, Node, SessionsHeld
from bot.engine.life import COOLDOWN, Life
from bot.engine.pulses import ABOVE, BELOW, Crossing, Entry, OfSessions, RoundSteps, ShareSteps, sources
from bot.engine.sessions import DAY
from bot.engine.terms import Terms
from bot.engine.values import (
    CandleField,
    Constant,
    Joined,
    Price,
    Shifted,
    Value,
    currency_of,
)
from bot.metrics import MINUTE, MetricKey, Seen
from bot.rules import tree
from bot.rules.parts import is_moving
from bot.rules.tree import TURNED, Condition, Duration, Instrument, Mode, Number, Op, Percent, Rule
from bot.rules.units import PERCENT, unit_of
from bot.rules.windows import is_metric

_OPPOSITE: dict[Op, Op] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_SIDES = {"": 0.0, "above": ABOVE, "below": BELOW}
_WAYS = {"": 0, "up": 1, "down": -1}


def compile_rule(
    rule: Rule, is_shared: bool, made_at: float, seen: Mapping[MetricKey, Seen], is_eager: bool = False
) -> Life:
    """Compile a rule whose levels are filled in and whose instruments are qualified.

    ``is_shared`` decides what an option that is not given means: shared alerts repeat, personal ones ring
    once, and whatever rings at steps repeats without a cooldown. What ``is_eager`` begins armed, true or
    not. Raises ValueError for what cannot be judged: a name that is not filled in, an ``until`` that is no
    instant, a metric that nobody provides.
    """
    options = rule.options
    build = _Compiler(options.provisional)
    node = build.node(rule.condition)
    outer = _Compiler(options.provisional, options.rearm, build.slots) if options.rearm else build
    clear = outer.node(rule.condition) if options.rearm else node
    mode = options.mode or (Mode.REPEAT if is_shared or build.has_steps else Mode.ONCE)
    default = 0 if build.has_steps else COOLDOWN
    is_timed = options.remind is not None or len(build.spans) > 1  # several wait for the slowest
    return Life(
        node=node,
        clear=clear,
        slots=outer.slots,
        keys=tuple(build.spans),
        spans=build.spans,
        calendars=build.calendars,
        is_restless=build.is_restless,
        is_still=not build.is_live and (not build.holdings or build.spans.keys() <= build.calendars.keys()),
        tells_early=build.tells_early and build.is_live,
        lookback=build.lookback,
        warmup=max(build.lookback, sum(holding.seconds for holding in build.holdings)),
        is_once=mode is Mode.ONCE,
        cooldown=options.cooldown.seconds if options.cooldown else default,
        remind=options.remind.seconds if options.remind else 0,
        resolves=options.resolve,
        until=_instant(options.until),
        made_at=made_at,
        seen=seen,
        holdings=tuple(build.holdings),
        is_eager=is_eager,
        provisional=options.provisional,
        derived={} if build.is_live or is_timed else breaks_of(node, clear),
    )


def _instant(until: object) -> float | None:
    match until:
        case None:
            return None
        case datetime():
            return until.timestamp()
        case _:
            raise ValueError(f"until {until} is not fixed to an instant")


class _Compiler(Terms):
    """One compilation: nodes, and the running sums of what they need.

    With a ``rearm`` the condition is compiled as it stands when every level is moved outward: what must be
    false for the alert to be clear. Of that form only what is read at closes has a memory, in slots from
    ``slots`` on.
    """

    def __init__(self, provisional: bool, rearm: Number | Percent | None = None, slots: int = 0) -> None:
        super().__init__(provisional)
        self.rearm = rearm
        self.slots = slots
        self.tells_early = True
        self.has_steps = False
        self.holdings: list[Holding] = []

    # --- conditions -------------------------------------------------------------------------------------

    def node(self, condition: Condition, outward: int = 1) -> Node:
        """Compile a condition; ``outward`` is -1 under a *not*, where outward is inward."""
        match condition:
            case tree.Compare():
                return self._comparison(condition, outward)
            case tree.Crosses():
                return self._crossing(condition, outward)
            case tree.Zone():
                return self._zone(condition, outward)
            case tree.Moves():
                return self._move(condition, outward)
            case tree.Every():
                return self._steps(condition)
            case tree.Held(condition=part, duration=Duration() as duration):
                if self.rearm:
                    return self.node(part, outward)
                slot = self._take(3)
                holding = Holding(slot, self.node(part, outward), duration.seconds, str(condition))
                self.tells_early = False
                self.holdings.append(holding)
                return holding
            case tree.Held(condition=part, duration=tree.Sessions(count=count)):
                return SessionsHeld(self.node(part, outward), count, str(condition))
            case tree.Not(condition=tree.Compare(left=left, op=op, right=right)):
                return self._comparison(tree.Compare(left, _OPPOSITE[op], right), outward)
            case tree.Not(condition=part):
                return Inverse(self.node(part, -outward))
            case tree.Or(parts=parts):
                return AtLeast(1, tuple(self.node(part, outward) for part in parts))
            case tree.AtLeast(count=count, parts=parts):
                return AtLeast(count, tuple(self.node(part, outward) for part in parts))
            case tree.And(parts=parts):
                return _joined([self.node(part, outward) for part in parts])
            case _:
                raise ValueError(f"cannot judge {condition}")

    def _comparison(self, condition: tree.Compare, outward: int) -> Node:
        left, op, right = self.value(condition.left), condition.op, self.value(condition.right)
        is_turned = isinstance(right, Price) or not is_moving(condition.left)
        if is_turned and not isinstance(left, Price):  # a price comes first, and a level last
            left, op, right = right, TURNED[op], left
        sign = outward if op in ("<", "<=") else -outward
        right = self._moved(right, sign, _is_percent(condition.left, condition.right))
        if isinstance(left, Price) and not right.is_live:
            limit = Limit(right, is_open=op in ("<", ">"))
            if op in (">", ">="):
                return Within(left.key, (limit,), (), str(condition))
            return Within(left.key, (), (limit,), str(condition))
        against = Against(left, COMPARE[op], right, str(condition), _currency(left))
        return self._at_close(against) if left.is_live or right.is_live else against

    def _crossing(self, condition: tree.Crosses, outward: int) -> Node:
        value, level = self.value(condition.value), self.value(condition.level)
        is_percent = _is_percent(condition.value, condition.level)
        if self.rearm:
            low = self._moved(level, -outward, is_percent)
            high = self._moved(level, outward, is_percent)
            floors = () if condition.side == "below" else (low,)
            ceilings = () if condition.side == "above" else (high,)
            return self._inside(value, floors, ceilings, str(condition))
        if level.is_live:  # two that both move cross where their difference passes nothing
            value, level = Joined(value, "-", level), Constant(0.0)
        self._note_pulse(value)
        slot, term = self._take(1), str(condition)
        crossing = Crossing(slot, value, _SIDES[condition.side], level, term, _currency(value))
        return self._of_sessions(crossing, slot, value, level)

    def _zone(self, condition: tree.Zone, outward: int) -> Node:
        value, low, high = (self.value(one) for one in (condition.value, condition.low, condition.high))
        is_inward = condition.way == "enters"
        if self.rearm:
            sign = outward if is_inward else -outward
            is_percent = _is_percent(condition.value, condition.low, condition.high)
            floors = (self._moved(low, -sign, is_percent),)
            ceilings = (self._moved(high, sign, is_percent),)
            inside = self._inside(value, floors, ceilings, str(condition))
            return inside if is_inward else Inverse(inside)
        self._note_pulse(value)
        slot, term = self._take(1), str(condition)
        entry = Entry(slot, value, is_inward, low, high, term, _currency(value))
        return self._of_sessions(entry, slot, value, low, high)

    def _inside(
        self, value: Value, floors: tuple[Value, ...], ceilings: tuple[Value, ...], term: str
    ) -> Node:
        if isinstance(value, Price) and not any(end.is_live for end in (*floors, *ceilings)):
            lows = tuple(Limit(floor, is_open=False) for floor in floors)
            highs = tuple(Limit(ceiling, is_open=False) for ceiling in ceilings)
            return Within(value.key, lows, highs, term)
        parts: list[Node] = [Against(value, COMPARE[">="], floor, term) for floor in floors]
        parts += [Against(value, COMPARE["<="], ceiling, term) for ceiling in ceilings]
        inside = parts[0] if len(parts) == 1 else AtLeast(len(parts), tuple(parts))
        is_live = value.is_live or any(end.is_live for end in (*floors, *ceilings))
        return self._at_close(inside) if is_live else inside

    def _move(self, condition: tree.Moves, outward: int) -> Node:
        of, way, term = condition.value, _WAYS[condition.way], str(condition)
        percent, window = float(condition.percent), condition.window.seconds
        if self.rearm:
            percent = max(0.0, percent - outward * float(self.rearm.value))
        if isinstance(of, Instrument) and not is_metric(of):
            self.is_restless = self.is_live = True
            self.lookback = max(self.lookback, window)
            return Move(self._key(of), way, percent / 100, window, term)
        value = self.value(of)
        if value.is_live:
            window -= MINUTE  # this minute is the window's last
        else:
            window = max(window, DAY) + DAY  # a session moves from the close before it
        both_ways = ((1, measures.rise), (-1, measures.drawdown))
        distances = (self.window(of, window, figure) for side, figure in both_ways if way in (0, side))
        moved = Moved(value, tuple(distances), percent, term)
        return self._at_close(moved) if value.is_live else moved

    def _steps(self, condition: tree.Every) -> Node:
        value, way = self.value(condition.value), _WAYS[condition.way]
        if self.rearm:
            return AtLeast(1, ())  # a step is over as soon as it is made: it is always clear
        self.has_steps = self.is_restless = True
        self._note_pulse(value)
        term, currency = str(condition), _currency(value)
        if isinstance(condition.step, Percent):
            slot, fraction = self._take(1), float(condition.step.value) / 100
            return self._of_sessions(ShareSteps(slot, value, fraction, way, term, currency), slot, value)
        slot, step = self._take(2), float(condition.step.value)
        return self._of_sessions(RoundSteps(slot, value, step, way, term, currency), slot, value)

    def _of_sessions(self, pulse: Node, slot: int, *values: Value) -> Node:
        """Let a pulse that is made of metrics alone hear corrections of its figures."""
        metrics, owned = sources(*values), slice(slot, self.slots)
        if not metrics:
            return pulse
        own = self._take(OfSessions.slots(len(metrics), owned.stop - owned.start))
        return OfSessions(own, pulse, owned, metrics, self.provisional)

    def _at_close(self, part: Node) -> Node:
        self.is_restless, self.tells_early = True, False
        return AtClose(self._take(1), part)

    def _note_pulse(self, value: Value) -> None:
        if not isinstance(value, Price):
            self.is_restless = True
            self.tells_early = self.tells_early and not value.is_live

    def _moved(self, value: Value, sign: int, is_percent: bool) -> Value:
        """Move a level outward by ``rearm``: a share of it, or points where the value is in percent."""
        match self.rearm:
            case None:
                return value
            case Percent(value=share) if not is_percent:
                return Shifted(value, share=sign * float(share) / 100)
            case Percent(value=amount) | Number(value=amount):
                return Shifted(value, amount=sign * float(amount))

    def _take(self, count: int) -> int:
        slot, self.slots = self.slots, self.slots + count
        return slot


def _joined(nodes: list[Node]) -> Node:
    """Join with *and*; comparisons of one instrument become one interval, so that both hold at one moment."""
    intervals: dict[MetricKey, Within] = {}
    others: list[Node] = []
    for node in nodes:
        if isinstance(node, Within):
            known = intervals.get(node.key)
            intervals[node.key] = _meet(known, node) if known else node
        else:
            others.append(node)
    parts = (*intervals.values(), *others)
    return parts[0] if len(parts) == 1 else AtLeast(len(parts), parts)


def _meet(one: Within, other: Within) -> Within:
    floors, ceilings = one.floors + other.floors, one.ceilings + other.ceilings
    return Within(one.key, floors, ceilings, f"{one.term} and {other.term}")


def _currency(value: Value) -> str:
    return currency_of(value.key) if isinstance(value, Price | CandleField) else ""


def _is_percent(*values: tree.Value) -> bool:
    """Whether a comparison is in percent, so that a distance of 1% is a point and no share."""
    return any(unit_of(value) == PERCENT for value in values)
