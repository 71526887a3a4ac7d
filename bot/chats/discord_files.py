"""Bring along the file that came with what somebody said on Discord; it is fetched when it is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import discord

from bot.alerts.people import Brought, Caller
from bot.chats.discord_calls import FAILURES, Calls


def bring(caller: Caller, attachments: Sequence[discord.Attachment], calls: Calls) -> Caller:
    """Give who spoke with the first file that came with it, if one did."""
    if not attachments:
        return caller
    attachment = attachments[0]

    async def fetch(most: int) -> bytes:
        if attachment.size > most:
            raise OSError("it is larger than was said")
        try:
            return await calls.within(attachment.read())
        except FAILURES as problem:
            raise OSError(type(problem).__name__) from None

    return replace(caller, brought=Brought(attachment.filename, attachment.size, fetch))


def filled_in(interaction: discord.Interaction) -> list[discord.Attachment]:
    """Give the files that were filled into a slash command."""
    data: Any = interaction.data
    resolved = data.get("resolved", {}).get("attachments", {})
    return [
        discord.Attachment(data=known, state=interaction._state)
        for option in data.get("options", ())
        if (known := resolved.get(str(option.get("value"))))
    ]


def written_with(message: discord.Message) -> list[discord.Attachment]:
    """Give the files of a message, or of the one that it answers."""
    answered = message.reference.resolved if message.reference else None
    if message.attachments or not isinstance(answered, discord.Message):
        return message.attachments
    return answered.attachments
