"""Take in what people say as Telegram delivers it to an address of the bot's, and see to it that it does.

An update that is not accepted is sent again by Telegram, for a day, and one that is accepted is not; each is
handled once, since they have numbers. What is accepted stands in a queue of this process: a kill may lose the
commands that were not answered yet, as it does with polling, and who gave one sees that no answer came.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from typing import Any, Final

import structlog
from telegram import Update, WebhookInfo
from telegram.error import BadRequest, InvalidToken, TelegramError
from telegram.ext import Application

from bot.chats.telegram_reach import HEARD, LATELY, RIVAL, SECOND, Doubts, reach
from bot.ports import Clock, Refused

MOST_KNOWN: Final = 4096
"""How many numbers of updates are kept; Telegram repeats an update long before so many others came."""

MOST_CONNECTIONS: Final = 40

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Webhook:
    """The address ``url`` at which Telegram delivers, showing ``secret``.

    Where another takes the webhook away, it is set again: who was there first stays.
    """

    def __init__(
        self,
        application: Application[Any, Any, Any, Any, Any, Any],
        clock: Clock,
        url: str,
        secret: str,
        doubts: Doubts,
    ) -> None:
        self._bot = application.bot
        self._updates = application.update_queue
        self._clock = clock
        self._url = url
        self._secret = secret
        self._doubts = doubts
        self._known: OrderedDict[int, None] = OrderedDict()
        self._is_open = False
        self._is_reached = False
        self._began = 0.0
        self._heard_at = 0.0
        self._met_at: float | None = None
        self._refusal = ""
        self._failure = ""

    def __repr__(self) -> str:
        return "Webhook()"

    @property
    def is_working(self) -> bool:
        """Whether updates are taken in, and Telegram answered when it was asked last."""
        return self._is_open and self._is_reached

    @property
    def trouble(self) -> str:
        """Say what keeps updates from arriving."""
        if self._refusal:
            return f"Telegram refuses the webhook: {self._refusal}"
        if self._met_at is not None and self._clock.steady() - self._met_at < LATELY:
            return RIVAL
        return f"Telegram cannot deliver to the webhook: {self._failure}" if self._failure else ""

    async def settle(self) -> None:
        """Set the webhook, and find that nobody takes it away. Raises Refused if somebody does.

        Waits out a network that is down. What Telegram finds wrong with the address keeps no alert from
        ringing: that is told, and tried again.
        """
        self._met_at = None
        before = await reach(self._clock, self._bot.get_webhook_info)
        is_another = before.url not in ("", self._url)
        if is_another:
            log.warning("telegram's webhook was another, and is this bot's now")
        await self._set()
        if self._refusal:
            return
        seconds = self._doubts.after_webhook if is_another else self._doubts.at_start
        await asyncio.sleep(self._clock.real(seconds))
        if (await reach(self._clock, self._bot.get_webhook_info)).url != self._url:
            raise Refused(SECOND)

    async def begin(self) -> None:
        """Take in from now on."""
        self._began = self._clock.steady()
        self._heard_at = self._clock.now()
        self._is_open = self._is_reached = True

    async def stay(self) -> None:
        """See to it until cancelled that Telegram delivers. Raises Refused if somebody was there before."""
        while True:
            await asyncio.sleep(self._clock.real(self._doubts.between_looks))
            try:
                await self._look(await self._bot.get_webhook_info())
                self._is_reached = True
            except InvalidToken:
                self._is_reached = False
                log.error("telegram refuses the token")
            except TelegramError as error:
                self._is_reached = False
                log.warning("telegram's webhook was not looked at", reason=str(error))

    async def end(self) -> None:
        """Take nothing in any more; what comes waits at Telegram."""
        self._is_open = False

    def accept(self, body: bytes) -> bool:
        """Take over one update; ``False`` asks Telegram to send it again later.

        What the library cannot read is taken and passed over: sent again, it would hold up its chat for a
        day. Raises ValueError for what is no update at all.
        """
        if not self._is_open:
            return False
        try:
            said = json.loads(body)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        number = said.get("update_id") if isinstance(said, dict) else None
        if not isinstance(number, int):
            raise ValueError("it is no update")
        if number in self._known:
            return True
        try:
            self._updates.put_nowait(Update.de_json(said, self._bot))
        except asyncio.QueueFull:
            return False
        except Exception as error:
            log.warning("an update cannot be read", update=number, reason=type(error).__name__)
        self._known[number] = None
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        self._heard_at = self._clock.now()
        return True

    async def _look(self, info: WebhookInfo) -> None:
        """Take in how Telegram says that it delivers, and set the webhook again where it is not this one."""
        if info.url != self._url:
            if not self._refusal:
                self._meet()
            await self._set()
            return
        date = info.last_error_date.timestamp() if info.last_error_date else 0.0
        is_failing = bool(info.pending_update_count) and date > self._heard_at
        failure = (info.last_error_message or "it does not say why") if is_failing else ""
        if failure and not self._failure:
            waiting = info.pending_update_count
            log.error("telegram cannot deliver to the webhook", reason=failure, waiting=waiting)
        self._failure = failure

    def _meet(self) -> None:
        """Meet another who took the webhook: leave if this one is the newcomer, else say so once."""
        now = self._clock.steady()
        if now - self._began < self._doubts.probation:
            raise Refused(SECOND)
        if not self.trouble:
            log.error("another process took telegram's webhook; it is set again")
        self._met_at = now

    async def _set(self) -> None:
        """Set the webhook; keeps what Telegram has against the address."""
        was_refused = bool(self._refusal)
        self._refusal = await reach(self._clock, self._try)
        if self._refusal and not was_refused:
            log.error("telegram refuses the webhook: check TOCSIN_TELEGRAM_WEBHOOK", reason=self._refusal)

    async def _try(self) -> str:
        try:
            await self._bot.set_webhook(
                self._url,
                secret_token=self._secret,
                allowed_updates=HEARD,
                max_connections=MOST_CONNECTIONS,
                drop_pending_updates=False,
            )
        except BadRequest as error:
            return str(error)
        return ""
