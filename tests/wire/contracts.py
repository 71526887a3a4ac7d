"""What exchanges on loopback tell of contracts: rates, open positions, shares of longs, dated futures.

Each gives it in the shapes and under the addresses of its public documentation. What is told stands in a
``Told``, which tests change as they go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from bot.demo.exchange import BinanceExchange, LoopbackExchange
from tests.wire.exchanges import BybitExchange, OkxExchange

_GRID = 300


@dataclass
class Told:
    """What one exchange tells of all its contracts alike, as it writes it.

    ``futures`` are the ends of dated ones, in epoch seconds; ``lag`` is how old figures are, in seconds;
    ``before`` is what open positions were worth in the hours before, where they were worth something else.
    """

    rate: str = "0.0001"
    worth: str = "7500000000.00"
    long: str = "0.5500"
    short: str = "0.4500"
    ratio: str = "1.2222"
    index: str = "100000.00"
    future: str = "102000.00"
    futures: list[int] = field(default_factory=list)
    lag: float = 0.0
    before: str = ""


def _body(response: web.Response) -> Any:
    assert response.text is not None
    return json.loads(response.text)


def _pair(symbol: str) -> tuple[str, str]:
    base, quote = symbol.upper().partition(":")[0].split("/")
    return base, quote


class TellingExchange(LoopbackExchange):
    """An exchange that tells of its perpetuals, and of dated futures on bitcoin."""

    told: Told

    def stamp(self) -> int:
        """Give the instant of what is told now, in milliseconds."""
        return int((self.now() - self.told.lag) * 1000)

    def past(self) -> int:
        """Give the newest whole five minutes, of what is told by them."""
        return self.stamp() // (_GRID * 1000) * _GRID * 1000

    def hours(self, count: int) -> list[int]:
        """Give the last whole hours, in milliseconds, rising."""
        last = self.stamp() // 3_600_000 * 3_600_000
        return [last - ago * 3_600_000 for ago in range(count)][::-1]

    def ends(self) -> list[tuple[int, datetime]]:
        """List the ends of the dated futures, in epoch seconds and as days."""
        return [(end, datetime.fromtimestamp(end, UTC)) for end in self.told.futures]


class BinanceTelling(TellingExchange, BinanceExchange):
    """Binance: rates at once, the rest contract by contract, at other addresses."""

    def routes(self) -> list[web.RouteDef]:
        data = "/fapi.binance.com/futures/data"
        return [
            *super().routes(),
            web.get("/fapi.binance.com/fapi/v1/premiumIndex", self._premiums),
            web.get(f"{data}/openInterestHist", self._interest),
            web.get(f"{data}/globalLongShortAccountRatio", self._accounts),
            web.get(f"{data}/basis", self._basis),
        ]

    def _info(self, markets: list[dict[str, object]]) -> object:
        if any("contractType" in market for market in markets):
            quarters = ("CURRENT_QUARTER", "NEXT_QUARTER")
            for (end, day), quarter in zip(self.ends(), quarters, strict=False):
                future = {"symbol": f"BTCUSDT_{day:%y%m%d}", "contractType": quarter}
                markets.append(self._swap("btc/usdt:usdt") | future | {"deliveryDate": end * 1000})
        return super()._info(markets)

    async def _premiums(self, _: web.Request) -> web.Response:
        rows = [
            {
                "symbol": "".join(_pair(symbol)),
                "markPrice": self.told.index,
                "indexPrice": self.told.index,
                "estimatedSettlePrice": self.told.index,
                "lastFundingRate": self.told.rate,
                "interestRate": "0.00010000",
                "nextFundingTime": (self.stamp() // 28_800_000 + 1) * 28_800_000,
                "time": self.stamp(),
            }
            for symbol in self.swaps()
        ]
        for _end, day in self.ends():
            name = {"symbol": f"BTCUSDT_{day:%y%m%d}", "lastFundingRate": "", "nextFundingTime": 0}
            rows.append({**rows[0], **name})
        return web.json_response(rows)

    async def _interest(self, request: web.Request) -> web.Response:
        row = {"sumOpenInterest": "75000.000", "sumOpenInterestValue": self.told.worth}
        return self._history(request, [{"symbol": request.query["symbol"], **row}])

    async def _accounts(self, request: web.Request) -> web.Response:
        row = {"longAccount": self.told.long, "shortAccount": self.told.short, "longShortRatio": "1.2"}
        return self._history(request, [{"symbol": request.query["symbol"], **row}])

    async def _basis(self, request: web.Request) -> web.Response:
        row = {
            "indexPrice": self.told.index,
            "contractType": request.query["contractType"],
            "basisRate": "0.0200",
            "futuresPrice": self.told.future,
            "annualizedBasisRate": "",
            "basis": "2000.0",
            "pair": request.query["pair"],
        }
        return self._history(request, [row])

    def _history(self, request: web.Request, rows: Sequence[dict[str, object]]) -> web.Response:
        if request.query["period"] == "1h":
            past = [row | {"sumOpenInterestValue": self.told.before or self.told.worth} for row in rows]
            stamps = self.hours(min(int(request.query["limit"]), 500))
            return web.json_response([{**row, "timestamp": stamp} for stamp in stamps for row in past])
        assert request.query["period"] == "5m"
        return web.json_response([{**row, "timestamp": self.past()} for row in rows])


class BybitTelling(TellingExchange, BybitExchange):
    """Bybit: nearly all stands in the tickers."""

    def routes(self) -> list[web.RouteDef]:
        return [*super().routes(), web.get("/api.bybit.com/v5/market/account-ratio", self._accounts)]

    async def _instruments(self, request: web.Request) -> web.Response:
        answer = _body(await super()._instruments(request))
        rows = answer["result"]["list"]
        if request.query.get("category") == "linear" and rows:
            for end, day in self.ends():
                name = {"symbol": f"BTCUSDT-{day:%d%b%y}".upper(), "contractType": "LinearFutures"}
                rows.append({**rows[0], **name, "baseCoin": "BTC", "deliveryTime": str(end * 1000)})
        return web.json_response(answer)

    async def _tickers(self, request: web.Request) -> web.Response:
        answer = _body(await super()._tickers(request))
        rows = answer["result"]["list"]
        if request.query.get("category") == "linear" and rows:
            prices = {"markPrice": self.told.index, "indexPrice": self.told.index}
            for row in rows:
                row |= {**prices, "fundingRate": self.told.rate, "openInterestValue": self.told.worth}
            for end, day in self.ends():
                future = {"symbol": f"BTCUSDT-{day:%d%b%y}".upper(), "markPrice": self.told.future}
                rows.append({**rows[0], **future, "fundingRate": "", "deliveryTime": str(end * 1000)})
        return web.json_response(answer | {"time": self.stamp()})

    async def _accounts(self, request: web.Request) -> web.Response:
        row = {"symbol": request.query["symbol"], "buyRatio": self.told.long, "sellRatio": self.told.short}
        if request.query["period"] == "1h":
            stamps = self.hours(min(int(request.query["limit"]), 500))[::-1]
        else:
            assert request.query["period"] == "5min"
            stamps = [self.past()]
        return self._answer({"list": [{**row, "timestamp": str(stamp)} for stamp in stamps]})


class OkxTelling(TellingExchange, OkxExchange):
    """OKX: one address for each figure, all contracts at once but for the ratio of accounts."""

    def routes(self) -> list[web.RouteDef]:
        root = "/www.okx.com/api/v5"
        ratio = f"{root}/rubik/stat/contracts/long-short-account-ratio-contract"
        return [
            *super().routes(),
            web.get(f"{root}/public/funding-rate", self._rates),
            web.get(f"{root}/public/open-interest", self._interest),
            web.get(f"{root}/public/mark-price", self._marks),
            web.get(f"{root}/market/index-tickers", self._indices),
            web.get(ratio, self._accounts),
            web.get(f"{root}/rubik/stat/contracts/open-interest-history", self._worths),
        ]

    async def _instruments(self, request: web.Request) -> web.Response:
        if request.query.get("instType") != "FUTURES":
            return await super()._instruments(request)
        rows = [
            {
                "alias": "quarter",
                "ctType": "linear",
                "ctVal": "0.01",
                "ctValCcy": "BTC",
                "expTime": str(end * 1000),
                "instFamily": "BTC-USDT",
                "instId": self._future(day),
                "instType": "FUTURES",
                "lotSz": "0.1",
                "minSz": "0.1",
                "settleCcy": "USDT",
                "state": "live",
                "tickSz": "0.1",
                "uly": "BTC-USDT",
            }
            for end, day in self.ends()
        ]
        return _okx(rows)

    async def _rates(self, request: web.Request) -> web.Response:
        assert request.query["instId"] == "ANY"
        paid = (self.stamp() // 28_800_000 + 1) * 28_800_000
        return _okx(
            [
                {
                    "instId": self.id_of(symbol),
                    "instType": "SWAP",
                    "fundingRate": self.told.rate,
                    "fundingTime": str(paid),
                    "nextFundingRate": "",
                    "nextFundingTime": str(paid + 28_800_000),
                    "ts": str(self.stamp()),
                }
                for symbol in self.swaps()
            ]
        )

    async def _interest(self, _: web.Request) -> web.Response:
        row = {"instType": "SWAP", "oi": "2125419", "oiCcy": "21254.19", "oiUsd": self.told.worth}
        stamp = {"ts": str(self.stamp())}
        return _okx([{"instId": self.id_of(symbol), **row, **stamp} for symbol in self.swaps()])

    async def _marks(self, request: web.Request) -> web.Response:
        assert request.query["instType"] == "FUTURES"
        row = {"instType": "FUTURES", "markPx": self.told.future, "ts": str(self.stamp())}
        return _okx([{"instId": self._future(day), **row} for _, day in self.ends()])

    async def _indices(self, request: web.Request) -> web.Response:
        row = {"high24h": "1", "low24h": "1", "open24h": "1", "ts": str(self.stamp())}
        name = f"BTC-{request.query['quoteCcy']}"
        return _okx([{"instId": name, "idxPx": self.told.index, **row}])

    async def _accounts(self, request: web.Request) -> web.Response:
        assert request.query["instId"].endswith("-SWAP")
        if request.query["period"] == "1H":
            stamps = self.hours(min(int(request.query["limit"]), 100))[::-1]
        else:
            stamps = [self.past(), self.past() - _GRID * 1000]
        return _okx([[str(stamp), self.told.ratio] for stamp in stamps])

    async def _worths(self, request: web.Request) -> web.Response:
        assert (request.query["instId"], request.query["period"]) == ("BTC-USDT-SWAP", "1H")
        stamps = self.hours(min(int(request.query["limit"]), 100))[::-1]
        worth = self.told.before or self.told.worth
        return _okx([[str(stamp), "2800476.45", "28006.5419", worth] for stamp in stamps])

    @staticmethod
    def _future(day: datetime) -> str:
        return f"BTC-USDT-{day:%y%m%d}"


def _okx(rows: Sequence[object]) -> web.Response:
    return web.json_response({"code": "0", "msg": "", "data": rows})


TELLING: Mapping[str, type[TellingExchange]] = {
    "binance": BinanceTelling,
    "bybit": BybitTelling,
    "okx": OkxTelling,
}
