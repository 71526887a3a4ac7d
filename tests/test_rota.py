"""Who of several processes is on duty: one at a time, and who is thought dead writes nothing any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.duties import ALL, ROLES, duties_of, plan_of
from bot.ports import Superseded
from bot.ports.rota import Duty
from bot.store import check, copy, open_rota, open_store
from bot.store.rota import SqlRota
from tests.postgres import Server
from tests.storing import ANN, make

pytestmark = pytest.mark.both

FOUR, TWO = duties_of(("okx",), 4, {}), duties_of(("okx",), 2, {})
LONG, SHORT = 60.0, -1.0
"""For how many seconds a process is believed: one that was silent is believed until before now."""


@pytest.fixture
async def rota(database: str) -> AsyncIterator[SqlRota]:
    opened = await open_rota(database)
    yield opened
    await opened.close()


async def test_a_duty_is_taken_by_one_and_by_no_other_while_that_lives(rota: SqlRota) -> None:
    first, second = await rota.join("desk:1", "1.0", LONG), await rota.join("rack:2", "1.1", LONG)
    assert await rota.take(first, "feed/binance") == Duty()
    assert await rota.take(first, "feed/binance") == Duty()
    assert not await rota.take(second, "feed/binance")
    assert await rota.take(second, "feed/okx")
    roll = await rota.roll(0.0)
    assert [(one.name, one.version, one.duties) for one in roll.living] == [
        ("desk:1", "1.0", ("feed/binance",)),
        ("rack:2", "1.1", ("feed/okx",)),
    ]
    on_duty = roll.on("feed/binance")
    assert on_duty is not None
    assert on_duty.id == first
    assert roll.on("engine/1") is None
    assert roll.ended == ()


async def test_who_is_silent_loses_its_duty_and_is_told_so(rota: SqlRota) -> None:
    first, second = await rota.join("desk:1", "1", LONG), await rota.join("rack:2", "1", LONG)
    assert await rota.take(first, "feed/binance")
    await rota.renew(first, SHORT)
    assert await rota.take(second, "feed/binance")
    for late in (rota.renew(first, LONG), rota.take(first, "feed/okx")):
        with pytest.raises(Superseded):
            await late
    roll = await rota.roll(0.0)
    assert [one.name for one in roll.living] == ["rack:2"]
    assert [(one.name, one.was_lost) for one in roll.ended] == [("desk:1", True)]
    assert roll.ended[0].ended_at == roll.ended[0].until < roll.at


async def test_who_is_silent_but_missed_by_nobody_goes_on(rota: SqlRota) -> None:
    first, second = await rota.join("desk:1", "1", LONG), await rota.join("rack:2", "1", LONG)
    assert await rota.take(first, "feed/binance")
    await rota.renew(first, SHORT)
    assert [one.name for one in (await rota.roll(0.0)).ended] == ["desk:1"]
    await rota.renew(first, LONG)
    assert not await rota.take(second, "feed/binance")
    assert (await rota.roll(0.0)).ended == ()


async def test_who_loses_one_duty_loses_all(rota: SqlRota) -> None:
    first, second = await rota.join("desk:1", "1", LONG), await rota.join("rack:2", "1", LONG)
    for duty in ("feed/binance", "feed/okx"):
        assert await rota.take(first, duty)
    await rota.renew(first, SHORT)
    assert await rota.take(second, "feed/binance")
    assert await rota.take(second, "feed/okx")
    [living] = (await rota.roll(0.0)).living
    assert living.duties == ("feed/binance", "feed/okx")


async def test_who_leaves_gives_its_duty_back(rota: SqlRota) -> None:
    first, second = await rota.join("desk:1", "1", LONG), await rota.join("rack:2", "1", LONG)
    assert await rota.take(first, "feed/binance")
    await rota.leave(first)
    duty = await rota.take(second, "feed/binance")
    assert duty is not None
    assert duty.after == "desk:1"
    assert 0 <= duty.ago < 60
    [ended] = (await rota.roll(0.0)).ended
    assert (ended.name, ended.was_lost) == ("desk:1", False)
    assert (await rota.roll((await rota.roll(0.0)).at + 1)).ended == ()


async def test_a_duty_that_is_handed_over_is_anothers_while_both_go_on(rota: SqlRota) -> None:
    first, second = await rota.join("desk:1", "1", LONG), await rota.join("rack:2", "1", LONG)
    for duty in ("engine/0", "engine/1", "engine/2"):
        assert await rota.take(first, duty)
    await rota.release(second, ["engine/0"])  # none of its own
    assert await rota.take(second, "engine/0") is None
    await rota.release(first, ["engine/0", "engine/2"])
    roll = await rota.roll(0.0)
    assert [one.duties for one in roll.living] == [("engine/1",), ()]
    assert roll.on("engine/0") is None
    duty = await rota.take(second, "engine/0")
    assert duty is not None
    assert duty.after == "desk:1"
    assert 0 <= duty.ago < 60
    await rota.release(first, ["engine/0"])  # its own no more
    assert [one.duties for one in (await rota.roll(0.0)).living] == [("engine/1",), ("engine/0",)]
    await rota.renew(first, SHORT)
    assert await rota.take(second, "engine/1")
    with pytest.raises(Superseded):
        await rota.release(first, ["engine/1"])


async def test_nobody_has_a_duty_that_is_in_anothers_under_another_name(rota: SqlRota) -> None:
    whole, part = await rota.join("desk:1", "1", LONG), await rota.join("rack:2", "1", LONG, ROLES, FOUR)
    other = await rota.join("room:3", "1", LONG, ("engine",), TWO)
    assert await rota.take(whole, ALL)
    assert await rota.take(part, "feed/okx") is None
    await rota.leave(whole)
    assert await rota.take(part, "engine/0")
    for name in ("engine/1", "engine/0", "feed/okx", ALL):
        assert await rota.take(other, name) is None
    await rota.renew(part, SHORT)
    assert await rota.take(other, "engine/1")
    assert await rota.take(other, "feed/okx")
    [living] = (await rota.roll(0.0)).living
    assert (living.roles, living.plan) == (("engine",), TWO)
    assert living.duties == ("engine/1", "feed/okx")


async def test_nobody_takes_a_duty_beside_one_who_words_otherwise(rota: SqlRota) -> None:
    old = await rota.join("desk:1", "1", LONG, ROLES, plan_of(FOUR, 1))
    new = await rota.join("rack:2", "2", LONG, ROLES, plan_of(FOUR, 2))
    assert await rota.take(old, "chat/upkeep")
    assert await rota.take(new, "feed/okx") is None
    await rota.leave(old)
    assert await rota.take(new, "feed/okx")
    assert await rota.take(await rota.join("desk:3", "1", LONG, ROLES, plan_of(FOUR, 1)), "engine/1") is None


async def test_of_many_who_want_a_duty_at_once_one_has_it(rota: SqlRota, database: str) -> None:
    async with AsyncExitStack() as stack:
        others = [await open_rota(database) for _ in range(4)]
        for other in others:
            stack.push_async_callback(other.close)
        names = [await rota.join(f"desk:{number}", "1", LONG) for number in range(4)]
        dead = await rota.join("rack:9", "1", LONG)
        for holder in (None, dead):
            if holder:
                assert await rota.take(holder, "engine/0")
                await rota.renew(holder, SHORT)
            duty = "engine/0" if holder else "feed/binance"
            taken = await asyncio.gather(
                *(one.take(name, duty) for one, name in zip(others, names, strict=True))
            )
            assert sum(one is not None for one in taken) == 1


async def test_a_process_that_was_lost_writes_nothing_any_more(rota: SqlRota, database: str) -> None:
    first, second = await rota.join("desk:1", "1", LONG), await rota.join("rack:2", "1", LONG)
    assert await rota.take(first, "feed/binance")
    store, other = await open_store(database, first), await open_store(database, second)
    try:
        await make(store, ANN, "btc < 100000")
        await rota.renew(first, SHORT)
        await make(store, ANN, "btc < 100001")  # nobody missed it so far
        assert await rota.take(second, "feed/binance")
        with pytest.raises(Superseded):
            await make(store, ANN, "btc < 100002")
        with pytest.raises(Superseded):
            await store.lease("telegram", 0.0, 1)
        await make(other, ANN, "btc < 100003")
        found = [one.alert.rule for one in await other.subscriptions(ANN.chat)]
        assert [rule.split()[-1] for rule in found] == ["100000", "100001", "100003"]
    finally:
        await store.close()
        await other.close()


@pytest.mark.sqlite
async def test_a_copy_knows_of_none_who_worked_with_the_source(
    rota: SqlRota, database: str, tmp_path: Path
) -> None:
    await rota.take(await rota.join("desk:1", "1", LONG), "feed/binance")
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    await copy(database, target)
    copied = await open_rota(target)
    assert (await copied.roll(0.0)).living == ()
    await copied.close()


def test_a_database_without_a_rota_is_brought_to_this_version(postgres: Server) -> None:
    async def look(url: str) -> None:
        rota = await open_rota(url)
        assert (await rota.roll(0.0)).living == ()
        await rota.close()
        assert (await check(url)).is_current

    with postgres.database(is_empty=True) as url:
        asyncio.run(look(url))
