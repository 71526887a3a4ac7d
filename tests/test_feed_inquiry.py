"""Prices that cannot be trusted, over the real ccxt: who is asked, what passes, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from bot.feeds.exchanges import FEEDS, Exchanges, build_feeds
from bot.feeds.exchanges.door import Door
from bot.feeds.exchanges.guard import Range, Suspicion
from bot.feeds.exchanges.inquiry import Inquiry, is_of_beside
from bot.feeds.exchanges.lookout import Lookout
from bot.feeds.exchanges.venues import Venues
from bot.feeds.exchanges.witness import Witness
from bot.metrics import MINUTE, Bar, Bars, Batch, Bounds, Doubt, MetricKey, Print, Want, minute_of
from bot.ports import Unseeable
from tests.conftest import SetClock
from tests.wire import exchanges as wire
from tests.wire.exchanges import EXCHANGES, Gateway, Weather
from tests.wire.prices import Ticks

BTC = MetricKey("price", "btc/usdt")
COINS = ("btc", "eth", "sol", "zec", "xrp", "ada", "ltc", "doge")
SYMBOLS = ("btc/usd", *(f"{coin}/usdt" for coin in COINS))


@dataclass
class World:
    """Some exchanges behind one root, each with its own prices and weather, and the feeds over them."""

    clock: SetClock
    exchanges: Exchanges
    prices: dict[str, Ticks]
    weather: dict[str, Weather]
    begun: int
    key: MetricKey = BTC
    since: int = 0
    close: float = 100.0
    got: list[Bar] = field(default_factory=list)
    printed: list[Print] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)

    def trade(self, *prices: float, on: Sequence[str] = ()) -> None:
        """Trade at these prices now, on some of the exchanges or on all."""
        for name in on or self.prices:
            self.prices[name].set(*prices)

    async def look(self, after: float = 0.0, keys: Sequence[MetricKey] = ()) -> Batch:
        """Look once at the first exchange, or at the one that the key names, as a judge would."""
        self.clock.time += after
        self.since = max(self.since, self.begun)
        wants = [Want(key, self.since, close=self.close) for key in keys or (self.key,)]
        names = list(self.prices)
        batch = await self.exchanges.feeds[names.index(self.key.venue or names[0])].poll(wants)
        bars = [bar for run in batch.bars for bar in run.bars if run.key == self.key]
        if bars:
            self.since, self.close = bars[-1].end, bars[-1].close
        self.got += bars
        self.printed += batch.prints
        self.doubts += batch.doubts
        return batch

    async def until(self, minute: int) -> None:
        """Look every few seconds until a minute after the beginning is final."""
        stop = self.begun + (minute + 1) * MINUTE + 6
        while self.clock.time < stop:
            await self.look(min(5.0, stop - self.clock.time))

    def asked(self, name: str) -> list[str]:
        """Give what an exchange was asked since the last time, by the last part of each path."""
        paths, self.weather[name].asked = self.weather[name].asked, []
        return [path.rpartition("/")[2] for path in paths]


@asynccontextmanager
async def world_of(
    clock: SetClock, *names: str, key: MetricKey = BTC, **symbols: Sequence[str]
) -> AsyncIterator[World]:
    """Open a world in which all trade at 100, and which was looked at once."""
    clock.time = minute_of(clock.time) + 20.0
    prices = {name: Ticks(clock, 100.0) for name in names}
    weather = {name: Weather() for name in names}
    behind = [
        (EXCHANGES[name](prices[name], symbols.get(name, SYMBOLS), clock.now), weather[name])
        for name in names
    ]
    async with Gateway(behind) as gateway:
        exchanges = build_feeds(names, "usdt", clock, gateway=gateway.root, throttle=False)
        try:
            for feed in exchanges.feeds:
                await feed.ready()
            world = World(clock, exchanges, prices, weather, minute_of(clock.time), key)
            await world.look()
            for name in names:
                world.asked(name)
            yield world
        finally:
            await exchanges.close()


def misprint(weather: Weather, price: float) -> None:
    """Have Binance's list of prices show a price of Bitcoin; its candles and its book stay."""

    def spoil(answer: object) -> object:
        assert isinstance(answer, list)
        for row in answer:
            if row["symbol"] == "BTCUSDT":
                row["price"] = f"{price:.8f}"
        return answer

    weather.only, weather.trouble = "ticker/price", wire.rewritten(spoil)


def lows(bars: Sequence[Bar]) -> list[float]:
    return [bar.low for bar in bars]


async def test_a_crash_on_all_exchanges_passes_in_the_same_look_for_one_question(clock: SetClock) -> None:
    async with world_of(clock, "binance", "kraken", "okx") as world:
        world.trade(90)
        with capture_logs() as logs:
            batch = await world.look(5)
        assert [one.value for one in batch.prints] == [90]
        assert world.asked("kraken") in (["Ticker"], [])
        assert world.asked("okx") in (["tickers"], [])
        assert "depth" not in world.asked("binance")
        (line,) = [line for line in logs if line["event"] == "price_borne_out"]
        assert (line["exchange"], line["instrument"], line["value"]) == ("binance", "btc/usdt", 90)
        assert line["second_source"][0] in {"kraken", "okx"}
        assert line["second_value"][0] == [90, 90]
        await world.until(1)
        assert lows(world.got) == [90, 90]
        assert "OHLC" not in world.asked("kraken")
        assert not world.doubts


async def test_a_crash_of_everything_is_one_question_and_not_one_for_each(clock: SetClock) -> None:
    async with world_of(clock, "binance", "kraken") as world:
        keys = [MetricKey("price", f"{coin}/usdt") for coin in COINS]
        await world.look(1, keys)
        world.trade(90)
        world.asked("kraken")
        batch = await world.look(5, keys)
        assert {one.key for one in batch.prints} == set(keys)
        assert world.asked("kraken") == ["Ticker"]


async def test_a_price_that_no_other_exchange_shows_is_told_once_and_moves_nothing(clock: SetClock) -> None:
    async with world_of(clock, "binance", "kraken") as world:
        misprint(world.weather["binance"], 8.2)
        world.printed.clear()
        for _ in range(4):
            await world.look(5)
        world.weather["binance"].clear()
        await world.until(0)
        (doubt,) = world.doubts
        assert (doubt.key, doubt.value, doubt.source) == (BTC, 8.2, "binance")
        assert doubt.reason == "kraken shows 100"
        assert {one.value for one in world.printed} == {100}
        assert lows(world.got) == [100]
        assert "depth" not in world.asked("binance")


async def test_a_wick_of_one_exchange_between_two_looks_is_clipped_and_told(clock: SetClock) -> None:
    async with world_of(clock, "binance", "kraken") as world:
        world.trade(8.2, 100, on=["binance"])
        world.trade(99, 100, on=["kraken"])
        with capture_logs() as logs:
            await world.until(0)
        assert lows(world.got) == [100]
        (doubt,) = world.doubts
        assert (doubt.value, doubt.at, doubt.reason) == (8.2, world.got[0].at, "kraken shows 99 to 100")
        (line,) = [line for line in logs if line["event"] == "price_not_borne_out"]
        assert (line["value"], line["second_value"]) == (8.2, [[99, 100]])
        await world.until(3)
        assert len(world.doubts) == 1


async def test_a_wick_that_another_exchange_had_too_passes_whole(clock: SetClock) -> None:
    async with world_of(clock, "binance", "kraken") as world:
        world.trade(80, 100, on=["binance"])
        world.trade(81, 100, on=["kraken"])
        await world.until(0)
        assert lows(world.got) == [80]
        assert not world.doubts


async def test_a_wick_that_reached_another_exchange_in_the_next_minute_is_borne_out(clock: SetClock) -> None:
    async with world_of(clock, "binance", "kraken") as world:
        world.clock.time = world.begun + 59.5
        world.trade(80, 100, on=["binance"])
        world.clock.time += 1
        world.trade(80, 100, on=["kraken"])
        await world.until(1)
        assert lows(world.got) == [80, 100]
        assert not world.doubts


async def test_the_wicks_of_an_outage_are_asked_about_in_one_question(clock: SetClock) -> None:
    async with world_of(clock, "binance", "kraken") as world:
        for place in range(20):
            world.clock.time += MINUTE
            low = 80 if place % 3 == 0 else 99
            world.trade(low, 100, on=["binance"] if place == 9 else [])
        await world.look(MINUTE)
        assert world.asked("kraken").count("OHLC") == 1
        assert sum(low == 80 for low in lows(world.got)) == 6
        assert [doubt.value for doubt in world.doubts] == [80]


async def test_another_dollar_is_a_second_source(clock: SetClock) -> None:
    async with world_of(clock, "binance", "coinbase", coinbase=["btc/usd", "eth/usd"]) as world:
        world.trade(90)
        assert [one.value for one in (await world.look(5)).prints] == [90]
        world.clock.time += MINUTE
        world.trade(70, 90)
        await world.until(2)
        assert 70 in lows(world.got)
        assert not world.doubts


@pytest.mark.parametrize("name", list(EXCHANGES))
async def test_where_no_other_exchange_can_say_its_order_book_is_asked(clock: SetClock, name: str) -> None:
    async with world_of(clock, name) as world:
        world.trade(90)
        assert [one.value for one in (await world.look(5)).prints] == [90]
        (book,) = [path for path in world.asked(name) if "ook" in path or "epth" in path]
        assert book
        await world.until(0)
        assert lows(world.got) == [90]
        assert not world.doubts


async def test_an_order_book_that_stands_elsewhere_refutes(clock: SetClock) -> None:
    async with world_of(clock, "binance") as world:
        misprint(world.weather["binance"], 8.2)
        await world.look(5)
        world.weather["binance"].clear()
        await world.look(5)
        assert [(one.value, one.reason) for one in world.doubts] == [
            (8.2, "its order book shows 99.995 to 100.005")
        ]


async def test_a_past_wick_of_the_only_exchange_is_told_and_clipped(clock: SetClock) -> None:
    async with world_of(clock, "binance") as world:
        world.trade(80, 100)
        await world.until(0)
        assert lows(world.got) == [100]
        assert [(one.value, one.reason) for one in world.doubts] == [(80, "no second source can say")]


async def test_a_level_that_lasts_is_trusted_though_nobody_bears_it_out(clock: SetClock) -> None:
    async with world_of(clock, "binance", "kraken") as world:
        world.clock.time += 30
        world.trade(80, on=["binance"])
        await world.until(1)
        assert {bar.close for bar in world.got} == {100}
        await world.until(3)
        assert world.got[-1].close == 80
        assert world.printed[-1].value == 80
        assert len(world.doubts) == len({minute_of(one.at) for one in world.doubts})


async def test_where_the_exchange_is_named_no_other_is_asked_and_its_bars_stand(clock: SetClock) -> None:
    async with world_of(clock, "binance", "kraken", key=MetricKey("price", "btc/usdt", "kraken")) as world:
        world.trade(80, 100, on=["kraken"])
        world.clock.time += 10
        world.trade(90, on=["kraken"])
        assert [one.value for one in (await world.look(1)).prints] == [90]
        assert "Depth" in world.asked("kraken")
        await world.until(0)
        assert lows(world.got) == [80]
        assert world.asked("binance") == []
        assert not world.doubts


async def test_what_follows_a_minute_that_waits_waits_too(
    clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.feeds.exchanges.inquiry._SECONDS", 0.05)
    witnesses: dict[str, Witness] = {}
    door, venues = Door(FEEDS["kraken"], "http://127.0.0.1:9", False, 1.0, clock), Venues(["kraken"])
    Lookout(FEEDS["kraken"], venues, door, clock, lambda: 0.5, witnesses=witnesses)
    inquiry = Inquiry("binance", clock, witnesses)
    start = minute_of(clock.time)
    bars = [Bar(start + place * MINUTE, 100, 100, 100 - 30 * (place == 1), 100, 1.0) for place in range(3)]
    bounds = [
        Bounds(BTC, start - MINUTE, start, 99, 101),
        Bounds(BTC, start + 3 * MINUTE, start + 9 * MINUTE, 99, 101),
    ]
    batch = Batch("binance", clock.time, (Bars(BTC, tuple(bars)),), bounds=tuple(bounds))
    gate = asyncio.Event()
    monkeypatch.setattr(witnesses["kraken"], "reaches", lambda *_: gate.wait())
    found = await inquiry.examine([Want(BTC, start, close=100)], batch)
    assert [run.bars for run in found.bars] == [(bars[0],)]
    assert found.bounds == (bounds[0],)
    assert found.doubts == ()
    await door.close()


# --- what is asked between looks ------------------------------------------------------------------------


async def test_what_is_seen_at_a_price_that_nobody_bears_out_is_not_seen(clock: SetClock) -> None:
    async with world_of(clock, "binance", "kraken") as world:
        world.trade(8.2, on=["binance"])
        with pytest.raises(Unseeable, match=r"binance shows 8\.2, which no second source bears out"):
            await world.exchanges.market.seen(BTC)
        world.trade(8.3, on=["kraken"])
        assert (await world.exchanges.market.seen(BTC)).price == 8.2


async def test_a_crash_is_seen_where_its_order_book_is_the_only_second_source(clock: SetClock) -> None:
    async with world_of(clock, "binance") as world:
        world.clock.time += 5 * MINUTE
        world.trade(90)
        seen = await world.exchanges.market.seen(BTC)
        assert (seen.price, seen.bar.low) == (90, 90)


async def test_a_wick_before_what_is_seen_leaves_it_seen_with_all_its_minute_went_through(
    clock: SetClock,
) -> None:
    async with world_of(clock, "binance", "kraken") as world:
        world.trade(8.2, 100, on=["binance"])
        seen = await world.exchanges.market.seen(BTC)
        assert (seen.price, seen.bar.low) == (100, 8.2)


@pytest.mark.parametrize("span", [MINUTE, 5 * MINUTE, 240 * MINUTE])
async def test_history_shows_what_looks_showed(clock: SetClock, span: int) -> None:
    async with world_of(clock, "binance", "coinbase", coinbase=["btc/usd", "eth/usd"]) as world:
        begun = world.begun // span * span
        for place in range(8):
            world.clock.time = begun + place * span + 1.0
            world.trade(8.2 if place == 3 else 100, 100, on=["binance"])
            world.trade(30.0 if place == 5 else 100, 100)
        world.clock.time = begun + 8 * span + 6
        world.since = begun + span
        bars = await world.exchanges.market.bars(BTC, begun + span, begun + 8 * span, span)
        assert lows(bars) == [100, 100, 100, 100, 30, 100, 100]
        named = MetricKey("price", "btc/usdt", "binance")
        assert min(lows(await world.exchanges.market.bars(named, begun, begun + 8 * span, span))) == 8.2
        if span == MINUTE:
            await world.look()
            assert tuple(world.got) == bars


async def test_history_waits_for_nobody_who_does_not_answer(
    clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.feeds.exchanges.inquiry._SECONDS", 0.05)
    async with world_of(clock, "binance", "kraken") as world:
        for _ in range(6):
            world.clock.time += 100 * MINUTE
            world.trade(8.2, 100)
        world.clock.time += 2 * MINUTE
        world.weather["kraken"].trouble = wire.hang
        world.asked("kraken")
        until = minute_of(world.clock.time)
        bars = await world.exchanges.market.bars(BTC, world.begun, until)
        assert lows(bars) == [100] * len(bars)
        assert len(world.asked("kraken")) == 1


async def test_a_market_that_is_wild_throughout_is_taken_as_it_came(clock: SetClock) -> None:
    async with world_of(clock, "binance", "bybit") as world:
        for _ in range(14):
            world.clock.time += 100 * MINUTE
            world.trade(90, 100)
        world.clock.time += 2 * MINUTE
        until = minute_of(world.clock.time)
        bars = await world.exchanges.market.bars(BTC, world.begun, until)
        assert lows(bars).count(90) == 14
        assert len(world.asked("bybit")) <= 14


@pytest.mark.parametrize("trouble", [wire.status(503, "{}"), wire.web_page, wire.reset, wire.empty_object])
async def test_a_second_source_that_fails_leaves_the_word_to_the_next(
    clock: SetClock, trouble: Callable[..., object]
) -> None:
    async with world_of(clock, "binance", "kraken", "okx") as world:
        world.weather["kraken"].trouble = trouble  # type: ignore[assignment]
        world.trade(90)
        assert [one.value for one in (await world.look(5)).prints] == [90]
        world.clock.time += MINUTE
        world.trade(70, 90)
        await world.until(2)
        assert 70 in lows(world.got)
        assert not world.doubts


async def test_an_exchange_that_is_to_be_left_alone_is_not_asked(clock: SetClock) -> None:
    async with world_of(clock, "binance", "kraken") as world:
        world.weather["kraken"].trouble = wire.status(429, "{}", Retry_After="600")
        await world.exchanges.feeds[1].poll([])
        world.asked("kraken")
        world.trade(90)
        assert [one.value for one in (await world.look(5)).prints] == [90]
        assert world.asked("kraken") == []
        assert "depth" in world.asked("binance")


async def test_minutes_wait_for_a_second_source_that_hangs_but_not_for_long(
    clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.feeds.exchanges.inquiry._SECONDS", 0.2)
    async with world_of(clock, "binance", "kraken") as world:
        world.weather["kraken"].trouble = wire.hang
        world.trade(80, 100)
        await world.look(50)
        assert not world.got
        assert not world.doubts
        await world.look(5)
        assert not world.got
        await world.look(6)
        assert lows(world.got) == [100]
        assert [one.value for one in world.doubts] == [80]


@pytest.mark.parametrize(
    ("close", "low_after", "is_apart"),
    [
        (100.0, 88.0, True),  # a wick, and in the next minute both fall
        (88.0, 88.0, False),  # the fall began here, and goes on
        (100.0, 100.0, False),  # the other's clock is late: only there it is of the next minute
    ],
)
def test_what_another_shows_in_the_next_minute_bears_out_a_wick_unless_both_do(
    close: float, low_after: float, is_apart: bool
) -> None:
    bar = Bar(600, 100.0, 100.0, 85.0, close)
    beside = Bar(600 + MINUTE, low_after, 100.0 if low_after == 100.0 else 89.0, low_after, low_after)
    suspicion = Suspicion(BTC, 85.0, Range(99.5, 100.5), bar.at)
    assert is_of_beside(suspicion, bar, beside, Range(88.0, 89.0)) is is_apart
    assert not is_of_beside(suspicion, bar, bar, Range(88.0, 89.0))
    assert not is_of_beside(suspicion, bar, None, Range(88.0, 89.0))
