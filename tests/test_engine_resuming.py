"""States that another version of the engine wrote: what they rang is kept, their memory begins anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.engine.partition import Partition
from bot.engine.state import AlertState, Grounds, Memory
from bot.metrics import MINUTE, Bar
from tests.markets import BTC, START, batch, life_of, minutes

LATER = START + 10 * MINUTE


def resumed(rule: str, state: AlertState, past: list[Bar]) -> Partition:
    partition, life = Partition(), life_of(rule, 105)
    for stretch in partition.missing(life, state):
        bars = [bar for bar in past if stretch.since <= bar.at < stretch.until]
        partition.preload(life, stretch, bars)
    partition.add(1, life, state)
    return partition


def told(partition: Partition, *prices: float) -> list[object]:
    partition.observe(batch({BTC: minutes(*prices, start=LATER)}))
    plan = partition.plan()
    partition.apply(plan)
    assert not plan.broken
    return [transition for _, transition in plan.told]


@pytest.mark.parametrize("memory", [(), (1.0,), (1.0, None, 3.0, 4.0, 5.0)])
def test_a_time_that_ran_goes_on_from_the_history_where_its_memory_does_not_fit(memory: Memory) -> None:
    state = AlertState(LATER, is_armed=True, memory=memory)
    past = minutes(105, *[95] * 9)
    assert len(told(resumed("btc/usdt < 100 for 3m", state, past), 95)) == 1
    assert told(resumed("btc/usdt < 100 for 3m", state, minutes(*[105] * 10)), 95, 95) == []


def test_a_memory_that_fits_is_taken_as_it_is() -> None:
    held = AlertState(LATER, is_armed=True, memory=(float(LATER - 2 * MINUTE), 0.0, 0.0))
    assert len(told(resumed("btc/usdt < 100 for 3m", held, []), 95)) == 1


@pytest.mark.parametrize("memory", [(), (1.0, 2.0, 3.0)])
@pytest.mark.parametrize("rule", ["btc/usdt crosses 100", "btc/usdt every 1000", "btc/usdt enters 90 .. 100"])
def test_a_pulse_without_its_memory_sees_what_comes_and_rings_for_nothing_else(
    rule: str, memory: Memory
) -> None:
    state = AlertState(LATER, is_armed=True, memory=memory)
    assert told(resumed(f"{rule} repeat cooldown 1m", state, []), 105, 105) == []


def test_a_crossing_without_its_memory_is_seen_from_the_next_open() -> None:
    state = AlertState(LATER, is_armed=True, memory=(1.0, 2.0, 3.0))
    assert len(told(resumed("btc/usdt crosses 100", state, []), 105, 99)) == 1


def test_what_was_rung_is_kept_and_nothing_of_it_is_taken_back() -> None:
    grounds = Grounds(START, 60, 0, 99.0, 0, (None, 1), (None, None, None), (1.0, 2.0))
    state = AlertState(LATER, False, True, 4, float(START), (1.0, 2.0), None, 1, False, float(START), grounds)
    partition = resumed("btc/usdt < 100 repeat resolve", state, [])
    assert partition.state(1) == replace(state, memory=(), grounds=None)
    assert told(partition, 99, 99) == []
