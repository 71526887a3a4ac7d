"""The benchmarks, on little: that they measure what they say. Never a time."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from bot.backtest import Replay
from bot.engine.past import Past
from bot.metrics import MINUTE
from bot.rules import parse
from tests.benchmarks import __main__ as program
from tests.benchmarks.picture import draw, measure
from tests.benchmarks.row import Row, side_by_side
from tests.benchmarks.rows import TABLE, Measure, chosen
from tests.benchmarks.rules import BTC, HOUR, INDICATORS, ORDINARY, PRICE, memory, walk

SMALL: dict[str, dict[str, object]] = {
    "reading": {"count": 3},
    "backtest of a price": {"minutes": 40_000},
    "backtest of indicators": {"minutes": 40_000},
    "backtest of many": {"count": 60, "hours": 240},
    "memory of a backtest": {"count": 6, "hours": 2880},
    "finding among many": {"alerts": 5_000, "symbols": 20, "rounds": 1},
    "quiet among very many": {"few": 50, "many": 500, "symbols": 10, "rounds": 1},
    "finding very many": {"alerts": 200, "concerned": 50, "rounds": 1},
    "arming": {"alerts": 100, "moves": 5},
    "start with many": {"alerts": 60, "symbols": 3},
    "indicator rules": {"symbols": 2, "rules": 100, "rounds": 1},
    "several engines": {"alerts": 400, "series": 5, "batches": 2},
    "level moved": {"followers": 50},
    "many ring at once": {"alerts": 50},
    "crossing to another process": {"series": 5, "batches": 3, "rounds": 1},
    "ring latency by stream": {"rings": 1},
    "wire to telegram": {"rings": 1},
    "telegram sends": {"messages": 20, "rounds": 1},
    "chart": {"candles": 20, "rounds": 1},
    "loop lag": {"markets": 10, "seconds": 0.4},
    "bulk tickers of binance": {"markets": 10, "rounds": 1},
    "bulk tickers of okx": {"markets": 10, "rounds": 1},
    "bulk tickers of kraken": {"markets": 10, "rounds": 1},
    "memory kept by day": {"markets": 5, "hours": 4, "minutes": 60},
}
"""How little of each row is enough to see that it measures; a goal may well be missed with so little."""

LONG = {"start to ready", "telegram at a pace", "typing on Discord", "typing on Telegram"}
"""Which rows take long however little they measure: a whole bot begins, with Telegram's own waits."""

RINGS = {"backtest of a price", "backtest of many", "ring latency by stream"}
"""In which rows something must ring, else nothing was measured."""


@pytest.fixture(autouse=True)
def memory_laid_aside() -> Iterator[None]:
    """Lay aside again what a benchmark took up: nobody after it should look through all tests."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.freeze()


@pytest.mark.parametrize(
    "line", [line for line in TABLE if line.title not in LONG], ids=lambda line: line.title
)
def test_every_row_can_be_measured(line: Measure, request: pytest.FixtureRequest) -> None:
    if line.subject == "tape":
        request.getfixturevalue("nats_server")  # is skipped where there is none
    found = line(**SMALL[line.title])
    assert found
    for row in found:
        assert row.figure > 0
        assert row.baseline > 0
        assert row.goal > 0
        assert row.ratio == row.figure / row.baseline
        assert row.rings > 0 or line.title not in RINGS


def test_rows_are_chosen_by_a_word_of_their_subject_or_title() -> None:
    assert chosen([]) == list(TABLE)
    assert {one.title for one in chosen(["telegram"])} >= {"typing on Telegram"}
    assert "typing on Discord" not in {one.title for one in chosen(["telegram"])}
    assert {one.subject for one in chosen(["STORE", "feeds"])} == {"store", "feeds"}
    assert len({one.title for one in TABLE}) == len(TABLE)


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
    [row] = memory(20, 6000)
    assert row.ratio < 1.25


def test_a_goal_bounds_the_figure_or_the_ratio() -> None:
    assert Row("a", 2.0, 1.0, 2.0).reached
    assert not Row("a", 2.1, 1.0, 2.0).reached
    assert Row("a", 20.0, 10.0, 2.0, is_of_ratio=True).reached
    assert not Row("a", 21.0, 10.0, 2.0, is_of_ratio=True).reached
    assert [Row("a", 1.0, 1.0, goal, is_of_ratio=True).bound for goal in (1.3, 1 / 200)] == [
        "1.3 times",
        "1/200",
    ]


def test_two_things_are_timed_in_turn() -> None:
    order: list[str] = []
    side_by_side(lambda: order.append("it"), lambda: order.append("baseline"), 2)
    assert order == ["it", "baseline"] * 2


def _two() -> Iterator[Row]:
    yield Row("a (s)", 2.0, 1.0, 3.0)
    yield Row("b (MB)", 4.0, 1.0, 3.0, is_of_ratio=True)


def _process() -> Iterator[Row]:
    yield Row("process", os.getpid(), 1.0, 1.0)


def _none() -> Iterator[Row]:
    raise ValueError("no such market")


@pytest.mark.parametrize("words", [["--json"], ["--markdown"], []])
def test_rows_are_printed_for_programs_pages_and_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.setattr(program, "chosen", lambda words: [Measure("it", "two", _two)])
    monkeypatch.setattr(program, "measured", Measure.__call__)
    assert program.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    if words == ["--markdown"]:
        assert [line.count("|") for line in lines[2:]] == [6, 6, 6, 6]
        assert [line.endswith(", missed |") for line in lines[4:]] == [False, True]
    elif words:
        assert [json.loads(line) for line in lines] == [row.facts() for row in _two()]
        assert list(json.loads(lines[0])) == ["name", "figure", "baseline", "ratio", "goal", "reached"]
    else:
        assert [line.rpartition(" ")[2] for line in lines[1:]] == ["reached", "MISSED"]


def test_each_row_is_measured_in_a_process_of_its_own() -> None:
    [row] = program.measured(Measure("it", "process", _process))
    assert row.figure != os.getpid()


def test_a_row_that_cannot_be_measured_is_named_and_the_others_are_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [Measure("it", "none", _none), Measure("it", "two", _two)]
    monkeypatch.setattr(program, "chosen", lambda words: lines)
    monkeypatch.setattr(program, "measured", Measure.__call__)
    assert program.main(["--json"]) == 1
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 2
    assert "it: none: not measured: ValueError('no such market')" in told.err


def test_a_word_that_names_no_row_is_answered_with_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["nothing-like-it"]) == 1
    assert "  chats: typing on Telegram" in capsys.readouterr().err


def test_the_picture_shows_each_series_with_its_name() -> None:
    measured = measure([100, 1_000], symbols=5, rounds=1)
    assert [sorted(one) for one in measured.values()] == [[100, 1_000]] * 3
    drawn = ElementTree.fromstring(draw({**measured, "a < b": {100: 3e-6, 1_000: 3e-6}}))  # noqa: S314
    words = {one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {"every alert visited", "nobody concerned", "a < b", "1,000", "alerts"} <= words
