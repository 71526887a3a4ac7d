"""The table of all rows: each measures one thing, and beside it the least that anybody could do for the same.

A row is added in three places. A function in the file of its subject (``chats.py``, ``feeds.py``, ...)
measures and yields a ``Row`` or several; its arguments say how much is measured, and their defaults are the
real thing. A line in ``TABLE`` names it: ``./run bench WORD`` measures those that have the word in subject or
title. And ``SMALL`` in ``tests/test_benchmarks.py`` gives the arguments with which tests run it on little.

Each line of the table is measured in a fresh process: what one leaves behind is no burden for the next. What
measures must be a function at the top of its module, or a ``partial`` of one, to be found over there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from tests.benchmarks import chats, divided, engine, feeds, indicators, rules, start, store, tape
from tests.benchmarks.row import Row


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table: under which words it is found, and what measures it."""

    subject: str
    title: str
    rows: Callable[..., Iterable[Row]]

    def has(self, word: str) -> bool:
        """Whether somebody who gives the word means this one."""
        return word.lower() in f"{self.subject} {self.title}".lower()

    def __call__(self, **sizes: object) -> list[Row]:
        """Measure."""
        return list(self.rows(**sizes))


TABLE = (
    Measure("rules", "reading", rules.reading),
    Measure("rules", "backtest of a price", rules.price_rule),
    Measure("rules", "backtest of indicators", rules.indicator_rule),
    Measure("rules", "backtest of many", rules.many_rules),
    Measure("rules", "memory of a backtest", rules.memory),
    Measure("engine", "finding among many", engine.finding),
    Measure("engine", "quiet among very many", engine.growth),
    Measure("engine", "finding very many", engine.storm),
    Measure("engine", "arming", engine.arming),
    Measure("engine", "start with many", engine.start),
    Measure("engine", "indicator rules", indicators.indicator_rules),
    Measure("start", "start to ready", start.start),
    Measure("store", "level moved", store.level_moved),
    Measure("store", "many ring at once", store.ringing),
    Measure("tape", "crossing to another process", tape.crossing),
    Measure("tape", "several engines", divided.dividing),
    Measure("chats", "ring latency by stream", chats.latency),
    Measure("chats", "wire to telegram", chats.wire_to_message),
    Measure("chats", "telegram sends", chats.telegram_sends),
    Measure("chats", "telegram at a pace", chats.telegram_pace),
    Measure("chats", "chart", chats.chart),
    Measure("chats", "typing on Discord", partial(chats.typing_at_once, "Discord", 3.0)),
    Measure("chats", "typing on Telegram", partial(chats.typing_at_once, "Telegram", 6.0)),
    Measure("feeds", "loop lag", feeds.loop_lag),
    *(
        Measure("feeds", f"bulk tickers of {name}", partial(feeds.bulk_tickers, name))
        for name in ("binance", "okx", "kraken")
    ),
    Measure("feeds", "memory kept by day", feeds.kept_by_day),
)


def chosen(words: Sequence[str]) -> list[Measure]:
    """Give the lines that have any of the words, or all where there is none."""
    return [one for one in TABLE if not words or any(one.has(word) for word in words)]


def log_aside() -> None:
    """Let what is logged go where no row is read."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
