"""A database that is full or locked: nothing rings that is not kept, and then all does that was missed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from sqlalchemy import event, select, text
from structlog.testing import capture_logs

from bot.alerts.message import Message
from bot.alerts.people import ChatRef
from bot.app import open_house
from bot.demo.exchange import BinanceExchange
from bot.house import House
from bot.ports import Outcome, Receipt, StoreTrouble
from bot.settings import Settings
from bot.store import database as database_room
from bot.store import open_store
from bot.store.sql import SqlStore
from bot.store.tables import outbox
from bot.vigil import UNWELL_AFTER, WELL_AFTER
from tests.conftest import NOON, SetClock
from tests.storing import ANN, BOB, CAT, arming_of, caller, make, ring, tell
from tests.streaming import until
from tests.wire.prices import Ticks

CHATS = 40
"""So many rows at once find no room in the pages that are there."""


class StandingClock(SetClock):
    """A clock that stands until a test moves it, and lets nobody through before."""

    async def sleep(self, seconds: float) -> None:
        due = self.time + seconds
        while self.time < due:  # noqa: ASYNC110 - the test moves it
            await asyncio.sleep(0.002)


@dataclass
class Crowd:
    """A platform that takes every message."""

    platform: str = "telegram"
    adds_charts: bool = False
    is_connected: bool = True
    trouble: str = ""
    heard: list[tuple[str, str]] = field(default_factory=list)

    async def send(self, chat: ChatRef, message: Message, nonce: str, *, is_paid: bool = False) -> Outcome:
        self.heard.append((chat.chat, message.plain()))
        return Receipt(str(len(self.heard)))

    def rings(self) -> list[str]:
        return sorted(chat for chat, text in self.heard if "fell below" in text)

    def told(self, chat: str) -> list[str]:
        return [text for heard, text in self.heard if heard == chat]


class Obstacle(Protocol):
    """What keeps a database from being written."""

    said: str

    async def begin(self) -> None: ...

    async def end(self) -> None: ...


class FullDisk:
    """SQLite's own bound on the size of a file: what needs a page more gets SQLITE_FULL."""

    said = "the database: database or disk is full: make room on its disk"

    def __init__(self, store: SqlStore) -> None:
        self._most = 2**30
        event.listen(store._database.engine.sync_engine, "checkout", self._bound)

    def _bound(self, connection: object, _record: object, _proxy: object) -> None:
        connection.cursor().execute(f"PRAGMA max_page_count = {self._most}")  # type: ignore[attr-defined]

    async def begin(self) -> None:
        self._most = 1  # it is never less than what is there

    async def end(self) -> None:
        self._most = 2**30


class OtherProgram:
    """Another process that holds the lock of who writes."""

    said = "the database: database is locked: end the other program that works with its file"

    def __init__(self, store: SqlStore) -> None:
        self._path = store._database.engine.url.database

    async def begin(self) -> None:
        script = (
            "import sqlite3, sys; database = sqlite3.connect(sys.argv[1], isolation_level=None);"
            "database.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
        )
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, str(self._path), stdin=pipe, stdout=pipe
        )
        assert self._process.stdout is not None
        assert await self._process.stdout.readline() == b"held\n"

    async def end(self) -> None:
        self._process.kill()
        await self._process.wait()


@dataclass
class Scene:
    """A house with its exchange, in which a market is looked at as a test says."""

    house: House
    clock: StandingClock
    ticks: Ticks
    crowd: Crowd

    async def look(self, seconds: float = 20) -> None:
        self.clock.time += seconds
        await self.house.looks.look(self.house.exchanges.feeds[0])
        await asyncio.sleep(0.02)

    async def rounds(self, seconds: float) -> None:
        for _ in range(int(seconds // 30) + 1):
            await self.look(30)
            await self.house._go_round()


@asynccontextmanager
async def working(database: str, crowd: Crowd) -> AsyncIterator[Scene]:
    clock = StandingClock()
    ticks = Ticks(clock, 101_000)
    async with BinanceExchange(ticks, ["btc/usdt"], clock.now) as exchange:
        settings = Settings(
            database_url=database,
            exchanges=("binance",),
            feed_gateway=exchange.root,
            providers=(),
            stream=False,
            admins=frozenset({("telegram", "person-ann")}),
        )
        async with open_house(settings, clock, [crowd], throttle=False) as house:
            tasks = [
                asyncio.create_task(house.watches[0].run(house.tape.read(0))),
                *(asyncio.create_task(courier.run()) for courier in house.couriers),
            ]
            try:
                yield Scene(house, clock, ticks, crowd)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("kind", [FullDisk, OtherProgram])
async def test_while_nothing_can_be_kept_nothing_rings_and_then_all_does_once(
    database: str, kind: type[FullDisk | OtherProgram], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_room, "BUSY_SECONDS", 0.02)
    store = await open_store(database)
    chats = [f"chat-{number}" for number in range(CHATS)]
    for chat in chats:
        await make(store, caller(chat), "btc < 100000", NOON)
    await store.meet(ANN, NOON)
    await store.close()
    async with working(database, Crowd()) as scene:
        house, crowd = scene.house, scene.crowd
        obstacle: Obstacle = kind(house.watches[0].ledger)  # type: ignore[arg-type]
        for _ in range(6):
            await scene.look()
        await house._go_round()
        assert (house.reasons(), crowd.heard) == ([], [])

        await obstacle.begin()
        with capture_logs() as lines:
            scene.ticks.set(99_000)
            await scene.look()
            await until(lambda: house.watches[0].spell.stall is not None)
            assert f"nothing can be kept: {obstacle.said}" in house.reasons()
            scene.ticks.set(101_000)  # it came back: what rang is known from the candles alone
            await scene.rounds(UNWELL_AFTER + 60)
            await until(lambda: bool(crowd.told("ann")))  # where a row finds room, by the outbox
        assert crowd.rings() == []
        (told,) = crowd.told("ann")
        assert told.startswith("The bot is not well.\nNothing can be kept since 12:02 UTC, so nothing rings")
        assert obstacle.said in told
        assert [chat for chat, _ in crowd.heard] == ["ann"]
        assert _count(lines, "nothing can be kept, and is judged again") == 1
        assert _count(lines, "the outbox does not work") <= 1

        await obstacle.end()
        async with asyncio.timeout(15):
            while len(crowd.rings()) < CHATS:  # the pace takes some seconds of the clock
                await scene.look(2)
        await scene.rounds(WELL_AFTER + 60)
        assert crowd.rings() == sorted(chats)
        assert house.reasons() == []
        assert [text.splitlines()[0] for text in crowd.told("ann")] == [
            "The bot is not well.",
            "The bot is well again.",
        ]


async def test_receipts_that_cannot_be_written_together_are_trouble_to_each_and_then_are_written(
    store: SqlStore,
) -> None:
    for who in (ANN, BOB, CAT):
        await make(store, who, "btc < 100000")
    await tell(store, *[ring(await arming_of(store, who)) for who in (ANN, BOB, CAT)])
    leased = await store.lease("telegram", NOON, 9)

    async def settle() -> list[object]:
        outcomes = (store.settle(one, Receipt(f"message-{one.id}"), NOON) for one in leased)
        return list(await asyncio.gather(*outcomes, return_exceptions=True))

    async def written() -> list[str]:
        async with store._database.reading() as connection:
            chosen = select(outbox.c.receipt).where(outbox.c.sent_at.is_not(None)).order_by(outbox.c.id)
            return list(await connection.scalars(chosen))

    async def change(statement: str) -> None:
        async with store._database.writing() as connection:
            await connection.execute(text(statement))

    await change(
        f"CREATE TRIGGER no_room BEFORE UPDATE OF sent_at ON outbox WHEN NEW.id = {leased[1].id} "
        "BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    troubles = await settle()
    assert [(type(one), str(one)) for one in troubles] == [(StoreTrouble, "the database: no room")] * 3
    assert await written() == []
    await change("DROP TRIGGER no_room")
    assert await settle() == [None, None, None]
    assert await written() == [f"message-{one.id}" for one in leased]


def _count(lines: Sequence[object], name: str) -> int:
    return sum(isinstance(line, dict) and line.get("event") == name for line in lines)
