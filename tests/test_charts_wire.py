"""Charts on the way to people: photos on Telegram, files on Discord, blocks on the console."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.alerts.chart import Chart
from bot.alerts.message import Message, say
from bot.alerts.people import ChatRef
from bot.chats import telegram_posts
from bot.chats.console import ME, ConsoleChat
from bot.chats.studio import Studio
from bot.ports import ChatGone, ChatMoved, Receipt, Replies, RetryLater
from tests.conftest import SetClock
from tests.pictures import image, ringing_chart, stub
from tests.test_discord import FrontDesk, ref, running
from tests.test_telegram import (
    ANN,
    BEN,
    GROUP,
    Person,
    chat_of,
    check_against_schema,
    listening,
    private,
    replying,
)
from tests.wire.discord import DiscordServer
from tests.wire.telegram import HANG, LOSE, RESET, Call, TelegramServer, bad, flood, forbidden

RING = Message(
    "#1 BTC/USDT fell below 100,000 & <b>more</b>.", ("Note: cut the long",), chart=ringing_chart()
)
LONG = replace(RING, lines=("Note: " + "x" * 1100,))


class Drawing:
    """A studio's hand that makes a small picture at once, or when it is let, and counts them."""

    def __init__(self, waits: bool = False) -> None:
        self.charts: list[Chart] = []
        self.may_end = threading.Event()
        if not waits:
            self.may_end.set()

    def __call__(self, chart: Chart) -> bytes:
        self.charts.append(chart)
        self.may_end.wait(10)
        return stub(chart)


PNG = stub(ringing_chart())

# --- Telegram -----------------------------------------------------------------------------------------------


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        server.private(ANN)
        server.private(BEN)
        yield server
    for call in server.calls:
        check_against_schema(call)


def photos(server: TelegramServer) -> list[Call]:
    return server.called("sendPhoto")


async def test_a_ring_is_a_photo_with_its_text_below_and_its_file_serves_the_next_chat(
    telegram: TelegramServer, clock: SetClock
) -> None:
    chat = chat_of(telegram, clock, studio=Studio(patience=30))  # draws in earnest
    async with listening(chat, telegram):
        first = await chat.send(private(ANN), RING, "ring/1")
        second = await chat.send(private(BEN), RING, "ring/1")
    assert isinstance(first, Receipt) and isinstance(second, Receipt)
    uploaded, named = photos(telegram)
    assert image(uploaded.params["photo"]).size == (1080, 720)
    assert named.params["photo"] in telegram.files
    for person in (ANN, BEN):
        [shown] = telegram.shown(person)
        assert shown.photo and shown.text == RING.plain()
    assert not telegram.called("sendMessage")


async def test_a_hundred_chats_at_once_cost_one_drawing_and_one_upload(
    telegram: TelegramServer, clock: SetClock
) -> None:
    people = range(5000, 5100)
    for person in people:
        telegram.private(person)
    drawing = Drawing()
    chat = chat_of(telegram, clock, studio=Studio(drawing))
    async with listening(chat, telegram):
        sent = await asyncio.gather(*(chat.send(private(one), RING, "ring/1") for one in people))
    assert all(isinstance(outcome, Receipt) for outcome in sent)
    assert len(drawing.charts) == len(telegram.files) == 1
    assert len(photos(telegram)) == 100


@pytest.mark.parametrize(
    "trouble",
    [
        bad("not enough rights to send photos to the chat"),
        bad("PHOTO_INVALID_DIMENSIONS"),
        bad("CHAT_SEND_PHOTOS_FORBIDDEN"),
        RESET,
        HANG,
    ],
    ids=["no rights", "refused", "forbidden", "reset", "hang"],
)
async def test_a_photo_that_cannot_be_sent_leaves_the_text(
    telegram: TelegramServer, clock: SetClock, monkeypatch: pytest.MonkeyPatch, trouble: Any
) -> None:
    monkeypatch.setattr(telegram_posts, "UPLOAD_WITHIN", 0.3)
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    async with listening(chat, telegram):
        telegram.order("sendphoto", trouble)
        assert isinstance(await chat.send(private(), RING, "ring/1"), Receipt)
    [shown] = telegram.shown(ANN)
    assert (shown.text, shown.photo) == (RING.plain(), "")


async def test_a_photo_whose_answer_was_lost_is_told_in_text_too(
    telegram: TelegramServer, clock: SetClock
) -> None:
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    async with listening(chat, telegram):
        telegram.order("sendphoto", LOSE)
        assert isinstance(await chat.send(private(), RING, "ring/1"), Receipt)
    assert [bool(shown.photo) for shown in telegram.shown(ANN)] == [True, False]


async def test_what_concerns_the_chat_is_said_of_a_photo_as_of_a_text(
    telegram: TelegramServer, clock: SetClock
) -> None:
    telegram.group(-77)
    telegram.migrate(-77, GROUP)
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    async with listening(chat, telegram):
        telegram.order("sendphoto", flood(7), forbidden("bot was blocked by the user"))
        assert await chat.send(private(), RING, "a") == RetryLater(7.0, "Telegram asks to wait")
        assert isinstance(await chat.send(private(), RING, "a"), ChatGone)
        moved = await chat.send(ChatRef("telegram", "-77"), RING, "a")
        assert moved == ChatMoved(ChatRef("telegram", str(GROUP)))
    assert not telegram.called("sendMessage")


async def test_a_text_too_long_for_a_caption_goes_before_its_chart(
    telegram: TelegramServer, clock: SetClock
) -> None:
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    async with listening(chat, telegram):
        receipt = await chat.send(private(), LONG, "ring/1")
        telegram.order("sendphoto", flood(5))
        assert isinstance(await chat.send(private(BEN), LONG, "ring/1"), Receipt)
    text, photo = telegram.shown(ANN)
    assert (text.text, text.photo) == (LONG.plain(), "") and photo.photo and photo.text == ""
    assert receipt == Receipt(str(text.id))
    assert [shown.text for shown in telegram.shown(BEN)] == [LONG.plain()]


async def test_a_file_that_telegram_forgot_is_uploaded_again(
    telegram: TelegramServer, clock: SetClock
) -> None:
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    async with listening(chat, telegram):
        await chat.send(private(), RING, "a")
        telegram.files.clear()
        await chat.send(private(BEN), RING, "a")
        await chat.send(private(ANN), RING, "b")
    assert all(shown.photo for person in (ANN, BEN) for shown in telegram.shown(person))
    assert [isinstance(call.params["photo"], bytes) for call in photos(telegram)] == [
        True,
        False,
        True,
        False,
    ]


async def test_a_chart_for_a_topic_that_is_gone_goes_to_the_group(
    telegram: TelegramServer, clock: SetClock
) -> None:
    telegram.group(GROUP, topics=[5])
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    async with listening(chat, telegram):
        assert isinstance(await chat.send(ChatRef("telegram", str(GROUP), "9"), RING, "a"), Receipt)
    [shown] = telegram.shown(GROUP)
    assert shown.photo and shown.thread is None


async def test_an_answer_may_be_a_chart_and_a_later_one_takes_its_place(
    telegram: TelegramServer, clock: SetClock
) -> None:
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    person = Person(replying(say("looking"), RING, say("gone")))
    async with listening(chat, telegram, person.desk):
        await telegram.say(GROUP, ANN, "/chart@tocsin_test_bot btc")
        await telegram.until(lambda: telegram.texts(GROUP) == ["gone"])
    [uploaded] = photos(telegram)
    assert uploaded.status == 200
    assert uploaded.params["reply_parameters"]


async def test_a_chart_that_takes_too_long_is_left_out(telegram: TelegramServer, clock: SetClock) -> None:
    drawing = Drawing(waits=True)
    chat = chat_of(telegram, clock, studio=Studio(drawing, patience=0.05))
    async with listening(chat, telegram):
        assert isinstance(await chat.send(private(), RING, "a"), Receipt)
        drawing.may_end.set()
    assert telegram.texts(ANN) == [RING.plain()] and not photos(telegram)


# --- Discord ------------------------------------------------------------------------------------------------


@pytest.fixture
async def discord(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordServer]:
    monkeypatch.setattr(Route, "BASE", Route.BASE)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", DiscordWebSocket.DEFAULT_GATEWAY)
    async with DiscordServer() as server:
        yield server


def answering(*messages: Message) -> FrontDesk:
    async def replies(_said: str) -> Replies:
        for message in messages:
            yield message

    return FrontDesk(replies)


async def test_a_ring_on_discord_has_its_chart_as_a_file(discord: DiscordServer) -> None:
    async with running(discord, studio=Studio(patience=30)) as chat:  # draws in earnest
        sent = await chat.send(ref(discord.channel), RING, "ring/1")
        again = await chat.send(ref(discord.channel), RING, "ring/1")
        await chat.send(ref(discord.direct(discord.ann)), RING, "ring/1")
    assert isinstance(sent, Receipt) and again == sent  # the nonce holds for files too
    for channel in (discord.channel, discord.direct(discord.ann)):
        [shown] = discord.shown(channel)
        assert "fell below 100,000" in shown.text
        [picture] = shown.pictures
        assert image(picture).size == (1080, 720)


async def test_where_files_are_not_allowed_the_text_goes_alone_and_no_file_is_tried_again(
    discord: DiscordServer,
) -> None:
    discord.bar(discord.channel, files_only=True)
    async with running(discord, studio=Studio(Drawing())) as chat:
        for number in range(3):
            assert isinstance(await chat.send(ref(discord.channel), RING, f"ring/{number}"), Receipt)
    assert [shown.pictures for shown in discord.shown(discord.channel)] == [()] * 3
    assert discord.refused == 1


async def test_a_channel_that_takes_nothing_is_gone_with_a_chart_too(discord: DiscordServer) -> None:
    discord.bar(discord.channel)
    async with running(discord, studio=Studio(Drawing())) as chat:
        assert isinstance(await chat.send(ref(discord.channel), RING, "ring/1"), ChatGone)


async def test_a_long_message_has_its_chart_with_its_last_part(discord: DiscordServer) -> None:
    message = replace(RING, lines=("x " * 1500,))
    async with running(discord, studio=Studio(Drawing())) as chat:
        await chat.send(ref(discord.channel), message, "ring/1")
    *others, last = (shown.pictures for shown in discord.shown(discord.channel))
    assert last == (PNG,) and others and not any(others)


async def test_a_slash_command_is_answered_with_a_chart(discord: DiscordServer) -> None:
    async with running(discord, answering(RING), studio=Studio(Drawing())):
        await discord.slash(discord.channel, discord.ann, "help")
        [shown] = await discord.received(discord.channel)
    assert shown.pictures == (PNG,)


async def test_a_chart_that_takes_a_while_is_deferred_like_any_answer(discord: DiscordServer) -> None:
    drawing = Drawing(waits=True)
    async with running(discord, answering(RING), studio=Studio(drawing), answer_within=0.05):
        asked = await discord.slash(discord.channel, discord.ann, "help")
        await discord.answered(asked)
        assert discord.is_thinking(asked)
        drawing.may_end.set()
        [shown] = await discord.received(discord.channel)
    assert shown.pictures == (PNG,)


async def test_a_reply_without_a_chart_takes_the_picture_away(discord: DiscordServer) -> None:
    async with running(discord, answering(RING, say("gone")), studio=Studio(Drawing())):
        await discord.slash(discord.channel, discord.ann, "help")
        await discord.reads(discord.channel, "gone")
    [shown] = discord.shown(discord.channel)
    assert (shown.text, shown.pictures) == ("gone", ())


async def test_an_answer_where_files_are_not_allowed_is_text(discord: DiscordServer) -> None:
    discord.bar(discord.channel, files_only=True)
    async with running(discord, answering(RING), studio=Studio(Drawing())):
        await discord.slash(discord.channel, discord.ann, "help")
        await discord.received(discord.channel)
        await discord.say(discord.channel, discord.ann, "{bot} /help")
        shown = await discord.received(discord.channel, 2)
    assert [one.pictures for one in shown] == [(), ()]


# --- the console --------------------------------------------------------------------------------------------


async def test_the_console_shows_a_line_of_blocks_and_names_the_file(clock: SetClock, tmp_path: Path) -> None:
    out = io.StringIO()
    chat = ConsoleChat(clock, io.StringIO(), out, pictures=tmp_path / "charts", studio=Studio(patience=30))
    assert isinstance(await chat.send(ME, RING, ""), Receipt)
    *_, blocks, path = (line.strip() for line in out.getvalue().splitlines())
    assert set(blocks.split("  ")[0]) <= set("▁▂▃▄▅▆▇█")
    assert path == str(tmp_path / "charts" / "20251112-120000-1.png")
    assert image(await asyncio.to_thread(Path(path).read_bytes)).size == (1080, 720)


async def test_the_console_keeps_the_newest_pictures_and_programs_get_none(
    clock: SetClock, tmp_path: Path
) -> None:
    chat = ConsoleChat(clock, io.StringIO(), io.StringIO(), pictures=tmp_path, studio=Studio(Drawing()))
    for _ in range(60):
        await chat.send(ME, RING, "")
    assert len(os.listdir(tmp_path)) == 50  # noqa: PTH208
    drawing = Drawing()
    program = ConsoleChat(
        clock, io.StringIO(), io.StringIO(), as_json=True, pictures=tmp_path, studio=Studio(drawing)
    )
    await program.send(ME, RING, "")
    assert drawing.charts == []
