"""Examples that fit what was typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.examples import CHINESE, EXAMPLES, PLAIN, PLAIN_CHINESE, fitting, plainest
from bot.rules import parse, read
from bot.rules.chinese import EXAMPLES as IN_CHINESE


@pytest.mark.parametrize("example", [PLAIN, PLAIN_CHINESE, *(example for _, example in EXAMPLES + CHINESE)])
def test_every_example_is_a_rule(example: str) -> None:
    read(example)


FITS = {
    "btc rsi below thirty": "btc rsi 4h < 30",
    "MACD crossing on btc": "macd(btc, 4h) > macd_signal(btc, 4h)",
    "over the bollinger band": "btc > bb_upper(20, 2, 1d)",
    "btc 50 day moving avg": "btc above 200dma",
    "ETF outflows of 900": "btc etf inflow 3 days",
    "funding too high": "btc funding > 0.05%",
    "liqs above 2b": "liquidations > 2b",
    "btc volume doubles": "btc volume > 2x average",
    "correlation with stocks": "corr(btc, spx, 60d) < 0.4",
    "btc new ATH": "btc 52w high",
    "btc closes below 98k": "close(btc, 1d) < 98k",
    "btc each 1000": "btc every 2% drop",
    "btc in the range 98k 105k": "btc between 98k and 105k",
    "btc < @": "btc < @etf_cost",
    "btc drops by 5%%": "btc -5% in 1h",
    "any of btc eth": "2 of (btc < 100k, eth < 3k, sol < 130)",
    "btc holds 70k": "btc > 70k for 5m",
    "btc 70k repeatedly": "btc < 100k repeat cooldown 1h",
    "btc & eth below": "btc < 100k and eth < 3k",
}


@pytest.mark.parametrize(("typed", "example"), FITS.items())
def test_an_example_fits_what_was_typed(typed: str, example: str) -> None:
    assert example in fitting(typed)


def test_every_example_fits_something() -> None:
    assert set(FITS.values()) == {example for _, example in EXAMPLES}


IN_CHINESE_FITS = {
    "比特币 RSI 低于三十几": "btc 4小时 rsi 低于 30",
    "btc 200日均": "btc 突破 200日均线",
    "比特币连续净买入": "btc etf 连续3天净流入",
    "资金费率太高": "btc 资金费率 高于 0.05%",
    "爆仓很多": "全网爆仓 超过 20亿",
    "比特币新高啊": "btc 创历史新高",
    "btc 每次跌一点": "btc 每跌2%",
    "btc 在 9万 之间": "btc 在 9.8万 和 10.5万 之间",
    "btc 站稳 10万": "btc 高于 10万 持续15分钟",
    "以太坊 1小时内跌": "btc 1小时内跌5%",
    "跌破后只提醒一次啊": "btc 跌破 10万 重复 冷却 1小时",
    "比特币 或 以太坊": "btc 跌破 10万 并且 eth 跌破 3000",
}


@pytest.mark.parametrize(("typed", "example"), IN_CHINESE_FITS.items())
def test_what_is_typed_in_chinese_has_an_example_in_chinese(typed: str, example: str) -> None:
    assert example in fitting(typed)
    assert plainest(typed) == PLAIN_CHINESE


def test_every_chinese_example_fits_something() -> None:
    assert set(IN_CHINESE_FITS.values()) == {example for _, example in CHINESE}


@pytest.mark.parametrize("example", [one for one in IN_CHINESE if one.startswith(("btc", "98k"))])
def test_an_example_means_the_same_in_chinese(example: str) -> None:
    assert parse(IN_CHINESE[example]).condition == parse(example).condition


@pytest.mark.parametrize("typed", ["", "bitcoin to the moon", "btc < 10o k", "version 2"])
def test_what_names_nothing_has_no_example(typed: str) -> None:
    assert fitting(typed) == []


@given(st.text(max_size=600))
def test_any_text_has_at_most_two_examples(typed: str) -> None:
    assert len(fitting(typed)) <= 2
