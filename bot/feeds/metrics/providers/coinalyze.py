"""Coinalyze: liquidations of single contracts, with the key of a free account; their sum is a lower bound.

https://api.coinalyze.net/v1/doc/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bot.engine.sessions import DAY, HOUR
from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.figures import instant_of, number_of
from bot.feeds.metrics.http import Http
from bot.feeds.metrics.liquidations import (
    ALL,
    EXAMPLE,
    METRIC,
    Liquidated,
    Stretch,
    by_stretch,
    stretch_of,
    words,
)
from bot.feeds.metrics.provider import Look, Means, Offer, Plug, Provider
from bot.feeds.spending import Spending
from bot.metrics import MetricKey, Observation, Want

NAME = "coinalyze"
KEY = "TOCSIN_COINALYZE_KEY"

_URL = "https://api.coinalyze.net/v1"
_A_MINUTE = 40
"""How many symbols may be asked for in a minute."""

_AT_ONCE = 20
_OF_A_COIN = 10
_EXCHANGES = "A63"
_OTHERS = "4YH02FK7"
"""The exchanges by Coinalyze's letters, the largest first: Binance, Bybit and OKX, then eight more."""

_LARGEST = ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB", "ADA", "LINK", "AVAX", "SUI")
_DOLLARS = ("USDT", "USD", "USDC")

_SECONDS = 300.0
_SOON = 60.0
_SECONDS_OF_MARKETS = float(DAY)
_SHORTEST, _SHORT, _LONGEST = 1800, 36 * HOUR, 60 * DAY
_SILENT = 6 * HOUR
"""After so long without a liquidation of the largest coins, it is not the market that is silent."""

_AHEAD = 600


@dataclass(frozen=True, slots=True)
class _Question:
    """One question for a coin: in steps of five minutes, or of an hour for the longer windows."""

    coin: str
    interval: str


class Coinalyze:
    """Sum up what was liquidated in the largest perpetuals, as far as the minute's allowance goes.

    What does not fit into a minute comes in the next, those first that waited longest.
    """

    def __init__(self, http: Http, key: str) -> None:
        self._http = http
        self._headers = {"api_key": key}
        self._spent = Spending(60.0)
        self._asked_at: dict[_Question, float] = {}
        self._markets: dict[str, list[str]] = {}
        self._markets_at = float("-inf")

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask for each coin. Raises Fault where nothing could be read, and why not."""
        found: list[Observation] = []
        refused: dict[MetricKey, str] = {}
        closed: Fault | None = None
        is_late = False
        stretches = by_stretch(wants)
        for question, asked in self._in_turn(stretches):
            keys = [key for stretch in asked for key in stretches[stretch]]
            try:
                if closed is not None and closed.is_of_all:
                    raise closed
                symbols = await self._symbols(question.coin, now)
                if self._spent.spent(now) + len(symbols) > _A_MINUTE:
                    is_late = True
                    continue
                history = await self._history(question, symbols, asked, now)
                for stretch in asked:
                    found += words(stretches[stretch], _summed(history, now - stretch.seconds), now, NAME)
                self._asked_at[question] = now
            except Fault as fault:
                refused |= dict.fromkeys(keys, fault.reason)
                if fault.trouble is not Trouble.SYMBOL:
                    closed = closed or fault
        if closed is not None and not found:
            raise closed
        if is_late and not found and not refused:
            raise Fault(Trouble.LIMITED, f"{NAME} takes {_A_MINUTE} symbols a minute, and no more", _SOON)
        left = max(0, _A_MINUTE - round(self._spent.spent(now)))
        return Look(now + (_SOON if is_late else _SECONDS), tuple(found), refused, left)

    def _in_turn(
        self, stretches: Mapping[Stretch, Sequence[MetricKey]]
    ) -> list[tuple[_Question, list[Stretch]]]:
        """Put together the windows that one question answers; who waited longest comes first."""
        questions: dict[_Question, list[Stretch]] = {}
        for stretch in stretches:
            interval = "5min" if stretch.seconds <= _SHORT else "1hour"
            questions.setdefault(_Question(stretch.coin, interval), []).append(stretch)
        return sorted(questions.items(), key=lambda one: self._asked_at.get(one[0], float("-inf")))

    async def _symbols(self, coin: str, now: float) -> list[str]:
        """Name the perpetuals whose sum stands for a coin, or for all. Raises Fault."""
        if now >= self._markets_at + _SECONDS_OF_MARKETS:
            self._spent.spend(1, now)
            answer = await self._http.json(NAME, f"{_URL}/future-markets", headers=self._headers)
            markets = _perpetuals(answer)
            if not all(coin in markets for coin in _LARGEST[:2]):
                raise Fault(Trouble.NONSENSE, f"{NAME} lists no contracts that can be read")
            self._markets, self._markets_at = markets, now
        if coin != ALL:
            found = self._markets.get(coin.upper(), [])[:_OF_A_COIN]
            if not found:
                raise Fault(Trouble.SYMBOL, f"{NAME} lists no perpetual on {coin.upper()}")
            return found
        of_each = len(_EXCHANGES)
        return [symbol for one in _LARGEST for symbol in self._markets.get(one, ())[:of_each]]

    async def _history(
        self, question: _Question, symbols: Sequence[str], asked: Sequence[Stretch], now: float
    ) -> list[dict[int, Liquidated]]:
        """Ask what was liquidated in each step of the longest window, by symbol. Raises Fault."""
        since = int(now) - max(DAY, *(stretch.seconds for stretch in asked))
        shape: dict[str, str | int] = {"interval": question.interval, "from": since, "to": int(now)}
        found: list[dict[int, Liquidated]] = []
        for some in (symbols[at : at + _AT_ONCE] for at in range(0, len(symbols), _AT_ONCE)):
            self._spent.spend(len(some), now)
            params = {"symbols": ",".join(some), "convert_to_usd": "true", **shape}
            url = f"{_URL}/liquidation-history"
            answer = await self._http.json(NAME, url, params=params, headers=self._headers)
            found += _steps(answer, some, now).values()
        if 2 * len(found) < len(symbols):
            raise Fault(Trouble.NONSENSE, f"{NAME} leaves out most of what it was asked for")
        newest = max(max(steps, default=0) for steps in found)
        if newest < now - _SILENT and (question.coin == ALL or question.coin.upper() in _LARGEST):
            raise Fault(Trouble.NONSENSE, f"{NAME} shows no liquidation of the last hours")
        return found


def _perpetuals(answer: object) -> dict[str, list[str]]:
    """Name the perpetuals of each coin, those in USDT first, and of them those of the largest exchanges."""
    ranked: dict[str, list[tuple[int, int, str]]] = {}
    order = _EXCHANGES + _OTHERS
    for row in answer if isinstance(answer, list) else ():
        match row:
            case {
                "symbol": str() as symbol,
                "exchange": str() as exchange,
                "base_asset": str() as base,
                "quote_asset": str() as quote,
                "is_perpetual": True,
            } if len(exchange) == 1 and exchange in order and quote in _DOLLARS:
                place = _DOLLARS.index(quote), order.index(exchange), symbol
                ranked.setdefault(base.upper(), []).append(place)
    return {base: [symbol for _, _, symbol in sorted({*places})] for base, places in ranked.items()}


def _steps(answer: object, asked: Sequence[str], now: float) -> dict[str, dict[int, Liquidated]]:
    """Read the steps of each symbol that was asked for; one that comes twice counts once. Raises Fault."""
    if not isinstance(answer, list):
        raise Fault(Trouble.NONSENSE, f"{NAME} answers in an unknown form")
    found: dict[str, dict[int, Liquidated]] = {}
    for row in answer:
        match row:
            case {"symbol": str() as symbol, "history": list() as history} if symbol in asked:
                steps = found.setdefault(symbol, {})
                for at, step in (_step(one, now) for one in history):
                    if steps.setdefault(at, step) != step:
                        raise Fault(Trouble.NONSENSE, f"{NAME} tells two things of one step")
    return found


def _step(row: object, now: float) -> tuple[int, Liquidated]:
    match row:
        case {"t": stamp, "l": longs, "s": shorts}:
            at, long, short = instant_of(stamp), number_of(longs), number_of(shorts)
            if at is not None and long is not None and short is not None:
                if long < 0 or short < 0 or at > now + _AHEAD:
                    raise Fault(Trouble.NONSENSE, f"{NAME} shows liquidations that cannot be")
                return at, Liquidated(long, short)
    raise Fault(Trouble.NONSENSE, f"{NAME} shows liquidations that are no numbers")


def _summed(history: Sequence[Mapping[int, Liquidated]], since: float) -> Liquidated:
    """Sum up the steps that lie whole in a window."""
    within = [step for steps in history for at, step in steps.items() if at >= since]
    return Liquidated(
        sum((step.long for step in within), Decimal(0)), sum((step.short for step in within), Decimal(0))
    )


def is_summed(instrument: str) -> bool:
    """Whether the liquidations that a key names can be summed up: over half an hour to sixty days."""
    stretch = stretch_of(instrument)
    return stretch is not None and _SHORTEST <= stretch.seconds <= _LONGEST


def _build(means: Means) -> Provider:
    return Coinalyze(means.http, means.given[KEY])


PLUG = Plug(
    NAME,
    (
        Offer(
            METRIC,
            ("all, 24h",),
            is_summed,
            example=EXAMPLE,
            note="from Coinalyze a lower bound: the sum of the largest perpetuals, "
            f"{_OF_A_COIN} of a coin, {len(_LARGEST) * len(_EXCHANGES)} for all",
        ),
    ),
    _build,
    needs=KEY,
    hint="the key of a free account at coinalyze.net",
)
