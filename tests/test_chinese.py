"""Rules, numbers and dates in Chinese: the same rules as in English, said as a trader in a chat says them."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.figures import amount, measured
from bot.catalogues import read_languages
from bot.metrics import MetricKey
from bot.rules import RuleError, english, explain, parse, read
from bot.rules.chinese import WORDS
from bot.rules.errors import picture
from tests.golden import DIRECTORY

RULES: list[dict[str, Any]] = tomllib.loads((DIRECTORY / "chinese.toml").read_text(encoding="utf-8"))["rule"]
TR = read_languages().translator("zh-Hans", "Asia/Shanghai")
THURSDAY = datetime(2025, 11, 20, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["canonical"])
def test_a_rule_in_chinese_is_the_rule_in_english(rule: dict[str, Any]) -> None:
    assert {str(read(text).rule) for text in rule["text"]} == {rule["canonical"]}
    assert TR.render(explain(parse(rule["canonical"]))) == rule["sentence"]


@pytest.mark.parametrize(
    ("text", "shown", "reason"),
    [
        ("btc 跌破 10万 持续", "btc 跌破 10万 持续\n                  ^", "后面要有时长。"),
        ("btc 1小时跌5", "btc 1小时跌5\n           ^", '"跌" 后面要有价位或百分比。'),
        ("比特币 不会跌破 10万", "比特币 不会跌破 10万\n       ^", '看不懂 "不"。'),
    ],
)
def test_an_error_stands_under_its_place_and_speaks_chinese(text: str, shown: str, reason: str) -> None:
    with pytest.raises(RuleError) as caught:
        read(text)
    assert picture(caught.value) == shown
    assert TR.render(caught.value.reason) == reason


@given(st.lists(st.sampled_from([*WORDS, "5%", "1小时", "btc", "10万", "三天", " ", "(", ")"]), max_size=12))
def test_any_chinese_words_are_a_rule_or_an_error_with_a_place(words: list[str]) -> None:
    text = "".join(words)
    try:
        rule = read(text).rule
    except RuleError as error:
        assert 0 <= error.column <= len(text)
        assert english(error.reason)
    else:
        assert parse(str(rule)) == rule


@pytest.mark.parametrize(
    ("value", "said"),
    [("900000000", "9亿"), ("-903200000", "-9.032亿"), ("120000", "12万"), ("9999", "9,999"),
     ("1234567891", "1,234,567,891"), ("2500000000000", "2.5万亿")],
)  # fmt: skip
def test_sums_of_money_are_in_large_units_where_that_is_exact(value: str, said: str) -> None:
    assert TR.sum(Decimal(value)) == said


def test_a_figure_of_a_fund_is_short_and_a_price_keeps_its_digits() -> None:
    key = MetricKey("etf_flow", "btc")
    assert amount(key, Decimal(-903_241_000), TR) == "-9.03亿美元"
    assert (
        measured(parse("etf_flow(btc) < -900m").condition, -903_200_000, TR) == "BTC ETF 净流量：-9.032亿美元"
    )
    assert TR.price(98_500.0) == "98,500"


def test_days_and_times_are_as_they_are_written() -> None:
    assert TR.session(THURSDAY, THURSDAY) == "11月20日"
    assert TR.day_of_session(THURSDAY, THURSDAY) == "11月20日周四"
    assert TR.instant(THURSDAY) == "2025年11月20日 08:00 CST"
    assert TR.duration(900) == "15分钟"


def test_between_chinese_signs_no_space_is_left_and_what_people_wrote_stays() -> None:
    assert TR("{value} below {level}", value="恐惧与贪婪指数", level="20") == "恐惧与贪婪指数低于 20"
    assert TR("Note: {note}", note="减仓 一半") == "备注：减仓 一半"
