"""One table of what exchanges do to us, and what comes of it: the real ccxt, over real sockets.

After each fault the feed is healthy again by itself within two polls of its end, or of the end of the pause
that the exchange asked for; no alert is lost, none rings falsely, and what was touched meanwhile rings in its
own minute.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from bot.alerts.models import Arming, Telling
from bot.engine.state import Correction, Ring
from bot.feeds.exchanges import Exchanges, build_feeds
from bot.metrics import MINUTE, MetricKey, minute_of
from bot.watch import Watch
from tests.conftest import SetClock
from tests.feed_faults import CANDLES, emptied, shrunken, spoilt
from tests.feed_states import States
from tests.wire import exchanges as wire
from tests.wire.exchanges import EXCHANGES, Handler, Trades, Weather, middleware_of

POLL = 20.0
LASTS = 5
"""Polls that a fault lasts: more than the stumbles that are looked past."""

SYMBOLS = ("btc/usdt", "eth/usdt", "btc/usd", "sol/usdt", "xrp/usdt", "ada/usdt")
BTC = MetricKey("price", "btc/usdt")
TOUCH = 101_500.0
RULES = ("btc/usdt > 101000 repeat cooldown 0m", "btc/usdt < 99000", "btc/usdt > 101600", "eth/usdt < 99000")
"""On loopback prices stay within 100,000 and 100,400; a touch of the first rule is put in."""


@dataclass(frozen=True, slots=True)
class Row:
    """A fault by its name, and what comes of it.

    ``only`` limits it to addresses that contain a text: ``candles`` stands for the exchange's own word.
    ``asks`` is the longest pause in seconds that the exchange asks for, or that its refusal of us brings;
    ``outcome`` is a part of what is said meanwhile, empty where nothing is wrong with the feed.
    ``sets_clock`` is by how many seconds our own clock is set wrong while it lasts, ``leaves_out`` what the
    exchange does not know then; ``is_at_start`` says that the program starts anew into it.
    """

    name: str
    trouble: Handler | object = None
    only: str = ""
    outcome: str = ""
    asks: float = 0.0
    sets_clock: float = 0.0
    leaves_out: str = ""
    is_at_start: bool = False


NO_DATA = "answers with something that is no data"
TABLE = (
    Row("a page with 200", wire.web_page, outcome=NO_DATA),
    Row("an empty body", wire.empty_body, outcome=NO_DATA),
    Row("an empty object", wire.empty_object, outcome=NO_DATA),
    Row("truncated JSON", wire.half_an_answer, outcome=NO_DATA),
    Row("a page instead of candles", wire.web_page, "candles", NO_DATA),
    Row("429 with JSON", wire.status(429, '{"code": -1003}', Retry_After="90"), "", "slow down", 90),
    Row("429 without JSON", wire.status(429, "slow down", Retry_After="90"), "", "slow down", 90),
    Row("429 that says no time", wire.status(429, "{}"), "", "slow down", 200),
    Row("418 with JSON", wire.status(418, '{"code": -1003}', Retry_After="120"), "", "slow down", 120),
    Row("418 without JSON", wire.status(418, "banned", Retry_After="120"), "", "slow down", 120),
    Row("429 for candles alone", wire.status(429, "{}", Retry_After="60"), "candles", "slow down", 60),
    Row("451", wire.status(451, "{}"), outcome="refuses this country or network", asks=1800),
    Row("500", wire.status(500, "oops"), outcome="HTTP 500"),
    Row("503", wire.status(503), outcome="HTTP 503"),
    Row("503 that says when", wire.status(503, Retry_After="60"), outcome="HTTP 503", asks=60),
    Row("524", wire.status(524, "a timeout occurred"), outcome="HTTP 524"),
    Row("503 for candles alone", wire.status(503), "candles", "HTTP 503"),
    Row("slow", wire.slowly(0.05)),
    Row("hanging", wire.hang, outcome="does not answer in time"),
    Row("hanging over candles", wire.hang, "candles", "does not answer in time"),
    Row("a connection reset", wire.reset, outcome="cannot be reached"),
    Row("NaN", wire.rewritten(spoilt(4, "NaN")), "candles", "impossible candles"),
    Row("inf", wire.rewritten(spoilt(2, "inf")), "candles", "impossible candles"),
    Row("negative", wire.rewritten(spoilt(3, "-5")), "candles", "impossible candles"),
    Row("low above high", wire.rewritten(spoilt(3, "999999")), "candles", "impossible candles"),
    Row("year 2100", wire.rewritten(spoilt(0, 4_102_444_800)), "candles", "impossible candles"),
    Row("no candles at all", wire.rewritten(emptied), "candles", "gives no candles"),
    Row("a symbol that vanished", leaves_out="btc/usdt", outcome="btc/usdt"),
    Row("shrunken tickers", wire.rewritten(shrunken), "tickers", "prices where"),
    Row("empty tickers", wire.rewritten(emptied), "tickers", "prices where"),
    Row("empty markets at a start", wire.rewritten(emptied), "listing", "lists no markets", is_at_start=True),
    Row("a page at a start", wire.web_page, outcome=NO_DATA, is_at_start=True),
    Row("our clock set three minutes back", sets_clock=-180.0),
    Row("our clock set three minutes ahead", sets_clock=180.0),
)


WORDS = {
    "candles": CANDLES,
    "tickers": {
        "binance": "ticker",
        "kraken": "Ticker",
        "okx": "tickers",
        "coinbase": "products",
        "bybit": "tickers",
    },
    "listing": {
        "binance": "exchangeInfo",
        "kraken": "AssetPairs",
        "okx": "instruments",
        "coinbase": "products",
        "bybit": "instruments",
    },
}


@dataclass
class Scene:
    """One exchange, the program that watches it, and all that it told."""

    name: str
    clock: SetClock
    server: wire.LoopbackExchange
    weather: Weather
    trades: Trades
    states: States = field(default_factory=States)
    said: list[str] = field(default_factory=list)

    async def start(self) -> None:
        """Start the program, or start it anew."""
        self.exchanges: Exchanges = build_feeds(
            [self.name],
            "usdt",
            self.clock,
            gateway=self.server.root,
            throttle=False,
            timeout=0.3,
            jitter=lambda: 0.5,
        )
        self.watch = Watch(self.states, self.exchanges.market, self.clock, lambda: None, late_after=240)  # type: ignore[arg-type]
        await self.watch.open()

    async def arm(self) -> None:
        """Make the alerts."""
        for number, rule in enumerate(RULES, 1):
            key = MetricKey("price", rule.split()[0])
            seen = {key: await self.exchanges.market.seen(key)}
            self.states.armings.append(Arming(number, number, rule, False, self.clock.time, seen))

    async def poll(self, count: int = 1) -> None:
        """Look so many times, a poll apart, and judge what comes."""
        for _ in range(count):
            self.clock.time += POLL
            batch = await self.exchanges.feeds[0].poll(self.watch.wants())
            self.said += [self.exchanges.feeds[0].health().reason, *(one.reason for one in batch.unseen)]
            await self.watch.take(batch)

    def begin(self, row: Row) -> None:
        """Let a fault begin."""
        self.weather.trouble = row.trouble  # type: ignore[assignment]
        self.weather.only = WORDS[row.only][self.name] if row.only else ""
        self.clock.set(row.sets_clock)
        if row.leaves_out:
            self.server.symbols.remove(row.leaves_out)
        self.said.clear()

    def end(self, row: Row) -> None:
        """Let it end."""
        self.weather.clear()
        self.clock.set(-row.sets_clock)
        if row.leaves_out:
            self.server.symbols.append(row.leaves_out)

    def touch(self) -> int:
        """Let the first rule be touched in this minute; gives the minute."""
        minute = minute_of(self.server.now()) + MINUTE
        self.trades.touches[minute] = TOUCH
        return minute

    def rings(self) -> list[tuple[int, float]]:
        """Give what rang, by arming and minute."""
        told = [one for judgement in self.states.judgements for one in judgement.told]
        assert not [one for one in told if isinstance(one.transition, Correction)]
        return [
            (one.arming_id, one.transition.at)
            for one in told
            if isinstance(one.transition, Ring) and not one.transition.is_early
        ]

    def notices(self) -> set[Telling]:
        """Give the kinds of what was told of sight."""
        return {one.kind for judgement in self.states.judgements for one in judgement.notices}

    def assert_well(self) -> None:
        """The feed is healthy, and everything that is final is read and judged."""
        health = self.exchanges.feeds[0].health()
        assert health.is_well and not health.reason, health
        wants = self.watch.wants()
        assert {str(want.key) for want in wants} == {"btc/usdt", "eth/usdt"}
        late = {str(want.key): self.server.now() - want.since for want in wants}
        assert all(seconds < 2 * MINUTE + POLL for seconds in late.values()), late


@asynccontextmanager
async def opened(name: str, clock: SetClock) -> AsyncIterator[Scene]:
    clock.time += 20
    weather, trades = Weather(), Trades()
    opened_at = clock.time - 3 * 3600
    async with EXCHANGES[name](trades, SYMBOLS, clock.steady, [middleware_of(weather)], opened_at) as server:
        scene = Scene(name, clock, server, weather, trades)
        await scene.start()
        try:
            await scene.poll(2)
            await scene.arm()
            await scene.poll(6)
            yield scene
        finally:
            await scene.exchanges.close()


async def lived_through(scene: Scene, row: Row) -> int:
    """Let a fault come and go; gives the minute that was touched meanwhile."""
    scene.begin(row)
    if row.is_at_start:
        await scene.exchanges.close()
        await scene.start()
    touched = scene.touch()
    await scene.poll(LASTS)
    said = " ".join(scene.said)
    assert row.outcome in said, said
    assert not row.outcome or not scene.rings() or scene.rings()[-1][1] < touched or row.only
    scene.end(row)
    scene.clock.time += row.asks
    await scene.poll(2)
    scene.assert_well()
    return touched


@pytest.mark.parametrize("name", ["binance", "kraken", "okx"])
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
async def test_a_fault_passes_and_nothing_is_lost_or_rings_falsely(
    clock: SetClock, row: Row, name: str
) -> None:
    async with opened(name, clock) as scene:
        touched = await lived_through(scene, row)
        await scene.poll(4)
        assert scene.rings() == [(1, touched)]
        assert not [
            one
            for judgement in scene.states.judgements
            for one in judgement.notices
            if one.kind is Telling.LAPSE
        ]


@pytest.mark.parametrize("name", list(EXCHANGES))
@pytest.mark.parametrize("seed", range(2))
async def test_faults_one_after_another_lose_nothing_and_ring_nothing_falsely(
    clock: SetClock, name: str, seed: int
) -> None:
    draw = random.Random(f"{name}{seed}")
    rows = [row for row in TABLE if name != "coinbase" or row.only != "candles"]
    async with opened(name, clock) as scene:
        touched = []
        for row in draw.sample(rows, 8):
            touched.append(await lived_through(scene, row))
            await scene.poll(draw.randrange(3, 8))
        assert scene.rings() == [(1, minute) for minute in touched]
