"""Charts that are asked for: of an instrument with this chat's levels, and of the flows of funds."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot.alerts.chart import FlowChart, Line, PriceChart
from bot.metrics import MetricKey, Observation
from bot.store.sql import SqlStore
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.pictures import minutes
from tests.test_commands import Room


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Room:
    market = HandMarket(clock, btc=99_980.0, eth=3_010.5)
    return Room(store, market, clock)


async def asked(room: Room, words: str) -> PriceChart:
    """Ask for a chart once the market has a past."""
    if not await room.market.bars(MetricKey("price", "btc/usdt"), int(NOON) - 600, int(NOON)):
        room.market.feed("btc/usdt", minutes(count=12_000))
    [message] = await room.replies(words)
    assert isinstance(message.chart, PriceChart), message
    return message.chart


async def test_a_chart_has_the_candles_that_were_asked_for_and_says_how_the_price_moved(room: Room) -> None:
    chart = await asked(room, "/chart btc 15m")
    assert (chart.span, chart.theme, chart.title) == (900, "dark", "BTC/USDT")
    assert chart.subtitle == "15-minute candles · Binance · UTC"
    assert 95 <= len(chart.bars) <= 101 and chart.bars[-1].close == pytest.approx(99_980.0)
    assert "BTC/USDT 99,980, " in await room.say("/chart btc 15m")


async def test_a_chart_is_of_hours_and_dark_unless_one_says_otherwise(room: Room) -> None:
    assert (await asked(room, "/chart btc")).span == 3600
    assert (await asked(room, "/chart BTC/USDT 4H Light")).theme == "light"


async def test_a_chart_shows_the_nearest_levels_of_this_chats_alerts(room: Room) -> None:
    await room.script("/alert btc < 98k", "/alert eth < 3k", "/alert close(btc, 1d) > 120k")
    await room.script("/alert btc between 90k and 95k", "/alert btc crosses above 101k")
    chart = await asked(room, "/chart btc 1h")
    assert chart.levels == (
        Line(101_000.0, "101,000", "#5"),
        Line(98_000.0, "98,000", "#1"),
        Line(95_000.0, "95,000", "#4"),
        Line(90_000.0, "90,000", "#4"),
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("/chart btc 7m", "no length of candles"),
        ("/chart btc 4h light please", "no length of candles"),
        ("/chart < 4h", "is no instrument"),
        ("/chart dogcoin", "No exchange that I watch lists"),
        ("/chart btc 4h", "cannot be seen just now"),
        ("/chart etf doge", "Nobody gives flows of funds of DOGE"),
        ("/chart", "/chart btc 4h"),
    ],
)
async def test_what_cannot_be_charted_is_refused_with_what_can(room: Room, words: str, said: str) -> None:
    [message] = await room.replies(words)
    assert said in message.plain()
    assert message.chart is None and message.is_private


async def test_flows_of_funds_are_charted_as_the_table_has_them(room: Room) -> None:
    key, day = MetricKey("etf_flow", "btc"), 1_762_732_800  # Monday, 10 November 2025
    for place, (value, is_final) in enumerate([("1200000", True), ("-278100000", True), ("44500000", False)]):
        word = Observation(key, day + place * 86_400, Decimal(value), 0.0, is_final, source="farside")
        await room.store.note([word], int(NOON))
    [asked] = await room.replies("/chart etf btc light")
    [table] = await room.replies("/etf btc")
    assert asked.code == table.code
    assert isinstance(asked.chart, FlowChart) and isinstance(table.chart, FlowChart)
    assert (asked.chart.theme, table.chart.theme) == ("light", "dark")
    flows = table.chart.flows
    assert [(one.month, one.day, one.written) for one in flows] == [
        ("Nov", "10", "+1.2"), ("Nov", "11", "-278"), ("Nov", "12", "+44.5"),
    ]  # fmt: skip
    assert [one.is_final for one in flows] == [True, True, False]
    assert table.chart.subtitle == "millions of USD · Farside"
