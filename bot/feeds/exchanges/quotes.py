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
    24 hours before where they came with it. What of them was no finite number above zero is ``None``.
    """

    price: float
    at: float | None = None
    low: float | None = None
    high: float | None = None


Row = Mapping[str, Any]


def quotes_of(name: str, answer: Any, symbols: Mapping[str, str]) -> dict[str, Quote]:
    """Read the answer of the exchange ``name``, by ccxt's symbol, to which ``symbols`` translates its own.

    What is not among them is left out, and so is a row that tells no price: it spoils no other. Raises
    TypeError, AttributeError or LookupError for what is no answer.
    """
    way, place, read = _READERS[name]
    for step in way:
        answer = answer[step]
    quotes: dict[str, Quote] = {}
    for own, row in answer.items() if not place else ((None, row) for row in answer):
        if not isinstance(row, dict):
            continue
        called = row.get(place) if place else own
        symbol = symbols.get(called) if isinstance(called, str) else None
        if symbol is not None and (quote := read(row)) is not None:
            quotes[symbol] = quote
    return quotes


def positive(value: object) -> float | None:
    """Read a finite number above zero, or ``None``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if number > 0 and isfinite(number) else None


def _number(value: object) -> float | None:
    """Read a number that may be written as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return positive(value)


def _quote(price: object, at: object = None, low: object = None, high: object = None) -> Quote | None:
    """Make a quote of what a row says, if it says a price."""
    value = _number(price)
    return None if value is None else Quote(value, _number(at), _number(low), _number(high))


def _at(values: object, place: int) -> object:
    """Take one of several values, if they are several."""
    return values[place] if isinstance(values, list) and len(values) > place else None


def _binance(row: Row) -> Quote | None:
    if "lastPrice" not in row:  # the cheap answer, of prices alone
        return _quote(row.get("price"), row.get("time"))
    return _quote(row["lastPrice"], row.get("closeTime"), row.get("lowPrice"), row.get("highPrice"))


def _okx(row: Row) -> Quote | None:
    return _quote(row.get("last"), row.get("ts"), row.get("low24h"), row.get("high24h"))


def _bybit(row: Row) -> Quote | None:
    return _quote(row.get("lastPrice"), None, row.get("lowPrice24h"), row.get("highPrice24h"))


def _coinbase(row: Row) -> Quote | None:
    return _quote(row.get("price"))


def _kraken(row: Row) -> Quote | None:
    # Of each pair of extremes the first is today's, the second that of 24 hours.
    return _quote(_at(row.get("c"), 0), None, _at(row.get("l"), 1), _at(row.get("h"), 1))


_READERS: Mapping[str, tuple[tuple[str, ...], str, Callable[[Row], Quote | None]]] = {
    "binance": ((), "symbol", _binance),
    "okx": (("data",), "instId", _okx),
    "bybit": (("result", "list"), "symbol", _bybit),
    "coinbase": (("products",), "product_id", _coinbase),
    "kraken": (("result",), "", _kraken),
}
"""By exchange, the way to the rows, what a row calls its instrument or nothing where they are listed under
that name, and who reads one."""
