"""What commands need of the memory to take in what somebody brings from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from bot.alerts.bounds import Thing
from bot.alerts.changes import PLAIN, Basis
from bot.alerts.hours import Plan
from bot.alerts.models import Alert
from bot.alerts.people import Caller
from bot.metrics import MetricKey, Seen
from bot.ports.places import Place


@dataclass(frozen=True, slots=True)
class Taken:
    """An alert to be made, or the shared one of a ``name`` to be followed, as it was elsewhere.

    ``armed`` is the ``rule`` filled in and qualified, ``seen`` what was seen of it just now.
    """

    rule: str
    armed: str
    seen: Mapping[MetricKey, Seen]
    name: str = ""
    own: Mapping[str, Decimal] = field(default_factory=dict)
    is_urgent: bool = False
    is_paused: bool = False
    muted_until: float | None = None
    place: Place | None = None
    playbook: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class Intake:
    """What is to come into a chat; a setting that is ``None`` stays as it is there."""

    language: str | None = None
    timezone: str | None = None
    quiet: str | None = None
    report: Plan | None = None
    announcements: bool | None = None
    levels: Mapping[str, Decimal] = field(default_factory=dict)
    alerts: Sequence[Taken] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to be done."""
        settings = (self.language, self.timezone, self.quiet, self.report, self.announcements)
        return bool(self.levels or self.alerts) or any(one is not None for one in settings)


class Importing(Protocol):
    """The part of ``Register`` that takes in what somebody brings."""

    async def room(self, caller: Caller) -> Mapping[Thing, int]:
        """Say how many more alerts, and shared ones, the caller may have in this chat."""

    async def take_in(
        self, caller: Caller, intake: Intake, now: float, *, basis: Basis = PLAIN
    ) -> list[Alert]:
        """Make it all in the caller's chat, or nothing; gives the alerts.

        Raises Conflict where a level or a shared alert is not as it was reckoned on, Beyond, and Settled.
        """
