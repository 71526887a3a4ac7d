"""Minutes that were not read: bounds that concern nobody, and lapses that may have hidden a touch."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.partition import Partition
from bot.engine.plan import Plan
from bot.engine.series import Series
from bot.engine.state import Ended, Ring, Transition
from bot.engine.unread import Lapse, gone, merge, without
from bot.metrics import MINUTE, Bar, Bars, Batch, Bounds, Doubt, MetricKey, Print, Want, runs
from tests.markets import BTC, ETH, START, histories, life_of, minutes

HOUR = 60 * MINUTE


def bounds(since: int, until: int, low: float, high: float) -> Bounds:
    return Bounds(BTC, START + since, START + until, low, high, "kraken")


@dataclass
class Scene:
    """A partition and what it told."""

    partition: Partition = field(default_factory=Partition)
    rings: list[float] = field(default_factory=list)

    def arm(self, number: int, rule: str, price: float | None, made_at: int = START) -> None:
        life = life_of(rule, price, made_at=made_at)
        assert self.partition.missing(life, None) == []
        self.partition.add(number, life, None)

    def take(
        self, *things: Bar | Bounds | Print | Doubt, at: float = START + 100 * HOUR, source: str = "binance"
    ) -> Plan:
        bars = sorted((one for one in things if isinstance(one, Bar)), key=lambda bar: bar.at)
        batch = Batch(
            source,
            at,
            tuple(Bars(BTC, run, source) for run in runs(bars)),
            tuple(one for one in things if isinstance(one, Print)),
            bounds=tuple(one for one in things if isinstance(one, Bounds)),
            doubts=tuple(one for one in things if isinstance(one, Doubt)),
        )
        self.partition.observe(batch)
        plan = self.partition.plan()
        assert not plan.broken
        self.rings += [told.at for _, told in plan.told if isinstance(told, Ring)]
        self.partition.apply(plan)
        return plan

    @property
    def want(self) -> Want:
        (want,) = self.partition.wants()
        return want


def at(minute: int, *prices: float) -> list[Bar]:
    return minutes(*prices, start=START + minute * MINUTE)


def test_prices_between_the_nearest_levels_concern_nobody() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100", 105)
    scene.arm(2, "btc/usdt > 120", 105)
    assert (scene.want.floor, scene.want.ceiling) == (inf, -inf)  # the minute of their making is not over
    scene.take(*at(0, 105.0))
    want = scene.want
    assert (want.floor, want.ceiling, want.since) == (100, 120, START + MINUTE)
    assert (want.close, want.source) == (105, "binance")


def test_a_run_that_was_asked_for_since_later_leaves_no_hole() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100", 105)
    scene.take(*at(0, 105.0))
    since, (later,) = scene.want.since, at(2, 105.0)
    scene.partition.observe(Batch("binance", later.end, (Bars(BTC, (later,), "binance", asked=later.at),)))
    assert scene.want.since == since, "another partition asked for it, and knows the minute between"
    scene.take(*at(1, 99.0), *at(2, 105.0))
    assert scene.rings == [since]


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("btc/usdt moves down 5% in 1h", id="a move"),
        pytest.param("btc/usdt < sma(btc/usdt, 3, 1h)", id="candles"),
        pytest.param("btc/usdt < 100 and eth/usdt < 50", id="two prices"),
        pytest.param("btc/usdt < highest(btc/usdt, 1h)", id="a window"),
        pytest.param("btc/usdt < 110 for 4h", id="a running time"),
    ],
)
def test_every_price_counts_for_what_is_made_of_minutes(rule: str) -> None:
    scene = Scene()
    scene.partition.add(1, life_of(rule, 105), None)
    scene.take(*at(0, 105.0))
    assert all((want.floor, want.ceiling) == (inf, -inf) for want in scene.partition.wants())


def test_every_price_counts_again_once_a_time_is_due() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100 until 2025-11-12T12:30:00Z", 105)
    scene.take(*at(0, 105.0))
    assert scene.want.floor == 100
    scene.take(bounds(MINUTE, 30 * MINUTE, 104, 106))
    assert scene.want.floor == inf


def test_a_series_goes_on_behind_bounds_that_concern_nobody() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100", 105)
    scene.take(*at(0, 105.0))
    plan = scene.take(bounds(MINUTE, 30 * MINUTE, 101, 120))
    assert not plan.states
    assert not plan.lapses
    assert scene.want.since == START + 30 * MINUTE
    scene.take(*at(30, 99.0))
    assert scene.rings == [START + 30 * MINUTE]


def test_bounds_that_concern_somebody_are_not_taken_for_his_minutes() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100", 105)
    scene.take(*at(0, 105.0))
    assert not scene.take(bounds(MINUTE, 30 * MINUTE, 99, 120)).lapses
    assert scene.want.since == START + MINUTE
    assert not scene.take(*at(1, 105.0, 99.0, *[105.0] * 27)).lapses
    assert scene.rings == [START + 2 * MINUTE]


def test_bounds_that_concern_somebody_are_a_lapse_once_later_minutes_came() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100", 105)
    scene.arm(2, "btc/usdt < 90", 105)
    scene.take(*at(0, 105.0))
    plan = scene.take(
        bounds(MINUTE, 15 * MINUTE, 102, 120), bounds(15 * MINUTE, 30 * MINUTE, 99, 121), *at(30, 105.0)
    )
    assert plan.lapses == [Lapse(BTC, START + 15 * MINUTE, START + 30 * MINUTE, 99, 121, (1,))]
    assert scene.rings == []
    assert scene.want.since == START + 31 * MINUTE


def test_bounds_of_one_batch_and_minutes_of_the_next_make_one_lapse() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100", 105)
    scene.take(*at(0, 105.0))
    scene.take(bounds(MINUTE, 30 * MINUTE, 99, 120))
    plan = scene.take(*at(30, 105.0))
    assert [(one.since, one.low) for one in plan.lapses] == [(START + MINUTE, 99)]


def test_minutes_that_nobody_can_give_any_more_are_a_lapse_for_all_who_were_there() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100", 105)
    scene.arm(2, "btc/usdt > 500", 105)
    scene.take(*at(0, 105.0))
    scene.arm(3, "btc/usdt < 50", 105, made_at=START + HOUR)
    plan = scene.take(*at(120, 105.0))
    assert plan.lapses == [Lapse(BTC, START + MINUTE, START + 120 * MINUTE, None, None, (1, 2, 3))]
    assert not scene.take(*at(121, 105.0)).lapses


def test_a_short_hole_is_a_lapse_only_where_the_prices_around_it_say_so() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100", 105)
    scene.arm(2, "btc/usdt < 50", 105)
    scene.take(*at(0, 105.0))
    assert not scene.take(*at(4, 104.0)).lapses
    (found,) = scene.take(*at(8, 99.0)).lapses
    assert found.armings == (1,)
    assert scene.rings == [START + 8 * MINUTE]


@pytest.mark.parametrize("price", [105, None])
def test_who_was_made_within_what_is_gone_may_have_missed_a_touch(price: float | None) -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100", price)
    (lapse,) = scene.take(*at(30, 105.0)).lapses
    assert lapse.armings == (1,)


def test_who_was_made_behind_what_is_gone_misses_nothing() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100", 105)
    scene.take(*at(0, 105.0))
    scene.partition.add(2, life_of("btc/usdt < 100", 105, made_at=START + 40 * MINUTE), None)
    (lapse,) = scene.take(*at(30, 105.0)).lapses
    assert lapse.armings == (1,)


def test_what_has_rung_for_good_misses_nothing() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100 once", 105)
    scene.take(*at(0, 99.0))
    assert not scene.take(*at(120, 105.0)).lapses
    assert scene.partition.readers(BTC) == []


def test_a_blind_stretch_as_long_as_the_time_itself_starts_it_anew() -> None:
    scene = Scene()
    scene.partition.add(1, life_of("btc/usdt < 100 for 10m", 95), None)
    scene.take(*at(0, *[95.0] * 5))
    scene.take(bounds(5 * MINUTE, 20 * MINUTE, 94, 96), *at(20, *[95.0] * 9))
    assert scene.rings == []


def test_what_is_taken_in_again_after_a_failed_commit_changes_nothing() -> None:
    def batch() -> Batch:
        return Batch(
            "binance",
            START + HOUR,
            (Bars(BTC, tuple(at(30, 105.0, 99.0)), "binance"),),
            bounds=(bounds(MINUTE, 30 * MINUTE, 99, 120),),
        )

    scene = Scene()
    scene.arm(1, "btc/usdt < 100", 105)
    scene.take(*at(0, 105.0))
    scene.partition.observe(batch())
    first = scene.partition.plan()
    scene.partition.observe(batch())
    assert scene.partition.plan() == first


def test_minutes_that_were_not_read_are_asked_for_by_who_needs_them() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100", 105)
    scene.take(*at(0, 105.0))
    scene.take(bounds(MINUTE, 30 * MINUTE, 101, 120))
    scene.take(*at(30, 105.0))
    life = life_of("btc/usdt moves down 5% in 1h", 105, made_at=START + 31 * MINUTE)
    (stretch,) = scene.partition.missing(life, None)
    assert (stretch.since, stretch.until) == (START + 31 * MINUTE - life.lookback, START + 30 * MINUTE)
    scene.partition.preload(life, stretch, at(1, *[110.0] * 29))
    (rest,) = scene.partition.missing(life, None)
    assert rest.until == START


def test_a_last_price_is_what_was_shown_last_where_bars_are_not_read() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100", 105)
    scene.take(*at(0, 105.0))
    shown = Print(BTC, 108, START + 29 * MINUTE + 58, "kraken")
    scene.take(Print(BTC, 107, START + 29 * MINUTE + 8, "kraken"), at=START + 29 * MINUTE + 8)
    scene.take(shown, at=START + 29 * MINUTE + 58)
    scene.take(bounds(MINUTE, 30 * MINUTE, 101, 120))
    assert (scene.want.close, scene.want.source) == (108, "kraken")
    scene.take(bounds(30 * MINUTE, 40 * MINUTE, 101, 120))
    assert scene.want.close is None  # ten minutes later nobody knows where it stood


def test_a_price_that_nobody_bears_out_is_doubted_by_those_whom_it_would_ring() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100", 105)
    scene.arm(2, "btc/usdt < 50", 105)
    scene.arm(3, "btc/usdt < 120", 105)  # true already: it waits to be clear
    scene.take(*at(0, 105.0))
    doubt = Doubt(BTC, 82, START + 70, "binance", "kraken shows 105")
    plan = scene.take(doubt, at=START + 71)
    assert plan.doubted == [(doubt, (1,))]
    assert not plan.told
    assert not plan.changed
    assert not scene.take(at=START + 72).doubted


def test_a_hole_among_minutes_is_told_to_who_was_armed_only_before_it() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt > 100 repeat cooldown 3m", 95)
    scene.take(*at(0, 101.0))  # it rings, and waits to be clear again
    dip = Bar(START + MINUTE, 101, 101, 99, 101)
    (lapse,) = scene.take(dip, *at(2, 101.0), *at(4, 101.0)).lapses
    assert (lapse.since, lapse.armings) == (START + 3 * MINUTE, (1,))


def test_bounds_behind_minutes_wait_until_it_is_known_where_they_leave_their_armings() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt > 100 repeat cooldown 0m", 95)
    scene.take(*at(0, 101.0))
    scene.take(*at(1, 99.0), bounds(2 * MINUTE, 10 * MINUTE, 100.5, 102))
    assert scene.want.since == START + 2 * MINUTE, "they would have concerned nobody before that minute"
    assert scene.rings == [START]
    scene.take(*at(2, *[101.0] * 8))
    assert scene.rings == [START, START + 2 * MINUTE]


def test_a_doubt_of_a_minute_among_many_is_told_to_who_was_armed_only_there() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100 repeat cooldown 0m", 95)  # it waits to be clear when they come
    scene.take(*at(0, 95.0))
    doubt = Doubt(BTC, 82, START + 2 * MINUTE, "binance", "no second source can say")
    plan = scene.take(doubt, *at(1, 105.0, 105.0, 105.0))
    assert plan.doubted == [(doubt, (1,))]


def test_a_doubt_is_told_to_whom_another_minute_rang_early() -> None:
    scene = Scene()
    scene.arm(1, "btc/usdt < 100 repeat cooldown 0m", 105)
    scene.take(Print(BTC, 99, START + 10 * MINUTE + 30), at=START + 10 * MINUTE + 31)
    doubt = Doubt(BTC, 82, START + 2 * MINUTE, "binance", "no second source can say")
    plan = scene.take(doubt, *at(0, 105.0, 105.0, 105.0))
    assert plan.doubted == [(doubt, (1,))]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), max_size=8), st.integers(0, 30))
def test_bounds_never_overlap_and_cover_all_that_was_said(said: list[tuple[int, int]], known_to: int) -> None:
    pending: list[Bounds] = []
    told: set[int] = set()
    for since, length in said:
        pending = merge(pending, Bounds(BTC, since, since + length, 1, 2), known_to)
        told |= set(range(max(since, known_to), since + length))
    covered = [at for one in pending for at in range(one.since, one.until)]
    assert covered == sorted(told)
    left = [at for one in without(pending, 10, 20) for at in range(one.since, one.until)]
    assert left == [at for at in covered if not 10 <= at < 20]


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_every_minute_is_read_or_bounded_or_gone(read: set[int], bound: set[int]) -> None:
    series = Series(minutes(*[1.0] * 0))
    series.extend([bar for place in sorted(read) for bar in at(place, 105.0)])
    pending = [bounds(place * MINUTE, (place + 1) * MINUTE, 1, 2) for place in sorted(bound - read)]
    pieces = [piece for stretch in gone(series, pending, START, START + 31 * MINUTE) for piece in stretch]
    spans = {
        place: piece.low
        for piece in pieces
        for place in range((piece.since - START) // MINUTE, (piece.until - START) // MINUTE)
    }
    assert spans == {place: 1 if place in bound else None for place in range(31) if place not in read}


def test_two_prices_are_two_wants() -> None:
    scene = Scene()
    scene.partition.add(1, life_of("btc/usdt < 100", 105), None)
    scene.partition.add(2, life_of("eth/usdt < 100", 105), None)
    assert {want.key for want in scene.partition.wants()} == {BTC, ETH}


RULES = [
    "btc/usdt < 98 repeat cooldown 1m",
    "btc/usdt > 103 repeat cooldown 5m rearm 2",
    "btc/usdt crosses 101 repeat cooldown 1m",
    "btc/usdt crosses below 97 repeat cooldown 1m",
    "99 < btc/usdt < 101 repeat cooldown 1m",
    "btc/usdt enters 97 .. 98 repeat cooldown 1m",
    "btc/usdt < 97 remind 3m resolve",
    "btc/usdt > 102 until 2025-11-12T12:20:00Z",
    "btc/usdt < 98 for 3m repeat cooldown 1m",
    "btc/usdt moves down 3% in 10m repeat cooldown 1m",
    "btc/usdt every 2 cooldown 1m",
    "btc/usdt every 2% down",
    "btc/usdt < 99 or btc/usdt > 104",
    "not btc/usdt < 103 repeat cooldown 1m",
    "close(btc/usdt, 5m) < 98 repeat cooldown 1m",
    "btc/usdt < 98 and eth/usdt > 99 repeat cooldown 1m",
]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_leaving_out_the_minutes_that_concern_nobody_changes_no_ring(data: st.DataObject) -> None:
    spread = data.draw(st.integers(1, 5))
    history = {key: data.draw(histories(most=40, spread=spread)) for key in (BTC, ETH)}
    count = min(len(bars) for bars in history.values())
    rules = data.draw(st.lists(st.sampled_from(RULES), min_size=1, max_size=3))
    price = data.draw(st.integers(95, 105))
    looks = sorted(data.draw(st.sets(st.integers(1, count), max_size=30)) | {count})
    told = [_told(history, rules, price, looks, is_sparing) for is_sparing in (False, True)]
    assert told[0] == told[1]


def _told(
    history: dict[MetricKey, list[Bar]],
    rules: list[str],
    price: float,
    looks: list[int],
    is_sparing: bool,
) -> list[tuple[int, Transition]]:
    """Judge some looks, in full or with bounds in place of what the wants say concerns nobody."""
    partition = Partition()
    for number, rule in enumerate(rules):
        life = life_of(rule, price)
        for stretch in partition.missing(life, None):
            partition.preload(life, stretch, ())
        partition.add(number, life, None)
    told: list[tuple[int, Transition]] = []
    for look in looks:
        found: list[Bars] = []
        bound: list[Bounds] = []
        for want in partition.wants():
            bars = [bar for bar in history[want.key][:look] if bar.at >= want.since]
            if not bars:
                continue
            low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
            if is_sparing and want.floor < low and high < want.ceiling:
                bound.append(Bounds(want.key, bars[0].at, bars[-1].end, low, high, "made"))
            else:
                found.append(Bars(want.key, tuple(bars), "made"))
        at = START + look * MINUTE
        partition.observe(Batch("made", at, tuple(found), bounds=tuple(bound)))
        plan = partition.plan()
        assert not plan.broken
        assert not plan.lapses
        told += plan.told
        partition.apply(plan)
    return [one for one in told if not isinstance(one[1], Ended)]
