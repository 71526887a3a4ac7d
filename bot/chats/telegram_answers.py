"""Show what a command replies on Telegram: the first reply is sent, each later one takes its place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

import structlog
from telegram import Bot, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError, TimedOut

from bot.alerts.message import Message
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.chats.studio import ANSWER_PATIENCE
from bot.chats.telegram_buttons import keyboard
from bot.chats.telegram_errors import MARKUP, UNCHANGED, pause_before, says
from bot.chats.telegram_inbox import Said
from bot.chats.telegram_posts import NO_PREVIEW, Posts, number
from bot.chats.telegram_text import Part, render
from bot.ports import Clock
from bot.ports.people import at_once

REPLY_TRIES: Final = 4
LONGEST_PAUSE: Final = 60.0

Result = TypeVar("Result")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(slots=True)
class Answer:
    """The messages that show the latest reply to what was said: one per part."""

    said: Said
    shown: list[tuple[int, Part]] = field(default_factory=list)
    is_lost: bool = False
    has_photo: bool = False


class Answers:
    """What shows replies through one bot. ``turn`` is waited for before each that is a new message."""

    def __init__(self, bot: Bot, posts: Posts, clock: Clock) -> None:
        self._bot = bot
        self._posts = posts
        self._clock = clock
        self.turn: Callable[[Caller], Awaitable[bool]] = at_once

    async def show(self, answer: Answer, message: Message) -> None:
        """Show a reply in place of the one before: edit what is shown, add or delete where parts differ."""
        if answer.is_lost:
            return
        parts = render(message)
        try:
            if message.chart is not None or message.file is not None or answer.has_photo:
                await self._show_anew(answer, message, parts)
                return
            for index, part in enumerate(parts):
                if index >= len(answer.shown):
                    answer.shown.append((await self._reply(answer.said, part), part))
                    continue
                shown, before = answer.shown[index]
                if part == before:
                    continue
                if not await self.edit(answer.said.caller.chat, shown, part):
                    shown = await self._reply(answer.said, part)
                answer.shown[index] = (shown, part)
            if parts:
                for shown, _ in answer.shown[len(parts) :]:
                    await self._delete(answer.said.caller.chat, shown)
                del answer.shown[len(parts) :]
        except TelegramError as error:
            answer.is_lost = True
            log.warning("reply not shown", chat=str(answer.said.caller.chat), reason=str(error))

    async def edit(self, chat: ChatRef, message: int, part: Part) -> bool:
        """Change a message of text; ``False`` if it cannot be changed (any more)."""
        return await self.insist(partial(self._edit, chat, message, part))

    async def insist(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Make a call again where Telegram asks to wait or the network fails: no outbox repeats an answer."""
        for attempt in range(REPLY_TRIES - 1):
            try:
                return await call()
            except BadRequest:
                raise
            except (RetryAfter, NetworkError) as error:
                pause = pause_before(error, attempt)
                if pause > LONGEST_PAUSE:
                    raise
            await self._clock.sleep(pause)
        return await call()

    async def _show_anew(self, answer: Answer, message: Message, parts: Sequence[Part]) -> None:
        """Show a reply with a picture, or after one: a text cannot be turned into a picture, nor back."""
        said, sent = answer.said, list[int]()
        for shown, _ in answer.shown:
            await self._delete(said.caller.chat, shown)
        answer.shown.clear()
        is_paid, to = await self._take_turn(said), _replying(said)
        await self.insist(
            lambda: self._posts.post(
                said.caller.chat, message, parts, sent, to, patience=ANSWER_PATIENCE, is_paid=is_paid
            )
        )
        answer.shown.extend(zip(sent, (*parts, Part("", "")), strict=False))
        answer.has_photo = message.chart is not None or message.file is not None

    async def _reply(self, said: Said, part: Part) -> int:
        is_paid, to = await self._take_turn(said), _replying(said)
        return await self.insist(lambda: self._posts.text(said.caller.chat, part, to, is_paid=is_paid))

    async def _take_turn(self, said: Said) -> bool:
        """Wait until a message may go to who spoke, and say whether it is paid for. Raises TimedOut."""
        try:
            return await self.turn(said.caller)
        except TimeoutError:
            raise TimedOut("no turn in time") from None

    async def _edit(self, chat: ChatRef, message: int, part: Part) -> bool:
        for text, mode in ((part.html, ParseMode.HTML), (part.plain, None)):
            try:
                await self._bot.edit_message_text(
                    text,
                    number(chat.chat),
                    message,
                    parse_mode=mode,
                    link_preview_options=NO_PREVIEW,
                    reply_markup=keyboard(part.buttons),
                )
                return True
            except BadRequest as error:
                if says(error, UNCHANGED):
                    return True
                if not says(error, MARKUP):
                    return False
        return False

    async def _delete(self, chat: ChatRef, message: int) -> None:
        try:
            await self._bot.delete_message(number(chat.chat), message)
        except TelegramError as error:
            log.info("message not deleted", chat=str(chat), reason=str(error))


def _replying(said: Said) -> ReplyParameters | None:
    """Answer to the message in a group, where several talk."""
    if said.caller.kind is not ChatKind.GROUP:
        return None
    return ReplyParameters(said.message, allow_sending_without_reply=True)
