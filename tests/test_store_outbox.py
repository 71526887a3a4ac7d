"""The outbox: who may send what and when, and what becomes of it."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bot.alerts.lots import Lots
from bot.alerts.models import Notification, Telling
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.alerts.translator import ENGLISH
from bot.alerts.wording import word
from bot.ports import ChatGone, ChatMoved, Outcome, Receipt, Rejected, RetryLater
from bot.ports.chronicle import GivenUp
from bot.store import SqlStore, check, open_store
from bot.store.outbox import GIVE_UP
from bot.store.tables import chats, outbox
from tests.storing import (
    ANN,
    BOB,
    CAT,
    NOON,
    arming_of,
    caller,
    correction,
    follow,
    make,
    put_level,
    ring,
    tell,
)

pytestmark = pytest.mark.both


async def rung(store: SqlStore, *who: Caller, times: int = 1) -> int:
    """Let a shared alert ring for chats; gives its arming."""
    await store.publish(ANN, "floor", "btc < 100000", NOON)
    for one in who:
        await follow(store, one, "floor")
    arming = await arming_of(store, who[0], "floor")
    for episode in range(1, times + 1):
        await tell(store, ring(arming, episode))
    return arming


async def lease(store: SqlStore, now: float = NOON, platform: str = "telegram") -> list[Notification]:
    return await store.lease(platform, now, 100)


async def lease_one(store: SqlStore, now: float = NOON, platform: str = "telegram") -> Notification:
    (only,) = await lease(store, now, platform)
    return only


# --- the lease ----------------------------------------------------------------------------------------------


async def test_one_notification_of_each_chat_is_leased_and_the_next_when_it_is_settled(
    store: SqlStore,
) -> None:
    await rung(store, ANN, BOB, times=2)
    first = await lease(store)
    assert sorted(one.chat for one in first) == [ANN.chat, BOB.chat]
    assert {one.dedupe.split("/")[3] for one in first} == {"1"}
    assert await lease(store) == []
    await store.settle(first[0], Receipt("1"), NOON)
    following = await lease_one(store)
    assert (following.chat, following.dedupe.split("/")[3]) == (first[0].chat, "2")


async def test_a_lease_that_nobody_settles_ends_by_itself(store: SqlStore) -> None:
    await rung(store, ANN)
    first = await lease_one(store)
    assert await lease(store, NOON + 59.9) == []
    assert await store.next_due("telegram", NOON) == NOON + 60
    again = await lease_one(store, NOON + 60)
    assert (again.id, first.attempts, again.attempts) == (first.id, 0, 1)


async def test_a_platform_is_given_its_own_notifications(store: SqlStore) -> None:
    await rung(store, ANN, caller("ann", "discord"))
    assert (await lease_one(store)).chat.platform == "telegram"
    assert (await lease_one(store, platform="discord")).chat.platform == "discord"
    assert await lease(store, platform="console") == []


async def test_each_of_several_senders_is_given_the_chats_of_its_parts_and_together_they_are_given_all(
    store: SqlStore,
) -> None:
    crowd = [caller(str(7000 + number)) for number in range(24)]
    await rung(store, *crowd)
    parts = [Lots((0, 2), 4), Lots((1,), 4), Lots((3,), 4)]
    given = [[one.chat.chat for one in await store.lease("telegram", NOON, 100, lots=lots)] for lots in parts]
    assert all(lots.have(chat) for lots, some in zip(parts, given, strict=True) for chat in some)
    assert sorted(chat for some in given for chat in some) == sorted(one.chat.chat for one in crowd)
    assert await store.lease("telegram", NOON, 100) == []


async def test_a_sender_waits_for_nothing_that_is_anothers(store: SqlStore) -> None:
    await rung(store, ANN)
    own = Lots((Lots(of=2).part_of(ANN.chat.chat),), 2)
    others = Lots((1 - own.parts[0],), 2)
    assert await store.next_due("telegram", NOON, lots=own) == NOON
    assert await store.next_due("telegram", NOON, lots=others) is None
    await store.lease("telegram", NOON, 100, 60, lots=own)
    assert await store.next_due("telegram", NOON, lots=own) == NOON + 60
    assert await store.next_due("telegram", NOON, has_room=False, lots=others) is None


async def test_a_group_that_moved_is_told_by_whoever_has_its_new_number(store: SqlStore) -> None:
    await rung(store, ANN)
    number = next(str(-100 - n) for n in range(9) if Lots(of=2).part_of(str(-100 - n)) == 1)
    old = await lease_one(store)
    await store.settle(old, ChatMoved(ChatRef("telegram", number)), NOON)
    assert await store.lease("telegram", NOON, 9, lots=Lots((0,), 2)) == []
    [told] = await store.lease("telegram", NOON, 9, lots=Lots((1,), 2))
    assert told.chat.chat == number


async def test_a_notification_says_where_it_goes_and_in_which_language(store: SqlStore) -> None:
    group = Caller(ChatRef("telegram", "-100", "7"), ChatKind.GROUP, "ann", "Ann", language="de")
    await make(store, group, "btc < 100000")
    await tell(store, ring(await arming_of(store, group)), at=NOON + 3)
    told = await lease_one(store, NOON + 4)
    assert (told.chat, told.is_group, told.language, told.timezone) == (group.chat, True, "de", "UTC")
    assert (told.kind, told.made_at, told.attempts) == (Telling.RING, NOON + 3, 0)


async def test_a_limit_takes_the_most_urgent_chats_and_of_equal_ones_the_oldest(store: SqlStore) -> None:
    await put_level(store, CAT, "floor", "100000")
    for who in (BOB, ANN):
        await make(store, who, "btc < @floor")
    await put_level(store, CAT, "floor", "98000")
    many = [caller(f"many-{number:02}") for number in range(5)]
    await rung(store, *many)
    chosen = [(await store.lease("telegram", NOON, 1))[0].chat for _ in range(7)]
    assert chosen == [*(one.chat for one in many), BOB.chat, ANN.chat]


async def test_50_000_subscribers_are_promised_by_one_statement(store: SqlStore) -> None:
    """A bound on statements, not on seconds: the rows are written set-wise and the lease reads an index."""
    await rung(store, ANN)
    arming = await arming_of(store, ANN, "floor")
    async with store._database.writing() as connection:
        await connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 49999) "
            "INSERT INTO chats (platform, chat, thread, kind, language, timezone, paused_reason, "
            "last_number) SELECT 'telegram', 'c' || i, '', 'private', 'en', 'UTC', '', 0 FROM n"
        )
        await connection.exec_driver_sql(
            "INSERT INTO subscriptions (chat_id, alert_id, arming_id, made_at, revision) "
            "SELECT c.id, s.alert_id, s.arming_id, 0, 0 FROM chats c, subscriptions s WHERE c.chat LIKE 'c%'"
        )
    statements: list[str] = []
    with recorded(store, statements):
        assert await tell(store, ring(arming, 2)) == 50_000
    assert sum("INSERT INTO outbox" in statement for statement in statements) == 1
    assert len(await store.lease("telegram", NOON, 30)) == 30


@pytest.mark.parametrize("call", ["lease", "next_due", "settle", "commit"])
async def test_what_runs_for_every_message_reads_no_table_from_end_to_end(store: SqlStore, call: str) -> None:
    arming = await rung(store, ANN)
    leased = await lease_one(store)
    calls: dict[str, Callable[[], object]] = {
        "lease": lambda: store.lease("telegram", NOON + 99, 30),
        "next_due": lambda: store.next_due("telegram", NOON),
        "settle": lambda: store.settle(leased, ChatGone("blocked"), NOON),
        "commit": lambda: tell(store, ring(arming, 2), correction(arming)),
    }
    statements: list[str] = []
    with recorded(store, statements):
        await calls[call]()  # type: ignore[misc]
    plans = []
    async with store._database.reading() as connection:
        if not store._database.is_sqlite:  # it reads so small a table from end to end unless that is dear
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement in statements:
            if store._database.is_sqlite and not statement.startswith(("PRAGMA", "BEGIN")):
                holes = (None,) * statement.count("?")
                plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", holes)
                plans += [str(row.detail) for row in plan]
            elif not store._database.is_sqlite and "advisory" not in statement:
                holes = (None,) * max(map(int, re.findall(r"\$(\d+)", statement)), default=0)
                plan = await connection.exec_driver_sql(f"EXPLAIN (GENERIC_PLAN) {statement}", holes)
                plans += list(plan.scalars())
    assert plans
    assert not [plan for plan in plans if plan.startswith("SCAN") and "CONSTANT" not in plan]
    assert not [plan for plan in plans if "Seq Scan" in plan]


class recorded:  # noqa: N801
    """Write down the statements that the store runs."""

    def __init__(self, store: SqlStore, statements: list[str]) -> None:
        self._engine, self._statements = store._database.engine.sync_engine, statements

    def _listen(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self._statements.append(statement)

    def __enter__(self) -> None:
        from sqlalchemy import event

        event.listen(self._engine, "before_cursor_execute", self._listen)

    def __exit__(self, *_: object) -> None:
        from sqlalchemy import event

        event.remove(self._engine, "before_cursor_execute", self._listen)


# --- what becomes of it -------------------------------------------------------------------------------------


async def test_what_was_sent_is_never_due_again(store: SqlStore) -> None:
    await rung(store, ANN)
    await store.settle(await lease_one(store), Receipt("42"), NOON + 1)
    assert await lease(store, NOON + 10**6) == []
    assert await store.next_due("telegram", NOON) is None


async def test_what_is_to_be_tried_later_holds_its_chat_and_no_other(store: SqlStore) -> None:
    await rung(store, ANN, BOB, times=2)
    first, second = await lease(store)
    await store.settle(first, RetryLater(30, "slow down"), NOON)
    await store.settle(second, Receipt(), NOON)
    assert (await lease_one(store, NOON + 29)).chat == second.chat
    assert await store.next_due("telegram", NOON + 29) == NOON + 30
    again = await lease_one(store, NOON + 30)
    assert (again.id, again.attempts) == (first.id, 1)


async def test_what_cannot_be_sent_for_a_day_is_given_up_and_the_next_goes_on(store: SqlStore) -> None:
    await rung(store, ANN, times=2)
    first = await lease_one(store)
    await store.settle(first, RetryLater(60, "down"), NOON + GIVE_UP - 1)
    again = await lease_one(store, NOON + GIVE_UP + 59)
    await store.settle(again, RetryLater(60, "still down"), NOON + GIVE_UP + 60)
    assert (await lease_one(store, NOON + GIVE_UP + 60)).id != first.id
    assert await row_of(store, first.id) == (None, NOON + GIVE_UP + 60, "still down")


async def test_a_rejected_message_is_given_up_with_the_reason(store: SqlStore) -> None:
    await rung(store, ANN, times=2)
    first = await lease_one(store)
    await store.settle(first, Rejected("text is too long"), NOON)
    assert await row_of(store, first.id) == (None, NOON, "text is too long")
    assert (await lease_one(store)).id != first.id


async def test_a_late_receipt_counts_after_the_lease_has_ended(store: SqlStore) -> None:
    await rung(store, ANN)
    first = await lease_one(store)
    second = await lease_one(store, NOON + 60)
    await store.settle(first, Receipt("1"), NOON + 61)
    await store.settle(second, RetryLater(1), NOON + 62)
    assert await lease(store, NOON + 10**6) == []
    assert await row_of(store, first.id) == (NOON + 61, None, "")


@pytest.mark.parametrize("outcome", [RetryLater(0), Rejected("late")])
async def test_a_late_failure_does_not_take_the_lease_from_its_holder(
    store: SqlStore, outcome: Outcome
) -> None:
    await rung(store, ANN)
    first = await lease_one(store)
    await lease_one(store, NOON + 60)
    await store.settle(first, outcome, NOON + 61)
    assert await lease(store, NOON + 62) == []
    assert (await lease_one(store, NOON + 120)).id == first.id


async def test_a_late_receipt_counts_even_after_it_was_given_up(store: SqlStore) -> None:
    await rung(store, ANN)
    first = await lease_one(store)
    await store.settle(await lease_one(store, NOON + 60), Rejected("no"), NOON + 61)
    await store.settle(first, Receipt("1"), NOON + 62)
    assert await row_of(store, first.id) == (NOON + 62, None, "")


async def row_of(store: SqlStore, notification: int) -> tuple[float | None, float | None, str]:
    """Give when a row was sent and given up, and why."""
    columns = (outbox.c.sent_at, outbox.c.given_up_at, outbox.c.error)
    async with store._database.reading() as connection:
        row = (await connection.execute(select(*columns).where(outbox.c.id == notification))).one()
    return row.sent_at, row.given_up_at, row.error


# --- chats that go and come back ----------------------------------------------------------------------------


async def test_what_waits_for_a_gone_chat_is_held_until_it_speaks_again(store: SqlStore) -> None:
    arming = await rung(store, ANN, BOB, times=2)
    told = next(one for one in await lease(store) if one.chat == ANN.chat)
    await store.settle(told, ChatGone("bot was blocked"), NOON)
    assert all(one.chat == BOB.chat for one in await lease(store, NOON + 60))
    assert await tell(store, ring(arming, 3)) == 1
    await make(store, ANN, "btc < 90000")
    assert all(one.chat == BOB.chat for one in await lease(store, NOON + 120)), "only a meeting resumes it"
    await store.meet(ANN, NOON + 200)
    episodes = []
    while due := [one for one in await lease(store, NOON + 200) if one.chat == ANN.chat]:
        episodes.append(due[0].dedupe)
        await store.settle(due[0], Receipt(), NOON + 200)
    held = [f"ring/{arming}/episode/{episode}/0" for episode in (1, 2)]
    assert episodes == [*held, f"missed/{NOON:.3f}/{NOON + 200:.3f}"], "what rang meanwhile is named"


async def test_who_was_away_for_long_is_told_in_one_message_what_they_missed(store: SqlStore) -> None:
    arming = await rung(store, ANN)
    await store.settle(await lease_one(store), ChatGone("kicked"), NOON)
    for episode in range(2, 5):
        assert await tell(store, ring(arming, episode, at=NOON + 60 * episode), at=NOON + 60 * episode) == 0
    await tell(store, correction(arming, 4), at=NOON + 300)
    await make(store, ANN, "btc < 90000")
    back = NOON + GIVE_UP
    await store.meet(ANN, back)
    missed = await lease_one(store, back)
    assert (missed.kind, missed.dedupe) == (Telling.MISSED, f"missed/{NOON:.3f}/{back:.3f}")
    assert word(missed, ENGLISH, back).plain().splitlines() == [
        "I could not write here since 12:00 UTC, Nov 12. This rang meanwhile:",
        "floor 3 times, the last at 12:03 UTC, Nov 12",
    ]
    await store.settle(missed, Receipt(), back)
    await store.meet(ANN, back + 1)
    assert await lease(store, back + 60) == []


async def test_operators_can_see_what_was_given_up_and_why(store: SqlStore) -> None:
    arming = await rung(store, ANN, BOB, times=2)
    for outcome in (Rejected("message is too long"), Receipt("1")):
        for one in await lease(store):
            await store.settle(one, outcome, NOON + 5)
    await tell(store, ring(arming, 3))
    assert await store.given_up(NOON) == [GivenUp("telegram", "message is too long", 2, NOON + 5)]
    for one in await lease(store, NOON + GIVE_UP):
        await store.settle(one, RetryLater(5, "no answer in time"), NOON + GIVE_UP)
    assert await store.given_up(NOON + 6) == [GivenUp("telegram", "no answer in time", 2, NOON + GIVE_UP)]


async def test_a_correction_of_a_held_ring_waits_with_it(store: SqlStore) -> None:
    arming = await rung(store, ANN)
    await store.settle(await lease_one(store), ChatGone("kicked"), NOON)
    assert await tell(store, correction(arming)) == 1
    assert await lease(store) == []
    await store.meet(ANN, NOON + 1)
    first = await lease_one(store, NOON + 1)
    await store.settle(first, Receipt(), NOON + 1)
    second = await lease_one(store, NOON + 1)
    assert [first.kind, second.kind] == [Telling.RING, Telling.CORRECTION]


async def test_a_level_that_moves_tells_no_chat_that_is_gone(store: SqlStore) -> None:
    await put_level(store, CAT, "floor", "100000")
    await make(store, ANN, "btc < @floor")
    await tell(store, ring(await arming_of(store, ANN)))
    await store.settle(await lease_one(store), ChatGone("kicked"), NOON)
    await put_level(store, CAT, "floor", "98000")
    await store.meet(ANN, NOON)
    assert (await lease_one(store)).kind is Telling.RING
    assert (await store.subscriptions(ANN.chat))[0].levels == {"floor": Decimal(98_000)}


# --- chats that move ----------------------------------------------------------------------------------------

GROUP = caller("-5", kind=ChatKind.GROUP)
SUPER = caller("-1005", kind=ChatKind.GROUP)


async def test_a_group_that_moved_takes_everything_along(store: SqlStore) -> None:
    await put_level(store, GROUP, "floor", "100000", GROUP.chat)
    await make(store, GROUP, "btc < @floor")
    await tell(store, ring(await arming_of(store, GROUP)))
    told = await lease_one(store)
    await store.settle(told, ChatMoved(SUPER.chat), NOON + 1)
    again = await lease_one(store, NOON + 1)
    assert (again.id, again.chat, again.facts["alert"]) == (told.id, SUPER.chat, "#1")
    assert await store.subscriptions(GROUP.chat) == []
    assert [one.alert.label for one in await store.subscriptions(SUPER.chat)] == ["#1"]
    assert list(await store.levels(SUPER.chat)) == ["floor"]
    assert (await make(store, SUPER, "btc < 1000")).number == 2


async def test_a_group_that_moved_to_a_known_chat_is_merged_into_it(store: SqlStore) -> None:
    arming = await rung(store, GROUP, SUPER)
    await put_level(store, GROUP, "floor", "1", GROUP.chat)
    await put_level(store, GROUP, "roof", "2", GROUP.chat)
    await put_level(store, SUPER, "floor", "3", SUPER.chat)
    for price in (10, 20, 30):
        await make(store, GROUP, f"btc < {price}")
    await store.delete_alert(GROUP.chat, 2, NOON)
    for price in (40, 50):
        await make(store, SUPER, f"btc < {price}")
    await tell(store, ring(await arming_of(store, GROUP, "#3")))
    told = {one.chat: one for one in await lease(store)}
    await store.settle(told[GROUP.chat], ChatMoved(SUPER.chat), NOON + 1)

    kept = [(one.alert.label, one.alert.rule) for one in await store.subscriptions(SUPER.chat)]
    assert kept == [
        ("#1", "btc < 40"),
        ("#2", "btc < 50"),
        ("#3", "btc < 10"),
        ("#4", "btc < 30"),
        ("floor", "btc < 100000"),
    ]
    assert {name: level.value for name, level in (await store.levels(SUPER.chat)).items()} == {
        "floor": Decimal(3),
        "roof": Decimal(2),
    }
    assert [one.alert.label for one in await store.subscriptions(GROUP.chat)] == []
    assert [shared.subscribers for shared in await store.catalogue()] == [1]
    await store.settle(told[SUPER.chat], Receipt(), NOON + 1)
    remaining = await lease_one(store, NOON + 1)
    assert (remaining.chat, remaining.facts["alert"]) == (SUPER.chat, "#4"), (
        "the shared ring was told already"
    )
    assert await tell(store, ring(arming, 2)) == 1


async def test_a_move_that_was_followed_already_is_followed_once(store: SqlStore) -> None:
    await rung(store, GROUP, times=2)
    first = await lease_one(store)
    await lease_one(store, NOON + 60)
    await store.settle(first, ChatMoved(SUPER.chat), NOON + 61)
    assert await lease(store, NOON + 62) == [], "the lease of the later sender holds"
    await store.settle(first, ChatMoved(SUPER.chat), NOON + 63)
    assert (await lease_one(store, NOON + 120)).chat == SUPER.chat


# --- laws ---------------------------------------------------------------------------------------------------

_OUTCOMES = st.sampled_from(["sent", "retry", "rejected", "gone", "crash", "slow"])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ring"), st.integers(0, 1)),
        st.tuples(st.just("lease"), st.integers(1, 3)),
        st.tuples(st.just("settle"), _OUTCOMES),
        st.tuples(st.just("wait"), st.sampled_from([1, 30, 61])),
        st.tuples(st.just("meet"), st.integers(0, 2)),
    ),
    min_size=5,
    max_size=25,
)


@dataclass
class Courier:
    """Somebody who leases, sends and settles as the steps say, and writes down what was seen."""

    store: SqlStore
    now: float = NOON
    episodes: dict[int, int] = field(default_factory=dict)
    held: list[tuple[Notification, float]] = field(default_factory=list)
    received: dict[ChatRef, list[int]] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)

    async def do(self, step: str, of: object, armings: list[int], people: list[Caller]) -> None:
        match step, of:
            case "ring", int(which):
                self.episodes[which] = self.episodes.get(which, 0) + 1
                await tell(self.store, ring(armings[which], self.episodes[which]), at=self.now)
            case "lease", int(limit):
                await self.lease(limit)
            case "settle", str(outcome) if self.held:
                await self.settle(outcome)
            case "wait", int(seconds):
                self.now += seconds
            case "meet", int(which):
                await self.store.meet(people[which], self.now)

    async def lease(self, limit: int) -> None:
        leased = await self.store.lease("telegram", self.now, limit)
        done = {*self.refused, *(one for log in self.received.values() for one in log)}
        busy = {one.chat for one, until in self.held if until > self.now and one.id not in done}
        assert len(leased) <= limit
        assert len({one.chat for one in leased}) == len(leased), "one of each chat"
        assert not busy & {one.chat for one in leased}, "none of a chat that has one under lease"
        assert not done & {one.id for one in leased}, "what was received or refused is not sent again"
        self.held += [(one, self.now + 60) for one in leased]

    async def settle(self, outcome: str) -> None:
        one, until = self.held.pop(0)
        settled: Outcome
        match outcome:
            case "crash":
                self.now = max(self.now, until)  # nobody else may send before it has ended
                return
            case "slow":
                self.now = max(self.now, until) + 1
                settled = Receipt("late")
            case "sent":
                settled = Receipt("1")
            case "retry":
                settled = RetryLater(7)
            case "rejected":
                settled = Rejected("no")
            case _:
                settled = ChatGone("blocked")
        await self.store.settle(one, settled, self.now)
        log = self.received.setdefault(one.chat, [])
        if isinstance(settled, Receipt) and one.id not in log:
            log.append(one.id)
            self.refused.discard(one.id)
        is_ours = not any(other.id == one.id for other, _ in self.held)
        if isinstance(settled, Rejected) and is_ours and one.id not in log:
            self.refused.add(one.id)


@settings(max_examples=15, deadline=None)
@given(steps=_STEPS)
def test_nothing_is_lost_doubled_or_out_of_order(template: Path, steps: list[tuple[str, object]]) -> None:
    asyncio.run(live(template, steps))


async def live(template: Path, steps: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tocsin.db"
        shutil.copy(template, path)
        store = await open_store(f"sqlite:///{path}")
        try:
            await follow_law(store, steps)
        finally:
            await store.close()
        assert (await check(f"sqlite:///{path}")).is_well


async def follow_law(store: SqlStore, steps: list[tuple[str, object]]) -> None:
    people = [ANN, BOB, CAT]
    for name in ("one", "two"):
        await store.publish(ANN, name, "btc < 100000", NOON)
    for who in people:
        await follow(store, who, "one")
    await follow(store, ANN, "two")
    armings = [await arming_of(store, ANN, name) for name in ("one", "two")]
    courier = Courier(store)
    for step, of in steps:
        await courier.do(step, of, armings, people)

    for who in people:
        await store.meet(who, courier.now)
    courier.now += 61
    courier.held.clear()
    while (due := await store.next_due("telegram", courier.now)) is not None:
        courier.now = max(courier.now, due)
        await courier.lease(100)
        assert courier.held, "what is due can be leased"
        while courier.held:
            await courier.settle("sent")

    async with store._database.reading() as connection:
        chosen = (
            select(outbox, chats.c.chat).join(chats, outbox.c.chat_id == chats.c.id).order_by(outbox.c.id)
        )
        rows = (await connection.execute(chosen)).all()
    for who in people:
        promised = [row for row in rows if row.chat == who.chat.chat]
        sent = [row.id for row in promised if row.sent_at is not None]
        assert sent == [row.id for row in promised if row.id not in courier.refused], "nothing is lost"
        assert sorted(courier.received.get(who.chat, [])) == sent, "what was received was promised"
        in_time = [row.id for row in promised if row.receipt == "1"]
        assert [one for one in courier.received.get(who.chat, []) if one in in_time] == in_time, "in order"
