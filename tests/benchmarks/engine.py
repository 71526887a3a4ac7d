"""Rows of the engine: finding whom prices concern among very many alerts."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bot.engine.board import Board
from bot.engine.index import EVERYWHERE, Gap, Move, ThresholdIndex
from bot.metrics import MetricKey
from tests.benchmarks.row import Row, seconds_of, side_by_side
from tests.benchmarks.stored import start_with

AROUND = 100.0
"""The price of everything; alerts wait for up to half of it less, or more."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Alerts on many symbols, few of which have most of them; each waits for less, or for more."""

    keys: list[MetricKey]
    owners: list[int]
    levels: list[float]

    @classmethod
    def of(cls, alerts: int, symbols: int, seed: int = 7) -> Crowd:
        """Draw a crowd: always the same."""
        draws = np.random.default_rng(seed)
        shares = 1 / np.arange(1, symbols + 1)
        owners = draws.choice(symbols, alerts, p=shares / shares.sum())
        away = draws.uniform(1e-6, AROUND / 2, alerts) * draws.choice([-1, 1], alerts)
        keys = [MetricKey("price", f"c{number}/usdt") for number in range(symbols)]
        return cls(keys, owners.tolist(), (AROUND + away).tolist())

    def board(self) -> Board:
        """Let all of them rest."""
        board = Board()
        owners, levels = np.array(self.owners), np.array(self.levels)
        for place, key in enumerate(self.keys):
            here = np.flatnonzero(owners == place)
            own = levels[here]
            floors = np.where(own < AROUND, own, EVERYWHERE.floor)
            ceilings = np.where(own > AROUND, own, EVERYWHERE.ceiling)
            board.fill(key, here, floors, ceilings)
        return board

    def visited(self, prices: Sequence[float]) -> list[int]:
        """Find whom prices concern by visiting everybody: look the price up, and compare."""
        known = dict(zip(range(len(self.keys)), prices, strict=True))
        found = []
        for arming, (owner, level) in enumerate(zip(self.owners, self.levels, strict=True)):
            price = known[owner]
            if price <= level if level < AROUND else price >= level:
                found.append(arming)
        return found


class Snapshot:
    """Prices of all symbols at one moment, and whom they concern by the board."""

    def __init__(self, crowd: Crowd, board: Board) -> None:
        self._board, self._places = board, board.places(crowd.keys)

    def concerned(self, prices: np.ndarray) -> list[tuple[int, Iterable[int]]]:
        """Find whom prices concern."""
        return self._board.snapshot(self._places, prices, prices)


def finding(alerts: int = 1_000_000, symbols: int = 2_000, rounds: int = 15) -> Iterator[Row]:
    """Find whom a snapshot concerns, against visiting all alerts."""
    crowd = Crowd.of(alerts, symbols)
    snapshot = Snapshot(crowd, crowd.board())
    gc.freeze()
    for words, price, times in (
        ("0.1% of them concerned", AROUND - AROUND / 2 * 0.002, 200),
        ("nobody concerned", AROUND, 10_000),
    ):
        prices = np.full(symbols, price)
        flat = prices.tolist()
        found = sorted(arming for _, some in snapshot.concerned(prices) for arming in some)
        assert found == crowd.visited(flat), "both find the same"
        figure, baseline = side_by_side(
            lambda prices=prices: [snapshot.concerned(prices) for _ in range(100)],
            lambda flat=flat: crowd.visited(flat),
            rounds,
        )
        name = f"a snapshot of {symbols:,} symbols among {alerts:,} alerts, {words} (ms)"
        yield Row(name, 10 * figure, 1000 * baseline, 1 / times, is_of_ratio=True, rings=len(found))
    gc.unfreeze()


def growth(few: int = 10_000, many: int = 4_000_000, symbols: int = 2_000, rounds: int = 15) -> Iterator[Row]:
    """Find that a snapshot concerns nobody among very many alerts, against among few."""
    prices = np.full(symbols, AROUND)
    snapshots = [
        Snapshot(crowd, crowd.board()) for crowd in (Crowd.of(count, symbols) for count in (many, few))
    ]
    gc.freeze()
    figure, baseline = side_by_side(
        *(lambda one=one: [one.concerned(prices) for _ in range(200)] for one in snapshots), rounds
    )
    gc.unfreeze()
    name = f"a quiet snapshot among {many:,} alerts against {few:,} (us)"
    yield Row(name, 5000 * figure, 5000 * baseline, 1.3, is_of_ratio=True)


def storm(alerts: int = 120_000, concerned: int = 50_000, rounds: int = 25) -> Iterator[Row]:
    """Find very many that one tick concerns, against one of them."""
    index = ThresholdIndex()
    levels = np.linspace(AROUND / 2, AROUND, alerts, endpoint=False)
    index.fill(range(alerts), levels, np.full(alerts, EVERYWHERE.ceiling))
    deep, near = float(levels[-concerned]), float(levels[-1])
    assert [len(set(index.concerned(price, price))) for price in (deep, near)] == [concerned, 1]
    figure, baseline = side_by_side(
        lambda: [(index.below(deep), index.above(deep)) for _ in range(50)],
        lambda: [(index.below(near), index.above(near)) for _ in range(50)],
        rounds,
    )
    name = f"a tick that concerns {concerned:,} of {alerts:,} alerts against one that concerns 1 (us)"
    yield Row(name, 2e4 * figure, 2e4 * baseline, 30.0, is_of_ratio=True, rings=concerned)


def arming(alerts: int = 120_000, moves: int = 1_000) -> Iterator[Row]:
    """Arm and disarm one alert among very many of one symbol, against a list that is kept sorted."""
    index, draws = ThresholdIndex(), np.random.default_rng(7)
    levels = draws.uniform(AROUND / 2, AROUND, alerts)
    index.fill(range(alerts), levels, np.full(alerts, EVERYWHERE.ceiling))
    gaps = [Gap(level, EVERYWHERE.ceiling) for level in draws.uniform(AROUND / 2, AROUND, moves).tolist()]

    def moved() -> None:
        for number, gap in enumerate(gaps, alerts):
            index.move([Move(number, None, gap)])
        for number, gap in enumerate(gaps, alerts):
            index.move([Move(number, gap, None)])

    plain = sorted(levels.tolist())

    def inserted() -> None:
        for gap in gaps:
            plain.append(gap.floor)
            plain.sort()
        for gap in gaps:
            plain.remove(gap.floor)

    figure, baseline = (seconds_of(work) / (2 * moves) for work in (moved, inserted))
    yield Row(f"arm or disarm one of {alerts:,} alerts on a symbol (us)", 1e6 * figure, 1e6 * baseline, 50.0)


def start(alerts: int = 1_000_000, symbols: int = 2_000) -> Iterator[Row]:
    """Start with very many stored alerts: what it takes, and what they take from then on."""
    started = start_with(alerts, symbols)
    assert started.awake == 0, "all of them rest"
    name = f"start with {alerts:,} stored alerts to the first evaluation"
    yield Row(f"{name} (s)", started.seconds, started.bare, 3.0, is_of_ratio=True)
    yield Row(f"{name}, grown by (MB)", started.megabytes, started.as_dicts * alerts / 1e6, 400.0)
    yield Row("memory of an armed alert at rest (bytes)", started.each, started.as_dicts, 120.0)
