"""What is said of reports: when they are told, and what of."""

from __future__ import annotations

import pytest

from bot.store.sql import SqlStore
from tests.conftest import SetClock
from tests.market import HandMarket
from tests.test_commands import ANN, Room


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Room:
    room = Room(store, HandMarket(clock, btc=69_400.0, eth=3_010.5), clock)
    room.metrics.give("etf_flow", "btc", "eth")
    room.metrics.give("fear_greed")
    return room


async def test_a_report_is_of_what_the_alerts_read_or_of_what_is_chosen(room: Room) -> None:
    assert await room.say("/report daily 9am") == (
        "Reports are told here daily 09:00, on your clock.\n"
        "They tell of what your alerts read, and of what rang. "
        "To choose: /report daily 09:00 btc eth\n"
        "The next is due 09:00 UTC, Nov 13."
    )
    chosen = await room.say("/report weekly mon 09:00 eth, etf btc fear_greed()")
    assert chosen == (
        "Reports are told here weekly mon 09:00, on your clock.\n"
        "They tell of ETH/USDT, BTC ETF net flow, and the fear and greed index, and of what rang.\n"
        "The next is due 09:00 UTC, Nov 17."
    )
    assert await room.say("/report") == chosen
    kept = await room.store.report(ANN.chat)
    assert kept is not None
    assert str(kept.plan) == "weekly mon 09:00 eth/usdt etf_flow(btc) fear_greed()"


async def test_a_report_now_is_of_what_was_chosen_or_of_what_is_named(room: Room) -> None:
    await room.say("/report daily 09:00 eth")
    assert "ETH/USDT 3,010.5" in await room.say("/report now")
    told = await room.say("/report now btc")
    assert "BTC/USDT 69,400" in told
    assert "ETH" not in told


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("daily 09:00 bct", "Nearest: btc/usdt"),
        ("daily 09:00 rsi(btc,14,4h)", "is no price or figure that a report can tell of."),
        ("daily 09:00 <b>", '"<b>" is no price or figure'),
        ("daily 09:00 " + " ".join(f"a{number}" for number in range(21)), "at most 20 series"),
        ("daily 25:00 btc", "is no time for reports"),
    ],
)
async def test_what_a_report_cannot_tell_of_is_refused_and_plans_nothing(
    room: Room, what: str, answer: str
) -> None:
    assert answer in await room.say(f"/report {what}")
    assert await room.store.report(ANN.chat) is None
