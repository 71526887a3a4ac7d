"""Long stretches are told as their minutes are one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine import course
from bot.engine.life import Life
from bot.engine.minute import Minute
from bot.engine.partition import Partition
from bot.engine.state import AlertState, Ring, Transition
from bot.engine.step import Stepped, is_finished, step
from bot.metrics import MINUTE, Bar, Bars, Batch, MetricKey, opening_of, runs
from tests.judging import DAY, HOUR, candles
from tests.markets import BTC, ETH, START, batch, life_of, minutes

RULES = [
    "change(btc/usdt, 20m) < -0.5%",
    "delta(btc/usdt, 9m) >= 1",
    "average(btc/usdt, 30m) > 100",
    "drawdown(btc/usdt, 40m) > 1%",
    "btc/usdt / eth/usdt > 1.01",
    "change(btc/usdt / eth/usdt, 15m) > 1%",
    "average(btc/usdt, 49h) < 100",
    "drawdown(btc/usdt, 90d) > 1%",
    "btc/usdt > highest(btc/usdt, 25m)",
    "btc/usdt < lowest(btc/usdt, all)",
    "btc/usdt > highest(btc/usdt, 10m) and btc/usdt < 102",
    "btc/usdt moves 0.6% in 10m",
    "btc/usdt moves down 0.2% in 1m",
    "change(btc/usdt, 20m) < -1% or btc/usdt < 98",
]
OPTIONS = ["", " repeat cooldown 0m", " repeat cooldown 5m rearm 0.2%", " remind 10m resolve"]


def walk(seed: int, count: int, step: float, digits: int) -> list[Bar]:
    """Make minutes of a price that walks at random around 100; rounded ones often meet."""
    draws = np.random.default_rng(seed)
    closes = np.round(100 + np.cumsum(draws.normal(0, step, count)), digits)
    bars = []
    for place, (opened, close) in enumerate(zip([100.0, *closes[:-1]], closes, strict=True)):
        wicks = np.round(np.abs(draws.normal(0, step / 2, 2)), digits)
        high, low = max(opened, close) + wicks[0], min(opened, close) - wicks[1]
        bars.append(Bar(START + place * MINUTE, float(opened), float(high), float(low), float(close), 1.0))
    return bars


@dataclass(frozen=True)
class Market:
    """Minutes of two prices, of the first now and then with a hole."""

    seeds: tuple[int, int]
    step: float
    digits: int
    hole: int

    def series(self) -> dict[MetricKey, list[Bar]]:
        """Make the minutes."""
        btc, eth = (walk(seed, 300, self.step, self.digits) for seed in self.seeds)
        return {BTC: [bar for bar in btc if bar.at != START + self.hole * MINUTE], ETH: eth}


SEEDS = st.integers(0, 10**6)
MARKETS = st.builds(
    Market,
    st.tuples(SEEDS, SEEDS),
    st.sampled_from([0.03, 0.1, 0.2]),
    st.sampled_from([1, 2, 6]),
    st.integers(0, 900),
)


def past() -> dict[int, list[Bar]]:
    """Make what was before: minutes, hours and days at one price, but for a step at their end."""
    ends = {MINUTE: START, HOUR: opening_of(START, HOUR), DAY: opening_of(START, DAY)}
    counts = {MINUTE: 5000, HOUR: 200, DAY: 100}
    return {span: candles(span, *[100.0] * counts[span], 100.5, end=end) for span, end in ends.items()}


def begun(life: Life) -> Partition:
    """Begin a life with all the history that it asks for."""
    partition, known = Partition(), past()
    for stretch in partition.missing(life, None):
        bars = [bar for bar in known[stretch.span] if stretch.since <= bar.at and bar.end <= stretch.until]
        partition.preload(life, stretch, bars)
    partition.add(1, life, None)
    return partition


def judged(
    life: Life, series: dict[MetricKey, list[Bar]], pieces: Sequence[int]
) -> tuple[list[Transition], AlertState | None]:
    """Judge bars in batches that end at some places; gives the state of what may ring again."""
    partition = begun(life)
    told: list[Transition] = []
    for first, end in pairwise((0, *pieces)):
        whole = [Bars(key, run) for key, bars in series.items() for run in runs(bars[first:end])]
        partition.observe(Batch("made", max(run.bars[-1].end for run in whole), tuple(whole)))
        plan = partition.plan()
        assert not plan.broken
        told.extend(transition for _, transition in plan.told)
        partition.apply(plan)
    state = partition.state(1)
    return told, None if is_finished(state, life) else state


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=8, deadline=None)
@given(options=st.sampled_from(OPTIONS), market=MARKETS, pieces=st.lists(st.integers(1, 290), max_size=3))
def test_a_long_stretch_tells_what_its_minutes_tell(
    rule: str, options: str, market: Market, pieces: list[int]
) -> None:
    life = life_of(rule + options, 100)
    series = {key: bars for key, bars in market.series().items() if key in life.keys}
    count = max(map(len, series.values()))
    one_by_one = judged(life, series, [*range(20, count, 20), count])
    assert judged(life, series, [*sorted({*pieces}), count]) == one_by_one


@pytest.mark.parametrize(
    "rule",
    [
        "change(btc/usdt, 1d) < -5%",
        "btc/usdt moves 5% in 1h",
        "btc/usdt > highest(btc/usdt, 24h)",
        "drawdown(btc/usdt, 90d) > 30%",
        "btc/usdt < lowest(btc/usdt, all)",
    ],
)
def test_a_quiet_day_is_passed_over_to_the_minute_that_rings(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = 120.0 if "highest" in rule else 60.0
    bars = minutes(*[100.0] * 1400, (100.0, max(100.0, last), min(100.0, last), last))
    partition = begun(life_of(rule, 100))
    judged_at: list[int] = []

    def noted(state: AlertState, minute: Minute, life: Life) -> Stepped:
        judged_at.append(minute.at)
        return step(state, minute, life)

    monkeypatch.setattr(course, "step", noted)
    partition.observe(batch({BTC: bars}))
    ((_, ring),) = partition.plan().told
    assert isinstance(ring, Ring)
    assert ring.at in (bars[-1].at, bars[-1].end)
    assert len(judged_at) < 10
