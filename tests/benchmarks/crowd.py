"""Many markets on loopback, in a process of their own: what they cost is not the bot's.

``python -m tests.benchmarks.crowd COUNT`` prints the root at which five exchanges answer. ``/clock/SECONDS``
sets how far their clock is ahead of the machine's.
"""

from __future__ import annotations

import asyncio
import sys
import time
from math import sin
from zlib import crc32

from aiohttp import web

from bot.demo.exchange import BinanceExchange
from bot.metrics import MINUTE, Bar
from tests.wire.exchanges import EXCHANGES, Gateway, Trades, Weather


def symbols(count: int) -> list[str]:
    """Name the markets: those that every exchange has, and the crowd."""
    return ["btc/usdt", "btc/usd", *(f"c{place:04}/usdt" for place in range(count))]


class Swell(Trades):
    """Prices that rise and fall by two in a thousand around a level of their own."""

    def price(self, symbol: str, at: float) -> float:
        phase = crc32(symbol.encode())
        return (100 + phase % 900) * (1 + 0.002 * sin(at / 97 + phase % 100))

    def bar(self, symbol: str, minute: int, until: float) -> Bar | None:
        traded = [at for at in range(minute, minute + MINUTE, 20) if at < until]
        prices = [self.price(symbol, at) for at in traded]
        return Bar(minute, prices[0], max(prices), min(prices), prices[-1], 3.0) if prices else None

    def day(self, symbol: str, now: float) -> tuple[float, float]:
        level = 100 + crc32(symbol.encode()) % 900
        return level * 0.998, level * 1.002


class QuickBinance(BinanceExchange):
    """Binance, with the extremes of a day reckoned and not looked for in its 1,440 minutes."""

    def _day(self, symbol: str, now: float) -> dict[str, object]:
        low, high = self.path.day(symbol, now)
        last = f"{self.path.price(symbol, now):.8f}"
        names = ("prevClosePrice", "lastPrice", "bidPrice", "askPrice", "openPrice", "weightedAvgPrice")
        return {
            "symbol": symbol.replace("/", "").upper(),
            **dict.fromkeys(names, last),
            "priceChange": "0.00000000",
            "priceChangePercent": "0.000",
            "highPrice": f"{high:.8f}",
            "lowPrice": f"{low:.8f}",
            "volume": "4320.00000000",
            "quoteVolume": "432000.00000000",
            "openTime": int((now - 86_400) * 1000),
            "closeTime": int(now * 1000),
            "firstId": 1,
            "lastId": 4320,
            "count": 4320,
        }


class Crowd(Gateway):
    """The five exchanges behind one root, on one clock."""

    def __init__(self, count: int) -> None:
        self.ahead = 0.0
        path, names = Swell(), symbols(count)
        kinds = {**EXCHANGES, "binance": QuickBinance}
        super().__init__([(make(path, names, self._now), Weather()) for make in kinds.values()])

    def routes(self) -> list[web.RouteDef]:
        return [*super().routes(), web.get("/clock/{ahead}", self._set)]

    def _now(self) -> float:
        return time.time() + self.ahead

    async def _set(self, request: web.Request) -> web.Response:
        self.ahead = float(request.match_info["ahead"])
        return web.Response(text="ok")


async def _serve(count: int) -> None:
    async with Crowd(count) as crowd:
        sys.stdout.write(crowd.root + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)  # until who began it ends


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
