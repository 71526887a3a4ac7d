"""Several bots on one database: one works, another takes over in time, and nothing is lost or told twice."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from bot.clock import SystemClock
from bot.demo.exchange import BinanceExchange
from tests.failover import Trial, play
from tests.postgres import Server
from tests.test_kill import ANN, Scene
from tests.wire.prices import Ticks
from tests.wire.telegram import TelegramServer


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    with postgres.database(is_empty=True) as url:
        yield url


@pytest.fixture
async def two(url: str, tmp_path: Path) -> AsyncIterator[tuple[Scene, Scene]]:
    """Two machines with the same settings, but for the port on which they tell how they are."""
    ticks = Ticks(SystemClock(), 104_000)
    async with BinanceExchange(ticks, ["btc/usdt"], time.time) as exchange, TelegramServer() as telegram:
        telegram.private(ANN, "Ann")
        given = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")} | {
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "TOCSIN_TELEGRAM_TOKEN": telegram.token,
            "TOCSIN_TELEGRAM_API": telegram.root,
            "TOCSIN_DATABASE_URL": url,
            "TOCSIN_EXCHANGES": "binance",
            "TOCSIN_FEED_GATEWAY": exchange.root,
            "TOCSIN_POLL_SECONDS": "1",
        }
        first = Scene(ticks, telegram, tmp_path / "first", given)
        second = replace(first, folder=tmp_path / "second", environment=given)
        for scene in (first, second):
            scene.folder.mkdir()
            with socket.socket() as one:
                one.bind(("127.0.0.1", 0))
                address = f"127.0.0.1:{one.getsockname()[1]}"
            scene.environment = given | {"TOCSIN_HTTP": address}
        yield first, second


async def asked(scene: Scene, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{scene.environment['TOCSIN_HTTP']}{path}") as answer,
    ):
        return answer.status, await answer.text()


def log_of(scene: Scene) -> str:
    return (scene.folder / "bot.log").read_text()


async def test_a_second_bot_stands_by_and_takes_over_from_one_that_is_killed(
    two: tuple[Scene, Scene],
) -> None:
    first, second = two
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(first.bot())
        await first.arm()
        await stack.enter_async_context(second.bot())
        await second.until(lambda: "stands by" in log_of(second))
        assert await asked(second, "/healthz") == (200, "alive\n")
        status, reasons = await asked(second, "/readyz")
        assert (status, reasons.partition(":")[0]) == (503, "it stands by")
        process.send_signal(signal.SIGKILL)
        first.ticks.set(99_500)
        await second.until(lambda: bool(second.rings()), within=90)
        await second.telegram.say(ANN, ANN, "/price btc")
        await second.until(lambda: "BTC/USDT 99,500" in second.telegram.texts(ANN)[-1])
        await asyncio.sleep(0.5)
        assert len(second.rings()) == 1


def test_what_the_true_market_rang_is_told_over_every_harm_and_nobody_writes_who_is_not_on_duty() -> None:
    figures, _ = play(Trial(faults=4, lives=2, rules=3))
    assert figures.faults == []
    assert figures.rings > 0
