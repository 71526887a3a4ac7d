"""A Discord on loopback: REST and gateway, for the unmodified discord.py.

The world behind it (servers, members, permissions, messages, interactions, limits of form, error codes,
intents) is simcord's, an independent model of Discord; this file and the gateway's are the wire in front of
it. Beyond that they know what Discord documents: authorization, the nonce that is enforced for some minutes
over all that an author writes, the global limit of fifty requests a second, and the life of a session.

    async with DiscordServer() as server:
        chat = DiscordChat(server.token, COMMANDS, api=server.api, gateway=server.gateway)
        ...
        asked = await server.slash(server.channel, server.ann, "alert", {"rule": "btc < 100k"})
        await server.received(server.channel)

Channels and persons are ids, as text. Troubles are switched on per channel (or for a path) and end by
themselves after ``times`` requests.
"""

from __future__ import annotations

import asyncio
import fnmatch
import io
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import discord
from aiohttp import web
from discord.gateway import DiscordWebSocket
from discord.http import Route
from simcord import interactions as wire
from simcord._clock import Clock
from simcord.backend import Backend, serializers
from simcord.backend.command_access import command_access
from simcord.backend.errors import BackendError
from simcord.backend.models import Interaction, Overwrite
from simcord.http import router
from simcord.http import routes as _routes  # noqa: F401 - fills the table that the router reads

from tests.wire.discord_gateway import Gateway
from tests.wire.forms import Upload, read_form

NONCE_MEMORY = 300.0
GLOBAL_LIMIT = 50
LOADING = 1 << 7


class WallClock(Clock):
    """Run the world on real time, so that its snowflakes are of today; ``advance`` lets time pass at once.

    From the start on it may run slower than that, by ``slowness``: what has to come within seconds has as
    many times as long then.
    """

    def __init__(self, slowness: float) -> None:
        super().__init__()
        self._slowness = slowness
        self._began = datetime.now(UTC)

    def now(self) -> datetime:
        passed = (datetime.now(UTC) - self._began) / self._slowness
        return self._began + passed + timedelta(seconds=self.elapsed)


@dataclass(frozen=True, slots=True)
class Received:
    """One message of the bot as it stands now, with its files and buttons, and the texts it had before.

    ``text`` is all that is read in it, ``headline`` what a notification shows: the text without its cards.
    ``buttons`` are (label, custom id), in all rows.
    """

    id: str
    text: str
    is_private: bool
    before: tuple[str, ...] = ()
    pictures: tuple[bytes, ...] = ()
    buttons: tuple[tuple[str, str], ...] = ()
    headline: str = ""


@dataclass(slots=True)
class Trouble:
    """What happens to the requests of a path: ``act`` gives the answer, or ``None`` to go on as usual."""

    path: str
    act: Callable[[web.Request], Any]
    times: int


class DiscordServer:
    """A Discord with one server, one text channel and a few persons in it.

    ``ann`` is an ordinary member, ``boss`` manages the server, ``olga`` owns it. ``requests`` lists what was
    asked over REST: (method, path, body). ``hub`` is the gateway.
    """

    token = "MTAw.loopback.not-a-real-token"

    def __init__(self, slowness: float = 1.0) -> None:
        self.backend = Backend(clock=WallClock(slowness))
        self.requests: list[tuple[str, str, Any]] = []
        self.refused = 0
        self.gaps: list[str] = []
        self.woken: list[str] = []
        self._troubles: list[Trouble] = []
        self._nonces: dict[str, tuple[float, int, int]] = {}
        self._texts: dict[int, list[str]] = {}
        self._recent: deque[float] = deque()
        self._held_until = 0.0
        self._blobs: dict[str, bytes] = {}
        self._changed = asyncio.Event()
        self.olga = str(self.backend.make_user("olga").id)
        self._guild = self.backend.create_guild("Home", owner_id=int(self.olga))
        self.home = str(self._guild.id)
        self.channel = self.text_channel("alerts")
        self.ann = self.person("ann")
        self.boss = self.person("boss", manages=True)
        self.hub = Gateway(self.backend, self.token, self._changed.set)

    @property
    def connections(self) -> int:
        """How many connections are open: where a bot was killed, 0 as soon as all it sent is dealt with."""
        server = self._runner.server
        return len(server.connections) if server else 0

    async def __aenter__(self) -> Self:
        self._addresses = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
        app = web.Application()
        app.router.add_get("/gateway", self._gate)
        app.router.add_route("*", "/api/v10/{path:.*}", self._rest)
        app.router.add_get("/attachments/{path:.*}", self._attachment)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port = self._runner.addresses[0][1]
        self._cdn = f"http://127.0.0.1:{port}"
        self.api = f"http://127.0.0.1:{port}/api/v10"
        self.gateway = self.hub.address = f"ws://127.0.0.1:{port}/gateway"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hub.drop()
        await self._runner.cleanup()
        # Who was pointed here set them for the whole library.
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = self._addresses
        assert not self.gaps, f"the bot asked for what this server does not know: {self.gaps}"

    # --- the world ------------------------------------------------------------------------------------------

    def person(self, name: str, *, manages: bool = False, is_member: bool = True) -> str:
        """Make a person, in the server unless they share none with the bot."""
        user = self.backend.make_user(name)
        if is_member:
            roles = []
            if manages:
                permissions = discord.Permissions(manage_guild=True).value
                roles = [self.backend.create_role(self._guild.id, f"of {name}", permissions=permissions).id]
            self.backend.add_member(self._guild.id, user.id, roles=roles)
        return str(user.id)

    def manager_role(self) -> int:
        """Make a role that manages the server."""
        permissions = discord.Permissions(manage_guild=True).value
        return int(self.backend.create_role(self._guild.id, "managers", permissions=permissions).id)

    def appoint(self, person: str, role: int, is_given: bool) -> None:
        """Give a person a role, or take it away."""
        change = self.backend.add_member_role if is_given else self.backend.remove_member_role
        change(self._guild.id, int(person), role)

    def text_channel(self, name: str) -> str:
        """Make a text channel of the server."""
        return str(self.backend.create_channel(self._guild.id, name).id)

    def thread(self, name: str) -> str:
        """Make a thread in the server's first channel."""
        return str(self.backend.create_thread(int(self.channel), name, int(self.olga)).id)

    def direct(self, person: str) -> str:
        """Give the channel of a person's direct messages with the bot."""
        return str(self.backend.get_dm_channel(int(person)).id)

    def delete(self, channel: str, message: str) -> None:
        """Delete a message, as an admin would."""
        self.backend.delete_message(int(channel), int(message))

    def bar(self, channel: str, *, files_only: bool = False) -> None:
        """Forbid the bot to write in a channel, or to attach files there."""
        denied = (
            discord.Permissions(attach_files=True) if files_only else discord.Permissions(send_messages=True)
        )
        deny = denied.value
        overwrite = Overwrite(target_id=self.backend.bot_user.id, type=1, allow=0, deny=deny)
        self.backend.get_channel(int(channel)).overwrites.append(overwrite)

    def grant(self, permissions: discord.Permissions) -> None:
        """Let nobody in the server have more rights than these by their role, the bot among them."""
        for role in self._guild.roles.values():
            role.permissions = permissions.value

    def pass_time(self, seconds: float) -> None:
        """Let time pass for deadlines of interactions and the memory of nonces."""
        self.backend.advance_clock(seconds)

    # --- what people do -------------------------------------------------------------------------------------

    async def slash(
        self,
        channel: str,
        person: str,
        command: str,
        options: Mapping[str, Any] | None = None,
        *,
        permissions: int | None = None,
        locale: str = "en-US",
        is_brought: bool = False,
    ) -> Interaction:
        """Give a registered slash command as a person would, with what the client would check checked.

        ``permissions`` replaces what the person's roles allow. One that ``is_brought`` is of the person's own
        installation, where the bot is no member. Gives the record of the interaction at once.
        """
        spec = await self._spec(channel, person, command)
        filled = wire.check_options(command, spec, dict(options or {}))
        kinds = {option["name"]: int(option["type"]) for option in spec["options"]}
        carried = [
            self._carried(int(channel), *filled[name]) if kind == 11 and name in filled else None
            for name, kind in kinds.items()
        ]
        files = {name: one for name, one in zip(kinds, carried, strict=True) if one is not None}
        filled |= {name: one["id"] for name, one in files.items()}
        given = [{"name": name, "type": kinds[name], "value": value} for name, value in filled.items()]
        asker = (channel, person)
        attachments = {one["id"]: one for one in files.values()}
        return self._interact(
            2,
            asker,
            spec,
            given,
            permissions=permissions,
            locale=locale,
            is_brought=is_brought,
            attachments=attachments,
        )

    async def press(
        self,
        channel: str,
        person: str,
        label: str,
        *,
        message: str = "",
        permissions: int | None = None,
        is_brought: bool = False,
    ) -> Interaction:
        """Press a button by its label, once it is there, under the newest or a given message that has it."""
        await self.connected()

        def found() -> list[tuple[Any, dict[str, Any]]]:
            return [
                (one, button)
                for one in self.backend.messages.get(int(channel), {}).values()
                for button in _buttons(one.components)
                if button["label"] == label and (not message or str(one.id) == message)
            ]

        await self._until(lambda: bool(found()), 5.0, f"button {label}")
        stored, button = found()[-1]
        data = {"custom_id": button["custom_id"], "component_type": 2, "id": button.get("id", 1)}
        guild = self.backend.get_channel(int(channel)).guild_id
        record, payload = wire.base_payload(
            self.backend,
            type=3,
            channel_id=int(channel),
            guild_id=guild,
            user_id=int(person),
            data=data,
        )
        record.source_message_id = stored.id
        payload["message"] = dict(serializers.message_payload(self.backend, stored))
        payload["authorizing_integration_owners"] = {"1": person} if is_brought else {"0": str(guild or 0)}
        if permissions is not None:
            payload["member"]["permissions"] = str(permissions)
        self.backend.emit("INTERACTION_CREATE", payload)
        return record

    async def window(self, record: Interaction, within: float = 5.0) -> tuple[str, str]:
        """Wait for the window that an interaction opens; gives its title and the text that stands in it."""
        await self._until(lambda: record.modal is not None, within, "window")
        assert record.modal is not None
        [field] = _fields(record.modal)
        return record.modal["title"], field.get("value") or ""

    async def write(
        self, record: Interaction, text: str, *, locale: str = "en-US", is_brought: bool = False
    ) -> Interaction:
        """Write into the window that an interaction opened, and send it in."""
        await self.window(record)
        assert record.modal is not None
        [field] = _fields(record.modal)
        assert len(text) <= field["max_length"]
        filled = [
            {"type": 18, "component": {"type": 4, "custom_id": field["custom_id"], "value": text}, "id": 1}
        ]
        data = {"custom_id": record.modal["custom_id"], "components": filled}
        sent, payload = wire.base_payload(
            self.backend,
            type=5,
            channel_id=record.channel_id,
            guild_id=record.guild_id,
            user_id=record.user_id,
            data=data,
        )
        if record.source_message_id is not None:
            sent.source_message_id = record.source_message_id
            source = self.backend.get_message(record.channel_id, record.source_message_id)
            payload["message"] = dict(serializers.message_payload(self.backend, source))
        payload["locale"] = locale
        owner = {"1": str(record.user_id)} if is_brought else {"0": str(record.guild_id or 0)}
        payload["authorizing_integration_owners"] = owner
        self.backend.emit("INTERACTION_CREATE", payload)
        return sent

    async def autocomplete(
        self,
        channel: str,
        person: str,
        command: str,
        option: str,
        prefix: str,
        *,
        within: float = 3.0,
    ) -> list[tuple[str, str]]:
        """Type into an option of a slash command; gives the suggestions as (shown, value)."""
        spec = await self._spec(channel, person, command)
        described = next(one for one in spec["options"] if one["name"] == option)
        assert described.get("autocomplete"), f"{option} of {command} has no suggestions"
        given = [{"name": option, "type": described["type"], "value": prefix, "focused": True}]
        record = self._interact(4, (channel, person), spec, given)
        await self._until(lambda: record.autocomplete_choices is not None, within, "suggestions")
        return [(choice["name"], choice["value"]) for choice in record.autocomplete_choices or ()]

    async def dm(self, person: str, text: str, file: tuple[str, bytes] | None = None) -> str:
        """Write to the bot directly, with a file where there is one; gives the channel."""
        await self.connected()
        channel = self.backend.get_dm_channel(int(person))
        carried = [self._carried(channel.id, *file)] if file else None
        self.backend.create_message(channel.id, int(person), text, attachments=carried)
        return str(channel.id)

    def _carried(self, channel: int, name: str, content: bytes) -> dict[str, Any]:
        """Upload a file; gives it as Discord tells of it, to be fetched from here."""
        number = self.backend.snowflake()
        known = self.backend.cdn.store_attachment(number, channel, name, content, None)
        self._blobs[f"/attachments/{number}"] = content
        return known | {"url": f"{self._cdn}/attachments/{number}"}

    async def _attachment(self, request: web.Request) -> web.Response:
        content = self._blobs.get(request.path)
        return web.Response(status=404) if content is None else web.Response(body=content)

    async def say(self, channel: str, person: str, text: str) -> None:
        """Write into a channel of the server; ``{bot}`` in the text mentions the bot."""
        await self.connected()
        mention = f"<@{self.backend.bot_user.id}>"
        self.backend.create_message(int(channel), int(person), text.replace("{bot}", mention))

    # --- what they see --------------------------------------------------------------------------------------

    async def received(self, channel: str, count: int = 1, within: float = 5.0) -> list[Received]:
        """Wait until a channel holds so many messages of the bot, and give them all, oldest first."""
        await self._until(lambda: len(self.shown(channel)) >= count, within, f"{count} messages")
        return self.shown(channel)

    async def reads(self, channel: str, text: str, within: float = 5.0) -> list[Received]:
        """Wait until a message of the bot in a channel has a text in it, and give all of them."""
        await self._until(
            lambda: any(text in one.text for one in self.shown(channel)), within, f"a message with {text!r}"
        )
        return self.shown(channel)

    async def holds(self, channel: str, *texts: str, within: float = 5.0) -> list[Received]:
        """Wait until the messages of the bot in a channel are exactly these, and give them."""
        await self._until(lambda: [one.text for one in self.shown(channel)] == [*texts], within, f"{texts}")
        return self.shown(channel)

    def shown(self, channel: str) -> list[Received]:
        """Give the messages of the bot that stand in a channel now, without those still being thought of."""
        return [
            Received(
                str(message.id),
                _text_of(message.content, message.embeds),
                message.is_ephemeral,
                tuple(self._texts.get(message.id, ())[:-1]),
                tuple(self.backend.cdn.get(one["url"]) or b"" for one in message.attachments),
                tuple((one["label"], one["custom_id"]) for one in _buttons(message.components)),
                message.content,
            )
            for message in self.backend.messages.get(int(channel), {}).values()
            if message.author_id == self.backend.bot_user.id and message.content
        ]

    def is_thinking(self, record: Interaction) -> bool:
        """Ask whether people see that the bot is thinking about an interaction."""
        return record.loading

    async def answered(self, record: Interaction, within: float = 5.0) -> None:
        """Wait until an interaction is answered or deferred."""
        await self._until(lambda: record.responded, within, "an answer")

    async def connected(self, within: float = 10.0) -> None:
        """Wait until a bot listens at the gateway."""
        await self._until(lambda: self.hub.is_listened_to, within, "connection")

    async def left(self, within: float = 10.0) -> None:
        """Wait until no bot listens at the gateway any more."""
        await self._until(lambda: not self.hub.is_listened_to, within, "end of the connection")

    def count(self, method: str, path: str) -> int:
        """Count the requests of a method to paths like ``/channels/*/messages``."""
        return sum(one == method and fnmatch.fnmatch(asked, path) for one, asked, _ in self.requests)

    async def asked(self, method: str, path: str, count: int = 1, within: float = 10.0) -> None:
        """Wait until so many requests of a method were made to a path."""
        await self._until(lambda: self.count(method, path) >= count, within, f"{method} {path}")

    async def _until(self, is_so: Callable[[], bool], within: float, what: str) -> None:
        try:
            async with asyncio.timeout(within):
                while not is_so():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"no {what} within {within} s; asked: {self.requests[-5:]}") from None

    # --- troubles -------------------------------------------------------------------------------------------

    def refuse(self, where: str, status: int, code: int = 0, text: str = "", *, times: int = 1 << 30) -> None:
        """Answer requests with an error; ``where`` is a channel, for its messages, or a path."""
        body = {"message": text or "No", "code": code}
        self._trouble(where, lambda _: self._json(body, status), times)

    def limit(
        self, where: str, after: float, *, is_global: bool = False, is_marked: bool = True, times: int = 1
    ) -> None:
        """Answer with 429; without the mark (``Via``) it is the network before Discord that answers."""

        def act(_: web.Request) -> web.Response:
            if is_global:
                self._held_until = time.monotonic() + after
            return self._limited(after, is_global, is_marked)

        self._trouble(where, act, times)

    def hang(self, where: str, *, times: int = 1 << 30) -> None:
        """Take requests and never answer."""

        async def act(_: web.Request) -> None:
            await asyncio.Event().wait()

        self._trouble(where, act, times)

    def reset(self, where: str, *, times: int = 1 << 30) -> None:
        """Break the connection instead of answering; nothing is done."""

        def act(request: web.Request) -> web.Response:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        self._trouble(where, act, times)

    def lose_answers(self, where: str, *, times: int = 1) -> None:
        """Do what is asked, then break the connection before the answer."""

        async def act(request: web.Request) -> web.Response:
            await self._perform(request)
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        self._trouble(where, act, times)

    def mute(self, where: str, text: str, done: Callable[[], None]) -> None:
        """Do what is asked with a text in it, call ``done``, and never answer; all else goes on as usual."""

        async def act(request: web.Request) -> web.Response:
            answer = await self._perform(request)
            body, _ = await _parts(request)
            if text in str(body):
                done()
                await asyncio.Event().wait()
            return answer

        self._trouble(where, act, 1 << 30)

    def heal(self) -> None:
        """End all troubles."""
        self._troubles.clear()
        self._held_until = 0.0

    def _trouble(self, where: str, act: Callable[[web.Request], Any], times: int) -> None:
        path = f"/channels/{where}/messages" if where.isdecimal() else where
        self._troubles.append(Trouble(path, act, times))

    # --- REST -----------------------------------------------------------------------------------------------

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        path = "/" + request.match_info["path"]
        body, _ = await _parts(request)
        self.requests.append((request.method, path, body))
        try:
            answer = self._admit(request, path)
            if answer is None:
                answer = await self._answer(request, path)
        finally:
            self._changed.set()
        if answer.status in (401, 403, 429):
            self.refused += 1
        return answer

    def _admit(self, request: web.Request, path: str) -> web.Response | None:
        if path.startswith(("/interactions/", "/webhooks/")):
            return None  # the token is in the path, and the global limit does not count these
        if request.headers.get("Authorization") != f"Bot {self.token}":
            return self._json({"message": "401: Unauthorized", "code": 0}, 401)
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - 1.0:
            self._recent.popleft()
        if now < self._held_until:
            return self._limited(self._held_until - now, True, True)
        if len(self._recent) >= GLOBAL_LIMIT:
            return self._limited(self._recent[0] + 1.0 - now, True, True)
        self._recent.append(now)
        return None

    async def _answer(self, request: web.Request, path: str) -> web.Response:
        for trouble in self._troubles:
            if fnmatch.fnmatch(path, trouble.path):
                trouble.times -= 1
                if trouble.times <= 0:
                    self._troubles.remove(trouble)
                answer = trouble.act(request)
                return await answer if asyncio.iscoroutine(answer) else answer
        return await self._perform(request)

    async def _gate(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(("GET", "/gateway", None))
        self._changed.set()
        if any(trouble.path == "/gateway" for trouble in self._troubles):
            return await self._answer(request, "/gateway")
        return await self.hub.connect(request)

    async def _perform(self, request: web.Request) -> web.Response:
        path = "/" + request.match_info["path"]
        body, files = await _parts(request)
        if request.method == "PATCH" and body == {"archived": False}:
            self.woken.append(path.split("/")[2])
            return self._json({"id": self.woken[-1]})
        try:
            result = self._create(path, body, files) if self._creates(request.method, path) else None
            if result is None:
                result = router.dispatch(
                    self.backend,
                    request.method,
                    path,
                    json=body,
                    files=files,
                    params=dict(request.query),
                    message_content_access=False,
                )
        except (router.RouteNotImplemented, router.UnsupportedField) as gap:
            self.gaps.append(str(gap))
            return self._json(gap.to_json(), 501)
        except BackendError as error:
            return self._json(error.to_json(), error.status)
        is_menu = request.method == "GET" and fnmatch.fnmatch(path, "/applications/*/commands")
        if is_menu and request.query.get("with_localizations") != "true":
            # As documented; the library gives the words in all languages whether they are asked for or not.
            result = [_in_one_language(one) for one in result]
        if (request.method, path) == ("GET", "/users/@me/guilds"):
            for server in result:  # documented, and left out by the library
                rights = self.backend.compute_permissions(int(server["id"]), self.backend.bot_user.id)
                server["permissions"] = str(rights)
        self._remember(result)
        return web.Response(status=204) if result is None else self._json(result)

    def _creates(self, method: str, path: str) -> bool:
        return method == "POST" and fnmatch.fnmatch(path, "/channels/*/messages")

    def _create(self, path: str, body: dict[str, Any], files: list[discord.File]) -> Any:
        """Create a message, unless its nonce says that it was created already."""
        nonce = body.get("nonce")
        if nonce is not None and len(str(nonce)) > 25:
            raise BackendError(400, 50035, "Invalid Form Body: nonce must be 25 or fewer characters")
        place = self.backend.get_channel(int(path.split("/")[2]))
        if files and place.guild_id is not None:
            bot = self.backend.bot_user.id
            self.backend.require_permissions(place.guild_id, bot, place.id, "attach_files")
        if body.get("embeds") and place.guild_id is not None:
            rights = self.backend.compute_permissions(place.guild_id, self.backend.bot_user.id, place.id)
            if not discord.Permissions(rights).embed_links:
                assert body.get("content"), "an embed alone is refused, which this server does not do"
                body = {**body, "embeds": []}  # it is left out without a word
        now = self.backend.clock.now().timestamp()
        if nonce is not None and body.get("enforce_nonce") and nonce in self._nonces:
            at, channel, message = self._nonces[nonce]
            known = self.backend.messages.get(channel, {}).get(message)
            if now - at < NONCE_MEMORY and known is not None:
                return dict(serializers.message_payload(self.backend, known)) | {"nonce": nonce}
        result = router.dispatch(
            self.backend, "POST", path, json=body, files=files, message_content_access=False
        )
        if nonce is not None:
            self._nonces[nonce] = (now, int(result["channel_id"]), int(result["id"]))
            result["nonce"] = nonce
        return result

    def _remember(self, result: Any) -> None:
        message = result
        if isinstance(result, dict) and "interaction" in result:
            message = result.get("resource", {}).get("message")
        if isinstance(message, dict) and message.get("content") and "author" in message:
            texts = self._texts.setdefault(int(message["id"]), [])
            text = _text_of(message["content"], message.get("embeds", ()))
            if not texts or texts[-1] != text:
                texts.append(text)

    def _json(self, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
        # No charset: discord.py takes for JSON only what says exactly so.
        sent = {"Content-Type": "application/json", "Via": "1.1 google", **(headers or {})}
        return web.Response(body=json.dumps(body).encode(), status=status, headers=sent)

    def _limited(self, after: float, is_global: bool, is_marked: bool) -> web.Response:
        scope = "global" if is_global else "user"
        headers = {"Retry-After": f"{after:.3f}", "X-RateLimit-Scope": scope}
        if is_global:
            headers["X-RateLimit-Global"] = "true"
        if not is_marked:
            headers["Content-Type"] = "text/plain"
            return web.Response(body=b"error code: 1015", status=429, headers=headers)
        body = {"message": "You are being rate limited.", "retry_after": after, "global": is_global}
        return self._json(body, 429, headers)

    # --- interactions ---------------------------------------------------------------------------------------

    async def _spec(self, channel: str, person: str, command: str) -> dict[str, Any]:
        await self.connected()
        spec = self.backend.find_command(command, None)
        assert spec is not None, f"the bot has registered no command {command}"
        access = command_access(self.backend, spec, user_id=int(person), channel_id=int(channel))
        if not access.allowed:
            raise PermissionError(f"{command} is hidden from this person here: {access.reason}")
        return spec

    def _interact(
        self,
        kind: int,
        asker: tuple[str, str],
        spec: dict[str, Any],
        given: list[dict[str, Any]],
        *,
        permissions: int | None = None,
        locale: str = "en-US",
        is_brought: bool = False,
        attachments: Mapping[str, Any] | None = None,
    ) -> Interaction:
        channel, person = map(int, asker)
        guild = self.backend.get_channel(channel).guild_id
        data = {"id": spec["id"], "name": spec["name"], "type": 1, "options": given}
        if attachments:
            data["resolved"] = {"attachments": attachments}
        record, payload = wire.base_payload(
            self.backend, type=kind, channel_id=channel, guild_id=guild, user_id=person, data=data
        )
        payload["locale"] = locale
        owner = {"1": str(person)} if is_brought else {"0": str(guild or 0)}
        payload["authorizing_integration_owners"] = owner
        if permissions is not None:
            payload["member"]["permissions"] = str(permissions)
        self.backend.emit("INTERACTION_CREATE", payload)
        return record


def _text_of(content: str, embeds: Iterable[Mapping[str, Any]]) -> str:
    return "\n".join([content, *(one["description"] for one in embeds if one.get("description"))])


def _fields(modal: dict[str, Any]) -> list[dict[str, Any]]:
    return [one["component"] for one in modal["components"]]


def _buttons(components: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [button for row in components for button in row["components"]]


def _in_one_language(one: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in one.items() if not key.endswith("_localizations")}
    if "options" in kept:
        kept["options"] = [_in_one_language(option) for option in kept["options"]]
    return kept


async def _parts(request: web.Request) -> tuple[Any, list[discord.File]]:
    """Read what a request says, and the files that come with it."""
    if request.content_type != "multipart/form-data":
        return json.loads(await request.read() or b"null"), []
    form = await read_form(request)
    files = []
    for name, value in form.items():
        if isinstance(value, Upload):
            assert name == f"files[{len(files)}]"
            files.append(discord.File(io.BytesIO(value.content), value.name))
    return json.loads(str(form["payload_json"])), files
