"""All providers of metrics that are asked here, and what the others lack."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.feeds.exchanges.door import Door
from bot.feeds.metrics.hearsay import SILENCE, Hearsay, MetricTidings, Refused, read_metrics, word_metrics
from bot.feeds.metrics.http import Http
from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.notes import Borrowed
from bot.feeds.metrics.provider import Means, Plug
from bot.feeds.metrics.providers import PROVIDERS
from bot.feeds.thread import LoopThread
from bot.metrics import Health, MetricKey, Observation
from bot.ports import Clock, Notebook, Offered, UnknownInstrument, Unseeable

NAME = "metrics"
"""Of what the words of this room are."""

_OFF = "name {name} in TOCSIN_PROVIDERS"


@dataclass(frozen=True, slots=True)
class MetricFeeds:
    """The feeds of metrics, and the port ``Metrics`` over them; ``lacking`` says what other plugs need.

    ``looks`` are those that are looked at in this process: all of them, or none. Who looks at none knows of
    them what it hears from who does, who tells its ``words`` after every look, and whenever some seconds have
    passed.
    """

    feeds: tuple[MetricFeed, ...]
    lacking: Mapping[Plug, str]
    http: Http
    clock: Clock
    hearsay: Hearsay | None = None

    @property
    def looks(self) -> tuple[MetricFeed, ...]:
        """The feeds that are looked at here."""
        return self.feeds if self.hearsay is None else ()

    async def words(self) -> dict[str, bytes]:
        """Say what other processes must know of the providers, if they are looked at here."""
        if self.hearsay is not None:
            return {}
        tidings = MetricTidings(
            self.clock.now(),
            tuple(feed.health() for feed in self.feeds),
            tuple(Refused(feed.name, *one) for feed in self.feeds for one in feed.refused().items()),
            tuple(one for feed in self.feeds for one in feed.newest()),
        )
        return {NAME: word_metrics(tidings)}

    async def hear(self, name: str, word: bytes) -> None:
        """Take in what another process said of the providers; it is of no use to who looks at them.

        Raises ValueError for a word that cannot be read, or is of something else.
        """
        if name != NAME:
            raise ValueError(f"what is told of {name!r} is not about metrics")
        tidings = read_metrics(word)
        if self.hearsay is not None:
            self.hearsay.take(tidings, self.clock.now())

    def offers(self, key: MetricKey | None = None) -> list[Offered]:
        """List what providers give, of one series or of all: who can at once, then who lacks something.

        Both in the order of preference.
        """
        plugs = [*((feed.plug, "") for feed in self.feeds), *self.lacking.items()]
        return [
            Offered(plug.name, offer.metric, offer.instruments, offer.example, offer.note, lacks)
            for plug, lacks in plugs
            for offer in plug.offers
            if key is None or offer.covers(key)
        ]

    async def ask(self, key: MetricKey) -> Observation:
        """Look at the newest value of a series. Raises Unseeable, or UnknownInstrument if nobody knows it.

        Where another process looks at it, its newest value is what that saw: a provider is not asked twice,
        and not at all where it refuses.
        """
        unseen: Unseeable | None = None
        now = self.clock.now()
        for feed in self._serving(key):
            try:
                if self.hearsay is not None and (told := self.hearsay.newest(feed.name, key, now)):
                    return told
                if self.hearsay is not None and (failing := self.hearsay.failing(feed.name, now)):
                    raise Unseeable(failing)
                return await feed.ask(key)
            except Unseeable as trouble:
                unseen = trouble
            except UnknownInstrument:
                continue
        raise unseen or UnknownInstrument(str(key))

    def trouble(self, key: MetricKey) -> str:
        """Say why the last look could not read a series, as a sentence without full stop; else nothing."""
        now = self.clock.now()
        told = (
            feed.trouble(key) if self.hearsay is None else self.hearsay.trouble(feed.name, key, now)
            for feed in self._serving(key)
        )
        return next(told, "")

    def health(self) -> list[Health]:
        """Say how each provider is that is asked; where others look at them, by what they tell."""
        now = self.clock.now()
        return [
            feed.health() if self.hearsay is None else self.hearsay.health(feed.name, now)
            for feed in self.feeds
        ]

    async def close(self) -> None:
        """Let go of the connections."""
        await self.http.close()

    def _serving(self, key: MetricKey) -> list[MetricFeed]:
        return [feed for feed in self.feeds if feed.plug.offer(key) is not None]


def build_metrics(
    names: Sequence[str] | None,
    given: Mapping[str, str],
    clock: Clock,
    *,
    gateway: str | None = None,
    doors: Mapping[str, Door] | None = None,
    thread: LoopThread | None = None,
    notebook: Notebook | None = None,
    plugs: Sequence[Plug] = PROVIDERS,
    seconds: float = 20.0,
    jitter: Callable[[], float] = random.random,
    is_watched: bool = True,
    silence: float = SILENCE,
) -> MetricFeeds:
    """Build a feed for each provider that is named (``None``: for all) and has what it needs.

    ``given`` are the settings that providers read, by variable; ``gateway`` the root through which every call
    goes as ROOT/HOST/path; ``doors`` the exchanges, which work in ``thread``; ``notebook`` is
    where providers remember; ``seconds`` is how
    long one question may take; ``jitter`` gives numbers in [0, 1). Nothing is asked before the first poll.

    ``is_watched`` says whether this process looks at them. Else it asks where somebody has a question, reads
    in the notebook and writes nothing there; and nobody looks at them who was not heard of for more than
    ``silence`` seconds.
    """
    http = Http(gateway or "", seconds)
    if notebook is not None and not is_watched:
        notebook = Borrowed(notebook)
    means = Means(http, clock, given, doors or {}, thread, notebook)
    feeds: list[MetricFeed] = []
    lacking: dict[Plug, str] = {}
    for plug in plugs:
        lacks = plug.lacks(means)
        if names is not None and plug.name not in names:
            lacking[plug] = _OFF.format(name=plug.name)
        elif lacks:
            lacking[plug] = lacks
        else:
            feeds.append(MetricFeed(plug.at_hand(means), plug.build(means), clock, jitter))
    hearsay = None if is_watched else Hearsay(clock.now(), silence)
    return MetricFeeds(tuple(feeds), lacking, http, clock, hearsay)
