"""A shift: several processes that share a memory divide the duties, and take over from each other.

Each stands on the rota, and says again and again that it lives. Whoever finds that another was silent for too
long takes its duties, as far as they should be its own (``share``), and begins where the memory says that the
other had come to. The other may only have stood still, or been cut off: it can write nothing any more, finds
that out, and joins again. Whoever has nothing to do stands by.

The work is begun for a set of duties, and anew when that changes: a duty is given back when all that was done
on it has ended.

A process that cannot reach the memory goes on with its work, which can be kept nowhere, and operators are
told. Where others live who may take over meanwhile, it ends its work instead, as they cannot tell it to.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from bot.balance import Balance, Errand
from bot.duties import ALL, ROLES, in_short, is_apart
from bot.ports import Damaged, Outdated, StoreTrouble, Superseded
from bot.ports.rota import Duty, Turn
from bot.spell import Spell

if TYPE_CHECKING:
    from bot.ports import Clock
    from bot.ports.rota import Process, Rota

log = structlog.get_logger(__name__)

SECONDS_TO_LIVE = 8.0
"""For how long whoever says that it lives is believed."""

_SIGNS, _LOOKS = 4, 8
"""How often, in that time, a process says so, and looks who else lives."""

_CALM, _PATIENCE, _MEMORY = 3 / 8, 2 / 8, 2
"""Parts of that time: see ``Balance``."""

_APART = ", with other TOCSIN_PARTITIONS or TOCSIN_SENDERS, or as another version, and has to end first"

Work = Callable[[Turn, asyncio.Event], Awaitable[None]]
"""What is done on the duties that a process has, until the event is set."""


@dataclass(slots=True)
class Shift:
    """The times at which this process works; ``name`` is what the others are told it is called.

    It has duties of its ``roles``, of all that the ``plan`` names. A process that is not heard of for so
    many ``seconds`` is thought dead. ``site`` is open while it stands by, and is given what says why it does
    not work. ``is_on_duty`` says whether it works now, and ``others`` who else lives.
    """

    rota: Rota
    clock: Clock
    name: str
    version: str
    seconds: float = SECONDS_TO_LIVE
    site: Callable[[Callable[[], Sequence[str]]], AbstractAsyncContextManager[object]] = nullcontext
    plan: Sequence[str] = (ALL,)
    roles: Collection[str] = ROLES
    is_on_duty: bool = field(default=False, init=False)
    others: Sequence[Process] = field(default=(), init=False)
    _believed_until: float = field(default=-math.inf, init=False)
    _is_followed: bool = field(default=False, init=False)
    _spell: Spell = field(default_factory=Spell, init=False)

    async def run(self, work: Work, until: asyncio.Event) -> None:
        """Work whenever this process has a duty, until the event is set.

        Trouble with the memory ends a turn, and another begins. Raises whatever else the work raises, and
        StoreTrouble where the memory cannot be reached at the start.
        """
        process = await self._join()
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
                async with self.site(lambda: ["it stands by: the rota cannot be reached"]):
                    process = await self._join_again(until)

    def reasons(self) -> list[str]:
        """Say why it does not work just now, for whoever asks whether it is ready; nothing while it does."""
        if self.is_on_duty:
            return []
        at_work = [f"{one.name} {_doing(one.duties)}{self._apart(one)}" for one in self.others if one.duties]
        return [f"it stands by: {'; '.join(at_work)}" if at_work else "it stands by"]

    def _apart(self, one: Process) -> str:
        is_divided = ALL not in (*one.plan, *self.plan)
        return _APART if is_divided and is_apart(self.plan, one.plan) else ""

    async def _serve(self, process: str, work: Work, until: asyncio.Event) -> None:
        """Stand by, and work, until the event is set or the process is superseded."""
        is_over = asyncio.Event()
        telling = asyncio.create_task(self._give_signs(process))
        telling.add_done_callback(lambda _: is_over.set())  # whoever says nothing is thought dead
        ending = asyncio.create_task(_pass_on(until, is_over))
        try:
            await self._take_part(_Part(self, process, is_over), work)
        finally:
            for task in (telling, ending):
                task.cancel()
            for failed in await asyncio.gather(telling, ending, return_exceptions=True):
                if isinstance(failed, Exception):
                    log.error("signs of life failed", error=type(failed).__name__)
            with suppress(StoreTrouble):  # it is thought dead soon
                await self.rota.leave(process)

    async def _take_part(self, part: _Part, work: Work) -> None:
        """Have what this process should have, and work on it, until it is over or the work ends by itself."""
        is_done = False
        while not is_done and not part.is_over.is_set():
            await part.settle()
            if not part.has:
                await self._stand_by(part)
            while part.comes_more and not part.is_over.is_set():
                await part.pause()
                await part.settle()
            if part.has and not part.is_over.is_set():
                is_done = await self._work(part, work)

    async def _stand_by(self, part: _Part) -> None:
        """Wait for a duty, or until it is over."""
        async with self.site(self.reasons):
            log.info("this process stands by", reason=self.reasons()[0])
            while not part.has and not part.is_over.is_set():
                await part.pause()
                await part.settle()

    async def _work(self, part: _Part, work: Work) -> bool:
        """Work until it has to begin anew, or is over; gives whether it ended by itself."""
        turn, end, began = part.turn(), asyncio.Event(), self.clock.steady()
        log.info("on duty", process=self.name, duties=in_short(turn.duties))
        working = asyncio.ensure_future(work(turn, end))
        ending = asyncio.create_task(_pass_on(part.is_over, end))
        self.is_on_duty = True
        try:
            while not working.done():
                await asyncio.wait([working], timeout=self.seconds / _LOOKS)
                if part.is_over.is_set():
                    await asyncio.wait([working])
                elif not working.done():
                    await part.look()
                    if part.wanted != turn.duties.keys() and not part.comes_more and not end.is_set():
                        log.info("other duties, and the work begins anew", duties=in_short(part.wanted))
                        end.set()
            await working
        finally:
            self.is_on_duty = False
            for task in (ending, working):
                task.cancel()
            await asyncio.gather(ending, working, return_exceptions=True)
        if self.clock.steady() - began >= self.seconds:  # else it may not have come to all of it
            part.had(turn.duties)
        return not end.is_set()

    async def _give_signs(self, process: str) -> None:
        """Say that the process lives, until it is taken for dead, or that must be feared.

        Work that is to end goes on for some seconds, and nobody is to begin it meanwhile.
        """
        self._believed_until, self._is_followed = self.clock.steady() + self.seconds, False
        while True:
            asked_at = self.clock.steady()
            try:
                await self.rota.renew(process, self.seconds)
            except Superseded:
                self.be_followed()
                return
            except StoreTrouble as trouble:
                self.note(trouble)
                if self.may_be_followed():
                    log.error("another process may take over; this one ends its work", reason=str(trouble))
                    return
            else:
                self._believed_until = asked_at + self.seconds
                if self._spell.ends():
                    log.warning("the rota can be reached again")
            await asyncio.sleep(self.seconds / _SIGNS)

    def may_be_followed(self) -> bool:
        """Ask whether another does by now what this process did, or may: one who lived at the last look."""
        if self._is_followed or self.clock.steady() < self._believed_until:
            return self._is_followed
        return any(set(one.roles) & set(self.roles) for one in self.others)

    def be_followed(self) -> None:
        """Take in that another has what this process had."""
        self._is_followed = True

    async def _join(self) -> str:
        return await self.rota.join(self.name, self.version, self.seconds, self.roles, self.plan)

    async def _join_again(self, until: asyncio.Event) -> str:
        while not until.is_set():
            try:
                return await self._join()
            except StoreTrouble as trouble:
                self.note(trouble)
                await _either(until, self.seconds / _SIGNS)
        return ""

    def note(self, trouble: StoreTrouble) -> None:
        """Write down, once, that the rota cannot be reached."""
        if self._spell.begins(str(trouble), self.clock.now()):
            log.error("the rota cannot be reached", reason=str(trouble))


@dataclass(slots=True)
class _Part:
    """What one process of the rota has, until the event is set; and what it is to do by its last look."""

    shift: Shift
    process: str
    is_over: asyncio.Event
    has: dict[str, tuple[Duty, float]] = field(default_factory=dict)
    _errand: Errand = field(default_factory=Errand, init=False)
    _took: bool = field(default=False, init=False)
    _balance: Balance = field(init=False)

    def __post_init__(self) -> None:
        seconds = self.shift.seconds
        parts = {"calm": _CALM * seconds, "patience": _PATIENCE * seconds, "memory": _MEMORY * seconds}
        self._balance = Balance(self.process, self.shift.plan, **parts)

    @property
    def wanted(self) -> AbstractSet[str]:
        """What it is to work on: all that it has but for what it lets go."""
        return self.has.keys() - self._errand.let_go

    @property
    def comes_more(self) -> bool:
        """Whether others let go just now what it should have: it need not begin anew for each of them."""
        return self._took and bool(self._errand.awaited)

    def turn(self) -> Turn:
        """Say what it has, and how long ago others had it."""
        now = self.shift.clock.steady()
        return Turn(
            self.process,
            {name: replace(duty, ago=duty.ago + now - at) for name, (duty, at) in self.has.items()},
            self.shift.may_be_followed,
        )

    def had(self, names: Collection[str]) -> None:
        """Take in that it had some duties itself until now: it need not begin as after a stranger."""
        own = Duty(self.shift.name, 0.0), self.shift.clock.steady()
        self.has |= dict.fromkeys(self.has.keys() & names, own)

    async def look(self) -> None:
        """See who lives, and take what is free and its own; it is over where it is thought dead itself."""
        self._took = False
        try:
            living = (await self.shift.rota.roll(math.inf)).living
            self.shift.others = [one for one in living if one.id != self.process]
            errand = self._balance.look(living, self.has, self.shift.clock.steady())
            if errand is None:
                return
            self._errand = errand
            for name in errand.take:
                if (duty := await self.shift.rota.take(self.process, name)) is not None:
                    self.has[name] = duty, self.shift.clock.steady()
                    self._took = True
        except Superseded:
            self.shift.be_followed()
            self.is_over.set()
        except StoreTrouble as trouble:
            self.shift.note(trouble)

    async def settle(self) -> None:
        """Look while no work is done, and give back what another should have.

        Where that fails, the next look tells what it still has.
        """
        await self.look()
        if not (given := self.has.keys() & self._errand.let_go):
            return
        self.has = {name: had for name, had in self.has.items() if name not in given}
        try:
            await self.shift.rota.release(self.process, given)
        except Superseded:
            self.shift.be_followed()
            self.is_over.set()
        except StoreTrouble as trouble:
            self.shift.note(trouble)

    async def pause(self) -> None:
        """Wait until the next look."""
        await _either(self.is_over, self.shift.seconds / _LOOKS)


def _passes(error: Exception) -> bool:
    """Ask whether it is but trouble that passes, or the work of another by now."""
    if isinstance(error, ExceptionGroup):
        return all(map(_passes, error.exceptions))
    return isinstance(error, (Superseded, StoreTrouble)) and not isinstance(error, (Damaged, Outdated))


def _sentence(error: Exception) -> str:
    return _sentence(error.exceptions[0]) if isinstance(error, ExceptionGroup) else str(error)


def _doing(duties: Collection[str]) -> str:
    return "is on duty" if ALL in duties else f"has {in_short(duties)}"


async def _pass_on(event: asyncio.Event, to: asyncio.Event) -> None:
    await event.wait()
    to.set()


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, or so many seconds are over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
