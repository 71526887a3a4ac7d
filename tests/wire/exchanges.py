"""Exchanges on loopback, for the unmodified ccxt: Kraken, OKX, Coinbase and Bybit beside the demo's Binance.

All show the same path of trades, each in the shapes, limits, orders and errors that its public documentation
gives; ``Weather`` spoils their answers in the ways that real exchanges do.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar
from zlib import crc32

from aiohttp import web

from bot.demo.exchange import BinanceExchange, LoopbackExchange, Path
from bot.metrics import MINUTE, Bar, minute_of, opening_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SECONDS = (0.5, 17.0, 38.0, 59.0)
_WORDS = tuple(str(second).encode() for second in _SECONDS)
_BLOCK = 3600
_DAY = 86_400


def _usual(symbol: str, minute: int) -> list[tuple[float, float]]:
    begun = crc32(f"{symbol}/{minute}/".encode())  # what all begin with is summed once: months are asked for
    return [
        (minute + second, 100_000 + crc32(word, begun) % 40_000 / 100)
        for second, word in zip(_SECONDS, _WORDS, strict=True)
    ]


@lru_cache(maxsize=200_000)
def _extremes(symbol: str, minute: int) -> tuple[float, float]:
    prices = [price for _, price in _usual(symbol, minute)]
    return min(prices), max(prices)


@lru_cache(maxsize=20_000)
def _over(symbol: str, first: int, last: int, quiet: frozenset[int]) -> tuple[tuple[float, float], ...]:
    """Give the extremes of the minutes in ``[first, last)`` but the quiet ones; of none, nothing."""
    if last - first > _BLOCK:
        edges = [first, *range(opening_of(first, _BLOCK) + _BLOCK, last, _BLOCK), last]
        found = [
            one
            for start, stop in pairwise(edges)
            for one in _over(symbol, start, stop, frozenset(at for at in quiet if start <= at < stop))
        ]
    else:
        minutes = (minute for minute in range(first, last, MINUTE) if minute not in quiet)
        found = [_extremes(symbol, minute) for minute in minutes]
    return ((min(low for low, _ in found), max(high for _, high in found)),) if found else ()


def _day_of(path: Path, symbol: str, now: float) -> tuple[str, str]:
    """Give the extremes of a day as an exchange writes them."""
    low, high = path.day(symbol, now) if isinstance(path, Trades) else (path.price(symbol, now),) * 2
    return f"{low:.2f}", f"{high:.2f}"


class Trades:
    """A market in which four trades a minute happen, at prices that only depend on symbol and minute.

    ``quiet`` minutes have no trade; ``touches`` put one more price into a minute, at its 25th second.
    """

    def __init__(self) -> None:
        self.quiet: set[int] = set()
        self.touches: dict[int, float] = {}

    def of(self, symbol: str, minute: int) -> list[tuple[float, float]]:
        """Give the (instant, price) of every trade of a minute."""
        if minute in self.quiet:
            return []
        trades = _usual(symbol, minute)
        if minute in self.touches:
            trades = sorted([*trades, (minute + 25.0, self.touches[minute])])
        return trades

    def day(self, symbol: str, now: float) -> tuple[float, float]:
        """Give the lowest and the highest price of the 24 hours before an instant."""
        first, last = minute_of(now - _DAY) + MINUTE, minute_of(now)
        whole = _over(symbol, first, last, frozenset(at for at in self.quiet if first <= at < last))
        edge = [(price, price) for at, price in self.of(symbol, last) if at <= now]
        touched = [(price, price) for minute, price in self.touches.items() if first <= minute < last]
        found = [*whole, *edge, *touched] or [(self.price(symbol, now),) * 2]
        return min(low for low, _ in found), max(high for _, high in found)

    def price(self, symbol: str, at: float) -> float:
        """Give the price of the last trade at or before an instant."""
        minute = minute_of(at)
        while True:
            before = [price for traded, price in self.of(symbol, minute) if traded <= at]
            if before:
                return before[-1]
            minute -= MINUTE

    def bar(self, symbol: str, minute: int, until: float) -> Bar | None:
        """Give the candle of what was traded in a minute before an instant."""
        prices = [price for traded, price in self.of(symbol, minute) if traded < until]
        if not prices:
            return None
        return Bar(minute, prices[0], max(prices), min(prices), prices[-1], float(len(prices)))

    def final(self, symbol: str, start: int, stop: int) -> tuple[Bar, ...]:
        """Give the minutes of ``[start, stop)`` as they ought to arrive: without a hole."""
        bars = []
        for minute in range(start, stop, MINUTE):
            price = self.price(symbol, minute)
            bar = self.bar(symbol, minute, minute + MINUTE)
            bars.append(bar or Bar(minute, price, price, price, price))
        return tuple(bars)


class Elsewhere(Trades):
    """The same market on another exchange, where everything costs ``factor`` times as much."""

    def __init__(self, trades: Trades, factor: float) -> None:
        super().__init__()
        self._trades = trades
        self.factor = factor

    def of(self, symbol: str, minute: int) -> list[tuple[float, float]]:
        """Give the (instant, price) of every trade of a minute."""
        return [(at, round(price * self.factor, 2)) for at, price in self._trades.of(symbol, minute)]

    def day(self, symbol: str, now: float) -> tuple[float, float]:
        """Give the lowest and the highest price of the 24 hours before an instant."""
        low, high = self._trades.day(symbol, now)
        return round(low * self.factor, 2), round(high * self.factor, 2)


class Weather:
    """A middleware that spoils answers while one of its troubles is set, and notes what was asked.

    ``trouble`` takes the request and the real handler. ``only`` limits it to paths that contain a text.
    """

    def __init__(self) -> None:
        self.trouble: Callable[[web.Request, Handler], Awaitable[web.StreamResponse]] | None = None
        self.only = ""
        self.asked: list[str] = []
        self.at_once = 0
        self.most_at_once = 0

    def clear(self) -> None:
        """Let the sun shine."""
        self.trouble, self.only = None, ""

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.asked.append(request.path)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.trouble is not None and self.only in request.path:
                return await self.trouble(request, handler)
            return await handler(request)
        finally:
            self.at_once -= 1


def middleware_of(weather: Weather) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Make weather into what aiohttp takes."""

    @web.middleware
    async def spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await weather(request, handler)

    return spoil


def status(
    code: int, body: str = "{}", **headers: str
) -> Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]:
    """Answer everything with a status; underscores in header names become hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(_: web.Request, __: Handler) -> web.StreamResponse:
        return web.Response(status=code, text=body, headers=named, content_type="application/json")

    return answer


async def web_page(_: web.Request, __: Handler) -> web.StreamResponse:
    """Answer 200 with a page, as a maintenance or a captive portal does."""
    return web.Response(text="<html><body>We will be back soon</body></html>", content_type="text/html")


async def empty_body(_: web.Request, __: Handler) -> web.StreamResponse:
    """Answer 200 with nothing."""
    return web.Response(body=b"", content_type="application/json")


async def empty_object(_: web.Request, __: Handler) -> web.StreamResponse:
    """Answer 200 with an object that says nothing."""
    return web.Response(text="{}", content_type="application/json")


async def half_an_answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Cut the real answer in the middle, and pretend that this was all of it."""
    whole = await handler(request)
    assert isinstance(whole, web.Response)
    assert whole.text is not None
    return web.Response(text=whole.text[: len(whole.text) // 2], content_type="application/json")


async def hang(_: web.Request, __: Handler) -> web.StreamResponse:
    """Take the question and never answer."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def reset(request: web.Request, _: Handler) -> web.StreamResponse:
    """Break the connection."""
    assert request.transport is not None
    request.transport.abort()
    await asyncio.sleep(0)
    return web.Response()


def slowly(seconds: float) -> Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]:
    """Answer truly, after a while."""

    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await handler(request)

    return answer


class Gate:
    """A trouble that holds answers back until it is opened."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.reached.set()
        await self.opened.wait()
        return await handler(request)


def rewritten(
    change: Callable[[object], object],
) -> Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]:
    """Change what the real answer says."""

    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        whole = await handler(request)
        assert isinstance(whole, web.Response)
        assert whole.text is not None
        return web.json_response(change(json.loads(whole.text)))

    return answer


def _base_quote(symbol: str) -> tuple[str, str, str]:
    pair, _, settle = symbol.upper().partition(":")
    base, quote = pair.split("/")
    return base, quote, settle


class KrakenExchange(LoopbackExchange):
    """Kraken: its own names for assets, newest 720 candles whatever is asked, the unfinished one last."""

    most: ClassVar[int] = 720
    spans: ClassVar[Mapping[str, int]] = {
        str(minutes): minutes * MINUTE for minutes in (1, 5, 15, 30, 60, 240, 1440)
    }
    _assets: ClassVar[dict[str, str]] = {
        "BTC": "XXBT",
        "ETH": "XETH",
        "ZEC": "XZEC",
        "USD": "ZUSD",
        "EUR": "ZEUR",
    }

    def routes(self) -> list[web.RouteDef]:
        root = "/api.kraken.com/0/public"
        return [
            web.get(f"{root}/Time", self._time),
            web.get(f"{root}/AssetPairs", self._pairs),
            web.get(f"{root}/Ticker", self._ticker),
            web.get(f"{root}/OHLC", self._ohlc),
            web.get(f"{root}/Depth", self._depth),
        ]

    def id_of(self, symbol: str) -> str:
        base, quote, _ = _base_quote(symbol)
        if base in self._assets and quote in self._assets:
            return self._assets[base] + self._assets[quote]
        return self._altname(symbol)

    def _altname(self, symbol: str) -> str:
        base, quote, _ = _base_quote(symbol)
        return base.replace("BTC", "XBT") + quote

    async def _time(self, _: web.Request) -> web.Response:
        return _kraken({"unixtime": int(self.now()), "rfc1123": "Wed, 12 Nov 25 12:00:00 +0000"})

    async def _pairs(self, _: web.Request) -> web.Response:
        pairs = {}
        for symbol in self.spot():
            base, quote, _settle = _base_quote(symbol)
            pairs[self.id_of(symbol)] = {
                "altname": self._altname(symbol),
                "wsname": f"{base.replace('BTC', 'XBT')}/{quote}",
                "aclass_base": "currency",
                "base": self._assets.get(base, base),
                "aclass_quote": "currency",
                "quote": self._assets.get(quote, quote),
                "lot": "unit",
                "cost_decimals": 5,
                "pair_decimals": 1,
                "lot_decimals": 8,
                "lot_multiplier": 1,
                "leverage_buy": [2, 3],
                "leverage_sell": [2, 3],
                "fees": [[0, 0.4], [10000, 0.35]],
                "fees_maker": [[0, 0.25], [10000, 0.2]],
                "fee_volume_currency": "ZUSD",
                "margin_call": 80,
                "margin_stop": 40,
                "ordermin": "0.00005",
                "costmin": "0.5",
                "tick_size": "0.1",
                "status": "online",
            }
        return _kraken(pairs)

    async def _ticker(self, request: web.Request) -> web.Response:
        now = self.now()
        asked = request.query.get("pair", "")
        result = {}
        for symbol in self.spot():
            if asked and self.id_of(symbol) not in asked.split(","):
                continue
            price = f"{self.path.price(symbol, now):.2f}"
            low, high = _day_of(self.path, symbol, now)
            result[self.id_of(symbol)] = {
                "a": [price, "1", "1.000"],
                "b": [price, "1", "1.000"],
                "c": [price, "0.00100000"],
                "v": ["1000.0", "2000.0"],
                "p": [price, price],
                "t": [1000, 2000],
                "l": [low, low],
                "h": [high, high],
                "o": price,
            }
        return _kraken(result)

    def _named(self, request: web.Request) -> list[str]:
        asked = request.query["pair"]
        return [symbol for symbol in self.spot() if asked in {self.id_of(symbol), self._altname(symbol)}]

    async def _depth(self, request: web.Request) -> web.Response:
        found = self._named(request)
        if not found:
            return web.json_response({"error": ["EQuery:Unknown asset pair"]})
        bids, asks = (
            [[f"{price:.5f}", "1.000", int(self.now())] for price in side]
            for side in self.book(found[0], min(int(request.query.get("count", "100")), 500))
        )
        return _kraken({self.id_of(found[0]): {"asks": asks, "bids": bids}})

    async def _ohlc(self, request: web.Request) -> web.Response:
        found = self._named(request)
        if not found:
            return web.json_response({"error": ["EQuery:Unknown asset pair"]})
        span = self.spans.get(request.query.get("interval", "1"))
        if span is None:
            return web.json_response({"error": ["EGeneral:Invalid arguments"]})
        now = self.now()
        since = int(request.query.get("since", "0"))
        start = opening_of(now, span) - (self.most - 1) * span
        bars = self.bars(found[0], max(start, min(since + 1, int(now) - 3 * span)), now, span)
        rows = [
            [
                bar.at,
                *(f"{one:.2f}" for one in (bar.open, bar.high, bar.low, bar.close, bar.close)),
                f"{bar.volume:.8f}",
                int(bar.volume),
            ]
            for bar in bars
            if bar.at > since or bar is bars[-1]
        ]
        last = bars[-2].at if len(bars) > 1 else 0
        return _kraken({self.id_of(found[0]): rows, "last": last})


def _kraken(result: object) -> web.Response:
    return web.json_response({"error": [], "result": result})


class OkxExchange(LoopbackExchange):
    """OKX: newest first, 1,440 candles at one address with 300 a call, the older ones at another with 100.

    Its days begin at 16:00 UTC, but for those that are asked for by another name.
    """

    spans: ClassVar[Mapping[str, int]] = {
        "1m": 60,
        "5m": 300,
        "15m": 900,
        "30m": 1800,
        "1H": 3600,
        "4H": 14_400,
        "1Dutc": 86_400,
    }

    def routes(self) -> list[web.RouteDef]:
        root = "/www.okx.com/api/v5"
        return [
            web.get(f"{root}/public/time", self._time),
            web.get(f"{root}/public/instruments", self._instruments),
            web.get(f"{root}/market/tickers", self._tickers),
            web.get(f"{root}/market/candles", self._recent),
            web.get(f"{root}/market/history-candles", self._old),
            web.get(f"{root}/market/books", self._books),
        ]

    @staticmethod
    def id_of(symbol: str) -> str:
        base, quote, settle = _base_quote(symbol)
        return f"{base}-{quote}-SWAP" if settle else f"{base}-{quote}"

    def _of_type(self, request: web.Request) -> list[str]:
        return {"SPOT": self.spot(), "SWAP": self.swaps()}.get(request.query.get("instType", ""), [])

    async def _time(self, _: web.Request) -> web.Response:
        return _okx([{"ts": str(int(self.now() * 1000))}])

    async def _instruments(self, request: web.Request) -> web.Response:
        rows = []
        for symbol in self._of_type(request):
            base, quote, settle = _base_quote(symbol)
            rows.append(
                {
                    "alias": "",
                    "baseCcy": "" if settle else base,
                    "category": "1",
                    "ctMult": "1" if settle else "",
                    "ctType": "linear" if settle else "",
                    "ctVal": "0.01" if settle else "",
                    "ctValCcy": base if settle else "",
                    "expTime": "",
                    "instFamily": f"{base}-{quote}" if settle else "",
                    "instId": self.id_of(symbol),
                    "instType": "SWAP" if settle else "SPOT",
                    "lever": "100" if settle else "10",
                    "listTime": "1548133413000",
                    "lotSz": "0.00000001",
                    "minSz": "0.00001",
                    "optType": "",
                    "quoteCcy": "" if settle else quote,
                    "settleCcy": settle,
                    "state": "live",
                    "stk": "",
                    "tickSz": "0.1",
                    "uly": f"{base}-{quote}" if settle else "",
                }
            )
        return _okx(rows)

    async def _tickers(self, request: web.Request) -> web.Response:
        now = self.now()
        rows = []
        for symbol in self._of_type(request):
            price = f"{self.path.price(symbol, now):.2f}"
            low, high = _day_of(self.path, symbol, now)
            rows.append(
                {
                    "instType": request.query["instType"],
                    "instId": self.id_of(symbol),
                    "last": price,
                    "lastSz": "0.01",
                    "askPx": price,
                    "askSz": "1",
                    "bidPx": price,
                    "bidSz": "1",
                    "open24h": price,
                    "high24h": high,
                    "low24h": low,
                    "volCcy24h": "1000",
                    "vol24h": "1000",
                    "ts": str(int(now * 1000)),
                    "sodUtc0": price,
                    "sodUtc8": price,
                }
            )
        return _okx(rows)

    async def _books(self, request: web.Request) -> web.Response:
        found = [symbol for symbol in self.symbols if self.id_of(symbol) == request.query.get("instId")]
        if not found:
            return _okx_stranger()
        bids, asks = (
            [[f"{price:.4f}", "1", "0", "1"] for price in side]
            for side in self.book(found[0], min(int(request.query.get("sz", "1")), 400))
        )
        stamp = int(self.now() * 1000)
        return _okx([{"asks": asks, "bids": bids, "ts": str(stamp), "seqId": stamp}])

    async def _recent(self, request: web.Request) -> web.Response:
        return self._candles(request, 1440, 300)

    async def _old(self, request: web.Request) -> web.Response:
        return self._candles(request, None, 100)

    def _candles(self, request: web.Request, kept: int | None, most: int) -> web.Response:
        found = [symbol for symbol in self.symbols if self.id_of(symbol) == request.query.get("instId")]
        if not found:
            return _okx_stranger()
        span = self.spans.get(request.query.get("bar", "1m"))
        if span is None:
            return web.json_response({"code": "51000", "msg": "Parameter bar error", "data": []})
        limit = min(int(request.query.get("limit", "100")), most)
        after = int(request.query.get("after", int(self.now() * 1000) + 1))
        before = int(request.query.get("before", after - (limit * span + span) * 1000))
        oldest = opening_of(self.now(), span) - (kept - 1) * span if kept else 0
        start = max(oldest, before // 1000 + 1)
        bars = [
            bar for bar in self.bars(found[0], start, after / 1000, span) if before < bar.at * 1000 < after
        ]
        is_swap = ":" in found[0]
        rows = []
        for bar in reversed(bars[-limit:]):
            volume = f"{bar.volume:.8f}"
            contracts = f"{bar.volume * 100:.4f}" if is_swap else volume
            worth = f"{bar.volume * bar.close:.4f}"
            prices = [f"{one:.2f}" for one in (bar.open, bar.high, bar.low, bar.close)]
            is_done = "1" if bar.end <= self.now() else "0"
            second = volume if is_swap else worth
            rows.append([str(bar.at * 1000), *prices, contracts, second, worth, is_done])
        return _okx(rows)


def _okx(data: Sequence[object]) -> web.Response:
    return web.json_response({"code": "0", "msg": "", "data": data})


def _okx_stranger() -> web.Response:
    return web.json_response({"code": "51001", "msg": "Instrument ID doesn't exist.", "data": []})


class CoinbaseExchange(LoopbackExchange):
    """Coinbase: whole seconds, candles as objects newest first, and none for a minute without a trade."""

    fills_quiet_minutes = False
    most: ClassVar[int] = 350
    spans: ClassVar[Mapping[str, int]] = {
        "ONE_MINUTE": 60,
        "FIVE_MINUTE": 300,
        "FIFTEEN_MINUTE": 900,
        "THIRTY_MINUTE": 1800,
        "ONE_HOUR": 3600,
        "SIX_HOUR": 21_600,
        "ONE_DAY": 86_400,
    }

    def routes(self) -> list[web.RouteDef]:
        market = "/api.coinbase.com/api/v3/brokerage/market"
        return [
            web.get("/api.coinbase.com/v2/time", self._time),
            web.get(f"{market}/products", self._products),
            web.get(market + "/products/{product_id}/candles", self._candles),
            web.get(f"{market}/product_book", self._book),
        ]

    @staticmethod
    def id_of(symbol: str) -> str:
        base, quote, _ = _base_quote(symbol)
        return f"{base}-{quote}"

    async def _time(self, _: web.Request) -> web.Response:
        return web.json_response({"data": {"iso": "2025-11-12T12:00:00Z", "epoch": int(self.now())}})

    async def _products(self, request: web.Request) -> web.Response:
        now = self.now()
        products = []
        for symbol in self.spot() if request.query.get("product_type", "SPOT") == "SPOT" else []:
            base, quote, _settle = _base_quote(symbol)
            products.append(
                {
                    "product_id": self.id_of(symbol),
                    "price": f"{self.path.price(symbol, now):.2f}",
                    "price_percentage_change_24h": "1.0",
                    "volume_24h": "1000",
                    "volume_percentage_change_24h": "1.0",
                    "base_increment": "0.00000001",
                    "quote_increment": "0.01",
                    "quote_min_size": "1",
                    "quote_max_size": "150000000",
                    "base_min_size": "0.00000001",
                    "base_max_size": "3400",
                    "base_name": base,
                    "quote_name": quote,
                    "watched": False,
                    "is_disabled": False,
                    "new": False,
                    "status": "online",
                    "cancel_only": False,
                    "limit_only": False,
                    "post_only": False,
                    "trading_disabled": False,
                    "auction_mode": False,
                    "product_type": "SPOT",
                    "quote_currency_id": quote,
                    "base_currency_id": base,
                    "fcm_trading_session_details": None,
                    "mid_market_price": "",
                    "alias": "",
                    "alias_to": [],
                    "base_display_symbol": base,
                    "quote_display_symbol": quote,
                    "view_only": False,
                    "price_increment": "0.01",
                    "display_name": self.id_of(symbol),
                    "product_venue": "CBE",
                }
            )
        return web.json_response({"products": products, "num_products": len(products)})

    async def _book(self, request: web.Request) -> web.Response:
        asked = request.query.get("product_id")
        found = [symbol for symbol in self.spot() if self.id_of(symbol) == asked]
        if not found:
            return _coinbase_error(404, "NOT_FOUND", "valid product_id is required")
        bids, asks = (
            [{"price": f"{price:.4f}", "size": "1"} for price in side]
            for side in self.book(found[0], int(request.query.get("limit", "50")))
        )
        book = {"product_id": asked, "bids": bids, "asks": asks, "time": "2025-11-12T12:00:00.000000Z"}
        middle = (float(bids[0]["price"]) + float(asks[0]["price"])) / 2
        return web.json_response({"pricebook": book, "last": f"{middle:.4f}", "mid_market": f"{middle:.4f}"})

    async def _candles(self, request: web.Request) -> web.Response:
        found = [symbol for symbol in self.spot() if self.id_of(symbol) == request.match_info["product_id"]]
        if not found:
            return _coinbase_error(404, "NOT_FOUND", "valid product_id is required")
        span = self.spans.get(request.query.get("granularity", ""))
        if span is None:
            return _coinbase_error(400, "INVALID_ARGUMENT", "unsupported granularity")
        start, end = int(request.query["start"]), int(request.query["end"])
        if (end - start) // span >= self.most:
            return _coinbase_error(
                400, "INVALID_ARGUMENT", "number of candles requested should be less than 350"
            )
        candles = [
            {
                "start": str(bar.at),
                "low": f"{bar.low:.2f}",
                "high": f"{bar.high:.2f}",
                "open": f"{bar.open:.2f}",
                "close": f"{bar.close:.2f}",
                "volume": f"{bar.volume:.8f}",
            }
            for bar in self.bars(found[0], start, end + 1, span)
        ]
        return web.json_response({"candles": candles[::-1]})


def _coinbase_error(status: int, error: str, message: str) -> web.Response:
    body = {"error": error, "error_details": message, "message": message}
    return web.json_response(body, status=status)


class BybitExchange(LoopbackExchange):
    """Bybit: one id for spot and perpetual, told apart by a category; candles newest first."""

    spans: ClassVar[Mapping[str, int]] = {
        "1": 60,
        "5": 300,
        "15": 900,
        "30": 1800,
        "60": 3600,
        "240": 14_400,
        "D": 86_400,
    }

    def routes(self) -> list[web.RouteDef]:
        root = "/api.bybit.com/v5/market"
        return [
            web.get(f"{root}/time", self._time),
            web.get(f"{root}/instruments-info", self._instruments),
            web.get(f"{root}/tickers", self._tickers),
            web.get(f"{root}/kline", self._kline),
            web.get(f"{root}/orderbook", self._orderbook),
        ]

    @staticmethod
    def id_of(symbol: str) -> str:
        base, quote, _ = _base_quote(symbol)
        return base + quote

    def _of_category(self, request: web.Request) -> list[str]:
        return {"spot": self.spot(), "linear": self.swaps()}.get(request.query.get("category", "linear"), [])

    def _answer(self, result: object, code: int = 0, message: str = "OK") -> web.Response:
        body = {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}}
        return web.json_response(body | {"time": int(self.now() * 1000)})

    async def _time(self, _: web.Request) -> web.Response:
        now = self.now()
        return self._answer({"timeSecond": str(int(now)), "timeNano": str(int(now * 1e9))})

    async def _instruments(self, request: web.Request) -> web.Response:
        rows: list[dict[str, object]] = []
        asked = [] if request.query.get("status") == "PreLaunch" else self._of_category(request)
        for symbol in asked:
            base, quote, settle = _base_quote(symbol)
            row: dict[str, object] = {
                "symbol": self.id_of(symbol),
                "baseCoin": base,
                "quoteCoin": quote,
                "status": "Trading",
                "priceFilter": {"tickSize": "0.01"},
            }
            if settle:
                row |= {
                    "contractType": "LinearPerpetual",
                    "launchTime": "1585526400000",
                    "deliveryTime": "0",
                    "settleCoin": settle,
                    "lotSizeFilter": {"minOrderQty": "0.001", "maxOrderQty": "100.0", "qtyStep": "0.001"},
                    "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
                    "fundingInterval": 480,
                }
            else:
                row |= {
                    "innovation": "0",
                    "marginTrading": "both",
                    "lotSizeFilter": {"basePrecision": "0.000001", "quotePrecision": "0.00000001"},
                }
            rows.append(row)
        return self._answer({"category": request.query.get("category"), "list": rows, "nextPageCursor": ""})

    async def _tickers(self, request: web.Request) -> web.Response:
        now = self.now()
        rows = []
        for symbol in self._of_category(request):
            price = f"{self.path.price(symbol, now):.2f}"
            low, high = _day_of(self.path, symbol, now)
            row = {
                "symbol": self.id_of(symbol),
                "lastPrice": price,
                "bid1Price": price,
                "bid1Size": "1",
                "ask1Price": price,
                "ask1Size": "1",
                "prevPrice24h": price,
                "price24hPcnt": "0.01",
                "highPrice24h": high,
                "lowPrice24h": low,
                "turnover24h": "100000000",
                "volume24h": "1000",
            }
            if ":" in symbol:
                row |= {"openInterest": "1000", "openInterestValue": "100000000", "fundingRate": "0.0001"}
            rows.append(row)
        return self._answer({"category": request.query.get("category"), "list": rows})

    async def _orderbook(self, request: web.Request) -> web.Response:
        asked = request.query.get("symbol")
        found = [symbol for symbol in self._of_category(request) if self.id_of(symbol) == asked]
        if not found:
            return self._answer({}, 10001, "params error: Symbol Is Invalid")
        bids, asks = (
            [[f"{price:.4f}", "1"] for price in side]
            for side in self.book(found[0], int(request.query.get("limit", "1")))
        )
        stamp = int(self.now() * 1000)
        return self._answer(
            {"s": asked, "b": bids, "a": asks, "ts": stamp, "u": stamp, "seq": stamp, "cts": stamp}
        )

    async def _kline(self, request: web.Request) -> web.Response:
        asked = request.query.get("symbol")
        found = [symbol for symbol in self._of_category(request) if self.id_of(symbol) == asked]
        span = self.spans.get(request.query.get("interval", ""))
        if not found or span is None:
            return self._answer({}, 10001, "params error: Symbol Is Invalid")
        limit = min(int(request.query.get("limit", "200")), 1000)
        start = int(request.query.get("start", "0")) / 1000
        end = int(request.query.get("end", int(self.now() * 1000))) / 1000
        start = max(start, end - 2 * limit * span) if "end" in request.query else start
        bars = self.bars(found[0], int(start), min(end + 0.001, start + 2 * limit * span), span)
        kept = bars[-limit:] if "end" in request.query else bars[:limit]
        rows = [
            [
                str(bar.at * 1000),
                *(f"{one:.2f}" for one in (bar.open, bar.high, bar.low, bar.close)),
                f"{bar.volume:.6f}",
                f"{bar.volume * bar.close:.6f}",
            ]
            for bar in reversed(kept)
        ]
        return self._answer({"category": request.query.get("category"), "symbol": asked, "list": rows})


class Gateway(LoopbackExchange):
    """Several exchanges behind one root, each with its own weather."""

    def __init__(self, behind: Sequence[tuple[LoopbackExchange, Weather]]) -> None:
        first, _ = behind[0]
        super().__init__(first.path, first.symbols, first.now)
        self._behind = behind

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(route.path, _under(weather, route.handler))
            for exchange, weather in self._behind
            for route in exchange.routes()
        ]


def _under(weather: Weather, handler: Handler) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await weather(request, handler)

    return answer


EXCHANGES: dict[str, type[LoopbackExchange]] = {
    "binance": BinanceExchange,
    "kraken": KrakenExchange,
    "okx": OkxExchange,
    "coinbase": CoinbaseExchange,
    "bybit": BybitExchange,
}
