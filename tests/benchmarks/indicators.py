"""Indicator rules: what it takes when candles close under very many of them, against TA-Lib alone."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise, product
from statistics import median

import numpy as np
import talib
from numpy.typing import NDArray

from bot.engine.compiler import compile_rule
from bot.engine.indicators import FAST, SIGNAL, SLOW, candles_needed
from bot.engine.partition import Partition
from bot.engine.world import Stretch
from bot.metrics import MINUTE, Bar, Bars, Batch, MetricKey, Seen
from bot.rules import parse
from bot.rules.tree import Number, Op, Rule
from tests.benchmarks.row import Row, seconds_of

START = 1_762_905_600
"""A midnight, at which all candles begin."""

FRAMES = {"5m": 300, "15m": 900, "1h": 3600, "4h": 14_400}
_ROUND = max(FRAMES.values())
"""So often, in seconds, candles of all frames close at one instant."""

_AROUND = 100.0
_UNREST = 0.0005
"""How much a price moves in one candle, whatever its length: values stay far from all thresholds."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Kind:
    """An indicator: its text, how TA-Lib is asked for it, and two kinds of thresholds that it never meets."""

    text: str
    arguments: tuple[float, ...]
    bare: Callable[[Floats, Floats, Floats], object]
    thresholds: tuple[_Thresholds, _Thresholds]

    @property
    def function(self) -> str:
        """The name in the language."""
        return self.text.partition("(")[0]


_Thresholds = tuple[Op, float, float]
_PRICES: tuple[_Thresholds, _Thresholds] = (
    ("<", _AROUND / 10, _AROUND * 0.8),
    (">", _AROUND * 1.2, _AROUND * 10),
)
_SHARES: tuple[_Thresholds, _Thresholds] = ("<", 0.1, 5), (">", 95, 99.9)
_RANGES: tuple[_Thresholds, _Thresholds] = ("<", 1e-4, 1e-3), (">", 10, 90)
_APART: tuple[_Thresholds, _Thresholds] = (">", 10, 20), (">", 20, 50)

KINDS = (
    _Kind("sma({}, 20, {})", (20,), lambda high, low, close: talib.SMA(close, 20), _PRICES),
    _Kind("sma({}, 50, {})", (50,), lambda high, low, close: talib.SMA(close, 50), _PRICES),
    _Kind("ema({}, 20, {})", (20,), lambda high, low, close: talib.EMA(close, 20), _PRICES),
    _Kind("ema({}, 50, {})", (50,), lambda high, low, close: talib.EMA(close, 50), _PRICES),
    _Kind("rsi({}, 14, {})", (14,), lambda high, low, close: talib.RSI(close, 14), _SHARES),
    _Kind("atr({}, 14, {})", (14,), lambda high, low, close: talib.ATR(high, low, close, 14), _RANGES),
    _Kind("macd({}, {})", (), lambda high, low, close: talib.MACD(close, FAST, SLOW, SIGNAL), _APART),
    _Kind("macd_signal({}, {})", (), lambda high, low, close: talib.MACD(close, FAST, SLOW, SIGNAL), _APART),
    _Kind(
        "bb_upper({}, 20, 2, {})", (20, 2), lambda high, low, close: talib.BBANDS(close, 20, 2, 2), _PRICES
    ),
    _Kind(
        "bb_lower({}, 20, 2, {})", (20, 2), lambda high, low, close: talib.BBANDS(close, 20, 2, 2), _PRICES
    ),
)
"""All that TA-Lib reckons of what the language has; with four frames these are 40 distinct indicators."""

_CANDLES = max(candles_needed(kind.function, kind.arguments) for kind in KINDS)


def indicator_rules(symbols: int = 500, rules: int = 100_000, rounds: int = 5) -> Iterator[Row]:
    """Close a candle of four frames at each symbol at once, under rules that compare indicators with numbers.

    The figure is all that the engine does with that minute, until it can take the next: it keeps the bar and
    the candles that it closes, reckons each indicator that somebody compares, finds whom its value concerns,
    judges those, plans and takes the plan over. That is what a minute costs that rings nothing. What is made
    once for a rule as it is armed, its telling and the store are not in it. The baseline is TA-Lib asked once
    for each indicator of each symbol and frame, over one array of as many candles as the longest needs: no
    candles are kept there and no number is compared.
    """
    market = _Market(symbols)
    partition = _armed(market, rules)
    assert len(partition) == rules
    gc.collect()
    gc.freeze()
    _passed(partition, market, START + _ROUND)
    taken, bare, told = [], [], 0
    for closing in range(START + 2 * _ROUND, START + (2 + rounds) * _ROUND, _ROUND):
        told += _passed(partition, market, closing - MINUTE)
        last = market.batch(closing - MINUTE, closing)

        def closed(last: Batch = last) -> None:
            partition.observe(last)
            *_, plan = partition.planning()
            partition.apply(plan)

        taken.append(seconds_of(closed))
        bare.append(seconds_of(market.asked))
    gc.unfreeze()
    bars, count = symbols * len(FRAMES), len(KINDS) * len(FRAMES)
    name = f"a closed bar under {rules:,} rules of {count} indicators on {symbols:,} symbols (us)"
    yield Row(name, 1e6 * median(taken) / bars, 1e6 * median(bare) / bars, 1.5, is_of_ratio=True, rings=told)


def _armed(market: _Market, rules: int) -> Partition:
    """Arm rules: each of one indicator of one symbol and frame, beyond a number of its own."""
    partition, draws = Partition(), np.random.default_rng(7)
    texts = list(product(market.keys, KINDS, FRAMES))
    owners = draws.permutation(np.arange(rules) % len(texts)).tolist()
    kinds, shares = draws.integers(2, size=rules).tolist(), draws.random(rules).tolist()
    known: dict[str, Rule] = {}
    for arming, (owner, which, share) in enumerate(zip(owners, kinds, shares, strict=True)):
        key, kind, frame = texts[owner]
        op, low, high = kind.thresholds[which]
        text = kind.text.format(key.instrument, frame)
        made = known.get(text) or known.setdefault(text, parse(f"{text} < 1"))  # most of the time is reading
        level = Number(Decimal(f"{low + share * (high - low):.6f}".rstrip("0")))
        rule = replace(made, condition=replace(made.condition, op=op, right=level))
        life = compile_rule(rule, False, START, {key: market.seen})
        for stretch in partition.missing(life, None):
            partition.preload(life, stretch, market.history(stretch))
        partition.add(arming, life, None, str(rule))
    return partition


def _passed(partition: Partition, market: _Market, until: int) -> int:
    """Let minutes pass; gives how much they told."""
    since = max(want.since for want in partition.wants())
    partition.observe(market.batch(since, until))
    plan = partition.plan()
    partition.apply(plan)
    return len(plan.told)


class _Market:
    """Symbols whose prices walk at random: candles of before, and minutes from the start on."""

    def __init__(self, symbols: int) -> None:
        self.keys = [MetricKey("price", f"c{number}/usdt") for number in range(symbols)]
        self.seen = Seen(START, Bar(START, _AROUND, _AROUND, _AROUND, _AROUND))
        draws = np.random.default_rng(7)
        self._closes = dict.fromkeys(self.keys, _AROUND)
        self._draws = draws
        self._bare = [self._columns(_CANDLES) for _ in product(self.keys, FRAMES)]

    def history(self, stretch: Stretch) -> list[Bar]:
        """Give the bars of before, ending where the minutes begin."""
        count = (stretch.until - stretch.since) // stretch.span
        highs, lows, closes = (column.tolist() for column in self._columns(count))
        rows = zip(range(stretch.since, stretch.until, stretch.span), highs, lows, closes, strict=True)
        return [Bar(at, close, high, low, close, 1.0, stretch.span) for at, high, low, close in rows]

    def batch(self, since: int, until: int) -> Batch:
        """Give the minutes of a stretch, of all symbols."""
        ats = range(since, until, MINUTE)
        return Batch("made", until, tuple(Bars(key, self._minutes(key, ats)) for key in self.keys))

    def asked(self) -> None:
        """Ask TA-Lib for every indicator of every symbol and frame."""
        for high, low, close in self._bare:
            for kind in KINDS:
                kind.bare(high, low, close)

    def _minutes(self, key: MetricKey, ats: Sequence[int]) -> tuple[Bar, ...]:
        closes = self._closes[key] * np.exp(np.cumsum(self._draws.normal(0, _UNREST, len(ats))))
        opens = [self._closes[key], *closes.tolist()]
        self._closes[key] = opens[-1]
        rows = zip(ats, pairwise(opens), strict=True)
        return tuple(Bar(at, a, max(a, b), min(a, b), b, 1.0) for at, (a, b) in rows)

    def _columns(self, count: int) -> tuple[Floats, Floats, Floats]:
        """Draw highs, lows and closes."""
        closes = _AROUND * np.exp(np.cumsum(self._draws.normal(0, _UNREST, count)))
        return closes * (1 + _UNREST), closes * (1 - _UNREST), closes
