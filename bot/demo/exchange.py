"""An exchange on loopback that speaks Binance's public wire format over a path of prices.

Only what a reader of prices asks is there: markets, last prices, candles, order books, the time. The shapes
and error bodies are those of Binance's public documentation; what is not documented there is not promised
here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import ClassVar, Protocol, Self

from aiohttp import web

from bot.metrics import MINUTE, Bar, minute_of, opening_of, point

_DAY = 86400


class Path(Protocol):
    """The prices that an exchange shows; symbols are unified names in lower case, ``btc/usdt``."""

    def price(self, symbol: str, at: float) -> float:
        """Give the last price at an instant."""

    def bar(self, symbol: str, minute: int, until: float) -> Bar | None:
        """Give the candle of a minute by what was traded in it before ``until``; ``None`` for nothing."""


class LoopbackExchange:
    """A server on a free loopback port that answers ``ROOT/HOST/path`` as the exchange at HOST would.

    Subclasses give the routes. ``now`` is the exchange's clock, ``opened_at`` the instant before which it has
    no candles. ``middlewares`` may spoil answers. ``beside`` are addresses of others at the
    same root, as at a gateway.
    """

    fills_quiet_minutes: ClassVar[bool] = True
    """Whether a past minute without a trade has a candle at the price before it, as on most exchanges."""

    spans: ClassVar[Mapping[str, int]] = {
        "1m": 60,
        "5m": 300,
        "15m": 900,
        "30m": 1800,
        "1h": 3600,
        "4h": 14_400,
        "1d": 86_400,
    }
    """The lengths of candles, in seconds, by the exchange's names for them."""

    def __init__(
        self,
        path: Path,
        symbols: Sequence[str],
        now: Callable[[], float],
        middlewares: Iterable[Callable[..., object]] = (),
        opened_at: float = 0.0,
        *,
        beside: Iterable[web.RouteDef] = (),
    ) -> None:
        self.path = path
        self.opened_at = opened_at
        self.symbols = list(symbols)
        self.now = now
        self.root = ""
        self._middlewares = tuple(middlewares)
        self._beside = tuple(beside)
        self._over: dict[tuple[str, int, int], Bar | None] = {}
        self._runner: web.AppRunner | None = None

    def routes(self) -> list[web.RouteDef]:
        """Give the addresses that are answered."""
        raise NotImplementedError

    async def start(self) -> str:
        """Begin to answer, and give the root that stands before ``/HOST/path``."""
        app = web.Application(middlewares=self._middlewares)  # type: ignore[arg-type]
        app.add_routes([*self.routes(), *self._beside])
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._runner = runner
        self.root = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return self.root

    async def close(self) -> None:
        """Stop answering."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def spot(self) -> list[str]:
        """Name the spot markets."""
        return [symbol for symbol in self.symbols if ":" not in symbol]

    def swaps(self) -> list[str]:
        """Name the perpetuals."""
        return [symbol for symbol in self.symbols if ":" in symbol]

    def bars(self, symbol: str, start: int, stop: float, span: int = MINUTE) -> list[Bar]:
        """Give the candles that open in ``[start, stop)``, the running one as far as it has come."""
        now = self.now()
        first, last = max(start, minute_of(self.opened_at)), min(stop, opening_of(now, span) + span)
        openings = range(-(-first // span) * span, int(-(-last // span) * span), span)
        return [bar for opening in openings if (bar := self._candle(symbol, opening, now, span)) is not None]

    def book(self, symbol: str, count: int) -> tuple[list[float], list[float]]:
        """Give the best ``count`` prices bid and asked, a basis point apart around the last price."""
        price = self.path.price(symbol, self.now())
        steps = [(place + 0.5) / 10_000 for place in range(count)]
        return [price * (1 - step) for step in steps], [price * (1 + step) for step in steps]

    def _candle(self, symbol: str, opening: int, now: float, span: int) -> Bar | None:
        if span == MINUTE:
            return self._bar(symbol, opening, now)
        if opening + span > now:
            return self._joined(symbol, opening, now, span)
        # A month of them is asked for again and again.
        key = (symbol, opening, span)
        if key not in self._over:
            self._over[key] = self._joined(symbol, opening, now, span)
        return self._over[key]

    def _joined(self, symbol: str, opening: int, now: float, span: int) -> Bar | None:
        minutes = range(opening, min(opening + span, minute_of(now) + MINUTE), MINUTE)
        parts = [bar for minute in minutes if (bar := self._bar(symbol, minute, now)) is not None]
        if not parts:
            return None
        high, low = max(part.high for part in parts), min(part.low for part in parts)
        volume = sum(part.volume for part in parts)
        return Bar(opening, parts[0].open, high, low, parts[-1].close, volume, span)

    def _bar(self, symbol: str, minute: int, now: float) -> Bar | None:
        bar = self.path.bar(symbol, minute, min(minute + MINUTE, now))
        if bar is None and self.fills_quiet_minutes and minute + MINUTE <= now:
            return point(self.path.price(symbol, minute), minute)
        return bar


class Refusal(Exception):
    """A request that Binance answers with HTTP 400 and a code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.body = {"code": code, "msg": message}


_INVALID_SYMBOL = (-1121, "Invalid symbol.")
_INVALID_INTERVAL = (-1120, "Invalid interval.")


class BinanceExchange(LoopbackExchange):
    """Binance: spot, the perpetuals in USDT, and no coin-margined contract at all."""

    def routes(self) -> list[web.RouteDef]:
        """Give the addresses of spot (api), linear (fapi) and coin-margined (dapi) contracts."""
        spot, linear, inverse = (
            "/api.binance.com/api/v3",
            "/fapi.binance.com/fapi",
            "/dapi.binance.com/dapi/v1",
        )
        answers: list[tuple[str, Callable[[web.Request], object]]] = [
            (f"{spot}/ping", lambda _: {}),
            (f"{spot}/time", self._time),
            (f"{spot}/exchangeInfo", lambda _: self._info([self._spot(one) for one in self.spot()])),
            (f"{spot}/ticker/price", lambda ask: self._prices(ask, self.spot(), is_timed=False)),
            (f"{spot}/ticker/24hr", lambda ask: self._days(ask, self.spot())),
            (f"{spot}/klines", lambda ask: self._klines(ask, self.spot(), 1000)),
            (f"{spot}/depth", lambda ask: self._depth(ask, self.spot(), is_timed=False)),
            (f"{linear}/v1/ping", lambda _: {}),
            (f"{linear}/v1/time", self._time),
            (f"{linear}/v1/exchangeInfo", lambda _: self._info([self._swap(one) for one in self.swaps()])),
            (f"{linear}/v2/ticker/price", lambda ask: self._prices(ask, self.swaps(), is_timed=True)),
            (f"{linear}/v1/ticker/24hr", lambda ask: self._days(ask, self.swaps())),
            (f"{linear}/v1/klines", lambda ask: self._klines(ask, self.swaps(), 1500)),
            (f"{linear}/v1/depth", lambda ask: self._depth(ask, self.swaps(), is_timed=True)),
            (f"{inverse}/time", self._time),
            (f"{inverse}/exchangeInfo", lambda _: self._info([])),
        ]
        return [web.get(path, _answering(answer)) for path, answer in answers]

    def _time(self, _: web.Request) -> object:
        return {"serverTime": int(self.now() * 1000)}

    def _info(self, markets: list[dict[str, object]]) -> object:
        return {
            "timezone": "UTC",
            "serverTime": int(self.now() * 1000),
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}
            ],
            "exchangeFilters": [],
            "symbols": markets,
        }

    def _spot(self, symbol: str) -> dict[str, object]:
        base, quote = symbol.upper().split("/")
        return {
            "symbol": base + quote,
            "status": "TRADING",
            "baseAsset": base,
            "baseAssetPrecision": 8,
            "quoteAsset": quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
            "icebergAllowed": True,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": [
                {
                    "filterType": "PRICE_FILTER",
                    "minPrice": "0.01",
                    "maxPrice": "1000000.00",
                    "tickSize": "0.01",
                },
                {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.00", "stepSize": "0.00001"},
            ],
            "permissions": ["SPOT"],
        }

    def _swap(self, symbol: str) -> dict[str, object]:
        pair, settle = symbol.upper().split(":")
        base, quote = pair.split("/")
        return {
            "symbol": base + quote,
            "pair": base + quote,
            "contractType": "PERPETUAL",
            "deliveryDate": 4133404800000,
            "onboardDate": 1569398400000,
            "status": "TRADING",
            "baseAsset": base,
            "quoteAsset": quote,
            "marginAsset": settle,
            "pricePrecision": 2,
            "quantityPrecision": 3,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
                {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
            ],
            "orderTypes": ["LIMIT", "MARKET"],
            "timeInForce": ["GTC", "IOC", "FOK"],
        }

    def _prices(self, ask: web.Request, symbols: list[str], is_timed: bool) -> object:
        now = self.now()
        rows: list[dict[str, object]] = []
        for symbol in _asked(ask, symbols):
            row: dict[str, object] = {"symbol": _id(symbol), "price": f"{self.path.price(symbol, now):.8f}"}
            rows.append(row | {"time": int(now * 1000)} if is_timed else row)
        return rows[0] if "symbol" in ask.query else rows

    def _days(self, ask: web.Request, symbols: list[str]) -> object:
        now = self.now()
        rows = [self._day(symbol, now) for symbol in _asked(ask, symbols)]
        return rows[0] if "symbol" in ask.query else rows

    def _day(self, symbol: str, now: float) -> dict[str, object]:
        bars = self.bars(symbol, int(now) - _DAY, now)
        last = self.path.price(symbol, now)
        opened = bars[0].open if bars else last
        volume = sum(bar.volume for bar in bars)
        worth = sum(bar.volume * bar.close for bar in bars)
        return {
            "symbol": _id(symbol),
            "priceChange": f"{last - opened:.8f}",
            "priceChangePercent": f"{(last / opened - 1) * 100:.3f}",
            "weightedAvgPrice": f"{worth / volume if volume else last:.8f}",
            "prevClosePrice": f"{opened:.8f}",
            "lastPrice": f"{last:.8f}",
            "lastQty": "0.00100000",
            "bidPrice": f"{last:.8f}",
            "bidQty": "1.00000000",
            "askPrice": f"{last:.8f}",
            "askQty": "1.00000000",
            "openPrice": f"{opened:.8f}",
            "highPrice": f"{max((bar.high for bar in bars), default=last):.8f}",
            "lowPrice": f"{min((bar.low for bar in bars), default=last):.8f}",
            "volume": f"{volume:.8f}",
            "quoteVolume": f"{worth:.8f}",
            "openTime": int((now - _DAY) * 1000),
            "closeTime": int(now * 1000),
            "firstId": 1,
            "lastId": len(bars) + 1,
            "count": len(bars),
        }

    def _depth(self, ask: web.Request, symbols: list[str], is_timed: bool) -> object:
        if "symbol" not in ask.query:
            raise Refusal(*_missing("symbol"))
        (symbol,) = _asked(ask, symbols)
        stamp = int(self.now() * 1000)
        bids, asks = (
            [[f"{price:.8f}", "1.00000000"] for price in side]
            for side in self.book(symbol, min(_whole(ask, "limit", 100), 5000))
        )
        times = {"E": stamp, "T": stamp} if is_timed else {}
        return {"lastUpdateId": stamp, **times, "bids": bids, "asks": asks}

    def _klines(self, ask: web.Request, symbols: list[str], most: int) -> object:
        if "interval" not in ask.query:
            raise Refusal(*_missing("interval"))
        if "symbol" not in ask.query:
            raise Refusal(*_missing("symbol"))
        (symbol,) = _asked(ask, symbols)
        span = self.spans.get(ask.query["interval"])
        if span is None:
            raise Refusal(*_INVALID_INTERVAL)
        limit = min(_whole(ask, "limit", 500), most)
        stop = _whole(ask, "endTime", int(self.now() * 1000)) // 1000 + 1
        if "startTime" in ask.query:
            start = -(-_whole(ask, "startTime", 0) // 1000)
            start = max(start, minute_of(self.opened_at))
            page = (limit + 1) * span
            bars = self.bars(symbol, start, min(stop, start + page), span)
            while len(bars) < limit and start + page < min(stop, self.now()):
                start += page
                bars += self.bars(symbol, start, min(stop, start + page), span)
            return [_kline(bar) for bar in bars[:limit]]
        return [_kline(bar) for bar in self.bars(symbol, stop - limit * span, stop, span)[-limit:]]


@lru_cache(20_000)
def _kline(bar: Bar) -> list[object]:
    worth = f"{bar.volume * bar.close:.8f}"
    return [
        bar.at * 1000,
        f"{bar.open:.8f}",
        f"{bar.high:.8f}",
        f"{bar.low:.8f}",
        f"{bar.close:.8f}",
        f"{bar.volume:.8f}",
        bar.end * 1000 - 1,
        worth,
        1 if bar.volume else 0,
        f"{bar.volume / 2:.8f}",
        f"{bar.volume * bar.close / 2:.8f}",
        "0",
    ]


def _id(symbol: str) -> str:
    return symbol.partition(":")[0].replace("/", "").upper()


def _asked(ask: web.Request, symbols: list[str]) -> list[str]:
    if "symbol" not in ask.query:
        return symbols
    found = [symbol for symbol in symbols if _id(symbol) == ask.query["symbol"]]
    if not found:
        raise Refusal(*_INVALID_SYMBOL)
    return found


def _missing(name: str) -> tuple[int, str]:
    return -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


def _whole(ask: web.Request, name: str, default: int) -> int:
    text = ask.query.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise Refusal(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
        )
    return int(text)


def _answering(
    answer: Callable[[web.Request], object],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(ask: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(answer(ask), headers={"x-mbx-used-weight-1m": "1"})
        except Refusal as refusal:
            return web.json_response(refusal.body, status=400)

    return handle
