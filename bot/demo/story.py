"""The demonstration: November 2025 in under a minute, in the real program.

A server on loopback speaks an exchange's wire format and plays the days, and shows the table of the funds'
flows as it fills up; ccxt, the provider, the scheduler, the engine, SQLite, the outbox and the console chat
are those of the bot. Only the clock is fast, and stands still while a batch or a delivery runs, or a provider
is asked.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from bot.app import open_house
from bot.chats.console import ConsoleChat
from bot.demo.clock import FastClock
from bot.demo.days import DAYS, SYMBOL, November
from bot.demo.exchange import BinanceExchange
from bot.demo.flows import flow_pages
from bot.settings import Settings

RATE = 72_000
"""How many times as fast as the machine's the clock runs while nobody holds it: a day is 1.2 seconds.

A look is due every 12.5 ms then, a few times as long as one takes, so that hardly any is left out.
"""

POLL_SECONDS = 900.0
_REST = 86_400.0
_PAUSE = 0.35
"""Real seconds between two lines that are said, so that a person can follow."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something that is said, at a time after the first midnight; ``then`` follows it in the same instant."""

    after: timedelta
    words: str
    then: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """What is said between two times after the first midnight."""

    begins: timedelta
    ends: timedelta
    lines: tuple[Line, ...]


_LINES = (
    Line(timedelta(minutes=20), "/alert btc < 10o k"),
    Line(timedelta(minutes=21), "/alert btc < 101.3k"),
    Line(timedelta(minutes=22), '/alert btc < 100k note "cut the long"'),
    Line(timedelta(minutes=23), "/level etf_cost 98700"),
    Line(timedelta(minutes=24), "/alert btc < @etf_cost for 4h repeat"),
    Line(timedelta(minutes=25), "/alert btc -5% in 24h repeat cooldown 3d"),
    Line(timedelta(minutes=26), "/alerts"),
    Line(timedelta(hours=12), "/alert btc etf outflow 900m"),
    Line(timedelta(hours=12, minutes=1), "/alert btc etf inflow 3 days"),
    Line(timedelta(days=4, hours=8), "/alert btc drops to 82k"),
    Line(timedelta(days=8, hours=12), "/level etf_cost 90k", then="/confirm 1"),
    Line(timedelta(days=11, hours=3, minutes=30), "/etf btc"),
    Line(timedelta(days=12), "/alert btc crosses above 90k"),
    Line(timedelta(days=19, hours=11, minutes=59), "/etf btc"),
    Line(timedelta(days=19, hours=12), "/alerts"),
    Line(timedelta(days=19, hours=12, minutes=1), "/history 4"),
)

NOVEMBER = Story(timedelta(0), timedelta(days=len(DAYS)), _LINES)


async def play(as_json: bool, out: TextIO, story: Story = NOVEMBER) -> int:
    """Play the demonstration to ``out``, as a transcript or as JSON lines; gives the exit code."""
    market = November()
    clock = FastClock(market.start + story.begins.total_seconds(), RATE)
    console = ConsoleChat(clock, StringIO(), out, as_json=as_json)
    done = asyncio.Event()
    with TemporaryDirectory(prefix="tocsin-demo-") as folder:
        async with AsyncExitStack() as stack:
            with clock.still():  # nothing happens before everything is there
                flows = flow_pages(clock.now)
                exchange = BinanceExchange(market, [SYMBOL], clock.now, opened_at=market.start, beside=flows)
                await stack.enter_async_context(exchange)
                settings = Settings(
                    database_url=f"sqlite:///{Path(folder) / 'demo.db'}",
                    exchanges=("binance",),
                    feed_gateway=exchange.root,
                    providers=("farside",),
                    farside="on",
                    poll_seconds=POLL_SECONDS,
                    stream=False,
                )
                house = await stack.enter_async_context(
                    open_house(
                        settings,
                        clock,
                        [console],
                        throttle=False,
                        longest_rest=_REST,
                        tells_operators=False,  # a look takes hours of this clock
                        tells_delay=False,
                    )
                )
                await house.exchanges.market.instruments("btc")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(house.run(done))
                for line in story.lines:
                    await clock.sleep_until(market.start + line.after.total_seconds())
                    with clock.still():
                        for words in filter(None, (line.words, line.then)):
                            await asyncio.sleep(0 if as_json else _PAUSE)
                            await console.say(words)
                await clock.sleep_until(market.start + story.ends.total_seconds())
                done.set()
    _sum_up(out, as_json, round((story.ends - story.begins) / timedelta(days=1)), console.told.count("ring"))
    return 0


def _sum_up(out: TextIO, as_json: bool, days: int, rings: int) -> None:
    if as_json:
        out.write(json.dumps({"event": "summary", "days": days, "rings": rings}) + "\n")
        return
    out.write(f"\nThat was Bitcoin from 10 to 29 November 2025: {days} days, {rings} rings.\n")
    out.write("Now with your own market: ./run (README.md says how to get a token).\n")
