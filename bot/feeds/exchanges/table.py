"""The exchanges that can be watched, and how they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["spot", "swap"]
"""What is traded: the thing itself, or the perpetual contract on it."""

_MINUTES: Mapping[int, str] = {60: "1m", 300: "5m", 900: "15m", 1800: "30m"}
_SPANS: Mapping[int, str] = {**_MINUTES, 3600: "1h", 14_400: "4h", 86_400: "1d"}


@dataclass(frozen=True, slots=True)
class Costs:
    """What questions cost, in the unit in which an exchange counts them, and how much a minute allows.

    ``prices`` is all last prices of a kind; ``days`` the same with the extremes of the last 24 hours, or
    ``None`` where they do not come in bulk. ``candles`` are pairs of most rows and what an answer of so many
    costs; ``old_candles`` is what one costs beyond the last day, where that is another address.
    """

    a_minute: float
    prices: float
    days: float | None
    candles: tuple[tuple[int, float], ...]
    old_candles: float | None = None

    def of_candles(self, rows: int, is_old: bool = False) -> float:
        """Give what one answer of at most so many candles costs."""
        if is_old and self.old_candles is not None:
            return self.old_candles
        return next((cost for most, cost in self.candles if rows <= most), self.candles[-1][1])


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked in bulk: ccxt's name for the address, and the parameters of the exchange."""

    call: str
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exchange:
    """How one exchange differs from the others, in what its public endpoints offer without a key.

    ``sentinel`` is a symbol that is always listed: a list of markets without it is no list. ``options`` go to
    ccxt and keep it from asking for what is not watched (options, coin-margined contracts). Dated futures are
    asked for where there are any: their premium is watched, though not their price.
    ``prices`` asks for all last prices of a kind at once, and ``days`` for those with the extremes of a day
    where that is another question.
    ``rows`` is how many candles one call may bring, ``old_rows`` the same beyond the last day;
    ``gives_newest`` says that these are its newest candles whatever is asked, and that no older ones are to
    be had. ``is_sparse`` says that a minute without a trade has no candle there, so that an answer without
    any may be true. ``has_history_type`` is OKX's second address for candles beyond its last 1,440.
    ``spans`` are the lengths of candles that are asked for, in seconds, and ccxt's names for them; all of
    them open on whole multiples of their length in UTC. Weeks are joined from days, because not all exchanges
    begin them on Monday. ``costs`` are by kind; kinds whose costs are equal share one allowance.
    """

    name: str
    sentinel: str
    costs: Mapping[Kind, Costs]
    prices: Mapping[Kind, Question]
    days: Mapping[Kind, Question] | None = None
    rows: int = 1000
    old_rows: int = 1000
    gives_newest: bool = False
    is_sparse: bool = False
    has_history_type: bool = False
    options: Mapping[str, object] = field(default_factory=dict)
    spans: Mapping[int, str] = field(default_factory=lambda: _SPANS)


def _same(costs: Costs) -> Mapping[Kind, Costs]:
    return {"spot": costs, "swap": costs}


# developers.binance.com, "Market data endpoints" of spot and of USD-M futures: request weights, by IP.
_BINANCE: Mapping[Kind, Costs] = {
    "spot": Costs(6000, prices=4, days=80, candles=((1000, 2),)),
    "swap": Costs(2400, prices=2, days=40, candles=((99, 1), (499, 2), (1000, 5))),
}
# docs.kraken.com, "Spot REST rate limits": about one public request a second; ccxt counts candles as 1.2.
_KRAKEN = _same(Costs(60, prices=1, days=1, candles=((720, 1.2),)))
# www.okx.com/docs-v5, "Market data": in 2 seconds 20 of tickers, 40 of candles, 20 of older candles; ccxt
# keeps a tenth below.
_OKX = _same(Costs(545, prices=1, days=1, candles=((300, 0.5),), old_candles=1))
# docs.cdp.coinbase.com, "Advanced Trade REST API rate limits": 10 public requests a second.
_COINBASE = _same(Costs(590, prices=1, days=None, candles=((300, 1),)))
# bybit-exchange.github.io/docs/v5/rate-limit: 600 requests in 5 seconds; ccxt keeps to 10 a second.
_BYBIT = _same(Costs(600, prices=1, days=1, candles=((1000, 1),)))

FEEDS: Mapping[str, Exchange] = {
    exchange.name: exchange
    for exchange in (
        Exchange(
            "binance",
            "BTC/USDT",
            _BINANCE,
            {"spot": Question("publicGetTickerPrice"), "swap": Question("fapiPublicV2GetTickerPrice")},
            days={"spot": Question("publicGetTicker24hr"), "swap": Question("fapiPublicGetTicker24hr")},
            options={"fetchMarkets": {"types": ["spot", "linear"]}},
        ),
        Exchange(
            "kraken",
            "BTC/USD",
            _KRAKEN,
            {"spot": Question("publicGetTicker")},
            rows=720,
            old_rows=720,
            gives_newest=True,
        ),
        Exchange(
            "okx",
            "BTC/USDT",
            _OKX,
            {
                "spot": Question("publicGetMarketTickers", {"instType": "SPOT"}),
                "swap": Question("publicGetMarketTickers", {"instType": "SWAP"}),
            },
            rows=300,
            old_rows=100,
            has_history_type=True,
            options={"fetchMarkets": {"types": ["spot", "swap", "future"]}},
        ),
        Exchange(
            "coinbase",
            "BTC/USD",
            _COINBASE,
            {
                "spot": Question("v3PublicGetBrokerageMarketProducts", {"product_type": "SPOT"}),
                "swap": Question("v3PublicGetBrokerageMarketProducts", {"product_type": "FUTURE"}),
            },
            rows=300,
            old_rows=300,
            is_sparse=True,
            spans={**_MINUTES, 3600: "1h", 21_600: "6h", 86_400: "1d"},
        ),
        Exchange(
            "bybit",
            "BTC/USDT",
            _BYBIT,
            {
                "spot": Question("publicGetV5MarketTickers", {"category": "spot"}),
                "swap": Question("publicGetV5MarketTickers", {"category": "linear"}),
            },
            options={"fetchMarkets": {"types": ["spot", "linear"]}},
        ),
    )
}
"""Every exchange that ``TOCSIN_EXCHANGES`` may name."""
