"""Send messages and charts to Telegram: each in the way that is still possible where a better one is refused.

A chart is uploaded once; other chats get it by the ``file_id`` that Telegram gave.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import structlog
from telegram import Bot, LinkPreviewOptions, PhotoSize, ReplyParameters
from telegram import Message as Sent
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, RetryAfter, TelegramError

from bot.alerts.chart import Chart, FlowChart, PriceChart, Sketch
from bot.alerts.message import Message
from bot.alerts.people import ChatRef
from bot.chats.studio import Studio
from bot.chats.telegram_buttons import keyboard
from bot.chats.telegram_errors import MARKUP, NO_TOPIC, says
from bot.chats.telegram_http import Unreachable
from bot.chats.telegram_text import CAPTION, Part, width

NO_PREVIEW: Final = LinkPreviewOptions(is_disabled=True)
UPLOAD_WITHIN: Final = 12.0
_OTHERS_UPLOAD_WITHIN: Final = 2.0
_KEPT: Final = 512

Result = TypeVar("Result")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Posts:
    """What is sent through one bot, and under which ``file_id`` Telegram keeps the charts."""

    def __init__(self, bot: Bot, studio: Studio) -> None:
        self._bot = bot
        self._studio = studio
        self._files: OrderedDict[Chart, asyncio.Future[str]] = OrderedDict()

    async def post(
        self,
        chat: ChatRef,
        message: Message,
        parts: Sequence[Part],
        sent: list[int],
        to: ReplyParameters | None,
        *,
        patience: float | None = None,
    ) -> None:
        """Send the parts of a message that are not sent yet, and its chart; the ids go into ``sent``.

        A message that fits below its chart is one message. A longer one goes before its chart. A chart that
        cannot be sent, or is not drawn within ``patience`` seconds, is left out; raises TelegramError for the
        rest.
        """
        is_caption = len(parts) == 1 and width(parts[0].plain) <= CAPTION
        if is_caption and not sent:
            photo = await self._photo(chat, message.chart, parts[0], to, patience)
            if photo is not None:
                sent.append(photo)
        for part in parts[len(sent) :]:
            sent.append(await self.text(chat, part, to))  # noqa: PERF401 - the next part may fail
        if not is_caption:
            with suppress(TelegramError):
                photo = await self._photo(chat, message.chart, None, None, patience)
                if photo is not None:
                    sent.append(photo)

    async def text(self, chat: ChatRef, part: Part, to: ReplyParameters | None) -> int:
        """Send one part: as plain text where its markup is refused, without the topic where that is gone."""

        async def send(thread: int | None, has_markup: bool) -> Sent:
            return await self._bot.send_message(
                number(chat.chat),
                part.html if has_markup else part.plain,
                parse_mode=ParseMode.HTML if has_markup else None,
                message_thread_id=thread,
                link_preview_options=NO_PREVIEW,
                reply_parameters=to,
                reply_markup=keyboard(part.buttons),
            )

        return (await _somehow(chat, send)).message_id

    async def _photo(
        self,
        chat: ChatRef,
        chart: Chart | Sketch | None,
        caption: Part | None,
        to: ReplyParameters | None,
        patience: float | None,
    ) -> int | None:
        """Send a chart; ``None`` where it cannot be drawn or is refused. Raises what concerns the chat.

        An upload whose answer was lost may have arrived: then the text comes besides.
        """
        if not isinstance(chart, PriceChart | FlowChart):
            return None
        try:
            async with asyncio.timeout(UPLOAD_WITHIN):
                if known := await self._known(chart):
                    try:
                        return (await self._send_photo(chat, known, caption, to)).message_id
                    except BadRequest:  # Telegram may forget a file: it is uploaded anew
                        self._forget(chart, known)
                sent = await self._upload(chat, chart, caption, to, patience)
                return sent.message_id if sent else None
        except (RetryAfter, Forbidden, ChatMigrated, InvalidToken, Unreachable):
            raise
        except (TelegramError, TimeoutError) as error:
            log.warning("sent without its chart", chat=str(chat), reason=str(error) or type(error).__name__)
            return None

    async def _known(self, chart: Chart) -> str:
        """Give the ``file_id`` of a chart, waiting a little for who uploads it now; else nothing."""
        while (file := self._files.get(chart)) is not None:
            await asyncio.wait({file}, timeout=_OTHERS_UPLOAD_WITHIN)
            if not file.done():
                break
            if file.result():
                return file.result()
        return ""

    def _forget(self, chart: Chart, known: str) -> None:
        file = self._files.get(chart)
        if file is not None and file.done() and file.result() == known:
            del self._files[chart]

    async def _upload(
        self,
        chat: ChatRef,
        chart: Chart,
        caption: Part | None,
        to: ReplyParameters | None,
        patience: float | None,
    ) -> Sent | None:
        """Draw and upload a chart; others wait for that, unless they were first."""
        file: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._files.setdefault(chart, file)
        while len(self._files) > _KEPT:
            self._files.popitem(last=False)
        try:
            picture = await self._studio.picture(chart, patience)
            if picture is None:
                return None
            sent = await self._send_photo(chat, picture, caption, to)
            largest: PhotoSize | None = max(sent.photo, key=lambda one: one.width, default=None)
            file.set_result(largest.file_id if largest else "")
            return sent
        finally:
            if not file.done():
                file.set_result("")
            if not file.result() and self._files.get(chart) is file:
                del self._files[chart]

    async def _send_photo(
        self, chat: ChatRef, photo: str | bytes, caption: Part | None, to: ReplyParameters | None
    ) -> Sent:
        async def send(thread: int | None, has_markup: bool) -> Sent:
            text = (caption.html if has_markup else caption.plain) if caption else None
            return await self._bot.send_photo(
                number(chat.chat),
                photo,
                caption=text,
                parse_mode=ParseMode.HTML if has_markup and caption else None,
                message_thread_id=thread,
                reply_parameters=to,
                reply_markup=keyboard(caption.buttons) if caption else None,
                filename=None if isinstance(photo, str) else "chart.png",
            )

        return await _somehow(chat, send)


def number(chat: str) -> int | str:
    """Give a chat's id as Telegram writes it; a public name (``@name``) stays as it is."""
    return chat if chat.startswith("@") else int(chat)


async def _somehow(chat: ChatRef, send: Callable[[int | None, bool], Awaitable[Result]]) -> Result:
    """Send in a topic with markup; without the topic where it is gone, without markup where it is refused."""
    thread = int(chat.thread) if chat.thread else None
    has_markup = True
    while True:
        try:
            return await send(thread, has_markup)
        except BadRequest as error:
            if thread is not None and says(error, NO_TOPIC):
                thread = None
            elif has_markup and says(error, MARKUP):
                has_markup = False
            else:
                raise
            log.warning("sent otherwise", chat=str(chat), reason=str(error))
