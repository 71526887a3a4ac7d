"""Kill the bot again and again, and compare what it told with the true market.

``python -m tests.kills --kills 300 [--seed N]`` runs it over the wire: the bot is a process of its own (see
tests/kills_bot.py) with the real exchange library and the real libraries of both platforms; exchange and
platforms are servers on loopback, on a clock that runs fast. Prices touch levels all the time, and levels are
moved. SIGKILL comes at any moment, at times aimed: right after a commit, or between a send and its settling.

What it came to is judged by tests/kills_judge.py: every ring of the true market was told, once, but for what
was in flight when the bot was killed.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

from bot.demo.exchange import BinanceExchange
from bot.metrics import MINUTE, Bar, minute_of
from tests.conftest import NOON
from tests.kills_bot import Swift
from tests.kills_judge import RING, Chat, Remains, judge
from tests.wire.discord import DiscordServer
from tests.wire.prices import Ticks
from tests.wire.telegram import MUTE, TelegramServer

RATE = 20.0
"""How many times as fast as the machine the clock runs: a minute of the market takes three seconds."""

POLL_SECONDS = 10.0
PEOPLE = (1001, 1002, 1003, 1004)
OLGA = 1009
GROUP = -1_000_000_000_077
BASES = {"btc/usdt": 100_000.0, "eth/usdt": 4_000.0}
RULES = (
    "btc < 99.9k repeat cooldown 1m",
    "btc < 99.95k repeat cooldown 1m",
    "btc < 99.98k repeat cooldown 1m",
    "btc > 100.1k repeat cooldown 2m",
    "btc > 100.2k repeat cooldown 2m urgent",
    "eth < 3995 repeat cooldown 3m",
    "eth > 4010",
    "btc crosses 100k repeat cooldown 2m",
    "btc every 0.4% repeat cooldown 1m",
    "btc > 100.3k and eth < 3990 repeat cooldown 1m",
    "btc < @floor repeat cooldown 1m",
)

AIMED = ("after a commit", "after a send", "after a post", "after a list")
_AIMING = {"after a list": 2.0}
_LONGEST_AIMING = 20.0
_MOST_SAID = 40
_MOVING = 0.2
"""Real seconds to wait for the moment that is aimed at, how much a life says before at most (a busy machine
must not make it a short one), and how often a level is moved in it."""


_TRIES, _PATIENCE = 5, 60.0
"""How often an alert is asked for, and real seconds between: a bot that ends just then answers nothing."""


class Paths:
    """The prices of several symbols."""

    def __init__(self, ticks: dict[str, Ticks]) -> None:
        self.ticks = ticks

    def price(self, symbol: str, at: float) -> float:
        return self.ticks[symbol].price(symbol, at)

    def bar(self, symbol: str, minute: int, until: float) -> Bar | None:
        return self.ticks[symbol].bar(symbol, minute, until)


class Mother:
    """Gives life to a bot, one at a time: see tests/kills_bot.py."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process, self._stdin, self._stdout = process, process.stdin, process.stdout
        self.pid = 0

    async def bear(self, settings: dict[str, Any]) -> None:
        self._stdin.write(json.dumps(settings).encode() + b"\n")
        self.pid = int(await self._stdout.readline())

    async def put_out(self) -> int:
        """Kill the life; gives how it ended."""
        with suppress(ProcessLookupError):  # it ended by itself
            os.kill(self.pid, signal.SIGKILL)
        status = int(await self._stdout.readline())
        self.pid = 0
        return status

    async def leave(self) -> None:
        if self.pid:
            await self.put_out()
        self._stdin.close()
        await self._process.wait()


class Run:
    """One busy market, both platforms, and a bot that is killed."""

    def __init__(self, folder: Path, seed: int, rules: tuple[str, ...] = RULES) -> None:
        self.rules = rules
        self.folder = folder
        self.random = random.Random(seed)
        self.clock = Swift(NOON, time.monotonic(), RATE)
        self.ticks = {symbol: Ticks(self.clock, price) for symbol, price in BASES.items()}
        self.telegram = TelegramServer()
        self.discord = DiscordServer()
        self.database = folder / "tocsin.db"
        self.url = f"sqlite:///{self.database}"
        self.kills: Counter[str] = Counter()
        self.mishaps: list[str] = []
        self.lives: list[dict[Chat, frozenset[str]]] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        path = Paths(self.ticks)
        async with (
            self.telegram,
            self.discord,
            BinanceExchange(path, list(BASES), self.clock.now) as exchange,
        ):
            self.boss = self.discord.person("bea", manages=True)
            self.channels = [self.discord.channel, *(self.discord.text_channel(f"more-{n}") for n in (1, 2))]
            for person in PEOPLE:
                self.telegram.private(person, f"Person {person}")
            self.telegram.group(GROUP, admins=[OLGA])
            self.settings = {
                "clock": (NOON, self.clock._began, RATE),
                "log": str(self.folder / "bot.log"),
                "telegram_token": self.telegram.token,
                "telegram_api": self.telegram.root,
                "discord_token": self.discord.token,
                "discord_api": self.discord.api,
                "discord_gateway": self.discord.gateway,
                "database_url": self.url,
                "exchanges": ["binance"],
                "feed_gateway": exchange.root,
                "poll_seconds": POLL_SECONDS,
                "providers": [],
                "stream": False,
            }
            self.mother = await self.begin()
            self._trading = asyncio.create_task(self._trade())
            try:
                yield
            finally:
                self._trading.cancel()
                await self.mother.leave()

    async def begin(self) -> Mother:
        """Load the bot once."""
        environment = {name: value for name, value in os.environ.items() if "TOCSIN" not in name}
        environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
        return Mother(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.kills_bot"),
                cwd=self.folder,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        )

    # --- lives ----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        await self.mother.bear(self.settings)

    async def kill(self, why: str) -> None:
        """End a life; what it sent before may arrive after its end, and still is its own."""
        await self.put_out(self.mother)
        self.end_life()
        self.kills[why] += 1

    async def put_out(self, mother: Mother) -> None:
        """Kill a life, and wait for what it sent."""
        status = await mother.put_out()
        if status != signal.SIGKILL:
            self.mishaps.append(f"a life ended by itself ({status}):\n{self.log()}")
        self.telegram.forget("sendmessage")
        self.discord.heal()
        both = self.telegram, self.discord
        await self.until(lambda: not any(one.connections for one in both), "end of what was sent")

    def log(self) -> str:
        return (self.folder / "bot.log").read_text()[-3000:]

    def shown(self) -> dict[Chat, dict[str, str]]:
        """Give the texts of all messages by chat and id."""
        found: dict[Chat, dict[str, str]] = {}
        for chat in (*PEOPLE, GROUP):
            found["telegram", str(chat)] = {str(one.id): one.text for one in self.telegram.shown(chat)}
        for channel in self.channels:
            found["discord", channel] = {one.id: one.text for one in self.discord.shown(channel)}
        return found

    def end_life(self) -> None:
        """Note what tells a ring in each chat as a life is over."""
        shown = self.shown().items()
        self.lives.append(
            {chat: frozenset(one for one, text in texts.items() if RING.match(text)) for chat, texts in shown}
        )

    async def until(self, is_so: Callable[[], bool], what: str, within: float = 300.0) -> None:
        try:
            async with asyncio.timeout(within):
                while not is_so():  # noqa: ASYNC110 - another process makes it so
                    await asyncio.sleep(0.003)
        except TimeoutError:
            raise AssertionError(f"no {what} within {within} s; the log ends\n{self.log()}") from None

    def query(self, words: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database, timeout=10)) as connection:
            return connection.execute(words).fetchall()

    # --- what goes on ---------------------------------------------------------------------------------------

    async def _trade(self) -> None:
        while True:
            for symbol, base in BASES.items():
                self.ticks[symbol].set(round(base * (1 + self.random.uniform(-0.006, 0.006)), 2))
            await asyncio.sleep(self.random.uniform(0.05, 0.4))

    async def arm(self) -> None:
        """Make the alerts of every chat; what a bot could not do just then is said again."""
        for number, rule in enumerate(self.rules, 1):
            lacking = [*map(str, (*PEOPLE, GROUP)), *(self.channels if "@floor" not in rule else ())]
            for tries in range(1, _TRIES + 1):
                for chat in lacking:
                    await self._arm(chat, rule)
                try:
                    within = 300.0 if tries == _TRIES else _PATIENCE
                    await self.until(lambda number=number: not self._lacking(number), "alerts", within)
                except AssertionError:
                    if tries == _TRIES:
                        raise
                    lacking = self._lacking(number)
                else:
                    break

    def _lacking(self, number: int) -> list[str]:
        """Name the chats that have fewer alerts than so many; a level is only for those of Telegram."""
        words = "select chat, (select count(*) from subscriptions where chat_id = chats.id) from chats"
        made = {chat: alerts for chat, alerts in self.query(words)}  # noqa: C416 - rows are no pairs everywhere
        due = dict.fromkeys(map(str, (*PEOPLE, GROUP)), number)
        due |= dict.fromkeys(self.channels, min(number, len(self.rules) - 1))
        return [chat for chat, alerts in due.items() if made.get(chat, 0) < alerts]

    async def _arm(self, chat: str, rule: str) -> None:
        if chat in self.channels:
            await self.discord.slash(chat, self.boss, "alert", {"rule": rule})
            return
        person = OLGA if int(chat) == GROUP else int(chat)
        if "@floor" in rule:
            await self.telegram.say(int(chat), person, "/level floor 100.05k")
        await self.telegram.say(int(chat), person, f"/alert {rule}")

    async def move(self) -> None:
        """Move somebody's level: whether before the kill or after it is all one."""
        chat, level = self.random.choice(PEOPLE), self.random.randrange(99_900, 100_100, 5)
        await self.telegram.say(chat, chat, f"/edit {len(self.rules)} btc < {level} repeat cooldown 1m")

    async def live_on(self) -> None:
        """Let the bot live for a while, and kill it at any moment, or at one that is waited for."""
        await self.start()
        if self.random.random() < _MOVING:
            await self.move()
        said, enough = self._said(), self.random.randrange(_MOST_SAID)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_AIMING):
                while self._said() < said + enough:  # noqa: ASYNC110 - another process says it
                    await asyncio.sleep(0.003)
        await asyncio.sleep(self.random.uniform(0.0, 0.3))
        way = self.random.choice(["any", "any", *AIMED])
        try:
            async with asyncio.timeout(_AIMING.get(way, _LONGEST_AIMING)):
                await self._aim(way)
        except TimeoutError:
            way = "any"
        await self.kill(way)

    def _said(self) -> int:
        return len(self.telegram.calls) + len(self.discord.requests)

    async def _aim(self, way: str) -> None:
        happened = asyncio.Event()
        match way:
            case "after a commit":
                newest = self.query("select max(id) from outbox")
                while self.query("select max(id) from outbox") == newest:  # noqa: ASYNC110 - of another process
                    await asyncio.sleep(0.002)
            case "after a send":
                self.telegram.order("sendmessage", *[MUTE] * self.random.choice([1, 3]))
                said = len(self.telegram.called("sendMessage"))
                while len(self.telegram.called("sendMessage")) == said:  # noqa: ASYNC110 - of another process
                    await asyncio.sleep(0.002)
            case "after a post" | "after a list":
                text = "messages at once" if way == "after a list" else ""
                self.discord.mute("/channels/*/messages", text, happened.set)
                await happened.wait()

    async def finish(self) -> None:
        """Live on in peace, at prices that stand, until all is told."""
        await self.start()
        self._trading.cancel()
        self.end = minute_of(self.clock.now()) + 2 * MINUTE
        judged = "select min(judged_to) from cursors"
        waiting = "select count(*) from outbox where sent_at is null and given_up_at is null"
        await self.until(lambda: (self.query(judged)[0][0] or 0) > self.end, "end of judging")
        await self.until(lambda: self.query(waiting) == [(0,)], "end of telling")
        self.end_life()

    # --- what it came to ------------------------------------------------------------------------------------

    def remains(self) -> Remains:
        """Gather what is to be judged."""
        return Remains(
            self.database, self.ticks, self.end, self.shown(), self.lives, self.kills, self.mishaps
        )


async def run(kills: int, seed: int, folder: Path, rules: tuple[str, ...] = RULES) -> Remains:
    """Kill so many times, and give what is left."""
    world = Run(folder, seed, rules)
    async with world.opened():
        await world.start()
        await world.arm()
        await world.kill("any")
        while world.kills.total() < kills:
            await world.live_on()
        await world.finish()
        return world.remains()


def main() -> int:
    """Read how often to kill, and print the figures; the exit code says whether all is well."""
    parser = argparse.ArgumentParser(description="kill the bot again and again over the wire")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = judge(asyncio.run(run(given.kills, given.seed, Path(folder))))
    print("\n".join(figures.lines()))
    return 1 if figures.faults else 0


if __name__ == "__main__":
    sys.exit(main())
