"""CoinGlass' liquidations and stablecoins on exchanges: its windows, its sums, and parts that fail alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.providers.coinglass import PLUG
from bot.metrics import MetricKey, Want
from bot.ports import UnknownInstrument
from tests.conftest import NOON, SetClock
from tests.etf import glass, row
from tests.provider_contract import MARKER, ProviderContract, values_of
from tests.wire.providers import Answer, ProviderServer

HOST = "open-api-v4.coinglass.com/api"
LIQUIDATIONS, BALANCES = f"{HOST}/futures/liquidation/exchange-list", f"{HOST}/exchange/balance/list"
NOW, HOUR, DAY = int(NOON), 3600, 86_400
STABLES = MetricKey("exchange_stablecoins", "")
FLOW = MetricKey("etf_flow", "btc")
FLOWS = glass([row("2025-11-10", "1", "2", "3", "4"), row("2025-11-11", "5", "2", "3", "4")])


def keys(*instruments: str) -> tuple[MetricKey, ...]:
    return tuple(MetricKey("liquidations", one) for one in instruments)


ALL, LONG, SHORT, BTC = keys("all, 24h", "all, 24h, long", "all, 24h, short", "btc, 4h")


def told(data: object, code: object = "0") -> str:
    return json.dumps({"code": code, "msg": "success" if code == "0" else f"no {MARKER}", "data": data})


def liquidated(
    long: object = 1.5e9, short: object = 6e8, total: object = 2.1e9, name: str = "All"
) -> dict[str, object]:
    return {
        "exchange": name,
        "liquidation_usd": total,
        "long_liquidation_usd": long,
        "short_liquidation_usd": short,
    }


PARTS = [liquidated(9e8, 4e8, 1.3e9, "Binance"), liquidated(6e8, 2e8, 8e8, "Bybit")]


def exchange_list(asked: dict[tuple[str, str], list[dict[str, object]]]) -> Answer:
    def answer(request: web.Request) -> web.Response:
        rows = asked.get((request.query.get("symbol", ""), request.query["range"]), [])
        return web.Response(text=told(rows), content_type="application/json")

    return answer


def balance(name: str, total: object, day: object, week: object, month: object) -> dict[str, object]:
    return {
        "exchange_name": name,
        "total_balance": total,
        "balance_change_1d": day,
        "balance_change_percent_1d": 0.1,
        "balance_change_7d": week,
        "balance_change_percent_7d": 0.1,
        "balance_change_30d": month,
        "balance_change_percent_30d": 0.1,
    }


HELD = {
    "USDT": [balance("Binance", 40e9, 1e8, 3e9, -1e9), balance("OKX", 8e9, 0, 1e8, 2e8)],
    "USDC": [balance("Binance", 7.5e9, -5e7, 7e8, 1e9)],
}


def balance_list(held: Mapping[str, list[dict[str, Any]]] = HELD) -> Answer:
    def answer(request: web.Request) -> web.Response:
        rows = held.get(request.query["symbol"])
        text = told([], code="400") if rows is None else told(rows)
        return web.Response(text=text, content_type="application/json")

    return answer


PAGES = {
    f"{HOST}/etf/bitcoin/flow-history": FLOWS,
    f"{HOST}/etf/ethereum/flow-history": FLOWS,
    f"{HOST}/etf/solana/flow-history": FLOWS,
    LIQUIDATIONS: exchange_list(
        {("", "24h"): [liquidated(), *PARTS], ("BTC", "4h"): [liquidated(100.5, 50, 150.5)]}
    ),
    BALANCES: balance_list(),
}


class TestCoinGlassMarkets(ProviderContract):
    plug = PLUG
    pages = PAGES
    wants = (ALL, LONG, SHORT, BTC, STABLES)
    expected = {
        ALL: {"2025-11-12T12:00:00": "2100000000"},
        LONG: {"2025-11-12T12:00:00": "1500000000"},
        SHORT: {"2025-11-12T12:00:00": "600000000"},
        BTC: {"2025-11-12T12:00:00": "150.5"},
        STABLES: {
            "2025-11-12T12:00:00": "55500000000",
            "2025-11-11T12:00:00": "55450000000",
            "2025-11-05T12:00:00": "51700000000",
            "2025-10-13T12:00:00": "55300000000",
        },
    }

    def of(self, *wanted: MetricKey) -> list[Want]:
        return [Want(key, NOW - 10 * DAY) for key in wanted]

    async def test_a_second_look_at_the_same_answers_says_the_same(
        self, feed: MetricFeed, clock: SetClock
    ) -> None:
        first = values_of(await feed.poll(self.asked()))
        clock.time = feed.due_at(self.asked())
        again = values_of(await feed.poll(self.asked()))
        assert list(again[ALL]) == ["2025-11-12T12:05:00"], "a window that ends then"
        assert list(again[ALL].values()) == list(first[ALL].values())
        assert again[STABLES] == first[STABLES]

    async def test_liquidations_are_asked_for_every_five_minutes_and_the_rest_when_it_is_due(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        await feed.poll(self.asked())
        before = len(server.asked)
        for minutes in (5, 10, 15):
            assert feed.due_at(self.asked()) == NOW + minutes * 60
            clock.time = feed.due_at(self.asked())
            batch = await feed.poll(self.asked())
            assert STABLES in values_of(batch) and FLOW in values_of(batch)
        paths = [one.path for one in server.asked[before:]]
        assert sum("liquidation" in path for path in paths) == 6
        assert sum("flow" in path for path in paths) == 3, "at five past twelve, and not again"
        assert len(paths) == 9

    async def test_balances_are_read_once_an_hour(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        while clock.time < NOW + 2 * HOUR:
            await feed.poll(self.of(STABLES))
            clock.time = feed.due_at(self.of(STABLES))
        asked = [one.query["symbol"] for one in server.asked if "balance" in one.path]
        assert asked == ["USDT", "USDC"] * 2

    @pytest.mark.parametrize("written", ["all, 1d", "all, 24h"])
    async def test_a_day_is_twenty_four_hours(self, feed: MetricFeed, written: str) -> None:
        (key,) = keys(written)
        assert list(values_of(await feed.poll(self.of(key)))[key].values()) == [2_100_000_000]

    @pytest.mark.parametrize("written", ["all, 7d", "all, 2h", "all", "btc/usdt, 24h", "all, 24h, both"])
    async def test_windows_that_it_does_not_sum_up_are_not_offered(self, written: str) -> None:
        assert PLUG.offer(MetricKey("liquidations", written)) is None

    async def test_a_coin_that_it_does_not_know_is_unknown_and_spoils_nothing(self, feed: MetricFeed) -> None:
        (nothing,) = keys("nothing, 24h")
        with pytest.raises(UnknownInstrument):
            await feed.ask(nothing)
        batch = await feed.poll(self.of(ALL, nothing))
        assert ALL in values_of(batch)
        assert [one.reason for one in batch.unseen] == ["coinglass shows no liquidations of NOTHING"]

    @pytest.mark.parametrize(
        "rows",
        [
            PARTS,
            [liquidated(None)],
            [liquidated("-")],
            [liquidated(short="n/a")],
            [liquidated(total="")],
            [liquidated(True)],
            [liquidated(-1.5e9)],
            [liquidated(total=2.5e9)],
            [{"exchange": "All", "liquidation_usd": 2.1e9}],
            "rows",
            None,
        ],
    )
    async def test_liquidations_that_are_missing_or_do_not_sum_up_are_none(
        self, feed: MetricFeed, server: ProviderServer, rows: object
    ) -> None:
        server.pages[LIQUIDATIONS] = told(rows)
        batch = await feed.poll(self.of(ALL, STABLES))
        assert ALL not in values_of(batch)
        assert {one.key for one in batch.unseen} == {ALL}
        assert STABLES in values_of(batch) and FLOW in values_of(batch), "the other parts are well"

    async def test_strings_are_numbers_and_a_true_nothing_is_zero(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        server.pages[LIQUIDATIONS] = told([liquidated("1,500.5", "0", "1500.5")])
        read = values_of(await feed.poll(self.of(LONG, SHORT)))
        assert list(read[LONG].values()) == [Decimal("1500.5")]
        assert list(read[SHORT].values()) == [0]

    async def test_a_plan_that_lacks_one_part_closes_no_other(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        server.pages[BALANCES] = told([], code="401")
        batch = await feed.poll(self.of(ALL, STABLES))
        assert {one.key: one.reason for one in batch.unseen} == {
            STABLES: "coinglass does not take the key: check it, and its plan"
        }
        asked = sum("balance" in one.path for one in server.asked)
        for _ in range(2):
            clock.time = feed.due_at(self.of(ALL, STABLES))
            assert ALL in values_of(await feed.poll(self.of(ALL, STABLES)))
        assert sum("balance" in one.path for one in server.asked) == asked, "it is left alone for a while"
        server.pages[BALANCES] = balance_list()
        while STABLES not in values_of(await feed.poll(self.of(ALL, STABLES))):
            clock.time = feed.due_at(self.of(ALL, STABLES))
            assert clock.time <= NOW + 1200

    async def test_who_asks_to_slow_down_is_asked_nothing_more_of_that_kind(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        server.pages[LIQUIDATIONS] = told([], code="429")
        await feed.poll(self.of(ALL, BTC))
        assert sum("liquidation" in one.path for one in server.asked) == 1

    # --- stablecoins ----------------------------------------------------------------------------------------

    async def test_a_coin_may_be_listed_by_its_chain(self, feed: MetricFeed, server: ProviderServer) -> None:
        server.pages[BALANCES] = balance_list({"USDT(ETH)": HELD["USDT"]})
        read = values_of(await feed.poll(self.of(STABLES)))
        assert read[STABLES]["2025-11-12T12:00:00"] == 48_000_000_000
        assert [one.query["symbol"] for one in server.asked if "balance" in one.path] == [
            "USDT",
            "USDT(ETH)",
            "USDC",
            "USDC(ETH)",
        ]

    @pytest.mark.parametrize("rows", [[], None, [{"exchange_name": "Binance"}], [balance("", 1, 1, 1, 1)]])
    async def test_a_coin_that_cannot_be_read_makes_no_sum_of_the_others(
        self, feed: MetricFeed, server: ProviderServer, rows: Any
    ) -> None:
        server.pages[BALANCES] = balance_list({**HELD, "USDC": rows} if rows is not None else {"USDC": []})
        batch = await feed.poll(self.of(STABLES))
        assert STABLES not in values_of(batch)
        assert {one.key for one in batch.unseen} == {STABLES}

    async def test_a_past_that_one_exchange_does_not_tell_is_left_out(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        rows = [*HELD["USDT"], balance("Young", 1e6, 1e5, None, "-")]
        server.pages[BALANCES] = balance_list({**HELD, "USDT": rows})
        read = values_of(await feed.poll(self.of(STABLES)))
        assert set(read[STABLES]) == {"2025-11-12T12:00:00", "2025-11-11T12:00:00"}

    async def test_an_exchange_that_is_new_in_the_list_is_no_flow_of_money(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        before = values_of(await feed.poll(self.of(STABLES)))[STABLES]
        clock.time = float(NOW + HOUR + 300)
        rows = [*HELD["USDT"], balance("Kraken", 5e9, 1e6, 2e6, 3e6)]
        server.pages[BALANCES] = balance_list({**HELD, "USDT": rows})
        after = values_of(await feed.poll(self.of(STABLES)))[STABLES]
        weeks = (
            before["2025-11-12T12:00:00"] - before["2025-11-05T12:00:00"],
            after["2025-11-12T13:00:00"] - after["2025-11-05T13:00:00"],
        )
        assert weeks == (3_800_000_000, 3_802_000_000)

    async def test_a_large_exchange_that_vanishes_makes_the_list_doubtful_for_a_day(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        await feed.poll(self.of(STABLES))
        server.pages[BALANCES] = balance_list({**HELD, "USDT": HELD["USDT"][1:]})
        clock.time = float(NOW + HOUR + 300)
        batch = await feed.poll(self.of(STABLES))
        assert [one.reason for one in batch.unseen] == [
            "coinglass leaves out Binance, which was there before"
        ]
        clock.time = float(NOW + DAY)
        assert STABLES in values_of(await feed.poll(self.of(STABLES)))

    @pytest.mark.parametrize("rows", [[balance("A", -5, 0, 0, 0)], [HELD["USDT"][0], HELD["USDT"][0]]])
    async def test_balances_that_cannot_be_are_refused(
        self, feed: MetricFeed, server: ProviderServer, rows: list[dict[str, Any]]
    ) -> None:
        server.pages[BALANCES] = balance_list({**HELD, "USDT": rows})
        batch = await feed.poll(self.of(STABLES))
        assert STABLES not in values_of(batch)

    async def test_the_note_says_which_coins_are_counted(self) -> None:
        notes = {offer.metric: offer.note for offer in PLUG.offers}
        assert "USDT and USDC" in notes["exchange_stablecoins"]
        assert "lower bound" in notes["exchange_stablecoins"]
