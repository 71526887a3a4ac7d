"""The edge of HTTP: whether the bot lives, whether it is ready, and its gauges.

GET /healthz   200 while the process answers
GET /readyz    200, or 503 with one reason a line for what keeps it from its work
GET /metrics   Prometheus' text format
POST /observations/NAME   values of the operator's own, with a bearer token; there only where one is set
POST a webhook's path     what a platform delivers, with its secret; there only where one is set
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hmac import compare_digest

from aiohttp import web

from bot import gauges
from bot.ports import TocsinError

Reasons = Callable[[], Sequence[str]]
"""What keeps the bot from its work just now, one sentence each; empty when nothing does."""

_MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Intake:
    """Where an operator's own values are handed in, by whoever shows the ``token``.

    ``take`` keeps what a body says under a name, and gives how many values it was; it raises TocsinError with
    a sentence that says what is wrong with them, and TimeoutError where they could not be kept in time.
    """

    token: str = field(repr=False)
    take: Callable[[str, str], Awaitable[int]]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one push: 200 once it is kept, 400 with what is wrong with it, 401, 413 or 503."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        is_known = compare_digest(token.strip().encode(), self.token.encode())
        if scheme.lower() != "bearer" or not is_known:
            headers = {"WWW-Authenticate": "Bearer"}
            return web.Response(status=401, text="The bearer token is wrong.\n", headers=headers)
        try:
            count = await self.take(request.match_info["name"], await request.text())
        except TocsinError as error:
            return web.Response(status=400, text=f"{error}\n")
        except (UnicodeDecodeError, LookupError):
            return web.Response(status=400, text="The body is no text.\n")
        except TimeoutError:
            return web.Response(status=503, text="It could not be kept in time: send it again.\n")
        return web.Response(text=f"kept: {count}\n")


@dataclass(frozen=True, slots=True)
class Hook:
    """Where a platform delivers what people say, showing a ``secret`` in ``header``.

    ``take`` takes one delivery over, or gives ``False`` to have it again later; it raises ValueError for what
    is no delivery.
    """

    path: str
    header: str
    secret: str = field(repr=False)
    take: Callable[[bytes], bool]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one delivery: 200 once it is taken over, 503 to have it again, else 400, 401 or 413.

        A stranger is told nothing, and what they sent is not read.
        """
        shown = request.headers.get(self.header, "").encode(errors="surrogateescape")
        if not compare_digest(shown, self.secret.encode()):
            return web.Response(status=401)
        try:
            is_taken = self.take(await request.read())
        except ValueError:
            return web.Response(status=400)
        return web.Response() if is_taken else web.Response(status=503, headers={"Retry-After": "2"})


@asynccontextmanager
async def serve(
    host: str, port: int, reasons: Reasons, intake: Intake | None = None, hook: Hook | None = None
) -> AsyncIterator[int]:
    """Answer on ``host`` and ``port`` while inside; give the port, which differs where 0 was asked for.

    Without an ``intake`` nothing can be handed in, and without a ``hook`` nothing delivered. Raises OSError
    where the address cannot be taken.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_request: web.Request) -> web.Response:
        found = reasons()
        return web.Response(
            status=503 if found else 200, text="\n".join([*found, ""]) if found else "ready\n"
        )

    async def metrics(_request: web.Request) -> web.Response:
        # The header is set whole: aiohttp refuses a charset inside content_type.
        return web.Response(body=gauges.exposition(), headers={"Content-Type": gauges.CONTENT_TYPE})

    site = web.Application(client_max_size=_MOST_BYTES)
    site.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    if intake is not None:
        site.add_routes([web.post("/observations/{name}", intake.answer)])
    if hook is not None:
        site.add_routes([web.post(hook.path, hook.answer)])
    # No access log: it would fill the log with probes, and it repeats what stands in addresses.
    runner = web.AppRunner(site, access_log=None, handle_signals=False, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
