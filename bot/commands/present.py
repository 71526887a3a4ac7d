"""What is known of the present of a rule: gathered from the market and the archive, never from who judges."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from bot.engine.compiler import compile_rule
from bot.engine.life import Life
from bot.engine.present import Present
from bot.engine.reasons import Reason
from bot.metrics import MetricKey, Observation, Seen
from bot.ports import Market, Unseeable
from bot.rules.phrases import Phrase
from bot.rules.tree import Rule

_MOST_MINUTES = 86_400
"""How many seconds of minutes are asked for, at most, to say how an alert stands."""

_MOST_CANDLES = 2_500
_PATIENCE = 8.0
"""Real seconds after which an answer goes without what it asked for."""

NO_HISTORY = Reason(None, Phrase("its history cannot be had just now"))


async def gather(
    rule: Rule,
    is_shared: bool,
    now: float,
    *,
    seen: Mapping[MetricKey, Seen],
    said: Iterable[Sequence[Observation]],
    market: Market,
) -> Present | None:
    """Gather what is known for a rule that is filled in and qualified, as of now.

    ``said`` is what is known of its metrics. ``None`` where too much history would have to be asked for.
    Raises Unseeable where nobody gives it in time.
    """
    life = compile_rule(rule, is_shared, now, seen)
    if _is_long(life):
        return None
    present = Present(life)
    for words in said:
        present.recall(words)
    try:
        async with asyncio.timeout(_PATIENCE):
            for stretch in present.missing():
                present.preload(stretch, await market.bars(*stretch))
    except TimeoutError as error:
        raise Unseeable("no history came in time") from error
    return present


def _is_long(life: Life) -> bool:
    candles = sum(count for spans in life.spans.values() for count in spans.values())
    return life.warmup > _MOST_MINUTES or candles > _MOST_CANDLES
