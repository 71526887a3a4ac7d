"""CoinGlass: flows of US funds by day and fund, liquidations, stablecoins on exchanges, with a paid key.

https://docs.coinglass.com/reference/etf-flows-history
https://docs.coinglass.com/reference/liquidation-exchange-list
https://docs.coinglass.com/reference/exchange-balance-list
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from bot.engine.sessions import DAY
from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.balances import NOTE_OF_BALANCES, Balances
from bot.feeds.metrics.figures import instant_of, number_of
from bot.feeds.metrics.finality import Flow
from bot.feeds.metrics.flows import COINS, FlowTables, Table
from bot.feeds.metrics.http import Http, Params
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
from bot.feeds.metrics.notes import Notes
from bot.feeds.metrics.parts import Parts
from bot.feeds.metrics.provider import Look, Means, Offer, Plug, Provider
from bot.metrics import MetricKey, Observation, Want

NAME = "coinglass"

_URL = "https://open-api-v4.coinglass.com"
_NAMES = {"btc": "bitcoin", "eth": "ethereum", "sol": "solana"}
_OF_KEYS = ("400", "401", "402", "403")
"""How codes begin that are about the key or its plan, where a question has no parameter to be wrong."""

_OF_PARAMETERS = ("400", "404", "422")

Ask = Callable[..., Awaitable[Any]]


async def ask(http: Http, key: str, path: str, params: Params | None = None) -> Any:
    """Ask for one thing, and give its ``data``. Refusals come with HTTP 200 too. Raises Fault.

    What it does not know of the parameters, if there are any, is a fault of the symbol.
    """
    answer = await http.json(NAME, f"{_URL}{path}", params=params, headers={"CG-API-KEY": key})
    match answer:
        case {"code": "0" | 0, "data": data}:
            return data
        case {"code": str() | int() as raw}:
            code = str(raw).strip()
        case _:
            raise Fault(Trouble.NONSENSE, f"{NAME} answers in an unknown form")
    if params and code.startswith(_OF_PARAMETERS):
        raise Fault(Trouble.SYMBOL, f"{NAME} does not know {params.get('symbol', 'what was asked')}")
    if code.startswith(_OF_KEYS):
        raise Fault(Trouble.BLOCKED, f"{NAME} does not take the key: check it, and its plan")
    if code.startswith("429"):
        raise Fault(Trouble.LIMITED, f"{NAME} asks to slow down")
    raise Fault(Trouble.PASSING, f"{NAME} answers with an error")


def flows_of(rows: object) -> list[Flow]:
    """Read the days of an answer. A fund without a flow did not report, a day without one is left out."""
    return list(_flows(rows)) if isinstance(rows, Sequence) and not isinstance(rows, str) else []


def _flows(rows: Sequence[object]) -> Iterator[Flow]:
    for row in rows:
        match row:
            case {"timestamp": stamp, "flow_usd": raw, **rest}:
                as_of, total = instant_of(stamp), number_of(raw)
                funds = rest.get("etf_flows")
                if as_of is not None and total is not None:
                    shares = dict(_shares(funds)) if isinstance(funds, list) else {}
                    yield Flow(as_of - as_of % DAY, total, shares)


def _shares(funds: Sequence[object]) -> Iterator[tuple[str, Decimal | None]]:
    for fund in funds:
        match fund:
            case {"etf_ticker": str() as ticker, **rest}:
                yield ticker, number_of(rest.get("flow_usd"))


# --- liquidations -------------------------------------------------------------------------------------------

_RANGES = {3600: "1h", 14_400: "4h", 43_200: "12h", 86_400: "24h"}
_SECONDS_OF_LIQUIDATIONS = 300.0


class Liquidations:
    """Read what was liquidated on all exchanges together, in the windows that CoinGlass sums up."""

    def __init__(self, asking: Ask) -> None:
        self._ask = asking

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask once for each coin and window. Raises Fault where nothing could be read, and why not."""
        found: list[Observation] = []
        refused: dict[MetricKey, str] = {}
        closed: Fault | None = None
        for stretch, keys in by_stretch(wants).items():
            try:
                if closed is not None and closed.is_of_all:
                    raise closed
                found += words(keys, await self._liquidated(stretch), now, NAME)
            except Fault as fault:
                refused |= dict.fromkeys(keys, fault.reason)
                if fault.trouble is not Trouble.SYMBOL:
                    closed = closed or fault
        if closed is not None and not found:
            raise closed
        return Look(now + _SECONDS_OF_LIQUIDATIONS, tuple(found), refused)

    async def _liquidated(self, stretch: Stretch) -> Liquidated:
        symbol = {} if stretch.coin == ALL else {"symbol": stretch.coin.upper()}
        path = "/api/futures/liquidation/exchange-list"
        rows = await self._ask(path, {"range": _RANGES[stretch.seconds], **symbol})
        for row in rows if isinstance(rows, list) else ():
            match row:
                case {
                    "exchange": "All",
                    "liquidation_usd": total,
                    "long_liquidation_usd": long,
                    "short_liquidation_usd": short,
                }:
                    return _liquidated(number_of(total), number_of(long), number_of(short))
        if rows == [] and symbol:
            raise Fault(Trouble.SYMBOL, f"{NAME} shows no liquidations of {symbol['symbol']}")
        raise Fault(Trouble.NONSENSE, f"{NAME} shows no liquidations of all exchanges")


def _liquidated(total: Decimal | None, long: Decimal | None, short: Decimal | None) -> Liquidated:
    if total is None or long is None or short is None:
        raise Fault(Trouble.NONSENSE, f"{NAME} shows liquidations that are no numbers")
    found = Liquidated(long, short)
    if long < 0 or short < 0 or not found.agrees_with(total):
        raise Fault(Trouble.NONSENSE, f"{NAME} shows longs and shorts that do not sum up")
    return found


def is_liquidation(instrument: str) -> bool:
    """Whether CoinGlass sums up the liquidations that a key names: over 1, 4, 12 or 24 hours."""
    stretch = stretch_of(instrument)
    return stretch is not None and stretch.seconds in _RANGES


def build(means: Means) -> Provider:
    """Build it with the key that is set."""
    key = means.given["TOCSIN_COINGLASS_KEY"]
    asking = partial(ask, means.http, key)

    async def table(coin: str, since: int, now: float) -> Table:
        return Table(flows_of(await asking(f"/api/etf/{_NAMES[coin]}/flow-history")), now)

    return Parts(
        {
            ("etf_flow",): FlowTables(NAME, table, Notes(NAME, means.notebook)),
            (METRIC,): Liquidations(asking),
            ("exchange_stablecoins",): Balances(NAME, asking),
        }
    )


PLUG = Plug(
    NAME,
    (
        Offer("etf_flow", COINS, is_kept=True),
        Offer(METRIC, ("all, 24h",), is_liquidation, example=EXAMPLE),
        Offer("exchange_stablecoins", note=NOTE_OF_BALANCES),
    ),
    build,
    needs="TOCSIN_COINGLASS_KEY",
    hint="the key of a paid plan at coinglass.com",
)
