"""Kill the bot again and again, and compare what it told with the true market.

``python -m tests.kills --kills 300 [--seed N]`` runs it over the wire: the bot is a process of its own (see
tests/kills_bot.py) with the real exchange library and the real libraries of both platforms; exchange and
platforms are servers on loopback, on a clock that runs fast. Prices touch levels all the time, and levels are
moved. SIGKILL comes at any moment, at times aimed: right after a commit, or between a send and its settling.

What must have rung is told by brute force (tests/feed_oracle.py) from the minutes of the market. Each such
ring must be a row of the outbox for its chat, each row have its message, and each message of the platform its
rows: what has none is a repetition, and was in flight when the bot was killed.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.demo.exchange import BinanceExchange
from bot.metrics import MINUTE, Bar, minute_of
from tests.conftest import NOON
from tests.feed_oracle import Alert, Findings, Minute, Told, compare
from tests.kills_bot import Swift
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
_AIMING = 3.0
_MOVING = 0.2
"""Real seconds to wait for the moment that is aimed at, and how often a level is moved in a life."""

RING = re.compile(r"\**(?:#\d+ (?!armed|is |moved)|\d+ messages at once:)")
_TOUCH = re.compile(r"(btc/usdt|eth/usdt) (<|>) ([\d.]+)( repeat)?(?: cooldown (\d+)m)?(?: urgent)?")


class Paths:
    """The prices of several symbols."""

    def __init__(self, ticks: dict[str, Ticks]) -> None:
        self.ticks = ticks

    def price(self, symbol: str, at: float) -> float:
        return self.ticks[symbol].price(symbol, at)

    def bar(self, symbol: str, minute: int, until: float) -> Bar | None:
        return self.ticks[symbol].bar(symbol, minute, until)


@dataclass
class Figures:
    """What a run came to."""

    kills: Counter[str] = field(default_factory=Counter)
    alerts: int = 0
    rings: int = 0
    corrected: int = 0
    minutes: int = 0
    rows: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    most_repeated: int = 0
    faults: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield f"kills {sum(self.kills.values())}: {dict(self.kills)}"
        yield f"alerts {self.alerts}, their minutes {self.minutes}"
        yield f"rings of the true market {self.rings}, taken back {self.corrected}"
        yield f"rows of the outbox {self.rows}, messages {dict(self.messages)}"
        yield f"repeated {dict(self.repeated)}, at most {self.most_repeated} of a chat and a kill"
        yield f"lost, false or repeated beyond what was in flight: {len(self.faults)}"
        yield from self.faults[:20]


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
        self.figures = Figures()
        self.seen: list[dict[str, set[str]]] = []  # at each kill, the messages that stood in each chat
        self._pid = 0

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
                "database_url": f"sqlite:///{self.database}",
                "exchanges": ["binance"],
                "feed_gateway": exchange.root,
                "poll_seconds": POLL_SECONDS,
                "providers": [],
                "stream": False,
            }
            environment = {name: value for name, value in os.environ.items() if "TOCSIN" not in name}
            environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
            self._mother = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.kills_bot",
                cwd=self.folder,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            self._trading = asyncio.create_task(self._trade())
            try:
                yield
            finally:
                self._trading.cancel()
                if self._pid:
                    await self.kill("end")
                assert self._mother.stdin is not None
                self._mother.stdin.close()
                await self._mother.wait()

    # --- lives ----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        assert self._mother.stdin is not None and self._mother.stdout is not None
        self._mother.stdin.write(json.dumps(self.settings).encode() + b"\n")
        self._pid = int(await self._mother.stdout.readline())

    async def kill(self, why: str) -> None:
        assert self._mother.stdout is not None
        os.kill(self._pid, signal.SIGKILL)
        status = int(await self._mother.stdout.readline())
        self._pid = 0
        if status != signal.SIGKILL:
            self.figures.faults.append(f"a life ended by itself ({status}):\n{self.log()}")
        self.telegram.forget("sendmessage")
        self.discord.heal()
        self.seen.append(self.messages())
        self.figures.kills[why] += 1

    def log(self) -> str:
        return (self.folder / "bot.log").read_text()[-3000:]

    def messages(self) -> dict[str, set[str]]:
        """Give the ids of what tells a ring, by chat."""
        found = {
            str(chat): {str(one.id) for one in self.telegram.shown(chat) if RING.match(one.text)}
            for chat in (*PEOPLE, GROUP)
        }
        for channel in self.channels:
            found[channel] = {one.id for one in self.discord.shown(channel) if RING.match(one.text)}
        return found

    async def until(self, is_so: Callable[[], bool], what: str, within: float = 60.0) -> None:
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
        """Make the alerts of every chat."""
        for number, rule in enumerate(self.rules, 1):
            for chat in (*PEOPLE, GROUP):
                person = OLGA if chat == GROUP else chat
                if "@floor" in rule:
                    await self.telegram.say(chat, person, "/level floor 100.05k")
                await self.telegram.say(chat, person, f"/alert {rule}")
            if "@floor" not in rule:
                for channel in self.channels:
                    await self.discord.slash(channel, self.boss, "alert", {"rule": rule})
            shown = number * (len(PEOPLE) + 1) + min(number, len(self.rules) - 1) * len(self.channels)
            await self.until(
                lambda shown=shown: self.query("select count(*) from subscriptions") == [(shown,)],
                f"{shown} alerts",
            )

    async def move(self) -> None:
        """Move somebody's level: whether before the kill or after it is all one."""
        chat, level = self.random.choice(PEOPLE), self.random.randrange(99_900, 100_100, 5)
        await self.telegram.say(chat, chat, f"/edit {len(self.rules)} btc < {level} repeat cooldown 1m")

    async def live_on(self) -> None:
        """Let the bot live for a while, and kill it at any moment, or at one that is waited for."""
        await self.start()
        if self.random.random() < _MOVING:
            await self.move()
        await asyncio.sleep(self.random.uniform(0.05, 1.2))
        way = self.random.choice(["any", "any", *AIMED])
        try:
            async with asyncio.timeout(_AIMING):
                await self._aim(way)
        except TimeoutError:
            way = "any"
        await self.kill(way)

    async def _aim(self, way: str) -> None:
        happened = asyncio.Event()
        match way:
            case "after a commit":
                newest = self.query("select max(id) from outbox")
                while self.query("select max(id) from outbox") == newest:  # noqa: ASYNC110 - of another process
                    await asyncio.sleep(0.002)
            case "after a send":
                self.telegram.order("sendmessage", *[MUTE] * self.random.choice([1, 3]))
                said = len(self.telegram.calls)
                while not any(  # noqa: ASYNC110 - another process sends
                    call.method == "sendMessage" for call in self.telegram.calls[said:]
                ):
                    await asyncio.sleep(0.002)
            case "after a post" | "after a list":
                text = "messages at once" if way == "after a list" else ""
                self.discord.mute("/channels/*/messages", text, happened.set)
                await happened.wait()

    async def finish(self) -> None:
        """Live on in peace, at prices that stand, until all is told."""
        await self.start()
        self._trading.cancel()
        self.end = minute_of(self.clock.now()) + 3 * MINUTE
        judged = "select min(judged_to) from cursors"
        waiting = "select count(*) from outbox where sent_at is null and given_up_at is null"
        await self.until(lambda: (self.query(judged)[0][0] or 0) > self.end, "end of judging")
        await self.until(lambda: self.query(waiting) == [(0,)], "end of telling")

    # --- what it came to ------------------------------------------------------------------------------------

    def judge(self) -> Figures:
        """Compare."""
        self._rings()
        self._told()
        return self.figures

    def _rings(self) -> None:
        findings = Findings()
        chosen = (
            "select a.id, a.alert_id, a.rule, a.seen, a.made_at, a.retired_at, s.cursor from armings a "
            "left join alert_states s on s.arming_id = a.id"
        )
        for arming, number, rule, seen, made, retired, cursor in self.query(chosen):
            self.figures.alerts += 1
            touch = _TOUCH.fullmatch(rule)
            if not touch:
                continue
            alert = _alert(f"alert {number}, arming {arming}: {rule}", touch, json.loads(seen), made)
            told = self.query(
                f"select at, is_early from rings where arming_id = {arming} and corrected_at is null"  # noqa: S608
            )
            last = self.end
            if retired:  # what is not judged yet when a level is moved away is judged no more
                last = min(
                    minute_of(retired), max([cursor or 0, *(minute_of(at) + MINUTE for at, _ in told)])
                )
            minutes = self._minutes(touch[1], alert, last)
            rings: list[float] = []
            for at, is_early in sorted(told):
                rings.append(_final(alert, minutes, rings, at) if is_early else at)
            compare(alert, minutes, Told([at for at in rings if at < last]), findings)
        self.figures.rings, self.figures.minutes = findings.rings, findings.minutes
        self.figures.faults += findings.missed + findings.false
        (self.figures.corrected,) = self.query("select count(*) from rings where corrected_at is not null")[0]

    def _minutes(self, symbol: str, alert: Alert, last: int) -> list[Minute]:
        ticks, found = self.ticks[symbol], []
        for at in range(alert.first, last, MINUTE):
            bar = ticks.bar(symbol, at, at + MINUTE)
            later = ticks.between(alert.made, at + MINUTE) if at == alert.first else []
            after = [Bar(at, alert.price or later[0], max(later), min(later), later[-1])] if later else []
            found.append(Minute(at, (bar,), later=tuple(after)))
        return found

    def _told(self) -> None:
        """Compare rings with rows, and rows with messages."""
        missing = self.query(
            "select r.id, s.chat_id from rings r join subscriptions s on s.arming_id = r.arming_id "
            "where not exists (select 1 from outbox o where o.ring_id = r.id and o.chat_id = s.chat_id "
            "and o.kind = 'ring')"
        )
        self.figures.faults += [f"ring {ring} has no row for chat {chat}" for ring, chat in missing]
        rows = self.query(
            "select c.platform, c.chat, o.receipt, o.kind, a.number, o.error from outbox o "
            "join chats c on c.id = o.chat_id left join alerts a on a.id = o.alert_id order by o.id"
        )
        self.figures.rows = len(rows)
        of_message = defaultdict(list)
        for platform, chat, receipt, kind, number, error in rows:
            if receipt is None:
                self.figures.faults.append(f"{kind} #{number} for {platform} {chat} was not told: {error}")
            of_message[platform, chat, receipt].append(number)
        texts = {
            ("telegram", str(one.chat), str(one.id)): one.text
            for chat in (*PEOPLE, GROUP)
            for one in self.telegram.shown(chat)
        }
        for channel in self.channels:
            texts |= {("discord", channel, one.id): one.text for one in self.discord.shown(channel)}
        for where, numbers in of_message.items():
            text = texts.get(where, "")
            told = [int(one) for one in re.findall(r"(?m)^(?:• )?.*?#(\d+) ", text)]
            if told != numbers:
                self.figures.faults.append(f"{where}: told {told} instead of {numbers}: {text!r}")
        self.figures.messages.update(platform for platform, _, _ in texts)
        self._repeated(of_message)

    def _repeated(self, of_message: Iterable[tuple[str, str, str]]) -> None:
        """Count what has no rows: at each kill at most one message of a chat, and none where nonces count."""
        known = {(chat, receipt) for _, chat, receipt in of_message}
        before: dict[str, set[str]] = defaultdict(set)
        for kill, shown in enumerate(self.seen):
            for chat, ids in shown.items():
                new = ids - before[chat]
                before[chat] = ids
                lost = [one for one in new if (chat, one) not in known]
                platform = "discord" if chat in self.channels else "telegram"
                self.figures.repeated[platform] += len(lost)
                self.figures.most_repeated = max(self.figures.most_repeated, len(lost))
                if len(lost) > (platform == "telegram"):
                    self.figures.faults.append(f"kill {kill}: {platform} {chat} was told {len(lost)} again")


def _final(alert: Alert, minutes: list[Minute], before: list[float], at: float) -> float:
    """Give the instant of the final ring that was told early at a price of ``at``.

    It is the first that is due up to the minute after, of those that were not judged yet when it was told.
    """
    running = minute_of(at)
    for minute in (running - MINUTE, running, running + MINUTE):
        instant = max(float(minute), alert.made)
        if before and instant <= before[-1]:
            continue
        findings = Findings()
        compare(alert, [one for one in minutes if one.at <= minute], Told([*before, instant]), findings)
        if not findings.missed + findings.false:
            return instant
    return max(float(running), alert.made)


def _alert(subject: str, touch: re.Match[str], seen: list[Any], made: float) -> Alert:
    """Read what the oracle is to know of an arming: its rule, and what was seen when it was made."""
    _, sign, level, repeats, pause = touch.groups()
    cooldown = (int(pause) * MINUTE if pause else 15 * MINUTE) if repeats else None
    if not seen:
        return Alert(subject, sign == "<", float(level), cooldown, minute_of(made) + MINUTE, made)
    ((_, _, _, seen_at, (opened, _, high, low, price, *_), *_),) = seen
    return Alert(subject, sign == "<", float(level), cooldown, opened, seen_at, price, low, high)


async def run(kills: int, seed: int, folder: Path, rules: tuple[str, ...] = RULES) -> Figures:
    """Kill so many times, and compare."""
    world = Run(folder, seed, rules)
    async with world.opened():
        await world.start()
        await world.arm()
        await world.kill("any")
        while sum(world.figures.kills.values()) < kills:
            await world.live_on()
        await world.finish()
        return world.judge()


def main() -> int:
    """Read how often to kill, and print the figures; the exit code says whether all is well."""
    parser = argparse.ArgumentParser(description="kill the bot again and again over the wire")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(run(given.kills, given.seed, Path(folder)))
    print("\n".join(figures.lines()))
    return 1 if figures.faults else 0


if __name__ == "__main__":
    sys.exit(main())
