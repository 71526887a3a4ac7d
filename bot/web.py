"""The edge of HTTP: whether the bot lives, whether it is ready, and its gauges.

GET /healthz   200 while the process answers
GET /readyz    200, or 503 with one reason a line for what keeps it from its work
GET /metrics   Prometheus' text format
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from bot import gauges

Reasons = Callable[[], Sequence[str]]
"""What keeps the bot from its work just now, one sentence each; empty when nothing does."""


@asynccontextmanager
async def serve(host: str, port: int, reasons: Reasons) -> AsyncIterator[int]:
    """Answer on ``host`` and ``port`` while inside; give the port, which differs where 0 was asked for.

    Raises OSError where the address cannot be taken.
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

    site = web.Application()
    site.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    # No access log: it would fill the log with probes, and it repeats what stands in addresses.
    runner = web.AppRunner(site, access_log=None, handle_signals=False, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
