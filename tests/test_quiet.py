"""Quiet hours and mutes of a whole chat: what is kept is told once, in order, after a restart too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import update

from bot.alerts.rings import rung_line
from bot.alerts.translator import ENGLISH
from bot.ports import RetryLater
from bot.store import SqlStore, open_store
from bot.store.tables import outbox
from tests.conftest import SetClock
from tests.delivering import Ear, drained, make_alerts, number_in
from tests.storing import ANN, BOB, NOON, arming_of, follow, ring, tell

# --- quiet hours --------------------------------------------------------------------------------------------


@pytest.mark.both
async def test_rings_of_quiet_hours_are_one_digest_at_their_end_after_a_restart_too(
    store: SqlStore, database: str
) -> None:
    clock = SetClock()
    ear = Ear(clock)
    armings = await make_alerts(store, ANN, 3)
    await store.set_urgent(ANN.chat, "#3", NOON, is_urgent=True)
    await store.set_quiet(ANN, "11:00-12:30", NOON)
    for place, one in enumerate(armings):
        at = NOON + 60 * place
        told = replace(ring(one, at=at), facts={"value": 99_980.0, "at": at, "way": "poll"})
        await tell(store, told, at=at)
        await drained(store, ear, NOON + 60 * place + 30)
    assert [number_in(line) for line in ear.told()] == [3]
    assert "told 0.1 s later" in ear.told()[0]
    again = await open_store(database)
    try:
        await drained(again, ear, NOON + 1799)
        assert len(ear.said) == 1
        await drained(again, ear, NOON + 1900)
    finally:
        await again.close()
    at, _, digest = ear.said[1]
    assert (at, digest.title) == (NOON + 1800, "Kept in your quiet hours, 2 messages:")
    assert [number_in(line) for line in ear.told()] == [3, 1, 2]
    assert "12:01 UTC" in digest.lines[1]
    assert all(line.endswith(" Now 104,000.") for line in digest.lines)
    assert "Delayed" not in digest.plain()
    assert "told" not in digest.plain()  # what was kept was kept on purpose: its delay says nothing


async def test_quiet_hours_that_are_switched_off_let_go_at_once_what_they_kept(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    await store.set_quiet(ANN, "11:00-23:30", NOON)
    await tell(store, ring((await make_alerts(store, ANN, 1))[0]))
    await drained(store, ear, NOON + 30)
    assert ear.said == []
    assert await store.quiet(ANN) == ("11:00-23:30", 1)
    [kept], _ = await store.rung(ANN.chat, "", 1, 9)
    assert rung_line(kept, "", ENGLISH, NOON + 30).endswith("kept until 23:30 UTC: quiet hours")
    await store.set_quiet(ANN, "", NOON + 30)
    await drained(store, ear, NOON + 31)
    assert [number_in(line) for line in ear.told()] == [1]


async def test_another_time_zone_moves_what_is_kept(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    await store.set_quiet(ANN, "11:00-14:00", NOON)
    await tell(store, ring((await make_alerts(store, ANN, 1))[0]))
    await drained(store, ear, NOON + 30)
    assert ear.said == []
    await store.set_timezone(ANN, "Asia/Tokyo", NOON + 30)
    await drained(store, ear, NOON + 31)
    assert [number_in(line) for line in ear.told()] == [1]


async def test_the_quiet_of_one_chat_is_not_that_of_another(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    await store.publish(ANN, "floor", "btc < 100000", NOON)
    await follow(store, ANN, "floor")
    await follow(store, BOB, "floor")
    await store.set_quiet(ANN, "11:00-13:00", NOON)
    await tell(store, ring(await arming_of(store, ANN, "floor")))
    await drained(store, ear, NOON + 60)
    assert [chat for _, chat, _ in ear.said] == [BOB.chat.chat]


@pytest.mark.both
async def test_a_digest_that_no_message_holds_goes_on_in_the_next(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    armings = await make_alerts(store, ANN, 60)
    await store.set_quiet(ANN, "11:00-12:30", NOON)
    await tell(store, *(ring(one) for one in armings))
    await drained(store, ear, NOON + 1900)
    assert len(ear.said) > 1
    assert all(message.title.startswith("Kept in your quiet hours") for _, _, message in ear.said)
    assert [number_in(line) for line in ear.told()] == list(range(1, 61))


async def test_an_announcement_waits_for_the_end_of_quiet_hours_and_is_in_no_list(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    [arming] = await make_alerts(store, ANN, 1)
    await store.set_quiet(ANN, "11:00-12:30", NOON)
    await store.announce(ANN, "Sunday.", NOON)
    await tell(store, ring(arming), at=NOON + 5)
    await drained(store, ear, NOON + 1799)
    assert ear.said == []
    await drained(store, ear, NOON + 1900)
    digest, announced = (message for _, _, message in ear.said)
    assert digest.title == "Kept in your quiet hours:"
    assert announced.lines[0] == "Sunday."


async def test_what_was_kept_for_half_a_day_is_not_given_up_for_its_age(store: SqlStore) -> None:
    clock = SetClock()
    ear = Ear(clock)
    await store.set_quiet(ANN, "12:00-11:59", NOON)
    await tell(store, ring((await make_alerts(store, ANN, 1))[0]))
    end = NOON + 24 * 3600 - 60
    await drained(store, ear, end - 1)
    assert ear.said == []
    ear.fails = [RetryLater(120.0, "busy")]
    await drained(store, ear, end)
    async with store._database.writing() as connection:
        await connection.execute(update(outbox).values(not_before=end))
        await connection.execute(update(outbox).values(kept_until=end))
    await store.set_quiet(ANN, "", end)
    await drained(store, ear, end + 600)
    assert [number_in(line) for line in ear.told()] == [1]


# --- mutes --------------------------------------------------------------------------------------------------


@pytest.mark.both
async def test_a_chat_that_is_muted_hears_nothing_until_the_end_and_then_all_again(
    store: SqlStore,
) -> None:
    clock = SetClock()
    ear = Ear(clock)
    armings = await make_alerts(store, ANN, 3)
    await store.mute(ANN.chat, "#3", NOON + 9000, NOON)
    assert await store.mute_all(ANN.chat, NOON + 3600, NOON) == 3
    await tell(store, *(ring(one) for one in armings), at=NOON + 10)
    await drained(store, ear, NOON + 20)
    assert ear.said == []
    assert [one.hidden for one in await store.subscriptions(ANN.chat)] == [1, 1, 1]
    await tell(store, *(ring(one, 2) for one in armings), at=NOON + 3600)
    await drained(store, ear, NOON + 3610)
    assert sorted(map(number_in, ear.told())) == [1, 2]
    assert await store.unmute_all(ANN.chat, NOON + 3610) == 1
    await tell(store, ring(armings[2], 3), at=NOON + 3620)
    await drained(store, ear, NOON + 3630)
    assert sorted(map(number_in, ear.told())) == [1, 2, 3]
