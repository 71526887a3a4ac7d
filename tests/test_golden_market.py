"""The rules that the market of November 2025 called for: each parses, explains itself, and rings.

Prices are those of the demonstration; closes and flows are of the same days. The others ring on made series
around the figures that were in the news.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bot.backtest import Past, run
from bot.demo.days import November
from bot.engine.sessions import XNYS, midnight_of
from bot.metrics import MINUTE, Bar, MetricKey, Observation
from bot.rules import english, explain, fill, parse, qualify, read

DAY = 86400
BTC, ETH, ZEC = (MetricKey("price", f"{base}/usdt") for base in ("btc", "eth", "zec"))
FLOW = MetricKey("etf_flow", "btc")
LEVELS = {"etf_cost": Decimal(98700), "miner_cost": Decimal(94000)}


@cache
def november() -> tuple[Bar, ...]:
    """Give Bitcoin's minutes from the 10th to the 29th."""
    path = November()
    opens = range(int(path.start), int(path.end), MINUTE)
    return tuple(bar for at in opens if (bar := path.bar("btc/usdt", at, at + MINUTE)) is not None)


@cache
def closes() -> dict[str, list[tuple[date, float]]]:
    """Give what settled on each session: S&P 500, Nasdaq, gold, and the flow into Bitcoin's funds."""
    found: dict[str, list[tuple[date, float]]] = {"spx": [], "ndx": [], "gold": [], "etf_flow": []}
    with (Path(__file__).parent / "rules" / "november.csv").open() as file:
        for row in csv.DictReader(file):
            for name, known in found.items():
                if row[name]:
                    known.append((date.fromisoformat(row["date"]), float(row[name])))
    return found


def settled(key: MetricKey, values: Sequence[tuple[date, float]], factor: float = 1) -> list[Observation]:
    """Give values of sessions, each known when it settles."""
    return [Observation(key, midnight_of(day), value * factor, XNYS.settles_at(day)) for day, value in values]


def sessions(count: int, last: date = date(2025, 11, 20)) -> list[date]:
    days = [last]
    while len(days) < count:
        days.append(XNYS.previous_session(days[-1]))
    return days[::-1]


def index(name: str, *values: float, last: date = date(2025, 11, 20)) -> dict[MetricKey, list[Observation]]:
    key = MetricKey("price", name)
    return {key: settled(key, list(zip(sessions(len(values), last), values, strict=True)))}


def daily(metric: str, name: str, *values: float) -> dict[MetricKey, list[Observation]]:
    """Make a metric of one value a day, known as it is said."""
    key = MetricKey(metric, name)
    start = midnight_of(date(2025, 11, 10))
    return {
        key: [Observation(key, start + n * DAY, value, start + n * DAY) for n, value in enumerate(values)]
    }


def days(key: MetricKey, *prices: float, start: date = date(2025, 1, 1)) -> dict[MetricKey, list[Bar]]:
    """Make bars of a day that run from one price to the next."""
    first = midnight_of(start)
    bars, before = [], prices[0]
    for place, price in enumerate(prices):
        bars.append(Bar(first + place * DAY, before, max(before, price), min(before, price), price, 1.0, DAY))
        before = price
    return {key: bars}


def minutes(key: MetricKey, *prices: float) -> dict[MetricKey, list[Bar]]:
    first = midnight_of(date(2025, 11, 20))
    bars, before = [], prices[0]
    for place, price in enumerate(prices):
        bars.append(Bar(first + place * MINUTE, before, max(before, price), min(before, price), price, 1.0))
        before = price
    return {key: bars}


def rings(
    text: str,
    bars: Mapping[MetricKey, Sequence[Bar]] = {},
    values: Mapping[MetricKey, list[Observation]] = {},
) -> list[datetime]:
    rule = read(text).rule
    assert parse(str(rule)) == rule
    assert english(explain(rule))
    report = run(qualify(fill(rule, LEVELS), "usdt"), Past(bars, values))
    assert all(firing.because for firing in report.firings)
    return [datetime.fromtimestamp(firing.at, UTC) for firing in report.firings]


@pytest.mark.parametrize(
    ("rule", "day"),
    [
        ("btc < 101.3k", 12),
        ("btc < 100k", 13),
        ("btc drops to 82k", 21),
        ("btc < @etf_cost", 13),
        ("btc < @miner_cost", 16),
        ("btc < 98k for 4h", 14),
        ("close(btc, 1d) < 98k", 15),
        ("btc > 105k", 10),
        ("btc < 102k", 12),
        ("btc every 2% down and btc < 102k", 12),
        ("btc -5% in 24h", 13),
    ],
)
def test_a_price_rule_first_rings_on_its_day(rule: str, day: int) -> None:
    assert rings(rule, {BTC: november()})[0].date() == date(2025, 11, day)


def test_three_days_of_inflow_ring_once_after_the_twenty_eighth() -> None:
    flows = {FLOW: settled(FLOW, closes()["etf_flow"], 1e6)}
    found = rings("btc etf inflow 3 days", values=flows)
    assert found == [datetime(2025, 11, 29, 5, tzinfo=UTC)]


def test_an_outflow_of_nine_hundred_million_rings_when_it_is_final() -> None:
    flows = {FLOW: settled(FLOW, closes()["etf_flow"], 1e6)}
    assert rings("btc etf outflow 900m", values=flows) == [datetime(2025, 11, 21, 5, tzinfo=UTC)]


def test_the_outflow_turns() -> None:
    flows = {FLOW: settled(FLOW, closes()["etf_flow"], 1e6)}
    turned = [moment.date() for moment in rings("etf_flow(btc) crosses above 0", values=flows)]
    assert turned == [date(2025, 11, day) for day in (7, 11, 20, 22, 26)]


def test_back_over_the_two_hundred_day_average() -> None:
    bars = days(BTC, *[100.0] * 201, 95.0, 105.0)
    assert len(rings("btc > sma(200, 1d)", bars)) == 1


def test_stocks_and_gold_at_highs_while_bitcoin_falls() -> None:
    values = index("spx", 6200, 6100, 6050, 6300) | index("gold", 379, 372, 371, 380)
    bars = {BTC: [bar for bar in november() if bar.at >= midnight_of(date(2025, 11, 18))]}
    rule = "spx > highest(spx, 52w) and gold > highest(gold, 52w) and change(btc, 1d) < 0%"
    assert rings(rule, bars, values)[0].date() == date(2025, 11, 21)


def test_the_correlation_of_sixty_days_falls() -> None:
    rng = np.random.default_rng(11)
    shared = rng.normal(0, 0.01, 110)
    apart = rng.normal(0, 0.01, 110)
    spx = 6000 * np.exp(np.cumsum(shared))
    btc = 100_000 * np.exp(np.cumsum(np.where(np.arange(110) < 62, shared + apart / 3, apart)))
    on = sessions(110)
    prices = dict(zip(on, btc, strict=True))
    bars, price = [], float(btc[0])
    for place in range((on[-1] - on[0]).days + 2):
        day = on[0] + timedelta(days=place)
        after = float(prices.get(day, price))
        bars.append(Bar(midnight_of(day), price, max(price, after), min(price, after), after, 1.0, DAY))
        price = after
    found = rings("corr(btc, spx, 60d) < 0.4", {BTC: bars}, index("spx", *spx))
    assert found
    assert found[0].date() > on[62]


def test_everything_falls_together() -> None:
    values = index("spx", 6690, 6700, 6600) | index("gold", 379, 380, 375) | index("ndx", 22490, 22500, 22300)
    bars = {BTC: [bar for bar in november() if bar.at >= midnight_of(date(2025, 11, 18))]}
    rule = (
        "3 of (change(spx, 1d) < -1%, change(gold, 1d) < -1%, change(ndx, 1d) < -1%, change(btc, 1d) < -3%)"
    )
    assert rings(rule, bars, values)[0].date() == date(2025, 11, 21)


@pytest.mark.parametrize(
    ("rule", "metric", "name", "values"),
    [
        ("liquidations(all, 24h) >= 2b", "liquidations", "all, 24h", (1.2e9, 2.0e9)),
        ("liquidations > 2b", "liquidations", "all, 24h", (1.2e9, 2.1e9)),
        ("long_share(btc) >= 68%", "long_share", "btc/usdt", (61.0, 68.0)),
        ("basis(btc) >= 8%", "basis", "btc/usdt", (5.0, 8.1)),
        ("btc funding > 0.05%", "funding", "btc/usdt", (0.01, 0.06)),
        ("delta(exchange_stablecoins(), 7d) >= 3.7b", "exchange_stablecoins", "", (70e9, 71e9, 73.8e9)),
        ("delta(metric(whale_btc), 7d) >= 41k", "metric", "whale_btc", (100_000.0, 120_000.0, 141_500.0)),
        (
            "metric(long_liquidations_101k_103k) >= 800m",
            "metric",
            "long_liquidations_101k_103k",
            (5e8, 8.3e8),
        ),
        ("delta(treasury(sqns), 1d) < 0", "treasury", "sqns", (3234.0, 3234.0, 2264.0)),
        ("rate_cut() < 40%", "rate_cut", "", (62.0, 39.0)),
    ],
)
def test_a_metric_rings_at_its_last_value(
    rule: str, metric: str, name: str, values: tuple[float, ...]
) -> None:
    found = rings(rule, values=daily(metric, name, *values))
    assert [moment.date() for moment in found] == [date(2025, 11, 10 + len(values) - 1)]


@pytest.mark.parametrize(
    ("rule", "bars"),
    [
        ("zec / btc > 0.006", minutes(ZEC, 500, 550, 620) | minutes(BTC, 100_000, 100_000, 100_000)),
        ("sqns < 1", minutes(MetricKey("price", "sqns/usdt"), 1.2, 1.05, 0.98)),
        ("nvda moves down 5% in 1d", minutes(MetricKey("price", "nvda/usdt"), *[196.0] * 1500, 180.0)),
        (
            "change(btc, 1d) < -3% and change(eth, 1d) > change(btc, 1d)",
            minutes(BTC, *[100_000.0] * 1500, 96_000.0, 96_000.0)
            | minutes(ETH, *[4000.0] * 1500, 3990.0, 3990.0),
        ),
    ],
)
def test_prices_against_each_other(rule: str, bars: dict[MetricKey, list[Bar]]) -> None:
    assert len(rings(rule, bars)) == 1
