"""Windows and suggestions at the desk: what one begins with, and how a rule goes on while it is typed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.alerts.message import Button
from bot.ports import Draft
from bot.store.sql import SqlStore
from tests.conftest import SetClock
from tests.market import HandMarket
from tests.test_commands import ANN, OPERATOR, Room, suggested

DESK = replace(ANN, has_windows=True)
LONG = "btc < 10o k\nand eth < 3,000\nand not (btc > 4 and eth > 5)\ncooldown 4h"


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Room:
    return Room(store, HandMarket(clock, btc=69_400.0, eth=3_500.0), clock)


async def buttons(room: Room, words: str, caller: object = DESK) -> list[Button]:
    *_, last = await room.replies(words, caller)  # type: ignore[arg-type]
    return [button for row in last.buttons for button in row]


async def test_a_bad_rule_is_given_back_whole_in_the_window_that_its_answer_offers(room: Room) -> None:
    [*_, short] = await buttons(room, "/alert btc < 10o k")
    assert short == Button("Write it again", "/alert btc < 10o k", has_window=True)
    assert await room.desk.draft(DESK, short.line) == Draft("/alert", "btc < 10o k")
    [*_, long] = await buttons(room, f"/alert {LONG}")
    assert long.has_window and long.is_sound and "10o" not in long.line
    assert await room.desk.draft(DESK, long.line) == Draft("/alert", LONG)
    assert "too old" in await room.say(f"/start {long.line.partition('!')[2]}"), "a text is no alert to copy"
    [*_, named] = await buttons(room, f"/publish floor {LONG}", replace(OPERATOR, has_windows=True))
    assert await room.desk.draft(OPERATOR, named.line) == Draft("/publish floor", LONG)


async def test_a_window_for_an_alert_begins_with_its_rule_and_only_in_its_chat(room: Room) -> None:
    await room.script("/alert btc > 70k")
    [*_, window, _delete, _list] = await buttons(room, "/edit 1")
    assert window == Button("Write it in a window", "/edit 1", has_window=True)
    assert await room.desk.draft(DESK, "/edit 1") == Draft("/edit 1", "btc > 70000")
    assert await room.desk.draft(OPERATOR, "/edit 1") is None
    for line in ("/edit 9", "/edit", "/alert !AAAAAAAAAAAAAAAA", "/why 1", "/nix", ""):
        assert await room.desk.draft(DESK, line) is None, line


async def test_what_was_heard_can_be_changed_in_a_window_before_it_is_armed(room: Room) -> None:
    armed, change = await buttons(room, "tell me when btc is below 60k")
    assert (armed.label, change.label) == ("Arm it", "Change it")
    assert await room.desk.draft(DESK, change.line) == Draft("/alert", "btc < 60000")


async def test_windows_are_offered_only_to_who_has_them_and_has_typed(room: Room) -> None:
    for words in ("/alert btc < 10o k", "/alert", "tell me when btc is below 60k"):
        assert any(one.has_window for one in await buttons(room, words))
        assert not any(one.has_window for one in await buttons(room, words, ANN))
    pressed = replace(DESK, has_pressed=True)
    assert not any(one.has_window for one in await buttons(room, "/alert xyz < 1", pressed))


async def test_a_rule_that_is_typed_is_said_as_soon_as_it_is_one(room: Room) -> None:
    first, *_ = await room.desk.complete(ANN, "alert", "rule", "btc below 60K for 5m")
    assert (first.shown, first.value) == (
        "BTC/USDT below 60,000 for 5 minutes",
        "btc below 60K for 5m",
    )
    assert await suggested(room, "alert", "rule", "") == [
        "btc < 100k",
        "btc > 70k for 5m",
        "btc -5% in 1h",
        "btc every 2% drop",
        "btc rsi 4h < 30",
        "btc breaks 100k repeat cooldown 1h",
    ]


@pytest.mark.parametrize(
    ("typed", "suggests"),
    [
        ("rs", "rsi(btc, 14, 4h)"),
        ("eth > sm", "eth > sma(eth, 200, 1d)"),
        ("eth/usdt: cl", "eth/usdt: close(eth/usdt, 1d)"),
        ("btc > 1 and etf_f", "btc > 1 and etf_flow(btc)"),
        ("eth/btc > 0.05 and rsi(", "eth/btc > 0.05 and rsi(eth/btc, 14, 4h)"),
        ("btc / et", "btc / eth/usdt"),
    ],
)
async def test_functions_and_instruments_are_suggested_where_one_may_stand(
    room: Room, typed: str, suggests: str
) -> None:
    assert suggests in await suggested(room, "alert", "rule", typed)


async def test_a_function_is_suggested_with_what_it_is(room: Room) -> None:
    choices = await room.desk.complete(ANN, "test", "rule", "eth > sm")
    assert choices[0].shown == "eth > sma(eth, 200, 1d) · SMA(200) of ETH on 1 day"


async def test_what_has_few_answers_suggests_them(room: Room) -> None:
    room.metrics.give("etf_flow", "btc", "eth")
    assert await suggested(room, "etf", "coin", "") == ["btc", "eth"]
    assert await suggested(room, "mute", "time", "1") == ["1h", "12h", "1d"]
    assert await suggested(room, "language", "language", "eng") == ["en"]
