"""What looking costs, and whose turn it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.exchanges.costs import Due, cost_of, distance_to, in_turn, room_of
from bot.feeds.exchanges.exclusion import Day, is_excluded, is_worth
from bot.feeds.exchanges.table import FEEDS, Kind
from bot.feeds.spending import Spending
from bot.metrics import MetricKey, Want

README = Path(__file__).parents[1] / "README.md"
DAY = 86_400.0
SYMBOLS = (10, 100, 1000)


@pytest.mark.parametrize(
    ("name", "kind", "symbols", "excluded", "weight"),
    [
        ("binance", "spot", 10, 0.0, 12 * 4 + 10 * 2),
        ("binance", "spot", 10, 0.9, 12 * 4 + 10 * 2),
        ("binance", "spot", 100, 0.0, 12 * 4 + 100 * 2),
        ("binance", "spot", 100, 0.9, 11 * 4 + 80 + 10 * 2),
        ("binance", "swap", 100, 0.9, 11 * 2 + 40 + 10 * 1),
        ("kraken", "spot", 100, 0.0, 12 + 100 * 1.2),
        ("kraken", "spot", 100, 0.9, 12 + 10 * 1.2),
        ("okx", "swap", 100, 0.9, 12 + 10 * 0.5),
        ("coinbase", "spot", 100, 0.9, 12 + 100),
        ("bybit", "spot", 100, 0.0, 12 + 100),
    ],
)
def test_what_symbols_cost_in_a_minute(
    name: str, kind: Kind, symbols: int, excluded: float, weight: float
) -> None:
    cost = cost_of(FEEDS[name], symbols, kind, excluded=excluded)
    assert cost.weight == pytest.approx(weight)
    assert cost.share == pytest.approx(weight / FEEDS[name].costs[kind].a_minute)


def test_the_readme_says_what_symbols_cost() -> None:
    text = README.read_text()
    for exchange in FEEDS.values():
        cells = [
            f"{cost_of(exchange, symbols, excluded=excluded).share:.0%}"
            for symbols in SYMBOLS
            for excluded in (0.0, 0.9)
        ]
        assert f"| {exchange.name} | {' | '.join(cells)} |" in text


def test_extremes_are_worth_asking_for_where_they_spare_more_than_they_cost() -> None:
    assert not is_worth(38, 2, 4, 80)
    assert is_worth(39, 2, 4, 80)


DUES = st.lists(
    st.builds(Due, st.integers(0, 50).map(str), st.floats(0, 1), st.floats(0, 1e6) | st.just(float("-inf"))),
    unique_by=lambda due: due.symbol,
    max_size=30,
)


@given(DUES, st.integers(-1, 40))
def test_as_many_as_there_is_room_for_have_their_turn_each_once(waiting: list[Due], room: int) -> None:
    chosen = in_turn(waiting, room)
    assert len(chosen) == len(set(chosen)) == min(max(0, room), len(waiting))
    assert set(chosen) <= {due.symbol for due in waiting}
    if chosen:
        assert chosen[0] == min(waiting, key=lambda due: (due.distance, due.asked, due.symbol)).symbol


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40), st.integers(2, 8))
def test_nobody_starves_however_near_the_others_are(distances: list[float], room: int) -> None:
    asked = dict.fromkeys(range(len(distances)), float("-inf"))
    longest = -(-len(distances) // (room // 2)) + 1
    for now in range(3 * longest):
        waiting = [Due(str(place), distances[place], asked[place]) for place in asked]
        for symbol in in_turn(waiting, room):
            asked[int(symbol)] = float(now)
        assert all(now - at <= longest for at in asked.values() if at >= 0)
        if now >= longest:
            assert min(asked.values()) >= 0


def test_distance_is_a_share_of_the_price_and_nothing_where_somebody_is_concerned() -> None:
    assert distance_to(100.0, 95.0, 110.0) == pytest.approx(0.05)
    assert distance_to(100.0, 80.0, 102.0) == pytest.approx(0.02)
    assert distance_to(100.0, 100.0, 110.0) == 0
    assert distance_to(None, 95.0, 110.0) == 0
    assert distance_to(100.0, float("inf"), float("-inf")) == 0


def test_a_look_may_ask_what_the_time_since_the_last_one_allows() -> None:
    kraken, binance = FEEDS["kraken"], FEEDS["binance"]
    assert room_of(kraken, "spot", spent=0, elapsed=30, least=4) == 25
    assert room_of(kraken, "spot", spent=0, elapsed=5, least=4) == 4
    assert room_of(kraken, "spot", spent=0, elapsed=600, least=4) == 40
    assert room_of(kraken, "spot", spent=42, elapsed=600, least=4) == 5
    assert room_of(kraken, "spot", spent=60, elapsed=600, least=4) == 4
    assert room_of(binance, "spot", spent=0, elapsed=5, least=4) == 250


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 9)), max_size=60))
def test_what_was_spent_is_forgotten_after_the_window(steps: list[tuple[float, int]]) -> None:
    spending, now, known = Spending(60.0), 1000.0, []
    for wait, amount in steps:
        now += wait
        spending.spend(amount, now)
        known.append((now, amount))
        sure = sum(amount for at, amount in known if at >= now - 59)
        most = sum(amount for at, amount in known if at > now - 61)
        assert sure <= spending.spent(now) <= most
    assert spending.spent(now + 61) == 0


@given(
    since=st.floats(-2 * DAY, 0),
    low=st.floats(1, 100),
    span=st.floats(0, 50),
    floor=st.floats(0, 200),
    ceiling=st.floats(0, 200),
)
def test_only_a_day_that_covers_all_and_stays_inside_excludes(
    since: float, low: float, span: float, floor: float, ceiling: float
) -> None:
    want = Want(MetricKey("price", "btc/usdt"), int(since), floor, ceiling)
    if is_excluded(want, Day(low, low + span, 0.0)):
        assert want.since >= -DAY + 600
        assert floor < low <= low + span < ceiling
