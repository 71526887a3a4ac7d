"""The dead man's switch: an address is asked while all is well, and stands in nothing that can be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import StringIO

import pytest
import structlog
from aiohttp import web

from bot.app import open_house
from bot.chats.console import ConsoleChat
from bot.demo.exchange import BinanceExchange
from bot.heartbeat import Heartbeat
from bot.house import House
from bot.settings import Settings
from tests.conftest import SetClock
from tests.wire.prices import Ticks

SECRET = "5b1e7c0e-a-token-of-the-watcher"


class Watcher:
    """Somebody who watches from outside, on loopback; ``answers`` is what each beat is answered with."""

    def __init__(self) -> None:
        self.beats = 0
        self.status = 200
        self.root = ""
        self.hangs = False

    async def hear(self, request: web.Request) -> web.Response:
        assert request.query["key"] == SECRET
        self.beats += 1
        if self.hangs:
            await asyncio.sleep(30)
        return web.Response(status=self.status, headers={"Location": f"/ping/{SECRET}?key={SECRET}"})

    @property
    def url(self) -> str:
        return f"{self.root}/ping/{SECRET}?key={SECRET}"


@pytest.fixture
async def watcher() -> AsyncIterator[Watcher]:
    watcher = Watcher()
    site = web.Application()
    site.add_routes([web.get("/ping/{token}", watcher.hear)])
    runner = web.AppRunner(site, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    watcher.root = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield watcher
    await runner.cleanup()


async def test_a_beat_is_one_question_to_the_address_as_it_is(watcher: Watcher) -> None:
    assert await Heartbeat(watcher.url).beat()
    assert watcher.beats == 1


@pytest.mark.parametrize("trouble", ["refused", "moved", "hangs", "away", "no address"])
async def test_a_beat_that_fails_raises_nothing_and_does_not_name_the_address(
    watcher: Watcher, trouble: str
) -> None:
    url = watcher.url
    match trouble:
        case "refused":
            watcher.status = 404
        case "moved":
            watcher.status = 302
        case "hangs":
            watcher.hangs = True
        case "away":
            url = f"http://127.0.0.1:1/ping/{SECRET}"
        case "no address":
            url = f"http://[{SECRET}"
    heartbeat = Heartbeat(url, patience=0.2)
    with structlog.testing.capture_logs() as lines:
        assert not await heartbeat.beat()
    assert len(lines) == 1
    assert SECRET not in f"{lines} {heartbeat!r}"
    assert watcher.beats <= 1, "nothing follows where it is sent on to"


async def looked_at(house: House, clock: SetClock) -> None:
    clock.time += 60
    await house.looks.look(house.exchanges.feeds[0])
    await house._beat()


async def test_the_heart_beats_only_while_all_is_well(
    watcher: Watcher, database: str, clock: SetClock
) -> None:
    exchange = BinanceExchange(Ticks(clock, 100_000), ["btc/usdt"], clock.now)
    async with exchange:
        settings = Settings(
            database_url=database,
            exchanges=("binance",),
            feed_gateway=exchange.root,
            providers=(),
            stream=False,
            heartbeat_url=watcher.url,
        )
        assert SECRET not in repr(settings)
        assert watcher.url in set(settings.secrets())
        console = ConsoleChat(clock, StringIO(), StringIO())
        async with open_house(settings, clock, [console], throttle=False) as house:
            await house._beat()
            assert watcher.beats == 0, "no exchange was looked at yet"
            await looked_at(house, clock)
            assert watcher.beats == 1
            clock.time += 300
            await house._beat()
            assert watcher.beats == 1, "what was seen is too old"
            await looked_at(house, clock)
            assert watcher.beats == 2
            house.couriers[0]._stall("the database is locked")
            clock.time += 60
            await looked_at(house, clock)
            assert watcher.beats == 2
