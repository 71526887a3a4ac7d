"""Ask Discord who the bot is, and what it may not do where it is."""

from __future__ import annotations

import asyncio

import discord
from discord.http import Route

from bot.chats.discord import api_address
from bot.chats.discord_calls import FAILURES
from bot.ports import Finding

_DISCORD = "discord"

_NEEDED = {
    "view_channel": "View Channels",
    "send_messages": "Send Messages",
    "embed_links": "Embed Links",
    "attach_files": "Attach Files",
}

_NAMED = 3
_SERVERS_AT_ONCE = 200


async def probe(token: str, api: str | None = None, patience: float = 10.0) -> Finding:
    """Call Discord's API with a token, once; ``api`` is the address of another server than Discord's own."""
    if api:
        Route.BASE = api_address(api)
    client = discord.Client(intents=discord.Intents.none(), max_ratelimit_timeout=30.0)
    try:
        async with asyncio.timeout(patience), client:
            await client.login(token)
            servers = await client.http.get_guilds(_SERVERS_AT_ONCE)
            found = f"{client.user} answers, in {len(servers)} servers"
            short = [name for one in servers if (name := _lacking(one["name"], one["permissions"]))]
    except discord.LoginFailure:
        hint = "copy it again from the Bot page of the developer portal to TOCSIN_DISCORD_TOKEN"
        return Finding(_DISCORD, "unwell", "Discord refuses the token", hint)
    except (*FAILURES, TimeoutError) as error:
        hint = f"see whether this machine reaches {api or 'discord.com'}"
        return Finding(_DISCORD, "unwell", f"no answer: {type(error).__name__}", hint)
    if short:
        hint = "give its role these rights in the server's settings"
        return Finding(_DISCORD, "doubtful", f"{found}; it lacks {'; '.join(short[:_NAMED])}", hint)
    if not servers:
        hint = "only direct messages reach anybody until it is invited with the developer portal's link"
        return Finding(_DISCORD, "doubtful", found, hint)
    return Finding(_DISCORD, "well", found)


def _lacking(server: str, permissions: str) -> str:
    rights = discord.Permissions(int(permissions))
    lacking = [name for right, name in _NEEDED.items() if not getattr(rights, right)]
    return f"{', '.join(lacking)} in {server}" if lacking and not rights.administrator else ""
