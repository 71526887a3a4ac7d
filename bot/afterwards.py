"""Afterwards: a day and a week after each ring, what the price did is written down.

Rings of one price in one hour are looked up together, in three questions: the minutes of the hour in which
they rang, the hours that lie between, and the minutes in which their stretches end. So every extreme is exact
to the minute, and a storm of rings costs what a single one does. What came due while nothing ran is caught up
with from what the exchange still has, a few questions a minute, so that looks and people go before it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import structlog

from bot.alerts.aftermath import DAY, SPANS, counted_from, course, subject
from bot.alerts.facts import rule_of
from bot.engine.terms import key_of
from bot.metrics import MINUTE, Bar, MetricKey, opening_of
from bot.pacing import backoff
from bot.ports import StoreTrouble, UnknownInstrument, Unseeable
from bot.ports.annals import Account
from bot.rules.tree import Instrument
from bot.spell import Spell

if TYPE_CHECKING:
    from bot.ports import Clock, Market
    from bot.ports.annals import Annals, Bygone

log = structlog.get_logger(__name__)

_HOUR = 3600
_SETTLED = 300
"""Seconds after which the last minute of a stretch is final everywhere."""

_RINGS_AT_ONCE = 1000
_LOOKS_A_TURN = 20
_BUSY = 0.5
"""The share of what an exchange allows from which on only one look a turn is added."""

_BETWEEN_TURNS = 60.0
_TRIES = 3
_BETWEEN_TRIES = 3500.0
"""Seconds: it is tried again on the next hour."""

_PATIENCE, _PATIENCE_WHILE_AWAY = DAY, 14 * DAY
"""How long after its end a stretch is still asked for: where some of it is missing, where nobody answers."""

_Look = tuple[Instrument, int, int]
"""A price, the hour in which it rang, and a span."""


@dataclass(slots=True)
class Afterwards:
    """Who writes down what came after the rings, five minutes after each hour: every so many seconds."""

    annals: Annals
    market: Market
    clock: Clock
    every: int = _HOUR
    _done: dict[int, int] = field(default_factory=dict)
    _seen_since: dict[int, float] = field(default_factory=dict)
    _tries: dict[_Look, tuple[int, float]] = field(default_factory=dict)
    _found: dict[_Look, tuple[MetricKey, list[Bar]]] = field(default_factory=dict)

    async def run(self) -> None:
        """Write down what is over whenever it is, until cancelled."""
        failures, spell = 0, Spell()
        while True:
            try:
                has_more = await self.turn()
            except StoreTrouble as trouble:
                if spell.begins(str(trouble), self.clock.now()):
                    log.error("what came after rings cannot be kept", reason=str(trouble))
                await self.clock.sleep(backoff(failures, first=1.0, most=60.0))
                failures += 1
                continue
            failures = 0
            if spell.ends():
                log.warning("what came after rings is kept again")
            now = self.clock.now()
            following = opening_of(now - _SETTLED, self.every) + self.every + _SETTLED
            await self.clock.sleep(_BETWEEN_TURNS if has_more else max(following - now, 1.0))

    async def turn(self) -> bool:
        """Write down what is over by now, as much as a turn may look up; gives whether more is left."""
        room = _LOOKS_A_TURN
        self._found.clear()
        for span in SPANS:
            room = await self._account(span, room)
            if not room:
                return True
        return False

    async def _account(self, span: int, room: int) -> int:
        """Account for one span; gives how many looks are left of the room."""
        after, left = 0, math.inf
        before = opening_of(self.clock.now() - span - _SETTLED, _HOUR)
        if self._done.get(span) == before:
            return room
        while True:
            since = self._seen_since.get(span, 0.0)
            rings = await self.annals.unaccounted(span, before, since, after, _RINGS_AT_ONCE)
            groups: dict[_Look | None, list[Bygone]] = defaultdict(list)
            for ring in rings:
                about = _subject(ring.rule, ring.terms)
                look = None if about is None else (about, opening_of(ring.at, _HOUR), span)
                groups[look].append(ring)
            for look, members in groups.items():
                if look is None:
                    accounts = [Account(one.id, span, counted_from(one.at)) for one in members]
                elif self._tries.get(look, (0, 0.0))[1] > self.clock.now():
                    accounts = []
                elif look in self._found:
                    accounts = await self._look(look, members)
                elif not room or (room < _LOOKS_A_TURN and self._is_busy()):
                    return 0
                else:
                    room -= 1
                    accounts = await self._look(look, members)
                await self.annals.account(accounts)
                if len(accounts) < len(members):
                    left = min(left, *(one.seen_at for one in members))
            if len(rings) < _RINGS_AT_ONCE:
                # What is not due yet came true later than that, and so it was seen later.
                self._seen_since[span] = min(left, before - DAY)
                if left == math.inf:
                    self._done[span] = before
                return room
            after = rings[-1].id

    async def _look(self, look: _Look, rings: Sequence[Bygone]) -> list[Account]:
        """Look up what came after rings of one price in one hour; what is to be tried again is left out."""
        about, hour, span = look
        is_answered, bars = True, list[Bar]()
        key: MetricKey | None = None
        try:
            if look not in self._found:
                key = key_of(about) if about.quote else await self.market.resolve(about)
                self._found[look] = key, await self._bars(key, hour, span)
            key, bars = self._found[look]
        except UnknownInstrument:
            return [Account(one.id, span, counted_from(one.at)) for one in rings]
        except Unseeable:
            is_answered = False
        accounts = []
        for one in rings:
            since = counted_from(one.at)
            accounts.append(Account(one.id, span, since, key, course(bars, since, span)))
        now, tries = self.clock.now(), self._tries.pop(look, (0, 0.0))[0] + 1
        patience = _PATIENCE if is_answered else _PATIENCE_WHILE_AWAY
        if tries >= _TRIES and now - hour - span > patience:
            return accounts
        known = [one for one in accounts if one.course is not None]
        if len(known) < len(accounts):
            self._tries[look] = (tries, now + _BETWEEN_TRIES)
        return known

    async def _bars(self, key: MetricKey, hour: int, span: int) -> list[Bar]:
        """Ask for minutes where stretches begin and end, and for hours in between. Raises Unseeable."""
        start, end = hour + _HOUR, hour + span
        head = await self.market.bars(key, hour, start, MINUTE)
        hours = await self.market.bars(key, start, end, _HOUR)
        tail = await self.market.bars(key, end, end + _HOUR, MINUTE)
        return [*head, *hours, *tail]

    def _is_busy(self) -> bool:
        return any((health.share or 0.0) >= _BUSY for health in self.market.health())


@lru_cache(maxsize=1000)
def _subject(rule: str, terms: tuple[str, ...]) -> Instrument | None:
    read = rule_of(rule)
    return None if read is None else subject(read, terms)
