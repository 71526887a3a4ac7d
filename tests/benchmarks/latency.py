"""How long a ring takes from the trade to the message that a chat has taken, over real sockets."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.app import open_house
from bot.chats.telegram import TelegramChat
from bot.chats.telegram_reach import Doubts
from bot.clock import SystemClock
from bot.collector import settle_memory
from bot.metrics import MetricKey, Seen, minute_of, point
from bot.ports import NewArming
from bot.settings import Settings
from bot.store import open_store, upgrade
from tests.benchmarks.post_office import post_office
from tests.benchmarks.running import as_it_runs
from tests.streaming import heard, until, world_of

_LEVEL = 103_000
_BTC = MetricKey("price", "btc/usdt")
_TEXT = "x" * 120


def ring_seconds(count: int, stream: bool) -> list[float]:
    """Ring so many alerts, one after the other, by a stream alone or by a look every second."""
    with as_it_runs():
        return asyncio.run(_ring(count, stream))


async def _ring(count: int, stream: bool) -> list[float]:
    taken: list[float] = []
    with TemporaryDirectory() as folder:
        async with world_of(SystemClock(), f"sqlite+aiosqlite:///{Path(folder) / 'tocsin.db'}") as world:
            await world.arm(*(f"btc < {_LEVEL - place}" for place in range(count)))
            async with world.running(poll_seconds=3600 if stream else 1, stream=stream) as house:
                if stream:
                    await heard(world, house)
                await until(lambda: house.exchanges.market.health()[0].is_well)
                for place in range(count):
                    await asyncio.sleep(0.3 + place % 7 / 10)  # at every phase of the looks
                    began = time.perf_counter()
                    await world.trade(_LEVEL - place - 0.5)
                    await until(lambda rung=place: len(world.rings()) > rung)
                    taken.append(time.perf_counter() - began)
    return taken


def wire_seconds(count: int) -> tuple[list[float], list[float]]:
    """Ring so many chats by trades on a stream, one after the other, with a bare beginning in between.

    Gives the seconds from each trade to its message at the Bot API, and those of the commit of one row and
    one POST.
    """
    with as_it_runs():
        return asyncio.run(_wire(count))


async def _wire(count: int) -> tuple[list[float], list[float]]:
    clock = SystemClock()
    taken: list[float] = []
    bare: list[float] = []
    with TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'tocsin.db'}"
        await _arm(url, count)
        rows = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        rows.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE r (text TEXT)")
        async with AsyncExitStack() as stack:
            root = await stack.enter_async_context(post_office())
            http = await stack.enter_async_context(aiohttp.ClientSession())
            world = await stack.enter_async_context(world_of(clock, url))
            settings = Settings(
                database_url=url, exchanges=("binance",), feed_gateway=world.root, providers=(),
                poll_seconds=3600, stream=True, telegram_per_second=1000,
            )  # fmt: skip
            chat = TelegramChat("1:A", clock, root=root, doubts=Doubts(at_start=0))
            house = await stack.enter_async_context(open_house(settings, clock, [chat], throttle=False))
            done = asyncio.Event()
            task = asyncio.create_task(house.run(done))
            try:
                market = house.exchanges.market
                await until(lambda: chat.is_connected and market.health()[0].is_well, within=60)
                await until(lambda: world.wire.watched() == {"btc/usdt"}, within=60)
                await until(lambda: market.streams()[0].connected_at is not None, within=60)
                settle_memory()
                for place in range(count):
                    await asyncio.sleep(0.5)  # the stream rests for a moment after each batch
                    began = time.time()
                    rows.execute("INSERT INTO r VALUES (?)", (_TEXT,))
                    post = {"chat_id": "1", "text": _TEXT}
                    await (await http.post(f"{root}/bot1:A/sendMessage", data=post)).read()
                    [arrived] = await (await http.get(f"{root}/arrivals")).json()
                    bare.append(arrived - began)
                    await asyncio.sleep(0.1)
                    began = time.time()
                    await world.trade(_LEVEL - place - 0.5)
                    async with asyncio.timeout(15):
                        while not (arrivals := await (await http.get(f"{root}/arrivals")).json()):  # noqa: ASYNC110
                            await asyncio.sleep(0.05)
                    taken.append(arrivals[0] - began)
            finally:
                done.set()
                await task
                rows.close()
    return taken, bare


async def _arm(url: str, count: int) -> None:
    """Make alerts at levels one below the other, each in a chat of its own."""
    await upgrade(url)
    store = await open_store(url)
    now = SystemClock().now()
    for place in range(count):
        chat = str(1_000 + place)
        who = Caller(ChatRef("telegram", chat), ChatKind.PRIVATE, chat, "Ann")
        rule = f"btc/usdt < {_LEVEL - place}"
        await store.make_alert(
            who, rule, NewArming(rule, {_BTC: Seen(now, point(104_000.0, minute_of(now)))}), now
        )
    await store.close()
