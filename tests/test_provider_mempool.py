"""mempool.space: the fee of the moment, and the hash rate of the days that are over."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.providers.mempool import PLUG
from bot.metrics import MetricKey
from tests.conftest import NOON, SetClock
from tests.provider_contract import DAY, ProviderContract, values_of
from tests.wire.providers import ProviderServer

FEES, HASHRATE = MetricKey("fees", ""), MetricKey("hashrate", "")
TODAY = int(NOON) - int(NOON) % DAY
FEE_PAGE = "mempool.space/api/v1/fees/recommended"
HASHRATE_PAGE = "mempool.space/api/v1/mining/hashrate/"


def fees(fastest: object) -> str:
    return json.dumps({"fastestFee": fastest, "halfHourFee": 3, "hourFee": 2, "minimumFee": 1})


def hashrates(*exahashes: object) -> str:
    """Shape the means of some days, the last of which ended today at midnight."""
    rows = [
        {"timestamp": TODAY - place * DAY, "avgHashrate": rate * 10**18 if type(rate) is int else rate}
        for place, rate in enumerate(reversed(exahashes))
    ]
    current = {"currentHashrate": 9 * 10**20, "currentDifficulty": 1.5e14}
    return json.dumps({"hashrates": rows[::-1], "difficulty": [], **current})


class TestMempool(ProviderContract):
    plug = PLUG
    pages = {
        FEE_PAGE: fees(7),
        **{f"{HASHRATE_PAGE}{span}": hashrates(1050, 1100, 1080) for span in ("1m", "3m")},
    }
    wants = (FEES, HASHRATE)
    expected = {
        FEES: {"2025-11-12T12:00:00": "7"},
        HASHRATE: {"2025-11-09": "1050", "2025-11-11": "1080"},
    }

    async def test_a_days_mean_is_of_the_day_that_ended(self, feed: MetricFeed) -> None:
        assert "2025-11-12" not in values_of(await feed.poll(self.asked()))[HASHRATE]

    async def test_the_hash_rate_is_asked_for_once_an_hour_and_as_far_back_as_is_wanted(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        for _ in range(14):
            read = values_of(await feed.poll(self.asked()))
            assert read[HASHRATE]["2025-11-11"] == 1080
            clock.time = feed.due_at(self.asked())
        asked = [one.path.rpartition("/")[2] for one in server.asked]
        assert asked.count("recommended") == 14
        assert [span for span in asked if span != "recommended"] == ["3m", "1m"]

    @pytest.mark.parametrize("value", [None, "", 0, -3, True, "n/a"])
    async def test_a_fee_or_a_rate_that_is_none_is_left_out(
        self, feed: MetricFeed, server: ProviderServer, value: object
    ) -> None:
        server.pages = {FEE_PAGE: fees(value), f"{HASHRATE_PAGE}3m": hashrates(1050, value, 1080)}
        batch = await feed.poll(self.asked())
        assert values_of(batch) == {HASHRATE: {"2025-11-09": Decimal(1050), "2025-11-11": Decimal(1080)}}
        assert [(one.key, one.reason) for one in batch.unseen] == [
            (FEES, "mempool.space gives no fee that can be read")
        ]


class TestHashrateAlone(ProviderContract):
    plug = PLUG
    pages = {f"{HASHRATE_PAGE}1y": hashrates(1050, 1100, 1080)}
    wants = (HASHRATE,)
    expected = {HASHRATE: {"2025-11-10": "1100"}}
    since = NOON - 300 * DAY
