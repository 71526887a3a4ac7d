"""Many tellings of one batch: what is written set by set is what would be written one by one."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import bindparam, insert, select

from bot.alerts.models import Telling
from bot.engine.state import Reminder, Resolution
from bot.ports import Told
from bot.store import SqlStore, open_store
from bot.store.database import each
from bot.store.metric_tables import notebooks
from bot.store.tables import outbox, rings
from tests.benchmarks.ringing import arm_many
from tests.storing import ANN, BOB, CAT, NOON, arming_of, correction, ended, follow, judged, make, ring


async def _armed(store: SqlStore) -> list[int]:
    """Give Ann an alert of her own, let all three follow one, Bob without hearing it, Cat urgently."""
    await make(store, ANN, "btc < 100000")
    await store.publish(ANN, "floor", "btc < 99000", NOON)
    for who in (ANN, BOB, CAT):
        await follow(store, who, "floor")
    await store.mute(BOB.chat, "floor", NOON + 3600, NOON)
    await store.set_urgent(CAT.chat, "floor", NOON, is_urgent=True)
    await make(store, CAT, "btc < 98000")
    armings = [await arming_of(store, ANN), await arming_of(store, ANN, "floor"), await arming_of(store, CAT)]
    await store.pause(CAT.chat, "#1", NOON)
    return armings


async def _kept(store: SqlStore) -> list[dict[str, Any]]:
    """Give all that was kept of rings and promised, but for the numbers of rows, in the order of those."""
    async with store._database.reading() as connection:
        rang = (await connection.execute(select(rings).order_by(rings.c.id))).mappings().all()
        told = (await connection.execute(select(outbox).order_by(outbox.c.id))).mappings().all()
    names = {row["id"]: (row["arming_id"], row["episode"], row["corrections"]) for row in rang}
    return [
        *({**row, "id": None, "arming": row["arming_id"]} for row in rang),
        *({**row, "id": None, "ring_id": names.get(row["ring_id"])} for row in told),
    ]


def _name(row: dict[str, Any]) -> str:
    return repr(sorted(row.items(), key=lambda item: item[0]))


def _of(armings: Sequence[int], drawn: tuple[int, str, int, int]) -> Told:
    place, kind, episode, corrections = drawn
    arming = armings[place]
    match kind:
        case "early":
            return ring(arming, episode, corrections=corrections, is_early=True)
        case "final":
            return ring(arming, episode, corrections=corrections, was_told=True)
        case "correction":
            return correction(arming, episode, corrections)
        case "reminder":
            return Told(arming, Reminder(episode, NOON + corrections, 1.0), {"value": 1.0})
        case "resolution":
            return Told(arming, Resolution(episode, NOON, 1.0), {"value": 1.0})
        case "ended":
            return ended(arming)
    return ring(arming, episode, corrections=corrections)


KINDS = st.sampled_from(["ring", "early", "final", "correction", "reminder", "resolution", "ended"])
TOLD = st.tuples(st.integers(0, 2), KINDS, st.integers(1, 2), st.integers(0, 1))


@settings(max_examples=8, deadline=None)
@given(batch=st.lists(TOLD, min_size=2, max_size=10))
def test_a_batch_keeps_and_promises_what_its_tellings_would_one_by_one(
    template: Path, batch: list[tuple[int, str, int, int]]
) -> None:
    async def run(folder: Path, *, is_whole: bool) -> tuple[list[dict[str, Any]], int]:
        store = await open_store(f"sqlite:///{shutil.copy(template, folder / f'{is_whole}.db')}")
        try:
            armings = await _armed(store)
            epoch = await store.take(0, "test")
            told = [_of(armings, drawn) for drawn in batch]
            pieces = [told] if is_whole else [[one] for one in told]
            written = [await store.commit(0, epoch, judged(*piece)) for piece in pieces]
            return await _kept(store), sum(written)
        finally:
            await store.close()

    with tempfile.TemporaryDirectory() as folder:
        whole, count = asyncio.run(run(Path(folder), is_whole=True))
        single, counted = asyncio.run(run(Path(folder), is_whole=False))
    assert count == counted == sum("dedupe" in row for row in whole)
    assert sorted(map(_name, whole)) == sorted(map(_name, single))
    for arming in {row["arming"] for row in whole if "arming" in row}:
        assert _order(whole, arming) == _order(single, arming)


def _order(kept: list[dict[str, Any]], arming: int) -> list[tuple[int, str]]:
    """Give what the chats are told of one arming, in the order in which they are."""
    rows = [row for row in kept if row.get("dedupe", "").split("/")[1:2] == [str(arming)]]
    return [(row["chat_id"], row["dedupe"]) for row in sorted(rows, key=lambda row: row["chat_id"])]


async def test_of_what_one_batch_tells_the_rings_go_first(store: SqlStore) -> None:
    await make(store, ANN, "btc < 100000")
    await make(store, ANN, "btc < 99000")
    first, second = await arming_of(store, ANN), await arming_of(store, ANN, "#2")
    told = (ended(first), ring(second), ended(second), ring(first))
    await store.commit(0, await store.take(0, "test"), judged(*told))
    kinds = []
    while leased := await store.lease("telegram", NOON, 9):
        kinds.append((leased[0].facts["alert"], leased[0].kind))
        await store.gather(leased[0], NOON, 0, 0.0)
        async with store._database.writing() as connection:
            await connection.execute(outbox.delete().where(outbox.c.id == leased[0].id))
    assert kinds == [
        ("#2", Telling.RING),
        ("#1", Telling.ENDED),
        ("#1", Telling.RING),
        ("#2", Telling.ENDED),
    ]


async def test_rings_of_more_armings_than_one_statement_takes_are_one_promise_each(store: SqlStore) -> None:
    await arm_many(store, 1100)
    rang = [ring(arming) for arming in range(1, 1101)]
    assert await store.commit(0, await store.take(0, "test"), judged(*rang)) == 1100
    async with store._database.reading() as connection:
        rows = (await connection.execute(select(outbox.c.dedupe).order_by(outbox.c.id))).scalars().all()
    assert rows == [f"ring/{arming}/episode/1/0" for arming in range(1, 1101)]


async def test_what_is_written_of_very_many_rows_is_what_is_written_of_one(store: SqlStore) -> None:
    entries = [
        {"actor": "ann", "change": None, "value": [one, 0.1, None, "½", "\ud83d"], "number": one}
        for one in range(600)
    ]
    writing = insert(notebooks).values(
        source=bindparam("who").concat("'s"), page=bindparam("what"), kept_at=NOON
    )
    rows = [{"who": f"{entry['number']:04}", "what": entry} for entry in entries]
    async with store._database.writing() as connection:
        await each(connection, writing, rows)
        await each(connection, writing, [{"who": "one", "what": entries[7]}])
        await each(connection, writing, [])
    async with store._database.reading() as connection:
        kept = (await connection.execute(select(notebooks).order_by(notebooks.c.source))).all()
    assert [row.source for row in kept] == [*(f"{one:04}'s" for one in range(600)), "one's"]
    assert [row.page for row in kept] == [*entries, entries[7]]
