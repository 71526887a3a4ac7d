"""Find the channels and groups of Telegram that somebody names, and what may be done there."""

from __future__ import annotations

from telegram import Bot, ChatMember, ChatMemberAdministrator, ChatMemberRestricted
from telegram.constants import ChatMemberStatus, ChatType

from bot.alerts.people import ChatRef
from bot.chats.telegram_posts import number
from bot.ports.places import Place


async def find_place(bot: Bot, name: str, person: str) -> Place | None:
    """Find a place by its ``@name`` or id. Raises TelegramError where there is none, or the bot is not in it.

    An anonymous administrator speaks as a group, whose rights elsewhere cannot be asked for.
    """
    if not (name.startswith("@") or name.removeprefix("-").isdecimal()) or not person.isdecimal():
        return None
    chat = await bot.get_chat(number(name))
    if chat.type == ChatType.PRIVATE:
        return None
    is_channel = chat.type == ChatType.CHANNEL
    mine = await bot.get_chat_member(chat.id, bot.id)
    theirs = await bot.get_chat_member(chat.id, int(person))
    return Place(
        ChatRef("telegram", str(chat.id)),
        f"@{chat.username}" if chat.username else chat.title or str(chat.id),
        may_post=_may_post(mine, is_channel=is_channel),
        is_admin=theirs.status in (ChatMemberStatus.OWNER, ChatMemberStatus.ADMINISTRATOR),
    )


def _may_post(mine: ChatMember, *, is_channel: bool) -> bool:
    match mine:
        case ChatMemberAdministrator():
            return bool(mine.can_post_messages) if is_channel else True
        case ChatMemberRestricted():
            return mine.is_member and mine.can_send_messages
        case _:
            return not is_channel and mine.status == ChatMemberStatus.MEMBER
