"""The benchmarks, on little: that they measure what they say. Never a time."""

from __future__ import annotations

import json

import pytest

from bot.backtest import Replay
from bot.engine.past import Past
from bot.metrics import MINUTE
from bot.rules import parse
from tests.benchmarks import __main__ as program
from tests.benchmarks.rows import BTC, HOUR, INDICATORS, ORDINARY, PRICE, Row, Sizes, memory, rows, walk

SMALL = Sizes(
    parses=3,
    minutes=40_000,
    rules=60,
    hours=240,
    rings=1,
    followers=50,
    platforms=("Telegram",),
    typists=2,
    rounds=1,
    markets=10,
    seconds=0.4,
    kept_markets=5,
    kept_hours=4,
    kept_minutes=60,
)


def test_every_goal_of_speed_has_its_row() -> None:
    found = list(rows(SMALL))
    assert [row.goal for row in found] == [0.5, 5.0, 15.0, 60.0, 1.25, 2.0, 1.0, 1.0, 6.0, 50.0, 1.1]
    for row in found:
        assert row.figure > 0
        assert row.baseline > 0
        assert row.ratio == row.figure / row.baseline
    by_name = {row.name.split(" (")[0]: row for row in found}
    assert by_name["40,000 minutes through a price rule"].rings > 0
    assert by_name["240 hours through 60 rules"].rings > 0


def test_what_is_measured_are_the_rules_that_are_named() -> None:
    assert str(parse(ORDINARY)) == ORDINARY
    assert str(parse(PRICE)) == PRICE
    assert str(parse(INDICATORS)) == INDICATORS


def test_the_walk_is_the_same_each_time_and_rings_both_rules() -> None:
    assert list(walk(50, MINUTE)) == list(walk(50, MINUTE))
    hours = list(walk(8760, HOUR))
    for rule in (PRICE, INDICATORS):
        assert sum(1 for _ in Replay([parse(rule)], Past({BTC: hours}))) > 0


def test_memory_does_not_grow_with_the_hours() -> None:
    assert memory(20, 6000).ratio < 1.25


def test_a_goal_bounds_the_figure_or_the_ratio() -> None:
    assert Row("a", 2.0, 1.0, 2.0).reached
    assert not Row("a", 2.1, 1.0, 2.0).reached
    assert Row("a", 20.0, 10.0, 2.0, is_of_ratio=True).reached
    assert not Row("a", 21.0, 10.0, 2.0, is_of_ratio=True).reached


@pytest.mark.parametrize("words", [["--json"], []])
def test_rows_are_printed_for_programs_and_for_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    made = [Row("a (s)", 2.0, 1.0, 3.0), Row("b (MB)", 4.0, 1.0, 3.0, is_of_ratio=True)]
    monkeypatch.setattr(program, "rows", lambda sizes: iter(made))
    monkeypatch.setattr("sys.argv", ["benchmarks", *words])
    program.main()
    lines = capsys.readouterr().out.splitlines()
    if words:
        assert [json.loads(line) for line in lines] == [row.facts() for row in made]
        assert list(json.loads(lines[0])) == ["name", "figure", "baseline", "ratio", "goal", "reached"]
    else:
        assert [line.rpartition(" ")[2] for line in lines[1:]] == ["reached", "MISSED"]
