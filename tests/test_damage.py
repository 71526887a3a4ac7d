"""A damaged database: a start ends with what to do, and a bot that runs ends at the first sign of it."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs
from typer.testing import CliRunner

from bot.__main__ import app
from bot.app import open_house
from bot.chats.console import ConsoleChat
from bot.demo.clock import FastClock
from bot.demo.exchange import BinanceExchange
from bot.ports import Damaged
from bot.settings import Settings
from bot.store import check, open_store, upgrade
from tests.conftest import NOON, SetClock
from tests.markets import BTC, batch, minutes
from tests.storing import ANN, make
from tests.streaming import until
from tests.test_watch import Ear, opened
from tests.wire.prices import Ticks

PAST = minutes(101_000, 102_000)
SECTOR = 512


def scribble(path: Path, chance: random.Random, sectors: int) -> None:
    """Overwrite some sectors of a file, as a dying disk does."""
    content = bytearray(path.read_bytes())
    for _ in range(sectors):
        place = chance.randrange(len(content) // SECTOR) * SECTOR
        content[place : place + SECTOR] = chance.choice([b"\0" * SECTOR, chance.randbytes(SECTOR)])
    path.write_bytes(content)


@pytest.fixture
async def lived_in(database: str, tmp_path: Path) -> Path:
    """Make a database with an alert that is armed, and many others."""
    store = await open_store(database)
    clock = SetClock()
    scene = await opened(store, clock, Ear())
    await scene.arm("btc < 100000", 101_000)
    for _ in range(20):
        await make(store, ANN, "btc < 50000 and btc > 40000 or btc < 30000", clock.now())
    for bar in PAST:
        clock.time = bar.end
        await scene.watch.take(batch({BTC: [bar]}, at=bar.end))
    await store.close()
    return tmp_path / "tocsin.db"


async def goes_on(path: Path) -> list[str]:
    """Start with a database, let the market fall, and give what was told."""
    url, clock, ear = f"sqlite:///{path}", SetClock(PAST[-1].end), Ear()
    await upgrade(url)
    store = await open_store(url)
    try:
        scene = await opened(store, clock, ear)
        scene.market.feed("btc/usdt", PAST)
        async with asyncio.timeout(10):
            await scene.minute(99_000)
            while await scene.courier.drain():
                pass
    finally:
        await store.close()
    return ear.texts()


RING = "#1 BTC/USDT fell below 100,000: now 99,000 (1% below). Made, 12:02 UTC, told within 60 s."


async def test_whatever_is_overwritten_rings_nothing_falsely_and_ends_with_a_sentence(
    lived_in: Path, tmp_path: Path
) -> None:
    outcomes = []
    for seed in range(int(os.environ.get("TOCSIN_DAMAGES", "24"))):
        path = Path(shutil.copy(lived_in, tmp_path / f"copy-{seed}.db"))
        scribble(path, random.Random(seed), 1 + seed % 3)
        try:
            assert await goes_on(path) == [RING]  # what was hit is of no page in use
        except Damaged as damage:
            assert str(path) in str(damage) and "tocsin restore FILE" in str(damage)
            outcomes.append(damage)
    assert len(outcomes) >= 5


async def test_a_write_ahead_log_that_is_cut_off_loses_its_end_and_what_was_in_it_is_judged_again(
    lived_in: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{lived_in}"
    store = await open_store(url)
    clock = SetClock(PAST[-1].end)
    scene = await opened(store, clock, Ear())
    scene.market.feed("btc/usdt", PAST)
    await scene.minute(101_000)
    await scene.minute(99_000)
    assert scene.ear.texts() == [RING.replace("12:02", "12:03")]
    log = lived_in.with_name("tocsin.db-wal").read_bytes()
    assert len(log) > 15 * 4096
    for part in (0.0, 0.3, 0.7, 0.999, 1.0):
        copy = tmp_path / f"part-{part}" / "tocsin.db"
        copy.parent.mkdir()
        shutil.copy(lived_in, copy)
        copy.with_name("tocsin.db-wal").write_bytes(log[: int(part * len(log))])
        await upgrade(f"sqlite:///{copy}")
        assert (await check(f"sqlite:///{copy}")).is_well
        again = await open_store(f"sqlite:///{copy}")
        after = await opened(again, SetClock(clock.time), Ear())
        after.market.feed("btc/usdt", [*PAST, *minutes(101_000, 99_000, start=PAST[-1].end)])
        await after.minute(99_000)
        told = [text.partition(" now ")[0] for text in after.ear.texts()]
        assert told in ([], ["#1 BTC/USDT fell below 100,000:"]), told
        assert bool(told) or part > 0.6, "what was lost with its promise is promised again"
        await again.close()
    await store.close()


def test_a_start_with_a_damaged_database_says_what_to_do(
    lived_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scribble(lived_in, random.Random(1), 40)
    monkeypatch.chdir(tmp_path)
    for words in (["run"], ["db", "check"], ["db", "upgrade"]):
        ended = CliRunner().invoke(app, words, env={"TOCSIN_DATABASE_URL": f"sqlite:///{lived_in}"})
        assert ended.exit_code == 1
        assert "is damaged" in ended.stderr and "put a backup in its place" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


async def test_a_bot_that_finds_its_database_damaged_says_so_rings_no_more_and_ends(database: str) -> None:
    clock, out = FastClock(NOON, 200), StringIO()
    path = Path(database.partition(":///")[2])
    ticks = Ticks(clock, 101_000)
    async with BinanceExchange(ticks, ["btc/usdt"], clock.now) as exchange:
        settings = Settings(
            database_url=database,
            exchanges=("binance",),
            feed_gateway=exchange.root,
            providers=(),
            poll_seconds=20,
            stream=False,
            admins=frozenset({("console", "me")}),
        )
        console = ConsoleChat(clock, StringIO(), out)
        async with open_house(settings, clock, [console], throttle=False) as house:
            engine = house.watches[0].ledger._database.engine.sync_engine  # type: ignore[attr-defined]
            running = asyncio.create_task(house.run(asyncio.Event()))
            await console.say("/alert btc < 100000")
            await until(lambda: "armed" in out.getvalue())
            await house._go_round()
            with capture_logs() as lines:
                await asyncio.to_thread(ruin, path)
                event.listen(engine, "checkout", forget)
                ticks.set(99_000)
                with pytest.raises(ExceptionGroup) as raised:
                    await asyncio.wait_for(running, 20)
            damages, others = raised.value.split(Damaged)
            assert damages is not None and others is None
        said = out.getvalue()
        assert "Nothing can be kept since" in said and "put a backup in its place" in said
        assert "fell below" not in said
        assert [one["log_level"] for one in lines if "is damaged" in one["event"]] == ["critical"]


def ruin(path: Path) -> None:
    """Overwrite every page but the first, in the file and in what is written ahead."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (len(content) - 4096))


def forget(connection: Any, _record: object, _proxy: object) -> None:
    """Let a connection forget the pages that it read: it is the file that is damaged, not the memory."""
    connection.cursor().execute("PRAGMA shrink_memory")
