"""Replies on Telegram, both ways: what goes on with a message stands below it, and what people reply to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from telegram import Update

from bot.alerts.message import Message, say
from bot.alerts.people import ChatRef
from bot.chats.studio import Studio
from bot.chats.telegram_inbox import read
from bot.ports import Receipt
from tests.pictures import stub
from tests.test_telegram import (
    ANN,
    BEN,
    CHANNEL,
    GROUP,
    Person,
    chat_of,
    check_against_schema,
    listening,
    private,
)
from tests.test_telegram_buttons import PICTURE
from tests.wire.telegram import TelegramServer

if TYPE_CHECKING:
    from tests.conftest import SetClock


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as running:
        yield running
    for call in running.calls:
        check_against_schema(call)


async def sent(chat: Any, to: ChatRef, message: Message, nonce: str) -> str:
    receipt = await chat.send(to, message, nonce)
    assert isinstance(receipt, Receipt)
    return receipt.message


def after(message: str, *lines: str, **more: Any) -> Message:
    return Message(lines=lines, answers=message, **more)


async def test_what_goes_on_with_a_message_stands_below_it(server: TelegramServer, clock: SetClock) -> None:
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server):
        ring = await sent(chat, private(), say("#1 fell below 100,000."), "1")
        await sent(chat, private(), after(ring, "#1 is taken back."), "2")
        long = [f"{number:4} " + "x" * 95 for number in range(60)]
        await sent(chat, private(), after(ring, *long), "3")
    _, taken_back, first, second = server.shown(ANN)
    assert (taken_back.reply_to, first.reply_to, second.reply_to) == (int(ring), int(ring), None)


async def test_a_picture_that_telegram_knows_goes_below_the_message_too(
    server: TelegramServer, clock: SetClock
) -> None:
    server.private(ANN)
    server.private(BEN)
    chat = chat_of(server, clock, studio=Studio(stub))
    async with listening(chat, server):
        ring = await sent(chat, private(), say("#1 rang"), "1")
        other = await sent(chat, private(BEN), Message(lines=("with",), chart=PICTURE), "2")
        await chat.illustrate(private(BEN), other, Message(lines=("with",), chart=PICTURE))
        await sent(chat, private(), after(ring, "still so", chart=PICTURE), "3")
    _, reminder = server.shown(ANN)
    assert reminder.photo
    assert reminder.reply_to == int(ring)


async def test_where_the_message_is_gone_what_goes_on_with_it_is_told_all_the_same(
    server: TelegramServer, clock: SetClock
) -> None:
    place = server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server):
        ring = await sent(chat, private(), say("#1 rang"), "1")
        del place.posts[int(ring)]
        await sent(chat, private(), after(ring, "#1 is over."), "2")
        await sent(chat, private(), after("of another platform", "#1 is over."), "3")
    assert [one.reply_to for one in server.shown(ANN)] == [None, None, None]


async def test_what_comes_to_the_group_since_its_topic_is_closed_answers_nothing_there(
    server: TelegramServer, clock: SetClock
) -> None:
    place = server.group(GROUP, topics=[17])
    topic = ChatRef("telegram", str(GROUP), "17")
    chat = chat_of(server, clock)
    async with listening(chat, server):
        ring = await sent(chat, topic, say("#1 rang"), "1")
        await sent(chat, topic, after(ring, "still"), "2")
        place.closed.add(17)
        await sent(chat, topic, after(ring, "over"), "3")
    told = [(one.thread, one.reply_to) for one in server.shown(GROUP)]
    assert told == [(17, None), (17, int(ring)), (None, None)]


async def test_a_reply_to_the_bot_is_brought_with_the_message_that_it_answers(
    server: TelegramServer, clock: SetClock
) -> None:
    server.private(ANN)
    server.group(GROUP)
    server.channel(CHANNEL)
    person = Person()
    chat = chat_of(server, clock)
    async with listening(chat, server, person.desk):
        rings = [
            await sent(chat, to, say("#1 rang"), "1")
            for to in (private(), ChatRef("telegram", str(GROUP)), ChatRef("telegram", str(CHANNEL)))
        ]
        await server.say(ANN, ANN, "mute 1h", to=int(rings[0]))
        await server.received(ANN, 2)
        await server.say(GROUP, BEN, "why", to=int(rings[1]))
        [_, answer] = await server.received(GROUP, 2)
        theirs = await server.say(GROUP, BEN, "hello all")
        await server.say(GROUP, ANN, "hello you", to=theirs)
        await server.say(GROUP, ANN, "/alerts", to=theirs)
        await server.received(GROUP, 3)
    assert [(words, caller.answers) for caller, words in person.heard] == [
        ("mute 1h", rings[0]),
        ("why", rings[1]),
        ("/alerts", ""),
    ]
    assert answer.reply_to is not None


@pytest.mark.parametrize(
    ("author", "kind", "answers"),
    [
        ({"from": {"id": 1, "is_bot": True, "first_name": "T", "username": "Tocsin_Bot"}}, "supergroup", "4"),
        ({"from": {"id": 2, "is_bot": True, "first_name": "O", "username": "other_bot"}}, "supergroup", ""),
        ({"from": {"id": 7, "is_bot": False, "first_name": "A"}}, "supergroup", ""),
        ({"sender_chat": {"id": -100, "type": "channel", "title": "News"}}, "channel", "4"),
    ],
)
def test_only_what_this_bot_said_is_answered(author: dict[str, Any], kind: str, answers: str) -> None:
    chat = {"id": -100, "type": kind, "title": "Traders"}
    told = {"message_id": 4, "date": 1, "chat": chat, "text": "#1 rang"} | author
    speaker = author if kind == "channel" else {"from": {"id": 7, "is_bot": False, "first_name": "A"}}
    post = {"message_id": 5, "date": 1, "chat": chat, "text": "/why", "reply_to_message": told} | speaker
    update = Update.de_json({"update_id": 1, "channel_post" if kind == "channel" else "message": post}, None)
    said = read(update, "tocsin_bot")
    assert said is not None
    assert said.caller.answers == answers
