"""Backtest: the live engine, fed with history.

There is no second implementation: a rule is compiled as an arming is, and its bars go through a partition as
those of a feed do, a piece at a time, so that memory does not grow with them. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from math import lcm

from bot.alerts.message import Facts
from bot.alerts.models import Notification, Telling
from bot.alerts.people import ChatRef
from bot.alerts.sentences import meaning
from bot.alerts.translator import ENGLISH, Translator
from bot.alerts.wording import word
from bot.engine.compiler import compile_rule
from bot.engine.life import Life
from bot.engine.partition import Partition
from bot.engine.state import Reminder, Resolution, Ring, Transition
from bot.engine.world import Stretch
from bot.metrics import MINUTE, Bar, Bars, Batch, MetricKey, Seen, join, point, runs
from bot.rules import fix
from bot.rules.tree import Rule

History = Mapping[MetricKey, Iterable[Bar]]
"""Rising bars of each series, all of one length in a series; a hole is unknown."""

_BARS_AT_ONCE = 1440
"""A day of minutes: enough that numpy pays, and little enough to be held."""

_NOWHERE = ChatRef("backtest", "")


class Unfit(ValueError):
    """History on which a rule cannot be judged; the text is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Firing:
    """Something that the alert would have told: ``at`` in epoch seconds, ``kind`` as ``ring``.

    ``value`` is what decided it, ``rule`` the canonical text, ``because`` one sentence.
    """

    at: float
    kind: str
    value: float
    rule: str
    because: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a rule would have told in the known range ``[since, until)``, in epoch seconds.

    ``unknown`` counts the minutes of the range in which some series of the rule has no bar.
    """

    rule: str
    firings: tuple[Firing, ...]
    since: int
    until: int
    unknown: int


def run(
    rule: Rule,
    data: History,
    since: int | None = None,
    until: int | None = None,
    tr: Translator = ENGLISH,
) -> Report:
    """Judge a rule over history as if it had been made at the first moment that all of its series know.

    ``rule`` is filled in and qualified, and repeats unless it says otherwise. ``since`` and ``until`` narrow
    the range; what was before ``since`` only fills the memories. Raises Unfit, and RuleError where its
    ``until`` is over at the first moment.
    """
    replay = Replay((rule,), data, since, until)
    firings = tuple(
        firing for _, transition in replay if (firing := firing_of(transition, rule, tr)) is not None
    )
    return Report(str(rule), firings, replay.since, replay.until, replay.unknown)


def firing_of(transition: Transition, rule: Rule, tr: Translator = ENGLISH) -> Firing | None:
    """Word a transition as the live message does; ``None`` for what is no news of the market."""
    match transition:
        case Ring():
            because = _reason(transition, rule, tr)
        case Reminder():
            because = tr(
                "{rule} still holds: {value}", rule=_condition(rule, tr), value=tr.price(transition.value)
            )
        case Resolution():
            because = tr(
                "{rule} is over: {value}", rule=_condition(rule, tr), value=tr.price(transition.value)
            )
        case _:
            return None
    kind = type(transition).__name__.lower()
    return Firing(transition.at, kind, transition.value, str(rule), because)


def _reason(ring: Ring, rule: Rule, tr: Translator) -> str:
    facts: Facts = {
        "armed_rule": str(Rule(rule.condition)),
        "value": ring.value,
        "at": ring.at,
        "evidence": [
            {"term": one.term, "value": one.value, "currency": one.currency} for one in ring.evidence
        ],
    }
    told = word(Notification(0, _NOWHERE, Telling.RING, "", facts, ring.at), tr, ring.at)
    because = str(told.facts["because"])
    terms = "; ".join(line for line in told.lines if line != because)
    if not terms or terms.startswith(because):
        return terms or because
    return f"{because} ({terms})"


def _condition(rule: Rule, tr: Translator) -> str:
    return meaning(Rule(rule.condition), {}, tr)


@dataclass(slots=True)
class Replay:
    """One pass of several rules over history; yields their transitions with the place of the rule.

    Rules are qualified. All of them begin at the first bar that all of their series have, and end with the
    series that ends first; bars of unlike length are joined to one that all of them divide. ``since``,
    ``until``, ``unknown`` (minutes) and ``step_seconds`` (the length of a bar) are known once it has run.
    """

    rules: Sequence[Rule]
    data: History
    since_asked: int | None = None
    until_asked: int | None = None
    since: int = field(default=0, init=False)
    until: int = field(default=0, init=False)
    unknown: int = field(default=0, init=False)
    step_seconds: int = field(default=MINUTE, init=False)

    def __iter__(self) -> Iterator[tuple[int, Transition]]:
        lives = [_life(rule.with_options(replace(rule.options, until=None)), 0, {}) for rule in self.rules]
        sources, self.step_seconds = _aligned({key for life in lives for key in life.keys}, self.data)
        start = _begin(sources.values(), self.since_asked, max(map(_memory, lives)))
        if self.until_asked is not None and start >= self.until_asked:
            raise Unfit("Nothing is known of that time.")
        seen = {key: Seen(start, point(source.head.open, start)) for key, source in sources.items()}
        partition = Partition()
        for place, rule in enumerate(self.rules):
            life = _life(fix(rule, start, "UTC"), start, seen)
            for stretch in partition.missing(life, None):
                partition.preload(life, stretch, sources[stretch.key].before(stretch))
            partition.add(place, life, None)
        self.since = self.until = start
        yield from self._fold(partition, sources)

    def _fold(
        self, partition: Partition, sources: Mapping[MetricKey, _Source]
    ) -> Iterator[tuple[int, Transition]]:
        known, is_over = 0, False
        while not is_over:
            stop = min(source.head.at for source in sources.values()) + self.step_seconds * _BARS_AT_ONCE
            taken = {key: source.take(stop) for key, source in sources.items()}
            ends = [source.end for source in sources.values() if source.is_over]
            if self.until_asked is not None and self.until_asked <= stop:
                ends.append(self.until_asked)
            if is_over := bool(ends):
                taken = {key: [bar for bar in bars if bar.end <= min(ends)] for key, bars in taken.items()}
            known += len(set.intersection(*({bar.at for bar in bars} for bars in taken.values())))
            self.until = max([self.until, *(bars[-1].end for bars in taken.values() if bars)])
            found = tuple(Bars(key, whole) for key, bars in taken.items() for whole in runs(bars))
            partition.observe(Batch("history", self.until, found))
            plan = partition.plan()
            partition.apply(plan)
            yield from plan.told
        self.unknown = (self.until - self.since - known * self.step_seconds) // MINUTE


class _Source:
    """The bars of one series, taken off piece by piece; ``history`` is what was before the first moment."""

    def __init__(self, key: MetricKey, bars: Iterable[Bar]) -> None:
        self._key = key
        self._rest = iter(bars)
        self._head = next(self._rest, None)
        self.history: deque[Bar] = deque()
        self.end = self.head.at

    @property
    def is_over(self) -> bool:
        """Whether every bar was taken."""
        return self._head is None

    @property
    def head(self) -> Bar:
        """The next bar. Raises Unfit if there is none."""
        if self._head is None:
            raise Unfit(f"Nothing is known of {self._key} at that time.")
        return self._head

    def joined(self, span: int, phase: int) -> _Source:
        """Give what is left, joined to longer bars."""
        return _Source(self._key, join(chain([self.head], self._rest), span, phase))

    def skip(self, until: int, keep: int) -> None:
        """Lay the bars that open before an instant aside, and keep ``keep`` seconds of them."""
        while self.head.at < until:
            self.history.append(self.head)
            self._head = next(self._rest, None)
        while self.history and self.history[0].end <= until - keep:
            self.history.popleft()

    def before(self, stretch: Stretch) -> list[Bar]:
        """Give what was laid aside of a stretch; minutes of it in bars as they are, candles joined."""
        bars = [bar for bar in self.history if stretch.since <= bar.at and bar.end <= stretch.until]
        return bars if stretch.span == MINUTE else list(join(bars, stretch.span))

    def take(self, until: int) -> list[Bar]:
        """Take the bars that open before an instant."""
        taken: list[Bar] = []
        while self._head is not None and self._head.at < until:
            taken.append(self._head)
            self._head = next(self._rest, None)
        if taken:
            self.end = taken[-1].end
        return taken


def _life(rule: Rule, made_at: float, seen: Mapping[MetricKey, Seen]) -> Life:
    return compile_rule(rule, True, made_at, seen)


def _memory(life: Life) -> int:
    """Say how many seconds of history a rule may want before its first moment."""
    candles = (span * (count + 2) for spans in life.spans.values() for span, count in spans.items())
    return max([life.warmup, *candles])


def _aligned(keys: Iterable[MetricKey], data: History) -> tuple[dict[MetricKey, _Source], int]:
    """Open the series of some keys, joined to bars of one length, and give that length."""
    sources: dict[MetricKey, _Source] = {}
    for key in sorted(keys):
        if key not in data:
            raise Unfit(f"There is no history of {key}.")
        sources[key] = _Source(key, data[key])
    heads = {key: source.head for key, source in sources.items()}
    span = lcm(*(head.span for head in heads.values()))
    coarsest = max(heads.values(), key=lambda head: head.span)
    for key, head in heads.items():
        if (head.at - coarsest.at) % head.span:
            raise Unfit(f"The bars of {key} open at other times than those of the series beside it.")
    if all(head.span == span for head in heads.values()):
        return sources, span
    return {key: source.joined(span, coarsest.at) for key, source in sources.items()}, span


def _begin(sources: Collection[_Source], since: int | None, keep: int) -> int:
    """Find the first moment that all know, and leave each source there."""
    start = max([since or 0, *(source.head.at for source in sources)])
    while True:
        for source in sources:
            source.skip(start, keep)
        latest = max(source.head.at for source in sources)
        if latest == start:
            return start
        start = latest
