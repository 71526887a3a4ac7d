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

from bot.alerts.chart import Chart
from bot.alerts.message import Button, Message, say
from bot.alerts.people import ChatRef
from bot.chats.console import ME, ConsoleChat
from bot.chats.studio import Studio
from bot.ports import ChatGone, ChatMoved, Receipt, Rejected, Replies, RetryLater
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


async def ring(chat: Any, where: ChatRef, message: Message, nonce: str) -> Receipt:
    """Send a message, and add its chart where that did not go with it, as whoever delivers does."""
    receipt = await chat.send(where, message, nonce)
    assert isinstance(receipt, Receipt)
    if not receipt.has_chart:
        assert isinstance(await chat.illustrate(where, receipt.message, message), Receipt)
    return receipt


async def test_a_ring_is_text_at_once_that_becomes_a_photo_and_its_file_serves_the_next_chat(
    telegram: TelegramServer, clock: SetClock
) -> None:
    chat = chat_of(telegram, clock, studio=Studio(patience=30))  # draws in earnest
    async with listening(chat, telegram):
        receipt = await chat.send(private(ANN), RING, "ring/1")
        assert isinstance(receipt, Receipt) and not receipt.has_chart
        [shown] = telegram.shown(ANN)
        assert (shown.text, shown.photo) == (RING.plain(), "")
        assert await chat.illustrate(private(ANN), receipt.message, RING) == receipt
        again = await chat.illustrate(private(ANN), receipt.message, RING)
        second = await chat.send(private(BEN), RING, "ring/1")
    assert again == receipt and isinstance(second, Receipt) and second.has_chart
    [picture] = telegram.files.values()
    assert image(picture).size == (1080, 720)
    for person in (ANN, BEN):
        [shown] = telegram.shown(person)
        assert shown.photo in telegram.files and shown.text == RING.plain()


async def test_a_hundred_chats_at_once_cost_one_drawing_and_one_upload(
    telegram: TelegramServer, clock: SetClock
) -> None:
    people = range(5000, 5100)
    for person in people:
        telegram.private(person)
    drawing = Drawing()
    chat = chat_of(telegram, clock, studio=Studio(drawing))
    async with listening(chat, telegram):
        await asyncio.gather(*(ring(chat, private(one), RING, "ring/1") for one in people))
    assert len(drawing.charts) == len(telegram.files) == 1
    assert all(shown.photo for one in people for shown in telegram.shown(one))


@pytest.mark.parametrize(
    ("trouble", "asks"),
    [
        (bad("not enough rights to send photos to the chat"), ChatGone),
        (bad("PHOTO_INVALID_DIMENSIONS"), Rejected),
        (RESET, RetryLater),
        (HANG, Rejected),
        (flood(7), RetryLater),
    ],
    ids=["no rights", "refused", "reset", "hang", "flood"],
)
async def test_a_picture_that_cannot_be_added_leaves_the_text(
    telegram: TelegramServer, clock: SetClock, monkeypatch: pytest.MonkeyPatch, trouble: Any, asks: type
) -> None:
    monkeypatch.setattr("bot.chats.telegram.UPLOAD_WITHIN", 0.3)
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    async with listening(chat, telegram):
        receipt = await chat.send(private(), RING, "ring/1")
        assert isinstance(receipt, Receipt)
        telegram.order("editmessagemedia", trouble)
        assert isinstance(await chat.illustrate(private(), receipt.message, RING), asks)
    [shown] = telegram.shown(ANN)
    assert (shown.text, shown.photo) == (RING.plain(), "")


async def test_a_bot_api_that_turns_no_text_into_a_picture_is_sent_one_as_an_answer(
    telegram: TelegramServer, clock: SetClock
) -> None:
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    async with listening(chat, telegram):
        telegram.order("editmessagemedia", bad("there is no media in the message to edit"))
        receipt = await ring(chat, private(), RING, "ring/1")
    text, photo = telegram.shown(ANN)
    assert (text.text, text.photo) == (RING.plain(), "") and photo.photo and photo.text == ""
    assert str(photo.reply_to) == receipt.message


async def test_a_photo_whose_answer_was_lost_is_in_flight_and_nothing_follows_it_in_the_same_send(
    telegram: TelegramServer, clock: SetClock
) -> None:
    """It may have arrived: whether and when it is sent again is for the outbox, and then it is text."""
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    async with listening(chat, telegram):
        await ring(chat, private(BEN), RING, "ring/1")
        telegram.order("sendphoto", LOSE)
        assert isinstance(await chat.send(private(), RING, "ring/1"), RetryLater)
        assert [bool(shown.photo) for shown in telegram.shown(ANN)] == [True]
        assert isinstance(await chat.send(private(), RING, "ring/1"), Receipt)
    assert [bool(shown.photo) for shown in telegram.shown(ANN)] == [True, False]


async def test_what_concerns_the_chat_is_said_of_a_photo_as_of_a_text(
    telegram: TelegramServer, clock: SetClock
) -> None:
    telegram.group(-77)
    telegram.migrate(-77, GROUP)
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    async with listening(chat, telegram):
        await ring(chat, private(BEN), RING, "a")
        telegram.order("sendphoto", flood(7), forbidden("bot was blocked by the user"))
        assert await chat.send(private(), RING, "a") == RetryLater(7.0, "Telegram asks to slow down")
        assert isinstance(await chat.send(private(), RING, "b"), ChatGone)
        moved = await chat.send(ChatRef("telegram", "-77"), RING, "a")
        assert moved == ChatMoved(ChatRef("telegram", str(GROUP)))
    assert not telegram.texts(ANN)


async def test_a_text_too_long_for_a_caption_is_answered_with_its_chart(
    telegram: TelegramServer, clock: SetClock
) -> None:
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    async with listening(chat, telegram):
        await ring(chat, private(), LONG, "ring/1")
    text, photo = telegram.shown(ANN)
    assert (text.text, text.photo) == (LONG.plain(), "") and photo.photo and photo.text == ""
    assert photo.reply_to == text.id


async def test_a_file_that_telegram_forgot_is_uploaded_again(
    telegram: TelegramServer, clock: SetClock
) -> None:
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    async with listening(chat, telegram):
        await ring(chat, private(), RING, "a")
        telegram.files.clear()
        await ring(chat, private(BEN), RING, "a")
        await ring(chat, private(ANN), RING, "b")
    assert all(shown.photo for person in (ANN, BEN) for shown in telegram.shown(person))
    assert [call.status for call in photos(telegram)] == [400, 200]


async def test_what_was_answered_to_a_press_is_not_taken_away_by_the_chart(
    telegram: TelegramServer, clock: SetClock
) -> None:
    pressed = replace(RING, buttons=((Button("Arm again", "/resume 1"),),))
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    person = Person(replying(say("armed again")))
    async with listening(chat, telegram, person.desk):
        receipt = await chat.send(private(), pressed, "a")
        assert isinstance(receipt, Receipt)
        await telegram.press(ANN, ANN, "Arm again")
        await telegram.until(lambda: "armed again" in telegram.texts(ANN)[0])
        await chat.illustrate(private(), receipt.message, pressed)
    [shown] = telegram.shown(ANN)
    assert "armed again" in shown.text and not shown.photo


async def test_a_ring_of_a_closed_topic_goes_to_the_group_with_a_sentence_and_is_answered_with_its_chart(
    telegram: TelegramServer, clock: SetClock
) -> None:
    telegram.group(GROUP, topics=[5, 9]).closed.add(9)
    chat = chat_of(telegram, clock, studio=Studio(Drawing()))
    async with listening(chat, telegram):
        await ring(chat, ChatRef("telegram", str(GROUP), "5"), RING, "a")
        telegram.order("sendphoto", bad("TOPIC_CLOSED"))
        told = await chat.send(ChatRef("telegram", str(GROUP), "9"), replace(RING, chart=None), "b")
        assert isinstance(told, Receipt)
        await chat.illustrate(ChatRef("telegram", str(GROUP), "9"), told.message, RING)
        gone = await chat.send(ChatRef("telegram", str(GROUP), "77"), RING, "c")
    open_one, closed, chart = telegram.shown(GROUP)
    assert open_one.photo and open_one.thread == 5
    assert closed.text == f"This topic is closed, so what rings in it comes here.\n{RING.plain()}"
    assert closed.thread is None and chart.photo and chart.reply_to == closed.id
    assert isinstance(gone, ChatGone) and gone.is_over


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


# --- Discord ------------------------------------------------------------------------------------------------


@pytest.fixture
async def discord() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        yield server


def answering(*messages: Message) -> FrontDesk:
    async def replies(_said: str) -> Replies:
        for message in messages:
            yield message

    return FrontDesk(replies)


async def test_a_ring_on_discord_is_text_at_once_and_its_chart_is_added(discord: DiscordServer) -> None:
    async with running(discord, studio=Studio(patience=30)) as chat:  # draws in earnest
        sent = await chat.send(ref(discord.channel), RING, "ring/1")
        assert isinstance(sent, Receipt) and not sent.has_chart
        [shown] = discord.shown(discord.channel)
        assert "fell below 100,000" in shown.text and not shown.pictures
        assert await chat.illustrate(ref(discord.channel), sent.message, RING) == sent
        other = await chat.send(ref(discord.direct(discord.ann)), RING, "ring/1")
        again = await chat.send(ref(discord.direct(discord.ann)), RING, "ring/1")
    assert isinstance(other, Receipt) and other.has_chart
    assert again == other  # the nonce holds for files too
    for channel in (discord.channel, discord.direct(discord.ann)):
        [shown] = discord.shown(channel)
        assert "fell below 100,000" in shown.text
        [picture] = shown.pictures
        assert image(picture).size == (1080, 720)


async def test_where_files_are_not_allowed_the_text_goes_alone_and_no_file_is_tried_again(
    discord: DiscordServer,
) -> None:
    discord.bar(discord.channel, files_only=True)
    studio = Studio(Drawing())
    async with running(discord, studio=studio) as chat:
        assert await studio.picture(RING.chart)
        for number in range(3):
            sent = await chat.send(ref(discord.channel), RING, f"ring/{number}")
            assert isinstance(sent, Receipt)
            await chat.illustrate(ref(discord.channel), sent.message, RING)
    assert [shown.pictures for shown in discord.shown(discord.channel)] == [()] * 3
    assert discord.refused == 1


async def test_a_file_whose_answer_is_lost_is_in_flight_and_sent_again_as_text(
    discord: DiscordServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.chats.discord_posts._UPLOAD_WITHIN", 0.0)
    studio = Studio(Drawing(), patience=30)
    async with running(discord, studio=studio) as chat:
        assert await studio.picture(RING.chart)
        assert isinstance(await chat.send(ref(discord.channel), RING, "ring/1"), RetryLater)
        assert isinstance(await chat.send(ref(discord.channel), RING, "ring/1"), Receipt)
    assert len(discord.shown(discord.channel)) == 1


async def test_a_channel_that_takes_nothing_is_gone_with_a_chart_too(discord: DiscordServer) -> None:
    discord.bar(discord.channel)
    async with running(discord, studio=Studio(Drawing())) as chat:
        assert isinstance(await chat.send(ref(discord.channel), RING, "ring/1"), ChatGone)


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
