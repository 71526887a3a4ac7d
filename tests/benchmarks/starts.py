"""How long the bot takes from its start until it is ready, with no alert made yet."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import aiohttp

from tests.benchmarks.load import market_crowd
from tests.benchmarks.post_office import post_office
from tests.wire.discord import DiscordServer

_HOME = Path(__file__).parent.parent.parent
_MARKETS = 10
_WITHIN = 120.0
_LIBRARIES = "import ccxt, telegram, discord, sqlalchemy"


def start_seconds(rounds: int) -> tuple[float, float]:
    """Start the bot on Telegram and Discord until it says that it is ready, and the libraries alone, in turn.

    Gives the median seconds of either. The database is there already: the first start, which makes it, does
    not count.
    """
    return asyncio.run(_starts(rounds))


async def _starts(rounds: int) -> tuple[float, float]:
    taken: list[tuple[float, float]] = []
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
    return median(one for one, _ in taken), median(one for _, one in taken)


async def _ready(folder: str, told: dict[str, str]) -> float:
    """Start the bot, and stop it when it is ready; gives the seconds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    began = time.perf_counter()
    process = await _begin(folder, ("-m", "bot", "run"), told | {"TOCSIN_HTTP": address})
    try:
        async with asyncio.timeout(_WITHIN), aiohttp.ClientSession() as http:
            while not await _is_ready(http, address):
                assert process.returncode is None, "it ended before it was ready"
                await asyncio.sleep(0.01)
        return time.perf_counter() - began
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _is_ready(http: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with http.get(f"http://{address}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _imported(folder: str) -> float:
    began = time.perf_counter()
    process = await _begin(folder, ("-c", _LIBRARIES), {})
    assert await process.wait() == 0
    return time.perf_counter() - began


async def _begin(folder: str, words: tuple[str, ...], told: dict[str, str]) -> asyncio.subprocess.Process:
    known = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        cwd=folder,  # so that no .env of somebody's is read
        env=known | told | {"PYTHONPATH": str(_HOME)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
