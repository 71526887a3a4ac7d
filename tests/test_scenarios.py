"""Every scenario on every platform that it is for, over the wire; ``playing.py`` tells how they read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.demo.exchange import BinanceExchange
from tests.conftest import NOON
from tests.playing import JumpingClock, Scenario, played, read
from tests.test_end_to_end import Market
from tests.wire.prices import Ticks

SCENARIOS = [read(path) for path in sorted((Path(__file__).parent / "scenarios").glob("*.txt"))]
PLAYED = [(scenario, platform) for scenario in SCENARIOS for platform in scenario.platforms]
RATE = 40


async def play(scenario: Scenario, platform: str, database: str) -> None:
    clock = JumpingClock(NOON, RATE)
    ticks = Ticks(clock, 104_000)
    async with (
        BinanceExchange(ticks, ["btc/usdt", "eth/usdt"], clock.now, opened_at=NOON - 2 * 86_400) as exchange,
        played(scenario, platform, Market(ticks, exchange), clock) as stage,
    ):
        await stage.run(database)


@pytest.mark.parametrize(("scenario", "platform"), PLAYED, ids=[f"{one.name}-{on}" for one, on in PLAYED])
async def test_a_scenario_goes_as_it_is_written(scenario: Scenario, platform: str, database: str) -> None:
    await play(scenario, platform, database)


@pytest.mark.parametrize("answer", ["12:00:00  bot < Something else.\n", ""])
async def test_a_scenario_that_goes_otherwise_fails(
    answer: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.playing._PATIENCE", 0.5)
    path = tmp_path / "other.txt"
    path.write_text(f"people: ann member\n12:00:00  ann > /levels\n{answer}")
    with pytest.raises(AssertionError, match="No levels yet"):
        await play(read(path), "console", database)


def test_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.txt"
    path.write_text("12:00:00  ann > /levels\nand then\n")
    with pytest.raises(ValueError, match=r"odd.txt, line 2: and then"):
        read(path)
