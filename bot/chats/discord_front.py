"""Bring what people say, press and fill in on Discord to the desk, and show them what it replies."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import replace
from typing import Any

import discord
import structlog
from discord import app_commands

from bot.alerts.languages import Languages
from bot.alerts.message import Message
from bot.alerts.translator import Translator
from bot.chats.discord_answer import InteractionAnswer, MessageAnswer, relay
from bot.chats.discord_apart import of_the_way, unreached
from bot.chats.discord_calls import FAILURES, Calls
from bot.chats.discord_files import bring, filled_in, written_with
from bot.chats.discord_menu import SlashCommand, is_choice, line_to_finish, words
from bot.chats.discord_names import clip
from bot.chats.discord_people import (
    find_author,
    find_caller,
    is_only_theirs,
    is_said_apart,
    manages,
    may_write,
    to_them_alone,
)
from bot.chats.discord_press import PressAnswer
from bot.chats.discord_window import Window, window_of, written
from bot.chats.studio import ANSWER_PATIENCE, Studio
from bot.ports import Choice, Desk, Draft, Replies

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_MOST_CHOICES = 25


class Front:
    """What stands between the people on Discord and the desk.

    Seconds: after ``answer_within`` without a reply an interaction is deferred (Discord allows three), after
    ``complete_within`` an autocomplete is answered with nothing, and no window is opened any more.
    ``languages`` give the words of what is said here and not at the desk. ``calls`` are replaced with every
    new client.
    """

    def __init__(
        self,
        commands: Sequence[SlashCommand],
        languages: Languages,
        studio: Studio,
        calls: Calls,
        *,
        answer_within: float,
        complete_within: float,
    ) -> None:
        self.commands = {command.name: command for command in commands}
        self.languages = languages
        self.calls = calls
        self._studio = studio
        self._answer_within = answer_within
        self._complete_within = complete_within
        self._told_of_cards: set[int] = set()

    async def answer(self, interaction: discord.Interaction, desk: Desk) -> None:
        """Answer a slash command; one whose long option was left out asks for it in a window."""
        data: Any = interaction.data
        filled = {option["name"]: option.get("value", "") for option in data.get("options", ())}
        command = self.commands.get(data["name"])
        if command is not None and (line := line_to_finish(command, filled)):
            await self._open(interaction, Draft(line, ""))
            return
        # Discord may offer for a while what was taken out of the menu; the desk says that it is unknown.
        said = words(command, filled) if command else f"/{data['name']}"
        await self._say(interaction, said, desk)

    async def fill(self, interaction: discord.Interaction, desk: Desk) -> None:
        """Say what was written in a window."""
        if (found := written(interaction.data)) is not None:
            window, text = found
            await self._say(interaction, f"{window.line} {text}", desk, is_own=window.is_own)

    async def ask(self, interaction: discord.Interaction, line: str, desk: Desk, is_own: bool) -> None:
        """Open a window for who pressed a button to write its line in; what cannot be is said by the desk."""
        draft: Draft | None = None
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            # A window cannot be deferred, so nearly all the time that Discord gives is taken for it.
            async with asyncio.timeout(self._complete_within):
                caller = await find_caller(interaction, self.calls, is_own=is_own)
                draft = await desk.draft(caller, line) if caller else None
        except TimeoutError:
            log.info("a window was not ready in time", platform="discord")
        except Exception:
            log.exception("a window failed", platform="discord")
        if draft is None:
            left = self._answer_within - (loop.time() - began)
            await self.press(interaction, line, desk, is_own, hold_after=max(0.0, left))
        else:
            await self._open(interaction, draft, is_own=is_own)

    async def press(
        self,
        interaction: discord.Interaction,
        line: str,
        desk: Desk,
        is_own: bool,
        *,
        hold_after: float | None = None,
    ) -> None:
        """Answer the press of a button: its line is said by who pressed it.

        One that is their own is said in their direct messages, and answered to them alone.
        """
        if interaction.channel_id is None:
            return
        tr = self._tr(interaction)
        answer = PressAnswer(interaction, interaction.channel_id, self.calls, tr)
        replies = self._replies(interaction, line, desk, is_own=is_own, has_pressed=True)
        patience = self._answer_within if hold_after is None else hold_after
        await relay(replies, answer, patience, self._picture, tr)

    async def complete(self, interaction: discord.Interaction, desk: Desk) -> None:
        """Answer an autocomplete in time, with nothing if there is nothing."""
        data: Any = interaction.data
        focused = next((option for option in data.get("options", ()) if option.get("focused")), None)
        choices: list[Choice] = []
        if focused:
            asked = self._choices(interaction, data["name"], focused, desk)
            choices = await _in_time(asked, self._complete_within)
        fitting = [
            app_commands.Choice(name=clip(one.shown), value=one.value)
            for one in choices
            if is_choice(one.value) and one.shown
        ]
        try:
            await self.calls.within(interaction.response.autocomplete(fitting[:_MOST_CHOICES]))
        except FAILURES as problem:
            log.info("suggestions came too late", reason=type(problem).__name__)

    async def hear(
        self, message: discord.Message, desk: Desk, client: discord.Client | None, bot: int
    ) -> None:
        """Answer a direct message, or a message in a server that begins with a mention of the bot."""
        said = message.content.strip()
        if message.guild is not None:
            mention = re.match(rf"<@!?{bot}>\s*", said)
            if mention is None:
                return
            said = said[mention.end() :] or "/help"
        if said:
            caller = await find_author(message, client, self.calls)
            tr = self.languages.translator(caller.language, "UTC")
            answer = MessageAnswer(message.channel, self.calls, tr)
            replies = desk.dispatch(bring(caller, written_with(message), self.calls), said)
            await relay(replies, answer, self._answer_within, self._picture, tr, is_silence_told=False)

    async def _say(
        self, interaction: discord.Interaction, said: str, desk: Desk, *, is_own: bool = False
    ) -> None:
        """Say a line for who gave it, and show the reply.

        One of a person who brought the bot along to where it is no member is of their private chat with it,
        and shown to them alone.
        """
        if interaction.channel_id is None:
            return
        command = self.commands.get(said[1:].partition(" ")[0])
        is_personal = command is not None and command.is_personal and interaction.guild_id is not None
        is_aside = is_personal or is_said_apart(interaction, is_own=is_own)
        tr = self._tr(interaction)
        answer = InteractionAnswer(interaction, interaction.channel_id, self.calls, tr, is_aside=is_aside)
        replies = self._replies(interaction, said, desk, is_own=is_own)
        await relay(replies, answer, self._answer_within, self._picture, tr)
        if is_only_theirs(interaction):
            if command is not None and command.changes:
                await answer.add(await of_the_way(interaction, self.calls, tr))
        elif not may_write(interaction):
            await answer.add(_unwritable(tr))
        elif self._lacks_cards(interaction):
            await answer.add(_cardless(tr))

    async def _replies(
        self,
        interaction: discord.Interaction,
        line: str,
        desk: Desk,
        *,
        is_own: bool = False,
        has_pressed: bool = False,
    ) -> AsyncGenerator[Message]:
        """Give what the desk replies; who asks is found out first, which may take a while too."""
        caller = await find_caller(interaction, self.calls, is_own=is_own)
        if caller is None:
            yield unreached(self._tr(interaction))
            return
        caller = bring(caller, filled_in(interaction), self.calls)
        replies: Replies = desk.dispatch(replace(caller, has_pressed=has_pressed), line)
        is_apart = is_said_apart(interaction, is_own=is_own)
        try:
            async for message in to_them_alone(replies) if is_apart else replies:
                yield message
        finally:
            if isinstance(replies, AsyncGenerator):
                await replies.aclose()

    async def _open(self, interaction: discord.Interaction, draft: Draft, *, is_own: bool = False) -> None:
        window = window_of(Window(draft.line, is_own), draft.text, self._tr(interaction))
        try:
            await self.calls.within(interaction.response.send_modal(window))
        except FAILURES as problem:
            log.warning("a window was not opened", platform="discord", reason=type(problem).__name__)

    async def _choices(
        self, interaction: discord.Interaction, command: str, focused: dict[str, Any], desk: Desk
    ) -> list[Choice]:
        caller = await find_caller(interaction, self.calls)
        if caller is None:
            return []
        return await desk.complete(caller, command, focused["name"], str(focused.get("value", "")))

    def _lacks_cards(self, interaction: discord.Interaction) -> bool:
        """Ask whether who may change it is to be told, once, that cards go as plain text here."""
        channel, rights = interaction.channel_id, interaction.app_permissions
        if interaction.guild_id is None or rights.embed_links or rights.administrator:
            return False
        if channel is None or channel in self._told_of_cards or not manages(interaction.permissions):
            return False
        self._told_of_cards.add(channel)
        return True

    def _tr(self, interaction: discord.Interaction) -> Translator:
        """Give the words of the language that Discord speaks to a person."""
        return self.languages.translator(str(interaction.locale), "UTC")

    async def _picture(self, message: Message) -> bytes | None:
        return await self._studio.picture(message.chart, ANSWER_PATIENCE)


def _unwritable(tr: Translator) -> str:
    return tr(
        "I may not write in this channel, so no alert can arrive here. "
        "Let me view the channel and send messages in it."
    )


def _cardless(tr: Translator) -> str:
    return tr(
        "I may not embed links in this channel, so what rings here comes as plain text. "
        "With that right it comes as a card."
    )


async def _in_time(asked: Awaitable[list[Choice]], seconds: float) -> list[Choice]:
    try:
        async with asyncio.timeout(seconds):
            return await asked
    except TimeoutError:
        return []
    except Exception:
        log.exception("suggestions failed", platform="discord")
        return []
