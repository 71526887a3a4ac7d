"""A look at very many series, judged in parts so that chats have their turn between them."""

from __future__ import annotations

import pytest

from bot.engine.partition import Partition
from bot.metrics import MINUTE, Bars, Batch, Bounds, MetricKey, Print, Unseen
from tests.markets import START, life_of, minutes

NAMES = ("ada", "btc", "eth", "sol", "xrp")
KEYS = tuple(MetricKey("price", f"{name}/usdt") for name in NAMES)


def whole() -> Batch:
    bars = tuple(Bars(key, tuple(minutes(100, 90, 100)), "binance") for key in KEYS[:4])
    bounds = (
        Bounds(KEYS[4], START, START + 2 * MINUTE, 99.0, 101.0),
        Bounds(KEYS[0], START - MINUTE, START, 1, 2),
    )
    prints = tuple(Print(key, 101.0, START + 200.0) for key in KEYS)
    return Batch(
        "binance", START + 201.0, bars, prints, bounds=bounds, unseen=(Unseen(KEYS[4], "it is quiet"),)
    )


@pytest.mark.parametrize("most", [1, 2, 3])
def test_the_parts_of_a_batch_are_the_batch_and_only_the_last_tells_of_the_present(most: int) -> None:
    batch = whole()
    parts = list(batch.parts(most))
    assert [part.has_more for part in parts] == [True] * (len(parts) - 1) + [False]
    assert tuple(run for part in parts for run in part.bars) == batch.bars
    assert {bound for part in parts for bound in part.bounds} == set(batch.bounds)
    for part in parts:
        assert len({one.key for one in (*part.bars, *part.bounds)}) <= most
        assert (part.source, part.at) == (batch.source, batch.at)
    assert all(not (part.prints or part.unseen) for part in parts[:-1])
    assert (parts[-1].prints, parts[-1].unseen) == (batch.prints, batch.unseen)


def test_a_batch_of_few_series_is_left_whole() -> None:
    assert list(whole().parts(5)) == [whole()]
    assert list(Batch("binance", 1.0).parts(5)) == [Batch("binance", 1.0)]


RULES = (
    "ada/usdt < 95",
    "ada/usdt < 95 and sol/usdt < 95",
    "btc/usdt - eth/usdt > 5",
    "sol/usdt / ada/usdt > 2",
    "btc/usdt < 95 or xrp/usdt < 50",
)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_rules_over_several_series_ring_the_same_in_parts(most: int) -> None:
    armings = Partition()
    for number, rule in enumerate(RULES):
        armings.add(number, life_of(rule, 100.0, made_at=START), None)
    told = []
    for part in whole().parts(most):
        armings.observe(part)
        plan = armings.plan()
        armings.apply(plan)
        told += [(arming, type(one).__name__, one.at) for arming, one in plan.told]
    assert {arming for arming, _, _ in told} >= {0, 1}
    assert sorted(told) == sorted(_told_at_once())


def _told_at_once() -> list[tuple[int, str, float]]:
    armings = Partition()
    for number, rule in enumerate(RULES):
        armings.add(number, life_of(rule, 100.0, made_at=START), None)
    armings.observe(whole())
    return [(arming, type(one).__name__, one.at) for arming, one in armings.plan().told]
