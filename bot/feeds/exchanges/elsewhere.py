"""The exchanges that other processes look at: what was told of them, and for how long nothing was. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from bot.feeds.exchanges.tidings import Line, StandIn, Tidings
from bot.metrics import Health
from bot.ports import StreamHealth

SILENCE = 60.0
"""Seconds without news after which nobody looks at an exchange."""


class Elsewhere:
    """The newest tidings of each exchange that is not looked at here."""

    def __init__(self, names: Collection[str], silence: float = SILENCE) -> None:
        self.names = tuple(names)
        self._most = silence
        self._told_at: dict[str, float] = {}
        self._heard_at: dict[str, float] = {}
        self._tidings: dict[str, Tidings] = {}
        self._silent: dict[str, float] = {}
        self._inherited: dict[str, Tidings] = {}

    def is_old(self, tidings: Tidings, now: float) -> bool:
        """Whether the look that tidings are of is too long ago."""
        return now - tidings.at > self._most

    def take(self, tidings: Tidings, now: float) -> bool:
        """Take tidings in, unless they are too old; says whether they are of use.

        Of the first ones their own instant says how old they are. After that clocks need not agree: what is
        told for the first time is as new as it comes.
        """
        name = tidings.exchange
        before, self._told_at[name] = self._told_at.get(name), tidings.at
        if tidings.at == before:
            if name not in self._tidings or self.is_silent(name):
                return False
        elif before is None:
            if self.is_old(tidings, now):
                return False
            self._heard_at[name] = min(tidings.at, now)
        else:
            self._heard_at[name] = now
        self._tidings[name] = tidings
        return True

    def inherit(self, tidings: Tidings) -> None:
        """Keep what was told of an exchange until the first look at it here."""
        self._inherited[tidings.exchange] = tidings

    def begin(self, name: str) -> None:
        """Let go of what was told of an exchange: it is looked at here."""
        self._inherited.pop(name, None)

    def turn(self, name: str, instrument: str) -> StandIn | None:
        """Give how an exchange stands in, by who looks at it, or did so until now."""
        inherited = self._inherited.get(name)
        line = self.line(name, instrument) if inherited is None else inherited.lines.get(instrument, _NOTHING)
        return line.turn

    def listen(self, now: float) -> list[str]:
        """Note who is silent at an instant, and name those of whom that is new."""
        for name in self.names:
            self._heard_at.setdefault(name, now)
        before = self._silent
        self._silent = {name: at for name, at in self._heard_at.items() if now - at > self._most}
        return [name for name in self._silent if name not in before]

    def is_silent(self, name: str) -> bool:
        """Whether nobody looks at an exchange now."""
        return name in self._silent

    def silence(self, name: str) -> str:
        """Say that nobody looks at an exchange, as a sentence without full stop."""
        return f"nobody looks at {name} just now"

    def lines(self, name: str) -> Mapping[str, Line]:
        """Give what was told of the series of an exchange."""
        tidings = self._tidings.get(name)
        return {} if tidings is None else tidings.lines

    def line(self, name: str, instrument: str) -> Line:
        """Give what was told of a series."""
        return self.lines(name).get(instrument, _NOTHING)

    def health(self, name: str) -> Health:
        """Say how an exchange is, by what was told."""
        tidings = self._tidings.get(name)
        health = (tidings and tidings.health) or Health(name)
        since = self._silent.get(name)
        if since is None:
            return health
        return replace(health, failing_since=health.failing_since or since, reason=self.silence(name))

    def stream(self, name: str) -> StreamHealth | None:
        """Say how the stream of an exchange is, if one is read."""
        tidings = self._tidings.get(name)
        stream = None if tidings is None else tidings.stream
        if stream is None or not self.is_silent(name):
            return stream
        return replace(stream, connected_at=None, reason=self.silence(name))


_NOTHING = Line()
