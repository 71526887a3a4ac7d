"""What the desk answers when levels and shared alerts are changed, confirmed, and taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.alerts.message import Button
from bot.alerts.people import Caller, ChatRef
from bot.commands import make_desk
from bot.commands.levels import Move, read_move
from bot.metrics import Bar
from bot.store.sql import SqlStore
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.test_commands import ADMIN, ANN, GROUP, OPERATOR, Room

UNSURE = replace(ADMIN, is_admin=None)


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Room:
    return Room(store, HandMarket(clock, btc=69_400.0, eth=3_400.0), clock)


async def followed(room: Room) -> None:
    """Let two chats follow a shared alert on a level of 65,000."""
    await room.script("/level floor 65k", "/publish btc-floor btc < @floor", caller=OPERATOR)
    await room.script("/subscribe btc-floor")
    await room.script("/subscribe btc-floor", caller=ADMIN)


@pytest.mark.both
async def test_a_change_is_shown_with_buttons_before_it_is_made(room: Room) -> None:
    await followed(room)
    [message] = await room.replies("/level floor 70k", OPERATOR)
    assert message.lines == (
        "@floor would move from 65,000 to 70,000. It holds in every chat without one of its own.",
        "1 alert follows it in 2 chats: btc-floor (2).",
        "True already, so it would wait to be clear first: btc-floor.",
        "Nothing is changed yet. /confirm 1 does it, /discard 1 drops it; it waits until 12:15 UTC.",
    )
    assert message.buttons == ((Button("Confirm", "/confirm 1"), Button("Discard", "/discard 1")),)
    assert (
        await room.say("/levels") == "@floor 65,000, set by Olga at 12:00 UTC · 1 alert follows it in 2 chats"
    )


async def test_what_would_have_rung_follows_as_an_edit(room: Room) -> None:
    await followed(room)
    hours = range(int(NOON) - 3 * 86_400, int(NOON), 3600)
    bars = [Bar(at, 68_000, 68_100, 67_900 if at % 7200 else 66_500, 68_000, 1.0, 3600) for at in hours]
    room.market.feed("btc/usdt", bars)
    first, second = await room.replies("/level floor 67k", OPERATOR)
    assert "None of them would be true already." in first.lines
    assert "btc-floor in the 3 days known: 0 rings at 65,000, 36 rings at 67,000." in second.lines
    assert second.buttons == first.buttons


async def test_the_edit_does_not_come_when_the_proposal_is_settled_already(room: Room) -> None:
    await followed(room)
    hours = range(int(NOON) - 3 * 86_400, int(NOON), 3600)
    room.market.feed("btc/usdt", [Bar(at, 68_000, 68_100, 67_900, 68_000, 1.0, 3600) for at in hours])
    replies = room.desk.dispatch(OPERATOR, "/level floor 67k")
    assert "would move" in (await anext(replies)).plain()
    await room.script("/confirm 1", caller=OPERATOR)
    assert [reply async for reply in replies] == []


async def test_only_so_many_alerts_are_reckoned_with_and_all_are_counted(room: Room) -> None:
    await room.script("/level floor 65k", caller=OPERATOR)
    for number in range(7):
        await room.script(f"/publish f{number} btc < @floor - {number}", caller=OPERATOR)
        await room.script(f"/subscribe f{number}")
    await room.script("/alert btc < @floor", caller=ADMIN)
    answer = await room.say("/level floor 64k", OPERATOR)
    assert "8 alerts follow it in 2 chats" in answer
    assert "f6 (1), and 1 that other chats made for themselves." in answer
    assert "Only the 5 with the most chats are looked at." in answer


async def test_a_value_that_makes_no_sense_for_one_that_follows_is_refused_at_once(room: Room) -> None:
    await room.script("/level low 20", caller=OPERATOR)
    await room.script("/publish calm btc: rsi(14, 4h) < @low", caller=OPERATOR)
    await room.script("/subscribe calm")
    assert "out of its range" in await room.say("/level low 101 sure", OPERATOR)
    assert await room.store.proposal(1) is None


async def test_a_proposal_is_refused_to_whoever_lost_the_right_and_to_others(room: Room) -> None:
    await followed(room)
    room.admins.add((GROUP, "adm-id"))
    await room.script("/level floor 66k", caller=UNSURE)
    other = replace(ADMIN, person="other-id", name="Otto")
    assert await room.say("/confirm 1", other) == (
        "Proposal 1 is for Ada to confirm.\nIf you want the same, say it yourself."
    )
    assert "is for Ada" in await room.say("/discard 1", other)
    assert "no proposal 1 in this chat" in await room.say("/confirm 1", ANN)
    room.admins.clear()
    assert await room.say("/confirm 1", UNSURE) == "You are no admin here any more: nothing is changed."
    assert "65,000" in await room.say("/levels", ADMIN)
    room.admins.add((GROUP, "adm-id"))
    assert "moved from 65,000 to 66,000. It holds in this chat." in await room.say("/confirm 1", UNSURE)


async def test_an_operator_who_is_none_any_more_changes_nothing(room: Room) -> None:
    await followed(room)
    await room.script("/level floor 66k", caller=OPERATOR)
    office = replace(room.office, operators=frozenset())
    [answer] = [reply async for reply in make_desk(office).dispatch(OPERATOR, "/confirm 1")]
    assert (
        answer.plain() == "That is for the operators of this bot now, and you are none: nothing is changed."
    )


async def test_an_expired_proposal_changes_nothing_and_says_so(room: Room) -> None:
    await followed(room)
    await room.script("/level floor 66k", caller=OPERATOR)
    room.clock.time += 901
    assert "Proposal 1 expired at 12:15 UTC: nothing is changed." in await room.say("/confirm 1", OPERATOR)
    assert "expired" in await room.say("/discard 1", OPERATOR)


async def test_the_second_of_two_sees_what_the_first_did_and_confirms_anew(room: Room) -> None:
    await followed(room)
    second = replace(OPERATOR, chat=ChatRef("telegram", "8"), person="op-2", name="Oskar")
    office = replace(room.office, operators=frozenset({("telegram", "op-id"), ("telegram", "op-2")}))
    desk = make_desk(office)

    async def said(words: str, who: Caller) -> str:
        [answer] = [reply async for reply in desk.dispatch(who, words)]
        return answer.plain()

    await said("/level floor 66k", OPERATOR)
    await said("/level floor 67k", second)
    await said("/confirm 1", OPERATOR)
    answer = await said("/confirm 2", second)
    assert answer.startswith("@floor was changed meanwhile: it is 66,000, set by Olga at 12:00 UTC.")
    assert "@floor would move from 66,000 to 67,000." in answer
    assert "was dropped" in await said("/confirm 2", second)
    assert "moved from 66,000 to 67,000" in await said("/confirm 3", second)


async def test_a_change_is_taken_back_and_what_was_changed_again_is_not(room: Room) -> None:
    await followed(room)
    await room.script("/level floor 66k", "/confirm 1", caller=OPERATOR)
    assert "changed again since, by Olga" in await room.say("/undo 1", OPERATOR)
    assert "would move from 66,000 to 65,000" in await room.say("/undo 3", OPERATOR)
    assert "moved from 66,000 to 65,000" in await room.say("/confirm 2", OPERATOR)
    assert "@floor 66,000 → 65,000 (everywhere), takes back 3" in await room.say("/audit", OPERATOR)
    await room.script("/level new 5", caller=OPERATOR)
    assert (await room.say("/undo 5", OPERATOR)).startswith("@new is taken away.")
    assert "There is no change 99 here." in await room.say("/undo 99", OPERATOR)


async def test_an_undo_that_was_overtaken_while_it_waited_is_refused(room: Room) -> None:
    await followed(room)
    await room.script("/level floor 66k", "/confirm 1", "/undo 3", caller=OPERATOR)
    await room.script("/level floor 67k", "/confirm 3", caller=OPERATOR)
    assert "changed again since" in await room.say("/confirm 2", OPERATOR)
    assert "67,000" in await room.say("/levels", OPERATOR)
    assert "was dropped" in await room.say("/confirm 2", OPERATOR)


async def test_an_admin_sees_and_takes_back_what_holds_in_the_chat_alone(room: Room) -> None:
    await room.script("/level floor 65k", caller=OPERATOR)
    await room.script("/level own 5", caller=ADMIN)
    assert await room.say("/audit", ADMIN) == (
        "2. 12:00 UTC, Ada: @own set to 5 (in this chat)\nTo take one back: /undo 2"
    )
    assert "Nothing was changed with floor in it." in await room.say("/audit floor", ADMIN)
    assert "There is no change 1 here." in await room.say("/undo 1", ADMIN)
    assert "@own set to 5 (in telegram:-100)" in await room.say("/audit", OPERATOR)
    assert (await room.say("/undo 2", ADMIN)).startswith("@own is taken away.")
    assert "Nothing was changed yet." in await room.say("/audit")


async def test_a_level_that_is_followed_cannot_be_taken_away_where_there_is_no_other(room: Room) -> None:
    await followed(room)
    assert "while alerts follow it: set it instead" in await room.say("/level floor none", OPERATOR)
    await room.script("/level floor 64k", "/confirm 1", caller=ADMIN)
    assert "@floor would move from 64,000 to 65,000." in await room.say("/level floor none", ADMIN)
    await room.script("/confirm 2", caller=ADMIN)
    assert "no level @floor of this chat's own" in await room.say("/level floor none", ADMIN)


async def test_the_catalogue_is_paged_and_searched(room: Room) -> None:
    for number in range(12):
        await room.script(f"/publish a{number:02} btc > 7{number:02}00", caller=OPERATOR)
    await room.script("/publish flows eth < 3k", caller=OPERATOR)
    lines = (await room.say("/catalogue")).splitlines()
    assert [line.partition(":")[0] for line in lines[:10]] == [f"a{number:02}" for number in range(10)]
    assert lines[10] == "Page 1 of 2. Next: /catalogue 2"
    assert "flows: ETH/USDT below 3,000" in await room.say("/catalogue 2")
    assert (await room.say("/catalogue ETH below")).startswith("flows: ")
    assert "Page 2 of 2. Next: /catalogue btc 1" in await room.say("/catalogue btc 9")


async def test_names_in_answers_are_bounded(room: Room) -> None:
    for words in ("/level " + "x" * 3000, "/subscribe " + "y" * 3000, "/subscribe btc " + "z" * 3000):
        assert len(await room.say(words)) < 300


@pytest.mark.parametrize("how", ["95k", "@floor", "@floor=x", "floor=", "@a-b=1", "@floor=5%"])
async def test_what_is_no_level_of_ones_own_is_refused(room: Room, how: str) -> None:
    await followed(room)
    answer = await room.say(f"/subscribe btc-floor {how}")
    assert "is no level of your own" in answer
    assert "/subscribe btc-floor @floor=95k" in answer


async def test_an_own_level_far_from_the_price_is_asked_about(room: Room) -> None:
    await followed(room)
    answer = await room.say("/subscribe btc-floor @floor = 95 urgent")
    assert answer.endswith("send: /subscribe btc-floor @floor=95 urgent sure")
    assert "armed: BTC/USDT below 95" in await room.say("/subscribe btc-floor @floor=95 urgent sure")
    assert "own @floor 95, else 65,000 · urgent" in await room.say("/alerts")


@pytest.mark.parametrize("time", ["soon", "0m", "31d", "8", "1h or btc > 1"])
async def test_a_mute_needs_a_time_in_bounds(room: Room, time: str) -> None:
    await followed(room)
    assert "is no time from a minute to 30 days" in await room.say(f"/mute btc-floor {time}")


def test_a_change_of_a_level_is_kept_as_it_was_meant() -> None:
    for chat in (None, GROUP, ChatRef("telegram", "1", "7")):
        move = Move("floor", None, chat, 3)
        assert read_move(move.document()) == move
