"""A life: an arming's rule, compiled to what ``step()`` and the index need to know of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.engine.judge import (
    ABOVE,
    BELOW,
    COMPARE,
    Against,
    All,
    Any,
    Crossing,
    Holding,
    Inverse,
    Limit,
    Move,
    Node,
    Within,
)
from bot.metrics import MINUTE, MetricKey, Seen
from bot.rules.tree import (
    And,
    Compare,
    Condition,
    Crosses,
    Duration,
    Held,
    Instrument,
    Mode,
    Moves,
    Not,
    Number,
    Op,
    Or,
    Rule,
)

COOLDOWN = 15 * MINUTE
"""How long a repeating alert is quiet after a ring, in seconds, unless its rule says otherwise."""


@dataclass(frozen=True, slots=True)
class Life:
    """All that is fixed about an arming.

    * ``keys``: the series it reads; ``breaks``: for each, the prices at which a verdict may change.
    * ``is_restless``: some verdict depends on more than in which gap between the breaks each price is.
    * ``tells_early``: a single print may tell its ring before the minute is final.
    * ``lookback``: seconds of history that judging needs before a minute; ``warmup``: before its first one.
    * ``cooldown``: seconds; ``until``: the instant after which it rings no more, or ``None``.
    * ``seen``: what was known of each running minute when it was made, at ``made_at``.
    """

    node: Node
    slots: int
    keys: tuple[MetricKey, ...]
    breaks: Mapping[MetricKey, tuple[float, ...]]
    is_restless: bool
    tells_early: bool
    lookback: int
    warmup: int
    is_once: bool
    cooldown: int
    until: float | None
    made_at: float
    seen: Mapping[MetricKey, Seen] = field(default_factory=dict)
    holdings: tuple[Holding, ...] = ()


def key_of(instrument: Instrument) -> MetricKey:
    """Name the series of a qualified instrument's price."""
    return MetricKey("price", instrument.symbol, instrument.venue)


def compile_rule(rule: Rule, is_shared: bool, made_at: float, seen: Mapping[MetricKey, Seen]) -> Life:
    """Compile a rule whose levels are filled in and whose instruments are qualified.

    ``is_shared`` decides what an option that is not given means: shared alerts repeat, personal ones ring
    once. Raises ValueError for a rule that still holds a name, or an ``until`` that is no instant.
    """
    build = _Build()
    node = build.node(rule.condition)
    options = rule.options
    mode = options.mode or (Mode.REPEAT if is_shared else Mode.ONCE)
    cooldown = options.cooldown.seconds if options.cooldown else COOLDOWN
    return Life(
        node=node,
        slots=build.slots,
        keys=tuple(build.breaks),
        breaks={key: tuple(sorted(levels)) for key, levels in build.breaks.items()},
        is_restless=build.is_restless,
        tells_early=build.tells_early,
        lookback=build.lookback,
        warmup=max(build.lookback, sum(holding.seconds for holding in build.holdings)),
        is_once=mode is Mode.ONCE,
        cooldown=cooldown,
        until=_instant(options.until),
        made_at=made_at,
        seen=seen,
        holdings=tuple(build.holdings),
    )


def _instant(until: object) -> float | None:
    match until:
        case None:
            return None
        case datetime():
            return until.timestamp()
        case _:
            raise ValueError(f"until {until} is not fixed to an instant")


class _Build:
    """The running sums of one compilation."""

    def __init__(self) -> None:
        self.slots = 0
        self.breaks: dict[MetricKey, set[float]] = {}
        self.is_restless = False
        self.tells_early = True
        self.lookback = 0
        self.holdings: list[Holding] = []

    def node(self, condition: Condition) -> Node:
        match condition:
            case Compare():
                return self._comparison(condition)
            case Crosses(value=Instrument() as instrument, side=side, level=Number(value=level)):
                slot = self._take(1)
                sides = {"": 0.0, "above": ABOVE, "below": BELOW}
                crossing = Crossing(slot, self._key(instrument), sides[side], float(level), str(condition))
                self.breaks[crossing.key].add(crossing.level)
                return crossing
            case Moves(value=Instrument() as instrument, way=way, percent=percent, window=window):
                self.is_restless = True
                self.lookback = max(self.lookback, window.seconds)
                ways = {"": 0, "up": 1, "down": -1}
                fraction = float(percent / 100)
                return Move(self._key(instrument), ways[way], fraction, window.seconds, str(condition))
            case Held(condition=part, duration=Duration() as duration):
                slot = self._take(3)
                holding = Holding(slot, self.node(part), duration.seconds, str(condition))
                self.tells_early = False
                self.holdings.append(holding)
                return holding
            case Not(condition=part):
                return Inverse(self.node(part))
            case Or(parts=parts):
                return Any(tuple(self.node(part) for part in parts))
            case And(parts=parts):
                return _joined([self.node(part) for part in _flat(parts)])
            case _:
                raise ValueError(f"cannot judge {condition}")

    def _comparison(self, condition: Compare) -> Node:
        match condition:
            case Compare(left=Instrument() as left, op=op, right=Instrument() as right):
                self.is_restless, self.tells_early = True, False
                return Against(self._key(left), COMPARE[op], self._key(right), str(condition))
            case Compare(left=Instrument() as instrument, op=op, right=Number(value=level)):
                return self._within(instrument, op, float(level), str(condition))
            case Compare(left=Number(value=level), op=op, right=Instrument() as instrument):
                turned: dict[Op, Op] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
                return self._within(instrument, turned[op], float(level), str(condition))
            case _:
                raise ValueError(f"cannot judge {condition}")

    def _within(self, instrument: Instrument, op: Op, level: float, term: str) -> Within:
        key = self._key(instrument)
        self.breaks[key].add(level)
        limit = Limit(level, is_open=op in ("<", ">"))
        return Within(key, limit, None, term) if op in (">", ">=") else Within(key, None, limit, term)

    def _key(self, instrument: Instrument) -> MetricKey:
        key = key_of(instrument)
        self.breaks.setdefault(key, set())
        return key

    def _take(self, count: int) -> int:
        slot, self.slots = self.slots, self.slots + count
        return slot


def _flat(parts: Iterable[Condition]) -> Iterable[Condition]:
    for part in parts:
        if isinstance(part, And):
            yield from _flat(part.parts)
        else:
            yield part


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
    return parts[0] if len(parts) == 1 else All(parts)


def _meet(one: Within, other: Within) -> Within:
    floors = [within.floor for within in (one, other) if within.floor]
    ceilings = [within.ceiling for within in (one, other) if within.ceiling]
    floor = max(floors, key=lambda limit: (limit.level, limit.is_open), default=None)
    ceiling = min(ceilings, key=lambda limit: (limit.level, not limit.is_open), default=None)
    return Within(one.key, floor, ceiling, f"{one.term} and {other.term}")
