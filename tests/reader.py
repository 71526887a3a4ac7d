"""One exchange on loopback, what looks at it, and who reads it as watch does: each minute once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.feeds.exchanges import Exchanges, build_feeds
from bot.metrics import Bar, Batch, Bounds, MetricKey, Print, Want, minute_of
from tests.conftest import SetClock
from tests.wire import exchanges as wire
from tests.wire.exchanges import EXCHANGES, Trades, Weather, middleware_of

BTC = MetricKey("price", "btc/usdt")
ETH = MetricKey("price", "eth/usdt")
DAY = 86_400
CANDLES = {"binance": "klines", "kraken": "OHLC", "okx": "candles", "coinbase": "candles", "bybit": "kline"}
WITH_DAYS = ("kraken", "okx", "bybit")
TOUCH = 101_500.0
MANY = tuple(f"c{number:02}/usdt" for number in range(44))
FEW = ("btc/usdt", "eth/usdt", "btc/usd", "sol/usdt")


@dataclass
class Scene:
    """One exchange with its weather, and what looks at it."""

    name: str
    server: wire.LoopbackExchange
    weather: Weather
    trades: Trades
    clock: SetClock
    exchanges: Exchanges

    @property
    def minute(self) -> int:
        return minute_of(self.clock.time)

    def count(self, *words: str) -> int:
        """Count the questions whose address has one of these words, and forget all."""
        asked, self.weather.asked[:] = list(self.weather.asked), []
        return sum(any(word in path for word in words) for path in asked)

    def candles(self) -> int:
        return self.count(CANDLES[self.name])

    async def looks(self, *readers: Reader, seconds: float, step: float = 20.0) -> None:
        end = self.clock.time + seconds
        while self.clock.time < end:
            self.clock.time += step
            await look(self.exchanges, *readers)


@asynccontextmanager
async def opened(
    name: str, clock: SetClock, symbols: tuple[str, ...] = FEW, opened_at: float = 0.0
) -> AsyncIterator[Scene]:
    clock.time += 20
    weather, trades = Weather(), Trades()
    make = EXCHANGES[name]
    async with make(trades, symbols, clock.now, [middleware_of(weather)], opened_at) as server:
        exchanges = build_feeds([name], "usdt", clock, gateway=server.root, throttle=False)
        try:
            yield Scene(name, server, weather, trades, clock, exchanges)
        finally:
            await exchanges.close()


def assert_bounded(scene: Scene, bounds: list[Bounds], symbol: str = "btc/usdt") -> None:
    """Nothing was traded outside of what the bounds say."""
    for one in bounds:
        bars = scene.trades.final(symbol, one.since, one.until)
        assert one.low <= min(bar.low for bar in bars)
        assert max(bar.high for bar in bars) <= one.high


class Reader:
    """Fold batches of one key into what is known, and want what comes after.

    ``bars`` and ``bounds`` are in the order of time; what they leave out is in ``gaps``. ``sources`` says who
    brought each bar, ``floor`` and ``ceiling`` are the band that concerns nobody.
    """

    def __init__(self, key: MetricKey, since: int, close: float | None = None, source: str = "") -> None:
        self.key = key
        self.since = since
        self.close = close
        self.source = source
        self.home = ""
        self.floor = float("inf")
        self.ceiling = float("-inf")
        self.bars: list[Bar] = []
        self.bounds: list[Bounds] = []
        self.gaps: list[tuple[int, int]] = []
        self.prints: list[Print] = []
        self.sources: dict[int, str] = {}
        self.reasons: list[str] = []

    def want(self) -> Want:
        return Want(self.key, self.since, self.floor, self.ceiling, self.close, self.source, self.home)

    def take(self, batch: Batch) -> None:
        """Take in what a batch says of the key."""
        known: list[tuple[int, int, Bar | Bounds]] = [
            (bar.at, bar.end, bar) for run in batch.bars if run.key == self.key for bar in run.bars
        ]
        known += [(one.since, one.until, one) for one in batch.bounds if one.key == self.key]
        for since, until, one in sorted(known, key=lambda item: item[:2]):
            if until <= self.since:
                continue
            assert since >= self.since, f"{one} reaches into what is known to {self.since}"
            if since > self.since:
                self.gaps.append((self.since, since))
            self.since, self.source = until, batch.source
            if isinstance(one, Bar):
                self.bars.append(one)
                self.close = one.close
                self.sources[one.at] = batch.source
            else:
                self.bounds.append(one)
        prints = [one for one in batch.prints if one.key == self.key]
        self.prints += prints
        self.reasons = [one.reason for one in batch.unseen if one.key == self.key]


async def look(exchanges: Exchanges, *readers: Reader) -> Sequence[Batch]:
    """Have all feeds look at once, as they do, and every reader take what comes."""
    wants = [reader.want() for reader in readers]
    batches = await asyncio.gather(*(feed.poll(wants) for feed in exchanges.feeds))
    for reader in readers:
        reasons: list[str] = []
        for batch in batches:
            reader.take(batch)
            reasons += reader.reasons
        reader.reasons = reasons
    return batches


def banded(key: MetricKey, since: int, low: float = 99_500.0, high: float = 100_900.0) -> Reader:
    """Read a key whose prices concern nobody inside a band; on loopback they stay within 100,000 and 100,400.

    A touch lies near enough to be believed without a second source.
    """
    reader = Reader(key, since)
    reader.floor, reader.ceiling = low, high
    return reader
