"""Look at the present of several series at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from bot.metrics import MetricKey, Seen
from bot.ports import Market, UnknownInstrument, Unseeable


async def look(market: Market, keys: Iterable[MetricKey]) -> dict[MetricKey, Seen]:
    """Look at the present of several series at once; those that cannot be seen are left out."""

    async def one(key: MetricKey) -> Seen | None:
        try:
            return await market.seen(key)
        except (Unseeable, UnknownInstrument):
            return None

    distinct = list(dict.fromkeys(keys))
    seen = await asyncio.gather(*(one(key) for key in distinct))
    return {key: known for key, known in zip(distinct, seen, strict=True) if known is not None}
