"""Buttons on Telegram: pressed over real sockets, against a loopback Bot API server."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import CallbackQuery

from bot.alerts.chart import Flow, FlowChart
from bot.alerts.message import Button, Message, say
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.chats.studio import Studio
from bot.chats.telegram_buttons import alert_text, beneath, read_press
from bot.chats.telegram_text import clean
from bot.ports import Receipt, Replies
from tests.pictures import stub
from tests.test_telegram import (
    ANN,
    BEN,
    GROUP,
    MESSAGES,
    Person,
    chat_of,
    check_against_schema,
    listening,
    private,
    replying,
)
from tests.wire.telegram import TelegramServer, Told, bad, flood
from tests.wire.telegram_markup import units

if TYPE_CHECKING:
    from tests.conftest import SetClock

ROWS = ((Button("Arm again", "/resume 1"), Button("Delete", "/delete 1 ask")),)
RING = Message("#1 BTC/USDT fell below 100,000.", ("Note: hold & wait",), code="a < b", buttons=ROWS)
AFTER = ((Button("Delete", "/delete 1 ask"),),)
SHOWN = [[("Arm again", "/resume 1"), ("Delete", "/delete 1 ask")]]
PICTURE = FlowChart("Flows", "millions", (Flow(20, "Nov", 5.0, "+5"),), "not final", "dark")


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as running:
        yield running
    for call in running.calls:
        check_against_schema(call)
    answered = Counter(call.params["callback_query_id"] for call in running.called("answerCallbackQuery"))
    assert set(answered.values()) <= {1}


def refusing(*lines: str) -> Message:
    return Message(lines=lines, is_private=True)


async def test_a_pressed_button_is_said_by_who_pressed_it_and_the_answer_stands_below(
    server: TelegramServer, clock: SetClock
) -> None:
    person = Person(replying(Message(lines=("#1 armed.", "Now 69,400."), buttons=AFTER)))
    server.private(ANN, "Ann")
    chat = chat_of(server, clock)
    async with listening(chat, server, person.desk):
        assert isinstance(await chat.send(private(), RING, "1"), Receipt)
        [ring] = server.shown(ANN)
        assert ring.buttons == SHOWN
        await server.press(ANN, ANN, "Arm again", language="de")
        await server.until(lambda: "armed" in ring.text)
    assert person.heard == [
        (
            Caller(private(), ChatKind.PRIVATE, str(ANN), f"Person {ANN}", True, "de", has_pressed=True),
            "/resume 1",
        )
    ]
    assert ring.text == f"{RING.plain()}\n#1 armed.\nNow 69,400."
    assert {one["type"] for one in ring.entities} == {"bold", "pre", "blockquote"}
    assert ring.buttons == [[("Delete", "/delete 1 ask")]]
    assert server.told == [Told(ANN, "", is_alert=False)]
    assert len(server.shown(ANN)) == 1


async def test_the_next_answer_takes_the_place_of_the_last_one_below(
    server: TelegramServer, clock: SetClock
) -> None:
    async def counting(_caller: Caller, _words: str) -> Replies:
        yield Message(lines=(f"answer {len(person.heard)} 🔔", "and more"), buttons=ROWS)

    person = Person(counting)
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server, person.desk):
        await chat.send(private(), RING, "1")
        [ring] = server.shown(ANN)
        for number in (1, 2, 3):
            await server.press(ANN, ANN, "Arm again")
            await server.until(lambda number=number: f"answer {number}" in ring.text)
    assert ring.text == f"{RING.plain()}\nanswer 3 🔔\nand more"


async def test_a_button_works_after_a_restart(server: TelegramServer, clock: SetClock) -> None:
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server):
        await chat.send(private(), RING, "1")
    [ring] = server.shown(ANN)
    await server.press(ANN, ANN, "Arm again")
    person = Person(replying(say("#1 armed.")))
    async with listening(chat_of(server, clock), server, person.desk):
        await server.until(lambda: "armed" in ring.text)
    assert person.words == ["/resume 1"]
    assert ring.buttons == []


async def test_a_refusal_is_told_to_the_presser_alone_and_changes_nothing(
    server: TelegramServer, clock: SetClock
) -> None:
    person = Person(replying(refusing("Only admins of this group may do that.")))
    server.group(GROUP, admins=[ANN])
    chat = chat_of(server, clock)
    async with listening(chat, server, person.desk):
        await chat.send(ChatRef("telegram", str(GROUP)), RING, "1")
        await server.press(GROUP, BEN, "Arm again")
        await server.until(lambda: bool(server.told))
    assert server.told == [Told(BEN, "Only admins of this group may do that.", is_alert=True)]
    [ring] = server.shown(GROUP)
    assert (ring.text, ring.buttons) == (RING.plain(), SHOWN)
    [(caller, _)] = person.heard
    assert (caller.person, caller.kind, caller.is_admin) == (str(BEN), ChatKind.GROUP, None)


async def test_a_refusal_that_is_too_long_is_cut(server: TelegramServer, clock: SetClock) -> None:
    person = Person(replying(refusing("🔔" * 300)))
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server, person.desk):
        await chat.send(private(), RING, "1")
        await server.press(ANN, ANN, "Arm again")
        await server.until(lambda: bool(server.told))
    assert server.told == [Told(ANN, "🔔" * 99 + "…", is_alert=True)]


async def test_a_double_press_is_said_twice_and_answered_twice(
    server: TelegramServer, clock: SetClock
) -> None:
    async def once(_caller: Caller, _words: str) -> Replies:
        yield say("#1 armed.") if len(person.heard) == 1 else refusing("#1 is armed already.")

    person = Person(once)
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server, person.desk):
        await chat.send(private(), RING, "1")
        await asyncio.gather(*(server.press(ANN, ANN, "Arm again") for _ in range(2)))
        await server.until(lambda: len(server.told) == 2)
    [ring] = server.shown(ANN)
    assert ring.text == f"{RING.plain()}\n#1 armed."
    assert server.told == [Told(ANN, "", is_alert=False), Told(ANN, "#1 is armed already.", is_alert=True)]


async def test_a_proposal_becomes_its_answer(server: TelegramServer, clock: SetClock) -> None:
    person = Person(replying(Message("Done: @floor is 98,000.", takes_place=True)))
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server, person.desk):
        await chat.send(private(), RING, "1")
        [shown] = server.shown(ANN)
        await server.press(ANN, ANN, "Delete")
        await server.until(lambda: "Done" in shown.text)
    assert (shown.text, shown.buttons) == ("Done: @floor is 98,000.", [])


async def test_each_later_reply_takes_the_place_of_the_one_before(
    server: TelegramServer, clock: SetClock
) -> None:
    person = Person(replying(say("looking"), say("looking", "found")))
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server, person.desk):
        await chat.send(private(), RING, "1")
        [ring] = server.shown(ANN)
        await server.press(ANN, ANN, "Arm again")
        await server.until(lambda: "found" in ring.text)
    assert ring.text == f"{RING.plain()}\nlooking\nfound"
    assert len(server.shown(ANN)) == 1


async def test_the_buttons_of_a_ring_with_a_picture_stand_under_the_picture(
    server: TelegramServer, clock: SetClock
) -> None:
    person = Person(replying(Message(lines=("#1 armed.",), buttons=AFTER)))
    server.private(ANN)
    chat = chat_of(server, clock, studio=Studio(stub))
    async with listening(chat, server, person.desk):
        rang = Message("#1 rang.", buttons=ROWS, chart=PICTURE)
        sent = await chat.send(private(), rang, "1")
        assert isinstance(sent, Receipt)
        await chat.illustrate(private(), sent.message, rang)
        [ring] = server.shown(ANN)
        assert ring.photo
        await server.press(ANN, ANN, "Arm again")
        await server.until(lambda: "armed" in ring.text)
    assert ring.text == "#1 rang.\n#1 armed."
    assert ring.photo
    assert ring.buttons == [[("Delete", "/delete 1 ask")]]
    assert len(server.called("editMessageCaption")) == 1


async def test_an_answer_with_a_picture_or_too_long_is_a_message_of_its_own(
    server: TelegramServer, clock: SetClock
) -> None:
    replies = iter(
        [Message("BTC", chart=PICTURE), say("x" * 4090), Message(lines=("y" * 5000,), takes_place=True)]
    )

    async def answer(_caller: Caller, _words: str) -> Replies:
        yield next(replies)

    server.private(ANN)
    chat = chat_of(server, clock, studio=Studio(stub))
    async with listening(chat, server, Person(answer).desk):
        await chat.send(private(), RING, "1")
        for count in (2, 3, 5):
            await server.press(ANN, ANN, "Arm again")
            await server.received(ANN, count)
    ring, picture, *_ = server.shown(ANN)
    assert picture.photo
    assert (ring.text, ring.buttons) == (RING.plain(), SHOWN)
    assert [one.text[:1] for one in server.shown(ANN)[2:]] == ["x", "y", "y"]


async def test_an_answer_in_a_group_names_who_pressed_and_the_topic_is_kept(
    server: TelegramServer, clock: SetClock
) -> None:
    person = Person(replying(say("#1 armed.")))
    server.group(GROUP, topics=[5])
    place = ChatRef("telegram", str(GROUP), "5")
    chat = chat_of(server, clock)
    async with listening(chat, server, person.desk):
        await chat.send(place, RING, "1")
        [ring] = server.shown(GROUP)
        await server.press(GROUP, BEN, "Arm again")
        await server.until(lambda: "armed" in ring.text)
    assert ring.text == f"{RING.plain()}\nPerson {BEN}: #1 armed."
    [(caller, _)] = person.heard
    assert caller.chat == place


async def test_a_message_that_was_deleted_meanwhile_is_answered_with_a_new_one(
    server: TelegramServer, clock: SetClock
) -> None:
    async def slow(_caller: Caller, _words: str) -> Replies:
        server.shown(GROUP)[0].is_deleted = True
        yield say("#1 armed.")

    server.group(GROUP)
    chat = chat_of(server, clock)
    async with listening(chat, server, Person(slow).desk):
        await chat.send(ChatRef("telegram", str(GROUP)), RING, "1")
        await server.press(GROUP, BEN, "Arm again")
        await server.until(lambda: bool(server.shown(GROUP)) and bool(server.told))
        [answer] = await server.received(GROUP, 1)
    assert answer.text == "#1 armed."


@pytest.mark.parametrize(
    "why", ["message can't be edited", "MESSAGE_ID_INVALID", "there is no text in the message to edit"]
)
async def test_a_message_that_cannot_be_changed_is_answered_with_a_new_one(
    server: TelegramServer, clock: SetClock, why: str
) -> None:
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server, Person(replying(say("#1 armed."))).desk):
        await chat.send(private(), RING, "1")
        server.order("editMessageText", bad(why))
        await server.press(ANN, ANN, "Arm again")
        [ring, answer] = await server.received(ANN, 2)
    assert (ring.text, answer.text) == (RING.plain(), "#1 armed.")


async def test_the_button_of_a_message_that_is_too_old_to_be_read_works(
    server: TelegramServer, clock: SetClock
) -> None:
    person = Person(replying(say("#1 armed.")))
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server, person.desk):
        await chat.send(private(), RING, "1")
        await server.press(ANN, ANN, "Arm again", is_accessible=False)
        [ring, answer] = await server.received(ANN, 2)
    assert (ring.text, answer.text) == (RING.plain(), "#1 armed.")
    assert server.told == [Told(ANN, "", is_alert=False)]


async def test_nothing_is_said_where_it_cannot_be_told_in_which_topic(
    server: TelegramServer, clock: SetClock
) -> None:
    person = Person()
    server.group(GROUP, topics=[5])
    chat = chat_of(server, clock)
    async with listening(chat, server, person.desk):
        await chat.send(ChatRef("telegram", str(GROUP), "5"), RING, "1")
        await server.press(GROUP, BEN, "Arm again", is_accessible=False)
        await server.until(lambda: bool(server.told))
    assert person.words == []
    assert server.told[0].is_alert
    assert "too old" in server.told[0].text


async def test_an_edit_to_the_same_is_no_failure(server: TelegramServer, clock: SetClock) -> None:
    server.private(ANN)
    chat = chat_of(server, clock)
    same = Message(RING.title, RING.lines, RING.code, buttons=ROWS, takes_place=True)
    async with listening(chat, server, Person(replying(same)).desk):
        await chat.send(private(), RING, "1")
        await server.press(ANN, ANN, "Arm again")
        await server.until(lambda: bool(server.called("editMessageText")))
    assert server.called("editMessageText")[0].status == 400
    assert len(server.shown(ANN)) == 1


async def test_a_press_is_answered_in_time_though_its_command_is_slow(
    server: TelegramServer, clock: SetClock
) -> None:
    done = asyncio.Event()

    async def slow(_caller: Caller, _words: str) -> Replies:
        await done.wait()
        yield refusing("#1 is armed already.")

    server.private(ANN)
    chat = chat_of(server, clock, answer_within=0.05)
    async with listening(chat, server, Person(slow).desk):
        await chat.send(private(), RING, "1")
        await server.press(ANN, ANN, "Arm again")
        await server.until(lambda: bool(server.told))
        assert server.told == [Told(ANN, "", is_alert=False)]
        done.set()
        [_, late] = await server.received(ANN, 2)
    assert late.text == "#1 is armed already."


async def test_a_press_whose_answer_comes_too_late_for_telegram_is_told_in_a_message(
    server: TelegramServer, clock: SetClock
) -> None:
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server, Person(replying(refusing("No."))).desk):
        await chat.send(private(), RING, "1")
        server.order("answerCallbackQuery", bad("query is too old and response timeout expired"))
        await server.press(ANN, ANN, "Arm again")
        [_, late] = await server.received(ANN, 2)
    assert late.text == "No."


async def test_a_flooded_edit_is_made_when_telegram_allows_it(
    server: TelegramServer, clock: SetClock
) -> None:
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server, Person(replying(say("#1 armed."))).desk):
        await chat.send(private(), RING, "1")
        [ring] = server.shown(ANN)
        server.order("editMessageText", flood(3))
        await server.press(ANN, ANN, "Arm again")
        await server.until(lambda: "armed" in ring.text)


async def test_presses_of_a_chat_that_floods_are_told_that_it_is_too_much(
    server: TelegramServer, clock: SetClock
) -> None:
    blocked = asyncio.Event()

    async def slow(_caller: Caller, _words: str) -> Replies:
        await blocked.wait()
        yield say("#1 armed.")

    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server, Person(slow).desk):
        await chat.send(private(), RING, "1")
        for _ in range(17):
            await server.press(ANN, ANN, "Arm again")
        await server.until(lambda: any(told.is_alert for told in server.told))
        blocked.set()
        await server.until(lambda: len(server.told) == 17)
    assert sum(told.text.startswith("Too many") for told in server.told) == 1


async def test_an_answer_to_a_typed_command_has_its_buttons_and_they_go_with_its_last_part(
    server: TelegramServer, clock: SetClock
) -> None:
    long = Message(lines=tuple("z" * 90 for _ in range(60)), buttons=ROWS)
    person = Person(replying(Message(lines=("looking",), buttons=AFTER), long))
    async with listening(chat_of(server, clock), server, person.desk):
        await server.say(ANN, ANN, "/alerts")
        first, last = await server.received(ANN, 2)
    assert (first.buttons, last.buttons) == ([], SHOWN)


async def test_what_telegram_would_refuse_of_buttons_is_left_out(
    server: TelegramServer, clock: SetClock
) -> None:
    rows = ((Button("Long", "/alert " + "é" * 40), Button("", "/a"), Button("Talk", "hello")), *ROWS)
    server.private(ANN)
    chat = chat_of(server, clock)
    async with listening(chat, server):
        assert isinstance(await chat.send(private(), Message("t", buttons=rows), "1"), Receipt)
    assert server.shown(ANN)[0].buttons == SHOWN


QUERY = {
    "id": "1",
    "from": {"id": BEN, "is_bot": False, "first_name": "Ben"},
    "chat_instance": "1",
    "data": "/resume 1",
}


@given(MESSAGES, MESSAGES, st.booleans(), st.booleans())
def test_an_answer_below_is_within_the_bounds_and_replaces_the_one_before(
    ring: Message, answer: Message, is_group: bool, has_photo: bool
) -> None:
    chat = {"id": -5, "type": "group", "title": "T"} if is_group else {"id": BEN, "type": "private"}
    text, key = clean(ring.plain()).strip(), "caption" if has_photo else "text"
    photo = {"photo": [{"file_id": "1", "file_unique_id": "1", "width": 1, "height": 1}]} if has_photo else {}
    entities = f"{key}_entities" if has_photo else "entities"
    content: dict[str, object] = {key: text, entities: []} | photo
    shown: list[str] = []
    for _ in range(2):
        post = {"message_id": 1, "date": 1, "chat": chat} | content
        pressed = read_press(CallbackQuery.de_json(QUERY | {"message": post}, None))
        assert pressed is not None
        if (below := beneath(pressed, answer)) is None:
            return
        whole, marked = below
        content |= {key: whole, entities: [one.to_dict() for one in marked]}
        shown.append(whole)
        assert units(whole) <= (1024 if has_photo else 4096)
        assert whole.startswith(text)
        assert marked[-1].offset + marked[-1].length == units(whole)
    assert shown[0] == shown[1]


@given(MESSAGES)
def test_a_refusal_fits_into_what_a_press_is_answered_with(message: Message) -> None:
    assert units(alert_text(message)) <= 200


async def test_a_press_of_something_else_is_ignored(server: TelegramServer, clock: SetClock) -> None:
    person = Person()
    author = {"id": ANN, "is_bot": False, "first_name": "Ann"}
    async with listening(chat_of(server, clock), server, person.desk):
        base = {"id": "1", "from": author, "chat_instance": "1"}
        server.push({"callback_query": base | {"inline_message_id": "1", "data": "/resume 1"}})
        post = {"message_id": 1, "date": 0, "chat": {"id": ANN, "type": "private"}}
        server.push({"callback_query": base | {"message": post, "data": "resume"}})
        server.push({"callback_query": base | {"message": post, "game_short_name": "chess"}})
        await server.say(ANN, ANN, "hello")
        await server.received(ANN, 1)
    assert person.words == ["hello"]
