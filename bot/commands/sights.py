"""What an answer says of sight: which series cannot be seen, and which exchange stands in for another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from bot.alerts.causes import cause
from bot.alerts.sentences import metric_name, unknown
from bot.alerts.sighting import stand_in
from bot.alerts.translator import Translator
from bot.commands.present import gather
from bot.commands.request import Request
from bot.commands.standing import Row
from bot.engine.news import reach_of
from bot.engine.sight import Loss
from bot.metrics import MetricKey, Seen
from bot.ports import Market, Unseeable

Losses = Mapping[MetricKey, Loss]

_PATIENCE = 5.0
"""Real seconds after which a list goes without what is missing of an alert's history."""


async def lost_lines(keys: Iterable[MetricKey], request: Request) -> list[str]:
    """Say of a new alert which of its series cannot be seen since when, and why."""
    losses, tr = await request.office.register.losses(), request.tr
    return [
        tr(
            "{series} cannot be seen: {loss}. What is missed meanwhile is looked through then.",
            series=metric_name(str(key), tr),
            loss=_loss(losses[key], tr, request.now),
        )
        for key in keys
        if key in losses
    ]


def losses_of(row: Row, losses: Losses, tr: Translator, now: float) -> str:
    """Say why an alert cannot be judged just now: which of its series cannot be seen, since when and why."""
    if row.is_at_rest or not losses:
        return ""
    return "; ".join(dict.fromkeys(_loss(losses[key], tr, now) for key in row.series if key in losses))


def remarks(row: Row, losses: Losses, market: Market, tr: Translator) -> list[str]:
    """Say in a chat's list who stands in for whom."""
    if row.is_at_rest:
        return []
    said = []
    for key in row.keys.values():
        serving = None if key in losses else market.serving(key)
        if serving is not None and serving.is_stand_in:
            said.append(stand_in(serving.venue, serving.home, serving.reason, tr))
    return said


async def unknowns(
    rows: Sequence[Row], seen: Mapping[MetricKey, Seen], losses: Losses, request: Request
) -> list[str]:
    """Say of each line of a list why it is unknown whether its alert is true; nothing where it is known.

    Only what waits is looked at, and what cannot be said in time is not; losses say more where there are any.
    """
    return list(await asyncio.gather(*(_unknown(row, seen, losses, request) for row in rows)))


async def _unknown(row: Row, seen: Mapping[MetricKey, Seen], losses: Losses, request: Request) -> str:
    arming, series = row.subscription.arming, row.series
    if arming is None or not row.is_waiting or losses.keys() & set(series):
        return ""
    own = {key: seen[key] for key in row.keys.values() if key in seen}
    if len(own) < len(row.keys):
        return ""  # that a price is not seen is said beside it
    office, since = request.office, int(request.now)
    said = [await office.register.recall(key, since - reach_of(key)) for key in series if key not in own]
    try:
        async with asyncio.timeout(_PATIENCE), office.previews:
            present = await gather(
                row.armed, arming.is_shared, request.now, seen=own, said=said, market=office.market
            )
    except (Unseeable, TimeoutError):
        return ""
    return unknown(present.reasons(), len(series) > 1, request.tr) if present else ""


def _loss(loss: Loss, tr: Translator, now: float) -> str:
    reason = cause(loss.reason, loss.source, tr) or tr("no data comes")
    return tr("{reason}, since {at}", reason=reason, at=tr.instant(loss.since, now))
