"""Three exchanges on loopback that list the same, at prices that differ."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.feeds.exchanges import Exchanges, build_feeds
from bot.feeds.exchanges.roster import scaled
from bot.metrics import MetricKey, minute_of
from tests.conftest import SetClock
from tests.reader import Reader, look
from tests.wire import exchanges as wire
from tests.wire.exchanges import EXCHANGES, Elsewhere, Trades, Weather

BTC = MetricKey("price", "btc/usdt")
ETH = MetricKey("price", "eth/usdt")
THERE = MetricKey("price", "btc/usdt", "binance")
NAMES = ("binance", "kraken", "okx")


@dataclass
class World:
    """Three exchanges that list the same, at prices that differ, and the feeds that look at them."""

    clock: SetClock
    gateway: wire.Gateway
    exchanges: Exchanges
    paths: dict[str, Trades]
    weather: dict[str, Weather]
    servers: dict[str, wire.LoopbackExchange] = field(default_factory=dict)

    @property
    def minute(self) -> int:
        return minute_of(self.clock.time)

    @property
    def market(self) -> object:
        return self.exchanges.market

    async def looks(self, reader: Reader, seconds: float, step: float = 20.0) -> None:
        """Look now and then for so many seconds."""
        end = self.clock.time + seconds
        while self.clock.time < end:
            self.clock.time += step
            await look(self.exchanges, reader)

    async def restart(self) -> None:
        """End the program, and begin anew with nothing remembered."""
        await self.exchanges.close()
        self.exchanges = build_feeds(
            NAMES, "usdt", self.clock, gateway=self.gateway.root, throttle=False, jitter=lambda: 0.5
        )

    def truth(self, source: str, start: int, stop: int, ratio: float = 1.0) -> list[object]:
        return [scaled(bar, ratio) for bar in self.paths[source].final("btc/usdt", start, stop)]


@asynccontextmanager
async def opened(
    clock: SetClock, factors: Sequence[float] = (1.0, 1.01, 0.98), names: Sequence[str] = NAMES
) -> AsyncIterator[World]:
    clock.time += 20
    trades = Trades()
    symbols = ["btc/usdt", "eth/usdt", "btc/usd", "sol/usdt"]
    paths = {name: Elsewhere(trades, factor) for name, factor in zip(NAMES, factors, strict=True)}
    servers = {name: EXCHANGES[name](paths[name], list(symbols), clock.now) for name in NAMES}
    weather = {name: Weather() for name in NAMES}
    async with wire.Gateway([(servers[name], weather[name]) for name in NAMES]) as gateway:
        exchanges = build_feeds(
            names, "usdt", clock, gateway=gateway.root, throttle=False, jitter=lambda: 0.5
        )
        world = World(clock, gateway, exchanges, dict(paths), weather, servers)
        try:
            yield world
        finally:
            await world.exchanges.close()


async def seen(world: World, key: MetricKey = BTC) -> Reader:
    """Begin to read, and see three minutes of the home."""
    reader = Reader(key, world.minute)
    await look(world.exchanges, reader)
    await world.looks(reader, 200)
    assert set(reader.sources.values()) == {"binance"}
    return reader
