"""What happened next: what the price did in the day and in the week after a ring. Pure.

A ring is counted from the end of its minute. What the price was then is what all else is measured against:
the ring's own value may be the tip of a wick, or of something that is no price. A stretch is known only where
every minute of it is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from statistics import median

from bot.alerts.facts import rule_of
from bot.alerts.sentences import instrument_name
from bot.alerts.translator import Translator
from bot.metrics import MINUTE, Bar, minute_of
from bot.rules import FUNCTIONS, instruments, metrics
from bot.rules.tree import Instrument, Rule, Word
from bot.rules.windows import is_metric

DAY, WEEK = 86_400, 604_800

SPANS = (DAY, WEEK)
"""How long after a ring its record looks, in seconds."""

_COARSEST = 3600
"""Bars that are longer do not tell what the price was when it rang."""


@dataclass(frozen=True, slots=True)
class Course:
    """What a price did: ``price`` at the beginning, then its extremes, and where it ended."""

    price: float
    low: float
    high: float
    close: float

    @property
    def change(self) -> float:
        """How far the end is from the beginning, as a share of that."""
        return self.close / self.price - 1


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What the price of an instrument did in the ``span`` seconds after a ring.

    No course is for what nobody can know any more, no instrument for a rule that is about none.
    """

    span: int
    instrument: Instrument | None
    course: Course | None


def counted_from(at: float) -> int:
    """Give the instant from which what came after a ring is counted: the end of its minute."""
    return minute_of(at) + MINUTE


def course(bars: Iterable[Bar], since: int, span: int) -> Course | None:
    """Follow a price from an instant on, through rising bars of any lengths.

    They may begin before it and go on afterwards; ``None`` unless they cover the minute before the instant,
    and the whole span from it on, each moment of it by one bar that lies wholly inside.
    """
    price: float | None = None
    inside: list[Bar] = []
    end = since
    for bar in bars:
        if bar.end == since:
            price = bar.close
        elif bar.at == end and bar.end <= since + span:
            inside.append(bar)
            end = bar.end
    if price is None or end != since + span:
        return None
    low, high = min(bar.low for bar in inside), max(bar.high for bar in inside)
    return Course(price, low, high, inside[-1].close)


def changes(bars: Sequence[Bar], rung: Iterable[float], span: int = DAY) -> list[float]:
    """Give by which share of itself the price had changed a span after each ring of which that is known.

    ``bars`` are rising and of any length up to an hour; it is counted from the end of the one that rang.
    """
    closes = {bar.end: bar.close for bar in bars}
    found = []
    for at in rung:
        place = bisect_right(bars, at, key=attrgetter("at")) - 1
        if place < 0 or not at < bars[place].end or bars[place].span > _COARSEST:
            continue
        if (later := closes.get(bars[place].end + span)) is not None:
            found.append(later / bars[place].close - 1)
    return found


def subject(rule: Rule, terms: Iterable[str] = ()) -> Instrument | None:
    """Name the instrument whose price tells what came of a ring; ``None`` where the rule is about none.

    It is the first that is traded in the ``terms`` which decided the ring, else in the rule. A metric of a
    coin is about that coin, in the deployment's default quote.
    """
    read = [one for term in terms if (one := rule_of(term)) is not None]
    for one in (*read, rule):
        if traded := next((it for it in instruments(one) if not is_metric(it)), None):
            return traded
        for call in metrics(one):
            for parameter, argument in zip(FUNCTIONS[call.function].parameters, call.arguments, strict=False):
                if parameter.kind == "coin" and isinstance(argument, Word) and argument.text != "all":
                    return Instrument(argument.text)
    return None


def instrument_of(symbol: str, venue: str = "") -> Instrument:
    """Read the unified name of something traded, ``btc/usdt`` or ``btc/usdt:usdt``."""
    base, _, rest = symbol.partition("/")
    quote, _, settle = rest.partition(":")
    return Instrument(base, quote, settle, venue)


def course_line(aftermath: Aftermath, rule: Rule, tr: Translator) -> list[str]:
    """Say what the price did: ``after 1 day: low 97,100 (-2.9%), high ..., close ..., from 100,000``.

    The instrument is named where the ``rule`` reads another, or several. Without one, nothing is said.
    """
    if aftermath.instrument is None:
        return []
    after = tr("after {time}", time=span_name(aftermath.span, tr))
    if instruments(rule) != (aftermath.instrument,):
        after = tr("{name} {after}", name=instrument_name(aftermath.instrument, tr), after=after)
    known = aftermath.course
    if known is None:
        return [tr("{after}: not known", after=after)]
    line = tr(
        "{after}: low {low}, high {high}, close {close}, from {price}",
        after=after,
        low=_measured(known.low, known.price, tr),
        high=_measured(known.high, known.price, tr),
        close=_measured(known.close, known.price, tr),
        price=tr.price(known.price),
    )
    return [line]


def changes_told(aftermaths: Iterable[Aftermath], tr: Translator) -> str:
    """Say in a few words how far the price was from where it rang, or nothing: ``+0.9% a day later``."""
    said = []
    for one in aftermaths:
        if one.course is not None:
            change = signed(one.course.change, tr)
            is_day = one.span == DAY
            later = (
                tr("{change} a day later", change=change)
                if is_day
                else tr("{change} a week later", change=change)
            )
            said.append(later)
    return tr.row(said)


def tally(span: int, changed: Sequence[float], tr: Translator) -> str:
    """Say of several rings how often the price was higher afterwards, and lower, and by how much."""
    rings = tr.many("Of {count} ring", "Of {count} rings", len(changed))
    higher, lower = _counted(changed)
    parts = [tr("higher {count}", count=higher), tr("lower {count}", count=lower)]
    if same := len(changed) - higher - lower:
        parts.append(tr("the same {count}", count=same))
    arguments = {"rings": rings, "counts": tr.row(parts), "change": signed(median(changed), tr)}
    if span == DAY:
        return tr("{rings}, a day later: {counts}, median {change}.", **arguments)
    return tr("{rings}, a week later: {counts}, median {change}.", **arguments)


def past_told(changed: Sequence[float], tr: Translator) -> str:
    """Say what came a day after the rings that an alert would have had; nothing where nobody knows."""
    if not changed:
        return ""
    if len(changed) == 1:
        return tr("A day later the price had changed by {change}.", change=signed(changed[0], tr))
    higher, _ = _counted(changed)
    return tr(
        "A day later the price was higher in {higher} of {count}, median {change}.",
        higher=higher,
        count=len(changed),
        change=signed(median(changed), tr),
    )


def span_name(span: int, tr: Translator) -> str:
    """Word a span: ``1 day``."""
    return tr.stretch(span, "week" if span % WEEK == 0 else "day")


def signed(share: float, tr: Translator) -> str:
    """Word a change with its sign: ``+0.9%``, ``-2.9%``; less than a hundredth of a percent is none."""
    rounded = round(share, 4) or 0.0
    text = tr.share(rounded)
    return f"+{text}" if rounded > 0 else text


def _measured(value: float, price: float, tr: Translator) -> str:
    return tr("{value} ({change})", value=tr.price(value), change=signed(value / price - 1, tr))


def _counted(changed: Sequence[float]) -> tuple[int, int]:
    return sum(share > 0 for share in changed), sum(share < 0 for share in changed)
