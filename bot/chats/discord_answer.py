"""Show what a command replies on Discord: the first reply is sent, each later one takes its place."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Protocol

import discord
import structlog
from discord.utils import MISSING

from bot.alerts.message import Buttons, File, Message, say
from bot.alerts.translator import Translator
from bot.chats.discord_buttons import view_of
from bot.chats.discord_calls import FAILURES, Calls
from bot.chats.discord_cards import Card
from bot.chats.discord_text import render
from bot.ports import Replies
from bot.rules.phrases import to_say

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

TOKEN_LIFE = 14 * 60.0
"""How long, in seconds, an interaction is used; Discord forgets it after fifteen minutes."""

_ALREADY_ANSWERED = 40060

NO_FILE = to_say("I may not attach files here: let me, or ask for this in our private chat.")

_NOT_WITH_A_FILE = (400, 403, 413)
"""How a message is refused that might be taken without its picture."""

Picture = Callable[[Message], Awaitable[bytes | None]]
"""Draws the chart of a message, if it has one."""


class Edit(Protocol):
    """Change a message: its text and its buttons, and its files where they are given."""

    def __call__(
        self, *, content: str, view: discord.ui.View | None = ..., attachments: Sequence[discord.File] = ...
    ) -> Awaitable[object]: ...


@dataclass(frozen=True, slots=True)
class Piece:
    """What one Discord message shows, and whether to the asker alone."""

    text: str
    is_private: bool = False
    picture: bytes | None = None
    buttons: Buttons = ()
    file: File | None = None
    card: Card | None = None

    @property
    def files(self) -> list[discord.File]:
        """What it carries: a picture or a file is read once, so each sending has one of its own."""
        carried = files_of(self.picture)
        if self.file is not None:
            carried.append(discord.File(io.BytesIO(self.file.text.encode()), self.file.name))
        return carried

    def bare(self, tr: Translator) -> Piece:
        """Give it without what it carries; a file that is missed is told of."""
        text = self.text if self.file is None else f"{self.text}\n{tr(NO_FILE)}"
        return replace(self, text=text, picture=None, file=None)


@dataclass(frozen=True, slots=True)
class Shown:
    """One Discord message that can still be changed."""

    edit: Edit
    delete: Callable[[], Awaitable[object]]


class Sheet:
    """The messages that show one reply, one per part, and are reused for the next reply.

    A picture and the buttons go with the last part; a picture is left out where it is refused.
    """

    def __init__(self, post: Callable[[Piece], Awaitable[Shown]], tr: Translator) -> None:
        self._post = post
        self._tr = tr
        self._shown: list[Shown] = []
        self._is_private = False
        self._has_files = False

    async def show(self, message: Message, picture: bytes | None = None) -> None:
        """Show a reply in place of the one before. What becomes private is taken out of sight first."""
        if message.is_private and not self._is_private:
            while self._shown:
                await self._shown.pop().delete()
        # A private sheet stays private: a part of it must not stand where all can read it.
        is_private = message.is_private or self._is_private
        pieces = pieces_of(
            render(message), picture, message.buttons, file=message.file, is_private=is_private
        )
        for shown, piece in zip(self._shown, pieces, strict=False):
            view = view_of(piece.buttons)
            files = piece.files
            if not files and not self._has_files:
                await shown.edit(content=piece.text, view=view)
            else:
                await shown.edit(content=piece.text, view=view, attachments=files)
        for piece in pieces[len(self._shown) :]:
            self._is_private = is_private
            self._shown.append(await self._place(piece))
        self._has_files = picture is not None or message.file is not None
        while len(self._shown) > len(pieces):
            await self._shown.pop().delete()

    async def _place(self, piece: Piece) -> Shown:
        try:
            return await self._post(piece)
        except discord.HTTPException as problem:
            if (piece.picture is None and piece.file is None) or problem.status not in _NOT_WITH_A_FILE:
                raise
            log.info("a reply goes without its file", platform="discord", code=problem.code)
            return await self._post(piece.bare(self._tr))


class Answer(Protocol):
    """Where the replies of one command go."""

    async def hold(self) -> None:
        """Tell the person that the first reply takes a while."""

    async def show(self, message: Message, picture: bytes | None = None) -> None:
        """Show a reply in place of the one before; what cannot be shown is logged."""


async def relay(
    replies: Replies,
    answer: Answer,
    hold_after: float,
    draw: Picture,
    tr: Translator,
    *,
    is_silence_told: bool = True,
) -> None:
    """Bring all replies of a command to its answer, with their pictures.

    After ``hold_after`` seconds without the first reply the person is told to wait. Where there is none, an
    interaction is answered that there is none: Discord wants an answer.
    """
    silence = replace(say(tr("There is no answer to that.")), is_private=True) if is_silence_told else None
    trouble = say(tr("Something went wrong here, and the operator's log says what. Please try again."))
    pending = asyncio.create_task(_next(replies, draw, trouble))
    try:
        await asyncio.wait({pending}, timeout=hold_after)
        if not pending.done():
            await answer.hold()
        message, picture = await pending
        if message is None:
            message = silence
        while message is not None:
            await answer.show(message, picture)
            if message is trouble or message is silence:
                return
            pending = asyncio.create_task(_next(replies, draw, trouble))
            message, picture = await pending
    finally:
        pending.cancel()
        await asyncio.gather(pending, return_exceptions=True)
        if isinstance(replies, AsyncGenerator):
            await replies.aclose()


async def _next(replies: Replies, draw: Picture, trouble: Message) -> tuple[Message | None, bytes | None]:
    try:
        message = await anext(replies, None)
    except Exception:
        log.exception("a command failed", platform="discord")
        return trouble, None
    return message, await draw(message) if message is not None else None


class MessageAnswer:
    """The answer to a message that somebody wrote: an ordinary message in the same channel."""

    def __init__(self, channel: discord.abc.Messageable, calls: Calls, tr: Translator) -> None:
        self._calls = calls
        self._channel = channel
        self._sheet = Sheet(self._post, tr)

    async def hold(self) -> None:
        """Show nothing: a message has no deadline."""

    async def show(self, message: Message, picture: bytes | None = None) -> None:
        """Show a reply in place of the one before."""
        try:
            await self._calls.within(self._sheet.show(message, picture))
        except FAILURES as problem:
            log.warning("a reply was not shown", platform="discord", reason=type(problem).__name__)

    async def _post(self, piece: Piece) -> Shown:
        return await send(self._channel, piece)


class _Stage(Enum):
    """How far an interaction is answered."""

    FRESH = auto()
    HELD = auto()
    ANSWERED = auto()


class InteractionAnswer:
    """The answer to a slash command or a window: the response of its interaction, and what follows up on it.

    An interaction that Discord knows no more (answered too late, older than a quarter of an hour) is left,
    and the reply becomes an ordinary message of the channel; a private one goes to the person directly.
    One that ``is_aside`` is for the asker alone from the first.
    """

    def __init__(
        self,
        interaction: discord.Interaction,
        channel: int,
        calls: Calls,
        tr: Translator,
        *,
        is_aside: bool = False,
    ) -> None:
        self._interaction = interaction
        self._tr = tr
        self._is_aside = is_aside
        self._calls = calls
        self._channel = interaction.client.get_partial_messageable(channel)
        self._stage = _Stage.FRESH
        self._ends = asyncio.get_running_loop().time() + TOKEN_LIFE
        self._sheet = Sheet(self._respond, tr)
        self.is_left = False

    async def hold(self) -> None:
        """Defer the response, which Discord shows as thinking.

        Whether a deferred response is private is settled here, before the reply is known. It is open unless
        all is aside, since what takes long looks at the market for all to see; a reply that is private after
        all replaces it.
        """
        try:
            deferred = self._interaction.response.defer(ephemeral=self._is_aside, thinking=True)
            await self._calls.within(deferred)
        except FAILURES as problem:
            if not is_answered(problem):
                self.leave(problem)
                return
        self._stage = _Stage.HELD

    async def show(self, message: Message, picture: bytes | None = None) -> None:
        """Show a reply in place of the one before."""
        if not self.is_left and asyncio.get_running_loop().time() > self._ends:
            self.leave(None)
        if not self.is_left:
            try:
                await self._calls.within(self._sheet.show(message, picture))
            except FAILURES as problem:
                self.leave(problem)
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

    def follow(self) -> None:
        """Follow up on the interaction from now on: somebody else answered it."""
        self._stage = _Stage.ANSWERED

    def leave(self, problem: BaseException | None) -> None:
        """Use the interaction no more; replies become messages."""
        log.info("an interaction is over", reason=type(problem).__name__ if problem else "its time is up")
        self.is_left = True
        self._sheet = Sheet(self._post_aside, self._tr)

    async def _respond(self, piece: Piece) -> Shown:
        shown = await self._answered(piece)
        self._stage = _Stage.ANSWERED
        return shown

    async def _answered(self, piece: Piece) -> Shown:
        interaction = self._interaction
        if not interaction.app_permissions.attach_files and interaction.guild_id is not None:
            piece = piece.bare(self._tr)
        original = Shown(edit=interaction.edit_original_response, delete=interaction.delete_original_response)
        files, view = piece.files, view_of(piece.buttons)
        if self._stage is _Stage.FRESH:
            try:
                await interaction.response.send_message(
                    piece.text, ephemeral=piece.is_private, files=files, view=view or MISSING
                )
            except discord.HTTPException as problem:
                if not is_answered(problem):
                    raise
                await original.edit(content=piece.text, view=view, attachments=piece.files)
            return original
        if self._stage is _Stage.HELD and (self._is_aside or not piece.is_private):
            await original.edit(content=piece.text, view=view, attachments=files)
            return original
        if self._stage is _Stage.HELD:
            # The first follow-up would fill the open response, so that is filled and taken away.
            await original.edit(content="…")
            aside = await self._follow_up(piece)
            await original.delete()
            return aside
        return await self._follow_up(piece)

    async def _follow_up(self, piece: Piece) -> Shown:
        return _shown(
            await self._interaction.followup.send(
                piece.text,
                ephemeral=piece.is_private,
                wait=True,
                files=piece.files,
                view=view_of(piece.buttons) or MISSING,
            )
        )

    async def _post_aside(self, piece: Piece) -> Shown:
        is_aside = piece.is_private and (self._is_aside or self._interaction.guild_id)
        return await send(self._interaction.user if is_aside else self._channel, piece)


def pieces_of(
    parts: Sequence[str],
    picture: bytes | None,
    buttons: Buttons,
    *,
    file: File | None = None,
    is_private: bool = False,
) -> list[Piece]:
    """Say what each part shows: a picture, a file and the buttons go with the last."""
    pieces = [Piece(text, is_private) for text in parts]
    pieces[-1] = replace(pieces[-1], picture=picture, buttons=buttons, file=file)
    return pieces


async def send(place: discord.abc.Messageable, piece: Piece) -> Shown:
    """Send an ordinary message."""
    view = view_of(piece.buttons) or MISSING
    return _shown(await place.send(piece.text, files=piece.files, view=view))


def files_of(picture: bytes | None) -> list[discord.File]:
    """Give what a message carries: a picture is read once, so each sending has a file of its own."""
    return [] if picture is None else [discord.File(io.BytesIO(picture), "chart.png")]


def _shown(message: discord.Message) -> Shown:
    return Shown(edit=message.edit, delete=message.delete)


def is_answered(problem: BaseException) -> bool:
    """Ask whether an earlier attempt had arrived after all, though its answer was lost."""
    return isinstance(problem, discord.HTTPException) and problem.code == _ALREADY_ANSWERED
