"""What one exchange can say when another's prices cannot be trusted by themselves.

It is asked little and late: an exchange that is to be left alone is, and everything raises Faults only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from bot.feeds.exchanges.candles import parse_row
from bot.feeds.exchanges.door import Door
from bot.feeds.exchanges.exchange_time import ExchangeTime
from bot.feeds.exchanges.guard import LEAST_BOUND, Range
from bot.feeds.exchanges.listing import Listed, Listing, siblings
from bot.feeds.exchanges.markets import Markets
from bot.feeds.exchanges.prices import price_of
from bot.feeds.exchanges.quotes import positive
from bot.feeds.exchanges.table import Kind
from bot.feeds.faults import Fault, Trouble
from bot.metrics import MINUTE, Bar
from bot.ports import Clock

_FRESH = 1.0
"""Seconds for which prices that were asked for are present ones: a storm of trades is one question."""


class Witness:
    """One exchange, asked by the others; an instrument may stand there in another dollar.

    ``check`` raises the Fault of an exchange that is to be left alone now; ``note`` takes in what a question
    met.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Clock,
        door: Door,
        markets: Markets,
        time: ExchangeTime,
        check: Callable[[], None],
        note: Callable[[Fault], None],
    ) -> None:
        self.name = name
        self.note = note
        self._clock = clock
        self._door = door
        self._markets = markets
        self._time = time
        self._check = check
        self._asked: dict[Kind, tuple[float, Mapping[str, float]]] = {}

    def nearness(self, instrument: str) -> int | None:
        """Say how near the nearest thing is that is listed here: 0 for the same, ``None`` for nothing.

        An exchange that has not said yet what it lists may list anything, and comes last.
        """
        listing = self._markets.known()
        names = siblings(instrument)
        if listing is None:
            return len(names)
        return next((place for place, name in enumerate(names) if name in listing), None)

    async def prices(self, instruments: Iterable[str]) -> dict[str, float]:
        """Give the present prices of those of the instruments that it has, in one question for each kind."""
        listing = await self._ready()
        found: dict[str, float] = {}
        for instrument in instruments:
            listed = _nearest(listing, instrument)
            price = None if listed is None else (await self._present(listed.kind)).get(listed.symbol)
            if price is not None:
                found[instrument] = price
        return found

    async def reaches(self, instrument: str, start: int, stop: int, span: int = MINUTE) -> dict[int, Range]:
        """Give what the bars that open in ``[start, stop)`` reached, the running one too.

        Where none of ``span`` seconds are offered, they are the longest that such a bar is made of.
        """
        listed = _nearest(await self._ready(), instrument)
        if listed is None:
            return {}
        now = await self._time.now()
        offered = self._door.offered(span)
        answer = await self._door.rows(listed.symbol, start, stop, now, offered)
        rows = [parse_row(row, now, offered) for row in answer]
        return {
            row.at: Range(row.low, row.high)
            for row in rows
            if isinstance(row, Bar) and start <= row.at < stop
        }

    async def book(self, instrument: str) -> Range:
        """Give what lies between the best bid and the best ask of exactly this instrument.

        Of a book that stands wide open only the middle: its ends are not where anybody trades.
        """
        listed = (await self._ready()).traded.get(instrument)
        if listed is None:
            raise Fault(Trouble.SYMBOL, f"{self.name} does not list {instrument}")
        bid, ask = map(positive, await self._door.book(listed.symbol))
        if bid is None or ask is None or bid > ask:
            raise Fault(Trouble.NONSENSE, f"{self.name} gives an impossible order book")
        middle = (bid + ask) / 2
        return Range(max(bid, middle * (1 - LEAST_BOUND)), min(ask, middle * (1 + LEAST_BOUND)))

    async def _ready(self) -> Listing:
        self._check()
        return self._markets.known() or await self._markets.load()

    async def _present(self, kind: Kind) -> Mapping[str, float]:
        asked_at, known = self._asked.get(kind, (0.0, {}))
        now = self._clock.now()
        if not known or not asked_at <= now < asked_at + _FRESH:
            quotes = await self._door.prices(kind)
            known = {symbol: price for symbol, one in quotes.items() if (price := price_of(one)) is not None}
            self._asked[kind] = (now, known)
        return known


def _nearest(listing: Listing, instrument: str) -> Listed | None:
    return next((listing.traded[name] for name in siblings(instrument) if name in listing), None)
