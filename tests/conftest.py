"""What every test may ask for: a clock that is set by hand, and the real store on a file."""

from __future__ import annotations

import asyncio
import gc
import logging
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import structlog

from bot.store import open_store, upgrade
from bot.store.sql import SqlStore
from tests import nats
from tests.postgres import ALL, NAMED, Server, Unavailable, given, serving, take_variables

take_variables(ALL, NAMED, nats.NAMED)

NOON = 1_762_948_800.0
"""12 November 2025, 12:00 UTC."""


class SetClock:
    """A clock that stands until it is moved; whoever sleeps is let through at once, and moves it."""

    def __init__(self, now: float = NOON) -> None:
        self.time = now
        self.set_by = 0.0

    def now(self) -> float:
        return self.time

    def steady(self) -> float:
        return self.time - self.set_by

    def set(self, seconds: float) -> None:
        """Have somebody set the clock by so many seconds: no time passes."""
        self.time += seconds
        self.set_by += seconds

    async def sleep(self, seconds: float) -> None:
        self.time += max(0.0, seconds)
        await asyncio.sleep(0)

    def real(self, seconds: float) -> float:
        return seconds

    @contextmanager
    def still(self) -> Iterator[None]:
        yield


def pytest_configure() -> None:
    """Collect all tests without looking for garbage: of what they are, none ever is."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make only, and less often: else it takes a quarter of their time."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """Put back what a test makes of the log: it is the process's, and the next test reads it too."""
    root = logging.getLogger()
    handlers, level, hook, loud = root.handlers[:], root.level, sys.excepthook, logging.raiseExceptions
    yield
    root.handlers[:], sys.excepthook, logging.raiseExceptions = handlers, hook, loud
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the tables once: a copy of the file costs a test far less than all migrations."""
    path = tmp_path_factory.mktemp("template") / "tocsin.db"
    asyncio.run(upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Give a PostgreSQL; where none can be had, who needs it is skipped, or fails if all are asked for."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(serving())
        except Unavailable as reason:
            if given(ALL):
                pytest.fail(f"not tested on PostgreSQL: {reason}")
            pytest.skip(f"not tested on PostgreSQL: {reason}")
        yield server


@pytest.fixture(scope="session")
def nats_server() -> Iterator[nats.Server]:
    """Give a NATS server that may be stopped; without one the test is skipped, or fails as above."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(nats.started())
        except nats.Unavailable as reason:
            if given(ALL):
                pytest.fail(f"not tested on NATS: {reason}")
            pytest.skip(f"not tested on NATS: {reason}")
        yield server


@pytest.fixture
def nats_url(request: pytest.FixtureRequest) -> str:
    """Give the address of a NATS server: one that is named, or one of our own, which runs."""
    if named := given(nats.NAMED):
        return named
    server: nats.Server = request.getfixturevalue("nats_server")
    server.start()
    return server.url


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked ``both``, and asks for a database, on SQLite and on PostgreSQL."""
    marked = metafunc.definition.get_closest_marker
    if marked("both") and not marked("sqlite") and "database" in metafunc.fixturenames:
        metafunc.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a fresh database of this version: SQLite, except where a test is run on both."""
    if getattr(request, "param", "sqlite") == "postgresql":
        with request.getfixturevalue("postgres").database() as url:
            yield url
    else:
        path = shutil.copy(request.getfixturevalue("template"), tmp_path / "tocsin.db")
        yield f"sqlite+aiosqlite:///{path}"


@pytest.fixture
async def store(database: str) -> AsyncIterator[SqlStore]:
    opened = await open_store(database)
    yield opened
    await opened.close()
