"""What is said of metrics: what can be watched, what it stands at, what is missing, and flows as a table."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot.alerts.figures import amount
from bot.alerts.translator import ENGLISH
from bot.engine.sessions import DAY, HOUR
from bot.engine.state import AlertState
from bot.metrics import Health, MetricKey, Observation
from bot.store.sql import SqlStore
from tests.conftest import SetClock
from tests.market import HandMarket
from tests.test_commands import ANN, Room

FLOW = MetricKey("etf_flow", "btc")
INDEX = MetricKey("fear_greed", "")
NOVEMBER = 1_761_955_200
"""1 November 2025, 00:00 UTC."""

FLOWS = {
    7: "558.4", 10: "1.2", 11: "524.0", 12: "-278.1", 13: "-866.7",
    14: "-492.1", 17: "-254.6", 18: "-372.8", 19: "75.4",
}  # fmt: skip


def flow(day: int, millions: str, is_final: bool = True, pending: tuple[str, ...] = ()) -> Observation:
    as_of = NOVEMBER + (day - 1) * DAY
    value = Decimal(millions) * 1_000_000
    return Observation(FLOW, as_of, value, 0.0, is_final, source="sosovalue", pending=pending)


@pytest.fixture
async def room(store: SqlStore) -> Room:
    clock = SetClock(NOVEMBER + 20 * DAY + 2.5 * HOUR)
    room = Room(store, HandMarket(clock, btc=92_000.0), clock)
    room.metrics.give("etf_flow", "btc", "eth")
    await store.note([flow(day, value) for day, value in FLOWS.items()], int(clock.time - 20 * HOUR))
    partial = flow(20, "-300", is_final=False, pending=("IBIT", "FBTC"))
    await store.note([partial], int(clock.time - 2 * HOUR))
    await store.note([flow(20, "-547.7", is_final=False, pending=("IBIT",))], int(clock.time))
    return room


async def test_the_flows_of_funds_are_a_table_with_what_is_open(room: Room) -> None:
    [message] = await room.replies("/etf btc")
    assert message.title == "BTC ETF net flow, in millions of USD"
    assert message.code.splitlines() == [
        "Nov 20       -547.7 not final",
        "Nov 19        +75.4",
        "Nov 18       -372.8",
        "Nov 17       -254.6",
        "Nov 14       -492.1",
        "Nov 13       -866.7",
        "Nov 12       -278.1",
        "Nov 11       +524.0",
        "Nov 10         +1.2",
        "Nov 7        +558.4",
    ]
    assert message.lines == (
        "Sum of the 9 final sessions: -1.11bn USD.",
        "1 session of inflow.",
        "Nov 20 is open since 00:30 UTC; pending: IBIT.",
        "Source: SoSoValue, last word 02:30 UTC.",
    )


async def test_a_session_of_which_nothing_is_known_is_missing_and_no_zero(
    store: SqlStore, room: Room
) -> None:
    await store.note([flow(24, "10")], int(room.clock.time))
    table = (await room.replies("/etf btc"))[0].code.splitlines()
    assert table[1].split() == ["Nov", "21", "missing"]


async def test_coins_without_funds_are_told_apart_from_funds_not_seen_yet(room: Room) -> None:
    assert await room.say("/etf doge") == "Nobody gives flows of funds of DOGE.\nThere are: btc, eth."
    room.metrics.troubles[MetricKey("etf_flow", "eth")] = "sosovalue asks to slow down (HTTP 429)"
    assert await room.say("/etf eth") == (
        "No flow of funds of ETH was seen yet.\nThe last look failed: sosovalue asks to slow down (HTTP 429)."
    )


async def test_metrics_lists_values_with_their_age_and_what_is_missing(room: Room, store: SqlStore) -> None:
    room.metrics.give("fear_greed", provider="alternative.me")
    room.metrics.give("liquidations", provider="coinalyze", example="all", lacks="set TOCSIN_COINALYZE_KEY")
    room.metrics.give("liquidations", provider="coinglass", example="all", lacks="set TOCSIN_COINGLASS_KEY")
    room.metrics.give("price", provider="yahoo", example="$nvda", note="the close of the last session")
    room.metrics.reports = [Health("alternative.me", None, 1.0, "alternative.me cannot be reached")]
    room.clock.time += 180
    room.metrics.troubles[INDEX] = "alternative.me cannot be reached"
    assert (await room.say("/metrics")).splitlines() == [
        "price: nothing seen yet; any such as $nvda; the close of the last session",
        "etf_flow: btc -547.7m USD, Nov 20, not final, pending: IBIT (SoSoValue, 3 minutes); "
        "eth nothing seen yet",
        "fear_greed: nothing seen yet: alternative.me cannot be reached",
        "alternative.me: nothing seen yet: alternative.me cannot be reached",
        "Not here yet:",
        "liquidations: set TOCSIN_COINALYZE_KEY; or set TOCSIN_COINGLASS_KEY",
    ]


async def test_a_value_that_cannot_be_read_any_more_stands_with_its_age_and_the_reason(room: Room) -> None:
    reason = "it gives two values for 2025-11-20"
    room.metrics.troubles[FLOW] = reason
    room.metrics.reports = [Health("sosovalue", 1.0, None, f"etf_flow(btc): {reason}")]
    room.clock.time += 3 * HOUR
    assert (await room.say("/metrics")).splitlines() == [
        "etf_flow: btc -547.7m USD, Nov 20, not final, pending: IBIT (SoSoValue, 3 hours), "
        "cannot be read now: it gives two values for 2025-11-20; eth nothing seen yet",
    ]


async def test_of_a_provider_that_fails_as_a_whole_the_reason_is_said_once(room: Room) -> None:
    room.metrics.troubles[FLOW] = "sosovalue cannot be reached"
    room.metrics.reports = [Health("sosovalue", 1.0, room.clock.time, "sosovalue cannot be reached")]
    assert (await room.say("/metrics")).count("cannot be reached") == 1


async def test_with_no_provider_at_all_that_is_said(room: Room) -> None:
    room.metrics.listed.clear()
    assert await room.say("/metrics") == (
        "No metric can be watched here: there are the prices of exchanges alone."
    )


async def test_a_metric_without_its_key_is_refused_with_what_to_set(room: Room) -> None:
    room.metrics.listed.clear()
    room.metrics.give("etf_flow", "btc", lacks="set TOCSIN_SOSOVALUE_KEY")
    room.metrics.give("etf_flow", "btc", provider="farside", lacks="set TOCSIN_FARSIDE")
    assert await room.say("/alert btc etf inflow 3 days") == (
        "etf_flow(btc) is not watched here yet. The operator can set TOCSIN_SOSOVALUE_KEY; or "
        "set TOCSIN_FARSIDE.\n/metrics lists what can be watched."
    )
    assert await room.store.subscriptions(ANN.chat) == []


async def test_an_alert_on_a_metric_says_where_it_stands(room: Room) -> None:
    first, second = await room.replies("/alert btc etf outflow 900m")
    assert first.lines == (
        "#1 armed: BTC ETF net outflow above 900,000,000 USD.",
        "BTC ETF net flow: 75.4m USD, Nov 19. SoSoValue.",
        "BTC ETF net flow: -547.7m USD, Nov 20, not final, pending: IBIT. SoSoValue.",
        "Read as: etf_flow(btc) < -900000000",
    )
    assert "It would not have rung in the" in second.lines[-1]
    assert "#1 BTC ETF net outflow above 900,000,000 USD · not judged yet" in await room.say("/alerts")


async def test_an_alert_that_is_true_already_says_so(room: Room) -> None:
    answer = (await room.replies("/alert etf_flow(btc) > 50m"))[0]
    assert "It is true already, so it waits to be clear first." in answer.lines


async def test_a_test_counts_the_rings_of_the_archive(room: Room) -> None:
    answer = (await room.replies("/test etf_flow(btc) < -800m"))[-1].plain()
    assert "It would have rung once in the" in answer
    assert "Nov 14" in answer, "when the flow of the 13th was settled"


async def test_what_was_never_looked_at_is_looked_at_once_it_is_asked_for(room: Room) -> None:
    room.metrics.give("price", provider="yahoo", example="$nvda")
    assert await room.say("/alert $nvdx > 500") == "Nobody whom I ask knows $nvdx."
    room.metrics.show(MetricKey("price", "$nvda"), "186.6", NOVEMBER + 19 * DAY, "yahoo")
    assert "186.6" in (await room.replies("/alert $nvda > 500"))[0].plain()


async def test_one_value_alone_does_not_make_a_window_true_already(room: Room) -> None:
    room.metrics.give("price", provider="yahoo", example="$nvda")
    room.metrics.show(MetricKey("price", "$nvda"), "186.6", NOVEMBER + 19 * DAY, "yahoo")
    room.clock.time += 0.5
    lines = (await room.replies("/alert $nvda > 500"))[0].lines
    assert not any("true already" in line for line in lines), "it is known to be clear"
    lines = (await room.replies("/alert $nvda moves down 5% in 1d"))[0].lines
    assert "If it is true already, it waits to be clear first." in lines


async def test_the_list_says_since_when_a_value_is_overdue(room: Room) -> None:
    await room.replies("/alert etf_flow(btc) > 50m")
    await room.judge(AlertState(cursor=0))
    assert "· waits to be clear" in await room.say("/alerts")
    room.clock.time += 3 * DAY
    assert "· unknown: its next value is overdue since 13:00 UTC, Nov 21" in await room.say("/alerts")


async def test_status_says_how_providers_are(room: Room) -> None:
    room.metrics.reports = [Health("sosovalue", room.clock.time - 7200, quota=7)]
    assert "SoSoValue: well, last asked 2 hours ago, 7 questions left" in await room.say("/status")


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        (FLOW, "-903200000", "-903.2m USD"),
        (FLOW, "21348300000", "21.35bn USD"),
        (FLOW, "950000", "950,000 USD"),
        (FLOW, "0", "0 USD"),
        (MetricKey("funding", "btc/usdt"), "0.0123", "0.0123%"),
        (MetricKey("treasury", "mstr"), "649870", "649,870"),
        (INDEX, "24", "24"),
        (MetricKey("price", "spx"), "6538.76", "6,538.76"),
        (MetricKey("metric", "whale_btc"), "41000.0", "41,000"),
    ],
)
def test_amounts_have_their_unit(key: MetricKey, value: str, text: str) -> None:
    assert amount(key, Decimal(value), ENGLISH) == text
