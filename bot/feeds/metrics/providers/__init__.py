"""Where metrics come from: a file for each provider, and the one table of them."""

from __future__ import annotations

from bot.feeds.metrics.provider import Plug
from bot.feeds.metrics.providers import (
    alternative_me,
    coinalyze,
    coingecko,
    coinglass,
    defillama,
    exchanges,
    farside,
    files,
    fred,
    kalshi,
    mempool,
    push,
    sosovalue,
    yahoo,
)

PROVIDERS: tuple[Plug, ...] = (
    sosovalue.PLUG,
    coinglass.PLUG,
    coinalyze.PLUG,
    farside.PLUG,
    alternative_me.PLUG,
    exchanges.PLUG,
    yahoo.PLUG,
    fred.PLUG,
    defillama.PLUG,
    mempool.PLUG,
    kalshi.PLUG,
    coingecko.PLUG,
    files.PLUG,
    push.PLUG,
)
"""Every provider; where several give the same series, the earlier one goes before the later ones."""
