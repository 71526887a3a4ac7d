"""How long the bot takes from its start until it is ready, with no alert made yet.

Whoever begins on Telegram waits for some seconds before it fetches or tells anything, in case another bot has
the same token: that is a rule of politeness among bots, and no work. It is told apart from the rest.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import aiohttp

from bot.chats.telegram_reach import Doubts
from tests.benchmarks.load import market_crowd
from tests.benchmarks.post_office import post_office
from tests.wire.discord import DiscordServer

_HOME = Path(__file__).parent.parent.parent
_MARKETS = 10
_WITHIN = 120.0
_WAITS = "telegram is not connected"
_LIBRARIES = "import ccxt, telegram, discord, sqlalchemy"


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds from a start until ``/readyz`` was content, and how many of them were not that wait alone."""

    whole: float
    work: float


def start_seconds(rounds: int) -> tuple[Taken, float]:
    """Start the bot on Telegram and Discord until it says that it is ready, and the libraries alone, in turn.

    Gives the median seconds of either. The database is there already: the first start, which makes it, does
    not count. Nor does it count that bytecode is written then, as an installation does.
    """
    return asyncio.run(_starts(rounds))


async def _starts(rounds: int) -> tuple[Taken, float]:
    taken: list[tuple[Taken, float]] = []
    with TemporaryDirectory() as folder:
        async with post_office() as root, market_crowd(_MARKETS) as market, DiscordServer() as discord:
            told = {
                "TOCSIN_TELEGRAM_TOKEN": "1234567:" + "A" * 35,
                "TOCSIN_TELEGRAM_API": root,
                "TOCSIN_DISCORD_TOKEN": discord.token,
                "TOCSIN_DISCORD_API": discord.api,
                "TOCSIN_DISCORD_GATEWAY": discord.gateway,
                "TOCSIN_EXCHANGES": "binance",
                "TOCSIN_FEED_GATEWAY": market,
                "TOCSIN_PROVIDERS": "off",
                "TOCSIN_DATABASE_URL": f"sqlite:///{Path(folder) / 'tocsin.db'}",
            }
            for turn in range(rounds + 1):
                ready, bare = await _ready(folder, told), await _imported(folder)
                if turn or not rounds:
                    taken.append((ready, bare))
    ready = Taken(median(one.whole for one, _ in taken), median(one.work for one, _ in taken))
    return ready, median(one for _, one in taken)


async def _ready(folder: str, told: dict[str, str]) -> Taken:
    """Start the bot, and stop it when it is ready.

    The wait is over so many seconds after it began. What else was not ready then is work, whenever it was.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    began = time.perf_counter()
    process = await _begin(folder, ("-m", "bot", "run"), told | {"TOCSIN_HTTP": address})
    try:
        others = 0.0
        async with asyncio.timeout(_WITHIN), aiohttp.ClientSession() as http:
            while reasons := await _reasons(http, address):
                assert process.returncode is None, "it ended before it was ready"
                if reasons != [_WAITS]:
                    others = time.perf_counter() - began
                await asyncio.sleep(0.01)
        whole = time.perf_counter() - began
        return Taken(whole, max(others, whole - Doubts().at_start))
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _reasons(http: aiohttp.ClientSession, address: str) -> list[str]:
    """Ask why it is not ready; nothing when it is."""
    try:
        async with http.get(f"http://{address}/readyz") as answer:
            return [] if answer.status == 200 else (await answer.text()).splitlines()
    except aiohttp.ClientError as error:
        return [str(error)]


async def _imported(folder: str) -> float:
    began = time.perf_counter()
    process = await _begin(folder, ("-c", _LIBRARIES), {})
    assert await process.wait() == 0
    return time.perf_counter() - began


async def _begin(folder: str, words: tuple[str, ...], told: dict[str, str]) -> asyncio.subprocess.Process:
    left = ("TOCSIN_", "PYTHONDONTWRITEBYTECODE")
    known = {name: value for name, value in os.environ.items() if not name.startswith(left)}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        cwd=folder,  # so that no .env of somebody's is read
        env=known | told | {"PYTHONPATH": str(_HOME)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
