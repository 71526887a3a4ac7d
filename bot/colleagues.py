"""Colleagues: what the processes of a deployment tell each other, beside what is seen and what is kept.

Each says every few seconds how its organs are, and what it knows of the exchanges and providers that it looks
at. Who promised that something is told says so at once, for whoever tells it. Nothing depends on a single
word: an outbox is looked into without one too, only later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from bot.codec import Codec
from bot.ports import TapeTrouble
from bot.spell import Spell
from bot.vigil import Kind, Organ

if TYPE_CHECKING:
    from bot.feeds.exchanges import Exchanges
    from bot.feeds.metrics.board import MetricFeeds
    from bot.ports import Clock, Tape
    from bot.tape.talk import Talk

log = structlog.get_logger(__name__)

_SECONDS_BETWEEN_WORDS = 4.0
_SECONDS_BELIEVED = 20.0
"""Who says nothing for so long is another's concern: of a process that is gone nobody tells that it ails."""

_FOUND: Codec[list[tuple[Kind, str, str | None]]] = Codec(list[tuple[Kind, str, str | None]])
_EXCHANGES, _METRICS, _ORGANS, _WAKE = "exchange", "metrics", "organs", "wake"


@dataclass(slots=True)
class Colleagues:
    """One process among others; ``who`` names it, as nobody else is named."""

    talk: Talk
    tape: Tape
    clock: Clock
    who: str
    exchanges: Exchanges
    metrics: MetricFeeds
    _organs: Callable[[], Mapping[Organ, str | None]] = field(default=dict, init=False)
    _to_wake: Sequence[Callable[[], None]] = field(default=(), init=False)
    _told: dict[str, tuple[float, Mapping[Organ, str | None]]] = field(default_factory=dict, init=False)
    _spell: Spell = field(default_factory=Spell, init=False)
    _is_rung: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def serve(
        self, organs: Callable[[], Mapping[Organ, str | None]], to_wake: Sequence[Callable[[], None]]
    ) -> None:
        """Tell the others how one's organs are, and call ``to_wake`` when one of them promised something."""
        self._organs, self._to_wake = organs, to_wake

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
            if self._spell.begins(str(error), self.clock.now()):
                log.error("a word of another process cannot be read", topic=topic, reason=str(error))
