"""Show buttons on Telegram, and read who pressed which. Pure.

A button keeps its line as callback data, so that it works after a restart. Who presses is always the person,
anonymous administrators too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from telegram import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity
from telegram import Message as Post
from telegram.constants import ChatType

from bot.alerts.message import Buttons, Message, sound
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.chats.telegram_inbox import Said
from bot.chats.telegram_text import CAPTION, LIMIT, clean, width

ALERT: Final = 200
"""The longest text that a press is answered with."""

_KEPT: Final = (MessageEntity.BOLD, MessageEntity.PRE)
"""The faces that our own messages have; all else is found in the text by Telegram itself."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button that somebody pressed, ready for the desk, and the message that it stands under.

    ``text`` is empty where the message can be read no more (it is too old), or has none; then it is not
    changed either. A message that ``has_photo`` has its text as the caption. ``has_chat`` is false where it
    cannot be told in which topic of a group the button was pressed.
    """

    query: str
    said: Said
    text: str = ""
    entities: tuple[MessageEntity, ...] = ()
    has_photo: bool = False
    has_chat: bool = True


def keyboard(rows: Buttons) -> InlineKeyboardMarkup | None:
    """Give the buttons as Telegram takes them; ``None`` takes those away that are there."""
    shown = [[InlineKeyboardButton(one.label, callback_data=one.line) for one in row] for row in sound(rows)]
    return InlineKeyboardMarkup(shown) if shown else None


def read_press(query: CallbackQuery) -> Pressed | None:
    """Read which line was pressed, by whom and where; ``None`` for what is no button of ours."""
    post, line = query.message, query.data
    if post is None or not line or not line.startswith("/"):
        return None
    is_private = post.chat.type == ChatType.PRIVATE
    person = query.from_user
    thread = ""
    if isinstance(post, Post) and post.is_topic_message and post.message_thread_id:
        thread = str(post.message_thread_id)
    caller = Caller(
        ChatRef("telegram", str(post.chat.id), thread),
        ChatKind.PRIVATE if is_private else ChatKind.GROUP,
        str(person.id),
        person.full_name,
        True if is_private else None,
        person.language_code or "en",
        has_pressed=True,
    )
    said = Said(caller, line, post.message_id)
    if not isinstance(post, Post) or not post.is_accessible:
        return Pressed(query.id, said, has_chat=not post.chat.is_forum)
    if post.photo:
        return Pressed(query.id, said, post.caption or "", tuple(post.caption_entities), has_photo=True)
    return Pressed(query.id, said, post.text or "", tuple(post.entities))


def beneath(pressed: Pressed, message: Message) -> tuple[str, list[MessageEntity]] | None:
    """Put a reply as a quote below the text that was pressed, in place of the last one there.

    In a group it names who pressed. ``None`` where both do not fit into one message.
    """
    text, kept = pressed.text, [one for one in pressed.entities if one.type in _KEPT]
    quotes = [one for one in pressed.entities if one.type == MessageEntity.BLOCKQUOTE]
    if quotes and quotes[-1].offset + quotes[-1].length == width(text):
        text = _units(text, quotes[-1].offset).rstrip("\n")
    reply = clean(message.plain()).strip()
    if pressed.said.caller.kind is ChatKind.GROUP:
        reply = f"{clean(pressed.said.caller.name)}: {reply}"
    whole = f"{text}\n{reply}" if text else reply
    if not reply or width(whole) > (CAPTION if pressed.has_photo else LIMIT):
        return None
    start = width(whole) - width(reply)
    quote = MessageEntity(MessageEntity.BLOCKQUOTE, start, width(reply))
    return whole, [*(one for one in kept if one.offset + one.length <= start), quote]


def alert_text(message: Message) -> str:
    """Give a refusal as a press is answered with it, cut where it is too long."""
    text = clean(message.plain())
    return text if width(text) <= ALERT else _units(text, ALERT - 1).rstrip() + "…"


def _units(text: str, count: int) -> str:
    """Give the first so many UTF-16 units of a text, without half a character."""
    return text.encode("utf-16-le")[: 2 * count].decode("utf-16-le", "ignore")
