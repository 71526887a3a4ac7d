"""Storms and quiet hours: nothing is lost, nothing told twice, what is urgent goes first, the order holds."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from bot.alerts.message import Message
from bot.alerts.people import Caller, ChatRef
from bot.alerts.rings import rung_line
from bot.alerts.translator import ENGLISH
from bot.chats.discord_text import render as for_discord
from bot.chats.telegram_text import render as for_telegram
from bot.deliver import LEASE, PROMPT, Courier
from bot.ports import Outcome, Receipt, Rejected, RetryLater
from bot.store import SqlStore, open_store
from bot.store.tables import outbox
from tests.conftest import SetClock
from tests.market import HandMarket
from tests.storing import ANN, BOB, NOON, arming_of, correction, follow, make, ring, tell

MARKET = HandMarket(SetClock(), btc=104_000.0)


class Killed(Exception):
    """The process dies."""


@dataclass
class Ear:
    """A platform that takes messages in its own time, and fails as it is told."""

    clock: SetClock
    platform: str = "telegram"
    adds_charts: bool = True
    said: list[tuple[float, str, Message]] = field(default_factory=list)
    fails: list[Outcome | str | None] = field(default_factory=list)

    async def send(self, chat: ChatRef, message: Message, dedupe: str = "") -> Outcome:
        fails = self.fails.pop(0) if self.fails else None
        if fails not in (None, "killed after"):
            if fails == "killed before":
                raise Killed
            assert not isinstance(fails, str | None)
            return fails
        self.said.append((self.clock.now(), chat.chat, message))
        if fails is not None:
            raise Killed
        return Receipt(f"message {len(self.said)}")

    def told(self) -> list[str]:
        """Give what was told, one line for each ring or correction."""
        found = []
        for _, _, message in self.said:
            listed = [line.removeprefix("• ") for line in message.lines if line.startswith("• ")]
            found += listed or [message.title]
        return found


def _courier(store: SqlStore, ear: Ear) -> Courier:
    words = ENGLISH.in_timezone
    return Courier(store, ear, ear.clock, lambda _, zone: words(zone), market=MARKET)  # type: ignore[arg-type]


async def _drained(store: SqlStore, ear: Ear, until: float) -> None:
    """Deliver until nothing is due before an instant; a process that dies begins again."""
    courier = _courier(store, ear)
    while True:
        try:
            await courier.drain()
            await courier.finish()
            due = await store.next_due("telegram", ear.clock.now())
        except Killed:
            await courier.finish()
            courier = _courier(store, ear)
            ear.clock.time += LEASE
            continue
        if due is None or due > until:
            ear.clock.time = max(ear.clock.time, until)
            return
        ear.clock.time = max(ear.clock.time, due)


async def _alerts(store: SqlStore, who: Caller, count: int) -> list[int]:
    """Give a chat so many alerts; gives their armings."""
    for number in range(count):
        await make(store, who, f"btc < {100_000 - number}")
    return [await arming_of(store, who, f"#{number + 1}") for number in range(count)]


def _number(line: str) -> int:
    return int(line.partition("#")[2].split()[0].rstrip(":"))


# --- storms -------------------------------------------------------------------------------------------------


async def test_of_a_storm_the_first_goes_at_once_and_the_rest_as_one_list_in_order(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    armings = await _alerts(store, ANN, 24)
    await tell(store, *(ring(one) for one in armings))
    await _drained(store, ear, NOON + 60)
    assert ear.said[0][0] == NOON
    assert [_number(line) for line in ear.told()] == list(range(1, 25))
    assert len(ear.said) < 8
    assert ear.said[-1][2].title.endswith("messages at once:")
    assert clock.now() - NOON <= 60


async def test_every_row_of_a_list_has_the_receipt_of_the_list(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    await tell(store, *(ring(one) for one in await _alerts(store, ANN, 12)))
    await _drained(store, ear, NOON + 60)
    async with store._database.reading() as connection:
        rows = (await connection.execute(select(outbox).order_by(outbox.c.id))).all()
    assert all(row.sent_at is not None for row in rows)
    assert {row.receipt for row in rows} == {f"message {number + 1}" for number in range(len(ear.said))}
    assert rows[-1].receipt == rows[-2].receipt


async def test_what_is_urgent_overtakes_a_storm_and_is_in_no_list(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    armings = await _alerts(store, ANN, 21)
    assert await store.set_urgent(ANN.chat, "#21", NOON, is_urgent=True)
    await tell(store, *(ring(one) for one in armings))
    await _drained(store, ear, NOON + 60)
    first = ear.said[0][2]
    assert _number(first.title) == 21
    assert sorted(map(_number, ear.told())) == list(range(1, 22))


async def test_a_correction_in_a_list_follows_its_ring_and_says_which_it_takes_back(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    armings = await _alerts(store, ANN, 10)
    await tell(store, *(ring(one) for one in armings), correction(armings[9]))
    await _drained(store, ear, NOON + 60)
    lines = ear.told()
    assert lines[-2].startswith("#10 BTC/USDT fell below")
    assert lines[-1].startswith("Correction to #10: the ring of 12:00 UTC at 99,980 is taken back")
    assert ear.said[-1][2].lines[-1].strip() == "The alert is as it was before that ring."


async def test_a_list_that_is_refused_takes_nothing_down_with_it(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    await tell(store, *(ring(one) for one in await _alerts(store, ANN, 12)))
    courier = _courier(store, ear)
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
    await _drained(store, ear, NOON + 120)
    assert sorted(map(_number, ear.told())) == list(range(1, 13))


async def test_a_list_that_is_to_be_tried_later_leaves_the_others_as_they_were(store: SqlStore) -> None:
    await tell(store, *(ring(one) for one in await _alerts(store, ANN, 4)))
    [head] = await store.lease("telegram", NOON, 9)
    others = await store.gather(head, NOON, 9, LEASE)
    assert [one.facts["alert"] for one in others] == ["#2", "#3", "#4"]
    assert await store.lease("telegram", NOON, 9) == []
    await store.settle(head, RetryLater(5.0, "busy"), NOON, others)
    assert await store.next_due("telegram", NOON) == NOON + 5
    [again] = await store.lease("telegram", NOON + 5, 9)
    assert (again.id, again.attempts) == (head.id, 1)
    oldest = await store.gather(again, NOON + 5, 2, LEASE)
    assert [(one.facts["alert"], one.attempts) for one in oldest] == [("#2", 0), ("#3", 0)]


@pytest.mark.parametrize("render", [for_telegram, for_discord])
async def test_a_list_is_one_message_of_its_platform(store: SqlStore, render: object) -> None:
    clock = SetClock()
    ear = Ear(clock, "telegram" if render is for_telegram else "discord")
    who = ANN if ear.platform == "telegram" else Caller(ChatRef("discord", "ann"), ANN.kind, "ann", "ann")
    await tell(store, *(ring(one) for one in await _alerts(store, who, 60)))
    courier = _courier(store, ear)
    for _ in range(120):
        await courier.drain()
        clock.time += 0.3
    assert sorted(map(_number, ear.told())) == list(range(1, 61))
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
            armings = await _alerts(store, ANN, 14)
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
                await _drained(store, ear, clock.now() + gap)
            await _drained(store, ear, NOON + 4000)
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
    told = list(map(_number, ear.told()))
    refused = fails.count(Rejected("odd"))
    assert len(set(made) - set(told)) <= refused
    again = sum(told.count(number) - 1 for number in set(told))
    most = max((len(message.lines) for _, _, message in ear.said), default=0)
    assert again <= fails.count("killed after") * max(most, 1)
    for at, _, message in ear.said:
        listed = [line for line in message.lines if line.startswith("• ")]
        assert not (urgent & set(map(_number, listed)))
        if is_quiet and at < NOON + 600:
            assert _number(message.title) in urgent
    first = [number for number in dict.fromkeys(told) if number not in urgent]
    assert [made[number] for number in first] == sorted(made[number] for number in first)
    if not fails:
        assert again == 0
        assert set(told) == set(made)


# --- quiet hours --------------------------------------------------------------------------------------------


async def test_rings_of_quiet_hours_are_one_digest_at_their_end_after_a_restart_too(
    store: SqlStore, database: str
) -> None:
    clock = SetClock()
    ear = Ear(clock)
    armings = await _alerts(store, ANN, 3)
    await store.set_urgent(ANN.chat, "#3", NOON, is_urgent=True)
    await store.set_quiet(ANN, "11:00-12:30", NOON)
    for place, one in enumerate(armings):
        at = NOON + 60 * place
        told = replace(ring(one, at=at), facts={"value": 99_980.0, "at": at})
        await tell(store, told, at=at)
        await _drained(store, ear, NOON + 60 * place + 30)
    assert [_number(line) for line in ear.told()] == [3]
    again = await open_store(database)
    try:
        await _drained(again, ear, NOON + 1799)
        assert len(ear.said) == 1
        await _drained(again, ear, NOON + 1900)
    finally:
        await again.close()
    at, _, digest = ear.said[1]
    assert (at, digest.title) == (NOON + 1800, "Kept in your quiet hours, 2 messages:")
    assert [_number(line) for line in ear.told()] == [3, 1, 2]
    assert "12:01 UTC" in digest.lines[1]
    assert all(line.endswith(" Now 104,000.") for line in digest.lines)
    assert "Delayed" not in digest.plain()


async def test_quiet_hours_that_are_switched_off_let_go_at_once_what_they_kept(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    await store.set_quiet(ANN, "11:00-23:30", NOON)
    await tell(store, ring((await _alerts(store, ANN, 1))[0]))
    await _drained(store, ear, NOON + 30)
    assert ear.said == []
    assert await store.quiet(ANN) == ("11:00-23:30", 1)
    [kept], _ = await store.rung(ANN.chat, "", 1, 9)
    assert rung_line(kept, "", ENGLISH, NOON + 30).endswith("kept until 23:30 UTC: quiet hours")
    await store.set_quiet(ANN, "", NOON + 30)
    await _drained(store, ear, NOON + 31)
    assert [_number(line) for line in ear.told()] == [1]


async def test_another_time_zone_moves_what_is_kept(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    await store.set_quiet(ANN, "11:00-14:00", NOON)
    await tell(store, ring((await _alerts(store, ANN, 1))[0]))
    await _drained(store, ear, NOON + 30)
    assert ear.said == []
    await store.set_timezone(ANN, "Asia/Tokyo", NOON + 30)
    await _drained(store, ear, NOON + 31)
    assert [_number(line) for line in ear.told()] == [1]


async def test_the_quiet_of_one_chat_is_not_that_of_another(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    await store.publish(ANN, "floor", "btc < 100000", NOON)
    await follow(store, ANN, "floor")
    await follow(store, BOB, "floor")
    await store.set_quiet(ANN, "11:00-13:00", NOON)
    await tell(store, ring(await arming_of(store, ANN, "floor")))
    await _drained(store, ear, NOON + 60)
    assert [chat for _, chat, _ in ear.said] == [BOB.chat.chat]


async def test_a_digest_that_no_message_holds_goes_on_in_the_next(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    armings = await _alerts(store, ANN, 60)
    await store.set_quiet(ANN, "11:00-12:30", NOON)
    await tell(store, *(ring(one) for one in armings))
    await _drained(store, ear, NOON + 1900)
    assert len(ear.said) > 1
    assert all(message.title.startswith("Kept in your quiet hours") for _, _, message in ear.said)
    assert [_number(line) for line in ear.told()] == list(range(1, 61))


async def test_an_announcement_waits_for_the_end_of_quiet_hours_and_is_in_no_list(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    [arming] = await _alerts(store, ANN, 1)
    await store.set_quiet(ANN, "11:00-12:30", NOON)
    await store.announce(ANN, "Sunday.", NOON)
    await tell(store, ring(arming), at=NOON + 5)
    await _drained(store, ear, NOON + 1799)
    assert ear.said == []
    await _drained(store, ear, NOON + 1900)
    digest, announced = (message for _, _, message in ear.said)
    assert digest.title == "Kept in your quiet hours:"
    assert announced.lines[0] == "Sunday."


async def test_what_was_kept_for_half_a_day_is_not_given_up_for_its_age(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    await store.set_quiet(ANN, "12:00-11:59", NOON)
    await tell(store, ring((await _alerts(store, ANN, 1))[0]))
    end = NOON + 24 * 3600 - 60
    await _drained(store, ear, end - 1)
    assert ear.said == []
    ear.fails = [RetryLater(120.0, "busy")]
    await _drained(store, ear, end)
    async with store._database.writing() as connection:
        await connection.execute(update(outbox).values(not_before=end))
        await connection.execute(update(outbox).values(kept_until=end))
    await store.set_quiet(ANN, "", end)
    await _drained(store, ear, end + 600)
    assert [_number(line) for line in ear.told()] == [1]


# --- mutes --------------------------------------------------------------------------------------------------


async def test_a_chat_that_is_muted_hears_nothing_until_the_end_and_then_all_again(
    store: SqlStore,
) -> None:
    clock = SetClock()
    ear = Ear(clock)
    armings = await _alerts(store, ANN, 3)
    await store.mute(ANN.chat, "#3", NOON + 9000, NOON)
    assert await store.mute_all(ANN.chat, NOON + 3600, NOON) == 3
    await tell(store, *(ring(one) for one in armings), at=NOON + 10)
    await _drained(store, ear, NOON + 20)
    assert ear.said == []
    assert [one.hidden for one in await store.subscriptions(ANN.chat)] == [1, 1, 1]
    await tell(store, *(ring(one, 2) for one in armings), at=NOON + 3600)
    await _drained(store, ear, NOON + 3610)
    assert sorted(map(_number, ear.told())) == [1, 2]
    assert await store.unmute_all(ANN.chat, NOON + 3610) == 1
    await tell(store, ring(armings[2], 3), at=NOON + 3620)
    await _drained(store, ear, NOON + 3630)
    assert sorted(map(_number, ear.told())) == [1, 2, 3]
