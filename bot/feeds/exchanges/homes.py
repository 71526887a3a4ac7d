"""At whose level each series is: where it is at home for good. Pure.

Several processes may settle it at the same time. So a home says since when it is one, and which of two holds
is the same wherever both are known: one at whose level something was shown, then one that moved because
nothing was judged at the other level, then the older one, then the first of the exchanges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.metrics import Want


@dataclass(frozen=True, slots=True)
class Home:
    """The exchange that a series belongs to, since when, and how often it moved there.

    ``is_shown`` says that prices at its level were shown, or judged. One that is not ``is_sure`` was only
    guessed: it is the business of a process that looks at that exchange.
    """

    name: str
    since: float
    moves: int = 0
    is_shown: bool = False
    is_sure: bool = True


class Homes:
    """The homes of the series without a venue; ``names`` are the exchanges in their order."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._homes: dict[str, Home] = {}

    def get(self, instrument: str) -> str | None:
        """Name the home of an instrument, ``None`` while it has none."""
        home = self._homes.get(instrument)
        return None if home is None else home.name

    def __contains__(self, instrument: str) -> bool:
        return instrument in self._homes

    def is_sure(self, instrument: str) -> bool:
        """Whether it is settled where an instrument is at home."""
        return self.sure(instrument) is not None

    def sure(self, instrument: str) -> Home | None:
        """Give the home of an instrument that is settled."""
        home = self._homes.get(instrument)
        return home if home is not None and home.is_sure else None

    def settle(self, instrument: str, home: Home) -> None:
        """Keep a home, unless one that holds is known; one of no exchange here is none."""
        before = self._homes.get(instrument)
        if home.name in self._names and (before is None or self._rank(home) < self._rank(before)):
            self._homes[instrument] = home

    def guess(self, instrument: str, name: str | None, now: float) -> None:
        """Take an exchange for the home as long as nobody says better; ``None`` for no idea."""
        if self.is_sure(instrument):
            return
        if name is None:
            self._homes.pop(instrument, None)
        else:
            self._homes[instrument] = Home(name, now, is_sure=False)

    def show(self, instrument: str, name: str) -> None:
        """Keep that prices at the level of an exchange were shown, if an instrument is at home there."""
        home = self._homes.get(instrument)
        if home is not None and not home.is_shown and home.name == name:
            self._homes[instrument] = replace(home, is_shown=True)

    def is_settled(self, want: Want) -> bool:
        """Whether it is settled where a series is at home; not if nobody showed it there, but another did."""
        home = self.sure(want.key.instrument)
        return home is not None and (home.is_shown or not _is_judged(want) or want.source == home.name)

    def find(self, want: Want, name: str | None, now: float, is_ours: bool) -> None:
        """Keep where a want is at home by what is known here; only who looks there is sure of it.

        What others judged meanwhile tells it too: then it is at home with whoever showed that.
        """
        instrument, is_known = want.key.instrument, want.close is not None or bool(want.source)
        if want.home in self._names:
            self.settle(instrument, Home(want.home, now, is_shown=True))
        elif self.is_sure(instrument):
            self.settle(instrument, Home(want.source, now, is_shown=True))
        elif is_ours and name is not None:
            self.settle(instrument, Home(name, now, is_shown=is_known))
        else:
            self.guess(instrument, name, now)

    def move(self, instrument: str, name: str, now: float) -> None:
        """Keep that an instrument is at home elsewhere from now on: nothing was judged where it was."""
        before = self._homes.get(instrument)
        moves = before.moves + 1 if before is not None and before.is_sure else 0
        self._homes[instrument] = Home(name, now, moves)

    def _rank(self, home: Home) -> tuple[bool, bool, int, float, int]:
        place = self._names.index(home.name)
        return not home.is_sure, not home.is_shown, -home.moves, home.since, place


def _is_judged(want: Want) -> bool:
    return want.close is not None and bool(want.source)
