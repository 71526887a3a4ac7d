"""Where minutes are gone: what coarser candles still tell."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.exchanges import FEEDS
from bot.feeds.exchanges.hindsight import bars_before, bound, holes
from bot.feeds.exchanges.minutes import Rows
from bot.metrics import MINUTE, Bar, minute_of, opening_of
from tests.conftest import SetClock
from tests.reader import BTC, DAY, Reader, assert_bounded, look, opened
from tests.wire import exchanges as wire


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
        bars = await bars_before(Kept(prices, kept, set()).asking, FEEDS["binance"], instant, now)
        assert (bars[-1].close if bars else None) == close


def test_holes_are_what_rising_bars_leave_out() -> None:
    bars = [Bar(at, 1, 1, 1, 1) for at in (180, 240, 420)]
    assert holes(bars, 60) == [(60, 180), (300, 420)]
    assert holes(bars, 180) == [(300, 420)]
    assert holes([], 60) == []
