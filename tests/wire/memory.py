"""Exchanges on loopback without a socket: a session for the unmodified ccxt, many times as fast.

All of ccxt stays as it is: it builds the address, and reads status, headers and text of what comes back. What
a socket alone can show, such as a connection that hangs or breaks, is raised as aiohttp would.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy
from yarl import URL

from bot.demo.exchange import LoopbackExchange
from bot.feeds.exchanges import Exchanges
from tests.wire.exchanges import Handler, Weather


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, as far as the handlers read it."""

    path: str
    rel_url: URL
    match_info: Mapping[str, str]

    @property
    def query(self) -> Any:
        return self.rel_url.query


class _Answer:
    """What ccxt reads of a response."""

    __slots__ = ("_response", "headers", "reason", "status")

    def __init__(self, response: web.Response) -> None:
        self._response = response
        self.status, self.reason = response.status, response.reason
        self.headers: CIMultiDictProxy[str] = CIMultiDictProxy(response.headers)

    async def text(self, errors: str = "strict") -> str:
        body = self._response.body
        return body.decode(errors=errors) if isinstance(body, bytes) else ""


class _Asking:
    """A question under way."""

    __slots__ = ("_url", "_wire")

    def __init__(self, wire: Wire, url: URL) -> None:
        self._wire, self._url = wire, url

    async def __aenter__(self) -> _Answer:
        return await self._wire.answer(self._url)

    async def __aexit__(self, *_: object) -> None:
        pass


class Wire:
    """The session of every exchange; ``delay`` is called before and after each answer is made."""

    def __init__(self, behind: Mapping[str, tuple[LoopbackExchange, Weather]]) -> None:
        self.delay: Callable[[], None] = lambda: None
        self.headers: dict[str, str] = {}
        self._routes: dict[str, tuple[Weather, Handler]] = {}
        self._patterns: list[tuple[re.Pattern[str], Weather, Handler]] = []
        for exchange, weather in behind.values():
            for route in exchange.routes():
                handler: Any = route.handler
                if "{" in route.path:
                    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path)
                    self._patterns.append((re.compile(pattern), weather, handler))
                else:
                    self._routes[route.path] = weather, handler

    def get(self, url: URL, **_: object) -> _Asking:
        """Ask, as a client session does."""
        return _Asking(self, url)

    async def answer(self, url: URL) -> _Answer:
        """Have the exchange behind an address answer. Raises what a broken connection raises."""
        path = f"/{url.host}{url.path}"
        weather, handler, found = self._handler(path)
        self.delay()
        response = await weather(Asked(path, url, found), handler)  # type: ignore[arg-type]
        assert isinstance(response, web.Response)
        self.delay()
        return _Answer(response)

    async def close(self) -> None:
        """Let go of nothing."""

    def _handler(self, path: str) -> tuple[Weather, Handler, Mapping[str, str]]:
        if path in self._routes:
            return *self._routes[path], {}
        for pattern, weather, handler in self._patterns:
            if (match := pattern.fullmatch(path)) is not None:
                return weather, handler, match.groupdict()
        raise AssertionError(f"nobody answers {path}")


class Here:
    """Do the work of the thread of ccxt in the loop that asks, so that a history is the same each time."""

    def enter(self) -> None:
        """Count nobody."""

    async def run(self, work: Callable[[], Any]) -> Any:
        """Do it."""
        return await work()

    async def leave(self) -> None:
        """End nothing."""


def joined(exchanges: Exchanges, wire: Wire) -> Exchanges:
    """Let feeds ask through a wire instead of sockets, in the loop of whoever asks."""
    here: Any = Here()
    for door in exchanges.doors.values():
        door._open = _with_session(door._open, wire)  # type: ignore[method-assign]
    for feed in exchanges.feeds:
        feed._thread = here
    return exchanges


def _with_session(open_: Callable[[], Any], wire: Wire) -> Callable[[], Any]:
    def opened() -> Any:
        instance = open_()
        instance.session, instance.ssl_context, instance.timeout_on_exit = wire, False, 0
        return instance

    return opened


async def timeout(*_: object) -> web.StreamResponse:
    """Never answer: ccxt's own patience ends."""
    raise TimeoutError


async def broken(*_: object) -> web.StreamResponse:
    """Break the connection."""
    raise aiohttp.ServerDisconnectedError
