"""Talk: short words between the processes of a deployment, heard by whoever listens just then.

Nothing of it is kept. What must be known by who comes later is said again and again, and what must not be
missed is in the store: a word only makes somebody look earlier.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable

import structlog
from nats.aio.msg import Msg

from bot.tape.line import Line

_SECONDS_TO_SAY = 1.0
_MOST_BYTES = 16_000_000
"""A longer word is not read: no sender of ours has so much to say."""

log = structlog.get_logger(__name__)


class Talk:
    """What one process says, and hears of others and of itself, over a line; ``name`` is the deployment's."""

    def __init__(self, line: Line, name: str) -> None:
        self._line, self._before = line, f"{name}.word"

    async def say(self, topic: str, word: bytes = b"") -> None:
        """Say a word on a topic, like ``exchange/binance``. Raises TapeTrouble where nobody could hear it."""
        await self._line.say(self._subject(topic), zlib.compress(word, 1), _SECONDS_TO_SAY)

    async def listen(self, topic: str, heed: Callable[[str, bytes], Awaitable[None]]) -> None:
        """Heed from now on what is said on a topic and right below it: the part below, and the word."""
        subject = self._subject(topic)

        async def hear(message: Msg) -> None:
            name = message.subject.removeprefix(subject).removeprefix(".")
            unpacking = zlib.decompressobj()
            try:
                word = unpacking.decompress(message.data, _MOST_BYTES)
            except zlib.error:
                word, unpacking = b"", zlib.decompressobj()
            if not unpacking.eof:
                log.error("a word of another process cannot be read", topic=topic)
                return
            await heed(name, word)

        await self._line.hear(subject, hear)
        await self._line.hear(f"{subject}.*", hear)

    def _subject(self, topic: str) -> str:
        return f"{self._before}.{topic.replace('/', '.')}"
