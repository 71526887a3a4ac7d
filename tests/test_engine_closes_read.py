"""What is read at closes, beside what is read over whole minutes, against a loop over every minute."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.metrics import MINUTE, Bar, point
from tests.judging import judged, rings
from tests.markets import BTC, ETH, START, histories, minutes

Prices = tuple[Bar, Bar]


@dataclass(frozen=True)
class Below:
    """Bitcoin below a level at some moment of its minute, and at every one."""

    level: float

    def __str__(self) -> str:
        return f"btc/usdt < {self.level:g}"

    def moved(self, rearm: float) -> Below:
        return Below(self.level + rearm)

    def at_some(self, prices: Prices) -> bool:
        return prices[0].low < self.level

    def at_every(self, prices: Prices) -> bool:
        return prices[0].high < self.level

    def at_opening(self, prices: Prices, before: Prices | None) -> bool:
        return prices[0].open < self.level


@dataclass(frozen=True)
class Apart:
    """Bitcoin closes more than so much under Ether."""

    distance: float

    def __str__(self) -> str:
        return f"eth/usdt - btc/usdt > {self.distance:g}"

    def moved(self, rearm: float) -> Apart:
        return Apart(self.distance - rearm)

    def at_some(self, prices: Prices) -> bool:
        return prices[1].close - prices[0].close > self.distance

    def at_every(self, prices: Prices) -> bool:
        return self.at_some(prices)

    def at_opening(self, prices: Prices, before: Prices | None) -> bool:
        assert before is not None
        return self.at_some(before)


JOINS: dict[str, Callable[[Iterable[bool]], bool]] = {"and": all, "or": any}
LEAVES = st.one_of(
    st.builds(Below, st.integers(97, 102).map(float)), st.builds(Apart, st.integers(1, 3).map(float))
)


@settings(max_examples=400, deadline=None)
@given(
    data=st.data(),
    leaves=st.lists(LEAVES, min_size=1, max_size=3),
    join=st.sampled_from(["and", "or"]),
    cooldown=st.integers(1, 4),
    rearm=st.sampled_from([0.0, 1.0]),
)
def test_what_is_read_at_closes_has_opened_clear_where_the_close_before_was_clear(
    data: st.DataObject, leaves: list[Below | Apart], join: str, cooldown: int, rearm: float
) -> None:
    btc, eth = data.draw(histories(most=30)), data.draw(histories(most=30))
    if join == "and":  # two comparisons of one instrument must hold at one moment: that is another law
        leaves = [leaves[0], *(leaf for leaf in leaves[1:] if isinstance(leaf, Apart))]
    seen = btc[0].open  # of both, when the alert is made
    high, low = max(seen, eth[0].high), min(seen, eth[0].low)
    eth[0] = replace(eth[0], open=seen, high=high, low=low)
    pairs = list(zip(btc, eth, strict=False))
    joined = JOINS[join]
    outward = [leaf.moved(rearm) for leaf in leaves]
    made = (point(seen, START), point(seen, START))
    armed, quiet_until, before = not joined(leaf.at_every(made) for leaf in outward), -1, made
    expected = []
    for prices in pairs:
        is_true = joined(leaf.at_some(prices) for leaf in leaves)
        is_clear = not joined(leaf.at_every(prices) for leaf in outward)
        opens_clear = not joined(leaf.at_opening(prices, before) for leaf in outward)
        close = (point(prices[0].close, prices[0].at), point(prices[1].close, prices[1].at))
        if is_true and (armed or opens_clear) and prices[0].at >= quiet_until:
            touches = [leaf for leaf in leaves if leaf.at_some(prices)]
            ats = sorted(prices[0].at + MINUTE * isinstance(leaf, Apart) for leaf in touches)
            expected.append(ats[0] if join == "or" else ats[-1])
            quiet_until = expected[-1] + cooldown * MINUTE
            armed = not joined(leaf.at_every(close) for leaf in outward)
        else:
            armed = armed or is_clear
        before = prices
    condition = f" {join} ".join(map(str, leaves))
    rule = f"{condition} repeat cooldown {cooldown}m{' rearm 1' if rearm else ''}"
    series = {BTC: [one for one, _ in pairs]}
    if any(isinstance(leaf, Apart) for leaf in leaves):
        series[ETH] = [one for _, one in pairs]
    assert rings(judged(rule, series, seen)) == expected


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        # a minute that opens at 100 and closes at 103 is no minute that was clear at a close
        ([(103, 103, 103, 103), (103, 103, 103, 103), (100, 103, 100, 103)], []),
        # but the close before was clear, though it opens above
        ([(103, 103, 103, 103), (103, 103, 101, 101), (103, 103, 103, 103)], [START + 3 * MINUTE]),
    ],
)
def test_a_ratio_rings_only_after_a_close_that_was_clear(
    closes: list[tuple[float, float, float, float]], expected: list[int]
) -> None:
    steady = minutes(*[100.0] * len(closes))
    told = judged("btc/usdt / eth/usdt > 1.02 repeat cooldown 0m", {BTC: minutes(*closes), ETH: steady})
    assert rings(told) == expected
