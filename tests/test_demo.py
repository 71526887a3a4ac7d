"""The demonstration: its table of flows as a provider reads it, and what rings of it in the real program."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest

from bot.demo.flows import SETTLED, WITHOUT_THE_LARGEST, page
from bot.demo.story import Line, Story, play
from bot.engine.sessions import XNYS, day_of
from bot.feeds.metrics.finality import Flow, words
from bot.feeds.metrics.finality import judge as judge_flows
from bot.feeds.metrics.providers.farside import flows_of
from bot.metrics import MetricKey
from tests.etf import DAY, at

MILLION = 1_000_000
FIRST, LAST = at("2025-11-01"), at("2025-11-30")


def shown(instant: str, coin: str = "btc") -> dict[int, Flow]:
    """Read the table as it was at an instant, by the day of the month."""
    return {day_of(flow.as_of).day: flow for flow in flows_of(page(coin, at(instant)))}


def test_the_table_comes_to_what_was_published_of_every_session_of_the_month() -> None:
    flows = shown("2025-11-29 05:00")
    assert {number: flow.total for number, flow in flows.items()} == {
        number: Decimal(total) * MILLION for number, total in SETTLED.items()
    }
    assert all(flow.adds_up and None not in flow.funds.values() for flow in flows.values())
    assert [*flows] == [
        day.day for day in XNYS.sessions_between(day_of(at("2025-11-03")), day_of(at("2025-11-28")))
    ]


@pytest.mark.parametrize(("number", "total"), WITHOUT_THE_LARGEST.items())
def test_the_nights_that_are_known_stand_at_what_was_seen_then(number: int, total: str) -> None:
    for hour in ("02:30", "04:59"):
        flow = shown(f"2025-11-{number + 1} {hour}")[number]
        assert (flow.total, flow.funds["IBIT"]) == (Decimal(total) * MILLION, None)
    assert shown(f"2025-11-{number + 1} 05:00")[number].total == Decimal(SETTLED[number]) * MILLION


def test_a_row_is_opened_at_noon_with_nothing_in_it() -> None:
    assert 20 not in shown("2025-11-20 11:59")
    opened = shown("2025-11-20 12:00")[20]
    assert (opened.total, opened.reported()) == (0, [])
    filling = [len(shown(f"2025-11-{when}")[20].reported()) for when in ("20 23:00", "21 01:00", "21 03:00")]
    assert filling == [1, 2, 3]


@pytest.mark.parametrize("coin", ["eth", "sol"])
def test_of_other_coins_nothing_is_said(coin: str) -> None:
    key = MetricKey("etf_flow", coin)
    for instant in range(FIRST + 4 * DAY, LAST, DAY // 2):
        assert words(key, judge_flows(flows_of(page(coin, instant)), {}, instant), instant, "farside") == []


OUTFLOW, INFLOW = "etf_flow(btc) < -900000000", "etf_flow(btc) > 0 for 3 sessions"
ALERTS = ("/alert btc etf outflow 900m", "/alert btc etf inflow 3 days", "/alert btc etf outflow 500m")
OF_500M = "etf_flow(btc) < -500000000"


@pytest.mark.parametrize(
    ("begins", "rings"),
    [
        (
            timedelta(days=10, hours=14),
            [(OUTFLOW, "2025-11-21", -903.2e6), (OF_500M, "2025-11-21", -903.2e6)],
        ),
        (timedelta(days=18, hours=20), [(INFLOW, "2025-11-29", 71.4e6)]),
    ],
)
async def test_flows_ring_in_the_demonstration_once_and_on_what_is_final(
    begins: timedelta, rings: list[tuple[str, str, float]]
) -> None:
    lines = tuple(
        Line(begins + timedelta(hours=1, minutes=place), words) for place, words in enumerate(ALERTS)
    )
    out = StringIO()
    assert await play(True, out, Story(begins, begins + timedelta(hours=18), lines)) == 0
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    rang = [event for event in events if event["event"] == "ring"]
    assert sorted((ring["rule"], ring["at"][:10], ring["value"]) for ring in rang) == sorted(rings)
    assert all(ring["at"][11:16] >= "05:25" for ring in rang), "the table is complete at five, and read twice"
    assert events[-1] == {"event": "summary", "days": 1, "rings": len(rings)}
