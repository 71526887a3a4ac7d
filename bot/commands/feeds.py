"""How the feeds are: what each brings and costs, who stands in for whom, and how long rings take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from bot.alerts.causes import cause
from bot.alerts.hours import WEEK
from bot.alerts.message import Message
from bot.alerts.people import Role
from bot.alerts.sentences import metric_name, venue_name
from bot.alerts.sighting import stand_in
from bot.alerts.translator import Translator
from bot.commands.market import health_line, provider_line
from bot.commands.request import Request
from bot.delays import Delay
from bot.metrics import Health, MetricKey
from bot.ports import Replies, Serving, StreamHealth
from bot.ports.chronicle import GivenUp

_NAMED = 3
"""How many series are named of those that an exchange stands in for, and reasons of what was given up."""


async def show(request: Request) -> Replies:
    """Say how each feed is and who stands in for whom; to an admin also what it costs, and the delays.

    Operators are told what was given up in a week, too.
    """
    tr, market = request.tr, request.office.market
    is_full = request.role >= Role.ADMIN
    streams = {stream.source: stream for stream in market.streams()}
    lines: list[str] = []
    for health in market.health():
        lines.append(health_line(health, request))
        if is_full:
            lines.extend(_details(health, streams.get(health.source), request))
    lines.extend(_stand_ins(market.standing_in(), tr))
    providers = request.office.metrics.health()
    for health in providers:
        if health.seen_at is not None or health.failing_since is not None:
            lines.append(provider_line(health, request))
            if is_full:
                lines.extend(_details(health, None, request))
    idle = [venue_name(one.source) for one in providers if one.seen_at is None and one.failing_since is None]
    if idle:
        lines.append(tr("Not asked yet: {names}", names=", ".join(idle)))
    if is_full:
        lines.extend(_delays(request))
    if request.role >= Role.OPERATOR:
        given_up = await request.office.register.given_up(request.now - WEEK)
        lines.extend(_given_up(one, request) for one in given_up[:_NAMED])
    yield Message(lines=tuple(lines))


def _details(health: Health, stream: StreamHealth | None, request: Request) -> Iterable[str]:
    """Give a line of figures: how far behind, what it cost, what failed, and how its stream is."""
    tr, parts = request.tr, []
    if health.failures:
        parts.append(tr.many("{count} failed look", "{count} failed looks in a row", health.failures))
    if health.failing_since is None and health.reason:
        parts.append(cause(health.reason, health.source, tr))
    if health.lag is not None:
        parts.append(tr("minutes {lag} behind", lag=tr.duration(health.lag)))
    if health.requests:
        asked = tr.many(
            "{count} request in an hour", "{count} requests in an hour", health.requests_in_an_hour
        )
        if health.share is not None:
            share = tr.share(round(health.share, 3))
            asked = tr("{asked}, {share} of what a minute allows", asked=asked, share=share)
        parts.append(asked)
    if stream is not None:
        parts.append(_stream(stream, request))
    if parts:
        yield f"– {' · '.join(parts)}"


def _stream(stream: StreamHealth, request: Request) -> str:
    tr, now = request.tr, request.now
    if stream.connected_at is None:
        if not stream.reason:
            return tr("no stream") if stream.is_over else tr("stream not needed")
        return tr("no stream: {reason}", reason=cause(stream.reason, stream.source, tr))
    since = tr.duration(max(now - stream.connected_at, 0))
    markets = tr.many("{count} market", "{count} markets", stream.markets)
    if stream.heard_at is None:
        return tr("stream of {markets} for {since}", markets=markets, since=since)
    heard = tr.duration(max(now - stream.heard_at, 0))
    return tr("stream of {markets} for {since}, heard {heard} ago", markets=markets, since=since, heard=heard)


def _stand_ins(series: Mapping[MetricKey, Serving], tr: Translator) -> Iterable[str]:
    """Say who stands in for whom, and of which series: the first of them by name."""
    turns: dict[tuple[str, str, str], list[str]] = {}
    for key, serving in series.items():
        turn = (serving.venue, serving.home, serving.reason)
        turns.setdefault(turn, []).append(metric_name(str(key), tr))
    for turn, names in turns.items():
        shown = names[:_NAMED]
        if more := len(names) - len(shown):
            shown.append(tr("{count} more", count=more))
        yield tr("{names}: {stand_in}", names=tr.listed(shown), stand_in=stand_in(*turn, tr))


def _given_up(one: GivenUp, request: Request) -> str:
    tr = request.tr
    return tr(
        "{count} given up on {platform}, the last {at}: {reason}",
        count=tr.many("{count} message was", "{count} messages were", one.count),
        platform=venue_name(one.platform),
        at=tr.instant(one.at, request.now),
        reason=cause(one.reason, "", tr) or tr("no reason was given"),
    )


def _delays(request: Request) -> Iterable[str]:
    """Say how long the newest rings took, by the way on which their price came, and how late the loop is."""
    tr, office = request.tr, request.office
    ways = {
        "stream": tr("Rings by stream"),
        "poll": tr("Rings by looks"),
        "minute": tr("Rings by whole minutes"),
    }
    for delay in office.ring_delays():
        yield tr(
            "{way}: half within {p50} s, 99 of 100 within {p99} s ({count})",
            way=ways.get(delay.way, delay.way),
            p50=_seconds(delay.p50, tr),
            p99=_seconds(delay.p99, tr),
            count=delay.count,
        )
    lag: Delay | None = office.loop_lag()
    if lag is not None:
        p50, p99 = (tr.tenths(Decimal(repr(1000 * one))) for one in (lag.p50, lag.p99))
        yield tr("I am kept waiting {p50} ms, 99 times of 100 at most {p99} ms.", p50=p50, p99=p99)


def _seconds(seconds: float, tr: Translator) -> str:
    return tr.number(round(Decimal(repr(seconds)), 1 if seconds < 100 else 0))
