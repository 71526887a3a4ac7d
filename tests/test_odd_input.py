"""What people may send that nobody expects: writing of all kinds, long texts, commands meant for others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Update

from bot.alerts.message import Message
from bot.alerts.models import Notification, Telling
from bot.alerts.people import ChatRef
from bot.alerts.translator import ENGLISH
from bot.alerts.wording import word
from bot.chats.console import _printable
from bot.chats.discord_text import LIMIT as DISCORD
from bot.chats.discord_text import render as on_discord
from bot.chats.discord_text import width
from bot.chats.telegram_inbox import read
from bot.chats.telegram_text import CAPTION
from bot.chats.telegram_text import LIMIT as TELEGRAM
from bot.chats.telegram_text import render as on_telegram
from bot.store.sql import SqlStore
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.pictures import ring
from tests.test_commands import ANN, Room

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
HEBREW, ARABIC = "\u05e7\u05e0\u05d4", "\u0627\u0634\u062a\u0631"
STEERING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Room:
    return Room(store, HandMarket(clock, btc=69_400.0, eth=3_010.5), clock)


def told(note: str, rule: str = "btc/usdt < 100000") -> Message:
    facts = ring(rule, rule, alert="#3") | {"note": note}
    notification = Notification(1, ChatRef("telegram", "1"), Telling.RING, "ring", facts, NOON)
    return word(notification, ENGLISH, NOON, patience=1e9)


def shown(message: Message) -> list[str]:
    """Give the message as each platform shows it."""
    return [
        "\n".join(part.plain for part in on_telegram(message)),
        "\n".join(on_discord(message)),
        "\n".join(map(_printable, message.plain().splitlines())),
    ]


# --- writing of all kinds -----------------------------------------------------------------------------------


def test_writing_from_right_to_left_and_emoji_arrive_as_they_were_written() -> None:
    note = f"{FAMILY} {HEBREW} {ARABIC} \u200f100k"
    for text in shown(told(note)):
        assert f"Note: {note}" in text


def test_nothing_in_a_note_turns_the_direction_of_the_rest() -> None:
    for text in shown(told(f"\u202e{HEBREW}\u2067 001 {STEERING}")):
        assert not set(text) & set(STEERING)
        assert HEBREW in text


@pytest.mark.parametrize("note", [f"{FAMILY} hold", f"{HEBREW} {ARABIC}"])
async def test_a_note_is_kept_as_it_was_typed(room: Room, note: str) -> None:
    await room.replies(f'/alert btc < 60k note "{note}"')
    [one] = await room.store.subscriptions(ANN.chat)
    assert one.alert.rule == f'btc < 60000 note "{note}"'


@given(
    st.text(alphabet=st.sampled_from([*STEERING, *FAMILY, *HEBREW, "a", "_", "\ud83d", "\n"]), max_size=60)
)
def test_whatever_a_note_holds_every_platform_can_take_it(note: str) -> None:
    for text in shown(told(note)):
        text.encode()


# --- long texts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        '/alert btc < 100k note "' + "x" * 4070 + '"',
        "/alert " + "btc < 100k and " * 290,
        "/price " + "btc " * 1000,
        "/level " + "x" * 4089,
        "/subscribe " + "x" * 4085,
        "/why " + "9" * 4091,
        "/history " + "x" * 4087,
        "/snooze 1 " + "9" * 4086,
        "/" + "x" * 4095,
        "x" * 4096,
        "\U0001f525" * 2048,
    ],
)
async def test_a_message_as_long_as_may_be_is_answered_within_the_bounds(room: Room, words: str) -> None:
    replies = await room.replies(words)
    assert replies
    for reply in replies:
        assert "wrong on my side" not in reply.plain()
        for part in on_telegram(reply):
            assert width(part.plain) <= TELEGRAM
        for part in on_discord(reply):
            assert width(part) <= DISCORD
    assert not await room.store.subscriptions(ANN.chat)


def test_a_ring_too_long_for_a_caption_is_told_in_full_beside_its_picture() -> None:
    note = "cut the long " * 90
    message = told(note)
    assert message.chart is not None
    assert len(on_telegram(message)) == 1
    assert width(on_telegram(message)[0].plain) > CAPTION
    assert note.strip() in message.plain()


# --- commands of others -------------------------------------------------------------------------------------


def said(text: str, chat: str = "supergroup", **more: object) -> str | None:
    """Give what is brought to the desk of a message, as Telegram tells it."""
    place = {"id": -1001, "type": chat, "title": "Group"} if chat != "private" else {"id": 5, "type": chat}
    person = {"id": 5, "is_bot": False, "first_name": "Ann"}
    post = {"message_id": 1, "date": int(NOON), "chat": place, "from": person, "text": text, **more}
    update = Update.de_json({"update_id": 1, "message": post}, None)
    found = read(update, "tocsin_bot")
    return found.words if found else None


@pytest.mark.parametrize("text", ["/alerts@OtherBot", "/alerts@other_bot 2", "/delete@OtherBot 1"])
def test_a_command_for_another_bot_is_none_of_ours(text: str) -> None:
    assert said(text) is None
    assert said(text, "private") is None


@pytest.mark.parametrize("text", ["/alerts@tocsin_bot", "/alerts@TOCSIN_bot", "/alerts"])
def test_a_command_for_this_bot_or_for_all_is_heard(text: str) -> None:
    assert said(text) == "/alerts"


def test_a_forwarded_command_is_said_by_who_forwards_it() -> None:
    origin = {
        "type": "user",
        "date": int(NOON),
        "sender_user": {"id": 9, "is_bot": False, "first_name": "Bob"},
    }
    assert said("/alerts", "private", forward_origin=origin) == "/alerts"
    assert said("/alerts", forward_origin=origin) == "/alerts"


def test_a_copied_post_of_a_channel_and_a_picture_with_a_command_below_are_not_heard() -> None:
    assert said("/delete 1", is_automatic_forward=True) is None
    assert said("", caption="/delete 1") is None
