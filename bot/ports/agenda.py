"""What is due by the clock, and how a chat wants to hear what rings: sockets of agenda and of commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.alerts.hours import Plan
from bot.alerts.message import Facts
from bot.alerts.models import Alert
from bot.alerts.people import Caller, ChatRef


@dataclass(frozen=True, slots=True)
class Due:
    """A report that a chat wants by a plan: due ``at`` an instant, of what came ``since`` the last one."""

    id: int
    chat: ChatRef
    plan: Plan
    at: float
    since: float


class Agenda(Protocol):
    """What agenda needs of the store."""

    async def due(self, now: float, limit: int) -> Sequence[Due]:
        """Give what is due, the oldest first."""

    async def next_due_at(self) -> float | None:
        """Give the instant at which something is due next, or ``None``."""

    async def replan(self, now: float) -> None:
        """Plan anew what was told by a clock that was far ahead then and was set back since."""

    async def tell(self, due: Due, facts: Facts, now: float) -> bool:
        """Promise what was due, once, and write down when it is due again.

        Gives whether it was still to be told. What several times were missed for is told once.
        """


class Hearing(Protocol):
    """The part of ``Register`` that knows how a chat wants to hear what rings."""

    async def quiet(self, caller: Caller) -> tuple[str, int]:
        """Give the quiet hours of the caller's chat, or nothing, and how many messages wait."""

    async def set_quiet(self, caller: Caller, quiet: str, now: float) -> None:
        """Set the quiet hours of the caller's chat, or none; what is kept is looked at anew."""

    async def set_urgent(self, chat: ChatRef, label: str, now: float, *, is_urgent: bool) -> Alert | None:
        """Let one alert of a chat be told before all else, in quiet hours too, or not any more."""

    async def mute_all(self, chat: ChatRef, until: float, now: float) -> int:
        """Do not tell a chat what any of its alerts rings before an instant; gives how many those are."""

    async def unmute_all(self, chat: ChatRef, now: float) -> int:
        """Tell all alerts of a chat again; gives how many were muted."""

    async def set_report(self, caller: Caller, plan: Plan | None, now: float) -> float | None:
        """Let the caller's chat have reports, or none; gives when the next is due."""

    async def report(self, chat: ChatRef) -> Due | None:
        """Give the reports of a chat, or ``None``."""
