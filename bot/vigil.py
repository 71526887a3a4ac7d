"""Whether the organs of the bot are well, and what of that is told: each turn once, and no flapping. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

UNWELL_AFTER = 180.0
"""For how many seconds on end an organ is unwell before that is told."""

WELL_AFTER = 180.0
"""For how many seconds on end it is well again before that is told."""


class Kind(StrEnum):
    """What an organ is there for."""

    FEED = "feed"
    CHAT = "chat"
    EAR = "ear"
    OUTBOX = "outbox"
    MEMORY = "memory"
    TAPE = "tape"
    CREW = "crew"


@dataclass(frozen=True, slots=True, order=True)
class Organ:
    """A part of the bot that may be unwell: a feed by its source, the database, or what is of a platform.

    Where several processes divide the work, the tape lies between them, and a crew are those of a role.
    """

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Ailment:
    """What an organ has: ``reason`` without full stop, since when, and since when it is over.

    Instants are epoch seconds. One that ``is_told`` is told of again only when it is over.
    """

    reason: str
    since: float
    is_told: bool = False
    well_since: float | None = None


@dataclass(frozen=True, slots=True)
class Bulletin:
    """One turn that is to be told: an organ became unwell, or (``well_since``) is well again."""

    organ: Organ
    reason: str
    since: float
    well_since: float | None = None


@dataclass(frozen=True, slots=True)
class Vigil:
    """What is known of the organs that are, or lately were, unwell."""

    ailments: Mapping[Organ, Ailment] = field(default_factory=dict)

    def watch(self, found: Mapping[Organ, str | None], now: float) -> tuple[Vigil, list[Bulletin]]:
        """Take in how every organ is at ``now``: what ails it, or empty text; gives what is to be told.

        ``None`` is for one of which nothing is known: that is neither news nor the end of anything.

        An organ that is not among them is there no more, and nothing is told of it. One that was unwell for
        a short while only, or is well for a short while only, is no news either.
        """
        ailments: dict[Organ, Ailment] = {}
        bulletins: list[Bulletin] = []
        for organ, reason in sorted(found.items(), key=lambda one: one[0]):
            ailment = self.ailments.get(organ)
            if reason is None:
                if ailment is None:
                    continue
                ailment = replace(ailment, well_since=None)
            elif reason:
                ailment = (
                    replace(ailment, reason=reason, well_since=None) if ailment else Ailment(reason, now)
                )
                if not ailment.is_told and now - ailment.since >= UNWELL_AFTER:
                    ailment = replace(ailment, is_told=True)
                    bulletins.append(Bulletin(organ, reason, ailment.since))
            elif ailment is not None and ailment.is_told:
                since = now if ailment.well_since is None else ailment.well_since
                ailment = replace(ailment, well_since=since)
                if now - since >= WELL_AFTER:
                    bulletins.append(Bulletin(organ, ailment.reason, ailment.since, since))
                    continue
            else:
                continue
            ailments[organ] = ailment
        return Vigil(ailments), bulletins

    def page(self) -> dict[str, Any]:
        """Write down what was told and is not over, for a restart."""
        told = ((organ, ailment) for organ, ailment in sorted(self.ailments.items()) if ailment.is_told)
        return {
            "told": [
                {"kind": organ.kind.value, "name": organ.name, "reason": one.reason, "since": one.since}
                for organ, one in told
            ]
        }


def resumed(page: Mapping[str, Any]) -> Vigil:
    """Read what was written down; that it is over has to show anew."""
    told = page.get("told", ())
    return Vigil(
        {Organ(Kind(one["kind"]), one["name"]): Ailment(one["reason"], one["since"], True) for one in told}
    )
