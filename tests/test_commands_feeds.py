"""What is said of the feeds: what each brings and costs, who stands in for whom, how long rings take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.delays import Delay
from bot.metrics import Health, MetricKey
from bot.ports import Rejected, Serving, StreamHealth
from bot.store.sql import SqlStore
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.storing import ANN, make, ring, tell
from tests.test_commands import GROUP, MEMBER, OPERATOR, Room


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Room:
    return Room(store, HandMarket(clock, btc=69_400.0), clock)


async def test_feeds_tells_an_admin_what_each_brings_and_costs(room: Room) -> None:
    room.market.reports = [
        Health(
            "binance", NOON - 3, None, "", 900, requests_in_an_hour=742, share=0.0412, failures=0, lag=62.0
        ),
        Health(
            "kraken",
            NOON - 240,
            NOON - 230,
            "kraken answers with an error (HTTP 503)",
            60,
            requests_in_an_hour=51,
            share=0.0,
            failures=4,
            lag=300.0,
        ),
        Health("okx"),
    ]
    room.market.flows = [
        StreamHealth("binance", NOON - 7200, NOON - 1, 12, 9000, 300),
        StreamHealth("kraken", reason="kraken refuses the connection"),
        StreamHealth("okx"),
    ]
    reason = "binance does not answer in time"
    turn = Serving("kraken", "binance", 1.01, NOON - 60, reason)
    room.market.stand_ins = {
        MetricKey("price", f"{base}/usdt"): turn for base in ("btc", "eth", "sol", "xrp", "ada")
    }
    room.metrics.reports = [
        Health("sosovalue", NOON - 600, None, "", 7, quota=88, requests_in_an_hour=1),
        Health("coinglass"),
    ]
    room.delays = [Delay("minute", 3, 71.5, 130.25), Delay("stream", 120, 0.41, 1.26)]
    room.lag = Delay("loop", 1000, 0.0004, 0.0123)
    assert (await room.say("/feeds", OPERATOR)).splitlines() == [
        "Binance: well, last data 3 seconds ago",
        "– minutes 62 seconds behind · 742 requests in an hour, 4.1% of what a minute allows"
        " · stream of 12 markets for 2 hours, heard 1 second ago",
        "Kraken: cannot be seen, last data 4 minutes ago: Kraken answers with an error (HTTP 503)",
        "– 4 failed looks in a row · minutes 5 minutes behind · 51 requests in an hour, 0% of what a minute"
        " allows · no stream: Kraken refuses the connection",
        "OKX: not looked at yet",
        "– stream not needed",
        "BTC/USDT, ETH/USDT, SOL/USDT, and 2 more: Kraken, standing in for Binance,"
        " which does not answer in time",
        "SoSoValue: well, last asked 10 minutes ago, 88 questions left",
        "– 1 request in an hour",
        "Not asked yet: CoinGlass",
        "Rings by whole minutes: half within 71.5 s, 99 of 100 within 130 s (3)",
        "Rings by stream: half within 0.4 s, 99 of 100 within 1.3 s (120)",
        "I am kept waiting 0.4 ms, 99 times of 100 at most 12.3 ms.",
    ]


async def test_feeds_tells_a_member_what_is_to_be_seen_and_no_more(room: Room) -> None:
    room.market.reports = [Health("binance", NOON - 3, requests=9, requests_in_an_hour=9, lag=60.0)]
    room.delays = [Delay("poll", 1, 2.0, 2.0)]
    assert await room.say("/feeds", MEMBER) == "Binance: well, last data 3 seconds ago"
    unsure = replace(MEMBER, is_admin=None)
    assert "in an hour" not in await room.say("/feeds", unsure)
    room.admins.add((GROUP, "mem-id"))
    assert "9 requests in an hour" in await room.say("/feeds", unsure)
    assert "is for" not in await room.say("/help feeds", unsure)


async def test_feeds_names_to_operators_alone_what_was_given_up(room: Room) -> None:
    alert = await make(room.store, ANN, "btc < 100000")
    await tell(room.store, ring(alert.id))
    (leased,) = await room.store.lease("telegram", NOON, 30)
    await room.store.settle(leased, Rejected("the message is refused"), NOON)
    said = "1 message was given up on Telegram, the last 12:00 UTC: the message is refused"
    assert (await room.say("/feeds", OPERATOR)).splitlines()[-1] == said
    assert "given up" not in await room.say("/feeds", MEMBER)
    room.clock.time += 8 * 86_400
    assert "given up" not in await room.say("/feeds", OPERATOR)
