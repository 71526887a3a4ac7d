"""Bring what people say on Telegram to the desk, and what the bot says to Telegram.

``telegram_inbox`` says what is brought and what is ignored.

``telegram_polling`` and ``telegram_webhook`` are the two ways to hear. Where several processes tell the
chats, one of them hears for all, and hands on what is said in chats that another tells.

Updates are confirmed when they are fetched or taken in: a kill may lose the commands that were not answered
yet, and who gave one sees that no answer came.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog
from telegram import CallbackQuery, Update
from telegram.constants import ChatMemberStatus
from telegram.error import InvalidToken, TelegramError
from telegram.ext import ApplicationBuilder, TypeHandler

from bot.alerts.lots import ALL_LOTS, Lots
from bot.alerts.message import Message, say
from bot.alerts.people import ChatKind, ChatRef
from bot.chats.lanes import Lanes, Rest
from bot.chats.studio import Studio
from bot.chats.telegram_answers import LONGEST_PAUSE, Answer, Answers
from bot.chats.telegram_buttons import Pressed, read_press
from bot.chats.telegram_errors import outcome_of
from bot.chats.telegram_files import Files
from bot.chats.telegram_http import AiohttpRequest
from bot.chats.telegram_inbox import Said, read
from bot.chats.telegram_inquiries import Inquiries
from bot.chats.telegram_menu import Menu, Shopfront
from bot.chats.telegram_places import find_place
from bot.chats.telegram_polling import Polling, within
from bot.chats.telegram_posts import UPLOAD_WITHIN, Posts, link_of, number
from bot.chats.telegram_presses import Press, Presses
from bot.chats.telegram_reach import Deaf, Doubts, reach
from bot.chats.telegram_text import render
from bot.chats.telegram_webhook import Webhook
from bot.ports import Clock, Desk, Outcome, Receipt, Refused, Rejected, Replies, RetryLater
from bot.ports.places import Place
from bot.rules.phrases import to_say

ADMIN_SECONDS: Final = 60.0
MOST_AT_ONCE: Final = 16
"""How many commands of one chat may be unanswered; the chat is told once that what follows is not read."""
BUSY: Final = to_say(
    "Too many commands at once: some of the last ones were not read. Please send them again."
)

DEFECT: Final = to_say("a mistake of this program")

SECRET_HEADER: Final = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105
"""In which Telegram shows the secret of a webhook."""

IN_PLACE_OF_TOKEN: Final = "kept by the request"  # noqa: S105

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class TelegramChat:
    """Telegram through python-telegram-bot: by long polling, or by a webhook.

    ``webhook`` is the public address at which Telegram delivers, and the secret that it shows there; whoever
    serves that address hands what comes to ``accept``. ``token`` is BotFather's, ``root`` the address of the
    Bot API. ``menu`` is what Telegram shows of the bot. ``patience`` is how many seconds to wait for an
    answer, ``answer_within`` how many the press of a button waits for its reply, ``studio`` draws the charts.
    ``doubts`` are how long it looks whether another bot has the same token. ``lots`` are the chats that it
    tells; without the first part of them it hears nothing by itself. ``send`` and ``is_admin`` work while
    ``run`` runs; before, after and in doubt, ``send`` asks to try later.
    """

    platform = "telegram"
    adds_charts = True

    def __init__(
        self,
        token: str,
        clock: Clock,
        *,
        root: str = "https://api.telegram.org",
        menu: Menu = Menu(),  # noqa: B008 - it is a value that nobody can change
        patience: float = 15.0,
        answer_within: float = 4.0,
        studio: Studio | None = None,
        webhook: tuple[str, str] | None = None,
        doubts: Doubts = Doubts(),  # noqa: B008 - it is a value that nobody can change
        lots: Lots = ALL_LOTS,
    ) -> None:
        # The library warns on every 429 unless it may say "retry after" as a timedelta; this is its switch.
        os.environ.setdefault("PTB_TIMEDELTA", "true")
        self._clock = clock
        self._desk: Desk | None = None
        self._lanes = Lanes()
        self._begun: OrderedDict[tuple[ChatRef, str], list[int]] = OrderedDict()
        self._admins: dict[tuple[str, str], tuple[float, bool]] = {}
        base = f"{root.rstrip('/')}/bot"
        updates: asyncio.Queue[object] = asyncio.Queue(maxsize=256)
        self._files = Files(requests := AiohttpRequest(token, patience=patience, connections=64), root)
        polls = AiohttpRequest(token, patience=patience, connections=2, is_polling=True)
        self._application = (
            ApplicationBuilder()
            .token(IN_PLACE_OF_TOKEN)
            .base_url(lambda _: base)
            .base_file_url(lambda _: base)
            .request(requests)
            .get_updates_request(polls)
            .update_queue(updates)
            .job_queue(None)
            .build()
        )
        bot = self._application.bot
        self._posts = Posts(bot, studio or Studio())
        self._answers = Answers(bot, self._posts, clock)
        self._shopfront = Shopfront(bot, menu)
        self._inquiries = Inquiries(bot)
        self._presses = Presses(bot, self._answers, answer_within)
        self._application.add_handler(TypeHandler(Update, self._take))
        self._lots = lots
        hears = 0 in lots.parts
        self._webhook = Webhook(self._application, clock, *webhook, doubts) if webhook and hears else None
        self._ear = self._webhook or (Polling(self._application, polls, clock, doubts) if hears else Deaf())
        self._is_alone = self._takes_over = False

    def __repr__(self) -> str:
        return "TelegramChat()"

    # --- listening ------------------------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """Whether updates arrive, or are fetched without failing."""
        return self._ear.is_working

    @property
    def trouble(self) -> str:
        """Say what keeps what people say from arriving here, as a sentence without full stop, if anything."""
        return self._ear.trouble

    def accept(self, body: bytes) -> bool:
        """Take over an update that Telegram delivered; ``False`` asks to deliver it again later.

        Raises ValueError for what is no update.
        """
        return self._webhook is not None and self._webhook.accept(body)

    async def run(self, desk: Desk) -> None:
        """Listen until cancelled.

        Waits out a network that is down, also at the start. Raises Refused if the token is wrong, or another
        program listened with it before.
        """
        self._desk = desk
        self._answers.turn = desk.turn
        self._posts.words = desk.words
        self._lanes = Lanes()
        try:
            await reach(self._clock, self._application.initialize)
            await self._application.start()
            await self._ear.settle()
            self._is_alone = self._takes_over = True
            await self._ear.begin()
            await self._shopfront.dress()
            log.info("telegram listens", bot=self._application.bot.username)
            await self._ear.stay()
        except InvalidToken:
            raise Refused(
                "Telegram refuses the token: check TOCSIN_TELEGRAM_TOKEN (and TOCSIN_TELEGRAM_API if set)."
            ) from None
        finally:
            self._takes_over = False
            await self._ear.end()
            if self._application.running:
                await within(4.0, self._application.stop())
            await self._lanes.drain(4.0)
            await self._presses.finish()
            self._is_alone = False
            await self._application.shutdown()
            await self._application.bot.shutdown()

    async def take_over(self, said: bytes) -> bool:
        """Bring an update that another process heard to the desk; ``False`` where it would have to wait."""
        if not self._takes_over or self._lanes.are_full:
            return False
        await self._bring(Update.de_json(json.loads(said), self._application.bot))
        return True

    async def _take(self, update: Update, _context: Any) -> None:
        """Take what was heard here: it is brought to the desk of whoever tells its chat."""
        chat = update.effective_chat
        lane = "" if chat is None else str(chat.id)
        if chat is None or self._lots.have(lane) or self._lanes.load(lane) >= MOST_AT_ONCE:
            await self._bring(update)
        elif update.callback_query is not None or read(update, self._application.bot.username) is not None:
            await self._lanes.put(lane, partial(self._hand_on, update, ChatRef(self.platform, lane)))

    async def _hand_on(self, update: Update, chat: ChatRef) -> Rest | None:
        """Hand an update on; what nobody takes over is answered here, before what was said after it."""
        assert self._desk is not None  # noqa: S101 - updates come while run has a desk
        if await self._desk.hand_on(chat, update.to_json().encode()):
            return None
        if update.callback_query is not None:
            if (pressed := read_press(update.callback_query)) is not None:
                await self._presses.answer(self._begin(pressed), self._desk)
            return None
        said = read(update, self._application.bot.username)
        return None if said is None else await self._answer(said)

    async def _bring(self, update: Update) -> None:
        if update.callback_query is not None:
            await self._take_press(update.callback_query)
            return
        if update.inline_query is not None:
            assert self._desk is not None  # noqa: S101 - updates come while run has a desk
            await self._inquiries.take(update.inline_query, self._lanes, self._desk)
            return
        said = read(update, self._application.bot.username)
        if said is None:
            return
        lane = said.caller.chat.chat
        load = self._lanes.load(lane)
        if load < MOST_AT_ONCE:
            await self._lanes.put(lane, partial(self._answer, said))
        elif load == MOST_AT_ONCE:
            log.warning("too many commands at once", chat=str(said.caller.chat))
            await self._lanes.put(lane, partial(self._refuse, said))

    async def _take_press(self, query: CallbackQuery) -> None:
        pressed = read_press(query)
        if pressed is None:
            return
        assert self._desk is not None  # noqa: S101 - updates come while run has a desk
        press = self._begin(pressed)
        lane = pressed.said.caller.chat.chat
        if self._lanes.load(lane) < MOST_AT_ONCE:
            await self._lanes.put(lane, partial(self._presses.answer, press, self._desk))
        else:
            tr = await self._desk.words(pressed.said.caller.chat, pressed.said.caller.language)
            await self._presses.tell(press, say(tr(BUSY)))

    def _begin(self, pressed: Pressed) -> Press:
        self._posts.leave(pressed.said.caller.chat, pressed.said.message)
        return self._presses.begin(pressed)

    async def _refuse(self, said: Said) -> None:
        """Say that what is said from now on is not read."""
        assert self._desk is not None  # noqa: S101 - updates come while run has a desk
        tr = await self._desk.words(said.caller.chat, said.caller.language)
        await self._answers.show(Answer(said), say(tr(BUSY)))

    async def _answer(self, said: Said) -> Rest | None:
        """Bring one saying to the desk. A reply that cannot be shown does not stop what was asked for.

        Once the first reply is shown, nobody waits for the later ones that take its place.
        """
        assert self._desk is not None  # noqa: S101 - updates come while run has a desk
        caller = self._files.bring(said, self._application.bot)
        answer, replies = Answer(said), self._desk.dispatch(caller, said.words)
        first = await anext(replies, None)
        if first is None:
            return None
        await self._answers.show(answer, first)
        return self._answer_further(answer, replies)

    async def _answer_further(self, answer: Answer, replies: Replies) -> None:
        async for message in replies:
            await self._answers.show(answer, message)
        if answer.said.caller.kind is ChatKind.PRIVATE:
            await self._shopfront.greet(answer.said.caller.person)

    # --- pushing --------------------------------------------------------------------------------------------

    async def send(self, chat: ChatRef, message: Message, nonce: str, *, is_paid: bool = False) -> Outcome:
        """Push one message; never raises for what Telegram or the network does.

        Telegram knows no nonce. Here it remembers how many parts of a long message were sent before the rest
        failed, so that a repetition within this process goes on with the next one. The receipt names the
        first part. A message for a topic that is closed goes to the group's general topic. One that
        ``is_paid`` allows Telegram to bill it as beyond its free limit.
        """
        parts = render(message)
        if not parts:
            return Rejected(to_say("the message is empty"))
        if not self._is_alone:
            return RetryLater(2.0, to_say("it does not listen yet"), is_global=True)
        is_again = (chat, nonce) in self._begun
        sent = self._begun.setdefault((chat, nonce), [])
        while len(self._begun) > 1024:
            self._begun.popitem(last=False)
        try:
            # A picture whose answer was lost is not tried again: text has the better chance.
            meant = replace(message, chart=None) if is_again else message
            has_chart = await self._posts.send(chat, meant, parts, sent, is_paid=is_paid)
        except TelegramError as error:
            return outcome_of(error, chat)
        except Exception:
            log.exception("sending met a defect", chat=str(chat))
            return RetryLater(LONGEST_PAUSE, DEFECT)
        self._begun.pop((chat, nonce), None)
        return Receipt(str(sent[0]), has_chart)

    async def illustrate(self, chat: ChatRef, sent: str, message: Message) -> Outcome:
        """Add the chart to a message; never raises for what Telegram or the network does."""
        try:
            async with asyncio.timeout(UPLOAD_WITHIN):
                await self._posts.add_chart(chat, int(sent), message, render(message))
        except TelegramError as error:
            return outcome_of(error, chat)
        except TimeoutError:
            return Rejected(to_say("the upload took too long"))
        except Exception:
            log.exception("a chart met a defect", chat=str(chat))
            return Rejected(DEFECT)
        return Receipt(sent, has_chart=True)

    def link(self, chat: ChatRef, message: str, is_private: bool) -> str:
        """Give the address of a message in a supergroup or a channel; elsewhere Telegram has none."""
        return link_of(chat, message)

    def invitation(self, token: str) -> str:
        """Give the deep link of a token; nothing while Telegram has not said who we are."""
        bot = self._application.bot
        try:
            return f"https://t.me/{bot.username}?start={token}"
        except RuntimeError:  # it is not initialized yet
            return ""

    async def find_place(self, name: str, asking: ChatRef, person: str) -> Place | None:
        """Find a channel or group by its ``@name`` or id; ``None`` where the bot sees none."""
        try:
            return await find_place(self._application.bot, name, person)
        except TelegramError as error:
            log.info("no such place", platform="telegram", reason=str(error))
            return None

    async def is_admin(self, chat: ChatRef, person: str, is_fresh: bool = False) -> bool:
        """Ask Telegram whether a person administers a chat; an answer is kept for a minute.

        One that ``is_fresh`` is asked for now. ``False`` where Telegram cannot say: a channel that speaks in
        a group, an error, a network that fails.
        """
        if chat.chat == person:
            return True
        now = self._clock.now()
        key = (chat.chat, person)
        known = None if is_fresh else self._admins.get(key)
        if known is not None and 0 <= now - known[0] < ADMIN_SECONDS:
            return known[1]
        if not person.isdecimal():
            return False
        try:
            member = await self._application.bot.get_chat_member(number(chat.chat), int(person))
        except TelegramError as error:
            log.warning("administrator unknown", chat=str(chat), reason=str(error))
            return False
        is_admin = member.status in (ChatMemberStatus.OWNER, ChatMemberStatus.ADMINISTRATOR)
        if len(self._admins) >= 1024:
            self._admins.clear()
        self._admins[key] = (now, is_admin)
        return is_admin
