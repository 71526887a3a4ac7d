"""What every provider must do with answers that are well formed and wrong: one table, one law for each fault.

A fault spoils the good answers of a provider's own contract on their way, row by row. Exchanges are asked by
ccxt, and files and pushes by nobody: their rows of this table are in the tests that are named.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.feeds.metrics.figures import number_of
from bot.feeds.metrics.http import Http
from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.provider import Means
from bot.feeds.metrics.providers import PROVIDERS
from bot.metrics import Batch, MetricKey, Want
from tests import (
    test_provider_alternative_me,
    test_provider_coinalyze,
    test_provider_coingecko,
    test_provider_coinglass,
    test_provider_coinglass_markets,
    test_provider_defillama,
    test_provider_farside,
    test_provider_fred,
    test_provider_kalshi,
    test_provider_mempool,
    test_provider_sosovalue,
    test_provider_yahoo,
)
from tests.conftest import SetClock
from tests.provider_contract import DAY, MARKER, ProviderContract, values_of
from tests.wire.providers import ProviderServer

ELSEWHERE = {
    "exchanges": "test_provider_exchanges.py",
    "files": "test_provider_own.py",
    "push": "test_provider_own.py",
}


@dataclass(frozen=True)
class Case:
    """A provider's good answers, and the names of the columns in which its values and its times stand."""

    contract: type[ProviderContract]
    values: frozenset[str]
    times: frozenset[str] = frozenset()
    timeless: frozenset[MetricKey] = frozenset()
    in_dollars: bool = False

    @property
    def name(self) -> str:
        return self.contract.__name__


def case(
    contract: type[ProviderContract],
    values: str,
    times: str = "",
    *timeless: MetricKey,
    in_dollars: bool = False,
) -> Case:
    """Make a row of the table; ``timeless`` are series of which an answer names no time."""
    columns = frozenset(values.split()), frozenset(times.split())
    return Case(contract, *columns, frozenset(timeless), in_dollars)


FEES = test_provider_mempool.FEES
FLOWS = "totalNetInflow total_net_inflow cumNetInflow cum_net_inflow value"
LIQUIDATIONS = "liquidation_usd long_liquidation_usd short_liquidation_usd"
CASES = [
    case(test_provider_alternative_me.TestAlternativeMe, "value", "timestamp"),
    case(test_provider_coinalyze.TestCoinalyze, "l s", "t"),
    case(test_provider_coingecko.TestCoinGecko, "total_holdings"),
    case(test_provider_coinglass.TestCoinGlass, "flow_usd", "timestamp", in_dollars=True),
    case(test_provider_coinglass_markets.TestCoinGlassMarkets, f"{LIQUIDATIONS} total_balance"),
    case(test_provider_defillama.TestDefiLlama, "peggedUSD", "date", in_dollars=True),
    case(test_provider_farside.TestFarside, "cell", "day"),
    case(test_provider_fred.TestFred, "SP500", "observation_date"),
    case(test_provider_kalshi.TestKalshi, "yes_bid_dollars yes_ask_dollars", "close_time"),
    case(test_provider_mempool.TestMempool, "fastestFee avgHashrate", "timestamp", FEES),
    case(test_provider_sosovalue.TestList, FLOWS, "date lastUpdateDate", in_dollars=True),
    case(test_provider_sosovalue.TestNewerBare, FLOWS, "date", in_dollars=True),
    case(test_provider_yahoo.TestIndex, "close", "timestamp"),
]
DATED = [one for one in CASES if one.times and one.name != "TestKalshi"]


def test_every_provider_has_its_row() -> None:
    covered = {one.contract.plug.name for one in CASES} | ELSEWHERE.keys()
    assert covered == {plug.name for plug in PROVIDERS}
    here = Path(__file__).parent
    assert all((here / name).is_file() for name in ELSEWHERE.values())


# --- answers as rows ----------------------------------------------------------------------------------------

_CELL = re.compile(r"<td>.*?>([^<>]*)</span>.*?</td>")


def read(text: str) -> tuple[Any, Callable[[Any], str]]:
    """Take an answer apart; gives it with how it is put together again."""
    if text.startswith("<"):
        return _read_page(text)
    try:
        return json.loads(text, parse_float=Decimal), lambda data: json.dumps(data, default=float)
    except ValueError:
        columns, *_ = csv.reader(io.StringIO(text))
        rows = list(csv.DictReader(io.StringIO(text)))

    def write(rows: Any) -> str:
        lines = [",".join(names := list(rows[0]) if rows else columns)]
        lines += [",".join("" if row[name] is None else str(row[name]) for name in names) for row in rows]
        return "\n".join(lines) + "\n"

    return rows, write


def _read_page(text: str) -> tuple[Any, Callable[[Any], str]]:
    body = text.index("<tbody>") + len("<tbody>"), text.index("</tbody>")
    rows = []
    for line in text[slice(*body)].split("<tr>")[1:]:
        day, *cells = _CELL.findall(line)
        rows.append({"day": day, "cell": cells})

    def write(rows: Any) -> str:
        shown = ""
        for row in rows:
            if "cell" not in row or "day" not in row:
                cells = [row["day"]] if "day" in row else [""]
            else:
                cells = [row["day"], *row["cell"]]
            shown += "<tr>" + "".join(f"<td><span>{cell}</span></td>" for cell in cells) + "</tr>"
        return text[: body[0]] + shown + text[body[1] :]

    return rows, write


Change = Callable[[Any], Any]


def each(data: Any, names: frozenset[str], change: Change) -> Any:
    """Change what stands in some columns, wherever they are."""
    match data:
        case dict():
            return {
                name: (
                    [change(one) for one in value]
                    if name in names and isinstance(value, list)
                    else change(value)
                    if name in names and not isinstance(value, dict)
                    else each(value, names, change)
                )
                for name, value in data.items()
            }
        case list():
            return [each(one, names, change) for one in data]
        case _:
            return data


def without(data: Any, names: frozenset[str]) -> Any:
    match data:
        case dict():
            return {name: without(value, names) for name, value in data.items() if name not in names}
        case list():
            return [without(one, names) for one in data]
        case _:
            return data


def rows_in(data: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
    """Change every list of rows; columns that stand as lists of their own are changed alike."""
    match data:
        case {"timestamp": [*stamps], "indicators": {"quote": [{"close": [*closes]}]}}:
            pairs = change(list(zip(stamps, closes, strict=True)))
            quote = {"close": [close for _, close in pairs]}
            return data | {"timestamp": [at for at, _ in pairs], "indicators": {"quote": [quote]}}
        case dict():
            return {name: rows_in(value, change) for name, value in data.items()}
        case [dict(), *_]:
            return change([rows_in(one, change) for one in data])
        case list():
            return [rows_in(one, change) for one in data]
        case _:
            return data


def decorated(data: Any) -> Any:
    """Put columns beside those that are known."""
    match data:
        case dict():
            return {
                "a_new_column": -1,
                **{name: decorated(value) for name, value in data.items()},
                "zzz": [1],
            }
        case list():
            return [decorated(one) for one in data]
        case _:
            return data


def later(value: Any) -> Any:
    """Move a time ten days on, however it is written."""
    text = str(value)
    if text.isdigit():
        moved = int(text) + 10 * DAY * (1000 if len(text) > 11 else 1)
        return text.__class__(moved) if isinstance(value, str) else moved
    for form in ("%Y-%m-%d", "%d %b %Y"):
        try:
            return (datetime.strptime(text, form) + timedelta(days=10)).strftime(form)  # noqa: DTZ007
        except ValueError:
            continue
    return value


# --- single numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("(44.5)", "-44.5"),
        ("1,119.9", "1119.9"),
        ("\N{MINUS SIGN}7", "-7"),
        (" 12 ", "12"),
        (0, "0"),
        *(
            (bad, None)
            for bad in ("(-44.5)", "(+1)", "()", "-", "1,1", "1e25", 10**24, "0x10", "\u0665", "1 2")
        ),
    ],
)
def test_a_number_is_read_as_it_is_meant_or_not_at_all(raw: object, value: str | None) -> None:
    assert number_of(raw) == (None if value is None else Decimal(value))


# --- the laws -----------------------------------------------------------------------------------------------

Values = Mapping[MetricKey, Mapping[str, Decimal]]


class Stage:
    """One provider, and a server that answers it well or spoilt."""

    def __init__(self, one: Case, server: ProviderServer, feed: MetricFeed, clock: SetClock) -> None:
        self.case, self.server, self.feed, self.clock = one, server, feed, clock
        self.wants = [Want(key, int(one.contract.since)) for key in one.contract.wants]

    async def look(self, change: Change | None = None) -> Batch:
        async def spoil(_: web.Request, good: web.Response) -> web.StreamResponse:
            if good.status != 200 or change is None:
                return good
            assert isinstance(good.body, bytes)
            data, write = read(good.body.decode())
            return web.Response(text=write(change(data)), content_type=good.content_type)

        self.server.trouble = spoil
        return await self.feed.poll(self.wants)

    def said(self, batch: Batch, timeless: frozenset[MetricKey] = frozenset()) -> Values:
        """Give what a batch says of what is wanted; a provider may give more than that."""
        wanted = {*self.case.contract.wants} - timeless
        return {key: values for key, values in values_of(batch).items() if key in wanted}

    def assert_refused(self, batch: Batch, timeless: frozenset[MetricKey] = frozenset()) -> None:
        assert self.said(batch, timeless) == {}
        wanted = {*self.case.contract.wants} - timeless
        assert {one.key for one in batch.unseen} >= wanted
        assert all(one.reason and "mistake of this program" not in one.reason for one in batch.unseen)
        assert all(self.feed.trouble(key) for key in wanted), "and /metrics can say why"


@pytest.fixture
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    one: Case = request.param
    contract = one.contract
    server, clock = ProviderServer(dict(contract.pages)), SetClock(contract.now)
    await server.start()
    async with Http(server.root, seconds=60.0) as http:
        needed = {contract.plug.needs: MARKER} if contract.plug.needs else {}
        means = Means(http, clock, {**needed, **contract.given})
        yield Stage(
            one, server, MetricFeed(contract.plug, contract.plug.build(means), clock, lambda: 0.0), clock
        )
    await server.stop()


def for_all(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("stage", cases, ids=lambda one: one.name, indirect=True)


async def good_values(stage: Stage) -> Values:
    """Read the good answers by a provider of its own: the one under test has not looked yet."""
    contract = stage.case.contract
    stage.server.trouble = None
    async with Http(stage.server.root, seconds=60.0) as http:
        needed = {contract.plug.needs: MARKER} if contract.plug.needs else {}
        means = Means(http, stage.clock, {**needed, **contract.given})
        feed = MetricFeed(contract.plug, contract.plug.build(means), stage.clock, lambda: 0.0)
        return values_of(await feed.poll(stage.wants))


@for_all(CASES)
@pytest.mark.parametrize("bad", ["-", "", None, True, [], "1e999", "5 USD"], ids=repr)
async def test_what_is_no_number_makes_none(stage: Stage, bad: object) -> None:
    stage.assert_refused(await stage.look(lambda data: each(data, stage.case.values, lambda _: bad)))


@for_all(CASES)
async def test_a_row_without_a_number_is_missing_and_never_zero(stage: Stage) -> None:
    good = await good_values(stage)
    spoilt = []

    def first(value: Any) -> Any:
        spoilt.append(value)
        return "-" if len(spoilt) == 1 else value

    batch = await stage.look(lambda data: each(data, stage.case.values, first))
    for key, values in values_of(batch).items():
        for day, value in values.items():
            assert value != 0 or good[key].get(day) == 0, (key, day)
            if stage.case.contract.plug.name not in {"farside", "coinglass", "kalshi"}:
                assert value == good[key][day] or (key, day) not in good


@for_all(CASES)
async def test_a_column_that_is_gone_is_said_and_makes_no_number(stage: Stage) -> None:
    stage.assert_refused(await stage.look(lambda data: without(data, stage.case.values)))


@for_all([one for one in CASES if one.times])
async def test_times_that_are_gone_or_none_make_no_number(stage: Stage) -> None:
    batch = await stage.look(lambda data: without(data, stage.case.times))
    stage.assert_refused(batch, stage.case.timeless)


@for_all([one for one in CASES if one.times])
async def test_times_that_cannot_be_read_make_no_number(stage: Stage) -> None:
    batch = await stage.look(lambda data: each(data, stage.case.times, lambda _: "yesterday"))
    stage.assert_refused(batch, stage.case.timeless)


@for_all(CASES)
async def test_text_is_read_as_the_number_that_it_is(stage: Stage) -> None:
    good = await good_values(stage)
    batch = await stage.look(
        lambda data: each(data, stage.case.values, lambda one: None if one is None else str(one))
    )
    assert values_of(batch) == good


@for_all(CASES)
async def test_new_columns_change_nothing(stage: Stage) -> None:
    good = await good_values(stage)
    assert values_of(await stage.look(decorated)) == good


@for_all(CASES)
async def test_rows_may_come_in_any_order(stage: Stage) -> None:
    good = await good_values(stage)
    assert values_of(await stage.look(lambda data: rows_in(data, lambda rows: rows[::-1]))) == good


@for_all(CASES)
async def test_rows_that_come_twice_count_once(stage: Stage) -> None:
    good = await good_values(stage)
    batch = await stage.look(
        lambda data: rows_in(data, lambda rows: [one for row in rows for one in (row, row)])
    )
    assert all(values == good[key] for key, values in stage.said(batch).items()), batch
    assert {*stage.said(batch), *(one.key for one in batch.unseen)} >= {*stage.case.contract.wants}


@for_all([one for one in CASES if one.name not in {"TestCoinGlassMarkets", "TestIndex"}])
async def test_rows_that_contradict_each_other_are_believed_in_no_case(stage: Stage) -> None:
    """Yahoo is left out, where the later of two is the running trade; CoinGlass has one row of all."""
    good = await good_values(stage)

    def other(value: Any) -> Any:
        text = str(value)
        return (
            value
            if not any(map(str.isdigit, text))
            else f"9{text}"
            if text[0].isdigit()
            else f"{text[0]}9{text[1:]}"
        )

    def contradicted(rows: list[Any]) -> list[Any]:
        return [*rows, *(each(row, stage.case.values, other) for row in rows)]

    batch = await stage.look(lambda data: rows_in(data, contradicted))
    for key, values in values_of(batch).items():
        assert {day: good[key].get(day) for day in values} == values, (key, values)


@for_all(DATED)
async def test_what_is_of_the_future_is_refused(stage: Stage) -> None:
    batch = await stage.look(lambda data: each(data, stage.case.times, later))
    assert all(one.as_of <= stage.clock.time for one in batch.observations), batch
    stage.assert_refused(batch, stage.case.timeless)


@for_all([one for one in CASES if one.in_dollars])
async def test_millions_are_not_taken_for_dollars(stage: Stage) -> None:
    def in_millions(value: Any) -> Any:
        return value if value is None else float(Decimal(str(value)) / 1_000_000)

    stage.assert_refused(await stage.look(lambda data: each(data, stage.case.values, in_millions)))


@for_all(CASES)
async def test_the_last_good_value_stays_when_bad_ones_follow(stage: Stage) -> None:
    """Nothing is said instead of it, and the feed says since when it fails."""
    good = await stage.look()
    assert good.observations
    stage.clock.time = stage.feed.due_at(stage.wants)
    bad = await stage.look(lambda data: each(data, stage.case.values, lambda _: "-"))
    kept = values_of(good)
    for key, values in values_of(bad).items():
        assert set(values.values()) <= set(kept[key].values())
    health = stage.feed.health()
    assert health.reason or bad.observations, "who fails says so"
