"""SoSoValue: every shape of its answers, its word on what is complete, and twelve questions a day."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest
from aiohttp import web

from bot.feeds.metrics.http import Http
from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.provider import Means
from bot.feeds.metrics.providers.sosovalue import PLUG, newest_of
from bot.metrics import Batch, MetricKey, Want
from tests.conftest import SetClock
from tests.etf import DAY, FIRST_TOTAL, HOUR, NOVEMBER, Row, Story, at, date_of, row, soso_newest, soso_rows
from tests.etf import day as day_of_story
from tests.provider_contract import MARKER, ProviderContract, values_of
from tests.wire.providers import TROUBLES, Answer, ProviderServer, respond

BTC, ETH, SOL = (MetricKey("etf_flow", coin) for coin in ("btc", "eth", "sol"))
TOTAL = MetricKey("etf_flow_total", "btc")
NOW = at("2025-11-21 05:05")
OLDER = "api.sosovalue.xyz/openapi/v2/etf"
HISTORY, NEWEST = f"{OLDER}/historicalInflowChart", f"{OLDER}/currentEtfDataMetrics"
NEWER = "openapi.sosovalue.com/openapi/v1/etfs/summary-history"
ROWS = [
    row("2025-11-18", "-512.4", "60", "39.6", "40"),
    row("2025-11-19", "68.9", "10", "-5", "1.5"),
    row("2025-11-20", "-355.5", "-300.2", "52.9", "-300.4"),
]
PARTIAL = row("2025-11-20", "-", "-300.2", "52.9", "-300.4")
FLOWS = {"2025-11-18": "-372800000", "2025-11-19": "75400000", "2025-11-20": "-903200000"}
TWELVE = 12
TOTALS = {"2025-11-19": "59702600000", "2025-11-20": "58799400000"}
ALL = (BTC, ETH, SOL, TOTAL)


def finals(batch: Batch, key: MetricKey = BTC) -> dict[str, bool]:
    return {date_of(one.as_of): one.is_final for one in batch.observations if one.key == key}


def wrapped(data: object) -> str:
    return json.dumps({"code": 0, "msg": None, "data": data})


class Older(ProviderContract):
    """What holds for every shape of the older generation."""

    plug = PLUG
    wants = ALL
    expected = {BTC: FLOWS, TOTAL: TOTALS}
    now = NOW

    async def test_a_day_that_is_in_is_final_at_once(self, feed: MetricFeed) -> None:
        batch = await feed.poll(self.asked())
        assert finals(batch) == finals(batch, TOTAL) == dict.fromkeys(FLOWS, True)


class TestList(Older):
    pages = {HISTORY: wrapped({"list": soso_rows(ROWS)}), NEWEST: soso_newest(ROWS[-1])}

    async def test_the_key_goes_in_a_header_only(self, feed: MetricFeed, server: ProviderServer) -> None:
        await feed.poll(self.asked())
        assert {one.headers["x-soso-api-key"] for one in server.asked} == {MARKER}
        assert all(MARKER not in str(one.url) for one in server.asked)
        assert [one.method for one in server.asked] == ["POST"] * 6

    async def test_what_is_left_of_the_day_is_shown(self, feed: MetricFeed) -> None:
        await feed.poll(self.asked())
        assert feed.health().quota == TWELVE - 6

    async def test_a_question_out_of_turn_is_answered_from_memory(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        await feed.poll(self.asked())
        for _ in range(20):
            newest = await feed.ask(BTC)
            assert (date_of(newest.as_of), newest.value) == ("2025-11-20", -903_200_000)
        assert len(server.asked) == 6

    async def test_a_fund_that_is_pending_is_named_and_its_figure_is_none(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        stale = json.loads(soso_newest(PARTIAL))
        stale["data"]["list"][0]["dailyNetInflow"]["value"] = "68900000.0"
        server.pages[NEWEST] = json.dumps(stale)
        batch = await feed.poll(self.asked())
        newest = next(one for one in batch.observations if (one.key, one.as_of) == (BTC, at("2025-11-20")))
        assert (newest.value, newest.is_final, newest.pending) == (-547_700_000, False, ("IBIT",))
        assert not finals(batch, TOTAL)["2025-11-20"]

    async def test_the_newest_day_is_asked_for_until_it_is_in_and_the_history_then(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        clock.time = at("2025-11-21 02:00")
        server.pages[NEWEST] = soso_newest(PARTIAL)
        assert not finals(await feed.poll(self.asked()))["2025-11-20"]
        for hour, is_final in (("02:05", False), ("04:05", False), ("05:05", True), ("06:05", True)):
            if is_final:
                server.pages[NEWEST] = soso_newest(ROWS[-1])
            clock.time = feed.due_at(self.asked())
            assert clock.time == at(f"2025-11-21 {hour}")
            before = len(server.asked)
            assert finals(await feed.poll(self.asked()))["2025-11-20"] == is_final
            if hour == "06:05":
                assert len(server.asked) == before, "what is final is not asked for again"

    async def test_a_refusal_in_the_body_says_how_long_to_wait(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        body = {
            "code": 42901,
            "message": f"Rate limit {MARKER}",
            "details": {"limit": 20, "retry_after": 245},
        }
        for status in (429, 200):
            server.trouble = respond(status, json.dumps(body))
            batch = await feed.poll(self.asked())
            assert batch.observations == ()
            assert MARKER not in str(batch.unseen)
            assert feed.due_at(self.asked()) >= NOW + 245
            assert len(server.asked) == 1

    async def test_a_key_that_is_not_taken_blocks(self, feed: MetricFeed, server: ProviderServer) -> None:
        server.trouble = respond(200, json.dumps({"code": 40101, "msg": "no"}))
        batch = await feed.poll(self.asked())
        assert {one.reason for one in batch.unseen} == {
            "sosovalue does not take the key: check it, and its plan"
        }
        assert len(server.asked) == 2, "the key may be one of the newer generation"

    async def test_what_the_headers_say_of_limits_is_kept(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        left = iter([3, 2, 1, 0, 0, 0, 0])

        async def limited(request: web.Request, good: web.Response) -> web.StreamResponse:
            good.headers["X-RateLimit-Remaining"] = str(next(left))
            good.headers["X-RateLimit-Reset"] = "40"
            return good

        server.trouble = limited
        batch = await feed.poll(self.asked())
        assert set(values_of(batch)) >= {BTC, TOTAL, ETH}
        assert (batch.unseen[0].key, batch.unseen[0].reason) == (SOL, "sosovalue asks to slow down")
        assert len(server.asked) == 4

    async def test_a_history_is_worth_having_though_the_newest_day_cannot_be_read(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        del server.pages[NEWEST]
        batch = await feed.poll(self.asked())
        assert finals(batch) == {"2025-11-18": True, "2025-11-19": True, "2025-11-20": False}

    async def test_an_impossible_flow_is_refused(self, feed: MetricFeed, server: ProviderServer) -> None:
        server.pages[HISTORY] = wrapped(soso_rows([*ROWS, row("2025-11-17", "-3000.1", "0", "0", "0")]))
        batch = await feed.poll(self.asked())
        assert batch.observations == ()
        assert "a flow of -3,000,100,000 USD for 2025-11-17, which cannot be" in batch.unseen[0].reason

    async def test_a_trouble_is_not_paid_for_with_the_questions_of_the_day(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        server.trouble = TROUBLES["500"]
        while clock.time < NOW + 9 * HOUR:
            await feed.poll(self.asked())
            clock.time = feed.due_at(self.asked())
        assert len(server.asked) <= TWELVE
        server.trouble = None
        clock.time = NOW + DAY
        assert finals(await feed.poll(self.asked()))["2025-11-20"]


class TestFlat(Older):
    pages = {HISTORY: wrapped(soso_rows(ROWS)), NEWEST: soso_newest(ROWS[-1])}


class TestBare(Older):
    pages = {
        HISTORY: json.dumps(soso_rows(ROWS)),
        NEWEST: json.dumps(json.loads(soso_newest(ROWS[-1]))["data"]),
    }


class TestCodeAsText(Older):
    pages = {
        HISTORY: json.dumps({"code": "0", "data": soso_rows(ROWS, is_newer=True)}),
        NEWEST: soso_newest(ROWS[-1]),
    }


class Newer(ProviderContract):
    """A key of the newer generation alone: totals, of which nothing says that they are complete."""

    plug = PLUG
    wants = ALL
    expected = {BTC: FLOWS, TOTAL: TOTALS}
    now = NOW

    async def test_a_bare_total_is_final_when_it_stood_until_noon(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        batch = await feed.poll(self.asked())
        assert finals(batch) == {"2025-11-18": True, "2025-11-19": True, "2025-11-20": False}
        for hour, is_final in (("06:05", False), ("08:05", False), ("12:05", True)):
            clock.time = feed.due_at(self.asked())
            assert clock.time == at(f"2025-11-21 {hour}")
            assert finals(await feed.poll(self.asked()))["2025-11-20"] == is_final
        assert len(server.asked) <= TWELVE

    async def test_the_older_generation_is_tried_once(self, feed: MetricFeed, server: ProviderServer) -> None:
        await feed.poll(self.asked())
        assert [one.match_info["tail"] == NEWER for one in server.asked] == [False, True, True, True]
        assert [one.query["symbol"] for one in server.asked[1:]] == ["BTC", "ETH", "SOL"]
        assert {one.query["country_code"] for one in server.asked[1:]} == {"US"}


class TestNewerBare(Newer):
    pages = {NEWER: json.dumps(soso_rows(ROWS, is_newer=True))}


class TestNewerWrapped(Newer):
    pages = {NEWER: wrapped(soso_rows(ROWS, is_newer=True))}


# --- twelve a day -------------------------------------------------------------------------------------------


def pages_of(story: Story, clock: SetClock, is_in: bool | None = None) -> dict[str, str | bytes | Answer]:
    """Answer as the story stands; ``is_in`` overrides what is said of the newest day."""

    def history(_: web.Request) -> web.Response:
        return web.json_response({"code": 0, "data": soso_rows(story.rows(clock.time))})

    def newest(_: web.Request) -> web.Response:
        return web.json_response(text=soso_newest(story.rows(clock.time)[-1], is_in))

    return {HISTORY: history, NEWEST: newest}


class TestTwelveADay:
    @pytest.fixture
    async def server(self) -> AsyncIterator[ProviderServer]:
        server = ProviderServer()
        await server.start()
        yield server
        await server.stop()

    @pytest.mark.parametrize("is_in", [None, False], ids=["an ordinary fortnight", "nothing is ever in"])
    async def test_no_stretch_of_a_day_has_more_than_twelve_questions(
        self, server: ProviderServer, is_in: bool | None
    ) -> None:
        clock = SetClock(at("2025-11-12 15:00"))
        server.pages.update(pages_of(NOVEMBER, clock, is_in))
        asked: list[float] = []
        wants = [Want(key, at("2025-11-01")) for key in ALL]
        async with Http(server.root) as http:
            feed = MetricFeed(PLUG, PLUG.build(Means(http, clock, {PLUG.needs: MARKER})), clock, lambda: 0.0)
            while clock.time < at("2025-11-27"):
                await feed.poll(wants)
                assert feed.health().is_well or is_in is False, feed.health()
                asked += [clock.time] * (len(server.asked) - len(asked))
                clock.time = feed.due_at(wants)
        assert all(asked[place] - asked[place - TWELVE] >= DAY for place in range(TWELVE, len(asked)))
        assert len(asked) > 60


# --- the newest day -----------------------------------------------------------------------------------------


def metrics(one: Row = ROWS[-1], **changes: object) -> dict[str, object]:
    data: dict[str, object] = json.loads(soso_newest(one))["data"]
    return data | changes


def test_numbers_are_exact() -> None:
    exact = newest_of(metrics(dailyNetInflow={"value": "-519190448.94", "lastUpdateDate": "2025-11-20"}))
    assert exact is not None
    assert (exact.total, exact.is_in) == (Decimal("-519190448.94"), None)


def test_a_total_that_is_not_there_yet_is_no_flow() -> None:
    for value in (None, "", "-", "n/a"):
        assert newest_of(metrics(dailyNetInflow={"value": value, "lastUpdateDate": "2025-11-20"})) is None


def test_a_status_that_is_not_known_is_not_in() -> None:
    for status in ("2", "3", 3, "in", ""):
        said = {"value": "5", "lastUpdateDate": "2025-11-20", "status": status}
        flow = newest_of(metrics(dailyNetInflow=said))
        assert flow is not None and flow.is_in is False


def test_a_fund_of_another_day_did_not_report_and_one_without_assets_is_gone() -> None:
    data = json.loads(soso_newest(ROWS[-1]))["data"]
    data["list"][0]["dailyNetInflow"]["lastUpdateDate"] = "2025-11-19"
    data["list"][1]["netAssets"]["value"] = "0.0"
    data["list"].append({"ticker": "MSBT"})
    flow = newest_of(data)
    assert flow is not None
    assert flow.funds == {"IBIT": None, "ARKB": 52_900_000, "GBTC": -300_400_000, "MSBT": None}


def test_the_story_has_the_totals_that_are_expected() -> None:
    """Guard the fixtures: what the contract expects is what the rows add up to."""
    assert [str(one.total) for one in ROWS] == ["-372.8", "75.4", "-903.2"]
    total = FIRST_TOTAL + sum(one.total for one in ROWS[:2])
    assert Decimal(TOTALS["2025-11-19"]) == total * 1_000_000
    assert day_of_story("2025-11-20", "-903.2").row(at("2025-11-21 12:00")) == replace(
        row("2025-11-20", "-909.7", "10", "-5", "1.5")
    )
