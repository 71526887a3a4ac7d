"""What a chart costs, and that it is drawn beside the loop of the chats."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from statistics import median

from bot.alerts.chart import PriceChart
from bot.app import SECONDS_OF_A_TURN
from bot.chats.studio import Studio
from bot.metrics import MINUTE, join
from tests.benchmarks.load import Pulse
from tests.pictures import minutes, ringing_chart


def draw_seconds(candles: int, rounds: int) -> tuple[float, float, float, float]:
    """Draw charts and save empty pictures in turn, and then charts in the studio, beside a loop.

    Gives the median seconds at work of either, and those that who came to the loop waited, while charts were
    drawn and while nothing was: for all but the hundredth.
    """
    from bot.chats import charts

    drawn: list[tuple[float, float]] = []
    kinds = _charts(candles)
    charts.draw(next(kinds))
    for _ in range(rounds):
        began = time.thread_time()
        charts.draw(next(kinds))
        between = time.thread_time()
        _empty()
        drawn.append((between - began, time.thread_time() - between))
    waited, idle = asyncio.run(_beside(kinds, rounds))
    return median(one for one, _ in drawn), median(one for _, one in drawn), waited, idle


async def _beside(kinds: Iterator[PriceChart], rounds: int) -> tuple[float, float]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SECONDS_OF_A_TURN)  # as the bot does that runs
    pulse, studio = Pulse(), Studio()
    beating = asyncio.create_task(pulse.beat())
    try:
        await asyncio.sleep(0.2)
        idle = pulse.take()
        for _ in range(rounds):
            assert await studio.picture(next(kinds), 30.0)
        busy = pulse.take()
    finally:
        beating.cancel()
        sys.setswitchinterval(usual)
    return busy.p99 / 1000, idle.p99 / 1000


def _charts(candles: int) -> Iterator[PriceChart]:
    """Give charts, all different, of so many candles each."""
    ringing = ringing_chart()
    minutes_of = ringing.span // MINUTE
    bars = tuple(join(minutes(count=(candles + 1) * minutes_of), ringing.span))[-candles:]
    for turn in count():
        yield replace(ringing, title=f"BTC/USDT {turn}", bars=bars)


def _empty() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from bot.chats.charts import HEIGHT, WIDTH

    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100)
    FigureCanvasAgg(figure)
    figure.savefig(io.BytesIO(), format="png")
