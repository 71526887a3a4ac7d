"""The gateway of the loopback Discord: HELLO, IDENTIFY, READY, heartbeats, RESUME and the close codes."""

from __future__ import annotations

import asyncio
import copy
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import discord
from aiohttp import WSMsgType, web
from simcord import intents as gates
from simcord.backend import Backend, serializers

HEARTBEAT = 41250


@dataclass(slots=True)
class Session:
    """One session; it outlives its connection, so that it can be resumed."""

    id: str
    intents: discord.Intents
    socket: web.WebSocketResponse | None
    packer: Any
    events: list[dict[str, Any]] = field(default_factory=list)
    outgoing: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    shard: tuple[int, int] = (0, 1)

    def hears_of(self, guild: object) -> bool:
        """Ask whether it is told of a guild, or of what is in none: each guild is one shard's."""
        shard, of = self.shard
        return (int(str(guild)) >> 22) % of == shard if guild else shard == 0


class Gateway:
    """Tell every bot that listens what happens in the world, as far as its intents let it see.

    Privileged intents are not granted. ``changed`` is called whenever a connection comes or goes. While the
    ``gate`` is not set, nobody who connects is greeted; who identifies while ``bars`` is a code is closed
    with it, and who has fewer than ``least`` shards with 4011.
    """

    def __init__(self, backend: Backend, token: str, changed: Callable[[], None]) -> None:
        self.address = ""
        self.gate = asyncio.Event()
        self.gate.set()
        self.bars = 0
        self.least = 1
        self.identifies = self.resumes = self.heartbeats = 0
        self._backend = backend
        self._token = token
        self._changed = changed
        self._sessions: dict[str, Session] = {}
        backend.subscribers.append(self._spread)

    @property
    def is_listened_to(self) -> bool:
        """Whether a bot is connected and identified."""
        return any(session.socket is not None for session in self._sessions.values())

    async def drop(self, code: int = 4000) -> None:
        """Close every connection; the sessions can be resumed."""
        for session in self._sessions.values():
            if session.socket is not None:
                await session.socket.close(code=code)

    def reconnect(self) -> None:
        """Ask every bot to connect anew (op 7)."""
        for session in self._sessions.values():
            session.outgoing.put_nowait(_control(7))

    def invalidate(self, is_resumable: bool) -> None:
        """Tell every bot that its session is invalid (op 9); one that is not resumable is over."""
        for session in self._sessions.values():
            session.outgoing.put_nowait(_control(9, is_resumable))
        if not is_resumable:
            self.forget()

    def forget(self) -> None:
        """Let every session be over, without a word."""
        self._sessions.clear()

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        packer = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None
        await self.gate.wait()
        await _pack(socket, packer, _control(10, {"heartbeat_interval": HEARTBEAT}))
        session: Session | None = None
        writer: asyncio.Task[None] | None = None
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                said = json.loads(message.data)
                match said["op"]:
                    case 1:
                        self.heartbeats += 1
                        await _pack(socket, packer, _control(11))
                    case 2 | 6 if said["d"]["token"] != self._token:
                        await socket.close(code=4004, message=b"Authentication failed.")
                    case 2:
                        session = await self._identify(socket, packer, said["d"])
                    case 6:
                        session = await self._resume(socket, packer, said["d"])
                if session is not None and writer is None:
                    writer = asyncio.create_task(_write(session, socket))
                    self._changed()
        finally:
            # No await in here: a connection that breaks may cancel this more than once.
            if writer is not None:
                writer.cancel()
            if session is not None and session.socket is socket:
                session.socket = None
            self._changed()
        return socket

    async def _identify(
        self, socket: web.WebSocketResponse, packer: Any, said: dict[str, Any]
    ) -> Session | None:
        intents = discord.Intents.none()
        intents.value = said["intents"]
        if any(getattr(intents, name) for name in gates.PRIVILEGED_INTENTS):
            await socket.close(code=4014, message=b"Disallowed intent(s).")
            return None
        if self.bars:
            await socket.close(code=self.bars)
            return None
        shard = tuple(said.get("shard") or (0, 1))
        if shard[1] < self.least:
            await socket.close(code=4011)
            return None
        self.identifies += 1
        session = Session(f"session-{self.identifies}", intents, socket, packer, shard=shard)
        self._sessions[session.id] = session
        guilds = [guild for guild in self._backend.guilds.values() if session.hears_of(guild.id)]
        ready = {
            "v": 10,
            "user": dict(serializers.user_payload(self._backend.bot_user)),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": self.address,
            "application": {"id": str(self._backend.application_id), "flags": 0},
            "shard": list(shard),
        }
        _send(session, "READY", ready)
        for guild in guilds:
            self._offer(session, "GUILD_CREATE", serializers.guild_create_payload(self._backend, guild))
        return session

    async def _resume(
        self, socket: web.WebSocketResponse, packer: Any, said: dict[str, Any]
    ) -> Session | None:
        session = self._sessions.get(said["session_id"])
        if session is None:
            await _pack(socket, packer, _control(9, False))
            return None
        self.resumes += 1
        session.socket, session.packer, session.outgoing = socket, packer, asyncio.Queue()
        for event in session.events:
            if event["s"] > (said["seq"] or 0):
                session.outgoing.put_nowait(event)
        _send(session, "RESUMED", {})
        return session

    def _spread(self, event: str, payload: Mapping[str, Any]) -> None:
        for session in self._sessions.values():
            self._offer(session, event, payload)

    def _offer(self, session: Session, event: str, payload: Mapping[str, Any]) -> None:
        gate = gates.required_intent(event, payload)
        if gate is not None and not getattr(session.intents, gate):
            return
        guild = payload.get("guild_id") or (payload.get("id") if event.startswith("GUILD_") else None)
        if not session.hears_of(guild):
            return
        shown = copy.deepcopy(dict(payload))
        bot = self._backend.bot_user.id
        if event in ("MESSAGE_CREATE", "MESSAGE_UPDATE"):
            gates.censor_message(shown, bot, backend=self._backend)
        if event == "GUILD_CREATE":
            gates.prune_guild_create(shown, session.intents, bot)
        _send(session, event, shown)


def _send(session: Session, event: str, payload: dict[str, Any]) -> None:
    numbered = {"op": 0, "t": event, "s": len(session.events) + 1, "d": payload}
    session.events.append(numbered)
    session.outgoing.put_nowait(numbered)


def _control(op: int, data: Any = None) -> dict[str, Any]:
    return {"op": op, "d": data, "s": None, "t": None}


async def _write(session: Session, socket: web.WebSocketResponse) -> None:
    outgoing = session.outgoing
    while True:
        await _pack(socket, session.packer, await outgoing.get())


async def _pack(socket: web.WebSocketResponse, packer: Any, event: dict[str, Any]) -> None:
    text = json.dumps(event)
    if packer is None:
        await socket.send_str(text)
    else:
        await socket.send_bytes(packer.compress(text.encode()) + packer.flush(zlib.Z_SYNC_FLUSH))
