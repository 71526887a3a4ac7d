"""Whose turn it is, what was not seen, and how a feed says that it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from bot.metrics import MINUTE, Bar, MetricKey, Want
from tests.conftest import SetClock
from tests.reader import BTC, DAY, ETH, Reader, banded, look, opened
from tests.wire import exchanges as wire


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
