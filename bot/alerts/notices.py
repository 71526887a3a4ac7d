"""What is to be told of sight: facts for the chats whose alerts cannot see, or may not have seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from bot.alerts.message import Facts
from bot.alerts.models import Notice, Telling
from bot.engine.sight import Loss, Turns
from bot.engine.unread import Lapse
from bot.metrics import Doubt, MetricKey

_HOUR = 3600
_STEP = math.log(1.1)

Readers = Callable[[MetricKey], Iterable[int]]
"""Name the armings that read a series and may ring."""


def of_loss(turns: Turns, now: float, readers: Readers) -> Iterator[Notice]:
    """Tell what cannot be seen any more, one notice for all that one cause hides."""
    for notice, losses in _together({key: turns.lost[key] for key in turns.fresh}):
        armings: dict[int, list[str]] = {}
        for key, _ in losses:
            for arming in readers(key):
                armings.setdefault(arming, []).append(str(key))
        facts: Facts = {"since": min(loss.since for _, loss in losses), "at": now, **_cause(losses[0][1])}
        yield Notice(Telling.LOST, notice, facts, armings)


def of_return(seen: Mapping[MetricKey, Loss], now: float) -> Iterator[Notice]:
    """Tell what is seen again, and what of it is gone, to whoever was told that it cannot be seen."""
    for _, losses in _together(seen):
        gone: list[Mapping[str, str | float]] = [
            {"series": str(key), "since": since, "until": until}
            for key, loss in losses
            for since, until in loss.gone
        ]
        facts: Facts = {"since": min(loss.since for _, loss in losses), "at": now, "gone": gone}
        yield Notice(Telling.BACK, "back", facts, series=[str(key) for key, _ in losses])


def of_lapse(lapse: Lapse) -> Notice:
    """Tell of minutes that are gone, and of the prices between which a series stayed in them."""
    facts: Facts = {"since": lapse.since, "until": lapse.until, "low": lapse.low, "high": lapse.high}
    dedupe = f"lapse/{lapse.key}/{lapse.since}"
    return Notice(Telling.LAPSE, dedupe, facts, dict.fromkeys(lapse.armings, (str(lapse.key),)))


def of_doubt(doubt: Doubt, armings: Sequence[int]) -> Notice:
    """Tell of a price that nobody bears out: once an hour in each tenth of the price."""
    step = round(math.log(doubt.value) / _STEP) if doubt.value > 0 else 0
    dedupe = f"doubt/{doubt.key}/{doubt.at // _HOUR:.0f}/{step}"
    facts: Facts = {"value": doubt.value, "at": doubt.at, "source": doubt.source, "reason": doubt.reason}
    return Notice(Telling.DOUBT, dedupe, facts, dict.fromkeys(armings, (str(doubt.key),)))


def _together(losses: Mapping[MetricKey, Loss]) -> Iterator[tuple[str, list[tuple[MetricKey, Loss]]]]:
    """Group losses by the notice that told of them."""
    rising = sorted(losses.items(), key=lambda one: (one[1].notice, one[0]))
    for notice, group in groupby(rising, key=lambda one: one[1].notice):
        yield notice, list(group)


def _cause(loss: Loss) -> dict[str, str]:
    return {"reason": loss.reason, "source": loss.source}
