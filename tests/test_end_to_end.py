"""The whole bot over real sockets: a line in a chat, a price that falls, and one alert in that chat.

ccxt, python-telegram-bot and discord.py are the real ones; exchange and platforms are servers on loopback.
The clock runs fast, so that a minute of the market is a third of a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from typing import Protocol

import pytest
from apscheduler.triggers.interval import IntervalTrigger

from bot.app import open_house
from bot.chats.console import ConsoleChat
from bot.chats.studio import Studio
from bot.demo.clock import FastClock
from bot.demo.exchange import BinanceExchange
from bot.house import House
from bot.illustrate import Illustrator
from bot.parts import build_chats
from bot.ports import Chat
from bot.rhythm import OnClock
from bot.settings import Settings
from tests.conftest import NOON, SetClock
from tests.wire.discord import DiscordServer
from tests.wire.prices import Ticks
from tests.wire.telegram import TelegramServer

RATE = 200
POLL_SECONDS = 20.0
ANN = 1001


class Platform(Protocol):
    """One platform as a person sees it."""

    def chats(self, settings: Settings, clock: FastClock) -> list[Chat]: ...

    def settings(self) -> dict[str, str]: ...

    async def say(self, text: str) -> None: ...

    def texts(self) -> list[str]: ...

    def charts(self) -> int: ...


@dataclass
class OnTelegram:
    server: TelegramServer

    def settings(self) -> dict[str, str]:
        return {"telegram_token": self.server.token, "telegram_api": self.server.root}

    def chats(self, settings: Settings, clock: FastClock) -> list[Chat]:
        return build_chats(settings, clock, Studio(patience=30))

    async def say(self, text: str) -> None:
        await self.server.say(ANN, ANN, text)

    def texts(self) -> list[str]:
        return self.server.texts(ANN)

    def charts(self) -> int:
        return sum(bool(one.photo) for one in self.server.shown(ANN))


@dataclass
class OnDiscord:
    server: DiscordServer

    def settings(self) -> dict[str, str]:
        return {
            "discord_token": self.server.token,
            "discord_api": self.server.api,
            "discord_gateway": self.server.gateway,
        }

    def chats(self, settings: Settings, clock: FastClock) -> list[Chat]:
        return build_chats(settings, clock, Studio(patience=30))

    async def say(self, text: str) -> None:
        await self.server.dm(self.server.ann, text)

    def texts(self) -> list[str]:
        return [one.text for one in self.server.shown(self.server.direct(self.server.ann))]

    def charts(self) -> int:
        return sum(len(one.pictures) for one in self.server.shown(self.server.direct(self.server.ann)))


@dataclass
class OnConsole:
    out: StringIO = field(default_factory=StringIO)
    chat: ConsoleChat | None = None

    def settings(self) -> dict[str, str]:
        return {}

    def chats(self, settings: Settings, clock: FastClock) -> list[Chat]:
        self.chat = ConsoleChat(clock, StringIO(), self.out)
        return [self.chat]

    async def say(self, text: str) -> None:
        assert self.chat is not None
        await self.chat.say(text)

    def texts(self) -> list[str]:
        return [line for line in self.out.getvalue().splitlines() if "bot     <" in line]

    def charts(self) -> int:
        return sum(
            line.lstrip()[:1] in "▁▂▃▄▅▆▇█" for line in self.out.getvalue().splitlines() if line.strip()
        )


@pytest.fixture(params=["telegram", "discord", "console"])
async def platform(request: pytest.FixtureRequest) -> AsyncIterator[Platform]:
    match request.param:
        case "telegram":
            async with TelegramServer() as server:
                server.private(ANN, "Ann")
                yield OnTelegram(server)
        case "discord":
            async with DiscordServer() as server:
                yield OnDiscord(server)
        case _:
            yield OnConsole()


@pytest.fixture
def fast() -> FastClock:
    return FastClock(NOON, RATE)


@dataclass
class Market:
    ticks: Ticks
    exchange: BinanceExchange


@pytest.fixture
async def market(fast: FastClock) -> AsyncIterator[Market]:
    ticks = Ticks(fast, 104_000)
    async with BinanceExchange(ticks, ["btc/usdt", "eth/usdt"], fast.now) as exchange:
        yield Market(ticks, exchange)


@asynccontextmanager
async def running(
    platform: Platform, market: Market, database: str, clock: FastClock, **more: object
) -> AsyncIterator[House]:
    """Run the bot while inside, and stop it as a signal would; gives its running parts."""
    settings = Settings(
        database_url=database,
        exchanges=("binance",),
        feed_gateway=market.exchange.root,
        poll_seconds=POLL_SECONDS,
        **platform.settings(),
        **more,
    )
    done = asyncio.Event()
    async with AsyncExitStack() as stack:
        chats = platform.chats(settings, clock)
        # Between two lines of a story hours may pass: long enough for anything to be told as unwell.
        opening = open_house(settings, clock, chats, throttle=False, tells_operators=False)
        house = await stack.enter_async_context(opening)
        task = asyncio.create_task(house.run(done))
        try:
            yield house
        finally:
            done.set()
            await task


async def until(is_so: Callable[[], bool], platform: Platform, within: float = 20.0) -> None:
    """Wait until something is so; fails with what the chat shows instead."""
    try:
        async with asyncio.timeout(within):
            while not is_so():  # noqa: ASYNC110 - what is asked for has no event
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"it did not come about; the chat shows {platform.texts()}") from None


def rings(platform: Platform) -> list[str]:
    return [text for text in platform.texts() if "fell below" in text]


async def arm(platform: Platform, rule: str) -> None:
    await platform.say(f"/alert {rule}")
    await until(lambda: any("armed" in text for text in platform.texts()), platform)


async def minutes_pass(clock: FastClock, minutes: float) -> None:
    await clock.sleep_until(clock.now() + minutes * 60)


async def test_a_line_in_chat_rings_once_when_the_price_falls(
    platform: Platform, market: Market, database: str, fast: FastClock
) -> None:
    async with running(platform, market, database, fast):
        await arm(platform, "btc < 100k")
        market.ticks.set(99_500)
        await until(lambda: bool(rings(platform)), platform)
        await minutes_pass(fast, 4)
    (ring,) = rings(platform)
    assert "#1" in ring and "100,000" in ring and "99,500" in ring


async def test_a_ring_comes_with_its_chart_and_a_chart_can_be_asked_for(
    platform: Platform, market: Market, database: str, fast: FastClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "bot.app.Illustrator", partial(Illustrator, patience=30)
    )  # a slow machine is no fault
    async with running(platform, market, database, fast):
        await arm(platform, "btc < 100k")
        market.ticks.set(99_500)
        await until(lambda: bool(rings(platform)), platform)
        await platform.say("/chart btc 4h light")
        await until(lambda: platform.charts() == 2, platform)


async def test_a_restart_between_arming_and_the_fall_loses_and_repeats_nothing(
    platform: Platform, market: Market, database: str, fast: FastClock
) -> None:
    async with running(platform, market, database, fast):
        await arm(platform, "btc < 100k")
    async with running(platform, market, database, fast):
        market.ticks.set(99_500)
        await until(lambda: bool(rings(platform)), platform)
    async with running(platform, market, database, fast):
        await minutes_pass(fast, 4)
    assert len(rings(platform)) == 1


async def test_a_touch_while_the_bot_was_down_rings_late_and_says_so(
    platform: Platform, market: Market, database: str, fast: FastClock
) -> None:
    async with running(platform, market, database, fast):
        await arm(platform, "btc < 100k")
    market.ticks.set(99_500)
    await minutes_pass(fast, 1)
    market.ticks.set(101_000)
    await minutes_pass(fast, 5)
    async with running(platform, market, database, fast):
        await until(lambda: bool(rings(platform)), platform)
        await minutes_pass(fast, 2)
    (ring,) = rings(platform)
    assert "seen at" in ring and "101,000" in ring


async def test_what_is_true_already_waits_until_somebody_asks_for_it_and_rings_once(
    platform: Platform, market: Market, database: str, fast: FastClock
) -> None:
    async with running(platform, market, database, fast):
        await arm(platform, "btc > 100k repeat cooldown 1m")
        await minutes_pass(fast, 3)
        assert risen(platform) == []
        await platform.say("/ringnow 1")
        await until(lambda: bool(risen(platform)), platform)
        await minutes_pass(fast, 4)
    (ring,) = risen(platform)
    assert "#1" in ring and "104,000" in ring


def risen(platform: Platform) -> list[str]:
    return [text for text in platform.texts() if "rose above" in text]


async def test_a_rule_over_closed_candles_fetches_its_history_and_rings_at_a_close(
    market: Market, database: str, fast: FastClock
) -> None:
    console = OnConsole()
    async with running(console, market, database, fast):
        await arm(console, "rsi(btc, 2, 5m) < 40 and close(btc, 5m) < sma(btc, 3, 5m)")
        market.ticks.set(103_000, 102_000)
        await until(lambda: bool(told(console)), console)
        await minutes_pass(fast, 6)
    assert len(told(console)) == 1


def told(console: OnConsole) -> list[str]:
    """Give what was told of an alert, apart from the answer to its making."""
    return [text for text in console.texts() if "RSI(2)" in text and "armed" not in text]


def test_a_look_is_due_every_interval_however_often_the_scheduler_asks() -> None:
    clock = SetClock()
    every = IntervalTrigger(seconds=5, start_date=datetime.fromtimestamp(NOON, UTC), timezone=UTC)
    trigger = OnClock(every, clock)
    run: datetime | None = datetime.fromtimestamp(NOON, UTC)
    for number in range(1, 4):
        now = datetime.fromtimestamp(clock.now() + 0.1, UTC)
        clock.time += 0.1
        answers = {trigger.get_next_fire_time(run, now) for _ in range(2)}
        (run,) = answers
        assert run == datetime.fromtimestamp(NOON, UTC) + timedelta(seconds=5 * number)
        clock.time = run.timestamp()
