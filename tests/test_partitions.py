"""Several judge one store's armings, each its part: what comes of it is what one would have made of it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.metrics import MINUTE, Bar, Bars, Batch, MetricKey, Observation, Seen
from bot.store import open_store
from tests.conftest import NOON, SetClock
from tests.dividing import Bench
from tests.markets import BTC, ETH
from tests.storing import ANN

START = int(NOON)
WHALE = MetricKey("metric", "whale")
SEEN = {key: Seen(NOON, Bar(START, *[100.0] * 4)) for key in (BTC, ETH)}
RULES = (
    "btc < 98",
    "btc > 102 repeat cooldown 2m",
    "eth < 98 repeat rearm 1",
    "btc > 101 and eth > 101 repeat",
    "(btc < 99) for 2m repeat resolve",
    "metric(whale) > 5 repeat",
    "metric(whale) < 3 repeat resolve",
    "eth > 101 and metric(whale) > 4 repeat",
    "btc moves up 3% in 3m repeat",
)


def tape_of(
    prices: Sequence[tuple[int, int]], whales: Sequence[int | None], *, revisions: bool = True
) -> list[Batch]:
    """Make the looks of some minutes: each shows all minutes so far, and brings what is said of the whale.

    What is said may be about the instant of the word before, which it corrects.
    """
    batches, said = [], START
    for place, whale in enumerate(whales, 1):
        at = START + place * MINUTE
        runs = [
            Bars(key, tuple(_bars([100, *(pair[which] for pair in prices[:place])])))
            for which, key in enumerate((BTC, ETH))
        ]
        batches.append(Batch("made", at + 2.5, tuple(runs)))
        if whale is not None:
            said = said if revisions and whale % 2 else at
            word = Observation(WHALE, said, Decimal(whale), at + 3.25, source="push")
            batches.append(Batch("push", at + 3.25, observations=(word,)))
    return batches


def _bars(closes: Sequence[int]) -> list[Bar]:
    return [
        Bar(START + place * MINUTE, float(a), float(max(a, b)), float(min(a, b)), float(b))
        for place, (a, b) in enumerate(pairwise(closes))
    ]


@asynccontextmanager
async def benched(url: str, tape: Sequence[Batch], count: int) -> AsyncIterator[Bench]:
    store, clock = await open_store(url), SetClock()
    bench = Bench(store, clock, tape)
    try:
        for rule in RULES:
            await bench.arm(ANN, rule, SEEN)
        await bench.divide(count)
        if not bench.judges:
            raise AssertionError("nobody judges")
        yield bench
    finally:
        await store.close()


async def judged(url: str, tape: Sequence[Batch], count: int, deeds: Sequence[tuple[str, int, int]]) -> Any:
    """Judge a tape while one or another goes ahead, ends or all are parted anew; gives what came of it."""
    async with benched(url, tape, count) as bench:
        for deed, which, much in deeds:
            partition = which % len(bench.judges)
            if deed == "go":
                await bench.go(partition, much)
            elif deed == "kill":
                await bench.kill(partition)
            elif deed == "restart":
                bench.judges[partition] = await bench.open(partition, bench.judges[partition].place)
            else:
                await bench.divide(much)
        await bench.finish()
        return await bench.outcome()


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["go", "go", "go", "kill", "restart", "divide"]), st.integers(0, 5), st.integers(1, 4)
    ),
    max_size=14,
)
MINUTES = st.lists(
    st.tuples(st.tuples(st.integers(96, 104), st.integers(96, 104)), st.none() | st.integers(1, 9)),
    min_size=3,
    max_size=12,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MINUTES, st.integers(2, 5), DEEDS)
def test_several_ring_what_one_would(
    template: Path, tmp_path: Path, minutes: Any, count: int, deeds: Any
) -> None:
    tape = tape_of([prices for prices, _ in minutes], [whale for _, whale in minutes])

    def fresh(name: str) -> str:
        for one in tmp_path.glob(f"{name}.db*"):
            one.unlink()
        return f"sqlite+aiosqlite:///{shutil.copy(template, tmp_path / f'{name}.db')}"

    alone = asyncio.run(judged(fresh("alone"), tape, 1, []))
    several = asyncio.run(judged(fresh("several"), tape, count, deeds))
    assert several == alone


@pytest.mark.both
async def test_several_ring_what_one_would_through_ends_and_divisions(
    database: str, template: Path, tmp_path: Path
) -> None:
    prices = [(100 + way, 100 - way) for way in (1, -3, 4, 2, -4, -1, 3, -2, 0, 4)]
    tape = tape_of(prices, [4, 6, None, 5, 2, 8, None, 7, 2, 6])
    deeds = [
        *(("go", 0, 4), ("go", 1, 1), ("kill", 1, 0), ("restart", 0, 0), ("go", 2, 6), ("divide", 0, 5)),
        *(("go", 3, 5), ("kill", 4, 0), ("go", 1, 9), ("divide", 0, 2), ("kill", 0, 0), ("go", 1, 8)),
    ]
    alone = f"sqlite+aiosqlite:///{shutil.copy(template, tmp_path / 'alone.db')}"
    rang, states = await judged(alone, tape, 1, [])
    assert len(rang) > len(RULES)
    assert await judged(database, tape, 3, deeds) == (rang, states)
