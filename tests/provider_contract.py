"""The contract of every provider: what it reads from good answers, and that bad ones bring nothing but words.

A test file makes a subclass named ``Test...`` for each kind of good answer. Fixtures are of the test's own
making, in the shape that the provider documents or was seen to give.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar

import pytest

from bot.feeds.metrics.http import Http
from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.provider import Means, Plug
from bot.metrics import Batch, MetricKey, Want
from tests.conftest import NOON, SetClock
from tests.wire.providers import TROUBLES, Answer, ProviderServer

MARKER = "the-key-that-nobody-may-see"
DAY = 86_400


class ProviderContract:
    """Subclasses name the plug, the pages of the loopback server, and what must be read of them."""

    plug: ClassVar[Plug]
    pages: ClassVar[Mapping[str, str | bytes | Answer]]
    """The good answers, by ``host/path`` without the query."""
    given: ClassVar[Mapping[str, str]] = {}
    """Settings of the provider; what it ``needs`` is set to a marker unless it stands here."""
    wants: ClassVar[Sequence[MetricKey]]
    """What is asked for."""
    expected: ClassVar[Mapping[MetricKey, Mapping[str, str]]]
    """Of each series that must be read, some values by their day: ``{KEY: {"2025-11-11": "25"}}``."""
    now: ClassVar[float] = NOON
    since: ClassVar[float] = NOON - 30 * DAY
    harmless: ClassVar[frozenset[str]] = frozenset()
    """Names of TROUBLES that this provider need not notice, because of what it reads."""

    @pytest.fixture
    async def server(self) -> AsyncIterator[ProviderServer]:
        server = ProviderServer(dict(self.pages))
        await server.start()
        yield server
        await server.stop()

    @pytest.fixture
    def clock(self) -> SetClock:
        return SetClock(self.now)

    @pytest.fixture
    def patience(self, request: pytest.FixtureRequest) -> float:
        """Wait long for every answer, however slow the machine, and shortly where none ever comes."""
        spec = getattr(request.node, "callspec", None)
        return 0.3 if spec is not None and spec.params.get("name") == "silence" else 60.0

    @pytest.fixture
    async def feed(
        self, server: ProviderServer, clock: SetClock, patience: float
    ) -> AsyncIterator[MetricFeed]:
        async with Http(server.root, seconds=patience) as http:
            needed = {self.plug.needs: MARKER} if self.plug.needs else {}
            means = Means(http, clock, {**needed, **self.given})
            yield MetricFeed(self.plug, self.plug.build(means), clock, lambda: 0.0)

    def asked(self) -> list[Want]:
        return [Want(key, int(self.since)) for key in self.wants]

    async def test_good_answers_are_read(self, feed: MetricFeed) -> None:
        batch = await feed.poll(self.asked())
        assert feed.health().is_well, feed.health()
        read = values_of(batch)
        for key, values in self.expected.items():
            assert {day: read[key].get(day) for day in values} == {
                day: Decimal(value) for day, value in values.items()
            }
        assert {one.source for one in batch.observations} == {self.plug.name}

    async def test_the_next_look_is_in_the_future_and_within_a_day_or_so(self, feed: MetricFeed) -> None:
        await feed.poll(self.asked())
        assert self.now < feed.due_at(self.asked()) <= self.now + 4 * DAY

    async def test_a_second_look_at_the_same_answers_says_the_same(
        self, feed: MetricFeed, clock: SetClock
    ) -> None:
        first = values_of(await feed.poll(self.asked()))
        clock.time = feed.due_at(self.asked())
        again = values_of(await feed.poll(self.asked()))
        for key, values in again.items():
            days = {moment: value for moment, value in values.items() if "T" not in moment}
            assert days.items() <= first[key].items()
            assert set(values.values()) <= set(first[key].values()), "another instant, and the same value"

    @pytest.mark.parametrize("name", TROUBLES)
    async def test_a_bad_answer_brings_no_number_and_a_reason(
        self, feed: MetricFeed, server: ProviderServer, name: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        if name in self.harmless:
            pytest.skip("it reads other answers than these")
        server.trouble = TROUBLES[name]
        batch = await feed.poll(self.asked())
        assert batch.observations == ()
        assert {one.key for one in batch.unseen} >= set(self.wants)
        assert all(one.reason and MARKER not in one.reason for one in batch.unseen)
        assert "mistake of this program" not in str(batch.unseen)
        assert "127.0.0.1" not in str(batch.unseen), "no sentence shows an address"
        assert MARKER not in "".join(capfd.readouterr())
        assert self.now < feed.due_at(self.asked()), "it is left alone for a while"

    async def test_after_bad_answers_good_ones_are_read_again(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        for name in ("500", "a web page", "429 with a time"):
            server.trouble = TROUBLES[name]
            await feed.poll(self.asked())
            clock.time = feed.due_at(self.asked())
        server.trouble = None
        batch = await feed.poll(self.asked())
        assert set(values_of(batch)) >= set(self.expected)
        assert feed.health().is_well


def values_of(batch: Batch) -> dict[MetricKey, dict[str, Decimal]]:
    """Give what a batch says by series and day, or instant where it is no day."""
    found: dict[MetricKey, dict[str, Decimal]] = {}
    for one in batch.observations:
        moment = datetime.fromtimestamp(one.as_of, UTC)
        shown = moment.strftime("%Y-%m-%d" if one.as_of % DAY == 0 else "%Y-%m-%dT%H:%M:%S")
        found.setdefault(one.key, {})[shown] = one.value
    return found
