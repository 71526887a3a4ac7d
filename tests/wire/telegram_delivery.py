"""Deliver updates to a webhook, as the open Bot API server does.

Updates of one chat go one after the other, those of several beside each other. What is not answered with 2xx
is repeated: a second after the first failure, then after twice as long each time, or when ``Retry-After``
says. Here these pauses are ``PACE`` times as long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

PACE = 0.02

Json = dict[str, Any]


@dataclass
class Delivery:
    """What goes to one webhook; ``updates`` are those that wait, and an accepted one is taken out of them.

    ``sent`` lists each try: the number of the update, and the status that came back, 0 for none. The answers
    to the next ``lost`` tries do not arrive.
    """

    updates: list[Json]
    changed: Callable[[], None]
    url: str = ""
    secret: str = ""
    allowed: list[str] = field(default_factory=list)
    connections: int = 40
    error: str = ""
    error_at: float = 0.0
    lost: int = 0
    sent: list[tuple[int, int]] = field(default_factory=list)
    _chats: dict[int, asyncio.Task[None]] = field(default_factory=dict)

    def wake(self) -> None:
        """Send what waits, where a webhook is set."""
        for update in self.updates if self.url else ():
            chat = _chat(update)
            if chat not in self._chats:
                self._chats[chat] = asyncio.create_task(self._send(chat))

    def info(self) -> Json:
        """Say what getWebhookInfo says."""
        known: Json = {
            "url": self.url,
            "has_custom_certificate": False,
            "pending_update_count": len(self.updates),
        }
        if self.url:
            known |= {"max_connections": self.connections, "allowed_updates": self.allowed}
        if self.url and self.error:
            known |= {"last_error_date": int(self.error_at), "last_error_message": self.error}
        return known

    async def stop(self) -> None:
        """Send nothing any more."""
        tasks, self._chats = list(self._chats.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, chat: int) -> None:
        """Send the updates of one chat in their order, until none waits."""
        pause, failures = 1.0, 0
        async with aiohttp.ClientSession() as session:
            while self.url and (mine := [one for one in self.updates if _chat(one) == chat]):
                error, after = await self._try(session, mine[0])
                if not error:
                    self.updates.remove(mine[0])
                    pause, failures = 1.0, 0
                else:
                    self.error, self.error_at = error, time.time()
                self.changed()
                if error:
                    pause = pause * 2 if failures and not after else pause
                    failures += 1
                    await asyncio.sleep((after or pause) * PACE)
        self._chats.pop(chat, None)
        self.wake()

    async def _try(self, session: aiohttp.ClientSession, update: Json) -> tuple[str, float]:
        """Send one update; gives what went wrong, and for how many seconds the other side wants to wait."""
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.secret} if self.secret else {}
        status = 0
        try:
            async with session.post(self.url, json=update, headers=headers) as answer:
                status, after = answer.status, float(answer.headers.get("Retry-After", 0))
        except aiohttp.ClientError:
            return "Connection refused", 0.0
        finally:
            self.sent.append((update["update_id"], status))
        if self.lost:
            self.lost -= 1
            return "Connection closed", 0.0
        if 200 <= status < 300:
            return "", 0.0
        return f"Wrong response from the webhook: {status} {answer.reason}", after


def _chat(update: Json) -> int:
    post = update.get("message") or update.get("channel_post") or {}
    pressed = update.get("callback_query") or update.get("inline_query") or {}
    return int(post.get("chat", pressed.get("from", {})).get("id", 0))
