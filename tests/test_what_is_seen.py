"""What operators see of people: figures, and a log in which no rule and no token stands."""

from __future__ import annotations

import asyncio
import io
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot import gauges
from bot.app import open_house
from bot.chats.studio import Studio
from bot.demo.clock import FastClock
from bot.demo.exchange import BinanceExchange
from bot.entries import Address
from bot.heartbeat import Heartbeat
from bot.logs import configure_logging
from bot.parts import build_chats
from bot.settings import Settings
from tests.conftest import NOON
from tests.streaming import until
from tests.wire.prices import Ticks
from tests.wire.telegram import BAD_GATEWAY, TelegramServer

ANN, BOB = 1001, 1002
NOTE = "sell-the-house-in-lisbon"
LEVEL = "100123.5"
PUSH = "a-push-token-of-the-operator"
HEART = "http://127.0.0.1:1/ping/5b1e7c0e-heartbeat"

FIGURES = (
    "tocsin_observations_total",
    "tocsin_feed_lag_seconds",
    "tocsin_verdicts_total",
    "tocsin_transitions_total",
    "tocsin_deliveries_total",
    "tocsin_ring_delay_seconds_bucket",
    "tocsin_recent_ring_delay_seconds",
    "tocsin_outbox_oldest_age_seconds",
    "tocsin_loop_lag_seconds_bucket",
)


async def test_a_ring_shows_in_the_figures_and_no_rule_and_no_token_in_the_log_at_info(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    clock = FastClock(NOON, 200)
    ticks = Ticks(clock, 101_000)
    exchange = BinanceExchange(ticks, ["btc/usdt"], clock.now)
    async with TelegramServer() as telegram, exchange:
        for person in (ANN, BOB):
            telegram.private(person)
        settings = Settings(
            telegram_token=telegram.token,
            telegram_api=telegram.root,
            database_url=database,
            exchanges=("binance",),
            feed_gateway=exchange.root,
            providers=(),
            poll_seconds=20,
            stream=False,
            http=Address("127.0.0.1", 0),
            push_token=PUSH,
            heartbeat_url=HEART,
        )
        # Nothing is redacted by value here: what is to be kept out must not be written in the first place.
        monkeypatch.setattr(sys, "stderr", log)
        configure_logging([], level="INFO")
        done = asyncio.Event()
        chats = build_chats(settings, clock, Studio(patience=30))
        async with open_house(settings, clock, chats, throttle=False) as house:
            running = asyncio.create_task(house.run(done))
            for person in (ANN, BOB):
                await telegram.say(person, person, f'/alert btc < {LEVEL} note "{NOTE}"')
                await until(lambda who=person: any("armed" in text for text in telegram.texts(who)), 30)
            await telegram.say(ANN, ANN, f"/alert btc <> {LEVEL}")
            telegram.order(BOB, BAD_GATEWAY)
            ticks.set(100_000)
            for person in (ANN, BOB):
                await until(lambda who=person: any("fell below" in text for text in telegram.texts(who)), 30)
            await until(lambda: "heartbeat" in log.getvalue(), within=30)
            done.set()
            await running

            families = list(text_string_to_metric_families(gauges.exposition().decode()))
    found = {
        sample.name
        for family in families
        for sample in family.samples
        if sample.value or "age" in sample.name
    }
    assert set(FIGURES) <= found
    labels = {text for family in families for sample in family.samples for text in sample.labels.values()}
    assert not labels & {str(ANN), str(BOB), telegram.token, LEVEL, NOTE}
    written = log.getvalue()
    assert "telegram listens" in written, "the log is that of INFO"
    for secret in (NOTE, LEVEL, telegram.token, telegram.token.partition(":")[2], PUSH, HEART, "5b1e7c0e"):
        assert secret not in written


async def test_the_heartbeat_that_nobody_hears_names_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    configure_logging([], level="DEBUG")
    assert not await Heartbeat(HEART, patience=1.0).beat()
    assert "the heartbeat was not heard" in log.getvalue()
    assert "5b1e7c0e" not in log.getvalue()
