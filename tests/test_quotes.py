"""The last prices of a bulk answer: each row for itself, whatever stands in the others."""

from __future__ import annotations

from typing import Any

import pytest

from bot.feeds.exchanges.quotes import Quote, quotes_of

ODD = (
    None,
    "",
    "n/a",
    "nan",
    "inf",
    "-1",
    "0",
    float("nan"),
    float("inf"),
    10**400,
    -1.0,
    0,
    True,
    [],
    {},
    [[]],
)
"""What is no price."""

GOOD: dict[str, tuple[dict[str, Any], Quote]] = {
    "binance": (
        {"lastPrice": "100", "closeTime": 5000, "lowPrice": "90", "highPrice": "110"},
        Quote(100.0, 5000.0, 90.0, 110.0),
    ),
    "okx": (
        {"last": "100", "ts": "5000", "low24h": "90", "high24h": "110"},
        Quote(100.0, 5000.0, 90.0, 110.0),
    ),
    "bybit": (
        {"lastPrice": "100", "lowPrice24h": "90", "highPrice24h": "110"},
        Quote(100.0, None, 90.0, 110.0),
    ),
    "coinbase": ({"price": "100"}, Quote(100.0)),
    "kraken": (
        {"c": ["100", "0.1"], "l": ["95", "90"], "h": ["105", "110"]},
        Quote(100.0, None, 90.0, 110.0),
    ),
}
PRICE = {"binance": "lastPrice", "okx": "last", "bybit": "lastPrice", "coinbase": "price", "kraken": "c"}
CALLED = {"binance": "symbol", "okx": "instId", "bybit": "symbol", "coinbase": "product_id"}
SYMBOLS = {"A": "A/USD", "B": "B/USD", "C": "C/USD"}


def answer(name: str, *rows: tuple[object, object]) -> Any:
    """Wrap rows as the exchange does, each under its name."""
    if name == "kraken":
        return {"result": dict(rows)}
    named = [{**row, CALLED[name]: own} if isinstance(row, dict) else row for own, row in rows]
    match name:
        case "okx":
            return {"data": named}
        case "bybit":
            return {"result": {"list": named}}
        case "coinbase":
            return {"products": named}
    return named


@pytest.mark.parametrize("name", GOOD)
def test_a_row_that_tells_no_price_is_left_out_and_spoils_no_other(name: str) -> None:
    good, quote = GOOD[name]
    bare = {place: value for place, value in good.items() if place != PRICE[name]}
    odd = [bare, {}, *({**good, PRICE[name]: value} for value in ODD), *ODD, "A", 7]
    if name == "kraken":
        odd += [{**good, "c": [value]} for value in ODD]
    for row in odd:
        found = quotes_of(name, answer(name, ("A", good), ("B", row), ("C", good)), SYMBOLS)
        assert found == {"A/USD": quote, "C/USD": quote}, row


@pytest.mark.parametrize("name", [name for name in GOOD if name != "coinbase"])
def test_extremes_that_are_none_leave_the_price_as_it_is(name: str) -> None:
    good, quote = GOOD[name]
    for place in good.keys() - {PRICE[name]}:
        for value in ODD:
            found = quotes_of(name, answer(name, ("A", {**good, place: value}), ("B", good)), SYMBOLS)
            assert found["A/USD"].price == quote.price
            assert None in {found["A/USD"].at, found["A/USD"].low, found["A/USD"].high}
            assert found["B/USD"] == quote


@pytest.mark.parametrize("name", CALLED)
def test_a_row_that_is_called_nothing_or_something_else_is_left_out(name: str) -> None:
    good, quote = GOOD[name]
    strangers = [(called, good) for called in (None, 7, [], {}, "D")]
    assert quotes_of(name, answer(name, *strangers, ("B", good)), SYMBOLS) == {"B/USD": quote}


def test_prices_alone_are_read_where_binance_gives_no_more() -> None:
    rows = [{"symbol": "A", "price": "2", "time": 9}, {"symbol": "B", "price": "-2"}, {"symbol": "C"}]
    assert quotes_of("binance", rows, SYMBOLS) == {"A/USD": Quote(2.0, 9.0)}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_no_answer_is_said(name: str) -> None:
    for nothing in (None, 7):
        with pytest.raises((TypeError, AttributeError, LookupError)):
            quotes_of(name, nothing, SYMBOLS)
