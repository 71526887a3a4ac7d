"""The engine's laws, over random markets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.candles import Candles
from bot.engine.index import EVERYWHERE, NOWHERE, Gap, Move, ThresholdIndex, gap_around
from bot.engine.life import Life
from bot.engine.partition import Partition
from bot.engine.plan import Plan
from bot.engine.state import AlertState, Correction, Ended, Reminder, Resolution, Ring
from bot.engine.waiting import PATIENCE
from bot.engine.world import Stretch
from bot.metrics import MINUTE, Bar, MetricKey, Print
from tests.markets import BTC, ETH, START, batch, histories, life_of, minutes

LEVELS = st.integers(97, 103)
SINGLE = st.one_of(
    st.builds("btc/usdt {} {}".format, st.sampled_from(["<", "<=", ">", ">="]), LEVELS),
    st.builds("btc/usdt crosses {} {}".format, st.sampled_from(["", "above", "below"]), LEVELS),
    st.builds("(btc/usdt {} {}) for {}m".format, st.sampled_from(["<", ">"]), LEVELS, st.integers(1, 4)),
    st.builds(
        "btc/usdt moves {} {}% in {}m".format,
        st.sampled_from(["up", "down", ""]),
        st.integers(1, 5),
        st.integers(1, 5),
    ),
    st.builds("btc/usdt > {} and btc/usdt < {}".format, LEVELS, LEVELS),
    st.builds("btc/usdt {} highest(btc/usdt, {}m)".format, st.sampled_from(["<", ">"]), st.integers(1, 4)),
    st.builds(
        "{}(btc/usdt, {}m) > {}".format, st.sampled_from(["close", "low"]), st.sampled_from([1, 3, 5]), LEVELS
    ),
    st.builds("btc/usdt {} sma(btc/usdt, 2, 3m)".format, st.sampled_from(["<", ">", "crosses"])),
    st.builds("change(btc/usdt, {}m) > {}%".format, st.integers(1, 3), st.integers(-2, 2)),
    st.builds("btc/usdt every {}".format, st.sampled_from(["1%", "2% down", "1% up", "2", "3 up"])),
    st.builds("btc/usdt {} 99 .. 101".format, st.sampled_from(["enters", "leaves"])),
    st.builds("2 of (btc/usdt > {}, btc/usdt < {}, btc/usdt > 99)".format, LEVELS, LEVELS),
    st.builds("not btc/usdt > {} or btc/usdt > {}".format, LEVELS, LEVELS),
)
LIVES = st.sampled_from(
    [
        "",
        " repeat cooldown 1m",
        " repeat cooldown 3m rearm 1",
        " repeat",
        " remind 2m resolve",
        " repeat rearm 1%",
    ]
)
RULES = st.builds("{}{}".format, SINGLE, LIVES)


NOBODY: set[int] = set()


@dataclass
class Told:
    """What a run of the engine told, as a reader of the chat would count it."""

    rings: list[tuple[int, int, float, float]]
    early: list[tuple[int, int, int]]
    confirmed: list[tuple[int, int, int]]
    corrected: list[tuple[int, int, int]]
    followed: list[tuple[int, str, int, float]]


def run(
    partition: Partition, lives: dict[int, Life], batches, told: Told, restart=lambda: False
) -> Partition:
    """Judge batches; where ``restart`` says so, begin again from what had been committed."""
    stored: dict[int, AlertState] = {number: partition.state(number) for number in lives}
    judged_to: dict[MetricKey, int] = {}
    for one in batches:
        if restart():
            partition = Partition()
            for number, life in lives.items():
                state = partition.resume_from(life, stored[number], judged_to)
                for stretch in partition.missing(life, state):
                    partition.preload(life, stretch, cut(one.known[stretch.key], stretch))
                partition.add(number, life, state)
        wants = {want.key: want.since for want in partition.wants()}
        runs = {
            key: [bar for bar in bars if bar.at >= wants[key] - one.overlap]
            for key, bars in one.known.items()
            if key in wants
        }
        partition.observe(batch(runs, *one.prints))
        plan = partition.plan()
        for number, transition in plan.told:
            match transition:
                case Ring(is_early=True):
                    told.early.append((number, transition.episode, transition.corrections))
                case Ring():
                    told.rings.append((number, transition.episode, transition.at, transition.value))
                    if transition.was_told:
                        told.confirmed.append((number, transition.episode, transition.corrections))
                case Correction():
                    told.corrected.append((number, transition.episode, transition.corrections))
                case Reminder() | Resolution():
                    told.followed.append(
                        (number, type(transition).__name__, transition.episode, transition.at)
                    )
                case Ended():
                    pass
        for number in plan.changed:
            stored[number] = plan.states[number]
        judged_to.update(plan.judged_to)
        partition.apply(plan)
    return partition


def cut(bars: list[Bar], stretch: Stretch) -> list[Bar]:
    """Give the bars of a stretch as an exchange would, put together where it asks for coarser ones."""
    minutes = [bar for bar in bars if stretch.since <= bar.at < stretch.until]
    if stretch.span == MINUTE:
        return minutes
    candles = Candles(stretch.span)
    candles.put(minutes)
    columns = candles.columns()
    rows = zip(columns.ats, columns.opens, columns.highs, columns.lows, columns.closes, strict=True)
    return [Bar(int(at), *prices, span=stretch.span) for at, *prices in rows]


@dataclass
class Look:
    """What an exchange knows at one look: final minutes so far, and prints of the running one."""

    known: dict[MetricKey, list[Bar]]
    prints: list[Print] = field(default_factory=list)
    overlap: int = 0


def whole(series: dict[MetricKey, list[Bar]]) -> list[Look]:
    return [Look(series)]


@st.composite
def looks(draw: st.DrawFn, series: dict[MetricKey, list[Bar]]) -> list[Look]:
    """Look at series at random moments, now and then at minutes again, with prints of the running minute.

    No series stays behind another for as long as a rule of both would wait for it.
    """
    taken, done = [], dict.fromkeys(series, 0)
    while any(done[key] < len(bars) for key, bars in series.items()):
        prints = []
        for key, bars in series.items():
            done[key] = min(len(bars), done[key] + draw(st.sampled_from([3, 1, 5, 0])))
        for key, bars in series.items():
            done[key] = max(done[key], max(done.values()) - PATIENCE // MINUTE)
            if done[key] < len(bars) and draw(st.booleans()):
                running = bars[done[key]]
                price = draw(st.sampled_from([running.open, running.high, running.low, running.close]))
                prints.append(Print(key, price, running.at + draw(st.integers(0, 59))))
            elif done[key] < len(bars) and draw(st.booleans()):
                prints.append(Print(key, float(draw(LEVELS)), bars[done[key]].at + 30))  # one that is wrong
        known = {key: bars[: done[key]] for key, bars in series.items()}
        taken.append(Look(known, prints, draw(st.integers(0, 2)) * MINUTE))
    return taken


def fresh(rules: list[str], price: float, eager: set[int] = NOBODY) -> tuple[Partition, dict[int, Life]]:
    partition, lives = Partition(), {}
    for number, rule in enumerate(rules):
        lives[number] = life_of(rule, price, is_eager=number in eager)
        partition.add(number, lives[number], None)
    return partition, lives


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_batches_prints_and_restarts_change_no_ring(data: st.DataObject) -> None:
    bars = data.draw(histories())
    rules = data.draw(st.lists(RULES, min_size=1, max_size=5))
    eager = data.draw(st.sets(st.integers(0, 4)))
    expected, actual = Told([], [], [], [], []), Told([], [], [], [], [])
    partition, lives = fresh(rules, bars[0].open, eager)
    run(partition, lives, whole({BTC: bars}), expected)
    partition, lives = fresh(rules, bars[0].open, eager)
    steps = data.draw(looks({BTC: bars}))
    run(partition, lives, steps, actual, restart=lambda: data.draw(st.integers(0, 4)) == 0)
    assert sorted(actual.rings) == sorted(expected.rings)
    assert sorted(actual.followed) == sorted(expected.followed)
    assert set(actual.confirmed) <= set(actual.early)
    assert set(actual.corrected) <= set(actual.early)
    assert not set(actual.corrected) & set(actual.confirmed)
    for told in (actual.early, actual.corrected, actual.confirmed):
        assert len(told) == len(set(told))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_rules_of_two_instruments_ring_the_same_however_their_minutes_arrive(data: st.DataObject) -> None:
    btc = data.draw(histories(most=20))
    eth = [
        replace(bar, open=bar.open + 1, high=bar.high + 1, low=bar.low, close=bar.close)
        for bar in data.draw(histories(most=20))
    ]
    count = min(len(btc), len(eth))
    series = {BTC: btc[:count], ETH: eth[:count]}
    forms = [
        "btc/usdt > {} and eth/usdt < {}",
        "btc/usdt crosses {} or eth/usdt > {}",
        "(btc/usdt < {} and eth/usdt > {}) for 2m",
    ]
    rules = data.draw(
        st.lists(
            st.builds(
                lambda form, a, b, life: form.format(a, b) + life,
                st.sampled_from(forms),
                LEVELS,
                LEVELS,
                LIVES,
            ),
            min_size=1,
            max_size=3,
        )
    )
    rules.append("btc/usdt > eth/usdt repeat cooldown 1m")
    expected, actual = Told([], [], [], [], []), Told([], [], [], [], [])
    partition, lives = fresh(rules, btc[0].open)
    run(partition, lives, whole(series), expected)
    partition, lives = fresh(rules, btc[0].open)
    run(partition, lives, data.draw(looks(series)), actual, restart=lambda: data.draw(st.integers(0, 5)) == 0)
    assert sorted(actual.rings) == sorted(expected.rings)


@settings(max_examples=150, deadline=None)
@given(
    bars=histories(), level=LEVELS, is_below=st.booleans(), cooldown=st.integers(1, 6), is_eager=st.booleans()
)
def test_a_loop_over_every_minute_agrees_on_every_ring(
    bars: list[Bar], level: int, is_below: bool, cooldown: int, is_eager: bool
) -> None:
    """The rule of thumb that a trader would check by hand, written for this test alone."""
    rule = f"btc/usdt {'<' if is_below else '>'} {level} repeat cooldown {cooldown}m"
    sign = 1 if is_below else -1
    armed = is_eager or sign * bars[0].open >= sign * level
    quiet_until = -1
    expected = []
    for bar in bars:
        touch, far = (bar.low, bar.high) if is_below else (bar.high, bar.low)
        is_true, is_clear = sign * touch < sign * level, sign * far >= sign * level
        opens_clear, closes_clear = sign * bar.open >= sign * level, sign * bar.close >= sign * level
        if is_true and (armed or opens_clear) and bar.at >= quiet_until:
            expected.append(bar.at)
            quiet_until, armed = bar.at + cooldown * MINUTE, closes_clear
        else:
            armed = armed or is_clear
    told = Told([], [], [], [], [])
    partition, lives = fresh([rule], bars[0].open, {0} if is_eager else NOBODY)
    run(partition, lives, whole({BTC: bars}), told)
    assert [ring[2] for ring in told.rings] == expected


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_index_names_everybody_whom_a_range_of_prices_may_concern(data: st.DataObject) -> None:
    price = st.integers(0, 20).map(float)
    index, gaps = ThresholdIndex(), {}
    for many in data.draw(st.lists(st.sampled_from([1, 1, 1, 40]), min_size=1, max_size=20)):
        first, moves = data.draw(st.integers(0, 10)), []
        for arming in range(first, first + many):
            ends = sorted([data.draw(price), data.draw(price)])
            choices = [Gap(*ends), EVERYWHERE, NOWHERE, Gap(ends[0], EVERYWHERE.ceiling), None]
            gap = data.draw(st.sampled_from(choices))
            moves.append(Move(arming, gaps.pop(arming, None), gap))
            if gap is not None:
                gaps[arming] = gap
        index.move(moves)
    assert len(index) == len(gaps)
    assert set(index.armings) == gaps.keys()
    low, high = sorted([data.draw(price), data.draw(price)])
    expected = {arming for arming, gap in gaps.items() if low <= gap.floor or high >= gap.ceiling}
    assert set(index.concerned(low, high)) == expected
    if index.band.floor < low and high < index.band.ceiling:
        assert expected == {arming for arming, gap in gaps.items() if gap == NOWHERE}


@given(st.floats(0, 10), st.lists(st.integers(0, 10).map(float), max_size=6, unique=True))
def test_a_price_rests_strictly_between_its_breaks_or_on_one(price: float, breaks: list[float]) -> None:
    gap = gap_around(price, tuple(sorted(breaks)))
    assert gap == Gap(price, price) if price in breaks else gap.floor < price < gap.ceiling
    assert not any(gap.floor < level < gap.ceiling for level in breaks)


@settings(max_examples=100, deadline=None)
@given(bars=histories(), rule=RULES)
def test_episodes_count_without_a_gap(bars: list[Bar], rule: str) -> None:
    told = Told([], [], [], [], [])
    partition, lives = fresh([rule], bars[0].open)
    run(partition, lives, whole({BTC: bars}), told)
    assert [ring[1] for ring in told.rings] == list(range(1, len(told.rings) + 1))


def test_a_quiet_price_touches_nobody() -> None:
    index = ThresholdIndex()
    for arming in range(1000):
        index.move([Move(arming, None, Gap(100 - arming / 100 - 1, 101 + arming / 100))])
    assert index.band == Gap(99, 101)
    assert list(index.concerned(99.5, 100.5)) == []
    assert len(list(index.concerned(98.5, 100.5))) == 51


def test_a_plan_that_was_dropped_is_planned_again_just_so() -> None:
    partition, _ = fresh(["btc/usdt < 100"], 105)
    partition.observe(batch({BTC: [Bar(START, 105, 105, 99, 99)]}))
    first, second = partition.plan(), partition.plan()
    assert first == second
    partition.apply(second)
    assert partition.plan().told == []


def judge(partition: Partition, bars: Mapping[MetricKey, Sequence[Bar]]) -> Plan:
    """Bring minutes, judge them, and take the plan over."""
    partition.observe(batch(bars))
    plan = partition.plan()
    partition.apply(plan)
    return plan


@pytest.mark.parametrize("at_once", [1, 5])
def test_an_alert_whose_time_is_over_is_told_once_and_the_minutes_go_on(at_once: int) -> None:
    partition = Partition()
    partition.add(1, life_of("btc/usdt < 50 until 2025-11-12T12:02Z", 105), None)
    told = []
    for count in range(at_once, 11, at_once):
        told += judge(partition, {BTC: minutes(*[105.0] * count)}).told
    assert [type(transition) for _, transition in told] == [Ended]
    state, life = partition.state(1), partition.life(1)
    again = Partition()
    again.add(1, life, state)
    assert judge(again, {BTC: minutes(*[40.0] * 20)}).told == []


def test_a_time_that_is_over_is_told_although_the_series_came_long_after_the_others() -> None:
    partition = Partition()
    partition.add(1, life_of("btc/usdt < 50 until 2025-11-12T12:02Z", 105), None)
    partition.add(2, life_of("eth/usdt < 50", 105), None)
    judge(partition, {BTC: minutes(105.0), ETH: minutes(105.0)})
    assert judge(partition, {ETH: minutes(*[105.0] * 20)}).told == []
    (told,) = judge(partition, {BTC: minutes(*[105.0] * 20)}).told
    assert isinstance(told[1], Ended)


def test_a_restart_reads_again_what_a_rule_of_two_instruments_had_not_judged() -> None:
    lives = {1: life_of("btc/usdt < 10", 105), 2: life_of("btc/usdt < 100 and eth/usdt < 100", 105)}
    partition = Partition()
    stored = {number: partition.add(number, life, None) for number, life in lives.items()}
    first = judge(partition, {BTC: minutes(99.0, 99.0), ETH: minutes(105.0, 105.0)})
    plan = judge(partition, {BTC: minutes(99.0, 99.0, 99.0)})  # the third minute of eth is not there yet
    for one in (first, plan):
        stored |= {number: one.states[number] for number in one.changed}
    again = Partition()
    for number, life in lives.items():
        state = again.resume_from(life, stored[number], plan.judged_to)
        assert again.missing(life, state) == []
        again.add(number, life, state)
    wants = {want.key: want.since for want in again.wants()}
    bars = {BTC: minutes(*[99.0] * 4), ETH: minutes(105.0, 105.0, (105.0, 105.0, 95.0, 105.0), 105.0)}
    runs = {key: [bar for bar in run if bar.at >= wants[key]] for key, run in bars.items()}
    ((number, ring),) = judge(again, runs).told
    assert number == 2
    assert isinstance(ring, Ring)


def test_a_series_that_is_caught_up_a_batch_later_is_waited_for() -> None:
    partition = Partition()
    partition.add(1, life_of("btc/usdt < 100 and eth/usdt < 100", 105), None)
    judge(partition, {BTC: minutes(105.0), ETH: minutes(105.0)})
    fell = minutes(*[105.0] * 5, *[99.0] * 3, *[105.0] * 60)
    assert judge(partition, {BTC: fell}).told == []
    ((_, ring),) = judge(partition, {ETH: fell}).told
    assert isinstance(ring, Ring)
    assert ring.at == START + 5 * MINUTE


def test_the_minutes_just_before_the_making_that_nobody_saw_do_not_count() -> None:
    life = life_of("btc/usdt < 100 for 4m", 95, made_at=START + 3 * MINUTE)
    partition = Partition()
    for stretch in partition.missing(life, None):
        partition.preload(life, stretch, minutes(95.0, 95.0))  # the third is not final yet
    partition.add(1, life, None)
    first = minutes(95.0, start=START + 3 * MINUTE)
    assert judge(partition, {BTC: first}).told == []
    ((_, ring),) = judge(partition, {BTC: [*first, *minutes(95.0, start=START + 4 * MINUTE)]}).told
    assert ring.at == START + 5 * MINUTE


def test_an_arming_that_cannot_be_judged_does_not_silence_the_others() -> None:
    class Broken:
        def judge(self, *_: object) -> object:
            raise ZeroDivisionError

    partition = Partition()
    life = life_of("btc/usdt < 100", 105)
    partition.add(1, replace(life, node=Broken(), clear=life.clear), AlertState(cursor=START))
    partition.add(2, life, None)
    plan = judge(partition, {BTC: minutes(99.0)})
    assert list(plan.broken) == [1]
    assert [number for number, _ in plan.told] == [2]
    assert judge(partition, {BTC: minutes(99.0, 99.0)}).broken == {}
