"""Many writers at once: commands, watch and deliver on connections and processes of their own."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from decimal import Decimal
from inspect import iscoroutinefunction
from pathlib import Path

import pytest
from sqlalchemy import event

import bot
from bot.alerts.models import Level
from bot.engine.state import AlertState
from bot.metrics import MetricKey
from bot.ports import Conflict, Judgement, Receipt, StoreTrouble, Superseded
from bot.store import SqlStore, check, open_store
from bot.store.archive import SqlArchive
from bot.store.ledger import SqlLedger
from bot.store.levels import SqlLevels
from bot.store.outbox import SqlOutbox
from bot.store.people import SqlPeople
from bot.store.register import SqlRegister
from tests.storing import (
    ANN,
    BOB,
    BTC,
    NOON,
    SEEN,
    arming_of,
    caller,
    filled,
    follow,
    make,
    put_level,
    rang,
    refill,
    ring,
    tell,
)

pytestmark = pytest.mark.both


@pytest.fixture
async def stores(database: str) -> AsyncIterator[list[SqlStore]]:
    """Four stores on one file: four writers that share nothing but the database."""
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(4):
            opened.append(await open_store(database))
            stack.push_async_callback(opened[-1].close)
        yield opened
    assert (await check(database)).is_well


async def test_no_number_is_given_twice_by_writers_at_once(stores: list[SqlStore]) -> None:
    made = await asyncio.gather(
        *(make(store, ANN, "btc < 100000") for _ in range(25) for store in stores),
    )
    assert sorted(alert.number for alert in made) == list(range(1, 101))
    assert len(await stores[0].subscriptions(ANN.chat)) == 100


async def test_a_name_goes_to_one_of_those_who_ask_for_it_at_once(stores: list[SqlStore]) -> None:
    asked = await asyncio.gather(
        *(store.publish(ANN, "floor", "btc < 100000", NOON) for store in stores), return_exceptions=True
    )
    assert Counter(type(one).__name__ for one in asked) == {"Alert": 1, "Conflict": 3}
    assert len(await stores[0].catalogue()) == 1


async def test_a_chat_that_speaks_many_times_at_once_is_one_chat(stores: list[SqlStore]) -> None:
    await asyncio.gather(*(store.meet(ANN, NOON) for store in stores for _ in range(5)))
    async with stores[0]._database.reading() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM chats")).scalar_one() == 1


async def test_everybody_follows_the_level_that_was_set_last(stores: list[SqlStore]) -> None:
    """Whoever subscribes while a level moves is moved with it, or refused and tries again."""
    await put_level(stores[0], ANN, "floor", "100000")
    await stores[0].publish(ANN, "etf", "btc < @floor", NOON)

    async def subscribe(store: SqlStore, number: int) -> None:
        while True:
            with suppress(Conflict):
                await follow(store, caller(number), "etf")
                return

    async def move(store: SqlStore, number: int) -> None:
        level = Level("floor", Decimal(90_000 + number), None, "ann", NOON)
        await store.set_level(ANN, level, refill, SEEN, NOON)

    await asyncio.gather(
        *(subscribe(stores[number % 3], number) for number in range(30)),
        *(move(stores[3], number) for number in range(15)),
    )
    value = (await stores[0].levels(ANN.chat))["floor"].value
    for number in range(30):
        (subscription,) = await stores[0].subscriptions(caller(number).chat)
        assert subscription.arming is not None
        assert subscription.arming.rule == f"btc/usdt < {value}"
        assert subscription.levels == {"floor": value}
    (armed,) = (await stores[0].changes(0, 0)).made
    assert armed.arming.rule == f"btc/usdt < {value}"


async def test_commands_and_watch_and_deliver_lose_nothing_of_each_other(stores: list[SqlStore]) -> None:
    people = [caller(number) for number in range(6)]
    commands, watch, deliver, other = stores
    rounds = 10

    async def command(who_number: int) -> None:
        who = people[who_number]
        for _ in range(rounds):
            alert = await make(commands if who_number % 2 else other, who, "btc < 100000")
            if alert.number % 3 == 0:
                await commands.pause(who.chat, alert.label, NOON)
            if alert.number % 5 == 0:
                await other.delete_alert(who.chat, alert.number, NOON)

    living: dict[int, int] = {}
    promised = 0
    is_over = asyncio.Event()

    async def judge() -> None:
        """Judge as watch does: take up what is new, ring what lives, and never what has gone."""
        nonlocal promised
        epoch, revision, minute = await watch.take(0, "watch"), 0, 0
        while True:
            is_last = is_over.is_set()
            changes = await watch.changes(0, revision)
            revision = changes.revision
            for gone in changes.retired:
                living.pop(gone, None)
            for armed in changes.made:
                living[armed.arming.id] = 0
            minute += 60
            states = {arming: AlertState(minute, episode=episode) for arming, episode in living.items()}
            told = [ring(arming, 1) for arming, episode in living.items() if not episode]
            promised += await watch.commit(0, epoch, Judgement(NOON, states, {BTC: minute}, told))
            living.update({one.arming_id: 1 for one in told})
            if is_last:
                return

    sent: Counter[int] = Counter()

    async def carry() -> None:
        while True:
            is_last = is_over.is_set() and judging.done()
            for one in await deliver.lease("telegram", NOON, 30):
                sent[one.id] += 1
                await deliver.settle(one, Receipt("1"), NOON)
            if is_last and await deliver.next_due("telegram", NOON) is None:
                return
            await asyncio.sleep(0)

    judging, carrying = asyncio.create_task(judge()), asyncio.create_task(carry())
    await asyncio.gather(*(command(number) for number in range(len(people))))
    is_over.set()
    await asyncio.gather(judging, carrying)

    listed = [one for who in people for one in await commands.subscriptions(who.chat)]
    assert len(listed) == len(people) * (rounds - rounds // 5)
    armed = {one.arming.id for one in listed if one.arming}
    assert armed == set(living) == {one.arming.id for one in (await watch.changes(0, 0)).made}
    assert {one.state.episode for one in listed if one.arming and one.state} <= {0, 1}
    assert all(one.state for one in listed if one.arming), "each was judged"
    assert len(sent) == promised
    assert set(sent.values()) == {1}


async def test_of_two_holders_of_a_partition_one_commits(stores: list[SqlStore]) -> None:
    async def hold(store: SqlStore) -> int:
        kept, minute = 0, 0
        for _ in range(5):
            epoch = await store.take(0, "holder")
            with suppress(Superseded):
                for _ in range(5):
                    minute += 60
                    key = MetricKey("price", f"seen-by-{epoch}/usdt")
                    await store.commit(0, epoch, Judgement(NOON, {}, {key: minute}))
                    kept += 1
        return kept

    kept = sum(await asyncio.gather(*(hold(store) for store in stores)))
    epochs = {key.instrument for key in await stores[0].judged_to(0)}
    assert len(epochs) <= kept
    assert await stores[0].take(0, "last") == 21


async def test_a_reader_sees_the_state_before_or_after_a_change_and_nothing_between(
    stores: list[SqlStore],
) -> None:
    await put_level(stores[0], ANN, "floor", "1")
    for _ in range(10):
        await make(stores[0], BOB, "btc < @floor")
    is_over = False

    async def read(store: SqlStore) -> int:
        looks = 0
        while not is_over:
            rules = {armed.arming.rule for armed in (await store.changes(0, 0)).made}
            listed = {one.arming.rule for one in await store.subscriptions(BOB.chat) if one.arming}
            assert len(rules) == len(listed) == 1
            looks += 1
        return looks

    readers = [asyncio.create_task(read(store)) for store in stores[1:]]
    for value in range(2, 12):
        await put_level(stores[0], ANN, "floor", str(value))
    is_over = True
    assert min(await asyncio.gather(*readers)) > 0


async def test_a_writer_that_is_cancelled_holds_nobody_up(stores: list[SqlStore]) -> None:
    one, other = stores[:2]
    async with one._database.writing() as connection:
        await connection.exec_driver_sql("SELECT 1")
        waiting = [asyncio.create_task(make(store, ANN, "btc < 1")) for store in (one, other, other)]
        for _ in range(100):
            await asyncio.sleep(0)  # one waits in its process, another in the database, a third behind that
        for task in waiting:
            task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(10):
        assert [(await make(store, BOB, "btc < 2")).number for store in stores] == [1, 2, 3, 4]


_FULL = {
    "sqlite": (
        "CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'disk is full'); END",
        "DROP TRIGGER full",
    ),
    "postgresql": (
        'ALTER TABLE outbox ADD CONSTRAINT "disk is full" CHECK (false) NOT VALID',
        'ALTER TABLE outbox DROP CONSTRAINT "disk is full"',
    ),
}


async def test_a_failure_inside_a_transaction_leaves_no_trace(stores: list[SqlStore]) -> None:
    await make(stores[0], ANN, "btc < 100000")
    arming = await arming_of(stores[0], ANN)
    epoch = await stores[0].take(0, "watch")
    fills, empties = _FULL[stores[1]._database.engine.dialect.name]
    async with stores[1]._database.writing() as connection:
        await connection.exec_driver_sql(fills)
    with pytest.raises(StoreTrouble, match="disk is full"):
        await stores[0].commit(0, epoch, Judgement(NOON, {arming: rang()}, {BTC: 60}, [ring(arming)]))
    assert await stores[0].judged_to(0) == {}
    assert (await stores[0].changes(0, 0)).made[0].state is None
    async with stores[1]._database.writing() as connection:
        await connection.exec_driver_sql(empties)
    assert await stores[0].commit(0, epoch, Judgement(NOON, {arming: rang()}, {BTC: 60}, [ring(arming)])) == 1


# --- processes ----------------------------------------------------------------------------------------------

_PROCESS = """
import asyncio, sys
from bot.ports import Receipt
from bot.store import open_store
from tests.storing import ANN, NOON, caller, make, put_level

async def main(url, name):
    store = await open_store(url)
    for number in range(15):
        await make(store, ANN, "btc < 100000")
        await put_level(store, caller(name), f"mine-{name}", str(number))
        for one in await store.lease("telegram", NOON, 3):
            print(one.id, flush=True)
            await store.settle(one, Receipt(name), NOON)
    await store.close()

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


async def test_processes_at_once_lose_no_update_and_send_nothing_twice(database: str) -> None:
    store = await open_store(database)
    await store.publish(ANN, "floor", "btc < 100000", NOON)
    for number in range(40):
        await follow(store, caller(number), "floor")
    assert await tell(store, ring(await arming_of(store, caller(0), "floor"))) == 40
    root = Path(bot.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _PROCESS, database, name),
            env=environment,
            cwd=root,
            stdout=asyncio.subprocess.PIPE,
        )
        for name in ("p", "q")
    ]
    outputs = [(await process.communicate())[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    sent = Counter(int(one) for output in outputs for one in output)
    assert set(sent.values()) == {1}
    assert len(sent) == 40
    numbers = [one.alert.number for one in await store.subscriptions(ANN.chat)]
    assert numbers == list(range(1, 31))
    assert {name: level.value for name, level in (await store.levels(ANN.chat)).items()} == {
        "mine-p": 14,
        "mine-q": 14,
    }
    assert (await filled(store, ANN.chat, "btc < 1")).rule == "btc/usdt < 1"
    await store.close()
    assert (await check(database)).is_well


@pytest.mark.sqlite
@pytest.mark.parametrize("statement", range(1, 9))
@pytest.mark.parametrize("times", [1, 2])
async def test_who_is_cancelled_within_a_transaction_leaves_it_whole_and_no_lock_behind(
    store: SqlStore, database: str, statement: int, times: int
) -> None:
    """The garbage collector must not be needed for it, for nobody knows when that comes by."""
    await store.meet(ANN, NOON)
    new = await filled(store, ANN.chat, "btc < 100000")
    making = asyncio.create_task(store.make_alert(ANN, "btc < 100000", new, NOON))
    statements: list[str] = []

    def cancel(_connection: object, _cursor: object, text: str, *_: object) -> None:
        statements.append(text)
        if len(statements) in range(statement, statement + times):
            making.cancel()

    event.listen(store._database.engine.sync_engine, "before_cursor_execute", cancel)
    gc.disable()
    try:
        with pytest.raises(asyncio.CancelledError):
            await making
        assert len(statements) >= 8
        other = await open_store(database)
        async with asyncio.timeout(5), other._database.writing():
            pass
        await other.close()
    finally:
        gc.enable()
        event.remove(store._database.engine.sync_engine, "before_cursor_execute", cancel)
    assert len(await store.subscriptions(ANN.chat)) == 1


@pytest.mark.parametrize("part", [SqlArchive, SqlLedger, SqlLevels, SqlOutbox, SqlPeople, SqlRegister])
def test_every_call_of_the_store_is_kept_whole(part: type) -> None:
    calls = {name: call for name, call in vars(part).items() if callable(call) and not name.startswith("_")}
    assert calls
    touching = {name: call for name, call in calls.items() if iscoroutinefunction(call)}
    assert [name for name, call in touching.items() if not hasattr(call, "__wrapped__")] == []
