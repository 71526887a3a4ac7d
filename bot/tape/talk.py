"""Talk: short words between the processes of a deployment, heard by whoever listens just then.

Nothing of it is kept. What must be known by who comes later is said again and again, and what must not be
missed is in the store: a word only makes somebody look earlier.
"""

from __future__ import annotations

from collections.abc import Callable

from nats.aio.msg import Msg

from bot.tape.line import Line

_SECONDS_TO_SAY = 1.0


class Talk:
    """What one process says, and hears of others and of itself, over a line; ``name`` is the deployment's."""

    def __init__(self, line: Line, name: str) -> None:
        self._line, self._before = line, f"{name}.word"

    async def say(self, topic: str, word: bytes = b"") -> None:
        """Say a word on a topic, like ``feed/binance``. Raises TapeTrouble where nobody could hear it."""
        await self._line.say(f"{self._before}.{topic.replace('/', '.')}", word, _SECONDS_TO_SAY)

    async def listen(self, topic: str, heed: Callable[[str, bytes], None]) -> None:
        """Heed from now on what is said on a topic and all below it; gives the part below, and the word."""
        subject = f"{self._before}.{topic}"

        async def hear(message: Msg) -> None:
            heed(message.subject.removeprefix(subject).removeprefix(".").replace(".", "/"), message.data)

        await self._line.hear(subject, hear)
        await self._line.hear(f"{subject}.>", hear)
