"""How much one person or one chat may have and ask, and who is shut out. Operators set it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Thing(StrEnum):
    """What is counted: alerts of a chat's own, shared alerts followed, commands within a minute."""

    ALERTS = "alerts"
    SUBSCRIPTIONS = "subscriptions"
    COMMANDS = "commands"


class Whose(StrEnum):
    """Over whom it is counted: what one person made anywhere, or what one chat has, its topics together."""

    PERSON = "person"
    CHAT = "chat"


QUOTAS: Mapping[tuple[Thing, Whose], int] = {
    (Thing.ALERTS, Whose.PERSON): 100,
    (Thing.ALERTS, Whose.CHAT): 200,
    (Thing.SUBSCRIPTIONS, Whose.PERSON): 100,
    (Thing.SUBSCRIPTIONS, Whose.CHAT): 100,
    (Thing.COMMANDS, Whose.PERSON): 30,
    (Thing.COMMANDS, Whose.CHAT): 60,
}
"""Every quota, as it is unless an operator sets it: far above what one person reads, far below a flood."""

MOST_OF_ALL = 100_000
"""The largest value that a quota takes."""


@dataclass(frozen=True, slots=True)
class Ban:
    """A person, or a group, that the bot does not listen to; ``told_at`` is when that was said to them."""

    platform: str
    person: str
    until: float | None = None
    told_at: float | None = None

    def holds(self, now: float) -> bool:
        """Ask whether it is in force at an instant."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class Bounds:
    """The quotas that were set otherwise, and the bans by (platform, person).

    ``linked`` gives who else a (platform, person) is: a ban on either holds for both.
    """

    quotas: Mapping[tuple[Thing, Whose], int] = field(default_factory=dict)
    bans: Mapping[tuple[str, str], Ban] = field(default_factory=dict)
    linked: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def ban_on(self, platform: str, ids: Iterable[str], now: float) -> Ban | None:
        """Give the ban that holds for one of some ids on a platform, or for whom that is elsewhere."""
        named = [(platform, one) for one in ids]
        both = (*named, *(self.linked[one] for one in named if one in self.linked))
        found = (self.bans.get(one) for one in both)
        return next((ban for ban in found if ban is not None and ban.holds(now)), None)

    def most(self, thing: Thing, whose: Whose) -> int:
        """Give how many there may be."""
        return self.quotas.get((thing, whose), QUOTAS[thing, whose])


def quota_name(thing: Thing, whose: Whose) -> str:
    """Name a quota, as it is kept and typed: ``alerts person``."""
    return f"{thing} {whose}"


def read_quota(name: str) -> tuple[Thing, Whose] | None:
    """Read the name of a quota back; ``None`` if there is none of that name."""
    return next((one for one in QUOTAS if quota_name(*one) == name), None)
