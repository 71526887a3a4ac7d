"""Show what the press of a button is answered on Discord: in the message itself, or to the presser alone."""

from __future__ import annotations

from typing import Any

import discord
import structlog

from bot.alerts.message import Message
from bot.alerts.translator import Translator
from bot.chats.discord_answer import InteractionAnswer, is_answered
from bot.chats.discord_buttons import changed, view_of
from bot.chats.discord_calls import FAILURES, Calls

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_UNKNOWN_MESSAGE = 10008


class PressAnswer:
    """The answer to a press.

    A reply for the asker alone is shown to him and changes nothing, unless it takes the place of what only
    he sees. Any other goes into the message that was pressed; one that does not fit, has a picture or a file,
    or comes when that message is gone, is a message of its own.
    """

    def __init__(self, interaction: discord.Interaction, channel: int, calls: Calls, tr: Translator) -> None:
        self._interaction = interaction
        self._calls = calls
        self._aside = InteractionAnswer(interaction, channel, calls, tr)
        self._is_begun = False
        self._is_aside = False

    async def hold(self) -> None:
        """Say that the press has arrived; the message stays as it is."""
        try:
            await self._calls.within(self._interaction.response.defer())
        except FAILURES as problem:
            if not is_answered(problem):
                self._aside.leave(problem)
                return
        self._begin()

    async def show(self, message: Message, picture: bytes | None = None) -> None:
        """Show a reply in place of the one before."""
        is_turned = message.takes_place and self._is_shown_alone()
        is_whole = message.chart is None and message.file is None
        is_aside = self._is_aside or (message.is_private and not is_turned) or not is_whole
        if is_aside or not await self._change(message):
            self._is_aside = True
            await self._aside.show(message, picture)

    def _is_shown_alone(self) -> bool:
        """Ask whether nobody but who pressed sees the message that was pressed."""
        pressed = self._interaction.message
        return pressed is not None and pressed.flags.ephemeral

    async def _change(self, message: Message) -> bool:
        """Show a reply in the message that was pressed; ``False`` where it must be another."""
        pressed = self._interaction.message
        if pressed is None:
            return False
        by = self._interaction.user.display_name if self._interaction.guild_id is not None else ""
        if (content := changed(pressed.content, message, by)) is None:
            return False
        shown: dict[str, Any] = {"content": content, "view": view_of(message.buttons)}
        if message.takes_place:
            shown["attachments"] = shown["embeds"] = []
        try:
            if not self._aside.is_left:
                await self._respond(shown)
                return True
        except FAILURES as problem:
            if isinstance(problem, discord.HTTPException) and problem.code == _UNKNOWN_MESSAGE:
                return False
            self._aside.leave(problem)
        try:  # the interaction is over, and the message may still be there
            await self._calls.within(pressed.edit(**shown))
        except FAILURES as problem:
            log.info("a pressed message was not changed", platform="discord", reason=type(problem).__name__)
            return False
        return True

    async def _respond(self, shown: dict[str, Any]) -> None:
        if self._is_begun:
            await self._calls.within(self._interaction.edit_original_response(**shown))
            return
        try:
            await self._calls.within(self._interaction.response.edit_message(**shown))
        except discord.HTTPException as problem:
            if not is_answered(problem):  # else its answer was lost, and it is done
                raise
        self._begin()

    def _begin(self) -> None:
        """Note that the interaction is answered: what else is to be said follows up on it."""
        self._is_begun = True
        self._aside.follow()
