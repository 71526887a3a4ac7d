"""Read who speaks on Discord, where, and what they and the bot may do there."""

from __future__ import annotations

import discord

from bot.alerts.people import Caller, ChatKind, ChatRef


def caller_of(interaction: discord.Interaction) -> Caller | None:
    """Say who gave a slash command and where; ``None`` for a place that is not a chat."""
    if interaction.channel_id is None:
        return None
    is_private = interaction.guild_id is None
    return Caller(
        chat=ChatRef("discord", str(interaction.channel_id)),
        kind=ChatKind.PRIVATE if is_private else ChatKind.GROUP,
        person=str(interaction.user.id),
        name=interaction.user.display_name,
        is_admin=is_private or manages(interaction.permissions),
        language=str(interaction.locale),
    )


def may_write(interaction: discord.Interaction) -> bool:
    """Ask whether the bot may write by itself where a slash command was given."""
    allowed = interaction.app_permissions
    if interaction.guild_id is None or allowed.administrator:
        return True
    is_thread = isinstance(interaction.channel, discord.Thread)
    may_send = allowed.send_messages_in_threads if is_thread else allowed.send_messages
    return allowed.view_channel and may_send


def author_of(message: discord.Message) -> Caller:
    """Say who wrote a message and where. Discord tells no language with it but the server's."""
    author, guild = message.author, message.guild
    known = manages(author.guild_permissions) if isinstance(author, discord.Member) else None
    return Caller(
        chat=ChatRef("discord", str(message.channel.id)),
        kind=ChatKind.PRIVATE if guild is None else ChatKind.GROUP,
        person=str(author.id),
        name=author.display_name,
        is_admin=known if guild is not None else True,
        language="en" if guild is None else str(guild.preferred_locale),
    )


def manages(permissions: discord.Permissions) -> bool:
    """Ask whether permissions make an admin: to manage the server, or all."""
    return permissions.administrator or permissions.manage_guild
