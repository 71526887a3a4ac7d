"""Which of the wanted series need candles now, and what is known of the others without any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.feeds.exchanges.costs import ROWS_OF_A_MINUTE, distance_to
from bot.feeds.exchanges.exclusion import Day, bounds_of, day_of, is_excluded, is_worth, may_be_excluded
from bot.feeds.exchanges.listing import Listed
from bot.feeds.exchanges.prices import Prices, price_of
from bot.feeds.exchanges.quotes import Quote
from bot.feeds.exchanges.table import Exchange, Kind
from bot.metrics import Bounds, MetricKey, Want

_HOUR = 3600

Wanted = Mapping[Listed, Sequence[Want]]
Ratios = Callable[[MetricKey], float | None]
"""Give what the prices of this exchange are multiplied by for a key; ``None`` while that is not known."""


@dataclass(frozen=True, slots=True)
class Sifted:
    """What is to be asked for, from which opening on and how near to a level; and what is bounded instead.

    ``keys`` are those that are asked for: another key of the same series may be bounded beside.
    """

    keys: set[MetricKey] = field(default_factory=set)
    since: dict[Listed, int] = field(default_factory=dict)
    distances: dict[Listed, float] = field(default_factory=dict)
    bounds: list[Bounds] = field(default_factory=list)


class Sieve:
    """Leave out what the extremes of a day exclude, and decide when it pays to ask for them."""

    def __init__(self, exchange: Exchange, prices: Prices) -> None:
        self._exchange = exchange
        self._prices = prices
        self._rests: dict[MetricKey, tuple[int, Want]] = {}
        self._days: dict[Listed, Day] = {}
        self._quotes: Mapping[str, Quote] = {}

    def worth_asking(self, wanted: Wanted, final: int, ratios: Ratios) -> set[Kind]:
        """Name the kinds of which the extremes of a day cost less than the candles that they may spare.

        ``final`` is the opening of the first minute that is not final.
        """
        self._days = {
            listed: day
            for listed, day in self._days.items()
            if listed in wanted and day.until > final - _HOUR
        }
        counts: dict[Kind, int] = {}
        for listed, wants in wanted.items():
            due = [want for want in wants if want.since < final and not self._rests_at(want, final)]
            if due and all(self._is_candidate(listed, want, ratios(want.key)) for want in due):
                counts[listed.kind] = counts.get(listed.kind, 0) + 1
        costs = self._exchange.costs
        return {
            kind
            for kind, count in counts.items()
            if (days := costs[kind].days) is not None
            and not self._prices.gives_days(kind)
            and is_worth(count, costs[kind].of_candles(ROWS_OF_A_MINUTE), costs[kind].prices, days)
        }

    def sift(
        self, wanted: Wanted, quotes: Mapping[str, Quote], final: int, now: float, ratios: Ratios
    ) -> Sifted:
        """Say what must be asked for after the prices were read.

        ``now`` is the exchange's instant of the question for them.
        """
        self._quotes = quotes
        sifted = Sifted()
        rests: dict[MetricKey, tuple[int, Want]] = {}
        for listed, wants in wanted.items():
            quote = quotes.get(listed.symbol)
            day = day_of(quote, self._prices.covered.get(listed.kind, 0.0), now)
            if day is not None:
                self._days[listed] = day
            price = price_of(quote)
            for want in wants:
                if want.since >= final:
                    continue
                ratio = ratios(want.key)
                shown = None if price is None or ratio is None else price * ratio
                if ratio is not None and day is not None and is_excluded(want, day.scaled(ratio)):
                    rests[want.key] = final, want
                    bounds = bounds_of(want, day.scaled(ratio), self._exchange.name)
                    if bounds is not None:
                        sifted.bounds.append(bounds)
                elif day is None and shown is not None and self._rests_at(want, final, shown):
                    rests[want.key] = self._rests[want.key]
                else:
                    distance = distance_to(shown, want.floor, want.ceiling)
                    sifted.keys.add(want.key)
                    sifted.since[listed] = min(want.since, sifted.since.get(listed, want.since))
                    sifted.distances[listed] = min(distance, sifted.distances.get(listed, distance))
        self._rests = rests
        return sifted

    def _is_candidate(self, listed: Listed, want: Want, ratio: float | None) -> bool:
        if ratio is None:
            return False
        price, day = price_of(self._quotes.get(listed.symbol)), self._days.get(listed)
        return may_be_excluded(
            want, None if price is None else price * ratio, None if day is None else day.scaled(ratio)
        )

    def _rests_at(self, want: Want, final: int, price: float | None = None) -> bool:
        """Whether extremes that were read for the same minutes excluded the same band.

        Where they are dear they are asked for once a minute: between two answers a price inside the band is
        enough, for what is touched meanwhile shows in the next.
        """
        at, before = self._rests.get(want.key, (0, want))
        is_same = at == final and (before.floor, before.ceiling) == (want.floor, want.ceiling)
        return is_same and (price is None or want.floor < price < want.ceiling)
