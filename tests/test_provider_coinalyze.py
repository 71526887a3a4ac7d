"""Liquidations by Coinalyze: sums of some contracts are a lower bound, and forty are asked for a minute."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest
from aiohttp import web

from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.providers.coinalyze import PLUG
from bot.metrics import MetricKey, Want
from bot.ports import UnknownInstrument, Unseeable
from tests.conftest import NOON, SetClock
from tests.provider_contract import MARKER, ProviderContract, values_of
from tests.wire.providers import Answer, ProviderServer

HOST = "api.coinalyze.net/v1"
MARKETS, HISTORY = f"{HOST}/future-markets", f"{HOST}/liquidation-history"
COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB", "ADA", "LINK", "AVAX", "SUI")
NOW = int(NOON)
FIVE, HOUR, DAY = 300, 3600, 86_400


def keys(*instruments: str) -> tuple[MetricKey, ...]:
    return tuple(MetricKey("liquidations", one) for one in instruments)


ALL, LONG, BTC, BTC_HOUR = keys("all, 24h", "all, 24h, long", "btc, 24h", "btc, 1h, short")


def market(base: str, exchange: str, quote: str = "USDT", is_perpetual: bool = True) -> dict[str, object]:
    kind = "_PERP" if is_perpetual else ""
    return {
        "symbol": f"{base}{quote}{kind}.{exchange}",
        "exchange": exchange,
        "symbol_on_exchange": f"{base}{quote}",
        "base_asset": base,
        "quote_asset": quote,
        "expire_at": None if is_perpetual else (NOW + 40 * DAY) * 1000,
        "has_buy_sell_data": True,
        "is_perpetual": is_perpetual,
        "margined": "STABLE",
        "oi_lq_vol_denominated_in": "BASE_ASSET",
        "has_long_short_ratio_data": True,
        "has_ohlcv_data": True,
    }


MANY = [market(base, exchange) for base in COINS for exchange in "A634"]
OTHERS = [
    market("BTC", "A", is_perpetual=False),
    market("BTC", "A", "EUR"),
    market("BTC", "Z"),
    market("PEPE", "6"),
]

Rows = Callable[[str, int, int], list[dict[str, object]]]


def flat(symbol: str, since: int, until: int) -> list[dict[str, object]]:
    """Liquidate 1,000 of longs and 200 of shorts in every five minutes, and the like in an hour."""
    first = -(-since // FIVE) * FIVE
    return [{"t": at, "l": 1000.5, "s": 200} for at in range(first, until + 1, FIVE)]


def history(rows: Rows = flat) -> Answer:
    def answer(request: web.Request) -> web.Response:
        ask = request.query
        symbols = ask["symbols"].split(",")
        assert len(symbols) <= 20 and ask["convert_to_usd"] == "true"
        assert ask["interval"] in {"5min", "1hour"}
        told = [{"symbol": one, "history": rows(one, int(ask["from"]), int(ask["to"]))} for one in symbols]
        return web.json_response(told)

    return answer


def symbols_of(server: ProviderServer) -> list[list[str]]:
    return [one.query["symbols"].split(",") for one in server.asked if "symbols" in one.query]


class TestCoinalyze(ProviderContract):
    plug = PLUG
    pages = {MARKETS: json.dumps(MANY + OTHERS), HISTORY: history()}
    wants = (ALL, LONG)
    # 288 steps and the running one, of thirty contracts.
    expected = {
        ALL: {"2025-11-12T12:00:00": f"{289 * 30 * Decimal('1200.5')}"},
        LONG: {"2025-11-12T12:00:00": f"{289 * 30 * Decimal('1000.5')}"},
    }

    async def test_the_key_goes_in_a_header_only(self, feed: MetricFeed, server: ProviderServer) -> None:
        await feed.poll(self.asked())
        assert {one.headers["api_key"] for one in server.asked} == {MARKER}
        assert all(MARKER not in str(one.url) for one in server.asked)

    async def test_the_largest_contracts_of_three_exchanges_stand_for_all(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        await feed.poll(self.asked())
        assert [len(some) for some in symbols_of(server)] == [20, 10]
        asked = {symbol for some in symbols_of(server) for symbol in some}
        assert asked == {f"{base}USDT_PERP.{letter}" for base in COINS for letter in "A63"}

    async def test_sides_and_windows_of_a_coin_are_one_question(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        wants = [Want(key, NOW - 10 * DAY) for key in (BTC, BTC_HOUR)]
        read = values_of(await feed.poll(wants))
        assert symbols_of(server) == [[f"BTCUSDT_PERP.{letter}" for letter in "A634"]]
        assert read[BTC_HOUR] == {"2025-11-12T12:00:00": Decimal(13 * 4 * 200)}
        assert read[BTC] == {"2025-11-12T12:00:00": 289 * 4 * Decimal("1200.5")}

    async def test_a_step_that_began_before_the_window_is_left_out(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        clock.time = NOW + 120.0
        read = values_of(await feed.poll([Want(BTC_HOUR, NOW - 10 * DAY)]))
        assert list(read[BTC_HOUR].values()) == [Decimal(12 * 4 * 200)], "so that it stays a lower bound"

    async def test_long_windows_are_asked_for_in_hours(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        (week,) = keys("btc, 7d")
        await feed.poll([Want(week, NOW - 10 * DAY)])
        ask = server.asked[-1].query
        assert (ask["interval"], int(ask["to"]) - int(ask["from"])) == ("1hour", 7 * DAY)

    async def test_what_does_not_fit_into_a_minute_comes_in_the_next(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        (week,) = keys("all, 7d")
        server.pages[HISTORY] = history(lambda _, __, until: flat("", until - FIVE, until))
        wants = [Want(key, NOW - 10 * DAY) for key in (ALL, week)]
        first = await feed.poll(wants)
        assert len(values_of(first)) == 1 and first.unseen == ()
        assert feed.due_at(wants) == NOW + 60
        clock.time = NOW + 61.0
        second = await feed.poll(wants)
        assert set(values_of(first)) | set(values_of(second)) == {ALL, week}
        for minute in range(5):
            clock.time += 61
            await feed.poll(wants)
            asked = sum(map(len, symbols_of(server)))
            assert asked <= 30 * (minute + 3), "never more than forty in a minute"

    async def test_a_second_look_at_the_same_answers_says_the_same(
        self, feed: MetricFeed, clock: SetClock
    ) -> None:
        first = await feed.poll(self.asked())
        clock.time = feed.due_at(self.asked())
        again = await feed.poll(self.asked())
        assert [one.value for one in again.observations] == [one.value for one in first.observations]
        assert {one.as_of for one in again.observations} == {NOW + 300}, "a window that ends then"

    async def test_a_person_who_asks_in_a_full_minute_is_told_to_wait(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        (week,) = keys("all, 7d")
        await feed.poll(self.asked())
        with pytest.raises(Unseeable, match="40 symbols a minute"):
            await feed.ask(week)

    async def test_contracts_are_listed_once_a_day(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        for _ in range(5):
            await feed.poll(self.asked())
            clock.time = feed.due_at(self.asked())
        assert sum("future-markets" in one.path for one in server.asked) == 1
        clock.time += DAY
        await feed.poll(self.asked())
        assert sum("future-markets" in one.path for one in server.asked) == 2

    async def test_a_coin_that_it_does_not_list_is_unknown(self, feed: MetricFeed) -> None:
        (nothing,) = keys("nothing, 24h")
        with pytest.raises(UnknownInstrument):
            await feed.ask(nothing)
        batch = await feed.poll([Want(key, NOW - 10 * DAY) for key in (BTC, nothing)])
        assert set(values_of(batch)) == {BTC}
        assert [one.reason for one in batch.unseen] == ["coinalyze lists no perpetual on NOTHING"]

    @pytest.mark.parametrize("value", [None, "-", "", "n/a", True, -5, "1e999"])
    async def test_a_step_that_is_no_number_makes_no_sum(
        self, feed: MetricFeed, server: ProviderServer, value: object
    ) -> None:
        def rows(symbol: str, since: int, until: int) -> list[dict[str, object]]:
            found = flat(symbol, since, until)
            return [*found[:-1], found[-1] | {"s": value}] if symbol.endswith("6") else found

        server.pages[HISTORY] = history(rows)
        batch = await feed.poll(self.asked())
        assert batch.observations == ()
        assert "coinalyze shows liquidations that" in batch.unseen[0].reason

    async def test_strings_are_numbers_and_repeated_steps_count_once(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        def rows(symbol: str, since: int, until: int) -> list[dict[str, object]]:
            found = [{"t": str(one["t"]), "l": "1000.5", "s": "200"} for one in flat(symbol, since, until)]
            return [*reversed(found), found[-1]]

        server.pages[HISTORY] = history(rows)
        read = values_of(await feed.poll(self.asked()))
        assert {day: str(value) for day, value in read[ALL].items()} == {
            day: f"{Decimal(value):.2f}" for day, value in self.expected[ALL].items()
        }

    async def test_a_contract_without_liquidations_adds_nothing(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        server.pages[HISTORY] = history(
            lambda symbol, *range_: [] if symbol.endswith("3") else flat(symbol, *range_)
        )
        read = values_of(await feed.poll(self.asked()))
        assert list(read[LONG].values()) == [289 * 20 * Decimal("1000.5")]

    async def test_an_answer_about_few_of_many_is_none(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        def few(request: web.Request) -> web.Response:
            symbols: Sequence[str] = request.query["symbols"].split(",")[:3]
            return web.json_response(
                [{"symbol": one, "history": flat(one, NOW - DAY, NOW)} for one in symbols]
            )

        server.pages[HISTORY] = few
        batch = await feed.poll(self.asked())
        assert batch.observations == () and "leaves out most" in batch.unseen[0].reason

    @pytest.mark.parametrize("shift", [-7 * HOUR, DAY])
    async def test_steps_that_end_hours_ago_or_lie_ahead_are_refused(
        self, feed: MetricFeed, server: ProviderServer, shift: int
    ) -> None:
        server.pages[HISTORY] = history(
            lambda symbol, since, until: flat(symbol, since + shift, until + shift)
        )
        batch = await feed.poll(self.asked())
        assert batch.observations == () and len(batch.unseen) == 2

    async def test_the_note_and_the_name_say_that_it_is_a_lower_bound(self) -> None:
        from bot.alerts.sentences import venue_name

        assert "lower bound" in PLUG.offers[0].note and "lower bound" in venue_name(PLUG.name)

    @pytest.mark.parametrize("instrument", ["all", "all, 1m", "all, 90d", "btc, 24h, up", "btc/usdt, 24h"])
    async def test_other_windows_are_not_offered(self, instrument: str) -> None:
        assert PLUG.offer(MetricKey("liquidations", instrument)) is None
