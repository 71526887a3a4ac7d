"""A market on loopback whose trades are both looked at and streamed, and the bot on a console."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO

from bot.app import House, open_house
from bot.chats.console import ConsoleChat
from bot.demo.exchange import BinanceExchange
from bot.ports import Clock
from bot.settings import Settings
from tests.wire.prices import Ticks
from tests.wire.streams import BinanceStreams, StreamingExchange


@dataclass
class World:
    """A market on loopback whose trades are seen by who looks and by who streams, and a console."""

    clock: Clock
    database: str
    ticks: Ticks
    wire: BinanceStreams
    root: str
    out: StringIO = field(default_factory=StringIO)
    console: ConsoleChat = field(init=False)

    @asynccontextmanager
    async def running(self, poll_seconds: float, stream: bool) -> AsyncIterator[House]:
        """Run the bot while inside, and stop it as a signal would."""
        settings = Settings(
            database_url=self.database,
            exchanges=("binance",),
            feed_gateway=self.root,
            providers=(),
            poll_seconds=poll_seconds,
            stream=stream,
        )
        self.console = ConsoleChat(self.clock, StringIO(), self.out)
        done = asyncio.Event()
        async with AsyncExitStack() as stack:
            house = await stack.enter_async_context(
                open_house(settings, self.clock, [self.console], throttle=False)
            )
            task = asyncio.create_task(house.run(done))
            try:
                yield house
            finally:
                done.set()
                await task

    async def arm(self, *rules: str) -> None:
        """Make alerts, and stop."""
        async with self.running(poll_seconds=1, stream=False):
            for rule in rules:
                await self.console.say(f"/alert {rule}")
            await until(lambda: self.out.getvalue().count("armed") == len(rules))

    async def trade(self, *prices: float) -> None:
        """Trade at these prices now, one after the other."""
        for price in prices:
            self.ticks.set(price)
            await self.wire.trade("btc/usdt", price)

    def rings(self) -> list[str]:
        """Give what rang."""
        return [line for line in self.out.getvalue().splitlines() if "fell below" in line]

    def corrections(self) -> list[str]:
        """Give what was taken back."""
        return [line for line in self.out.getvalue().splitlines() if "not borne out" in line]


async def until(is_so: Callable[[], bool], within: float = 15.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(within):
        while not is_so():  # noqa: ASYNC110 - what is asked for has no event
            await asyncio.sleep(0.005)


@asynccontextmanager
async def world_of(clock: Clock, database: str) -> AsyncIterator[World]:
    """Open a market on loopback, at 104,000."""
    ticks = Ticks(clock, 104_000)
    behind = BinanceExchange(ticks, ["btc/usdt", "eth/usdt"], clock.now)
    wire = BinanceStreams(behind)
    async with StreamingExchange(behind, wire) as server:
        yield World(clock, database, ticks, wire, server.root)


async def heard(world: World, house: House) -> None:
    """Wait until the stream is read and the first look is done."""
    await until(lambda: world.wire.watched() == {"btc/usdt"})
    await until(lambda: house.exchanges.market.streams()[0].connected_at is not None)
