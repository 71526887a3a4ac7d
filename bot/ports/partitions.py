"""What is needed of the memory where several judge: who has which part, and how they are parted anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Share:
    """One partition of the armings: who took it last, for which time, and up to which instant it was judged.

    Nobody has taken it since the armings were divided where it has no ``holder``. What goes well is judged up
    to a minute or two ago: that is written at least once a minute.
    """

    partition: int
    holder: str
    epoch: int
    judged_to: int


class Sharing(Protocol):
    """What operators may ask of the parts."""

    async def shares(self) -> list[Share]:
        """Give all partitions, by number."""


class Partitions(Sharing, Protocol):
    """The parts in which the armings are judged: one, until told otherwise."""

    async def take(self, partition: int, holder: str, beyond: int = 0) -> int:
        """Take a partition over and give its new epoch; whoever held it before can commit no more.

        It is greater than ``beyond`` too: a memory that was brought back knows less of epochs than others do.
        """

    async def deployment(self) -> str:
        """Name what belongs to this memory, wherever others meet it; made at random, and then kept."""

    async def divide(self, count: int) -> bool:
        """Let so many partitions judge from now on; gives whether that is a change.

        All that lives moves to where it belongs in one transaction, and goes on from where it was judged to.
        Whoever goes on with the old division commits no more, and must open what it has anew.
        """
