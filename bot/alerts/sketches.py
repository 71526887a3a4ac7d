"""Which chart goes with what is told: of which instrument, how far back, and with which levels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from bot.alerts.chart import CANDLES, Flow, FlowChart, Line, Mark, PriceChart, Sketch, Theme
from bot.alerts.facts import number_of, text_of
from bot.alerts.figures import figure_name, millions
from bot.alerts.message import Facts
from bot.alerts.sentences import instrument_name, venue_name
from bot.alerts.translator import Translator
from bot.engine.terms import key_of
from bot.metrics import MINUTE, MetricKey, Observation, opening_of
from bot.rules import instruments
from bot.rules.parts import atoms_in, values_in
from bot.rules.phrases import to_say
from bot.rules.tree import (
    And,
    AtLeast,
    Call,
    Compare,
    Condition,
    Crosses,
    Duration,
    Held,
    Instrument,
    Moves,
    Not,
    Number,
    Or,
    Rule,
    Value,
    Zone,
)
from bot.rules.windows import FIELDS, is_metric

_HOUR, _DAY = 3600, 86_400
SPANS = (MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, _HOUR, 4 * _HOUR, _DAY, 7 * _DAY)
"""The lengths of candles that a chart chooses among, in seconds."""

_USUAL = 15 * MINUTE
MOST_LEVELS = 4
"""How many levels a chart shows."""


def of_ring(facts: Facts, rule: Rule, levels: Mapping[str, Decimal], tr: Translator) -> Sketch | None:
    """Sketch the chart of a ring of a rule on one price; ``None`` for any other.

    ``rule`` is the rule as it was armed, ``levels`` what its named levels stood at. The same ring gives the
    same sketch at whatever time it is told.
    """
    priced = {one for one in instruments(rule) if not is_metric(one)}
    at, seen_at = number_of(facts, "at"), number_of(facts, "seen_at")
    if len(priced) != 1 or at is None or seen_at is None:
        return None
    [instrument] = priced
    key = key_of(instrument)
    price = number_of(facts, "value" if _is_of_price(rule.condition) else "now")
    is_known = text_of(facts, "key") == key.instrument and price is not None
    when = " ".join(filter(None, (tr.date(at, seen_at), tr.time(at))))
    mark = Mark(at, price or 0.0, when) if is_known else None
    numbers = dict.fromkeys(levels_of(rule.condition, instrument))
    names = {number: f"@{name}" for name, number in levels.items()}
    lines = [Line(float(one), tr.number(one), names.get(one, "")) for one in numbers]
    span = _fitting(rule.condition, seen_at - at)
    return sketch(
        key,
        instrument_name(instrument, tr),
        text_of(facts, "venue"),
        span,
        seen_at,
        tr=tr,
        lines=lines,
        mark=mark,
    )


def sketch(
    key: MetricKey,
    name: str,
    venue: str,
    span: int,
    until: float,
    *,
    tr: Translator,
    lines: Iterable[Line] = (),
    mark: Mark | None = None,
    theme: Theme = "dark",
) -> Sketch:
    """Sketch the last candles of an instrument up to an instant, with some levels of many."""
    parts = [candles_name(span, tr), venue_name(venue) if venue else "", tr.zone(until)]
    frame = PriceChart(
        name,
        " · ".join(filter(None, parts)),
        span,
        levels=tuple(lines)[:MOST_LEVELS],
        mark=mark,
        timezone=tr.timezone,
        theme=theme,
        language=tr.language,
    )
    return Sketch(key, opening_of(until, span) - (CANDLES - 1) * span, int(until), frame)


def of_flows(
    key: MetricKey,
    sessions: Sequence[int],
    last: Mapping[int, Observation],
    tr: Translator,
    theme: Theme = "dark",
) -> FlowChart:
    """Chart the flows of sessions, given as their dates, from the last word about each."""
    flows = []
    for at in sorted(sessions):
        word = last.get(at)
        day, month = tr.day_and_month(at)
        if word is None:
            flows.append(Flow(day, month, None, "–"))
            continue
        amount = millions(word.value)
        whole = amount if abs(amount) < 100 else round(amount)
        written = f"{'+' if whole > 0 else ''}{tr.number(Decimal(whole))}"
        flows.append(Flow(day, month, float(word.value), written, word.is_final))
    source = venue_name(last[max(last)].source) if last else ""
    subtitle = " · ".join(filter(None, (tr("millions of USD"), source)))
    return FlowChart(figure_name(key, tr), subtitle, tuple(flows), tr("not final"), theme)


def candles_name(span: int, tr: Translator) -> str:
    """Name candles by their length: ``15-minute candles``."""
    for seconds, template in (
        (7 * _DAY, to_say("{count}-week candles")),
        (_DAY, to_say("{count}-day candles")),
        (_HOUR, to_say("{count}-hour candles")),
    ):
        if span % seconds == 0:
            return tr(template, count=span // seconds)
    return tr("{count}-minute candles", count=span // MINUTE)


def levels_of(condition: Condition, instrument: Instrument) -> Iterator[Decimal]:
    """Give the numbers that an instrument's price is held against, live or in closed candles."""
    for atom in atoms_in(condition):
        match atom:
            case (
                Compare(left=value, right=Number(value=number))
                | Compare(left=Number(value=number), right=value)
            ):
                if _is_price(value, instrument):
                    yield number
            case Crosses(value=value, level=Number(value=number)) if _is_price(value, instrument):
                yield number
            case Zone(value=value, low=Number(value=low), high=Number(value=high)):
                if _is_price(value, instrument):
                    yield from (low, high)


def _is_price(value: Value, instrument: Instrument) -> bool:
    match value:
        case Call(function=name, arguments=(Instrument() as of, *_)):
            return of == instrument and (name in FIELDS or name == "price")
        case _:
            return value == instrument


def _is_of_price(condition: Condition) -> bool:
    """Whether the value of a ring is a price: not that of an indicator, and not a change."""
    return all(
        isinstance(value, Instrument | Number) or (isinstance(value, Call) and value.function in FIELDS)
        for value in values_in(condition)
    )


def _fitting(condition: Condition, age: float) -> int:
    """Choose how long a candle is: the rule's own candles, else so that its times take a tenth of the chart.

    A ring that is found late must be on the chart as well.
    """
    frames = [
        argument.seconds
        for value in values_in(condition)
        if isinstance(value, Call)
        for argument in value.arguments
        if isinstance(argument, Duration)
    ]
    wanted = max(frames) if frames else max([_USUAL, *(time * 10 // CANDLES for time in _times(condition))])
    wanted = max(wanted, int(age * 1.25) // CANDLES)
    return next((span for span in SPANS if span >= wanted), SPANS[-1])


def _times(condition: Condition) -> Iterator[int]:
    """Give the lengths of time that a condition names, in seconds."""
    match condition:
        case Held(condition=part, duration=duration):
            yield from _times(part)
            if isinstance(duration, Duration):
                yield duration.seconds
        case Moves(window=window):
            yield window.seconds
        case Not(condition=part):
            yield from _times(part)
        case And(parts=parts) | Or(parts=parts) | AtLeast(parts=parts):
            for one in parts:
                yield from _times(one)
