"""Storms: nothing is lost, nothing told twice, what is urgent goes first, the order holds."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bot.alerts.message import Message
from bot.alerts.people import Caller, ChatRef
from bot.chats.discord_text import render as for_discord
from bot.chats.telegram_text import render as for_telegram
from bot.deliver import LEASE, PROMPT
from bot.pacing import LIMITS, Pacer
from bot.ports import Outcome, Rejected, RetryLater
from bot.store import SqlStore, open_store
from bot.store.tables import outbox
from bot.turns import Turns
from tests.conftest import SetClock
from tests.delivering import Ear, courier_of, drained, make_alerts, number_in
from tests.storing import ANN, NOON, correction, ring, tell

# --- storms -------------------------------------------------------------------------------------------------


async def test_of_a_storm_the_first_goes_at_once_and_the_rest_as_one_list_in_order(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    armings = await make_alerts(store, ANN, 24)
    await tell(store, *(ring(one) for one in armings))
    await drained(store, ear, NOON + 60)
    assert ear.said[0][0] == NOON
    assert [number_in(line) for line in ear.told()] == list(range(1, 25))
    assert len(ear.said) < 8
    assert ear.said[-1][2].title.endswith("messages at once:")
    assert clock.now() - NOON <= 60


async def test_every_row_of_a_list_has_the_receipt_of_the_list(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    await tell(store, *(ring(one) for one in await make_alerts(store, ANN, 12)))
    await drained(store, ear, NOON + 60)
    async with store._database.reading() as connection:
        rows = (await connection.execute(select(outbox).order_by(outbox.c.id))).all()
    assert all(row.sent_at is not None for row in rows)
    assert {row.receipt for row in rows} == {f"message {number + 1}" for number in range(len(ear.said))}
    assert rows[-1].receipt == rows[-2].receipt


async def test_what_is_urgent_overtakes_a_storm_and_is_in_no_list(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    armings = await make_alerts(store, ANN, 21)
    assert await store.set_urgent(ANN.chat, "#21", NOON, is_urgent=True)
    await tell(store, *(ring(one) for one in armings))
    await drained(store, ear, NOON + 60)
    first = ear.said[0][2]
    assert number_in(first.title) == 21
    assert sorted(map(number_in, ear.told())) == list(range(1, 22))


async def test_a_correction_in_a_list_follows_its_ring_and_says_which_it_takes_back(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    armings = await make_alerts(store, ANN, 10)
    await tell(store, *(ring(one) for one in armings), correction(armings[9]))
    await drained(store, ear, NOON + 60)
    lines = ear.told()
    assert lines[-2].startswith("#10 BTC/USDT fell below")
    assert lines[-1].startswith("Correction to #10: the ring of 12:00 UTC at 99,980 is taken back")
    assert ear.said[-1][2].lines[-1].strip() == "The alert is as it was before that ring."


async def test_a_list_that_is_refused_takes_nothing_down_with_it(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    await tell(store, *(ring(one) for one in await make_alerts(store, ANN, 12)))
    courier = courier_of(store, ear)
    while not any(len(message.lines) > 2 for _, _, message in ear.said):
        ear.fails = []
        before = len(ear.said)
        await courier.drain()
        if len(ear.said) == before:
            clock.time += 0.5
        if clock.time - NOON > PROMPT and not ear.fails and len(ear.said) < 6:
            ear.fails = [Rejected("it is too odd")]
            await courier.drain()
    ear.fails = []
    await drained(store, ear, NOON + 120)
    assert sorted(map(number_in, ear.told())) == list(range(1, 13))


async def test_a_list_that_is_to_be_tried_later_is_the_same_again(store: SqlStore) -> None:
    await tell(store, *(ring(one) for one in await make_alerts(store, ANN, 4)))
    [head] = await store.lease("telegram", NOON, 9)
    others = await store.gather(head, NOON, 9, LEASE)
    assert [one.facts["alert"] for one in others] == ["#2", "#3", "#4"]
    assert await store.lease("telegram", NOON, 9) == []
    await store.settle(head, RetryLater(5.0, "busy"), NOON)
    assert await store.next_due("telegram", NOON) == NOON + 5
    [again] = await store.lease("telegram", NOON + 5, 9)
    assert (again.id, again.attempts) == (head.id, 1)
    oldest = await store.gather(again, NOON + 5, 2, LEASE)
    assert [(one.facts["alert"], one.attempts) for one in oldest] == [("#2", 1), ("#3", 1)]


@pytest.mark.parametrize("render", [for_telegram, for_discord])
async def test_a_list_is_one_message_of_its_platform(store: SqlStore, render: object) -> None:
    clock = SetClock()
    ear = Ear(clock, "telegram" if render is for_telegram else "discord")
    who = ANN if ear.platform == "telegram" else Caller(ChatRef("discord", "ann"), ANN.kind, "ann", "ann")
    await tell(store, *(ring(one) for one in await make_alerts(store, who, 60)))
    courier = courier_of(store, ear)
    for _ in range(120):
        await courier.drain()
        clock.time += 0.3
    assert sorted(map(number_in, ear.told())) == list(range(1, 61))
    assert all(len(render(message)) == 1 for _, _, message in ear.said)  # type: ignore[operator]


FAILS = st.sampled_from(
    [None, None, None, RetryLater(3.0, "busy"), Rejected("odd"), "killed before", "killed after"]
)


@settings(max_examples=12, deadline=None)
@given(
    fails=st.lists(FAILS, max_size=8),
    urgent=st.sets(st.integers(1, 14), max_size=3),
    waves=st.lists(st.floats(0, 6), min_size=1, max_size=3),
    quiet=st.booleans(),
    seed=st.integers(0, 99),
)
def test_nothing_is_lost_none_is_told_twice_and_what_is_urgent_goes_first(
    template: Path,
    fails: list[Outcome | str | None],
    urgent: set[int],
    waves: list[float],
    *,
    quiet: bool,
    seed: int,
) -> None:
    """Each ring is in exactly one message, but for those of a send that was cut off by a kill."""

    async def run(database: str) -> None:
        store = await open_store(database)
        try:
            clock = SetClock()
            ear = Ear(clock, fails=list(fails))
            armings = await make_alerts(store, ANN, 14)
            for number in urgent:
                await store.set_urgent(ANN.chat, f"#{number}", NOON, is_urgent=True)
            if quiet:
                await store.set_quiet(ANN, "11:00-12:10", NOON)
            kinds = random.Random(seed)
            made: dict[int, float] = {}
            for wave, gap in enumerate(waves):
                some = [one for place, one in enumerate(armings) if place % len(waves) == wave]
                kinds.shuffle(some)
                await tell(store, *(ring(one) for one in some), at=clock.now())
                made |= {armings.index(one) + 1: clock.now() for one in some}
                await drained(store, ear, clock.now() + gap)
            await drained(store, ear, NOON + 4000)
            _judge(ear, made, urgent, fails, is_quiet=quiet)
            async with store._database.reading() as connection:
                rows = (await connection.execute(select(outbox))).all()
            assert all((row.sent_at is None) is (row.given_up_at is not None) for row in rows)
        finally:
            await store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(f"sqlite+aiosqlite:///{shutil.copy(template, Path(folder) / 'tocsin.db')}"))


def _judge(
    ear: Ear, made: dict[int, float], urgent: set[int], fails: list[Outcome | str | None], *, is_quiet: bool
) -> None:
    told = list(map(number_in, ear.told()))
    refused = fails.count(Rejected("odd"))
    assert len(set(made) - set(told)) <= refused
    again = sum(told.count(number) - 1 for number in set(told))
    most = max((len(message.lines) for _, _, message in ear.said), default=0)
    assert again <= fails.count("killed after") * max(most, 1)
    for at, _, message in ear.said:
        listed = [line for line in message.lines if line.startswith("• ")]
        assert not (urgent & set(map(number_in, listed)))
        if is_quiet and at < NOON + 600:
            assert number_in(message.title) in urgent
    first = [number for number in dict.fromkeys(told) if number not in urgent]
    assert [made[number] for number in first] == sorted(made[number] for number in first)
    if not fails:
        assert again == 0
        assert set(told) == set(made)


async def test_who_stood_still_between_the_lease_and_the_send_leaves_it_to_the_next_look(
    store: SqlStore, clock: SetClock
) -> None:
    """Meanwhile another process may have told it, and in any case it may soon."""
    ear, stands = Ear(clock, adds_charts=False), [LEASE + 1, 0.0]

    async def draw(message: Message, patience: float | None = None) -> Message:
        clock.time += stands.pop(0)
        return message

    [arming] = await make_alerts(store, ANN, 1)
    assert await tell(store, ring(arming)) == 1
    courier = replace(courier_of(store, ear), illustrate=draw)
    assert await courier.drain() == 1
    assert ear.said == []
    assert await courier.drain() == 1
    await courier.finish()
    assert len(ear.told()) == 1
    assert await store.next_due("telegram", clock.now()) is None


async def test_who_stood_still_in_the_line_leaves_it_to_the_next_look(
    store: SqlStore, clock: SetClock
) -> None:
    ear, stands = Ear(clock), [0.0, LEASE + 1]

    def stand() -> bool:
        clock.time += stands.pop() if stands else 0.0
        return False

    [arming] = await make_alerts(store, ANN, 1)
    assert await tell(store, ring(arming)) == 1
    line = Turns(Pacer(LIMITS["telegram"]), clock, is_shut=stand)
    courier = replace(courier_of(store, ear), turns=line)
    assert await courier.drain() == 1
    assert ear.said == []
    assert await courier.drain() == 1
    await courier.finish()
    assert len(ear.told()) == 1
