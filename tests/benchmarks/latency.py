"""How long a ring takes from the trade to the message that a chat has taken, over real sockets."""

from __future__ import annotations

import asyncio
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.app import SystemClock
from tests.streaming import heard, until, world_of

_LEVEL = 103_000


def ring_seconds(count: int, stream: bool) -> list[float]:
    """Ring so many alerts, one after the other, by a stream alone or by a look every second."""
    with redirect_stdout(StringIO()):  # the log of the bot is no figure
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
