"""The Fear & Greed index: days as they stand, and the next look when the provider says."""

from __future__ import annotations

import json

import pytest

from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.providers.alternative_me import PLUG
from bot.metrics import MetricKey
from tests.conftest import NOON, SetClock
from tests.provider_contract import DAY, ProviderContract, values_of
from tests.wire.providers import ProviderServer

INDEX = MetricKey("fear_greed", "")
TODAY = int(NOON) - int(NOON) % DAY
PAGE = "api.alternative.me/fng/"


def answer(*values: object, until_update: object = "43200") -> str:
    """Shape an answer: the value of today first, then of the days before."""
    rows = [
        {"value": value, "value_classification": "Fear", "timestamp": str(TODAY - place * DAY)}
        for place, value in enumerate(values)
    ]
    if rows:
        rows[0]["time_until_update"] = until_update
    return json.dumps({"name": "Fear and Greed Index", "data": rows, "metadata": {"error": None}})


class TestAlternativeMe(ProviderContract):
    plug = PLUG
    pages = {PAGE: answer("24", "26", "31")}
    wants = (INDEX,)
    expected = {INDEX: {"2025-11-12": "24", "2025-11-11": "26", "2025-11-10": "31"}}

    async def test_it_asks_for_as_many_days_as_are_wanted(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        await feed.poll(self.asked())
        assert int(server.asked[0].query["limit"]) in range(60, 64), (
            "what is recorded anyway goes further back"
        )

    async def test_it_looks_again_when_the_provider_updates(self, feed: MetricFeed) -> None:
        await feed.poll(self.asked())
        assert feed.due_at(self.asked()) == NOON + 43_200 + 60

    async def test_a_day_that_is_late_is_asked_for_again_soon(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        clock.time = NOON + DAY
        await feed.poll(self.asked())
        assert feed.due_at(self.asked()) == clock.time + 600

    @pytest.mark.parametrize("value", ["", "-", None, "n/a", True, [], "1e999"])
    async def test_a_value_that_is_no_number_is_left_out_and_never_zero(
        self, feed: MetricFeed, server: ProviderServer, value: object
    ) -> None:
        server.pages[PAGE] = answer(value, "26", "31")
        read = values_of(await feed.poll(self.asked()))
        assert set(read[INDEX]) == {"2025-11-11", "2025-11-10"}

    @pytest.mark.parametrize("value", ["101", "-1"])
    async def test_an_index_beyond_its_bounds_makes_the_whole_answer_doubtful(
        self, feed: MetricFeed, server: ProviderServer, value: str
    ) -> None:
        server.pages[PAGE] = answer(value, "26", "31")
        batch = await feed.poll(self.asked())
        assert batch.observations == ()
        assert "which cannot be" in batch.unseen[0].reason

    async def test_a_date_in_the_future_is_refused(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        clock.time = NOON - DAY
        batch = await feed.poll(self.asked())
        assert batch.observations == ()
        assert "2025-11-12, which is in the future" in batch.unseen[0].reason

    async def test_the_error_of_the_provider_is_one(self, feed: MetricFeed, server: ProviderServer) -> None:
        server.pages[PAGE] = json.dumps({"data": [], "metadata": {"error": "Invalid limit"}})
        batch = await feed.poll(self.asked())
        assert batch.unseen[0].reason == "alternative.me answers with an error"
