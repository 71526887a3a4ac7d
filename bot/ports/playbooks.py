"""What commands need of the memory for playbooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from bot.alerts.changes import PLAIN, Basis
from bot.alerts.models import Alert
from bot.alerts.people import Caller, ChatRef
from bot.metrics import MetricKey, Seen


@dataclass(frozen=True, slots=True)
class KeptPlaybook:
    """A playbook as it was made, changed or (``text`` is ``None``) taken away in chat; the text is TOML."""

    text: str | None
    set_by: str
    set_at: float


@dataclass(frozen=True, slots=True)
class Parts:
    """What happens to the rules of a playbook, in one chat or in all that follow it.

    ``adds`` and ``changes`` are canonical rules by their names, ``drops`` names.
    """

    adds: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, str] = field(default_factory=dict)
    drops: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.adds or self.changes or self.drops)


@dataclass(frozen=True, slots=True)
class Armer:
    """How the rules of a playbook are armed, wherever that is.

    ``refill`` fills a canonical rule with levels and qualifies it; ``levels`` are those of the playbook with
    the values that they have until somebody sets them; ``seen`` is what was seen of all that is read.
    """

    refill: Callable[[str, Mapping[str, Decimal]], str]
    levels: Mapping[str, Decimal]
    seen: Mapping[MetricKey, Seen]


@dataclass(frozen=True, slots=True)
class PlaybookChange:
    """What changing a playbook did: in how many chats, to how many of their alerts."""

    chats: int
    alerts: int


class Playbooks(Protocol):
    """Playbooks that were made or changed in chat, and who follows which. Each call is one transaction."""

    async def playbooks(self) -> dict[str, KeptPlaybook]:
        """Give every playbook that was made, changed or taken away in chat, by name."""

    async def playbook_followers(self) -> dict[str, int]:
        """Count, by the name of a playbook, the chats that follow it."""

    async def follow_playbook(
        self,
        caller: Caller,
        name: str,
        parts: Parts,
        now: float,
        *,
        armer: Armer,
        filled: Mapping[str, Decimal],
        own: Mapping[str, Decimal],
        basis: Basis = PLAIN,
    ) -> list[Alert]:
        """Arm the rules of a playbook as alerts of the caller's chat, all or none; gives those made anew.

        Levels that nobody has set come to be, for the deployment. ``own`` are levels of these alerts alone.
        Raises Conflict if a level is not what it is ``filled`` with, Settled, and Stale if the playbook was
        changed since the proposal.
        """

    async def leave_playbook(self, chat: ChatRef, name: str, now: float) -> list[Alert]:
        """Delete all alerts of a chat that belong to a playbook; gives them."""

    async def set_playbook(
        self,
        caller: Caller,
        name: str,
        parts: Parts,
        now: float,
        *,
        before: str | None,
        after: str | None,
        is_filed: bool,
        armer: Armer,
        basis: Basis = PLAIN,
    ) -> PlaybookChange:
        """Keep a playbook (``after`` is ``None``: take it away), and let all who follow it follow the change.

        One that ``is_filed`` just so is not kept beside its file. Each other chat whose alerts are changed is
        told once; what somebody deleted stays deleted. Written in the audit. Raises Settled, and Stale if
        something newer changed it: then nothing was written.
        """
