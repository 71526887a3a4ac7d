"""CoinGlass' flows of funds: what is not reported has no flow, and refusals come with HTTP 200."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.providers.coinglass import PLUG, flows_of
from bot.metrics import MetricKey
from tests.conftest import SetClock
from tests.etf import at, glass, row
from tests.provider_contract import MARKER, ProviderContract, values_of
from tests.wire.providers import ProviderServer, respond

BTC, ETH, SOL = (MetricKey("etf_flow", coin) for coin in ("btc", "eth", "sol"))
NOW = at("2025-11-21 05:05")
HOST = "open-api-v4.coinglass.com/api/etf"
ROWS = [
    row("2025-11-18", "-512.4", "60", "39.6", "40"),
    row("2025-11-19", "68.9", "10", "-5", "1.5"),
    row("2025-11-20", "-355.5", "-300.2", "52.9", "-300.4"),
]
PARTIAL = [*ROWS[:-1], row("2025-11-20", "-", "-300.2", "52.9", "-300.4")]
YOUNG = [row(day, "11.7", "-", "1", funds=("BSOL", "VSOL", "GSOL")) for day in ("2025-11-19", "2025-11-20")]
PAGES = {
    f"{HOST}/bitcoin/flow-history": glass(ROWS),
    f"{HOST}/ethereum/flow-history": glass(ROWS[:2]),
    f"{HOST}/solana/flow-history": glass(YOUNG),
}


class TestCoinGlass(ProviderContract):
    plug = PLUG
    pages = PAGES
    wants = (BTC, ETH, SOL)
    expected = {
        BTC: {"2025-11-18": "-372800000", "2025-11-19": "75400000", "2025-11-20": "-903200000"},
        ETH: {"2025-11-19": "75400000"},
        SOL: {"2025-11-20": "12700000"},
    }
    now = NOW

    async def test_the_key_goes_in_a_header_only(self, feed: MetricFeed, server: ProviderServer) -> None:
        await feed.poll(self.asked())
        assert {one.headers["CG-API-KEY"] for one in server.asked} == {MARKER}
        assert all(MARKER not in str(one.url) for one in server.asked)

    async def test_a_fund_without_a_flow_did_not_report(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        server.pages[f"{HOST}/bitcoin/flow-history"] = glass(PARTIAL)
        batch = await feed.poll(self.asked())
        clock.time = feed.due_at(self.asked())
        batch = await feed.poll(self.asked())
        newest = {word.key: word for word in batch.observations if word.as_of == at("2025-11-20")}
        assert (newest[BTC].value, newest[BTC].is_final, newest[BTC].pending) == (
            -547_700_000,
            False,
            ("IBIT",),
        )
        assert newest[SOL].is_final, "VSOL never reported, so nobody waits for it"

    @pytest.mark.parametrize("code", ["400", "401", "403", "40001", 401])
    async def test_a_key_that_is_not_taken_blocks(
        self, feed: MetricFeed, server: ProviderServer, code: object
    ) -> None:
        server.trouble = respond(200, json.dumps({"code": code, "msg": f"API key missing. {MARKER}"}))
        batch = await feed.poll(self.asked())
        assert {one.reason for one in batch.unseen} == {
            "coinglass does not take the key: check it, and its plan"
        }
        assert feed.due_at(self.asked()) >= NOW + 900
        assert len(server.asked) == 1

    async def test_a_limit_said_in_the_body_is_kept(self, feed: MetricFeed, server: ProviderServer) -> None:
        server.trouble = respond(200, json.dumps({"code": "429", "msg": "Too many requests"}))
        batch = await feed.poll(self.asked())
        assert {one.reason for one in batch.unseen} == {"coinglass asks to slow down"}

    async def test_another_error_passes(self, feed: MetricFeed, server: ProviderServer) -> None:
        server.trouble = respond(200, json.dumps({"code": "500", "msg": "Server Error"}))
        batch = await feed.poll(self.asked())
        assert {one.reason for one in batch.unseen} == {"coinglass answers with an error"}

    async def test_a_number_as_code_and_numbers_as_text_are_read_too(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        data = json.loads(glass(ROWS, code=0))
        for one in data["data"]:
            one["timestamp"] = str(one["timestamp"])
            one["flow_usd"] = str(one["flow_usd"])
        server.pages[f"{HOST}/bitcoin/flow-history"] = json.dumps(data)
        assert values_of(await feed.poll(self.asked()))[BTC]["2025-11-20"] == -903_200_000

    async def test_two_flows_of_one_day_are_refused(self, feed: MetricFeed, server: ProviderServer) -> None:
        server.pages[f"{HOST}/bitcoin/flow-history"] = glass([*ROWS, PARTIAL[-1]])
        batch = await feed.poll(self.asked())
        assert BTC not in values_of(batch)
        assert batch.unseen[0].reason.endswith("it gives two flows for 2025-11-20")

    async def test_the_same_days_twice_and_in_any_order_are_the_same(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        server.pages[f"{HOST}/bitcoin/flow-history"] = glass([*ROWS[::-1], *ROWS])
        assert len(values_of(await feed.poll(self.asked()))[BTC]) == 3

    async def test_a_day_to_come_is_refused(self, feed: MetricFeed, server: ProviderServer) -> None:
        server.pages[f"{HOST}/bitcoin/flow-history"] = glass(
            [*ROWS, replace(ROWS[0], as_of=at("2025-11-25"))]
        )
        batch = await feed.poll(self.asked())
        assert BTC not in values_of(batch)
        assert "2025-11-25, which is in the future" in str(batch.unseen)


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "flow",
        {},
        {"timestamp": 1763596800000},
        {"timestamp": 1763596800000, "flow_usd": None},
        {"timestamp": 1763596800000, "flow_usd": "-"},
        {"timestamp": True, "flow_usd": 5},
    ],
)
def test_a_row_without_a_day_or_a_flow_is_left_out(odd: object) -> None:
    whole = {
        "timestamp": 1763510400000,
        "flow_usd": 5,
        "etf_flows": [None, {}, {"etf_ticker": "IBIT", "flow_usd": 5}],
    }
    (flow,) = flows_of([odd, whole])
    assert (flow.as_of, flow.total, flow.funds) == (1763510400, 5, {"IBIT": 5})
