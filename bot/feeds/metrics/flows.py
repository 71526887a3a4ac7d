"""Flows of funds from a table of days: read for each coin, judged, and looked at again when it pays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.finality import Days, Flow, judge, words, wrong_of
from bot.feeds.metrics.hours import FILLING, LATE, SETTLING, next_look
from bot.feeds.metrics.notes import Notes, read_days, written_days
from bot.feeds.metrics.provider import Look
from bot.metrics import MetricKey, Observation, Want

COINS = ("btc", "eth", "sol")

_UNTIL_CONFIRMED = 1800.0
"""Seconds to the next look where a day is complete, and a second read that shows the same makes it final."""

_UNTIL_REPEATED = 3600.0
"""Seconds to the next look where a coin could not be read and another could."""


@dataclass(frozen=True, slots=True)
class Table:
    """The days that a source shows for a coin, as they were at the instant ``at``."""

    flows: Sequence[Flow]
    at: float


class FlowTables:
    """A provider of flows whose every answer shows all that there is to a coin's days.

    ``ask`` is handed a coin, since when its days are wanted, and the present; it raises Fault. ``most_apart``
    is how many seconds there are between two looks at most. ``notes`` are where it remembers what was read:
    a second read that shows the same may come after a restart.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[str, int, float], Awaitable[Table]],
        notes: Notes,
        most_apart: float = float("inf"),
    ) -> None:
        self._name = name
        self._notes = notes
        self._is_recalled = False
        self._ask = ask
        self._most_apart = most_apart
        self._days: dict[str, Days] = {}

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask for each coin that is wanted. Raises Fault where none could be read."""
        await self._recall()
        found: list[Observation] = []
        refused: dict[MetricKey, str] = {}
        closed: Fault | None = None
        for want in wants:  # one after the other: who refuses one question is not asked the next
            try:
                if closed is not None:
                    raise closed
                days = await self._read(want, now)
            except Fault as fault:
                refused[want.key] = fault.reason
                if fault.trouble in {Trouble.BLOCKED, Trouble.LIMITED} or len(refused) == len(wants):
                    closed = fault
            else:
                found += words(want.key, days, now, self._name)
        if closed is not None and len(refused) == len(wants):
            raise closed
        await self._notes.write({coin: written_days(days) for coin, days in self._days.items()}, now)
        return Look(self._next_at(now, bool(refused)), tuple(found), refused)

    async def _recall(self) -> None:
        if not self._is_recalled:
            page = await self._notes.read()
            self._days = {coin: days for coin in COINS if (days := read_days(page.get(coin)))}
            self._is_recalled = True

    async def _read(self, want: Want, now: float) -> Days:
        coin = want.key.instrument
        table = await self._ask(coin, want.since, now)
        if not table.flows:
            raise Fault(Trouble.NONSENSE, f"{self._name} shows no flow that can be read")
        if wrong := wrong_of(table.flows, now):
            raise Fault(Trouble.NONSENSE, f"{self._name} answers nonsense: {wrong}")
        self._days[coin] = judge(table.flows, self._days.get(coin, {}), table.at)
        return self._days[coin]

    def _next_at(self, now: float, is_partial: bool) -> float:
        planned = min(float(next_look(now, (*FILLING, *SETTLING, *LATE))), now + self._most_apart)
        if any(day.awaits_read for days in self._days.values() for day in days.values()):
            planned = min(planned, now + _UNTIL_CONFIRMED)
        return min(planned, now + _UNTIL_REPEATED) if is_partial else planned
