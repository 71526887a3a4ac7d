"""Show what a command replies on Discord: the first reply is sent, each later one takes its place."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
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


_NOT_WITH_A_FILE = (400, 403, 413)
"""How a message is refused that might be taken without its picture."""

Picture = Callable[[Message], Awaitable[bytes | None]]
"""Draws the chart of a message, if it has one."""


class Edit(Protocol):
    """Change a message: its text, and its files where they are given."""

    def __call__(self, *, content: str, attachments: Sequence[discord.File] = ...) -> Awaitable[object]: ...


@dataclass(frozen=True, slots=True)
class Shown:
    """One Discord message that can still be changed."""

    edit: Edit
    delete: Callable[[], Awaitable[object]]


class Sheet:
    """The messages that show one reply, one per part, and are reused for the next reply.

    A picture goes with the last part, or is left out where it is refused.
    """

    def __init__(self, post: Callable[[str, bool, bytes | None], Awaitable[Shown]]) -> None:
        self._post = post
        self._shown: list[Shown] = []
        self._is_private = False
        self._has_picture = False

    async def show(self, message: Message, picture: bytes | None = None) -> None:
        """Show a reply in place of the one before. What becomes private is taken out of sight first."""
        if message.is_private and not self._is_private:
            while self._shown:
                await self._shown.pop().delete()
        parts = render(message)
        for number, (shown, text) in enumerate(zip(self._shown, parts, strict=False), 1):
            mine = picture if number == len(parts) else None
            if mine is None and not self._has_picture:
                await shown.edit(content=text)
            else:
                await shown.edit(content=text, attachments=files_of(mine))
        for number, text in enumerate(parts[len(self._shown) :], len(self._shown) + 1):
            # A private sheet stays private: a part of it must not stand where all can read it.
            self._is_private = self._is_private or message.is_private
            self._shown.append(await self._place(text, picture if number == len(parts) else None))
        self._has_picture = picture is not None
        while len(self._shown) > len(parts):
            await self._shown.pop().delete()

    async def _place(self, text: str, picture: bytes | None) -> Shown:
        try:
            return await self._post(text, self._is_private, picture)
        except discord.HTTPException as problem:
            if picture is None or problem.status not in _NOT_WITH_A_FILE:
                raise
            log.info("a reply goes without its chart", platform="discord", code=problem.code)
            return await self._post(text, self._is_private, None)


class Answer(Protocol):
    """Where the replies of one command go."""

    async def hold(self) -> None:
        """Tell the person that the first reply takes a while."""

    async def show(self, message: Message, picture: bytes | None = None) -> None:
        """Show a reply in place of the one before; what cannot be shown is logged."""


async def relay(replies: Replies, answer: Answer, hold_after: float, draw: Picture) -> None:
    """Bring all replies of a command to its answer, with their pictures; there is always at least one.

    After ``hold_after`` seconds without the first reply the person is told to wait.
    """
    pending = asyncio.create_task(_next(replies, draw))
    try:
        await asyncio.wait({pending}, timeout=hold_after)
        if not pending.done():
            await answer.hold()
        message, picture = await pending
        if message is None:
            message = SILENCE
        while message is not None:
            await answer.show(message, picture)
            if message is TROUBLE or message is SILENCE:
                return
            pending = asyncio.create_task(_next(replies, draw))
            message, picture = await pending
    finally:
        pending.cancel()
        await asyncio.gather(pending, return_exceptions=True)
        if isinstance(replies, AsyncGenerator):
            await replies.aclose()


async def _next(replies: Replies, draw: Picture) -> tuple[Message | None, bytes | None]:
    try:
        message = await anext(replies, None)
    except Exception:
        log.exception("a command failed", platform="discord")
        return TROUBLE, None
    return message, await draw(message) if message is not None else None


class MessageAnswer:
    """The answer to a message that somebody wrote: an ordinary message in the same channel."""

    def __init__(self, channel: discord.abc.Messageable, calls: Calls) -> None:
        self._calls = calls
        self._channel = channel
        self._sheet = Sheet(self._post)

    async def hold(self) -> None:
        """Show nothing: a message has no deadline."""

    async def show(self, message: Message, picture: bytes | None = None) -> None:
        """Show a reply in place of the one before."""
        try:
            await self._calls.within(self._sheet.show(message, picture))
        except FAILURES as problem:
            log.warning("a reply was not shown", platform="discord", reason=type(problem).__name__)

    async def _post(self, text: str, _is_private: bool, picture: bytes | None) -> Shown:
        return _shown(await self._channel.send(text, files=files_of(picture)))


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

    async def show(self, message: Message, picture: bytes | None = None) -> None:
        """Show a reply in place of the one before."""
        if not self._is_left and asyncio.get_running_loop().time() > self._ends:
            self._leave(None)
        if not self._is_left:
            try:
                await self._calls.within(self._sheet.show(message, picture))
            except FAILURES as problem:
                self._leave(problem)
            else:
                return
        try:
            await self._calls.within(self._sheet.show(message, picture))
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

    async def _respond(self, text: str, is_private: bool, picture: bytes | None) -> Shown:
        shown = await self._answered(text, is_private, picture)
        self._stage = _Stage.ANSWERED
        return shown

    async def _answered(self, text: str, is_private: bool, picture: bytes | None) -> Shown:
        interaction = self._interaction
        if not interaction.app_permissions.attach_files and interaction.guild_id is not None:
            picture = None
        original = Shown(edit=interaction.edit_original_response, delete=interaction.delete_original_response)
        if self._stage is _Stage.FRESH:
            try:
                await interaction.response.send_message(text, ephemeral=is_private, files=files_of(picture))
            except discord.HTTPException as problem:
                if not _is_answered(problem):
                    raise
                await original.edit(content=text, attachments=files_of(picture))
            return original
        if self._stage is _Stage.HELD and not is_private:
            await original.edit(content=text, attachments=files_of(picture))
            return original
        if self._stage is _Stage.HELD:
            # The first follow-up would fill the open response, so that is filled and taken away.
            await original.edit(content="…")
            aside = await self._follow_up(text, picture, is_private=True)
            await original.delete()
            return aside
        return await self._follow_up(text, picture, is_private)

    async def _follow_up(self, text: str, picture: bytes | None, is_private: bool) -> Shown:
        files = files_of(picture)
        return _shown(
            await self._interaction.followup.send(text, ephemeral=is_private, wait=True, files=files)
        )

    async def _post_aside(self, text: str, is_private: bool, picture: bytes | None) -> Shown:
        place = self._interaction.user if is_private and self._interaction.guild_id else self._channel
        return _shown(await place.send(text, files=files_of(picture)))


def files_of(picture: bytes | None) -> list[discord.File]:
    """Give what a message carries: a picture is read once, so each sending has a file of its own."""
    return [] if picture is None else [discord.File(io.BytesIO(picture), "chart.png")]


def _shown(message: discord.Message) -> Shown:
    return Shown(edit=message.edit, delete=message.delete)


def _is_answered(problem: BaseException) -> bool:
    """Ask whether an earlier attempt had arrived after all, though its answer was lost."""
    return isinstance(problem, discord.HTTPException) and problem.code == _ALREADY_ANSWERED
