"""One contract for every exchange: the real ccxt, over real sockets, against exchanges on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from aiohttp import ClientSession

from bot.demo.exchange import LoopbackExchange
from bot.feeds.exchanges import FEEDS, ExchangeMarket, Exchanges, build_feeds
from bot.feeds.exchanges.feed import ExchangeFeed
from bot.feeds.gateway import through
from bot.metrics import MINUTE, Bar, Batch, MetricKey, Unseen, Want, join, minute_of, opening_of
from bot.ports import UnknownInstrument, Unseeable
from bot.rules.tree import Instrument
from tests.conftest import SetClock
from tests.feed_faults import shrunken
from tests.wire import exchanges as wire
from tests.wire.exchanges import EXCHANGES, Trades, Weather, middleware_of

SYMBOLS = ("btc/usdt", "eth/usdt", "btc/usd", "zec/usd", "sol/usdt", "eth/usd", "btc/usdt:usdt")
BTC = MetricKey("price", "btc/usdt")
ETH = MetricKey("price", "eth/usdt")


@dataclass
class Scene:
    """One exchange with its weather, the feed that looks at it, and the clock of both."""

    name: str
    server: LoopbackExchange
    weather: Weather
    trades: Trades
    clock: SetClock
    exchanges: Exchanges

    @property
    def feed(self) -> ExchangeFeed:
        return self.exchanges.feeds[0]

    @property
    def minute(self) -> int:
        return minute_of(self.clock.time)

    async def poll(self, *wants: Want) -> Batch:
        return await self.feed.poll(wants)

    async def looks(self, *wants: Want, until: Callable[[Batch], bool], steps: int = 20) -> Batch:
        """Look again and again, some seconds apart, until a batch has what is waited for."""
        for _ in range(steps):
            batch = await self.poll(*wants)
            if until(batch):
                return batch
            self.clock.time += 30
        raise AssertionError(f"not seen in {steps} looks: {self.feed.health()}")


def venue_of(market: ExchangeMarket, key: MetricKey) -> str | None:
    found = market.serving(key)
    return None if found is None else found.venue


def has_prints(batch: Batch) -> bool:
    return bool(batch.prints)


def assert_blind(batch: Batch, scene: Scene) -> None:
    """A look that failed brings nothing, and says of what is wanted that it was not seen, and why."""
    unseen = (Unseen(BTC, scene.feed.health().reason),)
    assert batch == Batch(scene.name, scene.clock.time, unseen=unseen)


def delivered(batch: Batch, key: MetricKey = BTC) -> list[Bar]:
    return [bar for run in batch.bars if run.key == key for bar in run.bars]


@pytest.fixture(params=list(EXCHANGES))
async def scene(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[Scene]:
    async for opened in open_scene(request.param, clock):
        yield opened


@pytest.fixture
async def binance(clock: SetClock) -> AsyncIterator[Scene]:
    async for opened in open_scene("binance", clock):
        yield opened


async def open_scene(name: str, clock: SetClock, patience: float = 20.0) -> AsyncIterator[Scene]:
    weather, trades = Weather(), Trades()
    clock.time += 20
    make = EXCHANGES[name]
    opened_at = clock.time - 70 * 86_400  # Kraken shows 720 days if it has them, which take seconds to make
    async with make(trades, SYMBOLS, clock.now, [middleware_of(weather)], opened_at) as server:
        exchanges = build_feeds(
            [name], "usdt", clock, gateway=server.root, throttle=False, timeout=patience, jitter=lambda: 0.5
        )
        try:
            yield Scene(name, server, weather, trades, clock, exchanges)
        finally:
            await exchanges.close()


def test_every_exchange_of_the_table_stands_on_loopback() -> None:
    assert set(FEEDS) == set(EXCHANGES)


async def test_a_look_brings_the_present_price_of_what_is_wanted_and_of_nothing_else(scene: Scene) -> None:
    batch = await scene.poll(Want(BTC, scene.minute), Want(ETH, scene.minute))
    assert {one.key for one in batch.prints} == {BTC, ETH}
    for one in batch.prints:
        assert one.value == scene.trades.price(one.key.instrument, scene.clock.time)
        assert abs(one.at - scene.clock.time) <= 1
    assert not batch.bars
    health = scene.feed.health()
    assert health.is_well
    assert health.seen_at == scene.clock.time
    assert health.requests == len(scene.weather.asked)


async def test_final_minutes_arrive_live_without_a_hole_and_never_unfinished(scene: Scene) -> None:
    start = since = scene.minute
    got: list[Bar] = []
    for _ in range(20):
        batch = await scene.poll(Want(BTC, since))
        for bar in delivered(batch):
            assert bar.end + 5 <= scene.clock.time
            got.append(bar)
            since = bar.end
        for one in batch.prints:
            assert one.at >= since
        scene.clock.time += 23
    assert since >= start + 6 * MINUTE
    assert tuple(got) == scene.trades.final("btc/usdt", start, since)


async def test_looks_work_below_the_limits_of_the_exchange_too(clock: SetClock) -> None:
    make = EXCHANGES["binance"]
    async with make(Trades(), SYMBOLS, clock.now) as server:
        exchanges = build_feeds(["binance"], "usdt", clock, gateway=server.root, throttle=True)
        start = minute_of(clock.time)
        clock.time += 2 * MINUTE
        batch = await exchanges.feeds[0].poll([Want(BTC, start), Want(ETH, start)])
        assert len(batch.prints) == len(batch.bars) == 2
        await exchanges.close()


async def test_an_outage_is_caught_up_across_pages_without_a_hole(scene: Scene) -> None:
    pages = 2 if scene.name == "kraken" else 3
    start = since = scene.minute
    await scene.poll(Want(BTC, since))
    scene.weather.trouble = wire.status(503)
    hours = 11 if scene.name == "kraken" else 31
    for _ in range(3):
        scene.clock.time += hours * 1200
        assert_blind(await scene.poll(Want(BTC, since)), scene)
        assert not scene.feed.health().is_well
    scene.weather.clear()
    scene.weather.asked.clear()
    got: list[Bar] = []
    for _ in range(pages):
        batch = await scene.looks(Want(BTC, since), until=lambda one: bool(one.bars))
        got += delivered(batch)
        since = got[-1].end
    candles = [path for path in scene.weather.asked if "andle" in path or "line" in path or "OHLC" in path]
    assert len(candles) >= (1 if scene.name == "kraken" else 2)
    assert tuple(got) == scene.trades.final("btc/usdt", start, since)
    assert since + MINUTE + 5 > scene.clock.time - 30 * pages


async def test_a_gap_beyond_what_kraken_keeps_stays_unknown(clock: SetClock) -> None:
    async for scene in open_scene("kraken", clock):
        since = scene.minute - 20 * 60 * MINUTE
        bars = delivered(await scene.poll(Want(BTC, since)))
        assert bars[0].at == scene.minute - 719 * MINUTE
        assert tuple(bars) == scene.trades.final("btc/usdt", bars[0].at, scene.minute)


@pytest.mark.parametrize("span", [300, 900, 3600, 14_400, 86_400])
async def test_coarser_bars_of_the_past_are_final_whole_and_without_a_hole(scene: Scene, span: int) -> None:
    stop = opening_of(scene.clock.time, span)
    bars = await scene.exchanges.market.bars(BTC, stop - 5 * span, int(scene.clock.time), span)
    minutes = scene.trades.final("btc/usdt", stop - 5 * span, stop)
    assert bars == tuple(join(minutes, span))
    assert [bar.at for bar in bars] == list(range(stop - 5 * span, stop, span))


async def test_weeks_begin_on_monday_on_every_exchange(scene: Scene) -> None:
    monday = 1_762_732_800  # 10 November 2025
    bars = await scene.exchanges.market.bars(BTC, monday - 7 * 86_400, monday, 604_800)
    assert bars == tuple(join(scene.trades.final("btc/usdt", monday - 7 * 86_400, monday), 604_800))
    assert [bar.at for bar in bars] == [monday - 7 * 86_400]


async def test_months_of_coarse_bars_come_page_by_page_as_far_back_as_an_exchange_goes(scene: Scene) -> None:
    stop = opening_of(scene.clock.time, 3600)
    scene.weather.asked.clear()
    bars = await scene.exchanges.market.bars(BTC, stop - 1500 * 3600, stop, 3600)
    assert bars[-1].end == stop
    assert bars[0].at == stop - (719 if scene.name == "kraken" else 1500) * 3600
    for bar in (bars[0], bars[400], bars[-1]):
        assert (bar,) == tuple(join(scene.trades.final("btc/usdt", bar.at, bar.end), 3600))
    asked = [path for path in scene.weather.asked if candle_path(scene) in path]
    assert len(asked) <= {"binance": 2, "kraken": 1, "okx": 8, "coinbase": 6, "bybit": 2}[scene.name]


async def test_an_impossible_coarse_candle_leaves_a_hole_and_the_newest_run_is_given(scene: Scene) -> None:
    stop = opening_of(scene.clock.time, 3600)
    bad = stop - 4 * 3600

    def spoil(answer: object) -> object:
        for row in rows_of(answer):
            if _opening(row) == bad:
                set_field(row, 3, "999999")
        return answer

    scene.weather.trouble = wire.rewritten(spoil)
    scene.weather.only = candle_path(scene)
    bars = await scene.exchanges.market.bars(BTC, stop - 9 * 3600, stop, 3600)
    assert [bar.at for bar in bars] == [stop - 3 * 3600, stop - 2 * 3600, stop - 3600]


async def test_a_market_is_asked_for_whole_minutes_only(binance: Scene) -> None:
    for span in (0, -60, 90):
        with pytest.raises(ValueError, match="seconds long"):
            await binance.exchanges.market.bars(BTC, 0, 600, span)


async def test_minutes_without_a_trade_become_flat_bars_between_candles_only(scene: Scene) -> None:
    start = scene.minute
    scene.trades.quiet |= {start + minute * MINUTE for minute in (2, 3, 5, 6, 7)}
    scene.clock.time = start + 8 * MINUTE - 20
    batch = await scene.poll(Want(BTC, start))
    bars = delivered(batch)
    ends = start + (5 if scene.name == "coinbase" else 7) * MINUTE
    assert tuple(bars) == scene.trades.final("btc/usdt", start, ends)
    scene.clock.time = start + 10 * MINUTE - 20
    bars += delivered(await scene.poll(Want(BTC, ends)))
    assert tuple(bars) == scene.trades.final("btc/usdt", start, start + 9 * MINUTE)


async def test_a_candle_without_a_time_does_not_make_its_minute_quiet(scene: Scene) -> None:
    start = scene.minute
    scene.clock.time += 6 * MINUTE
    bad = start + 3 * MINUTE

    def spoil(answer: object) -> object:
        rows = rows_of(answer)
        for row in rows:
            if _opening(row) == bad:
                set_field(row, 0, None)
        return answer

    scene.weather.trouble = wire.rewritten(spoil)
    scene.weather.only = candle_path(scene)
    bars = delivered(await scene.poll(Want(BTC, start)))
    assert tuple(bars) == scene.trades.final("btc/usdt", start, bad)
    scene.weather.clear()
    scene.clock.time += 20
    bars += delivered(await scene.poll(Want(BTC, bad)))
    assert tuple(bars) == scene.trades.final("btc/usdt", start, start + 6 * MINUTE)


@pytest.mark.parametrize(
    ("place", "value"),
    [(1, "-5"), (2, "1"), (3, "999999"), (4, "NaN"), (4, "inf"), (3, "0"), (5, "-1"), (0, "2100")],
    ids=["negative", "high-below-low", "low-above-high", "nan", "inf", "zero", "volume", "time"],
)
async def test_an_impossible_candle_is_refused_and_asked_for_again(
    scene: Scene, place: int, value: str
) -> None:
    start = scene.minute
    scene.clock.time += 4 * MINUTE
    bad = start + MINUTE

    def spoil(answer: object) -> object:
        for row in rows_of(answer):
            if _opening(row) == bad:
                set_field(row, place, 4102444800 if value == "2100" else value)
        return answer

    scene.weather.trouble = wire.rewritten(spoil)
    scene.weather.only = candle_path(scene)
    batch = await scene.poll(Want(BTC, start))
    assert tuple(delivered(batch)) == scene.trades.final("btc/usdt", start, bad)
    assert batch.prints
    assert "impossible" in scene.feed.health().reason
    scene.weather.clear()
    scene.clock.time += 20
    bars = delivered(await scene.poll(Want(BTC, bad)))
    assert tuple(bars) == scene.trades.final("btc/usdt", bad, start + 4 * MINUTE)
    assert scene.feed.health().reason == ""


def without_candles(answer: object) -> object:
    """Empty the list of candles in an answer."""
    rows_of(answer).clear()
    return answer


async def test_an_answer_without_candles_is_a_failed_look_where_every_minute_has_one(scene: Scene) -> None:
    start = scene.minute
    scene.clock.time += 2 * MINUTE
    scene.weather.trouble = wire.rewritten(without_candles)
    scene.weather.only = candle_path(scene)
    batch = await scene.poll(Want(BTC, start))
    assert not batch.bars
    if scene.name == "coinbase":
        assert batch.prints
    else:
        assert not batch.prints
        assert scene.feed.health().reason == f"{scene.name} gives no candles"
    scene.weather.clear()
    scene.clock.time += 15
    bars = delivered(await scene.poll(Want(BTC, start)))
    assert tuple(bars) == scene.trades.final("btc/usdt", start, start + 2 * MINUTE)


async def test_a_candle_that_had_to_be_refused_is_asked_for_again_at_once(binance: Scene) -> None:
    start = binance.minute
    binance.clock.time = start + 70

    def spoil(answer: object) -> object:
        for row in rows_of(answer):
            if _opening(row) == start:
                set_field(row, 2, "0")
        return answer

    binance.weather.trouble = wire.rewritten(spoil)
    binance.weather.only = candle_path(binance)
    assert not (await binance.poll(Want(BTC, start))).bars
    binance.weather.clear()
    binance.clock.time += 1
    assert tuple(delivered(await binance.poll(Want(BTC, start)))) == binance.trades.final(
        "btc/usdt", start, start + MINUTE
    )


async def test_a_hole_that_stays_is_given_up_and_not_filled(binance: Scene) -> None:
    start = binance.minute
    bad = start + MINUTE

    def spoil(answer: object) -> object:
        for row in rows_of(answer):
            if _opening(row) == bad:
                set_field(row, 2, "0")
        return answer

    binance.weather.trouble = wire.rewritten(spoil)
    binance.weather.only = candle_path(binance)
    binance.clock.time += 10 * MINUTE
    runs = (await binance.poll(Want(BTC, start))).bars
    assert [run.bars for run in runs] == [
        binance.trades.final("btc/usdt", start, bad),
        binance.trades.final("btc/usdt", bad + MINUTE, start + 10 * MINUTE),
    ]


TROUBLES = {
    "web page": wire.web_page,
    "empty body": wire.empty_body,
    "empty object": wire.empty_object,
    "half an answer": wire.half_an_answer,
    "503": wire.status(503, "unavailable"),
    "524": wire.status(524, "a timeout occurred"),
    "429": wire.status(429, '{"code": -1003}', Retry_After="90"),
    "418": wire.status(418, '{"code": -1003}', Retry_After="90"),
    "451": wire.status(451, '{"code": 0, "msg": "Service unavailable from a restricted location"}'),
    "403": wire.status(403, "Your country is blocked"),
    "reset": wire.reset,
}
REASONS = {
    "web page": "no data",
    "empty body": "no data",
    "empty object": "no data",
    "half an answer": "no data",
    "503": "HTTP 503",
    "524": "HTTP 524",
    "429": "slow down",
    "418": "slow down",
    "451": "refuses this country",
    "403": "refuses this country",
    "reset": "cannot be reached",
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("when", ["from the start", "later"])
async def test_a_spoilt_answer_is_a_failed_look_and_it_recovers_by_itself(
    scene: Scene, trouble: str, when: str
) -> None:
    start = scene.minute
    if when == "later":
        await scene.poll(Want(BTC, start))
    scene.clock.time += 2 * MINUTE
    scene.weather.trouble = TROUBLES[trouble]
    assert_blind(await scene.poll(Want(BTC, start)), scene)
    health = scene.feed.health()
    assert not health.is_well
    assert health.failing_since == scene.clock.time
    assert REASONS[trouble] in health.reason
    assert "http://" not in health.reason
    if trouble != "reset":
        with pytest.raises(Unseeable, match=r"\w"):
            await scene.exchanges.market.seen(BTC)
    scene.weather.clear()
    if trouble in {"451", "403"}:
        scene.clock.time += 1800
    batch = await scene.looks(Want(BTC, start), until=has_prints)
    assert scene.feed.health().is_well
    assert delivered(batch)[0].at == start
    assert tuple(delivered(batch)) == scene.trades.final("btc/usdt", start, delivered(batch)[-1].end)


@pytest.mark.parametrize("name", list(EXCHANGES))
async def test_an_exchange_that_never_answers_is_given_up_in_time(clock: SetClock, name: str) -> None:
    async for scene in open_scene(name, clock, patience=1.0):
        start = scene.minute
        await scene.poll(Want(BTC, start))
        scene.weather.trouble = wire.hang
        clock.time += 2 * MINUTE
        assert_blind(await scene.poll(Want(BTC, start)), scene)
        assert "does not answer in time" in scene.feed.health().reason
        scene.weather.clear()
        batch = await scene.looks(Want(BTC, start), until=has_prints)
        assert tuple(delivered(batch)) == scene.trades.final("btc/usdt", start, start + 2 * MINUTE)


async def test_nothing_is_asked_before_the_time_that_the_exchange_set(scene: Scene) -> None:
    await scene.poll(Want(BTC, scene.minute))
    scene.weather.trouble = wire.status(429, "{}", Retry_After="90")
    scene.clock.time += 5
    await scene.poll(Want(BTC, scene.minute))
    scene.weather.clear()
    asked = len(scene.weather.asked)
    scene.clock.time += 89
    assert not (await scene.poll(Want(BTC, scene.minute))).prints
    with pytest.raises(Unseeable, match="slow down"):
        await scene.exchanges.market.seen(BTC)
    assert len(scene.weather.asked) == asked
    scene.clock.time += 10
    assert (await scene.poll(Want(BTC, scene.minute))).prints


async def test_an_exchange_that_lists_nothing_is_asked_until_it_does(scene: Scene) -> None:
    def empty(answer: object) -> object:
        match answer:
            case {"symbols": list()}:
                return answer | {"symbols": []}
            case {"products": list()}:
                return answer | {"products": [], "num_products": 0}
            case {"data": list()}:
                return answer | {"data": []}
            case {"result": {"list": list()} as result}:
                return answer | {"result": result | {"list": []}}
            case {"error": [], "result": dict()}:
                return answer | {"result": {}}
        return answer

    scene.weather.trouble = wire.rewritten(empty)
    for _ in range(4):
        assert not (await scene.poll(Want(BTC, scene.minute))).prints
        scene.clock.time += 30
    assert "lists no markets" in scene.feed.health().reason
    with pytest.raises(Unseeable, match="lists no markets"):
        await scene.exchanges.market.resolve(Instrument("btc"))
    scene.weather.clear()
    await scene.looks(Want(BTC, scene.minute), until=has_prints)
    assert await scene.exchanges.market.resolve(Instrument("btc")) == BTC


async def test_a_shrunken_list_of_prices_is_a_failed_look(scene: Scene) -> None:
    await scene.poll(Want(BTC, scene.minute))
    paths = {"coinbase": "products", "kraken": "Ticker", "bybit": "tickers", "okx": "tickers"}
    scene.weather.trouble = wire.rewritten(shrunken)
    scene.weather.only = paths.get(scene.name, "ticker")
    scene.clock.time += 5
    assert not (await scene.poll(Want(BTC, scene.minute))).prints
    assert "prices where" in scene.feed.health().reason


async def test_a_shrunken_listing_does_not_replace_a_good_one(binance: Scene) -> None:
    await binance.poll(Want(BTC, binance.minute))
    binance.weather.trouble = wire.rewritten(
        lambda answer: answer | {"symbols": answer["symbols"][:1]}  # type: ignore[operator,index]
    )
    binance.weather.only = "exchangeInfo"
    binance.clock.time += 7 * 3600
    await binance.poll(Want(BTC, binance.minute))
    assert any("exchangeInfo" in path for path in binance.weather.asked[3:])
    assert (await binance.poll(Want(ETH, binance.minute))).prints
    assert await binance.exchanges.market.resolve(Instrument("eth")) == ETH


def stamped(at: float) -> Callable[[object], object]:
    """Make OKX's tickers carry another time."""

    def change(answer: object) -> object:
        assert isinstance(answer, dict)
        return answer | {"data": [row | {"ts": str(int(at * 1000))} for row in answer["data"]]}

    return change


async def test_a_print_carries_a_plausible_time(clock: SetClock) -> None:
    async for scene in open_scene("okx", clock):
        scene.weather.trouble = wire.rewritten(stamped(clock.time + 3600))
        scene.weather.only = "tickers"
        (one,) = (await scene.poll(Want(BTC, scene.minute))).prints
        assert one.at == clock.time
        scene.weather.trouble = wire.rewritten(stamped(clock.time - 7))
        (one,) = (await scene.poll(Want(BTC, scene.minute))).prints
        assert one.at == clock.time - 7


async def test_an_old_print_is_not_told_after_its_minute_is_final(clock: SetClock) -> None:
    async for scene in open_scene("okx", clock):
        start = scene.minute
        clock.time += 2 * MINUTE
        scene.weather.trouble = wire.rewritten(stamped(start + 30))
        scene.weather.only = "tickers"
        batch = await scene.poll(Want(BTC, start))
        assert delivered(batch)
        assert not batch.prints


async def test_a_touch_between_two_looks_is_in_the_bar(scene: Scene) -> None:
    start = scene.minute
    await scene.poll(Want(BTC, start))
    scene.trades.touches[start] = 98_000.0
    scene.clock.time = start + 66
    (bar,) = delivered(await scene.poll(Want(BTC, start)))
    assert bar.low == 98_000.0


async def test_the_clock_of_the_exchange_says_what_is_final(clock: SetClock) -> None:
    async for scene in open_scene("binance", clock):
        scene.server.now = lambda: clock.time - 40
        start = minute_of(clock.time - 40)
        clock.time = start + 40 + 64
        assert not (await scene.poll(Want(BTC, start))).bars
        clock.time += 2
        assert len(delivered(await scene.poll(Want(BTC, start)))) == 1


async def test_after_an_outage_the_clock_of_the_exchange_is_measured_again(binance: Scene) -> None:
    start = binance.minute
    await binance.poll(Want(BTC, start))
    binance.weather.trouble = wire.status(503)
    await binance.poll(Want(BTC, start))
    binance.weather.clear()
    binance.server.now = lambda: binance.clock.time - 40
    binance.clock.time = start + 66
    assert not (await binance.poll(Want(BTC, start))).bars
    binance.clock.time = start + 106
    assert len(delivered(await binance.poll(Want(BTC, start)))) == 1


async def test_a_few_stumbles_after_a_good_look_are_looked_past(binance: Scene) -> None:
    want = Want(BTC, binance.minute)
    for _ in range(3):
        await binance.poll(want)
        binance.weather.trouble = wire.status(503)
        for _ in range(2):
            binance.clock.time += 1
            await binance.poll(want)
        binance.weather.clear()
        binance.clock.time += 1
        assert (await binance.poll(want)).prints


async def test_an_exchange_with_an_absurd_clock_is_not_believed(binance: Scene) -> None:
    start = binance.minute
    binance.weather.trouble = wire.rewritten(lambda _: {"serverTime": 4_102_444_800_000})
    binance.weather.only = "/time"
    assert not (await binance.poll(Want(BTC, start))).prints
    assert "clocks" in binance.feed.health().reason


async def test_one_bad_series_does_not_spoil_the_others(scene: Scene) -> None:
    start = scene.minute
    scene.clock.time += 2 * MINUTE

    async def spoil(request: object, handler: object) -> object:
        asked = str(request.rel_url)  # type: ignore[attr-defined]
        if "ETH" in asked and "USDT" in asked:
            return await wire.web_page(request, handler)  # type: ignore[arg-type]
        return await handler(request)  # type: ignore[operator]

    scene.weather.trouble = spoil  # type: ignore[assignment]
    scene.weather.only = candle_path(scene)
    batch = await scene.poll(Want(BTC, start), Want(ETH, start))
    assert len(delivered(batch, BTC)) == 2
    assert not delivered(batch, ETH)
    assert {one.key for one in batch.prints} == {BTC, ETH}
    health = scene.feed.health()
    assert health.is_well
    assert "eth/usdt" in health.reason


async def test_an_instrument_that_is_not_listed_does_not_spoil_the_others(scene: Scene) -> None:
    gone = MetricKey("price", "luna/usdt", scene.name)
    batch = await scene.poll(Want(BTC, scene.minute), Want(gone, scene.minute))
    assert {one.key for one in batch.prints} == {BTC}
    health = scene.feed.health()
    assert health.is_well
    assert health.reason == f"{scene.name} does not list LUNA/USDT"
    assert batch.unseen == (Unseen(gone, health.reason),)


async def test_one_symbol_under_two_keys_is_asked_for_once(scene: Scene) -> None:
    here = MetricKey("price", "btc/usdt", scene.name)
    start = scene.minute
    await scene.poll()
    scene.weather.asked.clear()
    scene.clock.time += 3 * MINUTE
    batch = await scene.poll(Want(BTC, start), Want(here, start + MINUTE))
    assert len(scene.weather.asked) == 2
    assert [bar.at for bar in delivered(batch, BTC)] == [start, start + MINUTE, start + 2 * MINUTE]
    assert [bar.at for bar in delivered(batch, here)] == [start + MINUTE, start + 2 * MINUTE]
    assert {one.key for one in batch.prints} == {BTC, here}


async def test_many_series_are_asked_for_a_few_at_a_time(binance: Scene) -> None:
    wants = [Want(MetricKey("price", symbol), binance.minute) for symbol in SYMBOLS]
    await binance.poll(*wants)
    binance.clock.time += 2 * MINUTE
    binance.weather.trouble = wire.slowly(0.03)
    binance.weather.most_at_once = 0
    batch = await binance.poll(*wants)
    assert len(batch.bars) == len(SYMBOLS)
    assert 1 < binance.weather.most_at_once <= 4


async def test_a_minute_that_was_not_traded_in_is_not_asked_for_at_every_look(clock: SetClock) -> None:
    async for scene in open_scene("coinbase", clock):
        start = scene.minute
        scene.trades.quiet |= {start + minute * MINUTE for minute in range(10)}
        scene.clock.time = start + 70
        for _ in range(10):
            assert not (await scene.poll(Want(BTC, start))).bars
            scene.clock.time += 5
        assert 2 <= sum("candles" in path for path in scene.weather.asked) <= 4


async def test_the_perpetual_is_a_series_of_its_own(scene: Scene) -> None:
    market = scene.exchanges.market
    if scene.name in {"kraken", "coinbase"}:
        with pytest.raises(UnknownInstrument):
            await market.resolve(Instrument("btc", is_perpetual=True))
        return
    key = await market.resolve(Instrument("btc", is_perpetual=True))
    assert key == MetricKey("price", "btc/usdt:usdt")
    start = scene.minute
    scene.clock.time += 2 * MINUTE
    batch = await scene.poll(Want(key, start), Want(BTC, start))
    assert tuple(delivered(batch, key)) == scene.trades.final("btc/usdt:usdt", start, start + 2 * MINUTE)
    assert tuple(delivered(batch, BTC)) == scene.trades.final("btc/usdt", start, start + 2 * MINUTE)
    assert {one.key: one.value for one in batch.prints} == {
        key: scene.trades.price("btc/usdt:usdt", scene.clock.time),
        BTC: scene.trades.price("btc/usdt", scene.clock.time),
    }


async def test_what_is_seen_is_the_running_minute_so_far(scene: Scene) -> None:
    scene.trades.touches[scene.minute] = 110_000.0
    scene.clock.time = scene.minute + 45
    seen = await scene.exchanges.market.seen(BTC)
    assert seen.bar == scene.trades.bar("btc/usdt", scene.minute, scene.clock.time)
    assert seen.bar.high == 110_000.0
    assert seen.price == scene.trades.price("btc/usdt", scene.clock.time)
    assert abs(seen.at - scene.clock.time) <= 1


async def test_in_a_minute_without_a_trade_yet_the_last_price_is_seen(scene: Scene) -> None:
    for quiet in (1, 40):
        scene.trades.quiet |= {scene.minute - minute * MINUTE for minute in range(quiet)}
        seen = await scene.exchanges.market.seen(BTC)
        price = scene.trades.price("btc/usdt", scene.clock.time)
        assert seen.bar == Bar(scene.minute, price, price, price, price)


async def test_history_comes_paged_and_without_a_hole(scene: Scene) -> None:
    until = scene.minute + MINUTE
    since = until - 1700 * MINUTE
    bars = await scene.exchanges.market.bars(BTC, since, until)
    first = scene.minute - 719 * MINUTE if scene.name == "kraken" else since
    assert bars == scene.trades.final("btc/usdt", first, scene.minute)
    assert await scene.exchanges.market.bars(BTC, until - 300, until - 240) == scene.trades.final(
        "btc/usdt", until - 300, until - 240
    )


async def test_an_unknown_instrument_is_answered_with_the_nearest(scene: Scene) -> None:
    market = scene.exchanges.market
    for typed, nearest in [
        ("bitcoin", "btc/usdt"),
        ("btcc", "btc/usdt"),
        ("slo", "sol/usdt"),
        ("zec", "zec/usd"),
    ]:
        with pytest.raises(UnknownInstrument) as caught:
            await market.resolve(Instrument(typed))
        assert caught.value.name == f"{typed}/usdt"
        assert nearest in caught.value.nearest
    with pytest.raises(UnknownInstrument) as caught:
        await market.resolve(Instrument("btc", "eur", venue=scene.name))
    assert caught.value.nearest[0] == f"btc/usdt@{scene.name}"
    with pytest.raises(UnknownInstrument) as caught:
        await market.resolve(Instrument("btc", venue="bitmex"))
    assert caught.value.name == "btc/usdt@bitmex"
    assert caught.value.nearest[0] == "btc/usdt"


async def test_names_are_completed_with_the_usual_quote_first(scene: Scene) -> None:
    market = scene.exchanges.market
    assert (await market.instruments("b"))[:2] == ["btc/usdt", "btc/usd"]
    assert await market.instruments("ETH/USD", limit=1) == ["eth/usdt"]
    assert await market.instruments("nothing") == []


async def test_a_new_listing_is_found_after_a_while(binance: Scene) -> None:
    market = binance.exchanges.market
    with pytest.raises(UnknownInstrument):
        await market.resolve(Instrument("pepe"))
    binance.server.symbols.append("pepe/usdt")
    binance.clock.time += 700
    assert await market.resolve(Instrument("pepe")) == MetricKey("price", "pepe/usdt")
    assert (await binance.poll(Want(MetricKey("price", "pepe/usdt"), binance.minute))).prints


WORDS = [
    ("bybit", {"retCode": 10006, "retMsg": "Too many visits!", "result": {}}, "slow down"),
    ("bybit", {"retCode": 10016, "retMsg": "Service is restarting", "result": {}}, "answers with an error"),
    ("okx", {"code": "50011", "msg": "Rate limit reached", "data": []}, "slow down"),
    ("okx", {"code": "50001", "msg": "Service temporarily unavailable", "data": []}, "cannot be reached"),
    ("kraken", {"error": ["EAPI:Rate limit exceeded"]}, "slow down"),
    ("kraken", {"error": ["EService:Unavailable"]}, "cannot be reached"),
    ("binance", {"code": -1003, "msg": "Too many requests."}, "slow down"),
    ("coinbase", {"error": "internal", "message": "oops"}, "answers with an error"),
]


@pytest.mark.parametrize(("name", "body", "reason"), WORDS)
async def test_what_an_exchange_says_in_words_is_understood(
    clock: SetClock, name: str, body: object, reason: str
) -> None:
    async for scene in open_scene(name, clock):
        await scene.poll(Want(BTC, scene.minute))
        scene.weather.trouble = wire.rewritten(lambda _: body)
        assert not (await scene.poll(Want(BTC, scene.minute))).prints
        assert reason in scene.feed.health().reason


async def test_a_symbol_that_the_exchange_stopped_to_know_is_left_alone(scene: Scene) -> None:
    start = scene.minute
    await scene.poll(Want(BTC, start))
    scene.server.symbols.remove("eth/usdt")
    scene.clock.time += 2 * MINUTE
    batch = await scene.poll(Want(BTC, start), Want(ETH, start))
    assert len(delivered(batch, BTC)) == 2
    assert {one.key for one in batch.prints} == {BTC}
    assert scene.feed.health().is_well
    assert "eth/usdt" in scene.feed.health().reason


@dataclass
class Two:
    """Two exchanges behind one market."""

    clock: SetClock
    first: Weather
    second: Weather
    exchanges: Exchanges


@pytest.fixture
async def two(clock: SetClock) -> AsyncIterator[Two]:
    weather, trades = (Weather(), Weather()), Trades()
    binance = EXCHANGES["binance"](trades, ["btc/usdt", "eth/usdt"], clock.now)
    kraken = EXCHANGES["kraken"](trades, ["btc/usdt", "btc/usd", "zec/usdt"], clock.now)
    gateway = wire.Gateway([(binance, weather[0]), (kraken, weather[1])])
    async with gateway:
        exchanges = build_feeds(["binance", "kraken"], "usdt", clock, gateway=gateway.root, throttle=False)
        yield Two(clock, *weather, exchanges)
        await exchanges.close()


async def test_the_first_exchange_that_lists_an_instrument_serves_it(two: Two) -> None:
    market = two.exchanges.market
    btc = await market.resolve(Instrument("btc"))
    zec = await market.resolve(Instrument("zec"))
    there = await market.resolve(Instrument("btc", venue="kraken"))
    assert btc == BTC
    assert there == MetricKey("price", "btc/usdt", "kraken")
    assert [venue_of(market, key) for key in (btc, zec, there)] == ["binance", "kraken", "kraken"]
    minute = minute_of(two.clock.time)
    wants = [Want(key, minute) for key in (btc, zec, there)]
    binance, kraken = [await feed.poll(wants) for feed in two.exchanges.feeds]
    assert {one.key for one in binance.prints} == {btc}
    assert {one.key for one in kraken.prints} == {zec, there}
    assert [health.source for health in market.health()] == ["binance", "kraken"]


async def test_a_series_does_not_wander_to_another_exchange_while_the_first_is_down(two: Two) -> None:
    market = two.exchanges.market
    two.first.trouble = wire.status(503)
    with pytest.raises(Unseeable, match="binance"):
        await market.resolve(Instrument("btc"))
    want = Want(BTC, minute_of(two.clock.time))
    batches = [await feed.poll([want]) for feed in two.exchanges.feeds]
    assert not any(batch.prints for batch in batches)
    assert venue_of(market, BTC) is None
    two.first.clear()
    assert await market.resolve(Instrument("btc")) == BTC
    assert venue_of(market, BTC) == "binance"


async def test_an_exchange_that_refuses_this_country_is_passed_over(two: Two) -> None:
    market = two.exchanges.market
    two.first.trouble = wire.status(451)
    assert await market.resolve(Instrument("btc")) == BTC
    assert venue_of(market, BTC) == "kraken"
    want = Want(BTC, minute_of(two.clock.time))
    assert [len((await feed.poll([want])).prints) for feed in two.exchanges.feeds] == [0, 1]
    assert "refuses this country" in market.health()[0].reason
    with pytest.raises(Unseeable, match="refuses this country"):
        await market.resolve(Instrument("btc", venue="binance"))


async def test_who_gives_up_waiting_for_the_markets_does_not_spoil_it_for_others(binance: Scene) -> None:
    gate = wire.Gate()
    binance.weather.trouble = gate
    market = binance.exchanges.market
    first, second = (asyncio.create_task(market.resolve(Instrument("btc"))) for _ in range(2))
    await gate.reached.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.opened.set()
    assert await second == BTC
    assert sum("/api/v3/exchangeInfo" in path for path in binance.weather.asked) == 1


async def test_a_second_look_is_skipped_while_the_first_still_waits(binance: Scene) -> None:
    await binance.poll()
    gate = wire.Gate()
    binance.weather.trouble = gate
    want = Want(BTC, binance.minute)
    first = asyncio.create_task(binance.poll(want))
    await gate.reached.wait()
    asked = len(binance.weather.asked)
    assert not (await binance.poll(want)).prints
    assert len(binance.weather.asked) == asked
    gate.opened.set()
    assert (await first).prints


async def test_closed_feeds_let_go_of_their_thread_and_ask_no_more(binance: Scene) -> None:
    await binance.poll()
    assert "ccxt" in {thread.name for thread in threading.enumerate()}
    await binance.exchanges.close()
    assert "ccxt" not in {thread.name for thread in threading.enumerate()}
    asked = len(binance.weather.asked)
    assert not (await binance.poll(Want(BTC, binance.minute))).prints
    with pytest.raises(Unseeable):
        await binance.exchanges.market.seen(BTC)
    assert len(binance.weather.asked) == asked


def test_a_name_that_is_no_exchange_is_refused_with_the_names_that_are() -> None:
    with pytest.raises(ValueError, match=r"'bitmex' .* binance, kraken, okx, coinbase, bybit"):
        build_feeds(["binance", "bitmex"], "usdt", SetClock())
    with pytest.raises(ValueError, match="once"):
        build_feeds(["binance", "binance"], "usdt", SetClock())


def test_every_address_of_every_exchange_goes_through_the_gateway() -> None:
    tree = {
        "rest": "https://{hostname}",
        "ws": {"public": ["wss://ws.example/v1", "https://a.b/c/"]},
        "none": None,
    }
    assert through("http://127.0.0.1:9/x/", tree) == {
        "rest": "http://127.0.0.1:9/x/{hostname}",
        "ws": {"public": ["ws://127.0.0.1:9/x/ws.example/v1", "http://127.0.0.1:9/x/a.b/c/"]},
        "none": None,
    }


@pytest.mark.parametrize(
    ("query", "code", "answer"),
    [
        ("klines?symbol=LUNAUSDT&interval=1m", 400, {"code": -1121, "msg": "Invalid symbol."}),
        ("klines?symbol=BTCUSDT&interval=7m", 400, {"code": -1120, "msg": "Invalid interval."}),
        (
            "klines?interval=1m",
            400,
            {
                "code": -1102,
                "msg": "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
            },
        ),
        ("ticker/price?symbol=LUNAUSDT", 400, {"code": -1121, "msg": "Invalid symbol."}),
        ("ping", 200, {}),
    ],
)
async def test_the_demo_exchange_answers_as_binance_documents(
    binance: Scene, query: str, code: int, answer: object
) -> None:
    address = f"{binance.server.root}/api.binance.com/api/v3/{query}"
    async with ClientSession() as session, session.get(address) as response:
        assert response.status == code
        assert await response.json() == answer


async def test_the_demo_exchange_limits_candles_and_gives_the_newest_without_a_start(binance: Scene) -> None:
    root = f"{binance.server.root}/api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1m"
    async with ClientSession() as session:
        async with session.get(f"{root}&limit=5000") as response:
            rows = await response.json()
        assert len(rows) == 1000
        assert rows[-1][0] == binance.minute * 1000
        start = (binance.minute - 3000 * MINUTE) * 1000
        async with session.get(f"{root}&startTime={start}&limit=2") as response:
            rows = await response.json()
        assert [row[0] for row in rows] == [start, start + 60_000]
        async with session.get(f"{binance.server.root}/api.binance.com/api/v3/ticker/24hr") as response:
            day = (await response.json())[0]
        bars = binance.trades.final("btc/usdt", binance.minute - 1439 * MINUTE, binance.minute)
        assert float(day["highPrice"]) >= max(bar.high for bar in bars)
        assert float(day["lastPrice"]) == binance.trades.price("btc/usdt", binance.clock.time)


def rows_of(answer: object) -> list[object]:
    """Find the candles in an answer of any exchange."""
    match answer:
        case list(rows) | {"data": list(rows)} | {"candles": list(rows)} | {"result": {"list": list(rows)}}:
            return rows
        case {"result": dict(result)}:
            return next(rows for rows in result.values() if isinstance(rows, list))
    raise AssertionError(answer)


_FIELDS = ("start", "open", "high", "low", "close", "volume")


def _opening(row: object) -> int | None:
    value = row["start"] if isinstance(row, dict) else row[0]  # type: ignore[index]
    if value is None:
        return None
    at = int(value)
    return at // 1000 if at > 10**11 else at


def set_field(row: object, place: int, value: object) -> None:
    """Put a value into a candle, in the units and at the place of its exchange."""
    if isinstance(row, dict):
        row[_FIELDS[place]] = value
        return
    assert isinstance(row, list)
    if place == 0 and isinstance(value, int) and int(row[0]) > 10**11:
        value = value * 1000
    row[6 if place == 5 and len(row) == 8 else place] = value


def candle_path(scene: Scene) -> str:
    return {"binance": "klines", "kraken": "OHLC", "okx": "candles", "coinbase": "candles", "bybit": "kline"}[
        scene.name
    ]
