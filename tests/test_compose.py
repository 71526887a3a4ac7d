"""What ``docker compose --profile scale`` starts, started here without docker: it divides all there is to do.

Each process has the command and the environment that docker-compose.yml and the Dockerfile give it, on a real
PostgreSQL and a real NATS server. Their hosts are loopback, where ports are free to choose; exchange and
platform are servers on loopback too, as an operator could write them into .env.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import signal
import sys
import time
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy.engine import make_url

from bot.clock import SystemClock
from bot.demo.exchange import BinanceExchange
from bot.duties import ROLES, duties_in, role_of
from bot.ports.rota import Process
from bot.store import open_rota
from tests import nats
from tests.compose import FILE, services_of
from tests.postgres import Server, free_port
from tests.wire.prices import Ticks
from tests.wire.telegram import TelegramServer

ANN = 1001
SECONDS = 100.0
"""For how long each thing is waited for, however busy the machine is."""

ROOT = FILE.parent
SERVICES = services_of(FILE.read_text(), "scale", {})
OURS = {name: one for name, one in SERVICES.items() if "build" in one}
IMAGE = (ROOT / "Dockerfile").read_text()


@dataclass
class Town:
    """What was started: each program by the address at which it says whether it is ready."""

    database: str
    telegram: TelegramServer
    ticks: Ticks
    folder: Path
    programs: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    async def shows(self, words: str) -> bool:
        """Ask whether the chat was told so."""
        return any(words in text for text in self.telegram.texts(ANN))

    async def all_answer(self, path: str, expected: tuple[int, str]) -> bool:
        """Ask whether every process answers so over HTTP."""
        async with aiohttp.ClientSession() as asking:
            for http in self.programs:
                try:
                    async with asking.get(f"http://{http}/{path}") as answer:
                        if (answer.status, await answer.text()) != expected:
                            return False
                except aiohttp.ClientError:  # nobody listens there yet
                    return False
        return True

    async def until(self, is_so: Callable[[], Awaitable[bool]], what: str) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                while not await is_so():  # noqa: ASYNC110 - other processes make it so
                    await asyncio.sleep(0.2)
        except TimeoutError:
            log = (self.folder / "log").read_text()
            raise AssertionError(f"no {what}; {self.telegram.texts(ANN)}; the log says\n{log}") from None


def environment_of(service: Mapping[str, Any], env_file: Mapping[str, str]) -> dict[str, str]:
    """Give what docker sets for a process: by its image, by .env, and before these by the service itself."""
    assert {"path": ".env", "required": False} in service["env_file"]
    _, _, stage = IMAGE.partition(" AS bot\n")
    image = dict(re.findall(r"\b(TOCSIN_\w+)=(\S+)", stage.partition("WORKDIR")[0]))
    return image | env_file | service["environment"]


def on_loopback(environment: Mapping[str, str], database: str, line: str) -> dict[str, str]:
    """Put the servers' own addresses in the place of the hosts that docker would know."""
    url = make_url(environment["TOCSIN_DATABASE_URL"])
    server = SERVICES[url.host or ""]["environment"]
    assert (url.username, url.password) == (server["POSTGRES_USER"], server["POSTGRES_PASSWORD"])
    assert (url.database, url.port) == (server["POSTGRES_USER"], None)  # it is called as who made it
    host, _, port = environment["TOCSIN_NATS_URL"].removeprefix("nats://").partition(":")
    assert (host in SERVICES, port) == (True, "4222")
    http = {"TOCSIN_HTTP": f"127.0.0.1:{free_port()}"}  # of a container it is the container's own
    return {**environment, "TOCSIN_DATABASE_URL": database, "TOCSIN_NATS_URL": line, **http}


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    with postgres.database(is_empty=True) as url:
        yield url


@pytest.fixture
def line() -> Iterator[str]:
    with nats.started(SERVICES["nats"]["command"]) as server:
        yield server.url


@pytest.fixture
async def town(database: str, line: str, tmp_path: Path) -> AsyncIterator[Town]:
    ticks = Ticks(SystemClock(), 104_000)
    async with BinanceExchange(ticks, ["btc/usdt"], time.time) as exchange, TelegramServer() as telegram:
        telegram.private(ANN, "Ann")
        town = Town(database, telegram, ticks, tmp_path)
        env_file = {
            "TOCSIN_TELEGRAM_TOKEN": telegram.token,
            "TOCSIN_TELEGRAM_API": telegram.root,
            "TOCSIN_EXCHANGES": "binance",
            "TOCSIN_FEED_GATEWAY": exchange.root,
            "TOCSIN_POLL_SECONDS": "1",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        kept["PYTHONPATH"] = str(ROOT)
        async with started(town) as start:
            for service in OURS.values():
                for _ in range(service["deploy"]["replicas"]):
                    given = on_loopback(environment_of(service, env_file), database, line)
                    await start(service["command"], given["TOCSIN_HTTP"], kept | given)
            yield town


@asynccontextmanager
async def started(town: Town) -> AsyncIterator[Callable[[list[str], str, dict[str, str]], Awaitable[None]]]:
    """Give what starts a process; at the end each is stopped as docker does it."""
    assert 'ENTRYPOINT ["tocsin"]' in IMAGE
    with (town.folder / "log").open("ab") as log:

        async def start(words: list[str], http: str, environment: dict[str, str]) -> None:
            command = (sys.executable, "-m", "bot", *words)
            how: dict[str, Any] = {"cwd": town.folder, "stdin": asyncio.subprocess.DEVNULL}
            town.programs[http] = await asyncio.create_subprocess_exec(
                *command, env=environment, stdout=log, stderr=log, **how
            )

        try:
            yield start
            for program in town.programs.values():
                program.send_signal(signal.SIGTERM)
            async with asyncio.timeout(60):
                ends = [await program.wait() for program in town.programs.values()]
            assert set(ends) == {0}, (town.folder / "log").read_text()
        finally:
            for program in town.programs.values():
                if program.returncode is None:
                    program.kill()
                    await program.wait()


def test_the_extra_of_the_image_and_each_service_that_another_waits_for_are_there() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert list(OURS) == list(ROLES)
    for one in OURS.values():
        assert one["build"]["args"]["EXTRAS"] in extras
        assert f" AS {one['build']['target']}\n" in IMAGE
        assert set(one["depends_on"]) == SERVICES.keys() - OURS.keys()
        for name, how in one["depends_on"].items():
            assert how["condition"] == "service_started" or "healthcheck" in SERVICES[name]


def test_a_password_of_ones_own_reaches_the_database_and_whoever_asks_it() -> None:
    services = services_of(FILE.read_text(), "scale", {"POSTGRES_PASSWORD": "secret"})
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"] == "secret"
    for name in OURS:
        assert make_url(services[name]["environment"]["TOCSIN_DATABASE_URL"]).password == "secret"


async def test_the_processes_divide_all_there_is_to_do_and_an_alert_rings(town: Town) -> None:
    crew: list[Process] = []
    rota = await open_rota(town.database)

    async def all_have_their_share() -> bool:
        crew[:] = (await rota.roll(math.inf)).living
        every = [duties_in(one.plan) for one in crew]
        had = Counter(chain(*(one.duties for one in crew)))
        is_whole = len(crew) == len(town.programs) and all(one.duties for one in crew)
        return is_whole and all(had == Counter(duties) for duties in every)

    try:
        await town.until(all_have_their_share, "owner for every duty, and duty for every process")
    finally:
        await rota.close()
    assert sorted(one.roles for one in crew) == sorted(2 * [(name,) for name in OURS])
    assert all({*map(role_of, one.duties)} == {*one.roles} for one in crew)
    assert {"feed/binance", "engine/0", "engine/3", "chat/upkeep"} <= {*chain(*(one.duties for one in crew))}

    await town.until(partial(town.all_answer, "readyz", (200, "ready\n")), "readiness of every process")
    await town.until(partial(town.all_answer, "healthz", (200, "alive\n")), "sign of life of every process")
    await town.telegram.say(ANN, ANN, "/alert btc < 100k")
    await town.until(partial(town.shows, "#1 armed"), "answer")
    town.ticks.set(99_500)
    await town.until(partial(town.shows, "fell below"), "ring")
