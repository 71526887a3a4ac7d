"""What is told of an exchange to the processes that do not look at it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from bot.codec import Codec
from bot.feeds.exchanges.homes import Home
from bot.feeds.exchanges.standing import Standing
from bot.metrics import Health
from bot.ports import StreamHealth

MOST_BYTES = 8_000_000
"""A longer word is not read: no exchange lists so much."""

FURTHEST = 1.2
"""By what factor two exchanges may differ about one thing, even on the worst of days."""


@dataclass(frozen=True, slots=True)
class Lack:
    """So many listings lacked an instrument, the last of them at ``at``."""

    listings: int
    at: float


@dataclass(frozen=True, slots=True)
class StandIn:
    """Who shows a series instead of its home; ``ratio`` is ``None`` until it was measured."""

    venue: str
    since: float
    reason: str
    ratio: float | None = None

    def __post_init__(self) -> None:
        if self.ratio is not None and not 1 / FURTHEST <= self.ratio <= FURTHEST:
            raise ValueError(f"no exchange stands in at {self.ratio} times its prices")


@dataclass(frozen=True, slots=True)
class Line:
    """One series, as the exchange shows it.

    ``is_listed`` says whether the exchange lists it, ``None`` where that is not known, ``is_kept`` that it
    did so until lately; ``lack`` is how it is missing now. ``home`` is where it surely is at home, by what is
    known to the teller; ``turn`` how the exchange stands in for the home.
    """

    is_listed: bool | None = None
    is_kept: bool = False
    lack: Lack | None = None
    standing: Standing | None = None
    home: Home | None = None
    turn: StandIn | None = None


@dataclass(frozen=True, slots=True)
class Tidings:
    """How one exchange was when it was looked at last, at ``at``, by instrument too.

    Until ``rest_until`` it asks to be left alone. ``stream`` is ``None`` where none is read.
    """

    exchange: str
    at: float
    standing: Standing = field(default_factory=Standing)
    lines: Mapping[str, Line] = field(default_factory=dict)
    health: Health | None = None
    stream: StreamHealth | None = None
    rest_until: float = 0.0

    def __post_init__(self) -> None:
        if not isfinite(self.at) or not isfinite(self.rest_until):
            raise ValueError("an instant is no number")
        for instrument, line in self.lines.items():
            if line.turn is not None and line.turn.venue != self.exchange:
                raise ValueError(f"{self.exchange} tells who else stands in for {instrument}")


_WORDS: Codec[Tidings] = Codec(Tidings, is_brief=True, most=MOST_BYTES)


def word_tidings(tidings: Tidings) -> bytes:
    """Put tidings in words."""
    return _WORDS.word(tidings)


def read_tidings(word: bytes) -> Tidings:
    """Read tidings. Raises Unreadable, a ValueError."""
    return _WORDS.read(word)
