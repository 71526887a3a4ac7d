"""Providers of metrics on loopback, reached as ROOT/HOST/path through a gateway, and what may go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

Answer = Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse]]
"""How one page answers; a text or bytes stand for themselves."""

Trouble = Callable[[web.Request, web.Response], Awaitable[web.StreamResponse]]
"""What becomes of an answer: it is handed the question, and the answer as it would have been."""


def respond(status: int, text: str = "", content_type: str = "application/json", **headers: str) -> Trouble:
    """Answer everything with a status; underscores in header names become hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(_: web.Request, __: web.Response) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers=named, content_type=content_type)

    return answer


async def cut_short(_: web.Request, good: web.Response) -> web.StreamResponse:
    """Answer with the first half, which is declared to be all."""
    raw = good.body if isinstance(good.body, bytes) else b""
    return web.Response(body=raw[: len(raw) // 2], content_type=good.content_type)


async def broken_off(request: web.Request, good: web.Response) -> web.StreamResponse:
    """Promise the whole, give the half, and hang up."""
    raw = good.body if isinstance(good.body, bytes) else b""
    assert request.transport is not None
    request.transport.write(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(raw) + raw[: len(raw) // 2]
    )
    request.transport.close()
    await asyncio.sleep(0)
    return web.Response()


async def endless(request: web.Request, _: web.Response) -> web.StreamResponse:
    """Answer with more than anybody should take."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _piece in range(40):
        await response.write(b" " * 256 * 1024)
    return response


async def silent(_: web.Request, __: web.Response) -> web.StreamResponse:
    """Take the question, and never answer."""
    await asyncio.sleep(60)
    return web.Response()


WEB_PAGE = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"

TROUBLES: Mapping[str, Trouble] = {
    "a web page": respond(200, WEB_PAGE, "text/html"),
    "a web page that says it is JSON": respond(200, WEB_PAGE),
    "nothing": respond(200, ""),
    "null": respond(200, "null"),
    "an empty object": respond(200, "{}"),
    "an empty list": respond(200, "[]"),
    "another envelope": respond(200, '{"status": "ok", "result": {"rows": []}}'),
    "NaN": respond(200, '{"data": [{"value": NaN}]}'),
    "half an answer": cut_short,
    "a connection broken off": broken_off,
    "too much": endless,
    "silence": silent,
    "400": respond(400, '{"error": "bad"}'),
    "401": respond(401, '{"error": "no key"}'),
    "403": respond(403, WEB_PAGE, "text/html"),
    "404": respond(404, "not found", "text/plain"),
    "429": respond(429, "{}"),
    "429 with a time": respond(429, "{}", Retry_After="120"),
    "451": respond(451, "{}"),
    "500": respond(500, "oops", "text/plain"),
    "503 with a time": respond(503, "", "text/plain", Retry_After="30"),
    "a redirect": respond(302, "", "text/plain", Location="https://elsewhere.example/"),
}
"""All that every provider must survive, whatever it reads."""


@dataclass
class ProviderServer:
    """Pages by ``host/path`` (without the query), each a text, bytes or a function of the question.

    ``trouble`` spoils every answer; ``asked`` are the questions so far.
    """

    pages: dict[str, str | bytes | Answer] = field(default_factory=dict)
    trouble: Trouble | None = None
    asked: list[web.Request] = field(default_factory=list)
    root: str = ""
    _runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Begin to answer on a free loopback port; gives the root that stands before ``/host/path``."""
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.root = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self.root

    async def stop(self) -> None:
        """Answer no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    def beside(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        """Give a middleware that answers these pages on another server, beside what that one answers."""

        @web.middleware
        async def answer(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            return await (self._answer if request.path[1:] in self.pages else handler)(request)

        return answer

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        page = self.pages.get(request.path[1:])
        match page:
            case None:
                good: web.StreamResponse = web.Response(status=404, text="not found")
            case str() | bytes():
                raw = page.encode() if isinstance(page, str) else page
                good = web.Response(body=raw, content_type="application/octet-stream")
            case _:
                made = page(request)
                good = made if isinstance(made, web.StreamResponse) else await made
        if self.trouble is not None and isinstance(good, web.Response):
            return await self.trouble(request, good)
        return good
