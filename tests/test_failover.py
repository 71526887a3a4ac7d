"""Several bots on one database: one works, another takes over in time, and nothing is lost or told twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from tests.failover import Trial, play
from tests.postgres import Server, free_port
from tests.test_kill import ANN, Scene, scene_of


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    with postgres.database(is_empty=True) as url:
        yield url


@pytest.fixture
async def two(url: str, tmp_path: Path) -> AsyncIterator[tuple[Scene, Scene]]:
    """Two machines with the same settings, but for the port on which they tell how they are."""
    async with scene_of(tmp_path, url) as scene:
        machines = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            environment = scene.environment | {"TOCSIN_HTTP": f"127.0.0.1:{free_port()}"}
            machines.append(replace(scene, folder=tmp_path / name, environment=environment))
        yield machines[0], machines[1]


async def asked(scene: Scene, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{scene.environment['TOCSIN_HTTP']}{path}") as answer,
    ):
        return answer.status, await answer.text()


def log_of(scene: Scene) -> str:
    return (scene.folder / "bot.log").read_text()


async def test_a_second_bot_stands_by_and_takes_over_from_one_that_is_killed(
    two: tuple[Scene, Scene],
) -> None:
    first, second = two
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(first.bot())
        await first.arm()
        await stack.enter_async_context(second.bot())
        await second.until(lambda: "stands by" in log_of(second))
        assert await asked(second, "/healthz") == (200, "alive\n")
        status, reasons = await asked(second, "/readyz")
        assert (status, reasons.partition(":")[0]) == (503, "it stands by")
        process.send_signal(signal.SIGKILL)
        first.ticks.set(99_500)
        await second.until(lambda: bool(second.rings()), within=90)
        await second.telegram.say(ANN, ANN, "/price btc")
        await second.until(lambda: "BTC/USDT 99,500" in second.telegram.texts(ANN)[-1])
        await asyncio.sleep(0.5)
        assert len(second.rings()) == 1


@pytest.mark.timeout(600)  # several processes each: a busy machine takes its time
def test_what_the_true_market_rang_is_told_over_every_harm_and_nobody_writes_who_is_not_on_duty() -> None:
    figures, _ = play(Trial(faults=2, lives=2, rules=2, seconds=2.5))
    assert figures.faults == []
    assert figures.rings > 0


@pytest.mark.timeout(600)
def test_processes_that_divide_the_work_ring_what_the_true_market_rang_over_every_harm() -> None:
    figures, _ = play(Trial(faults=2, rules=2, seconds=2.5, roles="feed,chat engine engine feed,chat"))
    assert figures.faults == []
    assert figures.rings > 0
