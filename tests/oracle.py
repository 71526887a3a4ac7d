"""Live through random histories and count what was missed and what was false.

``python -m tests.oracle [--histories 100000] [--seed 0] [--jobs 1]``: the figure is printed at the end, and
before it the story of every history in which something was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields

import structlog

from tests.feed_histories import SYMBOLS, History
from tests.feed_oracle import Findings


def lived(seed: int) -> tuple[str, Findings]:
    """Live through one world; gives its story and what was found."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    history = History(seed)
    try:
        asyncio.run(history.live())
    except Exception as error:  # a history that breaks is a finding, and the others go on
        history.findings.missed.append(f"broke: {error!r}")
    return history.tale(), history.findings


def _all(seeds: Sequence[int], jobs: int) -> Iterator[tuple[str, Findings]]:
    if jobs == 1:
        yield from map(lived, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(lived, seeds, chunksize=4)


def added(one: Findings, other: Findings) -> Findings:
    """Add up two findings."""
    return Findings(*(getattr(one, each.name) + getattr(other, each.name) for each in fields(Findings)))


def main() -> int:
    """Live through as many as are asked for; gives 1 if anything was missed or false."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--histories", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    worlds = -(-asked.histories // SYMBOLS)
    total, began = Findings(), time.monotonic()
    for count, (tale, findings) in enumerate(_all(range(asked.seed, asked.seed + worlds), asked.jobs), 1):
        total = added(total, findings)
        if findings.missed or findings.false:
            print(tale, *findings.missed, *findings.false, sep="\n", flush=True)  # noqa: T201
        if count % 50 == 0 or count == worlds:
            print(figure(total, count * SYMBOLS, time.monotonic() - began), flush=True)  # noqa: T201
    return bool(total.missed or total.false)


def figure(total: Findings, histories: int, seconds: float) -> str:
    """Put what was found in one line."""
    return (
        f"{histories:,} histories, {total.minutes:,} minutes of alerts, {total.rings:,} rings, "
        f"{total.silent:,} alerts silent: {len(total.missed)} missed, {len(total.false)} false; told apart: "
        f"{total.in_reach:,} touches in minutes that are gone, {total.doubted:,} at doubted prices "
        f"({seconds:,.0f} s)"
    )


if __name__ == "__main__":
    sys.exit(main())
