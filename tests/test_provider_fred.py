"""FRED's tables: blank holidays, and the close of the day once the bell rang."""

from __future__ import annotations

import pytest

from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.providers.fred import PLUG
from bot.metrics import MetricKey
from tests.conftest import SetClock
from tests.provider_contract import DAY, ProviderContract, values_of
from tests.wire.providers import ProviderServer

SPX, NDX = MetricKey("price", "spx"), MetricKey("price", "ndx")
PAGE = "fred.stlouisfed.org/graph/fredgraph.csv"
EVENING = 1_764_378_000.0
"""29 November 2025, 01:00 UTC: the evening of a half day in New York."""

TABLE = """observation_date,SP500
2025-11-25,6770.10
2025-11-26,6810.20
2025-11-27,
2025-11-28,6850.30
"""


class TestFred(ProviderContract):
    plug = PLUG
    pages = {PAGE: TABLE}
    wants = (SPX,)
    expected = {SPX: {"2025-11-25": "6770.10", "2025-11-28": "6850.30"}}
    now = EVENING
    since = EVENING - 30 * DAY

    async def test_it_asks_for_the_index_since_the_day_that_is_wanted(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        await feed.poll(self.asked())
        assert dict(server.asked[0].query) == {"id": "SP500", "cosd": "2025-10-30"}

    @pytest.mark.parametrize("blank", ["", ".", "n/a"])
    async def test_a_blank_day_is_none_and_never_zero(
        self, feed: MetricFeed, server: ProviderServer, blank: str
    ) -> None:
        server.pages[PAGE] = TABLE.replace("6810.20", blank)
        assert set(values_of(await feed.poll(self.asked()))[SPX]) == {"2025-11-25", "2025-11-28"}

    async def test_a_close_of_a_holiday_is_none(self, feed: MetricFeed, server: ProviderServer) -> None:
        server.pages[PAGE] = TABLE.replace("2025-11-27,", "2025-11-27,6810.20")
        assert "2025-11-27" not in values_of(await feed.poll(self.asked()))[SPX]

    async def test_a_day_that_is_told_before_its_bell_is_not_final(
        self, feed: MetricFeed, clock: SetClock
    ) -> None:
        clock.time = EVENING - 8 * 3600
        assert [one.is_final for one in (await feed.poll(self.asked())).observations] == [True, True, False]

    async def test_a_table_without_a_single_close_is_refused(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        server.pages[PAGE] = "observation_date,SP500\n2025-11-27,.\n"
        batch = await feed.poll(self.asked())
        assert [one.reason for one in batch.unseen] == ["fred gives no close of SP500 that can be read"]


class TestOlderHeader(TestFred):
    pages = {PAGE: TABLE.replace("observation_date", "DATE")}

    @pytest.mark.parametrize("wants", [(NDX, SPX), (SPX, NDX)])
    async def test_the_index_that_can_be_read_is_told_without_the_other(
        self, feed: MetricFeed, wants: tuple[MetricKey, ...]
    ) -> None:
        self.wants = wants  # type: ignore[misc]
        batch = await feed.poll(self.asked())
        assert set(values_of(batch)) == {SPX}
        assert {one.key for one in batch.unseen} == {NDX}
