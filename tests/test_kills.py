"""A bot that is killed again and again, and one that meets every fault: nothing is lost, and no order broken.

Long runs are commands: ``python -m tests.kills`` and ``python -m tests.fault_tape``.
"""

from __future__ import annotations

from pathlib import Path

from tests import fault_tape, kills

KILLS = 4
RULES = (kills.RULES[0], kills.RULES[4], kills.RULES[-1])
RINGS = 200


async def test_what_the_true_market_rang_is_told_over_kills_and_only_what_was_in_flight_twice(
    tmp_path: Path,
) -> None:
    figures = await kills.run(KILLS, 3, tmp_path, RULES)
    assert figures.faults == []
    assert figures.rings > 0


async def test_every_ring_is_told_in_order_over_all_faults_and_an_outage_is_made_up_for_in_time(
    tmp_path: Path,
) -> None:
    figures = await fault_tape.run(RINGS, 1, tmp_path, outage=60.0)
    assert figures.faults == []
    assert figures.told + figures.refused + figures.away == figures.rings
    assert sum(met["outage"] for met in figures.met.values()) > 0
