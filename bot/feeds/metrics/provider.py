"""What a provider of metrics is: the interface that every file in ``providers/`` implements.

A provider only asks and reads: it turns one answer of the world into observations, checked as far as the
answer alone can tell. When it is asked, what is checked of every provider alike, and which provider's word
counts where several give the same metric, is none of its business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from bot.feeds.exchanges.door import Door
from bot.feeds.metrics.http import Http
from bot.feeds.thread import LoopThread
from bot.metrics import MetricKey, Observation, Want
from bot.ports import Clock, Notebook


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a provider brought.

    ``next_at`` is the instant at which the provider wants to be asked again. ``observations`` may come in any
    order, and may repeat what was said before. ``refused`` says of wanted series why they could not be read,
    each a sentence without full stop. ``quota`` is how many more questions the provider allows, where it says
    so.
    """

    next_at: float
    observations: tuple[Observation, ...] = ()
    refused: Mapping[MetricKey, str] = field(default_factory=dict)
    quota: int | None = None


class Provider(Protocol):
    """A source of metrics. It may remember what it needs to judge the next answer, in its notes too."""

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask for some series, each from its ``since`` on (epoch seconds), and read the answers.

        ``wants`` are of what the provider offers, and never empty. ``now`` is the present, in epoch seconds:
        the ``known_at`` of what is read. Raises ``faults.Fault`` where nothing could be read at all.
        """


@dataclass(frozen=True, slots=True)
class Offer:
    """One metric that a provider gives.

    * ``instruments``: those that it is given for, as keys name them (``btc``; empty text where the metric has
      none); ``accepts`` says it of further ones, where they cannot be listed.
    * ``example``: how such a further one is written in a rule, for people.
    * ``is_kept``: it is looked at and recorded although no alert reads it.
    * ``note``: what must be said of the figures wherever they are shown, such as that they are a lower bound.
    """

    metric: str
    instruments: tuple[str, ...] = ("",)
    accepts: Callable[[str], bool] | None = None
    example: str = ""
    is_kept: bool = False
    note: str = ""

    def covers(self, key: MetricKey) -> bool:
        """Whether the offer holds for a series."""
        if key.metric != self.metric or key.venue:
            return False
        return key.instrument in self.instruments or (
            self.accepts is not None and self.accepts(key.instrument)
        )

    def series(self) -> list[MetricKey]:
        """Name the series that can be listed."""
        return [MetricKey(self.metric, instrument) for instrument in self.instruments]


@dataclass(frozen=True, slots=True)
class Means:
    """What providers are built with.

    ``given`` are the settings that providers read, by the name of their variable, as text; those that are not
    set are left out. ``doors`` are the exchanges that are watched, in their order; they work in ``thread``.
    ``notebook`` is where providers write what must outlive the program.
    """

    http: Http
    clock: Clock
    given: Mapping[str, str] = field(default_factory=dict)
    doors: Mapping[str, Door] = field(default_factory=dict)
    thread: LoopThread | None = None
    notebook: Notebook | None = None


@dataclass(frozen=True, slots=True)
class Plug:
    """One row of PROVIDERS: a provider's name, what it offers, and how it is built.

    ``name`` is the ``source`` of all that it says, in lower case. ``needs`` is the variable without which it
    cannot be used, or empty; ``hint`` says where its value is to be had, as a sentence without full stop.
    ``opened`` finds out what it offers here, where that depends on its settings. ``is_met`` says whether what
    it needs is there, where the name of the variable alone does not tell.
    """

    name: str
    offers: tuple[Offer, ...]
    build: Callable[[Means], Provider]
    needs: str = ""
    hint: str = ""
    opened: Callable[[Means], tuple[Offer, ...]] | None = None
    is_met: Callable[[Means], bool] | None = None

    def at_hand(self, means: Means) -> Plug:
        """Give the plug with what it offers here."""
        return self if self.opened is None else replace(self, offers=self.opened(means), opened=None)

    def offer(self, key: MetricKey) -> Offer | None:
        """Find the offer that holds for a series."""
        return next((offer for offer in self.offers if offer.covers(key)), None)

    def lacks(self, means: Means) -> str:
        """Say what must be set before it can be used, as a sentence without full stop; empty for nothing."""
        if self.is_met(means) if self.is_met else not self.needs or self.needs in means.given:
            return ""
        return f"set {self.needs}, {self.hint}" if self.hint else f"set {self.needs}"
