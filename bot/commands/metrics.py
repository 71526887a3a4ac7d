"""Beyond price: which metrics can be watched here, what they say, and the flows of funds as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from bot.alerts.causes import cause
from bot.alerts.chart import Theme
from bot.alerts.figures import amount, figure_name, millions, told
from bot.alerts.message import Message, say
from bot.alerts.sentences import venue_name
from bot.alerts.sessions import SHOWN
from bot.alerts.sketches import of_flows
from bot.alerts.translator import Translator
from bot.commands.market import health_line
from bot.commands.reading import lacking
from bot.commands.request import Refusal, Request
from bot.engine.history import Point, Points, streak
from bot.engine.sessions import DAY, XNYS, day_of, midnight_of
from bot.metrics import MetricKey, Observation
from bot.ports import Offered, Replies
from bot.rules.functions import FUNCTIONS

_REACH = 120 * DAY
"""How far back a streak is counted, in seconds."""


async def show(request: Request) -> Replies:
    """List the metrics that can be watched here with their newest values, and what the others lack."""
    tr, office = request.tr, request.office
    offers = office.metrics.offers()
    newest = await office.register.newest()
    lines = [
        line
        for metric in _in_order(offers)
        if (line := _line(metric, [one for one in offers if one.metric == metric], newest, request))
    ]
    lines.extend(
        health_line(health, request) for health in office.metrics.health() if health.failing_since is not None
    )
    if not lines:
        lines.append(tr("No metric can be watched here: there are the prices of exchanges alone."))
    if missing := _missing(offers, tr):
        lines.append(tr("Not here yet:"))
        lines.extend(missing)
    yield say(*lines)


async def etf(request: Request) -> Replies:
    """Show the flows of a coin's funds in the last sessions: what is final, and what is pending."""
    yield await flows(request, request.given("coin").lower() or "btc", "dark")


async def flows(request: Request, coin: str, theme: Theme) -> Message:
    """Lay out and chart the flows of a coin's funds. Raises Refusal where nothing of them is known."""
    tr, office = request.tr, request.office
    key = MetricKey("etf_flow", coin)
    offers = office.metrics.offers(key)
    words = await office.register.recall(key, int(request.now) - _REACH)
    if not offers and not words:
        others = [one for one in office.metrics.offers() if one.metric == key.metric]
        known = sorted({name for one in others for name in one.instruments})
        lines = [tr("Nobody gives flows of funds of {coin}.", coin=coin.upper())]
        if known:
            lines.append(tr("There are: {names}.", names=", ".join(known)))
        raise Refusal(*lines)
    if not words:
        reason = office.metrics.trouble(key)
        lines = [tr("No flow of funds of {coin} was seen yet.", coin=coin.upper()), *lacking([key], request)]
        raise Refusal(
            *lines, *([tr("The last look failed: {reason}.", reason=cause(reason, "", tr))] if reason else [])
        )
    return _table(key, words, request, theme)


def _table(key: MetricKey, words: Sequence[Observation], request: Request, theme: Theme) -> Message:
    """Lay out the last sessions, and say beneath what they sum to, and what of them is open."""
    tr, now = request.tr, request.now
    last = _latest(words)
    opened: dict[int, float] = {}
    for word in words:
        if not word.is_final:
            opened.setdefault(word.as_of, word.known_at)
    sessions = _sessions(last)
    final = {at: last[at].value for at in sessions if at in last and last[at].is_final}
    shown = {at: _row(last.get(at), tr) for at in sessions}
    width = max(len(text) for text, _ in shown.values())
    table = "\n".join(
        f"{tr.session(at, now):<13}{text:>{width}} {mark}".rstrip() for at, (text, mark) in shown.items()
    )
    lines = [
        tr(
            "Sum of the {count} final sessions: {sum}.",
            count=len(final),
            sum=amount(key, sum(final.values(), start=Decimal(0)), tr),
        )
        if final
        else tr("None of them is final yet.")
    ]
    if run := _streak(words, now):
        lines.append(run_line(run, tr))
    unsettled = [last[at] for at in sessions if at in last and not last[at].is_final]
    lines.extend(_open_line(word, opened[word.as_of], tr, now) for word in unsettled)
    newest = last[max(last)]
    at = tr.instant(words[-1].known_at, now)
    lines.append(tr("Source: {source}, last word {at}.", source=venue_name(newest.source), at=at))
    title = tr("{name}, in millions of USD", name=figure_name(key, tr))
    chart = of_flows(key, sessions, last, tr, theme)
    return Message(title=title, lines=tuple(lines), code=table, chart=chart)


def run_line(run: int, tr: Translator) -> str:
    """Say how long flows have had their sign: ``3 sessions of inflow in a row.``"""
    if run > 0:
        return tr.many("{count} session of inflow.", "{count} sessions of inflow in a row.", run)
    return tr.many("{count} session of outflow.", "{count} sessions of outflow in a row.", -run)


def _row(word: Observation | None, tr: Translator) -> tuple[str, str]:
    if word is None:
        return tr("missing"), ""
    text = tr.tenths(millions(word.value))
    return (text if word.value <= 0 else f"+{text}"), "" if word.is_final else tr("not final")


def _open_line(word: Observation, since: float, tr: Translator, now: float) -> str:
    arguments = {"day": tr.session(word.as_of, now), "at": tr.instant(since, now)}
    if word.pending:
        return tr("{day} is open since {at}; pending: {names}.", **arguments, names=", ".join(word.pending))
    return tr("{day} is open since {at}: its number may still change.", **arguments)


def _latest(words: Iterable[Observation]) -> dict[int, Observation]:
    """Take the last word about each session; days on which the market rests are none."""
    last = {word.as_of: word for word in words if XNYS.is_session(day_of(word.as_of))}
    return {at: last[at] for at in sorted(last)}


def _sessions(last: Mapping[int, Observation]) -> list[int]:
    """List the last sessions up to the newest that anything was said of, the newest first."""
    day = day_of(max(last))
    found = [midnight_of(day)]
    while len(found) < SHOWN and found[-1] > min(last):
        day = XNYS.previous_session(day)
        found.append(midnight_of(day))
    return found


def _streak(words: Sequence[Observation], now: float) -> int:
    """Count the settled sessions in a row that had one sign, as rules do."""
    points = Points(
        (Point(word.as_of, word.known_at, float(word.value), word.is_final, word.revision) for word in words),
        XNYS,
    )
    return streak(points.values(now, len(words)))


def _in_order(offers: Iterable[Offered]) -> list[str]:
    """Name the metrics that can be had, in the order of the manual."""
    usable = {one.metric for one in offers if not one.lacks}
    return [name for name in FUNCTIONS if name in usable]


def _line(
    metric: str, offers: Sequence[Offered], newest: Mapping[MetricKey, Observation], request: Request
) -> str:
    """Say what is known of a metric: the value of each instrument that was seen, how others are written."""
    tr, now = request.tr, request.now
    usable = [one for one in offers if not one.lacks]
    failing = {one.source for one in request.office.metrics.health() if one.failing_since is not None}
    seen = [word for key, word in sorted(newest.items()) if key.metric == metric]
    listed = dict.fromkeys(name for one in usable for name in one.instruments)
    parts = []
    for word in seen:
        name = f"{word.key.instrument} " if word.key.instrument else ""
        age = tr.duration(max(0.0, now - word.known_at))
        standing = f"{name}{told(word, tr, now)} ({venue_name(word.source)}, {age})"
        trouble = "" if word.source in failing else request.office.metrics.trouble(word.key)
        reason = cause(trouble, word.source, tr)
        parts.append(
            tr("{value}, cannot be read now: {reason}", value=standing, reason=reason) if reason else standing
        )
    unseen = [MetricKey(metric, name) for name in listed if MetricKey(metric, name) not in newest]
    if unseen:
        names = ", ".join(key.instrument for key in unseen)
        reason = cause(next(filter(None, map(request.office.metrics.trouble, unseen)), ""), "", tr)
        nothing = tr("nothing seen yet: {reason}", reason=reason) if reason else tr("nothing seen yet")
        parts.append(f"{names} {nothing}".strip())
    parts.extend(tr("any such as {example}", example=one.example) for one in usable if one.example)
    parts.extend(dict.fromkeys(cause(one.note, "", tr) for one in usable if one.note))
    return f"{metric}: {'; '.join(parts)}"


def _missing(offers: Iterable[Offered], tr: Translator) -> list[str]:
    """Say of each metric that cannot be had what would have to be set."""
    usable = {one.metric for one in offers if not one.lacks}
    wanted: dict[str, list[str]] = {}
    for one in offers:
        if one.metric not in usable and one.lacks:
            wanted.setdefault(one.metric, []).append(cause(one.lacks, "", tr))
    return [f"{metric}: {tr('; or ').join(dict.fromkeys(lacks))}" for metric, lacks in wanted.items()]
