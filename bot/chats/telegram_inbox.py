"""Read what people say on Telegram. Pure: an update goes in, what the desk needs comes out.

What is brought: in a private chat every text, as typed; in a group every text that begins with a command,
unless it names another bot, and every reply to a message of this one; in a channel the same, as said by the
channel, since only its administrators can post there. The name of this bot is taken off:
``/alert@tocsin_bot btc < 100k`` is brought as ``/alert btc < 100k``. A forwarded text counts as said by who
forwards it. A command may stand below a file, or answer a message with one: then the file comes with it.

What is ignored by design: captions of all else, pictures and everything else without a text; edits, since a
command that was carried out is not carried out again; posts of a channel where they are copied into its
discussion group; what other bots say; what somebody posts that this bot gave them (``@bot btc``); other talk
in groups.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from telegram import Document, Message, Update
from telegram.constants import ChatType

from bot.alerts.people import Caller, ChatKind, ChatRef

_COMMAND = re.compile(r"/(\w{1,64})(?:@(\w{1,64}))?(?![\w@/<>])")


@dataclass(frozen=True, slots=True)
class Said:
    """What one person said in one chat, ready for the desk."""

    caller: Caller
    words: str
    message: int
    document: Document | None = None


def read(update: Update, username: str) -> Said | None:
    """Read what a person says to the bot called ``username``; ``None`` for what is ignored by design."""
    post = update.message or update.channel_post
    if post is None or post.is_automatic_forward:
        return None
    words = post.text or (post.caption if post.document else None)
    if not words or not (post.text or _COMMAND.match(words)):
        return None
    if post.via_bot is not None and (post.via_bot.username or "").lower() == username.lower():
        return None
    caller = _caller(post)
    if caller is None:
        return None
    caller = replace(caller, answers=_answered(post, username))
    if command := _COMMAND.match(words):
        if (name := command[2]) is not None and name.lower() != username.lower():
            return None
        words = f"/{command[1]}{words[command.end() :]}"
    elif caller.kind is ChatKind.GROUP and not caller.answers:
        return None
    answered = post.reply_to_message
    return Said(caller, words, post.message_id, post.document or (answered.document if answered else None))


def _answered(post: Message, username: str) -> str:
    """Give the message of this bot that one replies to; nothing where it is another's, or none.

    In a channel the bot posts as the channel. What stands in a topic replies to the topic, which is nobody's.
    """
    told = post.reply_to_message
    if told is None:
        return ""
    if told.from_user is not None:
        is_ours = told.from_user.is_bot and (told.from_user.username or "").lower() == username.lower()
    else:
        is_ours = post.chat.type == ChatType.CHANNEL
    return str(told.message_id) if is_ours else ""


def _caller(post: Message) -> Caller | None:
    """Say who speaks. An anonymous administrator speaks as the group, and a member may as a channel.

    A channel that is linked to the group is a member like any other: who owns it may administer nothing here.
    """
    thread = str(post.message_thread_id) if post.is_topic_message and post.message_thread_id else ""
    chat = ChatRef("telegram", str(post.chat.id), thread)
    match post.chat.type:
        case ChatType.PRIVATE:
            kind = ChatKind.PRIVATE
        case ChatType.GROUP | ChatType.SUPERGROUP | ChatType.CHANNEL:
            kind = ChatKind.GROUP
        case _:
            return None
    if (speaker := post.sender_chat) is not None:
        is_group = speaker.id == post.chat.id
        return Caller(chat, kind, str(speaker.id), speaker.effective_name or "", is_group)
    person = post.from_user
    if person is None or person.is_bot:
        return None
    is_admin = True if kind is ChatKind.PRIVATE else None
    return Caller(chat, kind, str(person.id), person.full_name, is_admin, person.language_code or "en")
