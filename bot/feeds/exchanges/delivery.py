"""What was read, as batches carry it: each want's own minutes, bounds and print, at the level of its home."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from bot.feeds.exchanges.listing import Listed
from bot.feeds.exchanges.prices import instant_of, price_of
from bot.feeds.exchanges.pursuit import Catch
from bot.feeds.exchanges.quotes import Quote
from bot.feeds.exchanges.roster import scaled
from bot.metrics import Bars, Batch, Bounds, Doubt, MetricKey, Print, Unseen, Want, runs

Wanted = Mapping[Listed, Sequence[Want]]
Part = TypeVar("Part", Bars, Print, Bounds, Doubt, Unseen)
Ratios = Callable[[MetricKey], float | None]


class Delivery:
    """Make bars, bounds and prints of answers, and remember how far each key was brought.

    ``newest`` is the end of the newest minute that was brought of any key.
    """

    def __init__(self, source: str, ratios: Ratios) -> None:
        self._source = source
        self._ratios = ratios
        self._brought: dict[MetricKey, int] = {}
        self.newest: int | None = None

    def minutes(
        self, wanted: Wanted, caught: Catch, asked: Collection[MetricKey], bounds: Sequence[Bounds]
    ) -> tuple[tuple[Bars, ...], tuple[Bounds, ...]]:
        """Give the final minutes of each key that was asked for, and what bounds those between that are gone.

        ``bounds`` are those of the keys that were not asked for.
        """
        keys = {want.key for wants in wanted.values() for want in wants}
        self._brought = {key: end for key, end in self._brought.items() if key in keys}
        found: list[Bars] = []
        bounds = list(bounds)
        for listed, answer in caught.answers.items():
            for want in wanted.get(listed, ()):
                ratio = self._ratios(want.key)
                if want.key not in asked or ratio is None:
                    continue
                for reach in caught.reaches.get(listed, ()):
                    if (since := max(reach.since, want.since)) < reach.until:
                        low, high = reach.low * ratio, reach.high * ratio
                        bounds.append(Bounds(want.key, since, reach.until, low, high, self._source))
                for run in runs([scaled(bar, ratio) for bar in answer.bars if bar.at >= want.since]):
                    found.append(Bars(want.key, run, self._source, want.since))
                    self._note(want.key, run[-1].end)
                    self.newest = max(self.newest or 0, run[-1].end)
        for one in bounds:
            self._note(one.key, one.until)
        return tuple(found), tuple(bounds)

    def prints(self, wanted: Wanted, quotes: Mapping[str, Quote], now: float) -> tuple[Print, ...]:
        """Give one print per wanted key, unless its minute is final already: then it tells nothing new."""
        found: list[Print] = []
        for listed, wants in wanted.items():
            quote = quotes.get(listed.symbol)
            price = price_of(quote)
            if quote is None or price is None:
                continue
            at = instant_of(quote, now)
            found += [
                Print(want.key, price * ratio, at, self._source)
                for want in wants
                if (ratio := self._ratios(want.key)) is not None
                and at >= max(want.since, self._brought.get(want.key, 0))
            ]
        return tuple(found)

    def _note(self, key: MetricKey, end: int) -> None:
        self._brought[key] = max(self._brought.get(key, 0), end)


def narrowed(batch: Batch, is_meant: Callable[[MetricKey], bool]) -> Batch:
    """Leave out what a batch says of other keys than those that are meant."""

    def meant(parts: Iterable[Part]) -> tuple[Part, ...]:
        return tuple(part for part in parts if is_meant(part.key))

    return replace(
        batch,
        bars=meant(batch.bars),
        prints=meant(batch.prints),
        bounds=meant(batch.bounds),
        doubts=meant(batch.doubts),
        unseen=meant(batch.unseen),
    )
