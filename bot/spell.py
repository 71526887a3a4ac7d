"""A spell of trouble: its beginning and its end are told in the log, and not each try in between. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stall:
    """Since when, in epoch seconds, and why something does not go on; the reason has no full stop."""

    since: float
    reason: str


@dataclass(slots=True)
class Spell:
    """What keeps failing: ``stall`` says since when and why, ``None`` while it does not."""

    stall: Stall | None = field(default=None, init=False)

    def begins(self, reason: str, now: float) -> bool:
        """Note a try that failed; tells whether that is news: the first, or for another reason."""
        before = self.stall
        self.stall = Stall(before.since if before else now, reason)
        return before is None or before.reason != reason

    def ends(self) -> bool:
        """Note a try that succeeded; tells whether the one before it failed."""
        before, self.stall = self.stall, None
        return before is not None
