"""Markets to draw, and what a picture shows, for tests of charts."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from bot.alerts.chart import Chart, PriceChart, Sketch
from bot.alerts.message import Facts, Message
from bot.alerts.models import Notification, Telling
from bot.alerts.people import ChatRef
from bot.alerts.translator import ENGLISH, Translator
from bot.alerts.wording import word
from bot.metrics import MINUTE, Bar, join, minute_of
from tests.conftest import NOON


def minutes(until: float = NOON, count: int = 3000, last: float = 99_980.0) -> list[Bar]:
    """Walk to a price at an instant, in minutes; the same walk every time."""
    draw = random.Random(7)
    prices = [last]
    while len(prices) <= count:
        prices.append(prices[-1] * (1 + draw.gauss(0.00001, 0.0006)))
    prices.reverse()
    first = minute_of(until) - count * MINUTE
    bars = []
    for place in range(count):
        ends = prices[place : place + 2]
        high, low = max(ends) * (1 + draw.random() * 3e-4), min(ends) * (1 - draw.random() * 3e-4)
        bars.append(Bar(first + place * MINUTE, ends[0], high, low, ends[1], draw.lognormvariate(1, 0.8)))
    return bars


def ring(rule: str, named: str = "", **facts: object) -> Facts:
    """Give the facts of a ring: of the rule as it was armed, and as it was written with names of levels."""
    return {
        "alert": "#1",
        "rule": named or rule,
        "armed_rule": rule,
        "key": "btc/usdt",
        "currency": "usdt",
        "venue": "binance",
        "value": 99_980.0,
        "now": 99_980.0,
        "at": NOON - 20,
        "seen_at": NOON,
        "is_late": False,
        "evidence": [],
    } | facts


def told(facts: Facts, now: float = NOON, tr: Translator = ENGLISH) -> Message:
    """Word a ring as it is told at ``now``."""
    ringing = Notification(1, ChatRef("telegram", "1"), Telling.RING, "ring", facts, NOON)
    return word(ringing, tr, now, patience=1e9)


def sketched(facts: Facts, **asked: float) -> Sketch:
    """Give the sketch that goes with a ring."""
    chart = told(facts, **asked).chart
    assert isinstance(chart, Sketch)
    return chart


def filled(sketch: Sketch, bars: Sequence[Bar]) -> PriceChart:
    """Fill a sketch from minutes, as a market would."""
    candles = [bar for bar in join(bars, sketch.span) if sketch.since <= bar.at]
    running = [bar for bar in bars if sketch.running_since <= bar.at and bar.end <= sketch.until]
    chart = sketch.filled(candles, running)
    assert chart is not None
    return chart


def ringing_chart(**changes: object) -> PriceChart:
    """Give a chart that a ring shows."""
    return replace(filled(sketched(ring("btc/usdt < 100000")), minutes()), **changes)


def image(png: bytes) -> Image.Image:
    """Open a picture."""
    return Image.open(io.BytesIO(png)).convert("RGB")


def count(png: bytes, colour: str, box: tuple[int, int, int, int] | None = None) -> int:
    """Count the pixels of a colour in a picture, or in a box of it (left, top, right, bottom)."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    shown = image(png).crop(box) if box else image(png)
    return sum(number for number, one in shown.getcolors(1 << 24) or () if one == (red, green, blue))


def stub(chart: Chart) -> bytes:
    """Make a small PNG at once, for tests of how pictures travel."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(picture, "PNG")
    return picture.getvalue()
