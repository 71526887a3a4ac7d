"""What one exchange answers to questions about the present and the past, between its looks."""

from __future__ import annotations

from bot.feeds.candles import Refused, parse_row
from bot.feeds.door import Door
from bot.feeds.exchange_time import ExchangeTime
from bot.feeds.faults import Fault, Trouble
from bot.feeds.listing import Listed
from bot.feeds.minutes import OVERLAP, catch_up
from bot.feeds.prices import price_of
from bot.feeds.table import Exchange
from bot.metrics import MINUTE, Bar, Seen, join, minute_of, opening_of, point, runs

_PAGES = 500


class Answers:
    """Answer about one listed instrument; everything here raises Faults only."""

    def __init__(self, exchange: Exchange, door: Door, time: ExchangeTime) -> None:
        self._exchange = exchange
        self._door = door
        self._time = time

    async def see(self, listed: Listed) -> Seen:
        """Give the present price with the running minute so far."""
        now = await self._time.now()
        minute = minute_of(now)
        answer = await self._door.rows(listed.symbol, minute - OVERLAP, minute + 2 * MINUTE, now)
        read = [parse_row(row, now) for row in answer]
        bars = [row for row in read if isinstance(row, Bar)]
        newest = max(bars, key=lambda bar: bar.at, default=None)
        latest = minute if newest is None else newest.at
        if any(isinstance(row, Refused) and (row.at is None or row.at >= latest) for row in read):
            raise self._nonsense("gives an impossible candle")
        if newest is not None:
            bar = newest if newest.at >= minute else point(newest.close, minute)
        else:
            price = price_of((await self._door.prices(listed.kind)).get(listed.symbol))
            if price is None:
                raise self._nonsense(f"gives no price for {listed.symbol}")
            bar = point(price, minute)
        return Seen(min(max(self._time.estimate(), bar.at), bar.end - 0.001), bar)

    async def page(self, listed: Listed, since: int, until: int, span: int) -> tuple[Bar, ...]:
        """Give the newest run without a hole of the final bars in ``[since, until)``.

        Those of a length that the exchange does not offer are joined from shorter ones.
        """
        offered = max(one for one in self._exchange.spans if span % one == 0)
        first, stop = opening_of(since, span), opening_of(until, span)
        now = await self._time.now()
        caught = await catch_up(
            lambda start, end: self._door.rows(listed.symbol, start, end, now, offered),
            self._exchange,
            first,
            stop,
            now=now,
            pages=_PAGES,
            span=offered,
            is_patient=False,
        )
        found = runs(caught.bars if offered == span else tuple(join(caught.bars, span)))
        return found[-1] if found else ()

    def _nonsense(self, what: str) -> Fault:
        return Fault(Trouble.NONSENSE, f"{self._exchange.name} {what}")
