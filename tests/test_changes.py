"""Changes of levels and shared alerts in the store: proposals, the audit, own levels, mutes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bot.alerts.changes import PLAIN, Basis, Proposal, Subject
from bot.alerts.models import Level, Telling
from bot.alerts.people import Caller, Role
from bot.ports import Conflict, NewArming, Settled, Stale
from bot.store import SqlStore, open_store
from bot.store.arming import begin_change
from bot.store.moving import follow as follow_chat
from bot.store.tables import alerts, armings, audit, rings
from tests.storing import (
    ANN,
    BOB,
    CAT,
    NOON,
    SEEN,
    arming_of,
    caller,
    filled,
    follow,
    judged,
    make,
    put_level,
    refill,
    resume,
    ring,
)

pytestmark = pytest.mark.both


async def proposed(store: SqlStore, who: Caller, now: float = NOON) -> Proposal:
    reach = await store.reach("floor", None, who.chat)
    return await store.propose(
        who, "level", {"name": "floor"}, role=Role.ADMIN, revision=reach.revision, now=now, until=now + 900
    )


async def set_floor(
    store: SqlStore,
    who: Caller,
    value: str,
    basis: Basis = PLAIN,
    now: float = NOON + 1,
) -> None:
    level = Level("floor", Decimal(value), None, who.name, now)
    await store.set_level(who, level, refill, SEEN, now, basis=basis)


async def own(store: SqlStore, who: Caller, value: str) -> None:
    values = {"floor": Decimal(value)}
    arming = NewArming(refill("btc < @floor", values), SEEN)
    assert await store.subscribe(who, "etf", arming, NOON, own=values) is not None


# --- proposals ----------------------------------------------------------------------------------------------


async def test_a_proposal_outlives_a_restart_and_is_confirmed_once(database: str) -> None:
    store = await open_store(database)
    made = await proposed(store, ANN)
    await store.close()
    store = await open_store(database)
    assert await store.proposal(made.id) == made
    await set_floor(store, ANN, "1", Basis(made.id))
    known = await store.proposal(made.id)
    assert known is not None
    assert (known.settled_at, known.is_confirmed) == (NOON + 1, True)
    for again in (set_floor(store, ANN, "2", Basis(made.id)), store.discard(made.id, NOON + 2)):
        with pytest.raises(Settled):
            await again
    assert (await store.levels(ANN.chat))["floor"].value == 1
    await store.close()


async def test_of_many_who_confirm_one_proposal_at_once_one_does(store: SqlStore) -> None:
    made = await proposed(store, ANN)
    tries = (set_floor(store, ANN, str(value), Basis(made.id)) for value in range(1, 9))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(one) for one in outcomes].count(Settled) == 7
    assert len(await store.history(Subject.LEVEL, "floor", None, 9)) == 1


async def test_an_expired_or_discarded_proposal_changes_nothing(store: SqlStore) -> None:
    late, dropped = await proposed(store, ANN), await proposed(store, ANN)
    await store.discard(dropped.id, NOON)
    for made, now in ((late, late.expires_at), (dropped, NOON + 1)):
        with pytest.raises(Settled):
            await set_floor(store, ANN, "1", Basis(made.id), now)
    assert await store.levels(ANN.chat) == {}
    assert await store.proposal(99) is None


async def test_a_proposal_made_before_the_level_moved_is_stale_and_stays_open(store: SqlStore) -> None:
    made = await proposed(store, ANN)
    await put_level(store, BOB, "other", "5")
    await put_level(store, BOB, "Floor", "7", BOB.chat)
    await put_level(store, BOB, "Floor", "7")
    with pytest.raises(Stale):
        await set_floor(store, ANN, "1", Basis(made.id))
    known = await store.proposal(made.id)
    assert known is not None
    assert known.settled_at is None
    assert (await store.levels(ANN.chat))["floor"].value == 7


# --- the audit ----------------------------------------------------------------------------------------------


async def test_every_change_has_its_row_with_what_was_and_what_is(store: SqlStore) -> None:
    await put_level(store, ANN, "Floor", "98000")
    await put_level(store, BOB, "floor", "97000", BOB.chat, now=NOON + 1)
    await store.publish(ANN, "etf", "btc < @floor", NOON + 2)
    await put_level(store, ANN, "floor", "98500", now=NOON + 3)
    await put_level(store, ANN, "floor", "98500", now=NOON + 4)  # nothing changes
    await store.unpublish(CAT, "etf", NOON + 5)
    entries, count = await store.audit([], None, 1, 10)
    assert count == 5
    assert [(one.subject.value, one.by, one.scope, one.before, one.after) for one in reversed(entries)] == [
        ("level", "name-ann", None, None, {"value": "98000"}),
        ("level", "name-bob", BOB.chat, None, {"value": "97000"}),
        ("shared", "name-ann", None, None, {"rule": "btc < @floor"}),
        ("level", "name-ann", None, {"value": "98000"}, {"value": "98500"}),
        ("shared", "name-cat", None, {"rule": "btc < @floor"}, None),
    ]
    assert [one.revision for one in entries] == sorted((one.revision for one in entries), reverse=True)


async def test_the_audit_is_searched_and_paged_and_a_chat_sees_its_own(store: SqlStore) -> None:
    for value in range(1, 6):
        await put_level(store, ANN, "floor", str(value))
    await put_level(store, BOB, "100%_sure", "7", BOB.chat)
    entries, count = await store.audit(["floor"], None, 2, 2)
    assert ([one.id for one in entries], count) == ([3, 2], 5)
    assert [one.id for one in (await store.audit(["0%_"], None, 1, 9))[0]] == [6]
    assert [one.id for one in (await store.audit(["name-ann", "level", "5"], None, 1, 9))[0]] == [5]
    assert [one.id for one in (await store.audit([], BOB.chat, 1, 9))[0]] == [6]
    assert await store.audit([], CAT.chat, 1, 9) == ([], 0)
    assert await store.history(Subject.LEVEL, "floor", CAT.chat, 9) == []
    assert await store.entry(99) is None


async def test_what_was_changed_again_cannot_be_taken_back_alone(store: SqlStore) -> None:
    await put_level(store, ANN, "floor", "1")
    await put_level(store, ANN, "floor", "2")
    with pytest.raises(Stale):
        await set_floor(store, ANN, "1", Basis(undoes=1))
    await set_floor(store, ANN, "1", Basis(undoes=2))
    [newest] = await store.history(Subject.LEVEL, "floor", None, 1)
    assert (newest.undoes, newest.after) == (2, {"value": "1"})


async def test_a_chat_that_moved_takes_its_audit_and_its_proposals_along(store: SqlStore) -> None:
    await put_level(store, ANN, "floor", "1", ANN.chat)
    made = await proposed(store, ANN)
    await put_level(store, BOB, "other", "2", BOB.chat)
    async with store._database.writing() as connection:
        change = await begin_change(store._database, connection, NOON)
        await follow_chat(change, ANN.chat, BOB.chat)
    entries, _ = await store.audit([], BOB.chat, 1, 9)
    assert [one.scope for one in entries] == [BOB.chat, BOB.chat]
    assert (await store.proposal(made.id)) == replace(made, chat=BOB.chat)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["level", "own", "follow", "ring", "leave"]),
        st.sampled_from([ANN, BOB, CAT]),
        st.integers(90, 99),
        st.booleans(),
    ),
    min_size=4,
    max_size=14,
)


@pytest.mark.sqlite
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_for_any_ring_the_audit_tells_the_rule_and_the_levels_in_force_then(
    steps: list[tuple[str, Caller, int, bool]], store: SqlStore
) -> None:
    """A deployment's level, a chat's own, and a subscription's own are moved about while armings ring."""
    await _empty(store)
    epoch = await store.take(0, "test")
    await put_level(store, ANN, "floor", "90000")
    await store.publish(ANN, "etf", "btc < @floor", NOON)
    expected: dict[int, str] = {}
    owned: set[str] = set()
    for place, (what, who, value, is_own) in enumerate(steps):
        match what:
            case "level":
                await put_level(store, who, "floor", f"{value}000", who.chat if is_own else None)
            case "own":
                await own(store, who, f"{value}000")
                owned.add(f"{value}000")
            case "follow":
                await follow(store, who, "etf")
            case "leave":
                await store.unsubscribe(who.chat, "etf", NOON)
            case _:
                for one in await store.subscriptions(who.chat):
                    assert one.arming is not None
                    await store.commit(0, epoch, judged(ring(one.arming.id, place + 1), at=NOON + place))
                    expected[one.arming.id] = one.arming.rule
                    in_force = (await store.levels(who.chat))["floor"].value
                    assert one.levels == {"floor": one.own.get("floor", in_force)}
    async with store._database.reading() as connection:
        rang = rings.join(armings, rings.c.arming_id == armings.c.id)
        rang = rang.join(alerts, armings.c.alert_id == alerts.c.id)
        told = select(rings.c.rule, armings, alerts.c.name, alerts.c.rule.label("named")).select_from(rang)
        for row in await connection.execute(told):
            assert row.rule == expected[row.id] == refill(row.named, _decimals(row.levels))
            published = await connection.execute(_newest("shared", row.name.lower(), row.made_in))
            assert published.one().after == {"rule": row.named}
            was_set = (await connection.execute(_all("level", "floor", row.made_in))).all()
            deployment = [one.after["value"] for one in was_set if one.scope_id is None]
            if not row.is_own:
                assert row.levels == {"floor": deployment[-1]}
            assert row.levels["floor"] in {one.after["value"] for one in was_set} | owned


def _decimals(levels: dict[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in levels.items()}


def _all(kind: str, key: str, revision: int) -> Any:
    wanted = (audit.c.kind == kind, audit.c.key == key, audit.c.revision <= revision)
    return select(audit).where(*wanted).order_by(audit.c.id)


def _newest(kind: str, key: str, revision: int) -> Any:
    wanted = (audit.c.kind == kind, audit.c.key == key, audit.c.revision <= revision)
    return select(audit).where(*wanted).order_by(audit.c.id.desc()).limit(1)


async def _empty(store: SqlStore) -> None:
    """Forget all: the examples of one test share a file."""
    from bot.store.tables import metadata

    async with store._database.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(table.delete())


# --- own levels ---------------------------------------------------------------------------------------------


async def test_an_own_level_stays_when_the_shared_one_moves_until_the_chat_subscribes_again(
    store: SqlStore,
) -> None:
    await put_level(store, ANN, "floor", "98000")
    await store.publish(ANN, "etf", "btc < @floor", NOON)
    await follow(store, ANN, "etf")
    await own(store, BOB, "95000")
    [mine] = await store.subscriptions(BOB.chat)
    assert mine.arming is not None
    assert (mine.arming.rule, mine.own) == ("btc/usdt < 95000", {"floor": Decimal(95_000)})
    reach = await store.reach("floor", None, BOB.chat)
    assert (reach.alerts, reach.chats) == (1, 1)
    assert await put_level(store, CAT, "floor", "99000") == (Decimal(98_000), 1, 1)
    assert await arming_of(store, BOB, "etf") == mine.arming.id
    assert [one.chat for one in await store.lease("telegram", NOON, 9)] == [ANN.chat]
    # Paused and taken up again it is still its own.
    await store.pause(BOB.chat, "etf", NOON)
    arming = NewArming("btc/usdt < 95000", SEEN)
    assert await store.resume(BOB.chat, "etf", arming, NOON) is not None
    with pytest.raises(Conflict):
        await resume(store, BOB, "etf")
    await follow(store, BOB, "etf")
    [shared] = await store.subscriptions(BOB.chat)
    assert shared.own == {}
    assert await arming_of(store, BOB, "etf") == await arming_of(store, ANN, "etf")


async def test_equal_own_levels_share_an_arming_and_count_for_nobody_else(store: SqlStore) -> None:
    await put_level(store, ANN, "floor", "98000")
    await store.publish(ANN, "etf", "btc < @floor", NOON)
    await follow(store, ANN, "etf")
    await own(store, BOB, "95000")
    await own(store, CAT, "95000")
    mine = await arming_of(store, BOB, "etf")
    assert mine == await arming_of(store, CAT, "etf")
    epoch = await store.take(0, "test")
    await store.commit(0, epoch, judged(ring(mine), ring(await arming_of(store, ANN, "etf"))))
    assert [(one.subscribers, one.rings) for one in await store.catalogue(NOON)] == [(3, 1)]
    assert [one.rings for one in await store.catalogue(NOON + 1)] == [0]


async def test_a_level_that_is_taken_away_leaves_the_deployments_and_nothing_without_one(
    store: SqlStore,
) -> None:
    await put_level(store, ANN, "floor", "98000")
    await put_level(store, BOB, "floor", "95000", BOB.chat)
    await store.publish(ANN, "etf", "btc < @floor", NOON)
    await follow(store, BOB, "etf")
    with pytest.raises(Conflict):  # of CAT's own there is none
        await store.drop_level(CAT, Level("floor", Decimal(0), CAT.chat, "", NOON), refill, SEEN, NOON)
    mine = Level("floor", Decimal(0), BOB.chat, "name-bob", NOON)
    change = await store.drop_level(BOB, mine, refill, SEEN, NOON)
    assert (change.before, change.after) == (Decimal(95_000), Decimal(98_000))
    [followed] = await store.subscriptions(BOB.chat)
    assert followed.arming is not None
    assert followed.arming.rule == "btc/usdt < 98000"
    with pytest.raises(Conflict):  # BOB would be left without one
        await store.drop_level(ANN, replace(mine, chat=None), refill, SEEN, NOON)
    await store.unsubscribe(BOB.chat, "etf", NOON)
    await store.drop_level(ANN, replace(mine, chat=None), refill, SEEN, NOON)
    assert await store.levels(BOB.chat) == {}


# --- mutes, urgency -----------------------------------------------------------------------------------------


async def test_what_rings_under_a_mute_is_counted_and_not_told(store: SqlStore) -> None:
    await store.publish(ANN, "etf", "btc < 98000", NOON)
    for who in (ANN, BOB):
        await follow(store, who, "etf")
    assert await store.mute(ANN.chat, "ETF", NOON + 100, NOON) is not None
    assert await store.mute(CAT.chat, "etf", NOON + 100, NOON) is None
    epoch, arming = await store.take(0, "test"), await arming_of(store, ANN, "etf")
    for episode, at in enumerate((NOON + 1, NOON + 50, NOON + 101), 1):
        await store.commit(0, epoch, judged(ring(arming, episode), at=at))
    await store.mute(ANN.chat, "etf", NOON + 300, NOON + 90)  # longer: it is the same mute
    told = [await store.lease("telegram", NOON + 200, 9) for _ in range(2)]
    assert [[one.chat for one in batch] for batch in told] == [[BOB.chat, ANN.chat], []]
    assert told[0][1].kind is Telling.RING
    [muted] = await store.subscriptions(ANN.chat)
    assert (muted.muted_until, muted.hidden) == (NOON + 300, 2)
    assert await store.unmute(ANN.chat, "etf", NOON + 210) == muted
    [told_again] = await store.subscriptions(ANN.chat)
    assert (told_again.muted_until, told_again.hidden) == (None, 0)
    assert await store.unmute(CAT.chat, "etf", NOON) is None


async def test_who_wants_it_urgently_is_told_first(store: SqlStore) -> None:
    await store.publish(ANN, "etf", "btc < 98000", NOON)
    await follow(store, ANN, "etf")
    arming = await filled(store, BOB.chat, "btc < 98000")
    await store.subscribe(BOB, "etf", arming, NOON, is_urgent=True)
    [subscription] = await store.subscriptions(BOB.chat)
    assert subscription.is_urgent
    epoch = await store.take(0, "test")
    await store.commit(0, epoch, judged(ring(await arming_of(store, ANN, "etf"))))
    assert [one.chat for one in await store.lease("telegram", NOON, 9)] == [BOB.chat, ANN.chat]


async def test_ten_thousand_may_follow_and_each_hears_once(store: SqlStore) -> None:
    """On little here; the benchmarks do it with ten thousand."""
    await put_level(store, ANN, "floor", "98000")
    await store.publish(ANN, "etf", "btc < @floor", NOON)
    people = [caller(number) for number in range(30)]
    for who in people:
        await follow(store, who, "etf")
    await make(store, people[0], "btc > @floor")
    assert await put_level(store, ANN, "floor", "99000") == (Decimal(98_000), 2, 30)
    told = await store.lease("telegram", NOON, 99)
    assert len(told) == len({one.chat for one in told}) == 30
    assert len({await arming_of(store, who, "etf") for who in people}) == 1
    [first] = [one for one in told if one.chat == people[0].chat]
    assert first.facts["alerts"] == [{"alert": "#1"}, {"alert": "etf"}]
