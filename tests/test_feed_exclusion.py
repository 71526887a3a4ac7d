"""What the extremes of a day exclude, so that no candles are asked for."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from bot.metrics import MINUTE, MetricKey
from tests.conftest import SetClock
from tests.reader import BTC, DAY, ETH, MANY, TOUCH, WITH_DAYS, Reader, assert_bounded, banded, look, opened
from tests.wire import exchanges as wire
from tests.wire.exchanges import EXCHANGES


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


async def test_a_price_that_leaves_the_band_after_the_day_was_read_is_looked_into_at_once(
    clock: SetClock,
) -> None:
    async with opened("binance", clock, ("btc/usdt", *MANY)) as scene:
        readers = [banded(MetricKey("price", symbol), scene.minute) for symbol in MANY]
        await scene.looks(*readers, seconds=120, step=10)
        minute = scene.minute + MINUTE
        clock.time = minute + 8.0
        scene.weather.asked.clear()
        await look(scene.exchanges, *readers)
        assert scene.count("24hr", "klines") == 1
        scene.trades.touches[minute] = TOUCH
        clock.time = minute + 26.0
        await look(scene.exchanges, *readers)
        assert readers[0].prints[-1].value == TOUCH
        assert scene.count("klines") > 0


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
