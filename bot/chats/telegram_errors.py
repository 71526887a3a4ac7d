"""Say what to do next about an error of the Bot API. Pure.

The Bot API tells most cases apart by its English description alone, so this is the one place that knows them.
"""

from __future__ import annotations

from datetime import timedelta

from telegram.error import (
    BadRequest,
    ChatMigrated,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot.alerts.people import ChatRef
from bot.chats.telegram_http import Unreachable
from bot.ports import ChatGone, ChatMoved, Outcome, Rejected, RetryLater
from bot.rules.phrases import to_say

_GONE = (
    (("blocked by the user", "user_is_blocked"), to_say("this person blocked the bot")),
    (("user not found", "user is deactivated"), to_say("this account is no more")),
    (("kicked from", "not a member"), to_say("the bot was taken out of this chat")),
    (
        ("chat not found", "chat was deleted", "chat was deactivated", "peer_id_invalid"),
        to_say("there is no such chat, or it never wrote to the bot"),
    ),
    (("topic_closed",), to_say("the topic is closed")),
    (("topic_deleted", "message thread not found"), to_say("the topic was deleted")),
    (
        (
            "not enough rights",
            "no rights",
            "need administrator rights",
            "chat_write_forbidden",
            "chat_send_plain_forbidden",
            "chat_restricted",
            "chat_admin_required",
        ),
        to_say("the bot may not write there"),
    ),
)
"""Nothing can be written here until somebody changes something: whoever speaks here again resumes it.

The words by which Telegram says so, and how it is told.
"""

NO_TOPIC = ("message thread not found", "topic_deleted")
SHUT_TOPIC = ("topic_closed",)
NO_MEDIA = ("no media in the message", "can't be edited", "message can not be edited", "media_invalid")
"""How a Bot API of an older version, on a server of one's own, says that a text cannot become a picture."""
UNCHANGED = ("not modified",)
MARKUP = ("can't parse entities", "too long", "too_long", "entity")


def outcome_of(error: TelegramError, chat: ChatRef) -> Outcome:
    """Say what an error of a send asks for. ``after`` is a first hint; who repeats makes it grow."""
    reason = str(error)
    match error:
        case RetryAfter():
            return RetryLater(seconds(error), "Telegram asks to slow down")
        case ChatMigrated():
            return ChatMoved(ChatRef("telegram", str(error.new_chat_id), chat.thread))
        case Forbidden():
            return ChatGone(_why_gone(error) or f"Telegram says: {reason.removeprefix('Forbidden: ')}")
        case InvalidToken() | EndPointNotFound():
            return RetryLater(60.0, "Telegram refuses the token", is_global=True)
        case BadRequest():
            is_over = bool(chat.thread) and says(error, NO_TOPIC)
            if why := _why_gone(error):
                return ChatGone(why, is_over)
            return Rejected(f"Telegram refuses the message: {reason}")
        case Unreachable():
            return RetryLater(2.0, "Telegram cannot be reached", is_global=True)
        case TimedOut():
            return RetryLater(2.0, "Telegram does not answer in time")
        case _:
            return RetryLater(2.0, f"Telegram says: {reason}")


def _why_gone(error: TelegramError) -> str:
    """Say why nothing can be written to a chat; nothing where that is not so."""
    return next((why for phrases, why in _GONE if says(error, phrases)), "")


def says(error: TelegramError, phrases: tuple[str, ...]) -> bool:
    """Tell whether the Bot API's description holds one of the phrases, in whatever case."""
    text = str(error).lower()
    return any(phrase in text for phrase in phrases)


def seconds(error: RetryAfter) -> float:
    """Give the seconds that Telegram asks to wait; the library says them as a number or a timedelta."""
    after = error.retry_after
    return after.total_seconds() if isinstance(after, timedelta) else float(after)


def pause_before(error: TelegramError, attempt: int) -> float:
    """Give the seconds to wait before the next attempt: what Telegram asks for, else 1, 2, 4 up to 30."""
    return seconds(error) if isinstance(error, RetryAfter) else min(30.0, 2.0**attempt)
