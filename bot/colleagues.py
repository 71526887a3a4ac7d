"""Colleagues: what the processes of a deployment tell each other, beside what is seen and what is kept.

Each says every few seconds how its organs are, and what it knows of the exchanges and providers that it looks
at. Who promised that something is told says so at once, for whoever tells it. What one hears in a chat that
another tells is handed on to that one, who answers. Nothing depends on a single word: an outbox is looked
into without one too, only later, and what nobody takes over is answered by who heard it.
"""

from __future__ import annotations

import asyncio
import hmac
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog

from bot.alerts.lots import ALL_LOTS, Lots
from bot.codec import Codec
from bot.ports import TapeTrouble
from bot.spell import Spell
from bot.vigil import Kind, Organ

if TYPE_CHECKING:
    from bot.alerts.people import ChatRef
    from bot.feeds.exchanges import Exchanges
    from bot.feeds.metrics.board import MetricFeeds
    from bot.ports import Chat, Clock, Tape
    from bot.tape.talk import Talk

log = structlog.get_logger(__name__)

_SECONDS_BETWEEN_WORDS = 4.0
_SECONDS_BELIEVED = 20.0
"""Who says nothing for so long is another's concern: of a process that is gone nobody tells that it ails."""

_HANDED: Codec[tuple[str, float, bytes]] = Codec(tuple[str, float, bytes])
_BYTES_OF_A_SEAL = 32
_FOUND: Codec[list[tuple[Kind, str, str | None]]] = Codec(list[tuple[Kind, str, str | None]])
_EXCHANGES, _METRICS, _ORGANS, _WAKE, _SAID = "exchange", "metrics", "organs", "wake", "said"

_SECONDS_TO_TAKE_OVER = 0.5
_SECONDS_TO_ANSWER = 1.0
"""Longer than there is to take over: clocks differ, and who took it says so a little later."""

_SECONDS_PASSED_OVER = 5.0
"""For which nothing is handed to who did not answer: each who speaks meanwhile would wait for that."""


@dataclass(slots=True)
class Colleagues:
    """One process among others; ``who`` names it, as nobody else is named.

    It tells some ``lots`` of each platform that is named there. What is handed on bears a seal that only
    those can make who have the ``key``: whoever else reaches the server says nothing in anybody's name, and
    repeats nothing. Nothing is handed on or taken over when it ``is_over``: others may have those lots then.
    """

    talk: Talk
    tape: Tape
    clock: Clock
    who: str
    exchanges: Exchanges
    metrics: MetricFeeds
    lots: Mapping[str, Lots] = field(default_factory=dict)
    key: bytes = b""
    is_over: Callable[[], bool] = lambda: False
    _organs: Callable[[], Mapping[Organ, str | None]] = field(default=dict, init=False)
    _to_wake: Sequence[Callable[[], None]] = field(default=(), init=False)
    _chats: Sequence[Chat] = field(default=(), init=False)
    _silent_since: dict[str, float] = field(default_factory=dict, init=False)
    _taken: dict[bytes, float] = field(default_factory=dict, init=False)
    _told: dict[str, tuple[float, Mapping[Organ, str | None]]] = field(default_factory=dict, init=False)
    _spell: Spell = field(default_factory=Spell, init=False)
    _is_rung: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def serve(
        self,
        organs: Callable[[], Mapping[Organ, str | None]],
        to_wake: Sequence[Callable[[], None]],
        chats: Sequence[Chat] = (),
    ) -> None:
        """Tell the others how one's organs are, and call ``to_wake`` when one of them promised something.

        What they hear in chats that are told here goes to ``chats``.
        """
        self._organs, self._to_wake, self._chats = organs, to_wake, chats

    async def hand_on(self, chat: ChatRef, said: bytes) -> bool:
        """Hand on what was said in a chat that another process tells, and say whether that one took it.

        It takes nothing that comes later than it is waited for here, so that nothing is answered twice.
        """
        lots = self.lots.get(chat.platform, ALL_LOTS)
        topic = f"{_SAID}/{chat.platform}/{lots.part_of(chat.chat)}"
        now = asyncio.get_running_loop().time()
        if self.is_over() or now - self._silent_since.get(topic, -math.inf) < _SECONDS_PASSED_OVER:
            return False
        until = self.clock.now() + _SECONDS_TO_TAKE_OVER / self.clock.real(1.0)
        try:
            word = _HANDED.word((chat.platform, until, said))
            is_taken = await self.talk.ask(topic, self._seal(word) + word, _SECONDS_TO_ANSWER)
        except TapeTrouble as trouble:
            log.info("what was said is answered here", chat=str(chat), reason=str(trouble))
            self._silent_since[topic] = now
            return False
        return is_taken

    async def _take_over(self, chat: Chat, word: bytes) -> bool:
        seal, word = word[:_BYTES_OF_A_SEAL], word[_BYTES_OF_A_SEAL:]
        try:
            if not hmac.compare_digest(seal, self._seal(word)):
                raise ValueError("it is not sealed with the token of this bot")
            platform, until, said = _HANDED.read(word)
        except ValueError as error:
            self._note_unreadable(_SAID, error)
            return False
        now = self.clock.now()
        self._taken = {one: at for one, at in self._taken.items() if now < at}
        if platform != chat.platform or now >= until or seal in self._taken or self.is_over():
            return False
        self._taken[seal] = until
        try:
            return await chat.take_over(said)
        except Exception:  # who asked answers it, and need not wait to learn that
            log.exception("what was handed on met a defect", platform=platform)
            return False

    def _seal(self, word: bytes) -> bytes:
        return hmac.digest(self.key, word, "sha256")

    def ring(self) -> None:
        """Let the others know that something was promised."""
        self._is_rung.set()

    def found(self) -> dict[Organ, str | None]:
        """Say of each organ of the others what ails it, as ``Organs.found`` does of those here."""
        since = asyncio.get_running_loop().time() - _SECONDS_BELIEVED
        self._told = {who: told for who, told in self._told.items() if told[0] >= since}
        found: dict[Organ, str | None] = {}
        for _, organs in self._told.values():
            found |= {organ: reason or found.get(organ, reason) for organ, reason in organs.items()}
        return found

    async def run(self) -> None:
        """Say what there is to be said, and listen, until cancelled."""
        await self.talk.listen(_EXCHANGES, self._hear_of_exchange)
        await self.talk.listen(_METRICS, self._hear_of_metrics)
        await self.talk.listen(_ORGANS, self._hear_of_organs)
        await self.talk.listen(_WAKE, self._be_woken)
        for chat in self._chats:
            for part in self.lots[chat.platform].parts:
                await self.talk.take_over(f"{_SAID}/{chat.platform}/{part}", partial(self._take_over, chat))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pass_on())
            while True:
                await self._follow()
                await self._tell()
                await self.clock.sleep(_SECONDS_BETWEEN_WORDS)

    async def _follow(self) -> None:
        """Let the exchanges know what is wanted: who looks at none must know who shows a series, too."""
        with suppress(TapeTrouble):
            await self.exchanges.follow(await self.tape.wants())

    async def _tell(self) -> None:
        for name, word in (await self.exchanges.words()).items():
            await self._say(f"{_EXCHANGES}/{name}", word)
        for name, word in (await self.metrics.words()).items():
            await self._say(f"{_METRICS}/{name}", word)
        organs = [(organ.kind, organ.name, reason) for organ, reason in self._organs().items()]
        await self._say(f"{_ORGANS}/{self.who}", _FOUND.word(organs))

    async def _pass_on(self) -> None:
        """Say that something was promised: once, however often it was since the last time."""
        while True:
            await self._is_rung.wait()
            self._is_rung.clear()
            await self._say(_WAKE)

    async def _say(self, topic: str, word: bytes = b"") -> None:
        try:
            await self.talk.say(topic, word)
        except TapeTrouble as trouble:
            log.debug("nobody hears it", topic=topic, reason=str(trouble))

    async def _be_woken(self, *_: object) -> None:
        for wake in self._to_wake:
            wake()

    async def _hear_of_exchange(self, name: str, word: bytes) -> None:
        with self._reading(_EXCHANGES):
            await self.exchanges.hear(name, word)

    async def _hear_of_metrics(self, name: str, word: bytes) -> None:
        with self._reading(_METRICS):
            await self.metrics.hear(name, word)

    async def _hear_of_organs(self, who: str, word: bytes) -> None:
        if who != self.who:
            with self._reading(_ORGANS):
                organs = {Organ(kind, name): reason for kind, name, reason in _FOUND.read(word)}
                self._told[who] = asyncio.get_running_loop().time(), organs

    @contextmanager
    def _reading(self, topic: str) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            self._note_unreadable(topic, error)

    def _note_unreadable(self, topic: str, error: ValueError) -> None:
        if self._spell.begins(str(error), self.clock.now()):
            log.error("a word of another process cannot be read", topic=topic, reason=str(error))
