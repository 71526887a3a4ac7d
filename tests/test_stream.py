"""Streams of trades: the real ccxt.pro, over real sockets, against websockets on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.exchanges import FEEDS, Exchanges, build_feeds
from bot.feeds.exchanges.stream import Stream
from bot.feeds.exchanges.websockets import WEBSOCKETS
from bot.feeds.exchanges.wicks import Trade, Wicks
from bot.metrics import Batch, MetricKey, Print, Want, minute_of
from tests.conftest import SetClock
from tests.wire.exchanges import EXCHANGES, Trades, Weather, middleware_of
from tests.wire.streams import STREAMS, StreamingExchange, Streams

SYMBOLS = ("btc/usdt", "eth/usdt", "btc/usd", "zec/usd", "sol/usdt", "eth/usd", "btc/usdt:usdt")
BTC = MetricKey("price", "btc/usdt")
ETH = MetricKey("price", "eth/usdt")
PERP = MetricKey("price", "btc/usdt:usdt")
PACE = 0.02


@dataclass
class Scene:
    """One exchange with its websockets, the stream that reads them, and the clock of both."""

    name: str
    wire: Streams
    weather: Weather
    clock: SetClock
    exchanges: Exchanges
    wants: list[Want] = field(default_factory=list)

    @property
    def stream(self) -> Stream:
        return self.exchanges.streams[0]

    def want(self, *keys: MetricKey) -> None:
        self.wants = [Want(key, minute_of(self.clock.time)) for key in keys]

    async def look(self) -> Batch:
        return await self.exchanges.feeds[0].poll(self.wants)

    async def collect(self) -> tuple[Print, ...]:
        batch = await self.stream.collect(self.wants)
        return batch.prints if batch is not None else ()

    async def until(self, is_so: Callable[[], bool], within: float = 5.0) -> list[Print]:
        """Collect until something is so; gives what came meanwhile."""
        found: list[Print] = []
        try:
            async with asyncio.timeout(within):
                while not is_so():
                    found += await self.collect()
        except TimeoutError:
            raise AssertionError(f"it did not come about: {self.stream.health()}") from None
        return found

    async def connect(self, *keys: MetricKey) -> None:
        """Watch series, and wait until that is so; a first look says what their prices are."""
        self.want(*keys)
        await self.look()
        names = {key.instrument for key in keys}
        await self.until(lambda: self.wire.watched() == names and self.is_connected())

    def is_connected(self) -> bool:
        return self.stream.health().connected_at is not None

    async def trade(self, key: MetricKey, *prices: float, at: float | None = None) -> list[float]:
        """Trade, and give what the stream tells of a series until it tells the last of the prices."""
        await self.wire.trade(key.instrument, *prices, at=at)
        told: list[float] = []
        try:
            async with asyncio.timeout(5):
                while prices[-1] not in told:
                    told += [one.value for one in await self.collect() if one.key == key]
        except TimeoutError:
            raise AssertionError(f"{prices} not told, but {told}: {self.stream.health()}") from None
        return told


async def open_scene(name: str, clock: SetClock) -> AsyncIterator[Scene]:
    weather = Weather()
    clock.time += 20
    behind = EXCHANGES[name](Trades(), SYMBOLS, clock.now, [middleware_of(weather)])
    wire = STREAMS[name](behind)
    async with StreamingExchange(behind, wire) as server:
        exchanges = build_feeds(
            [name],
            "usdt",
            clock,
            gateway=server.root,
            throttle=False,
            jitter=lambda: 0.5,
            streams=True,
            pace=PACE,
        )
        try:
            await exchanges.market.instruments("btc")
            yield Scene(name, wire, weather, clock, exchanges)
        finally:
            await exchanges.close()


@pytest.fixture(params=list(WEBSOCKETS))
async def scene(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[Scene]:
    async for opened in open_scene(request.param, clock):
        yield opened


@pytest.fixture
async def binance(clock: SetClock) -> AsyncIterator[Scene]:
    async for opened in open_scene("binance", clock):
        yield opened


def test_every_exchange_has_a_websocket_and_one_on_loopback() -> None:
    assert set(FEEDS) == set(WEBSOCKETS) == set(STREAMS)


async def test_a_trade_is_told_with_its_price_and_the_exchanges_instant(scene: Scene) -> None:
    await scene.connect(BTC, ETH)
    scene.clock.time += 1
    at = scene.clock.time - 0.25
    await scene.wire.trade("btc/usdt", 99_000.5, at=at)
    (one,) = await scene.until(lambda: scene.stream.health().prints > 0)
    assert one == Print(BTC, 99_000.5, at, scene.name, is_traded=True)


async def test_what_was_traded_before_the_subscription_is_not_told(scene: Scene) -> None:
    await scene.connect(BTC)
    for _ in range(5):
        assert await scene.collect() == ()
    assert scene.stream.health().prints == 0


async def test_a_wick_between_two_batches_is_told_whole(scene: Scene) -> None:
    await scene.connect(BTC)
    told = await scene.trade(BTC, 100_000, 99_000, 98_500, 99_500, 101_500, 101_000, 101_400, 101_250)
    assert {98_500, 101_500, 101_250} <= set(told)
    assert told[-1] == 101_250


async def test_a_perpetual_is_not_taken_for_its_spot_market(scene: Scene) -> None:
    if scene.name in {"kraken", "coinbase"}:
        pytest.skip("has no perpetuals here")
    await scene.connect(BTC, PERP)
    await scene.wire.trade("btc/usdt:usdt", 99_000)
    (one,) = await scene.until(lambda: scene.stream.health().prints > 0)
    assert (one.key, one.value) == (PERP, 99_000)


async def test_what_is_wanted_may_change_without_a_new_connection(scene: Scene) -> None:
    await scene.connect(BTC)
    scene.want(BTC, ETH)
    await scene.look()
    await scene.until(lambda: scene.wire.watched() == {"btc/usdt", "eth/usdt"})
    assert await scene.trade(ETH, 99_000) == [99_000]
    scene.want(ETH)
    if WEBSOCKETS[scene.name].leaves:
        await scene.until(lambda: scene.wire.watched() == {"eth/usdt"})
    await scene.wire.trade("btc/usdt", 99_000)
    assert await scene.trade(ETH, 99_001) == [99_001]
    scene.want(BTC, ETH)
    await scene.look()
    await scene.until(lambda: scene.wire.watched() == {"btc/usdt", "eth/usdt"})
    assert await scene.trade(BTC, 99_001) == [99_001]
    assert scene.wire.dialled == 1


async def test_nothing_wanted_is_no_connection(scene: Scene) -> None:
    for _ in range(3):
        await scene.collect()
    assert scene.wire.dialled == 0
    await scene.connect(BTC)
    scene.want()
    await scene.until(lambda: not scene.wire.lines)
    assert scene.stream.health().losses == 0


async def test_a_connection_that_fell_silent_is_noticed_and_made_anew(scene: Scene) -> None:
    await scene.connect(BTC)
    assert await scene.trade(BTC, 99_500) == [99_500]
    scene.wire.is_silent = True
    await scene.collect()
    scene.clock.time += WEBSOCKETS[scene.name].silence - 1
    await scene.collect()
    assert scene.stream.health().losses == 0
    scene.clock.time += 1
    await scene.until(lambda: scene.stream.health().losses == 1)
    assert "silent" in scene.stream.health().reason
    scene.wire.is_silent = False
    await scene.until(lambda: scene.wire.dialled == 2)
    await scene.connect(BTC)
    assert await scene.trade(BTC, 99_000) == [99_000]


async def test_a_connection_that_breaks_is_made_anew(scene: Scene) -> None:
    await scene.connect(BTC, ETH)
    scene.wire.drop()
    await scene.until(lambda: scene.wire.dialled == 2)
    await scene.connect(BTC, ETH)
    assert await scene.trade(BTC, 99_000) == [99_000]
    assert scene.stream.health().losses == 1


async def test_a_connection_that_keeps_breaking_is_left_alone_for_longer_and_longer(binance: Scene) -> None:
    await binance.connect(BTC)
    for losses in (1, 2, 3):
        await binance.until(lambda: bool(binance.wire.watched()))
        binance.wire.drop()
        await binance.until(lambda losses=losses: binance.stream.health().losses == losses)
    for _ in range(5):
        await binance.collect()
    assert binance.wire.dialled == 3
    binance.clock.time += 5
    await binance.until(lambda: binance.wire.dialled == 4)


GARBAGE = (
    "not json",
    "{",
    "[]",
    "{}",
    '{"e":',
    "null",
    '"pong"',
    "[1, 2]",
    '{"channel": "trade"}',
    '{"arg": {"channel": "trades"}}',
    '{"e": "aggTrade"}',
    '{"e": "aggTrade", "s": 5, "p": [], "T": "x"}',
    '{"topic": "publicTrade.BTCUSDT", "data": [{"p": "x"}]}',
    '{"channel": "market_trades", "events": [{"trades": [{"price": "-1"}]}]}',
    "<html>We will be back soon</html>",
    "\u2603" * 50,
)


async def test_garbage_does_nothing(scene: Scene) -> None:
    await scene.connect(BTC)
    await scene.wire.garble(*GARBAGE)
    assert await scene.trade(BTC, 99_000) == [99_000]
    assert scene.wire.dialled == 1
    assert scene.stream.health().prints == 1


@pytest.mark.parametrize("price", ["NaN", "-5", "0", "Infinity", "1e999", "", "x"])
async def test_a_price_that_cannot_be_is_not_told(binance: Scene, price: str) -> None:
    await binance.connect(BTC)
    stamp = int(binance.clock.time * 1000)
    frame = f'{{"e":"aggTrade","E":{stamp},"s":"BTCUSDT","a":1,"p":"{price}","q":"1","T":{stamp},"m":true}}'
    await binance.wire.garble(frame, frame.replace(f'"{price}"', "NaN"))
    assert await binance.trade(BTC, 99_000) == [99_000]


@pytest.mark.parametrize("after", [-3600.0, -61.0, 2.5, 60.0, 1e9])
async def test_a_trade_of_the_future_or_of_long_ago_is_not_told(scene: Scene, after: float) -> None:
    await scene.connect(BTC)
    scene.clock.time += 5
    await scene.wire.trade("btc/usdt", 99_500, at=scene.clock.time + after)
    assert await scene.trade(BTC, 99_000) == [99_000]


async def test_who_acknowledges_nothing_is_given_a_new_connection(scene: Scene) -> None:
    scene.wire.is_mute = True
    scene.want(BTC)
    await scene.until(lambda: bool(scene.wire.lines))
    scene.clock.time += 9
    await scene.collect()
    assert scene.stream.health().losses == 0
    scene.clock.time += 1
    await scene.until(lambda: scene.stream.health().losses == 1)
    assert "acknowledges nothing" in scene.stream.health().reason
    scene.wire.is_mute = False
    await scene.connect(BTC)
    assert await scene.trade(BTC, 99_000) == [99_000]


@pytest.mark.parametrize("status", [451, 404])
async def test_who_has_no_stream_for_us_is_not_asked_again(binance: Scene, status: int) -> None:
    binance.wire.refusal = status
    binance.want(BTC)
    await binance.until(lambda: binance.stream.health().is_over)
    assert f"HTTP {status}" in binance.stream.health().reason
    binance.clock.time += 86_400
    assert await binance.stream.collect(binance.wants) is None
    assert binance.wire.dialled == 1


async def test_who_asks_to_slow_down_is_left_alone_for_as_long(binance: Scene) -> None:
    binance.wire.refusal = 403
    binance.want(BTC)
    await binance.until(lambda: binance.stream.health().losses == 1)
    binance.wire.refusal = None
    binance.clock.time += 29
    for _ in range(3):
        await binance.collect()
    assert binance.wire.dialled == 1
    binance.clock.time += 10
    await binance.until(binance.is_connected)


def looked(price: float, at: float) -> Batch:
    return Batch("binance", at, prints=(Print(BTC, price, at, "binance"),))


async def looks_pass(scene: Scene, *prices: float) -> None:
    """Look some seconds apart, while the connection shows that it lives."""
    for price in prices:
        scene.clock.time += 10
        await scene.wire.garble('{"result": null, "id": 99}')
        scene.stream.compare(looked(price, scene.clock.time))
        frames = scene.stream.health().frames
        await scene.until(lambda frames=frames: scene.stream.health().frames != frames)


async def test_a_dead_subscription_shows_by_what_looks_see(binance: Scene) -> None:
    await binance.connect(BTC)
    await looks_pass(binance, 100, 100, 100, 100, 100, 100)
    assert binance.stream.health().losses == 0
    await looks_pass(binance, 101, 101, 102, 103, 103)
    await binance.until(lambda: binance.stream.health().losses == 1)
    await binance.until(lambda: binance.wire.dialled == 2 and binance.is_connected())
    await looks_pass(binance, 104, 105, 106, 107, 108, 109)
    assert binance.stream.health().losses == 1
    assert await binance.trade(BTC, 99_000) == [99_000]


async def test_a_market_whose_trades_are_told_is_not_taken_for_dead(binance: Scene) -> None:
    await binance.connect(BTC)
    for price in range(99_101, 99_110):
        await looks_pass(binance, price)
        assert await binance.trade(BTC, price) == [price]
    assert binance.stream.health().losses == 0


async def test_only_prices_that_concern_somebody_are_told(binance: Scene) -> None:
    await binance.connect(BTC)
    (want,) = binance.wants
    binance.wants = [Want(want.key, want.since, floor=99_000, ceiling=101_000)]
    await binance.wire.trade("btc/usdt", 100_000, 100_999.5, 99_000.5)
    assert await binance.trade(BTC, 99_000) == [99_000]
    assert await binance.trade(BTC, 101_000) == [101_000]


async def test_a_minute_that_is_final_is_not_told_of(binance: Scene) -> None:
    await binance.connect(BTC)
    binance.clock.time += 30
    binance.wants = [Want(BTC, minute_of(binance.clock.time) + 60)]
    await binance.wire.trade("btc/usdt", 99_000)
    binance.wants = [Want(BTC, minute_of(binance.clock.time))] if not await binance.collect() else []
    assert await binance.trade(BTC, 99_001) == [99_001]


async def test_what_another_exchange_shows_is_not_watched_here(binance: Scene) -> None:
    binance.want(BTC, MetricKey("price", "btc/usdt", "kraken"), MetricKey("funding", "btc/usdt"))
    await binance.look()
    await binance.until(binance.is_connected)
    assert {one.key for one in await binance.until(lambda: bool(binance.wire.watched()))} <= {BTC}
    assert await binance.trade(BTC, 99_000) == [99_000]


async def test_a_connection_bears_a_bounded_number_of_markets(
    binance: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binance.stream, "_about", replace(WEBSOCKETS["binance"], most=2, at_once=1))
    binance.want(BTC, ETH, MetricKey("price", "sol/usdt"), PERP)
    await binance.until(lambda: len(binance.wire.watched()) == 3)
    for _ in range(3):
        await binance.collect()
    assert binance.wire.watched() == {"btc/usdt", "eth/usdt", "btc/usdt:usdt"}


async def test_who_cannot_be_trusted_alone_is_left_to_the_next_look(binance: Scene) -> None:
    await binance.connect(BTC)
    await binance.wire.trade("btc/usdt", 8_200)
    assert await binance.trade(BTC, 99_000) == [99_000]


async def test_a_closed_stream_is_over_even_while_its_exchange_says_no_goodbye(scene: Scene) -> None:
    await scene.connect(BTC)
    scene.wire.is_silent = True
    async with asyncio.timeout(3):
        await scene.stream.close()
    assert await scene.stream.collect(scene.wants) is None
    assert (await scene.look()).prints


async def test_looks_go_on_whatever_the_stream_does(scene: Scene) -> None:
    scene.wire.is_mute = True
    scene.want(BTC)
    collecting = asyncio.create_task(scene.collect())
    for _ in range(3):
        assert (await scene.look()).prints
        scene.clock.time += 5
    await collecting


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(1, 9), st.floats(0, 9)), max_size=40))
def test_wicks_keep_the_extremes_and_the_last_of_each_market(told: list[tuple[str, float, float]]) -> None:
    trades = [Trade(symbol, price, at) for symbol, price, at in sorted(told, key=lambda one: one[2])]
    wicks = Wicks()
    wicks.note(trades)
    taken = wicks.take()
    assert taken == sorted(taken, key=lambda trade: trade.at)
    assert not wicks.take()
    for symbol in "ab":
        of_symbol = [trade for trade in trades if trade.symbol == symbol]
        kept = [trade for trade in taken if trade.symbol == symbol]
        assert len(kept) <= 3
        prices = [trade.price for trade in of_symbol]
        assert min(prices, default=inf) == min((trade.price for trade in kept), default=inf)
        assert max(prices, default=-inf) == max((trade.price for trade in kept), default=-inf)
        assert [trade.price for trade in kept[-1:]] == prices[-1:]
