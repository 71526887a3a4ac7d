"""A long list is turned page by page in place, over the wire, with a restart in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.ports import Desk, Replies
from bot.store.sql import SqlStore
from tests.conftest import SetClock
from tests.market import HandMarket
from tests.storing import make
from tests.test_commands import Room
from tests.test_discord import FrontDesk, running
from tests.test_telegram import ANN, chat_of, listening
from tests.wire.discord import DiscordServer
from tests.wire.telegram import TelegramServer


class RealDesk(FrontDesk):
    """The desk of the house, where tests of Discord expect one of their own."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    async def dispatch(self, caller: Caller, said: str) -> Replies:
        async for reply in self._desk.dispatch(caller, said):
            yield reply


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Room:
    return Room(store, HandMarket(clock, btc=69_400.0), clock)


async def filled(room: Room, chat: ChatRef) -> AsyncIterator[str]:
    """Give a chat 21 alerts, and its three pages as they must read."""
    caller = Caller(chat, ChatKind.PRIVATE, chat.chat, "Ann", is_admin=True)
    for number in range(21):
        await make(room.store, replace(caller), f"btc < {60_000 - 100 * number}")
    for page in (1, 2, 3):
        yield await room.say(f"/alerts {page}", caller)


async def test_a_list_on_telegram_is_turned_in_place_after_a_restart_too(room: Room, clock: SetClock) -> None:
    async with TelegramServer() as server:
        server.private(ANN)
        first, second, third = [page async for page in filled(room, ChatRef("telegram", str(ANN)))]
        async with listening(chat_of(server, clock), server, room.desk):
            await server.say(ANN, ANN, "/alerts")
            await server.until(lambda: len(server.shown(ANN)) == 1)
        [shown] = server.shown(ANN)
        assert shown.text == first
        async with listening(chat_of(server, clock), server, room.desk):
            await server.press(ANN, ANN, "▶")
            await server.until(lambda: shown.text == second)
            await server.press(ANN, ANN, "▶")
            await server.until(lambda: shown.text == third)
            await server.press(ANN, ANN, "◀")
            await server.until(lambda: shown.text == second)
        labels = [[label for label, _ in row] for row in shown.buttons]
        assert labels[4:] == [["✎ #19", "✕ #19", "✎ #20", "✕ #20"], ["◀", "▶"]]
        assert len(server.shown(ANN)) == 1


async def test_a_list_on_discord_is_turned_in_place_after_a_restart_too(room: Room) -> None:
    async with DiscordServer() as server:
        channel = server.direct(server.ann)
        first, second, third = [page async for page in filled(room, ChatRef("discord", channel))]
        async with running(server, RealDesk(room.desk)):
            await server.dm(server.ann, "/alerts")
            [shown] = await server.reads(channel, first)
        async with running(server, RealDesk(room.desk)):
            for label, page in (("▶", second), ("▶", third), ("◀", second)):
                await server.press(channel, server.ann, label)
                [shown] = await server.reads(channel, page)
        labels = [label for label, _ in shown.buttons]
        assert labels[-10:] == [
            "✎ #17",
            "✕ #17",
            "✎ #18",
            "✕ #18",
            "◀",
            "✎ #19",
            "✕ #19",
            "✎ #20",
            "✕ #20",
            "▶",
        ]
