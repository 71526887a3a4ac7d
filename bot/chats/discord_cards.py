"""Cards: what is pushed to Discord, as a headline and an embed in the colour of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import discord

from bot.alerts.message import Message, Tone
from bot.chats.discord_text import render

COLOURS: Mapping[Tone, int] = {
    "ring": 0xF2A93B,
    "over": 0x4C9F70,
    "trouble": 0xC7514A,
    "news": 0x4A7FC7,
}
"""By the kind of news, not by the way of a price: which of red and green is up differs by country."""


@dataclass(frozen=True, slots=True)
class Card:
    """A message in two: the ``headline``, its content, and the ``embed`` with the rest.

    Notifications show the content alone, and so does a person's client that hides embeds: what happened, the
    value and the time stand in the headline. ``whole`` is the message as text, where embeds are not allowed.
    """

    headline: str
    embed: discord.Embed
    whole: str


def card_of(message: Message) -> Card | None:
    """Make a card of a push; ``None`` for what reads better as text.

    That is a message without a headline or with nothing below it, one with a table (a card is narrower than
    a message, and breaks its lines), and one that is longer than a single message.
    """
    has_both = message.title.strip() and any(map(str.strip, message.lines))
    if not message.tone or not has_both or message.code:
        return None
    whole = render(message)
    if len(whole) > 1:
        return None
    [headline] = render(Message(message.title))
    [rest] = render(replace(message, title=""))
    return Card(headline, discord.Embed(description=rest, colour=COLOURS[message.tone]), whole[0])
