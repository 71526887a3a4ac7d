"""Rules judged on made markets: each has its sentence, its verdicts in every minute, and what it tells."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import pytest

from bot.alerts.translator import ENGLISH
from bot.backtest import firing_of
from bot.commands.examples import EXAMPLES
from bot.rules import FUNCTIONS, Condition, Options, english, explain, parse, read, tree
from tests.golden import (
    Case,
    asked,
    cases,
    expected_told,
    expected_verdicts,
    listen,
    rows,
    shown,
    told,
    unexplained,
    whys,
)

ALL: list[Case] = [param.values[0] for param in cases()]
README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", cases())
def test_what_is_typed_becomes_its_canonical_text_and_explains_itself(case: Case) -> None:
    for text in case.texts:
        assert str(read(text).rule) == case.canonical, text
    assert str(parse(case.canonical)) == case.canonical
    assert english(explain(parse(case.canonical))) == case.table["sentence"]


@pytest.mark.parametrize("case", cases())
def test_a_rule_tells_what_its_market_holds_and_nothing_else_and_says_why(case: Case) -> None:
    transitions = told(case)
    if "first" in case.table:
        assert shown(transitions, [])[0][1][len("2025-") :].startswith(case.table["first"])
    else:
        expected = expected_told(case)
        assert shown(transitions, expected) == expected
    for one in transitions:
        firing = firing_of(one, case.rule, case.canonical, ENGLISH)
        assert firing is None or firing.because


@pytest.mark.parametrize(
    "case", [param for param in cases() if {"verdicts", "asked"} & param.values[0].table.keys()]
)
def test_every_minute_has_its_verdict_whether_the_alert_rests_or_not(case: Case) -> None:
    verdicts, answers, transitions = listen(case)
    if "verdicts" in case.table:
        assert verdicts == expected_verdicts(case)
    assert answers == [letters for _, letters in asked(case)]
    assert transitions == told(case)


@pytest.mark.parametrize("case", [param for param in cases() if "why" in param.values[0].table])
def test_what_is_unknown_is_so_for_a_reason(case: Case) -> None:
    assert whys(case) == case.table["why"]


@pytest.mark.parametrize(
    "case", [param for param in cases() if "?" in param.values[0].table.get("verdicts", "")]
)
def test_nothing_is_unknown_without_a_reason(case: Case) -> None:
    assert unexplained(case) == []


# --- nothing of the language is without a case --------------------------------------------------------------


def parts(node: Any) -> list[Any]:
    """List a tree's nodes."""
    if isinstance(node, tuple):
        return [part for one in node for part in parts(one)]
    if is_dataclass(node):
        return [node, *(part for one in fields(node) for part in parts(getattr(node, one.name)))]
    return [node]


NODES = [node for case in ALL for node in parts(parse(case.canonical))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_case_that_rings_and_a_verdict_that_is_not_true(name: str) -> None:
    call = re.compile(rf"\b{name}\(")
    using = [case for case in ALL if any(call.search(text) for text in (*case.texts, case.canonical))]
    assert any(case.table.get("told") for case in using)
    assert any({"F", "?"} & set(expected_verdicts(case)) for case in using if "verdicts" in case.table)


@pytest.mark.parametrize("kind", get_args(Condition), ids=lambda kind: kind.__name__)
def test_every_kind_of_condition_has_a_case(kind: type) -> None:
    assert any(type(node) is kind for node in NODES)


def test_every_direction_of_every_kind_has_a_case() -> None:
    ways = {(type(node).__name__, node.way) for node in NODES if hasattr(node, "way")}
    assert ways >= {(kind, way) for kind in ("Moves", "Every") for way in get_args(tree.Way)}
    assert ways >= {("Zone", "enters"), ("Zone", "leaves")}
    assert {node.side for node in NODES if isinstance(node, tree.Crosses)} == set(get_args(tree.Side))
    assert {node.op for node in NODES if isinstance(node, tree.Compare)} == set(get_args(tree.Op))
    assert {type(node.step) for node in NODES if isinstance(node, tree.Every)} == {tree.Number, tree.Percent}
    assert {type(node.duration) for node in NODES if isinstance(node, tree.Held)} == {
        tree.Duration,
        tree.Sessions,
    }


@pytest.mark.parametrize("option", [field.name for field in fields(Options)])
def test_every_option_has_a_case(option: str) -> None:
    unset = getattr(Options(), option)
    assert any(getattr(parse(case.canonical).options, option) != unset for case in ALL)


@pytest.mark.parametrize("typed", [example for _, example in EXAMPLES])
def test_every_example_of_the_help_has_a_case(typed: str) -> None:
    rule = read(typed).rule
    assert any(parse(case.canonical) == rule for case in ALL)


def said_in_the_readme() -> list[str]:
    section = README.partition("## What you can say\n")[2].partition("\nNumbers may be")[0]
    return [re.split(r" {2,}", line.strip())[0] for line in section.splitlines() if line.startswith("    ")]


@pytest.mark.parametrize("typed", said_in_the_readme())
def test_every_line_of_the_readme_has_a_case(typed: str) -> None:
    rule = read(typed).rule
    assert any(parse(case.canonical) == rule for case in ALL)


def test_every_row_has_a_case_and_every_case_a_row() -> None:
    found = {(param.id.partition(":")[0], param.values[0].table["row"]) for param in cases()}
    assert found == set(rows())
