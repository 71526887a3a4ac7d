"""The whole bot with a stream beside its looks: rings come at once, and they are the same rings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO

import pytest

from bot import gauges
from bot.app import House, SystemClock, open_house
from bot.chats.console import ConsoleChat
from bot.demo.clock import FastClock
from bot.demo.exchange import BinanceExchange
from bot.ports import Clock
from bot.settings import Settings
from tests.conftest import NOON
from tests.wire.prices import Ticks
from tests.wire.streams import BinanceStreams, StreamingExchange

RATE = 60


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

    async def arm(self, rule: str) -> None:
        async with self.running(poll_seconds=1, stream=False):
            await self.console.say(f"/alert {rule}")
            await until(lambda: "armed" in self.out.getvalue())

    async def trade(self, *prices: float) -> None:
        for price in prices:
            self.ticks.set(price)
            await self.wire.trade("btc/usdt", price)

    def rings(self) -> list[str]:
        return [line for line in self.out.getvalue().splitlines() if "fell below" in line]

    def corrections(self) -> list[str]:
        return [line for line in self.out.getvalue().splitlines() if "not borne out" in line]


async def until(is_so: Callable[[], bool], within: float = 15.0) -> None:
    async with asyncio.timeout(within):
        while not is_so():  # noqa: ASYNC110 - what is asked for has no event
            await asyncio.sleep(0.005)


@asynccontextmanager
async def world_of(clock: Clock, database: str) -> AsyncIterator[World]:
    ticks = Ticks(clock, 104_000)
    behind = BinanceExchange(ticks, ["btc/usdt", "eth/usdt"], clock.now)
    wire = BinanceStreams(behind)
    async with StreamingExchange(behind, wire) as server:
        yield World(clock, database, ticks, wire, server.root)


async def heard(world: World, house: House) -> None:
    """Wait until the stream is read and the first look is done."""
    await until(lambda: world.wire.watched() == {"btc/usdt"})
    await until(lambda: house.exchanges.market.streams()[0].connected_at is not None)


async def test_a_touch_between_two_looks_rings_within_a_second_of_the_trade(database: str) -> None:
    async with world_of(SystemClock(), database) as world:
        await world.arm("btc < 103k")
        before = {one.way: one.count for one in gauges.ring_delays()}
        async with world.running(poll_seconds=3600, stream=True) as house:
            await heard(world, house)
            began = time.monotonic()
            await world.trade(102_900, 103_500)
            await until(lambda: bool(world.rings()))
            assert time.monotonic() - began < 1
        (ring,) = world.rings()
        assert "102,900" in ring
    (delay,) = [one for one in gauges.ring_delays() if one.way == "stream"]
    assert delay.count == before.get("stream", 0) + 1
    assert b'tocsin_recent_ring_delay_seconds{quantile="0.99",way="stream"}' in gauges.exposition()


@pytest.mark.parametrize("stream", [True, False])
async def test_rings_are_the_same_with_a_stream_and_without(database: str, stream: bool) -> None:
    clock = FastClock(NOON, RATE)
    async with world_of(clock, database) as world:
        await world.arm("btc < 103k repeat cooldown 1m")
        async with world.running(poll_seconds=10, stream=stream) as house:
            if stream:
                await heard(world, house)
            for prices in (
                (103_500,),
                (102_950, 103_300),
                (103_400,),
                (103_200, 102_900, 103_600),
                (103_500,),
            ):
                for price in prices:
                    await world.trade(price)
                    await clock.sleep(7)
                await clock.sleep_until((clock.now() // 60 + 1) * 60)
            await until(lambda: len(world.rings()) >= 2)
            await clock.sleep(70)
    assert len(world.rings()) == 2
    assert not world.corrections()


async def test_without_a_websocket_everything_works_as_before(database: str) -> None:
    clock = FastClock(NOON, RATE)
    async with world_of(clock, database) as world:
        await world.arm("btc < 103k")
        world.wire.refusal = 404
        async with world.running(poll_seconds=10, stream=True) as house:
            await until(lambda: house.exchanges.market.streams()[0].is_over)
            await world.trade(102_900)
            await until(lambda: bool(world.rings()))
    assert len(world.rings()) == 1
    assert world.wire.dialled == 1
