"""The state of an arming, and the transitions that must be told."""

from __future__ import annotations

from dataclasses import dataclass

Memory = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Early:
    """A ring that was told from a print of a minute that was not final: it waits to be confirmed.

    ``minute`` is that minute's opening, ``at`` the print's instant and ``value`` its price.
    """

    minute: int
    at: float
    value: float


@dataclass(frozen=True, slots=True)
class AlertState:
    """All that the next step of an arming depends on; a fold over final minutes.

    * ``is_armed``: the clear side has been shown since the last ring, so the next true minute may ring.
    * ``is_firing``: the episode that the last ring began is not over.
    * ``episode``: how many times it rang; 1, 2, 3 without a gap.
    * ``rang_at``: ``at`` of the last ring, from which the cooldown runs; ``told_at``: when this episode was
      last told, from which its next reminder runs.
    * ``cursor``: the first minute that has not been judged.
    * ``memory``: one slot a node that remembers (sides, counters), in the order of the tree.
    * ``is_ended``: its ``until`` is over, and it rings no more.
    * ``early``: a ring told before its minute was final. ``corrections`` counts those that were taken back.
    """

    cursor: int
    is_armed: bool = False
    is_firing: bool = False
    episode: int = 0
    rang_at: float | None = None
    memory: Memory = ()
    early: Early | None = None
    corrections: int = 0
    is_ended: bool = False
    told_at: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One term of a rule with the value that decided it; ``currency`` is empty for percents and counts."""

    term: str
    value: float
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Ring:
    """An alert came true.

    ``at`` is the opening of the minute for a touch, its end for what is read at a close or held, and the
    print's instant for an early telling. ``is_early`` rings are told before their minute is final;
    ``was_told`` rings confirm one that was, and are not told again.
    """

    episode: int
    at: float
    value: float
    evidence: tuple[Evidence, ...]
    is_early: bool = False
    was_told: bool = False
    corrections: int = 0


@dataclass(frozen=True, slots=True)
class Correction:
    """A ring that was told early, and that the final minutes do not bear out."""

    episode: int
    at: float
    value: float
    corrections: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The alert's ``until`` was reached in the minutes that were judged."""

    at: float
    episode: int


@dataclass(frozen=True, slots=True)
class Reminder:
    """A ring that was told some time ago still lasts at ``at``; ``value`` is where it stands."""

    episode: int
    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Resolution:
    """An episode is over: at ``at`` the condition, with its levels moved outward, held no more."""

    episode: int
    at: float
    value: float


Transition = Ring | Correction | Reminder | Resolution | Ended
