"""What is told of the providers to the processes that do not look at them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite

from bot.codec import Codec
from bot.metrics import Health, MetricKey, Observation

MOST_BYTES = 8_000_000
"""A longer word is not read: no provider gives so much."""

SILENCE = 60.0
"""Seconds without news after which nobody looks at the providers."""

SILENT = "nobody looks at the metrics just now"

_FAILURES = 2
"""More than a stumble: nobody looks again soon."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A series that one provider could not read at its last look, and why not."""

    provider: str
    key: MetricKey
    reason: str


@dataclass(frozen=True, slots=True)
class MetricTidings:
    """How all providers were at an instant, and the newest value of each series that they gave."""

    at: float
    healths: tuple[Health, ...] = ()
    refused: tuple[Refused, ...] = ()
    newest: tuple[Observation, ...] = ()

    def __post_init__(self) -> None:
        if not isfinite(self.at):
            raise ValueError("an instant is no number")


_WORDS: Codec[MetricTidings] = Codec(MetricTidings, most=MOST_BYTES)


def word_metrics(tidings: MetricTidings) -> bytes:
    """Put tidings of metrics in words."""
    return _WORDS.word(tidings)


def read_metrics(word: bytes) -> MetricTidings:
    """Read tidings of metrics. Raises Unreadable, a ValueError."""
    return _WORDS.read(word)


class Hearsay:
    """The newest tidings of the providers. Until the first come, nothing is known of them for a while."""

    def __init__(self, now: float, silence: float = SILENCE) -> None:
        self._silence = silence
        self._heard_at = now
        self._told_at: float | None = None
        self._healths: dict[str, Health] = {}
        self._refused: dict[tuple[str, MetricKey], str] = {}
        self._newest: dict[tuple[str, MetricKey], Observation] = {}

    def take(self, tidings: MetricTidings, now: float) -> None:
        """Take tidings in, unless they are old; the same once more are no sign of life."""
        before, self._told_at = self._told_at, tidings.at
        if tidings.at == before or (before is None and now - tidings.at > self._silence):
            return
        self._heard_at = now
        self._healths = {one.source: one for one in tidings.healths}
        self._refused = {(one.provider, one.key): one.reason for one in tidings.refused}
        self._newest = {(one.source, one.key): one for one in tidings.newest}

    def is_silent(self, now: float) -> bool:
        """Whether nobody looks at the providers at an instant."""
        return now - self._heard_at > self._silence

    def health(self, provider: str, now: float) -> Health:
        """Say how a provider is, by what was told."""
        health = self._healths.get(provider) or Health(provider)
        if not self.is_silent(now):
            return health
        since = health.failing_since or self._heard_at
        return replace(health, failing_since=since, reason=SILENT, failures=max(health.failures, _FAILURES))

    def trouble(self, provider: str, key: MetricKey, now: float) -> str:
        """Say why the last look could not read a series, as a sentence without full stop; else nothing."""
        if self.is_silent(now):
            return SILENT
        health = self.health(provider, now)
        failing = health.reason if health.failing_since is not None else ""
        return self._refused.get((provider, key), failing)

    def newest(self, provider: str, key: MetricKey, now: float) -> Observation | None:
        """Give the newest value of a series, where somebody looks at it."""
        return None if self.is_silent(now) else self._newest.get((provider, key))

    def failing(self, provider: str, now: float) -> str:
        """Say what keeps whoever looks at a provider from seeing anything; nothing where nobody looks."""
        health = self._healths.get(provider)
        if health is None or health.failing_since is None or self.is_silent(now):
            return ""
        return health.reason
