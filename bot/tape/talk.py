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
_TAKEN = b"taken"
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

    async def ask(self, topic: str, word: bytes, within: float) -> bool:
        """Say a word that somebody is to take over, and say whether they did.

        Raises TapeTrouble where nobody answers in so many seconds; they may have taken it all the same.
        """
        return await self._line.ask(self._subject(topic), zlib.compress(word, 1), within) == _TAKEN

    async def take_over(self, topic: str, take: Callable[[bytes], Awaitable[bool]]) -> None:
        """Take from now on what is asked of who listens on a topic, or say that it was not taken."""

        async def hear(message: Msg) -> None:
            word = _unpacked(message.data)
            is_taken = word is not None and await take(word)
            await message.respond(_TAKEN if is_taken else b"")

        await self._line.hear(self._subject(topic), hear)

    async def listen(self, topic: str, heed: Callable[[str, bytes], Awaitable[None]]) -> None:
        """Heed from now on what is said on a topic and right below it: the part below, and the word."""
        subject = self._subject(topic)

        async def hear(message: Msg) -> None:
            name = message.subject.removeprefix(subject).removeprefix(".")
            if (word := _unpacked(message.data)) is None:
                log.error("a word of another process cannot be read", topic=topic)
                return
            await heed(name, word)

        await self._line.hear(subject, hear)
        await self._line.hear(f"{subject}.*", hear)

    def _subject(self, topic: str) -> str:
        return f"{self._before}.{topic.replace('/', '.')}"


def _unpacked(data: bytes) -> bytes | None:
    """Read a word; ``None`` for what is none, or too long."""
    unpacking = zlib.decompressobj()
    try:
        word = unpacking.decompress(data, _MOST_BYTES)
    except zlib.error:
        return None
    return word if unpacking.eof else None
