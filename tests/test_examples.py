"""Examples that fit what was typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.examples import EXAMPLES, PLAIN, fitting
from bot.rules import read


@pytest.mark.parametrize("example", [PLAIN, *(example for _, example in EXAMPLES)])
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


@pytest.mark.parametrize("typed", ["", "bitcoin to the moon", "btc < 10o k", "version 2"])
def test_what_names_nothing_has_no_example(typed: str) -> None:
    assert fitting(typed) == []


@given(st.text(max_size=600))
def test_any_text_has_at_most_two_examples(typed: str) -> None:
    assert len(fitting(typed)) <= 2
