"""Who reads what feeds bring as watch does: from the first minute that is missing, each minute once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.feeds import Exchanges
from bot.metrics import Bar, Batch, Bounds, MetricKey, Print, Want


class Reader:
    """Fold batches of one key into what is known, and want what comes after.

    ``bars`` and ``bounds`` are in the order of time; what they leave out is in ``gaps``. ``sources`` says who
    brought each bar, ``floor`` and ``ceiling`` are the band that concerns nobody.
    """

    def __init__(self, key: MetricKey, since: int, close: float | None = None, source: str = "") -> None:
        self.key = key
        self.since = since
        self.close = close
        self.source = source
        self.floor = float("inf")
        self.ceiling = float("-inf")
        self.bars: list[Bar] = []
        self.bounds: list[Bounds] = []
        self.gaps: list[tuple[int, int]] = []
        self.prints: list[Print] = []
        self.sources: dict[int, str] = {}
        self.reasons: list[str] = []

    def want(self) -> Want:
        return Want(self.key, self.since, self.floor, self.ceiling, self.close, self.source)

    def take(self, batch: Batch) -> None:
        """Take in what a batch says of the key."""
        known: list[tuple[int, int, Bar | Bounds]] = [
            (bar.at, bar.end, bar) for run in batch.bars if run.key == self.key for bar in run.bars
        ]
        known += [(one.since, one.until, one) for one in batch.bounds if one.key == self.key]
        for since, until, one in sorted(known, key=lambda item: item[:2]):
            if until <= self.since:
                continue
            assert since >= self.since, f"{one} reaches into what is known to {self.since}"
            if since > self.since:
                self.gaps.append((self.since, since))
            self.since, self.source = until, batch.source
            if isinstance(one, Bar):
                self.bars.append(one)
                self.close = one.close
                self.sources[one.at] = batch.source
            else:
                self.bounds.append(one)
        prints = [one for one in batch.prints if one.key == self.key]
        self.prints += prints
        self.reasons = [one.reason for one in batch.unseen if one.key == self.key]


async def look(exchanges: Exchanges, *readers: Reader) -> Sequence[Batch]:
    """Have all feeds look at once, as they do, and every reader take what comes."""
    wants = [reader.want() for reader in readers]
    batches = await asyncio.gather(*(feed.poll(wants) for feed in exchanges.feeds))
    for reader in readers:
        reasons: list[str] = []
        for batch in batches:
            reader.take(batch)
            reasons += reader.reasons
        reader.reasons = reasons
    return batches
