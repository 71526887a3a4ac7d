"""Indices, stocks, supply and mood from their providers to the chat, over real sockets.

The clock runs fast. What the pages of the vendors show next, a test lets them show once its alerts are armed.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import pytest
from aiohttp import web

from bot.alerts.people import ChatRef
from bot.demo.clock import FastClock
from bot.demo.exchange import BinanceExchange, Path
from bot.engine.sessions import DAY, XNYS, day_of, midnight_of
from bot.metrics import Bar, MetricKey, Observation, point
from bot.store.sql import SqlStore
from tests.test_end_to_end import Market, OnTelegram, running, until
from tests.wire.prices import Ticks
from tests.wire.providers import ProviderServer
from tests.wire.telegram import TelegramServer

THURSDAY = date(2025, 11, 20)
EVENING = midnight_of(THURSDAY) + 22 * 3600 + 25 * 60
"""17:25 in New York: all closes may be final, and the vendor is late with them."""

RATE = 1500
HOST = "query1.finance.yahoo.com/v8/finance/chart/"
STABLECOINS = "stablecoins.llama.fi/stablecoincharts/all"
FEES = "mempool.space/api/v1/fees/recommended"
HASHRATES = [f"mempool.space/api/v1/mining/hashrate/{span}" for span in ("1m", "2y")]
ODDS = "api.elections.kalshi.com/trade-api/v2/markets"
TREASURIES = "api.coingecko.com/api/v3/companies/public_treasury/bitcoin"
CHAT = ChatRef("telegram", "1001")
OURS = ("yahoo", "fred", "defillama", "mempool.space", "kalshi", "coingecko")


@dataclass
class Closes:
    """A series of Yahoo's: a close for each session, the last of which is not shown at first."""

    symbol: str
    closes: Mapping[date, float]
    is_whole: bool = False
    asked: list[int] = field(default_factory=list)

    def __call__(self, request: web.Request) -> web.Response:
        first, last = int(request.query["period1"]), max(self.closes)
        self.asked.append(first)
        rows = [
            (midnight_of(day) + 15 * 3600, close)
            for day, close in self.closes.items()
            if midnight_of(day) >= first and (day < last or self.is_whole)
        ]
        meta = {"symbol": self.symbol, "regularMarketTime": midnight_of(last) + 22 * 3600}
        quote = {"close": [close for _, close in rows]}
        result = {"meta": meta, "timestamp": [at for at, _ in rows], "indicators": {"quote": [quote]}}
        return web.json_response({"chart": {"result": [result], "error": None}})


def sessions(count: int) -> list[date]:
    """List the last sessions up to Thursday."""
    days = [THURSDAY]
    while len(days) < count:
        days.append(XNYS.previous_session(days[-1]))
    return days[::-1]


def series(*last: float, count: int = 300) -> dict[date, float]:
    """Give closes that stood at the first of these, and then went as they say."""
    days = sessions(count)
    return dict(zip(days, [last[0]] * (count - len(last)) + list(last), strict=True))


@dataclass
class Days:
    """A path of prices that stands at each day's price throughout the day.

    It falls on after the last one: a slow machine may need more of the night than a quick one.
    """

    prices: dict[date, float]

    def price(self, symbol: str, at: float) -> float:
        last = max(self.prices, default=day_of(at))
        if (later := (day_of(at) - last).days) > 0:
            return self.prices[last] * 0.94**later
        return self.prices.get(day_of(at), 100_000.0)

    def bar(self, symbol: str, minute: int, until: float) -> Bar | None:
        return point(self.price(symbol, minute), minute) if until > minute else None


class Exchange(BinanceExchange):
    """Binance with whole days made at once, and not of their minutes."""

    def _candle(self, symbol: str, opening: int, now: float, span: int) -> Bar | None:
        if span == DAY and opening + DAY <= now and isinstance(self.path, Days):
            price = self.path.price(symbol, opening)
            return Bar(opening, price, price, price, price, 1.0, DAY)
        return super()._candle(symbol, opening, now, span)


@pytest.fixture
async def ann() -> AsyncIterator[OnTelegram]:
    async with TelegramServer() as server:
        server.private(1001, "Ann")
        yield OnTelegram(server)


@asynccontextmanager
async def watching(
    ann: OnTelegram, database: str, clock: FastClock, path: Path, *pages: Closes | Mapping[str, str]
) -> AsyncIterator[ProviderServer]:
    """Run the bot over a path of Bitcoin, series of Yahoo's, and the pages of other providers."""
    providers = ProviderServer()
    for page in pages:
        providers.pages |= {f"{HOST}{page.symbol}": page} if isinstance(page, Closes) else page
    async with AsyncExitStack() as stack:
        exchange = Exchange(path, ["btc/usdt"], clock.now, [providers.beside()])
        await stack.enter_async_context(exchange)
        market = Market(path, exchange)  # type: ignore[arg-type]
        await stack.enter_async_context(running(ann, market, database, clock, providers=OURS, stream=False))
        yield providers


async def arm(ann: OnTelegram, store: SqlStore, *rules: str) -> None:
    """Make alerts, and wait until each was judged and found clear, so that what comes next may ring."""
    for number, rule in enumerate(rules, 1):
        await ann.say(f"/alert {rule}")
        await until(lambda number=number: any(f"#{number} armed" in text for text in ann.texts()), ann)  # type: ignore[misc]
    async with asyncio.timeout(20):
        while not all(  # noqa: ASYNC110 - the store tells nobody
            one.state and one.state.is_armed for one in await store.subscriptions(CHAT)
        ):
            await asyncio.sleep(0.05)


def show(*series: Closes) -> None:
    """Let the last closes be seen."""
    for one in series:
        one.is_whole = True


def rings(ann: OnTelegram) -> dict[int, str]:
    """Give the rings by the number of their alert."""
    found = {}
    for text in ann.texts():
        head, _, rest = text.partition(" ")
        if head[1:].isdigit() and "·" not in text and not rest.startswith("armed"):
            found[int(head[1:])] = text
    return found


async def test_highs_of_stocks_and_gold_while_bitcoin_falls(
    ann: OnTelegram, database: str, store: SqlStore
) -> None:
    clock = FastClock(EVENING, RATE)
    spx = Closes("^GSPC", series(6700, 6750, 6720, 6760))
    gold = Closes("GC=F", series(4000, 4100, 4050, 4120))
    path = Days({THURSDAY - timedelta(days=1): 92_000.0, THURSDAY: 87_000.0})
    rule = "spx > highest(spx, 52w) and gold > highest(gold, 52w) and change(btc, 1d) < 0%"
    async with watching(ann, database, clock, path, spx, gold):
        await arm(ann, store, rule)
        show(spx, gold)
        await until(lambda: bool(rings(ann)), ann)
    assert "6,760" in rings(ann)[1] and "4,120" in rings(ann)[1]


async def test_a_year_is_not_known_until_it_is_and_rings_nothing(
    ann: OnTelegram, database: str, store: SqlStore
) -> None:
    clock = FastClock(EVENING, RATE)
    spx = Closes("^GSPC", series(6700, 6750, 6720, 6760, count=100))
    async with watching(ann, database, clock, Ticks(clock, 90_000), spx):
        await arm(ann, store, "spx > highest(spx, 12w)")
        await ann.say("/alert spx > highest(spx, 52w) repeat")
        await until(lambda: min(spx.asked) < EVENING - 364 * DAY, ann)
        show(spx)
        await until(lambda: 1 in rings(ann), ann)
        await clock.sleep(60)
    assert set(rings(ann)) == {1}


async def test_everything_falls_together(ann: OnTelegram, database: str, store: SqlStore) -> None:
    clock = FastClock(EVENING, RATE)
    spx = Closes("^GSPC", series(6700, 6750, 6740, 6538))
    gold = Closes("GC=F", series(4000, 4100, 4080, 4081))
    ndx = Closes("^NDX", series(25_000, 25_100, 25_050, 24_054))
    path = Days({THURSDAY - timedelta(days=1): 92_000.0, THURSDAY: 86_600.0})
    falls = (
        "change(spx, 1d) < -1%",
        "change(gold, 1d) < -1%",
        "change(ndx, 1d) < -1%",
        "change(btc, 1d) < -3%",
    )
    async with watching(ann, database, clock, path, spx, gold, ndx):
        await arm(ann, store, f"3 of ({', '.join(falls)})", f"4 of ({', '.join(falls)})")
        show(spx, gold, ndx)
        await until(lambda: bool(rings(ann)), ann)
        await clock.sleep(60)
    assert set(rings(ann)) == {1}


async def test_the_correlation_falls_when_the_day_of_both_is_closed(
    ann: OnTelegram, database: str, store: SqlStore
) -> None:
    """It is known at midnight, when Bitcoin's day closes, of 60 returns over the sessions of New York."""
    draw = random.Random(7)
    days = sessions(90)
    steps = [draw.gauss(0, 0.01) for _ in days]
    spx = Closes("^GSPC", dict(zip(days, _walk(6_500.0, steps), strict=True)), is_whole=True)
    together = [step + draw.gauss(0, 0.004) for step in steps[:-1]]
    bitcoin = dict(zip(days, _walk(100_000.0, [*together, -30 * steps[-1]]), strict=True))
    path, price = Days({}), 100_000.0
    for place in range((THURSDAY - days[0]).days + 2):
        day = days[0] + timedelta(days=place)
        path.prices[day] = price = bitcoin.get(day, price)
    clock = FastClock(midnight_of(THURSDAY) + DAY - 900.0, RATE / 5)
    async with watching(ann, database, clock, path, spx):
        await arm(ann, store, "corr(btc, spx, 60d) < 0.4")
        assert rings(ann) == {} and clock.now() < midnight_of(THURSDAY) + DAY
        await until(lambda: bool(rings(ann)), ann)
        assert clock.now() >= midnight_of(THURSDAY) + DAY
    assert "correlation" in rings(ann)[1]


def _walk(start: float, steps: list[float]) -> list[float]:
    found, price = [], start
    for step in steps:
        price *= math.exp(step)
        found.append(round(price, 2))
    return found


async def test_single_stocks_fees_and_odds_ring_as_they_become_known(
    ann: OnTelegram, database: str, store: SqlStore
) -> None:
    clock = FastClock(EVENING, RATE)
    sqns = Closes("SQNS", series(1.21, 1.05, 1.0, 0.98))
    nvda = Closes("NVDA", series(196.0, 197.0, 194.5, 180.64))
    pages = {ODDS: odds("0.4100", "0.4300"), FEES: '{"fastestFee": 3}'}
    rules = ("sqns < 1", "nvda moves down 5% in 1d", "rate_cut() < 40%", "fees() > 50")
    async with watching(ann, database, clock, Ticks(clock, 90_000), sqns, nvda, pages) as providers:
        await arm(ann, store, *rules)
        show(sqns, nvda)
        providers.pages |= {ODDS: odds("0.3000", "0.3200"), FEES: '{"fastestFee": 60}'}
        await until(lambda: len(rings(ann)) == 4, ann)
    told = rings(ann)
    assert "SQNS stock fell below 1: now 0.98" in told[1]
    assert "NVDA stock fell 5% in 1 day: now 180.64" in told[2]
    assert "31" in told[3] and "Kalshi" in told[3]
    assert "60" in told[4] and "mempool.space" in told[4]


async def test_what_comes_once_an_hour_or_a_day_rings_too(
    ann: OnTelegram, database: str, store: SqlStore
) -> None:
    """A company sells, coins are withdrawn, and the hash rate falls; all within the same night."""
    start = midnight_of(THURSDAY) + DAY - 1200
    clock = FastClock(start, 4 * RATE)
    sold = MetricKey("treasury", "sqns")
    for at in range(start - 30 * 3600, start, 3600):  # what an earlier run recorded
        await store.note([Observation(sold, at, Decimal(3234), at, source="coingecko")], at)
    pages = {TREASURIES: treasury(3234), STABLECOINS: stablecoins(30.0, 30.0), **hashrates(1.1, 1.1)}
    rules = ("delta(treasury(sqns), 1d) < 0", "delta(stablecoin_supply(), 1d) <= -1b", "hashrate() < 900")
    async with watching(ann, database, clock, Ticks(clock, 90_000), pages) as providers:
        await arm(ann, store, *rules)
        providers.pages |= {
            TREASURIES: treasury(2264),
            STABLECOINS: stablecoins(30.0, 29.8, 29.8),
            **hashrates(1.1, 1.1, 0.85),
        }
        await until(lambda: len(rings(ann)) == 3, ann)
    told = rings(ann)
    assert "-970" in told[1] and "CoinGecko" in told[1]
    assert "DefiLlama" in told[2]
    assert "850" in told[3] and "mempool.space" in told[3]


def odds(bid: str, ask: str) -> str:
    hold = f"{1 - float(ask):.4f}", f"{1 - float(bid):.4f}"
    books = {"C25": (bid, ask), "C26": ("0.0000", "0.0000"), "H0": hold, "H25": ("0.0000", "0.0100")}
    rows = [
        {
            "ticker": f"KXFEDDECISION-25DEC-{outcome}",
            "status": "active",
            "close_time": "2025-12-10T18:59:00Z",
            "yes_bid_dollars": low,
            "yes_ask_dollars": high,
        }
        for outcome, (low, high) in books.items()
    ]
    return json.dumps({"markets": rows, "cursor": ""})


def treasury(coins: int) -> str:
    return json.dumps({"companies": [{"name": "Sequans", "symbol": "SQNS.US", "total_holdings": coins}]})


def stablecoins(*tens_of_billions: float) -> str:
    """Shape a chart: what it was until Wednesday, Thursday, and where told Friday, which is not over."""
    days = dict.fromkeys(range(-40, 0), tens_of_billions[0]) | dict(enumerate(tens_of_billions[1:]))
    rows = [
        {"date": str(midnight_of(THURSDAY) + day * DAY), "totalCirculating": {"peggedUSD": value * 1e10}}
        for day, value in days.items()
    ]
    return json.dumps(rows)


def hashrates(*zetahashes: float) -> dict[str, str]:
    """Shape the means of the days until Tuesday, of Wednesday, and where told of Thursday."""
    days = dict.fromkeys(range(-30, 0), zetahashes[0]) | dict(enumerate(zetahashes[1:]))
    rows = [
        {"timestamp": midnight_of(THURSDAY) + day * DAY, "avgHashrate": value * 1e21}
        for day, value in days.items()
    ]
    return dict.fromkeys(HASHRATES, json.dumps({"hashrates": rows}))
