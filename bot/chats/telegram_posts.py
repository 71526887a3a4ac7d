"""Send messages and charts to Telegram: each in the way that is still possible where a better one is refused.

A chart is uploaded once; other chats get it by the ``file_id`` that Telegram gave.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import structlog
from telegram import Bot, InputMediaPhoto, LinkPreviewOptions, PhotoSize, ReplyParameters
from telegram import Message as Sent
from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden, TelegramError, TimedOut

from bot.alerts.chart import Chart, FlowChart, PriceChart, Sketch
from bot.alerts.message import File, Message
from bot.alerts.people import ChatRef
from bot.alerts.translator import Translator
from bot.chats.studio import Studio
from bot.chats.telegram_buttons import keyboard
from bot.chats.telegram_errors import MARKUP, NO_MEDIA, SHUT_TOPIC, UNCHANGED, says
from bot.chats.telegram_text import CAPTION, LIMIT, Part, width
from bot.ports.people import in_english
from bot.rules.phrases import to_say

NO_PREVIEW: Final = LinkPreviewOptions(is_disabled=True)
SHUT: Final = to_say("This topic is closed, so what rings in it comes here.")
UPLOAD_WITHIN: Final = 12.0
_OTHERS_UPLOAD_WITHIN: Final = 2.0
_KEPT: Final = 512
_SUPERGROUP: Final = "-100"

_SEND: Final = "SendMessage"
"""Telegram takes its methods in any case. So written, the library gives the answer as it came; of that to its
own ``sendMessage`` it makes an object of 110 fields, which takes as long as the rest of a request.
"""

Result = TypeVar("Result")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Posts:
    """What is sent through one bot, and under which ``file_id`` Telegram keeps the charts.

    ``words`` gives those of a chat.
    """

    def __init__(self, bot: Bot, studio: Studio) -> None:
        self._bot = bot
        self._studio = studio
        self.words: Callable[[ChatRef, str], Awaitable[Translator]] = in_english
        self._files: OrderedDict[Chart, asyncio.Future[str]] = OrderedDict()
        self._left: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._aside: OrderedDict[tuple[str, int], None] = OrderedDict()

    def leave(self, chat: ChatRef, message: int) -> None:
        """Add no chart to a message any more: somebody pressed its buttons, and it shows the answer."""
        _keep(self._left, (chat.chat, message))

    async def send(
        self, chat: ChatRef, message: Message, parts: Sequence[Part], sent: list[int], *, is_paid: bool
    ) -> bool:
        """Send the parts that are not sent yet, and say whether the chart went with them.

        It does where Telegram has it already and the message fits below it: then it costs no time. A first
        part whose answer was lost is sent without it. Raises TelegramError.
        """
        chart, to = message.chart, _answered(message)
        if isinstance(chart, PriceChart | FlowChart) and not sent and is_caption(parts):
            file = self._files.get(chart)
            if file is not None and file.done() and (known := file.result()):
                try:
                    photo = await self._send_photo(chat, known, parts[0], to, is_paid=is_paid)
                    sent.append(photo.message_id)
                    return True
                except Forbidden:
                    raise
                except BadRequest as error:
                    log.warning("sent without its chart", chat=str(chat), reason=str(error))
                    self._forget(chart, known)
        for part in parts[len(sent) :]:
            sent.append(await self.text(chat, part, None if sent else to, is_paid=is_paid))
        return False

    async def add_chart(self, chat: ChatRef, sent: int, message: Message, parts: Sequence[Part]) -> None:
        """Turn a message of text into its chart with the text below, or answer it with the chart.

        It is answered where the text is too long to stand below a picture, or where Telegram does not turn a
        text into one. Raises TelegramError.
        """
        chart = message.chart
        if not isinstance(chart, PriceChart | FlowChart):
            return

        async def edit(photo: str | bytes) -> Sent | None:
            if (chat.chat, sent) in self._left:
                return None
            done = await _somehow(chat, lambda _, markup: self._edit(chat, sent, photo, parts[0], markup))
            return done if isinstance(done, Sent) else None

        async def reply(photo: str | bytes) -> Sent | None:
            return await self._send_photo(chat, photo, None, ReplyParameters(sent))

        try:
            is_editable = is_caption(parts) and (chat.chat, sent) not in self._aside
            await self._by_file(chart, edit if is_editable else reply)
        except BadRequest as error:
            if says(error, NO_MEDIA):
                await self._by_file(chart, reply)
            elif not says(error, UNCHANGED):
                raise

    async def _edit(
        self, chat: ChatRef, sent: int, photo: str | bytes, caption: Part, has_markup: bool
    ) -> Sent | bool:
        media = InputMediaPhoto(
            photo,
            caption=caption.html if has_markup else caption.plain,
            parse_mode=ParseMode.HTML if has_markup else None,
            filename=None if isinstance(photo, str) else "chart.png",
        )
        return await self._bot.edit_message_media(
            media, number(chat.chat), sent, reply_markup=keyboard(caption.buttons)
        )

    async def _by_file(self, chart: Chart, send: Callable[[str | bytes], Awaitable[Sent | None]]) -> None:
        """Send a chart by what Telegram knows it under, else upload it."""
        if known := await self._known(chart):
            try:
                await send(known)
                return
            except Forbidden:
                raise
            except BadRequest as error:  # Telegram may forget a file: it is uploaded anew
                if says(error, (*UNCHANGED, *NO_MEDIA)):
                    raise
                self._forget(chart, known)
        await self._upload(chart, send, None)

    async def post(
        self,
        chat: ChatRef,
        message: Message,
        parts: Sequence[Part],
        sent: list[int],
        to: ReplyParameters | None,
        *,
        patience: float | None = None,
        is_paid: bool = False,
    ) -> None:
        """Send the parts of a message that are not sent yet, and its chart; the ids go into ``sent``.

        A message that fits below its chart is one message. A longer one goes before its chart. A chart that
        cannot be sent, or is not drawn within ``patience`` seconds, is left out; raises TelegramError for the
        rest. A file has the message below it where that fits, too.
        """
        if message.file is not None and is_caption(parts) and not sent:
            sent.append(await self._document(chat, message.file, parts[0], to, is_paid=is_paid))
            return
        if is_caption(parts) and not sent:
            photo = await self._photo(chat, message.chart, parts[0], to, patience, is_paid=is_paid)
            if photo is not None:
                sent.append(photo)
        for part in parts[len(sent) :]:
            sent.append(await self.text(chat, part, to, is_paid=is_paid))  # noqa: PERF401 - the next may fail
        if not is_caption(parts):
            with suppress(TelegramError):
                photo = await self._photo(chat, message.chart, None, None, patience, is_paid=is_paid)
                if photo is not None:
                    sent.append(photo)
        if message.file is not None and len(sent) == len(parts):
            sent.append(await self._document(chat, message.file, None, None, is_paid=is_paid))

    async def _document(
        self, chat: ChatRef, file: File, caption: Part | None, to: ReplyParameters | None, *, is_paid: bool
    ) -> int:
        async def send(thread: int | None, has_markup: bool) -> Sent:
            return await self._bot.send_document(
                number(chat.chat),
                file.text.encode(),
                caption=(caption.html if has_markup else caption.plain) if caption else None,
                parse_mode=ParseMode.HTML if has_markup and caption else None,
                message_thread_id=thread,
                reply_parameters=to,
                reply_markup=keyboard(caption.buttons) if caption else None,
                filename=file.name,
                allow_paid_broadcast=is_paid or None,
            )

        return (await _somehow(chat, send)).message_id

    async def text(
        self, chat: ChatRef, part: Part, to: ReplyParameters | None, *, is_paid: bool = False
    ) -> int:
        """Send one part: as plain text where markup is refused, to the group where its topic is closed."""

        async def send(thread: int | None, has_markup: bool) -> dict[str, Any]:
            text = part.html if has_markup else part.plain
            is_aside = bool(chat.thread) and thread is None
            shut = (await self.words(chat, "en"))(SHUT) if is_aside else ""
            parameters = {
                "chat_id": number(chat.chat),
                "text": f"{shut}\n{text}" if is_aside and width(part.plain) + width(shut) < LIMIT else text,
                "parse_mode": ParseMode.HTML if has_markup else None,
                "message_thread_id": thread,
                "link_preview_options": NO_PREVIEW,
                "reply_parameters": self._beside(chat, thread, to),
                "reply_markup": keyboard(part.buttons),
                "allow_paid_broadcast": is_paid or None,
            }
            answer: dict[str, Any] = await self._bot.do_api_request(_SEND, parameters)
            return answer

        answer = await _somehow(chat, send)
        sent: int = answer["message_id"]
        if chat.thread and str(answer.get("message_thread_id") or "") != chat.thread:
            _keep(self._aside, (chat.chat, sent))
        return sent

    def _beside(
        self, chat: ChatRef, thread: int | None, to: ReplyParameters | None
    ) -> ReplyParameters | None:
        """Leave a message out that is to be replied to where it stayed behind in a topic that is closed."""
        is_aside = bool(chat.thread) and thread is None
        return None if is_aside and to and (chat.chat, to.message_id) not in self._aside else to

    async def _photo(
        self,
        chat: ChatRef,
        chart: Chart | Sketch | None,
        caption: Part | None,
        to: ReplyParameters | None,
        patience: float | None,
        *,
        is_paid: bool,
    ) -> int | None:
        """Send a chart; ``None`` where it cannot be drawn or is refused. Raises what concerns the chat.

        One whose answer was lost may have arrived, so that is raised too.
        """
        if not isinstance(chart, PriceChart | FlowChart):
            return None
        try:
            async with asyncio.timeout(UPLOAD_WITHIN):
                if known := await self._known(chart):
                    try:
                        return (await self._send_photo(chat, known, caption, to, is_paid=is_paid)).message_id
                    except BadRequest:
                        self._forget(chart, known)
                sent = await self._upload(
                    chart,
                    lambda picture: self._send_photo(chat, picture, caption, to, is_paid=is_paid),
                    patience,
                )
                return sent.message_id if sent else None
        except TimeoutError:
            raise TimedOut from None
        except BadRequest as error:
            log.warning("sent without its chart", chat=str(chat), reason=str(error))
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
        chart: Chart,
        send: Callable[[bytes], Awaitable[Sent | None]],
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
            sent = await send(picture)
            photo = sent.photo if sent is not None else ()
            largest: PhotoSize | None = max(photo, key=lambda one: one.width, default=None)
            file.set_result(largest.file_id if largest else "")
            return sent
        finally:
            if not file.done():
                file.set_result("")
            if not file.result() and self._files.get(chart) is file:
                del self._files[chart]

    async def _send_photo(
        self,
        chat: ChatRef,
        photo: str | bytes,
        caption: Part | None,
        to: ReplyParameters | None,
        *,
        is_paid: bool = False,
    ) -> Sent:
        async def send(thread: int | None, has_markup: bool) -> Sent:
            text = (caption.html if has_markup else caption.plain) if caption else None
            return await self._bot.send_photo(
                number(chat.chat),
                photo,
                caption=text,
                parse_mode=ParseMode.HTML if has_markup and caption else None,
                message_thread_id=thread,
                reply_parameters=self._beside(chat, thread, to),
                reply_markup=keyboard(caption.buttons) if caption else None,
                filename=None if isinstance(photo, str) else "chart.png",
                allow_paid_broadcast=is_paid or None,
            )

        return await _somehow(chat, send)


def _answered(message: Message) -> ReplyParameters | None:
    """Say which message one goes on with; where that is gone, it stands by itself."""
    if not message.answers.isdecimal():
        return None
    return ReplyParameters(int(message.answers), allow_sending_without_reply=True)


def _keep(messages: OrderedDict[tuple[str, int], None], message: tuple[str, int]) -> None:
    messages[message] = None
    while len(messages) > _KEPT:
        messages.popitem(last=False)


def is_caption(parts: Sequence[Part]) -> bool:
    """Ask whether a message fits below a picture."""
    return len(parts) == 1 and width(parts[0].plain) <= CAPTION


def number(chat: str) -> int | str:
    """Give a chat's id as Telegram writes it; a public name (``@name``) stays as it is."""
    return chat if chat.startswith("@") else int(chat)


def link_of(chat: ChatRef, message: str) -> str:
    """Give the address of a message; only supergroups and channels have some, for those who are in them."""
    if not message.isdecimal():
        return ""
    if chat.chat.startswith("@"):
        return f"https://t.me/{chat.chat[1:]}/{message}"
    place = chat.chat.removeprefix(_SUPERGROUP)
    if place in (chat.chat, ""):
        return ""
    topic = f"/{chat.thread}" if chat.thread else ""
    return f"https://t.me/c/{place}{topic}/{message}"


async def _somehow(chat: ChatRef, send: Callable[[int | None, bool], Awaitable[Result]]) -> Result:
    """Send in a topic with markup; in the group where it is closed, without markup where that is refused."""
    thread = int(chat.thread) if chat.thread else None
    has_markup = True
    while True:
        try:
            return await send(thread, has_markup)
        except BadRequest as error:
            if thread is not None and says(error, SHUT_TOPIC):
                thread = None
            elif has_markup and says(error, MARKUP):
                has_markup = False
            else:
                raise
            log.warning("sent otherwise", chat=str(chat), reason=str(error))
