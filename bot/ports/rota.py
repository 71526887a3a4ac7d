"""What several processes need of the memory that they share: who of them has which duty."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bot.duties import ALL, ROLES


@dataclass(frozen=True, slots=True)
class Process:
    """A process that joined the rota, as it stood there; instants are those of the memory's own clock.

    It is thought dead after ``until`` unless it is heard of before. ``ended_at`` is when it left, or when
    another took a duty from it because it was not heard of any more: then it ``was_lost``. It has ``duties``
    of its ``roles``, of those in its ``plan``: all that there are, by its settings, and how it words.
    """

    id: str
    name: str
    version: str
    joined_at: float
    until: float
    ended_at: float | None = None
    was_lost: bool = False
    duties: tuple[str, ...] = ()
    roles: tuple[str, ...] = ROLES
    plan: tuple[str, ...] = (ALL,)


@dataclass(frozen=True, slots=True)
class Duty:
    """A duty that was taken: the process called ``after`` had it before, until so many seconds ``ago``."""

    after: str = ""
    ago: float = math.inf


@dataclass(frozen=True, slots=True)
class Turn:
    """What a process works by: its id on the rota, and each duty that it has, by name.

    It ``is_over`` as soon as another may have its duties, whether it was told so yet or not.
    """

    process: str
    duties: Mapping[str, Duty]
    is_over: Callable[[], bool] = field(default=lambda: False, compare=False)


@dataclass(frozen=True, slots=True)
class Roll:
    """Who stands on the rota at an instant ``at``: those who live, by when they joined, and who ended lately.

    The latter are the newest first.
    """

    at: float
    living: tuple[Process, ...] = ()
    ended: tuple[Process, ...] = ()

    def on(self, duty: str) -> Process | None:
        """Give who has a duty; ``None`` where nobody does."""
        return next((one for one in self.living if duty in one.duties), None)


class Rota(Protocol):
    """Who has which duty. Every call raises StoreTrouble where the memory cannot be asked."""

    async def join(
        self,
        name: str,
        version: str,
        seconds: float,
        roles: Collection[str] = ROLES,
        plan: Sequence[str] = (ALL,),
    ) -> str:
        """Come to stand on the rota as a new process for so many seconds; gives its id.

        ``roles`` and ``plan`` are what it may do, and all that there is to do, by its settings.
        """

    async def renew(self, process: str, seconds: float) -> None:
        """Stand there for so many seconds from now.

        Raises Superseded where another took its duties meanwhile: all that it still writes is refused.
        """

    async def take(self, process: str, name: str) -> Duty | None:
        """Take a duty that is free, or whose process was not heard of in time; ``None`` while another has it.

        Neither may another have what that would ``collide`` with. Whoever had it is lost from then on, with
        all its duties, and writes nothing more: not even what it had begun. Raises Superseded where that is
        true of the process itself.
        """

    async def release(self, process: str, names: Collection[str]) -> None:
        """Give duties of one's own back at once, and go on with the others: nobody's else are touched.

        Whoever does so has ended all that it does on them. Raises Superseded.
        """

    async def leave(self, process: str) -> None:
        """Stand there no more: what is one's duty is free."""

    async def roll(self, ended_since: float) -> Roll:
        """Call the roll, with those who ended since an instant."""
