"""What a message to Telegram costs on its whole way: outbox, words, turn, chat, and that it was sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from sqlalchemy import func, select

from bot.alerts.models import Level
from bot.catalogues import read_languages
from bot.chats.telegram import TelegramChat
from bot.chats.telegram_reach import Doubts
from bot.clock import SystemClock
from bot.collector import settle_memory
from bot.deliver import Courier
from bot.pacing import Limits, Pacer, Rate, telegram_limits
from bot.ports import Desk
from bot.store import SqlStore, open_store, upgrade
from bot.store.tables import outbox
from bot.turns import Turns
from tests.benchmarks.levels import followed
from tests.benchmarks.post_office import post_office
from tests.benchmarks.running import as_it_runs
from tests.storing import ANN, SEEN, refill

_AT_ONCE = 64
_TEXT = "x" * 120
_FREE = Rate(1e6, 1e6)
UNBOUND = Limits(_FREE, _FREE, _FREE, room=3800)
"""The pace of nobody: what is measured is how fast it goes if it may."""


def send_seconds(messages: int, rounds: int) -> tuple[float, float]:
    """Send so many messages as fast as it goes, and as many bare POSTs; gives the least seconds of each."""
    with as_it_runs():
        return asyncio.run(_sent(messages, rounds))


def share_of_core(messages: int, per_second: int) -> tuple[float, float]:
    """Send messages at a pace; gives the share of a core that the process works, and that bare POSTs take."""
    with as_it_runs():
        return asyncio.run(_paced(messages, per_second))


async def _sent(messages: int, rounds: int) -> tuple[float, float]:
    taken: list[tuple[float, float]] = []
    async with post_office() as root, aiohttp.ClientSession() as http:
        for _ in range(rounds):
            began = time.perf_counter()
            await _post(http, root, messages)
            bare = time.perf_counter() - began
            async with _outbox(messages) as store, _courier(store, root, UNBOUND) as courier:
                taken.append(((await _deliver(store, courier, messages))[0], bare))
    return min(one for one, _ in taken), min(one for _, one in taken)


async def _paced(messages: int, per_second: int) -> tuple[float, float]:
    limits = telegram_limits(per_second=30, per_chat=30, paid=per_second)
    async with post_office() as root, aiohttp.ClientSession() as http:
        worked = time.process_time()
        await _post(http, root, messages)
        bare = (time.process_time() - worked) / (messages / per_second)
        async with _outbox(messages) as store, _courier(store, root, limits) as courier:
            seconds, worked = await _deliver(store, courier, messages)
    return worked / seconds * max(1.0, seconds * per_second / messages), bare


async def _deliver(store: SqlStore, courier: Courier, messages: int) -> tuple[float, float]:
    """Let a courier work until all is told; gives the seconds that took, and those at work."""
    settle_memory()
    began, worked = time.perf_counter(), time.process_time()
    task = asyncio.create_task(courier.run())
    waits = select(func.count()).select_from(outbox).where(outbox.c.sent_at.is_(None))
    while True:
        await asyncio.sleep(0.05)
        async with store._database.reading() as connection:
            if not (await connection.scalar(waits)):
                break
    taken = time.perf_counter() - began, time.process_time() - worked
    courier.close()
    await task
    return taken


async def _post(http: aiohttp.ClientSession, root: str, messages: int) -> None:
    """Post as bare as it goes, the same size of text to as many chats."""
    left = iter(range(messages))

    async def post() -> None:
        for chat in left:
            async with http.post(
                f"{root}/bot1:A/sendMessage", data={"chat_id": str(chat), "text": _TEXT}
            ) as said:
                await said.read()

    await asyncio.gather(*(post() for _ in range(_AT_ONCE)))


@asynccontextmanager
async def _outbox(messages: int) -> AsyncIterator[SqlStore]:
    """Make a store in which a level was moved that so many chats follow."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'tocsin.db'}"
        await upgrade(url)
        store = await open_store(url)
        try:
            await followed(store, messages)
            now = SystemClock().now()
            await store.set_level(
                ANN, Level("floor", Decimal(99_000), None, ANN.name, now), refill, SEEN, now
            )
            yield store
        finally:
            await store.close()


@asynccontextmanager
async def _courier(store: SqlStore, root: str, limits: Limits) -> AsyncIterator[Courier]:
    """Open the way to Telegram, as the bot does."""
    clock = SystemClock()
    chat = TelegramChat("1:A", clock, root=root, doubts=Doubts(at_start=0))
    line = Turns(Pacer(limits), clock)
    listening = asyncio.create_task(chat.run(Desk(None, None)))  # type: ignore[arg-type]
    async with asyncio.timeout(30):
        while not chat.is_connected:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
    try:
        yield Courier(store, chat, clock, read_languages().translator, turns=line)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
