"""What companies hold: by ticker, as they last made known, and unknown where they are not listed."""

from __future__ import annotations

import json

import pytest

from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.providers.coingecko import PLUG
from bot.metrics import MetricKey
from bot.ports import UnknownInstrument
from tests.conftest import NOON, SetClock
from tests.provider_contract import MARKER, ProviderContract, values_of
from tests.wire.providers import ProviderServer

MSTR, SQNS = MetricKey("treasury", "mstr"), MetricKey("treasury", "sqns")
PAGE = "api.coingecko.com/api/v3/companies/public_treasury/bitcoin"
AT_NOON = "2025-11-12T12:00:00"


def companies(**holdings: object) -> str:
    """Shape the list; two underscores stand for the point before the country."""
    rows = [
        {"name": symbol, "symbol": symbol.replace("__", "."), "country": "US", "total_holdings": coins}
        for symbol, coins in holdings.items()
    ]
    return json.dumps({"total_holdings": 1, "market_cap_dominance": 6.1, "companies": rows})


class TestCoinGecko(ProviderContract):
    plug = PLUG
    pages = {PAGE: companies(MSTR__US=640_000, SQNS__US=2264.5, TSWCF__T=30_000)}
    wants = (MSTR, SQNS)
    expected = {MSTR: {AT_NOON: "640000"}, SQNS: {AT_NOON: "2264.5"}}

    async def test_without_a_key_none_is_sent(self, feed: MetricFeed, server: ProviderServer) -> None:
        await feed.poll(self.asked())
        assert "x-cg-demo-api-key" not in server.asked[0].headers
        assert len(server.asked) == 1, "all companies are in one answer"

    async def test_a_company_that_is_not_in_the_list_is_not_known(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        server.pages[PAGE] = companies(MSTR__US=640_000)
        batch = await feed.poll(self.asked())
        assert set(values_of(batch)) == {MSTR}
        assert [one.reason for one in batch.unseen] == ["coingecko lists no holdings of SQNS"]
        clock.time = NOON + 3600
        with pytest.raises(UnknownInstrument):
            await feed.ask(SQNS)

    @pytest.mark.parametrize("value", [None, "", "-", True, -5, 10**9])
    async def test_holdings_that_are_no_number_of_coins_are_not_known(
        self, feed: MetricFeed, server: ProviderServer, value: object
    ) -> None:
        server.pages[PAGE] = companies(MSTR__US=640_000, SQNS__US=value)
        assert set(values_of(await feed.poll(self.asked()))) == {MSTR}

    async def test_who_has_sold_all_holds_a_true_zero(self, feed: MetricFeed, server: ProviderServer) -> None:
        server.pages[PAGE] = companies(MSTR__US=640_000, SQNS__US=0)
        assert values_of(await feed.poll(self.asked()))[SQNS] == {AT_NOON: 0}

    async def test_of_two_companies_with_a_ticker_the_one_in_the_us_is_meant(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        server.pages[PAGE] = companies(MSTR__V=3, MSTR__US=640_000, SQNS__V=1, SQNS__T=2)
        assert values_of(await feed.poll(self.asked())) == {MSTR: {AT_NOON: 640_000}}


class TestWithKey(TestCoinGecko):
    given = {"TOCSIN_COINGECKO_KEY": MARKER}

    async def test_without_a_key_none_is_sent(self, feed: MetricFeed, server: ProviderServer) -> None:
        await feed.poll(self.asked())
        assert server.asked[0].headers["x-cg-demo-api-key"] == MARKER
