"""The whole bot with a stream beside its looks: rings come at once, and they are the same rings."""

from __future__ import annotations

import time

import pytest

from bot import gauges
from bot.clock import SystemClock
from bot.demo.clock import FastClock
from tests.conftest import NOON
from tests.streaming import heard, until, world_of

RATE = 120


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
