"""Exchanges that different processes look at, on loopback: what one finds the others know by its words."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from bot.feeds.exchanges import Exchanges, build_feeds
from bot.feeds.exchanges.tidings import Tidings, word_tidings
from bot.metrics import MINUTE, Batch, MetricKey
from bot.ports import Serving, StreamHealth, Unseeable
from bot.rules.tree import Instrument
from tests.conftest import SetClock
from tests.reader import Reader
from tests.wire import exchanges as wire
from tests.worlds import BTC, ETH, NAMES, THERE, World, opened

HOME = Serving("binance", "binance")


@dataclass
class Town:
    """Processes that tell one another what they see, over the same three exchanges; ``words`` are kept."""

    world: World
    parts: list[Exchanges] = field(default_factory=list)
    words: dict[str, bytes] = field(default_factory=dict)
    deaf: bool = False

    def process(self, watched: Collection[str], streams: bool = False) -> Exchanges:
        part = build_feeds(
            NAMES,
            "usdt",
            self.world.clock,
            gateway=self.world.gateway.root,
            throttle=False,
            jitter=lambda: 0.5,
            streams=streams,
            watched=watched,
        )
        self.parts.append(part)
        return part

    async def end(self, part: Exchanges) -> None:
        self.parts.remove(part)
        await part.close()

    async def talk(self) -> None:
        """Have everybody say what there is, and hear what was said."""
        for part in self.parts:
            self.words |= await part.words()
        for part in self.parts:
            for name, word in self.words.items():
                await part.hear(name, word)

    async def look(self, *readers: Reader) -> list[Batch]:
        """Look in all processes at once, as they do, and then talk."""
        wants = [reader.want() for reader in readers]
        for part in self.parts:
            await part.follow(wants)
        batches = await asyncio.gather(*(feed.poll(wants) for part in self.parts for feed in part.looks))
        for reader in readers:
            reasons: list[str] = []
            for batch in batches:
                reader.take(batch)
                reasons += reader.reasons
            reader.reasons = reasons
        if not self.deaf:
            await self.talk()
        return batches

    async def looks(self, *readers: Reader, seconds: float, step: float = 20.0) -> None:
        end = self.world.clock.time + seconds
        while self.world.clock.time < end:
            self.world.clock.time += step
            await self.look(*readers)

    def servings(self, key: MetricKey = BTC) -> list[Serving | None]:
        return [part.market.serving(key) for part in self.parts]


@asynccontextmanager
async def settled(clock: SetClock) -> AsyncIterator[Town]:
    async with opened(clock, factors=(1.0, 1.01, 0.99)) as world:
        town = Town(world)
        try:
            yield town
        finally:
            for part in town.parts:
                await part.close()


@pytest.fixture
async def town(clock: SetClock) -> AsyncIterator[Town]:
    async with settled(clock) as made:
        yield made


async def test_who_looks_at_the_next_exchange_stands_in_while_the_other_process_sees_nothing(
    town: Town,
) -> None:
    world = town.world
    town.process(["binance"])
    town.process(["kraken", "okx"])
    asking = town.process(())
    assert [feed.name for feed in asking.feeds] == list(NAMES)
    assert asking.looks == ()
    reader = Reader(BTC, world.minute)
    await town.look(reader)
    await town.looks(reader, seconds=200)
    assert town.servings() == [HOME] * 3
    last, close = reader.since, reader.close
    world.weather["binance"].trouble = wire.status(503)
    await town.looks(reader, seconds=200)
    serving = asking.market.serving(BTC)
    assert serving is not None
    assert (serving.venue, serving.home, serving.is_stand_in) == ("kraken", "binance", True)
    assert serving.reason == "binance answers with an error (HTTP 503)"
    assert serving.ratio == pytest.approx(1 / 1.01, rel=1e-6)
    assert town.servings() == [serving] * 3
    assert asking.market.standing_in() == {BTC: serving}
    assert close is not None
    minutes = [bar for bar in reader.bars if bar.at >= last]
    assert len(minutes) >= 2
    assert minutes == world.truth("kraken", last, reader.since, serving.ratio)
    seen = await asking.market.seen(BTC)
    assert seen.home == "binance"
    assert seen.price == pytest.approx(world.paths["binance"].price("btc/usdt", world.clock.time), rel=1e-6)
    for part in town.parts:
        assert [one.is_well for one in part.market.health()] == [False, True, True]
        assert part.market.health()[0].reason == "binance answers with an error (HTTP 503)"
    world.weather["binance"].clear()
    await town.looks(reader, seconds=400, step=10)
    assert town.servings() == [HOME] * 3
    back = max(at for at, source in reader.sources.items() if source == "kraken") + MINUTE
    later = [bar for bar in reader.bars if bar.at >= back]
    assert later
    assert later == world.truth("binance", back, reader.since)
    assert not reader.gaps
    assert asking.market.standing_in() == {}


async def test_an_exchange_that_nobody_looks_at_is_away_until_somebody_does(town: Town) -> None:
    world = town.world
    gone, left = town.process(["binance"]), town.process(["kraken", "okx"])
    market = left.market
    reader, there = Reader(BTC, world.minute), Reader(THERE, world.minute)
    await town.look(reader, there)
    await town.looks(reader, there, seconds=120)
    assert reader.reasons == there.reasons == []
    await town.end(gone)
    await town.looks(reader, there, seconds=60)
    assert market.serving(BTC) == HOME
    await town.looks(reader, there, seconds=80)
    serving = market.serving(BTC)
    assert serving is not None
    assert (serving.venue, serving.reason) == ("kraken", "nobody looks at binance just now")
    assert reader.sources[reader.bars[-1].at] == "kraken"
    assert there.reasons == ["nobody looks at binance just now"]
    health = market.health()[0]
    assert (health.is_well, health.reason) == (False, "nobody looks at binance just now")
    assert all(one.is_well for one in market.health()[1:]), "who tells it is well all the same"
    town.process(["binance"])
    await town.looks(reader, there, seconds=60)
    assert town.servings() == [HOME] * 2
    assert market.health()[0].is_well
    assert reader.reasons == there.reasons == []
    assert not reader.gaps
    assert not there.gaps


@pytest.mark.parametrize("seed", (13, 18, 22))
async def test_however_late_words_come_each_minute_comes_and_all_at_the_level_of_the_home(
    town: Town, seed: int
) -> None:
    """Meanwhile two may show a series, or nobody: the minutes are asked for again from where judging is."""
    world, draw = town.world, random.Random(seed)
    town.process(["binance"])
    town.process(["kraken"])
    town.process(["okx"])
    reader, later = Reader(BTC, world.minute), Reader(ETH, 0)
    start = world.minute
    await town.looks(reader, seconds=120)
    for place in range(50):
        if place == 20:  # of this one nobody knows yet where it is at home
            later.since = world.minute
        for weather in world.weather.values():
            weather.clear()
            if draw.random() < 0.5:
                weather.trouble = draw.choice([wire.status(503), wire.web_page, wire.status(451)])
                weather.only = draw.choice(["", "", "OHLC", "klines"])
        for _ in range(draw.randrange(1, 5)):
            world.clock.time += draw.choice([5, 20, 45])
            town.deaf = draw.random() < 0.5
            await town.look(reader, *([later] if later.since else []))
    for weather in world.weather.values():
        weather.clear()
    town.deaf = False
    await town.looks(reader, later, seconds=2400, step=60)
    assert town.servings() == [HOME] * 3
    assert [bar.at for bar in reader.bars] == list(range(start, reader.since, MINUTE))
    assert reader.since > world.clock.time - 130
    assert len(set(reader.sources.values())) > 1
    home = world.truth("binance", start, reader.since)
    for name in ("open", "high", "low", "close"):
        shown, true = ([getattr(bar, name) for bar in bars] for bars in (reader.bars, home))
        assert shown == pytest.approx(true, rel=1e-6)
    for one in reader.prints:
        assert one.value == pytest.approx(world.paths["binance"].price("btc/usdt", one.at), rel=1e-6)
    (there,) = {serving.home for serving in town.servings(ETH) if serving is not None}
    its = world.paths[there].final("eth/usdt", later.bars[0].at, later.since)
    assert [bar.close for bar in later.bars] == pytest.approx([bar.close for bar in its], rel=1e-6)
    assert not later.gaps


async def test_who_takes_an_exchange_over_goes_on_from_what_was_known_of_it(town: Town) -> None:
    """A want need not say where a series is at home, and what is away stays so."""
    world = town.world
    first, second = town.process(["binance"]), town.process(["kraken", "okx"])
    reader = Reader(BTC, world.minute)
    await town.look(reader)
    await town.looks(reader, seconds=120)
    world.weather["binance"].trouble = wire.status(503)
    await town.looks(reader, seconds=160)
    before = second.market.serving(BTC)
    assert before is not None
    assert before.venue == "kraken"
    last = reader.since
    await town.end(first)
    await town.end(second)
    third, fourth = town.process(["kraken", "binance"]), town.process(["okx"])
    await town.talk()
    await town.looks(reader, seconds=60)
    assert town.servings() == [before] * 2
    assert reader.since > last
    assert {reader.sources[bar.at] for bar in reader.bars if bar.at >= last} == {"kraken"}
    await town.end(third)
    town.process(["binance"])
    world.weather["binance"].clear()
    world.weather["kraken"].trouble = wire.status(503)
    await town.talk()
    await town.looks(reader, seconds=300)
    assert fourth.market.serving(BTC) == HOME
    assert not reader.gaps
    home = world.truth("binance", reader.bars[0].at, reader.since)
    assert [bar.close for bar in reader.bars] == pytest.approx([bar.close for bar in home], rel=1e-6)  # type: ignore[attr-defined]


async def test_a_home_outlasts_every_process_that_knew_of_it(town: Town) -> None:
    world = town.world
    world.weather["binance"].trouble = wire.status(451)
    parts = town.process(["binance"]), town.process(["kraken", "okx"])
    reader = Reader(BTC, world.minute)
    await town.looks(reader, seconds=200)
    assert town.servings() == [Serving("kraken", "kraken")] * 2
    world.weather["binance"].clear()
    for part in parts:
        await town.end(part)
    for name in NAMES:
        town.process([name])
    await town.talk()
    await town.looks(reader, seconds=300)
    assert town.servings() == [Serving("kraken", "kraken")] * 3
    assert reader.bars == world.truth("kraken", reader.bars[0].at, reader.since)
    assert not reader.gaps


async def test_nobody_shows_a_level_that_who_stands_in_has_not_told(town: Town) -> None:
    world = town.world
    home, other = town.process(["binance"]), town.process(["kraken", "okx"])
    asking = town.process(())
    reader = Reader(BTC, world.minute)
    await town.look(reader)
    await town.looks(reader, seconds=120)
    world.weather["binance"].trouble = wire.status(451)
    world.clock.time += 20
    await home.looks[0].poll([reader.want()])
    for name, word in (await home.words()).items():
        await asking.hear(name, word)
        await other.hear(name, word)
    with pytest.raises(Unseeable, match="kraken is about to stand in"):
        await asking.market.seen(BTC)
    await town.look(reader)
    price = world.paths["binance"].price("btc/usdt", world.clock.time)
    assert (await asking.market.seen(BTC)).price == pytest.approx(price, rel=1e-6)


async def test_what_is_not_looked_at_is_still_asked_and_its_listing_kept_new(town: Town) -> None:
    world = town.world
    asking = town.process(())
    weather = world.weather["binance"]
    assert await asking.market.resolve(Instrument("btc")) == BTC
    assert await asking.market.bars(ETH, world.minute - 300, world.minute)
    assert (await asking.words(), asking.streams) == ({}, ())
    for hours, is_renewed in ((1, False), (5, True), (1, False)):
        weather.asked.clear()
        world.clock.time += hours * 3600
        await asking.follow([Reader(BTC, world.minute).want()])
        await asyncio.sleep(0.1)  # real time, in which loopback answers
        assert any("exchangeInfo" in path for path in weather.asked) is is_renewed
        assert not any("ticker" in path or "klines" in path for path in weather.asked)


async def test_who_asks_leaves_an_exchange_alone_that_asked_another_process_to(town: Town) -> None:
    world = town.world
    town.process(["binance"])
    asking = town.process(())
    reader = Reader(BTC, world.minute)
    await town.look(reader)
    await asking.market.seen(BTC)
    world.weather["binance"].trouble = wire.status(429, "{}", Retry_After="90")
    await town.looks(reader, seconds=20)
    world.weather["binance"].clear()
    world.weather["binance"].asked.clear()
    with pytest.raises(Unseeable, match="asks to slow down"):
        await asking.market.seen(BTC)
    assert world.weather["binance"].asked == []
    world.clock.time += 100
    await asking.market.seen(BTC)


async def test_the_streams_of_others_are_shown_by_what_they_tell(town: Town) -> None:
    part = town.process(["kraken"], streams=True)
    assert [stream.name for stream in part.streams] == ["kraken"]
    now = town.world.clock.time
    elsewhere = StreamHealth("binance", connected_at=now - 5, markets=3)
    await part.hear("binance", word_tidings(Tidings("binance", now, stream=elsewhere)))
    assert part.market.streams() == [elsewhere, StreamHealth("kraken")]
    town.world.clock.time += 61
    await part.follow([])
    silent = part.market.streams()[0]
    assert (silent.connected_at, silent.reason) == (None, "nobody looks at binance just now")


async def test_a_word_of_no_exchange_here_and_one_that_is_none_are_refused(town: Town) -> None:
    part = town.process(["kraken"])
    word = word_tidings(Tidings("binance", 1.0))
    with pytest.raises(ValueError, match="'bitmex' is none of the exchanges"):
        await part.hear("bitmex", word)
    with pytest.raises(ValueError, match="what was told of okx is of 'binance'"):
        await part.hear("okx", word)
    with pytest.raises(ValueError, match="it does not begin with the number of a version"):
        await part.hear("okx", b"what?")
    with pytest.raises(ValueError, match="'bitmex' is to be watched, and is none of binance"):
        town.process(["bitmex"])
