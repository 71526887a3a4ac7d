"""Laws of what rules name, on random markets; what each value is stands in the golden cases."""

from __future__ import annotations

import numpy as np
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.state import Correction, Ended, Reminder, Resolution, Ring
from bot.metrics import Bar
from tests.judging import HOUR, candles, hours, judged, rings
from tests.markets import BTC, START, histories


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(50, 150), min_size=120, max_size=160), st.integers(2, 6), st.integers(40, 60))
def test_an_indicator_rings_at_the_candles_where_ta_lib_says_so(
    closes: list[float], period: int, level: int
) -> None:
    count = len(closes)
    past, live = closes[: count - 30], closes[count - 30 :]
    rule = f"rsi(btc/usdt, {period}, 1h) < {level} repeat cooldown 1m"
    history = {BTC: candles(HOUR, *past)}
    told = judged(rule, {BTC: hours(*live)}, live[0], history=history)
    values = talib.RSI(np.array(closes), period)
    was_low, expected = bool(values[count - 31] < level), []
    for place in range(count - 30, count):
        is_low = bool(values[place] < level)
        if is_low and not was_low:
            expected.append(START + (place - (count - 30) + 1) * HOUR)
        was_low = is_low
    assert rings(told) == expected


@settings(max_examples=40, deadline=None)
@given(bars=histories(most=40), cooldown=st.integers(0, 3))
def test_every_transition_of_a_random_market_is_in_order(bars: list[Bar], cooldown: int) -> None:
    rule = f"btc/usdt < 100 repeat cooldown {cooldown}m rearm 1 remind 2m resolve"
    told = judged(rule, {BTC: bars}, bars[0].open)
    lasting = 0
    for one in told:
        match one:
            case Ring():
                lasting = one.episode
            case Reminder():
                assert one.episode == lasting
            case Resolution():
                assert one.episode == lasting
            case Correction() | Ended():
                raise AssertionError(one)
    assert [one.at for one in told] == sorted(one.at for one in told)
