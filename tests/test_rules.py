"""The alert language: what a line means, how it is written and explained, and what is said of a wrong one."""

from __future__ import annotations

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
    FUNCTIONS,
    And,
    Arithmetic,
    AtLeast,
    Call,
    Compare,
    Crosses,
    Duration,
    Every,
    Held,
    Instrument,
    LevelRef,
    Mode,
    Moves,
    Negative,
    Number,
    Options,
    Percent,
    Rule,
    RuleError,
    Sessions,
    UnknownLevel,
    Word,
    Zone,
    english,
    explain,
    fill,
    fix,
    instruments,
    is_level_name,
    levels,
    metrics,
    name_stocks,
    parse,
    picture,
    qualify,
    read,
    read_number,
    tickers,
    unit_of,
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


def test_a_function_stands_in_the_tree_with_all_its_arguments() -> None:
    btc, rsi = Instrument("btc"), Call("rsi", (BTC, number("14"), Duration(4, "h")))
    assert parse("btc: rsi(14, 4h) < 30").condition == Compare(rsi, "<", number("30"))
    assert (
        parse("rsi(btc, 4h) < 30")
        == parse("rsi(btc, 14, 240m) < 30")
        == Rule(Compare(rsi, "<", number("30")))
    )
    assert parse("btc > highest(all)").condition.right == Call("highest", (btc, Word("all")))
    assert parse("etf_flow(btc) > 0").condition.left == Call("etf_flow", (Word("btc"),))
    assert parse("liquidations(all, 24h, long) > 1").condition.left == Call(
        "liquidations", (Word("all"), Duration(24, "h"), Word("long"))
    )
    assert parse("metric(whale_btc) > 1").condition.left == Call("metric", (Word("whale_btc"),))
    assert parse("fear_greed() < 20").condition.left == Call("fear_greed")
    assert parse("btc > bb_upper(4h)").condition.right == Call(
        "bb_upper", (btc, number("20"), number("2"), Duration(4, "h"))
    )


def test_a_bare_instrument_is_what_price_means() -> None:
    assert parse("price(btc) < 5") == parse("btc < 5")


def test_arithmetic_binds_as_in_every_language() -> None:
    eth, sol = Instrument("eth"), Instrument("sol")
    product = Arithmetic(number("2"), "*", Negative(sol))
    assert parse("btc - eth - 2 * -sol > 5").condition.left == Arithmetic(
        Arithmetic(BTC, "-", eth), "-", product
    )
    assert str(parse("btc - (eth - sol) / 2 > 5")) == "btc - (eth - sol) / 2 > 5"
    assert parse("zec/btc > 1").condition.left == Arithmetic(Instrument("zec"), "/", BTC)
    assert parse("zec/btc@okx > 1").condition.left == Instrument("zec", "btc", "", "okx")


def test_zones_steps_sessions_and_so_many_of_several_are_nodes_of_their_own() -> None:
    assert parse("btc enters 1 .. 2").condition == Zone(BTC, "enters", number("1"), number("2"))
    assert parse("btc every 2% down").condition == Every(BTC, Percent(Decimal(2)), "down")
    flow = Compare(Call("etf_flow", (Word("btc"),)), ">", number("0"))
    assert parse("etf_flow(btc) > 0 for 3 sessions").condition == Held(flow, Sessions(3))
    both = (Compare(BTC, "<", number("1")), flow)
    assert parse("2 of (btc < 1, etf_flow(btc) > 0)").condition == AtLeast(2, both)


def test_a_comma_groups_digits_only_outside_of_functions() -> None:
    assert str(parse("btc > 100,000 and sma(btc,200,1d) > 100,000")) == (
        "btc > 100000 and sma(btc, 200, 1d) > 100000"
    )


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


# --- functions and units ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_an_example_that_is_canonical_and_a_sentence(name: str) -> None:
    function = FUNCTIONS[name]
    rule = parse(f"{function.example} > 1" if name != "corr" else f"{function.example} > 0.5")
    if name != "price":
        assert str(rule).startswith(function.example)
    assert function.summary
    assert english(explain(rule))
    assert any(f"{name}(" in case["canonical"] for case in GOOD) or name == "price"


@pytest.mark.parametrize(
    ("value", "unit", "of"),
    [
        ("btc/usdt", "price", "usdt"),
        ("sma(btc/eur, 200, 1d)", "price", "eur"),
        ("gold", "price", "usd"),
        ("us10y", "percent", ""),
        ("change(btc, 1d)", "percent", ""),
        ("delta(change(close(btc, 1d), 1d), 1d)", "percent", ""),
        ("zec / btc", "ratio", ""),
        ("volume(btc, 1h)", "coin", "btc"),
        ("2 * average(volume(btc, 1h), 20h)", "coin", "btc"),
        ("volume(btc, 1h) * btc", "usd", ""),
        ("open_interest(btc) / btc", "coin", ""),
        ("etf_flow(btc) + 5", "usd", ""),
        ("rsi(btc, 14, 4h) - 5", "index", ""),
        ("streak(etf_flow(btc))", "count", ""),
        ("metric(x) * 2", "", ""),
        ("btc/eur * 2 - 5", "price", "eur"),
    ],
)
def test_every_value_has_a_unit(value: str, unit: str, of: str) -> None:
    found = unit_of(parse(f"{value} > 1").condition.left)
    assert (found.name, found.of) == (unit, of)


def test_an_operators_metric_takes_the_unit_of_the_other_side() -> None:
    assert all(parse(f"metric(x) > {other}") for other in ("5%", "100k", "btc", "rsi(btc, 14, 4h)"))


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
        "abs(" * 21 + "btc" + ")" * 21 + " > 1",
        "btc > eth" + " + eth" * 21,
        "btc > " + "-(" * 21 + "eth" + ")" * 21,
        "not " * 10 + "btc > " + "-(" * 11 + "eth" + ")" * 11,
        "2 of (btc < 1, " * 21 + "btc < 2" + ")" * 21,
    ],
    ids=["not", "for", "brackets", "functions", "sums", "signs", "both", "of"],
)
def test_a_rule_is_nested_at_most_20_deep(line: str) -> None:
    with pytest.raises(RuleError) as caught:
        read(line)
    assert english(caught.value.reason) == "The rule is nested more than 20 deep."


def test_brackets_that_say_nothing_do_not_count_as_depth() -> None:
    assert parse("(" * 200 + "btc < 1" + ")" * 200) == parse("btc < 1")
    assert parse("btc > " + "(" * 200 + "eth" + ")" * 200) == parse("btc > eth")
    assert parse("not " * 20 + "btc < 1").condition
    assert parse("abs(" * 20 + "btc" + ")" * 20 + " > 1").condition


def test_a_rule_reads_at_most_20_instruments() -> None:
    names = [f"coin{number}" for number in range(21)]
    assert len(instruments(parse(" or ".join(f"{name} < 1" for name in names[:20])))) == 20
    with pytest.raises(RuleError) as caught:
        parse(" or ".join(f"{name} < 1" for name in names))
    assert caught.value.text[caught.value.column :] == "coin20 < 1"


def test_metrics_and_instruments_inside_functions_count_as_inputs() -> None:
    parts = [f"rsi(coin{number}, 14, 4h) < 30 or etf_flow(coin{number}) > 0" for number in range(11)]
    assert parse(" or ".join(parts[:10]))
    with pytest.raises(RuleError, match=r"at most \{count\} prices and metrics"):
        parse(" or ".join(parts))


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
        "a(" * 4000,
        "abs(" * 2000,
        "btc > " + "-" * 7000 + "1 eth",
        "btc > 1" + "+1" * 3900,
        "btc > 1" + "*(1" * 2600,
        "2 of (" * 1300,
        "btc etf inflow " + "above " * 1300,
        "the " * 2000,
        "btc 3 " + "trading " * 900,
        "a+" * 3000 + "a > 1 and > 2 and > 3 and " * 50,
        "btc > 200 " * 800,
        "btc every 2% drop and " * 360,
        "5% drop in " * 720,
        "btc volume > 2x " * 500,
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
        "a(",
        "btc > 1 + (",
        "btc > rsi(btc, 14, 4h) and ",
        "btc volume above twice ",
        "btc etf inflow above 3 trading days and ",
        "btc 200dma and ",
        "the price of ",
        "btc between 98k and 105k and ",
        "every 5 dollars drop in ",
        "liquidations of ",
        "btc + 1 > 2 and ",
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


def test_what_stands_inside_functions_is_listed_too() -> None:
    rule = parse(
        "btc: close(1d) > sma(eth, 200, 1d) and etf_flow(sol) > 0 and delta(metric(x), 1d) > 0 or btc < 1"
    )
    assert instruments(rule) == (BTC, Instrument("eth"))
    assert metrics(rule) == (Call("etf_flow", (Word("sol"),)), Call("metric", (Word("x"),)))
    assert metrics(parse("volume_24h(btc) > 1")) == ()


def test_levels_are_filled_in_wherever_they_stand() -> None:
    rule = parse("btc > 0.95 * (@a - @b) and etf_flow(btc) < -@c and btc enters @b .. @a")
    assert levels(rule) == {"a", "b", "c"}
    filled = fill(rule, {"a": Decimal(100), "b": Decimal(5), "c": Decimal(-900)})
    assert str(filled) == "btc > 0.95 * (100 - 5) and etf_flow(btc) < 900 and btc enters 5 .. 100"
    with pytest.raises(RuleError, match="nothing between"):
        fill(rule, {"a": Decimal(5), "b": Decimal(100), "c": Decimal(1)})


def test_a_share_of_a_level_that_became_zero_is_refused() -> None:
    rule = parse("etf_flow(btc) > @a rearm 1%")
    assert fill(rule, {"a": Decimal(1)})
    with pytest.raises(RuleError, match="share of zero"):
        fill(rule, {"a": Decimal(0)})


def test_macro_series_and_stocks_get_no_quote() -> None:
    rule = parse(
        "spx > 6000 and $nvda < 150 and gold/eur > 1 and gold@okx > 1 and nvda < 5 and rsi(btc, 14, 4h) < 30"
    )
    assert str(qualify(rule, "usdt")) == (
        "spx > 6000 and $nvda < 150 and gold/eur > 1 and gold/usdt@okx > 1 and nvda/usdt < 5"
        " and rsi(btc/usdt, 14, 4h) < 30"
    )


def test_a_bare_name_that_is_a_stock_is_written_with_its_sign() -> None:
    rule = parse(
        "nvda moves down 5% in 1d and sqns/usd < 1 and btc@kraken < 5 and spx < 5 and etf_flow(nvda) > 0"
    )
    assert tickers(rule) == ("nvda",)
    assert tickers(parse("btc < 1 and 1inch < 2 and sqns < 1 or sqns > 2")) == ("sqns",)
    named = name_stocks(rule, {"nvda", "sqns", "btc"})
    assert str(named) == str(rule).replace("nvda moves", "$nvda moves")
    assert qualify(named, "usdt") != qualify(rule, "usdt")
    assert name_stocks(rule, {"sqns"}) is rule


def test_a_name_that_becomes_a_stock_cannot_ask_for_candles_that_stocks_have_not() -> None:
    with pytest.raises(RuleError, match="close of each session"):
        name_stocks(parse("rsi(nvda, 14, 4h) < 30"), {"nvda"})


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("$btc < 100k", "btc < 100000"),
        ("$ETH/usd@kraken > $4k", "eth/usd@kraken > 4000"),
        ("$sol.perp -5% 1h", "sol.perp moves down 5% in 1h"),
        ("$nvda < 100", "$nvda < 100"),
        ("$brk.b > 500", "$brk.b > 500"),
    ],
)
def test_the_sign_of_a_stock_in_front_of_a_well_known_coin_means_the_coin(typed: str, canonical: str) -> None:
    assert str(parse(typed)) == canonical


def test_two_currencies_that_the_default_quote_shows_are_refused() -> None:
    assert qualify(parse("btc > gold"), "usdt")
    with pytest.raises(RuleError, match="cannot be compared"):
        qualify(parse("btc > gold"), "eur")


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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("98.7k", "98700"),
        ("$100,000", "100000"),
        ("1m", "1000000"),
        ("2M", "2000000"),
        ("1.5 million dollars", "1500000"),
        ("12万", "120000"),
        *(
            (text, None)
            for text in ("", "0", "-5", "5%", "4h", "btc", "1 or 2", "1 for 5m", "5 #", "9" * 600)
        ),
    ],
)
def test_a_number_by_itself_is_read_as_in_a_rule(text: str, value: str | None) -> None:
    assert read_number(text) == (Decimal(value) if value else None)


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


def test_a_rule_can_be_a_key() -> None:
    assert len({parse("btc < 1 once"), parse("BTC<1 once"), parse("btc < 1")}) == 2
    assert {explain(parse("btc < 1")): 1}[explain(parse("btc<1"))] == 1
    assert Rule(Crosses(BTC, "", number("1.0"))) == parse("btc 1")
