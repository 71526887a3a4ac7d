"""Show what a command replies on Discord: the first reply is sent, each later one takes its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

import discord
import structlog

from bot.alerts.message import Message, say
from bot.chats.discord_calls import FAILURES, Calls
from bot.chats.discord_text import render
from bot.ports import Replies

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

TROUBLE = say("Something went wrong here, and the operator's log says what. Please try again.")
SILENCE = say("Done.")

TOKEN_LIFE = 14 * 60.0
"""How long, in seconds, an interaction is used; Discord forgets it after fifteen minutes."""

_ALREADY_ANSWERED = 40060


@dataclass(frozen=True, slots=True)
class Shown:
    """One Discord message that can still be changed."""

    edit: Callable[[str], Awaitable[object]]
    delete: Callable[[], Awaitable[object]]


class Sheet:
    """The messages that show one reply, one per part, and are reused for the next reply."""

    def __init__(self, post: Callable[[str, bool], Awaitable[Shown]]) -> None:
        self._post = post
        self._shown: list[Shown] = []
        self._is_private = False

    async def show(self, message: Message) -> None:
        """Show a reply in place of the one before. What becomes private is taken out of sight first."""
        if message.is_private and not self._is_private:
            while self._shown:
                await self._shown.pop().delete()
        parts = render(message)
        for shown, text in zip(self._shown, parts, strict=False):
            await shown.edit(text)
        for text in parts[len(self._shown) :]:
            # A private sheet stays private: a part of it must not stand where all can read it.
            self._is_private = self._is_private or message.is_private
            self._shown.append(await self._post(text, self._is_private))
        while len(self._shown) > len(parts):
            await self._shown.pop().delete()


class Answer(Protocol):
    """Where the replies of one command go."""

    async def hold(self) -> None:
        """Tell the person that the first reply takes a while."""

    async def show(self, message: Message) -> None:
        """Show a reply in place of the one before; what cannot be shown is logged."""


async def relay(replies: Replies, answer: Answer, hold_after: float) -> None:
    """Bring all replies of a command to its answer; there is always at least one.

    After ``hold_after`` seconds without the first reply the person is told to wait.
    """
    pending = asyncio.create_task(_next(replies))
    try:
        await asyncio.wait({pending}, timeout=hold_after)
        if not pending.done():
            await answer.hold()
        message = await pending
        if message is None:
            message = SILENCE
        while message is not None:
            await answer.show(message)
            if message is TROUBLE or message is SILENCE:
                return
            pending = asyncio.create_task(_next(replies))
            message = await pending
    finally:
        pending.cancel()
        await asyncio.gather(pending, return_exceptions=True)
        if isinstance(replies, AsyncGenerator):
            await replies.aclose()


async def _next(replies: Replies) -> Message | None:
    try:
        return await anext(replies, None)
    except Exception:
        log.exception("a command failed", platform="discord")
        return TROUBLE


class MessageAnswer:
    """The answer to a message that somebody wrote: an ordinary message in the same channel."""

    def __init__(self, channel: discord.abc.Messageable, calls: Calls) -> None:
        self._calls = calls
        self._channel = channel
        self._sheet = Sheet(self._post)

    async def hold(self) -> None:
        """Show nothing: a message has no deadline."""

    async def show(self, message: Message) -> None:
        """Show a reply in place of the one before."""
        try:
            await self._calls.within(self._sheet.show(message))
        except FAILURES as problem:
            log.warning("a reply was not shown", platform="discord", reason=type(problem).__name__)

    async def _post(self, text: str, _is_private: bool) -> Shown:
        return _shown(await self._channel.send(text))


class _Stage(Enum):
    """How far an interaction is answered."""

    FRESH = auto()
    HELD = auto()
    ANSWERED = auto()


class InteractionAnswer:
    """The answer to a slash command: the response of its interaction, and what follows up on it.

    An interaction that Discord knows no more (answered too late, older than a quarter of an hour) is left,
    and the reply becomes an ordinary message of the channel; a private one goes to the person directly.
    """

    def __init__(self, interaction: discord.Interaction, channel: int, calls: Calls) -> None:
        self._interaction = interaction
        self._calls = calls
        self._channel = interaction.client.get_partial_messageable(channel)
        self._stage = _Stage.FRESH
        self._ends = asyncio.get_running_loop().time() + TOKEN_LIFE
        self._sheet = Sheet(self._respond)
        self._is_left = False

    async def hold(self) -> None:
        """Defer the response, which Discord shows as thinking.

        Whether a deferred response is private is settled here, before the reply is known. It is open, since
        what takes long looks at the market for all to see; a reply that is private after all replaces it.
        """
        try:
            await self._calls.within(self._interaction.response.defer())
        except FAILURES as problem:
            if not _is_answered(problem):
                self._leave(problem)
                return
        self._stage = _Stage.HELD

    async def show(self, message: Message) -> None:
        """Show a reply in place of the one before."""
        if not self._is_left and asyncio.get_running_loop().time() > self._ends:
            self._leave(None)
        if not self._is_left:
            try:
                await self._calls.within(self._sheet.show(message))
            except FAILURES as problem:
                self._leave(problem)
            else:
                return
        try:
            await self._calls.within(self._sheet.show(message))
        except FAILURES as problem:
            log.warning("a reply was not shown", platform="discord", reason=type(problem).__name__)

    async def add(self, text: str) -> None:
        """Tell the asker alone something besides the reply."""
        try:
            await self._calls.within(self._interaction.followup.send(text, ephemeral=True))
        except FAILURES as problem:
            log.info("a remark was not shown", platform="discord", reason=type(problem).__name__)

    def _leave(self, problem: BaseException | None) -> None:
        log.info("an interaction is over", reason=type(problem).__name__ if problem else "its time is up")
        self._is_left = True
        self._sheet = Sheet(self._post_aside)

    async def _respond(self, text: str, is_private: bool) -> Shown:
        interaction = self._interaction
        original = Shown(
            edit=lambda text: interaction.edit_original_response(content=text),
            delete=interaction.delete_original_response,
        )
        stage, self._stage = self._stage, _Stage.ANSWERED
        if stage is _Stage.FRESH:
            try:
                await interaction.response.send_message(text, ephemeral=is_private)
            except discord.HTTPException as problem:
                if not _is_answered(problem):
                    raise
                await original.edit(text)
            return original
        if stage is _Stage.HELD and not is_private:
            await original.edit(text)
            return original
        if stage is _Stage.HELD:
            # The first follow-up would fill the open response, so that is filled and taken away.
            await original.edit("…")
            aside = await interaction.followup.send(text, ephemeral=True, wait=True)
            await original.delete()
            return _shown(aside)
        return _shown(await interaction.followup.send(text, ephemeral=is_private, wait=True))

    async def _post_aside(self, text: str, is_private: bool) -> Shown:
        place = self._interaction.user if is_private and self._interaction.guild_id else self._channel
        return _shown(await place.send(text))


def _shown(message: discord.Message) -> Shown:
    return Shown(edit=lambda text: message.edit(content=text), delete=message.delete)


def _is_answered(problem: BaseException) -> bool:
    """Ask whether an earlier attempt had arrived after all, though its answer was lost."""
    return isinstance(problem, discord.HTTPException) and problem.code == _ALREADY_ANSWERED
