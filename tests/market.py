"""A market fed by hand, for tests of what asks it about the present."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from bot.metrics import MINUTE, Bar, Health, MetricKey, Seen, join, minute_of, opening_of, point, runs
from bot.ports import Clock, Serving, StreamHealth, UnknownInstrument, Unseeable
from bot.rules.tree import Instrument


class HandMarket:
    """Implements ``ports.Market``: lists what was listed, shows the prices that were set.

    ``is_down`` makes it answer nothing, as when no exchange does.
    """

    def __init__(self, clock: Clock, quote: str = "usdt", **prices: float) -> None:
        self.clock = clock
        self.quote = quote
        self.is_down = False
        self.reports: list[Health] = [Health("binance", seen_at=clock.now())]
        self._seen: dict[str, Seen] = {}
        self._bars: dict[str, list[Bar]] = {}
        self.listed: list[str] = []
        self.stand_ins: dict[MetricKey, Serving] = {}
        self.flows: list[StreamHealth] = []
        self.asked: list[tuple[MetricKey, int, int, int]] = []
        for base, price in prices.items():
            self.set(f"{base}/{quote}", price)

    def set(self, instrument: str, price: float, bar: Bar | None = None) -> None:
        """List an instrument (``btc/usdt``) at a price, as of now."""
        now = self.clock.now()
        self._seen[instrument] = Seen(now, bar or point(price, minute_of(now)))
        if instrument not in self.listed:
            self.listed.append(instrument)

    def hide(self, instrument: str) -> None:
        """Keep an instrument listed, and its price out of sight."""
        del self._seen[instrument]

    def feed(self, instrument: str, bars: Sequence[Bar]) -> None:
        """Give an instrument final bars of the past, rising; finer ones are joined where longer are asked."""
        self._bars.setdefault(instrument, []).extend(bars)

    async def resolve(self, instrument: Instrument) -> MetricKey:
        self._refuse_while_down()
        quote = instrument.quote or self.quote
        symbol = f"{instrument.base}/{quote}" + (f":{instrument.settle}" if instrument.settle else "")
        if symbol not in self.listed:
            raise UnknownInstrument(symbol, get_close_matches(symbol, self.listed, n=3, cutoff=0.6))
        return MetricKey("price", symbol, instrument.venue)

    async def seen(self, key: MetricKey) -> Seen:
        self._refuse_while_down()
        if key.instrument not in self._seen:
            raise Unseeable(key.instrument)
        return self._seen[key.instrument]

    async def bars(self, key: MetricKey, since: int, until: int, span: int = MINUTE) -> tuple[Bar, ...]:
        self._refuse_while_down()
        self.asked.append((key, since, until, span))
        first = opening_of(since, span)
        known = self._bars.get(key.instrument, ())
        fed = [bar for bar in known if bar.span <= span and first <= bar.at and bar.end <= until]
        found = runs(list(join(fed, span)))
        return found[-1] if found else ()

    async def instruments(self, prefix: str, limit: int = 25) -> list[str]:
        return [name for name in self.listed if name.startswith(prefix)][:limit]

    def serving(self, key: MetricKey) -> Serving | None:
        if key in self.stand_ins:
            return self.stand_ins[key]
        return Serving("binance", "binance") if key.instrument in self.listed else None

    def standing_in(self) -> dict[MetricKey, Serving]:
        return self.stand_ins

    def streams(self) -> list[StreamHealth]:
        return self.flows

    def health(self) -> list[Health]:
        return self.reports

    def _refuse_while_down(self) -> None:
        if self.is_down:
            raise Unseeable("no exchange answers")
