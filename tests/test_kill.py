"""What a kill -9 leaves: nothing lost, and repeated only what was in flight.

The bot is a process of its own here, in real time, with the real exchange library and the real
python-telegram-bot; exchange and platform are servers on loopback.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.demo.exchange import BinanceExchange
from tests.wire.prices import Ticks
from tests.wire.telegram import MUTE, RESET, TelegramServer

ANN = 1001

RINGING = ("sendMessage", "sendPhoto")
"""How a ring may come: with its chart, or without while there is none."""


@dataclass
class Scene:
    """A market, a platform, and a bot that can be killed."""

    ticks: Ticks
    telegram: TelegramServer
    folder: Path
    environment: dict[str, str]

    @asynccontextmanager
    async def bot(self, program: str = "tests.brief_bot") -> AsyncIterator[asyncio.subprocess.Process]:
        """Run the bot as a process; it is killed at the end, if it has not been before."""
        with (self.folder / "bot.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", program, "run", cwd=self.folder, env=self.environment, stderr=log
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def rings(self) -> list[str]:
        return [text for text in self.telegram.texts(ANN) if "fell below" in text]

    def promised(self) -> list[tuple[str, float | None]]:
        """Read the outbox: what was promised, and when it was settled as sent."""
        with closing(sqlite3.connect(self.folder / "tocsin.db")) as connection:
            return connection.execute("select dedupe, sent_at from outbox").fetchall()

    def let_leases_expire(self) -> None:
        """Put back what a dead process holds, as half a minute of waiting would."""
        with closing(sqlite3.connect(self.folder / "tocsin.db")) as connection, connection:
            connection.execute("update outbox set leased_until = ?", (time.time(),))

    async def until(self, is_so: Callable[[], bool], within: float = 30.0) -> None:
        try:
            async with asyncio.timeout(within):
                while not is_so():  # noqa: ASYNC110 - another process makes it so
                    await asyncio.sleep(0.02)
        except TimeoutError:
            log = (self.folder / "bot.log").read_text()
            raise AssertionError(f"the chat shows {self.telegram.texts(ANN)}; the log says\n{log}") from None

    async def arm(self) -> None:
        await self.telegram.say(ANN, ANN, "/alert btc < 100k")
        await self.until(lambda: any("armed" in text for text in self.telegram.texts(ANN)))


@asynccontextmanager
async def scene_of(folder: Path, url: str) -> AsyncIterator[Scene]:
    """Give a scene whose bot has the database at ``url``."""
    ticks = Ticks(SystemClock(), 104_000)
    async with (
        BinanceExchange(ticks, ["btc/usdt"], time.time) as exchange,
        TelegramServer() as telegram,
    ):
        telegram.private(ANN, "Ann")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        environment |= {
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "TOCSIN_TELEGRAM_TOKEN": telegram.token,
            "TOCSIN_TELEGRAM_API": telegram.root,
            "TOCSIN_DATABASE_URL": url,
            "TOCSIN_EXCHANGES": "binance",
            "TOCSIN_FEED_GATEWAY": exchange.root,
            "TOCSIN_POLL_SECONDS": "1",
        }
        yield Scene(ticks, telegram, folder, environment)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene_of(tmp_path, f"sqlite:///{tmp_path / 'tocsin.db'}") as scene:
        yield scene


async def test_killed_between_the_commit_and_the_send_nothing_is_lost(scene: Scene) -> None:
    async with scene.bot() as process:
        await scene.arm()
        for method in RINGING:
            scene.telegram.order(method, *[RESET] * 1000)  # nothing gets through any more
        scene.ticks.set(99_500)
        await scene.until(lambda: bool(scene.promised()))
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert scene.rings() == []
    for method in RINGING:
        scene.telegram.forget(method)
    scene.let_leases_expire()
    async with scene.bot():
        await scene.until(lambda: bool(scene.rings()))
        await scene.until(lambda: all(sent for _, sent in scene.promised()))
    assert len(scene.rings()) == 1
    assert len(scene.promised()) == 1


async def test_killed_between_the_send_and_the_settling_only_what_was_in_flight_is_repeated(
    scene: Scene,
) -> None:
    async with scene.bot() as process:
        await scene.arm()
        for method in RINGING:
            scene.telegram.order(method, MUTE)  # accepted, and the answer does not arrive
        scene.ticks.set(99_500)
        await scene.until(lambda: bool(scene.rings()))
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert [sent for _, sent in scene.promised()] == [None]
    for method in RINGING:
        scene.telegram.forget(method)
    scene.let_leases_expire()
    async with scene.bot():
        await scene.until(lambda: all(sent for _, sent in scene.promised()))
    assert len(scene.rings()) == 2
    async with scene.bot() as process:
        await scene.telegram.say(ANN, ANN, "/price btc")
        await scene.until(lambda: "BTC/USDT" in scene.telegram.texts(ANN)[-1])
    assert len(scene.rings()) == 2


async def test_a_signal_to_end_ends_it_in_good_order(scene: Scene) -> None:
    async with scene.bot("bot") as process:
        await scene.arm()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
