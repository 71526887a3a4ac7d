"""Catching up the minutes of many series of one exchange, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.feeds.candles import final_until
from bot.feeds.door import Door
from bot.feeds.exchange_time import ExchangeTime
from bot.feeds.faults import Fault, Trouble
from bot.feeds.listing import Listed
from bot.feeds.minutes import Caught, Rows, Trail, catch_up
from bot.feeds.table import Exchange
from bot.metrics import MINUTE

_PAGES_A_LOOK = 8
_SYMBOLS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Catch:
    """What one look caught: the answers by series, and what went wrong with those that have none."""

    answers: dict[Listed, Caught] = field(default_factory=dict)
    faults: dict[Listed, Fault] = field(default_factory=dict)


class Pursuit:
    """Follow series from their first missing minute; one bad series does not spoil the others."""

    def __init__(self, exchange: Exchange, door: Door, time: ExchangeTime) -> None:
        self._exchange = exchange
        self._door = door
        self._time = time
        self._room = asyncio.Semaphore(_SYMBOLS_AT_ONCE)
        self._trails: dict[str, Trail] = {}

    async def catch(self, wanted: Mapping[Listed, int]) -> Catch:
        """Ask for the final minutes of each series from an opening on.

        Raises the Fault of an exchange that fails as a whole.
        """
        final = final_until(self._time.estimate())
        due = {listed: since for listed, since in wanted.items() if since < final}
        self._trails = {listed.symbol: trail for listed in due if (trail := self._trails.get(listed.symbol))}
        caught = Catch()

        async def one(listed: Listed, since: int) -> None:
            async with self._room:
                stop = next((fault for fault in caught.faults.values() if fault.is_of_all), None)
                try:
                    if stop is not None:
                        raise stop
                    caught.answers[listed] = await self._follow(listed, since)
                except Fault as fault:
                    caught.faults[listed] = fault

        await asyncio.gather(*(one(listed, since) for listed, since in due.items()))
        faults = caught.faults.values()
        fatal = [fault for fault in faults if fault.trouble in {Trouble.LIMITED, Trouble.BLOCKED}]
        whole = [fault for fault in faults if fault.trouble is not Trouble.SYMBOL]
        if fatal or (whole and not caught.answers):
            raise (fatal or whole)[0]
        return caught

    def asking(self, listed: Listed, now: float, span: int = MINUTE) -> Rows:
        """Ask for candles of one series, by the exchange's instant ``now``."""
        return lambda start, stop: self._door.rows(listed.symbol, start, stop, now, span)

    async def _follow(self, listed: Listed, since: int) -> Caught:
        trail = self._trails.get(listed.symbol)
        now = self._time.estimate()
        stop = final_until(now)
        if (
            trail is not None
            and trail.since == since
            and not trail.is_worth_asking(stop, now, self._exchange.is_sparse)
        ):
            return Caught()
        now = await self._time.now()
        rows = self.asking(listed, now)
        caught = await catch_up(rows, self._exchange, since, stop, now=now, pages=_PAGES_A_LOOK, trail=trail)
        if caught.trail is None:
            self._trails.pop(listed.symbol, None)
        else:
            self._trails[listed.symbol] = caught.trail
        if not caught.good and (caught.refused or not self._exchange.is_sparse):
            what = "gives impossible candles" if caught.refused else "gives no candles"
            raise Fault(Trouble.NONSENSE, f"{self._exchange.name} {what}")
        return caught
