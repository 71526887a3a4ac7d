"""Give life to the bot again and again: ``python -m tests.kills_bot`` loads it once and forks.

Each line of the input is the settings of a life as JSON. It is answered by the process id of that life, and
at its end by how it ended. A life is a process of its own that opens the database, takes its claim and
connects anew; what forking spares is only the reading of the program. One whose settings have ``seconds``
shares the database with others, and works whenever it is its turn.
"""

# ruff: noqa: T201, PTH123
from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
import traceback
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import structlog

import bot.chats.charts
import bot.chats.discord
import bot.chats.telegram
from bot.app import open_house
from bot.clock import SystemClock
from bot.feeds.exchanges.library import exchange_class
from bot.parts import build_chats, plan_of
from bot.ports.rota import Turn
from bot.settings import Settings
from bot.shelf import read_shelf
from bot.shift import Shift
from bot.store import claim, open_rota
from tests.brief_bot import begin_soon

_LOADED = exchange_class("binance", "async_support"), bot.chats.charts, bot.chats.discord, bot.chats.telegram


class Swift:
    """A clock that runs ``rate`` times as fast as the machine's, the same in every process.

    It showed ``start`` when ``time.monotonic()`` was ``began``. Nobody can hold it: prices, bot and platforms
    stay on one time, whoever is killed.
    """

    def __init__(self, start: float, began: float, rate: float) -> None:
        self._start, self._began, self._rate = start, began, rate

    def now(self) -> float:
        return self._start + (time.monotonic() - self._began) * self._rate

    def steady(self) -> float:
        return self.now()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds / self._rate))

    def real(self, seconds: float) -> float:
        return seconds / self._rate

    def still(self) -> AbstractContextManager[None]:
        return nullcontext()


async def _take_turns(settings: Settings, clock: Swift, seconds: float) -> None:
    """Work whenever it is this life's turn; who is silent for so many real seconds is thought dead."""
    rota, name = await open_rota(settings.database_url), f"life {os.getpid()}"

    async def work(turn: Turn, until: asyncio.Event) -> None:
        chats = build_chats(settings, clock, turn=turn)
        async with open_house(settings, clock, chats, throttle=False, turn=turn) as house:
            await house.run(until)

    how: dict[str, Any] = {"plan": plan_of(settings), "roles": settings.roles}

    await Shift(rota, SystemClock(), name, "1", seconds, **how).run(work, asyncio.Event())


async def _live(settings: Settings, clock: Swift, seconds: float | None) -> None:
    asyncio.get_running_loop().add_reader(0, os._exit, 0)  # who gave it life is gone
    if seconds is not None:
        await _take_turns(settings, clock, seconds)
        return
    claimed = claim(settings.database_url, str(os.getpid()))
    opened = open_house(settings, clock, build_chats(settings, clock), throttle=False)
    async with claimed, opened as house:
        await house.run(asyncio.Event())


def _begin(line: str) -> None:
    """Be one life, until killed."""
    given: dict[str, Any] = json.loads(line)
    clock, seconds = Swift(*given.pop("clock")), given.pop("seconds", None)
    begin_soon()
    log = open(given.pop("log"), "a", buffering=1)  # noqa: SIM115 - it lasts as long as the process
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(log),
        wrapper_class=structlog.make_filtering_bound_logger(30),
    )
    os.dup2(log.fileno(), 2)
    asyncio.run(_live(Settings(**given), clock, seconds))


def main() -> None:
    """Fork a life for each line that is read."""
    read_shelf()  # the language's tables and patterns are made as its first rules are read
    gc.collect()
    gc.freeze()  # no life looks through what was loaded before it began
    for line in sys.stdin:
        child = os.fork()
        if not child:
            try:
                _begin(line)
            except BaseException:
                traceback.print_exc()  # into the log, for whoever wonders why a life ended by itself
            finally:
                os._exit(1)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
