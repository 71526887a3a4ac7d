"""Laws of the alert language, over rules and lines that nobody thought of."""

from __future__ import annotations

import string
import tomllib
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product, starmap
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from bot.engine.compiler import compile_rule
from bot.engine.life import Life
from bot.engine.minute import Minute
from bot.engine.truth import Truth
from bot.engine.world import World
from bot.metrics import point
from bot.rules import (
    FUNCTIONS,
    And,
    Arithmetic,
    AtLeast,
    Call,
    Compare,
    Condition,
    Crosses,
    Duration,
    Every,
    Held,
    Instrument,
    LevelRef,
    Mode,
    Moves,
    Negative,
    Not,
    Number,
    Options,
    Or,
    Percent,
    Rule,
    RuleError,
    Sessions,
    Value,
    Word,
    Zone,
    english,
    explain,
    fill,
    fix,
    instruments,
    is_bare_macro,
    levels,
    metrics,
    parse,
    picture,
    qualify,
    read,
)
from bot.rules.builder import ATOMS
from bot.rules.checks import has_sessions_alone
from bot.rules.functions import TIMEFRAMES
from bot.rules.idioms import _vocabulary
from bot.rules.naming import name
from bot.rules.terms import DEPTH, INPUTS
from bot.rules.verbs import VERBS
from bot.rules.words import DOLLARS, KEYWORDS, MACRO, NICKNAMES, QUOTES, RESERVED

T = TypeVar("T")

law = settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
often = settings(law, max_examples=150)

CASES = Path(__file__).parent / "rules"
LINES = [case["text"] for case in tomllib.loads((CASES / "good.toml").read_text(encoding="utf-8"))["rule"]]
LINES += [case["text"] for case in tomllib.loads((CASES / "bad.toml").read_text(encoding="utf-8"))["bad"]]

# --- random values ------------------------------------------------------------------------------------------


def short(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """Keep the description of a strategy short: hypothesis writes them out, one within the other."""

    @st.composite
    def drawn(draw: st.DrawFn) -> T:
        return draw(strategy)

    return drawn()


KEPT = KEYWORDS | RESERVED | set(NICKNAMES)
words = st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=6)
names = st.one_of(
    words.filter(lambda word: not word[0].isdigit()),
    st.sampled_from(
        [
            "1inch",
            "1000pepe",
            "k",
            "m",
            "h",
            "a",
            "day",
            "to",
            "by",
            "from",
            "usdt",
            "e5",
            "the",
            "when",
            *VERBS,
        ]
    ),
    st.sampled_from(sorted(_vocabulary())),
    st.sampled_from(sorted(FUNCTIONS)),
).filter(lambda word: word not in KEPT)
venues = st.sampled_from(["", "", "kraken", "binance"])
quotes = st.sampled_from(sorted(QUOTES))
bare = st.builds(
    lambda base, venue, perp: Instrument(base, "", "", venue, perp), names, venues, st.booleans()
)
any_base = words | st.sampled_from(sorted(KEYWORDS))
paired = st.builds(Instrument, any_base, quotes, st.sampled_from(["", "", "usdt", "btc"]), venues)
exotic = st.builds(Instrument, any_base, st.sampled_from(["btc", "eth"]), st.just(""), st.just("okx"))
macro = st.sampled_from(sorted({*MACRO, "$nvda", "$brk.b"} - {"us10y"})).map(Instrument)
coins = bare.filter(lambda one: one.base not in MACRO or bool(one.venue or one.is_perpetual))
things = short(coins | paired | exotic | macro)

positive = st.decimals("0.000000000001", "999999999999", places=12) | st.integers(1, 10**17).map(Decimal)
numbers = positive.map(Number)
any_numbers = numbers | positive.map(lambda value: Number(-value))
level_refs = st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=8).map(LevelRef)
bounds = numbers | level_refs
any_bounds = any_numbers | level_refs | level_refs.map(Negative)
percents = st.decimals("0.01", "99.99", places=2).map(Percent)
shares = (
    percents | percents.map(lambda share: Percent(-share.value)) | st.integers(1, 99).map(Decimal).map(Number)
)
durations = st.one_of(
    st.builds(Duration, st.integers(1, 9600), st.just("h")),
    st.builds(Duration, st.integers(1, 576000), st.just("m")),
    st.builds(Duration, st.integers(1, 400), st.just("d")),
    st.builds(Duration, st.integers(1, 57), st.just("w")),
)
frames = st.sampled_from(TIMEFRAMES)
lengths = st.integers(2, 400).map(Decimal).map(Number)
spans = durations | st.just(Word("all"))
plain_words = names.map(Word)
signs = st.sampled_from(["<", "<=", ">", ">="])


def calls(function: str, *arguments: st.SearchStrategy[object]) -> st.SearchStrategy[Call]:
    return short(st.tuples(*arguments).map(lambda given: Call(function, given)))  # type: ignore[arg-type]


traded = short(coins | paired | exotic)
longer = st.builds(Duration, st.integers(14, 100), st.just("d"))
"""Windows that hold at least two candles of any length, and of an hour not too many, three in one another."""

slow_frames = st.sampled_from([frame for frame in TIMEFRAMES if frame.seconds >= 3600])


def of_candles(frame: st.SearchStrategy[Duration]) -> st.SearchStrategy[Value]:
    """Prices that are made of closed candles."""
    return st.one_of(
        *(calls(name, coins, frame) for name in ("open", "high", "low", "close", "vwap")),
        *(calls(name, coins, lengths, frame) for name in ("sma", "ema", "atr")),
        *(
            calls(name, coins, lengths, st.decimals("0.1", "10", places=1).map(Number), frame)
            for name in ("bb_upper", "bb_lower")
        ),
    )


def currencies(value: object) -> set[str]:
    """Name the currencies of all prices in a value."""
    if isinstance(value, Instrument):
        return {value.quote} - {""}
    if isinstance(value, tuple):
        return {one for part in value for one in currencies(part)}
    return (
        currencies(tuple(getattr(value, each.name) for each in fields(value)))
        if is_dataclass(value)
        else set()
    )


def grown_values(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """Arithmetic that keeps a unit."""
    return st.one_of(
        st.builds(Arithmetic, values, st.sampled_from("+-"), values | bounds).filter(
            lambda one: len(known := currencies(one)) < 2 or known <= DOLLARS
        ),
        st.builds(Arithmetic, numbers, st.just("*"), values),
        st.builds(Arithmetic, values, st.sampled_from("*/"), numbers | level_refs),
        st.builds(Negative, values),
        calls("abs", values),
    )


def family(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return short(st.recursive(values, grown_values, max_leaves=4))


def windows(
    values: st.SearchStrategy[Value], window: st.SearchStrategy[Duration]
) -> st.SearchStrategy[Value]:
    """Figures of a window that are in the unit of what it is over."""
    return short(
        st.one_of(*(calls(name, values, window) for name in ("highest", "lowest", "average", "delta")))
    )


of_days = of_candles(slow_frames)
reckoned = short(of_days | grown_values(of_days))
past = short(reckoned | windows(reckoned, longer) | grown_values(windows(reckoned, longer)))
pairs = st.builds(Arithmetic, traded, st.just("/"), traded)
extremes = st.one_of(
    *(calls(name, coins, spans) for name in ("highest", "lowest")),
    *(
        calls(name, calls("close", coins, st.sampled_from(TIMEFRAMES[-2:])), st.just(Word("all")))
        for name in ("highest", "lowest")
    ),
)
prices = short(
    st.one_of(
        of_candles(frames),
        windows(family(coins), durations),
        windows(past, longer),
        extremes,
        coins,
    )
)
moving_percents = short(
    st.one_of(
        calls("change", things | family(traded) | pairs, durations),
        calls("change", past, longer),
        *(calls(name, things) for name in ("funding", "basis")),
        calls("drawdown", calls("change", past, longer), longer),
    )
)
flows = st.one_of(*(calls(name, plain_words) for name in ("etf_flow", "etf_flow_total")))
amounts = short(
    st.one_of(
        flows,
        windows(flows, durations),
        calls("open_interest", things),
        calls("liquidations", plain_words | st.just(Word("all")), durations),
        calls("liquidations", plain_words, durations, st.sampled_from(["long", "short"]).map(Word)),
        *(calls(name) for name in ("stablecoin_supply", "exchange_stablecoins")),
    )
)
indices = st.one_of(
    calls("rsi", traded, lengths, frames),
    calls("rsi", macro, lengths, st.just(Duration(1, "d"))),
    calls("highest", calls("rsi", traded, lengths, slow_frames), longer),
    calls("fear_greed"),
)
ratios = st.one_of(
    st.builds(Arithmetic, things, st.just("/"), things),
    windows(pairs, durations),
    calls("zscore", things | pairs, durations.filter(lambda window: window.seconds >= 2 * 86400)),
    calls("zscore", past, longer),
)
counts = calls("streak", flows) | calls("hashrate") | calls("fees") | calls("metric", plain_words)
whole = st.integers(1, 100).map(Decimal).map(Number)

# --- random conditions --------------------------------------------------------------------------------------


def comparable(compare: Compare) -> bool:
    one, other = compare.left, compare.right
    if one == other:
        return False
    if not (isinstance(one, Instrument) and isinstance(other, Instrument)):
        return True
    if is_bare_macro(one) or is_bare_macro(other):
        return not (one.quote or other.quote) and not (is_bare_macro(one) and is_bare_macro(other))
    known = {one.quote, other.quote} - {""}
    return len(known) < 2 or known <= DOLLARS


def compared(
    values: st.SearchStrategy[Value], against: st.SearchStrategy[Value]
) -> st.SearchStrategy[Compare]:
    turned = st.builds(Compare, against, signs, values)
    both = st.builds(Compare, values, signs, against) | turned
    return short(both.filter(lambda one: one.left != one.right))


compares = short(
    st.one_of(
        compared(things, bounds),
        st.builds(Compare, things, signs, things).filter(comparable),
        compared(prices, prices),
        compared(family(prices), level_refs | family(prices)),
        compared(family(moving_percents), shares | family(moving_percents)),
        compared(family(amounts), any_bounds | family(amounts)),
        compared(indices, whole | indices),
        compared(ratios, bounds),
        compared(family(counts), any_bounds),
        compared(
            calls("corr", things, things | pairs | flows, longer).filter(
                lambda one: one.arguments[0] != one.arguments[1]
            ),
            st.decimals("0.01", "1", places=2).map(Number),
        ),
        compared(
            calls("drawdown", things, durations) | calls("long_share", things) | calls("rate_cut"), percents
        ),
        compared(calls("volume", traded, frames) | calls("volume_24h", traded), numbers),
    )
)
moves = st.builds(
    Moves,
    things | pairs,
    st.sampled_from(["", "up", "down"]),
    st.decimals("0.01", "99.99", places=2),
    durations,
)
steady = short(compares | moves)
crosses = short(
    st.one_of(
        st.builds(Crosses, things, st.sampled_from(["", "above", "below"]), bounds),
        st.builds(Crosses, family(prices), st.sampled_from(["", "above", "below"]), level_refs),
        st.builds(Crosses, family(amounts), st.sampled_from(["", "above", "below"]), any_bounds),
    )
).filter(lambda one: one.value != one.level)
zones = st.builds(
    Zone, things, st.sampled_from(["enters", "leaves"]), level_refs, level_refs | numbers
) | st.builds(
    lambda value, way, low, more: Zone(value, way, Number(Decimal(low)), Number(Decimal(low + more))),
    things,
    st.sampled_from(["enters", "leaves"]),
    st.integers(1, 10**9),
    st.integers(1, 10**9),
)
steps = st.builds(Every, things | prices, percents | numbers, st.sampled_from(["", "up", "down"]))
pulses = short(crosses | zones | steps)


@st.composite
def intervals(draw: st.DrawFn) -> And:
    low, thing, high = draw(bounds), draw(things), draw(bounds)
    sign = draw(st.sampled_from("<>"))
    ends = (Compare(low, sign, thing), Compare(thing, sign + draw(st.sampled_from(["", "="])), high))
    return And(ends if draw(st.booleans()) else (*ends, draw(compares)))


def grown(parts: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(parts, min_size=2, max_size=4).map(tuple)
    return several.map(And) | several.map(Or) | several.map(lambda some: AtLeast(len(some) // 2, some))


def held(condition: Condition, duration: Duration) -> Held:
    """Hold a condition for a time, in hours where days would be read as sessions."""
    is_in_sessions = duration.unit == "d" and has_sessions_alone(condition)
    return Held(condition, Duration(duration.count, "h") if is_in_sessions else duration)


def wrapped(parts: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    return grown(parts) | parts.map(Not) | st.builds(held, parts, durations)


of_sessions = st.builds(Held, compared(flows, any_bounds), st.integers(1, 260).map(Sessions))
lasting = short(st.recursive(steady | intervals() | of_sessions, wrapped, max_leaves=6))
conditions = short(st.recursive(lasting | pulses, grown, max_leaves=4))
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
    st.none() | percents | numbers,
    st.none() | durations,
    st.none() | untils,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.just("") | notes,
)
rules = st.builds(Rule, conditions, options).filter(
    lambda rule: len(instruments(rule)) + len(metrics(rule)) <= INPUTS
)


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
    for instrument in instruments(rule):
        said = name(instrument)
        assert (said if isinstance(said, str) else english(said)) in sentence
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
    assert all(instrument.quote or is_bare_macro(instrument) for instrument in instruments(filled))
    assert parse(str(filled)) == filled


@given(rules, positive)
@law
def test_any_rule_that_can_be_read_can_be_judged(rule: Rule, value: Decimal) -> None:
    try:
        armed = fix(qualify(fill(rule, dict.fromkeys(levels(rule), value)), "usdt"), 0, "UTC")
    except RuleError:
        assume(False)
        return
    life = compile_rule(armed, False, 0, {})
    assert life.keys
    world = world_of(life)
    for minute in (
        Minute(0, {}, world, span=0),
        Minute(0, {key: point(1.0, 0) for key in life.priced}, world),
    ):
        assert life.node.judge(minute, (None,) * life.slots, []) in VERDICTS
        assert life.clear.judge(minute, (None,) * life.slots, []) in VERDICTS


VERDICTS = [*starmap(Truth, product((True, False, None), repeat=2))]


def world_of(life: Life) -> World:
    """Give a world that follows all that a rule reads, and has seen nothing of it."""
    world = World()
    for key in life.keys:
        if key in life.calendars:
            world.follow_metric(key, life.calendars[key])
        else:
            world.follow(key, life.spans[key])
    return world


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
    again = read(str(rule)) if len(str(rule)) <= 500 else None
    assert parse(str(rule)) == rule
    assert again is None or not again.is_sugared
    assert english(explain(rule))
    assert len(instruments(rule)) + len(metrics(rule)) <= INPUTS
    assert depth(rule.condition) <= DEPTH
    assert str(rule).count(" < ") <= 2 * ATOMS
    if reading.other:
        assert parse(str(reading.other)) == reading.other


def depth(part: object) -> int:
    match part:
        case Not(condition=inner) | Held(condition=inner) | Negative(value=inner):
            return 1 + depth(inner)
        case And(parts=parts) | Or(parts=parts) | AtLeast(parts=parts) | Call(arguments=parts):
            return 1 + max(map(depth, parts), default=0)
        case Arithmetic(left=one, right=other):
            return 1 + max(depth(one), depth(other))
        case Compare(left=one, right=other) | Crosses(value=one, level=other):
            return max(depth(one), depth(other))
        case Moves(value=value) | Every(value=value) | Zone(value=value):
            return depth(value)
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
    "to from by a an day hour the last btc eth/usdt 100k 1m 1M 5% 4h @floor < >= = - + * / .. ( ) , :"
    " 2026-12-31 200dma 2x rsi( close( highest( 14 $1000 3 days $nvda spx and and"
)
VOCABULARY = [*sorted(KEYWORDS | RESERVED | VERBS), *_WORDS.split(), '"x"']
PHRASES = [*sorted(_vocabulary()), *VOCABULARY]


@given(st.lists(st.sampled_from(VOCABULARY), max_size=14), st.sampled_from([" ", " ", ""]))
@often
def test_any_row_of_known_words_is_a_rule_or_an_error_of_the_language(row: list[str], gap: str) -> None:
    check(gap.join(row))


@given(st.lists(st.sampled_from(VOCABULARY), max_size=8))
@often
def test_whatever_follows_a_subject_is_a_rule_or_an_error_of_the_language(row: list[str]) -> None:
    check(" ".join(["btc", *row]))


@given(st.lists(st.sampled_from(PHRASES), max_size=8), st.booleans())
@often
def test_any_row_of_words_of_the_phrasebook_is_a_rule_or_an_error_of_the_language(
    row: list[str], is_about_btc: bool
) -> None:
    check(" ".join(["btc", *row] if is_about_btc else row))


@given(st.sampled_from(LINES), st.sampled_from(LINES), st.data())
@often
def test_any_two_halves_of_lines_are_a_rule_or_an_error_of_the_language(
    one: str, other: str, data: st.DataObject
) -> None:
    ends, begins = one.split(" "), other.split(" ")
    first = data.draw(st.integers(0, len(ends)))
    check(" ".join([*ends[:first], *begins[data.draw(st.integers(0, len(begins))) :]])[:500])
