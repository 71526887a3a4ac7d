"""What a window may look back over: what cannot be watched is refused where it is read, and never later."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.engine.compiler import compile_rule
from bot.rules import Options, RuleError, english, fill, levels, parse, qualify

CASES = Path(__file__).parent / "rules" / "good.toml"
GOOD = tomllib.loads(CASES.read_text(encoding="utf-8"))["rule"]

REFUSED = [
    (
        "highest(change(btc, 1d), 30d) > 10%",
        8,
        "A window is over prices, over closed candles or over one metric."
        " Did you mean highest(change(close(btc, 1d), 1d), 30d)?",
    ),
    (
        "change(btc - sma(btc, 50, 4h), 7d) > 1%",
        7,
        "A window is over prices, over closed candles or over one metric."
        " Did you mean change(close(btc, 4h) - sma(btc, 50, 4h), 7d)?",
    ),
    (
        "average(volume_24h(btc), 30d) > 5",
        8,
        "A window is over prices, over closed candles or over one metric."
        " Type for instance: average(btc, 7d)",
    ),
    (
        "zscore(close(btc, 1d), 1d) > 1",
        23,
        "zscore needs a window of at least 2d here. Did you mean zscore(close(btc, 1d), 2d)?",
    ),
    (
        "highest(close(btc, 1d), 4h) > 5",
        24,
        "highest needs a window of at least 1d here. Did you mean highest(close(btc, 1d), 1d)?",
    ),
    (
        "zscore(etf_flow(btc), 1d) > 1",
        22,
        "zscore needs a window of at least 2d here. Did you mean zscore(etf_flow(btc), 2d)?",
    ),
    (
        "highest(zec / btc, all) > 5",
        19,
        "Only a price by itself is looked back on over all time. Did you mean highest(zec / btc, 400d)?",
    ),
    (
        "highest(close(btc, 1h), all) > 5",
        24,
        "Over all time only a field of daily or weekly candles is looked back on."
        " Type for instance: highest(close(btc, 1d), all)",
    ),
    (
        "average(highest(close(btc, 1h), 300d), 300d) > 5",
        39,
        "A window holds at most 10,000 candles. Type for instance: average(close(btc, 1d), 400d)",
    ),
    (
        "corr(btc, rsi(btc, 14, 4h), 60d) < 0.4",
        10,
        "A correlation is of prices or of metrics, at their daily closes."
        " Type for instance: corr(btc, spx, 60d)",
    ),
    (
        "corr(btc, spx, 2d) < 0.4",
        15,
        "A correlation is over at least 3 days. Type for instance: corr(btc, spx, 60d)",
    ),
    (
        "spx > sma(spx, 200, 4h)",
        20,
        "Of SPX only the close of each session is known. Did you mean sma(spx, 200, 1d)?",
    ),
    (
        "atr($nvda, 14, 1d) > 5",
        4,
        "Of $NVDA only the close of each session is known. Type for instance: sma($nvda, 200, 1d)",
    ),
    (
        "close(btc, 1d) moves down 5% in 7d",
        0,
        "Only a price, or one price divided by another, is watched for moves."
        " Did you mean change(close(btc, 1d), 7d) < -5%?",
    ),
    (
        "btc - eth moves 5% in 1d",
        0,
        "Only a price, or one price divided by another, is watched for moves."
        " Did you mean abs(change(btc - eth, 1d)) > 5%?",
    ),
]


@pytest.mark.parametrize(("text", "column", "said"), REFUSED, ids=[text for text, *_ in REFUSED])
def test_what_cannot_be_looked_back_on_is_refused_at_its_place_with_what_can(
    text: str, column: int, said: str
) -> None:
    with pytest.raises(RuleError) as caught:
        parse(text)
    error = caught.value
    assert error.column == column
    assert error.hint
    assert f"{english(error.reason)} {english(error.hint)}" == said
    _, is_suggested, suggested = english(error.hint).removesuffix("?").partition("Did you mean ")
    if is_suggested:
        assert parse(suggested if set("<>") & set(suggested) else f"{suggested} > 1")


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["text"])
def test_whatever_can_be_typed_can_be_judged(case: dict[str, Any]) -> None:
    rule = parse(case["canonical"])
    known = dict.fromkeys(levels(rule), Decimal(50)) | {"low": Decimal(40)}
    armed = qualify(fill(rule, known), "usdt")
    assert compile_rule(armed.with_options(Options()), False, 0, {}).keys
