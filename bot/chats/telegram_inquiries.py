"""Answer what people type to the bot in other chats (``@bot btc``) with the cards of the desk.

Such an answer is no message and counts against no limit of those. Where inline mode is off at @BotFather,
nothing of this ever comes.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Final

import structlog
from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQuery,
    InlineQueryResultArticle,
    InputTextMessageContent,
)
from telegram.constants import ParseMode
from telegram.error import TelegramError

from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.chats.lanes import Lanes
from bot.chats.telegram_posts import NO_PREVIEW
from bot.chats.telegram_text import clean, render
from bot.ports import Card, Desk

MOST: Final = 50
"""How many results Telegram takes with one answer."""

FRESH_FOR: Final = 5
"""For how many seconds Telegram may show a person the same answer to the same words."""

_KEPT: Final = 4096

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Inquiries:
    """What answers inquiries through one bot.

    Whoever types is asked about once at a time, with the newest words: Telegram shows no other's answer.
    """

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._newest: OrderedDict[int, InlineQuery] = OrderedDict()

    async def take(self, query: InlineQuery, lanes: Lanes, desk: Desk) -> None:
        """Take an inquiry into the lane of who types it."""
        person = query.from_user.id
        is_waiting = person in self._newest
        self._newest[person] = query
        if not is_waiting:
            while len(self._newest) > _KEPT:
                self._newest.popitem(last=False)
            await lanes.put(f"typing {person}", partial(self._answer, person, desk))

    async def _answer(self, person: int, desk: Desk) -> None:
        query = self._newest.pop(person, None)
        if query is None:
            return
        cards = await desk.inquire(caller_of(query), query.query)
        results = [self._result(number, card) for number, card in enumerate(cards[:MOST])]
        try:
            await self._bot.answer_inline_query(query.id, results, cache_time=FRESH_FOR, is_personal=True)
        except TelegramError as error:  # what comes too late is no use to anybody
            log.info("inquiry not answered", reason=str(error))

    def _result(self, number: int, card: Card) -> InlineQueryResultArticle:
        part = render(card.message)[0]
        button = InlineKeyboardButton(clean(card.label), url=self._address(card.token))
        return InlineQueryResultArticle(
            str(number),
            clean(card.title),
            InputTextMessageContent(part.html, ParseMode.HTML, link_preview_options=NO_PREVIEW),
            reply_markup=InlineKeyboardMarkup([[button]]) if card.label else None,
            description=clean(card.summary) or None,
        )

    def _address(self, token: str) -> str:
        return f"https://t.me/{self._bot.username}?start={token}"


def caller_of(query: InlineQuery) -> Caller:
    """Say who types: they are heard as in their private chat with the bot, wherever they are."""
    person = query.from_user
    chat = ChatRef("telegram", str(person.id))
    return Caller(
        chat, ChatKind.PRIVATE, str(person.id), person.full_name, True, person.language_code or "en"
    )
