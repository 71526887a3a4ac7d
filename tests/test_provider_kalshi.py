"""The odds of a rate cut: the next meeting's cuts, out of books that hold something."""

from __future__ import annotations

import json

import pytest
from aiohttp import web

from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.providers.kalshi import PLUG
from bot.metrics import MetricKey
from tests.conftest import SetClock
from tests.provider_contract import ProviderContract, values_of
from tests.wire.providers import ProviderServer

ODDS = MetricKey("rate_cut", "")
PAGE = "api.elections.kalshi.com/trade-api/v2/markets"
Book = tuple[str, str]

DECEMBER: dict[str, Book] = {
    "C26": ("0.0100", "0.0200"),
    "C25": ("0.3500", "0.3700"),
    "H0": ("0.6200", "0.6400"),
    "H25": ("0.0000", "0.0100"),
    "H26": ("0.0000", "0.0100"),
}
JANUARY: dict[str, Book] = {
    "C25": ("0.5200", "0.5400"),
    "H0": ("0.4500", "0.4700"),
    "C26": ("0.0000", "1.0000"),
}


def markets(
    meeting: str, closes: str, books: dict[str, Book], status: str = "active"
) -> list[dict[str, object]]:
    return [
        {
            "ticker": f"KXFEDDECISION-{meeting}-{outcome}",
            "event_ticker": f"KXFEDDECISION-{meeting}",
            "status": status,
            "close_time": closes,
            "yes_bid_dollars": bid,
            "yes_ask_dollars": ask,
            "last_price_dollars": "0.9900",
        }
        for outcome, (bid, ask) in books.items()
    ]


def page(*groups: list[dict[str, object]], cursor: str = "") -> str:
    return json.dumps({"markets": [one for group in groups for one in group], "cursor": cursor})


def december(**changed: Book | None) -> list[dict[str, object]]:
    books = {name: book for name, book in {**DECEMBER, **changed}.items() if book is not None}
    return markets("25DEC", "2025-12-10T18:59:00Z", books)


LATER = markets("26JAN", "2026-01-28T18:59:00Z", JANUARY)


class TestKalshi(ProviderContract):
    plug = PLUG
    pages = {PAGE: page(LATER, december())}
    wants = (ODDS,)
    expected = {ODDS: {"2025-11-12T12:00:00": "37.5"}}

    async def test_only_open_markets_of_the_feds_decisions_are_asked_for(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        await feed.poll(self.asked())
        assert dict(server.asked[0].query) == {
            "series_ticker": "KXFEDDECISION",
            "status": "open",
            "limit": "200",
        }

    async def test_a_next_page_is_read_too(self, feed: MetricFeed, server: ProviderServer) -> None:
        server.pages[PAGE] = lambda request: web.Response(
            text=page(december()) if "cursor" in request.query else page(LATER, cursor="more")
        )
        assert values_of(await feed.poll(self.asked()))[ODDS] == {"2025-11-12T12:00:00": 37.5}

    async def test_when_a_meeting_is_over_the_next_one_counts(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        over = markets(
            "25OCT", "2025-10-29T17:59:00Z", {"C25": ("0.9900", "1.0000"), "H0": ("0.0000", "0.0100")}
        )
        closed = markets("25NOV", "2025-11-20T18:59:00Z", {"C25": ("0.9900", "1.0000")}, status="closed")
        server.pages[PAGE] = page(over, closed, LATER, december())
        assert [one.value for one in (await feed.poll(self.asked())).observations] == [37.5]

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            (
                {"C25": ("0.0000", "1.0000")},
                "kalshi has too few offers in a market for the Fed's next meeting",
            ),
            (
                {"C25": ("0.2600", "0.4600")},
                "kalshi has too few offers in a market for the Fed's next meeting",
            ),
            ({"C26": ("", "0.0200")}, "kalshi has too few offers in a market for the Fed's next meeting"),
            (
                {"H0": ("0.6400", "0.6200")},
                "kalshi has too few offers in a market for the Fed's next meeting",
            ),
            ({"H0": ("6.2", "6.4")}, "kalshi has too few offers in a market for the Fed's next meeting"),
            ({"H0": None}, "kalshi shows outcomes of the Fed's next meeting that do not add up"),
            ({"C25": None}, "kalshi shows outcomes of the Fed's next meeting that do not add up"),
            (
                {"H0": ("0.9700", "0.9800")},
                "kalshi shows outcomes of the Fed's next meeting that do not add up",
            ),
            ({"X25": ("0.0100", "0.0200")}, "kalshi lists an outcome of an unknown kind"),
        ],
    )
    async def test_a_book_that_says_nothing_gives_no_odds(
        self, feed: MetricFeed, server: ProviderServer, changed: dict[str, Book | None], reason: str
    ) -> None:
        server.pages[PAGE] = page(december(**changed), LATER)
        batch = await feed.poll(self.asked())
        assert batch.observations == ()
        assert [one.reason for one in batch.unseen] == [reason]

    async def test_no_open_market_is_no_odds(self, feed: MetricFeed, server: ProviderServer) -> None:
        server.pages[PAGE] = page()
        batch = await feed.poll(self.asked())
        assert [one.reason for one in batch.unseen] == ["kalshi lists no market for the Fed's next meeting"]

    async def test_odds_that_are_all_but_certain_are_at_most_a_hundred(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        certain: dict[str, Book | None] = {
            "C25": ("0.9900", "1.0000"),
            "C26": ("0.0000", "0.0200"),
            "H0": ("0.0000", "0.0100"),
        }
        server.pages[PAGE] = page(december(**certain))
        assert [one.value for one in (await feed.poll(self.asked())).observations] == [100]
