"""CoinGlass: flows of US funds by day and fund, with the key of a paid plan.

https://docs.coinglass.com/reference/etf-flows-history
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from bot.engine.sessions import DAY
from bot.feeds.faults import Fault, Trouble
from bot.feeds.figures import instant_of, number_of
from bot.feeds.finality import Flow
from bot.feeds.flows import COINS, FlowTables, Table
from bot.feeds.http import Http
from bot.feeds.provider import Means, Offer, Plug, Provider

NAME = "coinglass"

_URL = "https://open-api-v4.coinglass.com"
_NAMES = {"btc": "bitcoin", "eth": "ethereum", "sol": "solana"}
_OF_KEYS = ("400", "401", "402", "403")
"""How codes begin that are about the key or its plan: no question has a parameter that could be wrong."""


async def ask(http: Http, key: str, path: str) -> Any:
    """Ask for one thing, and give its ``data``. Refusals come with HTTP 200 too. Raises Fault."""
    answer = await http.json(NAME, f"{_URL}{path}", headers={"CG-API-KEY": key})
    match answer:
        case {"code": "0" | 0, "data": data}:
            return data
        case {"code": str() | int() as raw}:
            code = str(raw).strip()
        case _:
            raise Fault(Trouble.NONSENSE, f"{NAME} answers in an unknown form")
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


def build(means: Means) -> Provider:
    """Build it with the key that is set."""
    key = means.given["TOCSIN_COINGLASS_KEY"]

    async def table(coin: str, since: int, now: float) -> Table:
        return Table(flows_of(await ask(means.http, key, f"/api/etf/{_NAMES[coin]}/flow-history")), now)

    return FlowTables(NAME, table)


PLUG = Plug(
    NAME,
    (Offer("etf_flow", COINS, is_kept=True),),
    build,
    needs="TOCSIN_COINGLASS_KEY",
    hint="the key of a paid plan at coinglass.com",
)
