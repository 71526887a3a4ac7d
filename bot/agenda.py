"""Agenda: what is due by the clock is told once, and planned again.

What must last is a row with an instant in the store, so that a restart forgets nothing. What was missed while
nothing ran is told when it runs again, once, however often it was missed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from bot.bell import Bell
from bot.pacing import backoff
from bot.ports import StoreTrouble
from bot.reports import Ask, Memory, gather
from bot.spell import Spell

if TYPE_CHECKING:
    from bot.ports import Clock, Market
    from bot.ports.agenda import Agenda as Pages
    from bot.ports.agenda import Due

log = structlog.get_logger(__name__)

_AT_ONCE = 8


@dataclass(slots=True)
class Agenda:
    """Who keeps what is due by the clock.

    ``after`` is called when something was promised; ``longest_rest`` is how many seconds pass at most without
    a look into the store. ``ask`` looks at a metric that a report is to tell of and no alert reads.
    """

    pages: Pages
    memory: Memory
    market: Market
    clock: Clock
    after: Callable[[], None] = lambda: None
    longest_rest: float = 60.0
    ask: Ask | None = None
    _bell: Bell = field(default_factory=Bell)

    async def run(self) -> None:
        """Tell what is due whenever it is due, until cancelled."""
        failures, spell, is_planned = 0, Spell(), False
        while True:
            self._bell.mute()
            try:
                if not is_planned:
                    await self.pages.replan(self.clock.now())
                    is_planned = True
                with self.clock.still():
                    told = await self.turn()
                due = await self.pages.next_due_at()
            except StoreTrouble as trouble:
                if spell.begins(str(trouble), self.clock.now()):
                    log.error("the agenda cannot be kept", reason=str(trouble))
                await self._bell.rest(self.clock, backoff(failures, first=1.0, most=30.0))
                failures += 1
                continue
            failures = 0
            if spell.ends():
                log.warning("the agenda is kept again")
            if not told:
                wait = self.longest_rest if due is None else due - self.clock.now()
                await self._bell.rest(self.clock, min(max(wait, 0.01), self.longest_rest))

    def wake(self) -> None:
        """Say that something else may be due first."""
        self._bell.ring()

    async def turn(self) -> int:
        """Tell what is due now; gives how much that was."""
        due = await self.pages.due(self.clock.now(), _AT_ONCE)
        for one in due:
            await self._tell(one)
        return len(due)

    async def _tell(self, due: Due) -> None:
        now = self.clock.now()
        since, span = due.since, due.plan.span
        chosen = due.plan.series
        facts = await gather(
            self.memory, self.market, due.chat, now, since=since, span=span, chosen=chosen, ask=self.ask
        )
        if await self.pages.tell(due, facts, now):
            self.after()
