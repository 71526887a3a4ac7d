"""Who shows a series while the exchange it belongs to cannot: the real ccxt, three exchanges on loopback."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from bot.feeds.exchanges.hindsight import contemporary
from bot.feeds.exchanges.standing import Standing
from bot.feeds.exchanges.venues import Venues
from bot.metrics import MINUTE, Bar, Want
from bot.ports import Serving, Unseeable
from bot.rules.tree import Instrument
from tests.conftest import SetClock
from tests.reader import Reader, look
from tests.wire import exchanges as wire
from tests.worlds import BTC, ETH, THERE, World, opened, seen


@pytest.fixture
async def world(clock: SetClock) -> AsyncIterator[World]:
    async with opened(clock) as made:
        yield made


DOWN = {
    "an error": wire.status(503),
    "a page of maintenance": wire.web_page,
    "no answer": wire.reset,
    "slow down": wire.status(429, "{}", Retry_After="300"),
}


@pytest.mark.parametrize("trouble", DOWN)
async def test_the_next_exchange_stands_in_and_prices_go_on_where_the_homes_ended(
    world: World, trouble: str
) -> None:
    reader = await seen(world)
    last, close = reader.since, reader.close
    assert close is not None
    world.weather["binance"].trouble = DOWN[trouble]
    await world.looks(reader, 160)
    serving = world.exchanges.market.serving(BTC)
    assert serving is not None
    assert (serving.venue, serving.home, serving.is_stand_in) == ("kraken", "binance", True)
    assert "binance" in serving.reason
    assert serving.since is not None
    assert 60 <= serving.since - (world.clock.time - 160) <= 100
    own = world.paths["kraken"].final("btc/usdt", last - MINUTE, last)[0].close
    assert serving.ratio == pytest.approx(close / own)
    assert serving.ratio == pytest.approx(1 / 1.01, rel=1e-6)
    minutes = [bar for bar in reader.bars if bar.at >= last]
    assert len(minutes) >= 2
    assert minutes == world.truth("kraken", last, reader.since, serving.ratio)
    assert {reader.sources[bar.at] for bar in minutes} == {"kraken"}
    home = world.truth("binance", last, reader.since)
    assert [bar.close for bar in minutes] == pytest.approx([bar.close for bar in home], rel=1e-6)
    assert reader.prints[-1].source == "kraken"
    assert reader.prints[-1].value == pytest.approx(
        world.paths["binance"].price("btc/usdt", world.clock.time)
    )
    assert not reader.gaps


async def test_nobody_stands_in_before_a_minute_and_three_looks_have_failed(world: World) -> None:
    reader = await seen(world)
    world.weather["binance"].trouble = wire.status(503)
    for _ in range(2):
        world.clock.time += 50
        await look(world.exchanges, reader)
        assert reader.reasons == ["binance answers with an error (HTTP 503)"]
        assert world.exchanges.market.serving(BTC) == Serving("binance", "binance")
    world.clock.time += 5
    await look(world.exchanges, reader)
    assert world.exchanges.market.serving(BTC) == Serving("binance", "binance")
    world.clock.time += 6
    await look(world.exchanges, reader)
    serving = world.exchanges.market.serving(BTC)
    assert serving is not None
    assert serving.venue == "kraken"


async def test_an_exchange_that_refuses_this_country_is_left_at_once(world: World) -> None:
    reader = await seen(world)
    world.weather["binance"].trouble = wire.status(451)
    await world.looks(reader, 10, 5)
    serving = world.exchanges.market.serving(BTC)
    assert serving is not None
    assert serving.venue == "kraken"
    assert "refuses this country" in serving.reason


async def test_a_stumble_moves_nothing(world: World) -> None:
    reader = await seen(world)
    for _ in range(6):
        world.weather["binance"].trouble = wire.status(503)
        await world.looks(reader, 30, 10)
        world.weather["binance"].clear()
        await world.looks(reader, 20, 10)
    assert set(reader.sources.values()) == {"binance"}


async def test_the_home_shows_its_own_prices_again_when_it_was_well_for_two_minutes(world: World) -> None:
    reader = await seen(world)
    world.weather["binance"].trouble = wire.status(503)
    await world.looks(reader, 300)
    assert reader.sources[reader.bars[-1].at] == "kraken"
    world.weather["binance"].clear()
    await world.looks(reader, 100)
    assert reader.sources[reader.bars[-1].at] == "kraken"
    await world.looks(reader, 200)
    assert world.exchanges.market.serving(BTC) == Serving("binance", "binance")
    back = max(at for at, source in reader.sources.items() if source == "kraken") + MINUTE
    minutes = [bar for bar in reader.bars if bar.at >= back]
    assert minutes
    assert minutes == world.truth("binance", back, reader.since)
    assert not reader.gaps


async def test_a_series_that_fails_alone_moves_alone(world: World) -> None:
    reader, other = await seen(world), Reader(ETH, world.minute)

    async def spoil(request: object, handler: object) -> object:
        if "BTCUSDT" in str(request.rel_url):  # type: ignore[attr-defined]
            return await wire.web_page(request, handler)  # type: ignore[arg-type]
        return await handler(request)  # type: ignore[operator]

    async def minutes(count: int) -> None:
        for _ in range(count * 3):
            world.clock.time += 20
            await look(world.exchanges, reader, other)

    world.weather["binance"].trouble = spoil  # type: ignore[assignment]
    world.weather["binance"].only = "klines"
    await minutes(4)
    assert reader.sources[reader.bars[-1].at] == "kraken"
    assert set(other.sources.values()) == {"binance"}
    assert world.exchanges.market.serving(ETH) == Serving("binance", "binance")
    serving = world.exchanges.market.serving(BTC)
    assert serving is not None
    assert serving.reason == "binance answers with something that is no data"
    world.weather["binance"].clear()
    await minutes(5)
    assert world.exchanges.market.serving(BTC) == Serving("binance", "binance")
    assert reader.sources[reader.bars[-1].at] == "binance"
    assert not reader.gaps


async def test_after_a_restart_with_the_home_down_the_next_one_goes_on_from_what_was_judged(
    world: World,
) -> None:
    reader = await seen(world)
    last = reader.since
    world.weather["binance"].trouble = wire.status(503)
    await world.restart()
    world.clock.time += 3 * 3600
    await look(world.exchanges, reader)
    assert world.exchanges.market.serving(BTC) is None
    with pytest.raises(Unseeable, match="binance"):
        await world.exchanges.market.seen(BTC)
    await world.looks(reader, 120)
    serving = world.exchanges.market.serving(BTC)
    assert serving is not None
    assert (serving.venue, serving.home) == ("kraken", "binance")
    assert serving.ratio == pytest.approx(1 / 1.01, rel=1e-6)
    assert [bar for bar in reader.bars if bar.at >= last] == world.truth(
        "kraken", last, reader.since, serving.ratio
    )
    assert reader.since > world.clock.time - 90
    await world.restart()
    await world.looks(reader, 160)
    again = world.exchanges.market.serving(BTC)
    assert again is not None
    assert again.ratio == pytest.approx(serving.ratio, rel=1e-9)
    assert not reader.gaps


async def test_the_first_look_of_a_stand_in_after_a_restart_is_at_the_level_of_the_home(world: World) -> None:
    reader = await seen(world)
    last = reader.since
    world.weather["binance"].trouble = wire.status(451)
    await world.restart()
    world.clock.time += 200
    for feed in world.exchanges.feeds[:2]:
        reader.take(await feed.poll([reader.want()]))
    found = [bar for bar in reader.bars if bar.at >= last]
    assert {reader.sources[bar.at] for bar in found} == {"kraken"}
    home = world.truth("binance", last, reader.since)
    assert [bar.high for bar in found] == pytest.approx([bar.high for bar in home], rel=1e-6)  # type: ignore[attr-defined]
    price = world.paths["binance"].price("btc/usdt", world.clock.time)
    assert reader.prints[-1].value == pytest.approx(price, rel=1e-6)


@pytest.mark.parametrize("code", [451, 503])
async def test_what_begins_while_the_first_is_away_from_the_start_is_at_home_with_the_next(
    world: World, code: int
) -> None:
    market = world.exchanges.market
    world.weather["binance"].trouble = wire.status(code)
    reader = Reader(BTC, world.minute)
    await world.looks(reader, 200)
    for key in (BTC, ETH):  # what is watched, and what is only asked about
        assert world.exchanges.market.serving(key) == Serving("kraken", "kraken")
    assert market.standing_in() == {}
    assert reader.bars == world.truth("kraken", reader.bars[0].at, reader.since)
    await world.restart()
    await world.looks(reader, 200)
    assert world.exchanges.market.serving(BTC) == Serving("kraken", "kraken")
    world.weather["binance"].clear()
    await world.looks(reader, 600)
    assert world.exchanges.market.serving(BTC) == Serving("kraken", "kraken")
    assert reader.bars == world.truth("kraken", reader.bars[0].at, reader.since)
    assert not reader.gaps


async def test_what_is_at_home_with_the_next_stays_there_when_the_first_is_back_after_a_restart(
    world: World,
) -> None:
    world.weather["binance"].trouble = wire.status(451)
    reader = Reader(BTC, world.minute)
    await world.looks(reader, 120)
    serving = world.exchanges.market.serving(BTC)
    assert serving == Serving("kraken", "kraken")
    reader.home, last = serving.home, reader.since
    world.weather["binance"].clear()
    await world.restart()
    await world.looks(reader, 200)
    assert world.exchanges.market.serving(BTC) == Serving("kraken", "kraken")
    assert [bar for bar in reader.bars if bar.at >= last] == world.truth("kraken", last, reader.since)
    world.weather["kraken"].trouble = wire.status(503)
    await world.looks(reader, 200)
    after = world.exchanges.market.serving(BTC)
    assert after is not None
    assert (after.venue, after.home) == ("binance", "kraken")
    assert after.ratio == pytest.approx(1.01, rel=1e-6)


async def test_what_begins_while_its_home_is_away_is_at_home_with_who_shows_it(world: World) -> None:
    reader = await seen(world)
    world.weather["binance"].trouble = wire.status(451)
    await world.looks(reader, 40)
    price = await world.exchanges.market.seen(ETH)
    other = Reader(ETH, world.minute, price.price)
    for _ in range(8):
        world.clock.time += 20
        await look(world.exchanges, reader, other)
    world.weather["binance"].clear()
    for _ in range(100):
        world.clock.time += 30
        await look(world.exchanges, reader, other)
    assert world.exchanges.market.serving(BTC) == Serving("binance", "binance")
    assert world.exchanges.market.serving(ETH) == Serving("kraken", "kraken")
    assert set(other.sources.values()) == {"kraken"}


async def test_where_nothing_was_judged_yet_who_stands_in_is_at_home(world: World) -> None:
    """There is no other level: to go back to the first would be a jump that nobody traded."""
    reader = Reader(ETH, world.minute)
    await look(world.exchanges, reader)
    assert (world.exchanges.market.serving(ETH), reader.bars) == (Serving("binance", "binance"), [])
    world.weather["binance"].trouble = wire.status(451)
    await world.looks(reader, 200)
    world.weather["binance"].clear()
    await world.looks(reader, 600)
    assert world.exchanges.market.serving(ETH) == Serving("kraken", "kraken")
    assert set(reader.sources.values()) == {"kraken"}
    assert not reader.gaps


async def test_a_home_is_not_left_because_another_shows_the_same_price(clock: SetClock) -> None:
    async with opened(clock, factors=(1.0, 1.0, 1.0)) as world:
        reader = await seen(world)
        reader.home = "binance"
        await world.restart()
        world.weather["binance"].trouble = wire.status(503)
        await world.looks(reader, 160)
        serving = world.exchanges.market.serving(BTC)
        assert serving is not None
        assert (serving.venue, serving.home) == ("kraken", "binance")
        world.weather["binance"].clear()
        await world.looks(reader, 300)
        assert world.exchanges.market.serving(BTC) == Serving("binance", "binance")


async def test_the_market_names_what_others_stand_in_for(world: World) -> None:
    reader = await seen(world)
    assert world.exchanges.market.standing_in() == {}
    world.weather["binance"].trouble = wire.status(451)
    await world.looks(reader, 10, 5)
    serving = world.exchanges.market.serving(BTC)
    assert serving is not None
    assert world.exchanges.market.standing_in() == {BTC: serving}


async def test_a_key_with_a_venue_never_leaves_it(world: World) -> None:
    reader = await seen(world, THERE)
    since = reader.since
    world.weather["binance"].trouble = wire.status(503)
    await world.looks(reader, 300)
    assert reader.reasons == ["binance answers with an error (HTTP 503)"]
    assert reader.since == since
    assert world.exchanges.market.serving(THERE) == Serving("binance", "binance")
    world.weather["binance"].clear()
    await world.looks(reader, 60)
    assert reader.bars == world.truth("binance", reader.bars[0].at, reader.since)


async def test_the_extremes_of_a_stand_ins_day_are_read_at_the_level_of_the_home(world: World) -> None:
    reader = await seen(world)
    world.weather["binance"].trouble = wire.status(503)
    await world.looks(reader, 160)
    # Kraken's own prices are a hundredth higher, within 101,000 and 101,404: read so, they would exclude all.
    reader.floor, reader.ceiling = 100_600.0, 101_500.0
    bounds, last = len(reader.bounds), reader.since
    await world.looks(reader, 160)
    assert [bar.at for bar in reader.bars if bar.at >= last] == list(range(last, reader.since, MINUTE))
    assert len(reader.bounds) == bounds
    reader.floor, reader.ceiling = 99_500.0, 100_900.0
    await world.looks(reader, 160)
    bound = reader.bounds[-1]
    assert bound.source == "kraken"
    assert 99_900 < bound.low <= bound.high < 100_500


async def test_another_thing_of_the_same_name_does_not_stand_in(clock: SetClock) -> None:
    async with opened(clock, (1.0, 0.001, 1.02)) as world:
        reader = await seen(world)
        last = reader.since
        world.weather["binance"].trouble = wire.status(503)
        await world.looks(reader, 260)
        serving = world.exchanges.market.serving(BTC)
        assert serving is not None
        assert serving.venue == "okx"
        assert [bar for bar in reader.bars if bar.at >= last] == world.truth(
            "okx", last, reader.since, serving.ratio
        )
        assert "kraken" not in reader.sources.values()


@pytest.mark.parametrize(("own", "is_same"), [(101.0, True), (119.9, True), (83.5, True), (120.1, False)])
def test_two_exchanges_show_one_thing_within_a_fifth(own: float, is_same: bool) -> None:
    venues = Venues(["binance", "kraken"])
    assert venues.settle_ratio("kraken", BTC, 100.0, own) is is_same


@pytest.mark.parametrize(
    ("closes", "late", "chosen"),
    [
        ((99.0, 101.0), 0, 101.0),
        ((99.0, 101.0), 2, 101.0),
        ((99.0, 101.0, 111.0), 0, 101.0),  # a jump of which the judged price of 100 knows nothing
        ((99.0, 111.0, 101.0), 0, 101.0),
        ((110.0, 111.0), 0, 111.0),  # they do differ by that much
        ((110.0, 111.0), 1, None),  # or the exchange does not show yet what came after
    ],
)
def test_a_jump_that_one_knows_is_not_taken_for_how_far_exchanges_differ(
    closes: tuple[float, ...], late: int, chosen: float | None
) -> None:
    bars = [Bar(place * MINUTE, close, close, close, close, 1.0) for place, close in enumerate(closes)]
    assert contemporary(100.0, (len(closes) + late) * MINUTE, bars) == chosen


def test_what_a_minute_opened_with_is_compared_with_how_it_opened_elsewhere() -> None:
    bars = [
        Bar(at * MINUTE, price, price, price, price, 1.0) for at, price in enumerate((105.0, 104.9, 100.2))
    ]
    assert contemporary(100.0, 2 * MINUTE, bars) == 100.2
    assert contemporary(104.0, 2 * MINUTE, bars) == 104.9


async def test_nothing_is_shown_at_a_level_that_is_not_measured(world: World) -> None:
    reader = await seen(world)
    world.weather["binance"].trouble = wire.status(503)
    while world.exchanges.market.serving(BTC) == Serving("binance", "binance"):
        world.clock.time += 20
        await world.exchanges.feeds[0].poll([reader.want()])
    with pytest.raises(Unseeable, match="kraken is about to stand in"):
        await world.exchanges.market.seen(BTC)
    with pytest.raises(Unseeable, match="kraken is about to stand in"):
        await world.exchanges.market.bars(BTC, world.minute - 600, world.minute)
    await look(world.exchanges, reader)
    assert (await world.exchanges.market.seen(BTC)).price == pytest.approx(
        world.paths["binance"].price("btc/usdt", world.clock.time), rel=1e-6
    )


async def test_what_is_seen_says_at_whose_level_it_is(world: World) -> None:
    market = world.exchanges.market
    reader = await seen(world)
    assert (await market.seen(BTC)).home == "binance"
    world.weather["binance"].trouble = wire.status(503)
    await world.looks(reader, 160)
    assert (await market.seen(BTC)).home == "binance", "Kraken stands in, at the level of the home"
    assert (await market.seen(ETH)).home == "kraken", "nobody reads it yet: it begins at Kraken's own level"


async def test_when_the_stand_in_fails_too_the_third_goes_on_at_the_same_level(world: World) -> None:
    reader = await seen(world)
    world.weather["binance"].trouble = wire.status(503)
    await world.looks(reader, 200)
    world.weather["kraken"].trouble = wire.web_page
    await world.looks(reader, 200)
    assert list(dict.fromkeys(reader.sources.values())) == ["binance", "kraken", "okx"]
    home = world.truth("binance", reader.bars[0].at, reader.since)
    assert [bar.close for bar in reader.bars] == pytest.approx([bar.close for bar in home], rel=1e-6)
    world.weather["okx"].trouble = wire.status(503)
    await world.looks(reader, 200)
    assert len(reader.reasons) == 1
    for weather in world.weather.values():
        weather.clear()
    await world.looks(reader, 400)
    assert reader.reasons == []
    assert not reader.gaps


async def test_the_market_shows_what_the_stand_in_shows_at_the_level_of_the_home(world: World) -> None:
    reader = await seen(world)
    world.weather["binance"].trouble = wire.status(503)
    await world.looks(reader, 160)
    market = world.exchanges.market
    assert await market.resolve(Instrument("btc")) == BTC
    now = world.clock.time
    found = await market.seen(BTC)
    assert found.price == pytest.approx(world.paths["binance"].price("btc/usdt", now), rel=1e-6)
    bars = await market.bars(BTC, world.minute - 600, world.minute)
    truth = world.truth("binance", world.minute - 600, world.minute)
    assert [bar.high for bar in bars] == pytest.approx([bar.high for bar in truth], rel=1e-6)
    assert [bar.volume for bar in bars] == [bar.volume for bar in truth]


async def test_a_look_that_was_under_way_when_another_took_over_brings_nothing(world: World) -> None:
    reader = await seen(world)
    gate, refusal, asked = wire.Gate(), wire.status(451), 0

    async def first_held_then_refused(request: object, handler: object) -> object:
        nonlocal asked
        asked += 1
        return await (gate if asked == 1 else refusal)(request, handler)  # type: ignore[arg-type]

    world.weather["binance"].trouble = first_held_then_refused  # type: ignore[assignment]
    world.weather["binance"].only = "klines"
    world.clock.time += 60
    home, next_one = world.exchanges.feeds[:2]
    under_way = asyncio.create_task(home.poll([reader.want()]))
    await gate.reached.wait()
    with pytest.raises(Unseeable, match="refuses this country"):
        await world.exchanges.market.seen(THERE)
    batch = await next_one.poll([reader.want()])
    assert [run.key for run in batch.bars] == [BTC]
    gate.opened.set()
    late = await under_way
    assert not late.bars
    assert not late.prints
    assert asked == 2
    world.weather["binance"].clear()
    world.clock.time += 600  # it stays refused, whatever the look saw that began before
    assert not (await home.poll([Want(THERE, world.minute)])).prints
    assert "refuses this country" in home.health().reason


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_the_weather_each_minute_comes_once_and_from_one_exchange(
    world: World, seed: int
) -> None:
    draw = random.Random(seed)
    reader = Reader(BTC, world.minute)
    start = world.minute
    for _ in range(60):
        for weather in world.weather.values():
            weather.clear()
            if draw.random() < 0.5:
                weather.trouble = draw.choice([wire.status(503), wire.web_page, wire.empty_object])
                weather.only = draw.choice(["", "", "OHLC", "klines", "icker"])
        for _ in range(draw.randrange(1, 6)):
            world.clock.time += draw.choice([5, 20, 45])
            batches = await look(world.exchanges, reader)
            assert sum(bool(batch.bars) for batch in batches) <= 1
    for weather in world.weather.values():
        weather.clear()
    await world.looks(reader, 400)
    assert [bar.at for bar in reader.bars] == list(range(start, reader.since, MINUTE))
    assert reader.since > world.clock.time - 90
    assert len(set(reader.sources.values())) > 1


def test_trust_is_lost_after_a_minute_and_three_looks_and_won_after_two_minutes_and_three() -> None:
    standing = Standing()
    for at in (0, 1, 59):
        standing = standing.after(at, "down")
        assert not standing.is_away
    standing = standing.after(60, "down")
    assert standing.is_away
    for at in (70, 100, 189):
        standing = standing.after(at)
        assert standing.is_away
        assert standing.reason == "down"
    assert not standing.after(190).is_away
    assert standing.after(189.5, "again").after(190).is_away


def test_on_a_fast_clock_three_looks_are_needed() -> None:
    standing = Standing().after(0, "down").after(3600, "down")
    assert not standing.is_away
    assert standing.after(7200, "down").is_away


def test_a_look_that_went_well_begins_the_count_anew() -> None:
    standing = Standing().after(0, "down").after(30, "down").after(40).after(50, "down").after(100, "down")
    assert not standing.after(105, "down").is_away
    assert standing.after(110, "down").is_away
