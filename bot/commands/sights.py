"""What an answer says of sight: which series cannot be seen, and which exchange stands in for another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.alerts.sentences import metric_name
from bot.alerts.sighting import cause, stand_in
from bot.alerts.translator import Translator
from bot.commands.request import Request
from bot.commands.standing import Row
from bot.engine.sight import Loss
from bot.metrics import MetricKey
from bot.ports import Market

Losses = Mapping[MetricKey, Loss]


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


def remarks(row: Row, losses: Losses, market: Market, tr: Translator, now: float) -> list[str]:
    """Say in a chat's list what keeps an alert from being judged, and who stands in for whom."""
    if row.is_at_rest:
        return []
    series = row.series if losses else ()
    unknown = dict.fromkeys(_loss(losses[key], tr, now) for key in series if key in losses)
    said = [tr("unknown: {loss}", loss=loss) for loss in unknown]
    for key in row.keys.values():
        serving = None if key in losses else market.serving(key)
        if serving is not None and serving.is_stand_in:
            said.append(stand_in(serving.venue, serving.home, serving.reason, tr))
    return said


def _loss(loss: Loss, tr: Translator, now: float) -> str:
    reason = cause(loss.reason, loss.source) or tr("no data comes")
    return tr("{reason}, since {at}", reason=reason, at=tr.instant(loss.since, now))
