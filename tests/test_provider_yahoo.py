"""Yahoo's charts: sessions by the date in New York, what is final when, and splits that ring nothing."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from bot.engine.history import Point, Points
from bot.engine.news import Known, news
from bot.engine.sessions import XNYS, midnight_of
from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.providers.yahoo import PLUG
from bot.feeds.metrics.wall_street import FUTURES, STOCKS, next_look
from bot.metrics import MetricKey, Observation
from bot.ports import UnknownInstrument, Unseeable
from tests.conftest import SetClock
from tests.provider_contract import DAY, ProviderContract, values_of
from tests.wire.providers import Answer, ProviderServer

NEW_YORK = ZoneInfo("America/New_York")
SPX, GOLD, YIELD = (MetricKey("price", name) for name in ("spx", "gold", "us10y"))
NVDA, BRK = MetricKey("price", "$nvda"), MetricKey("price", "$brk.b")
PAGE = "query1.finance.yahoo.com/v8/finance/chart/"

Row = tuple[str, float | None]


def new_york(text: str) -> int:
    """Give an instant on the clock in New York: ``2025-11-20 09:30``."""
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp())


def chart(
    symbol: str,
    rows: list[Row],
    traded: str | None = None,
    splits: dict[str, tuple[int, int]] | None = None,
    **meta: object,
) -> str:
    """Shape a chart of rows (a day, or an instant of New York, and its close)."""
    stamps = [new_york(at if " " in at else f"{at} 09:30") for at, _ in rows]
    closes = [close for _, close in rows]
    told = {"symbol": symbol, "currency": "USD", "exchangeTimezoneName": "America/New_York", **meta}
    if traded:
        told["regularMarketTime"] = new_york(traded)
    result: dict[str, object] = {"meta": told, "indicators": {"quote": [{"close": closes, "volume": closes}]}}
    if rows:
        result["timestamp"] = stamps
    if splits:
        events = {
            str(at): {"date": at, "numerator": new, "denominator": old, "splitRatio": f"{new}:{old}"}
            for at, (new, old) in ((new_york(f"{day} 09:30"), ratio) for day, ratio in splits.items())
        }
        result["events"] = {"splits": events}
    return json.dumps({"chart": {"result": [result], "error": None}})


def unknown(_: web.Request) -> web.Response:
    """Answer as for a symbol that nobody knows."""
    error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
    return web.json_response({"chart": {"result": None, "error": error}}, status=404)


WEEK: list[Row] = [("2025-11-17", 6650.25), ("2025-11-18", 6600.5), ("2025-11-19", 6640.759765625)]


class TestIndex(ProviderContract):
    plug = PLUG
    pages = {f"{PAGE}^GSPC": chart("^GSPC", [*WEEK, ("2025-11-20 16:00", 6540.0)], "2025-11-20 16:00")}
    wants = (SPX,)
    expected = {SPX: {"2025-11-17": "6650.25", "2025-11-19": "6640.76", "2025-11-20": "6540"}}
    now = float(new_york("2025-11-20 16:20"))
    since = now - 20 * DAY

    async def test_it_asks_as_far_back_as_is_wanted_and_says_who_asks(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        await feed.poll(self.asked())
        [question] = server.asked
        assert int(question.query["period1"]) == self.since // DAY * DAY
        assert int(question.query["period2"]) > self.now
        assert (question.query["interval"], question.query["events"]) == ("1d", "div,splits")
        assert "tocsin" in question.headers["User-Agent"]

    async def test_the_close_is_final_twenty_minutes_after_the_bell(
        self, feed: MetricFeed, clock: SetClock
    ) -> None:
        clock.time = self.now - 1
        assert [one.is_final for one in (await feed.poll(self.asked())).observations] == [True] * 3 + [False]
        assert feed.due_at(self.asked()) == self.now - 1 + 60, "it looks again at once when it may be final"
        clock.time = feed.due_at(self.asked())
        assert all(one.is_final for one in (await feed.poll(self.asked())).observations)

    async def test_a_quote_that_stopped_before_the_bell_is_final_only_at_settlement(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        server.pages = {f"{PAGE}^GSPC": chart("^GSPC", [*WEEK, ("2025-11-20", 6540.0)], "2025-11-20 15:40")}
        assert not (await feed.poll(self.asked())).observations[-1].is_final
        assert feed.due_at(self.asked()) == self.now + 600
        clock.time = midnight_of(date(2025, 11, 21)) + 5 * 3600.0
        assert (await feed.poll(self.asked())).observations[-1].is_final

    async def test_a_source_that_does_not_tell_its_last_trade_is_believed_at_settlement(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        server.pages = {f"{PAGE}^GSPC": chart("^GSPC", [*WEEK, ("2025-11-20", 6540.0)])}
        assert not (await feed.poll(self.asked())).observations[-1].is_final

    async def test_half_a_day_is_final_in_the_afternoon(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        rows: list[Row] = [("2025-11-26", 6812.5), ("2025-11-27", 6812.5), ("2025-11-28", 6849.0)]
        server.pages = {f"{PAGE}^GSPC": chart("^GSPC", rows, "2025-11-28 13:00")}
        clock.time = new_york("2025-11-28 13:20")
        batch = await feed.poll(self.asked())
        assert set(values_of(batch)[SPX]) == {"2025-11-26", "2025-11-28"}, "Thanksgiving is no session"
        assert all(one.is_final for one in batch.observations)

    async def test_a_day_that_is_told_twice_is_its_newest_word(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        rows = [*WEEK, ("2025-11-20 09:30", 6700.0), ("2025-11-20 16:00", 6540.0)]
        server.pages = {f"{PAGE}^GSPC": chart("^GSPC", rows, "2025-11-20 16:00")}
        assert values_of(await feed.poll(self.asked()))[SPX]["2025-11-20"] == 6540

    @pytest.mark.parametrize("close", [None, 0, -37.63])
    async def test_a_close_that_is_missing_or_no_price_is_left_out(
        self, feed: MetricFeed, server: ProviderServer, close: float | None
    ) -> None:
        server.pages = {f"{PAGE}^GSPC": chart("^GSPC", [*WEEK[:2], ("2025-11-19", close)])}
        assert set(values_of(await feed.poll(self.asked()))[SPX]) == {"2025-11-17", "2025-11-18"}

    @pytest.mark.parametrize(
        ("page", "reason"),
        [
            (chart("^NDX", WEEK), "yahoo answers with another symbol than ^GSPC"),
            (chart("^GSPC", WEEK).replace("6650.25, ", ""), "yahoo gives days without closes for ^GSPC"),
            (chart("^GSPC", []), "yahoo gives no closes of ^GSPC"),
            ('{"chart": {"result": null, "error": {"code": "Bad Request"}}}', "yahoo answers with an error"),
            ('{"chart": {"result": [], "error": null}}', "yahoo answers in an unknown form"),
        ],
    )
    async def test_an_answer_that_cannot_be_read_says_what_is_wrong(
        self, feed: MetricFeed, server: ProviderServer, page: str, reason: str
    ) -> None:
        server.pages = {f"{PAGE}^GSPC": page}
        batch = await feed.poll(self.asked())
        assert [one.reason for one in batch.unseen] == [reason]
        assert batch.observations == ()


class TestFutures(ProviderContract):
    plug = PLUG
    pages = {
        f"{PAGE}GC=F": chart(
            "GC=F",
            [("2025-11-19 00:00", 4080.5), ("2025-11-20 00:00", 4060.0), ("2025-11-20 18:30", 4075.0)],
            "2025-11-20 18:30",
        ),
        f"{PAGE}^TNX": chart(
            "^TNX", [("2025-11-19 08:20", 4.13), ("2025-11-20 08:20", 4.104)], "2025-11-20 14:59"
        ),
    }
    wants = (GOLD, YIELD)
    expected = {
        GOLD: {"2025-11-19": "4080.5", "2025-11-20": "4060"},
        YIELD: {"2025-11-19": "4.13", "2025-11-20": "4.104"},
    }
    now = float(new_york("2025-11-20 18:40"))
    since = now - 20 * DAY

    async def test_the_evening_belongs_to_the_next_session_and_is_not_told(self, feed: MetricFeed) -> None:
        batch = await feed.poll(self.asked())
        assert values_of(batch)[GOLD] == {"2025-11-19": Decimal("4080.5"), "2025-11-20": Decimal(4060)}
        assert all(one.is_final for one in batch.observations)

    async def test_a_future_trades_on_after_the_bell_of_the_stocks(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        rows: list[Row] = [("2025-11-19 00:00", 4080.5), ("2025-11-20 00:00", 4060.0)]
        server.pages = {**self.pages, f"{PAGE}GC=F": chart("GC=F", rows, "2025-11-20 16:40")}
        clock.time = new_york("2025-11-20 16:40")
        last = {one.key: one for one in (await feed.poll(self.asked())).observations}
        assert (last[GOLD].is_final, last[YIELD].is_final) == (False, True)

    async def test_one_series_that_fails_does_not_take_the_other_with_it(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        server.pages = {f"{PAGE}^TNX": self.pages[f"{PAGE}^TNX"], f"{PAGE}GC=F": "[]"}
        batch = await feed.poll(self.asked())
        assert set(values_of(batch)) == {YIELD}
        assert {one.key: one.reason for one in batch.unseen} == {GOLD: "yahoo answers in an unknown form"}
        assert feed.due_at(self.asked()) == self.now + 600

    async def test_one_that_asks_to_slow_down_is_not_asked_for_the_others(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        server.pages = {f"{PAGE}GC=F": lambda _: web.Response(status=429, headers={"Retry-After": "900"})}
        batch = await feed.poll(self.asked())
        assert {one.key for one in batch.unseen} == {GOLD, YIELD}
        assert len(server.asked) == 1
        assert feed.due_at(self.asked()) >= self.now + 900


NVDA_ROWS: list[Row] = [("2024-06-05", 1224.0), ("2024-06-06", 1210.0), ("2024-06-07", 1200.0)]
AFTER_SPLIT: list[Row] = [*((day, (close or 0) / 10) for day, close in NVDA_ROWS), ("2024-06-10", 121.8)]
SPLIT = {"2024-06-10": (10, 1)}


class TestStock(ProviderContract):
    plug = PLUG
    pages = {
        f"{PAGE}NVDA": chart("NVDA", NVDA_ROWS, "2024-06-07 16:00", instrumentType="EQUITY"),
        f"{PAGE}BRK-B": chart("BRK-B", [("2024-06-07", 410.0)], "2024-06-07 16:00"),
    }
    wants = (BRK, NVDA)
    expected = {NVDA: {"2024-06-07": "1200"}, BRK: {"2024-06-07": "410"}}
    now = float(new_york("2024-06-07 16:30"))
    since = now - 60 * DAY

    async def test_a_symbol_that_nobody_knows_is_no_stock(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        server.pages = {f"{PAGE}NVDX": unknown}
        for _ in range(3):
            with pytest.raises(UnknownInstrument):
                await feed.ask(MetricKey("price", "$nvdx"))
        assert len(server.asked) == 1, "what nobody knew is not asked for again at once"
        assert feed.health().is_well or feed.health().seen_at is None

    @pytest.mark.parametrize(
        "about", [{"exchangeTimezoneName": "Europe/London"}, {"instrumentType": "CRYPTOCURRENCY"}]
    )
    async def test_what_is_not_traded_as_a_stock_in_new_york_is_none(
        self, feed: MetricFeed, server: ProviderServer, about: dict[str, str]
    ) -> None:
        server.pages = {f"{PAGE}NVDA": chart("NVDA", NVDA_ROWS, **about)}
        with pytest.raises(UnknownInstrument):
            await feed.ask(NVDA)

    async def test_who_cannot_be_reached_is_not_asked_about_stocks(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        server.pages = {f"{PAGE}NVDA": lambda _: web.Response(status=503)}
        with pytest.raises(Unseeable, match="HTTP 503"):
            await feed.ask(NVDA)

    async def test_the_same_asked_twice_within_a_minute_is_one_question(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        assert (await feed.ask(NVDA)).value == (await feed.ask(NVDA)).value == 1200
        assert len(server.asked) == 1

    async def test_on_the_day_of_a_split_nothing_is_said_of_the_stock(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        await feed.poll(self.asked())
        clock.time = new_york("2024-06-10 10:00")
        server.pages = {f"{PAGE}NVDA": chart("NVDA", AFTER_SPLIT, "2024-06-10 09:59", splits=SPLIT)}
        batch = await feed.poll(self.asked())
        assert batch.observations == ()
        assert "yahoo shows a split of NVDA whose session is not over" in [one.reason for one in batch.unseen]

    async def test_closes_that_are_rewritten_while_no_split_is_shown_are_not_believed(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        await feed.poll(self.asked())
        clock.time = new_york("2024-06-10 10:00")
        server.pages = {f"{PAGE}NVDA": chart("NVDA", AFTER_SPLIT[:-1], "2024-06-10 09:59")}
        reasons = [one.reason for one in (await feed.poll(self.asked())).unseen]
        assert "yahoo rewrites the closes of NVDA, and shows no split" in reasons

    async def test_a_split_moves_nothing_and_is_read_back_as_far_as_was_ever_asked(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        """What an archive makes of all looks: the day's change is the market's, not that of the split."""
        long_before: list[Row] = [("2024-04-15", 860.0)]
        told: list[Observation] = []

        async def look(at: str, page: Answer | str) -> None:
            clock.time = max(float(new_york(at)), feed.due_at(self.asked()))
            server.pages = {**self.pages, f"{PAGE}NVDA": page}
            batch = await feed.poll(self.asked())
            known = Known(
                min((one.as_of for one in told), default=None),
                max((one.as_of for one in told), default=None),
                {one.as_of: one for one in told},
            )
            arrived = [one for one in batch.observations if one.key == NVDA]
            told.extend(news(arrived, known, int(clock.time)))

        def windowed(request: web.Request) -> web.Response:
            rows = (
                [("2024-04-15", 86.0), *AFTER_SPLIT]
                if int(request.query["period1"]) < 1.7135e9
                else AFTER_SPLIT
            )
            return web.Response(text=chart("NVDA", rows, "2024-06-10 16:00", splits=SPLIT))

        await look("2024-06-07 16:30", chart("NVDA", [*long_before, *NVDA_ROWS], "2024-06-07 16:00"))
        await look("2024-06-10 12:00", chart("NVDA", AFTER_SPLIT, "2024-06-10 11:59", splits=SPLIT))
        await look("2024-06-10 16:30", windowed)
        points = Points(
            (Point(one.as_of, one.known_at, float(one.value), one.is_final, one.revision) for one in told),
            XNYS,
        )
        changes = set()
        for at in range(new_york("2024-06-07 16:30"), new_york("2024-06-11 12:00"), 3600):
            before, last = points.values(at, 2)
            changes.add(round(float(last / before - 1) * 100, 2))
        assert changes == {-0.83, 1.5}
        assert points.asof(clock.time)[0].value == 86.0, "the oldest is rewritten too"


# --- when to look -------------------------------------------------------------------------------------------


def test_the_next_look_is_every_quarter_of_a_session_after_each_close_and_at_settlement() -> None:
    at, looks = float(new_york("2025-11-26 09:00")), []
    while at < new_york("2025-12-01 12:00"):
        at = float(next_look([STOCKS, FUTURES], at))
        looks.append(datetime.fromtimestamp(at, NEW_YORK).strftime("%d %H:%M"))
    assert looks[:3] == ["26 09:45", "26 10:00", "26 10:15"]
    assert {"26 16:20", "26 17:20", "27 00:05", "28 13:20", "28 17:20", "29 00:05"} <= set(looks)
    assert not [look for look in looks if look.startswith(("29 1", "30"))]
    assert [look for look in looks if look.startswith("27")] == ["27 00:05"], "a holiday has no looks"


def test_a_close_is_told_by_the_clock_of_new_york_in_summer_and_winter() -> None:
    summer, winter = (STOCKS.closes_at(date(2025, month, 10)) for month in (7, 11))
    assert [datetime.fromtimestamp(at, UTC).hour for at in (summer, winter)] == [20, 21]
    assert STOCKS.closes_at(date(2025, 12, 24)) == new_york("2025-12-24 13:00")
    assert FUTURES.closes_at(date(2025, 12, 24)) == new_york("2025-12-24 17:00")
    days = [date(2025, 1, 1) + timedelta(days=place) for place in range(365)]
    assert [day for day in days if XNYS.is_half(day)] == [
        date(2025, 7, 3),
        date(2025, 11, 28),
        date(2025, 12, 24),
    ]
