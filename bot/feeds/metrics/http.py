"""The one door of HTTP to the providers of metrics: every answer is judged before it is read.

Nothing but Faults leaves it, and none of them names an address or a header: that is where keys stand.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Container, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from io import StringIO
from types import TracebackType
from typing import Any, NoReturn, Self

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar

from bot.feeds.faults import Fault, Trouble, fault_of_error, fault_of_status
from bot.feeds.gateway import through
from bot.feeds.metrics.figures import number_of

_MOST_BYTES = 8 * 1024 * 1024
_SECONDS = 20.0
_MOST_DIGITS = 60
_EPOCHS_FROM = 1_000_000_000
_LONGEST_WAIT = 86_400.0
_AGENT = "tocsin (a self-hosted alert bot)"

Params = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a provider's last answer said of its limits, in ``X-RateLimit-*``; ``None`` where it did not.

    ``left`` is how many more questions it takes; ``reset`` when it counts anew, as it wrote it: seconds from
    the answer on, or an epoch.
    """

    left: int | None = None
    reset: Decimal | None = None

    def wait(self, now: float) -> float | None:
        """Give the seconds for which no question is taken; ``None`` where one is, or it cannot be told."""
        if self.left is None or self.left > 0 or self.reset is None:
            return None
        reset = float(self.reset)
        return min(max(0.0, reset if reset < _EPOCHS_FROM else reset - now), _LONGEST_WAIT)


class Http:
    """One pool of connections for all providers, opened by the first question.

    ``gateway`` is the root through which every question goes as ROOT/HOST/path, empty for none.
    """

    def __init__(self, gateway: str = "", seconds: float = _SECONDS, most_bytes: int = _MOST_BYTES) -> None:
        self._gateway = gateway
        self._timeout = ClientTimeout(total=seconds)
        self._most_bytes = most_bytes
        self._session: ClientSession | None = None
        self.requests = 0
        self.allowances: dict[str, Allowance] = {}

    async def json(
        self,
        name: str,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        reads: Container[int] = (),
    ) -> Any:
        """Ask for JSON: an object or a list, with every number that has a point as a Decimal.

        ``name`` is the provider's, for the sentences. ``body`` is posted as JSON; without one the question is
        a GET. ``reads`` are the statuses beside success whose answers say something. Raises Fault.
        """
        text = await self.text(name, url, params=params, headers=headers, body=body, reads=reads)
        if text.lstrip()[:1] == "<":
            _refuse(name, "answers with a web page where data should be")
        try:
            answer = json.loads(text, parse_float=_decimal, parse_constant=_no_number)
        except (ValueError, RecursionError):
            _refuse(name, "answers with broken data")
        if not isinstance(answer, dict | list):
            _refuse(name, "answers with something that is no data")
        return answer

    async def rows(
        self, name: str, url: str, columns: tuple[str, ...], *, params: Params | None = None
    ) -> list[dict[str, str]]:
        """Ask for CSV whose first line names ``columns`` and more; gives lines by column. Raises Fault."""
        text = await self.text(name, url, params=params)
        if text.lstrip()[:1] == "<":
            _refuse(name, "answers with a web page where a table should be")
        try:
            reader = csv.DictReader(StringIO(text.removeprefix("\ufeff")), strict=True)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                _refuse(name, f"gives a table without {', '.join(missing)}")
            rows = list(reader)
        except csv.Error:
            _refuse(name, "answers with a broken table")
        if any(None in row or None in row.values() for row in rows):
            _refuse(name, "gives a table with lines cut short")
        return rows

    async def page(self, name: str, url: str, *, params: Params | None = None) -> str:
        """Ask for a web page, whole. Raises Fault."""
        text = await self.text(name, url, params=params)
        if text.lstrip()[:1] != "<":
            _refuse(name, "answers with something that is no web page")
        if "</html>" not in text[-2000:].lower():
            _refuse(name, "answers with a page cut short")
        return text

    async def text(
        self,
        name: str,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        reads: Container[int] = (),
    ) -> str:
        """Ask, and give what is answered, as long as it is something and not too much. Raises Fault."""
        address = through(self._gateway, url) if self._gateway else url
        self.requests += 1
        try:
            async with self._open().request(
                "GET" if body is None else "POST",
                address,
                params=params,
                headers=headers,
                json=body,
                timeout=self._timeout,
                allow_redirects=False,  # a key must not follow to another host
            ) as response:
                raw = await response.content.read(self._most_bytes + 1)
                while len(raw) <= self._most_bytes and (more := await response.content.readany()):
                    raw += more
                status, kept = response.status, dict(response.headers)
                charset = response.charset or "utf-8"
        except (ClientError, TimeoutError, OSError) as error:
            known = error if isinstance(error, TimeoutError | OSError) else OSError()
            raise fault_of_error(name, known) from None
        if len(raw) > self._most_bytes:
            _refuse(name, f"answers with more than {self._most_bytes // 1024 // 1024} MB")
        try:
            text = raw.decode(charset)
        except (UnicodeDecodeError, LookupError):
            _refuse(name, "answers with something that is no text")
        self.allowances[name] = _allowance(response.headers)
        if status not in reads:
            _judge(name, status, kept, text)
        if not text.strip():
            _refuse(name, "answers with nothing")
        return text

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _open(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(headers={"User-Agent": _AGENT}, cookie_jar=DummyCookieJar())
        return self._session


def wait_in(body: object) -> float | None:
    """Read from the body of a refusal how many seconds to wait, which some say there and not in a header."""
    match body:
        case {"details": {"retry_after": raw}} | {"retry_after": raw}:
            wait = number_of(raw)
            return None if wait is None or wait < 0 else min(float(wait), _LONGEST_WAIT)
    return None


def _judge(name: str, status: int, headers: Mapping[str, str], text: str) -> None:
    if status in {401, 402}:
        raise Fault(Trouble.BLOCKED, f"{name} does not take the key (HTTP {status}): check it, and its plan")
    fault = fault_of_status(name, status, headers, text)
    if fault is not None and fault.trouble is Trouble.LIMITED and fault.retry_after is None:
        with suppress(ValueError, RecursionError):
            fault.retry_after = wait_in(json.loads(text, parse_float=_decimal))
    if status == 403 and (fault is None or fault.retry_after is None):
        raise Fault(Trouble.BLOCKED, f"{name} refuses this server or its key (HTTP 403)")
    if fault is not None:
        raise fault
    if not 200 <= status < 300:
        raise Fault(Trouble.PASSING, f"{name} answers with an error (HTTP {status})")


def _allowance(headers: Mapping[str, str]) -> Allowance:
    left = number_of(headers.get("X-RateLimit-Remaining"))
    return Allowance(None if left is None else int(left), number_of(headers.get("X-RateLimit-Reset")))


def _refuse(name: str, what: str) -> NoReturn:
    raise Fault(Trouble.NONSENSE, f"{name} {what}") from None


def _decimal(text: str) -> Decimal:
    if len(text) > _MOST_DIGITS:
        raise ValueError("a number of too many digits")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("no number") from None


def _no_number(_: str) -> NoReturn:
    raise ValueError("NaN and infinity are no numbers")
