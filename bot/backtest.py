"""Backtest: the live engine, fed with history.

There is no second implementation: a rule is compiled as an arming is, and its bars go through a partition as
those of a feed do, a piece at a time, so that memory does not grow with them. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import ceil
from operator import attrgetter
from typing import Any

from bot.alerts.message import Facts
from bot.alerts.models import Notification, Telling
from bot.alerts.people import ChatRef
from bot.alerts.sentences import meaning, unknown
from bot.alerts.translator import ENGLISH, Translator, exact_utc
from bot.alerts.wording import word
from bot.engine.compiler import compile_rule
from bot.engine.life import Life
from bot.engine.partition import Partition
from bot.engine.past import Past, Source, Unfit, align, arrivals, begin
from bot.engine.reasons import Reason
from bot.engine.state import AlertState, Correction, Reminder, Resolution, Revised, Ring, Transition
from bot.engine.world import Stretch
from bot.metrics import (
    MINUTE,
    Bar,
    Bars,
    Batch,
    MetricKey,
    Observation,
    Seen,
    join,
    minute_of,
    point,
    runs,
)
from bot.rules import fix
from bot.rules.tree import Rule

_BARS_AT_ONCE = 1440
"""A day of minutes: enough that numpy pays, and little enough to be held."""

_NOWHERE = ChatRef("backtest", "")


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

    ``unknown`` counts the minutes of the range in which some series of the rule has no bar. ``why`` says what
    was missing where nothing could be judged at all.
    """

    rule: str
    firings: tuple[Firing, ...]
    since: int
    until: int
    unknown: int
    why: str = ""

    def facts(self) -> dict[str, Any]:
        """Give the same for programs: times in ISO 8601, and an object for each firing."""
        return {
            "canonical": self.rule,
            "from": exact_utc(self.since),
            "to": exact_utc(self.until),
            "unknown_minutes": self.unknown,
            "unknown_because": self.why,
            "firings": [asdict(firing) | {"at": exact_utc(firing.at)} for firing in self.firings],
        }


def run(
    rule: Rule,
    past: Past,
    since: int | None = None,
    until: int | None = None,
    *,
    canonical: str = "",
    tr: Translator = ENGLISH,
) -> Report:
    """Judge a rule over history as if it had been made at the first moment that all of its series know.

    ``rule`` is filled in and qualified, and repeats unless it says otherwise. ``since`` and ``until`` narrow
    the range; what was before ``since`` only fills the memories. ``canonical`` is the rule as it is to be
    named, if that is not the qualified one. Raises Unfit, and RuleError where its
    ``until`` is over at the first moment.
    """
    replay = Replay((rule,), past, since, until)
    named = canonical or str(rule)
    told = (firing_of(transition, rule, named, tr) for _, transition in replay)
    firings = tuple(firing for firing in told if firing is not None)
    return Report(named, firings, replay.since, replay.until, replay.unknown, replay.why(tr))


@dataclass(frozen=True, slots=True)
class Needs:
    """What a rule reads: the series of ``prices`` and of ``metrics``, and ``stretches`` of earlier prices.

    ``frames`` are the lengths of its candles in seconds.
    """

    prices: tuple[MetricKey, ...]
    metrics: tuple[MetricKey, ...]
    frames: frozenset[int]
    stretches: tuple[Stretch, ...]


def needs_of(rule: Rule, at: int) -> Needs:
    """Name what a qualified rule reads, and the history that judging it from an instant on wants.

    ``at`` is a whole minute.
    """
    life = _life(_endless(rule), at - MINUTE, {})
    stretches = Partition().missing(life, None)
    return Needs(life.priced, tuple(life.calendars), _frames([life]), tuple(stretches))


def firing_of(transition: Transition, rule: Rule, named: str, tr: Translator) -> Firing | None:
    """Word a transition as the live message does; ``None`` for what is no news of the market.

    ``named`` is the rule as it is to be named.
    """
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
        case Correction(revised=Revised() as revised):
            return Firing(revised.at, "correction", transition.value, named, _taken_back(transition, tr))
        case _:
            return None
    kind = type(transition).__name__.lower()
    return Firing(transition.at, kind, transition.value, named, because)


def _taken_back(correction: Correction, tr: Translator) -> str:
    facts: Facts = {"revised": [asdict(correction.revised)] if correction.revised else []}
    told = word(Notification(0, _NOWHERE, Telling.CORRECTION, "", facts, correction.at), tr, correction.at)
    return str(told.facts["because"])


def _reason(ring: Ring, rule: Rule, tr: Translator) -> str:
    facts: Facts = {
        "armed_rule": str(Rule(rule.condition)),
        "value": ring.value,
        "at": ring.at,
        "evidence": [
            {"term": one.term, "value": one.value, "currency": one.currency} for one in ring.evidence
        ],
        "revised": [asdict(ring.revised)] if ring.revised else [],
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
    ``until``, ``unknown`` (in minutes) and ``reasons`` are known once it has run: why nothing could be judged
    of those rules that neither rang nor were ever seen to be clear.
    """

    rules: Sequence[Rule]
    past: Past
    since_asked: int | None = None
    until_asked: int | None = None
    since: int = field(default=0, init=False)
    until: int = field(default=0, init=False)
    unknown: int = field(default=0, init=False)
    reasons: tuple[Reason, ...] = field(default=(), init=False)

    def __iter__(self) -> Iterator[tuple[int, Transition]]:
        lives = [_life(_endless(rule), 0, {}) for rule in self.rules]
        sources, span = align({key for life in lives for key in life.priced}, self.past.bars)
        for frame in sorted(_frames(lives)):
            if frame % span:
                raise Unfit(f"Candles of {frame:,} seconds cannot be made of bars of {span:,}.")
        words = arrivals({key for life in lives for key in life.calendars}, self.past.values)
        first = self.since_asked if self.since_asked is not None else _first_moment(sources, words)
        start = begin(sources.values(), first, max(map(_memory, lives)))
        if self.until_asked is not None and start >= self.until_asked:
            raise Unfit("Nothing is known of that time.")
        seen = {key: Seen(start, point(source.head.open, start)) for key, source in sources.items()}
        known = [word for word in words if word.known_at <= start]
        partition = Partition()
        for place, rule in enumerate(self.rules):
            life = _life(fix(rule, start, "UTC"), start, seen)
            partition.recall(life, known)
            for stretch in partition.missing(life, None):
                partition.preload(life, stretch, self._before(stretch, sources[stretch.key]))
            partition.add(place, life, None)
        self.since = self.until = start
        yield from self._fold(partition, sources, span, words[len(known) :])
        self.reasons = tuple(
            reason
            for place in partition
            if _is_unjudged(partition.state(place))
            for reason in partition.reasons(place)
        )

    def why(self, tr: Translator) -> str:
        """Word the reasons."""
        several = {reason.key for reason in self.reasons if reason.key is not None}
        return unknown(self.reasons, len(several) > 1, tr)

    def _before(self, stretch: Stretch, source: Source) -> list[Bar]:
        """Give what is known of a stretch before the first moment: minutes in any bars, candles joined.

        Where only longer bars are known than the stretch asks for, they are what there is.
        """
        aside = [bar for bar in source.history if stretch.since <= bar.at and bar.end <= stretch.until]
        if stretch.span == MINUTE or any(bar.span > stretch.span for bar in aside):
            return aside
        found = {bar.at: bar for bar in join(aside, stretch.span)}
        for bar in self.past.candles.get((stretch.key, stretch.span), ()):
            if stretch.since <= bar.at and bar.end <= stretch.until:
                found.setdefault(bar.at, bar)
        return [found[at] for at in sorted(found)]

    def _fold(
        self, partition: Partition, sources: Mapping[MetricKey, Source], span: int, words: list[Observation]
    ) -> Iterator[tuple[int, Transition]]:
        known, is_over = 0, False
        while not is_over:
            ends = [] if self.until_asked is None else [self.until_asked]
            if sources:
                stop = min(source.head.at for source in sources.values()) + span * _BARS_AT_ONCE
                taken = {key: source.take(stop) for key, source in sources.items()}
                ends += [source.end for source in sources.values() if source.is_over]
            else:
                taken, stop = {}, max([self.since, *(ceil(word.known_at) for word in words)])
                ends.append(stop)
            until = min([stop, *ends])
            is_over = until in ends
            taken = {key: [bar for bar in bars if bar.end <= until] for key, bars in taken.items()}
            if taken:
                known += len(set.intersection(*({bar.at for bar in bars} for bars in taken.values())))
                until = max([self.until, *(bars[-1].end for bars in taken.values() if bars)])
            count = bisect_right(words, until, key=attrgetter("known_at"))
            arrived, words = tuple(words[:count]), words[count:]
            found = tuple(Bars(key, whole) for key, bars in taken.items() for whole in runs(bars))
            partition.observe(Batch("history", until, found, observations=arrived))
            plan = partition.plan()
            partition.apply(plan)
            self.until = until
            yield from plan.told
        if sources:
            self.unknown = (self.until - self.since - known * span) // MINUTE


def _life(rule: Rule, made_at: float, seen: Mapping[MetricKey, Seen]) -> Life:
    try:
        return compile_rule(rule, True, made_at, seen)
    except ValueError as error:
        raise Unfit(f"This cannot be tested: {error}.") from error


def _is_unjudged(state: AlertState) -> bool:
    """Whether nothing was ever known of it: not that it was clear, nor from where it would come."""
    return not state.episode and (not state.is_armed or not any(slot is not None for slot in state.memory))


def _frames(lives: Iterable[Life]) -> frozenset[int]:
    return frozenset(span for life in lives for spans in life.spans.values() for span in spans)


def _memory(life: Life) -> int:
    """Say how many seconds of history a rule may want before its first moment."""
    candles = (span * (count + 2) for spans in life.spans.values() for span, count in spans.items())
    return max([life.warmup, *candles])


def _endless(rule: Rule) -> Rule:
    return rule.with_options(replace(rule.options, until=None))


def _first_moment(sources: Mapping[MetricKey, Source], words: Sequence[Observation]) -> int:
    """Find where a backtest begins: with the bars; without any, when the first value becomes known."""
    if sources:
        return max(source.head.at for source in sources.values())
    if not words:
        raise Unfit("The history is empty.")
    return minute_of(words[0].known_at)
