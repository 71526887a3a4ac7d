"""First contact and plain words at the desk: what is offered, and that nothing is armed without the tap."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from bot.alerts.handouts import MARK
from bot.alerts.message import LINE, Message
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.metrics import MetricKey, Observation
from bot.store.sql import SqlStore
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.test_commands import ADMIN, ANN, GROUP, MEMBER, Room

BEA = Caller(ChatRef("telegram", "2"), ChatKind.PRIVATE, "bea-id", "Bea")


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Room:
    return Room(store, HandMarket(clock, btc=104_000.0, eth=3_010.5), clock)


def offered(message: Message) -> list[str]:
    """List the lines of the buttons; all of them can be shown."""
    buttons = [button for row in message.buttons for button in row]
    assert all(button.is_sound for button in buttons)
    return [button.line for button in buttons]


async def answer(room: Room, words: str, caller: Caller = ANN) -> Message:
    [message] = await room.replies(words, caller)
    return message


async def rules(room: Room, caller: Caller = ANN) -> list[str]:
    return [one.alert.rule for one in await room.store.subscriptions(caller.chat)]


async def press(room: Room, line: str, caller: Caller = ANN) -> str:
    return await room.say(line, replace(caller, has_pressed=True))


# --- plain words --------------------------------------------------------------------------------------------


async def test_plain_words_arm_nothing_until_their_button_is_pressed(room: Room) -> None:
    message = await answer(room, "tell me when eth is above 5000")
    assert message.plain() == (
        "I read that as: ETH/USDT above 5,000. Now 3,010.5 (66.1% away).\n"
        "Nothing is armed yet: press the button, or send: /alert eth > 5000"
    )
    assert await rules(room) == []
    [line] = offered(message)
    assert "#1 armed: ETH/USDT above 5,000" in await press(room, line)
    assert await rules(room) == ["eth > 5000"]


async def test_a_button_that_is_pressed_twice_arms_once_and_again_after_the_alert_is_gone(room: Room) -> None:
    [line] = offered(await answer(room, "btc below 100k"))
    assert "#1 armed" in await press(room, line)
    assert "#1 is that alert already" in await press(room, line)
    assert await rules(room) == ["btc < 100000"]
    assert "#2 armed" in await room.say(line), "what is typed means what it says"
    await room.script("/delete 2", "/pause 1")
    assert "#3 armed" in await press(room, line)


async def test_a_level_without_a_side_is_offered_as_both_the_coming_one_first(room: Room) -> None:
    message = await answer(room, "btc 100k")
    assert message.lines == (
        "That can mean two things:",
        "1. BTC/USDT below 100,000. Now 104,000 (3.8% away).",
        "2. BTC/USDT above 100,000. Now 104,000 (3.8% away). "
        "That is so already: it would wait to be clear first.",
        "Nothing is armed yet: press the one that you mean.",
    )
    assert offered(message) == ["/alert btc < 100000", "/alert btc > 100000"]
    assert offered(await answer(room, "btc 110k")) == ["/alert btc > 110000", "/alert btc < 110000"]


async def test_a_level_far_from_the_price_is_asked_about_before_it_is_offered(room: Room) -> None:
    message = await answer(room, "btc 100.000")
    assert "Did you mean 100,000?" in message.plain()
    assert offered(message) == ["/alert btc < 100 sure"]


async def test_a_rule_too_long_for_a_button_is_kept_for_it(room: Room) -> None:
    said = "tell me when btc is above 105k and eth is above 5k and btc is below 200k and eth is below 9k"
    [line] = offered(await answer(room, said))
    assert line.startswith(f"/alert {MARK}")
    assert len(line) <= LINE
    room.clock.time += 86_400
    assert "#1 armed" in await press(room, line)
    [rule] = await rules(room)
    assert "105000" in rule
    assert "9000" in rule
    room.clock.time += 7 * 86_400
    assert "too old" in await press(room, line)


async def test_a_misspelt_name_is_answered_with_the_nearest_and_its_button(room: Room) -> None:
    message = await answer(room, "bct below 100k")
    assert "No exchange that I watch lists BCT/USDT." in message.lines
    assert "I read that as: BTC/USDT below 100,000" in message.plain()
    assert offered(message) == ["/alert btc < 100000"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("/alrt btc < 100k", "/alert btc < 100k"),
        ("/alert bct < 100k", "/alert btc < 100k"),
        ("/alert btc belwo 100k", "/alert btc below 100k"),
        ("/alert ris(btc, 14, 4h) < 30", "/alert rsi(btc, 14, 4h) < 30"),
        ("/test bct/usdt < 90k", "/test btc/usdt < 90k"),
        ("/chart bct 4h", "/chart btc 4h"),
        ("/list", "/alerts"),
        ("/tz berlin", "/timezone berlin"),
    ],
)
async def test_what_is_mistyped_is_answered_with_a_button_that_says_it_right(
    room: Room, typed: str, meant: str
) -> None:
    assert offered(await answer(room, typed)) == [meant]
    assert await rules(room) == []


@pytest.mark.parametrize(
    "typed", ["/alert btc < 10o k", "/alert btc < 100k for 5", "/delete 7", "/alert xyzzyq < 1"]
)
async def test_a_number_is_never_put_right_with_a_button(room: Room, typed: str) -> None:
    await room.script("/alert btc < 90k")
    assert offered(await answer(room, typed)) == []


async def test_a_misspelt_metric_is_put_right_and_a_number_in_its_name_is_not(room: Room) -> None:
    for name in ("whale_btc", "longs_101k"):
        key = MetricKey("metric", name)
        await room.store.note([Observation(key, int(NOON), Decimal(5), NOON, source="push")], int(NOON))
    assert offered(await answer(room, "/alert metric(whale_bct) > 5")) == ["/alert metric(whale_btc) > 5"]
    assert offered(await answer(room, "/alert metric(longs_105k) > 5")) == []


async def test_a_command_without_its_stroke_is_offered(room: Room) -> None:
    assert offered(await answer(room, "alerts")) == ["/alerts"]
    assert offered(await answer(room, "price btc")) == ["/price btc"]
    assert offered(await answer(room, "btc")) == ["/price btc", "/chart btc"]
    assert offered(await answer(room, "watch btc")) == ["/price btc", "/chart btc"]
    assert offered(await answer(room, "good morning")) == ["/start"]


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("delete 1", "/delete 1"),
        ("mute 1 8h", "/mute 1 8h"),
        ("show me my alerts", "/alerts"),
        ("what's the price of btc?", "/price btc"),
        ("can I see a chart for eth/usdt please", "/chart eth/usdt"),
        ("what can you do?", "/start"),
        ("remove alert 1", "/delete 1"),
        ("set alert btc < 98k", "/alert btc < 98000"),
        ("etf outflow 500m", "/start"),
    ],
)
async def test_what_asks_for_a_command_is_answered_with_its_button(room: Room, said: str, line: str) -> None:
    await room.say("/alert btc < 90k")
    assert offered(await answer(room, said)) == [line]


async def test_plain_words_in_a_group_are_none_of_the_bots_business(room: Room) -> None:
    assert await room.replies("btc below 100k", MEMBER) == []
    assert await room.replies("tell me when btc is below 100k", ADMIN) == []


# --- the first contact --------------------------------------------------------------------------------------


async def test_start_offers_three_alerts_that_can_be_armed_here_and_the_clock(room: Room) -> None:
    message = await answer(room, "/start")
    lines = offered(message)
    assert lines == [
        "/alert btc moves 5% in 1h",
        "/alert btc < 99000",
        "/alert eth moves 10% in 24h",
        "/timezone",
        "/language en",
    ]
    for number, line in enumerate(lines[:3], 1):
        assert f"#{number} armed" in await press(room, line)


async def test_start_offers_what_this_deployment_can_see(room: Room) -> None:
    room.metrics.give("fear_greed", provider="alternative_me")
    assert "/alert fear_greed() < 20" in offered(await answer(room, "/start"))
    elsewhere = Room(room.store, HandMarket(room.clock, zec=500.0), room.clock)
    assert offered(await answer(elsewhere, "/start"))[0] == "/alert zec/usdt moves 5% in 1h"
    elsewhere.market.is_down = True
    assert "I watch the market" in (await answer(elsewhere, "/start")).plain()


async def test_the_clock_is_set_by_a_button_or_a_word_and_holds_wherever_times_are_told(room: Room) -> None:
    shown = await answer(room, "/timezone")
    assert "clock of UTC: it is 12:00 UTC" in shown.plain()
    assert "it is 07:00 EST" in await press(room, "/timezone America/New_York")
    armed = await room.say("/alert btc < 100k until 2025-11-20 08:00")
    assert "until 08:00 EST, Nov 20, 2025" in armed
    assert await rules(room) == ["btc < 100000 until 2025-11-20T13:00Z"]
    assert "07:00 EST" in await room.say("/price btc")
    assert "15:00 EST" in await room.say("/mute 1 8h")
    await room.say("/timezone utc+5:30")
    assert "17:30 IST" in await room.say("/price btc")


async def test_an_unknown_zone_is_answered_with_the_nearest_and_sets_nothing(room: Room) -> None:
    message = await answer(room, "/timezone berlni")
    assert offered(message)[0] == "/timezone Europe/Berlin"
    assert "12:00 UTC" in await room.say("/timezone")


async def test_a_time_zone_that_no_longer_exists_is_utc_and_said_to_be_gone(
    room: Room, store: SqlStore
) -> None:
    await store.set_timezone(ANN, "Mars/Olympus_Mons", NOON)
    assert "22:00 UTC" in await room.say("/alert btc < 90k until 2026-12-31 22:00")
    assert "quiet" in (await room.say("/quiet 23:00-07:00")).lower()
    assert "09:00 UTC" in await room.say("/report daily 09:00")
    shown = await room.say("/timezone")
    assert "Mars/Olympus_Mons is no time zone any more, so times are told in UTC" in shown
    assert "on the clock of Europe/Berlin from now on" in await room.say("/timezone berlin")


async def test_the_clock_of_a_group_is_set_by_its_admins_and_holds_in_its_topics(room: Room) -> None:
    topic = replace(ADMIN, chat=replace(GROUP, thread="7"))
    new = replace(MEMBER, chat=replace(GROUP, thread="8"))
    assert "12:00 UTC" in await room.say("/timezone", topic)
    assert "for its admins" in await room.say("/timezone Tokyo", MEMBER)
    assert "everybody in this group" in await room.say("/timezone Tokyo", topic)
    for caller in (MEMBER, topic, new):
        assert "21:00 JST" in await room.say("/timezone", caller)
    assert "12:00 UTC" in await room.say("/timezone", ANN)


async def test_only_a_language_that_there_is_can_be_chosen(room: Room) -> None:
    assert offered(await answer(room, "/language german")) == ["/language en"]
    assert "I speak English here from now on." in await press(room, "/language en")
    assert (await room.store.meet(ANN, NOON)).language == "en"


# --- what is handed on --------------------------------------------------------------------------------------


@pytest.mark.both
async def test_an_alert_is_copied_by_a_link_once_it_was_shown_and_asked(room: Room) -> None:
    await room.script("/alert btc < 100k for 5m")
    shared = await answer(room, "/share 1")
    [line] = offered(shared)
    token = line.removeprefix("/start ")
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", token), "what a deep link may carry"
    assert (await answer(room, "/share 1")).buttons == shared.buttons, (
        "one token, however often it is asked for"
    )
    brought = await answer(room, line, BEA)
    assert brought.lines[:2] == (
        "Ann hands you an alert:",
        "BTC/USDT below 100,000 for 5 minutes. Now 104,000 (3.8% away).",
    )
    assert await rules(room, BEA) == []
    [arm] = offered(brought)
    assert "#1 armed" in await press(room, arm, BEA)
    assert await rules(room, BEA) == await rules(room) == ["btc < 100000 for 5m"]
    room.clock.time += 31 * 86_400
    stale = await room.say(line, BEA)
    assert stale.startswith("I watch the market")
    assert "That link or button is too old" in stale


async def test_what_is_handed_on_has_the_numbers_of_a_chats_own_levels(room: Room) -> None:
    await room.script("/level floor 90k", "/level cost 80k", caller=replace(ANN, person="op-id"))
    await room.script("/level floor 101k")
    await room.script("/confirm 1")
    await room.script("/alert btc < @floor and btc < @cost")
    [line] = offered(await answer(room, "/share 1"))
    assert "btc < 101000 and btc < @cost" in (await answer(room, line, BEA)).plain()


async def test_what_is_no_token_is_refused_and_arms_nothing(room: Room) -> None:
    for line in ("/alert !", "/alert !nonsense", "/alert !AAAAAAAAAAAAAAAA sure"):
        assert "too old, or was not copied whole" in await room.say(line)
    assert "There is no alert #7 here." in await room.say("/share 7")
    assert await rules(room) == []
