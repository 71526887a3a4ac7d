"""What PostgreSQL alone asks of the store: who writes beside whom, and what becomes of trouble with it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import Text, cast, func, insert, literal, select, text, true, update
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

import bot
from bot.ports import Damaged, Judgement, Receipt, StoreTrouble, Superseded
from bot.store import SqlStore, claim, open_rota, open_store, postgres
from bot.store.database import connect
from bot.store.due import _due
from bot.store.tables import armings, chats, outbox, subscriptions
from tests.postgres import Server
from tests.storing import ANN, BOB, BTC, CAT, NOON, arming_of, caller, follow, make, put_level, ring, tell

END_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture
async def stores(database: str) -> AsyncIterator[list[SqlStore]]:
    """Two stores on one database, as two processes have them."""
    async with AsyncExitStack() as stack:
        opened = [await open_store(database) for _ in range(2)]
        for one in opened:
            stack.push_async_callback(one.close)
        yield opened


async def promise(store: SqlStore, count: int) -> int:
    """Let a ring be told in so many chats; gives its arming."""
    await store.publish(CAT, "floor", "btc < 100000", NOON)
    for number in range(count):
        await follow(store, caller(number), "floor")
    arming = await arming_of(store, caller(0), "floor")
    assert await tell(store, ring(arming)) == count
    return arming


# --- who may write beside whom ------------------------------------------------------------------------------


async def test_two_who_send_take_their_own_at_the_same_time(stores: list[SqlStore]) -> None:
    """Neither waits for the other: what one is about to take, the other passes over."""
    one, other = stores
    await promise(one, 30)
    async with one._database.writing(beside=True) as connection:
        locked = select(outbox.c.id).order_by(outbox.c.id).limit(10).with_for_update()
        taken = set(await connection.scalars(locked))
        async with asyncio.timeout(5):
            leased = await other.lease("telegram", NOON, 30)
        assert len(leased) == 20
        assert not taken & {notification.id for notification in leased}
    assert {notification.id for notification in await one.lease("telegram", NOON, 30)} == taken


async def test_many_who_send_at_once_send_each_message_once(stores: list[SqlStore]) -> None:
    await promise(stores[0], 40)
    sent: list[int] = []

    async def send(store: SqlStore) -> None:
        while leased := await store.lease("telegram", NOON, 7):
            sent.extend(notification.id for notification in leased)
            await asyncio.gather(*(store.settle(one, Receipt("1"), NOON) for one in leased))

    await asyncio.gather(*(send(store) for store in stores for _ in range(3)))
    assert sorted(sent) == sorted(set(sent))
    assert len(sent) == 40


async def test_who_changes_something_waits_for_nobody_who_reads_and_for_everybody_who_writes(
    stores: list[SqlStore],
) -> None:
    one, other = stores
    await make(one, ANN, "btc < 1")
    async with one._database.reading() as connection:
        await connection.execute(select(chats))
        async with asyncio.timeout(5):
            await make(other, BOB, "btc < 1")
    for beside in (True, False):
        async with one._database.writing(beside=beside):
            making = asyncio.create_task(make(other, ANN, "btc < 2"))
            assert not (await asyncio.wait([making], timeout=0.2))[0]
        await making


async def test_partitions_are_judged_at_the_same_time_and_tell_one_after_the_other(
    stores: list[SqlStore],
) -> None:
    """What is told must be seen in the order of its ids: else it could overtake what is under way."""
    one, other = stores
    arming = await promise(one, 1)
    await make(one, ANN, "btc < 90000")
    async with one._database.writing() as connection:
        await connection.execute(update(armings).where(armings.c.id != arming).values(partition=1))
    theirs = await arming_of(one, ANN)
    first, second = await one.take(0, "one"), await other.take(1, "other")
    async with one._database.writing(beside=True) as connection:
        await one._database.keep_order(connection)
        async with asyncio.timeout(5):
            await other.commit(1, second, Judgement(NOON, {}, {BTC: 60}))
        telling = asyncio.create_task(other.commit(1, second, Judgement(NOON, {}, {}, [ring(theirs)])))
        assert not (await asyncio.wait([telling], timeout=0.2))[0]
    assert await telling == 1
    assert await one.commit(0, first, Judgement(NOON, {}, {}, [ring(arming, 2)])) == 1


async def test_a_holder_that_was_paused_commits_nothing_when_it_goes_on(stores: list[SqlStore]) -> None:
    one, other = stores
    epoch = await one.take(0, "paused")
    later = await other.take(0, "awake")
    with pytest.raises(Superseded):
        await one.commit(0, epoch, Judgement(NOON, {}, {BTC: 60}))
    await other.commit(0, later, Judgement(NOON, {}, {BTC: 120}))
    assert await one.judged_to(0) == {BTC: 120}


async def test_revisions_are_seen_in_their_order_whoever_writes_them(stores: list[SqlStore]) -> None:
    """Watch asks for what is newer than what it saw: a revision that came out late would be passed over."""
    one, other = stores
    seen, found = 0, []
    writing = [
        asyncio.create_task(put_level(stores[number % 2], caller(number), f"level-{number}", "1"))
        for number in range(24)
    ]
    while any(not task.done() for task in writing):
        revision = (await other.changes(0, seen)).revision
        found.append(revision)
        seen = max(seen, revision)
        async with one._database.reading() as connection:
            kept = await connection.scalar(text("SELECT count(DISTINCT revision) FROM audit"))
            newest = await connection.scalar(text("SELECT max(revision) FROM audit"))
        assert kept == (newest or 0), "none is missing below the newest"
    await asyncio.gather(*writing)
    assert found == sorted(found)


async def test_who_stands_still_within_a_transaction_loses_it_and_holds_nobody_up(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "SECONDS_TO_PAUSE", 1)
    paused = await open_store(database)
    monkeypatch.undo()
    awake = await open_store(database)
    with pytest.raises(StoreTrouble):
        async with paused._database.writing() as connection:
            await connection.execute(update(chats).values(paused_reason="never seen"))
            async with asyncio.timeout(10):
                assert (await make(awake, ANN, "btc < 1")).number == 1
            await connection.execute(select(chats))
    assert (await make(paused, ANN, "btc < 2")).number == 2
    await paused.close()
    await awake.close()


# --- a server that comes and goes ---------------------------------------------------------------------------


async def test_connections_that_the_server_ended_are_passed_over(
    stores: list[SqlStore], database: str
) -> None:
    one, other = stores
    await make(one, ANN, "btc < 1")
    await other.levels(ANN.chat)
    admin = connect(database)
    async with admin.writing() as connection:
        ended = await connection.scalars(text(END_ALL))
        assert all(ended)
    await admin.close()
    await asyncio.sleep(0.05)
    for store in stores:
        assert len(await store.subscriptions(ANN.chat)) == 1
        await make(store, BOB, "btc < 1")


async def test_a_transaction_that_is_cut_off_is_trouble_and_leaves_no_trace(
    stores: list[SqlStore], database: str
) -> None:
    one, other = stores
    await make(one, ANN, "btc < 1")
    with pytest.raises(StoreTrouble):
        async with one._database.writing() as connection:
            await connection.execute(update(chats).values(language="zh-Hans"))
            pid = await connection.scalar(select(func.pg_backend_pid()))
            async with other._database.reading() as second:
                await second.execute(select(func.pg_terminate_backend(pid)))
            await connection.execute(select(chats))
    met = await other.met(ANN.chat)
    assert met is not None
    assert met.language != "zh-Hans"
    assert (await make(one, ANN, "btc < 2")).number == 2


# --- one bot ------------------------------------------------------------------------------------------------


async def test_two_bots_never_work_with_one_database(database: str) -> None:
    async with claim(database, "desk:4711"):
        with pytest.raises(StoreTrouble, match=r"another Tocsin works with tocsin_test_\w+ \(desk:4711\)"):
            async with claim(database, "rack:1"):
                pass
    admin = connect(database)
    async with claim(database, "rack:1"), admin.writing() as connection:  # it ends well without its server
        await connection.execute(text(END_ALL))
    await admin.close()
    async with claim(database, "desk:4712"):
        pass


# --- what it says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"database": "none_of_that_name"}, "none_of_that_name.*does not exist: make that database"),
        ({"username": "nobody_of_that_name"}, "nobody_of_that_name.*: see which user and password"),
        ({"port": 1}, "see whether its server runs"),
    ],
)
async def test_a_server_that_lets_nobody_in_is_trouble_that_says_what_to_do(
    database: str, change: dict[str, object], said: str
) -> None:
    url = make_url(database).set(password="hunter2-hunter2").set(**change)  # type: ignore[arg-type]
    for refuse in (open_store, lambda url: claim(url, "desk").__aenter__()):
        with pytest.raises(StoreTrouble, match=said) as refused:
            await refuse(url.render_as_string(hide_password=False))
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'a secret'::int",
        "INSERT INTO counters VALUES ('a secret', 1), ('a secret', 1)",
        "INSERT INTO handouts VALUES ('a secret', 'a secret', 'a secret', 'a secret', NULL)",
        "INSERT INTO quotas VALUES ('a secret', 99999999999)",
    ],
)
async def test_trouble_names_no_value_of_a_row(stores: list[SqlStore], statement: str) -> None:
    with pytest.raises(StoreTrouble) as raised:
        async with stores[0]._database.writing() as connection:
            await connection.exec_driver_sql(statement)
    traced = "".join(traceback.format_exception(raised.value))
    assert "secret" not in traced
    assert "9999" not in traced


async def test_a_server_that_finds_its_files_damaged_closes_the_database_to_everybody(
    stores: list[SqlStore],
) -> None:
    one, _ = stores
    with pytest.raises(Damaged, match=r"is damaged \(a page is gone\).*pg_restore"):
        async with one._database.writing() as connection:
            await connection.exec_driver_sql(
                "DO $$ BEGIN RAISE EXCEPTION 'a page is gone' USING ERRCODE = 'XX001'; END $$"
            )
    with pytest.raises(Damaged):
        await one.levels(ANN.chat)
    assert "pg_restore" in await one.damaged()


# --- who does without it ------------------------------------------------------------------------------------

_WITHOUT = """
import asyncio, sys
sys.modules["asyncpg"] = sys.modules["nats"] = None
import bot.__main__, bot.app, bot.doctor, bot.demo.story
from bot.ports import StoreTrouble
from bot.store import open_store, upgrade

async def work(url):
    await upgrade(url)
    store = await open_store(url)
    await store.revision()
    await store.close()
    try:
        await upgrade("postgresql://ann:secret@localhost/tocsin")
    except StoreTrouble as trouble:
        print(trouble)

asyncio.run(work(sys.argv[1]))
print([name for name in sys.modules if name.startswith(("asyncpg.", "nats.", "bot.tape.jetstream"))])
"""


def test_a_single_process_needs_neither_postgresql_nor_nats_and_imports_nothing_of_them(
    tmp_path: Path,
) -> None:
    root = Path(bot.__file__).parents[1]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _WITHOUT, f"sqlite:///{tmp_path / 'tocsin.db'}"],
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [postgres.NEEDS_DRIVER, "[]"], done.stderr


# --- how it looks -------------------------------------------------------------------------------------------


async def test_what_waits_is_found_at_once_though_all_but_nothing_waited_before(
    stores: list[SqlStore], database: str
) -> None:
    """A server plans by what it counted last: nothing is left to it to count when so much has changed."""
    store, chats_in_all = stores[0], 3000
    await store.publish(CAT, "floor", "btc < 100000", NOON)
    await follow(store, ANN, "floor")
    arming = await arming_of(store, ANN, "floor")
    async with store._database.writing() as connection:
        many = func.generate_series(2, chats_in_all)
        fixed = {"kind": "private", "thread": "", "language": "en", "timezone": "UTC", "paused_reason": ""}
        row = {**fixed, "platform": "telegram", "last_number": 0}
        made = select(*(literal(value) for value in row.values()), cast(many, Text))
        await connection.execute(insert(chats).from_select([*row, "chat"], made))
        theirs = select(
            chats.c.id, subscriptions.c.alert_id, subscriptions.c.arming_id, literal(NOON), literal(1)
        )
        names = ["chat_id", "alert_id", "arming_id", "made_at", "revision"]
        new = theirs.join(subscriptions, true()).where(chats.c.chat.not_in([ANN.chat.chat, CAT.chat.chat]))
        await connection.execute(insert(subscriptions).from_select(names, new))
        await connection.exec_driver_sql("ANALYZE")
    assert await tell(store, ring(arming)) == chats_in_all
    async with store._database.reading() as connection:
        due = _due().params(platform="telegram", now=NOON, room=30)
        asked = due.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        plan = list(await connection.scalars(text(f"EXPLAIN ANALYZE {asked}")))
    looked = [int(rows) for line in plan for rows in re.findall(r"Scan.*actual time.* rows=(\d+)", line)]
    assert looked, plan
    assert max(looked) < 100, plan


async def test_what_is_committed_outlives_a_crash_though_the_server_would_rather_be_quick(
    stores: list[SqlStore], postgres: Server
) -> None:
    asked = text("SHOW synchronous_commit")
    async with stores[0]._database.reading() as connection:
        assert await connection.scalar(asked) == "on"
    plain = create_async_engine(stores[0]._database.engine.url)
    async with plain.connect() as connection:
        assert await connection.scalar(asked) == "off"
    await plain.dispose()


# --- who takes over from whom -------------------------------------------------------------------------------


async def test_what_a_silent_process_has_begun_is_ended_and_not_waited_for(database: str) -> None:
    """It may stand still within a statement, which the server would wait for without end."""
    first, second = await open_rota(database), await open_rota(database)
    silent, other = await first.join("desk:1", "1", 60), await second.join("rack:2", "1", 60)
    assert await first.take(silent, "bot")
    store, room = await open_store(database, silent), connect(database, name=silent.partition(".")[0])
    with pytest.raises(StoreTrouble):
        async with store._database.writing(), room.writing_apart() as beside:
            await beside.execute(text("SELECT * FROM duties FOR UPDATE"))
            await first.renew(silent, -1)
            async with asyncio.timeout(5):
                assert await second.take(other, "bot")
    with pytest.raises(Superseded):
        await store.lease("telegram", 0.0, 1)
    for one in (store, room, first, second):
        await one.close()


async def test_a_process_that_stands_by_and_stands_still_keeps_nobody_from_taking_over(database: str) -> None:
    first, second = await open_rota(database), await open_rota(database)
    silent, other = await first.join("desk:1", "1", 60), await second.join("rack:2", "1", 60)
    with pytest.raises(StoreTrouble):
        async with first._database.writing():  # it was about to take the duty
            await second.renew(silent, -1)
            async with asyncio.timeout(5):
                assert await second.take(other, "bot")
    for one in (first, second):
        await one.close()
