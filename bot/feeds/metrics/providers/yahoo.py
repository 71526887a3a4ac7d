"""Yahoo: daily closes of indices, futures, a yield, and single stocks of New York, without a key.

https://query1.finance.yahoo.com/v8/finance/chart/SYMBOL (used by its own pages, promised to nobody)

Closes are taken as they are given, to seven digits, for Yahoo keeps them in single precision: adjusted for
splits, not for dividends. A split changes all closes before it, so a stock is not read on the day of its
split, and when that day's close is final, all that was ever asked for is read again in the same look. Gold,
silver and oil are the front-month futures; a stock of which the last trade was early is final at settlement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal
from typing import Any

from bot.engine.sessions import DAY, HOUR, XNYS, day_of, midnight_of
from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.figures import instant_of, number_of
from bot.feeds.metrics.http import Http
from bot.feeds.metrics.provider import Look, Offer, Plug
from bot.feeds.metrics.wall_street import (
    FUTURES,
    STOCKS,
    VOLATILITY,
    YIELDS,
    Hours,
    newest_final,
    next_look,
    session_of,
)
from bot.metrics import MetricKey, Observation, Want
from bot.rules.scanner import could_be_stock

NAME = "yahoo"

_URL = "https://query1.finance.yahoo.com/v8/finance/chart/"
_HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; tocsin; a self-hosted alert bot)"}
_SINGLE = Context(prec=7)

_INDICES: Mapping[str, tuple[str, Hours]] = {
    "spx": ("^GSPC", STOCKS),
    "ndx": ("^NDX", STOCKS),
    "vix": ("^VIX", VOLATILITY),
}
_FUTURES: Mapping[str, tuple[str, Hours]] = {
    "gold": ("GC=F", FUTURES),
    "silver": ("SI=F", FUTURES),
    "oil": ("CL=F", FUTURES),
}
_DOLLAR: Mapping[str, tuple[str, Hours]] = {"dxy": ("DX-Y.NYB", FUTURES)}
_YIELD: Mapping[str, tuple[str, Hours]] = {"us10y": ("^TNX", YIELDS)}
_SYMBOLS = {**_INDICES, **_FUTURES, **_DOLLAR, **_YIELD}
_KINDS = frozenset(["EQUITY", "ETF"])

_FRESH = 60.0
_UNKNOWN_FOR = HOUR
_MOST_KEPT = 256
_UNTIL_ASKED_AGAIN = 600.0
_PATIENCE = 2 * HOUR
_MOST_FAILURES = 2
_MOST_CORRECTED = Decimal("0.15")
"""No close is corrected by more; the smallest usual split moves them by a fifth."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One answer: closes and splits (new shares for an old one) by session, and when the last trade was."""

    closes: Mapping[date, Decimal]
    splits: Mapping[date, Decimal]
    traded_at: int | None


@dataclass(frozen=True, slots=True)
class _Answer:
    since: int
    asked_at: float
    chart: Chart | None


@dataclass(slots=True)
class _Past:
    """What was said of a series: since when, with which splits, and its final closes of the last look."""

    since: int
    splits: set[date] = field(default_factory=set)
    closes: dict[date, Decimal] = field(default_factory=dict)

    def is_rewritten(self, chart: Chart) -> bool:
        """Whether closes are now so far from what they were that a split must be behind it."""
        both = self.closes.keys() & chart.closes.keys()
        return any(abs(chart.closes[day] / self.closes[day] - 1) > _MOST_CORRECTED for day in both)


class Yahoo:
    """Read each series by one question; who asks for the same again within a minute is told the same."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._answers: dict[str, _Answer] = {}
        self._pasts: dict[MetricKey, _Past] = {}

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask for each wanted series. Raises Fault where none could be read."""
        found: list[Observation] = []
        refused: dict[MetricKey, str] = {}
        faults: list[Fault] = []
        for place, want in enumerate(wants):
            try:
                words = await self._words(want, now)
            except Fault as fault:
                refused[want.key] = fault.reason
                faults.append(fault)
                if _is_of_all(faults):
                    refused |= {rest.key: fault.reason for rest in wants[place:]}
                    break
            else:
                found.extend(words)
                if not words:
                    refused[want.key] = f"{NAME} gives no closes of {_symbol(want.key)}"
        if faults and not found:
            raise faults[-1]
        next_at: float = next_look((_hours(want.key) for want in wants), now)
        if faults or any(_is_awaited(want.key, found, now) for want in wants):
            rest = max([_UNTIL_ASKED_AGAIN, *(fault.retry_after or 0.0 for fault in faults)])
            next_at = min(next_at, now + rest)
        return Look(next_at, tuple(found), refused)

    async def _words(self, want: Want, now: float) -> list[Observation]:
        """Read one series; nothing is said of what nobody knows. Raises Fault."""
        key, hours = want.key, _hours(want.key)
        chart = await self._chart(key, want.since, now)
        if chart is None:
            return []
        past = self._pasts.setdefault(key, _Past(want.since))
        past.since = min(past.since, want.since)
        if fresh := chart.splits.keys() - past.splits:
            latest = max(fresh)
            if latest not in chart.closes or not hours.is_final(latest, now, chart.traded_at):
                raise Fault(
                    Trouble.PASSING, f"{NAME} shows a split of {_symbol(key)} whose session is not over"
                )
            if past.since < want.since:
                chart = await self._chart(key, past.since, now) or chart
        elif past.is_rewritten(chart):
            raise Fault(Trouble.NONSENSE, f"{NAME} rewrites the closes of {_symbol(key)}, and shows no split")
        words = _words_of(key, chart, now)
        past.splits |= chart.splits.keys()
        past.closes = {day_of(word.as_of): word.value for word in words if word.is_final}
        return words

    async def _chart(self, key: MetricKey, since: int, now: float) -> Chart | None:
        """Ask for the closes of one series since an instant; ``None`` for what nobody knows. Raises Fault."""
        symbol = _symbol(key)
        known = self._answers.get(symbol)
        if known is not None and known.since <= since and now - known.asked_at < _lasts(known):
            return known.chart
        params: dict[str, str | int] = {
            "period1": max(0, since),
            "period2": int(now) + DAY,
            "interval": "1d",
            "events": "div,splits",
            "includePrePost": "false",
        }
        answer = await self._http.json(NAME, _URL + symbol, params=params, headers=_HEADERS, reads={404})
        chart = read_chart(answer, symbol, is_stock=key.instrument.startswith("$"))
        self._answers.pop(symbol, None)
        self._answers[symbol] = _Answer(since, now, chart)
        while len(self._answers) > _MOST_KEPT:
            del self._answers[next(iter(self._answers))]
        return chart


def read_chart(answer: object, symbol: str, *, is_stock: bool) -> Chart | None:
    """Read an answer; ``None`` where nothing in New York has the symbol. Raises Fault for an unknown form."""
    match answer:
        case {"chart": {"error": {"code": "Not Found"}}}:
            return None
        case {"chart": {"error": {"code": str()}}}:
            raise Fault(Trouble.PASSING, f"{NAME} answers with an error")
        case {"chart": {"result": [{"meta": {"symbol": str() as told, **meta}, **rest}]}}:
            pass
        case _:
            raise Fault(Trouble.NONSENSE, f"{NAME} answers in an unknown form")
    if told.upper() != symbol:
        raise Fault(Trouble.NONSENSE, f"{NAME} answers with another symbol than {symbol}")
    if is_stock and not _is_of_new_york(meta):
        return None
    stamps, closes = _columns(rest)
    if len(stamps) != len(closes):
        raise Fault(Trouble.NONSENSE, f"{NAME} gives days without closes for {symbol}")
    return Chart(
        dict(_closes(stamps, closes)), dict(_splits(rest)), instant_of(meta.get("regularMarketTime"))
    )


def _columns(rest: Mapping[Any, object]) -> tuple[Sequence[object], Sequence[object]]:
    match rest:
        case {"timestamp": [*stamps], "indicators": {"quote": [{"close": [*closes]}]}}:
            return stamps, closes
        case {"timestamp": [_, *_]}:
            raise Fault(Trouble.NONSENSE, f"{NAME} answers in an unknown form")
        case _:  # no session lies in what was asked for
            return [], []


def _closes(stamps: Sequence[object], closes: Sequence[object]) -> Iterator[tuple[date, Decimal]]:
    """List the closes by session; of two that are of one session the later, which is the newest trade's."""
    for stamp, raw in zip(stamps, closes, strict=True):
        at, close = instant_of(stamp), number_of(raw)
        session = None if at is None else session_of(at)
        if session is not None and close is not None and close > 0:  # oil's of 20 April 2020 is left out
            yield session, Decimal(f"{_SINGLE.plus(close).normalize():f}")


def _splits(rest: Mapping[Any, object]) -> Iterator[tuple[date, Decimal]]:
    match rest:
        case {"events": {"splits": {**splits}}}:
            for one in splits.values():
                match one:
                    case {"date": stamp, "numerator": raw, "denominator": other}:
                        at, new, old = instant_of(stamp), number_of(raw), number_of(other)
                        session = None if at is None else session_of(at)
                        if session is not None and new and old:
                            yield session, new / old


def _is_of_new_york(meta: Mapping[Any, object]) -> bool:
    zone, kind = meta.get("exchangeTimezoneName"), meta.get("instrumentType")
    return zone in {None, "America/New_York"} and (kind is None or kind in _KINDS)


def _words_of(key: MetricKey, chart: Chart, now: float) -> list[Observation]:
    hours, newest = _hours(key), max(chart.closes, default=None)
    return [
        Observation(
            key,
            midnight_of(session),
            close,
            now,
            session != newest or hours.is_final(session, now, chart.traded_at),
            source=NAME,
        )
        for session, close in sorted(chart.closes.items())
    ]


def _is_awaited(key: MetricKey, found: Sequence[Observation], now: float) -> bool:
    """Whether a close that may be final is not, and is still worth asking for soon."""
    session = newest_final(_hours(key), now)
    finals = {word.as_of for word in found if word.key == key and word.is_final}
    is_late = now > XNYS.settles_at(session) + _PATIENCE
    return bool(finals) and midnight_of(session) not in finals and not is_late


def _is_of_all(faults: Sequence[Fault]) -> bool:
    """Whether it is useless to ask on: it refuses, or does not answer a second time."""
    return faults[-1].trouble in {Trouble.LIMITED, Trouble.BLOCKED} or len(faults) >= _MOST_FAILURES


def _lasts(answer: _Answer) -> float:
    return _FRESH if answer.chart is not None else _UNKNOWN_FOR


def _symbol(key: MetricKey) -> str:
    if key.instrument in _SYMBOLS:
        return _SYMBOLS[key.instrument][0]
    return key.instrument.removeprefix("$").replace(".", "-").upper()


def _hours(key: MetricKey) -> Hours:
    return _SYMBOLS[key.instrument][1] if key.instrument in _SYMBOLS else STOCKS


def is_ticker(instrument: str) -> bool:
    """Whether an instrument is written as a stock is: ``$nvda``."""
    return instrument.startswith("$") and could_be_stock(instrument[1:])


PLUG = Plug(
    NAME,
    (
        Offer("price", (*_INDICES,), note="the close of the last session"),
        Offer("price", (*_FUTURES,), note="gold, silver and oil: front-month futures, with their rolls"),
        Offer("price", (*_DOLLAR,)),
        Offer("price", (*_YIELD,), note="us10y: the yield in percent"),
        Offer("price", (), is_ticker, example="$nvda", note="stocks: adjusted for splits, not for dividends"),
    ),
    lambda means: Yahoo(means.http),
)
