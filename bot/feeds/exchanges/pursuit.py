"""Catching up the minutes of many series of one exchange, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from bot.feeds.exchanges.candles import GRACE, PATIENCE, final_until
from bot.feeds.exchanges.costs import Due, in_turn, room_of
from bot.feeds.exchanges.door import Door
from bot.feeds.exchanges.exchange_time import ExchangeTime
from bot.feeds.exchanges.hindsight import Reach, bars_before, bound, holes
from bot.feeds.exchanges.listing import Listed
from bot.feeds.exchanges.minutes import Caught, Rows, Trail, catch_up
from bot.feeds.exchanges.table import Costs, Exchange, Kind
from bot.feeds.faults import Fault, Trouble
from bot.metrics import MINUTE, Bar
from bot.ports import Clock

_PAGES_A_LOOK = 8
_SYMBOLS_AT_ONCE = 4
_STRIKES = 2
"""So many series that an exchange does not answer about say that it does not answer."""

_FIRST_SECONDS = 15.0
"""What the first look may spend: it should not be a long one, since the prices are seen once a look."""


@dataclass(frozen=True, slots=True)
class Catch:
    """What one look caught: answers by series, what bounds their gaps, and what went wrong with others."""

    answers: dict[Listed, Caught] = field(default_factory=dict)
    reaches: dict[Listed, list[Reach]] = field(default_factory=dict)
    faults: dict[Listed, Fault] = field(default_factory=dict)

    def whole_fault(self, count: int) -> Fault | None:
        """Give the fault of an exchange that fails as a whole, if that is what the faults show.

        ``count`` is how many series are followed here: what one series meets says nothing of the others.
        """
        for fault in self.faults.values():
            if fault.trouble in {Trouble.LIMITED, Trouble.BLOCKED}:
                return fault
        passing = [fault for fault in self.faults.values() if fault.is_of_all]
        if self.answers or len(passing) < min(count, _STRIKES):
            passing = []
        if not self.answers and len(self.faults) >= count:
            passing += [fault for fault in self.faults.values() if fault.trouble is not Trouble.SYMBOL]
        return passing[0] if passing else None

    def stop(self) -> Fault | None:
        """Give the fault after which asking on is useless."""
        whole = [fault for fault in self.faults.values() if fault.is_of_all]
        fatal = [fault for fault in whole if fault.trouble is not Trouble.PASSING]
        return fatal[0] if fatal else whole[0] if len(whole) >= _STRIKES else None


class Pursuit:
    """Follow series from their first missing minute; one bad series does not spoil the others.

    A look asks no more than the exchange allows in the time since the look before; what it does not come to,
    waits its turn.
    """

    def __init__(self, exchange: Exchange, door: Door, time: ExchangeTime, clock: Clock) -> None:
        self._exchange = exchange
        self._door = door
        self._time = time
        self._clock = clock
        self._room = asyncio.Semaphore(_SYMBOLS_AT_ONCE)
        self._trails: dict[str, Trail] = {}
        self._asked: dict[str, float] = {}
        self._began = clock.now() - _FIRST_SECONDS
        self._left: dict[Costs, int] = {}

    def begin(self) -> None:
        """Begin a look: say what it may ask."""
        elapsed, self._began = self._clock.now() - self._began, self._clock.now()
        kinds: tuple[Kind, ...] = ("spot", "swap")
        self._left = {
            self._exchange.costs[kind]: room_of(
                self._exchange, kind, self._door.spent(kind), elapsed, _SYMBOLS_AT_ONCE
            )
            for kind in kinds
        }

    async def before(
        self, wanted: Mapping[Listed, int]
    ) -> tuple[dict[Listed, Sequence[Bar]], dict[Listed, Fault]]:
        """Give the last bars before an instant, for as many series as may be asked for now.

        Raises the Fault of an exchange that fails as a whole.
        """
        found: dict[Listed, Sequence[Bar]] = {}
        faults: dict[Listed, Fault] = {}
        now = await self._time.now()

        async def one(listed: Listed) -> None:
            async with self._room:
                try:
                    instant = wanted[listed]
                    bars = await bars_before(
                        lambda span: self.asking(listed, now, span), self._exchange, instant, now
                    )
                    if not bars:
                        raise Fault(
                            Trouble.SYMBOL, f"{self._exchange.name} has no price of then to go on from"
                        )
                    found[listed] = bars
                except Fault as fault:
                    faults[listed] = fault

        await asyncio.gather(*map(one, self._turns(wanted, {})))
        for fault in faults.values():
            if fault.is_of_all:
                raise fault
        return found, faults

    async def catch(
        self, wanted: Mapping[Listed, int], distances: Mapping[Listed, float], count: int
    ) -> Catch:
        """Ask for the final minutes of each series from an opening on; ``count`` series are followed in all.

        Raises the Fault of an exchange that fails as a whole.
        """
        self._trails = {
            listed.symbol: trail for listed in wanted if (trail := self._trails.get(listed.symbol))
        }
        caught = Catch()

        async def one(listed: Listed) -> None:
            async with self._room:
                try:
                    if (stop := caught.stop()) is not None:
                        raise stop
                    await self._follow(listed, wanted[listed], caught)
                except Fault as fault:
                    caught.answers.pop(listed, None)
                    caught.faults[listed] = fault

        due = {listed: since for listed, since in wanted.items() if self._is_worth_asking(listed, since)}
        caught.answers.update({listed: Caught() for listed in wanted.keys() - due.keys()})
        await asyncio.gather(*map(one, self._turns(due, distances)))
        if (fault := caught.whole_fault(count)) is not None:
            raise fault
        return caught

    def asking(self, listed: Listed, now: float, span: int = MINUTE) -> Rows:
        """Ask for candles of one series, by the exchange's instant ``now``."""
        return lambda start, stop: self._door.rows(listed.symbol, start, stop, now, span)

    def _turns(self, due: Mapping[Listed, int], distances: Mapping[Listed, float]) -> Sequence[Listed]:
        """Name the series whose turn it is, and count them as asked."""
        now = self._clock.now()
        chosen: list[Listed] = []
        for costs, room in self._left.items():
            waiting = {listed.symbol: listed for listed in due if self._exchange.costs[listed.kind] == costs}
            turns = in_turn(
                [
                    Due(symbol, distances.get(listed, 0.0), self._asked.get(symbol, -inf))
                    for symbol, listed in waiting.items()
                ],
                room,
            )
            self._left[costs] = room - len(turns)
            chosen += [waiting[symbol] for symbol in turns]
        self._asked |= {listed.symbol: now for listed in chosen}
        return chosen

    def _is_worth_asking(self, listed: Listed, since: int) -> bool:
        trail, now = self._trails.get(listed.symbol), self._time.estimate()
        if trail is None or trail.since != since:
            return True
        return trail.is_worth_asking(final_until(now), now, self._exchange.is_sparse)

    async def _follow(self, listed: Listed, since: int, caught: Catch) -> None:
        now = await self._time.now()
        found = await catch_up(
            self.asking(listed, now),
            self._exchange,
            since,
            final_until(now),
            now=now,
            pages=_PAGES_A_LOOK,
            trail=self._trails.get(listed.symbol),
        )
        if found.trail is None:
            self._trails.pop(listed.symbol, None)
        else:
            self._trails[listed.symbol] = found.trail
        is_missing = not found.bars and now >= since + MINUTE + GRACE + PATIENCE
        if not self._exchange.is_sparse and is_missing and found.good:
            raise self._nonsense("gives no new candles")
        if not found.good and (found.refused or not self._exchange.is_sparse):
            raise self._nonsense("gives impossible candles" if found.refused else "gives no candles")
        missing = holes(found.bars, since)
        if missing:
            caught.reaches[listed] = await bound(
                lambda span: self.asking(listed, now, span), self._exchange, missing, now
            )
        caught.answers[listed] = found

    def _nonsense(self, what: str) -> Fault:
        return Fault(Trouble.NONSENSE, f"{self._exchange.name} {what}")
