"""The index names exactly those who ring: a loop that visits every alert says the same."""

from __future__ import annotations

import pytest

from bot.engine import index
from tests.index_oracle import Trial


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
