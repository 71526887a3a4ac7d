"""What an alert would have done: the live engine over the last days, from the history of the market."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from bot.alerts.aftermath import changes, past_told, subject
from bot.alerts.message import say
from bot.alerts.translator import Translator
from bot.backtest import Needs, Replay, needs_of
from bot.commands.offering import outlook
from bot.commands.reading import Prepared, prepare, read_rule
from bot.commands.request import Request
from bot.commands.standing import figures
from bot.engine.past import Past, Unfit
from bot.engine.state import Ring
from bot.engine.terms import key_of
from bot.metrics import MINUTE, Bar, MetricKey, Observation, minute_of, opening_of
from bot.ports import Market, Replies, UnknownInstrument, Unseeable
from bot.rules.tree import Mode, Rule

log = structlog.get_logger(__name__)

_HOUR, _DAY = 3600, 86_400
_DAYS = 30
_SPANS = (60, 300, 900, 3600, 14_400, 86_400)
_MOST_BARS = 10_000
"""How many bars of a series are asked for: thirty days in five minutes are 8,640, in nine calls of most."""

_NEAR_ENOUGH = 0.05
"""The share of the time that may be missing at its beginning before coarser bars are asked for."""

_Words = Mapping[MetricKey, Sequence[Observation]]
_NOTHING: _Words = {}

_PATIENCE = 25.0
"""Real seconds after which an answer goes without its preview."""


async def test(request: Request) -> Replies:
    """Say how often a rule would have rung, when last, and how far it is now; nothing is armed."""
    tr, reading = request.tr, read_rule(request, request.given("rule"))
    prepared = await prepare(request, reading.rule, await request.levels())
    first = outlook(prepared, request)
    present = figures(prepared, tr, request.now)
    arm = tr("To arm it, send: {line}", line=f"/alert {reading.rule}")
    yield say(first, *present, arm)
    told = await preview(prepared, request) or tr("There is no history to test it on.")
    yield say(first, *present, told, arm)


@dataclass(frozen=True, slots=True)
class Count:
    """When an alert would have rung, rising, and over how many days that was looked through.

    ``why`` says what was missing where nothing could be judged. ``changes`` are by which share the price had
    changed a day after those rings of which that is known.
    """

    rings: Sequence[float]
    days: int
    why: str = ""
    changes: Sequence[float] = ()

    def period(self, tr: Translator) -> str:
        """Say over which time it was counted."""
        if self.days >= _DAYS - 1:
            return tr("the last {days} days", days=_DAYS)
        return tr.many("the {count} day known", "the {count} days known", self.days)


async def preview(prepared: Prepared, request: Request) -> str:
    """Say how often an alert would have rung of late, and when last; nothing where nobody can say."""
    counted = await count(prepared, request)
    return _sentence(counted, request.tr, request.now) if counted else ""


async def count(prepared: Prepared, request: Request) -> Count | None:
    """Count how often an alert would have rung in the last days; ``None`` where nobody can say.

    Never raises for what may go wrong on the way: a preview is an extra, and the answer stands without it.
    """
    until = int(request.instant // MINUTE) * MINUTE
    since = opening_of(until, _DAY) - _DAYS * _DAY
    options = replace(prepared.armed.options, mode=Mode.REPEAT, until=None)
    rule = prepared.armed.with_options(options)
    try:
        async with asyncio.timeout(_PATIENCE), request.office.previews:
            past, since = await fetch(request.office.market, rule, since, until, prepared.said)
            replay = Replay((rule,), past, since)
            rings = await asyncio.to_thread(_rings, replay)
            later = await _changes(request.office.market, prepared.armed, past, rings, until)
    except Unfit:
        return None
    except Exception as error:  # whatever it is: the alert was made, and its answer given
        log.info("no_preview", error=type(error).__name__)
        return None
    days = round((replay.until - replay.since) / _DAY)
    return Count(rings, days, replay.why(request.tr), later) if days else None


async def fetch(
    market: Market,
    rule: Rule,
    since: int,
    until: int,
    said: _Words = _NOTHING,
) -> tuple[Past, int]:
    """Fetch the prices that a backtest of a qualified rule over ``[since, until)`` reads, and some before.

    They come in the finest bars that reach back so far without being too many, else in those that reach
    furthest; gives the history and the first moment, which is later where that many bars do not suffice.
    ``said`` is what is known of metrics. Raises Unfit for one of which nothing is, and Unseeable.
    """
    needs = needs_of(rule, since)
    for key in needs.metrics:
        if not said.get(key):
            raise Unfit(f"The exchanges have no history of {key}.")
        since = max(since, minute_of(said[key][0].known_at))
    fitting = [span for span in _SPANS if all(frame % span == 0 for frame in needs.frames)]
    spans = [span for span in fitting if until - since <= span * _MOST_BARS] or fitting[-1:]
    since = max(since, until - spans[0] * _MOST_BARS)
    needs = needs_of(rule, since)
    first = min((stretch.since for stretch in needs.stretches if stretch.span == MINUTE), default=since)
    bars: dict[MetricKey, tuple[Bar, ...]] = {}
    for span in spans:
        found = await _bars(market, needs, first, until, span)
        if found and (not bars or _reach(found) < _reach(bars) - span):
            bars = found
        elif bars:
            break  # coarser bars reach no further: there is no more
        if bars and _reach(bars) - first <= (until - first) * _NEAR_ENOUGH:
            break
    candles = {
        (stretch.key, stretch.span): await market.bars(
            stretch.key, stretch.since, stretch.until, stretch.span
        )
        for stretch in needs.stretches
        if stretch.span > MINUTE and bars
    }
    return Past(bars, {key: said[key] for key in needs.metrics}, candles), since


async def _bars(
    market: Market, needs: Needs, since: int, until: int, span: int
) -> dict[MetricKey, tuple[Bar, ...]]:
    """Ask for the bars of all series; nothing where one of them has none."""
    found = await asyncio.gather(*(market.bars(key, since, until, span) for key in needs.prices))
    return dict(zip(needs.prices, found, strict=True)) if all(found) else {}


def _reach(bars: dict[MetricKey, tuple[Bar, ...]]) -> int:
    return max(run[0].at for run in bars.values())


async def _changes(
    market: Market, rule: Rule, past: Past, rings: Sequence[float], until: int
) -> Sequence[float]:
    """Give what the price did in the day after each ring, from the bars that were judged, or from hours."""
    about = subject(rule)
    if about is None or not rings:
        return ()
    try:
        key = key_of(about) if about.quote else await market.resolve(about)
        bars: Sequence[Bar] = tuple(past.bars.get(key, ()))
        if not bars:
            bars = await market.bars(key, opening_of(rings[0], _HOUR), until, _HOUR)
    except (Unseeable, UnknownInstrument):
        return ()
    return changes(bars, rings)


def _rings(replay: Replay) -> list[float]:
    return [transition.at for _, transition in replay if isinstance(transition, Ring)]


def _sentence(counted: Count, tr: Translator, now: float) -> str:
    period, rings = counted.period(tr), counted.rings
    if not rings and counted.why:
        return tr("Nothing could be judged in {period}: {why}.", period=period, why=counted.why)
    if not rings:
        return tr("It would not have rung in {period}.", period=period)
    last = tr.instant(rings[-1], now)
    if len(rings) == 1:
        told = tr("It would have rung once in {period}: {last}.", period=period, last=last)
    else:
        told = tr(
            "It would have rung {count} times in {period}, last {last}.",
            count=len(rings),
            period=period,
            last=last,
        )
    later = past_told(counted.changes, tr)
    return tr("{one} {other}", one=told, other=later) if later else told
