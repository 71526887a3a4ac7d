"""What providers remember over a restart: two equal reads, and how often they asked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.metrics.finality import Flow, Judged
from bot.feeds.metrics.http import Http
from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.notes import MOST_DAYS, read_days, written_days
from bot.feeds.metrics.provider import Means
from bot.feeds.metrics.providers import sosovalue
from bot.metrics import MetricKey, Want
from bot.ports import StoreTrouble
from bot.store import SqlStore, open_store
from tests.conftest import SetClock
from tests.etf import DAY, NOVEMBER, at
from tests.provider_contract import MARKER
from tests.test_etf_replay import FLOW, SOURCES, Source
from tests.wire.providers import ProviderServer

Word = tuple[int, Decimal, bool, tuple[str, ...], float]


class Run:
    """Looks at a provider over some days, each by a program that has just started, or all by one."""

    def __init__(self, source: Source, store: SqlStore, *, restarts: bool) -> None:
        self.source, self.store, self.restarts = source, store, restarts
        self.clock = SetClock(at("2025-11-18 06:00"))
        self.server = ProviderServer(source.pages(NOVEMBER, self.clock))
        self.looks: list[float] = []

    async def go(self, until: str, looks: list[float] | None = None) -> list[Word]:
        await self.server.start()
        wants = [Want(FLOW, at("2025-11-01"))]
        async with Http(self.server.root) as http:
            feed = self.feed(http)
            while self.clock.time < at(until):
                self.looks.append(self.clock.time)
                batch = await feed.poll(wants)
                assert feed.health().failing_since is None, feed.health()
                await self.store.note(batch.observations, int(self.clock.time))
                if self.restarts:
                    feed = self.feed(http)
                later = [one for one in looks or () if one > self.clock.time]
                self.clock.time = min(later, default=at(until)) if looks else feed.due_at(wants)
        await self.server.stop()
        return [
            (one.as_of, one.value, one.is_final, one.pending, one.known_at)
            for one in await self.store.recall(FLOW)
        ]

    def feed(self, http: Http) -> MetricFeed:
        means = Means(http, self.clock, self.source.given, notebook=self.store)
        return MetricFeed(self.source.plug, self.source.plug.build(means), self.clock, lambda: 0.0)


@pytest.mark.parametrize("name", SOURCES)
async def test_restarts_change_neither_what_is_final_when_nor_how_often_is_asked(
    name: str, store: SqlStore, template: Path, tmp_path: Path
) -> None:
    quiet = Run(SOURCES[name], store, restarts=False)
    said = await quiet.go("2025-11-22 14:00")
    path = shutil.copy(template, tmp_path / "other.db")
    other = await open_store(f"sqlite+aiosqlite:///{path}")
    restless = Run(SOURCES[name], other, restarts=True)
    again = await restless.go("2025-11-22 14:00", quiet.looks)
    await other.close()
    assert again == said
    assert any(is_final for _, _, is_final, _, known in said if known > at("2025-11-19"))
    if name == "sosovalue":
        assert len(restless.server.asked) == len(quiet.server.asked)


async def test_restarts_without_end_ask_no_more_than_twelve_times_a_day(store: SqlStore) -> None:
    source = SOURCES["sosovalue"]
    clock = SetClock(at("2025-11-18 06:00"))
    pages = source.pages(NOVEMBER, clock)
    del pages["api.sosovalue.xyz/openapi/v2/etf/historicalInflowChart"]
    server = ProviderServer(pages)
    await server.start()
    reasons = set()
    async with Http(server.root) as http:
        for _ in range(20):
            means = Means(http, clock, source.given, notebook=store)
            feed = MetricFeed(source.plug, source.plug.build(means), clock, lambda: 0.0)
            batch = await feed.poll([Want(FLOW, at("2025-11-01"))])
            reasons |= {one.reason for one in batch.unseen}
            clock.time += 60
    await server.stop()
    assert len(server.asked) == sosovalue.MOST_A_DAY
    assert any("was asked 12 times within a day" in reason for reason in reasons)


@pytest.mark.both
async def test_another_key_begins_a_day_of_its_own_and_no_key_is_written_down(store: SqlStore) -> None:
    clock = SetClock(at("2025-11-18 06:00"))
    source = SOURCES["sosovalue"]
    server = ProviderServer(source.pages(NOVEMBER, clock))
    await server.start()
    wants = [Want(MetricKey("etf_flow", coin), at("2025-11-01")) for coin in ("btc", "eth", "sol")]
    quotas = []
    async with Http(server.root) as http:
        for key in (MARKER, MARKER, "another key"):
            means = Means(http, clock, {"TOCSIN_SOSOVALUE_KEY": key}, notebook=store)
            feed = MetricFeed(source.plug, source.plug.build(means), clock, lambda: 0.0)
            await feed.poll(wants)
            quotas.append(feed.health().quota)
    await server.stop()
    assert quotas == [6, 6, 6] and len(server.asked) == 12
    assert MARKER not in str(await store.page("sosovalue"))


async def test_a_notebook_that_cannot_be_written_stops_the_questions(store: SqlStore) -> None:
    class Full:
        async def page(self, source: str) -> Mapping[str, Any]:
            return await store.page(source)

        async def keep_page(self, source: str, page: Mapping[str, Any], now: float) -> None:
            raise StoreTrouble("the disk is full")

    clock, source = SetClock(at("2025-11-18 06:00")), SOURCES["sosovalue"]
    server = ProviderServer(source.pages(NOVEMBER, clock))
    await server.start()
    async with Http(server.root) as http:
        means = Means(http, clock, source.given, notebook=Full())
        feed = MetricFeed(source.plug, source.plug.build(means), clock, lambda: 0.0)
        batch = await feed.poll([Want(FLOW, at("2025-11-01"))])
    await server.stop()
    assert batch.observations == () and server.asked == []
    assert "the database is in trouble" in batch.unseen[0].reason


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"btc": None, "account": 5, "asked": "often"},
        {"btc": [{"as_of": 1}], "eth": {"days": []}},
        {"btc": [{"as_of": "2025-11-18", "total": "much", "funds": {}, "is_in": 3}]},
    ],
)
@pytest.mark.parametrize("name", SOURCES)
async def test_a_page_of_another_version_is_read_over(
    name: str, page: dict[str, Any], store: SqlStore
) -> None:
    plug = SOURCES[name].plug
    await store.keep_page(plug.name, page, 0.0)
    said = await Run(SOURCES[name], store, restarts=False).go("2025-11-18 08:00")
    assert said


async def test_a_page_is_that_of_its_provider_and_is_written_over(store: SqlStore) -> None:
    await store.keep_page("farside", {"a": 1}, 1.0)
    await store.keep_page("farside", {"b": [2]}, 2.0)
    await store.keep_page("coinglass", {"c": None}, 3.0)
    assert await store.page("farside") == {"b": [2]}
    assert await store.page("nobody") == {}


amounts = st.decimals(-3_000_000_000, 3_000_000_000, places=2)
days = st.dictionaries(
    st.integers(17_000, 22_000).map(lambda day: day * DAY),
    st.builds(
        Judged,
        st.builds(
            Flow,
            st.just(0),
            amounts,
            st.dictionaries(st.text(max_size=5), st.none() | amounts, max_size=4),
            st.none() | st.booleans(),
        ),
        st.floats(1.4e9, 2e9),
        st.booleans(),
        st.lists(st.text(max_size=5), max_size=3).map(tuple),
        st.booleans(),
    ),
    max_size=MOST_DAYS,
)


@given(days)
def test_days_are_read_as_they_were_written(judged: dict[int, Judged]) -> None:
    known = {
        as_of: Judged(
            Flow(as_of, one.flow.total, one.flow.funds, one.flow.is_in),
            one.since,
            one.is_final,
            one.pending,
            one.awaits_read,
        )
        for as_of, one in judged.items()
    }
    assert read_days(json.loads(json.dumps(written_days(known)))) == known
