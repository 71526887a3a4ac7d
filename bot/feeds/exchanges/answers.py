"""What one exchange answers to questions about the present and the past, between its looks."""

from __future__ import annotations

from bot.feeds.exchanges.candles import Refused, parse_row
from bot.feeds.exchanges.door import Door
from bot.feeds.exchanges.exchange_time import ExchangeTime
from bot.feeds.exchanges.guard import written
from bot.feeds.exchanges.inquiry import Inquiry
from bot.feeds.exchanges.listing import Listed
from bot.feeds.exchanges.minutes import OVERLAP, catch_up
from bot.feeds.exchanges.prices import price_of
from bot.feeds.exchanges.table import Exchange
from bot.feeds.faults import Fault, Trouble
from bot.metrics import MINUTE, Bar, MetricKey, Seen, join, minute_of, opening_of, point, runs

_PAGES = 500


class Answers:
    """Answer about one listed instrument; everything here raises Faults only.

    What is answered is as trustworthy as what looks bring: an alert begins with it.
    """

    def __init__(self, exchange: Exchange, door: Door, time: ExchangeTime, inquiry: Inquiry) -> None:
        self._exchange = exchange
        self._inquiry = inquiry
        self._door = door
        self._time = time

    async def see(self, key: MetricKey, listed: Listed) -> Seen:
        """Give the present price with the running minute so far."""
        now = await self._time.now()
        minute = minute_of(now)
        answer = await self._door.rows(listed.symbol, minute - OVERLAP, minute + 2 * MINUTE, now)
        read = [parse_row(row, now) for row in answer]
        bars = sorted((row for row in read if isinstance(row, Bar)), key=lambda bar: bar.at)
        newest = bars[-1] if bars else None
        latest = minute if newest is None else newest.at
        if any(isinstance(row, Refused) and (row.at is None or row.at >= latest) for row in read):
            raise self._nonsense("gives an impossible candle")
        if newest is not None:
            # Its extremes stay as they came: what was seen does not ring, so the widest are the safest.
            if not await self._inquiry.is_borne_out(key, bars):
                raise self._nonsense(f"shows {written(newest.close)}, which no second source bears out")
            bar = newest if newest.at >= minute else point(newest.close, minute)
        else:
            price = price_of((await self._door.prices(listed.kind)).get(listed.symbol))
            if price is None:
                raise self._nonsense(f"gives no price for {listed.symbol}")
            bar = point(price, minute)
        return Seen(min(max(self._time.estimate(), bar.at), bar.end - 0.001), bar)

    async def page(
        self, key: MetricKey, listed: Listed, since: int, until: int, span: int
    ) -> tuple[Bar, ...]:
        """Give the newest run without a hole of the final bars in ``[since, until)``.

        Those of a length that the exchange does not offer are joined from shorter ones.
        """
        offered = self._door.offered(span)
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
        bars = await self._inquiry.vet(key, caught.bars)
        found = runs(bars if offered == span else tuple(join(bars, span)))
        return found[-1] if found else ()

    def _nonsense(self, what: str) -> Fault:
        return Fault(Trouble.NONSENSE, f"{self._exchange.name} {what}")
