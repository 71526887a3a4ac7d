"""The door to one exchange: the real ccxt behind it, checked values in front of it.

All of it runs in the thread of ccxt; every failure leaves as a Fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from bot.feeds.exchanges.library import Way, exchange_class
from bot.feeds.exchanges.quotes import Quote, quotes_of
from bot.feeds.exchanges.table import Exchange, Kind
from bot.feeds.faults import Fault, Trouble, fault_of_error, fault_of_status
from bot.feeds.gateway import through
from bot.feeds.spending import Spending
from bot.metrics import MINUTE
from bot.ports import Clock

Answer = TypeVar("Answer")

_AT_ONCE = 6
_WAITING = 200
_SECONDS_FOR_A_LISTING = 15.0
_BOOK_ROWS = 5
"""The fewest that every exchange gives."""
_RECENT_BARS = 1400
"""OKX keeps its last 1,440 candles at one address, and the older ones at another."""


class Door:
    """One long-lived ccxt instance, opened by the first question."""

    def __init__(
        self, exchange: Exchange, gateway: str, throttle: bool, timeout: float, clock: Clock
    ) -> None:
        self._about = exchange
        self._gateway = gateway
        self._throttle = throttle
        self._timeout = timeout
        self._clock = clock
        self._ccxt: Any = None
        self._symbols: dict[Kind, dict[str, str]] = {"spot": {}, "swap": {}}
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._has_listing = asyncio.Event()
        self._waiting = 0
        self._hour = Spending(3600.0, MINUTE)
        self._minute = {costs: Spending(MINUTE) for costs in exchange.costs.values()}
        self.requests = 0

    def requests_in_an_hour(self) -> int:
        """Count the requests of the last hour."""
        return round(self._hour.spent(self._clock.now()))

    def share(self) -> float:
        """Give how much of what a minute allows was spent in the last one, of the scarcest allowance."""
        now = self._clock.now()
        return max(spent.spent(now) / costs.a_minute for costs, spent in self._minute.items())

    def spent(self, kind: Kind) -> float:
        """Give the weight that was spent in the last minute, of the allowance that a kind belongs to."""
        return self._minute[self._about.costs[kind]].spent(self._clock.now())

    async def time(self) -> float:
        """Ask the exchange for its clock, in epoch seconds."""
        async with self._asking():
            stamp = await self._instance().fetch_time()
        if isinstance(stamp, bool) or not isinstance(stamp, int | float) or not stamp > 0:
            raise self._nonsense("gives no time")
        return float(stamp) / 1000

    async def markets(self) -> list[dict[str, Any]]:
        """Ask for all markets, without using them yet."""
        async with self._asking():
            # ccxt's own load_markets keeps whatever comes, an empty list too, and an error in the middle of
            # it reaches every other waiter: so it is never called.
            found = await self._instance().fetch_markets()
        if not isinstance(found, list) or not found:
            raise self._nonsense("lists no markets")
        return found

    def use(self, markets: list[dict[str, Any]], kept: Collection[str] = ()) -> dict[str, Mapping[str, Any]]:
        """Use these markets from now on, and give them by their unified symbol.

        Those of ``kept`` that are missing now, and were there before, stay.
        """
        for market in markets:
            market["info"] = {}  # the raw answer is half of the memory, and nothing here reads it
        known = {market["symbol"] for market in markets}
        before = self._instance().markets or {}
        markets += [before[symbol] for symbol in kept if symbol in before and symbol not in known]
        try:
            self._instance().set_markets(markets)
        except Exception as error:
            raise fault_of_error(self._about.name, error) from error
        self._has_listing.set()
        by_symbol: dict[str, Mapping[str, Any]] = self._instance().markets
        self._symbols = {
            kind: {market["id"]: symbol for symbol, market in by_symbol.items() if market.get(kind) is True}
            for kind in self._symbols
        }
        return by_symbol

    async def listed(self) -> Mapping[str, Mapping[str, Any]]:
        """Give the markets in use by their unified symbol, those too that are not watched for prices.

        Waits some seconds for the first of them: who watches prices loads them at the start. Raises Fault.
        """
        try:
            async with asyncio.timeout(_SECONDS_FOR_A_LISTING):
                await self._has_listing.wait()
        except TimeoutError:
            raise Fault(Trouble.PASSING, f"{self._about.name} has not said what it lists") from None
        if self._ccxt is None:
            raise Fault(Trouble.PASSING, f"{self._about.name} is not looked at any more")
        found: Mapping[str, Mapping[str, Any]] = self._ccxt.markets
        return found

    async def ask(self, call: str, *arguments: object, weight: float = 1.0) -> Any:
        """Ask about contracts with one of ccxt's calls, and give the answer as it comes. Raises Fault.

        ``weight`` is what it costs of the allowance of perpetuals. It needs markets in use: see ``listed``.
        """
        self._spend("swap", weight)
        async with self._asking():
            return await getattr(self._instance(), call)(*arguments)

    async def prices(self, kind: Kind, with_days: bool = False) -> dict[str, Quote]:
        """Ask for the last price of everything of a kind, by unified symbol.

        ``with_days`` asks for the extremes of the last 24 hours too; some exchanges give them unasked.
        """
        asked = (self._about.days if with_days else None) or self._about.prices
        question, costs = asked[kind], self._about.costs[kind]
        self._spend(kind, costs.days if with_days and costs.days is not None else costs.prices)
        async with self._asking():
            found = await getattr(self._instance(), question.call)(dict(question.params))
            await asyncio.sleep(0)  # the answer has just been read: others have their turn
            return quotes_of(self._about.name, found, self._symbols[kind])

    def offered(self, span: int) -> int:
        """Give the longest candles on offer of which bars of ``span`` seconds can be made."""
        return max(one for one in self._about.spans if span % one == 0)

    async def rows(
        self, symbol: str, start: int, stop: int, now: float, span: int = MINUTE
    ) -> Sequence[object]:
        """Ask for the candles of ``[start, stop)``, as they come.

        ``now`` is the exchange's instant, ``span`` one of the lengths that it offers.
        """
        about = self._about
        params: dict[str, object] = {}
        is_old = start < now - _RECENT_BARS * span
        if about.has_history_type:
            params["type"] = "HistoryCandles" if is_old else "Candles"
        limit = about.rows if about.gives_newest else (stop - start) // span
        kind: Kind = "swap" if ":" in symbol else "spot"
        self._spend(kind, about.costs[kind].of_candles(limit, is_old))
        async with self._asking():
            found: Sequence[object] = await self._instance().fetch_ohlcv(
                symbol, about.spans[span], start * 1000, limit, params
            )
        return found

    async def book(self, symbol: str) -> tuple[object, object]:
        """Ask for the best bid and the best ask, as they come."""
        async with self._asking():
            found = await self._instance().fetch_order_book(symbol, _BOOK_ROWS)
            best_bid, best_ask = found["bids"][0][0], found["asks"][0][0]
        return best_bid, best_ask

    async def second(self, options: Mapping[str, object]) -> Any:
        """Open another instance, of ccxt.pro, that reads websockets and shares the markets in use here.

        It belongs to the caller. ``options`` come on top of the exchange's. Raises Fault while no markets are
        in use.
        """
        if self._ccxt is None or not self._ccxt.markets:
            raise self._nonsense("has not said what it lists")
        instance = self._built("pro", {**self._about.options, **options})
        instance.set_markets_from_exchange(self._ccxt)
        return instance

    async def close(self) -> None:
        """Let go of the connections."""
        if self._ccxt is not None:
            await self._ccxt.close()
            self._ccxt = None

    def _spend(self, kind: Kind, weight: float) -> None:
        self._minute[self._about.costs[kind]].spend(weight, self._clock.now())

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """Hold one of few places, and let nothing out but Faults."""
        if self._waiting >= _WAITING:
            raise Fault(Trouble.PASSING, f"too many questions wait for {self._about.name}")
        self._waiting += 1
        try:
            async with self._room:
                yield
        except Exception as error:
            raise fault_of_error(self._about.name, error) from error
        finally:
            self._waiting -= 1

    def _nonsense(self, what: str) -> Fault:
        return Fault(Trouble.NONSENSE, f"{self._about.name} {what}")

    def _instance(self) -> Any:
        if self._ccxt is None:
            self._ccxt = self._open()
        return self._ccxt

    def _open(self) -> Any:
        instance = self._built("async_support", self._about.options)
        self._watch_answers(instance)
        return instance

    def _built(self, way: Way, options: Mapping[str, object]) -> Any:
        instance: Any = exchange_class(self._about.name, way)(
            {
                "enableRateLimit": self._throttle,
                "timeout": int(self._timeout * 1000),
                "options": dict(options),
            }
        )
        if self._gateway:
            instance.urls["api"] = through(self._gateway, instance.urls["api"])
            if urlsplit(self._gateway).scheme == "http":
                instance.timeout_on_exit = 0  # only TLS needs a moment to say goodbye
        return instance

    def _watch_answers(self, instance: Any) -> None:
        """Judge each answer before ccxt reads it.

        ccxt takes a web page, an empty body and broken JSON for empty data, and sorts candles by dropping
        the ones without a time, which would then look like minutes without a trade.
        """
        name = self._about.name
        fetch: Callable[..., Awaitable[object]] = instance.fetch
        handle_errors: Callable[..., None] = instance.handle_errors

        async def fetch_counted(*question: Any) -> object:
            self.requests += 1
            self._hour.spend(1, self._clock.now())
            return await fetch(*question)

        def handle_answer(*answer: Any) -> None:
            status, _, _, _, headers, body, data, *_ = answer
            fault = fault_of_status(name, status, headers or {}, body or "")
            if fault is not None:
                raise fault
            if status < 400 and (not isinstance(data, dict | list) or data == {}):
                raise self._nonsense("answers with something that is no data")
            handle_errors(*answer)

        def rows_as_they_came(rows: Any, market: Any = None, *_: Any, **__: Any) -> list[object]:
            return [instance.parse_ohlcv(row, market) for row in rows or ()]

        instance.fetch = fetch_counted
        instance.handle_errors = handle_answer
        instance.parse_ohlcvs = rows_as_they_came
