"""Bring along the file that came with what somebody said on Telegram; it is fetched when it is wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from telegram import Bot
from telegram.error import TelegramError

from bot.alerts.people import Brought, Caller
from bot.chats.telegram_http import AiohttpRequest
from bot.chats.telegram_inbox import Said


@dataclass(frozen=True, slots=True)
class Files:
    """Where files are fetched: ``root`` is the address of the Bot API."""

    requests: AiohttpRequest
    root: str

    def bring(self, said: Said, bot: Bot) -> Caller:
        """Give who spoke with the file that came with it, if one did."""
        document = said.document
        if document is None:
            return said.caller

        async def fetch(most: int) -> bytes:
            try:
                known = await bot.get_file(document.file_id)
            except TelegramError as error:
                raise OSError(type(error).__name__) from None
            path = (known.file_path or "").removeprefix(f"{self.root.rstrip('/')}/bot/")
            return await self.requests.download(self.root, path, most)

        brought = Brought(document.file_name or "", document.file_size or 0, fetch)
        return replace(said.caller, brought=brought)
