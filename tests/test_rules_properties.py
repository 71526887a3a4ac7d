"""Laws of the alert language, over rules and lines that nobody thought of."""

from __future__ import annotations

import string
import tomllib
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from bot.rules import (
    And,
    Compare,
    Condition,
    Crosses,
    Duration,
    Held,
    Instrument,
    LevelRef,
    Mode,
    Moves,
    Not,
    Number,
    Options,
    Or,
    Rule,
    RuleError,
    english,
    explain,
    fill,
    instruments,
    levels,
    parse,
    picture,
    qualify,
    read,
)
from bot.rules.builder import ATOMS, DEPTH, INPUTS
from bot.rules.sugar import VERBS
from bot.rules.words import DOLLARS, KEYWORDS, QUOTES, RESERVED

law = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
often = settings(law, max_examples=300)

CASES = Path(__file__).parent / "rules"
LINES = [case["text"] for case in tomllib.loads((CASES / "good.toml").read_text(encoding="utf-8"))["rule"]]
LINES += [case["text"] for case in tomllib.loads((CASES / "bad.toml").read_text(encoding="utf-8"))["bad"]]

# --- random trees -------------------------------------------------------------------------------------------

words = st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=6)
names = st.one_of(
    words.filter(lambda word: not word[0].isdigit() and word not in KEYWORDS | RESERVED),
    st.sampled_from(
        ["1inch", "1000pepe", "k", "m", "h", "a", "day", "to", "by", "from", "usdt", "e5", *VERBS]
    ).filter(lambda word: word not in KEYWORDS | RESERVED),
)
venues = st.sampled_from(["", "", "kraken", "binance"])
quotes = st.sampled_from(sorted(QUOTES))
bare = st.builds(
    lambda base, venue, perp: Instrument(base, "", "", venue, perp), names, venues, st.booleans()
)
any_base = words | st.sampled_from(sorted(KEYWORDS))
paired = st.builds(Instrument, any_base, quotes, st.sampled_from(["", "", "usdt", "btc"]), venues)
exotic = st.builds(Instrument, any_base, st.sampled_from(["btc", "eth"]), st.just(""), st.just("okx"))
things = bare | paired | exotic

positive = st.decimals("0.000000000001", "999999999999", places=12) | st.integers(1, 10**17).map(Decimal)
numbers = positive.map(Number)
level_refs = st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=8).map(LevelRef)
bounds = numbers | level_refs
durations = st.one_of(
    st.builds(Duration, st.integers(1, 9600), st.just("h")),
    st.builds(Duration, st.integers(1, 576000), st.just("m")),
    st.builds(Duration, st.integers(1, 400), st.just("d")),
    st.builds(Duration, st.integers(1, 57), st.just("w")),
)
signs = st.sampled_from(["<", "<=", ">", ">="])


def comparable(compare: Compare) -> bool:
    one, other = compare.left, compare.right
    if not (isinstance(one, Instrument) and isinstance(other, Instrument)):
        return True
    known = {one.quote, other.quote} - {""}
    return one != other and (len(known) < 2 or known <= DOLLARS)


compares = st.one_of(
    st.builds(Compare, things, signs, bounds),
    st.builds(Compare, bounds, signs, things),
    st.builds(Compare, things, signs, things).filter(comparable),
)
moves = st.builds(
    Moves,
    things,
    st.sampled_from(["", "up", "down"]),
    st.decimals("0.01", "99.99", places=2),
    durations,
)
steady = compares | moves
crosses = st.builds(Crosses, things, st.sampled_from(["", "above", "below"]), bounds)


@st.composite
def intervals(draw: st.DrawFn) -> And:
    low, thing, high = draw(bounds), draw(things), draw(bounds)
    sign = draw(st.sampled_from("<>"))
    ends = (Compare(low, sign, thing), Compare(thing, sign + draw(st.sampled_from(["", "="])), high))
    return And(ends if draw(st.booleans()) else (*ends, draw(compares)))


def grown(parts: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(parts, min_size=2, max_size=4).map(tuple)
    return several.map(And) | several.map(Or)


def wrapped(parts: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    return grown(parts) | parts.map(Not) | st.builds(Held, parts, durations)


lasting = st.recursive(steady | intervals(), wrapped, max_leaves=6)
conditions = st.recursive(lasting | crosses, grown, max_leaves=4)
untils = st.one_of(
    durations,
    st.dates(date(2000, 1, 1), date(2199, 12, 31)),
    st.datetimes(datetime(2000, 1, 2), datetime(2199, 12, 30)).map(lambda at: at.replace(microsecond=0)),  # noqa: DTZ001
    st.datetimes(datetime(2000, 1, 2), datetime(2199, 12, 30)).map(  # noqa: DTZ001
        lambda at: at.replace(microsecond=0, tzinfo=UTC)
    ),
)
notes = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=30)
options = st.builds(
    Options,
    st.sampled_from([None, *Mode]),
    st.none() | durations | st.just(Duration(0, "m")),
    st.none() | untils,
    st.just("") | notes,
)
rules = st.builds(Rule, conditions, options).filter(lambda rule: len(instruments(rule)) <= INPUTS)


@given(rules)
@law
def test_any_tree_reads_back_from_its_canonical_text(rule: Rule) -> None:
    text = str(rule)
    assert parse(text) == rule
    assert str(parse(text)) == text


@given(rules)
@law
def test_canonical_text_is_never_taken_for_sugar(rule: Rule) -> None:
    text = str(rule)
    assume(len(text) <= 500)
    assert not read(text).is_sugared


@given(rules)
@law
def test_any_tree_has_a_sentence(rule: Rule) -> None:
    sentence = english(explain(rule))
    assert "{" not in sentence
    assert all(instrument.base.upper() in sentence for instrument in instruments(rule))
    assert all(f"@{level}" in sentence for level in levels(rule))


@given(rules, positive)
@law
def test_a_filled_and_qualified_rule_has_no_names_left_and_reads_back(rule: Rule, value: Decimal) -> None:
    try:
        filled = qualify(fill(rule, dict.fromkeys(levels(rule), value)), "usdt")
    except RuleError:
        assume(False)
        return
    assert not levels(filled)
    assert all(instrument.quote for instrument in instruments(filled))
    assert parse(str(filled)) == filled


@given(rules, st.randoms(use_true_random=False))
@law
def test_case_and_idle_spaces_change_nothing(rule: Rule, random: object) -> None:
    text = str(Rule(rule.condition))
    assert parse(f"  {text.replace(' ', '   ')} ") == parse(text)
    assert parse(text.replace("m ", "m\t").upper().replace("M", "m")) == parse(text)


# --- random lines -------------------------------------------------------------------------------------------


def check(line: str) -> None:
    """A line is a rule that keeps the laws, or an error that can be shown; nothing else comes of it."""
    try:
        reading = read(line)
    except RuleError as error:
        assert error.text == line
        assert 0 <= error.column <= max(len(line), 1)
        shown = picture(error).split("\n")
        assert len(shown) == 2
        assert shown[1].strip() == "^"
        assert english(error.reason)
        assert error.hint is None or english(error.hint)
        return
    rule = reading.rule
    assert parse(str(rule)) == rule
    assert english(explain(rule))
    assert len(instruments(rule)) <= INPUTS
    assert depth(rule.condition) <= DEPTH
    assert str(rule).count(" < ") <= 2 * ATOMS
    if reading.other:
        assert parse(str(reading.other)) == reading.other


def depth(condition: Condition) -> int:
    match condition:
        case Not(condition=part) | Held(condition=part):
            return 1 + depth(part)
        case And(parts=parts) | Or(parts=parts):
            return 1 + max(map(depth, parts))
    return 0


@given(st.text(max_size=80))
@example("")
@example("½ ² ٣ Ⅷ ǅ İ ß \U0001f680 \x00 \x85 \u2028")
@example("btc < ١٠٠")
@example("btc < 10²")
@often
def test_any_text_is_a_rule_or_an_error_of_the_language(line: str) -> None:
    check(line)


SIGNS = st.sampled_from(
    [*"<>=()@:,.%$+-*/\"'\\ 019kmMbhdwoe_", "≤", "−", "“", "”", "万", "，", "\u200b", "!"]
)


@given(st.sampled_from(LINES), st.lists(st.tuples(st.integers(0, 80), st.integers(0, 2), SIGNS), max_size=5))
@often
def test_any_slip_of_the_thumb_is_a_rule_or_an_error_of_the_language(
    line: str, slips: list[tuple[int, int, str]]
) -> None:
    for at, length, sign in slips:
        place = at % (len(line) + 1)
        line = line[:place] + sign + line[place + length :]
    check(line[:500])


_WORDS = (
    "to from by a an day hour the last btc eth/usdt 100k 1m 1M 5% 4h @floor < >= = - + ( ) , : 2026-12-31"
)
VOCABULARY = [*sorted(KEYWORDS | RESERVED | VERBS), *_WORDS.split(), '"x"']


@given(st.lists(st.sampled_from(VOCABULARY), max_size=14), st.sampled_from([" ", " ", ""]))
@often
def test_any_row_of_known_words_is_a_rule_or_an_error_of_the_language(row: list[str], gap: str) -> None:
    check(gap.join(row))


@given(st.lists(st.sampled_from(VOCABULARY), max_size=8))
@often
def test_whatever_follows_a_subject_is_a_rule_or_an_error_of_the_language(row: list[str]) -> None:
    check(" ".join(["btc", *row]))
