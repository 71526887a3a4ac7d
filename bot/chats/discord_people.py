"""Read who speaks on Discord, where, and what they and the bot may do there."""

from __future__ import annotations

from dataclasses import replace

import discord
import structlog

from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.chats.discord_calls import FAILURES, Calls
from bot.ports import Replies

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def find_caller(
    interaction: discord.Interaction, calls: Calls, *, is_own: bool = False
) -> Caller | None:
    """Say who gave a command and where; one that is only theirs, or their own, is of their direct messages.

    ``None`` for a place that is no chat, and where no direct message can reach them.
    """
    if not is_said_apart(interaction, is_own=is_own):
        return caller_of(interaction)
    try:
        direct = await calls.within(_direct(interaction.user))
    except FAILURES as problem:
        log.info("no direct messages with a person", platform="discord", reason=type(problem).__name__)
        return None
    return caller_of(interaction, direct)


async def _direct(person: discord.User | discord.Member) -> int:
    """Open a person's direct messages with the bot."""
    return (await person.create_dm()).id


async def find_author(message: discord.Message, client: discord.Client | None, calls: Calls) -> Caller:
    """Say who wrote a message and where; a thread that is not known yet is asked for."""
    place: object = message.channel
    if client is not None and isinstance(place, discord.PartialMessageable):
        try:
            place = await calls.within(client.fetch_channel(place.id))
        except FAILURES as problem:
            log.info("a channel cannot be looked at", platform="discord", reason=type(problem).__name__)
    return author_of(message, place)


async def to_them_alone(replies: Replies) -> Replies:
    """Show replies to nobody but who asked; what is pressed below them is said in private too."""
    async for message in replies:
        rows = tuple(tuple(replace(one, is_own=True) for one in row) for row in message.buttons)
        yield replace(message, is_private=True, buttons=rows)


def caller_of(interaction: discord.Interaction, direct: int | None = None) -> Caller | None:
    """Say who gave a slash command and where; ``None`` for a place that is not a chat.

    ``direct`` is the person's direct channel with the bot, for a command that is only theirs.
    """
    if interaction.channel_id is None:
        return None
    is_private = interaction.guild_id is None or direct is not None
    return Caller(
        chat=ChatRef("discord", str(direct or interaction.channel_id)),
        kind=ChatKind.PRIVATE if is_private else ChatKind.GROUP,
        person=str(interaction.user.id),
        name=interaction.user.display_name,
        is_admin=is_private or manages(interaction.permissions),
        language=str(interaction.locale),
        above=None if is_private else above(interaction.channel),
        server="" if is_private else str(interaction.guild_id),
        has_windows=True,
    )


def is_only_theirs(interaction: discord.Interaction) -> bool:
    """Ask whether a person brought the bot along, to a place where it is no member.

    Nothing is known there of anybody's rights, and no alert could arrive.
    """
    is_direct = interaction.guild_id is None and interaction.context.dm_channel
    return interaction.is_user_integration() and not interaction.is_guild_integration() and not is_direct


def is_said_apart(interaction: discord.Interaction, *, is_own: bool) -> bool:
    """Ask whether what is said in sight of others is of the person's direct messages all the same."""
    return is_only_theirs(interaction) or (is_own and interaction.guild_id is not None)


def above(channel: object) -> ChatRef | None:
    """Give the channel that a thread belongs to: whoever may there, may here."""
    return ChatRef("discord", str(channel.parent_id)) if isinstance(channel, discord.Thread) else None


def may_write(interaction: discord.Interaction) -> bool:
    """Ask whether the bot may write by itself where a slash command was given."""
    allowed = interaction.app_permissions
    if interaction.guild_id is None or allowed.administrator:
        return True
    is_thread = isinstance(interaction.channel, discord.Thread)
    may_send = allowed.send_messages_in_threads if is_thread else allowed.send_messages
    return allowed.view_channel and may_send


def author_of(message: discord.Message, channel: object) -> Caller:
    """Say who wrote a message and where. Discord tells no language with it but the server's.

    ``channel`` is where it stands, as far as that is known.
    """
    author, guild = message.author, message.guild
    known = manages(author.guild_permissions) if isinstance(author, discord.Member) else None
    return Caller(
        chat=ChatRef("discord", str(message.channel.id)),
        kind=ChatKind.PRIVATE if guild is None else ChatKind.GROUP,
        person=str(author.id),
        name=author.display_name,
        is_admin=known if guild is not None else True,
        language="en" if guild is None else str(guild.preferred_locale),
        above=above(channel),
        server="" if guild is None else str(guild.id),
        has_windows=True,
    )


def manages(permissions: discord.Permissions) -> bool:
    """Ask whether permissions make an admin: to manage the server, or all."""
    return permissions.administrator or permissions.manage_guild
