"""The state of an arming, and the transitions that must be told."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from operator import attrgetter

from bot.metrics import Bar

Memory = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Early:
    """A ring that was told from a print of a minute that was not final: it waits to be confirmed.

    ``minute`` is that minute's opening, ``at`` the print's instant and ``value`` its price. ``is_gone`` says
    that what would confirm it, or show that it was false, could not be read.
    """

    minute: int
    at: float
    value: float
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Grounds:
    """What the last ring rested on, for as long as its source may take a figure of it back.

    ``sessions`` holds, for each metric of the rule in its order, what its newest value was about (``None``
    where nothing was known); ``bars``, for each price in its order, the minute's bar. ``at``, ``span`` and
    ``blind`` are the minute's, ``memory`` is what was remembered before it. ``told`` is the value that the
    ring named, ``corrections`` the count that it bore.
    """

    at: int
    span: int
    blind: int
    told: float
    corrections: int
    sessions: tuple[int | None, ...]
    bars: tuple[Bar | None, ...]
    memory: Memory


@dataclass(frozen=True, slots=True)
class AlertState:
    """All that the next step of an arming depends on; a fold over final minutes.

    * ``is_armed``: the clear side has been shown since the last ring, so the next true minute may ring.
    * ``is_firing``: the episode that the last ring began is not over.
    * ``episode``: how many times it rang; 1, 2, 3 without a gap.
    * ``rang_at``: ``at`` of the last ring, from which the cooldown runs, or ``None`` if it was taken back;
      ``told_at``: when this episode was last told, from which its next reminder runs.
    * ``cursor``: the first minute that has not been judged.
    * ``memory``: one slot a node that remembers (sides, counters), in the order of the tree.
    * ``is_ended``: its ``until`` is over, and it rings no more.
    * ``early``: a ring told before its minute was final. ``corrections`` counts those that were taken back.
    * ``grounds``: what the last ring rested on, while a metric's newest session is still the same.
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
    grounds: Grounds | None = None

    def judged_to(self, cursor: int) -> AlertState:
        """Give the state once nothing up to a later cursor changed it."""
        return self if cursor <= self.cursor else replace(self, cursor=cursor)

    def differs(self, other: AlertState) -> bool:
        """Whether it is another state but for the cursor, which moves with every minute."""
        return _but_for_cursor(self) != _but_for_cursor(other)


_but_for_cursor = attrgetter(*(field.name for field in fields(AlertState) if field.name != "cursor"))


@dataclass(frozen=True, slots=True)
class Revised:
    """A figure that its source corrected ``at`` an instant: of which metric and session, and the values."""

    metric: str
    as_of: int
    before: float
    after: float
    at: float


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
    ``was_told`` rings confirm one that was, and are not told again. ``revised`` is the settled figure whose
    correction made it true, late.
    """

    episode: int
    at: float
    value: float
    evidence: tuple[Evidence, ...]
    is_early: bool = False
    was_told: bool = False
    corrections: int = 0
    revised: Revised | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """A ring that is taken back: ``at`` and ``value`` are what it said.

    It was told early and the final minutes do not bear it out, or (``is_gone``) cannot, since they are gone;
    or its source corrected a figure (``revised``) that it rested on.
    """

    episode: int
    at: float
    value: float
    corrections: int
    revised: Revised | None = None
    is_gone: bool = False


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
