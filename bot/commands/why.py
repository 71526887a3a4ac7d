"""Say all that is known of one alert: what it reads, what it waits for, who shows that, and its last ring."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.alerts.figures import line as figure_line
from bot.alerts.message import Message, say
from bot.alerts.offers import of_why
from bot.alerts.readings import reading_line
from bot.alerts.rings import last_ring
from bot.alerts.sentences import filled_levels, meaning, metric_name, unknown, venue_name
from bot.alerts.sighting import stand_in
from bot.alerts.translator import Translator
from bot.commands.alerts import named, rows
from bot.commands.listing import rank
from bot.commands.present import gather
from bot.commands.request import Request
from bot.commands.sights import losses_of
from bot.commands.standing import Row, how_told
from bot.commands.stating import cools_until, hold_of, judged_to, state_of
from bot.engine.life import Life
from bot.engine.news import reach_of
from bot.engine.present import Present
from bot.engine.sight import Loss
from bot.engine.state import AlertState
from bot.looking import look
from bot.metrics import MINUTE, Close, MetricKey, Observation, Seen
from bot.ports import Judged, Replies, Serving, Unseeable
from bot.rules import parse

_PATIENCE = 5.0
"""Real seconds after which the answer goes without the figures that take a history."""


@dataclass(frozen=True, slots=True)
class _Known:
    """An alert, and what is known of each series that it reads: from the store, and just now."""

    row: Row
    life: Life | None
    judged: Mapping[MetricKey, Judged]
    seen: Mapping[MetricKey, Seen]
    words: Mapping[MetricKey, Sequence[Observation]]
    losses: Mapping[MetricKey, Loss]


async def why(request: Request) -> Replies:
    """Say how one alert stands and why; without a name the one that is nearest to ringing."""
    tr, now = request.tr, request.now
    losses = await request.office.register.losses()
    row = await named(request) if request.given("alert") else await _nearest(request, losses)
    if row is None:
        yield say(tr("No alerts here yet. Make one: {line}", line="/alert btc < 100k"))
        return
    known = await _known(row, losses, request)
    alert, life = row.subscription.alert, known.life
    rule = meaning(row.armed, filled_levels(parse(alert.rule), row.armed), tr)
    present = None if life is None or row.is_at_rest else await _present(known, request)
    unclear = unknown(present.reasons(), len(row.series) > 1, tr) if present and row.is_waiting else ""
    lost = losses_of(row, losses, tr, now)
    told = how_told(row.subscription, await request.levels(), tr, now)
    lines = [
        tr("{label} {event}.", label=alert.label, event=rule),
        " · ".join((state_of(row, known.judged, tr, now, lost or unclear), *told)),
    ]
    if life is not None and not row.is_at_rest:
        lines.extend(_terms(life, present, known, tr))
        lines.extend(_times(life, known, request))
        lines.extend(_source(key, known, request) for key in row.keys.values() if key not in losses)
    lines.extend(_figures(known, request))
    lines.extend(await _last_ring(alert.label, request))
    yield Message(lines=tuple(lines), buttons=of_why(alert, row.armed, tr, is_at_rest=row.is_at_rest))


async def _known(row: Row, losses: Mapping[MetricKey, Loss], request: Request) -> _Known:
    register, life = request.office.register, row.life
    words = {
        key: await register.recall(key, int(request.now) - reach_of(key))
        for key in (life.calendars if life else ())
    }
    seen = await look(request.office.market, row.keys.values())
    return _Known(row, life, await register.judged(row.series), seen, words, losses)


async def _nearest(request: Request, losses: Mapping[MetricKey, Loss]) -> Row | None:
    listed = await rows(request)
    seen = await look(request.office.market, (key for row in listed for key in row.keys.values()))

    def order(row: Row) -> tuple[int, float]:
        prices = {instrument: seen[key].price for instrument, key in row.keys.items() if key in seen}
        return rank(row, prices, losses, request.now)

    return min(listed, key=order, default=None)


async def _present(known: _Known, request: Request) -> Present | None:
    """Gather what the alert reads just now; ``None`` where that takes too long or cannot be had."""
    row, office = known.row, request.office
    arming = row.subscription.arming
    if arming is None or any(key not in known.seen for key in row.keys.values()):
        return None
    said = list(known.words.values())
    try:
        async with asyncio.timeout(_PATIENCE), office.previews:
            return await gather(
                row.armed, arming.is_shared, request.now, seen=known.seen, said=said, market=office.market
            )
    except (Unseeable, TimeoutError):
        return None


def _terms(life: Life, present: Present | None, known: _Known, tr: Translator) -> list[str]:
    """Say of each term what it reads, and on which side that is."""
    if present is not None:
        return [reading_line(one, tr) for one in present.readings()]
    if any(key not in known.seen for key in life.priced):
        return [tr("What it reads cannot be said: a price is not seen just now.")]
    return [tr("What it reads cannot be said just now: its history did not come in time.")]


def _times(life: Life, known: _Known, request: Request) -> list[str]:
    """Say what the clock has to do with it: a time that runs, a cooldown, an end, and the next look."""
    tr, now, state = request.tr, request.now, known.row.subscription.state
    reached, lines = judged_to(known.row, known.judged), []
    hold = hold_of(life, state, reached) if state is not None and state.is_armed else None
    if hold is not None and hold.ends_at > now:
        lines.append(tr("If that goes on, it rings at {at}.", at=tr.instant(hold.ends_at, now)))
    if life.cooldown and not life.is_once:
        lines.append(tr("It rings at most once in {time}.", time=tr.duration(life.cooldown)))
    if state is not None and (until := cools_until(life, state, now)) is not None:
        lines.append(tr("The cooldown of its last ring is over at {at}.", at=tr.instant(until, now)))
    if life.until is not None:
        lines.append(tr("It ends at {at}.", at=tr.instant(life.until, now)))
    lines.append(_next_look(life, state, reached, request))
    return lines


def _next_look(life: Life, state: AlertState | None, reached: int | None, request: Request) -> str:
    tr, now = request.tr, request.now
    due = life.next_change(int(now), state.memory if state else ())
    if life.is_still and due != float("inf"):
        return tr("Next look: {at}, when a candle closes or a time ends.", at=tr.instant(due, now))
    if not life.priced:
        return tr("Next look: as soon as there is a new value.")
    if reached is None:
        return tr("Next look: with the first minute of prices that comes.")
    minute = tr("the minute to {at} is judged next", at=tr.instant(reached + MINUTE, now))
    if now - reached > request.office.late_after:
        return tr("Next look: overdue, {minute}.", minute=minute)
    if life.tells_early:
        return tr("Next look: at every price; {minute}.", minute=minute)
    return tr("Next look: {minute}.", minute=minute)


def _source(key: MetricKey, known: _Known, request: Request) -> str:
    """Say of a price who shows it and how old it is; of one that is not seen, the last that was judged."""
    tr = request.tr
    judged, seen = known.judged.get(key), known.seen.get(key)
    close = None if judged is None else judged.close
    if seen is not None:
        price, at = seen.price, seen.at
    elif close is not None:
        price, at = close.price, close.at
    else:
        return tr("{name}: no price was seen yet.", name=metric_name(str(key), tr))
    return tr(
        "{name}: {price}, {age} old. {who}.",
        name=metric_name(str(key), tr),
        price=tr.price(price),
        age=tr.duration(max(request.now - at, 0)),
        who=_who(request.office.market.serving(key), close, tr),
    )


def _who(serving: Serving | None, close: Close | None, tr: Translator) -> str:
    """Name who shows a price, and for whom; what the store has of it stands in for what is not known yet."""
    if serving is not None:
        venue, home, reason = serving.venue, serving.home, serving.reason
    elif close is not None and close.source:
        venue, home, reason = close.source, close.home or close.source, ""
    else:
        return tr("Nobody shows it just now")
    return venue_name(venue) if venue == home else stand_in(venue, home, reason, tr)


def _figures(known: _Known, request: Request) -> list[str]:
    """Say of each metric its newest value, who said so, and how long ago it was read."""
    tr, lines = request.tr, []
    for word in (said[-1] for said in known.words.values() if said):
        age = tr.duration(max(request.now - word.known_at, 0))
        lines.append(tr("{figure} Read {age} ago.", figure=figure_line(word, tr, request.now), age=age))
    return lines


async def _last_ring(label: str, request: Request) -> list[str]:
    tr = request.tr
    rung, count = await request.office.register.rung(request.chat, label, 1, 1)
    if not rung:
        return [tr("It has not rung here yet.")]
    said = [last_ring(rung[0], request.office.link(rung[0]), tr, request.now)]
    if count > 1:
        name = label.removeprefix("#")
        said.append(tr("It rang {count} times: {line}", count=count, line=f"/history {name}"))
    return said
