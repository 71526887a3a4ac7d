"""What exchanges tell of their contracts, by the real ccxt over loopback: in the units of the language."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from bot.feeds.exchanges import Exchanges, build_feeds
from bot.feeds.metrics.board import MetricFeeds, build_metrics
from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.providers.exchanges import PLUG
from bot.metrics import Batch, MetricKey, Want
from bot.ports import UnknownInstrument, Unseeable
from tests.conftest import NOON, SetClock
from tests.wire import exchanges as wire
from tests.wire.contracts import TELLING, TellingExchange, Told
from tests.wire.exchanges import Gateway, Trades, Weather

DAY = 86_400
SYMBOLS = ["btc/usdt", "eth/usdt", "btc/usdt:usdt", "eth/usdt:usdt"]
FUNDING, INTEREST, SHARE, BASIS = KEYS = [
    MetricKey(metric, "btc/usdt") for metric in ("funding", "open_interest", "long_share", "basis")
]
QUARTER = int(NOON) + 73 * DAY
EXPECTED = {"funding": "0.01", "open_interest": "7500000000", "long_share": "55", "basis": "10"}


@dataclass
class World:
    clock: SetClock
    told: dict[str, Told]
    weather: dict[str, Weather]
    servers: dict[str, TellingExchange]
    exchanges: Exchanges
    metrics: MetricFeeds

    @property
    def feed(self) -> MetricFeed:
        return self.metrics.feeds[0]

    async def listed(self) -> None:
        """Let the watch of prices load what each exchange lists."""
        for feed in self.exchanges.feeds:
            await feed.poll([])

    async def look(self, *keys: MetricKey) -> Batch:
        wants = [Want(key, int(NOON) - 10 * DAY) for key in keys or KEYS]
        if self.feed.due_at(wants) < float("inf"):
            self.clock.time = max(self.clock.time, self.feed.due_at(wants))
        return await self.feed.poll(wants)


Open = Callable[..., Any]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def open_world(*names: str, lists: dict[str, list[str]] | None = None) -> World:
            clock, told, weather, servers = SetClock(), {}, {}, {}
            for name in names:
                kind = TELLING.get(name, wire.EXCHANGES[name])
                symbols = (lists or {}).get(name, SYMBOLS)
                servers[name] = server = kind(Trades(), symbols, clock.now)
                weather[name] = Weather()
                if isinstance(server, TellingExchange):
                    server.told = told[name] = Told(futures=[QUARTER])
            gateway = await stack.enter_async_context(
                Gateway([(servers[name], weather[name]) for name in names])
            )
            exchanges = build_feeds(
                names, "usdt", clock, gateway=gateway.root, throttle=False, timeout=0.5, jitter=lambda: 0.0
            )
            stack.push_async_callback(exchanges.close)
            metrics = build_metrics(
                None,
                {},
                clock,
                gateway=gateway.root,
                doors=exchanges.doors,
                thread=exchanges.thread,
                plugs=[PLUG],
                jitter=lambda: 0.0,
            )
            stack.push_async_callback(metrics.close)
            world = World(clock, told, weather, servers, exchanges, metrics)
            await world.listed()
            return world

        yield open_world


def values(batch: Batch) -> dict[MetricKey, Decimal]:
    return {one.key: one.value for one in batch.observations}


def reasons(batch: Batch) -> dict[MetricKey, str]:
    return {one.key: one.reason for one in batch.unseen}


@pytest.mark.parametrize("name", TELLING)
async def test_each_exchange_is_read_in_the_units_of_the_language(opened: Open, name: str) -> None:
    world = await opened(name)
    batch = await world.look()
    assert reasons(batch) == {}
    assert {one.source for one in batch.observations} == {name}
    found = {key.metric: value for key, value in values(batch).items()}
    assert found == {
        metric: pytest.approx(Decimal(value), rel=Decimal("0.002")) for metric, value in EXPECTED.items()
    }
    assert found["funding"] == Decimal("0.01") and found["open_interest"] == 7_500_000_000
    assert all(NOON - 300 <= one.as_of <= NOON and one.is_final for one in batch.observations)


@pytest.mark.parametrize("name", TELLING)
async def test_what_is_told_of_all_contracts_at_once_is_asked_once(opened: Open, name: str) -> None:
    world = await opened(name)
    world.weather[name].asked.clear()
    others = [MetricKey(metric, "eth/usdt") for metric in ("funding", "open_interest")]
    batch = await world.look(FUNDING, BASIS, MetricKey("funding", "btc/usdt:usdt"), *others)
    assert len(batch.observations) == 5
    asked = world.weather[name].asked
    singles = [path for path in asked if "openInterestHist" in path]
    assert len(set(asked)) == len(asked) - len(singles) + len(set(singles))
    assert len(singles) <= 1


@pytest.mark.parametrize("name", TELLING)
async def test_the_next_look_is_in_five_minutes(opened: Open, name: str) -> None:
    world = await opened(name)
    await world.look()
    assert world.feed.due_at([Want(key, 0) for key in KEYS]) == 0.0, "further back was never asked for"
    wants = [Want(key, int(NOON) - 10 * DAY) for key in KEYS]
    assert world.feed.due_at(wants) == NOON + 300


async def test_a_dated_future_near_its_end_gives_way_to_the_next(opened: Open) -> None:
    world = await opened("binance")
    near, far = int(NOON) + 13 * DAY, int(NOON) + 100 * DAY
    world.told["binance"].futures = [near, far]
    world.clock.time += 7 * 3600
    await world.listed()
    batch = await world.look(BASIS)
    assert float(values(batch)[BASIS]) == pytest.approx(2 * 365 / 99.7, rel=0.01)


async def test_a_coin_without_a_dated_future_has_no_basis(opened: Open) -> None:
    world = await opened("binance", "okx")
    batch = await world.look(MetricKey("basis", "eth/usdt"))
    assert list(reasons(batch).values()) == ["there is no dated future on ETH/USDT at binance or okx"]
    with pytest.raises(UnknownInstrument):
        await world.metrics.ask(MetricKey("basis", "eth/usdt"))


async def test_the_first_exchange_that_lists_it_speaks_and_no_other_ever_does(opened: Open) -> None:
    zec = MetricKey("funding", "zec/usdt")
    world = await opened(
        "kraken", "okx", "binance", lists={"kraken": ["btc/usd"], "binance": [*SYMBOLS, "zec/usdt:usdt"]}
    )
    world.told["binance"].rate = "-0.0002"
    batch = await world.look(FUNDING, zec)
    assert {one.key: one.source for one in batch.observations} == {FUNDING: "okx", zec: "binance"}
    assert values(batch) == {FUNDING: Decimal("0.01"), zec: Decimal("-0.02")}
    world.weather["okx"].trouble = wire.status(503)
    batch = await world.look(FUNDING, zec)
    assert values(batch) == {zec: Decimal("-0.02")}
    assert reasons(batch) == {FUNDING: "okx answers with an error (HTTP 503)"}
    world.weather["okx"].clear()
    assert set(values(await world.look(FUNDING, zec))) == {FUNDING, zec}


async def test_nobody_speaks_while_an_earlier_exchange_has_not_said_what_it_lists(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.feeds.exchanges.door._SECONDS_FOR_A_LISTING", 0.05)
    world = await opened("okx", "binance")
    fresh = build_feeds(["okx", "binance"], "usdt", world.clock, timeout=0.2)
    metrics = build_metrics(
        None, {}, world.clock, doors=fresh.doors, thread=fresh.thread, plugs=[PLUG], jitter=lambda: 0.0
    )
    batch = await metrics.feeds[0].poll([Want(FUNDING, 0)])
    assert reasons(batch) == {FUNDING: "okx has not said what it lists"}
    with pytest.raises(Unseeable):
        await metrics.ask(FUNDING)
    await metrics.close()
    await fresh.close()


async def test_a_rule_may_name_the_exchange(opened: Open) -> None:
    world = await opened("binance", "okx")
    world.told["okx"].rate = "0.0007"
    at_okx, at_bybit = (MetricKey("funding", f"btc/usdt@{name}") for name in ("okx", "bybit"))
    batch = await world.look(at_okx, at_bybit)
    assert values(batch) == {at_okx: Decimal("0.07")}
    assert reasons(batch) == {at_bybit: "bybit is not among the exchanges that are watched for contracts"}


async def test_a_pair_in_other_dollars_means_the_same_perpetual(opened: Open) -> None:
    world = await opened("bybit")
    dollar = MetricKey("open_interest", "btc/usd")
    assert values(await world.look(dollar)) == {dollar: Decimal("7500000000.00")}


@pytest.mark.parametrize("instrument", ["spx", "btc/usd:btc", "zec/btc", "", "btc"])
async def test_what_can_have_no_such_contract_is_not_offered(instrument: str) -> None:
    assert not any(PLUG.offer(MetricKey(key.metric, instrument)) for key in KEYS)


async def test_without_an_exchange_that_tells_the_operator_learns_which_to_name(opened: Open) -> None:
    world = await opened("kraken", lists={"kraken": ["btc/usd"]})
    assert world.metrics.feeds == ()
    offers = world.metrics.offers(FUNDING)
    assert [one.lacks for one in offers] == ["set TOCSIN_EXCHANGES, with binance, bybit or okx among them"]


def test_the_notes_say_what_the_figures_are() -> None:
    notes = {offer.metric: offer.note for offer in PLUG.offers}
    assert "per funding interval" in notes["funding"] and "8 hours" in notes["funding"]
    assert "accounts" in notes["long_share"]
    assert "14 or more days" in notes["basis"]


PASTS = {"binance": (500, 500), "okx": (100, 100), "bybit": (1, 500)}


@pytest.mark.parametrize("name", TELLING)
async def test_a_first_look_goes_back_as_far_as_the_exchange_tells(opened: Open, name: str) -> None:
    world = await opened(name)
    world.told[name].before = "6000000000"
    world.clock.time += 120
    first = await world.feed.poll([Want(key, int(NOON) - 400 * DAY) for key in KEYS])
    assert reasons(first) == {}
    for key, most in zip((INTEREST, SHARE), PASTS[name], strict=True):
        told = [one for one in first.observations if one.key == key]
        assert most - 1 <= len(told) <= most + 1
        assert all(before.as_of < after.as_of for before, after in pairwise(told))
        if most > 1:
            assert {one.as_of % 3600 for one in told[:-1]} == {0}
            assert told[-1].as_of - told[0].as_of <= most * 3600
    worths = [one.value for one in first.observations if one.key == INTEREST]
    assert worths[-1] == 7_500_000_000 and set(worths[:-1]) <= {6_000_000_000}
    assert len((await world.look()).observations) == 4, "later looks are at the present"


@pytest.mark.parametrize("name", ["binance", "okx"])
async def test_a_past_that_cannot_be_read_costs_nothing_of_the_present(opened: Open, name: str) -> None:
    world = await opened(name)
    world.told[name].before = "-"
    batch = await world.feed.poll([Want(INTEREST, int(NOON) - 400 * DAY)])
    assert [one.value for one in batch.observations] == [7_500_000_000]


# --- what cannot be true ------------------------------------------------------------------------------------

WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "no rate": ("funding", {"rate": ""}, "gives no funding of BTC/USDT:USDT"),
    "a dash for a rate": ("funding", {"rate": "-"}, "gives no funding of BTC/USDT:USDT"),
    "a rate beyond all": ("funding", {"rate": "0.2"}, "gives a funding rate of 20% for BTC/USDT:USDT"),
    "no worth": ("open_interest", {"worth": ""}, "gives no open interest of BTC/USDT:USDT"),
    "a worth of nothing": ("open_interest", {"worth": "0"}, "gives an open interest of 0 for"),
    "a worth below nothing": ("open_interest", {"worth": "-5"}, "gives an open interest of -5 for"),
    "a future without a price": ("basis", {"future": ""}, "gives no price of BTC/USDT:USDT-260124"),
    "a price of nothing": ("basis", {"index": "0"}, "that cannot be"),
    "prices far apart": ("basis", {"future": "300000"}, "that cannot be"),
}


@pytest.mark.parametrize("name", TELLING)
@pytest.mark.parametrize("what", WRONG)
async def test_what_is_missing_or_cannot_be_is_no_figure(opened: Open, name: str, what: str) -> None:
    metric, told, reason = WRONG[what]
    world = await opened(name)
    for field, value in told.items():
        setattr(world.told[name], field, value)
    key = MetricKey(metric, "btc/usdt")
    batch = await world.look(key)
    assert batch.observations == ()
    assert reason in reasons(batch)[key] or (
        what == "a price of nothing" and "no price" in reasons(batch)[key]
    )
    assert reasons(batch)[key].startswith(name)


@pytest.mark.parametrize("name", ["binance", "bybit"])
@pytest.mark.parametrize(
    ("long", "short"), [("0.55", "0.55"), ("", "0.45"), ("1.0", "0.0"), ("0", "1"), ("55", "45")]
)
async def test_shares_that_are_not_all_accounts_are_refused(
    opened: Open, name: str, long: str, short: str
) -> None:
    world = await opened(name)
    world.told[name].long, world.told[name].short = long, short
    batch = await world.look(SHARE)
    assert batch.observations == () and SHARE in reasons(batch)


@pytest.mark.parametrize("ratio", ["", "0", "-1", "NaN"])
async def test_a_ratio_that_cannot_be_is_refused(opened: Open, ratio: str) -> None:
    world = await opened("okx")
    world.told["okx"].ratio = ratio
    batch = await world.look(SHARE)
    assert batch.observations == () and SHARE in reasons(batch)


async def test_a_ratio_of_longs_to_shorts_becomes_a_share(opened: Open) -> None:
    world = await opened("okx")
    world.told["okx"].ratio = "2.125"
    assert values(await world.look(SHARE)) == {SHARE: Decimal(68)}


@pytest.mark.parametrize("name", TELLING)
@pytest.mark.parametrize(("lag", "said"), [(7200.0, "minutes old"), (-7200.0, "of the future")])
async def test_a_figure_long_past_or_of_the_future_is_none(
    opened: Open, name: str, lag: float, said: str
) -> None:
    world = await opened(name)
    world.told[name].lag = lag
    batch = await world.look(INTEREST)
    assert batch.observations == ()
    assert said in reasons(batch)[INTEREST]


TROUBLES: dict[str, Any] = {
    "a web page": wire.web_page,
    "nothing": wire.empty_body,
    "an empty object": wire.empty_object,
    "half an answer": wire.half_an_answer,
    "silence": wire.hang,
    "a reset": wire.reset,
    "429": wire.status(429, Retry_After="120"),
    "403": wire.status(403),
    "451": wire.status(451),
    "503": wire.status(503),
    "an empty list": wire.rewritten(lambda _: []),
    "empty data": wire.rewritten(
        lambda answer: (
            [] if isinstance(answer, list) else {**answer, "data": [], "result": {"list": []}}  # type: ignore[dict-item]
        )
    ),
    "another envelope": wire.rewritten(lambda _: {"status": "ok", "rows": [{"value": "1"}]}),
    "strangers": wire.rewritten(lambda _: [{"what": "ever"}]),
}


@pytest.mark.parametrize("name", TELLING)
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_bad_answer_brings_no_figure_and_a_reason_and_then_good_ones_are_read(
    opened: Open, name: str, trouble: str
) -> None:
    world = await opened(name)
    world.weather[name].trouble = TROUBLES[trouble]
    batch = await world.look()
    assert batch.observations == ()
    assert set(reasons(batch)) == set(KEYS)
    said = str(batch.unseen)
    assert "mistake of this program" not in said and "127.0.0.1" not in said
    assert all(reason.startswith(name) for reason in reasons(batch).values())
    world.weather[name].clear()
    for _ in range(3):
        batch = await world.look()
        if set(values(batch)) == set(KEYS):
            break
    assert set(values(batch)) == set(KEYS)


async def test_who_asks_to_slow_down_is_left_alone_by_all_its_series(opened: Open) -> None:
    world = await opened("binance", "okx", lists={"binance": ["btc/usdt", "btc/usdt:usdt"]})
    world.weather["binance"].trouble = wire.status(429, Retry_After="400")
    eth = MetricKey("funding", "eth/usdt")
    batch = await world.look(*KEYS, eth)
    assert {one.key: one.source for one in batch.observations} == {eth: "okx"}
    asked = len(world.weather["binance"].asked)
    batch = await world.look(*KEYS, eth)
    assert len(world.weather["binance"].asked) == asked
    assert set(reasons(batch)) == set(KEYS)
    world.weather["binance"].clear()
    world.clock.time += 400
    assert set(values(await world.look(*KEYS, eth))) == {*KEYS, eth}


async def test_one_figure_that_fails_spoils_no_other(opened: Open) -> None:
    world = await opened("binance")
    weather = world.weather["binance"]
    weather.only, weather.trouble = "openInterestHist", wire.status(400, '{"code": -1121, "msg": "no"}')
    batch = await world.look()
    assert set(values(batch)) == {FUNDING, SHARE, BASIS}
    assert set(reasons(batch)) == {INTEREST}
