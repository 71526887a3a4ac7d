"""A shift: of several processes that share a memory one works, and the others stand by to take over.

Each stands on the rota, and says again and again that it lives. Whoever finds that the one on duty was silent
for too long takes the duty, and begins where the memory says that the other had come to. The other may only
have stood still, or been cut off: it can write nothing any more, finds that out, and stands by.

A process that cannot reach the memory goes on with its work, which can be kept nowhere, and operators are
told. Where others live who may take over meanwhile, it ends its work instead, as they cannot tell it to.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from bot.ports import Damaged, Outdated, StoreTrouble, Superseded
from bot.ports.rota import Duty
from bot.spell import Spell

if TYPE_CHECKING:
    from bot.ports import Clock
    from bot.ports.rota import Process, Rota

log = structlog.get_logger(__name__)

DUTY = "bot"
"""All the work there is: feeds, engine and chats belong together."""

SECONDS_TO_LIVE = 8.0
"""For how long whoever says that it lives is believed."""

_SIGNS, _LOOKS = 4, 8
"""How often, in that time, a process says so, and who stands by looks whether the duty is free."""

Work = Callable[[Duty, asyncio.Event], Awaitable[None]]
"""What is done on duty, until the event is set."""


@dataclass(slots=True)
class Shift:
    """The times at which this process works; ``name`` is what the others are told it is called.

    A process that is not heard of for so many ``seconds`` is thought dead. ``site`` is open while it stands
    by, and is given what says why it does not work. ``is_on_duty`` says whether it works now, and
    ``colleague`` who does else, if that is known.
    """

    rota: Rota
    clock: Clock
    name: str
    version: str
    seconds: float = SECONDS_TO_LIVE
    site: Callable[[Callable[[], Sequence[str]]], AbstractAsyncContextManager[object]] = nullcontext
    is_on_duty: bool = field(default=False, init=False)
    colleague: str = field(default="", init=False)
    _spell: Spell = field(default_factory=Spell, init=False)

    async def run(self, work: Work, until: asyncio.Event) -> None:
        """Work whenever it is this process's turn, until the event is set.

        Trouble with the memory ends a turn, and another begins. Raises whatever else the work raises, and
        StoreTrouble where the memory cannot be reached at the start.
        """
        process = await self.rota.join(self.name, self.version, self.seconds)
        while not until.is_set():
            try:
                await self._serve(process, work, until)
            except (Superseded, StoreTrouble, ExceptionGroup) as error:
                if not _passes(error):
                    raise
                log.warning("the work ended", reason=_sentence(error))
                await _either(until, self.seconds / _SIGNS)
            if not until.is_set():
                log.warning("this process stands by again", process=self.name)
                process = await self._join_again(until)

    def reasons(self) -> list[str]:
        """Say why it does not work just now, for whoever asks whether it is ready; nothing while it does."""
        if self.is_on_duty:
            return []
        return [f"it stands by: {self.colleague} is on duty" if self.colleague else "it stands by"]

    async def _serve(self, process: str, work: Work, until: asyncio.Event) -> None:
        """Stand by, and then work, until the event is set or the process is superseded."""
        is_over = asyncio.Event()
        telling = asyncio.create_task(self._give_signs(process, is_over))
        telling.add_done_callback(lambda _: is_over.set())  # whoever says nothing is thought dead
        ending = asyncio.create_task(_pass_on(until, is_over))
        try:
            if (duty := await self._stand_by(process, is_over)) is not None:
                log.info("on duty", process=self.name, after=duty.after)
                self.is_on_duty = True
                await work(duty, is_over)
        finally:
            self.is_on_duty = False
            for task in (telling, ending):
                task.cancel()
            for failed in await asyncio.gather(telling, ending, return_exceptions=True):
                if isinstance(failed, Exception):
                    log.error("signs of life failed", error=type(failed).__name__)
            with suppress(StoreTrouble):  # it is thought dead soon
                await self.rota.leave(process)

    async def _stand_by(self, process: str, is_over: asyncio.Event) -> Duty | None:
        """Wait for the duty; gives ``None`` where the event is set before. Raises Superseded."""
        if (duty := await self._taken(process)) is not None:
            return duty
        with suppress(StoreTrouble):
            self.colleague = _name((await self.rota.roll(math.inf)).on(DUTY))
        log.info("another process is on duty; this one stands by", on_duty=self.colleague)
        async with self.site(self.reasons):
            while duty is None:
                await _either(is_over, self.seconds / _LOOKS)
                if is_over.is_set():
                    return None
                duty = await self._taken(process)
        return duty

    async def _taken(self, process: str) -> Duty | None:
        try:
            return await self.rota.take(process, DUTY)
        except StoreTrouble as trouble:
            self._note(trouble)
            return None

    async def _give_signs(self, process: str, is_over: asyncio.Event) -> None:
        """Say that the process lives; set the event when it is taken for dead, or that must be feared."""
        others, believed_until = 0, self.clock.steady() + self.seconds
        while not is_over.is_set():
            asked_at = self.clock.steady()
            try:
                others = await self.rota.renew(process, self.seconds)
            except Superseded:
                is_over.set()
            except StoreTrouble as trouble:
                self._note(trouble)
                if others and self.clock.steady() >= believed_until:
                    log.error("another process may take over; this one ends its work", reason=str(trouble))
                    is_over.set()
            else:
                believed_until = asked_at + self.seconds
                if self._spell.ends():
                    log.warning("the rota can be reached again")
            await _either(is_over, self.seconds / _SIGNS)

    async def _join_again(self, until: asyncio.Event) -> str:
        while not until.is_set():
            try:
                return await self.rota.join(self.name, self.version, self.seconds)
            except StoreTrouble as trouble:
                self._note(trouble)
                await _either(until, self.seconds / _SIGNS)
        return ""

    def _note(self, trouble: StoreTrouble) -> None:
        if self._spell.begins(str(trouble), self.clock.now()):
            log.error("the rota cannot be reached", reason=str(trouble))


def _passes(error: Exception) -> bool:
    """Ask whether it is but trouble that passes, or the work of another by now."""
    if isinstance(error, ExceptionGroup):
        return all(map(_passes, error.exceptions))
    return isinstance(error, (Superseded, StoreTrouble)) and not isinstance(error, (Damaged, Outdated))


def _sentence(error: Exception) -> str:
    return _sentence(error.exceptions[0]) if isinstance(error, ExceptionGroup) else str(error)


def _name(process: Process | None) -> str:
    return process.name if process else ""


async def _pass_on(event: asyncio.Event, to: asyncio.Event) -> None:
    await event.wait()
    to.set()


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, or so many seconds are over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
