"""Read the last prices out of an exchange's bulk answer, and nothing else of it. Pure.

ccxt makes of each ticker twenty fields, some reckoned in exact decimals, for four that are needed here: most
of what an answer of thousands costs, and in one piece. Here a row costs one look-up and a few numbers. What
its fields are called stands in the documentation of each exchange that ``table`` names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any


@dataclass(frozen=True, slots=True)
class Quote:
    """A last price, the epoch milliseconds of its trade where the exchange says so, and the extremes of the
    24 hours before where they came with it. What was no finite number above zero is ``None``.
    """

    price: float | None
    at: float | None = None
    low: float | None = None
    high: float | None = None


Row = Mapping[str, Any]


def quotes_of(name: str, answer: Any, symbols: Mapping[str, str]) -> dict[str, Quote]:
    """Read the answer of the exchange ``name``, by ccxt's symbol, to which ``symbols`` translates its own.

    What is not among them is left out. Raises TypeError, AttributeError or LookupError for what is no answer.
    """
    way, place, read = _READERS[name]
    for step in way:
        answer = answer[step]
    rows = answer.items() if not place else ((row[place], row) for row in answer)
    return {symbols[own]: read(row) for own, row in rows if own in symbols}


def positive(value: object) -> float | None:
    """Read a finite number above zero, or ``None``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value <= 0:
        return None
    return float(value)


def _number(value: object) -> float | None:
    """Read a number that may be written as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return positive(value)


def _binance(row: Row) -> Quote:
    if "lastPrice" not in row:  # the cheap answer, of prices alone
        return Quote(_number(row.get("price")), _number(row.get("time")))
    return Quote(
        _number(row["lastPrice"]),
        _number(row.get("closeTime")),
        _number(row.get("lowPrice")),
        _number(row.get("highPrice")),
    )


def _okx(row: Row) -> Quote:
    return Quote(
        _number(row.get("last")),
        _number(row.get("ts")),
        _number(row.get("low24h")),
        _number(row.get("high24h")),
    )


def _bybit(row: Row) -> Quote:
    price, low, high = (_number(row.get(name)) for name in ("lastPrice", "lowPrice24h", "highPrice24h"))
    return Quote(price, None, low, high)


def _coinbase(row: Row) -> Quote:
    return Quote(_number(row.get("price")))


def _kraken(row: Row) -> Quote:
    # Of each pair of extremes the first is today's, the second that of 24 hours.
    return Quote(_number(row["c"][0]), None, _number(row["l"][1]), _number(row["h"][1]))


_READERS: Mapping[str, tuple[tuple[str, ...], str, Callable[[Row], Quote]]] = {
    "binance": ((), "symbol", _binance),
    "okx": (("data",), "instId", _okx),
    "bybit": (("result", "list"), "symbol", _bybit),
    "coinbase": (("products",), "product_id", _coinbase),
    "kraken": (("result",), "", _kraken),
}
"""By exchange, the way to the rows, what a row calls its instrument or nothing where they are listed under
that name, and who reads one."""
