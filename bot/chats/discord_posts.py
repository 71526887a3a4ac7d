"""Push messages and charts to Discord: each at most once, and in the way that is still possible."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import discord
import structlog
from discord.utils import MISSING

from bot.alerts.message import Message
from bot.alerts.people import ChatRef
from bot.chats.discord_answer import Piece, files_of, pieces_of
from bot.chats.discord_buttons import view_of
from bot.chats.discord_calls import ARCHIVED, FAILURES, Calls, outcome_of
from bot.chats.discord_cards import Card, card_of
from bot.chats.discord_text import render, render_plain
from bot.chats.studio import Studio
from bot.ports import ChatGone, Outcome, Receipt, Rejected, RetryLater

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_UPLOAD_WITHIN = 8.0
_WITHOUT_FILES = 3600.0
_WITHOUT_CARDS = 3600.0
_KEPT = 1024


class Posts:
    """What is pushed, and where no files are taken. ``calls`` are replaced with every new client."""

    def __init__(self, calls: Calls, studio: Studio) -> None:
        self.calls = calls
        self._studio = studio
        self._without_files: dict[str, float] = {}
        self._without_cards: dict[int, float] = {}
        self._lost: OrderedDict[tuple[ChatRef, str], None] = OrderedDict()

    async def send(self, client: discord.Client, chat: ChatRef, message: Message, nonce: str) -> Outcome:
        """Push one message, at most once per ``nonce`` as far as Discord remembers (some minutes).

        What Discord refuses for its form is tried once more without markup.
        """
        if not chat.chat.isascii() or not chat.chat.isdecimal():
            return ChatGone("it has no Discord channel id")
        channel = client.get_partial_messageable(int(chat.chat))
        parts = render(message)
        if (chat, nonce) not in self._lost:
            outcome = await self._push_with_chart(client, channel, message, parts, nonce)
            if isinstance(outcome, RetryLater):
                # It may have arrived: it is sent again as text, with the nonce by which Discord knows it.
                self._lost[chat, nonce] = None
                while len(self._lost) > _KEPT:
                    self._lost.popitem(last=False)
            if outcome is not None:
                return outcome
        outcome = await self._push(client, channel, self._pieces(channel, message, parts), nonce)
        if isinstance(outcome, Rejected):
            outcome = await self._push(client, channel, pieces_of(render_plain(message), None, ()), nonce)
        return outcome

    async def illustrate(self, client: discord.Client, chat: ChatRef, sent: str, message: Message) -> Outcome:
        """Add the chart to a message; never raises for what Discord or the network does."""
        now = asyncio.get_running_loop().time()
        picture = await self._studio.picture(message.chart)
        if picture is None or self._without_files.get(chat.chat, 0.0) > now:
            return Rejected("no chart")
        place = client.get_partial_messageable(int(chat.chat)).get_partial_message(int(sent))
        try:
            async with asyncio.timeout(_UPLOAD_WITHIN):
                await self.calls.within(place.edit(attachments=files_of(picture)), heeds_limits=True)
        except Exception as problem:
            outcome = outcome_of(problem)
            if isinstance(outcome, ChatGone | Rejected):
                self._bar_files(chat.chat, outcome)
            return outcome
        return Receipt(sent, has_chart=True)

    def _bar_files(self, place: str, outcome: ChatGone | Rejected) -> None:
        now = asyncio.get_running_loop().time()
        log.info("sent without its chart", platform="discord", reason=outcome.reason)
        self._without_files = {one: end for one, end in self._without_files.items() if end > now}
        self._without_files[place] = now + _WITHOUT_FILES

    async def _push_with_chart(
        self,
        client: discord.Client,
        channel: discord.PartialMessageable,
        message: Message,
        parts: Sequence[str],
        nonce: str,
    ) -> Outcome | None:
        """Push a message with its chart, if that is drawn already; ``None`` where it must go without.

        A channel may refuse files and take text, and says so with the code of one that takes nothing: then no
        file is tried there for an hour.
        """
        now, place = asyncio.get_running_loop().time(), str(channel.id)
        if self._without_files.get(place, 0.0) > now:
            return None
        picture = await self._studio.picture(message.chart, 0.0)
        if picture is None:
            return None
        try:
            async with asyncio.timeout(_UPLOAD_WITHIN):
                pieces = self._pieces(channel, message, parts, picture)
                outcome = await self._push(client, channel, pieces, nonce)
        except TimeoutError as problem:
            return outcome_of(problem)
        if isinstance(outcome, ChatGone | Rejected):
            self._bar_files(place, outcome)
            return None
        return replace(outcome, has_chart=True) if isinstance(outcome, Receipt) else outcome

    def _pieces(
        self,
        channel: discord.PartialMessageable,
        message: Message,
        parts: Sequence[str],
        picture: bytes | None = None,
    ) -> list[Piece]:
        """Say what each part shows; a card is one of them, with its text where cards are not allowed."""
        card = card_of(message)
        if card is None:
            return pieces_of(parts, picture, message.buttons)
        is_barred = self._without_cards.get(channel.id, 0.0) > asyncio.get_running_loop().time()
        text = card.whole if is_barred else card.headline
        return [Piece(text, picture=picture, buttons=message.buttons, card=card)]

    async def _complete(self, sent: discord.Message, card: Card) -> None:
        """Put the whole text into a message whose card is not there.

        Where the bot may not embed, Discord takes the message and leaves the card out without a word. Then
        no card is tried in that channel for an hour.
        """
        if sent.embeds or sent.content != card.headline:
            return
        now = asyncio.get_running_loop().time()
        log.info("sent without its card", platform="discord", channel=sent.channel.id)
        self._without_cards = {one: end for one, end in self._without_cards.items() if end > now}
        self._without_cards[sent.channel.id] = now + _WITHOUT_CARDS
        await self.calls.within(sent.edit(content=card.whole), heeds_limits=True)

    async def _wake(self, client: discord.Client, thread: int) -> None:
        """Take a thread out of the archive; a failure shows when it is written to."""
        with suppress(*FAILURES):
            await self.calls.within(client.http.edit_channel(thread, archived=False))

    async def _push(
        self,
        client: discord.Client,
        channel: discord.PartialMessageable,
        pieces: Sequence[Piece],
        nonce: str,
        *,
        is_woken: bool = False,
    ) -> Outcome:
        first = ""
        for number, piece in enumerate(pieces):
            sending = channel.send(
                piece.text,
                nonce=token_of(channel.id, nonce, number),
                files=files_of(piece.picture),
                view=view_of(piece.buttons) or MISSING,
                embed=piece.card.embed if piece.card and piece.text == piece.card.headline else MISSING,
            )
            try:
                sent = await self.calls.within(sending, heeds_limits=True)
                if piece.card is not None:
                    await self._complete(sent, piece.card)
            except Exception as problem:
                if number == 0 and getattr(problem, "code", 0) == ARCHIVED and not is_woken:
                    await self._wake(client, channel.id)
                    return await self._push(client, channel, pieces, nonce, is_woken=True)
                return outcome_of(problem)
            first = first or str(sent.id)
        return Receipt(first)


def token_of(channel: int, nonce: str, part: int) -> str:
    """Make the nonce of one part in one channel, of at most 25 characters.

    Discord compares nonces over all that the bot writes, so the channel is part of it.
    """
    return hashlib.blake2b(f"{channel} {part} {nonce}".encode(), digest_size=12).hexdigest()
