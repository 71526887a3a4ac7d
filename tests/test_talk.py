"""What plain words are heard as, and the laws of that: nothing raises, and no level is made up."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.rules import Compare, Crosses, Number, RuleError, parse, read
from bot.rules.parts import values_in
from bot.rules.talk import hear, misspelt, plain_words, put_right
from bot.rules.tree import Percent

HEARD = (
    ("btc below 100k", "btc < 100000"),
    ("tell me when eth is above 5000", "eth > 5000"),
    ("Please alert me if BTC drops to 95k!", "btc <= 95000"),
    ("let me know when btc reaches 100k", "btc crosses 100000"),
    ("could you ping me as soon as sol hits $130?", "sol crosses 130"),
    ("is btc above 100k", "btc > 100000"),
    ("below 100 k btc", "btc < 100000"),
    ("btc has fallen below 100k", "btc < 100000"),
    ("btc went under 100k, thanks", "btc < 100000"),
    ("btc is back above 100k USD", "btc > 100000"),
    ("btc under €90k", "btc/eur < 90000"),
    ("btc < 90k £", "btc/gbp < 90000"),
    ("btc belwo 100k", "btc < 100000"),
    ("btc rises above 105k and eth falls under 3k please", "btc > 105000 and eth < 3000"),
    ("notify me when btc has dropped 10 percent in a day", "btc moves down 10% in 24h"),
    ("ris(btc, 14, 4h) < 30", "rsi(btc, 14, 4h) < 30"),
    ("when fear and greed is below 20", "fear_greed() < 20"),
    ("I'd like to know when btc passes 101,300", "btc crosses 101300"),
    ("btc hits @floor", "btc crosses @floor"),
)


@pytest.mark.parametrize(("said", "rule"), HEARD, ids=[said for said, _ in HEARD])
def test_plain_words_are_heard_as_the_rule_that_they_mean(said: str, rule: str) -> None:
    heard = hear(said)
    assert heard is not None
    assert [str(one) for one in heard.rules] == [rule]


@pytest.mark.parametrize(
    ("said", "rules"),
    [
        ("btc 100k", ["btc < 100000", "btc > 100000"]),
        ("btc/usdt $100,000 repeat", ["btc/usdt < 100000 repeat", "btc/usdt > 100000 repeat"]),
        ("btc 5%", ["btc moves 5% in 1h", "btc moves 5% in 24h"]),
        ("tell me if btc drops 5 %", ["btc moves down 5% in 1h", "btc moves down 5% in 24h"]),
        (
            "btc > 70k and eth > 3k for 5m",
            ["btc > 70000 and (eth > 3000 for 5m)", "(btc > 70000 and eth > 3000) for 5m"],
        ),
    ],
)
def test_what_can_mean_two_things_is_heard_as_both(said: str, rules: list[str]) -> None:
    heard = hear(said)
    assert heard is not None
    assert [str(one) for one in heard.rules] == rules


NOTHING = (
    *("", " ", "?", "hello", "good morning", "thanks", "what is btc?", "is it above 5", "100k", "btc"),
    *("buy at 100k", "btc < 10o k", "btc up 5% today", "x" * 501, "alert me", "tell me when", "🙏"),
)


@pytest.mark.parametrize("said", NOTHING)
def test_what_is_no_rule_is_heard_as_none(said: str) -> None:
    assert hear(said) is None


def test_a_number_is_never_put_right() -> None:
    for text in ("btc < 10o k", "btc for 5", "btc moves 5 in 1h"):
        with pytest.raises(RuleError) as error:
            read(text)
        assert misspelt(error.value) is None


def test_a_word_is_put_right_wherever_it_stands_by_itself() -> None:
    said = "/alert bct < 100k and close(bct, 1d) > sma(bct, 5, 1d) and bctx < 5 and @bct > 1"
    better = "/alert btc < 100k and close(btc, 1d) > sma(btc, 5, 1d) and bctx < 5 and @bct > 1"
    assert put_right(said, "bct", "btc") == better


# --- laws ---------------------------------------------------------------------------------------------------

FRONTS = (
    "",
    "tell me when ",
    "Alert me if ",
    "let me know as soon as ",
    "please ",
    "hey, ping me when ",
    "is ",
)
TAILS = ("", " please", "?", "!!", ", thanks", " now")
VERBS: dict[str, str] = {
    "below": "<",
    "under": "<",
    "is under": "<",
    "falls below": "<",
    "has dropped below": "<",
    "drops to": "<=",
    "above": ">",
    "over": ">",
    "rises above": ">",
    "is trading over": ">",
    "rises to": ">=",
    "hits": "",
    "reaches": "",
    "touched": "",
}
MULTIPLES = {"": 1, "k": 1000, " k": 1000, "m": 10**6, " thousand": 1000}

fronts, tails = st.sampled_from(FRONTS), st.sampled_from(TAILS)
coins = st.sampled_from(["btc", "ETH", "sol", "bitcoin", "doge/usdt", "zec"])
NICKNAMES = {"bitcoin": "btc"}


written_levels = st.tuples(
    st.sampled_from(["", "$"]),
    st.integers(1, 999_999),
    st.sampled_from(sorted(MULTIPLES)),
    st.booleans(),
)


@given(st.tuples(fronts, tails), coins, st.sampled_from(sorted(VERBS)), written_levels)
def test_the_level_that_was_said_is_the_level_that_is_heard(
    around: tuple[str, str], coin: str, verb: str, level_said: tuple[str, int, str, bool]
) -> None:
    sign, number, multiple, is_grouped = level_said
    written = f"{number:,}" if is_grouped else str(number)
    heard = hear(f"{around[0]}{coin} {verb} {sign}{written}{multiple}{around[1]}")
    assert heard is not None
    [rule] = heard.rules
    level = Decimal(number * MULTIPLES[multiple])
    name = NICKNAMES.get(coin, coin.lower())
    match rule.condition:
        case Compare(left=left, op=op, right=Number(value=value)):
            assert (str(left), op, value) == (name, VERBS[verb], level)
        case Crosses(value=left, side="", level=Number(value=value)):
            assert (str(left), VERBS[verb], value) == (name, "", level)
        case other:
            raise AssertionError(other)


WORDS = """
    btc eth below above under over hits reaches drops falls rises to 100k 5% in 1h 24h for 5m tell me when if
    please $ € 100 k and or not < > = ? ! , ( ) @floor every moves crosses between close rsi etf inflow 3 days
    thanks is the price of repeat until 7d 0.5 now usd dollars -5% +3% 1.5m 万 100.000 belwo
"""
words = st.sampled_from(WORDS.split())
lines = st.lists(words, max_size=12).map(" ".join) | st.text(max_size=60) | st.lists(
    words | st.text(max_size=4), max_size=10
).map(" ".join)  # fmt: skip


def digits(text: str) -> list[str]:
    return re.findall(r"\d", text)


@settings(max_examples=300)
@given(lines)
def test_whatever_is_heard_is_a_rule_of_the_language_with_the_numbers_that_were_said(text: str) -> None:
    said = plain_words(text)
    assert digits(said) == digits(text), "a digit was added or taken away"
    heard = hear(text)
    if heard is None:
        return
    assert 1 <= len(heard.rules) <= 2
    for rule in heard.rules:
        assert parse(str(rule)) == rule
    if not digits(text) and "@" not in text:
        numbers = [one for rule in heard.rules for one in values_in(rule.condition)]
        assert all(one.value == 0 for one in numbers if isinstance(one, Number | Percent))


@given(st.text(max_size=600))
def test_no_text_makes_hearing_fail(text: str) -> None:
    hear(text)
    put_right(text, "bct", "btc")
