"""Playbooks as they are written: read, refused with a reason, and each that comes along rings."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.playbooks import LONGEST, MOST, RESERVED, Playbook, PlaybookError, read_playbook
from bot.rules import english, parse
from bot.shelf import SHIPPED, read_shelf
from tests.golden import DIRECTORY, Case, expected_told, shown, told

SHELF = read_shelf()
MARKETS: dict[str, dict[str, Any]] = tomllib.loads((DIRECTORY / "playbooks.toml").read_text())
RULES = [(book, part) for book in SHELF.books.values() for part in book.rules]
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,31}", fullmatch=True)
LEVELS = st.from_regex(r"at_[a-z0-9]{1,20}", fullmatch=True)


def fault(text: str, name: str = "mine") -> str:
    """Read what is no playbook, and give the reason."""
    with pytest.raises(PlaybookError) as caught:
        read_playbook(name, text)
    return str(caught.value)


def rule(text: str) -> str:
    return f'[rules]\nfloor = "{text}"\n'


# --- those that come along ----------------------------------------------------------------------------------


def test_five_playbooks_come_along_and_all_can_be_read() -> None:
    assert set(SHELF.books) == {"aggressive", "balanced", "conservative", "risk-off", "treasuries"}
    assert not SHELF.problems


def test_there_is_a_market_for_each_rule_that_comes_along_and_no_other() -> None:
    assert {(book, part) for book, parts in MARKETS.items() for part in parts} == {
        (book.name, part) for book, part in RULES
    }


@pytest.mark.parametrize(("book", "part"), RULES, ids=[f"{book.name}-{part}" for book, part in RULES])
def test_a_rule_that_comes_along_rings_in_its_market(book: Playbook, part: str) -> None:
    case = Case({"text": book.rules[part], "levels": book.levels, **MARKETS[book.name][part]}, {})
    expected = expected_told(case)
    assert expected
    assert shown(told(case), expected) == expected


def test_no_two_playbooks_that_come_along_give_one_level_two_values() -> None:
    values: dict[str, set[Decimal]] = {}
    for book in SHELF.books.values():
        for name, value in book.levels.items():
            values.setdefault(name, set()).add(value)
    assert not {name: found for name, found in values.items() if len(found) > 1}


# --- reading ------------------------------------------------------------------------------------------------


def test_rules_are_canonical_and_levels_exact() -> None:
    text = 'title = "Mine"\n[levels]\nfloor = 98_700.50\nlow = "98.7k"\nshare = 1e-3\n' + rule(
        "btc drops to @floor"
    )
    book = read_playbook("mine", text)
    assert book.levels == {"floor": Decimal("98700.50"), "low": Decimal(98700), "share": Decimal("0.001")}
    assert book.rules == {"floor": "btc <= @floor"}


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=120),
    st.dictionaries(LEVELS, st.decimals(-(10**9), 10**9, allow_nan=False, places=4), max_size=5),
    st.dictionaries(
        NAMES,
        st.sampled_from(["btc < 100k", 'eth > 3k repeat note "a \\\\ b \\" c"']),
        min_size=1,
        max_size=5,
    ),
)
def test_what_is_written_is_read_again(title: str, levels: dict[str, Decimal], rules: dict[str, str]) -> None:
    book = Playbook("mine", title, levels, {name: str(parse(one)) for name, one in rules.items()})
    assert read_playbook("mine", book.written()) == book


@given(st.text(max_size=200))
def test_any_text_is_a_playbook_or_has_a_reason(text: str) -> None:
    for tried in (text, rule(text), f"[levels]\n{text}\n{rule('btc < 1')}"):
        try:
            read_playbook("mine", tried)
        except PlaybookError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "It has no rules: write them under [rules], each with a name of its own."),
        ("[rules", "It is no TOML: "),
        ("[[[[" * 2000, "It is no TOML"),
        ("title = 7\n" + rule("btc < 1"), "Its title must be one line"),
        ('titel = "x"\n' + rule("btc < 1"), "It has titel, which means nothing there: did you mean title?"),
        ("rules = 3", "Its rules must stand in lines under [rules]."),
        (rule("btc <"), "The rule floor cannot be read. A number or a level must follow."),
        (
            rule("rsy(btc, 14, 4h) < 30"),
            "The rule floor cannot be read. There is no function rsy. Did you mean rsi?",
        ),
        (rule("btc < @low"), "follows @low, which has no value: write low = 98700 under [levels]."),
        (rule("btc < 1 until 7d"), "The rule floor has an end: leave until out"),
        ("[levels]\nlow =\n" + rule("btc < @low"), "It is no TOML: Invalid value (at line 2"),
        ("[levels]\nlow = ''\n" + rule("btc < @low"), "The level low has no value: write low = 98700."),
        ("[levels]\nlow = true\n" + rule("btc < @low"), "The level low has no value"),
        ("[levels]\nlow = nan\n" + rule("btc < @low"), "The level low has no value"),
        ("[levels]\nLow = 3\n" + rule("btc < 1"), "Low cannot be a level's name"),
        ("[levels]\nlow = 101\n" + rule("rsi(btc, 14, 4h) < @low"), "out of its range"),
        (rule("btc < 1") + 'floor = "btc < 2"\n', "Two of its rules or levels have one name"),
        (rule("btc < 1") + 'Floor = "btc < 2"\n', "Two of its rules are called Floor."),
        ('[rules]\n"a b" = "btc < 2"\n', "a b cannot be a rule's name"),
        ("[rules]\nfloor = 3\n", "The rule floor must stand in quotes"),
        ("[rules]\n" + "".join(f'r{n} = "btc < 1"\n' for n in range(MOST + 1)), f"more than {MOST} rules"),
        ("#" * (LONGEST + 1), "It has more than 16,384 characters."),
    ],
)
def test_what_is_no_playbook_is_refused_with_its_reason(text: str, reason: str) -> None:
    assert reason in fault(text)


@pytest.mark.parametrize("name", ["", "Big", "a b", "1", "x" * 33, "../etc", *sorted(RESERVED)])
def test_a_name_that_cannot_be_typed_or_means_something_else_is_refused(name: str) -> None:
    assert "cannot be a playbook's name" in fault(rule("btc < 1"), name)


# --- folders ------------------------------------------------------------------------------------------------


def test_the_operators_files_stand_before_those_that_come_along(tmp_path: Path) -> None:
    (tmp_path / "balanced.toml").write_text(rule("btc < 1"))
    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbf" + rule("btc < 2").replace("\n", "\r\n").encode())
    (tmp_path / "notes.txt").write_text("none")
    shelf = read_shelf(tmp_path)
    assert shelf.books["balanced"].rules == {"floor": "btc < 1"}
    assert shelf.books["mine"].rules == {"floor": "btc < 2"}
    assert shelf.books["aggressive"] == SHELF.books["aggressive"]


def test_a_file_that_cannot_be_used_is_left_out_and_logged_and_the_others_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "aggressive.toml").write_text("[rules")
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe9"')
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "no name.toml").write_text(rule("btc < 1"))
    (tmp_path / "mine.toml").write_text(rule("btc < 2"))
    shelf = read_shelf(tmp_path)
    # what stands before a playbook that came along, and cannot be read, does not let that one back in
    assert set(shelf.books) == {"balanced", "conservative", "mine", "risk-off", "treasuries"}
    assert {name: english(reason) for name, reason in shelf.problems.items()} == {
        "aggressive": fault("[rules", "aggressive"),
        "folder": "It cannot be read: Is a directory.",
        "latin": "It is no UTF-8 text: save it as UTF-8.",
        "no name": fault(rule("btc < 1"), "no name"),
    }
    logged = capsys.readouterr().out
    assert logged.count("playbook_left_out") == 4
    assert "save it as UTF-8" in logged


def test_a_folder_that_is_gone_is_a_problem_and_no_fall(tmp_path: Path) -> None:
    shelf = read_shelf(tmp_path / "gone")
    assert shelf.books == SHELF.books
    assert "cannot be read" in english(shelf.problems["gone"])


def test_what_comes_along_lies_inside_the_package() -> None:
    assert SHIPPED.parent.name == "bot"
    assert {path.suffix for path in SHIPPED.iterdir()} == {".toml"}
