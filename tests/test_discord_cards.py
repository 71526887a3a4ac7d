"""Cards on Discord: a headline with a card below it, and nothing is lost where none is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import get_args

import discord
import pytest
from hypothesis import given

from bot.alerts.message import Button, Message, Tone, say
from bot.alerts.models import Telling
from bot.alerts.tones import TONES
from bot.chats.discord_cards import COLOURS, card_of
from bot.chats.discord_text import render, width
from bot.ports import Receipt, RetryLater
from tests.test_discord import FrontDesk, bare, messages, ref, running, server
from tests.wire.discord import DiscordServer

__all__ = ["server"]

RING = Message(
    title="#1 BTC/USDT fell below 98,000: now 97,990. Binance, 12:01 UTC.",
    lines=("Note: cut the *long*", "RSI(14): 28.1"),
    buttons=((Button("Why", "/why 1"),),),
    tone="ring",
)
WHOLE = f"**{RING.title}**\nNote: cut the \\*long\\*\nRSI(14): 28.1"


def no_embeds(server: DiscordServer) -> None:
    rights = discord.Permissions.all()
    rights.update(administrator=False, embed_links=False)
    server.grant(rights)


async def test_a_ring_is_a_headline_for_the_lock_screen_with_a_card_below(server: DiscordServer) -> None:
    async with running(server) as chat:
        outcome = await chat.send(ref(server.channel), RING, "ring/1")
        [shown] = await server.received(server.channel)
    assert outcome == Receipt(shown.id)
    assert shown.headline == f"**{RING.title}**"
    assert shown.text == WHOLE
    assert [label for label, _ in shown.buttons] == ["Why"]
    [card] = server.backend.messages[int(server.channel)][int(shown.id)].embeds
    assert card["color"] == COLOURS["ring"]


async def test_where_cards_are_left_out_the_text_is_put_in_and_no_card_is_tried_again(
    server: DiscordServer,
) -> None:
    no_embeds(server)
    async with running(server) as chat:
        assert isinstance(await chat.send(ref(server.channel), RING, "ring/1"), Receipt)
        assert isinstance(await chat.send(ref(server.channel), RING, "ring/2"), Receipt)
    first, second = server.shown(server.channel)
    assert first.headline == second.headline == WHOLE
    assert (first.before, second.before) == ((f"**{RING.title}**",), ())


async def test_a_ring_whose_text_could_not_be_put_in_is_sent_again_and_stands_there_once_and_whole(
    server: DiscordServer,
) -> None:
    no_embeds(server)
    async with running(server) as chat:
        server.refuse("/channels/*/messages/*", 503, times=20)
        assert isinstance(await chat.send(ref(server.channel), RING, "ring/1"), RetryLater)
        server.heal()
        assert isinstance(await chat.send(ref(server.channel), RING, "ring/1"), Receipt)
    [shown] = server.shown(server.channel)
    assert shown.headline == WHOLE


async def test_what_is_pressed_below_a_card_is_answered_in_its_headline_or_instead_of_it(
    server: DiscordServer,
) -> None:
    async def replies(said: str) -> AsyncIterator[Message]:
        row = ((Button("All", "/alerts"),),)
        yield replace(say(f"heard {said}"), buttons=row, takes_place=said == "/alerts")

    async with running(server, FrontDesk(replies)) as chat:
        await chat.send(ref(server.channel), RING, "ring/1")
        await server.press(server.channel, server.boss, "Why")
        [shown] = await server.reads(server.channel, "heard /why 1")
        assert shown.headline == f"**{RING.title}**\n> boss: heard /why 1"
        assert "cut the" in shown.text
        await server.press(server.channel, server.boss, "All")
        [shown] = await server.holds(server.channel, "heard /alerts")


@pytest.mark.parametrize(
    "message",
    [
        replace(RING, tone=""),
        replace(RING, title=""),
        replace(RING, lines=()),
        replace(RING, code="a table"),
        replace(RING, lines=("x" * 1990,)),
    ],
)
def test_what_reads_better_as_text_is_no_card(message: Message) -> None:
    assert card_of(message) is None


@given(messages)
def test_a_card_says_what_the_text_says_within_the_limits_of_discord(message: Message) -> None:
    card = card_of(replace(message, tone="news"))
    if card is not None:
        assert card.embed.description is not None
        assert width(card.headline) <= 2000 and width(card.embed.description) <= 4096
        assert len(card.embed) <= 6000
        said = f"{card.headline}\n{card.embed.description}"
        assert bare(said) == bare("".join(render(message))) == bare(card.whole)


def test_every_tone_has_a_colour_and_what_is_pushed_a_tone_unless_it_is_a_list_or_speech() -> None:
    assert {*COLOURS} == {*get_args(Tone)} - {""}
    assert {*Telling} - {*TONES} == {Telling.MISSED, Telling.BROADCAST, Telling.REPORT, Telling.BANNED}
