"""The supply of stablecoins: days that are over, and the newest one that still moves."""

from __future__ import annotations

import json

import pytest

from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.providers.defillama import PLUG
from bot.metrics import MetricKey
from tests.conftest import NOON, SetClock
from tests.provider_contract import DAY, ProviderContract, values_of
from tests.wire.providers import ProviderServer

SUPPLY = MetricKey("stablecoin_supply", "")
TODAY = int(NOON) - int(NOON) % DAY
PAGE = "stablecoins.llama.fi/stablecoincharts/all"


def chart(*billions: object, is_text: bool = False) -> str:
    """Shape a chart that ends today."""
    rows = []
    for place, value in enumerate(reversed(billions)):
        at: object = TODAY - place * DAY
        supply = value * 10**9 + 0.255 if value and type(value) is int else value
        circulating = {"peggedUSD": supply, "peggedEUR": 500_000_000}
        rows.append({"date": str(at) if is_text else at, "totalCirculating": circulating})
    return json.dumps(rows[::-1])


class TestDefiLlama(ProviderContract):
    plug = PLUG
    pages = {PAGE: chart(299, 300, 301, 302)}
    wants = (SUPPLY,)
    expected = {SUPPLY: {"2025-11-11": "301000000000.26", "2025-11-09": "299000000000.26"}}

    async def test_only_the_newest_day_is_not_final(self, feed: MetricFeed) -> None:
        found = (await feed.poll(self.asked())).observations
        assert [one.is_final for one in found] == [True, True, True, False]

    async def test_it_looks_again_when_the_day_has_turned(self, feed: MetricFeed, clock: SetClock) -> None:
        await feed.poll(self.asked())
        assert feed.due_at(self.asked()) == NOON + 6 * 3600
        clock.time = TODAY + 22 * 3600.0
        await feed.poll(self.asked())
        assert feed.due_at(self.asked()) == TODAY + 25 * 3600
        clock.time = TODAY + 26 * 3600.0
        await feed.poll(self.asked())
        assert feed.due_at(self.asked()) == TODAY + 27 * 3600, "the new day is late"

    @pytest.mark.parametrize("value", [None, "", "-", 0, [], True])
    async def test_a_day_without_a_number_is_left_out_and_never_zero(
        self, feed: MetricFeed, server: ProviderServer, value: object
    ) -> None:
        server.pages[PAGE] = chart(299, value, 301, 302)
        assert "2025-11-10" not in values_of(await feed.poll(self.asked()))[SUPPLY]


class TestDatesAsText(TestDefiLlama):
    pages = {PAGE: chart(299, 300, 301, 302, is_text=True)}
