"""What is wanted of the feeds, told against the way of the tape: by each partition, to whoever looks.

It is said whenever it changes, before it is too old, and when somebody who begins to listen asks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog
from nats.aio.msg import Msg

from bot.metrics import Want
from bot.ports import TapeTrouble
from bot.tape.line import Line
from bot.tape.wants import unite
from bot.tape.words import Unreadable, read_wants, word_wants

_SECONDS_BETWEEN_LOOKS = 0.5
"""From one look at what a partition wants to the next."""

_TELLINGS = 5
"""How often the same is told before it would be too old."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Word:
    """What a partition said that it wants, in one word of so many, and when by the loop's clock."""

    heard_at: float
    wants: list[Want]
    count: int


class Wishes:
    """What the ``partitions`` of a deployment called ``name`` want; a word of it holds for ``age`` seconds.

    A call waits ``patience`` seconds for the server.
    """

    def __init__(self, line: Line, name: str, partitions: int, age: float, patience: float) -> None:
        self._line, self._name, self._partitions = line, name, partitions
        self._age, self._patience = age, patience
        self._closing = asyncio.Event()
        self._questions = 0
        self._telling: set[asyncio.Task[None]] = set()
        self._hears_questions = self._hears_words = False
        self._listening = (0, 0.0)
        self._words: dict[tuple[int, int], Word] = {}

    # --- from the engines ---------------------------------------------------------------------------------

    def tell(self, partition: int, wants: Callable[[], Sequence[Want]]) -> None:
        """Say from now on what a partition wants."""
        telling = asyncio.create_task(self._tell(partition, wants))
        self._telling.add(telling)
        telling.add_done_callback(self._end)

    def _end(self, telling: asyncio.Task[None]) -> None:
        self._telling.discard(telling)
        if not telling.cancelled() and (error := telling.exception()) is not None:
            log.error("what is wanted is told no more", error=type(error).__name__)

    async def _tell(self, partition: int, ask: Callable[[], Sequence[Want]]) -> None:
        if not self._hears_questions:
            self._hears_questions = True
            await self._line.hear(f"{self._name}.wanted", self._hear_question)
        loop = asyncio.get_running_loop()
        told: Sequence[Want] | None = None
        until, answered = loop.time(), self._questions
        while not self._closing.is_set():
            wants, questions = ask(), self._questions
            if wants != told or loop.time() >= until or questions != answered:
                try:
                    await self.say(partition, wants)
                except TapeTrouble as trouble:
                    log.debug("what is wanted is not told now", partition=partition, reason=str(trouble))
                else:
                    told, until, answered = wants, loop.time() + self._age / _TELLINGS, questions
            with suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS_BETWEEN_LOOKS):
                    await self._closing.wait()

    async def say(self, partition: int, wants: Sequence[Want]) -> None:
        """Say what a partition wants, in place of what it said before; it is forgotten after a while.

        Raises TapeTrouble where no server is there.
        """
        try:
            words = list(_worded(wants, self._line.room))
        except ValueError as error:
            raise TapeTrouble(f"what is wanted cannot be put in words: {error}") from error
        for place, word in enumerate(words):
            subject = f"{self._name}.wants.{partition}.{place}.{len(words)}"
            await self._line.say(subject, word, self._patience)

    async def _hear_question(self, _: Msg) -> None:
        self._questions += 1

    async def finish(self) -> None:
        """Say nothing any more."""
        self._closing.set()
        while self._telling:
            await asyncio.wait(self._telling)

    # --- to the feeds -------------------------------------------------------------------------------------

    async def all(self) -> list[Want]:
        """Give what all partitions said that they want, as far as it is not too old; one for each key.

        Raises TapeTrouble where no server is there; and where not all have spoken yet since the line came up,
        for a part of it would look as if nothing else were wanted. Who is silent for long wants nothing.
        """
        if not self._hears_words:
            self._hears_words = True
            await self._line.hear(f"{self._name}.wants.*.*.*", self._hear)
        await self._line.jetstream(self._patience)
        now = asyncio.get_running_loop().time()
        if self._listening[0] != self._line.times:
            self._listening = self._line.times, now
            await self._line.say(f"{self._name}.wanted", b"", self._patience)
        since = now - self._age
        self._words = {of: word for of, word in self._words.items() if word.heard_at >= since}
        if self._listening[1] > since and not all(map(self._is_heard, range(self._partitions))):
            raise TapeTrouble("not every partition has said yet what it wants")
        return unite(*(self._words[of].wants for of in sorted(self._words)))

    def _is_heard(self, partition: int) -> bool:
        """Ask whether all was heard that a partition wants."""
        words = [word for of, word in self._words.items() if of[0] == partition]
        return bool(words) and len(words) == words[0].count

    async def _hear(self, message: Msg) -> None:
        partition, place, count = map(int, message.subject.split(".")[-3:])
        try:
            wants = read_wants(message.data)
        except Unreadable as error:
            log.error(
                "what is wanted cannot be read, and is passed over", partition=partition, reason=str(error)
            )
            return
        self._words = {of: word for of, word in self._words.items() if of[0] != partition or of[1] < count}
        self._words[partition, place] = Word(asyncio.get_running_loop().time(), wants, count)


def _worded(wants: Sequence[Want], most: int) -> Iterator[bytes]:
    """Put wants in words of ``most`` bytes each; who wants nothing says so."""
    word = word_wants(wants)
    if len(word) <= most or len(wants) < 2:
        yield word
        return
    middle = len(wants) // 2
    yield from _worded(wants[:middle], most)
    yield from _worded(wants[middle:], most)
