"""A metric from its provider to the chat over real sockets, and no key on any way out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from socket import socket

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from bot import gauges
from bot.app import open_house
from bot.demo.clock import FastClock
from bot.demo.exchange import BinanceExchange
from bot.feeds.metrics.board import MetricFeeds, build_metrics
from bot.feeds.metrics.providers import PROVIDERS
from bot.metrics import Batch, MetricKey, Want
from bot.ports import TocsinError
from bot.settings import Address, Settings
from bot.store.sql import SqlStore
from bot.tape import MemoryTape
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.test_bad_input import CASES
from tests.test_commands import Room
from tests.test_end_to_end import RATE, Market, OnTelegram, running, until
from tests.wire.prices import Ticks
from tests.wire.providers import TROUBLES, ProviderServer, respond
from tests.wire.telegram import TelegramServer

DAY = 86_400
TODAY = int(NOON) - int(NOON) % DAY
FEAR_GREED = "api.alternative.me/fng/"
MARKER = "a-key-that-nobody-may-ever-see"


def index(*values: int, days: int = 0) -> str:
    """Shape an answer of the index: the newest value first, and an update in six minutes."""
    rows = [
        {"value": str(value), "timestamp": str(TODAY + (days - place) * DAY), "time_until_update": "360"}
        for place, value in enumerate(values)
    ]
    return json.dumps({"data": rows, "metadata": {"error": None}})


@pytest.fixture
async def ann() -> AsyncIterator[OnTelegram]:
    async with TelegramServer() as server:
        server.private(1001, "Ann")
        yield OnTelegram(server)


async def test_a_metric_rings_in_the_chat_when_its_provider_says_so(ann: OnTelegram, database: str) -> None:
    clock = FastClock(TODAY + DAY - 300.0, RATE)
    providers = ProviderServer({FEAR_GREED: index(24, 26, 31)})
    ticks = Ticks(clock, 104_000)
    async with (
        BinanceExchange(ticks, ["btc/usdt"], clock.now, [providers.beside()]) as exchange,
        running(ann, Market(ticks, exchange), database, clock),
    ):
        await until(lambda: len(providers.asked) > 0, ann)
        await ann.say("/alert fear_greed() < 20")
        await until(lambda: any("#1 armed" in text for text in ann.texts()), ann)
        await until(lambda: clock.now() >= TODAY + DAY, ann)
        providers.pages[FEAR_GREED] = index(11, 24, 26, days=1)
        await until(lambda: any("came true" in text for text in ann.texts()), ann)
        await ann.say("/metrics")
        await until(lambda: any("fear_greed: 11" in text for text in ann.texts()), ann)
    [ring] = [text for text in ann.texts() if "came true" in text]
    assert "fear and greed index" in ring and "11" in ring and "alternative.me" in ring
    assert 2 <= len(providers.asked) <= 4, "it is asked when it wants to be, and not at every poll"


async def test_while_the_clock_is_held_no_provider_is_looked_at(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FastClock(TODAY + 100.0, 72_000)
    providers = ProviderServer({FEAR_GREED: index(24, 26, 31)})
    judged: list[str] = []
    put = MemoryTape.put

    async def counted(tape: MemoryTape, batch: Batch) -> None:
        judged.append(batch.source)
        await put(tape, batch)

    monkeypatch.setattr(MemoryTape, "put", counted)
    async with BinanceExchange(
        Ticks(clock, 104_000), ["btc/usdt"], clock.now, [providers.beside()]
    ) as exchange:
        settings = Settings(
            database_url=database,
            exchanges=("binance",),
            feed_gateway=exchange.root,
            providers=("alternative.me",),
            poll_seconds=3600,
            stream=False,
        )
        done = asyncio.Event()
        async with open_house(settings, clock, [], throttle=False) as house, asyncio.TaskGroup() as tasks:
            tasks.create_task(house.run(done))
            async with asyncio.timeout(20):
                while len(providers.asked) < 2:  # noqa: ASYNC110 - what is asked for has no event
                    await asyncio.sleep(0.01)
            with clock.still():
                await house.tape.judged()
                before = judged.count("alternative.me")
                await asyncio.sleep(0.3)
                assert judged.count("alternative.me") <= before + 1, "one may have been under way"
            done.set()


async def test_a_pushed_value_is_kept_when_that_is_answered_and_rings(
    ann: OnTelegram, database: str, store: SqlStore
) -> None:
    clock = FastClock(NOON, RATE)
    ticks = Ticks(clock, 104_000)
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/observations/whale_btc"
    own = {"push_token": SecretStr(MARKER), "http": Address("127.0.0.1", port), "providers": ("push",)}
    async with (
        ClientSession(headers={"Authorization": f"Bearer {MARKER}"}) as program,
        BinanceExchange(ticks, ["btc/usdt"], clock.now) as exchange,
        running(ann, Market(ticks, exchange), database, clock, **own),
    ):

        async def push(value: int) -> None:
            async with program.post(address, json={"value": value}) as answer:
                assert await answer.text() == "kept: 1\n"
            newest = (await store.newest())[MetricKey("metric", "whale_btc")]
            assert newest.value == value, "it is in the archive when that is said"

        await ann.say("/alert metric(whale_btc) >= 41k")
        await until(lambda: any("Nobody provides metric(whale_btc)" in text for text in ann.texts()), ann)
        await push(40_000)
        await ann.say("/alert metric(whale_btc) >= 41k")
        await until(lambda: any("#1 armed" in text for text in ann.texts()), ann)
        await asyncio.sleep(0.3)
        await push(41_000)
        await until(lambda: any("came true" in text for text in ann.texts()), ann)
    [ring] = [text for text in ann.texts() if "came true" in text]
    assert "41,000" in ring


# --- secrets ------------------------------------------------------------------------------------------------


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    server = ProviderServer()
    await server.start()
    yield server
    await server.stop()


async def looked(metrics: MetricFeeds, wants: Sequence[Want], clock: SetClock) -> list[str]:
    """Let every provider look, and give all that comes out of it as text."""
    said = []
    for feed in metrics.feeds:
        clock.time = max(clock.time, feed.due_at(wants)) if feed.due_at(wants) < 1e12 else clock.time
        batch = await feed.poll(wants)
        gauges.count_poll(feed.name, 0.1, feed.health().seen_at)
        said += [str(batch), str(feed.health()), repr(feed.plug)]
    return said


KEYED = {one.contract.plug.name: one for one in CASES if one.contract.plug.needs.endswith("_KEY")}


def test_every_provider_with_a_key_is_looked_through() -> None:
    keyed = {plug.name for plug in PROVIDERS if plug.needs.endswith("_KEY")}
    assert KEYED.keys() == keyed
    kept = {plug.needs.removeprefix("TOCSIN_").lower() for plug in PROVIDERS if plug.name in keyed}
    assert kept | {"coingecko_key"} == {name for name in Settings.model_fields if name.endswith("_key")}


@pytest.mark.parametrize("name", [*KEYED, "coingecko"])
async def test_a_key_that_is_in_use_is_in_no_log_no_sentence_and_no_page(
    name: str, server: ProviderServer, store: SqlStore, clock: SetClock, capfd: pytest.CaptureFixture[str]
) -> None:
    """Good answers, each trouble of the wire, answers that repeat the key, and nobody who listens."""
    contract = next(one.contract for one in CASES if one.contract.plug.name == name)
    key = f"{MARKER}-of-{name}"
    given = {contract.plug.needs or "TOCSIN_COINGECKO_KEY": key}
    clock.time, server.pages = contract.now, dict(contract.pages)
    wants = [Want(one, int(contract.since)) for one in contract.wants]
    repeating = respond(200, json.dumps({"code": "401", "msg": key, "error": key, "data": key}))
    metrics = build_metrics(
        (name,), given, clock, gateway=server.root, seconds=0.5, jitter=lambda: 0.0, notebook=store
    )
    said: list[str] = []
    for trouble in (None, *TROUBLES.values(), repeating):
        server.trouble = trouble
        said += await looked(metrics, wants, clock)
        clock.time += 7200
    assert any(key in str(one.headers) for one in server.asked), "the key was in use"
    assert not any(key in str(one.url) for one in server.asked)
    await server.stop()
    said += await looked(metrics, wants, clock)
    for one in contract.wants:
        with suppress(TocsinError):
            said.append(str(await metrics.ask(one)))
        said.append(metrics.trouble(one))
    room = Room(store, HandMarket(clock, btc=1.0), clock, metrics)  # type: ignore[arg-type]
    for line in ("/metrics", "/feeds", "/status", f"/alert {contract.wants[0]} > 1"):
        said += [message.plain() for message in await room.replies(line)]
    said += [str(await store.page(name)), gauges.exposition().decode(), str(metrics.offers())]
    await metrics.close()
    said += capfd.readouterr()
    assert len([text for text in said if name in text.lower()]) > len(TROUBLES), "it was talked about"
    for text in said:
        assert MARKER not in text
