"""What exchanges say of their perpetuals and dated futures beside prices: asked through ccxt, and read.

One instance serves one look, in the thread of ccxt: what an exchange tells of all contracts at once is asked
once in it. Figures are in the units of the language: percent, and USD.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Literal

from bot.engine.sessions import DAY
from bot.feeds.exchanges.door import Door
from bot.feeds.exchanges.listing import siblings
from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.figures import instant_of, number_of

Gauge = Literal["funding", "open_interest", "long_share", "basis"]
"""What is measured of contracts, by the name of its function."""

SOONEST_EXPIRY = 14 * DAY
"""How far away a dated future's end must be: near it, a rate a year is made of noise."""

_LATEST_EXPIRY = 400 * DAY
_YEAR = 365
_PERIOD = "5m"
_MOST_FUNDING = 10
_MOST_APART = (Decimal("0.5"), Decimal(2))
_SLACK = Decimal("0.02")


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract that an exchange lists: ccxt's ``symbol``, the exchange's own names, when a future ends.

    ``place`` is that of a future among those of its pair, by their ends; ``expiry`` is in epoch seconds.
    """

    symbol: str
    id: str
    pair: str
    quote: str = ""
    expiry: int = 0
    place: int = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as an exchange gave it, and the instant it is of, where it says so (epoch seconds)."""

    value: Decimal
    at: int | None = None


def perpetual_of(markets: Mapping[str, Mapping[str, Any]], name: str) -> Contract | None:
    """Find the perpetual that an instrument means: itself, or that on it, in its own or in other dollars."""
    for one in siblings(name.lower()):
        _, _, quote = one.partition("/")
        symbol = (one if ":" in one else f"{one}:{quote}").upper()
        market = markets.get(symbol)
        if market is not None and market.get("swap") is True and market.get("active") is not False:
            return _contract(symbol, market)
    return None


def future_of(markets: Mapping[str, Mapping[str, Any]], name: str, now: float) -> Contract | None:
    """Find the dated future on an instrument that ends first, of those that have some weeks to run."""
    for one in siblings(name.lower().partition(":")[0]):
        base, _, quote = one.upper().partition("/")
        listed = sorted(
            (int(market["expiry"]) // 1000, symbol, market)
            for symbol, market in markets.items()
            if market.get("future") is True
            and market.get("expiry")
            and market.get("active") is not False
            and (market.get("base"), market.get("quote"), market.get("settle")) == (base, quote, quote)
        )
        running = [entry for entry in listed if now < entry[0] <= now + _LATEST_EXPIRY]
        for place, (expiry, symbol, market) in enumerate(running):
            if expiry >= now + SOONEST_EXPIRY:
                return _contract(symbol, market, expiry, place)
    return None


def _contract(symbol: str, market: Mapping[str, Any], expiry: int = 0, place: int = 0) -> Contract:
    base, quote = str(market["baseId"]), str(market["quoteId"])
    return Contract(symbol, str(market["id"]), base + quote, quote, expiry, place)


def premium_a_year(future: Decimal, price: Decimal, seconds: int) -> Decimal:
    """Give by how much a dated future is above the price it follows, in percent of it and a year."""
    return (future / price - 1) * 100 * _YEAR * DAY / seconds


@dataclass(slots=True)
class Contracts(ABC):
    """The contracts of one exchange, as of one look. Every coroutine raises Faults only."""

    door: Door
    name: str
    now: float
    _told: dict[tuple[str, ...], Any] = field(default_factory=dict)
    period: ClassVar[str] = _PERIOD
    """How the exchange names five minutes; ccxt hands this on as it is."""
    hours: ClassVar[int] = 500
    """How many of the last hours one answer tells."""
    remembers_worths: ClassVar[bool] = True
    """Whether it tells what open positions were worth in the past, and not in coins alone."""

    async def figure(self, gauge: Gauge, contract: Contract) -> Figure:
        """Ask for one figure of one contract."""
        asking: Mapping[Gauge, Callable[[Contract], Awaitable[Figure]]] = {
            "funding": self.funding,
            "open_interest": self.open_interest,
            "long_share": self.long_share,
            "basis": self.basis,
        }
        return await asking[gauge](contract)

    async def past(self, gauge: Gauge, contract: Contract) -> list[Figure]:
        """Give the figures of the last hours, where the exchange tells them; none where it does not."""
        match gauge:
            case "open_interest" if self.remembers_worths:
                call = "fetch_open_interest_history"
            case "long_share":
                call = "fetch_long_short_ratio_history"
            case _:
                return []
        rows = await self._ask(call, contract.symbol, "1h", None, self.hours, weight=0)
        if gauge == "long_share":
            return [self._percent(row, contract) for row in rows]
        return [self._worth(row.get("openInterestValue"), row.get("timestamp"), contract) for row in rows]

    async def funding(self, contract: Contract) -> Figure:
        """Give the rate that is paid next, in percent of a position, per funding interval of the contract."""
        row = (await self._rates()).get(contract.symbol) or {}
        rate = self._number(row.get("fundingRate"), "funding", contract) * 100
        if abs(rate) > _MOST_FUNDING:
            raise self._nonsense(f"gives a funding rate of {float(rate):g}% for {contract.symbol}")
        return Figure(rate, instant_of(row.get("timestamp")))

    @abstractmethod
    async def open_interest(self, contract: Contract) -> Figure:
        """Give the worth of all open positions, in USD."""

    async def long_share(self, contract: Contract) -> Figure:
        """Give the share of accounts that are long, in percent of those that hold a position."""
        call = "fetch_long_short_ratio_history"
        row = _newest(await self._ask(call, contract.symbol, self.period, None, 1, weight=0))
        return self._percent(row, contract)

    async def basis(self, contract: Contract) -> Figure:
        """Give the premium of a dated future over the price it follows, in percent a year."""
        future, price, at = await self._prices(contract)
        if future <= 0 or price <= 0 or not _MOST_APART[0] < future / price < _MOST_APART[1]:
            raise self._nonsense(f"gives prices for {contract.symbol} that cannot be")
        seconds = contract.expiry - (at if at is not None else int(self.now))
        return Figure(premium_a_year(future, price, seconds), at)

    async def _rates(self) -> Mapping[str, Mapping[str, Any]]:
        found: Mapping[str, Mapping[str, Any]] = await self._ask("fetch_funding_rates", weight=1)
        return found

    @abstractmethod
    def _share(self, row: Mapping[str, Any], contract: Contract) -> Decimal:
        """Read the share of longs, from 0 to 1."""

    @abstractmethod
    async def _prices(self, contract: Contract) -> tuple[Decimal, Decimal, int | None]:
        """Give the price of a dated future, that of what it follows, and when they were so."""

    async def _ask(self, call: str, *arguments: object, weight: float = 1) -> Any:
        """Ask once in a look; a question that failed is not asked again in it."""
        question = (call, *map(repr, arguments))
        if question not in self._told:
            try:
                self._told[question] = await self.door.ask(call, *arguments, weight=weight)
            except Fault as fault:
                self._told[question] = fault
        if isinstance(told := self._told[question], Fault):
            raise told
        return told

    def _percent(self, row: Mapping[str, Any], contract: Contract) -> Figure:
        share = self._share(row, contract)
        if not 0 < share < 1:
            raise self._nonsense(f"gives a share of longs of {float(share * 100):g}% for {contract.symbol}")
        return Figure(share * 100, instant_of(row.get("timestamp")))

    def _halves(self, long: object, short: object, contract: Contract) -> Decimal:
        """Read the share of longs where that of shorts stands beside it: together they are all."""
        share, rest = (self._number(one, "share of longs", contract) for one in (long, short))
        if abs(share + rest - 1) > _SLACK:
            raise self._nonsense(f"gives shares of {contract.symbol} that are not all")
        return share

    def _worth(self, raw: object, at: object, contract: Contract) -> Figure:
        """Read a worth; where not a position is open, the exchange has lost count."""
        value = self._number(raw, "open interest", contract)
        if value <= 0:
            raise self._nonsense(f"gives an open interest of {float(value):g} for {contract.symbol}")
        return Figure(value, instant_of(at))

    def _number(self, raw: object, what: str, contract: Contract) -> Decimal:
        value = number_of(str(raw) if isinstance(raw, float) else raw)
        if value is None:
            raise self._nonsense(f"gives no {what} of {contract.symbol}")
        return value

    def _nonsense(self, what: str) -> Fault:
        return Fault(Trouble.NONSENSE, f"{self.name} {what}")


class BinanceContracts(Contracts):
    """Binance's contracts in USDT and USDC.

    https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api
    """

    async def open_interest(self, contract: Contract) -> Figure:
        """Give it of the last whole five minutes: the present one is told in coins alone."""
        call = "fetch_open_interest_history"
        row = _newest(await self._ask(call, contract.symbol, _PERIOD, None, 1, weight=0))
        return self._worth(row.get("openInterestValue"), row.get("timestamp"), contract)

    async def _rates(self) -> Mapping[str, Mapping[str, Any]]:
        found: Mapping[str, Mapping[str, Any]] = await self._ask("fetch_funding_rates", weight=10)
        return found

    def _share(self, row: Mapping[str, Any], contract: Contract) -> Decimal:
        raw = _raw(row)
        return self._halves(raw.get("longAccount"), raw.get("shortAccount"), contract)

    async def _prices(self, contract: Contract) -> tuple[Decimal, Decimal, int | None]:
        # The rate a year that stands beside them is empty for some contracts.
        quarters = ("CURRENT_QUARTER", "NEXT_QUARTER")
        if contract.place >= len(quarters):
            raise Fault(Trouble.SYMBOL, f"{self.name} tells no prices of {contract.symbol}")
        asked = {"pair": contract.pair, "contractType": quarters[contract.place], "period": _PERIOD}
        row = _newest(await self._ask("fapiDataGetBasis", asked | {"limit": 1}, weight=0))
        future, price = (
            self._number(row.get(name), "price", contract) for name in ("futuresPrice", "indexPrice")
        )
        return future, price, instant_of(row.get("timestamp"))


class BybitContracts(Contracts):
    """Bybit's linear contracts, of which one answer tells nearly all.

    https://bybit-exchange.github.io/docs/v5/market/tickers
    """

    period: ClassVar[str] = "5min"
    remembers_worths: ClassVar[bool] = False

    async def open_interest(self, contract: Contract) -> Figure:
        """Give it as it is now."""
        row = (await self._rates()).get(contract.symbol) or {}
        return self._worth(_raw(row).get("openInterestValue"), row.get("timestamp"), contract)

    def _share(self, row: Mapping[str, Any], contract: Contract) -> Decimal:
        raw = _raw(row)
        return self._halves(raw.get("buyRatio"), raw.get("sellRatio"), contract)

    async def _prices(self, contract: Contract) -> tuple[Decimal, Decimal, int | None]:
        row = (await self._rates()).get(contract.symbol) or {}
        future, price = (
            self._number(row.get(name), "price", contract) for name in ("markPrice", "indexPrice")
        )
        return future, price, instant_of(row.get("timestamp"))


class OkxContracts(Contracts):
    """OKX's linear contracts.

    https://www.okx.com/docs-v5/en/#public-data-rest-api
    """

    hours: ClassVar[int] = 100

    async def funding(self, contract: Contract) -> Figure:
        """Give the rate that is paid next, in percent of a position, per funding interval of the contract."""
        figure = await Contracts.funding(self, contract)
        row = (await self._rates())[contract.symbol]
        return Figure(figure.value, instant_of(_raw(row).get("ts")))

    async def open_interest(self, contract: Contract) -> Figure:
        """Give it as it is now."""
        row = (await self._ask("fetch_open_interests")).get(contract.symbol) or {}
        return self._worth(row.get("openInterestValue"), row.get("timestamp"), contract)

    def _share(self, row: Mapping[str, Any], contract: Contract) -> Decimal:
        ratio = self._number(row.get("longShortRatio"), "share of longs", contract)
        if ratio <= 0:
            raise self._nonsense(f"gives a ratio of {float(ratio):g} for {contract.symbol}")
        return ratio / (1 + ratio)

    async def _prices(self, contract: Contract) -> tuple[Decimal, Decimal, int | None]:
        marks = await self._ask("fetch_mark_prices", None, {"type": "future"})
        row = marks.get(contract.symbol) or {}
        future = self._number(row.get("markPrice"), "price", contract)
        answer = await self._ask("publicGetMarketIndexTickers", {"quoteCcy": contract.quote})
        name = f"{contract.pair.removesuffix(contract.quote)}-{contract.quote}"
        match answer:
            case {"data": list() as rows}:
                found = [one for one in rows if isinstance(one, dict) and one.get("instId") == name]
            case _:
                found = []
        price = self._number(found[0].get("idxPx") if found else None, "price", contract)
        return future, price, instant_of(row.get("timestamp"))


CONTRACTS: Mapping[str, type[Contracts]] = {
    "binance": BinanceContracts,
    "bybit": BybitContracts,
    "okx": OkxContracts,
}
"""The exchanges that tell of contracts without a key."""


def _newest(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Pick the newest of some rows, or an empty one."""
    if not isinstance(rows, list):
        return {}
    dated = [(instant_of(row.get("timestamp")) or 0, place) for place, row in enumerate(rows)]
    return rows[max(dated)[1]] if rows else {}


def _raw(row: Mapping[str, Any]) -> Mapping[str, Any]:
    raw = row.get("info")
    return raw if isinstance(raw, Mapping) else {}
