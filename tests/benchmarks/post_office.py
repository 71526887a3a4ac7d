"""A Bot API on loopback that takes every message and does no more, in a process of its own.

``python -m tests.benchmarks.post_office`` prints its root. ``/arrivals`` gives the instants of the messages.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import AbstractAsyncContextManager
from itertools import count
from urllib.parse import parse_qsl

from aiohttp import web

from tests.benchmarks.beside import beside

_ME = {"id": 1, "is_bot": True, "first_name": "Bell", "username": "bell_bot"}
_LONGEST_POLL = 10.0


class PostOffice:
    """Who answers, and when each message came."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        self._numbers = count(1)

    async def handle(self, request: web.Request) -> web.Response:
        match request.match_info["method"].lower():
            case "sendmessage":
                body = await request.read()
                is_form = request.content_type == "application/x-www-form-urlencoded"
                return self._take(dict(parse_qsl(body.decode())) if is_form else json.loads(body))
            case "getupdates":
                await asyncio.sleep(_LONGEST_POLL)
                return _answer([])
            case "getme":
                return _answer(_ME)
            case "getwebhookinfo":
                return _answer({"url": "", "has_custom_certificate": False, "pending_update_count": 0})
            case "getmycommands":
                return _answer([])
            case "getmydescription":
                return _answer({"description": ""})
            case "getmyshortdescription":
                return _answer({"short_description": ""})
        return _answer(True)

    async def told(self, _: web.Request) -> web.Response:
        found, self.arrivals = self.arrivals, []
        return web.json_response(found)

    def _take(self, said: dict[str, str]) -> web.Response:
        self.arrivals.append(time.time())
        chat = {"id": int(said["chat_id"]), "type": "private", "first_name": "Ann"}
        post = {"message_id": next(self._numbers), "date": int(time.time()), "chat": chat, "from": _ME}
        return _answer(post | {"text": said["text"]})


def _answer(result: object) -> web.Response:
    return web.Response(
        body=json.dumps({"ok": True, "result": result}).encode(), content_type="application/json"
    )


async def _serve() -> None:
    office = PostOffice()
    app = web.Application()
    app.add_routes([web.get("/arrivals", office.told), web.post("/{bot}/{method}", office.handle)])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)  # until who began it ends


def post_office() -> AbstractAsyncContextManager[str]:
    """Open one, and close it afterwards; gives its root."""
    return beside("tests.benchmarks.post_office")


if __name__ == "__main__":
    asyncio.run(_serve())
