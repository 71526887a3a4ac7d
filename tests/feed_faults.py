"""What an exchange may do for a while, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.wire import exchanges as wire
from tests.wire import memory

_FIELDS = ("start", "open", "high", "low", "close", "volume")


def spoilt(place: int, value: object) -> Callable[[object], object]:
    """Put garbage into the three newest candles of an answer."""

    def change(answer: object) -> object:
        for row in sorted(_rows(answer), key=_opening)[-3:]:
            if isinstance(row, dict):
                row[_FIELDS[place]] = value
            elif isinstance(row, list):
                row[place] = value
        return answer

    return change


def _opening(row: object) -> int:
    return int(row["start"] if isinstance(row, dict) else row[0])  # type: ignore[index]


def _rows(answer: object) -> list[object]:
    match answer:
        case list(rows) | {"data": list(rows)} | {"candles": list(rows)} | {"result": {"list": list(rows)}}:
            return rows
        case {"result": dict(result)}:
            return next((rows for rows in result.values() if isinstance(rows, list)), [])
    return []


def emptied(answer: object) -> object:
    """Leave nothing of a list."""
    match answer:
        case {"symbols": list()}:
            return answer | {"symbols": []}
        case {"products": list()}:
            return answer | {"products": []}
        case {"data": list()}:
            return answer | {"data": []}
        case {"result": {"list": list()} as result}:
            return answer | {"result": result | {"list": []}}
        case {"error": [], "result": dict()}:
            return answer | {"result": {}}
        case {"candles": list()}:
            return answer | {"candles": []}
        case list():
            return []
    return answer


def shrunken(answer: object) -> object:
    """Leave one of all prices."""
    match answer:
        case list(rows):
            return rows[:1]
        case {"products": list(rows)}:
            return answer | {"products": rows[:1]}
        case {"data": list(rows)}:
            return answer | {"data": rows[:1]}
        case {"result": {"list": list(rows)} as result}:
            return answer | {"result": result | {"list": rows[:1]}}
        case {"error": [], "result": dict(rows)}:
            return answer | {"result": dict(list(rows.items())[:1])}
    raise AssertionError(answer)


FAULTS: Mapping[str, object] = {
    "web page": wire.web_page,
    "empty body": wire.empty_body,
    "empty object": wire.empty_object,
    "half an answer": wire.half_an_answer,
    "503": wire.status(503),
    "524": wire.status(524, "a timeout occurred"),
    "429": wire.status(429, "{}", Retry_After="60"),
    "429 in words": wire.status(429, "slow down"),
    "418": wire.status(418, '{"code": -1003}', Retry_After="120"),
    "451": wire.status(451),
    "hanging": memory.timeout,
    "reset": memory.broken,
    "nothing": wire.rewritten(emptied),
    "nan": wire.rewritten(spoilt(3, "NaN")),
    "inf": wire.rewritten(spoilt(2, "inf")),
    "negative": wire.rewritten(spoilt(3, "-5")),
    "low above high": wire.rewritten(spoilt(2, "0.0000001")),
    "2100": wire.rewritten(spoilt(0, 4_102_444_800_000)),
}
"""What an exchange may do for a while; a garbled candle is only met by who asks for candles."""

GARBLED = {"nan", "inf", "negative", "low above high", "2100"}
CANDLES = {"binance": "klines", "kraken": "OHLC", "okx": "candles", "coinbase": "candles", "bybit": "kline"}
