"""Say what to do next about an error of the Bot API. Pure.

The Bot API tells most cases apart by its English description alone, so this is the one place that knows them.
"""

from __future__ import annotations

from datetime import timedelta

from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    RetryAfter,
    TelegramError,
)

from bot.alerts.people import ChatRef
from bot.chats.telegram_http import Unreachable
from bot.ports import ChatGone, ChatMoved, Outcome, Rejected, RetryLater

_GONE = (
    "chat not found",
    "user not found",
    "user is deactivated",
    "chat was deleted",
    "chat was deactivated",
    "not enough rights",
    "no rights",
    "need administrator rights",
    "chat_write_forbidden",
    "chat_send_plain_forbidden",
    "chat_restricted",
    "chat_admin_required",
    "peer_id_invalid",
    "user_is_blocked",
    "topic_closed",
    "topic_deleted",
    "message thread not found",
)
"""Nothing can be written here until somebody changes something: whoever speaks here again resumes it."""

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
            return RetryLater(seconds(error), "Telegram asks to wait")
        case ChatMigrated():
            return ChatMoved(ChatRef("telegram", str(error.new_chat_id), chat.thread))
        case Forbidden():
            return ChatGone(reason)
        case InvalidToken():
            return RetryLater(60.0, "Telegram refuses the token", is_global=True)
        case BadRequest():
            is_over = bool(chat.thread) and says(error, NO_TOPIC)
            return ChatGone(reason, is_over) if says(error, _GONE) else Rejected(reason)
        case Unreachable():
            return RetryLater(2.0, reason, is_global=True)
        case _:
            return RetryLater(2.0, reason)


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
