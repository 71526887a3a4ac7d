"""Made markets: minutes for the engine's tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from hypothesis import strategies as st

from bot.engine.compiler import compile_rule
from bot.engine.life import Life
from bot.engine.terms import key_of
from bot.metrics import MINUTE, Bar, Bars, Batch, MetricKey, Print, Seen
from bot.rules import parse
from bot.rules.tree import Rule

START = 1_762_948_800
BTC = MetricKey("price", "btc/usdt")
ETH = MetricKey("price", "eth/usdt")


def life_of(
    rule: str | Rule,
    price: float | None = None,
    is_shared: bool = False,
    made_at: float = START,
    is_eager: bool = False,
) -> Life:
    """Compile a rule that was made at ``made_at``, at a price (the same for all it reads) or unseen."""
    parsed = parse(rule) if isinstance(rule, str) else rule
    life = compile_rule(parsed, is_shared, made_at, {}, is_eager)
    if price is None:
        return life
    minute = int(made_at // MINUTE) * MINUTE
    seen = {key: Seen(made_at, Bar(minute, price, price, price, price)) for key in life.keys}
    return compile_rule(parsed, is_shared, made_at, seen, is_eager)


def minutes(*prices: tuple[float, float, float, float] | float, start: int = START) -> list[Bar]:
    """Make consecutive minutes: (open, high, low, close), or one number for a flat one."""
    rows = [price if isinstance(price, tuple) else (price,) * 4 for price in prices]
    return [Bar(start + place * MINUTE, *row) for place, row in enumerate(rows)]


def path(*closes: float, start: int = START) -> list[Bar]:
    """Make minutes that each run straight from one price to the next."""
    rows = [(a, max(a, b), min(a, b), b) for a, b in pairwise(closes)]
    return minutes(*rows, start=start)


def batch(bars: Mapping[MetricKey, Sequence[Bar]], *prints: Print, at: float | None = None) -> Batch:
    """Make a batch of runs and prints, as seen at ``at`` (else when the last bar ended)."""
    ends = [run[-1].end for run in bars.values() if run] + [int(one.at) for one in prints]
    runs = tuple(Bars(key, tuple(run)) for key, run in bars.items() if run)
    return Batch("made", at if at is not None else max(ends, default=START), runs, prints)


@st.composite
def histories(draw: st.DrawFn, most: int = 60, around: int = 100, spread: int = 4) -> list[Bar]:
    """Draw consecutive minutes whose prices are whole numbers near ``around``: they often meet a level."""
    count = draw(st.integers(1, most))
    price = st.integers(around - spread, around + spread)
    bars = []
    opening = draw(price)
    for place in range(count):
        extremes = [draw(price), draw(price)]
        close = draw(price)
        high, low = max(opening, close, *extremes), min(opening, close, *extremes)
        bars.append(Bar(START + place * MINUTE, opening, high, low, close))
        opening = close if draw(st.booleans()) else draw(price)  # now and then it jumps
    return bars


__all__ = ["BTC", "ETH", "START", "batch", "histories", "key_of", "life_of", "minutes", "path"]
