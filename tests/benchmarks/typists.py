"""How long people wait who type at once, over real sockets: until they are answered, or told to wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from bot.app import open_house
from bot.chats.studio import Studio
from bot.clock import SystemClock
from bot.parts import build_chats
from bot.settings import Settings
from tests.benchmarks.load import market_crowd
from tests.wire.discord import DiscordServer
from tests.wire.telegram import TelegramServer

_LONGEST = 15.0
_MARKETS = 10
_SAID: tuple[tuple[str, str, str], ...] = (
    ("chart", "what", "btc 4h"),
    ("price", "instruments", "btc c0001"),
    ("alert", "rule", "btc moves 9% in 1h"),
    ("alerts", "", ""),
    ("test", "rule", "btc -5% in 1h"),
)
"""What they type, in turn: a command, its option, and what is filled in."""

Asked = Callable[[], bool]
"""Whether somebody was answered."""


class Town(Protocol):
    """A platform with many people in it."""

    def settings(self) -> dict[str, Any]:
        """Give what points the bot there."""

    async def ready(self) -> None:
        """Wait until the bot listens."""

    async def ask(self, person: int, turn: int) -> Asked:
        """Let somebody type, in their own chat."""


def typing_seconds(platform: str, people: int, rounds: int) -> tuple[list[float], list[float]]:
    """Let one person type after the other, then all at once; gives the waits of either, in seconds."""
    with redirect_stdout(StringIO()):  # the log of the bot is no figure
        return asyncio.run(_typing(platform, people, rounds))


async def _typing(platform: str, people: int, rounds: int) -> tuple[list[float], list[float]]:
    clock = SystemClock()
    with TemporaryDirectory() as folder:
        database = f"sqlite+aiosqlite:///{Path(folder) / 'tocsin.db'}"
        async with market_crowd(_MARKETS) as root, _town(platform, people) as town:
            settings = Settings(
                database_url=database,
                exchanges=("binance",),
                feed_gateway=root,
                providers=(),
                stream=False,
                **town.settings(),
            )
            done = asyncio.Event()
            studio = Studio()
            chats = build_chats(settings, clock, studio)
            async with open_house(settings, clock, chats, throttle=False) as house:
                task = asyncio.create_task(house.run(done))
                try:
                    studio.warm()
                    await town.ready()
                    await _wait(lambda: house.exchanges.market.health()[0].is_well)
                    for turn in range(len(_SAID)):  # what is loaded once is loaded
                        await _waited(await town.ask(0, turn))
                    alone = [
                        await _waited(await town.ask(turn % people, turn)) for turn in range(2 * len(_SAID))
                    ]
                    crowd = []
                    for turn in range(rounds):
                        asked = [
                            (await town.ask(one, one + turn), time.perf_counter()) for one in range(people)
                        ]
                        crowd += await asyncio.gather(*(_waited(one, since) for one, since in asked))
                        await asyncio.sleep(0.5)
                finally:
                    done.set()
                    await task
    return alone, crowd


async def _waited(is_answered: Asked, since: float | None = None) -> float:
    """Give how long somebody waited; who was answered too late for their platform waited the longest."""
    began = time.perf_counter() if since is None else since
    with suppress(TimeoutError):
        await _wait(is_answered, _LONGEST)
    return time.perf_counter() - began


async def _wait(is_so: Callable[[], bool], within: float = 60.0) -> None:
    async with asyncio.timeout(within):
        while not is_so():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


class _OnDiscord:
    def __init__(self, server: DiscordServer, people: int) -> None:
        self._server = server
        self._people = [server.person(f"person {one}") for one in range(people)]

    def settings(self) -> dict[str, Any]:
        return {
            "discord_token": self._server.token,
            "discord_api": self._server.api,
            "discord_gateway": self._server.gateway,
        }

    async def ready(self) -> None:
        await self._server.connected()

    async def ask(self, person: int, turn: int) -> Asked:
        name, option, value = _SAID[turn % len(_SAID)]
        who = self._people[person]
        filled = {option: value} if option else {}
        record = await self._server.slash(self._server.direct(who), who, name, filled)
        return lambda: record.responded


class _OnTelegram:
    def __init__(self, server: TelegramServer, people: int) -> None:
        self._server = server
        self._people = list(range(5_001, 5_001 + people))
        for person in self._people:
            server.private(person)

    def settings(self) -> dict[str, Any]:
        return {"telegram_token": self._server.token, "telegram_api": self._server.root}

    async def ready(self) -> None:
        return

    async def ask(self, person: int, turn: int) -> Asked:
        name, _, value = _SAID[turn % len(_SAID)]
        who = self._people[person]
        before = len(self._server.shown(who))
        # An alert is written in plain words here.
        await self._server.say(who, who, value if name == "alert" else f"/{name} {value}".strip())
        return lambda: len(self._server.shown(who)) > before


@asynccontextmanager
async def _town(platform: str, people: int) -> AsyncIterator[Town]:
    if platform == "discord":
        async with DiscordServer() as discord:
            yield _OnDiscord(discord, people)
    else:
        async with TelegramServer() as telegram:
            yield _OnTelegram(telegram, people)
