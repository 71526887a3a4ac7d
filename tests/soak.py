"""Days of the whole bot in minutes: what it takes of memory, file handles and disk, day by day.

``python -m tests.soak --days 7 --chats 1000`` prints a line a day, then how far the last day is from the
second. All is the real program but its clock, which is moved, the exchange, which is a process on loopback,
and the platform, which takes every message at once. People read and change alerts meanwhile. What was
told is kept for a day here instead of three months, so that each day clears away what the one before left.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO
from zlib import crc32

import aiohttp
import structlog

from bot.alerts.message import Message
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.app import open_house
from bot.clock import SystemClock
from bot.collector import settle_memory
from bot.house import House
from bot.ports import Desk, NewArming, Outcome, Receipt, Register
from bot.ports.places import Place
from bot.settings import Settings
from bot.store import open_store
from tests.benchmarks.crowd import symbols
from tests.benchmarks.load import market_crowd

_DAY = 86_400
_KEPT = 1.0 * _DAY
_SAID = ("/alerts", "/history", "/why 1", "/status", "/price btc", "/catalogue", "/feeds")
_WITHIN = 0.05


class MovedClock(SystemClock):
    """The machine's clock and so many seconds more; whoever sleeps moves it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        """Give the present instant."""
        return super().now() + self.ahead

    def steady(self) -> float:
        """Give seconds that go on as ``now`` does."""
        return time.monotonic() + self.ahead

    async def sleep(self, seconds: float) -> None:
        """Let so many seconds pass at once."""
        self.ahead += max(0.0, seconds)
        await asyncio.sleep(0)


@dataclass
class Crowd:
    """A platform that takes every message, and counts them by what they tell."""

    platform: str = "telegram"
    adds_charts: bool = False
    is_connected: bool = True
    trouble: str = ""
    told: Counter[str] = field(default_factory=Counter)

    async def run(self, desk: Desk) -> None:
        """Say nothing of its own."""

    async def send(self, chat: ChatRef, message: Message, nonce: str, *, is_paid: bool = False) -> Outcome:
        """Take a message."""
        self.told[str(message.facts.get("event"))] += 1
        return Receipt(str(self.told.total()))

    async def illustrate(self, chat: ChatRef, sent: str, message: Message) -> Outcome:
        """Take a chart."""
        return Receipt(sent, has_chart=True)

    async def find_place(self, name: str, asking: ChatRef, person: str) -> Place | None:
        """Find nothing."""
        return None

    async def is_admin(self, chat: ChatRef, person: str, is_fresh: bool = False) -> bool:
        """Let everybody administer."""
        return True

    def link(self, chat: ChatRef, message: str, is_private: bool) -> str:
        """Give no address."""
        return ""

    def invitation(self, token: str) -> str:
        """Give no address."""
        return ""


@dataclass(frozen=True, slots=True)
class Day:
    """What the bot took at the end of a day, and what it did in it."""

    number: int
    megabytes: float
    handles: int
    disk: float
    rings: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"day {self.number}: {self.megabytes:7.1f} MB of memory, {self.handles:3} file handles, "
            f"{self.disk:6.2f} MB of database, {self.rings:6,} rings, {self.seconds:5.0f} s"
        )


def drift(days: list[Day]) -> dict[str, float]:
    """Say by which share the last day is above the second, for memory, handles and disk."""
    second, last = days[1], days[-1]
    return {
        name: getattr(last, name) / getattr(second, name) - 1 for name in ("megabytes", "handles", "disk")
    }


@dataclass
class Town:
    """People in their chats, each with alerts on markets that move all the time."""

    house: House
    clock: MovedClock
    crowd: Crowd
    chats: int
    markets: list[str]
    dice: random.Random

    async def say(self, person: int, words: str) -> None:
        """Let somebody say something, and read the whole answer."""
        async for _ in self.house.desk.dispatch(_who(person), words):
            pass

    async def settle(self, store: Register) -> None:
        """Give everybody an alert without the answer to it, which looks through a month of history."""
        for person in range(self.chats):
            rule = self.rule(person)
            await store.make_alert(_who(person), rule, NewArming(rule), self.clock.now())

    def rule(self, person: int) -> str:
        """Write a rule that comes true twice a day."""
        market = self.markets[person % len(self.markets)]
        level = (100 + crc32(market.encode()) % 900) * 0.999
        return f"{market} < {level:.3f} repeat cooldown 12h"

    async def live(self) -> None:
        """Let some people say something, and a few make up their minds anew."""
        for _ in range(max(1, self.chats // 100)):
            await self.say(self.dice.randrange(self.chats), self.dice.choice(_SAID))
        if self.dice.random() < 0.2:
            person = self.dice.randrange(self.chats)
            await self.say(person, f"/edit 1 {self.rule(person)} note {self.dice.randrange(10**6)}")


async def soak(days: int, chats: int, markets: int, step: int, out: TextIO = sys.stdout) -> list[Day]:
    """Live through so many days in steps of so many seconds; prints each."""
    found: list[Day] = []
    async with _town(chats, markets) as (town, http, root, path):
        store = await open_store(f"sqlite+aiosqlite:///{path}")
        await town.settle(store)
        await store.close()
        for number in range(1, days + 1):
            began, before = time.monotonic(), town.crowd.told["ring"]
            for _ in range(_DAY // step):
                town.clock.ahead += step
                (await http.get(f"{root}/clock/{town.clock.ahead}")).release()
                for feed in town.house.exchanges.feeds:
                    await town.house.looks.look(feed)
                await town.house.tape.judged()
                await town.house._go_round()
                await town.live()
                while await town.house.couriers[0].drain():
                    pass
            await town.house.watches[0].tidy()
            await town.house.clearing.clear(town.clock.now() - _KEPT)
            rings = town.crowd.told["ring"] - before
            found.append(_measured(number, path, rings, time.monotonic() - began))
            print(found[-1], file=out, flush=True)
    return found


def _who(person: int) -> Caller:
    name = str(1000 + person)
    return Caller(ChatRef("telegram", name), ChatKind.PRIVATE, name, f"p{person}")


@asynccontextmanager
async def _town(chats: int, markets: int) -> AsyncIterator[tuple[Town, aiohttp.ClientSession, str, Path]]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    settle_memory()
    clock, crowd = MovedClock(), Crowd()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tocsin.db"
        async with market_crowd(markets) as root, aiohttp.ClientSession() as http:
            settings = Settings(
                database_url=f"sqlite+aiosqlite:///{path}",
                exchanges=("binance",),
                feed_gateway=root,
                providers=(),
                stream=False,
            )
            async with open_house(settings, clock, [crowd], throttle=False) as house:
                judging = asyncio.create_task(house.watches[0].run(house.tape.read(0)))
                names = symbols(markets)[2:]
                yield Town(house, clock, crowd, chats, names, random.Random(7)), http, root, path
                house.tape.close()
                await judging


def _measured(number: int, path: Path, rings: int, seconds: float) -> Day:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    handles = len(list(Path("/proc/self/fd").iterdir()))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Day(
        number, pages * os.sysconf("SC_PAGESIZE") / 1e6, handles, path.stat().st_size / 1e6, rings, seconds
    )


def main() -> None:
    """Read the arguments, live, and say whether it held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--chats", type=int, default=1000)
    parser.add_argument("--markets", type=int, default=40)
    parser.add_argument("--step", type=int, default=300, help="seconds from one look to the next")
    given = parser.parse_args()
    if given.days < 3:
        parser.error("--days must be 3 or more: the last is compared with the second")
    days = asyncio.run(soak(given.days, given.chats, given.markets, given.step))
    shares = drift(days)
    told = ", ".join(f"{name} {share:+.1%}" for name, share in shares.items())
    sys.stdout.write(f"{told} from day 2 to the last\n")
    sys.exit(0 if max(shares.values()) <= _WITHIN else 1)


if __name__ == "__main__":
    main()
