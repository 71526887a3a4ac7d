"""What Telegram shows of the bot: commands per kind of chat and language, and what it says of itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import structlog

from bot.catalogues import read_languages
from bot.chats.telegram_menu import Menu
from bot.commands import COMMANDS
from tests.test_telegram import ANN, Person, chat_of, check_against_schema, listening
from tests.wire.telegram import TelegramServer, Trouble, bad

if TYPE_CHECKING:
    from tests.conftest import SetClock

CHOSEN = tuple(one for one in COMMANDS if one.name in ("alert", "price", "level", "publish", "subscribe"))
MENU = Menu(CHOSEN, read_languages())
WHAT = "I watch the market and ring here when what you wrote comes true."


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as running:
        yield running
    for call in running.calls:
        check_against_schema(call)


async def dressed(server: TelegramServer, clock: SetClock, menu: Menu) -> None:
    """Let the bot listen until it has shown what it shows."""
    with structlog.testing.capture_logs() as lines:
        async with listening(chat_of(server, clock, menu=menu), server):
            async with asyncio.timeout(10):
                while "telegram listens" not in [line["event"] for line in lines]:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)


def commands(server: TelegramServer, language: str) -> dict[str, list[str]]:
    return {
        json.loads(scope)["type"]: [one["command"] for one in listed]
        for (scope, code), listed in server.commands.items()
        if code == language
    }


async def test_each_kind_of_chat_lists_what_may_be_used_there_in_each_language(
    server: TelegramServer, clock: SetClock
) -> None:
    server.private(ANN)
    await dressed(server, clock, replace(MENU, operators=(str(ANN),)))
    for language in ("", "zh"):
        assert commands(server, language) == {
            "default": ["alert", "price", "subscribe", "level"],
            "all_group_chats": ["alert", "price", "level"],
            "all_chat_administrators": ["alert", "price", "subscribe", "level"],
            "chat": ["alert", "price", "subscribe", "publish", "level"],
        }
    [english, chinese] = [
        next(one["description"] for one in listed if one["command"] == "price")
        for (scope, _), listed in sorted(server.commands.items(), key=lambda one: one[0][1])
        if json.loads(scope)["type"] == "default"
    ]
    assert english == "Say the present price of one or several instruments"
    assert any(sign > "\u2e80" for sign in chinese)


async def test_the_menu_is_set_only_when_it_changed(server: TelegramServer, clock: SetClock) -> None:
    for menu, sets, deletes in (
        (MENU, 6, 0),
        (MENU, 6, 0),
        (replace(MENU, commands=CHOSEN[1:]), 12, 0),
        (replace(MENU, commands=()), 12, 6),
    ):
        await dressed(server, clock, menu)
        assert len(server.called("setMyCommands")) == sets
        assert len(server.called("deleteMyCommands")) == deletes
    assert server.commands == {}
    assert len(server.called("setMyDescription")) == len(server.called("setMyShortDescription")) == 2


async def test_an_operator_gets_their_menu_when_they_first_write(
    server: TelegramServer, clock: SetClock
) -> None:
    async with listening(chat_of(server, clock, menu=replace(MENU, operators=(str(ANN),))), server):
        await server.until(lambda: len(server.called("setMyCommands")) == 7)
        assert "chat" not in commands(server, "")
        await server.say(ANN, ANN, "/start")
        await server.until(lambda: "chat" in commands(server, "zh"))
        count = len(server.called("getMyCommands"))
        await server.say(ANN, ANN, "/start")
        await server.received(ANN, 2)
        assert len(server.called("getMyCommands")) == count


async def test_the_bot_says_what_it_is_in_each_language(server: TelegramServer, clock: SetClock) -> None:
    await dressed(server, clock, MENU)
    assert server.described["short_description", ""] == WHAT
    assert server.described["description", ""].startswith(f"{WHAT}\n\nWrite what you want to hear of: ")
    assert server.described["short_description", "zh"] == "我盯着行情，你写的条件一成立就在这里提醒。"


async def test_what_operators_say_of_the_bot_themselves_stays(
    server: TelegramServer, clock: SetClock
) -> None:
    server.described["description", ""] = "The bot of our desk."
    server.described["short_description", "zh"] = "我们的机器人"
    await dressed(server, clock, MENU)
    assert server.described == {
        ("description", ""): "The bot of our desk.",
        ("short_description", ""): WHAT,
        ("short_description", "zh"): "我们的机器人",
    }


async def test_a_menu_that_telegram_refuses_keeps_nobody_from_being_answered(
    server: TelegramServer, clock: SetClock
) -> None:
    with structlog.testing.capture_logs() as lines:
        server.order("getMyCommands", Trouble("none"))
        server.order("setMyCommands", bad("BOT_COMMAND_INVALID"))
        server.order("getMyDescription", bad("no"))
        task = asyncio.create_task(chat_of(server, clock, menu=MENU).run(Person().desk))
        await server.say(ANN, ANN, "hello")
        await server.received(ANN, 1)
        await server.until(lambda: bool(server.called("setMyCommands")))
        await server.until(lambda: "telegram listens" in [line["event"] for line in lines])
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert "telegram menu not set" in [line["event"] for line in lines]
