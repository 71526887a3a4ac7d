"""What is no longer listed, or only not just now, and what nobody lists."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.feeds.exchanges.listing import Listed, Listing
from bot.feeds.exchanges.roster import scaled
from bot.feeds.exchanges.venues import Venues
from bot.metrics import MetricKey, Want
from tests.conftest import SetClock
from tests.reader import Reader, look
from tests.wire import exchanges as wire
from tests.worlds import BTC, ETH, World, opened, seen


@pytest.fixture
async def world(clock: SetClock) -> AsyncIterator[World]:
    async with opened(clock) as made:
        yield made


async def test_a_listing_begun_before_the_first_look_is_the_one_that_it_takes(world: World) -> None:
    world.exchanges.begin()
    reader = Reader(ETH, world.minute)
    await look(world.exchanges, reader)
    assert set(reader.sources.values()) <= {"binance"} and not reader.reasons
    assert sum("api/v3/exchangeInfo" in path for path in world.weather["binance"].asked) == 1


async def test_a_listing_begun_in_vain_is_asked_for_again_by_the_first_look(world: World) -> None:
    world.weather["binance"].trouble = wire.status(503)
    world.exchanges.begin()
    await world.exchanges.feeds[0].poll([])
    assert not world.exchanges.feeds[0].health().is_well
    world.weather["binance"].trouble = None
    world.clock.time += 60
    await world.exchanges.feeds[0].poll([])
    assert world.exchanges.feeds[0].health().is_well


async def test_one_listing_that_lacks_it_blinds_nobody(world: World) -> None:
    reader = await seen(world)

    def without_btc(answer: object) -> object:
        assert isinstance(answer, dict)
        return answer | {"symbols": [one for one in answer["symbols"] if one["symbol"] != "ETHUSDT"]}

    other = Reader(ETH, world.minute)
    await look(world.exchanges, reader, other)
    world.weather["binance"].trouble = wire.rewritten(without_btc)
    world.weather["binance"].only = "api/v3/exchangeInfo"
    world.clock.time += 6.5 * 3600
    for _ in range(12):
        world.clock.time += 20
        await look(world.exchanges, reader, other)
    assert set(other.sources.values()) == {"binance"}
    assert other.since > world.clock.time - 90
    assert world.exchanges.feeds[0].health().is_well


async def test_delisted_is_said_after_three_listings_hours_apart_and_taken_back_when_listed_again(
    clock: SetClock,
) -> None:
    async with opened(clock, names=["binance"]) as world:
        reader = Reader(ETH, world.minute)
        await look(world.exchanges, reader)
        world.servers["binance"].symbols.remove("eth/usdt")
        asked = world.weather["binance"].asked
        said: list[tuple[int, str]] = []
        world.clock.time += 6 * 3600
        began = world.clock.time
        for _ in range(30):
            world.clock.time += 600
            await look(world.exchanges, reader)
            said.append((int(world.clock.time - began), reader.reasons[0]))
        first = next(after for after, reason in said if reason == "binance no longer lists ETH/USDT")
        assert 2 * 3600 <= first <= 2 * 3600 + 1200
        assert sum("api/v3/exchangeInfo" in path for path in asked) == 6
        world.servers["binance"].symbols.append("eth/usdt")
        await world.looks(reader, 4200, 600)
        assert not reader.reasons
        await world.looks(reader, 120)
        assert reader.since > world.clock.time - 90


def test_listings_that_follow_one_another_at_once_are_one_word() -> None:
    venues = Venues(["binance"])
    there, gone = {"eth/usdt": Listed("ETH/USDT", "spot")}, {"btc/usdt": Listed("BTC/USDT", "spot")}
    venues.publish("binance", Listing(0.0, there))
    venues.follow([Want(ETH, 0)], 0.0)
    for at in (10.0, 20.0, 30.0, 3000.0, 3609.0):
        venues.publish("binance", Listing(at, gone))
    assert not venues.is_delisted("binance", "eth/usdt")
    for at in (3610.0, 7210.0):
        assert not venues.is_delisted("binance", "eth/usdt")
        venues.publish("binance", Listing(at, gone))
    assert venues.is_delisted("binance", "eth/usdt")


async def test_what_is_delisted_is_shown_by_the_next_exchange_that_lists_it(world: World) -> None:
    reader, other = Reader(ETH, world.minute), Reader(BTC, world.minute)
    await look(world.exchanges, reader, other)
    world.clock.time += 120
    await look(world.exchanges, reader, other)
    last = reader.since
    world.servers["binance"].symbols.remove("eth/usdt")
    world.clock.time += 6 * 3600
    for _ in range(20):
        world.clock.time += 600
        await look(world.exchanges, reader, other)
    serving = world.exchanges.market.serving(ETH)
    assert serving is not None
    assert (serving.venue, serving.home) == ("kraken", "binance")
    assert serving.ratio == pytest.approx(1 / 1.01, rel=1e-6)
    assert set(other.sources.values()) == {"binance"}
    assert reader.bars[-1].end > world.clock.time - 1200
    assert {source for at, source in reader.sources.items() if at >= last} == {"kraken"}
    assert not reader.gaps


async def test_what_was_delisted_stays_at_the_level_of_its_home_after_a_restart(world: World) -> None:
    reader = Reader(ETH, world.minute)
    await world.looks(reader, 120)
    world.servers["binance"].symbols.remove("eth/usdt")
    world.clock.time += 6 * 3600
    await world.looks(reader, 4 * 3600, 600)
    await world.looks(reader, 60)
    serving = world.exchanges.market.serving(ETH)
    assert serving is not None
    assert (serving.venue, serving.home) == ("kraken", "binance")
    last, reader.home = reader.since, serving.home
    await world.restart()
    await world.looks(reader, 300)
    after = world.exchanges.market.serving(ETH)
    assert after is not None
    assert (after.venue, after.home) == ("kraken", "binance")
    assert after.ratio == pytest.approx(serving.ratio, rel=1e-9)
    bars = [bar for bar in reader.bars if bar.at >= last]
    assert bars == [
        scaled(bar, after.ratio) for bar in world.paths["kraken"].final("eth/usdt", last, reader.since)
    ]
    assert not reader.gaps


async def test_who_was_judged_last_is_the_home_though_it_does_not_list_it_just_now(world: World) -> None:
    reader = await seen(world)
    world.servers["binance"].symbols.remove("btc/usdt")
    world.servers["binance"].symbols.append("btc/usdt:usdt")
    await world.restart()
    await world.looks(reader, 10, 5)
    # Its sentinel is gone with it, so that this is no listing at all.
    assert world.exchanges.market.serving(BTC) is None
    other = Reader(ETH, world.minute, 100_000.0, "binance")
    world.servers["binance"].symbols += ["btc/usdt"]
    world.servers["binance"].symbols.remove("eth/usdt")
    await world.looks(other, 40, 20)
    assert other.reasons == ["binance does not list ETH/USDT"]
    await world.looks(other, 100, 20)
    serving = world.exchanges.market.serving(ETH)
    assert serving is not None
    assert (serving.venue, serving.home) == ("kraken", "binance")


async def test_a_venue_that_is_not_watched_is_said_to_be_so(world: World) -> None:
    key = MetricKey("price", "btc/usdt", "bitmex")
    batches = await look(world.exchanges, Reader(key, world.minute))
    (unseen,) = [one for batch in batches for one in batch.unseen]
    assert (unseen.key, unseen.reason) == (key, "bitmex is not among the exchanges that are watched")
    assert world.exchanges.market.serving(key) is None


async def test_what_nobody_lists_is_told_by_the_first_exchange(world: World) -> None:
    key = MetricKey("price", "luna/usdt")
    reader = Reader(key, world.minute)
    await look(world.exchanges, reader)
    await look(world.exchanges, reader)
    assert reader.reasons == ["binance does not list LUNA/USDT"]


@pytest.mark.parametrize(
    "key", [MetricKey("fear_greed", ""), MetricKey("price", "spx"), MetricKey("price", "$nvda")]
)
async def test_what_is_not_traded_on_exchanges_is_nobodys_here(world: World, key: MetricKey) -> None:
    batches = [await feed.poll([Want(key, world.minute)]) for feed in world.exchanges.feeds]
    assert not any(batch.unseen or batch.prints for batch in batches)
