"""What people change: proposals that wait for a confirmation, and the audit of what was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.alerts.people import ChatRef, Role

Document = Mapping[str, str | int | float | bool | None]
"""JSON values under plain names; numbers that must stay exact are text."""


class Subject(StrEnum):
    """What a change is of."""

    LEVEL = "level"
    SHARED = "shared"
    POLICY = "policy"
    QUOTA = "quota"
    BAN = "ban"
    PLAYBOOK = "playbook"
    BROADCAST = "broadcast"
    PLACE = "place"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that waits for whoever proposed it to confirm it, in the chat where it was proposed.

    ``kind`` says who carries it out and ``change`` what; ``role`` is the least that may confirm it;
    ``revision`` is what its preview was reckoned on. ``settled_at`` is when it was confirmed or discarded.
    """

    id: int
    chat: ChatRef
    person: str
    name: str
    kind: str
    change: Document
    role: Role
    revision: int
    made_at: float
    expires_at: float
    settled_at: float | None = None
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Basis:
    """What a change rests on: the proposal that it confirms, the entry of the audit that it takes back."""

    proposal: int | None = None
    undoes: int | None = None


PLAIN = Basis()
"""A change that confirms nothing and takes nothing back."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the audit: who changed what, where, from what to what.

    ``chat`` is where it was said, ``scope`` where it holds (``None``: everywhere). ``before`` or ``after`` is
    ``None`` where there was nothing. ``revision`` orders it among all changes: an arming made in that
    revision or a later one follows it.
    """

    id: int
    at: float
    revision: int
    by: str
    subject: Subject
    name: str
    before: Document | None
    after: Document | None
    chat: ChatRef | None = None
    scope: ChatRef | None = None
    undoes: int | None = None
