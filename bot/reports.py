"""Gather what a report tells: the present of what a chat's alerts read, what it was before, what rang."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import structlog

from bot.alerts.facts import rule_of
from bot.alerts.message import Facts
from bot.alerts.models import Subscription
from bot.alerts.people import ChatRef
from bot.alerts.rings import Rung
from bot.engine.sessions import XNYS, day_of
from bot.engine.terms import key_of, metric_key
from bot.looking import look
from bot.metrics import MINUTE, MetricKey, Observation, minute_of
from bot.ports import UnknownInstrument, Unseeable
from bot.rules import instruments, metrics
from bot.rules.tree import Rule
from bot.rules.windows import is_metric

if TYPE_CHECKING:
    from bot.ports import Market

log = structlog.get_logger(__name__)

FLOWS = "etf_flow"
_MOST_SERIES = 20
_MOST_RINGS = 10
_REACH = 40 * 86_400
"""How far back the word about a metric is looked for that held at the beginning of a report."""

_HOUR = 60 * MINUTE
_SECONDS_FOR_A_LOOK = 10.0
_AT_ONCE = 4


Ask = Callable[[MetricKey], Awaitable[Observation]]
"""Look at the newest value of a metric now. Raises Unseeable, or UnknownInstrument."""


class Memory(Protocol):
    """What reports need of the store."""

    async def subscriptions(self, chat: ChatRef) -> list[Subscription]:
        """List what a chat is told."""

    async def rung(self, chat: ChatRef, label: str, page: int, size: int) -> tuple[list[Rung], int]:
        """Give a page of what rang for a chat, newest first, and how many rings there are in all."""

    async def recall(self, key: MetricKey, since: int = 0) -> list[Observation]:
        """Give what the series' provider said about what is not before ``since``."""


async def gather(
    memory: Memory,
    market: Market,
    chat: ChatRef,
    now: float,
    *,
    since: float,
    span: float,
    chosen: Sequence[str] = (),
    ask: Ask | None = None,
) -> Facts:
    """Gather the facts of a report: changes over ``span`` seconds, and what rang ``since`` an instant.

    It is of the ``chosen`` series, as rules write them, or of what the chat's alerts read. A metric that no
    alert reads nobody looks at, so it is asked for now. What cannot be seen in time is told as that.
    """
    of_alerts = _series(_armed(await memory.subscriptions(chat)))
    read = _series(rule for name in chosen if (rule := rule_of(f"{name} > 1"))) if chosen else of_alerts
    prices = {key: name for key, name in read.items() if key.metric == "price" and not is_provided(name)}
    shown = dict(list(prices.items())[:_MOST_SERIES])
    places = asyncio.Semaphore(_AT_ONCE)
    found = await asyncio.gather(*(_price(market, key, now - span, places) for key in shown))
    series: list[dict[str, str | float]] = [
        {"name": name, **_named(key), **figures}
        for (key, name), figures in zip(shown.items(), found, strict=True)
    ]
    flows: list[dict[str, str | float]] = []
    unread = [key for key in read if key not in of_alerts and key not in prices]
    newest = await asyncio.gather(*(_newest(ask, key, places) for key in unread)) if ask else []
    asked = dict(zip(unread, newest, strict=False))
    for key, name in read.items():
        if key in prices:
            continue
        words = [*await memory.recall(key, int(now) - _REACH), *asked.get(key, ())]
        if key.metric == FLOWS:
            flows.extend(_flows(key, words, now - span))
        else:
            series.append({"name": name, **_named(key), **_values(words, now - span)})
    rung, count = await _rang(memory, chat, since)
    return {
        "at": now,
        "since": since,
        "span": span,
        "series": series,
        "more": len(prices) - len(shown),
        "flows": flows,
        "rings": [_ring(one) for one in rung[:_MOST_RINGS]],
        "rang": count,
    }


def is_provided(name: str) -> bool:
    """Ask whether a price, by the name of its instrument, is that of an index or a stock."""
    rule = rule_of(f"{name} > 1")
    return rule is not None and any(is_metric(one) for one in instruments(rule))


def _armed(subscriptions: Sequence[Subscription]) -> Iterable[Rule]:
    rules = (rule_of(one.arming.rule) for one in subscriptions if one.arming)
    return filter(None, rules)


def _series(rules: Iterable[Rule]) -> dict[MetricKey, str]:
    """Name what some rules read, each once, as rules write it."""
    found: dict[MetricKey, str] = {}
    for rule in rules:
        for instrument in instruments(rule):
            key = metric_key(instrument) if is_metric(instrument) else key_of(instrument)
            found.setdefault(key, str(instrument))
        for call in metrics(rule):
            found.setdefault(metric_key(call), str(call))
    return found


async def _newest(ask: Ask, key: MetricKey, places: asyncio.Semaphore) -> list[Observation]:
    """Look at a metric now; nothing where it cannot be seen in time."""
    try:
        async with places, asyncio.timeout(_SECONDS_FOR_A_LOOK):
            return [await ask(key)]
    except (Unseeable, UnknownInstrument, TimeoutError) as trouble:
        log.info("a metric is not known for a report", key=str(key), reason=str(trouble))
        return []


async def _price(market: Market, key: MetricKey, then: float, places: asyncio.Semaphore) -> dict[str, float]:
    """Look at a price now and at the beginning; what cannot be seen is left out."""
    figures: dict[str, float] = {}
    try:
        async with places, asyncio.timeout(_SECONDS_FOR_A_LOOK):
            if seen := (await look(market, (key,))).get(key):
                figures["now"] = seen.price
            start = minute_of(then)
            if bars := await market.bars(key, start, start + _HOUR, MINUTE):
                figures["then"] = bars[0].open
    except (Unseeable, UnknownInstrument, TimeoutError) as trouble:
        log.info("a price is not known for a report", key=str(key), reason=str(trouble))
    return figures


def _values(words: Sequence[Observation], then: float) -> dict[str, str | float]:
    """Give the newest value of a metric, and the one that was known at the beginning."""
    if not words:
        return {}
    before = [word for word in words if word.known_at <= then]
    newest = {"now": str(max(words, key=lambda word: (word.as_of, word.revision)).value)}
    old = {"then": str(max(before, key=lambda word: (word.as_of, word.revision)).value)} if before else {}
    return {**newest, **old}


def _flows(key: MetricKey, words: Sequence[Observation], then: float) -> list[dict[str, str | float]]:
    """Give the newest session of a flow, and what the sessions since the beginning sum to."""
    last = {word.as_of: word for word in words if XNYS.is_session(day_of(word.as_of))}
    if not last:
        return []
    newest = last[max(last)]
    late = [word for at, word in last.items() if at >= then] or [newest]
    return [
        {
            **_named(key),
            "as_of": newest.as_of,
            "value": str(newest.value),
            "is_final": int(newest.is_final),
            "count": len(late),
            "sum": str(sum(word.value for word in late)),
        }
    ]


async def _rang(memory: Memory, chat: ChatRef, since: float) -> tuple[list[Rung], int]:
    """Give what rang since an instant, the newest first, and how much that is."""
    found: list[Rung] = []
    page = 1
    while True:
        rung, count = await memory.rung(chat, "", page, 100)
        found.extend(one for one in rung if one.made_at > since)
        if len(rung) < 100 or page * 100 >= count or rung[-1].made_at <= since:
            return found, len(found)
        page += 1


def _ring(one: Rung) -> dict[str, str | float]:
    return {
        "alert": one.label,
        "armed": one.armed,
        "at": one.at,
        "value": one.value,
        "corrected_at": one.corrected_at or 0.0,
    }


def _named(key: MetricKey) -> dict[str, str | float]:
    return {"metric": key.metric, "instrument": key.instrument, "venue": key.venue}
