"""Rules of derived series are asked where a value reaches a number, and live as if asked at every close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.candles import Candles
from bot.engine.life import Life
from bot.engine.partition import Partition
from bot.engine.plan import Plan
from bot.engine.shelf import Derived
from bot.engine.state import AlertState, Reminder, Ring, Transition
from bot.engine.world import Stretch, World
from bot.metrics import MINUTE, Bar, Bars, Batch, MetricKey, join, runs
from tests.markets import BTC, ETH, START, histories, life_of, minutes

LEVELS = st.integers(97, 103)
VALUES = st.sampled_from(
    [
        *("close({}, 3m)", "low({}, 1m)", "high({}, 5m)", "sma({}, 2, 3m)", "sma({}, 3, 1m)"),
        *("sma({}, 2, 5m)", "bb_upper({}, 2, 1, 3m)", "bb_lower({}, 3, 2, 1m)"),
    ]
)
OPERATORS = st.sampled_from(["<", "<=", ">", ">="])


def compared(of: str) -> st.SearchStrategy[str]:
    values = st.builds("{} {} {}".format, VALUES.map(lambda text: text.format(of)), OPERATORS, LEVELS)
    shares = st.builds(f"rsi({of}, 2, 1m) {{}} {{}}".format, OPERATORS, st.sampled_from([30, 50, 80]))
    return st.one_of(values, shares)


CONDITIONS = st.one_of(
    compared("btc/usdt"),
    st.builds("{} and {}".format, compared("btc/usdt"), compared("btc/usdt")),
    st.builds("{} or not {}".format, compared("btc/usdt"), compared("eth/usdt")),
    st.builds("2 of ({}, {}, {})".format, *(compared(of) for of in ("btc/usdt", "eth/usdt", "btc/usdt"))),
    st.builds("{} crosses {}".format, VALUES.map(lambda text: text.format("btc/usdt")), LEVELS),
    st.builds("({}) for {}m".format, compared("btc/usdt"), st.integers(1, 6)),
    st.builds("{} and btc/usdt < {}".format, compared("btc/usdt"), LEVELS),
)
OPTIONS = st.sampled_from(
    [
        *(
            "",
            " repeat cooldown 1m",
            " repeat",
            " repeat rearm 1%",
            " repeat cooldown 4m rearm 1",
            " resolve",
        ),
        *(" repeat cooldown 2m remind 3m resolve", " repeat until 2025-11-12T12:20Z"),
    ]
)
RULES = st.builds("{}{}".format, CONDITIONS, OPTIONS)


def stepped(life: Life) -> Life:
    """Give the same life, to be asked at every close."""
    return replace(life, derived={})


def known(bars: Sequence[Bar], stretch: Stretch) -> list[Bar]:
    return list(join([bar for bar in bars if stretch.since <= bar.at < stretch.until], stretch.span))


def taken_in(partition: Partition, arming: int, life: Life, state: AlertState | None, past: dict) -> None:
    for stretch in partition.missing(life, state):
        partition.preload(life, stretch, known(past[stretch.key], stretch))
    partition.add(arming, life, state)


def judged(partition: Partition, bars: dict[MetricKey, list[Bar]]) -> Plan:
    """Judge what is wanted of some bars, which may have holes."""
    wanted = {want.key: want.since for want in partition.wants()}
    fresh = {key: [bar for bar in bars[key] if bar.at >= since] for key, since in wanted.items()}
    shown = tuple(Bars(key, run) for key, some in fresh.items() for run in runs(some))
    partition.observe(Batch("made", max((run.bars[-1].end for run in shown), default=START), shown))
    plan = partition.plan()
    partition.apply(plan)
    return plan


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_who_is_asked_where_values_reach_numbers_lives_as_who_is_asked_at_every_close(
    data: st.DataObject,
) -> None:
    series = {key: data.draw(histories(most=40)) for key in (BTC, ETH)}
    holes = {key: data.draw(st.sets(st.integers(10, 39), max_size=3)) for key in series}
    past = {key: minutes(*[bars[0].open] * 20, start=START - 20 * MINUTE) for key, bars in series.items()}
    rules = data.draw(st.lists(RULES, min_size=1, max_size=6))
    eager = data.draw(st.sets(st.integers(0, 5), max_size=2))
    lives = {
        number: life_of(rule, series[BTC][0].open, is_eager=number in eager)
        for number, rule in enumerate(rules)
    }
    partitions = Partition(), Partition()
    sides = lives, {number: stepped(life) for number, life in lives.items()}
    for partition, side in zip(partitions, sides, strict=True):
        for number, life in side.items():
            taken_in(partition, number, life, None, past)
    done, judged_to = dict.fromkeys(series, 0), {}
    while any(done[key] < len(bars) for key, bars in series.items()):
        for key, bars in series.items():
            stop = done[key] + data.draw(st.integers(0 if len(past[key]) > 25 else 1, 7))
            some = enumerate(bars[done[key] : stop], done[key])
            past[key] += [bar for place, bar in some if place not in holes[key]]
            done[key] = min(stop, len(bars))
        plans = [judged(partition, past) for partition in partitions]
        assert plans[0].told == plans[1].told
        assert not plans[0].broken
        assert plans[0].judged_to == plans[1].judged_to
        judged_to |= plans[0].judged_to
        states = [
            {number: replace(partition.state(number), cursor=0) for number in lives}
            for partition in partitions
        ]
        assert states[0] == states[1]
        if data.draw(st.integers(0, 4)) == 0:
            again = Partition(), Partition()
            for before, partition, side in zip(partitions, again, sides, strict=True):
                for number, life in side.items():
                    state = partition.resume_from(life, before.state(number), judged_to)
                    taken_in(partition, number, life, state, past)
            partitions = again


def walked(
    rule: str, *closes: float, count: int = 1
) -> tuple[Partition, list[tuple[int, Transition]], list[int]]:
    """Judge a rule at candles of five minutes; gives whom it told, and how many were judged at each."""
    partition = Partition()
    for arming in range(count):
        partition.add(arming, life_of(rule.format(arming), closes[0]), None)
    told, asked = [], []
    for place, close in enumerate(closes):
        plan = judged(partition, {BTC: minutes(*[close] * 5, start=START + 5 * place * MINUTE)})
        told += plan.told
        asked.append(len(plan.states))
    return partition, told, asked


def test_a_quiet_value_asks_nobody_and_one_that_reaches_a_number_asks_whose_it_is() -> None:
    _, told, asked = walked("close(btc/usdt, 5m) < 9{}", 101, 102, 101, 100.5, 94.5, 94.7, 101, count=10)
    assert asked == [10, 0, 0, 0, 5, 0, 5]
    assert [arming for arming, _ in told] == [5, 6, 7, 8, 9]
    assert {type(one) for _, one in told} == {Ring}


def test_a_reminder_comes_by_the_clock_although_the_value_rests() -> None:
    rule = "close(btc/usdt, 5m) < 100 repeat cooldown 5m remind 10m"
    _, told, _ = walked(rule, 101, 99, 99, 99, 99, 99)
    assert [type(one) for _, one in told] == [Ring, Reminder, Reminder]


def test_what_is_still_true_as_its_cooldown_ends_rings_then() -> None:
    rule = "close(btc/usdt, 5m) < 100 repeat cooldown 20m"
    _, told, asked = walked(rule, 101, 99, 101, 99, 99, 99, 99, 99)
    assert [one.at - START for _, one in told] == [10 * MINUTE, 30 * MINUTE]
    assert asked == [1, 1, 1, 1, 1, 1, 0, 0]


def test_each_derived_series_is_reckoned_once_a_candle_and_no_longer_than_somebody_compares_it() -> None:
    partition, life = Partition(), life_of("sma(btc/usdt, 2, 5m) < 90", 100)
    for arming in range(50):
        partition.add(arming, life, None)
    other = life_of("sma(btc/usdt, 3, 5m) < 90", 100)
    partition.add(50, other, None)
    shelf = partition._world.shelf
    name = Derived(BTC, 300, "sma", (2.0,))
    assert list(shelf.followed(name.frame)) == [name, Derived(BTC, 300, "sma", (3.0,))]
    judged(partition, {BTC: minutes(*[100.0] * 20)})
    assert shelf.computations == 0, "nobody asked beside the looks"
    for arming in range(50):
        partition.remove(arming)
    assert list(shelf.followed(name.frame)) == [Derived(BTC, 300, "sma", (3.0,))]
    partition.remove(50)
    with pytest.raises(KeyError):
        shelf.followed(name.frame)
    assert judged(partition, {BTC: minutes(100.0, start=START + 20 * MINUTE)}).told == []


def test_two_lines_of_one_call_are_what_each_is_alone() -> None:
    partition = Partition()
    past = minutes(*(100 + place % 7 for place in range(40)), start=START - 40 * MINUTE)
    for arming, name in enumerate(["bb_upper", "bb_lower", "bb_upper"]):
        taken_in(
            partition, arming, life_of(f"{name}(btc/usdt, 5, {arming + 1}, 1m) < 9", 100), None, {BTC: past}
        )
    candles, shelf = partition._world.candles[BTC, MINUTE], partition._world.shelf
    names = list(shelf.followed((BTC, MINUTE)))
    [row] = shelf.followed((BTC, MINUTE)).look(candles, [START])
    alone = World().shelf
    assert row == [alone.value(name, candles, START) for name in names]
    assert [shelf.value(name, candles, START) for name in names] == row


def test_history_of_short_candles_leaves_no_hole_in_long_ones() -> None:
    """Short candles that are asked for later reach back to before the long ones that are known."""
    world = World()
    world.follow(BTC, [300, 900])
    past = minutes(*[100.0] * 3000, start=START - 3000 * MINUTE)
    world.preload(
        Stretch(BTC, START - 50 * 900, START, 900), known(past, Stretch(BTC, START - 50 * 900, START, 900))
    )
    older = Stretch(BTC, START - 450 * 300, START - 400 * 300, 300)
    world.preload(older, known(past, older))
    long: Candles = world.candles[BTC, 900]
    assert len(long.columns().ats) == len(long) == 50
