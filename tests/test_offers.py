"""Buttons: what messages offer to press, that it works when it is said, and fits every platform."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.alerts.message import LABEL, LINE, Button, Buttons, Message, sound
from bot.alerts.models import Notification, Telling
from bot.alerts.people import Caller, ChatRef
from bot.alerts.translator import ENGLISH
from bot.alerts.wording import word
from bot.commands import COMMANDS
from bot.rules import RuleError, parse, read
from bot.rules.threshold import moved, threshold, with_threshold
from bot.store.sql import SqlStore
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.pictures import ring
from tests.test_commands import ADMIN, ANN, MEMBER, OPERATOR, Room


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Room:
    return Room(store, HandMarket(clock, btc=69_400.0, eth=3_010.5), clock)


def lines_of(rows: Buttons) -> list[list[str]]:
    return [[button.line for button in row] for row in rows]


def told(rule: str, alert: str = "#3", named: str = "") -> Message:
    facts = ring(rule, named, alert=alert)
    notification = Notification(1, ChatRef("telegram", "1"), Telling.RING, "ring", facts, NOON)
    return word(notification, ENGLISH, NOON, patience=1e9)


async def last(room: Room, words: str, caller: Caller = ANN) -> Message:
    """Say a line and give the last reply."""
    return (await room.replies(words, caller))[-1]


def assert_fits(message: Message) -> None:
    """Hold the buttons of a message against the bounds of both platforms, and against what can be said."""
    assert sound(message.buttons) == message.buttons
    is_list = message.takes_place and "/edit" in str(message.buttons)
    assert len(message.buttons) <= (6 if is_list else 3)
    known = {command.name for command in COMMANDS}
    for row in message.buttons:
        assert 1 <= len(row) <= (4 if is_list else 3)
        assert sum(len(button.label) for button in row) <= 48
        for button in row:
            assert len(button.line.encode()) <= 60  # Telegram keeps 64 bytes
            assert len(f"say:{button.line}") <= 100  # Discord keeps 100 characters
            assert button.line[1:].split()[0] in known


# --- rings --------------------------------------------------------------------------------------------------


def test_a_ring_that_came_once_is_armed_again_or_its_level_moved() -> None:
    message = told("btc/usdt < 100000", named="btc < 100000")
    assert lines_of(message.buttons) == [
        ["/resume 3", "/chart btc/usdt", "/why 3"],
        ["/edit 3 99000", "/edit 3 101000"],
        ["/delete 3 ask"],
    ]
    assert [button.label for button in message.buttons[1]] == ["Move to 99,000", "Move to 101,000"]


def test_a_ring_that_goes_on_is_snoozed() -> None:
    message = told("btc/usdt < 100000 repeat", named="btc < 100000 repeat")
    assert message.buttons[0][0] == Button("Snooze 1h", "/mute 3 1h")


def test_a_shared_ring_is_neither_deleted_nor_moved() -> None:
    message = told("btc/usdt < 100000", "btc-floor", "btc < 100000")
    assert lines_of(message.buttons) == [["/mute btc-floor 1h", "/chart btc/usdt", "/why btc-floor"]]


def test_a_level_by_name_is_not_the_alerts_own_to_move() -> None:
    message = told("btc/usdt < 100000", named="btc < @floor")
    assert lines_of(message.buttons)[1:] == [["/delete 3 ask"]]


def test_a_rule_on_two_prices_has_no_chart() -> None:
    rule = "btc/usdt < 100000 and eth/usdt < 3000"
    assert lines_of(told(rule).buttons) == [["/resume 3", "/why 3"], ["/delete 3 ask"]]


@pytest.mark.parametrize(
    ("number", "percent", "result"),
    [
        ("100000", "1", "101000"),
        ("98765", "1", "99750"),
        ("0.00001234", "-1", "0.00001222"),
        ("3", "-1", "2.97"),
        ("0.5", "12.5", "0.5625"),
    ],
)
def test_a_moved_level_has_four_digits(number: str, percent: str, result: str) -> None:
    assert str(moved(Decimal(number), Decimal(percent))) == result


@given(st.decimals("1e-10", "1e12", allow_nan=False))
def test_one_percent_moves_every_level(number: Decimal) -> None:
    assert moved(number, Decimal(-1)) < number < moved(number, Decimal(1))


@pytest.mark.parametrize(
    ("rule", "number"),
    [
        ("btc < 100000", "100000"),
        ("100000 > btc for 5m", "100000"),
        ("btc crosses above 2.5", "2.5"),
        ("rsi(btc, 4h) < 30 repeat", "30"),
        ("btc < @floor", None),
        ("btc < 1 and eth < 2", None),
        ("btc moves down 5% in 1h", None),
        ("btc > eth", None),
        ("not btc < 1", None),
    ],
)
def test_a_rule_of_one_term_has_a_number_to_move(rule: str, number: str | None) -> None:
    tree = parse(rule)
    assert threshold(tree) == (None if number is None else Decimal(number))
    if number is not None:
        other = with_threshold(tree, Decimal(7))
        assert str(other) == str(tree).replace(number, "7")


# --- what commands offer ------------------------------------------------------------------------------------


async def test_a_new_alert_can_be_deleted_with_a_question_in_between(room: Room) -> None:
    made = await last(room, "/alert btc > 70k")
    assert lines_of(made.buttons) == [["/delete 1 ask"]]
    asked = await last(room, made.buttons[0][0].line)
    assert asked.plain() == "Delete #1? btc > 70000"
    assert lines_of(asked.buttons) == [["/delete 1", "/delete 1 keep"]]
    kept = await last(room, "/delete 1 keep")
    assert kept.plain() == "#1 stays: btc > 70000"
    assert kept.buttons == made.buttons
    deleted = await last(room, "/delete 1")
    assert (deleted.plain(), deleted.buttons) == ("#1 is deleted: btc > 70000", ())
    again = await last(room, "/delete 1")
    assert again.is_private
    assert (await last(room, "/delete 1 ask")).is_private


async def test_an_unknown_word_deletes_nothing(room: Room) -> None:
    await room.say("/alert btc > 70k")
    assert await room.say("/delete 1 now") == '"now" is neither ask nor keep. /delete 1 deletes it.'
    assert len(await room.store.subscriptions(ANN.chat)) == 1


async def test_an_alert_that_waits_can_be_told_now(room: Room) -> None:
    made = await last(room, "/alert btc < 70k")
    assert lines_of(made.buttons) == [["/ringnow 1", "/delete 1 ask"]]


async def test_a_muted_alert_is_unmuted_and_a_paused_one_resumed(room: Room) -> None:
    await room.say("/alert btc > 70k repeat")
    assert lines_of((await last(room, "/mute 1 1h")).buttons) == [["/unmute 1", "/why 1"]]
    assert lines_of((await last(room, "/unmute 1")).buttons) == [["/delete 1 ask"]]
    assert lines_of((await last(room, "/pause 1")).buttons) == [["/resume 1"]]
    assert lines_of((await last(room, "/resume 1")).buttons) == [["/delete 1 ask"]]


async def test_a_long_list_is_paged_in_place(room: Room) -> None:
    for number in range(21):
        await room.say(f"/alert btc > {70_000 + number}")
    pages = [await last(room, f"/alerts {page}") for page in (1, 2, 3)]
    assert [lines_of(page.buttons)[-1] for page in pages] == [
        ["/alerts 2"],
        ["/alerts 1", "/alerts 3"],
        ["/alerts 2"],
    ]
    assert all(page.takes_place for page in pages)


async def test_each_alert_of_a_list_that_is_the_chats_own_is_edited_or_deleted_with_a_tap(room: Room) -> None:
    await room.say("/publish btc-floor btc < 70k", OPERATOR)
    await room.script("/subscribe btc-floor", "/alert btc > 70k", "/alert btc > 71k", "/alert btc > 72k")
    listed = await last(room, "/alerts")
    assert lines_of(listed.buttons) == [
        ["/edit 1", "/delete 1 ask", "/edit 2", "/delete 2 ask"],
        ["/edit 3", "/delete 3 ask"],
    ]
    assert [button.label for button in listed.buttons[1]] == ["✎ #3", "✕ #3"]
    pressed = replace(ANN, has_pressed=True)
    assert lines_of((await last(room, "/delete 3", pressed)).buttons) == [["/alerts"]]


async def test_an_edit_without_a_rule_shows_the_alert_and_how_it_is_changed(room: Room) -> None:
    await room.script("/alert btc > 70k repeat", "/alert btc > 70k and eth > 4k")
    asked = await last(room, "/edit 1")
    assert asked.plain() == (
        "#1 is: btc > 70000 repeat\n"
        "Send it another level or rule: /edit 1 66500, or /edit 1 btc > 66500 repeat"
    )
    assert lines_of(asked.buttons) == [
        ["/edit 1 69300", "/edit 1 70700"],
        ["/delete 1 ask", "/alerts"],
    ]
    of_two = await last(room, "/edit 2")
    assert of_two.plain().endswith("Send it another rule: /edit 2 btc > 70000 and eth > 4000")
    assert lines_of(of_two.buttons) == [["/delete 2 ask", "/alerts"]]
    assert "armed" in await room.say("/edit 1 66500")


async def test_only_answers_that_stand_for_themselves_take_the_place_of_what_was_pressed(room: Room) -> None:
    await room.say("/alert btc > 70k")
    assert not (await last(room, "/edit 1 71k")).takes_place
    assert not (await last(room, "/delete 1")).takes_place


# --- /edit --------------------------------------------------------------------------------------------------


async def test_an_edited_alert_is_armed_anew_with_its_number(room: Room) -> None:
    await room.say("/alert btc > 70k")
    [before] = await room.store.subscriptions(ANN.chat)
    message = await last(room, "/edit 1 btc < 68k repeat")
    assert message.lines == (
        "#1 armed: BTC/USDT below 68,000, every time. Now 69,400 (2% away).",
        "Before: btc > 70000",
    )
    [after] = await room.store.subscriptions(ANN.chat)
    assert after.alert.rule == "btc < 68000 repeat"
    assert after.alert.number == 1
    assert before.arming is not None
    assert after.arming is not None
    assert after.arming.id != before.arming.id
    changes = await room.store.changes(0, 0)
    assert [one.arming.id for one in changes.made] == [after.arming.id]


async def test_an_edit_that_is_true_already_waits_to_be_clear_first(room: Room) -> None:
    await room.say("/alert btc > 70k")
    message = await last(room, "/edit 1 btc < 70k")
    assert "It is true already, so it waits to be clear first." in message.lines
    assert message.buttons[0][0].line == "/ringnow 1"


@pytest.mark.parametrize(
    ("words", "rule"),
    [("71k", "btc > 71000 for 5m"), ("+1%", "btc > 70700 for 5m"), ("-10 %", "btc > 63000 for 5m")],
)
async def test_the_level_of_an_alert_is_moved(room: Room, words: str, rule: str) -> None:
    await room.say("/alert btc > 70k for 5m")
    await room.say(f"/edit 1 {words}")
    [subscription] = await room.store.subscriptions(ANN.chat)
    assert subscription.alert.rule == rule


async def test_a_move_that_is_pressed_twice_moves_once(room: Room) -> None:
    await room.say("/alert btc > 70k")
    assert not (await last(room, "/edit 1 70700")).is_private
    again = await last(room, "/edit 1 70700")
    assert again.is_private
    assert again.plain() == "#1 is that already: btc > 70700."


async def test_an_edit_takes_up_an_alert_that_rang_or_is_paused(room: Room) -> None:
    await room.script("/alert btc > 70k", "/pause 1")
    assert not (await last(room, "/edit 1 btc > 70k")).is_private
    await room.ring()
    assert not (await last(room, "/edit 1 btc > 70k")).is_private
    [subscription] = await room.store.subscriptions(ANN.chat)
    assert subscription.state is None


async def test_an_edit_follows_the_levels_that_it_names(room: Room) -> None:
    await room.script("/level floor 68k", caller=OPERATOR)
    await room.script("/alert btc > 70k", "/edit 1 btc < @floor")
    reach = await room.store.reach("floor", None, OPERATOR.chat)
    assert [following.rule for following in reach.followings] == ["btc < @floor"]
    await room.script("/edit 1 btc < 60k")
    assert not (await room.store.reach("floor", None, OPERATOR.chat)).followings


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("/edit 7 btc < 98k", "There is no alert #7 here."),
        ("/edit 1 btc <", "btc <"),
        ("/edit 1 btc < 10", "/edit 1 btc < 10 sure"),
        ("/edit 1 -100%", "That would leave nothing of 70,000."),
        ("/edit 2 +1%", "#2 has no single number of its own to move: btc > @cost."),
        ("/edit btc-floor btc < 98k", "btc-floor is shared: it is not this chat's to edit."),
        ("/edit", "/edit ALERT [RULE]"),
        ("/edit btc-floor", "btc-floor is shared: it is not this chat's to edit."),
    ],
)
async def test_an_edit_that_cannot_be_done_changes_nothing(room: Room, words: str, answer: str) -> None:
    await room.script("/level cost 70k", "/publish btc-floor btc < 60k", caller=OPERATOR)
    await room.script("/alert btc > 70k", "/alert btc > @cost", "/subscribe btc-floor")
    before = await room.store.subscriptions(ANN.chat)
    message = await last(room, words)
    assert message.is_private
    assert answer in message.plain()
    assert await room.store.subscriptions(ANN.chat) == before


# --- bounds -------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    ["btc", "eth/usd", "btc/usdt@kraken", "1000000mog/usdt@kraken", "x" * 20 + "/" + "y" * 20]
)
NUMBERS = st.decimals("0.00000001", "999999999999", places=8, allow_nan=False)
OPTIONS = st.sampled_from(["", " repeat", " once", " for 5m", ' repeat cooldown 1h note "a"'])
RULES = st.builds(
    lambda name, op, number, more: f"{name} {op} {number:f}{more}",
    NAMES,
    st.sampled_from("<>"),
    NUMBERS,
    OPTIONS,
)


@given(RULES, st.sampled_from(["#1", "#2147483647", "a" * 32]))
def test_whatever_a_ring_offers_fits_every_platform(text: str, label: str) -> None:
    try:
        rule = str(read(text).rule)
    except RuleError:
        return
    assert_fits(told(rule, label, rule))


WORDS = st.sampled_from(
    [
        *("/alert btc < 70k", "/alert btc > 70k repeat", "/alert eth < @cost", "/alert btc > 1", "/alerts"),
        *(
            "/alerts 2",
            "/edit 1",
            "/edit 2",
            "/edit 1 btc < 65k",
            "/edit 1 +1%",
            "/edit 2 71k",
            "/delete 1",
            "/delete 1 ask",
        ),
        *("/delete 2 keep", "/mute 1 1h", "/unmute 1", "/mute " + "n" * 32 + " 1h", "/pause 1", "/resume 1"),
        *("/ringnow 1", "/level cost 3000", "/level cost 2900", "/confirm 1", "/discard 1", "/confirm 2"),
        *("/publish " + "n" * 32 + " btc < @cost", "/subscribe " + "n" * 32, "/unsubscribe " + "n" * 32),
        *("/unpublish " + "n" * 32, "/catalogue", "/catalogue " + "w" * 60 + " 2", "/audit", "/undo 1"),
        *("/why", "/why 1", "/why " + "n" * 32, "/history", "/history 1", "/history all 2", "/snooze 1 1h"),
        *("/audit " + "é" * 40, "/help", "/help edit", "/price btc", "/status", "/feeds", "/test btc < 70k"),
    ]
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(WORDS, st.sampled_from([ANN, OPERATOR, ADMIN, MEMBER])), min_size=5, max_size=25))
async def test_whatever_a_command_offers_fits_every_platform(
    room: Room, script: list[tuple[str, Caller]]
) -> None:
    for words, caller in script:
        for message in await room.replies(words, caller):
            assert_fits(message)


def test_what_does_not_fit_is_left_out() -> None:
    good = Button("Yes", "/confirm 1")
    rows = (
        (Button("", "/a"), Button("x" * (LABEL + 1), "/b"), Button("Talk", "hello")),
        (good, Button("Same", "/confirm 1"), Button("Long", "/" + "é" * (LINE // 2))),
    )
    assert sound(rows) == ((good,),)
