"""What an alert knows of itself: the list, /why and /history, from the store and so after a restart too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.nearness import nearness
from bot.alerts.people import Caller, ChatRef
from bot.alerts.rings import Rung, delivery, rung_line
from bot.alerts.translator import ENGLISH
from bot.chats.discord_text import escape
from bot.chats.discord_text import render as discord_parts
from bot.chats.telegram_posts import link_of
from bot.chats.telegram_text import render as telegram_parts
from bot.commands.stating import Hold
from bot.engine.state import AlertState
from bot.metrics import MINUTE, Bar, Close, MetricKey
from bot.ports import ChatGone, Judgement, Receipt, Rejected, RetryLater
from bot.rules import parse
from bot.rules.tree import Instrument
from bot.store.sql import SqlStore
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.storing import correction, make
from tests.test_commands import ADMIN, ANN, GROUP, MEMBER, Room

BTC, ETH = MetricKey("price", "btc/usdt"), MetricKey("price", "eth/usdt")
PRICES = {Instrument("btc", "usdt"): 100.0, Instrument("eth", "usdt"): 10.0}


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Room:
    return Room(store, HandMarket(clock, btc=69_400.0, eth=3_010.5), clock)


async def reach(room: Room, to: int, price: float = 69_300.0) -> None:
    """Write down how far btc was judged, as watch does."""
    epoch = await room.store.take(0, "test")
    closes = {BTC: Close(float(to - 1), price, "binance", "binance")}
    await room.store.commit(0, epoch, Judgement(room.clock.now(), judged_to={BTC: to}, closes=closes))


async def send(room: Room, *outcomes: object, caller: Caller = ANN) -> None:
    """Deliver what is due, with one outcome after the other."""
    for outcome in outcomes:
        [leased] = await room.store.lease(caller.chat.platform, room.clock.now(), 1)
        await room.store.settle(leased, outcome, room.clock.now())  # type: ignore[arg-type]
        if isinstance(outcome, RetryLater):
            room.clock.time += outcome.after


async def lines(room: Room, words: str, caller: Caller = ANN) -> list[str]:
    return (await room.say(words, caller)).splitlines()


# --- how near -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "near"),
    [
        ("btc/usdt > 110", 0.1),
        ("btc/usdt < 110", 0.0),
        ("90 > btc/usdt", 0.1),
        ("btc/usdt crosses 105", 0.05),
        ("btc/usdt < 95 for 4h", 0.05),
        ("not btc/usdt > 90", 0.1),
        ("not btc/usdt > 110", 0.0),
        ("btc/usdt enters 110 .. 120", 0.1),
        ("btc/usdt leaves 90 .. 120", 0.1),
        ("btc/usdt enters 90 .. 110", None),
        ("btc/usdt > 110 and eth/usdt > 12", 0.2),
        ("btc/usdt > 110 or eth/usdt > 12", 0.1),
        ("2 of (btc/usdt > 110, eth/usdt > 12, eth/usdt > 13)", 0.2),
        ("btc/usdt > 110 and rsi(btc/usdt, 14, 4h) < 30", 0.1),
        ("rsi(btc/usdt, 14, 4h) < 30", None),
        ("sol/usdt > 5", None),
        ("btc/usdt moves down 5% in 1h", None),
    ],
)
def test_the_distance_is_what_a_price_must_at_least_move(rule: str, near: float | None) -> None:
    found = nearness(parse(rule).condition, PRICES)
    assert found == (near if near is None else pytest.approx(near))


@given(st.floats(1e-6, 1e9), st.floats(1e-6, 1e9))
def test_a_comparison_is_near_or_its_opposite_is_true(price: float, level: float) -> None:
    prices = {Instrument("btc", "usdt"): price}
    rule = parse(f"btc/usdt > {level:.9f}").condition
    opposite = parse(f"not btc/usdt > {level:.9f}").condition
    near, far = nearness(rule, prices), nearness(opposite, prices)
    assert near is not None
    assert far is not None
    assert min(near, far) == 0.0
    assert near >= 0.0 <= far


# --- the list -----------------------------------------------------------------------------------------------


async def test_the_nearest_to_ringing_comes_first_and_what_rests_last(room: Room) -> None:
    await room.script("/alert btc > 80k", "/alert btc < 69k", "/alert btc > 70k", "/alert eth > 4k repeat")
    await room.script("/alert btc < 60k", "/alert btc > 65k")
    armed = AlertState(0, is_armed=True)
    cooling = AlertState(0, is_armed=True, episode=1, rang_at=NOON - 300)
    await room.judge(armed, armed, armed, cooling, armed, AlertState(0))
    await room.script("/pause 2")
    listed = await lines(room, "/alerts")
    assert [line.split()[0] for line in listed[:-1]] == ["#3", "#5", "#1", "#6", "#4", "#2"]
    assert "#4 ETH/USDT above 4,000, every time · cooling down until 12:10 UTC · now" in listed[4]


async def test_the_order_goes_by_prices_of_the_store_where_none_is_seen(room: Room) -> None:
    await room.script("/alert btc > 70k", "/alert btc < 60k")
    await room.judge(AlertState(0, is_armed=True), AlertState(0, is_armed=True))
    await reach(room, int(NOON), price=60_100.0)
    room.market.is_down = True
    assert [line.split()[0] for line in (await lines(room, "/alerts"))[:2]] == ["#2", "#1"]


async def test_a_time_that_runs_says_how_much_of_it_is_over_as_far_as_it_was_judged(room: Room) -> None:
    await room.script("/alert btc > 69k for 15m")
    since = int(NOON) - 240
    await room.judge(AlertState(since + MINUTE, is_armed=True, memory=(float(since), 0.0, 0.0)))
    await reach(room, int(NOON) - MINUTE)
    assert "· true for 3 of 15 min ·" in await room.say("/alerts")
    await reach(room, int(NOON))
    assert "· true for 4 of 15 min ·" in await room.say("/alerts")
    said = await lines(room, "/why 1")
    assert said[1] == "true for 4 of 15 min"
    assert "If that goes on, it rings at 12:11 UTC." in said


@pytest.mark.parametrize(
    ("seconds", "needed", "words"),
    [
        (0, 900, "true for 0 of 15 min"),
        (899, 900, "true for 14 of 15 min"),
        (9000, 4 * 3600, "true for 2.5 of 4 h"),
        (10 * 3600, 48 * 3600, "true for 10 of 48 h"),
        (36 * 3600, 7 * 86_400, "true for 1.5 of 7 d"),
    ],
)
def test_a_time_is_never_said_to_be_longer_than_it_is(seconds: float, needed: int, words: str) -> None:
    assert Hold(seconds, needed, 0.0).words(ENGLISH) == words


LONG = "btc > {} and eth > 3999.123456789 and btc/eur@kraken < 99999.123456 and eth/btc > 0.012345678"


async def test_a_hundred_alerts_are_pages_that_each_fit_every_platform(room: Room) -> None:
    room.market.set("btc/eur", 60_000.0)
    room.market.set("eth/btc", 0.04)
    await room.script("/level a_b_c_d_e_f_g_h_i_j_k_l_m_n 60k")
    for number in range(50):
        await make(room.store, ANN, LONG.format(70_000 + number))
        await make(room.store, ANN, f"btc < {60_000 - number}")
    await room.script("/edit 2 btc < @a_b_c_d_e_f_g_h_i_j_k_l_m_n", "/mute 2 8h")
    labels: list[str] = []
    for page in range(1, 11):
        [message] = await room.replies(f"/alerts {page}")
        assert len(telegram_parts(message)) == len(discord_parts(message)) == 1
        labels += [line.split()[0] for line in message.lines if line.startswith("#")]
    assert len(labels) == len(set(labels)) == 100
    assert message.plain().endswith("Page 10 of 10. Next: /alerts 1")
    assert [button.label for button in message.buttons[-1]] == ["◀"]


async def test_a_page_that_is_no_more_is_the_last_one(room: Room) -> None:
    await room.script("/alert btc > 70k")
    assert await room.say("/alerts 9") == await room.say("/alerts")


# --- why ----------------------------------------------------------------------------------------------------


@pytest.mark.both
async def test_why_says_what_is_read_who_shows_it_and_what_comes_next(room: Room) -> None:
    await room.script("/alert btc > 70k and eth < 4k repeat")
    await room.judge(AlertState(0, is_armed=True))
    epoch = await room.store.take(0, "test")
    await room.store.commit(0, epoch, Judgement(NOON, judged_to={BTC: int(NOON), ETH: int(NOON) - MINUTE}))
    room.clock.time += 20
    assert await lines(room, "/why 1") == [
        "#1 BTC/USDT above 70,000 and ETH/USDT below 4,000, every time.",
        "armed",
        "BTC/USDT above 70,000: not true, 69,400 (0.9% away)",
        "ETH/USDT below 4,000: true, 3,010.5 (32.9% away)",
        "It rings at most once in 15 minutes.",
        "Next look: at every price; the minute to 12:00 UTC is judged next.",
        "BTC/USDT: 69,400, 20 seconds old. Binance.",
        "ETH/USDT: 3,010.5, 20 seconds old. Binance.",
        "It has not rung here yet.",
    ]


async def test_why_says_what_an_average_lacks(room: Room) -> None:
    day = 86_400
    midnight = int(NOON) // day * day
    room.market.feed("btc/usdt", [Bar(midnight - day, 9, 9, 9, 9, 1.0, day)])
    await room.replies("/alert close(btc, 1d) > sma(btc, 20, 1d)")
    said = await lines(room, "/why 1")
    assert any("unknown" in line for line in said[1:3])
    assert "Next look: 00:00 UTC, Nov 13, when a candle closes or a time ends." in said


async def test_why_without_a_name_is_of_the_nearest(room: Room) -> None:
    assert "No alerts here yet" in await room.say("/why")
    await room.script("/alert btc > 80k", "/alert btc > 70k")
    assert (await room.say("/why")).startswith("#2 BTC/USDT above 70,000.")


async def test_why_of_what_is_dark_tells_what_the_store_knows_last(room: Room) -> None:
    await room.script("/alert btc > 70k")
    await room.judge(AlertState(0, is_armed=True))
    await reach(room, int(NOON))
    room.clock.time += 600
    room.market.is_down = True
    room.market.listed.clear()
    said = await lines(room, "/why 1")
    assert "What it reads cannot be said: a price is not seen just now." in said
    assert "BTC/USDT: 69,300, 10 minutes old. Binance." in said
    assert "Next look: overdue, the minute to 12:01 UTC is judged next." in said


async def test_why_of_what_rests_says_so_and_offers_to_arm_it(room: Room) -> None:
    await room.script("/alert btc > 70k", "/pause 1")
    [message] = await room.replies("/why 1")
    assert message.lines[1] == "paused, /resume 1 takes it up again"
    assert message.buttons[0][0].line == "/resume 1"
    assert (await room.say("/why 7")).startswith("There is no alert #7 here.")


# --- what became of a ring ----------------------------------------------------------------------------------


async def test_what_became_of_a_ring_is_told_at_every_step_and_after_a_restart(
    room: Room, database: str
) -> None:
    await room.script("/alert btc < 100k")
    await room.ring()
    last = "Last ring: 12:00 UTC at 99,980; "
    assert (await lines(room, "/why 1"))[-1] == f"{last}being told now."
    await send(room, RetryLater(30.0, "telegram is down"))
    assert (await lines(room, "/why 1"))[-1] == (
        f"{last}not told yet: 1 attempt failed (telegram is down), next 12:00 UTC."
    )
    await send(room, RetryLater(30.0, "telegram is down"), Receipt("77"))
    told = f"{last}told 12:01 UTC, 60 seconds after it was due, at attempt 3."
    assert (await lines(room, "/why 1"))[-1] == told
    assert await lines(room, "/history") == [
        "12:00 UTC #1 BTC/USDT fell below 100,000 · 99,980",
    ]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Rejected("the text is refused"), "never told, given up 12:00 UTC: the text is refused"),
        (ChatGone("bot was blocked"), "not told yet: this chat could not be written to (bot was blocked)"),
    ],
)
async def test_a_ring_that_did_not_arrive_says_why(room: Room, outcome: object, words: str) -> None:
    await room.script("/alert btc < 100k")
    await room.ring()
    await send(room, outcome)
    rung, count = await room.store.rung(ANN.chat, "#1", 1, 5)
    assert count == 1
    assert delivery(rung[0], ENGLISH, NOON) == words


async def test_a_muted_ring_stands_in_the_history_and_says_so(room: Room) -> None:
    await room.script("/alert btc < 100k repeat", "/snooze 1 2h")
    assert "muted until 14:00 UTC" in await room.say("/why 1")
    await room.ring()
    assert (await lines(room, "/history 1")) == [
        "12:00 UTC #1 BTC/USDT fell below 100,000 · 99,980 · not told: muted"
    ]


async def test_history_outlives_its_alert_and_its_retyped_rule(room: Room) -> None:
    await room.script("/alert btc < 100k", "/alert eth < 4k")
    await room.ring(1)
    await send(room, Receipt("1"))
    await room.script("/edit 1 btc < 50k", "/delete 1")
    assert await lines(room, "/history 1") == ["12:00 UTC #1 BTC/USDT fell below 100,000 · 99,980"]
    assert await room.say("/history 2") == "#2 has not rung here yet."
    assert (await room.say("/history 9")).startswith("There is no alert #9 here.")


async def test_a_ring_of_old_is_told_by_the_levels_that_it_had(room: Room) -> None:
    await room.script("/level floor 90k", "/alert btc < @floor")
    await room.ring()
    await room.script("/edit 1 btc < 80k", "/level floor 80k")
    assert (await lines(room, "/history 1"))[0].startswith(
        "12:00 UTC #1 BTC/USDT fell below 90,000 (@floor) ·"
    )


async def test_nobody_sees_what_rang_in_another_chat(room: Room) -> None:
    await room.script("/alert btc < 100k")
    await room.ring()
    other = replace(ANN, chat=ChatRef("telegram", "2"), person="bob-id")
    assert await room.say("/history", other) == "Nothing has rung here yet."


async def test_a_ring_that_was_taken_back_says_so(room: Room) -> None:
    await room.script("/alert btc < 100k")
    await room.ring()
    epoch = await room.store.take(0, "test")
    [armed] = (await room.store.changes(0, 0)).made
    await room.store.commit(0, epoch, Judgement(NOON, told=[correction(armed.arming.id)]))
    assert "· taken back" in (await lines(room, "/history"))[0]


async def test_a_long_history_is_paged_in_place_newest_first(room: Room) -> None:
    for number in range(20):
        await make(room.store, ANN, f"btc < {100_000 + number}")
    for number in range(1, 21):
        room.clock.time += 60
        await room.ring(number)
    [first] = await room.replies("/history")
    assert first.lines[0].startswith("12:20 UTC #20 ")
    assert first.lines[-1] == "Page 1 of 3. Next: /history all 2"
    assert [button.line for button in first.buttons[0]] == ["/history all 2"]
    [last] = await room.replies("/history all 9")
    assert last.takes_place
    assert [button.line for button in last.buttons[0]] == ["/history all 2"]
    assert last.lines[-2].startswith("12:01 UTC #1 ")


async def test_a_history_leads_to_its_messages_where_they_have_an_address(room: Room) -> None:
    rung = Rung("#1", "btc/usdt < 1", NOON, NOON, 0.9, GROUP, NOON, sent_at=NOON, message="7")
    address = "https://discord.com/channels/1/2/3"
    assert rung_line(rung, address, ENGLISH, NOON).endswith(f" · {address}")
    assert escape(address) == address
    assert escape("https://discord.com/channels/1/2/3/evil") != "https://discord.com/channels/1/2/3/evil"
    assert "\\://" in escape("https://example.com/channels/1/2/3")


@pytest.mark.parametrize(
    ("chat", "address"),
    [
        (ChatRef("telegram", "-1001234"), "https://t.me/c/1234/7"),
        (ChatRef("telegram", "-1001234", "5"), "https://t.me/c/1234/5/7"),
        (ChatRef("telegram", "@news"), "https://t.me/news/7"),
        (ChatRef("telegram", "-55"), ""),
        (ChatRef("telegram", "-100"), ""),
        (ChatRef("telegram", "55"), ""),
    ],
)
def test_only_some_messages_on_telegram_have_an_address(chat: ChatRef, address: str) -> None:
    assert link_of(chat, "7") == address


# --- buttons ------------------------------------------------------------------------------------------------

PRESSER = replace(ANN, has_pressed=True)


@pytest.mark.parametrize(
    "line", ["/resume 1", "/mute 1 1h", "/edit 1 99000", "/delete 1 ask", "/why 1", "/delete 1"]
)
async def test_a_button_of_a_deleted_alert_says_so_to_who_pressed_and_touches_no_other(
    room: Room, line: str
) -> None:
    await room.script("/alert btc < 60k", "/alert btc < 61k", "/delete 1")
    before = await room.store.subscriptions(ANN.chat)
    [reply] = await room.replies(line, PRESSER)
    assert reply.is_private
    assert reply.plain() == "#1 is no more: it was deleted, or is not followed here."
    assert await room.store.subscriptions(ANN.chat) == before


@pytest.mark.parametrize(
    ("line", "second"),
    [
        ("/resume 1", "#1 is armed already."),
        ("/edit 1 99000", "#1 is that already: btc < 99000."),
        ("/delete 1", "#1 is no more: it was deleted, or is not followed here."),
        ("/pause 1", "#1 is paused already. /resume 1 takes it up again."),
    ],
)
async def test_a_button_pressed_twice_does_it_once(room: Room, line: str, second: str) -> None:
    await room.script("/alert btc < 60k", "/pause 1") if line == "/resume 1" else await room.script(
        "/alert btc < 60k"
    )
    [*_, first] = await room.replies(line, PRESSER)
    assert not first.is_private
    [reply] = await room.replies(line, PRESSER)
    assert reply.is_private
    assert reply.plain() == second


async def test_a_snooze_pressed_twice_lasts_an_hour_from_the_second_press(room: Room) -> None:
    await room.script("/alert btc < 60k repeat")
    await room.say("/mute 1 1h", PRESSER)
    room.clock.time += 600
    assert "muted until 13:10 UTC" in await room.say("/mute 1 1h", PRESSER)


@pytest.mark.parametrize("line", ["/resume 1", "/mute 1 1h", "/edit 1 99000", "/delete 1 ask"])
async def test_a_button_pressed_by_who_may_not_changes_nothing_and_says_who_may(
    room: Room, line: str
) -> None:
    await room.script("/alert btc < 60k", caller=ADMIN)
    before = await room.store.subscriptions(GROUP)
    [reply] = await room.replies(line, replace(MEMBER, has_pressed=True))
    assert reply.is_private
    assert await room.store.subscriptions(GROUP) == before


@pytest.mark.parametrize("line", ["/why 1", "/history 1", "/alerts 1", "/chart btc/usdt"])
async def test_whoever_reads_a_ring_may_press_what_only_looks(room: Room, line: str) -> None:
    await room.script("/alert btc < 60k", caller=ADMIN)
    for reply in await room.replies(line, replace(MEMBER, has_pressed=True)):
        assert "admins" not in reply.plain()
