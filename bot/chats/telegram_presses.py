"""Answer the presses of buttons on Telegram: say the line, and show the answer in the message itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
from telegram import Bot, InlineKeyboardMarkup, MessageEntity
from telegram.constants import ParseMode
from telegram.error import BadRequest, TelegramError

from bot.alerts.message import Message, say
from bot.chats.telegram_answers import Answer, Answers
from bot.chats.telegram_buttons import Pressed, alert_text, beneath, keyboard
from bot.chats.telegram_errors import MARKUP, UNCHANGED, says
from bot.chats.telegram_posts import NO_PREVIEW, number
from bot.chats.telegram_text import CAPTION, LIMIT, render
from bot.ports import Desk
from bot.rules.phrases import to_say

LOST: Final = to_say("This message is too old for its buttons. Please send the command yourself.")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Press:
    """A press and how far it is answered; ``answer`` shows what does not go into the message itself."""

    pressed: Pressed
    answer: Answer = field(init=False)
    is_answered: bool = False
    is_apart: bool = False

    def __post_init__(self) -> None:
        self.answer = Answer(self.pressed.said)


class Presses:
    """What answers presses through one bot.

    Telegram shows that a press waits until it is answered, and takes an answer for some seconds only. So one
    without a reply after ``answer_within`` seconds is answered with nothing; what is refused later than that
    is a message.
    """

    def __init__(self, bot: Bot, answers: Answers, answer_within: float) -> None:
        self._bot = bot
        self._answers = answers
        self._answer_within = answer_within
        self._waiting: dict[Press, asyncio.TimerHandle] = {}
        self._sent: set[asyncio.Task[bool]] = set()

    def begin(self, pressed: Pressed) -> Press:
        """Take a press, and see to it that it is answered in time."""
        press = Press(pressed)
        loop = asyncio.get_running_loop()
        self._waiting[press] = loop.call_later(self._answer_within, self._hold, press)
        return press

    async def answer(self, press: Press, desk: Desk) -> None:
        """Bring the line to the desk, and show the replies.

        A reply that is for the asker alone is told to him and changes nothing. Any other goes into the
        message that was pressed; where it does not fit, has a picture or a file, or the message cannot be
        changed, it is a message of its own.
        """
        said = press.pressed.said
        try:
            if not press.pressed.has_chat:
                tr = await desk.words(said.caller.chat, said.caller.language)
                await self.tell(press, say(tr(LOST)))
                return
            async for message in desk.dispatch(said.caller, said.words):
                if message.is_private and not press.is_apart:
                    await self.tell(press, message)
                    continue
                await self._settle(press)
                if press.is_apart or not await self._show(press, message):
                    press.is_apart = True
                    await self._answers.show(press.answer, message)
        finally:
            await self._settle(press)

    async def tell(self, press: Press, message: Message) -> None:
        """Tell the presser alone, or all where it is too late for that."""
        if not await self._settle(press, alert_text(message)):
            press.is_apart = True
            await self._answers.show(press.answer, message)

    async def finish(self) -> None:
        """End what still waits to be answered."""
        for timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()
        await asyncio.gather(*self._sent, return_exceptions=True)

    def _hold(self, press: Press) -> None:
        task = asyncio.create_task(self._settle(press))
        self._sent.add(task)
        task.add_done_callback(self._sent.discard)

    async def _settle(self, press: Press, text: str = "") -> bool:
        """Answer a press, once; ``False`` if a text could not be shown with it."""
        if press.is_answered:
            return not text
        press.is_answered = True
        if (timer := self._waiting.pop(press, None)) is not None:
            timer.cancel()
        try:
            query = press.pressed.query
            answering = partial(self._bot.answer_callback_query, query, text or None, show_alert=bool(text))
            await self._answers.insist(answering)
        except TelegramError as error:
            log.info("press not answered", chat=str(press.pressed.said.caller.chat), reason=str(error))
            return not text
        return True

    async def _show(self, press: Press, message: Message) -> bool:
        """Show a reply in the message that was pressed; ``False`` where it must be another."""
        pressed = press.pressed
        if message.chart is not None or message.file is not None or not pressed.text:
            return False
        try:
            if message.takes_place:
                return await self._replace(pressed, message)
            return await self._append(pressed, message)
        except BadRequest as error:
            if says(error, UNCHANGED):
                return True
            log.info("pressed message not changed", chat=str(pressed.said.caller.chat), reason=str(error))
            return False
        except TelegramError as error:
            press.answer.is_lost = True
            log.warning("reply not shown", chat=str(pressed.said.caller.chat), reason=str(error))
            return True

    async def _replace(self, pressed: Pressed, message: Message) -> bool:
        parts = render(message, CAPTION if pressed.has_photo else LIMIT)
        if len(parts) != 1:
            return False
        [part] = parts
        try:
            await self._change(pressed, part.html, keyboard(part.buttons), mode=ParseMode.HTML)
        except BadRequest as error:
            if not says(error, MARKUP):
                raise
            await self._change(pressed, part.plain, keyboard(part.buttons))
        return True

    async def _append(self, pressed: Pressed, message: Message) -> bool:
        if (whole := beneath(pressed, message)) is None:
            return False
        text, entities = whole
        await self._change(pressed, text, keyboard(message.buttons), entities=entities)
        return True

    async def _change(
        self,
        pressed: Pressed,
        text: str,
        markup: InlineKeyboardMarkup | None,
        *,
        mode: str | None = None,
        entities: list[MessageEntity] | None = None,
    ) -> None:
        chat, message = number(pressed.said.caller.chat.chat), pressed.said.message
        if pressed.has_photo:
            await self._answers.insist(
                lambda: self._bot.edit_message_caption(
                    chat,
                    message,
                    caption=text,
                    parse_mode=mode,
                    caption_entities=entities,
                    reply_markup=markup,
                )
            )
            return
        await self._answers.insist(
            lambda: self._bot.edit_message_text(
                text,
                chat,
                message,
                parse_mode=mode,
                entities=entities,
                link_preview_options=NO_PREVIEW,
                reply_markup=markup,
            )
        )
