"""Which sessions a ring on flows of funds is about, and their picture."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from bot.alerts.chart import FlowChart
from bot.alerts.facts import items_of, number_of, text_of
from bot.alerts.figures import figure_name
from bot.alerts.message import Facts
from bot.alerts.sketches import of_flows
from bot.alerts.translator import Translator
from bot.engine.sessions import XNYS, day_of, midnight_of
from bot.engine.terms import metric_key
from bot.metrics import MetricKey, Observation
from bot.rules import instruments
from bot.rules.parts import values_in
from bot.rules.tree import And, AtLeast, Call, Condition, Held, Not, Or, Rule, Sessions
from bot.rules.windows import is_metric

FLOWS = "etf_flow"
SHOWN = 10
"""How many sessions a picture of flows shows."""


def sessions_told(facts: Facts, rule: Rule, tr: Translator, now: float) -> list[str]:
    """Say for each flow of a rule that rang which session it was, or which of them in a row."""
    found = _words(facts)
    is_alone = len(found) == 1 and not _has_prices(rule)
    lines = []
    for key, words in found.items():
        count = min(max(_in_a_row(rule.condition, key, facts), 1), len(words))
        days = [tr.day_of_session(word.as_of, now) for word in words[-count:]]
        arguments = {"days": tr.listed(days), "name": figure_name(key, tr)}
        if is_alone:
            line = tr.many("Session of {days}", "Sessions of {days}", count, **arguments)
        else:
            line = tr.many("{name}: session of {days}", "{name}: sessions of {days}", count, **arguments)
        lines.append(
            tr("{line}.", line=line) if words[-1].is_final else tr("{line}, not final yet.", line=line)
        )
    return lines


def flows_told(facts: Facts, rule: Rule, tr: Translator) -> FlowChart | None:
    """Chart the flows that made a rule ring, up to the session that it rang on; ``None`` without flows."""
    if _has_prices(rule):
        return None
    for key, words in _words(facts).items():
        if key.metric == FLOWS:
            last = {word.as_of: word for word in words}
            day = day_of(words[-1].as_of)
            shown = [midnight_of(day)]
            while len(shown) < SHOWN and shown[-1] > words[0].as_of:
                day = XNYS.previous_session(day)
                shown.append(midnight_of(day))
            return of_flows(key, shown, last, tr)
    return None


def _words(facts: Facts) -> dict[MetricKey, list[Observation]]:
    """Read what was known of each flow when the ring came, rising by its sessions."""
    found: dict[MetricKey, list[Observation]] = {}
    for item in items_of(facts, "sessions"):
        as_of, value = number_of(item, "as_of"), number_of(item, "value")
        metric, instrument = text_of(item, "metric"), text_of(item, "instrument")
        if as_of is None or value is None or not metric:
            continue
        key = MetricKey(metric, instrument)
        is_final, source = item.get("is_final") is not False, text_of(item, "source")
        word = Observation(key, int(as_of), Decimal(str(value)), 0.0, is_final, source=source)
        found.setdefault(key, []).append(word)
    return {key: sorted(words, key=lambda word: word.as_of) for key, words in found.items()}


def _in_a_row(condition: Condition, key: MetricKey, facts: Facts) -> int:
    """Count the sessions in a row that a rule asks for of a flow, or that its streak has."""
    return max([*_held(condition, key), *_streaks(condition, key, facts)], default=1)


def _held(condition: Condition, key: MetricKey) -> Iterator[int]:
    match condition:
        case Held(condition=part, duration=duration):
            if isinstance(duration, Sessions) and _reads(part, key):
                yield duration.count
            yield from _held(part, key)
        case Not(condition=part):
            yield from _held(part, key)
        case And(parts=parts) | Or(parts=parts) | AtLeast(parts=parts):
            for one in parts:
                yield from _held(one, key)


def _streaks(condition: Condition, key: MetricKey, facts: Facts) -> Iterator[int]:
    streaks = [one for one in values_in(condition) if isinstance(one, Call) and one.function == "streak"]
    is_of_key = [one for one in streaks for part in one.arguments if _is_key(part, key)]
    for item in items_of(facts, "evidence"):
        value = number_of(item, "value")
        if value is not None and any(str(one) in text_of(item, "term") for one in is_of_key):
            yield abs(int(value))


def _reads(condition: Condition, key: MetricKey) -> bool:
    return any(_is_key(value, key) for value in values_in(condition))


def _is_key(value: object, key: MetricKey) -> bool:
    return isinstance(value, Call) and value.function == key.metric and metric_key(value) == key


def _has_prices(rule: Rule) -> bool:
    return any(not is_metric(one) for one in instruments(rule))
