"""Rows of the language: reading rules, and running them through history."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import talib

from bot.backtest import Replay, run
from bot.engine.past import Past
from bot.metrics import MINUTE, Bar, MetricKey, join
from bot.rules import Rule, parse
from tests.benchmarks.row import Row, seconds_of

BTC = MetricKey("price", "btc/usdt")
START = 1_704_067_200
"""1 January 2024, a Monday."""

HOUR, DAY = 3600, 86_400
_DRAWN_AT_ONCE = 1000
ORDINARY = 'btc < @etf_cost for 4h repeat cooldown 1h rearm 0.5% note "cut the long"'
PRICE = "btc/usdt < 95000"
INDICATORS = "rsi(btc/usdt, 14, 4h) < 30 and close(btc/usdt, 1d) > sma(btc/usdt, 200, 1d)"


def walk(count: int, span: int, seed: int = 7) -> Iterator[Bar]:
    """Make bars of a price that walks at random from 100,000 on, upward in the long run: always the same."""
    draws = np.random.default_rng(seed)
    close = 100_000.0
    for first in range(0, count, _DRAWN_AT_ONCE):
        some = min(_DRAWN_AT_ONCE, count - first)
        steps = draws.normal(0.2 * span / (365 * DAY), 0.6 * (span / (365 * DAY)) ** 0.5, some)
        closes = close * np.exp(np.cumsum(steps))
        opens = np.concatenate(([close], closes[:-1]))
        highs = np.maximum(opens, closes) * (1 + np.abs(draws.normal(0, 2e-4, some)))
        lows = np.minimum(opens, closes) * (1 - np.abs(draws.normal(0, 2e-4, some)))
        close = float(closes[-1])
        rows = zip(opens.tolist(), highs.tolist(), lows.tolist(), closes.tolist(), strict=True)
        for place, (opened, high, low, closed) in enumerate(rows, first):
            yield Bar(START + place * span, opened, high, low, closed, 1.0, span)


def reading(count: int = 2_000) -> Iterator[Row]:
    """Read an ordinary rule, against JSON of as many bytes."""
    document = json.dumps({"rule": "x" * (len(ORDINARY) - len('{"rule": ""}'))})
    figure = seconds_of(lambda: [parse(ORDINARY) for _ in range(count)]) / count
    baseline = seconds_of(lambda: [json.loads(document) for _ in range(count)]) / count
    yield Row("read an ordinary rule (ms)", 1000 * figure, 1000 * baseline, 0.5)


def price_rule(minutes: int = 525_600) -> Iterator[Row]:
    """Run minutes through one price rule, against one comparison of an array."""
    bars = list(walk(minutes, MINUTE))
    lows = np.array([bar.low for bar in bars])
    yield _backtested(
        f"{len(bars):,} minutes through a price rule (s)", PRICE, bars, 5.0, lambda: lows < 95e3
    )


def indicator_rule(minutes: int = 525_600) -> Iterator[Row]:
    """Run minutes through a rule of two indicators, against TA-Lib over candles that are there already."""
    bars = list(walk(minutes, MINUTE))
    fours = np.array([bar.close for bar in join(bars, 4 * HOUR)])
    days = np.array([bar.close for bar in join(bars, DAY)])

    def bare() -> object:
        return talib.RSI(fours, 14) < 30, days > talib.SMA(days, 200)

    yield _backtested(f"{len(bars):,} minutes through two indicators (s)", INDICATORS, bars, 15.0, bare)


def many_rules(count: int = 10_000, hours: int = 720) -> Iterator[Row]:
    """Run hours through many rules at once, against as many comparisons of an array."""
    bars = list(walk(hours, HOUR))
    lows = np.array([bar.low for bar in bars])
    rules = _rules(count)
    rings = 0

    def replayed() -> None:
        nonlocal rings
        rings = sum(1 for _ in Replay(rules, Past({BTC: bars})))

    figure = seconds_of(replayed)
    baseline = seconds_of(lambda: [lows < level for level in range(count)])
    yield Row(f"{hours} hours through {count:,} rules (s)", figure, baseline, 60.0, rings=rings)


def memory(count: int = 1_000, hours: int = 8_640) -> Iterator[Row]:
    """See that many rules keep no more memory in the last quarter of the hours than in the second.

    What is kept is the least that is held at any time of a quarter: between two pieces of history, each of
    which comes and goes with what it rings. A quarter is longer than a piece.
    """
    kept: dict[int, float] = {}

    def weighed() -> Iterator[Bar]:
        for place, bar in enumerate(walk(hours, HOUR)):
            if place % (hours // 24) == 0:
                gc.collect()
                quarter, held = 4 * place // hours, tracemalloc.get_traced_memory()[0] / 1e6
                kept[quarter] = min(held, kept.get(quarter, held))
            yield bar

    replay = Replay(_rules(count), Past({BTC: weighed()}))
    gc.freeze()  # what was there before is not looked through each time
    tracemalloc.start()
    for _ in replay:
        pass
    tracemalloc.stop()
    gc.unfreeze()
    name = f"memory kept by {count:,} rules, of {hours:,} hours the last quarter against the second (MB)"
    yield Row(name, kept[3], kept[1], 1.25, is_of_ratio=True)


def _rules(count: int) -> list[Rule]:
    return [parse(f"btc/usdt < {90_000 + 20_000 * place // count}.5") for place in range(count)]


def _backtested(name: str, rule: str, bars: Sequence[Bar], goal: float, bare: Callable[[], object]) -> Row:
    parsed = parse(rule)
    rings = 0

    def replayed() -> None:
        nonlocal rings
        rings = len(run(parsed, Past({BTC: bars})).firings)

    return Row(name, seconds_of(replayed), seconds_of(bare), goal, rings=rings)
