"""The rows: each measures one thing, and beside it the least that anybody could do for the same."""

from __future__ import annotations

import gc
import json
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import talib

from bot.backtest import Replay, run
from bot.delays import Delays
from bot.engine.past import Past
from bot.metrics import MINUTE, Bar, MetricKey, join
from bot.rules import Rule, parse
from tests.benchmarks.latency import ring_seconds
from tests.benchmarks.levels import move_seconds
from tests.benchmarks.load import kept, waits
from tests.benchmarks.typists import typing_seconds

BTC = MetricKey("price", "btc/usdt")
START = 1_704_067_200
"""1 January 2024, a Monday."""

HOUR, DAY = 3600, 86_400
_DRAWN_AT_ONCE = 1000
ORDINARY = 'btc < @etf_cost for 4h repeat cooldown 1h rearm 0.5% note "cut the long"'
PRICE = "btc/usdt < 95000"
INDICATORS = "rsi(btc/usdt, 14, 4h) < 30 and close(btc/usdt, 1d) > sma(btc/usdt, 200, 1d)"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure with its baseline, both in the unit that the name gives.

    ``goal`` bounds the figure, or the ratio where ``is_of_ratio``.
    """

    name: str
    figure: float
    baseline: float
    goal: float
    is_of_ratio: bool = False
    rings: int = 0

    @property
    def ratio(self) -> float:
        """How many times the baseline the figure is."""
        return self.figure / self.baseline

    @property
    def reached(self) -> bool:
        """Whether the goal is reached."""
        return (self.ratio if self.is_of_ratio else self.figure) <= self.goal

    def facts(self) -> dict[str, object]:
        """Give the row for programs."""
        names = ("name", "figure", "baseline", "ratio", "goal", "reached")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything is measured."""

    parses: int = 2000
    minutes: int = 525_600
    rules: int = 10_000
    hours: int = 720
    rings: int = 100
    followers: int = 10_000
    platforms: tuple[str, ...] = ("Discord", "Telegram")
    typists: int = 50
    rounds: int = 10
    markets: int = 2_000
    seconds: float = 60.0
    kept_markets: int = 100
    kept_hours: int = 24
    kept_minutes: int = 10


_ANSWERED = {"Discord": 3.0, "Telegram": 6.0}
"""Seconds to the first sign of an answer: Discord's own deadline, and what a person waits in patience."""


def rows(sizes: Sizes) -> Iterator[Row]:
    """Measure every row, one after the other."""
    yield parsing(sizes.parses)
    minutes = list(walk(sizes.minutes, MINUTE))
    yield price_rule(minutes)
    yield indicator_rule(minutes)
    del minutes
    yield many_rules(sizes.rules, sizes.hours)
    yield memory(sizes.rules // 10, sizes.hours * 12)
    yield level(sizes.followers)
    yield from latency(sizes.rings)
    for platform in sizes.platforms:
        yield typing_at_once(platform, _ANSWERED[platform], sizes.typists, sizes.rounds)
    yield loop_lag(sizes.markets, sizes.seconds)
    yield kept_by_day(sizes.kept_markets, sizes.kept_hours, sizes.kept_minutes)


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


def parsing(count: int) -> Row:
    """Read an ordinary rule, against JSON of as many bytes."""
    document = json.dumps({"rule": "x" * (len(ORDINARY) - len('{"rule": ""}'))})
    figure = _seconds(lambda: [parse(ORDINARY) for _ in range(count)]) / count
    baseline = _seconds(lambda: [json.loads(document) for _ in range(count)]) / count
    return Row("read an ordinary rule (ms)", 1000 * figure, 1000 * baseline, 0.5)


def price_rule(bars: Sequence[Bar]) -> Row:
    """Run minutes through one price rule, against one comparison of an array."""
    lows = np.array([bar.low for bar in bars])
    return _backtested(
        f"{len(bars):,} minutes through a price rule (s)", PRICE, bars, 5.0, lambda: lows < 95e3
    )


def indicator_rule(bars: Sequence[Bar]) -> Row:
    """Run minutes through a rule of two indicators, against TA-Lib over candles that are there already."""
    fours = np.array([bar.close for bar in join(bars, 4 * HOUR)])
    days = np.array([bar.close for bar in join(bars, DAY)])

    def bare() -> object:
        return talib.RSI(fours, 14) < 30, days > talib.SMA(days, 200)

    return _backtested(f"{len(bars):,} minutes through two indicators (s)", INDICATORS, bars, 15.0, bare)


def many_rules(count: int, hours: int) -> Row:
    """Run hours through many rules at once, against as many comparisons of an array."""
    bars = list(walk(hours, HOUR))
    lows = np.array([bar.low for bar in bars])
    rules = _rules(count)
    rings = 0

    def replayed() -> None:
        nonlocal rings
        rings = sum(1 for _ in Replay(rules, Past({BTC: bars})))

    figure = _seconds(replayed)
    baseline = _seconds(lambda: [lows < level for level in range(count)])
    return Row(f"{hours} hours through {count:,} rules (s)", figure, baseline, 60.0, rings=rings)


def memory(count: int, hours: int) -> Row:
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
    return Row(name, kept[3], kept[1], 1.25, is_of_ratio=True)


def level(count: int) -> Row:
    """Move a level that many chats follow, against writing as many rows by executemany."""
    seconds, bare, heard = move_seconds(count)
    assert heard == count, "each but who moved it hears once"
    return Row(f"a level that {count:,} chats follow is moved (s)", seconds, bare, 2.0)


def latency(count: int) -> Iterator[Row]:
    """Ring by a stream, against by a look every second: from the trade to the message in the chat."""
    streamed, looked = Delays(), Delays()
    for rung, is_streamed in ((streamed, True), (looked, False)):
        for seconds in ring_seconds(count, is_streamed):
            rung.note("ring", seconds)
    figure, baseline = streamed.of("ring"), looked.of("ring")
    assert figure is not None
    assert baseline is not None
    name = f"{count} rings by stream, against by looks every second"
    yield Row(f"{name}, p50 (s)", figure.p50, baseline.p50, 1.0, rings=count)
    yield Row(f"{name}, p99 (s)", figure.p99, baseline.p99, 1.0, rings=count)


def typing_at_once(platform: str, goal: float, people: int, rounds: int) -> Row:
    """See how long people wait who type at once, against one at a time: to an answer, or to be told to wait.

    Discord takes the first of either within three seconds; Telegram waits for as long as people do.
    """
    alone, crowd = (sorted(waits) for waits in typing_seconds(platform.lower(), people, rounds))
    name = f"{people} people typing at once on {platform}, charts among them, to the first answer, p99 (s)"
    return Row(name, *(waits[int(0.99 * (len(waits) - 1))] for waits in (crowd, alone)), goal)


def loop_lag(markets: int, seconds: float) -> Row:
    """See how long chats wait for the loop while five exchanges are looked at, against while it is idle."""
    idle, busy = waits(markets, seconds)
    return Row(
        f"wait for the loop with {markets:,} markets on 5 exchanges, p99 (ms)", busy.p99, idle.p99, 50.0
    )


def kept_by_day(markets: int, hours: int, minutes: int) -> Row:
    """See that the last quarter of so many simulated hours keeps no more memory than the second."""
    second, last = kept(markets, hours, minutes)
    name = f"memory kept over {hours} hours with {markets:,} markets on 5 exchanges (MB)"
    return Row(name, last, second, 1.1, is_of_ratio=True)


def _rules(count: int) -> list[Rule]:
    return [parse(f"btc/usdt < {90_000 + 20_000 * place // count}.5") for place in range(count)]


def _backtested(name: str, rule: str, bars: Sequence[Bar], goal: float, bare: Callable[[], object]) -> Row:
    parsed = parse(rule)
    rings = 0

    def replayed() -> None:
        nonlocal rings
        rings = len(run(parsed, Past({BTC: bars})).firings)

    return Row(name, _seconds(replayed), _seconds(bare), goal, rings=rings)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
