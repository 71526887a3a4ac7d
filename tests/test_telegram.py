"""Telegram: the real library over real sockets, against a loopback Bot API server.

Every request and every answer of these tests is checked against aiogram's schema of the Bot API as well, so
that the server and the bot are not wrong in the same way.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from telegram import Bot
from telegram.error import NetworkError

from bot.alerts.message import Message, say
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.alerts.translator import Translator
from bot.catalogues import read_languages
from bot.chats.lanes import Lanes
from bot.chats.telegram import TelegramChat
from bot.chats.telegram_http import AiohttpRequest
from bot.chats.telegram_reach import Doubts
from bot.chats.telegram_text import LIMIT, clean, render, width
from bot.ports import (
    ChatGone,
    ChatMoved,
    Choice,
    Desk,
    Outcome,
    Receipt,
    Refused,
    Rejected,
    Replies,
    RetryLater,
)
from tests.streaming import until
from tests.wire.telegram import (
    BAD_GATEWAY,
    HANG,
    LOSE,
    RESET,
    RESTART,
    Call,
    TelegramServer,
    Trouble,
    bad,
    flood,
    forbidden,
)
from tests.wire.telegram_markup import parse_html, units

if TYPE_CHECKING:
    from tests.conftest import SetClock

ANN = 1001
BEN = 1002
GROUP = -1001234567890
CHANNEL = -1009876543210


# --- the schema ---------------------------------------------------------------------------------------------


def check_against_schema(call: Call) -> None:
    """Hold a request and its answer against an independent description of the Bot API."""
    import aiogram.methods  # which takes seconds, and only who checks has to wait for

    method = getattr(aiogram.methods, call.method[0].upper() + call.method[1:])
    params = {name: decoded(value) for name, value in call.params.items() if not isinstance(value, bytes)}
    assert set(params) <= set(method.model_fields), call
    if len(params) == len(call.params):
        method.model_validate(params)
    if call.status == 200:
        TypeAdapter(method.__returning__).validate_python(call.answer["result"])
    else:
        assert call.answer["error_code"] == call.status
        assert call.answer["description"]


def decoded(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        with suppress(ValueError):
            return json.loads(value)
    return value


# --- what the tests stand on --------------------------------------------------------------------------------


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as running:
        yield running
    for call in running.calls:
        check_against_schema(call)


def forget(server: TelegramServer, method: str) -> None:
    """Leave out of the check by schema what a test got wrong on purpose."""
    server.calls = [call for call in server.calls if call.method != method]


class Person:
    """A desk that writes down what it is told, and answers as a test says."""

    def __init__(self, answer: Callable[[Caller, str], Replies] | None = None) -> None:
        self.heard: list[tuple[Caller, str]] = []
        self._answer = answer or echo
        self.desk = Desk(self._dispatch, self._complete)

    @property
    def words(self) -> list[str]:
        return [words for _, words in self.heard]

    def _dispatch(self, caller: Caller, words: str) -> Replies:
        self.heard.append((caller, words))
        return self._answer(caller, words)

    async def _complete(self, _caller: Caller, _command: str, _option: str, _prefix: str) -> list[Choice]:
        return []


async def echo(_caller: Caller, words: str) -> Replies:
    yield say(f"heard {words}")


def replying(*messages: Message) -> Callable[[Caller, str], Replies]:
    async def answer(_caller: Caller, _words: str) -> Replies:
        for message in messages:
            yield message

    return answer


def chat_of(server: TelegramServer, clock: SetClock, **more: Any) -> TelegramChat:
    doubts = Doubts(at_start=0, after_webhook=0)
    return TelegramChat(server.token, clock, root=server.root, **({"doubts": doubts} | more))


@asynccontextmanager
async def listening(
    chat: TelegramChat, server: TelegramServer, desk: Desk | None = None
) -> AsyncIterator[None]:
    """Run a chat until the block ends; it is connected when the block begins."""
    before = len(server.called("getMyCommands"))
    task = asyncio.create_task(chat.run(desk or Person().desk))
    connected = asyncio.create_task(server.until(lambda: len(server.called("getMyCommands")) >= before + 3))
    await asyncio.wait({task, connected}, return_when=asyncio.FIRST_COMPLETED)
    connected.cancel()
    try:
        if task.done():
            task.result()
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def private(person: int = ANN) -> ChatRef:
    return ChatRef("telegram", str(person))


# --- rendering ----------------------------------------------------------------------------------------------

LINE = st.text(st.characters(codec=None), max_size=80)
NASTY = st.sampled_from(["<b>", "&lt;", "</pre>", "&", "\ud83d", "\U0001f514", "\r\n", "\n\n", " ", "x" * 90])
TEXT = st.lists(LINE | NASTY, max_size=6).map("".join)
MESSAGES = st.builds(
    Message,
    title=st.text(max_size=20) | TEXT,
    lines=st.lists(TEXT, max_size=8).map(tuple),
    code=TEXT,
)


def test_a_message_has_a_bold_title_plain_lines_and_a_fixed_width_block() -> None:
    message = Message("BTC > 100k", ("now 100,420 & rising", "", 'say "<b>"'), "a < b")
    [part] = render(message)
    assert part.html == (
        '<b>BTC &gt; 100k</b>\nnow 100,420 &amp; rising\nsay "&lt;b&gt;"\n<pre>a &lt; b</pre>'
    )
    assert part.plain == message.plain()


@given(MESSAGES, st.integers(20, 200))
def test_every_part_fits_and_reads_as_what_was_meant_whatever_the_text(message: Message, limit: int) -> None:
    for part in render(message, limit):
        text, entities = parse_html(part.html)
        assert text == part.plain.strip()
        assert 0 < units(part.plain) <= limit
        assert {entity["type"] for entity in entities} <= {"bold", "pre"}


@given(MESSAGES, st.integers(20, 200))
def test_no_part_of_a_long_message_is_lost(message: Message, limit: int) -> None:
    def visible(text: str) -> str:
        return "".join(text.split())

    shown = "".join(part.plain for part in render(message, limit))
    assert visible(shown) == visible(clean(message.plain()))


@given(st.text(st.characters(codec=None)))
def test_width_counts_as_telegram_does(text: str) -> None:
    assert width(clean(text)) == units(clean(text))


def test_a_long_message_is_cut_at_line_ends() -> None:
    lines = tuple(f"{number:4} " + "x" * 95 for number in range(100))
    parts = render(Message("Alerts", lines))
    assert len(parts) == 3
    assert all(width(part.plain) <= LIMIT for part in parts)
    assert "\n".join(part.plain for part in parts).split("\n") == ["Alerts", *lines]


def test_a_block_is_kept_whole_where_it_fits_into_one_message() -> None:
    code = "\n".join("y" * 50 for _ in range(70))
    first, second = render(Message(lines=("x" * 2000,), code=code))
    assert first.html == "x" * 2000
    assert second.html == f"<pre>{code}</pre>"


def test_a_block_that_is_too_long_is_several_blocks() -> None:
    code = "\n".join("y" * 50 for _ in range(200))
    parts = render(Message(code=code))
    assert len(parts) == 3
    assert all(part.html.startswith("<pre>") and part.html.endswith("</pre>") for part in parts)
    assert "\n".join(part.plain for part in parts) == code


def test_a_message_of_white_space_has_no_part() -> None:
    assert render(Message(lines=(" ", "\n"))) == ()


# --- bringing what people say -------------------------------------------------------------------------------


async def test_a_command_in_a_private_chat_is_brought_and_answered(
    server: TelegramServer, clock: SetClock
) -> None:
    person = Person()
    async with listening(chat_of(server, clock), server, person.desk):
        await server.say(ANN, ANN, "/alert btc < 100k", name="Ann", language="pt-br")
        [shown] = await server.received(ANN, 1)
    assert shown.text == "heard /alert btc < 100k"
    assert not shown.has_preview
    assert shown.reply_to is None
    assert person.heard == [
        (
            Caller(private(), ChatKind.PRIVATE, str(ANN), "Ann", is_admin=True, language="pt-br"),
            "/alert btc < 100k",
        )
    ]


async def test_plain_text_in_a_private_chat_is_brought_as_typed(
    server: TelegramServer, clock: SetClock
) -> None:
    person = Person()
    async with listening(chat_of(server, clock), server, person.desk):
        await server.say(ANN, ANN, "  btc <b>100k</b>\nfor 5m")
        await server.say(ANN, ANN, "/ nothing")
        await server.received(ANN, 2)
    assert person.words == ["  btc <b>100k</b>\nfor 5m", "/ nothing"]


async def test_the_bots_name_is_taken_off_a_command_and_other_bots_are_left_alone(
    server: TelegramServer, clock: SetClock
) -> None:
    server.me["can_read_all_group_messages"] = True
    person = Person()
    async with listening(chat_of(server, clock), server, person.desk):
        await server.say(GROUP, ANN, "/price@other_bot btc")
        await server.say(GROUP, ANN, "what a day")
        await server.say(GROUP, ANN, "/path/to/file")
        await server.say(GROUP, ANN, "/Price@Tocsin_Test_Bot btc @kraken")
        await server.say(GROUP, ANN, "/price")
        await server.received(GROUP, 2)
    assert person.words == ["/Price btc @kraken", "/price"]


async def test_whether_a_person_administers_a_group_is_left_open_but_for_anonymous_ones(
    server: TelegramServer, clock: SetClock
) -> None:
    server.group(GROUP, "Desk")
    person = Person()
    async with listening(chat_of(server, clock), server, person.desk):
        await server.say(GROUP, ANN, "/alerts", name="Ann", language=None)
        await server.say(GROUP, ANN, "/alerts", speaks_as=GROUP)
        await server.say(GROUP, ANN, "/alerts", speaks_as=-1009, name="News")
        await server.received(GROUP, 3)
    group = ChatRef("telegram", str(GROUP))
    assert [caller for caller, _ in person.heard] == [
        Caller(group, ChatKind.GROUP, str(ANN), "Ann", is_admin=None, language="en"),
        Caller(group, ChatKind.GROUP, str(GROUP), "Desk", is_admin=True),
        Caller(group, ChatKind.GROUP, "-1009", "News", is_admin=False),
    ]


async def test_a_command_in_a_topic_is_answered_there_as_a_reply(
    server: TelegramServer, clock: SetClock
) -> None:
    server.group(GROUP, topics=[17])
    person = Person()
    async with listening(chat_of(server, clock), server, person.desk):
        asked = await server.say(GROUP, ANN, "/price btc", thread=17)
        [shown] = await server.received(GROUP, 1)
    assert (shown.thread, shown.reply_to) == (17, asked)
    assert person.heard[0][0].chat == ChatRef("telegram", str(GROUP), "17")


async def test_an_answer_in_a_group_without_topics_belongs_to_no_thread(
    server: TelegramServer, clock: SetClock
) -> None:
    person = Person()
    async with listening(chat_of(server, clock), server, person.desk):
        await server.say(GROUP, ANN, "/price btc", message_thread_id=5)  # a reply to message 5
        await server.received(GROUP, 1)
    assert person.heard[0][0].chat == ChatRef("telegram", str(GROUP))


async def test_what_is_no_saying_of_a_person_is_ignored(server: TelegramServer, clock: SetClock) -> None:
    server.me["can_read_all_group_messages"] = True
    person = Person()
    photo = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]
    robot = {"id": 5, "is_bot": True, "first_name": "R2"}
    post = {"message_id": 900, "date": 1_762_948_800, "text": "/price btc"}
    ann = {"id": ANN, "is_bot": False, "first_name": "Ann"}
    edited = {
        **post,
        "chat": {"id": ANN, "type": "private", "first_name": "Ann"},
        "from": ann,
        "edit_date": 1_762_948_801,
    }
    async with listening(chat_of(server, clock), server, person.desk):
        await server.say(ANN, ANN, "", photo=photo, caption="/price btc")
        await server.say(GROUP, 5, "/price btc", **{"from": robot})
        await server.say(GROUP, ANN, "/price btc", speaks_as=-1009, is_automatic_forward=True)
        await server.say(GROUP, ANN, "", new_chat_members=[ann])
        server._allowed = []  # so that the server sends them although they were not asked for
        server.push({"edited_message": edited})
        await server.say(ANN, ANN, "the last")
        await server.received(ANN, 1)
    assert person.words == ["the last"]


async def test_a_command_in_a_channel_is_said_by_the_channel_which_only_its_admins_can_do(
    server: TelegramServer, clock: SetClock
) -> None:
    server.channel(CHANNEL, "News")
    person = Person()
    async with listening(chat_of(server, clock), server, person.desk):
        await server.post(CHANNEL, "good morning")
        asked = await server.post(CHANNEL, "/alert btc < 100k")
        [shown] = await server.received(CHANNEL, 1)
    [(caller, words)] = person.heard
    assert (words, shown.reply_to) == ("/alert btc < 100k", asked)
    assert caller == Caller(
        ChatRef("telegram", str(CHANNEL)), ChatKind.GROUP, str(CHANNEL), "News", is_admin=True
    )


async def test_an_update_that_the_library_cannot_read_is_passed_over(
    server: TelegramServer, clock: SetClock
) -> None:
    person = Person()
    with structlog.testing.capture_logs() as lines:
        async with listening(chat_of(server, clock), server, person.desk):
            await server.say(ANN, ANN, "one")
            server.push({"message": {"message_id": 900, "poll": {"id": "1"}}})
            await server.say(ANN, ANN, "two")
            await server.received(ANN, 2)
    assert person.words == ["one", "two"]
    assert [line["event"] for line in lines].count("an update cannot be read") == 1
    forget(server, "getUpdates")


async def test_only_what_is_answered_is_asked_for(server: TelegramServer, clock: SetClock) -> None:
    async with listening(chat_of(server, clock), server):
        await server.say(ANN, ANN, "hello")
        await server.received(ANN, 1)
    assert json.loads(server.called("getUpdates")[0].params["allowed_updates"]) == [
        "message",
        "channel_post",
        "callback_query",
        "inline_query",
    ]


async def test_half_a_character_is_brought_and_answered(server: TelegramServer, clock: SetClock) -> None:
    async with listening(chat_of(server, clock), server):
        await server.say(ANN, ANN, "btc \ud83d up")
        [shown] = await server.received(ANN, 1)
    assert shown.text == "heard btc � up"


async def test_what_was_said_while_the_bot_was_away_is_answered_once(
    server: TelegramServer, clock: SetClock
) -> None:
    person = Person()
    chat = chat_of(server, clock)
    await server.say(ANN, ANN, "one")
    async with listening(chat, server, person.desk):
        await server.received(ANN, 1)
    assert server.unconfirmed == 0
    await server.say(ANN, ANN, "two")
    async with listening(chat, server, person.desk):
        await server.received(ANN, 2)
    async with listening(chat_of(server, clock), server, person.desk):
        await server.say(ANN, ANN, "three")
        await server.received(ANN, 3)
    assert person.words == ["one", "two", "three"]


# --- showing replies ----------------------------------------------------------------------------------------


async def test_each_later_reply_replaces_the_one_before(server: TelegramServer, clock: SetClock) -> None:
    person = Person(replying(say("looking"), say("looking"), say("BTC is at 100,420")))
    async with listening(chat_of(server, clock), server, person.desk):
        await server.say(ANN, ANN, "/price btc")
        await server.until(lambda: server.texts(ANN) == ["BTC is at 100,420"])
    [shown] = server.shown(ANN)
    assert shown.texts == ["looking", "BTC is at 100,420"]
    assert not shown.has_preview


async def test_a_reply_that_cannot_be_edited_is_sent_anew(server: TelegramServer, clock: SetClock) -> None:
    async def answer(_caller: Caller, _words: str) -> Replies:
        yield say("looking")
        server.shown(ANN)[0].is_deleted = True
        yield say("BTC is at 100,420")

    async with listening(chat_of(server, clock), server, Person(answer).desk):
        await server.say(ANN, ANN, "/price btc")
        await server.until(lambda: server.texts(ANN) == ["BTC is at 100,420"])


async def test_an_edit_to_the_same_text_is_no_failure(server: TelegramServer, clock: SetClock) -> None:
    person = Person(replying(say("looking "), say("looking"), say("done")))
    async with listening(chat_of(server, clock), server, person.desk):
        await server.say(ANN, ANN, "/price btc")
        await server.until(lambda: server.texts(ANN) == ["done"])
    assert [call.status for call in server.called("editMessageText")] == [400, 200]


async def test_a_reply_with_fewer_parts_takes_the_rest_away(server: TelegramServer, clock: SetClock) -> None:
    long = Message("Catalogue", tuple("x" * 1000 for _ in range(9)))
    person = Person(replying(long, say("short"), long))
    async with listening(chat_of(server, clock), server, person.desk):
        await server.say(ANN, ANN, "/catalogue")
        await server.until(lambda: len(server.called("sendMessage")) == 5)
    assert "\n".join(server.texts(ANN)) == long.plain()
    assert len(server.called("deleteMessage")) == 2


async def test_a_flooded_or_failing_telegram_loses_no_reply(server: TelegramServer, clock: SetClock) -> None:
    person = Person(replying(say("looking"), say("done")))
    start = clock.now()
    async with listening(chat_of(server, clock), server, person.desk):
        server.order(ANN, flood(7), RESTART, RESET)
        await server.say(ANN, ANN, "/price btc")
        await server.until(lambda: server.texts(ANN) == ["done"])
    assert clock.now() - start == 7 + 2 + 4


async def test_what_was_asked_for_is_done_though_nobody_can_be_told(
    server: TelegramServer, clock: SetClock
) -> None:
    done = asyncio.Event()

    async def answer(_caller: Caller, _words: str) -> Replies:
        yield say("looking")
        yield say("done")
        done.set()

    async with listening(chat_of(server, clock), server, Person(answer).desk):
        server.order(ANN, forbidden("bot was blocked by the user"))
        await server.say(ANN, ANN, "/delete 3")
        await asyncio.wait_for(done.wait(), 5)
    assert server.texts(ANN) == []
    assert len(server.called("sendMessage")) == 1


async def test_an_error_at_the_desk_harms_no_later_command(server: TelegramServer, clock: SetClock) -> None:
    async def answer(_caller: Caller, words: str) -> Replies:
        if words == "/boom":
            raise ZeroDivisionError
        yield say("fine")

    with structlog.testing.capture_logs() as lines:
        async with listening(chat_of(server, clock), server, Person(answer).desk):
            await server.say(ANN, ANN, "/boom")
            await server.say(ANN, ANN, "/price btc")
            await server.received(ANN, 1)
    assert [line["log_level"] for line in lines if line["log_level"] != "info"] == ["error"]


async def test_a_chat_is_answered_in_order_and_does_not_wait_for_another(
    server: TelegramServer, clock: SetClock
) -> None:
    gate = asyncio.Event()

    async def answer(_caller: Caller, words: str) -> Replies:
        if words == "slow":
            await gate.wait()
        yield say(words)

    person = Person(answer)
    async with listening(chat_of(server, clock), server, person.desk):
        await server.say(ANN, ANN, "slow")
        await server.say(ANN, ANN, "quick")
        await server.say(BEN, BEN, "other")
        await server.received(BEN, 1)
        assert person.words == ["slow", "other"]
        gate.set()
        await server.received(ANN, 2)
    assert server.texts(ANN) == ["slow", "quick"]


async def test_a_chat_that_floods_is_told_that_not_all_was_read(
    server: TelegramServer, clock: SetClock
) -> None:
    gate = asyncio.Event()

    async def answer(_caller: Caller, words: str) -> Replies:
        await gate.wait()
        yield say(words)

    async def words(chat: ChatRef, language: str) -> Translator:
        assert (chat, language) == (private(), "en")
        return read_languages().translator("zh-Hans", "UTC")

    desk = replace(Person(answer).desk, words=words)
    async with listening(chat_of(server, clock), server, desk):
        for number in range(30):
            await server.say(ANN, ANN, f"{number}")
        await server.until(lambda: server.unconfirmed == 0)
        await server.say(BEN, BEN, "passes")
        await server.until(lambda: server.unconfirmed == 0)
        gate.set()
        await server.received(BEN, 1)
        await server.received(ANN, 17)
        await server.say(ANN, ANN, "again")
        await server.received(ANN, 18)
    assert server.texts(ANN) == [
        *map(str, range(16)),
        "一次发的命令太多：最后几条没有读。请再发一次。",
        "again",
    ]


async def test_nobody_waits_for_what_is_left_of_an_answer(server: TelegramServer, clock: SetClock) -> None:
    """The first reply is shown; while the second takes its time, the next command is answered."""
    looked = asyncio.Event()

    async def answer(_caller: Caller, words: str) -> Replies:
        yield say(f"{words} at once")
        if words == "slow":
            await looked.wait()
            yield say(f"{words} and its history")

    async with listening(chat_of(server, clock), server, Person(answer).desk):
        await server.say(ANN, ANN, "slow")
        await server.say(ANN, ANN, "quick")
        await server.until(lambda: len(server.texts(ANN)) == 2)
        assert server.texts(ANN) == ["slow at once", "quick at once"]
        looked.set()
        await server.until(lambda: server.texts(ANN)[0] == "slow and its history")


async def test_a_link_brings_its_token_once_telegram_said_who_we_are(
    server: TelegramServer, clock: SetClock
) -> None:
    chat, person = chat_of(server, clock), Person()
    assert chat.invitation("AAAAAAAAAAAAAAAA") == ""
    async with listening(chat, server, person.desk):
        link = chat.invitation("AAAAAAAAAAAAAAAA")
        assert link == "https://t.me/tocsin_test_bot?start=AAAAAAAAAAAAAAAA"
        await server.say(ANN, ANN, f"/start {link.partition('=')[2]}")
        await server.until(lambda: bool(person.words))
    assert person.words == ["/start AAAAAAAAAAAAAAAA"]


async def test_lanes_hold_a_bounded_number_of_works() -> None:
    lanes = Lanes(at_once=1, held=3)
    gate = asyncio.Event()
    done: list[int] = []

    def work(number: int) -> Callable[[], Any]:
        async def run() -> None:
            await gate.wait()
            done.append(number)

        return run

    for number in range(3):
        await lanes.put(str(number % 2), work(number))
    fourth = asyncio.create_task(lanes.put("a", work(3)))
    await asyncio.sleep(0)
    assert not fourth.done()
    gate.set()
    await fourth
    await lanes.drain(5)
    assert sorted(done) == [0, 1, 2, 3]


async def test_no_more_lanes_are_walked_at_once_than_allowed() -> None:
    lanes = Lanes(at_once=2)
    busy: list[int] = []
    running = 0

    async def work() -> None:
        nonlocal running
        running += 1
        busy.append(running)
        await asyncio.sleep(0)
        running -= 1

    for number in range(6):
        await lanes.put(str(number), work)
    await lanes.drain(5)
    assert (len(busy), max(busy)) == (6, 2)


async def test_works_that_do_not_end_are_cancelled_when_the_time_is_up() -> None:
    lanes = Lanes()
    await lanes.put("a", asyncio.Event().wait)  # type: ignore[arg-type]
    await lanes.put("a", asyncio.Event().wait)  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await lanes.drain(0.01)
    assert lanes.load("a") == 0


# --- pushing ------------------------------------------------------------------------------------------------


async def test_only_a_message_beyond_the_free_limit_may_be_billed(
    server: TelegramServer, clock: SetClock
) -> None:
    server.private(ANN)
    async with listening(chat := chat_of(server, clock), server):
        await chat.send(private(), say("free"), "ring/1")
        await chat.send(private(), say("beyond"), "ring/2", is_paid=True)
    assert [call.params.get("allow_paid_broadcast") for call in server.called("sendMessage")] == [
        None,
        "true",
    ]


async def test_an_answer_waits_for_its_turn_and_says_so_where_none_comes(
    server: TelegramServer, clock: SetClock
) -> None:
    turns: list[bool | type[Exception]] = [False, True, TimeoutError]

    async def turn(caller: Caller) -> bool:
        assert caller.chat == private()
        turn = turns.pop(0)
        if isinstance(turn, bool):
            return turn
        raise turn

    desk = replace(Person().desk, turn=turn)
    async with listening(chat_of(server, clock), server, desk):
        for words in ("/one", "/two", "/three"):
            await server.say(ANN, ANN, words)
        await server.received(ANN, 2)
    assert not turns
    sent = [
        (call.params["text"], call.params.get("allow_paid_broadcast"))
        for call in server.called("sendMessage")
    ]
    assert sent == [("heard /one", None), ("heard /two", "true")]


async def test_a_message_is_pushed_with_its_markup_and_its_id_is_the_receipt(
    server: TelegramServer, clock: SetClock
) -> None:
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server):
        outcome = await chat.send(private(), Message("BTC < 100k", ("rang",), "a | b"), "ring/1")
    [shown] = server.shown(ANN)
    assert outcome == Receipt(str(shown.id))
    assert shown.text == "BTC < 100k\nrang\na | b"
    assert [entity["type"] for entity in shown.entities] == ["bold", "pre"]
    assert not shown.has_preview


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        (flood(31), RetryLater(31.0, "Telegram asks to slow down")),
        (forbidden("bot was blocked by the user"), ChatGone("this person blocked the bot")),
        (forbidden("user is deactivated"), ChatGone("this account is no more")),
        (forbidden("bot was kicked from the supergroup chat"), ChatGone),
        (bad("chat not found"), ChatGone("there is no such chat, or it never wrote to the bot")),
        (bad("not enough rights to send text messages to the chat"), ChatGone),
        (bad("CHAT_WRITE_FORBIDDEN"), ChatGone),
        (bad("BUTTON_DATA_INVALID"), Rejected("Telegram refuses the message: Button_data_invalid")),
        (RESTART, RetryLater(2.0, "Telegram says: Internal Server Error: restart")),
        (BAD_GATEWAY, RetryLater(2.0, "Telegram says: HTTP 502 without an answer of the Bot API")),
        (Trouble("page", 200), RetryLater(2.0, "Telegram says: HTTP 200 without an answer of the Bot API")),
        (Trouble("page", 404), RetryLater(2.0, "Telegram says: HTTP 404 without an answer of the Bot API")),
        (HANG, RetryLater(2.0, "Telegram does not answer in time")),
        (RESET, RetryLater),
        (LOSE, RetryLater),
    ],
    ids=repr,
)
async def test_what_became_of_a_send_is_told(
    server: TelegramServer, clock: SetClock, trouble: Trouble, outcome: Outcome | type
) -> None:
    server.private(ANN)
    chat = chat_of(server, clock, patience=0.5 if trouble is HANG else 15.0)
    async with listening(chat, server):
        server.order("sendMessage", trouble)
        told = await chat.send(private(), say("rang"), "ring/1")
        again = await chat.send(private(), say("rang"), "ring/1")
    if isinstance(outcome, type):
        assert isinstance(told, outcome)
    else:
        assert told == outcome
    assert isinstance(again, Receipt)
    assert server.texts(ANN) == (["rang", "rang"] if trouble is LOSE else ["rang"])


async def test_a_group_that_moved_is_followed(server: TelegramServer, clock: SetClock) -> None:
    server.group(-55)
    server.migrate(-55, GROUP)
    chat = chat_of(server, clock)
    async with listening(chat, server):
        outcome = await chat.send(ChatRef("telegram", "-55"), say("rang"), "ring/1")
        assert outcome == ChatMoved(ChatRef("telegram", str(GROUP)))
        assert isinstance(await chat.send(outcome.to, say("rang"), "ring/1"), Receipt)
    assert server.texts(GROUP) == ["rang"]


async def test_refused_markup_is_sent_again_as_plain_text(server: TelegramServer, clock: SetClock) -> None:
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server):
        server.order("sendMessage", bad('can\'t parse entities: Unsupported start tag "x" at byte offset 3'))
        outcome = await chat.send(private(), Message("a < b", ("c & d",)), "ring/1")
        assert isinstance(outcome, Receipt)
        server.order("sendMessage", bad("message is too long"), bad("message is too long"))
        assert await chat.send(private(), say("x"), "ring/2") == Rejected(
            "Telegram refuses the message: Message is too long"
        )
    [shown] = server.shown(ANN)
    assert (shown.text, shown.entities) == ("a < b\nc & d", [])


async def test_an_empty_message_is_rejected_without_asking(server: TelegramServer, clock: SetClock) -> None:
    chat = chat_of(server, clock)
    async with listening(chat, server):
        assert isinstance(await chat.send(private(), say(" "), "ring/1"), Rejected)
    assert server.called("sendMessage") == []


async def test_a_message_for_a_topic_goes_there_and_to_the_general_one_while_it_is_closed(
    server: TelegramServer, clock: SetClock
) -> None:
    place = server.group(GROUP, topics=[17, 18])
    place.closed = {18}
    chat = chat_of(server, clock)
    async with listening(chat, server):
        for thread in ("17", "18"):
            outcome = await chat.send(ChatRef("telegram", str(GROUP), thread), say(thread), f"ring/{thread}")
            assert isinstance(outcome, Receipt)
        place.closed = {1, 18}
        gone = await chat.send(ChatRef("telegram", str(GROUP), "18"), say("rang"), "ring/5")
    closed = "This topic is closed, so what rings in it comes here.\n18"
    assert [(one.text, one.thread) for one in server.shown(GROUP)] == [("17", 17), (closed, None)]
    assert gone == ChatGone("the topic is closed")


async def test_a_long_message_goes_on_where_it_was_interrupted(
    server: TelegramServer, clock: SetClock
) -> None:
    server.private(ANN)
    message = Message("Digest", tuple(f"{number} " + "x" * 1000 for number in range(9)))
    chat = chat_of(server, clock)
    async with listening(chat, server):
        server.order(ANN, Trouble("none"), flood(5))
        assert await chat.send(private(), message, "digest/1") == RetryLater(
            5.0, "Telegram asks to slow down"
        )
        outcome = await chat.send(private(), message, "digest/1")
    assert "\n".join(server.texts(ANN)) == message.plain()
    assert outcome == Receipt(str(server.shown(ANN)[0].id))


async def test_a_send_that_is_given_up_goes_on_where_it_was_interrupted_too(
    server: TelegramServer, clock: SetClock
) -> None:
    server.private(ANN)
    message = Message("Digest", tuple(f"{number} " + "x" * 1000 for number in range(9)))
    chat = chat_of(server, clock)
    async with listening(chat, server):
        server.order(ANN, Trouble("none"), HANG)
        sending = asyncio.create_task(chat.send(private(), message, "digest/1"))
        await server.until(lambda: not server._orders[ANN])
        sending.cancel()
        await asyncio.wait({sending})
        assert isinstance(await chat.send(private(), message, "digest/1"), Receipt)
    assert "\n".join(server.texts(ANN)) == message.plain()


async def test_a_server_that_is_gone_holds_the_whole_platform(
    server: TelegramServer, clock: SetClock
) -> None:
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server):
        await server.stop()
        outcome = await chat.send(private(), say("rang"), "ring/1")
        assert isinstance(outcome, RetryLater)
        assert outcome.is_global
        await server.start()
        assert isinstance(await chat.send(private(), say("rang"), "ring/1"), Receipt)


async def test_a_send_while_nobody_listens_asks_to_try_later(server: TelegramServer, clock: SetClock) -> None:
    chat = chat_of(server, clock)
    assert isinstance(await chat.send(private(), say("rang"), "ring/1"), RetryLater)
    async with listening(chat, server):
        pass
    assert isinstance(await chat.send(private(), say("rang"), "ring/1"), RetryLater)


async def test_a_chat_id_that_is_none_is_no_exception(server: TelegramServer, clock: SetClock) -> None:
    chat = chat_of(server, clock)
    async with listening(chat, server):
        with structlog.testing.capture_logs() as lines:
            outcome = await chat.send(ChatRef("telegram", "nobody"), say("rang"), "ring/1")
    assert isinstance(outcome, RetryLater)
    assert lines[0]["log_level"] == "error"


# --- administrators -----------------------------------------------------------------------------------------


async def test_administrators_are_asked_for_once_a_minute(server: TelegramServer, clock: SetClock) -> None:
    place = server.group(GROUP, admins=[ANN, 7])
    group = ChatRef("telegram", str(GROUP))
    chat = chat_of(server, clock)
    async with listening(chat, server):
        assert [await chat.is_admin(group, str(person)) for person in (ANN, 7, BEN)] == [True, True, False]
        place.admins = {BEN: "administrator"}
        clock.time += 59
        assert [await chat.is_admin(group, str(person)) for person in (ANN, 7, BEN)] == [True, True, False]
        assert len(server.called("getChatMember")) == 3
        clock.time += 2
        assert [await chat.is_admin(group, str(person)) for person in (ANN, 7, BEN)] == [False, False, True]


async def test_who_cannot_be_asked_about_is_no_administrator(server: TelegramServer, clock: SetClock) -> None:
    chat = chat_of(server, clock)
    async with listening(chat, server):
        assert await chat.is_admin(private(), str(ANN))
        assert not await chat.is_admin(ChatRef("telegram", "-77"), str(ANN))
        assert not await chat.is_admin(ChatRef("telegram", str(GROUP)), "-1009")
        server.group(GROUP, admins=[ANN])
        server.order("getChatMember", RESTART)
        assert not await chat.is_admin(ChatRef("telegram", str(GROUP)), str(ANN))
        assert await chat.is_admin(ChatRef("telegram", str(GROUP)), str(ANN))


# --- trouble with the connection ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token", ["123456789:AAHwrongTokenButWellFormed_000001", "nonsense", "0:x\r\nHost: y"]
)
async def test_a_wrong_token_stops_the_start_and_is_not_told(
    server: TelegramServer, clock: SetClock, token: str
) -> None:
    with pytest.raises(Refused) as refused:
        await TelegramChat(token, clock, root=server.root).run(Person().desk)
    assert "TOCSIN_TELEGRAM_TOKEN" in str(refused.value)
    assert token not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_a_network_that_is_down_at_the_start_is_waited_out(
    server: TelegramServer, clock: SetClock
) -> None:
    await server.stop()
    start = clock.now()
    task = asyncio.create_task(chat_of(server, clock).run(Person().desk))
    while clock.now() - start < 1 + 2 + 4 + 8 + 16 + 30:  # noqa: ASYNC110 - the clock tells no one
        await asyncio.sleep(0.005)
    assert not task.done()
    await server.start()
    await server.say(ANN, ANN, "hello")
    await server.received(ANN, 1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_chat_knows_whether_it_is_connected(server: TelegramServer, clock: SetClock) -> None:
    chat = chat_of(server, clock)
    assert not chat.is_connected
    async with listening(chat, server):
        await until(lambda: chat.is_connected)
        await server.stop()
        await until(lambda: not chat.is_connected)
        await server.start()
        await server.say(ANN, ANN, "hello")
        await server.received(ANN, 1)
        assert chat.is_connected
    assert not chat.is_connected


async def test_a_start_that_does_not_come_about_can_be_cancelled(
    server: TelegramServer, clock: SetClock
) -> None:
    await server.stop()
    task = asyncio.create_task(chat_of(server, clock).run(Person().desk))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


async def test_a_webhook_of_former_times_is_removed(server: TelegramServer, clock: SetClock) -> None:
    server.hook.url = "https://example.org/hook"
    server.order("deleteWebhook", BAD_GATEWAY)
    async with listening(chat_of(server, clock), server):
        await server.say(ANN, ANN, "hello")
        await server.received(ANN, 1)


async def test_a_second_listener_is_an_error_in_the_log_and_listening_goes_on(
    server: TelegramServer, clock: SetClock
) -> None:
    with structlog.testing.capture_logs() as lines:
        chat = chat_of(server, clock)
        async with listening(chat, server):
            await server.until(lambda: server._poll is not None)
            clock.time += 61
            async with aiohttp.ClientSession() as other:
                await other.get(f"{server.root}/bot{server.token}/getUpdates", params={"timeout": 1})
                assert chat.trouble == "another program listens with the same token"
            await server.say(ANN, ANN, "hello")
            await server.received(ANN, 1)
    errors = [line["event"] for line in lines if line["log_level"] == "error"]
    assert errors == ["another process listens with this telegram token"]


async def test_a_token_that_is_refused_in_the_middle_is_an_error_in_the_log_and_asked_again(
    server: TelegramServer, clock: SetClock
) -> None:
    server.private(ANN)
    chat = chat_of(server, clock)
    with structlog.testing.capture_logs() as lines:
        async with listening(chat, server):
            server.is_revoked = True
            server.push({"message": {}})  # ends the poll
            outcome = await chat.send(private(), say("rang"), "ring/1")
            await server.until(lambda: server.called("getUpdates")[-1].status == 401)
            server.is_revoked = False
            server._updates.clear()
            await server.say(ANN, ANN, "hello")
            await server.received(ANN, 1)
    assert outcome == RetryLater(60.0, "Telegram refuses the token", is_global=True)
    forget(server, "getUpdates")
    assert "telegram refuses the token" in [line["event"] for line in lines if line["log_level"] == "error"]


async def test_listening_outlives_pages_and_resets(server: TelegramServer, clock: SetClock) -> None:
    async with listening(chat_of(server, clock), server):
        server.order("getUpdates", BAD_GATEWAY, RESET)
        await server.say(ANN, ANN, "one")
        await server.received(ANN, 1)
        await server.say(ANN, ANN, "two")
        await server.received(ANN, 2)
    assert server.texts(ANN) == ["heard one", "heard two"]


async def test_stopping_answers_what_was_begun(server: TelegramServer, clock: SetClock) -> None:
    gate = asyncio.Event()

    async def answer(_caller: Caller, words: str) -> Replies:
        asyncio.get_running_loop().call_later(0.1, gate.set)
        await gate.wait()
        yield say(words)

    person = Person(answer)
    async with listening(chat_of(server, clock), server, person.desk):
        await server.say(ANN, ANN, "slow")
        await server.until(lambda: server.unconfirmed == 0)
    assert server.texts(ANN) == ["slow"]


# --- the request class --------------------------------------------------------------------------------------


async def test_a_picture_is_uploaded_once_and_sent_again_by_its_id(server: TelegramServer) -> None:
    server.private(ANN)
    request, polling = (AiohttpRequest(server.token, patience=5, connections=2) for _ in range(2))
    bot = Bot("x", base_url=lambda _: f"{server.root}/bot", request=request, get_updates_request=polling)
    async with bot:
        sent = await bot.send_photo(ANN, b"\x89PNG not really", caption="Ünïcode", filename="chart.png")
        again = await bot.send_photo(ANN, sent.photo[-1].file_id)
    assert server.files[sent.photo[-1].file_id] == b"\x89PNG not really"
    assert again.photo[-1].file_id == sent.photo[-1].file_id
    assert sent.caption == "Ünïcode"


async def test_a_redirect_does_not_carry_the_token_elsewhere() -> None:
    elsewhere: list[str] = []

    async def point(request: aiohttp.web.Request) -> aiohttp.web.Response:
        elsewhere.append(request.path)
        raise aiohttp.web.HTTPFound("/elsewhere" + request.path)

    app = aiohttp.web.Application()
    app.router.add_route("*", "/{rest:.*}", point)
    runner = aiohttp.web.AppRunner(app, access_log=None)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    request = AiohttpRequest("123456789:AAHsecretsecretsecret", patience=5, connections=2)
    async with request:
        with pytest.raises(NetworkError, match="HTTP 302"):
            await request.post(f"http://127.0.0.1:{port}/bot/getMe")
    await runner.cleanup()
    assert elsewhere == ["/bot123456789:AAHsecretsecretsecret/getMe"]


async def test_an_answer_that_repeats_the_token_does_not_bring_it_in(
    server: TelegramServer, clock: SetClock
) -> None:
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server):
        server.order("sendMessage", bad(f"no such path /bot{server.token}/sendMessage"))
        outcome = await chat.send(private(), say("rang"), "ring/1")
    assert outcome == Rejected("Telegram refuses the message: No such path /bot[token]/sendmessage")


async def test_no_log_line_at_debug_and_no_error_holds_the_token(
    server: TelegramServer,
    clock: SetClock,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, name)
    said: list[str] = []
    server.private(ANN)
    with structlog.testing.capture_logs() as lines:
        chat = chat_of(server, clock, patience=0.3)
        async with listening(chat, server):
            for trouble in (BAD_GATEWAY, HANG, RESET, RESTART, flood(1), bad(f"{server.token}")):
                server.order("sendMessage", trouble)
                said.append(repr(await chat.send(private(), say("rang"), "ring/1")))
            server.order("getUpdates", BAD_GATEWAY)
            await server.say(ANN, ANN, "hello")
            await server.received(ANN, 1)
            server.is_revoked = True
            said.append(repr(await chat.send(private(), say("rang"), "ring/1")))
            await server.stop()
            said.append(repr(await chat.send(private(), say("rang"), "ring/1")))
        await server.start()
        with pytest.raises(Refused) as refused:
            await chat.run(Person().desk)
    said += [repr(chat), repr(vars(chat)), str(refused.value), repr(lines), caplog.text, *capfd.readouterr()]
    assert "SendMessage" in caplog.text
    assert not [text for text in said if server.token.split(":", maxsplit=1)[1] in text]


# --- the server ---------------------------------------------------------------------------------------------


async def test_the_server_answers_an_unknown_method_and_token_like_the_real_one(
    server: TelegramServer,
) -> None:
    async with aiohttp.ClientSession() as client:

        async def ask(path: str) -> tuple[int, Any]:
            async with client.get(f"{server.root}/bot{path}") as response:
                return response.status, (await response.json())["description"]

        assert await ask(f"{server.token}/flyToTheMoon") == (404, "Not Found: method not found")
        assert await ask("12345:abcdefghij/getMe") == (401, "Unauthorized")
        assert await ask("nonsense/getMe") == (401, "Unauthorized: invalid token specified")
    server.calls.clear()


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<b>a</b> &lt;x&gt; &amp;amp; &#x1f514;", "a <x> &amp; \U0001f514"),
        ("a & b &copy; c", "a & b &copy; c"),
        (" <pre>\n x</pre> ", "x"),
    ],
)
def test_the_server_reads_markup_like_the_real_one(source: str, text: str) -> None:
    assert parse_html(source)[0] == text


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("a <x>", 'Unsupported start tag "x" at byte offset 2'),
        ("é < b", "Unclosed start tag at byte offset 3"),
        ("</b>", "Unexpected end tag at byte offset 0"),
        ("<b>a</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("<b>a", "Can't find end tag corresponding to start tag b"),
    ],
)
def test_the_server_complains_about_markup_like_the_real_one(source: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(complaint)}$"):
        parse_html(source)
