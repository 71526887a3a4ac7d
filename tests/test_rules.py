"""The alert language: what a line means, how it is written and explained, and what is said of a wrong one."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lark import Lark
from lark.exceptions import GrammarError

from bot.rules import (
    And,
    Compare,
    Crosses,
    Duration,
    Held,
    Instrument,
    LevelRef,
    Mode,
    Moves,
    Number,
    Options,
    Rule,
    RuleError,
    UnknownLevel,
    english,
    explain,
    fill,
    fix,
    instruments,
    is_level_name,
    levels,
    parse,
    picture,
    qualify,
    read,
)
from bot.rules.grammar import GRAMMAR, _Tokens

CASES = Path(__file__).parent / "rules"
GOOD = tomllib.loads((CASES / "good.toml").read_text(encoding="utf-8"))["rule"]
BAD = tomllib.loads((CASES / "bad.toml").read_text(encoding="utf-8"))["bad"]
BTC = Instrument("btc")


def number(text: str) -> Number:
    return Number(Decimal(text))


def complaint(error: RuleError) -> str:
    parts = (picture(error), english(error.reason), english(error.hint) if error.hint else "")
    return "\n".join(part for part in parts if part)


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


# --- golden cases -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["text"])
def test_a_typed_line_has_one_canonical_text_and_one_sentence(case: dict[str, Any]) -> None:
    reading = read(case["text"])
    assert str(reading.rule) == case["canonical"]
    assert english(explain(reading.rule)) == case["sentence"]
    assert reading.is_sugared == case.get("sugared", False)
    assert (str(reading.other) if reading.other else None) == case.get("other")


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["text"])
def test_canonical_text_reads_back_as_the_same_rule_and_needs_no_sugar(case: dict[str, Any]) -> None:
    rule = parse(case["text"])
    assert read(case["canonical"]).rule == rule
    assert not read(case["canonical"]).is_sugared


@pytest.mark.parametrize("case", BAD, ids=lambda case: case["text"] or "nothing")
def test_a_wrong_line_is_answered_with_its_place_a_reason_and_a_hint(case: dict[str, Any]) -> None:
    with pytest.raises(RuleError) as caught:
        read(case["text"])
    assert complaint(caught.value) == case["picture"]
    assert caught.value.text == case["text"]


# --- the tree -----------------------------------------------------------------------------------------------


def test_a_line_becomes_the_tree_that_the_engine_reads() -> None:
    rule = parse('btc/usdt@kraken < @floor for 4h or eth moves down 5% in 1h once cooldown 2h note "x"')
    held = Held(Compare(Instrument("btc", "usdt", "", "kraken"), "<", LevelRef("floor")), Duration(4, "h"))
    moves = Moves(Instrument("eth"), "down", Decimal(5), Duration(1, "h"))
    assert rule.condition.parts == (held, moves)
    assert rule.options == Options(Mode.ONCE, Duration(2, "h"), note="x")


def test_minutes_and_millions_are_told_apart_by_their_place() -> None:
    assert parse("btc < 1m for 1m").condition == Held(Compare(BTC, "<", number("1000000")), Duration(1, "m"))


def test_a_capital_m_is_a_million_and_never_a_time() -> None:
    assert parse("btc < 2M").condition == Compare(BTC, "<", number("2000000"))
    with pytest.raises(RuleError, match="no duration"):
        parse("btc < 100k for 2M")


def test_an_interval_is_the_two_comparisons_of_its_ends() -> None:
    ends = (Compare(number("98000"), "<", BTC), Compare(BTC, "<", number("105000")))
    assert parse("98k < btc < 105k").condition == And(ends)


def test_whole_hours_of_minutes_are_hours_and_a_day_of_hours_stays() -> None:
    assert Duration(120, "m") == Duration(2, "h")
    assert str(Duration(24, "h")) == "24h" != str(Duration(1, "d"))


def test_numbers_stay_exact() -> None:
    assert parse("shib > 0.000012340").condition == Compare(Instrument("shib"), ">", number("0.00001234"))
    assert str(parse("btc < 0.1e-6")) == "btc < 0.0000001"
    assert str(parse("btc -7% from 12345.678901")) == "btc <= 11481.48137793"


def test_equal_rules_share_one_text_however_they_were_typed() -> None:
    lines = [
        "btc < 100k",
        "BTC<100,000",
        "btc below $100k",
        "（btc ＜ 10万）",
        "btc falls below 0.1m",
        "btc is under 1e5",
    ]
    assert {str(parse(line)) for line in lines} == {"btc < 100000"}


def test_a_bare_and_never_splits_what_belongs_together() -> None:
    assert str(parse("btc above 98k and below 105k")) == "98000 < btc < 105000"
    assert str(parse("btc above 98k and eth below 3k")) == "btc > 98000 and eth < 3000"


# --- bounds -------------------------------------------------------------------------------------------------


def test_a_typed_line_has_at_most_500_characters() -> None:
    line = 'btc < 100k note "{}"'
    assert read(line.format("x" * (500 - len(line) + 2))).rule.options.note
    with pytest.raises(RuleError) as caught:
        read(line.format("x" * (501 - len(line) + 2)))
    assert english(caught.value.reason) == "A rule has at most 500 characters."


def test_stored_text_may_be_longer_than_what_was_typed() -> None:
    typed = " or ".join("b<@a" for _ in range(60))
    rule = fill(read(typed).rule, {"a": Decimal("123456789.123456789")})
    assert len(str(rule)) > 500
    assert parse(str(qualify(rule, "usdt"))) == qualify(rule, "usdt")


@pytest.mark.parametrize(
    "line",
    [
        "not " * 21 + "btc < 1",
        "btc < 1" + " for 1m" * 21,
        "".join("(btc < 1 and (btc < 2 or " for _ in range(11)) + "btc < 3" + "))" * 11,
    ],
    ids=["not", "for", "brackets"],
)
def test_a_rule_is_nested_at_most_20_deep(line: str) -> None:
    with pytest.raises(RuleError) as caught:
        read(line)
    assert english(caught.value.reason) == "The rule is nested more than 20 deep."


def test_brackets_that_say_nothing_do_not_count_as_depth() -> None:
    assert parse("(" * 200 + "btc < 1" + ")" * 200) == parse("btc < 1")
    assert parse("not " * 20 + "btc < 1").condition


def test_a_rule_reads_at_most_20_instruments() -> None:
    names = [f"coin{number}" for number in range(21)]
    assert len(instruments(parse(" or ".join(f"{name} < 1" for name in names[:20])))) == 20
    with pytest.raises(RuleError) as caught:
        parse(" or ".join(f"{name} < 1" for name in names))
    assert caught.value.text[caught.value.column :] == "coin20 < 1"


def test_a_rule_holds_at_most_64_comparisons() -> None:
    assert parse(" or ".join(["btc < 1"] * 64))
    with pytest.raises(RuleError, match="comparisons"):
        parse(" or ".join(["btc < 1"] * 65))


@pytest.mark.parametrize(
    "line",
    [
        "(" * 8000,
        "not " * 2000,
        "btc < 1" + " for 1m" * 1000,
        "(" * 3000 + "btc crosses 1" + ")" * 3000 + " for 1m",
        "btc < " + "9" * 7000,
        "btc < 1" + ",000" * 1900,
        "btc < 1" + ".0" * 3000,
        'btc < 1 note "' + "\\" * 7000,
        'btc < 1 note "' + '\\"' * 3500,
        "btc < 1 note " + "”“" * 3500,
        "btc" + " <" * 3000,
        "a/" * 4000,
        "a" * 8000,
        "1" * 7999 + "o",
        "btc above 1 and " * 500,
        "btc moves " * 700,
        "btc < 1 until " + "2026-" * 1500,
        "万" * 8000,
        "\u200b" * 8000,
        "@" * 8000,
    ],
    ids=lambda line: line[:16] + line[-6:],
)
def test_hostile_lines_are_refused_without_a_crash_or_a_hang(line: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(line)
    assert len(picture(caught.value)) < 400


def test_the_cost_of_a_line_grows_with_its_length_and_no_faster() -> None:
    def calls(line: str) -> int:
        count = 0

        def trace(frame: Any, event: str, argument: Any) -> None:
            nonlocal count
            count += event == "call"

        before = sys.getprofile()
        sys.setprofile(trace)
        try:
            parse(line)
        except RuleError:
            pass
        finally:
            sys.setprofile(before)
        return count

    parse("btc < 1")  # the grammar is built once, and not counted
    for pattern in [
        "(",
        "btc < 1 and ",
        "not ",
        "btc above 1 and below 2 or ",
        "btc drops 5% in 1h or ",
        "1,000 ",
    ]:
        short, long = (calls(pattern * (length // len(pattern))) for length in (1500, 6000))
        assert long < 5 * short + 1000, pattern


# --- names, filled in ---------------------------------------------------------------------------------------


def test_levels_and_instruments_are_named_once_in_order() -> None:
    rule = parse("eth < @b and (btc@okx crosses @a or eth > @b) and not btc moves 5% in 1h")
    assert levels(rule) == {"a", "b"}
    assert instruments(rule) == (Instrument("eth"), Instrument("btc", venue="okx"), BTC)


def test_a_filled_and_qualified_rule_says_exactly_what_is_watched() -> None:
    rule = parse('btc < @floor and btc.perp@okx > @floor or sol/eur crosses @x until 7d note "@floor"')
    filled = qualify(fill(rule, {"floor": Decimal("98700.0"), "x": Decimal("1E+2")}), "USDT")
    text = 'btc/usdt < 98700 and btc/usdt:usdt@okx > 98700 or sol/eur crosses 100 until 7d note "@floor"'
    assert str(filled) == text
    assert parse(text) == filled
    assert levels(filled) == frozenset()


def test_an_unknown_level_is_named_with_the_nearest_ones() -> None:
    with pytest.raises(UnknownLevel) as caught:
        fill(
            parse("btc@x < @flor2 and eth < @flor"),
            {"flor2": Decimal(5), "floor": Decimal(1), "roof": Decimal(2)},
        )
    error = caught.value
    assert isinstance(error, RuleError)
    assert isinstance(error, LookupError)
    assert (error.name, error.nearest) == ("flor", ("flor2", "floor"))
    assert error.text[error.column :] == "@flor"
    assert english(error.reason) == "There is no level @flor."


def test_a_level_of_zero_is_refused_where_a_price_stands() -> None:
    with pytest.raises(RuleError, match="above zero") as caught:
        fill(parse("btc < @floor"), {"floor": Decimal(0)})
    assert picture(caught.value) == "btc < 0\n      ^"


def test_a_level_that_is_no_number_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="floor"):
        fill(parse("btc < @floor"), {"floor": Decimal("nan")})


def test_an_interval_whose_levels_changed_places_is_still_a_rule() -> None:
    rule = fill(parse("@low < btc < @high"), {"low": Decimal(2), "high": Decimal(1)})
    assert str(rule) == "2 < btc and btc < 1"
    assert parse(str(rule)) == rule


def test_the_default_quote_may_show_that_two_sides_are_the_same() -> None:
    with pytest.raises(RuleError, match="same"):
        qualify(parse("btc < btc/usdt"), "usdt")
    assert str(qualify(parse("btc < btc/usdt"), "usd")) == "btc/usd < btc/usdt"


def test_level_names_are_what_the_language_can_read() -> None:
    assert is_level_name("etf_cost")
    assert not any(map(is_level_name, ["", "Floor", "btc-floor", "a b", "成本", "x" * 41]))


# --- until --------------------------------------------------------------------------------------------------

NOW = instant("2025-03-29T12:00:00+00:00")


@pytest.mark.parametrize(
    ("until", "timezone", "fixed"),
    [
        ("90m", "Europe/Berlin", "2025-03-29T13:30Z"),
        ("1d", "Europe/Berlin", "2025-03-30T12:00Z"),
        ("2025-03-29", "UTC", "2025-03-30T00:00Z"),
        ("2025-03-29", "Europe/Berlin", "2025-03-29T23:00Z"),
        ("2025-03-30", "Europe/Berlin", "2025-03-30T22:00Z"),  # a day of 23 hours
        ("2025-10-26", "Europe/Berlin", "2025-10-26T23:00Z"),  # a day of 25 hours
        (
            "2025-11-01",
            "America/Havana",
            "2025-11-02T04:00Z",
        ),  # its midnight comes twice: the first ends the day
        ("2025-04-24", "Africa/Cairo", "2025-04-24T22:00Z"),  # its midnight is skipped
        ("2025-03-30 16:00", "Asia/Tokyo", "2025-03-30T07:00Z"),
        ("2025-03-30T16:00Z", "Asia/Tokyo", "2025-03-30T16:00Z"),
        ("2025-03-30T16:00+05:30", "UTC", "2025-03-30T10:30Z"),
    ],
)
def test_until_becomes_an_instant_on_the_clock_of_the_person(until: str, timezone: str, fixed: str) -> None:
    rule = fix(parse(f"btc < 1 until {until}"), NOW, timezone)
    assert str(rule) == f"btc < 1 until {fixed}"
    assert fix(parse(str(rule)), NOW, "America/New_York") == rule


def test_a_fixed_until_is_in_whole_seconds_so_that_its_text_is_exact() -> None:
    rule = fix(parse("btc < 1 until 1m"), NOW + 0.25, "UTC")
    assert rule.options.until == datetime(2025, 3, 29, 12, 1, 1, tzinfo=UTC)
    assert parse(str(rule)) == rule


@pytest.mark.parametrize("until", ["2025-03-28", "2025-03-29T12:00Z"])
def test_an_until_that_is_over_is_refused_at_its_place(until: str) -> None:
    with pytest.raises(RuleError) as caught:
        fix(parse(f"btc < 1 until {until}"), NOW, "UTC")
    assert picture(caught.value).splitlines()[1] == " " * 8 + "^"
    assert english(caught.value.reason) == "That time is over."


def test_a_rule_without_until_stays_as_it_is() -> None:
    rule = parse("btc < 1 once")
    assert fix(rule, NOW, "UTC") is rule


# --- the grammar --------------------------------------------------------------------------------------------


def test_the_grammar_has_no_conflict() -> None:
    Lark(GRAMMAR, parser="lalr", lexer=_Tokens, strict=True)


def test_a_conflict_in_the_grammar_would_be_found() -> None:
    ambiguous = GRAMMAR.replace("| negation (AND negation)+", "| conjunction AND conjunction")
    assert ambiguous != GRAMMAR
    with pytest.raises(GrammarError, match="Shift/Reduce conflict for terminal AND"):
        Lark(ambiguous, parser="lalr", lexer=_Tokens, strict=True)


def test_the_grammar_is_built_once_and_not_at_import() -> None:
    program = """if True:
        from bot.rules import grammar, parse
        assert grammar._parser.cache_info().currsize == 0
        parse("btc < 1")
        assert grammar._parser.cache_info().currsize == 1
    """
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[1])  # noqa: S603


def test_a_rule_can_be_a_key() -> None:
    assert len({parse("btc < 1 once"), parse("BTC<1 once"), parse("btc < 1")}) == 2
    assert {explain(parse("btc < 1")): 1}[explain(parse("btc<1"))] == 1
    assert Rule(Crosses(BTC, "", number("1.0"))) == parse("btc 1")
