"""Tell who brought the bot along to where it is no member what becomes of what they make there."""

from __future__ import annotations

import discord
import structlog

from bot.alerts.message import Message
from bot.alerts.translator import Translator
from bot.chats.discord_calls import FAILURES, Calls

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def unreached(tr: Translator) -> Message:
    """Say that no direct message reaches a person, so that nothing can be theirs alone."""
    told = tr("I cannot write to you in private: let members of this server do so, or write to me first.")
    return Message(lines=(told,), is_private=True)


async def of_the_way(interaction: discord.Interaction, calls: Calls, tr: Translator) -> str:
    """Say where rings what somebody made in a place where the bot is no member, or that it cannot arrive.

    The way is proven: where there is no message of the bot in the direct messages yet, one is written.
    """
    try:
        link = await calls.within(_prove(interaction.user, tr))
    except FAILURES as problem:
        log.info("no direct messages with a person", platform="discord", reason=type(problem).__name__)
        return tr(
            "I am no member here, so what you make here can ring in your direct messages with me alone, and "
            "Discord does not let me write there. Write to me first, or share a server with me."
        )
    return tr(
        "I am no member here: what you make here is yours alone, and rings in your direct messages with me: "
        "{link}",
        link=link,
    )


async def _prove(person: discord.User | discord.Member, tr: Translator) -> str:
    """Write the first direct message to a person, unless there is one; gives the address of the chat."""
    direct = await person.create_dm()
    async for message in direct.history(limit=10):
        if message.author.id != person.id:
            break
    else:
        await direct.send(tr("Here rings what you make with me in places where I am no member."))
    return f"https://discord.com/channels/@me/{direct.id}"
