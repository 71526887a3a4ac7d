"""The line to a NATS server: one connection, made again whenever it is lost, for as long as it is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from bot.ports import TapeTrouble
from bot.rules.phrases import to_say

TROUBLE = (nats.errors.Error, OSError, TimeoutError)
"""What nats-py raises when a server is away, slow, or says no."""

_SECONDS_BETWEEN_TRIES = 0.2
_SECONDS_TO_CONNECT = 2
_SECONDS_TO_COME_BACK = 5.0
"""Without a connection, after which nats-py is not waited for any more: what reconnects may have failed."""

_SECONDS_BETWEEN_PINGS = 2
_MOST_PINGS = 2
"""Without an answer: a connection that is cut without a word is known to be so within six seconds."""

_SECONDS_TO_ANSWER = 2.0

_HEADERS = 4096
"""Bytes of a message that are left to its headers."""

log = structlog.get_logger(__name__)

Hear = Callable[[Msg], Awaitable[None]]


class Line:
    """A connection that comes back by itself.

    ``times`` counts how often it was made: whatever a server kept of the one before may be gone. ``who`` is
    the name under which the server lists it. The URL may hold a password, and is never shown.
    """

    def __init__(self, url: str, who: str) -> None:
        if urlsplit(url).scheme not in ("nats", "tls") or not urlsplit(url).hostname:
            raise ValueError("the address of NATS must be like nats://host:4222 or tls://host:4222")
        self.times = 0
        self.reason = to_say("no connection yet")
        self._url, self._who = url, who
        self._client = Client()
        self._is_up, self._is_lost = asyncio.Event(), asyncio.Event()
        self._is_closed = asyncio.Event()
        self._bounds: set[asyncio.Timeout] = set()
        self._heard: list[tuple[str, Hear]] = []
        self._is_listening = False
        self._holding: asyncio.Task[None] | None = None

    @property
    def trouble(self) -> str:
        """Say why there is no connection now, or nothing."""
        return "" if self._is_up.is_set() else self.reason

    @property
    def room(self) -> int:
        """How many bytes a word may have in one message, beside its headers."""
        return self._client.max_payload - _HEADERS

    def open(self) -> None:
        """Begin to connect."""
        self._holding = asyncio.create_task(self._hold())

    async def close(self) -> None:
        """Hang up."""
        self._is_closed.set()
        self._is_up.clear()
        if self._holding is not None:
            self._holding.cancel()
            await asyncio.wait([self._holding], timeout=2 * _SECONDS_TO_ANSWER)

    async def jetstream(self, within: float) -> JetStreamContext:
        """Give what talks to JetStream, as soon as there is a connection. Raises TapeTrouble."""
        client = await self._connected(within)
        return client.jetstream(timeout=_SECONDS_TO_ANSWER)

    @asynccontextmanager
    async def held(self, within: float = _SECONDS_TO_ANSWER) -> AsyncIterator[None]:
        """Bound what waits for an answer: none comes in time, or at all once the connection is lost.

        Raises TimeoutError. Whoever is cancelled inside is: before Python 3.12, wait_for forgets that where
        its answer comes at the same instant, and nats-py waits by it.
        """
        task = asyncio.current_task()
        before = 0 if task is None else task.cancelling()
        async with asyncio.timeout(min(within, _SECONDS_TO_ANSWER)) as bound:
            self._bounds.add(bound)
            try:
                yield
                if task is not None and task.cancelling() > before:
                    raise asyncio.CancelledError
            finally:
                self._bounds.discard(bound)

    async def say(self, subject: str, word: bytes, within: float) -> None:
        """Say a word to whoever listens now. Raises TapeTrouble."""
        client = await self._connected(within)
        try:
            async with self.held(within):  # it waits for a connection that carries nothing, too
                await client.publish(subject, word)
        except TROUBLE as trouble:
            raise TapeTrouble(f"NATS takes no word: {reason_of(trouble)}") from trouble

    async def ask(self, subject: str, word: bytes, within: float) -> bytes:
        """Say a word to the one who answers it, and give the answer. Raises TapeTrouble where none comes."""
        client = await self._connected(within)
        try:
            async with self.held(within):
                return (await client.request(subject, word, timeout=within)).data
        except TROUBLE as trouble:
            raise TapeTrouble(f"NATS brings no answer: {reason_of(trouble)}") from trouble

    async def hear(self, subject: str, hear: Hear) -> None:
        """Listen to words from now on, on every connection."""
        self._heard.append((subject, hear))
        if self._is_listening:
            try:
                async with self.held():
                    await self._client.subscribe(subject, cb=hear)  # one that comes back goes on listening
            except TROUBLE as trouble:
                log.debug("nothing is heard now", subject=subject, reason=reason_of(trouble))
                self._is_lost.set()  # the next connection listens from its beginning

    async def _connected(self, within: float) -> Client:
        try:
            async with asyncio.timeout(within):
                await self._is_up.wait()
        except TimeoutError:
            raise TapeTrouble(f"NATS cannot be reached: {self.reason}") from None
        return self._client

    async def _hold(self) -> None:
        """Connect, and do so from the beginning wherever nats-py itself gives a connection up."""
        while not self._is_closed.is_set():
            self._client = client = Client()
            self._is_lost.clear()
            try:
                await self._connect(client)
                if self._is_closed.is_set():
                    return
                for subject, hear in self._heard:
                    await client.subscribe(subject, cb=hear)
                self._is_listening = True
                await self._come_up()
                await self._given_up()
            except Exception as trouble:  # half an answer is no JSON, and whatever else a cut line carries
                await self._note(trouble)
            finally:
                self._is_listening = False
                await self._go_down()
                with suppress(*TROUBLE):
                    async with asyncio.timeout(_SECONDS_TO_ANSWER):  # it would wait for what nobody reads
                        await client.close()
            await asyncio.sleep(_SECONDS_BETWEEN_TRIES)

    async def _given_up(self) -> None:
        """Wait until the connection is lost, or did not come back for so long that it is made anew."""
        loop = asyncio.get_running_loop()
        up_at = loop.time()
        while not self._is_lost.is_set() and loop.time() - up_at < _SECONDS_TO_COME_BACK:
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._is_lost.wait()
            if self._is_up.is_set():
                up_at = loop.time()

    async def _connect(self, client: Client) -> None:
        await client.connect(
            self._url,
            name=self._who,
            error_cb=self._note,
            disconnected_cb=self._go_down,
            reconnected_cb=self._come_up,
            closed_cb=self._lose,
            connect_timeout=_SECONDS_TO_CONNECT,
            reconnect_time_wait=_SECONDS_BETWEEN_TRIES,  # type: ignore[arg-type]  # it is slept
            max_reconnect_attempts=-1,
            ping_interval=_SECONDS_BETWEEN_PINGS,
            max_outstanding_pings=_MOST_PINGS,
            pending_size=0,  # nothing is kept for a server that is away: who hands over hears that
        )

    async def _come_up(self) -> None:
        self.times += 1
        self._is_up.set()
        if self.times > 1:
            log.info("NATS is there again")
        self.reason = to_say("the connection was lost")

    async def _go_down(self) -> None:
        if self._is_up.is_set():
            self._is_up.clear()
            log.warning("the connection to NATS is lost")
        for bound in self._bounds:
            if not bound.expired():
                bound.reschedule(0.0)

    async def _lose(self) -> None:
        self._is_lost.set()

    async def _note(self, trouble: Exception) -> None:
        """Keep why there is no connection; said once, for it is tried several times a second."""
        reason = reason_of(trouble)
        if reason != self.reason:
            self.reason = reason
            log.warning("trouble with NATS", reason=reason)
        if isinstance(trouble, nats.errors.StaleConnectionError):
            # What reconnects would first wait until all is sent that nobody reads.
            await self._go_down()
            self._is_lost.set()


def reason_of(trouble: BaseException) -> str:
    """Say what went wrong, as a part of a sentence."""
    match trouble:
        case ConnectionRefusedError():
            return to_say("nobody listens at its address")
        case TimeoutError():
            return to_say("it does not answer in time")
        case nats.errors.OutboundBufferLimitError():
            return to_say("the connection was lost")
        case _:
            return str(trouble).removeprefix("nats: ") or type(trouble).__name__
