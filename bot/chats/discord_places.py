"""Find the channels of Discord that somebody names, and what may be done there."""

from __future__ import annotations

import re

import discord

from bot.alerts.people import ChatRef
from bot.chats.discord_people import manages
from bot.ports.places import Place

_MENTION = re.compile(r"<#(\d{1,20})>|(\d{1,20})")


async def find_place(client: discord.Client, name: str, asking: ChatRef, person: str) -> Place | None:
    """Find a channel or a thread by its mention, its id, or its ``#name`` in the server of who asks.

    Raises DiscordException where there is none, or the bot does not see it.
    """
    channel: object = None
    if match := _MENTION.fullmatch(name):
        number = int(match[1] or match[2])
        channel = client.get_channel(number) or await client.fetch_channel(number)
    elif name.startswith("#"):
        here = client.get_channel(int(asking.chat)) or await client.fetch_channel(int(asking.chat))
        guild = getattr(here, "guild", None)
        if isinstance(guild, discord.Guild):
            places: list[discord.TextChannel | discord.Thread] = [*guild.text_channels, *guild.threads]
            channel = next((one for one in places if one.name == name[1:]), None)
    if not isinstance(channel, discord.TextChannel | discord.Thread):
        return None
    if (known := client.get_guild(channel.guild.id)) is None:
        # Another process hears its shard: the channel came without the roles that say who may do what.
        known = channel.guild = await client.fetch_guild(channel.guild.id)
    assert client.user is not None  # noqa: S101 - it is known since the login
    me = known.get_member(client.user.id) or await known.fetch_member(client.user.id)
    mine = channel.permissions_for(me)
    is_thread = isinstance(channel, discord.Thread)
    may_send = mine.send_messages_in_threads if is_thread else mine.send_messages
    return Place(
        ChatRef("discord", str(channel.id)),
        f"#{channel.name}",
        may_post=mine.administrator or (mine.view_channel and may_send),
        is_admin=manages((await known.fetch_member(int(person))).guild_permissions),
    )
