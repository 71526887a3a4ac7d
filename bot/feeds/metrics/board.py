"""All providers of metrics that are asked here, and what the others lack."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.feeds.exchanges.door import Door
from bot.feeds.metrics.http import Http
from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.provider import Means, Plug
from bot.feeds.metrics.providers import PROVIDERS
from bot.feeds.thread import LoopThread
from bot.metrics import Health, MetricKey, Observation
from bot.ports import Clock, Notebook, Offered, UnknownInstrument, Unseeable

_OFF = "name {name} in TOCSIN_PROVIDERS"


@dataclass(frozen=True, slots=True)
class MetricFeeds:
    """The feeds of metrics, and the port ``Metrics`` over them; ``lacking`` says what other plugs need."""

    feeds: tuple[MetricFeed, ...]
    lacking: Mapping[Plug, str]
    http: Http

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
        """Look at the newest value of a series. Raises Unseeable, or UnknownInstrument if nobody knows it."""
        unseen: Unseeable | None = None
        for feed in self._serving(key):
            try:
                return await feed.ask(key)
            except Unseeable as trouble:
                unseen = trouble
            except UnknownInstrument:
                continue
        raise unseen or UnknownInstrument(str(key))

    def trouble(self, key: MetricKey) -> str:
        """Say why the last look could not read a series, as a sentence without full stop; else nothing."""
        return next((feed.trouble(key) for feed in self._serving(key)), "")

    def health(self) -> list[Health]:
        """Say how each provider is that is asked."""
        return [feed.health() for feed in self.feeds]

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
) -> MetricFeeds:
    """Build a feed for each provider that is named (``None``: for all) and has what it needs.

    ``given`` are the settings that providers read, by variable; ``gateway`` the root through which every call
    goes as ROOT/HOST/path; ``doors`` the exchanges, which work in ``thread``; ``notebook`` is
    where providers remember; ``seconds`` is how
    long one question may take; ``jitter`` gives numbers in [0, 1). Nothing is asked before the first poll.
    """
    http = Http(gateway or "", seconds)
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
    return MetricFeeds(tuple(feeds), lacking, http)
