"""Discord, through discord.py: slash commands, direct messages and mentions in; replies and alerts out.

Only the gateway and plain requests are used, no privileged intent. The library is pointed elsewhere by its
two class attributes, so one process talks to one Discord.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

import discord
import structlog
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from bot.alerts.languages import Languages
from bot.alerts.lots import ALL_LOTS, Lots
from bot.alerts.message import Message
from bot.alerts.people import ChatRef
from bot.chats.discord_buttons import Press
from bot.chats.discord_calls import FAILURES, Calls
from bot.chats.discord_closing import BAD_TOKEN, BARRED, NOT_ALLOWED, REFUSED, TOO_MANY_SERVERS
from bot.chats.discord_front import Front
from bot.chats.discord_menu import SlashCommand, is_same, menu
from bot.chats.discord_people import manages
from bot.chats.discord_places import find_place
from bot.chats.discord_posts import Posts
from bot.chats.lanes import Lanes
from bot.chats.studio import Studio
from bot.ports import Desk, Outcome, Refused, RetryLater
from bot.ports.places import Place

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_LONGEST_PAUSE = 60.0


class DiscordChat:
    """Discord as a Chat.

    ``api`` and ``gateway`` are the addresses of another server than Discord's own; ``api`` may leave out the
    path ``/api/v10``. Seconds: after ``answer_within`` without a reply an interaction is deferred (Discord
    allows three), after ``complete_within`` an autocomplete is answered with nothing, and ``patience`` is how
    long one request may take. ``studio`` draws the charts. ``lots`` are the chats that it tells; where they
    are not all, or Discord wants several, it hears those of Discord's shards that have the same numbers.
    """

    platform = "discord"
    adds_charts = True

    def __init__(
        self,
        token: str,
        commands: Sequence[SlashCommand],
        *,
        api: str | None = None,
        gateway: str | None = None,
        answer_within: float = 1.0,
        complete_within: float = 2.0,
        patience: float = 20.0,
        studio: Studio | None = None,
        languages: Languages = Languages(),  # noqa: B008 - it is frozen
        lots: Lots = ALL_LOTS,
    ) -> None:
        self._lots = lots
        self._has_shards = not lots.are_all
        self._token = token.strip()
        self._patience = patience
        self._calls = Calls(patience)
        studio = studio or Studio()
        self._posts = Posts(self._calls, studio)
        self._front = Front(
            commands,
            languages,
            studio,
            self._calls,
            answer_within=answer_within,
            complete_within=complete_within,
        )
        self._client: _Client | None = None
        self._is_synced = False
        self._barred = ""
        if api:
            Route.BASE = api_address(api)
        if gateway:
            DiscordWebSocket.DEFAULT_GATEWAY = URL(gateway)

    @property
    def is_connected(self) -> bool:
        """Whether Discord's gateway is open."""
        return self._client is not None and self._client.is_open

    @property
    def trouble(self) -> str:
        """Say why Discord does not let the bot in, where trying again does not help."""
        return "" if self.is_connected else self._barred

    async def run(self, desk: Desk) -> None:
        """Listen until cancelled. Raises Refused if the token is wrong; waits out a network that is down."""
        if not self._token.isascii() or not self._token.isprintable():
            raise Refused(REFUSED)  # it would not even fit into a header
        pause = 1.0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._calls = self._posts.calls = self._front.calls = Calls(self._patience)
            client = _connect(
                self._lots if self._has_shards else ALL_LOTS, self, self._front, desk, self._calls
            )
            try:
                async with client:
                    try:
                        await client.login(self._token)
                        self._client = client
                        await client.connect()
                    finally:
                        self._client = None
                        await client.finish()
            except discord.LoginFailure:
                raise Refused(REFUSED) from None
            except discord.PrivilegedIntentsRequired:
                self._bar(NOT_ALLOWED, pause)
            except discord.ConnectionClosed as closed:
                if closed.code == BAD_TOKEN:
                    raise Refused(REFUSED) from None
                if closed.code == TOO_MANY_SERVERS and self._lots.of > 1 and not self._has_shards:
                    log.info("discord wants several shards of this bot", shards=self._lots.of)
                    self._has_shards = True
                    continue
                self._bar(closed.code, pause)
            except Exception as problem:
                # discord.py fails in several ways, with AttributeError too, where the gateway is away.
                log.warning("discord cannot be reached", reason=type(problem).__name__, again_in=pause)
            await asyncio.sleep(pause)
            held_long = loop.time() - began > 2 * _LONGEST_PAUSE
            pause = 1.0 if held_long else min(pause * 2, _LONGEST_PAUSE)

    def _bar(self, code: int, pause: float) -> None:
        """Take in that the gateway was closed; why it stays closed is an error in the log once."""
        why = BARRED.get(code, "")
        if why and why != self._barred:
            log.error("discord does not let the bot in", code=code, reason=why, again_in=pause)
        else:
            log.warning("discord closed the gateway", code=code, again_in=pause)
        self._barred = why

    async def send(self, chat: ChatRef, message: Message, nonce: str, *, is_paid: bool = False) -> Outcome:
        """Push one message, at most once per ``nonce`` as far as Discord remembers (some minutes)."""
        return self._out_of_reach() or await self._posts.send(self._reached, chat, message, nonce)

    async def take_over(self, said: bytes) -> bool:
        """Take nothing: each of Discord's shards hears for itself."""
        return False

    async def illustrate(self, chat: ChatRef, sent: str, message: Message) -> Outcome:
        """Add the chart to a message; never raises for what Discord or the network does."""
        return self._out_of_reach() or await self._posts.illustrate(self._reached, chat, sent, message)

    def _out_of_reach(self) -> RetryLater | None:
        return RetryLater(2.0, "not connected to Discord") if self._client is None else self._calls.held()

    @property
    def _reached(self) -> discord.Client:
        assert self._client is not None  # noqa: S101 - nothing waits between the question and this
        return self._client

    def link(self, chat: ChatRef, message: str, is_private: bool) -> str:
        """Give the address of a message, where it is known in which server its channel is."""
        place = "@me" if is_private else self._server_of(chat.chat)
        return f"https://discord.com/channels/{place}/{chat.chat}/{message}" if place else ""

    def _server_of(self, channel: str) -> str:
        found = self._client.get_channel(int(channel)) if self._client and channel.isdecimal() else None
        return "" if found is None or isinstance(found, discord.abc.PrivateChannel) else str(found.guild.id)

    def invitation(self, token: str) -> str:
        """Give nothing: Discord has no such address; there a button is said in private."""
        return ""

    async def find_place(self, name: str, asking: ChatRef, person: str) -> Place | None:
        """Find a channel or thread by its mention, its id, or its ``#name`` in the server of who asks."""
        client = self._client
        if client is None:
            return None
        try:
            return await self._calls.within(find_place(client, name, asking, person))
        except (*FAILURES, ValueError) as problem:
            log.info("no such place", platform="discord", reason=type(problem).__name__)
            return None

    async def is_admin(self, chat: ChatRef, person: str, is_fresh: bool = False) -> bool:
        """Ask whether a person manages the server of a channel now; direct messages are the person's own."""
        client = self._client
        if client is None:
            return False
        try:
            return await self._calls.within(client.administers(int(chat.chat), int(person)))
        except (*FAILURES, ValueError):
            return False

    async def sync(self, client: discord.Client) -> None:
        """Register the slash commands, once in a process and only if Discord knows others."""
        app = client.application_id
        if self._is_synced or app is None or 0 not in self._lots.parts:
            return
        ours = menu(list(self._front.commands.values()), self._front.languages)
        try:
            theirs = await self._calls.within(client.http.request(_menu_of(app)))
            if not is_same(ours, theirs):
                await client.http.bulk_upsert_global_commands(app, ours)
                log.info("slash commands registered", commands=len(ours))
        except FAILURES as problem:
            log.warning("slash commands were not registered", reason=str(problem))
        else:
            self._is_synced = True


class _Client(discord.Client):
    """What discord.py calls back; every handler runs in a task of its own, which ``finish`` ends."""

    def __init__(self, chat: DiscordChat, front: Front, desk: Desk, calls: Calls, **options: Any) -> None:
        intents = discord.Intents.none()
        intents.guilds = True  # channels and roles, to tell who administers
        intents.guild_messages = True  # mentions; without the privileged content of other messages
        intents.dm_messages = True
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            # Nothing waits for the caches, but a clean end waits for what waits for them.
            guild_ready_timeout=0.05,
            max_ratelimit_timeout=30.0,
            http_trace=calls.trace,
            **options,
        )
        self._chat = chat
        self._front = front
        self._desk = desk
        self._calls = calls
        self._lanes = Lanes()
        self._busy: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether the gateway has said that all is ready, and its connection stands."""
        gateway: Any = self.ws  # None before the first
        return self.is_ready() and gateway is not None and gateway.open

    async def setup_hook(self) -> None:
        self.add_dynamic_items(Press)
        await self._chat.sync(self)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        match interaction.type:
            case discord.InteractionType.application_command:
                await self._do(self._front.answer(interaction, self._desk))
            case discord.InteractionType.autocomplete:
                await self._do(self._front.complete(interaction, self._desk))
            case discord.InteractionType.modal_submit:
                await self._do(self._front.fill(interaction, self._desk))

    async def on_ask(self, interaction: discord.Interaction, line: str, is_own: bool) -> None:
        await self._do(self._front.ask(interaction, line, self._desk, is_own))

    async def on_press(self, interaction: discord.Interaction, line: str, is_own: bool) -> None:
        await self._do(self._front.press(interaction, line, self._desk, is_own))

    async def on_message(self, message: discord.Message) -> None:
        is_speech = message.type in (discord.MessageType.default, discord.MessageType.reply)
        if message.author.bot or message.webhook_id or not is_speech or self.user is None:
            return
        bot = self.user.id
        await self._lanes.put(
            str(message.channel.id), lambda: self._front.hear(message, self._desk, self, bot)
        )

    async def on_error(self, event_method: str, /, *_args: Any, **_kwargs: Any) -> None:
        log.exception("discord event failed", handler=event_method)

    async def administers(self, channel_id: int, person: int) -> bool:
        """Ask whether a person manages the server of a channel, fetching what is not known."""
        channel = self.get_channel(channel_id) or await self.fetch_channel(channel_id)
        if isinstance(channel, discord.abc.PrivateChannel):
            recipient = channel.recipient if isinstance(channel, discord.DMChannel) else None
            return recipient is not None and recipient.id == person
        guild = self.get_guild(channel.guild.id) or await self.fetch_guild(channel.guild.id)
        return manages((await guild.fetch_member(person)).guild_permissions)

    async def finish(self) -> None:
        """End what is still being answered."""
        for task in set(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)
        await self._lanes.drain(0)
        await self._calls.close()

    async def _do(self, work: Awaitable[None]) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a handler always runs in a task
        self._busy.add(task)
        try:
            await work
        finally:
            self._busy.discard(task)


class _Shards(_Client, discord.AutoShardedClient):
    """The same, as some of several shards: each server is one's, and direct messages are the first's."""

    @property
    def is_open(self) -> bool:
        """Whether the gateway has said that all is ready, and the connection of each shard stands."""
        return self.is_ready() and not any(shard.is_closed() for shard in self.shards.values())


def _connect(lots: Lots, *parts: Any) -> _Client:
    """Make what connects as the shards of some lots, or as all there is."""
    if lots.of == 1:
        return _Client(*parts)
    return _Shards(*parts, shard_ids=list(lots.parts), shard_count=lots.of)


def _menu_of(application: int) -> Route:
    """Ask for all slash commands, with their words in every language."""
    path = "/applications/{application_id}/commands?with_localizations=true"
    return Route("GET", path, application_id=application)


def api_address(text: str) -> str:
    """Complete the address of an API: ``http://host``, ``http://host/api`` and the whole are the same."""
    address = text.rstrip("/")
    if URL(address).path in ("", "/"):
        return f"{address}/api/v10"
    return f"{address}/v10" if address.endswith("/api") else address
