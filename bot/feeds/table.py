"""The exchanges that can be watched, and how they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["spot", "swap"]
"""What is traded: the thing itself, or the perpetual contract on it."""

_OF_KIND: Mapping[Kind, Mapping[str, str]] = {"spot": {"type": "spot"}, "swap": {"type": "swap"}}
_MINUTES: Mapping[int, str] = {60: "1m", 300: "5m", 900: "15m", 1800: "30m"}
_SPANS: Mapping[int, str] = {**_MINUTES, 3600: "1h", 14_400: "4h", 86_400: "1d"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """How one exchange differs from the others, in what its public endpoints offer without a key.

    ``sentinel`` is a symbol that is always listed: a list of markets without it is no list. ``options`` go to
    ccxt and keep it from asking for what is not watched (options, coin-margined contracts).
    ``prices_call`` is ccxt's call for all prices at once, ``prices_params`` what it takes for each kind.
    ``rows`` is how many candles one call may bring, ``old_rows`` the same beyond the last day;
    ``gives_newest`` says that these are its newest candles whatever is asked, and that no older ones are to
    be had. ``is_sparse`` says that a minute without a trade has no candle there, so that an answer without
    any may be true. ``has_history_type`` is OKX's second address for candles beyond its last 1,440.
    ``spans`` are the lengths of candles that are asked for, in seconds, and ccxt's names for them; all of
    them open on whole multiples of their length in UTC. Weeks are joined from days, because not all exchanges
    begin them on Monday.
    """

    name: str
    sentinel: str
    prices_call: Literal["fetch_last_prices", "fetch_tickers"] = "fetch_tickers"
    prices_params: Mapping[Kind, Mapping[str, str]] = field(default_factory=lambda: _OF_KIND)
    rows: int = 1000
    old_rows: int = 1000
    gives_newest: bool = False
    is_sparse: bool = False
    has_history_type: bool = False
    options: Mapping[str, object] = field(default_factory=dict)
    spans: Mapping[int, str] = field(default_factory=lambda: _SPANS)


FEEDS: Mapping[str, Exchange] = {
    exchange.name: exchange
    for exchange in (
        Exchange(
            "binance",
            "BTC/USDT",
            prices_call="fetch_last_prices",  # weight 4, against 80 of fetch_tickers
            prices_params={"spot": {"type": "spot"}, "swap": {"type": "swap", "subType": "linear"}},
            options={"fetchMarkets": {"types": ["spot", "linear"]}},
        ),
        Exchange("kraken", "BTC/USD", prices_params={"spot": {}}, rows=720, old_rows=720, gives_newest=True),
        Exchange(
            "okx",
            "BTC/USDT",
            rows=300,
            old_rows=100,
            has_history_type=True,
            options={"fetchMarkets": {"types": ["spot", "swap"]}},
        ),
        Exchange(
            "coinbase",
            "BTC/USD",
            rows=300,
            old_rows=300,
            is_sparse=True,
            spans={**_MINUTES, 3600: "1h", 21_600: "6h", 86_400: "1d"},
        ),
        Exchange("bybit", "BTC/USDT", options={"fetchMarkets": {"types": ["spot", "linear"]}}),
    )
}
"""Every exchange that ``TOCSIN_EXCHANGES`` may name."""
