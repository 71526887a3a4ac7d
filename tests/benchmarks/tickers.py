"""What a bulk answer of tickers costs on its way to observations, and how long it holds a loop."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from asyncio.events import Handle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Any

import ccxt.async_support as ccxt

from bot.clock import SystemClock
from bot.collector import settle_memory
from bot.feeds.exchanges.door import Door
from bot.feeds.exchanges.lookout import Lookout
from bot.feeds.exchanges.table import FEEDS
from bot.feeds.exchanges.venues import Venues
from bot.metrics import MetricKey, Want, minute_of
from tests.benchmarks.crowd import symbols
from tests.benchmarks.load import market_crowd


def look_seconds(name: str, markets: int, rounds: int) -> tuple[float, float, float]:
    """Look at one exchange and read the same answers bare, in turn.

    Gives the seconds that a look works, those of json with ccxt's own parsing, and the longest that a look
    holds its loop, each the median of the rounds. All are seconds at work in the thread: what the machine
    does beside is no part of them.
    """
    return asyncio.run(_looked(name, markets, rounds))


async def _looked(name: str, markets: int, rounds: int) -> tuple[float, float, float]:
    about = replace(FEEDS[name], prices=FEEDS[name].days or FEEDS[name].prices, days=None)
    clock = SystemClock()
    async with market_crowd(markets) as root:
        venues = Venues([name])
        door = Door(about, root, throttle=False, timeout=30.0, clock=clock)
        lookout = Lookout(about, venues, door, clock, lambda: 0.5, witnesses={})
        try:
            await lookout.look(_wants(lookout, symbols(markets)))
            listing = await lookout.ready()
            names = [name for name, listed in listing.traded.items() if listed.kind == "spot"]
            bare = _bare(name, door)
            settle_memory()
            taken: list[tuple[float, float, float]] = []
            turn = 0
            while len(taken) < rounds:
                wants = _wants(lookout, names)
                began = time.thread_time()
                with stretches() as held:
                    batch = await lookout.look(wants)
                worked = time.thread_time() - began
                if len(batch.prints) < len(names):  # a minute ended meanwhile: that is no quiet look
                    continue
                turn += 1
                began = time.thread_time()
                tickers = await bare()
                if turn > 2:  # the first fill what is remembered from look to look
                    taken.append((worked, time.thread_time() - began, max(held)))
                assert len(tickers) >= len(names)
        finally:
            gc.unfreeze()
            await lookout.close()
    look, read, held_for = (median(one) for one in zip(*taken, strict=True))
    return look, read, held_for


def _wants(lookout: Lookout, names: list[str]) -> list[Want]:
    """Want every price from the running minute on: nothing but prices is asked for."""
    now = minute_of(lookout.exchange_now())
    return [Want(MetricKey("price", name), now) for name in names]


def _bare(name: str, door: Door) -> Callable[[], Any]:
    """Read the last answer with json and ccxt alone, its markets known."""
    text = door._ccxt.last_http_response
    library = getattr(ccxt, name)()
    library.set_markets_from_exchange(door._ccxt)

    async def answered(*_: object) -> object:
        return json.loads(text)

    library.fetch = answered
    return lambda: library.fetch_tickers(None, {"type": "spot"})


@contextmanager
def stretches() -> Iterator[list[float]]:
    """Note the seconds of this thread that each callback of a loop works before others have their turn."""
    held: list[float] = [0.0]
    usual = Handle._run

    def timed(handle: Handle) -> None:
        began = time.thread_time()
        usual(handle)
        held.append(time.thread_time() - began)

    Handle._run = timed
    try:
        yield held
    finally:
        Handle._run = usual
