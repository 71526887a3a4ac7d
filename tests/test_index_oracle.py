"""The index names exactly those who ring: a loop that visits every alert says the same."""

from __future__ import annotations

import pytest

from bot.engine import index
from bot.engine.partition import Partition
from bot.metrics import Print
from tests.index_oracle import Trial
from tests.markets import BTC, batch, life_of, minutes


@pytest.mark.parametrize("seed", range(3))
def test_exactly_those_ring_that_a_loop_over_all_alerts_names(seed: int) -> None:
    found = Trial(400, 12, seed).live(minutes=30, changes=8)
    assert found.differing == []
    assert found.told.keys() == {"early", "ring", "confirmed", "taken back"}
    assert found.judged < found.visited / 4, "most are not looked at"


def test_the_loop_sees_who_is_left_out_and_who_rings_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index.ThresholdIndex, "above", lambda self, high: ())
    found = Trial(200, 4, 0).live(minutes=10, changes=0)
    assert any("only the loop: ring" in one for one in found.differing)


def test_a_print_that_is_there_already_tells_early_whom_the_minutes_before_it_armed() -> None:
    """Who rests elsewhere by the minutes of a look is asked by its prints from there."""
    partition = Partition()
    partition.add(1, life_of("btc/usdt < 100", 95), None)
    fallen, risen = minutes(95.0, 95.0), minutes(95.0, 95.0, (95.0, 105.0, 95.0, 105.0))
    for bars, price, told in ((fallen, 96.0, 0), (risen, 99.0, 1)):
        partition.observe(batch({BTC: bars}, Print(BTC, price, bars[-1].end + 30.0)))
        plan = partition.plan()
        partition.apply(plan)
        assert len(plan.told) == told
