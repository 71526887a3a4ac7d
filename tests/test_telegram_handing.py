"""Telegram divided: one process hears all chats, and hands on what is said where another tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.alerts.lots import Lots
from bot.alerts.message import say
from bot.alerts.people import Caller, ChatRef
from bot.chats.lanes import Lanes
from bot.ports import Replies
from tests.streaming import until
from tests.test_telegram import Person, chat_of, listening
from tests.wire.telegram import TelegramServer

if TYPE_CHECKING:
    from tests.conftest import SetClock

FIRST, SECOND = Lots((0,), 2), Lots((1,), 2)
THERE = next(number for number in range(1001, 1099) if SECOND.have(str(number)))
GROUP = next(-number for number in range(1001, 1099) if SECOND.have(str(-number)))


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as running:
        yield running


class Colleague:
    """Another process, which takes over what it is handed while it ``takes``, as soon as the gate is open."""

    def __init__(self) -> None:
        self.takes = True
        self.gate = asyncio.Event()
        self.handed: list[str] = []
        self.events: list[str] = []

    async def hand_on(self, _chat: ChatRef, said: bytes) -> bool:
        self.handed.append(said.decode())
        self.events.append(f"handed {len(self.handed)}, {self.takes}")
        is_taken = self.takes
        await self.gate.wait()
        return is_taken


async def test_what_nobody_takes_over_is_answered_before_what_is_said_after_it(
    server: TelegramServer, clock: SetClock
) -> None:
    colleague = Colleague()
    colleague.takes = False

    async def answer(_caller: Caller, words: str) -> Replies:
        colleague.events.append(words)
        colleague.takes = True
        yield say(words)

    desk = replace(Person(answer).desk, hand_on=colleague.hand_on)
    async with listening(chat_of(server, clock, lots=FIRST), server, desk):
        await server.say(THERE, THERE, "/list")
        await server.say(THERE, THERE, "/undo")
        await server.until(lambda: server.unconfirmed == 0)
        colleague.gate.set()
        await until(lambda: len(colleague.handed) == 2)
    assert colleague.events == ["handed 1, False", "/list", "handed 2, True"]


async def test_nothing_that_nobody_takes_over_is_lost_to_what_waits_behind_it(
    server: TelegramServer, clock: SetClock
) -> None:
    colleague = Colleague()
    colleague.takes = False
    desk = replace(Person().desk, hand_on=colleague.hand_on)
    async with listening(chat_of(server, clock, lots=FIRST), server, desk):
        for number in range(20):
            await server.say(THERE, THERE, f"{number}")
        await server.until(lambda: server.unconfirmed == 0)
        await server.say(THERE + 1, THERE + 1, "passes")
        await server.until(lambda: server.unconfirmed == 0)
        colleague.gate.set()
        texts = [one.text for one in await server.received(THERE, 17)]
    assert texts[:16] == [f"heard {number}" for number in range(16)]
    assert "Too many commands at once" in texts[16]


async def test_what_is_not_said_to_the_bot_is_not_handed_on(server: TelegramServer, clock: SetClock) -> None:
    colleague = Colleague()
    colleague.gate.set()
    desk = replace(Person().desk, hand_on=colleague.hand_on)
    server.group(GROUP, "Friends")
    async with listening(chat_of(server, clock, lots=FIRST), server, desk):
        await server.say(GROUP, THERE, "how are you all?")
        await server.say(GROUP, THERE, "/list")
        await until(lambda: bool(colleague.handed))
    assert ["/list" in said for said in colleague.handed] == [True]


async def test_who_ends_takes_nothing_over_any_more(server: TelegramServer, clock: SetClock) -> None:
    gate, heard = asyncio.Event(), asyncio.Event()

    async def answer(_caller: Caller, words: str) -> Replies:
        heard.set()
        await gate.wait()
        yield say(words)

    hears, tells = chat_of(server, clock, lots=FIRST), chat_of(server, clock, lots=SECOND)
    handed: asyncio.Queue[bytes] = asyncio.Queue()

    async def hand_on(_chat: ChatRef, said: bytes) -> bool:
        await handed.put(said)
        return True

    async with listening(hears, server, replace(Person().desk, hand_on=hand_on)):
        telling = listening(tells, server, Person(answer).desk)
        await telling.__aenter__()
        await server.say(THERE, THERE, "/list")
        said = await handed.get()
        assert await tells.take_over(said)
        await heard.wait()
        ending = asyncio.create_task(telling.__aexit__(None, None, None))
        await asyncio.sleep(0.05)
        assert not await tells.take_over(said), "what it took is answered, and no more is taken"
        gate.set()
        await ending
    assert server.texts(THERE) == ["/list"]


async def test_lanes_that_are_full_say_so_before_anybody_waits() -> None:
    lanes, gate = Lanes(held=1), asyncio.Event()

    async def work() -> None:
        await gate.wait()

    assert not lanes.are_full
    await lanes.put("a", work)
    assert lanes.are_full
    gate.set()
    await lanes.drain(1)
    assert not lanes.are_full
