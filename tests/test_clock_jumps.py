"""A machine that slept, and a clock that is set: nothing rings falsely, twice, or an hour late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from bot.agenda import Agenda
from bot.alerts.hours import DAY, Plan
from bot.app import work
from bot.demo.clock import FastClock
from bot.demo.exchange import BinanceExchange
from bot.ports import RetryLater
from bot.settings import Settings
from bot.store import SqlStore, open_store
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.storing import ANN, arming_of, make, ring, tell
from tests.streaming import until
from tests.test_store_trouble import Crowd, working
from tests.wire.prices import Ticks
from tests.wire.telegram import TelegramServer

HOUR = 3600.0
PERSON = 1001


async def test_a_machine_that_slept_reads_what_it_missed_and_holds_nothing_for_what_it_did_not_see(
    database: str,
) -> None:
    store = await open_store(database)
    await make(store, ANN, "btc < 100000 repeat cooldown 1h", NOON)
    await make(store, ANN, "btc > 101500 for 15m", NOON)
    await store.close()
    async with working(database, Crowd()) as scene:
        for price in (101_000, 102_000):
            scene.ticks.set(price)
            for _ in range(4):  # five minutes above, of fifteen
                await scene.look(60)
        assert scene.crowd.heard == []

        scene.clock.time += 90
        scene.ticks.set(101_000)
        scene.clock.time += 4 * HOUR
        scene.ticks.set(99_000, 101_000)
        scene.clock.time += 4 * HOUR
        scene.ticks.set(102_000)
        scene.clock.time += 60
        for _ in range(6):
            await scene.look(10)
        await until(lambda: len(scene.crowd.heard) == 1)
        ((_, late),) = scene.crowd.heard
        assert "touched 99,000 at 16:09 UTC, seen at 20:10" in late

        for _ in range(4):
            await scene.look(60)
        assert len(scene.crowd.heard) == 1, "the hours of sleep fulfil no hold"
        for _ in range(12):
            await scene.look(60)
        await until(lambda: len(scene.crowd.heard) == 2)
        assert "has held above 101,500 for 15 minutes" in scene.crowd.heard[1][1]
        scene.ticks.set(99_000)
        for _ in range(3):
            await scene.look(60)
        await until(lambda: len(scene.crowd.heard) == 3)  # the cooldown ran while it slept


class WallClock(FastClock):
    """A fast clock that somebody sets; its steady time goes on."""

    set_by = 0.0

    def now(self) -> float:
        return super().now() + self.set_by

    def steady(self) -> float:
        return super().now()


class World(SetClock):
    """The time of the world, which nobody sets."""

    def __init__(self, clock: WallClock) -> None:
        super().__init__()
        self.now = clock.steady  # type: ignore[method-assign]


@asynccontextmanager
async def at_work(settings: Settings, clock: WallClock) -> AsyncIterator[None]:
    done = asyncio.Event()
    task = asyncio.create_task(work(settings, clock, done))
    try:
        yield
    finally:
        done.set()
        await task


async def test_a_clock_that_is_set_back_and_forward_stops_nothing_and_nothing_rings_twice(
    database: str,
) -> None:
    clock = WallClock(NOON, 150)
    world = World(clock)
    ticks = Ticks(world, 101_000)
    async with TelegramServer() as telegram, BinanceExchange(ticks, ["btc/usdt"], world.now) as exchange:
        telegram.private(PERSON, "Ann")
        settings = Settings(
            telegram_token=telegram.token,
            telegram_api=telegram.root,
            database_url=database,
            exchanges=("binance",),
            feed_gateway=exchange.root,
            providers=(),
            poll_seconds=20,
            stream=False,
        )

        def rings() -> list[str]:
            return [text for text in telegram.texts(PERSON) if "fell below" in text or "touched" in text]

        with capture_logs() as lines:
            async with at_work(settings, clock):
                await telegram.say(PERSON, PERSON, "/alert btc < 100000 repeat cooldown 1m")
                await until(lambda: any("armed" in text for text in telegram.texts(PERSON)))
                for told, set_by in enumerate((-50 * 60, 0), 1):
                    clock.set_by = set_by
                    await asyncio.sleep(0.8)
                    ticks.set(99_000)
                    await until(lambda told=told: len(rings()) >= told, within=15)
                    ticks.set(101_000)
                    await asyncio.sleep(1.5)
                assert len(rings()) == 2
        anew = [one["seconds"] for one in lines if one["event"].startswith("the clock was set")]
        assert [round(one / 60) for one in anew] == [-50, 50]


@pytest.mark.both
async def test_what_waits_to_be_sent_waits_no_longer_when_the_clock_is_set_back(store: SqlStore) -> None:
    for rule in ("btc < 100000", "btc < 90000"):
        await make(store, ANN, rule)
    await tell(store, ring(await arming_of(store, ANN, "#1")))
    (leased,) = await store.lease("telegram", NOON, 30)
    await store.settle(leased, RetryLater(8, "flood"), NOON)
    back = NOON - 2 * HOUR
    assert await store.next_due("telegram", back) == NOON + 8
    await store.bring_forward(2 * HOUR, back)
    assert await store.next_due("telegram", back) == back + 8


@pytest.mark.both
@pytest.mark.parametrize("ahead", [HOUR, 400 * DAY])
async def test_a_report_comes_neither_twice_nor_never_when_the_clock_was_ahead(
    store: SqlStore, clock: SetClock, ahead: float
) -> None:
    eight = NOON + 20 * HOUR
    await store.set_report(ANN, Plan(8 * 60), NOON)
    clock.time = eight if ahead == HOUR else eight + ahead
    agenda = Agenda(store, store, HandMarket(clock), clock)
    assert await agenda.turn() == 1
    clock.time -= ahead
    await store.replan(clock.time)
    assert await agenda.turn() == 0
    assert await store.next_due_at() == eight + DAY
