"""Beat: ask an address of whoever watches from outside, and calls the operator when the bot falls silent."""

from __future__ import annotations

import aiohttp
import structlog

log = structlog.get_logger(__name__)

_PATIENCE = 10.0


class Heartbeat:
    """A dead man's switch. Its address is a secret: it stands in no log, no error and no ``repr``."""

    def __init__(self, url: str, patience: float = _PATIENCE) -> None:
        self._url = url
        self._patience = patience

    def __repr__(self) -> str:
        return "Heartbeat()"

    async def beat(self) -> bool:
        """Ask the address once, and give whether it took that; never raises for what the network does."""
        timeout = aiohttp.ClientTimeout(total=self._patience)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.get(self._url, allow_redirects=False) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:  # they quote the address
            log.warning("the heartbeat was not heard", reason=type(error).__name__)
            return False
        if not 200 <= status < 300:
            log.warning("the heartbeat was refused", status=status)
        return 200 <= status < 300
