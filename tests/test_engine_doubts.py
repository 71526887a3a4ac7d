"""Whom a price concerns that nobody bears out."""

from __future__ import annotations

from bot.engine.partition import Partition
from bot.metrics import MINUTE, Bar, Bars, Batch, Doubt, Print
from tests.markets import BTC, START, life_of, minutes


def doubted(rule: str, bars: list[Bar], value: float, at: int, price: float = 105) -> tuple[int, ...]:
    """Give whom a doubt concerns that comes in one batch with these minutes."""
    partition = Partition()
    partition.add(1, life_of(rule, price), None)
    doubt = Doubt(BTC, value, at, "binance", "kraken shows 105")
    partition.observe(Batch("binance", bars[-1].end, (Bars(BTC, tuple(bars)),), doubts=(doubt,)))
    return tuple(arming for _, armings in partition.plan().doubted for arming in armings)


def test_a_doubt_concerns_whose_level_lies_before_it() -> None:
    assert doubted("btc/usdt < 100", minutes(105.0, 105.0), 90, START + MINUTE) == (1,)
    assert doubted("btc/usdt < 80", minutes(105.0, 105.0), 90, START + MINUTE) == ()


def test_who_was_armed_only_between_two_looks_is_told_of_a_doubt_between_them() -> None:
    bars = minutes(105.0, 99.0, 98.0, 105.0, 105.0, 99.0, 99.0)
    rule = "btc/usdt < 100 repeat cooldown 0m"
    assert doubted(rule, bars, 90, START + 4 * MINUTE, price=105) == (1,)
    rising = minutes(95.0, 95.0, 105.0, 105.0, 95.0)
    assert doubted("btc/usdt < 100", rising, 90, START + 3 * MINUTE, price=95) == (1,)


def test_who_had_rung_for_good_before_is_not_told_of_a_doubt() -> None:
    assert doubted("btc/usdt < 100", minutes(105.0, 99.0, 105.0, 105.0), 90, START + 3 * MINUTE) == ()


def test_an_early_ring_that_its_own_minute_bore_out_hides_no_doubt_of_the_next() -> None:
    partition = Partition()
    partition.add(1, life_of("btc/usdt < 100 repeat cooldown 0m", 105), None)
    early = Print(BTC, 99.0, START + 80)
    partition.observe(Batch("binance", START + 80, (Bars(BTC, tuple(minutes(105.0))),), prints=(early,)))
    plan = partition.plan()
    assert [transition.at for _, transition in plan.told] == [START + 80]
    partition.apply(plan)
    doubt = Doubt(BTC, 90, START + 2 * MINUTE, "binance", "kraken shows 105")
    final = Bar(START + MINUTE, 105.0, 105.0, 99.0, 105.0)
    clipped = Bar(START + 2 * MINUTE, 105.0, 105.0, 104.0, 105.0)
    partition.observe(Batch("binance", clipped.end, (Bars(BTC, (final, clipped)),), doubts=(doubt,)))
    assert [armings for _, armings in partition.plan().doubted] == [(1,)]


def test_a_doubt_within_the_minute_of_the_making_is_told() -> None:
    assert doubted("btc/usdt < 100", minutes(105.0, 105.0), 90, START) == (1,)


def test_an_alert_is_not_told_early_by_what_may_be_the_last_price_of_its_cooldown() -> None:
    partition = Partition()
    partition.add(1, life_of("btc/usdt < 100 repeat cooldown 3m", 105), None)
    bars = minutes(105.0, 99.0, 105.0, 99.0)
    partition.observe(Batch("binance", bars[-1].end, (Bars(BTC, tuple(bars)),)))
    plan = partition.plan()
    assert [transition.at for _, transition in plan.told] == [START + MINUTE]
    partition.apply(plan)
    told = []
    for second in (242, 302):
        partition.observe(Batch("binance", START + second, prints=(Print(BTC, 99.0, START + second),)))
        plan = partition.plan()
        told += [transition.at for _, transition in plan.told]
        partition.apply(plan)
    assert told == [START + 302]
