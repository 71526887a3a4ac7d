"""What is known of every minute: bars, bounds where they are gone or concern nobody, and what is not seen."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds import FEEDS, Exchanges, build_feeds
from bot.feeds.hindsight import bound, close_before, holes
from bot.feeds.minutes import Rows
from bot.metrics import MINUTE, Bar, Bounds, MetricKey, Want, minute_of, opening_of
from tests.conftest import SetClock
from tests.reader import Reader, look
from tests.wire import exchanges as wire
from tests.wire.exchanges import EXCHANGES, Trades, Weather, middleware_of

BTC = MetricKey("price", "btc/usdt")
ETH = MetricKey("price", "eth/usdt")
DAY = 86_400
CANDLES = {"binance": "klines", "kraken": "OHLC", "okx": "candles", "coinbase": "candles", "bybit": "kline"}
WITH_DAYS = ("kraken", "okx", "bybit")
TOUCH = 101_500.0
FEW = ("btc/usdt", "eth/usdt", "btc/usd", "sol/usdt")


@dataclass
class Scene:
    """One exchange with its weather, and what looks at it."""

    name: str
    server: wire.LoopbackExchange
    weather: Weather
    trades: Trades
    clock: SetClock
    exchanges: Exchanges

    @property
    def minute(self) -> int:
        return minute_of(self.clock.time)

    def count(self, *words: str) -> int:
        """Count the questions whose address has one of these words, and forget all."""
        asked, self.weather.asked[:] = list(self.weather.asked), []
        return sum(any(word in path for word in words) for path in asked)

    def candles(self) -> int:
        return self.count(CANDLES[self.name])

    async def looks(self, *readers: Reader, seconds: float, step: float = 20.0) -> None:
        end = self.clock.time + seconds
        while self.clock.time < end:
            self.clock.time += step
            await look(self.exchanges, *readers)


@asynccontextmanager
async def opened(
    name: str, clock: SetClock, symbols: tuple[str, ...] = FEW, opened_at: float = 0.0
) -> AsyncIterator[Scene]:
    clock.time += 20
    weather, trades = Weather(), Trades()
    make = EXCHANGES[name]
    async with make(trades, symbols, clock.now, [middleware_of(weather)], opened_at) as server:
        exchanges = build_feeds([name], "usdt", clock, gateway=server.root, throttle=False)
        try:
            yield Scene(name, server, weather, trades, clock, exchanges)
        finally:
            await exchanges.close()


def assert_bounded(scene: Scene, bounds: list[Bounds], symbol: str = "btc/usdt") -> None:
    """Nothing was traded outside of what the bounds say."""
    for one in bounds:
        bars = scene.trades.final(symbol, one.since, one.until)
        assert one.low <= min(bar.low for bar in bars)
        assert max(bar.high for bar in bars) <= one.high


# --- where minutes are gone ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("away", "finest", "calls"),
    [(20 * 3600, [300], 2), (4 * DAY, [300, 900], 3), (20 * DAY, [300, 900, 3600], 4)],
    ids=["20 hours", "4 days", "20 days"],
)
async def test_minutes_that_kraken_no_longer_has_are_bounded_by_its_finest_candles(
    clock: SetClock, away: int, finest: list[int], calls: int
) -> None:
    async with opened("kraken", clock) as scene:
        since = scene.minute - away - 7 * MINUTE
        reader = Reader(BTC, since)
        await look(scene.exchanges, reader)
        first = scene.minute - 719 * MINUTE
        assert tuple(reader.bars) == scene.trades.final("btc/usdt", first, scene.minute)
        assert reader.bounds[0].since == since
        assert reader.bounds[-1].until == first
        assert not reader.gaps
        assert_bounded(scene, reader.bounds)
        lengths = {one.until - one.since for one in reader.bounds[1:-1]}
        assert lengths >= set(finest)
        assert max(lengths) == finest[-1]
        assert scene.candles() == calls


async def test_what_not_even_days_reach_is_a_gap(clock: SetClock) -> None:
    opened_at = minute_of(clock.time) - 35 * DAY
    async with opened("kraken", clock, opened_at=opened_at) as scene:
        reader = Reader(BTC, opened_at - 3 * DAY)
        await look(scene.exchanges, reader)
        assert reader.gaps == [(opened_at - 3 * DAY, opening_of(opened_at, DAY) + DAY)]
        assert {one.until - one.since for one in reader.bounds} >= {300, 900, 3600, DAY}
        assert reader.since == scene.minute


@pytest.mark.parametrize("name", ["binance", "okx", "bybit"])
async def test_where_all_minutes_are_kept_days_of_downtime_are_bars(clock: SetClock, name: str) -> None:
    async with opened(name, clock) as scene:
        start = scene.minute - 2 * DAY
        reader = Reader(BTC, start)
        await scene.looks(reader, seconds=120)
        assert not reader.bounds
        assert not reader.gaps
        assert tuple(reader.bars) == scene.trades.final("btc/usdt", start, reader.since)
        assert reader.since > clock.time - 90


async def test_a_minute_that_stays_impossible_is_bounded_by_the_candle_around_it(clock: SetClock) -> None:
    async with opened("binance", clock) as scene:
        start = scene.minute - 30 * MINUTE
        bad = start + 7 * MINUTE

        def spoil(answer: object) -> object:
            assert isinstance(answer, list)
            for row, after in pairwise(answer):
                if row[0] == bad * 1000 and after[0] == row[0] + 60_000:
                    row[3] = "0"
            return answer

        scene.weather.trouble = wire.rewritten(spoil)
        scene.weather.only = "klines"
        reader = Reader(BTC, start)
        await look(scene.exchanges, reader)
        assert [(one.since, one.until) for one in reader.bounds] == [(bad, bad + MINUTE)]
        assert not reader.gaps
        assert len(reader.bars) == 29
        assert_bounded(scene, reader.bounds)


async def test_minutes_are_not_passed_while_the_candles_that_bound_those_before_cannot_be_read(
    clock: SetClock,
) -> None:
    async with opened("kraken", clock) as scene:
        reader = Reader(BTC, scene.minute - DAY)

        async def spoil(request: object, handler: object) -> object:
            if "interval=5" in str(request.rel_url):  # type: ignore[attr-defined]
                return await wire.status(503)(request, handler)  # type: ignore[arg-type]
            return await handler(request)  # type: ignore[operator]

        scene.weather.trouble = spoil  # type: ignore[assignment]
        await look(scene.exchanges, reader)
        assert not reader.bars
        assert reader.reasons == ["kraken answers with an error (HTTP 503)"]
        scene.weather.clear()
        await scene.looks(reader, seconds=60)
        assert not reader.gaps
        assert reader.bounds[0].since == minute_of(clock.time - 80) - DAY


class Kept:
    """Candles of a random walk, of each length only the newest so many, some of them missing."""

    def __init__(self, prices: list[int], kept: dict[int, int], missing: set[tuple[int, int]]) -> None:
        self.prices = prices
        self.kept = kept
        self.missing = missing

    def asking(self, span: int) -> Rows:
        async def rows(start: int, stop: int) -> list[object]:
            end = len(self.prices) * MINUTE
            first = max(start, opening_of(end, span) - self.kept.get(span, 0) * span)
            found: list[object] = []
            for at in range(-(-first // span) * span, min(stop, end), span):
                inside = self.prices[at // MINUTE : (at + span) // MINUTE]
                if inside and (span, at) not in self.missing:
                    row = [inside[0], max(inside), min(inside), inside[-1], 1.0]
                    found.append([(START + at) * 1000, *row])
            return found

        return lambda start, stop: rows(start - START, stop - START)


START = 1_762_905_600
HOURS = 8 * 60


@given(
    prices=st.lists(st.integers(1, 50), min_size=HOURS, max_size=HOURS),
    kept=st.fixed_dictionaries({}, optional={span: st.integers(1, 60) for span in (300, 900, 3600)}),
    hole=st.tuples(st.integers(0, HOURS - 61), st.integers(1, 300)),
    broken=st.sets(st.integers(0, 95), max_size=5),
)
async def test_bounds_never_leave_out_what_was_traded_and_follow_one_another(
    prices: list[int], kept: dict[int, int], hole: tuple[int, int], broken: set[int]
) -> None:
    kept = dict(kept)
    world = Kept(prices, kept, {(300, place * 300) for place in broken})
    since = START + hole[0] * MINUTE
    until = min(since + hole[1] * MINUTE, START + (HOURS - 60) * MINUTE)
    now = float(START + HOURS * MINUTE)
    found = await bound(world.asking, FEEDS["coinbase"], [(since, until)], now)
    end = since
    for one in found:
        assert one.since >= end
        assert one.since < one.until <= until
        end = one.until
        inside = prices[(one.since - START) // MINUTE : (one.until - START) // MINUTE]
        is_quiet = one.low == one.high  # no candle: what was traded is not known to the exchange either
        assert is_quiet or one.low <= min(inside) <= max(inside) <= one.high
    reach = min(
        (opening_of(HOURS * MINUTE, span) - count * span for span, count in kept.items()), default=None
    )
    if reach is not None and START + reach <= since and not broken:
        assert sum(one.until - one.since for one in found) == until - since


async def test_the_price_before_an_instant_is_read_as_finely_as_it_is_kept() -> None:
    prices = list(range(1, HOURS + 1))
    instant = START + 200 * MINUTE + 2 * MINUTE
    now = float(START + HOURS * MINUTE)
    for kept, close in (
        ({60: 400}, 202.0),
        ({60: 100, 300: 90}, 200.0),
        ({300: 9, 3600: 8}, 180.0),
        ({}, None),
    ):
        assert await close_before(Kept(prices, kept, set()).asking, FEEDS["binance"], instant, now) == close


def test_holes_are_what_rising_bars_leave_out() -> None:
    bars = [Bar(at, 1, 1, 1, 1) for at in (180, 240, 420)]
    assert holes(bars, 60) == [(60, 180), (300, 420)]
    assert holes(bars, 180) == [(300, 420)]
    assert holes([], 60) == []


# --- what a day's extremes exclude --------------------------------------------------------------------------


def banded(key: MetricKey, since: int, low: float = 99_500.0, high: float = 100_900.0) -> Reader:
    """Read a key whose prices concern nobody inside a band; on loopback they stay within 100,000 and 100,400.

    A touch lies near enough to be believed without a second source.
    """
    reader = Reader(key, since)
    reader.floor, reader.ceiling = low, high
    return reader


@pytest.mark.parametrize("name", WITH_DAYS)
async def test_where_nothing_left_the_band_in_a_day_no_candles_are_asked_for(
    clock: SetClock, name: str
) -> None:
    async with opened(name, clock) as scene:
        start = scene.minute - 5 * 3600
        reader = banded(BTC, start)
        await scene.looks(reader, seconds=400)
        assert scene.candles() == 0
        assert not reader.bars
        assert not reader.gaps
        assert reader.bounds[0].since == start
        assert clock.time - 180 < reader.since <= clock.time - 60
        assert_bounded(scene, reader.bounds)
        assert len(reader.prints) == 20


@pytest.mark.parametrize("name", WITH_DAYS)
async def test_a_price_that_left_the_band_between_two_looks_is_a_bar_at_once(
    clock: SetClock, name: str
) -> None:
    async with opened(name, clock) as scene:
        reader = banded(BTC, scene.minute)
        await scene.looks(reader, seconds=200)
        touched = scene.minute
        scene.trades.touches[touched] = TOUCH
        clock.time = touched + 67
        await look(scene.exchanges, reader)
        assert reader.bars[-1] == scene.trades.final("btc/usdt", touched, touched + MINUTE)[0]
        assert reader.bars[-1].high == TOUCH
        assert all(one.until <= touched for one in reader.bounds)
        assert not reader.gaps


@pytest.mark.parametrize("name", list(EXCHANGES))
@pytest.mark.parametrize("seed", [1, 2])
async def test_no_minute_in_which_the_band_was_left_is_ever_excluded(
    clock: SetClock, name: str, seed: int
) -> None:
    draw = random.Random(f"{name}{seed}")
    async with opened(name, clock) as scene:
        start = scene.minute
        reader = banded(BTC, start)
        for _ in range(25):
            if draw.random() < 0.15:
                scene.trades.touches[scene.minute] = draw.choice([99_000.0, TOUCH])
            if draw.random() < 0.1:
                scene.weather.trouble = wire.status(503)
            clock.time += draw.choice([7, 25, 61, 200])
            await look(scene.exchanges, reader)
            scene.weather.clear()
        await scene.looks(reader, seconds=400)
        touched = {minute for minute in scene.trades.touches if minute < reader.since}
        assert touched <= {bar.at for bar in reader.bars}
        for one in reader.bounds:
            assert not any(one.since <= minute < one.until for minute in touched)
        assert not reader.gaps
        assert tuple(bar for bar in reader.bars) == tuple(
            bar for bar in scene.trades.final("btc/usdt", start, reader.since) if bar.at in reader.sources
        )


async def test_where_no_bulk_call_has_the_extremes_candles_are_asked_for(clock: SetClock) -> None:
    async with opened("coinbase", clock) as scene:
        reader = banded(BTC, scene.minute)
        await scene.looks(reader, seconds=180)
        assert not reader.bounds
        assert reader.bars


@pytest.mark.parametrize("name", WITH_DAYS)
@pytest.mark.parametrize(
    ("low", "high"), [(100_100.0, 100_900.0), (99_500.0, 100_100.0), (float("inf"), float("-inf"))]
)
async def test_a_band_that_the_day_left_excludes_nothing(
    clock: SetClock, name: str, low: float, high: float
) -> None:
    async with opened(name, clock) as scene:
        reader = banded(BTC, scene.minute, low, high)
        await scene.looks(reader, seconds=180)
        assert not reader.bounds
        assert reader.bars


@pytest.mark.parametrize("name", WITH_DAYS)
async def test_what_began_longer_ago_than_a_day_is_not_excluded(clock: SetClock, name: str) -> None:
    async with opened(name, clock) as scene:
        reader = banded(BTC, scene.minute - DAY + 5 * MINUTE)
        await look(scene.exchanges, reader)
        assert reader.bars
        assert all(one.until <= reader.bars[0].at for one in reader.bounds)


ODD: dict[str, Callable[[dict[str, object]], object]] = {
    "high below last": lambda row: row | {"high24h": "100000.5"},
    "low above last": lambda row: row | {"low24h": "100399.9"},
    "no number": lambda row: row | {"high24h": "NaN"},
    "nothing": lambda row: row | {"high24h": "", "low24h": ""},
    "zero": lambda row: row | {"low24h": "0"},
    "infinite": lambda row: row | {"high24h": "inf"},
    "old": lambda row: row | {"ts": str(int(row["ts"]) - 150_000)},  # type: ignore[call-overload]
}


@pytest.mark.parametrize("odd", ODD)
async def test_extremes_that_cannot_be_true_exclude_nothing(clock: SetClock, odd: str) -> None:
    async with opened("okx", clock) as scene:
        scene.weather.trouble = wire.rewritten(
            lambda answer: answer | {"data": [ODD[odd](row) for row in answer["data"]]}  # type: ignore[operator,index]
        )
        scene.weather.only = "tickers"
        reader = banded(BTC, scene.minute)
        await scene.looks(reader, seconds=180)
        assert not reader.bounds
        assert reader.bars


@pytest.mark.parametrize("name", ["kraken", "bybit"])
async def test_an_answer_that_stands_still_excludes_nothing_after_a_while(clock: SetClock, name: str) -> None:
    async with opened(name, clock) as scene:
        reader = banded(BTC, scene.minute)
        await scene.looks(reader, seconds=100)
        kept: list[object] = []

        def frozen(answer: object) -> object:
            assert isinstance(answer, dict)
            kept.append({key: value for key, value in answer.items() if key != "time"})
            return kept[0]

        scene.weather.trouble = wire.rewritten(frozen)
        scene.weather.only = "icker"
        frozen_at = clock.time + 20
        scene.trades.touches[scene.minute + MINUTE] = TOUCH
        await scene.looks(reader, seconds=300)
        assert all(one.until <= frozen_at - 60 for one in reader.bounds)
        assert TOUCH in {bar.high for bar in reader.bars}
        assert not reader.gaps


MANY = tuple(f"c{number:02}/usdt" for number in range(44))


async def test_binance_is_asked_for_everybodys_day_once_a_minute_where_that_is_cheaper(
    clock: SetClock,
) -> None:
    async with opened("binance", clock, ("btc/usdt", *MANY)) as scene:
        readers = [banded(MetricKey("price", symbol), scene.minute) for symbol in MANY]
        await scene.looks(*readers, seconds=60, step=10)
        scene.weather.asked.clear()
        asked = scene.weather.asked
        await scene.looks(*readers, seconds=120, step=10)
        assert sum("24hr" in path for path in asked) == 2
        assert sum("ticker/price" in path for path in asked) == 10
        assert sum("klines" in path for path in asked) == 0
        touched = scene.minute
        scene.trades.touches[touched] = TOUCH  # all of them at once: now candles are needed
        await scene.looks(*readers, seconds=80, step=10)
        for reader in readers:
            assert touched in {bar.at for bar in reader.bars}
            assert not reader.gaps


async def test_few_symbols_of_binance_simply_get_their_candles(clock: SetClock) -> None:
    async with opened("binance", clock) as scene:
        readers = [banded(key, scene.minute) for key in (BTC, ETH)]
        await scene.looks(*readers, seconds=180)
        assert scene.count("24hr") == 0
        assert all(reader.bars and not reader.bounds for reader in readers)


async def test_of_two_keys_of_one_series_each_is_covered_in_its_own_way(clock: SetClock) -> None:
    async with opened("kraken", clock) as scene:
        far = banded(BTC, scene.minute - 7200)
        near = Reader(MetricKey("price", "btc/usdt", "kraken"), scene.minute - 600)
        await scene.looks(far, near, seconds=200)
        assert far.bounds and not far.bars and not far.gaps
        assert near.bars and not near.bounds and not near.gaps


async def test_a_level_that_is_set_near_the_price_is_looked_after_at_once(clock: SetClock) -> None:
    async with opened("binance", clock, ("btc/usdt", *MANY)) as scene:
        readers = [banded(MetricKey("price", symbol), scene.minute) for symbol in MANY]
        await scene.looks(*readers, seconds=130, step=10)
        assert not readers[0].bars
        readers[0].ceiling = 100_001.0
        await scene.looks(readers[0], seconds=10, step=10)
        assert readers[0].bars


# --- whose turn it is ---------------------------------------------------------------------------------------


async def test_a_look_at_kraken_asks_no_more_than_a_minute_allows_and_comes_round_to_all(
    clock: SetClock,
) -> None:
    symbols = tuple(f"c{number:02}/usd" for number in range(60))
    opened_at = clock.time - 1200  # so that the answers are short
    async with opened("kraken", clock, ("btc/usd", *symbols), opened_at) as scene:
        readers = [Reader(MetricKey("price", symbol), scene.minute - 120) for symbol in symbols]
        asked = []
        for _ in range(24):
            await look(scene.exchanges, *readers)
            asked.append(scene.candles())
            clock.time += 5
        assert asked[0] == 12
        assert max(asked[1:]) <= 5
        assert sum(asked[1:13]) >= 45
        assert all(reader.bars and not reader.gaps for reader in readers)
        assert all(len(reader.prints) == 24 for reader in readers)


async def test_the_nearest_to_their_levels_come_first(clock: SetClock) -> None:
    symbols = tuple(f"c{number:02}/usd" for number in range(60))
    async with opened("kraken", clock, ("btc/usd", *symbols)) as scene:
        await look(scene.exchanges)
        readers = [
            banded(MetricKey("price", symbol), scene.minute - DAY, 100_000.0 - 500 * place, 1e6)
            for place, symbol in enumerate(symbols, 1)
        ]
        clock.time += 5
        await look(scene.exchanges, *readers)
        assert readers[0].bars
        assert readers[1].bars
        assert sum(bool(reader.bars) for reader in readers) <= 5


# --- what was not seen --------------------------------------------------------------------------------------


async def test_a_look_in_a_pause_says_what_it_does_not_see(clock: SetClock) -> None:
    async with opened("binance", clock) as scene:
        reader = Reader(BTC, scene.minute)
        await look(scene.exchanges, reader)
        scene.weather.trouble = wire.status(429, "{}", Retry_After="90")
        await scene.looks(reader, seconds=20)
        assert reader.reasons == ["binance asks to slow down (HTTP 429)"]
        scene.weather.asked.clear()
        await scene.looks(reader, seconds=40)
        assert not scene.weather.asked
        assert reader.reasons == ["binance asks to slow down (HTTP 429)"]
        health = scene.exchanges.feeds[0].health()
        assert health.failures == 1


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (wire.web_page, "okx answers with something that is no data"),
        (wire.status(503), "okx answers with an error (HTTP 503)"),
    ],
)
async def test_a_series_that_fails_is_named_and_the_others_are_not(
    clock: SetClock, trouble: Callable[..., Awaitable[object]], reason: str
) -> None:
    async with opened("okx", clock) as scene:
        readers = Reader(BTC, scene.minute), Reader(ETH, scene.minute)

        async def spoil(request: object, handler: object) -> object:
            if "ETH-USDT" in str(request.rel_url):  # type: ignore[attr-defined]
                return await trouble(request, handler)
            return await handler(request)  # type: ignore[operator]

        scene.weather.trouble = spoil  # type: ignore[assignment]
        scene.weather.only = "candles"
        await scene.looks(*readers, seconds=120)
        assert [reader.reasons for reader in readers] == [[], [reason]]
        assert readers[0].since > clock.time - 90
        assert readers[0].bars
        assert readers[1].prints


@pytest.mark.parametrize("name", ["binance", "kraken", "okx", "bybit"])
async def test_a_series_without_new_minutes_where_every_minute_has_one_is_not_seen(
    clock: SetClock, name: str
) -> None:
    async with opened(name, clock) as scene:
        halted = scene.minute + 2 * MINUTE
        reader, other = Reader(BTC, scene.minute), Reader(ETH, scene.minute)
        server = scene.server
        bars = server.bars

        def halting(symbol: str, start: int, stop: float, span: int = MINUTE) -> list[Bar]:
            return [bar for bar in bars(symbol, start, stop, span) if symbol != "btc/usdt" or bar.at < halted]

        server.bars = halting  # type: ignore[method-assign]
        await scene.looks(reader, other, seconds=380)
        assert reader.since == halted
        assert not reader.reasons
        await scene.looks(reader, other, seconds=120)
        assert reader.reasons == [f"{name} gives no new candles"]
        assert not other.reasons


async def test_health_says_what_an_operator_needs(clock: SetClock) -> None:
    async with opened("binance", clock) as scene:
        feed, reader = scene.exchanges.feeds[0], Reader(BTC, scene.minute)
        assert feed.health().lag is None
        await scene.looks(reader, seconds=200)
        health = feed.health()
        assert health.lag == pytest.approx(clock.time - reader.since, abs=0.01)
        assert health.requests_in_an_hour == health.requests == len(scene.weather.asked)
        scene.weather.trouble = wire.status(503)
        await scene.looks(reader, seconds=40)
        health = feed.health()
        assert (health.failures, health.seen_at) == (2, clock.time - 40)
        assert health.lag == pytest.approx(clock.time - reader.since, abs=0.01)
        clock.time += 2 * 3600
        assert feed.health().requests_in_an_hour == 0
        assert feed.health().requests == len(scene.weather.asked)


async def test_wants_that_others_serve_cost_nothing_here(clock: SetClock) -> None:
    async with opened("binance", clock) as scene:
        feed = scene.exchanges.feeds[0]
        await feed.poll([])
        scene.weather.asked.clear()
        clock.time += 120
        batch = await feed.poll([Want(MetricKey("fear_greed", ""), scene.minute)])
        assert scene.candles() == 0
        assert not batch.unseen
