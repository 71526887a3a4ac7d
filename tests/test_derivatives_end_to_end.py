"""Rules on contracts, liquidations and stablecoins, from who tells of them over the wire to one chat."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest
from aiohttp import web

from bot.alerts.translator import ENGLISH
from bot.chats.telegram import TelegramChat
from bot.chats.telegram_reach import Doubts
from bot.deliver import Courier
from bot.feeds.exchanges import build_feeds
from bot.feeds.metrics.board import MetricFeeds, build_metrics
from bot.feeds.metrics.providers import coinglass, exchanges, push
from bot.store.sql import SqlStore
from bot.watch import Watch
from tests.conftest import NOON, SetClock
from tests.etf import glass, row
from tests.market import HandMarket
from tests.test_commands import Room
from tests.test_telegram import listening
from tests.wire.contracts import BinanceTelling, Told
from tests.wire.exchanges import Trades
from tests.wire.providers import Answer, ProviderServer
from tests.wire.telegram import TelegramServer

HOUR, DAY = 3600, 86_400
ANN = 1001
GLASS = "open-api-v4.coinglass.com/api"
LIQUIDATIONS, BALANCES = f"{GLASS}/futures/liquidation/exchange-list", f"{GLASS}/exchange/balance/list"
FLOWS = glass([row("2025-11-10", "1", "2", "3", "4"), row("2025-11-11", "5", "2", "3", "4")])
CALM = Told(rate="0.0001", worth="7500000000.00", future="101000.00", futures=[int(NOON) + 73 * DAY])
RULES = {
    "funding(btc) > 0.05%": "0.06",
    "long_share(btc) >= 68%": "68.12",
    "basis(btc) >= 8%": "10.0",
    "open_interest(btc) > 8b": "8.2",
    "change(open_interest(btc), 1h) > 5%": "9.33",
    "liquidations(all, 24h) >= 2b": "2.1",
    "liquidations(all, 24h, long) >= 1.6b": "1.7",
    "delta(exchange_stablecoins(), 7d) >= 3.7b": "3.8",
}


def liquidated(long: float, short: float) -> str:
    sides = {"liquidation_usd": long + short, "long_liquidation_usd": long, "short_liquidation_usd": short}
    return json.dumps({"code": "0", "msg": "success", "data": [{"exchange": "All", **sides}]})


def balances(week_of_each: float) -> Answer:
    changes = {"balance_change_1d": 1e8, "balance_change_7d": week_of_each, "balance_change_30d": 5e9}
    told = {"exchange_name": "Binance", "total_balance": 40e9, **changes}

    def answer(_: web.Request) -> web.Response:
        return web.json_response({"code": "0", "msg": "success", "data": [told]})

    return answer


@dataclass
class Scene:
    clock: SetClock
    server: TelegramServer
    exchange: BinanceTelling
    providers: ProviderServer
    metrics: MetricFeeds
    watch: Watch
    courier: Courier

    async def say(self, text: str) -> str:
        """Say a line in the chat, and give what is answered."""
        before = len(self.texts())
        await self.server.say(ANN, ANN, text)
        await self.server.until(lambda: len(self.texts()) > before)
        return self.texts()[-1]

    def texts(self) -> list[str]:
        return self.server.texts(ANN)

    def rings(self) -> list[str]:
        """Give each ring, whether it came alone or in a list with others."""
        parts = [part.strip() for text in self.texts() for part in f"\n{text}".split("\n• ")]
        return [part for part in parts if " came true: " in part]

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and whoever is due in it look."""
        until = self.clock.time + seconds
        while True:
            wants = self.watch.wants()
            due = min(feed.due_at(wants) for feed in self.metrics.feeds)
            if due > until:
                break
            self.clock.time = max(self.clock.time, due)
            for feed in self.metrics.feeds:
                if feed.due_at(wants) <= self.clock.time:
                    await self.watch.take(await feed.poll(wants))
            await self.courier.drain()
        self.clock.time = until


@pytest.fixture
async def scene(store: SqlStore) -> AsyncIterator[Scene]:
    clock, symbols = SetClock(), ["btc/usdt", "btc/usdt:usdt"]
    flows = {f"{GLASS}/etf/{coin}/flow-history": FLOWS for coin in ("bitcoin", "ethereum", "solana")}
    providers = ProviderServer({**flows, LIQUIDATIONS: liquidated(8e8, 4e8), BALANCES: balances(1.5e9)})
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(TelegramServer())
        server.private(ANN, "Ann")
        exchange = BinanceTelling(Trades(), symbols, clock.now, [providers.beside()])
        exchange.told = CALM
        await stack.enter_async_context(exchange)
        feeds = build_feeds(["binance"], "usdt", clock, gateway=exchange.root, throttle=False)
        stack.push_async_callback(feeds.close)
        await feeds.feeds[0].poll([])
        metrics = build_metrics(
            None,
            {"TOCSIN_COINGLASS_KEY": "a-key-of-this-test", push.TOKEN: "on"},
            clock,
            gateway=exchange.root,
            doors=feeds.doors,
            thread=feeds.thread,
            plugs=[coinglass.PLUG, exchanges.PLUG, push.PLUG],
            jitter=lambda: 0.0,
        )
        stack.push_async_callback(metrics.close)
        market = HandMarket(clock, btc=100_000.0)
        watch = Watch(store, market, clock, lambda: None, late_after=140)
        await watch.open()
        chat = TelegramChat(server.token, clock, root=server.root, doubts=Doubts(at_start=0))
        courier = Courier(store, chat, clock, lambda *_: ENGLISH)
        room = Room(store, market, clock, metrics)  # type: ignore[arg-type]
        await stack.enter_async_context(listening(chat, server, room.desk))
        yield Scene(clock, server, exchange, providers, metrics, watch, courier)


async def test_what_contracts_liquidations_and_stablecoins_do_rings_in_the_chat(scene: Scene) -> None:
    for number, rule in enumerate(RULES, 1):
        assert f"#{number} armed" in await scene.say(f"/alert {rule}")
    await scene.watch.take(await scene.metrics.feeds[0].poll([]))
    await scene.pass_time(1.1 * HOUR)
    assert scene.rings() == []
    scene.exchange.told = replace(
        CALM, rate="0.0006", worth="8200000000.00", future="102000.00", long="0.6812", short="0.3188"
    )
    scene.providers.pages |= {LIQUIDATIONS: liquidated(1.7e9, 4e8), BALANCES: balances(1.9e9)}
    await scene.pass_time(1.1 * HOUR)
    assert len(scene.rings()) == len(RULES), "each once"
    for number, (rule, value) in enumerate(RULES.items(), 1):
        [ring] = [text for text in scene.rings() if f"#{number} " in text]
        assert f": {value}" in ring.replace(",", "."), ring
        assert ("CoinGlass" if "liq" in rule or "stable" in rule else "Binance") in ring
    told = await scene.say("/metrics")
    assert "in percent per funding interval: 8 hours on most perpetuals" in told
    assert "a lower bound" in told and "the share of accounts" in told
