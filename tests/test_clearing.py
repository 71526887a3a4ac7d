"""What is over for long is let go of; what waits, what is asked for and the audit stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, update

from bot.alerts.people import Role
from bot.house import KEPT
from bot.metrics import MetricKey
from bot.ports import ChatGone, Receipt, Rejected
from bot.store import SqlStore
from bot.store.handout_table import handouts
from bot.store.metric_tables import losses
from bot.store.tables import alerts, armings, audit, metadata, outbox, proposals, rings, subscriptions
from tests.storing import ANN, BOB, NOON, make, ring, tell

pytestmark = pytest.mark.both

DAY = 86_400.0


async def count(store: SqlStore, *tables: Any) -> list[int]:
    async with store._database.reading() as connection:
        return [int(await connection.scalar(select(func.count()).select_from(one)) or 0) for one in tables]


async def change(store: SqlStore, statement: Any) -> None:
    async with store._database.writing() as connection:
        await connection.execute(statement)


async def everything(store: SqlStore) -> dict[str, list[Any]]:
    """Read every row of every table."""
    async with store._database.reading() as connection:
        return {
            table.name: [
                tuple(row) for row in await connection.execute(select(table).order_by(*table.primary_key))
            ]
            for table in metadata.sorted_tables
        }


async def rung(store: SqlStore, alert: int, episode: int, at: float, outcome: Any = None) -> None:
    """Let an alert's newest arming ring at an instant, and what is told of it end as an outcome says."""
    async with store._database.reading() as connection:
        arming = await connection.scalar(select(func.max(armings.c.id)).where(armings.c.alert_id == alert))
    assert arming is not None
    told = ring(arming)
    transition = replace(told.transition, episode=episode, at=at)
    await tell(store, replace(told, transition=transition), at=at)
    for one in await store.lease("telegram", at, 30):
        await store.settle(one, outcome or Receipt("7"), at + 1)


async def test_old_tellings_go_and_the_last_ring_of_each_alert_stays(store: SqlStore) -> None:
    busy, quiet = [await make(store, ANN, rule) for rule in ("btc < 100k repeat", "btc < 90k")]
    for day in range(10):
        await rung(store, busy.id, day + 1, NOON + day * DAY)
    await rung(store, quiet.id, 1, NOON)
    assert await store.clear(NOON + 5 * DAY) > 0
    told, found = await store.rung(ANN.chat, "", 1, 100)
    assert found == 6, "of the one what is newer, of the other the last, however old"
    assert sorted(one.label for one in told) == ["#1"] * 5 + ["#2"]
    assert await store.clear(NOON + 5 * DAY) == 0, "a second time there is nothing to do"
    assert await store.clear(NOON + 500 * DAY) > 0
    assert (await store.rung(ANN.chat, "", 1, 100))[1] == 2
    assert await count(store, outbox, rings) == [2, 2]


async def test_what_waits_stays_however_old(store: SqlStore) -> None:
    alert = await make(store, ANN, "btc < 100k repeat")
    for episode in (1, 2):
        await tell(
            store, replace(ring(alert.id), transition=replace(ring(alert.id).transition, episode=episode))
        )
    assert await store.clear(NOON + 500 * DAY) == 0
    assert await store.next_due("telegram", NOON + 500 * DAY) is not None


@pytest.mark.parametrize("outcome", [Receipt("7"), Rejected("no"), ChatGone("blocked")])
async def test_what_is_over_goes_whatever_became_of_it(store: SqlStore, outcome: Any) -> None:
    alert = await make(store, ANN, "btc < 100k repeat")
    await rung(store, alert.id, 1, NOON, outcome)
    await store.meet(ANN, NOON + 2)
    await rung(store, alert.id, 2, NOON + 3)
    await store.clear(NOON + DAY)
    assert await count(store, outbox, rings) == [1, 1]


async def test_what_a_mute_hid_is_counted_as_long_as_it_is_told_of(store: SqlStore) -> None:
    alert = await make(store, ANN, "btc < 100k repeat")
    muted = update(subscriptions).values(muted_at=NOON, muted_until=NOON + 400 * DAY)
    await change(store, muted)
    for day in range(1, 5):
        await rung(store, alert.id, day, NOON + day * DAY)
    hidden = [one.hidden for one in await store.subscriptions(ANN.chat)]
    assert hidden == [4]
    await store.clear(NOON + 300 * DAY)
    assert [one.hidden for one in await store.subscriptions(ANN.chat)] == hidden


async def test_a_lost_sight_that_is_not_over_keeps_its_message_so_that_its_return_is_told(
    store: SqlStore,
) -> None:
    alert = await make(store, ANN, "btc < 100k")
    await rung(store, alert.id, 1, NOON)
    await rung(store, alert.id, 2, NOON + 1)
    await change(store, update(outbox).where(outbox.c.id == 1).values(dedupe="lost/1", kind="lost"))
    key = MetricKey("price", "btc/usdt")
    row: Mapping[str, Any] = {
        "metric": key.metric,
        "instrument": key.instrument,
        "venue": "",
        "notice": "lost/1",
    }
    row = {**row, "partition": 0, "since": NOON, "reason": "", "source": "", "gone": []}
    await change(store, insert(losses).values(row))
    await store.clear(NOON + 500 * DAY)
    assert (await count(store, outbox))[0] == 2
    await change(store, losses.delete())
    await store.clear(NOON + 500 * DAY)
    assert (await count(store, outbox))[0] == 1


async def test_a_deleted_alert_goes_with_all_that_was_its_own_and_the_audit_stays(store: SqlStore) -> None:
    alert = await make(store, ANN, "btc < 100k")
    await rung(store, alert.id, 1, NOON)
    await store.delete_alert(ANN.chat, 1, NOON + DAY)
    written = await count(store, audit)
    await store.clear(NOON + DAY - 1)
    assert await count(store, alerts, armings, rings, outbox) == [1, 1, 1, 1], (
        "its last ring can be asked for"
    )
    await store.clear(NOON + 2 * DAY)
    assert await count(store, alerts, armings, rings, outbox) == [0, 0, 0, 0]
    assert await count(store, audit) == written
    assert (await make(store, ANN, "btc < 100k")).number == 2, "a number is given once"


async def test_old_proposals_and_handouts_go(store: SqlStore) -> None:
    for until in (NOON + 60, NOON + 2 * DAY):
        await store.propose(ANN, "level", {}, role=Role.MEMBER, revision=0, now=NOON, until=until)
        row = {"token": f"t{until}", "rule": "btc < 1", "person": "x", "by": "x", "expires_at": until}
        await change(store, insert(handouts).values(row))
    assert await store.clear(NOON + DAY) == 2
    assert await count(store, proposals, handouts) == [1, 1]


def test_what_is_kept_reaches_further_than_any_report() -> None:
    assert KEPT > 31 * DAY


@pytest.mark.sqlite
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    days=st.lists(st.tuples(st.integers(0, 60), st.sampled_from([ANN, BOB]), st.booleans()), max_size=12),
    cut=st.integers(0, 80),
)
async def test_nothing_that_is_newer_is_touched_and_a_second_time_nothing_goes(
    store: SqlStore, days: list[tuple[int, Any, bool]], cut: int
) -> None:
    for who in (ANN, BOB):
        for one in await store.subscriptions(who.chat):
            await store.delete_alert(who.chat, one.alert.number, NOON)
    await store.clear(NOON + 1e9)
    made = {who: await make(store, who, "btc < 100k repeat") for who in (ANN, BOB)}
    for episode, (day, who, is_accepted) in enumerate(sorted(days, key=lambda one: one[0])):
        outcome = Receipt("1") if is_accepted else Rejected("no")
        await rung(store, made[who].id, episode + 1, NOON + day * DAY, outcome)
    before = await everything(store)
    await store.clear(NOON + cut * DAY)
    after = await everything(store)
    for name, rows in after.items():
        assert set(map(repr, rows)) <= set(map(repr, before[name])), "what stays is as it was"
    for who, alert in made.items():
        mine = [day for day, one, _ in days if one is who]
        newer = [day for day in mine if day * DAY + 1 >= cut * DAY]
        left = (await store.rung(who.chat, alert.label, 1, 100))[1]
        assert left == max(len(newer), min(1, len(mine)))
    assert await store.clear(NOON + cut * DAY) == 0
