"""Discord divided: several processes hear its shards, each server one of them, and tell their own chats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import discord
import pytest

from bot.alerts.lots import Lots
from bot.alerts.message import say
from bot.alerts.people import ChatRef
from bot.chats.discord import DiscordChat
from bot.ports import Receipt
from tests.streaming import until
from tests.test_discord import FrontDesk, make_chat
from tests.wire.discord import DiscordServer


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        yield server


@pytest.fixture(autouse=True)
def identify_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hook(*_: Any, **__: Any) -> None:
        """Leave out the five seconds that the library waits between two shards."""

    monkeypatch.setattr(discord.Client, "before_identify_hook", hook)


@asynccontextmanager
async def listening(
    server: DiscordServer, lots: Lots, front: FrontDesk | None = None
) -> AsyncIterator[DiscordChat]:
    """Run a process that has some parts, beside others."""
    chat = make_chat(server, lots=lots)
    task = asyncio.create_task(chat.run((front or FrontDesk()).desk()))
    try:
        yield chat
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_each_server_is_heard_by_one_process_and_direct_messages_by_that_of_the_first_shard(
    server: DiscordServer,
) -> None:
    fronts = [FrontDesk(), FrontDesk()]
    async with AsyncExitStack() as stack:
        chats = [
            await stack.enter_async_context(listening(server, Lots((part,), 2), front))
            for part, front in enumerate(fronts)
        ]
        await until(lambda: all(chat.is_connected for chat in chats))
        assert sorted(one.shard for one in server.hub._sessions.values()) == [(0, 2), (1, 2)]
        await server.slash(server.channel, server.ann, "help")
        await server.say(server.channel, server.boss, "{bot} help")
        await server.received(server.channel, 2)
        direct = server.direct(server.ann)
        await server.say(direct, server.ann, "btc")
        await server.received(direct)
    home = (int(server.home) >> 22) % 2
    said = [sorted(words for _, words in front.heard) for front in fronts]
    assert said == ([["/help", "btc", "help"], []] if home == 0 else [["btc"], ["/help", "help"]])


async def test_who_has_all_parts_is_one_connection_and_who_has_some_is_one_for_each(
    server: DiscordServer,
) -> None:
    async with listening(server, Lots((0, 1), 2)) as chat:
        await until(lambda: chat.is_connected)
        assert [one.shard for one in server.hub._sessions.values()] == [(0, 1)]
    server.hub.forget()
    async with listening(server, Lots((0, 2), 3)) as chat:
        await until(lambda: chat.is_connected)
        assert [one.shard for one in server.hub._sessions.values()] == [(0, 3), (2, 3)]
        await server.hub.drop()
        await until(lambda: server.hub.resumes == 2)
        await until(lambda: chat.is_connected)


async def test_who_has_all_parts_is_one_shard_for_each_where_discord_wants_several(
    server: DiscordServer,
) -> None:
    server.hub.least = 2
    async with listening(server, Lots((0, 1), 2)) as chat:
        await until(lambda: chat.is_connected)
        assert [one.shard for one in server.hub._sessions.values()] == [(0, 2), (1, 2)]
        assert not chat.trouble


async def test_a_process_tells_its_chats_whichever_shard_hears_them(server: DiscordServer) -> None:
    async with AsyncExitStack() as stack:
        for part in (0, 1):
            chat = await stack.enter_async_context(listening(server, Lots((part,), 2)))
            await until(lambda chat=chat: chat.is_connected)
            for place in (server.channel, server.direct(server.ann)):
                told = await chat.send(
                    ChatRef("discord", place), say(f"from {part}"), f"nonce {part} {place}"
                )
                assert isinstance(told, Receipt)
        texts = [one.text for one in await server.received(server.channel, 2)]
    assert texts == ["from 0", "from 1"]


async def test_a_process_finds_places_in_servers_that_another_hears(server: DiscordServer) -> None:
    other = 1 - (int(server.home) >> 22) % 2
    async with listening(server, Lots((other,), 2)) as chat:
        await until(lambda: chat.is_connected)
        asking = ChatRef("discord", server.direct(server.boss))
        place = await chat.find_place(f"<#{server.channel}>", asking, str(server.boss))
        assert place is not None
        assert (place.may_post, place.is_admin) == (True, True)
        server.bar(server.channel)
        place = await chat.find_place(f"<#{server.channel}>", asking, str(server.boss))
        assert place is not None
        assert not place.may_post
        assert await chat.is_admin(ChatRef("discord", server.channel), str(server.boss))
        assert not await chat.is_admin(ChatRef("discord", server.channel), str(server.ann))


async def test_the_slash_commands_are_registered_by_who_has_the_first_part(server: DiscordServer) -> None:
    async with listening(server, Lots((1,), 2)) as chat:
        await until(lambda: chat.is_connected)
        assert not [path for _, path, _ in server.requests if path.endswith("/commands")]
        async with listening(server, Lots((0,), 2)) as first:
            await until(lambda: first.is_connected)
            assert [path for _, path, _ in server.requests if path.endswith("/commands")]


async def test_why_discord_does_not_let_a_shard_in_is_told_as_of_a_bot_that_is_whole(
    server: DiscordServer,
) -> None:
    server.hub.bars = 4014
    async with listening(server, Lots((1,), 2)) as chat:
        await until(lambda: "does not allow this bot an intent" in chat.trouble)
        server.hub.bars = 0
        await until(lambda: chat.is_connected)
