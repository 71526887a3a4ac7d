"""What the store keeps of playbooks: all or nothing, once, and along with a chat that moves."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from bot.alerts.bounds import Thing, Whose
from bot.alerts.changes import PLAIN, Basis
from bot.alerts.models import Telling
from bot.alerts.people import Caller, ChatKind, Role
from bot.ports import Armer, Beyond, ChatGone, ChatMoved, Conflict, Parts, Receipt, Settled, Stale
from bot.store import SqlStore
from tests.storing import ANN, BOB, NOON, SEEN, caller, make, put_level, refill

pytestmark = pytest.mark.both

LOW = {"low": Decimal(60_000)}
ARMER = Armer(refill, LOW, SEEN)
PARTS = Parts({"floor": "btc < @low repeat", "top": "btc > 80000 repeat"})


async def follow(
    store: SqlStore,
    who: Caller = ANN,
    parts: Parts = PARTS,
    own: dict[str, Decimal] | None = None,
    basis: Basis = PLAIN,
) -> list[str]:
    made = await store.follow_playbook(
        who, "steps", parts, NOON, armer=ARMER, filled={**LOW, **(own or {})}, own=own or {}, basis=basis
    )
    return [alert.label for alert in made]


async def revise(
    store: SqlStore, parts: Parts, after: str | None = "new", basis: Basis = PLAIN
) -> tuple[int, int]:
    done = await store.set_playbook(
        BOB, "steps", parts, NOON, before="old", after=after, is_filed=False, armer=ARMER, basis=basis
    )
    return done.chats, done.alerts


async def rules(store: SqlStore, who: Caller = ANN) -> list[tuple[str, str, str]]:
    return [
        (one.alert.label, one.alert.part, one.arming.rule if one.arming else "")
        for one in await store.subscriptions(who.chat)
    ]


FOLLOWED = [("#1", "floor", "btc/usdt < 60000 repeat"), ("#2", "top", "btc/usdt > 80000 repeat")]


async def test_all_is_armed_with_the_levels_that_nobody_has_set(store: SqlStore) -> None:
    assert await follow(store) == ["#1", "#2"]
    assert await rules(store) == FOLLOWED
    [level] = (await store.levels(BOB.chat)).values()
    assert (level.name, level.value, level.chat, level.set_by) == ("low", Decimal(60_000), None, "steps")
    assert await store.playbook_followers() == {"steps": 1}


@pytest.mark.parametrize("fault", ["level", "quota", "twice", "proposal", "changed"])
async def test_where_anything_is_in_the_way_nothing_is_armed(store: SqlStore, fault: str) -> None:
    basis, wrong = PLAIN, Conflict
    before: list[tuple[str, str, str]] = []
    match fault:
        case "level":
            await put_level(store, BOB, "low", "61000")
        case "quota":
            await store.set_quota(BOB, Thing.ALERTS, Whose.CHAT, 1, NOON)
            wrong = Beyond  # type: ignore[assignment]
        case "twice":
            await follow(store)
            before = FOLLOWED
        case "proposal":
            proposal = await store.propose(
                ANN, "playbook", {}, role=Role.ADMIN, revision=0, now=NOON - 2, until=NOON - 1
            )
            basis, wrong = Basis(proposal.id), Settled  # type: ignore[assignment]
        case "changed":
            proposal = await store.propose(
                ANN, "playbook", {}, role=Role.ADMIN, revision=0, now=NOON, until=NOON + 1
            )
            await revise(store, Parts())
            basis, wrong = Basis(proposal.id), Stale  # type: ignore[assignment]
    with pytest.raises(wrong):
        await follow(store, basis=basis)
    assert await rules(store) == before
    if fault != "level":
        assert set(await store.levels(ANN.chat)) == ({"low"} if before else set())


async def test_of_two_who_confirm_at_once_one_arms(store: SqlStore) -> None:
    done = await asyncio.gather(follow(store), follow(store), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Conflict", "list"]
    assert await rules(store) == FOLLOWED


async def test_a_change_reaches_each_chat_at_its_own_levels(store: SqlStore) -> None:
    await follow(store)
    await follow(store, BOB, own={"low": Decimal(50_000)})
    owned = [one.own for one in await store.subscriptions(BOB.chat)]
    assert owned == [{"low": Decimal(50_000)}, {}], "only what follows a level has one of its own"
    parts = Parts({"deep": "btc < @low and btc < 55000"}, {"floor": "btc < @low for 5m"}, ["top"])
    assert await revise(store, parts) == (2, 6)
    assert await rules(store) == [
        ("#1", "floor", "btc/usdt < 60000 for 5m"),
        ("#3", "deep", "btc/usdt < 60000 and btc/usdt < 55000"),
    ]
    assert (await rules(store, BOB))[0] == ("#1", "floor", "btc/usdt < 50000 for 5m")
    assert (await rules(store, BOB))[1][2] == "btc/usdt < 50000 and btc/usdt < 55000"
    [told] = await store.lease("telegram", NOON, 10)
    assert told.chat == ANN.chat, "who made the change has the answer"
    assert [part["what"] for part in told.facts["parts"]] == ["changed", "dropped", "added"]  # type: ignore[union-attr, index]


async def test_a_proposal_is_carried_out_once_and_not_over_a_newer_change(store: SqlStore) -> None:
    await follow(store)
    first, second = [
        await store.propose(BOB, "revision", {}, role=Role.OPERATOR, revision=9, now=NOON, until=NOON + 9)
        for _ in range(2)
    ]
    assert await revise(store, Parts(drops=["top"]), basis=Basis(first.id)) == (1, 1)
    with pytest.raises(Settled):
        await revise(store, Parts(drops=["floor"]), basis=Basis(first.id))
    early = await store.propose(BOB, "revision", {}, role=Role.OPERATOR, revision=0, now=NOON, until=NOON + 9)
    with pytest.raises(Stale):
        await revise(store, Parts(drops=["floor"]), basis=Basis(early.id))
    assert [part for _, part, _ in await rules(store)] == ["floor"]
    assert await revise(store, Parts(drops=["floor"]), "newer", basis=Basis(second.id)) == (1, 1)


async def test_a_chat_that_cannot_be_written_to_follows_and_is_not_told(store: SqlStore) -> None:
    await follow(store)
    await put_level(store, BOB, "low", "61000")
    [told] = await store.lease("telegram", NOON, 10)
    await store.settle(told, ChatGone("blocked"), NOON)
    assert await revise(store, Parts(drops=["top"])) == (1, 1)
    await store.meet(ANN, NOON)
    [held] = await store.lease("telegram", NOON + 1, 10)
    assert held.kind is Telling.LEVEL
    await store.settle(held, Receipt("1"), NOON + 1)
    assert await store.lease("telegram", NOON + 2, 10) == []


async def test_a_paused_alert_takes_the_new_rule_too(store: SqlStore) -> None:
    await follow(store)
    await store.pause(ANN.chat, "#1", NOON)
    await revise(store, Parts(changes={"floor": "btc < 1000"}))
    assert (await rules(store))[0] == ("#1", "floor", "btc/usdt < 1000")


async def test_taking_a_playbook_away_takes_its_alerts_and_no_others(store: SqlStore) -> None:
    await follow(store)
    await make(store, ANN, "btc < 1000")
    assert await revise(store, Parts(drops=["floor", "top"]), None) == (1, 2)
    assert await rules(store) == [("#3", "", "btc/usdt < 1000")]
    assert (await store.playbooks())["steps"].text is None
    assert len((await store.changes(0, 0)).made) == 1, "what nobody follows is judged no more"


async def test_where_two_groups_that_follow_it_become_one_it_is_followed_once(store: SqlStore) -> None:
    old, new = (caller(chat, kind=ChatKind.GROUP) for chat in ("-1", "-1001"))
    await follow(store, old)
    await make(store, old, "btc < 1000")
    await follow(store, new)
    await put_level(store, BOB, "low", "61000")
    told = [one for one in await store.lease("telegram", NOON, 10) if one.chat == old.chat]
    await store.settle(told[0], ChatMoved(new.chat), NOON)
    assert await rules(store, new) == [
        ("#3", "", "btc/usdt < 1000"),
        ("#1", "floor", "btc/usdt < 61000 repeat"),
        ("#2", "top", "btc/usdt > 80000 repeat"),
    ]
    assert len((await store.changes(0, 0)).made) == 3
