"""How long the loop of the chats is kept waiting while a crowd of markets is looked at, and what is kept."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.app import open_house
from bot.chats.console import ConsoleChat
from bot.clock import SystemClock
from bot.collector import settle_memory
from bot.feeds.exchanges import FEEDS, build_feeds
from bot.metrics import MINUTE
from bot.parts import build_exchanges
from bot.ports import NewArming
from bot.settings import Settings
from bot.store import open_store, upgrade
from bot.watch import Watch
from tests.benchmarks.beside import beside
from tests.benchmarks.crowd import symbols
from tests.benchmarks.running import as_it_runs
from tests.streaming import until

_STEP = 0.005
_NAMED_AWAY = 5
"""One market in so many is watched on an exchange that its rule names, each of the five in turn."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How many milliseconds whoever came to the loop at any instant would have waited."""

    p50: float
    p99: float
    most: float


def waits(count: int, seconds: float) -> tuple[Waits, Waits]:
    """Measure so many seconds of a house with that many markets: idle first, then at work."""
    with as_it_runs():
        return asyncio.run(_waits(count, seconds))


def kept(count: int, hours: int, minutes: int) -> tuple[float, float]:
    """Measure the megabytes that are kept, at the least, in the second and in the last quarter of the hours.

    Each look is so many simulated minutes after the one before.
    """
    with as_it_runs():
        return asyncio.run(_kept(count, hours, minutes))


@dataclass(slots=True)
class Pulse:
    """The lateness of a loop that is asked to come back every few milliseconds.

    A stretch in which it did not come back counts for everybody who would have come meanwhile: the first
    waits through all of it, the last for an instant. Of each stretch counts what this process was at work,
    in whichever thread: what others take of a shared machine is not its doing.
    """

    lags: list[float] = field(default_factory=list)

    async def beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, worked = loop.time() + _STEP, time.process_time()
            await asyncio.sleep(_STEP)
            lag = max(0.0, min(loop.time() - due, time.process_time() - worked))
            self.lags.append(lag)
            while (lag := lag - _STEP) > 0:
                self.lags.append(lag)

    def take(self) -> Waits:
        ordered, self.lags = sorted(self.lags), []
        p50, p99 = (1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
        return Waits(p50, p99, 1000 * ordered[-1])


async def _waits(count: int, seconds: float) -> tuple[Waits, Waits]:
    pulse = Pulse()
    with TemporaryDirectory() as folder:
        async with market_crowd(count) as root:
            url = await _armed(Path(folder), count)
            settings = Settings(
                database_url=url,
                exchanges=tuple(FEEDS),
                feed_gateway=root,
                providers=(),
                poll_seconds=5,
                stream=False,
            )
            clock = SystemClock()
            chats = [ConsoleChat(clock, StringIO(), StringIO())]
            exchanges = build_exchanges(settings, clock, False, settle_memory)
            async with open_house(settings, clock, chats, exchanges) as house:
                beating = asyncio.create_task(pulse.beat())
                await asyncio.sleep(seconds / 4)
                idle = pulse.take()
                began = clock.now() - MINUTE
                done = asyncio.Event()
                task = asyncio.create_task(house.run(done))
                # The start is no everyday: all listings, and all minutes since the alerts were made.
                await until(lambda: all(want.since > began for want in house.watches[0].wants()), within=180)
                settle_memory()
                await asyncio.sleep(seconds / 4)
                pulse.take()
                await asyncio.sleep(seconds)
                busy = pulse.take()
                beating.cancel()
                done.set()
                await task
    return idle, busy


class _Ahead(SystemClock):
    """The machine's clock, and so many seconds more."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


async def _kept(count: int, hours: int, minutes: int) -> tuple[float, float]:
    clock, least = _Ahead(), dict[int, float]()
    looks = hours * 60 // minutes
    with TemporaryDirectory() as folder:
        async with market_crowd(count) as root, aiohttp.ClientSession() as http:
            url = await _armed(Path(folder), count)
            store = await open_store(url)
            exchanges = build_feeds(tuple(FEEDS), "usdt", clock, gateway=root, throttle=False)
            watch = Watch(store, exchanges.market, clock, lambda: None, late_after=140)
            await watch.open()
            gc.freeze()
            tracemalloc.start()
            try:
                for look in range(looks):
                    clock.ahead += minutes * MINUTE
                    (await http.get(f"{root}/clock/{clock.ahead}")).release()
                    for feed in exchanges.feeds:
                        await watch.take(await feed.poll(watch.wants()))
                    if look % max(1, looks // 24) == 0:
                        gc.collect()
                        quarter, now = 4 * look // looks, tracemalloc.get_traced_memory()[0] / 1e6
                        least[quarter] = min(now, least.get(quarter, now))
            finally:
                tracemalloc.stop()
                gc.unfreeze()
                await exchanges.close()
                await store.close()
    return least[1], least[3]


def market_crowd(count: int) -> AbstractAsyncContextManager[str]:
    """Start the markets, and end them afterwards; gives the root of all exchanges."""
    return beside("tests.benchmarks.crowd", str(count))


async def _armed(folder: Path, count: int) -> str:
    """Make one alert on each market, a little beyond what its price ever reaches; gives the database."""
    url = f"sqlite+aiosqlite:///{folder / 'tocsin.db'}"
    await upgrade(url)
    store = await open_store(url)
    now = SystemClock().now() - 3 * MINUTE
    names = tuple(FEEDS)
    for place, symbol in enumerate(symbols(count)[2:]):
        venue = f"@{names[place // _NAMED_AWAY % len(names)]}" if place % _NAMED_AWAY == 0 else ""
        chat = str(place // 20)
        who = Caller(ChatRef("console", chat), ChatKind.PRIVATE, chat, "Ann")
        rule = f"{symbol}{venue} < 50"
        await store.make_alert(who, rule, NewArming(rule), now)
    await store.close()
    return url
