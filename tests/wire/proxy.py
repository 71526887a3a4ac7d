"""A proxy that the tests own: connections go through it, are cut, or carry nothing for a while."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType


class Proxy:
    """Carries what comes to its port to another port on loopback, and back.

    ``made`` counts the connections that it made so far.
    """

    def __init__(self, to: int) -> None:
        self.made = 0
        self._to = to
        self._open = asyncio.Event()
        self._open.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def cut(self) -> None:
        """Cut every connection: both ends see it at once."""
        for end in self._ends:
            end.transport.abort()

    def hush(self) -> None:
        """Carry nothing any more, and say nothing of it."""
        self._open.clear()

    def go_on(self) -> None:
        """Carry again; what waits goes first."""
        self._open.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self.made += 1
        self._ends |= {writer, far_writer}
        for one, other in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._carry(one, other))
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        self._ends.discard(writer)
        with suppress(OSError):
            writer.close()
