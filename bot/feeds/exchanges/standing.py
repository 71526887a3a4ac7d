"""Whether an exchange, or one series of it, can be relied on: trust is lost slowly, and won slower. Pure."""

from __future__ import annotations

from dataclasses import dataclass

AWAY_AFTER = 60.0
BACK_AFTER = 120.0
LOOKS = 3
"""Seconds and looks in a row that make one away, or bring it back: on a fast clock the seconds alone are
nothing, and with rare looks the looks alone are too much."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the looks at something went: ``looks`` in a row went as the last one did, the first of them at
    ``since``. ``reason`` is what keeps it away, or what was wrong at the last look.
    """

    is_failing: bool = False
    since: float = 0.0
    looks: int = 0
    is_away: bool = False
    reason: str = ""

    def after(self, now: float, reason: str = "", is_final: bool = False) -> Standing:
        """Give the standing after one more look at ``now``; one without a ``reason`` went well.

        ``is_final`` says that waiting is useless: it is away at once.
        """
        is_failing = bool(reason)
        is_same = self.looks > 0 and is_failing == self.is_failing
        since, looks = (self.since, self.looks + 1) if is_same else (now, 1)
        has_lasted = looks >= LOOKS and now - since >= (AWAY_AFTER if is_failing else BACK_AFTER)
        is_away = is_final or has_lasted or self.is_away if is_failing else self.is_away and not has_lasted
        return Standing(is_failing, since, looks, is_away, reason or (self.reason if is_away else ""))
