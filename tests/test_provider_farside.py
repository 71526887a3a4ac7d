"""Farside's tables: told by the names of columns, whole or not at all, from the web and from saved pages."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.faults import Fault
from bot.feeds.metrics.finality import Flow
from bot.feeds.metrics.html_table import read_tables
from bot.feeds.metrics.http import Http
from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.provider import Means
from bot.feeds.metrics.providers.farside import PLUG, flows_of
from bot.metrics import MetricKey, Observation, Want
from tests.conftest import SetClock
from tests.etf import FUNDS, HOUR, at, date_of, page, row
from tests.provider_contract import ProviderContract, values_of
from tests.wire.providers import TROUBLES, ProviderServer

BTC, ETH, SOL = (MetricKey("etf_flow", coin) for coin in ("btc", "eth", "sol"))
NOW = at("2025-11-21 05:05")
ROWS = [
    row("2025-11-18", "-512.4", "60", "39.6", "40"),
    row("2025-11-19", "68.9", "10", "-5", "1.5"),
    row("2025-11-20", "-355.5", "-300.2", "52.9", "-300.4"),
]
PARTIAL = [*ROWS[:-1], row("2025-11-20", "-", "-300.2", "52.9", "-300.4")]
OTHER = [
    row(day, "1119.9", "-", funds=("ETHA", "FETH")) for day in ("2025-11-18", "2025-11-19", "2025-11-20")
]
WEB = {
    "farside.co.uk/btc/": page(ROWS),
    "farside.co.uk/bitcoin-etf-flow-all-data/": page([row("2025-10-21", "470", "7", "0", "0.1"), *ROWS]),
    "farside.co.uk/eth/": page(OTHER),
    "farside.co.uk/sol/": page(OTHER),
}
EXPECTED = {
    BTC: {"2025-11-18": "-372800000", "2025-11-19": "75400000", "2025-11-20": "-903200000"},
    ETH: {"2025-11-20": "1119900000"},
}


def finals(words: tuple[Observation, ...], key: MetricKey = BTC) -> dict[str, bool]:
    return {date_of(one.as_of): one.is_final for one in words if one.key == key}


class TestFarside(ProviderContract):
    plug = PLUG
    given = {"TOCSIN_FARSIDE": "on"}
    pages = WEB
    wants = (BTC, ETH, SOL)
    expected = {**EXPECTED, BTC: {**EXPECTED[BTC], "2025-10-21": "477100000"}}
    now = NOW
    since = NOW - 60 * 24 * HOUR

    async def test_long_pages_are_read_for_what_is_long_ago_and_short_ones_after(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        await feed.poll(self.asked())
        clock.time = feed.due_at(self.asked())
        await feed.poll(self.asked())
        paths = [one.match_info["tail"].removeprefix("farside.co.uk/") for one in server.asked]
        long = ["bitcoin-etf-flow-all-data/", "ethereum-etf-flow-all-data/", "eth/", "sol/"]
        assert paths == [*long, "btc/", "eth/", "sol/"], "one that is not there is the short one"

    async def test_a_complete_day_is_read_again_half_an_hour_later_and_is_final_then(
        self, feed: MetricFeed, clock: SetClock
    ) -> None:
        first = finals((await feed.poll(self.asked())).observations)
        assert first == {"2025-10-21": True, "2025-11-18": True, "2025-11-19": True, "2025-11-20": False}
        assert feed.due_at(self.asked()) == NOW + 1800
        clock.time = NOW + 1800
        assert finals((await feed.poll(self.asked())).observations)["2025-11-20"]
        assert feed.due_at(self.asked()) == at("2025-11-21 06:05")

    async def test_a_fund_that_did_not_report_is_named(
        self, feed: MetricFeed, server: ProviderServer, clock: SetClock
    ) -> None:
        server.pages["farside.co.uk/bitcoin-etf-flow-all-data/"] = page(PARTIAL)
        clock.time = at("2025-11-21 02:35")
        batch = await feed.poll(self.asked())
        (newest,) = [word for word in batch.observations if (word.key, word.as_of) == (BTC, at("2025-11-20"))]
        assert (newest.value, newest.is_final, newest.pending) == (-547_700_000, False, ("IBIT",))

    async def test_a_server_that_is_refused_is_told_what_to_do(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        server.trouble = TROUBLES["403"]
        batch = await feed.poll(self.asked())
        assert batch.unseen[0].reason == (
            "farside refuses this server; save its pages, and set TOCSIN_FARSIDE to their folder"
        )
        assert len(server.asked) == 1, "who refuses one page is not asked for the others"

    async def test_a_page_that_cannot_be_read_spoils_no_other(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        del server.pages["farside.co.uk/sol/"]
        batch = await feed.poll(self.asked())
        assert set(values_of(batch)) == {BTC, ETH}
        assert [(one.key, one.reason) for one in batch.unseen] == [
            (SOL, "farside answers with an error (HTTP 404)")
        ]
        assert feed.due_at(self.asked()) <= NOW + 3600

    async def test_a_flow_that_cannot_be_is_refused_with_all_that_stands_beside_it(
        self, feed: MetricFeed, server: ProviderServer
    ) -> None:
        for name in ("btc", "bitcoin-etf-flow-all-data"):
            server.pages[f"farside.co.uk/{name}/"] = page([ROWS[0], row("2025-11-19", "3100", "0", "0", "0")])
        batch = await feed.poll(self.asked())
        assert BTC not in values_of(batch)
        (unseen,) = batch.unseen
        assert unseen.reason.endswith("it gives a flow of 3,100,000,000 USD for 2025-11-19, which cannot be")


class TestSavedPages:
    """The same tables from a folder; a page is as old as its file."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        self.save(tmp_path, "btc", page(ROWS), NOW)
        self.save(tmp_path, "eth", page(OTHER), NOW)
        return tmp_path

    @pytest.fixture
    async def feed(self, folder: Path) -> AsyncIterator[MetricFeed]:
        self.clock = SetClock(NOW)
        async with Http() as http:
            means = Means(http, self.clock, {"TOCSIN_FARSIDE": str(folder)})
            yield MetricFeed(PLUG, PLUG.build(means), self.clock, lambda: 0.0)
            assert http.requests == 0

    @staticmethod
    def save(folder: Path, name: str, text: str, when: float) -> None:
        (folder / f"{name}.html").write_text(text)
        os.utime(folder / f"{name}.html", (when, when))

    async def look(self, feed: MetricFeed) -> tuple[Observation, ...]:
        self.clock.time = max(self.clock.time, feed.due_at(WANTS))
        return (await feed.poll(WANTS)).observations

    async def test_pages_are_read_and_a_missing_one_is_named(self, feed: MetricFeed, folder: Path) -> None:
        batch = await feed.poll(WANTS)
        for key, values in EXPECTED.items():
            found = values_of(batch)[key]
            assert values.items() <= {day: str(value.to_integral()) for day, value in found.items()}.items()
        assert [(one.key, one.reason) for one in batch.unseen] == [
            (SOL, "there is no sol.html in the folder of TOCSIN_FARSIDE")
        ]
        assert str(folder) not in str(batch)

    async def test_one_page_read_twice_is_one_read(self, feed: MetricFeed, folder: Path) -> None:
        for _ in range(8):
            assert not finals(await self.look(feed))["2025-11-20"]
        self.save(folder, "btc", page(ROWS), NOW + HOUR)
        assert finals(await self.look(feed))["2025-11-20"]

    async def test_an_old_page_says_nothing_of_what_was_settled_since(
        self, feed: MetricFeed, folder: Path
    ) -> None:
        self.save(folder, "btc", page(PARTIAL), NOW)
        self.clock.time = at("2025-12-05")
        assert not finals(await self.look(feed))["2025-11-20"]

    async def test_half_a_page_is_none(self, feed: MetricFeed, folder: Path) -> None:
        text = page(ROWS)
        self.save(folder, "btc", text[: text.index("</table>")], NOW)
        batch = await feed.poll(WANTS)
        assert set(values_of(batch)) == {ETH}
        assert "without a table of flows" in str(batch.unseen)

    async def test_an_empty_folder_brings_nothing_and_says_so(self, feed: MetricFeed, folder: Path) -> None:
        for name in ("btc", "eth"):
            (folder / f"{name}.html").unlink()
        batch = await feed.poll(WANTS)
        assert batch.observations == ()
        assert {one.key for one in batch.unseen} == {BTC, ETH, SOL}


WANTS = [Want(key, NOW - 30 * 24 * HOUR) for key in (BTC, ETH, SOL)]


# --- the table itself ---------------------------------------------------------------------------------------


def shares_of(flow: Flow) -> dict[str, str]:
    return {
        name: "-" if one is None else str((one / 1_000_000).normalize()) for name, one in flow.funds.items()
    }


def head(*rows: str) -> str:
    return "".join(f"<tr>{cells}</tr>" for cells in rows)


def th(*names: str) -> str:
    return "".join(f"<th>{name}</th>" for name in names)


def test_millions_become_usd_exactly() -> None:
    *_, newest = flows_of(page(ROWS))
    assert newest.total == Decimal("-903200000")
    assert newest.funds["IBIT"] == Decimal("-355500000")
    (large,) = flows_of(page([row("2024-11-07", "1119.9", "254.1", "-0.2", "0")]))
    assert (large.funds["IBIT"], large.total) == (1_119_900_000, 1_373_800_000)


def test_a_dash_is_no_report_and_zero_is_zero() -> None:
    *_, newest = flows_of(page([*ROWS, row("2025-11-21", "-", "0", "-4.5", "-")]))
    assert shares_of(newest) == {"IBIT": "-", "FBTC": "0", "ARKB": "-4.5", "GBTC": "-"}


@pytest.mark.parametrize(
    "heads",
    [
        head(th("", *FUNDS, "")),
        head(th("Date", *FUNDS, "Total")),
        head(th("", "Blackrock", "Fidelity", "ARK", "Grayscale", "Total"), th("", *FUNDS, "")),
        head(
            '<th></th><th colspan="3">Low fees</th><th>High</th><th>Total</th>',
            th("", *FUNDS, ""),
            th("Fee", "0.25%", "0.25%", "0.21%", "1.50%", ""),
        ),
        head(th("", *FUNDS, "")).replace("</th>", "").replace("</tr>", ""),
    ],
    ids=["blank", "named", "issuers and tickers", "spans and fees", "no end tags"],
)
def test_columns_have_names_whatever_stands_over_them(heads: str) -> None:
    flows = flows_of(page(ROWS, heads))
    assert [flow.total / 1_000_000 for flow in flows] == [
        Decimal("-372.8"),
        Decimal("75.4"),
        Decimal("-903.2"),
    ]
    assert set(flows[0].funds) == set(FUNDS)


def test_columns_may_stand_in_any_order() -> None:
    cells = {"": "20 Nov 2025", "IBIT": "(355.5)", "FBTC": "(300.2)", "Total": "(655.7)"}
    for names in (
        ["IBIT", "", "Total", "FBTC"],
        ["Total", "FBTC", "IBIT", ""],
        ["", "Total", "FBTC", "IBIT"],
    ):
        body = "".join(f"<td>{cells[name]}</td>" for name in names)
        table = f'<table class="etf wide">{head(th(*names))}<tr>{body}</tr></table>'
        (flow,) = flows_of(table)
        assert flow.total == -655_700_000
        assert shares_of(flow) == {"IBIT": "-355.5", "FBTC": "-300.2"}


def test_a_new_fund_is_one_more_column_and_one_without_a_name_counts_too() -> None:
    more = [replace(one, shares={**one.shares, "MSBT": Decimal("12.5")}) for one in ROWS]
    *_, newest = flows_of(page(more))
    assert shares_of(newest)["MSBT"] == "12.5"
    blank = flows_of(page(more).replace("MSBT", ""))
    assert [flow.total for flow in blank] == [one.total * 1_000_000 for one in more]
    assert shares_of(blank[-1])["a fund without a name"] == "12.5"


def test_a_table_whose_total_cannot_be_told_is_not_read() -> None:
    odd = [replace(one, said=one.total + 50) for one in ROWS]
    with pytest.raises(Fault, match="without a table of flows that can be read"):
        flows_of(page(odd))
    named = head(th("Date", *FUNDS, "Total"))
    assert len(flows_of(page(odd, named))) == 3, "a named one is read, and judged elsewhere"


def test_rows_of_sums_and_rows_cut_short_are_no_days() -> None:
    foot = "".join(
        f"<tr><td>{name}</td>{'<td>1.0</td>' * 5}</tr>" for name in ("Total", "Average", "Maximum", "Minimum")
    )
    cut = "<tr><td>21 Nov 2025</td><td>1.0</td><td>3.0</td></tr>"
    assert len(flows_of(page(ROWS, foot=foot + cut))) == 3


def test_a_day_without_a_total_is_left_out() -> None:
    text = page(ROWS).replace(">75.4<", ">-<")
    assert [flow.as_of for flow in flows_of(text)] == [ROWS[0].as_of, ROWS[2].as_of]


def test_other_tables_and_what_is_no_text_are_passed_over() -> None:
    other = '<table class="fees"><tr><td>20 Nov 2025</td><td>5</td></tr></table>'
    nested = page(ROWS).replace("(355.5)", "(355.5)<table><tr><td>99</td></tr></table><script>7</script>")
    assert flows_of(other + nested) == flows_of(page(ROWS))
    with pytest.raises(Fault):
        flows_of(page(ROWS, css_class="etfs"))


@given(st.integers(0, len(page(PARTIAL))))
def test_a_page_cut_anywhere_is_whole_or_nothing(length: int) -> None:
    text = page(PARTIAL)[:length]
    try:
        assert flows_of(text) == flows_of(page(PARTIAL))
    except Fault:
        assert "</table>" not in text


def pieces() -> Iterator[str]:
    yield from (
        "<table class=etf>",
        "</table>",
        "<tr>",
        "</tr>",
        "<td>",
        "</td>",
        '<th colspan="99">',
        "<script>",
    )
    yield from (
        "20 Nov 2025",
        "(1.5)",
        "-",
        "Total",
        "IBIT",
        "<td colspan=2>",
        "<!--",
        "-->",
        "&nbsp;",
        "<br/>",
    )


@given(st.lists(st.sampled_from(list(pieces())), max_size=60))
def test_any_page_is_read_or_refused(parts: list[str]) -> None:
    text = "".join(parts)
    for rows in read_tables(text, "etf"):
        assert all(len(cells) <= 200 for cells in rows)
    try:
        flows = flows_of(text)
    except Fault:
        return
    assert all(isinstance(flow.total, Decimal) for flow in flows)
