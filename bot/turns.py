"""Turns: messages wait in the line of their platform until they may go.

What is pushed and what is answered wait in one line, so that both together keep to what the platform bears.
Who may go is decided at the last moment: whatever is more urgent, or held meanwhile, is heeded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.alerts.lots import ALL_LOTS, Lots
from bot.alerts.models import Notification, Telling
from bot.alerts.people import Caller, ChatKind
from bot.bell import Bell
from bot.pacing import Pacer, Rank, Turn

if TYPE_CHECKING:
    from bot.ports import Clock

_SHORTEST_REST = 0.005
"""At a fast pace several are called at once then; a bucket keeps what falls due meanwhile."""

_REST_WHILE_SHUT = 0.25
"""Who waits then is not called before somebody learns that the line is this process's still."""

_SECONDS_FOR_AN_ANSWER = 60.0


class TooLong(Exception):
    """The turn would come later than it can be waited for."""


@dataclass(slots=True)
class _Place:
    """Somebody in the line: until when they wait, and whether the message they may send is paid for."""

    turn: Turn
    until: float
    called: asyncio.Future[bool]


@dataclass(slots=True)
class Turns:
    """The line of one platform, or of some ``lots`` of its chats.

    Nobody is called while it ``is_shut``: another process may have the line by then.
    """

    pacer: Pacer
    clock: Clock
    lots: Lots = ALL_LOTS
    is_shut: Callable[[], bool] = lambda: False
    _places: dict[int, _Place] = field(default_factory=dict)
    _bell: Bell = field(default_factory=Bell)
    _keeper: asyncio.Task[None] | None = None

    async def wait(self, chat: str, is_group: bool, rank: Rank, patience: float) -> bool:
        """Wait for the turn of a message, at most so many seconds; says whether it is one that is paid for.

        The message counts as gone, so it must be sent at once. Raises TooLong, also where the process stood
        still and the turn came only afterwards.
        """
        if patience <= 0:
            raise TooLong
        now = self.clock.now()
        turn = self.pacer.join(chat, is_group, rank)
        place = _Place(turn, now + patience, asyncio.get_running_loop().create_future())
        self._places[turn.number] = place
        self._call(now)
        if not place.called.done():
            if self._keeper is None or self._keeper.done():
                self._keeper = asyncio.create_task(self._keep(), name="the keeper of a line")
            self._bell.ring()
        try:
            return await place.called
        finally:
            self._leave(turn)

    async def _keep(self) -> None:
        """Call out whose turn it is, for as long as anybody waits."""
        while self._places:
            self._bell.mute()
            now = self.clock.now()
            for place in [*self._places.values()]:
                if place.until <= now:
                    self._leave(place.turn)
                    place.called.set_exception(TooLong())
            self._call(now)
            if self._places:
                patience = min(place.until for place in self._places.values())
                at = min(self.pacer.next_at(now), patience)
                shortest = _REST_WHILE_SHUT if self.is_shut() else _SHORTEST_REST
                await self._bell.rest(self.clock, max(at - now, shortest))

    def _call(self, now: float) -> None:
        while not self.is_shut() and (call := self.pacer.call(now)) is not None:
            place = self._places.pop(call.turn.number)
            if place.called.done():
                continue
            if place.until <= self.clock.now():  # the process may have stood still
                place.called.set_exception(TooLong())
            else:
                place.called.set_result(call.is_paid)

    def _leave(self, turn: Turn) -> None:
        if self._places.pop(turn.number, None) is not None:  # else it was called
            self.pacer.leave(turn)


def answering(turns: Mapping[str, Turns]) -> Callable[[Caller], Awaitable[bool]]:
    """Let answers wait in the line of their platform; it raises TimeoutError after a minute."""

    async def turn(caller: Caller) -> bool:
        line, is_group = turns[caller.chat.platform], caller.kind is ChatKind.GROUP
        try:
            return await line.wait(caller.chat.chat, is_group, Rank.ANSWER, _SECONDS_FOR_AN_ANSWER)
        except TooLong:
            raise TimeoutError from None

    return turn


def rank_of(notification: Notification) -> Rank:
    """Give the rank of what is pushed: reports, and what was kept for quiet hours, are digests."""
    if notification.kind is Telling.BROADCAST:
        return Rank.BROADCAST
    is_digest = notification.kind is Telling.REPORT or notification.kept_until is not None
    return Rank.DIGEST if is_digest else Rank.ALERT
