"""Carry the requests of python-telegram-bot over aiohttp, so that the token is in no text but the request's.

The library is never handed the token: it builds its addresses without it, and the token is put in here, last.
So no log line, error or ``repr`` of the library can hold it. Errors leave without a cause, since those of an
HTTP client quote the address.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import structlog
from telegram import Update
from telegram.error import NetworkError, TimedOut
from telegram.request import BaseRequest, RequestData
from yarl import URL

CONNECT: Final = 10.0
WRITE: Final = 10.0
UPLOAD: Final = 30.0
QUEUE: Final = 5.0

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Unreachable(NetworkError):
    """No connection to the Bot API comes about: nothing was sent, and no chat can be reached."""


class Shut(NetworkError):
    """The Bot API refuses the token in the middle of the run; it is asked again."""


class AiohttpRequest(BaseRequest):
    """Send requests over one aiohttp session, which is open between ``initialize`` and ``shutdown``.

    ``patience`` is how many seconds to wait for an answer, on top of the long poll's own time. No proxy is
    taken from the environment, and no redirect is followed: it would carry the token elsewhere.
    ``is_polling`` is for fetching updates: it makes a refused token an ordinary network error, because the
    library would otherwise end its polling for good and tell nobody, and empties unreadable updates.
    It ``is_failing`` while the last request was not answered well.
    """

    def __init__(self, token: str, *, patience: float, connections: int, is_polling: bool = False) -> None:
        self._token = token
        self._quoted = quote(token, safe=":")
        self._patience = patience
        self._connections = connections
        self._is_polling = is_polling
        self._session: aiohttp.ClientSession | None = None
        self.is_failing = False

    @property
    def read_timeout(self) -> float:
        """Give the seconds to wait for an answer."""
        return self._patience

    async def initialize(self) -> None:
        """Open the session; does nothing where it is open."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self.USER_AGENT},
            )

    async def shutdown(self) -> None:
        """Close the session and its connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def do_request(  # noqa: PLR0917 - the library's signature
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: object = BaseRequest.DEFAULT_NONE,
        write_timeout: object = BaseRequest.DEFAULT_NONE,
        connect_timeout: object = BaseRequest.DEFAULT_NONE,
        pool_timeout: object = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Make one request to ``ROOT/bot/METHOD``, the token put in; give the status and the JSON answered.

        Raises TimedOut, Unreachable, Shut, and NetworkError for all else that is no answer of the Bot API.
        """
        if self._session is None:
            raise Unreachable("not connected")
        is_upload = request_data is not None and request_data.contains_files
        timeout = _timeout(
            read=_given(read_timeout, self._patience),
            write=_given(write_timeout, UPLOAD if is_upload else WRITE),
            connect=_given(connect_timeout, CONNECT),
            queue=_given(pool_timeout, QUEUE),
        )
        target = _target(url, self._quoted)
        failure: NetworkError
        try:
            async with self._session.request(
                method, target, data=_body(request_data), timeout=timeout, allow_redirects=False
            ) as response:
                return self._checked(response.status, await response.read())
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            failure = Unreachable(type(error).__name__)
        except TimeoutError:
            failure = TimedOut()
        except (aiohttp.ClientError, OSError) as error:
            failure = NetworkError(type(error).__name__)
        self.is_failing = True
        raise failure

    async def download(self, root: str, path: str, most: int) -> bytes:
        """Give at most so many bytes of a file of the Bot API. Raises OSError, without the address."""
        if self._session is None:
            raise OSError("not connected")
        target = URL(f"{root.rstrip('/')}/file/bot{self._quoted}/{quote(path)}", encoded=True)
        timeout = _timeout(read=self._patience, write=WRITE, connect=CONNECT, queue=QUEUE)
        try:
            async with self._session.get(target, timeout=timeout, allow_redirects=False) as response:
                if response.status != 200:
                    raise OSError(f"HTTP {response.status}")
                found = bytearray()
                while len(found) < most and (piece := await response.content.read(most - len(found))):
                    found += piece
                return bytes(found)
        except aiohttp.ClientError as error:
            raise OSError(type(error).__name__) from None

    def _checked(self, status: int, payload: bytes) -> tuple[int, bytes]:
        """Let only answers of the Bot API through; a page of a proxy is not one, whatever its status."""
        self.is_failing = True  # until it shows that it is well
        try:
            answer = json.loads(payload)
        except ValueError:
            answer = None
        is_well = 200 <= status < 300
        if not isinstance(answer, dict) or ("result" if is_well else "error_code") not in answer:
            raise NetworkError(f"HTTP {status} without an answer of the Bot API")
        if is_well:
            self.is_failing = False
            return status, _readable(answer) if self._is_polling else payload
        if self._is_polling and status in (401, 404):
            raise Shut(f"the token is refused ({status})")
        return status, payload.replace(self._token.encode(), b"[token]")


def _readable(answer: dict[str, Any]) -> bytes:
    """Empty the updates that the library cannot read, all but their number.

    It would drop the whole batch for one of them and fetch it again at once, for ever.
    """
    updates = answer["result"]
    for index, update in enumerate(updates):
        try:
            Update.de_json(update, None)
        except Exception as error:
            log.warning(
                "an update cannot be read", update=update.get("update_id"), reason=type(error).__name__
            )
            updates[index] = {"update_id": update["update_id"]}
    return json.dumps(answer).encode()


def _given(value: object, default: float) -> float | None:
    """Take the library's seconds, or our own where it leaves the choice."""
    return value if value is None or isinstance(value, int | float) else default


@lru_cache
def _target(url: str, token: str) -> URL:
    """Put the token into an address of the library's: ``ROOT/bot/METHOD``."""
    base, _, endpoint = url.rpartition("/")
    return URL(f"{base}{token}/{endpoint}", encoded=True)


@lru_cache
def _timeout(
    read: float | None, write: float | None, connect: float | None, queue: float | None
) -> aiohttp.ClientTimeout:
    """Bound every stage, and their sum, so that an answer that trickles ends too."""
    total = (
        None if None in (read, write, connect, queue) else sum(filter(None, (read, write, connect, queue)))
    )
    waiting = None if connect is None or queue is None else connect + queue
    return aiohttp.ClientTimeout(total=total, connect=waiting, sock_connect=connect, sock_read=read)


def _body(data: RequestData | None) -> aiohttp.FormData | aiohttp.BytesPayload | None:
    if data is None:
        return None
    if not data.contains_files:  # a form says the same, at twice the cost, and at far more for Chinese
        payload = data.json_payload  # the library writes all parameters anew whenever it is asked for some
        return aiohttp.BytesPayload(payload, content_type="application/json") if payload != b"{}" else None
    form = aiohttp.FormData(data.json_parameters)
    for name, (filename, content, mime) in data.multipart_data.items():
        form.add_field(name, content, filename=filename, content_type=mime)
    return form
